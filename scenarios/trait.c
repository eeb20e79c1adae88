/* One trait of a process that it can set and ask for, named by the argument. */
#include "workload.h"

#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_BEST_EFFORT 2
#define IOPRIO_IDLE 3

struct deadline {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

struct trait {
	const char *name;
	uint64_t wanted, other; /* the value under test, and the one that a lost trait would have */
	long (*set)(uint64_t value);
	uint64_t (*get)(void);
};

static long set_timerslack(uint64_t value)
{
	return prctl(PR_SET_TIMERSLACK, value, 0, 0, 0);
}

static uint64_t get_timerslack(void)
{
	return (uint64_t)prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
}

static long set_ioprio(uint64_t value)
{
	return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, (int)value);
}

static uint64_t get_ioprio(void)
{
	return (uint64_t)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
}

static long set_coredump_filter(uint64_t value)
{
	FILE *file = fopen("/proc/self/coredump_filter", "we");

	if (!file)
		return -1;
	fprintf(file, "0x%" PRIx64, value);
	return fclose(file);
}

static uint64_t get_coredump_filter(void)
{
	FILE *file = fopen("/proc/self/coredump_filter", "re");
	uint64_t value = UINT64_MAX;

	if (!file || fscanf(file, "%" SCNx64, &value) != 1)
		mismatch("coredump_filter: cannot be read");
	if (file)
		fclose(file);
	return value;
}

/* The value is the runtime in microseconds of a deadline of 300 ms in a period of 400 ms; 0 is no deadline. */
static long set_deadline(uint64_t value)
{
	struct deadline wanted = { .size = sizeof wanted };

	if (value) {
		wanted.policy = SCHED_DEADLINE;
		wanted.runtime = value * 1000;
		wanted.deadline = UINT64_C(300000000);
		wanted.period = UINT64_C(400000000);
	}
	return syscall(SYS_sched_setattr, 0, &wanted, 0);
}

static uint64_t get_deadline(void)
{
	struct deadline found = { 0 };

	if (syscall(SYS_sched_getattr, 0, &found, sizeof found, 0))
		return UINT64_MAX;
	if (found.policy != SCHED_DEADLINE)
		return 0;
	if (found.deadline != 300000000 || found.period != 400000000)
		mismatch("deadline: the deadline or the period changed");
	return found.runtime / 1000;
}

static long set_tsc(uint64_t value)
{
	return prctl(PR_SET_TSC, value, 0, 0, 0);
}

static uint64_t get_tsc(void)
{
	int value = -1;

	return prctl(PR_GET_TSC, &value, 0, 0, 0) ? UINT64_MAX : (uint64_t)value;
}

static long set_memory_merge(uint64_t value)
{
	return prctl(PR_SET_MEMORY_MERGE, value, 0, 0, 0);
}

static uint64_t get_memory_merge(void)
{
	return (uint64_t)prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0);
}

static long set_policy(uint64_t value)
{
	const struct sched_param none = { 0 };

	return sched_setscheduler(0, (int)value, &none);
}

static uint64_t get_policy(void)
{
	return (uint64_t)sched_getscheduler(0);
}

static long set_personality(uint64_t value)
{
	return personality(value) == -1 ? -1 : 0;
}

static uint64_t get_personality(void)
{
	return (uint64_t)personality(0xffffffff);
}

static const struct trait traits[] = {
	{ "personality", ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT, 0, set_personality, get_personality },
	{ "reset_on_fork", SCHED_BATCH | SCHED_RESET_ON_FORK, SCHED_BATCH, set_policy, get_policy },
	{ "timerslack", 1234567, 50000, set_timerslack, get_timerslack },
	{ "ioprio", IOPRIO_IDLE << 13, IOPRIO_BEST_EFFORT << 13 | 4, set_ioprio, get_ioprio },
	{ "coredump_filter", 0x5, 0x33, set_coredump_filter, get_coredump_filter },
	{ "deadline", 30000, 0, set_deadline, get_deadline },
	{ "tsc", PR_TSC_SIGSEGV, PR_TSC_ENABLE, set_tsc, get_tsc },
	{ "memory_merge", 1, 0, set_memory_merge, get_memory_merge },
};

static const struct trait *trait;

static void verify(void)
{
	compare_number(trait->name, trait->get(), trait->wanted);
}

static void describe(void)
{
	report_text("trait", trait->name);
}

static void lose(void)
{
	if (trait->set(trait->other))
		die("lose");
}

static const struct damage damages[] = {
	{ "lost", lose },
	{ 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	for (size_t i = 0; argc > 1 && i < sizeof traits / sizeof *traits; i++)
		if (!strcmp(argv[1], traits[i].name))
			trait = &traits[i];
	if (!trait || trait->set(trait->wanted))
		die("trait");
	if (trait->get() != trait->wanted)
		die("the kernel took another value");
	serve(describe, verify, damages);
}
