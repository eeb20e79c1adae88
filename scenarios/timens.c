/*
 * A time namespace: days were added to the monotonic and to the boot clock. What sleeps until a moment of such a clock
 * is there too. Checks compare differences of days, so that a slow machine makes no difference.
 */
#include "spaces.h"

#include <sys/timerfd.h>

#define DAY 86400
#define MONOTONIC_DAYS 10
#define BOOTTIME_DAYS 25
#define AHEAD_DAYS 3

enum question { MONOTONIC, BOOTTIME };

static int alarm_fd;

static uint64_t seconds(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		die("clock_gettime");
	return (uint64_t)now.tv_sec;
}

static uint64_t nearest_days(uint64_t from, uint64_t to)
{
	return (to - from + DAY / 2) / DAY;
}

static void answer(unsigned question, char *text)
{
	snprintf(text, TEXT, "%" PRIu64, seconds(question == BOOTTIME ? CLOCK_BOOTTIME : CLOCK_MONOTONIC));
}

/* unshare() moves only children; a process with one thread may then follow them. */
static void enter_time(void)
{
	int fd;

	enter_new(CLONE_NEWTIME);
	if (!put_text("/proc/self/timens_offsets", "monotonic %d 0\nboottime %d 0\n", MONOTONIC_DAYS * DAY,
		      BOOTTIME_DAYS * DAY))
		die("timens_offsets");
	fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWTIME) || close(fd))
		die("setns");
}

/* At a moment of the namespace's own clock, days from now. */
static void set_alarm(void)
{
	struct itimerspec when = { .it_value.tv_sec = (time_t)seconds(CLOCK_BOOTTIME) + AHEAD_DAYS * DAY };

	alarm_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (alarm_fd < 0 || timerfd_settime(alarm_fd, TFD_TIMER_ABSTIME, &when, NULL))
		die("timerfd");
}

static void describe(void)
{
	struct itimerspec left;

	if (timerfd_gettime(alarm_fd, &left))
		die("timerfd_gettime");
	report_number("monotonic", seconds(CLOCK_MONOTONIC));
	report_number("boottime", seconds(CLOCK_BOOTTIME));
	report_number("days_apart", nearest_days(seconds(CLOCK_MONOTONIC), seconds(CLOCK_BOOTTIME)));
	report_number("alarm_in_days", nearest_days(0, (uint64_t)left.it_value.tv_sec));
	report_number("partner", (uint64_t)partner_pid);
}

/* The child is in the same namespace; a sleep until a moment that has passed is over at once. */
static void verify(void)
{
	struct timespec past = { .tv_sec = (time_t)seconds(CLOCK_MONOTONIC) - DAY };
	uint64_t theirs = strtoull(ask_partner(MONOTONIC), NULL, 10);

	compare_number("days between parent's and child's monotonic clock",
		       nearest_days(theirs, seconds(CLOCK_MONOTONIC)), 0);
	theirs = strtoull(ask_partner(BOOTTIME), NULL, 10);
	compare_number("days between parent's and child's boot clock",
		       nearest_days(theirs, seconds(CLOCK_BOOTTIME)), 0);
	compare_number("days between the two clocks", nearest_days(seconds(CLOCK_MONOTONIC), seconds(CLOCK_BOOTTIME)),
		       BOOTTIME_DAYS - MONOTONIC_DAYS);
	if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL))
		mismatch("a sleep until yesterday fails");
}

static void damage_left(void)
{
	join_starter("time", CLONE_NEWTIME);
}

/* Both clocks as far ahead as each other: the one offset that a careless restore would give. */
static void damage_offset(void)
{
	int fd;

	enter_new(CLONE_NEWTIME);
	if (!put_text("/proc/self/timens_offsets", "monotonic %d 0\nboottime %d 0\n", MONOTONIC_DAYS * DAY,
		      MONOTONIC_DAYS * DAY))
		die("timens_offsets");
	fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWTIME) || close(fd))
		die("setns");
}

static void damage_alarm(void)
{
	const struct itimerspec none = { 0 };

	timerfd_settime(alarm_fd, 0, &none, NULL);
}

int main(void)
{
	const struct damage damages[] = { { "left", damage_left },
					  { "offset", damage_offset },
					  { "alarm", damage_alarm },
					  { 0 } };

	witness_start();
	enter_time();
	set_alarm();
	start_partner(NULL, answer);
	serve(describe, verify, damages);
}
