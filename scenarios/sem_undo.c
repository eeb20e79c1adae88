/* Semaphores taken with SEM_UNDO: the kernel gives them back when the process that has taken them ends. */
#include "companion.h"

#include <sys/ipc.h>
#include <sys/sem.h>

#define TAKEN 3

enum order { TAKE, END };

static int set;
static struct companion *child;

static int take(unsigned short number, short flags)
{
	struct sembuf lower = { number, -TAKEN, flags };

	return semop(set, &lower, 1);
}

static int64_t obey(unsigned order)
{
	if (order == END)
		_exit(0);
	return take(0, SEM_UNDO) || take(1, 0);
}

static void describe(void)
{
	report_number("undone", (uint64_t)semctl(set, 0, GETVAL));
	report_number("left", (uint64_t)semctl(set, 1, GETVAL));
}

static void verify(void)
{
	int status = -1;

	child->order = END;
	child->asked++;
	for (int ms = 0; ms < wait_ms && waitpid(child->pid, &status, WNOHANG) != child->pid; ms += 2)
		sleep_ms(2);
	if (status)
		mismatch("the child did not end");
	if (semctl(set, 0, GETVAL) != 2 * TAKEN)
		mismatch("semaphore 0: is %d after its taker has ended, expected %d", semctl(set, 0, GETVAL), 2 * TAKEN);
	if (semctl(set, 1, GETVAL) != TAKEN)
		mismatch("semaphore 1: is %d, but nothing was to be undone", semctl(set, 1, GETVAL));
}

/* Setting a value forgets what would have been undone: the state that CRIU leaves behind. */
static void corrupt_forgotten(void)
{
	if (semctl(set, 0, SETVAL, TAKEN))
		die("SETVAL");
}

static void corrupt_value(void)
{
	struct sembuf raise = { 1, 1, 0 };

	if (semop(set, &raise, 1))
		die("semop");
}

static void corrupt_ended(void)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
}

static const struct damage damages[] = {
	{ "forgotten", corrupt_forgotten }, { "value", corrupt_value }, { "ended", corrupt_ended }, { 0 },
};

int main(void)
{
	unsigned short values[2] = { 2 * TAKEN, 2 * TAKEN };

	witness_start();
	if (unshare(CLONE_NEWIPC))
		die("unshare");
	set = semget(0x4b4d06, 2, IPC_CREAT | IPC_EXCL | 0600);
	if (set < 0 || semctl(set, 0, SETALL, values))
		die("semget");
	child = companion_start(obey);
	companion_must(child, TAKE, "the child's semaphores");
	serve(describe, verify, damages);
}
