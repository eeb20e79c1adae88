/* The processor time that a process and a thread of it have used: it only ever grows, and limits are set on it. */
#include "workload.h"

#include <pthread.h>
#include <sys/resource.h>

/* Far more than a restore costs under emulation; in a self-test, where nobody restores, much less. */
#define USED_MS ((uint64_t)wait_ms / 3)

static volatile uint64_t worked;
static clockid_t worker_clock;
static uint64_t process_before, worker_before;

static uint64_t used_ms(clockid_t clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *work(void *nothing)
{
	while (used_ms(CLOCK_THREAD_CPUTIME_ID) < USED_MS)
		;
	worked = 1;
	for (;;)
		sleep_ms(1000);
	return nothing;
}

/* What was used is not less than it was: asked as a clock, and as getrusage has it. */
static void verify(void)
{
	struct rusage usage = { 0 };
	uint64_t total;

	if (used_ms(worker_clock) < worker_before)
		mismatch("the thread's processor time went back from %" PRIu64 " ms to %" PRIu64, worker_before,
			 used_ms(worker_clock));
	if (used_ms(CLOCK_PROCESS_CPUTIME_ID) < process_before)
		mismatch("the process's processor time went back from %" PRIu64 " ms to %" PRIu64, process_before,
			 used_ms(CLOCK_PROCESS_CPUTIME_ID));
	getrusage(RUSAGE_SELF, &usage);
	total = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
		(uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
	if (total < worker_before)
		mismatch("getrusage knows of %" PRIu64 " ms, of which the thread alone used %" PRIu64, total,
			 worker_before);
}

static void describe(void)
{
	report_number("worker_before", worker_before);
}

static void expect_more(void)
{
	process_before += 3600 * 1000;
}

static void expect_more_of_thread(void)
{
	worker_before += 1;
	worker_before *= 2;
}

static const struct damage damages[] = {
	{ "process", expect_more },
	{ "thread", expect_more_of_thread },
	{ 0 },
};

int main(void)
{
	pthread_t thread;

	witness_start();
	if (pthread_create(&thread, NULL, work, NULL) || pthread_getcpuclockid(thread, &worker_clock) ||
	    !reaches_at_last(&worked, 1))
		die("thread");
	worker_before = used_ms(worker_clock);
	process_before = used_ms(CLOCK_PROCESS_CPUTIME_ID);
	serve(describe, verify, damages);
}
