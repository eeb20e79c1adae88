/* The signal that a process gets when its parent dies (PR_SET_PDEATHSIG), in two children of one child. */
#include "workload.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define NOTICE 44 /* a real-time signal; SIGRTMIN is no constant */

enum { VICTIM, HEIR, MEMBERS };

static volatile struct shared {
	uint64_t here[MEMBERS], noticed;
	int death_signal[MEMBERS];
	bool forget;
} *shared;

static pid_t parent;
static int pulse; /* only the victim holds the other end */

static void notice(int number)
{
	shared->noticed += number == NOTICE;
}

static void live(int who, int death_signal)
{
	signal(NOTICE, notice);
	if (prctl(PR_SET_PDEATHSIG, death_signal))
		die("prctl");
	for (;; sleep_ms(2)) {
		int now = -1;

		if (kill(witness.pid, 0))
			_exit(0);
		if (shared->forget)
			prctl(PR_SET_PDEATHSIG, 0);
		prctl(PR_GET_PDEATHSIG, &now);
		shared->death_signal[who] = now;
		shared->here[who]++;
	}
}

static void start(void)
{
	int ends[2];

	if (pipe(ends))
		die("pipe");
	pulse = ends[0];
	parent = fork();
	if (parent < 0)
		die("fork");
	if (parent == 0) {
		if (!fork())
			live(VICTIM, SIGKILL);
		close(ends[1]);
		if (!fork())
			live(HEIR, NOTICE);
		for (;;)
			pause();
	}
	close(ends[1]);
	for (int who = 0; who < MEMBERS; who++)
		if (!reaches(&shared->here[who], 1))
			die("child");
}

static void verify(void)
{
	struct pollfd end = { .fd = pulse };

	if (poll(&end, 1, 0) || shared->noticed)
		mismatch("a child was told of a death that has not happened");
	kill(parent, SIGKILL);
	if (waitpid(parent, NULL, 0) != parent)
		mismatch("the parent is not this process's child any more");
	if (!reaches(&shared->noticed, 1))
		mismatch("the heir was not told of its parent's death");
	for (long ms = 0; ms < wait_ms && !poll(&end, 1, 2); ms += 2)
		;
	if (!(end.revents & POLLHUP))
		mismatch("the victim did not die with its parent");
}

/* Each child says again what the kernel says. */
static void describe(void)
{
	for (int who = 0; who < MEMBERS; who++)
		if (!reaches(&shared->here[who], shared->here[who] + 2))
			mismatch("child %d does not run", who);
	report_number("parent", (uint64_t)parent);
	report_number("victim's signal", (uint64_t)shared->death_signal[VICTIM]);
	report_number("heir's signal", (uint64_t)shared->death_signal[HEIR]);
}

static void forget(void)
{
	shared->forget = true;
}

static void restart(void)
{
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	start();
}

static void tell_early(void)
{
	shared->noticed++;
}

static const struct damage damages[] = { { "lost", forget }, { "parent", restart }, { "early", tell_early }, { 0 } };

int main(void)
{
	witness_start();
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	start();
	serve(describe, verify, damages);
}
