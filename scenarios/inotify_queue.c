/* Events that were queued before the dump and that nobody has read yet. */
#include "workload.h"

#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define NAMES 3

static int instance, wd;

static void touch(int number)
{
	char name[40];
	int fd;

	snprintf(name, sizeof name, "room/new-%d", number);
	fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || close(fd))
		die(name);
}

static void describe(void)
{
	int bytes = -1;

	ioctl(instance, FIONREAD, &bytes);
	report_number("queued_bytes", (uint64_t)bytes);
}

static void verify(void)
{
	char events[1024] __attribute__((aligned(8))), want[32];
	ssize_t got = read(instance, events, sizeof events), at = 0;

	for (int i = 0; i < NAMES; i++) {
		const struct inotify_event *event = (const struct inotify_event *)(events + at);

		if (got < at + (ssize_t)sizeof *event) {
			mismatch("event %d of %d is not in the queue", i, NAMES);
			return;
		}
		snprintf(want, sizeof want, "new-%d", i);
		if (event->wd != wd || event->mask != IN_CREATE || strcmp(event->name, want))
			mismatch("event %d: mask %x of watch %d about %.40s", i, event->mask, event->wd,
				 event->len ? event->name : "nothing");
		at += (ssize_t)(sizeof *event + event->len);
	}
	if (at != got)
		mismatch("there are more events than there were");
}

static void corrupt_lost(void)
{
	char events[1024];

	while (read(instance, events, sizeof events) > 0)
		;
}

static void corrupt_partly(void)
{
	char event[sizeof(struct inotify_event) + 16];

	if (read(instance, event, sizeof event) != sizeof event)
		die("read");
}

static void corrupt_more(void)
{
	touch(NAMES);
}

static void corrupt_order(void)
{
	corrupt_lost();
	for (int i = NAMES - 1; i >= 0; i--) {
		char name[40];

		snprintf(name, sizeof name, "room/new-%d", i);
		unlink(name);
		touch(i);
	}
}

static const struct damage damages[] = {
	{ "lost", corrupt_lost }, { "partly", corrupt_partly }, { "more", corrupt_more }, { "order", corrupt_order }, { 0 },
};

int main(void)
{
	char name[40];

	witness_start();
	if (mkdir("room", 0755) && errno != EEXIST)
		die("room");
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "room/new-%d", i);
		unlink(name);
	}
	instance = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	wd = inotify_add_watch(instance, "room", IN_CREATE);
	if (wd < 0)
		die("inotify_add_watch");
	for (int i = 0; i < NAMES; i++)
		touch(i);
	serve(describe, verify, damages);
}
