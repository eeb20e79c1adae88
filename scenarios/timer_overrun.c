/* The overrun count of a POSIX timer: how often it expired while its signal could not be delivered. */
#include "remaining.h"

#include <sys/syscall.h>

#define NUMBER 40    /* a real-time signal; SIGRTMIN is no constant */
#define NEAR 5000000 /* it runs on through the move; only to take its signal, or to set it, changes the count */

static int id, counted;

static int overrun(void)
{
	return (int)syscall(SYS_timer_getoverrun, id);
}

static void set_timer(int64_t first, int64_t interval)
{
	const struct itimerspec time = { timespec_of(interval), timespec_of(first) };

	if (syscall(SYS_timer_settime, id, 0, &time, NULL))
		mismatch("the timer cannot be set");
}

static bool take(siginfo_t *info, long ms)
{
	const struct timespec patience = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, NUMBER);
	while ((got = sigtimedwait(&set, info, &patience)) < 0 && errno == EINTR)
		;
	return got == NUMBER;
}

static void verify(void)
{
	siginfo_t info = { 0 };

	compare_number("overruns", (uint64_t)overrun(), (uint64_t)counted);
	for (int nth = 0; nth < 2; nth++) /* the first may have been waiting since before the move */
		if (!take(&info, wait_ms))
			mismatch("the timer does not fire any more");
		else if (info.si_timerid != id)
			mismatch("another timer fired");
}

static void describe(void)
{
	report_number("id", (uint64_t)id);
	report_number("overrun", (uint64_t)overrun());
}

/* As a timer that was set anew. */
static void count_anew(void)
{
	set_timer(NEAR, NEAR);
}

static void lose(void)
{
	syscall(SYS_timer_delete, id);
}

static const struct damage damages[] = { { "counted", count_anew }, { "lost", lose }, { 0 } };

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = NUMBER };
	siginfo_t info = { 0 };
	sigset_t all;

	witness_start();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id))
		die("timer_create");
	set_timer(NEAR, NEAR);
	for (int nth = 0; nth < 100 && counted <= 0; nth++) {
		sleep_ms(30);
		take(&info, wait_ms);
		counted = overrun();
	}
	if (counted <= 0 || mismatch_count)
		die("overrun");
	serve(describe, verify, damages);
}
