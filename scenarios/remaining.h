/*
 * Remaining times: what a timer may show after a move.
 *
 * Whatever happens to clocks and however slow the guest is, a timer that was set to run for hours has run for seconds.
 * So the remaining time is what it was set to, less at most ten minutes (each step of a cell ends after one), plus
 * nothing. That is wide enough for any guest and far from every other number that a timer could have come back with:
 * its interval, its absolute time, zero.
 */
#pragma once

#include "workload.h"

#define SECOND INT64_C(1000000000)
#define MOVE_TAKES_AT_MOST (600 * SECOND)
/* ITIMER_VIRTUAL and ITIMER_PROF are counted by the kernel's tick, of which a slow kernel has 100 a second. */
#define A_TICK (SECOND / 50)

/* Nanoseconds between three and six hours that no other process would choose: a number seen again is no accident. */
static inline int64_t hours_for(unsigned part)
{
	return 3 * 3600 * SECOND + (int64_t)(seed_for(part) % (uint64_t)(3 * 3600 * SECOND));
}

static inline struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ ns / SECOND, ns % SECOND };
}

static inline int64_t ns_of(struct timespec time)
{
	return time.tv_sec * SECOND + time.tv_nsec;
}

static inline void compare_remaining(const char *what, int64_t left, int64_t set)
{
	if (left == 0)
		mismatch("%s: is not armed any more", what);
	else if (left > set + A_TICK)
		mismatch("%s: %" PRId64 " ns left, more than the %" PRId64 " ns it was set to", what, left, set);
	else if (left < set - MOVE_TAKES_AT_MOST)
		mismatch("%s: %" PRId64 " ns left of %" PRId64 " ns, too few", what, left, set);
}
