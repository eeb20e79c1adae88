/*
 * Two fanotify groups: one marks inodes, one the whole mount. Their queues are empty at the dump; afterwards each mark
 * must give its own events and no other.
 */
#include "workload.h"

#include <limits.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#define EVENTS 4096

static int inodes, mounts;
static uint64_t strangers; /* events about files that seen() was not asked for */

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd))
		die(name);
}

/* Opened and closed for reading: no change. */
static void look(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || close(fd))
		die(name);
}

/* What this process did to the file, by all events that are queued; events are merged, so masks are added up. */
static uint64_t seen(int group, const char *name)
{
	char events[EVENTS] __attribute__((aligned(8))), link[40], path[PATH_MAX];
	uint64_t mask = 0;
	ssize_t got;

	while ((got = read(group, events, sizeof events)) > 0) {
		struct fanotify_event_metadata *event = (struct fanotify_event_metadata *)events;

		for (; FAN_EVENT_OK(event, got); event = FAN_EVENT_NEXT(event, got)) {
			ssize_t length;

			if (event->fd < 0) {
				mask |= event->mask;
				continue;
			}
			snprintf(link, sizeof link, "/proc/self/fd/%d", event->fd);
			length = readlink(link, path, sizeof path - 1);
			path[length < 0 ? 0 : length] = 0;
			if (fcntl(event->fd, F_GETFD) != FD_CLOEXEC || fcntl(event->fd, F_GETFL) & O_ACCMODE)
				mismatch("an event's descriptor has other flags");
			close(event->fd);
			if (event->pid != getpid())
				continue;
			if (strrchr(path, '/') && !strcmp(strrchr(path, '/') + 1, name))
				mask |= event->mask;
			else
				strangers++;
		}
	}
	return mask;
}

static void mark(int group, unsigned flags, uint64_t mask, const char *name)
{
	if (fanotify_mark(group, flags, mask, AT_FDCWD, name))
		die(name);
}

static void make_marks(void)
{
	if (mkdir("room", 0755) && errno != EEXIST)
		die("room");
	touch("file");
	touch("room/ignored");
	touch("room/noticed");
	touch("elsewhere");
	inodes = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC | O_LARGEFILE);
	mounts = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);
	if (inodes < 0 || mounts < 0)
		die("fanotify_init");
	mark(inodes, FAN_MARK_ADD, FAN_MODIFY | FAN_CLOSE_WRITE, "file");
	mark(inodes, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_CLOSE_NOWRITE | FAN_EVENT_ON_CHILD, "room");
	mark(inodes, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_CLOSE_NOWRITE, "room/ignored");
	mark(mounts, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CLOSE_WRITE, ".");
}

/* The marks as the kernel tells them; inode, device and mount numbers are another machine's own. */
static void describe_group(const char *name, int group)
{
	char path[40], line[400], text[400] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", group);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof line, file)) {
		char *flags = strstr(line, "mflags:"), *end;

		if (strncmp(line, "fanotify", 8))
			continue;
		if (!flags)
			flags = line + 9;
		end = strstr(flags, " fhandle");
		flags[strcspn(flags, "\n")] = 0;
		if (end)
			*end = 0;
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s; ", flags);
	}
	fclose(file);
	report_text(name, text);
}

static void describe(void)
{
	describe_group("inodes", inodes);
	describe_group("mounts", mounts);
	report_number("inodes_flags", (uint64_t)fcntl(inodes, F_GETFL));
	report_number("mounts_flags", (uint64_t)fcntl(mounts, F_GETFL));
	report_number("inodes_cloexec", (uint64_t)fcntl(inodes, F_GETFD));
	report_number("mounts_cloexec", (uint64_t)fcntl(mounts, F_GETFD));
}

static void compare_seen(int group, const char *name, uint64_t want, const char *what)
{
	uint64_t got = seen(group, name);

	if (got != want)
		mismatch("%s: events %" PRIx64 ", expected %" PRIx64, what, got, want);
}

static void verify(void)
{
	seen(mounts, "");
	strangers = 0;
	compare_seen(inodes, "file", 0, "before");
	touch("file");
	compare_seen(inodes, "file", FAN_MODIFY | FAN_CLOSE_WRITE, "file");
	compare_seen(mounts, "file", FAN_CLOSE_WRITE, "file, by its mount");
	look("room/noticed");
	compare_seen(inodes, "noticed", FAN_CLOSE_NOWRITE, "noticed");
	look("room/ignored");
	compare_seen(inodes, "ignored", 0, "ignored");
	touch("elsewhere");
	compare_seen(inodes, "elsewhere", 0, "elsewhere");
	compare_seen(mounts, "elsewhere", FAN_CLOSE_WRITE, "elsewhere, by its mount");
	if (strangers)
		mismatch("%" PRIu64 " events about other files", strangers);
}

static void corrupt_lost(void)
{
	mark(inodes, FAN_MARK_REMOVE, FAN_MODIFY | FAN_CLOSE_WRITE, "file");
}

static void corrupt_mask(void)
{
	mark(inodes, FAN_MARK_ADD, FAN_OPEN, "file");
}

static void corrupt_ignored(void)
{
	mark(inodes, FAN_MARK_REMOVE | FAN_MARK_IGNORED_MASK, FAN_CLOSE_NOWRITE, "room/ignored");
}

static void corrupt_mount(void)
{
	mark(mounts, FAN_MARK_REMOVE | FAN_MARK_MOUNT, FAN_CLOSE_WRITE, ".");
}

/* What a mark found by another machine's inode number would be. */
static void corrupt_elsewhere(void)
{
	if (rename("file", "other"))
		die("rename");
	touch("file");
	seen(inodes, "");
}

static void corrupt_flags(void)
{
	close(inodes);
	inodes = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDWR | O_LARGEFILE);
	mark(inodes, FAN_MARK_ADD, FAN_MODIFY | FAN_CLOSE_WRITE, "file");
}

static const struct damage damages[] = {
	{ "lost", corrupt_lost },   { "mask", corrupt_mask },		{ "ignored", corrupt_ignored },
	{ "mount", corrupt_mount }, { "elsewhere", corrupt_elsewhere }, { "flags", corrupt_flags },
	{ 0 },
};

int main(void)
{
	witness_start();
	make_marks();
	serve(describe, verify, damages);
}
