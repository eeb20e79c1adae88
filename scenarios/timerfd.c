/* Timer descriptors: far ones, absolute and relative, on three clocks; expired and unread; never set; shared. */
#include "remaining.h"

#include <sys/timerfd.h>
#include <sys/wait.h>

enum { ONCE, PERIODIC, ABSOLUTE, CANCELLABLE, BOOTTIME, EXPIRED, NEVER_SET, KINDS };

static const struct plan {
	const char *name;
	clockid_t clock;
	int flags, settings;
	bool periodic;
} plans[KINDS] = {
	[ONCE] = { "once", CLOCK_MONOTONIC, TFD_CLOEXEC, 0, false },
	[PERIODIC] = { "periodic", CLOCK_MONOTONIC, TFD_NONBLOCK, 0, true },
	[ABSOLUTE] = { "absolute", CLOCK_MONOTONIC, TFD_NONBLOCK, TFD_TIMER_ABSTIME, true },
	[CANCELLABLE] = { "cancellable", CLOCK_REALTIME, 0, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, false },
	[BOOTTIME] = { "boottime", CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC, 0, true },
	[EXPIRED] = { "expired", CLOCK_MONOTONIC, TFD_NONBLOCK, 0, false },
	[NEVER_SET] = { "never set", CLOCK_REALTIME, TFD_NONBLOCK, 0, false },
};

static int fds[KINDS], twin;
static struct itimerspec set[KINDS];
static pid_t child;
static int to_child[2], from_child[2];

static int64_t now_on(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return ns_of(now);
}

static void set_timer(int kind, int64_t first, int64_t interval)
{
	const struct plan *plan = &plans[kind];
	struct itimerspec time = { .it_value = timespec_of(first), .it_interval = timespec_of(interval) };

	if (plan->settings & TFD_TIMER_ABSTIME)
		time.it_value = timespec_of(first + now_on(plan->clock));
	if (timerfd_settime(fds[kind], plan->settings, &time, NULL))
		die("timerfd_settime");
}

static int64_t left(int kind)
{
	struct itimerspec time = { 0 };

	if (timerfd_gettime(fds[kind], &time))
		mismatch("%s: is no timer any more", plans[kind].name);
	return ns_of(time.it_value);
}

static bool readable(int fd, long ms)
{
	struct pollfd wanted = { fd, POLLIN, 0 };

	while (ms > 0 && poll(&wanted, 1, 2) == 0)
		ms -= 2;
	return poll(&wanted, 1, 0) == 1;
}

static void make(int kind)
{
	fds[kind] = timerfd_create(plans[kind].clock, plans[kind].flags);
	if (fds[kind] < 0)
		die("timerfd_create");
	if (kind == NEVER_SET)
		return;
	set[kind].it_value = timespec_of(kind == EXPIRED ? 1 : hours_for((unsigned)kind));
	if (plans[kind].periodic)
		set[kind].it_interval = timespec_of(10 * hours_for(100 + (unsigned)kind));
	set_timer(kind, ns_of(set[kind].it_value), ns_of(set[kind].it_interval));
}

/* Says what the timer that both have shows, as often as it is asked. */
static void be_child(void)
{
	char byte;

	while (read(to_child[0], &byte, 1) == 1) {
		const int64_t ns = left(ONCE);

		if (write(from_child[1], &ns, sizeof ns) != sizeof ns)
			break;
	}
	_exit(0);
}

static void start_child(void)
{
	if (pipe(to_child) || pipe(from_child))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		close(to_child[1]);
		be_child();
	}
}

static void compare_ticks(int kind, uint64_t want)
{
	uint64_t ticks = 0;

	if (!readable(fds[kind], wait_ms))
		mismatch("%s: does not expire", plans[kind].name);
	else if (read(fds[kind], &ticks, sizeof ticks) != sizeof ticks || ticks != want)
		mismatch("%s: has expired %" PRIu64 " times, expected %" PRIu64, plans[kind].name, ticks, want);
}

