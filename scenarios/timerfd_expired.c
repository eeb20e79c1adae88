/* A periodic timer descriptor that has expired and was not read: the state of any event loop that was busy. */
#include "remaining.h"

#include <sys/timerfd.h>

#define EXPIRED_TIMES 1 /* the kernel counts the others only when it is read */

static int fd;
static uint64_t unread;

/* How often the timer has expired unread, by the kernel's own words: reading would change it. */
static uint64_t ticks(void)
{
	char path[64], line[128];
	uint64_t value = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof line, file))
		sscanf(line, "ticks: %" SCNu64, &value);
	fclose(file);
	return value;
}

static uint64_t take(void)
{
	struct pollfd wanted = { fd, POLLIN, 0 };
	uint64_t count = 0;

	for (long ms = 0; ms < wait_ms && !poll(&wanted, 1, 2); ms += 2)
		;
	return read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

/*
 * Not to be told from one look: the remaining time of a timer that is due and whose interrupt is late is 0 as well
 * (timerfd_get_remaining), as it is where the host runs others for a whole interval. A timer that is not set stays at 0.
 */
static bool is_armed(struct itimerspec *time)
{
	for (int looks = 0; looks < 100; looks++) {
		timerfd_gettime(fd, time);
		if (ns_of(time->it_value))
			return true;
		sleep_ms(2);
	}
	return false;
}

static void verify(void)
{
	struct itimerspec time = { 0 };

	if (!is_armed(&time))
		mismatch("the timer is not armed any more");
	compare_number("interval", (uint64_t)ns_of(time.it_interval), 20000000);
	if (take() < unread)
		mismatch("ticks that nobody has read are lost");
	for (int nth = 0; nth < 3; nth++)
		if (!take())
			mismatch("the timer does not expire any more");
}

static void describe(void)
{
	report_number("descriptor", (uint64_t)fd);
	report_number("flags", (uint64_t)fcntl(fd, F_GETFL));
}

static void disarm(void)
{
	const struct itimerspec none = { 0 };

	timerfd_settime(fd, 0, &none, NULL);
}

static void empty(void)
{
	const struct itimerspec slow = { { 0, 20000000 }, { 3600, 0 } };

	take();
	timerfd_settime(fd, 0, &slow, NULL);
}

static void slow_down(void)
{
	const struct itimerspec slow = { { 3600, 0 }, { 0, 20000000 } };

	timerfd_settime(fd, 0, &slow, NULL);
}

static const struct damage damages[] = {
	{ "disarmed", disarm },
	{ "emptied", empty },
	{ "interval", slow_down },
	{ 0 },
};

int main(void)
{
	const struct itimerspec near = { { 0, 20000000 }, { 0, 20000000 } };

	witness_start();
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0 || timerfd_settime(fd, 0, &near, NULL))
		die("timerfd");
	while ((unread = ticks()) < EXPIRED_TIMES)
		sleep_ms(2);
	serve(describe, verify, damages);
}
