/*
 * Two inotify instances with watches on files and directories. Their queues are empty at the dump; afterwards every
 * watch must give exactly its own events under its own number. CRIU keeps no queued events: see inotify_queue.
 */
#include "workload.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#define EVENTS 2048

static int busy, calm;	       /* two instances; `calm` is non-blocking */
static int on_file, on_room, on_hall, on_link = -1, on_calm;
static uint32_t room_flags, hall_flags; /* what CRIU loses: asked for by inotify_flags */
static bool with_link;			/* what CRIU cannot find again: asked for by inotify_link */

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd))
		die(name);
}

static int watch(int instance, const char *name, uint32_t mask)
{
	int wd = inotify_add_watch(instance, name, mask);

	if (wd < 0)
		die(name);
	return wd;
}

/* All that is queued, without waiting, as a text: "wd:mask[:name] ...". */
static void drain(int instance, char *text, size_t size)
{
	char events[EVENTS] __attribute__((aligned(8)));
	int flags = fcntl(instance, F_GETFL);
	size_t used = 0;
	ssize_t got;

	text[0] = 0;
	fcntl(instance, F_SETFL, flags | O_NONBLOCK);
	while ((got = read(instance, events, sizeof events)) > 0) {
		for (ssize_t at = 0; at < got;) {
			const struct inotify_event *event = (const struct inotify_event *)(events + at);

			used += (size_t)snprintf(text + used, size - used, "%d:%x%s%s ", event->wd, event->mask,
						 event->len ? ":" : "", event->len ? event->name : "");
			if (used >= size)
				used = size - 1;
			at += (ssize_t)(sizeof *event + event->len);
		}
	}
	fcntl(instance, F_SETFL, flags);
}

static void make_watches(void)
{
	char ignored[EVENTS];
	int dropped;

	if ((mkdir("room", 0755) || mkdir("hall", 0755)) && errno != EEXIST)
		die("mkdir");
	touch("file");
	touch("dropped");
	unlink("link");
	if (symlink("file", "link"))
		die("link");
	busy = inotify_init1(IN_CLOEXEC);
	calm = inotify_init1(IN_NONBLOCK);
	if (busy < 0 || calm < 0)
		die("inotify_init1");
	on_file = watch(busy, "file", IN_MODIFY | IN_ATTRIB);
	dropped = watch(busy, "dropped", IN_ALL_EVENTS);
	on_room = watch(busy, "room", IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR | room_flags);
	if (with_link)
		on_link = watch(busy, "link", IN_DELETE_SELF | IN_DONT_FOLLOW);
	on_hall = watch(busy, "hall", IN_CREATE | hall_flags);
	if (inotify_rm_watch(busy, dropped))
		die("inotify_rm_watch");
	on_calm = watch(calm, "file", IN_CLOSE_WRITE);
	drain(busy, ignored, sizeof ignored);
}

/* The watches as the kernel tells them; inode and device numbers are another machine's own. */
static void describe_instance(const char *name, int instance)
{
	char path[40], line[300], text[300] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", instance);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof line, file)) {
		char *mask = strstr(line, " mask:");
		unsigned wd, bits, ignored = 0;

		if (!mask || sscanf(line, "inotify wd:%x", &wd) != 1)
			continue;
		if (sscanf(mask, " mask:%x ignored_mask:%x", &bits, &ignored) < 1)
			continue;
		snprintf(text + strlen(text), sizeof text - strlen(text), "%u:%x:%x ", wd, bits, ignored);
	}
	fclose(file);
	report_text(name, text);
}

static void describe(void)
{
	describe_instance("busy", busy);
	describe_instance("calm", calm);
	report_number("busy_flags", (uint64_t)fcntl(busy, F_GETFL));
	report_number("calm_flags", (uint64_t)fcntl(calm, F_GETFL));
	report_number("busy_cloexec", (uint64_t)fcntl(busy, F_GETFD));
	report_number("calm_cloexec", (uint64_t)fcntl(calm, F_GETFD));
}

