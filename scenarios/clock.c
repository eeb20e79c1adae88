/*
 * Clocks under constant watch: a thread reads each as fast as it can, and notes how often it went back and how far it
 * stepped ahead of the wall clock between two readings.
 */
#include "workload.h"

#include <pthread.h>
#include <sys/syscall.h>

#define SECOND INT64_C(1000000000)
/* How far the wall clocks of two machines may be apart, and an emulated one from the truth. */
#define SLACK (20 * SECOND)

struct watch {
	const char *name;
	clockid_t clock;
	int64_t last, last_wall;
	uint64_t backward;
	int64_t ahead;
};

static struct watch watches[] = {
	{ .name = "MONOTONIC", .clock = CLOCK_MONOTONIC },
	{ .name = "BOOTTIME", .clock = CLOCK_BOOTTIME },
	{ .name = "MONOTONIC_RAW", .clock = CLOCK_MONOTONIC_RAW },
	{ .name = "MONOTONIC_COARSE", .clock = CLOCK_MONOTONIC_COARSE },
};

#define WATCHES (sizeof watches / sizeof *watches)

static volatile uint64_t rounds;
static volatile uint64_t halt, halted;

/* By system call: a thread dumped inside the vDSO is another question, `vdso_inside`. */
static int64_t ask(clockid_t clock)
{
	struct timespec now = { 0 };

	if (syscall(SYS_clock_gettime, clock, &now))
		return INT64_MIN;
	return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

/* The wall clock's step begins before the other's and ends after it: wherever a pause falls, it is in both. */
static void look(struct watch *watch)
{
	int64_t wall = ask(CLOCK_REALTIME), now = ask(watch->clock), ahead;

	ahead = now - watch->last - (ask(CLOCK_REALTIME) - watch->last_wall);
	if (watch->last && now < watch->last)
		watch->backward++;
	if (watch->last && ahead > watch->ahead)
		watch->ahead = ahead;
	watch->last = now;
	watch->last_wall = wall;
}

static void *watch_forever(void *nothing)
{
	run_last();
	for (;;) {
		for (size_t i = 0; i < WATCHES; i++)
			look(&watches[i]);
		rounds++;
		for (halted = halt; halt; halted = halt)
			sleep_ms(2);
	}
	return nothing;
}

static void stand_still(void)
{
	halt = 1;
	if (!reaches_at_last(&halted, 1))
		mismatch("the thread that watches the clocks does not halt");
}

/* Three rounds more: the pause may lie within the first of them. */
static void verify(void)
{
	if (!reaches_at_last(&rounds, rounds + 3))
		mismatch("the thread that watches the clocks does not run");
	stand_still();
	for (size_t i = 0; i < WATCHES; i++) {
		const struct watch *watch = &watches[i];

		if (watch->backward)
			mismatch("CLOCK_%s: went back %" PRIu64 " times", watch->name, watch->backward);
		if (watch->ahead > SLACK)
			mismatch("CLOCK_%s: is %" PRId64 " s ahead of the wall clock", watch->name,
				 watch->ahead / SECOND);
	}
	halt = 0;
}

static void describe(void)
{
	report_number("watches", WATCHES);
}

/* What the thread remembers, shifted: to it the clock has moved the other way. */
static void shift(struct watch *watch, int64_t by)
{
	stand_still();
	watch->last += by;
	halt = 0;
}

static void turn_back(void)
{
	shift(&watches[0], SECOND / 2);
}

static void turn_back_boottime(void)
{
	shift(&watches[1], 3600 * SECOND);
}

static void jump(void)
{
	shift(&watches[1], -40 * SECOND);
}

static const struct damage damages[] = {
	{ "back", turn_back },
	{ "boottime", turn_back_boottime },
	{ "jump", jump },
	{ "stopped", stand_still },
	{ 0 },
};

int main(void)
{
	pthread_t thread;

	witness_start();
	if (pthread_create(&thread, NULL, watch_forever, NULL) || !reaches_at_last(&rounds, 3))
		die("thread");
	serve(describe, verify, damages);
}
