/*
 * Futexes whose owner or waiters the kernel knows: robust mutexes of a living and of a dead owner, a priority
 * inheriting one, one shared between processes, and waiters that differ in their bits.
 */
#include "workload.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define WAITERS 3
#define SLEEPERS (WAITERS + 2)

struct shared {
	pthread_mutex_t mutex; /* robust and shared between processes */
	volatile uint64_t order, obeyed;
	volatile uint64_t counted;
};

enum order { NOTHING, LOCK, UNLOCK, DIE_WITH_IT, FORGET_LIST };

static pthread_mutex_t abandoned, held, inheriting;
static volatile uint64_t owner_has, owner_may_die, owner_of_pi_has, owner_of_pi_may, inheritor_has;
static volatile uint64_t woken[WAITERS];
static uint32_t word = 4711;
static uint32_t timed_word = 1;
static volatile uint64_t timed_out;
static volatile pid_t sleepers[SLEEPERS]; /* the threads that are blocked in futex() */
static struct shared *shared;
static pid_t child;

static long futex(uint32_t *at, int operation, uint32_t value, const struct timespec *timeout, uint32_t bits)
{
	return syscall(SYS_futex, at, operation, value, timeout, NULL, bits);
}

static void make_mutex(pthread_mutex_t *mutex, bool robust, bool inherit, bool between_processes)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	if (robust)
		pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (inherit)
		pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	if (between_processes)
		pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (pthread_mutex_init(mutex, &attributes))
		die("pthread_mutex_init");
}

static void *die_at_once(void *nothing)
{
	pthread_mutex_lock(&abandoned);
	return nothing;
}

/* It ends without letting go: only its list of robust futexes, which the kernel walks then, tells of it. */
static void *die_when_told(void *nothing)
{
	pthread_mutex_lock(&held);
	owner_has = 1;
	while (!owner_may_die)
		sleep_ms(2);
	return nothing;
}

static void *own_pi(void *nothing)
{
	pthread_mutex_lock(&inheriting);
	owner_of_pi_has = 1;
	while (!owner_of_pi_may)
		sleep_ms(2);
	pthread_mutex_unlock(&inheriting);
	for (;;)
		sleep_ms(1000);
	return nothing;
}

static void *wait_for_pi(void *nothing)
{
	sleepers[WAITERS] = gettid();
	pthread_mutex_lock(&inheriting);
	inheritor_has = 1;
	pthread_mutex_unlock(&inheriting);
	for (;;)
		sleep_ms(1000);
	return nothing;
}

static void *wait_for_bits(void *argument)
{
	uintptr_t index = (uintptr_t)argument;

	sleepers[index] = gettid();
	while (futex(&word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 4711, NULL, 1U << index) && errno == EINTR)
		;
	woken[index] = 1;
	for (;;)
		sleep_ms(1000);
	return NULL;
}

/* With a deadline a day ahead, for which the kernel keeps a restart block; an interruption is no end of it. */
static void *wait_with_deadline(void *nothing)
{
	const struct timespec day = { 86400, 0 };

	sleepers[WAITERS + 1] = gettid();
	while (futex(&timed_word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, &day, 0) && errno == EINTR)
		;
	timed_out = 1;
	for (;;)
		sleep_ms(1000);
	return nothing;
}

static void obey(uint64_t order)
{
	if (order == LOCK && !pthread_mutex_lock(&shared->mutex))
		shared->counted++;
	if (order == UNLOCK)
		pthread_mutex_unlock(&shared->mutex);
	if (order == FORGET_LIST) {
		static struct robust_list_head empty = { .list.next = &empty.list };

		if (syscall(SYS_set_robust_list, &empty, sizeof empty))
			die("set_robust_list");
	}
	if (order == DIE_WITH_IT) {
		pthread_mutex_lock(&shared->mutex);
		shared->obeyed = order;
		_exit(0);
	}
	shared->obeyed = order;
}

static void obey_forever(void)
{
	for (;;) {
		if (shared->order > shared->obeyed)
			obey(shared->order);
		sleep_ms(2);
	}
}

static void start_thread(void *(*run)(void *), uintptr_t argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, (void *)argument))
		die("pthread_create");
}

static bool is_blocked(pid_t tid)
{
	char path[64], call[64] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(call, sizeof call, file))
		call[0] = '\0';
	fclose(file);
	return atoi(call) == SYS_futex;
}

/* The kernel must say so: a word of memory is set before the thread sleeps. */
static bool all_blocked(void)
{
	for (int ms = 0; ms < wait_ms; ms += 5) {
		unsigned blocked = 0;

		for (unsigned i = 0; i < SLEEPERS; i++)
			blocked += sleepers[i] && is_blocked(sleepers[i]);
		if (blocked == SLEEPERS)
			return true;
		sleep_ms(5);
	}
	return false;
}