__attribute__((format(printf, 3, 4))) static void compare_events(int instance, const char *what, const char *format,
								 ...)
{
	char want[300], got[EVENTS];
	va_list args;

	va_start(args, format);
	vsnprintf(want, sizeof want, format, args);
	va_end(args);
	drain(instance, got, sizeof got);
	if (strcmp(got, want))
		mismatch("%s: events <%.60s>, expected <%.60s>", what, got, want);
}

static void compare_room(void)
{
	touch("room/new");
	if (rename("room/new", "room/old") || unlink("room/old"))
		die("room");
	compare_events(busy, "room", "%d:%x:new %d:%x:new %d:%x:old %d:%x:old ", on_room, IN_CREATE, on_room,
		       IN_MOVED_FROM, on_room, IN_MOVED_TO, on_room, IN_DELETE);
}

static void compare_hall(void)
{
	touch("hall/one");
	touch("hall/two");
	if (hall_flags & IN_ONESHOT)
		compare_events(busy, "hall", "%d:%x:one %d:%x ", on_hall, IN_CREATE, on_hall, IN_IGNORED);
	else
		compare_events(busy, "hall", "%d:%x:one %d:%x:two ", on_hall, IN_CREATE, on_hall, IN_CREATE);
	if (unlink("hall/one") || unlink("hall/two"))
		die("unlink");
}

static void verify(void)
{
	int next;

	compare_events(busy, "before", "%s", "");
	compare_events(calm, "before, calm", "%s", "");
	touch("file");
	compare_events(busy, "file", "%d:%x ", on_file, IN_MODIFY);
	compare_events(calm, "file, calm", "%d:%x ", on_calm, IN_CLOSE_WRITE);
	compare_room();
	compare_hall();
	if (unlink("link"))
		die("link");
	if (with_link)
		compare_events(busy, "link", "%d:%x %d:%x ", on_link, IN_DELETE_SELF, on_link, IN_IGNORED);
	touch("dropped");
	compare_events(busy, "dropped", "%s", "");
	next = watch(busy, "dropped", IN_MODIFY);
	if (next == on_file || next == on_room || next == on_hall || next == on_link)
		mismatch("a new watch gets the number %d, which is in use", next);
}

static void corrupt_mask(void)
{
	watch(calm, "file", IN_MODIFY);
}

static void forget(const char *name, int wd)
{
	char ignored[EVENTS];

	if (inotify_rm_watch(busy, wd))
		die(name);
	drain(busy, ignored, sizeof ignored);
}

static void corrupt_lost(void)
{
	forget("hall", on_hall);
}

static void corrupt_link(void)
{
	forget("link", on_link);
}

static void corrupt_renumbered(void)
{
	forget("file", on_file);
	watch(busy, "file", IN_MODIFY | IN_ATTRIB);
}

/* What watching through an inode number of another machine would do. */
static void corrupt_elsewhere(void)
{
	char ignored[EVENTS];

	if (rename("file", "elsewhere"))
		die("rename");
	touch("file");
	drain(busy, ignored, sizeof ignored);
	drain(calm, ignored, sizeof ignored);
}

static void corrupt_oneshot(void)
{
	watch(busy, "hall", IN_CREATE);
}

static void corrupt_unlinked(void)
{
	watch(busy, "room", IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR);
}

static void corrupt_event(void)
{
	touch("file");
}

static void corrupt_flags(void)
{
	fcntl(calm, F_SETFL, 0);
}

static const struct damage damages[] = {
	{ "mask", corrupt_mask },	    { "lost", corrupt_lost },	      { "renumbered", corrupt_renumbered },
	{ "elsewhere", corrupt_elsewhere }, { "oneshot", corrupt_oneshot },   { "event", corrupt_event },
	{ "flags", corrupt_flags },	    { "unlinked", corrupt_unlinked }, { "link", corrupt_link },
	{ 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	if (argc > 1 && !strcmp(argv[1], "flags")) {
		room_flags = IN_EXCL_UNLINK;
		hall_flags = IN_ONESHOT;
	}
	with_link = argc > 1 && !strcmp(argv[1], "link");
	make_watches();
	serve(describe, verify, damages);
}