/* Set anew through one descriptor, the timer must show it through the other ones. */
static void compare_sharing(void)
{
	const int64_t again = 2 * hours_for(ONCE);
	int64_t ns = 0;

	set_timer(ONCE, again, 0);
	if (write(to_child[1], "?", 1) != 1 || !readable(from_child[0], wait_ms) ||
	    read(from_child[0], &ns, sizeof ns) != sizeof ns)
		mismatch("the child does not answer");
	else
		compare_remaining("as the child sees it", ns, again);
	if (dup2(twin, fds[ONCE]) < 0)
		mismatch("the duplicate is gone");
	compare_remaining("the duplicate", left(ONCE), again);
	if (waitpid(child, NULL, WNOHANG) != 0)
		mismatch("the child is not this process's child any more");
}

static void verify(void)
{
	for (int kind = ONCE; kind < EXPIRED; kind++) {
		if (readable(fds[kind], 0))
			mismatch("%s: has expired, hours before its time", plans[kind].name);
		compare_remaining(plans[kind].name, left(kind), ns_of(set[kind].it_value));
	}
	compare_ticks(EXPIRED, 1);
	compare_sharing();
	for (int kind = ONCE; kind < KINDS; kind++) {
		set_timer(kind, 1000000, 0);
		compare_ticks(kind, 1);
	}
}

/* The kernel's own words about a descriptor, but for the time left. */
static void describe_fdinfo(int kind)
{
	char path[64], line[128], name[64], word[32];
	unsigned long long value;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fds[kind]);
	file = fopen(path, "re");
	if (!file) {
		mismatch("%s: there is no descriptor %d", plans[kind].name, fds[kind]);
		return;
	}
	while (fgets(line, sizeof line, file)) {
		bool octal = !strncmp(line, "flags:", 6) || !strncmp(line, "settime", 7);

		if (sscanf(line, octal ? "%31[a-z ]: %llo" : "%31[a-z ]: %llu", word, &value) != 2 ||
		    (!octal && strcmp(word, "clockid") && strcmp(word, "ticks")))
			continue;
		snprintf(name, sizeof name, "%s, %s", plans[kind].name, word);
		report_number(name, value);
	}
	fclose(file);
}

static void describe(void)
{
	char name[64];

	report_number("child", (uint64_t)child);
	for (int kind = 0; kind < KINDS; kind++) {
		struct itimerspec time = { 0 };

		timerfd_gettime(fds[kind], &time);
		snprintf(name, sizeof name, "%s, interval", plans[kind].name);
		report_number(name, (uint64_t)ns_of(time.it_interval));
		describe_fdinfo(kind);
	}
}

static void start_over(void)
{
	set_timer(PERIODIC, ns_of(set[PERIODIC].it_interval), ns_of(set[PERIODIC].it_interval));
}

static void lose(void)
{
	set_timer(ONCE, 0, 0);
}

/* What was a point in time is taken for a span. */
static void lengthen(void)
{
	set_timer(ABSOLUTE, ns_of(set[ABSOLUTE].it_value) + now_on(CLOCK_REALTIME), ns_of(set[ABSOLUTE].it_interval));
}

static void shorten(void)
{
	set_timer(BOOTTIME, ns_of(set[BOOTTIME].it_value) - 2 * MOVE_TAKES_AT_MOST, ns_of(set[BOOTTIME].it_interval));
}

static void read_away(void)
{
	uint64_t ticks;

	if (read(fds[EXPIRED], &ticks, sizeof ticks) != sizeof ticks)
		die("read");
}

static void reopen(void)
{
	close(twin);
	twin = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(twin, 0, &set[ONCE], NULL);
}

static void block(void)
{
	fcntl(fds[PERIODIC], F_SETFL, 0);
}

static const struct damage damages[] = {
	{ "restarted", start_over }, { "lost", lose },	 { "lengthened", lengthen }, { "shortened", shorten },
	{ "read", read_away },	     { "twin", reopen }, { "flags", block },
	{ 0 },
};

int main(void)
{
	witness_start();
	for (int kind = 0; kind < KINDS; kind++)
		make(kind);
	twin = dup(fds[ONCE]);
	start_child();
	if (!readable(fds[EXPIRED], wait_ms))
		die("expired");
	serve(describe, verify, damages);
}
