/*
 * A thread that is amid the vDSO's clock_gettime while it is dumped. A signal's handler that interrupted it there
 * waits until the move is over, so that where it was does not depend on chance.
 */
#include "workload.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/syscall.h>
#include <ucontext.h>

static unsigned long vdso_start, vdso_end;
static pthread_t thread;
static volatile uint64_t inside, release, completed, wrong, died;
static sigjmp_buf after_fault;

static void find_vdso(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	while (maps && fgets(line, sizeof line, maps))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx ", &vdso_start, &vdso_end) != 2)
			die("maps");
	if (!maps || fclose(maps) || !vdso_start)
		die("a kernel without a vDSO");
}

static void wait_inside(int number, siginfo_t *info, void *context)
{
	const ucontext_t *interrupted = context;
	unsigned long at = (unsigned long)interrupted->uc_mcontext.gregs[REG_RIP];

	(void)number;
	(void)info;
	if (release || at < vdso_start || at >= vdso_end)
		return;
	for (inside = at; !release;)
		sleep_ms(2);
}

static void leave(int number)
{
	died = (uint64_t)number;
	siglongjmp(after_fault, 1);
}

static int64_t nanoseconds(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* This clock is read from the vDSO's data page alone, whatever the clock source is. */
static void *ask_forever(void *nothing)
{
	struct timespec before, said, after;

	run_last();
	if (sigsetjmp(after_fault, 1))
		return nothing;
	for (;;) {
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &before);
		clock_gettime(CLOCK_MONOTONIC_COARSE, &said);
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &after);
		if (nanoseconds(&said) < nanoseconds(&before) || nanoseconds(&said) > nanoseconds(&after))
			wrong++;
		completed++;
	}
	return nothing;
}

static void verify(void)
{
	uint64_t before = completed;

	if (!inside || release)
		mismatch("the thread is not inside the vDSO");
	release = 1;
	if (!reaches_at_last(&completed, before + 2) && !died)
		mismatch("the vDSO does not come back");
	if (died)
		mismatch("the vDSO died of %s", strsignal((int)died));
	compare_number("times that are not what the kernel says", wrong, 0);
}

static void describe(void)
{
	report_number("inside", inside);
	report_number("vdso", vdso_start);
}

static void let_go(void)
{
	release = 1;
	if (!reaches_at_last(&completed, completed + 2))
		die("thread");
}

/* The data page of a kernel that is not this one's. */
static void take_data(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	while (maps && fgets(line, sizeof line, maps))
		if (strstr(line, "[vvar") && sscanf(line, "%lx-%lx ", &start, &end) == 2 &&
		    syscall(SYS_munmap, start, end - start))
			die("munmap");
	if (!maps || fclose(maps))
		die("maps");
}

static const struct damage damages[] = {
	{ "released", let_go },
	{ "data", take_data },
	{ 0 },
};

int main(void)
{
	struct sigaction waiting = { .sa_sigaction = wait_inside, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction faulting = { .sa_handler = leave, .sa_flags = SA_NODEFER };

	witness_start();
	find_vdso();
	sigaction(SIGUSR2, &waiting, NULL);
	sigaction(SIGSEGV, &faulting, NULL);
	sigaction(SIGBUS, &faulting, NULL);
	sigaction(SIGILL, &faulting, NULL);
	if (pthread_create(&thread, NULL, ask_forever, NULL) || !reaches_at_last(&completed, 1))
		die("thread");
	for (int i = 0; i < 5000 && !inside; i++) {
		pthread_kill(thread, SIGUSR2);
		sleep_ms(1);
	}
	if (!inside)
		die("never inside the vDSO");
	serve(describe, verify, damages);
}