static void start_threads(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, die_at_once, NULL) || pthread_join(thread, NULL))
		die("thread");
	start_thread(die_when_told, 0);
	start_thread(own_pi, 0);
	if (!reaches(&owner_has, 1) || !reaches(&owner_of_pi_has, 1))
		die("owners");
	start_thread(wait_for_pi, 0);
	start_thread(wait_with_deadline, 0);
	for (unsigned i = 0; i < WAITERS; i++)
		start_thread(wait_for_bits, i);
	if (!all_blocked())
		die("waiters");
}

static bool tell(uint64_t order)
{
	shared->order = order;
	return reaches(&shared->obeyed, order);
}

static void start_child(void)
{
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		obey_forever();
	if (!tell(LOCK))
		die("child");
}

/* A dead owner's mutex is given on with the news of its death; then it can be made whole again, once. */
static void compare_robust(const char *what, pthread_mutex_t *mutex)
{
	int error = EBUSY;

	for (int ms = 0; ms < wait_ms && error == EBUSY; ms += 2) {
		error = pthread_mutex_trylock(mutex);
		if (error == EBUSY)
			sleep_ms(2);
	}
	if (error != EOWNERDEAD) {
		mismatch("%s: %s, expected the news that its owner died", what, error ? strerror(error) : "was free");
		return;
	}
	if (pthread_mutex_consistent(mutex) || pthread_mutex_unlock(mutex) || pthread_mutex_lock(mutex) ||
	    pthread_mutex_unlock(mutex))
		mismatch("%s: cannot be used again", what);
}

static void compare_inheriting(void)
{
	if (pthread_mutex_trylock(&inheriting) != EBUSY)
		mismatch("inheriting: is free while another thread has it");
	if (inheritor_has)
		mismatch("inheriting: two threads have it");
	owner_of_pi_may = 1;
	if (!reaches(&inheritor_has, 1))
		mismatch("inheriting: the waiter does not get it");
}

static uint64_t wake(uint32_t bits)
{
	return (uint64_t)futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT32_MAX, NULL, bits);
}

static void compare_waiters(void)
{
	if (!all_blocked())
		mismatch("waiters: not all of them wait");
	if (woken[0] || woken[1] || woken[2] || timed_out)
		mismatch("waiters: one woke that nobody had woken");
	compare_number("waiters with the second bit", wake(2), 1);
	if (!reaches(&woken[1], 1) || woken[0] || woken[2])
		mismatch("waiters: another one woke than has the second bit");
	compare_number("waiters with other bits", wake(~2U), 2);
	if (!reaches(&woken[0], 1) || !reaches(&woken[2], 1))
		mismatch("waiters: not all of them woke");
	compare_number("waiters with a deadline",
		       (uint64_t)futex(&timed_word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9, NULL, 0), 1);
}

/* The child holds the mutex across the move, gives it back, takes it again and dies with it. */
static void compare_shared(void)
{
	if (pthread_mutex_trylock(&shared->mutex) != EBUSY)
		mismatch("shared: is free while the child has it");
	if (!tell(UNLOCK) || pthread_mutex_lock(&shared->mutex) || pthread_mutex_unlock(&shared->mutex))
		mismatch("shared: does not come back from the child");
	if (!tell(DIE_WITH_IT))
		mismatch("shared: the child does not take it again");
	else
		compare_robust("shared", &shared->mutex);
	if (waitpid(child, NULL, 0) != child)
		mismatch("the child is not this process's child any more");
}

static void verify(void)
{
	compare_waiters();
	compare_robust("abandoned", &abandoned);
	if (pthread_mutex_trylock(&held) != EBUSY)
		mismatch("held: is free while its owner lives");
	owner_may_die = 1;
	compare_robust("held", &held);
	compare_inheriting();
	compare_shared();
}

static void describe(void)
{
	report_number("child", (uint64_t)child);
	report_number("counted", shared->counted);
	report_number("word", word);
}

static void wake_one(void)
{
	wake(4);
	if (!reaches(&woken[2], 1))
		die("waiter");
}

static void free_abandoned(void)
{
	make_mutex(&abandoned, true, false, false);
}

static void free_held(void)
{
	make_mutex(&held, true, false, false);
}

static void release_pi(void)
{
	owner_of_pi_may = 1;
	if (!reaches(&inheritor_has, 1))
		die("inheritor");
}

/* What a restore that forgets robust lists would leave: the kernel looks at an empty one when the child dies. */
static void forget_list(void)
{
	shared->order = FORGET_LIST;
	if (!reaches(&shared->obeyed, FORGET_LIST))
		die("child");
	shared->order = shared->obeyed = LOCK;
}

static void kill_child(void)
{
	kill(child, SIGKILL);
}

static const struct damage damages[] = {
	{ "woken", wake_one },	     { "abandoned", free_abandoned }, { "held", free_held },
	{ "inherited", release_pi }, { "list", forget_list },	      { "killed", kill_child },
	{ 0 },
};

int main(void)
{
	witness_start();
	make_mutex(&abandoned, true, false, false);
	make_mutex(&held, true, false, false);
	make_mutex(&inheriting, false, true, false);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	make_mutex(&shared->mutex, true, false, true);
	start_child();
	start_threads();
	serve(describe, verify, damages);
}
