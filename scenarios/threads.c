/*
 * Threads in every posture: holding a lock, waiting for it, waiting on a condition, sleeping, running; each with
 * its own thread-local values and thread id. All of them must still be in that posture when the lab asks, and must
 * then get on with it.
 */
#include "workload.h"

#include <pthread.h>
#include <sys/syscall.h>

#define CONTENDERS 2
#define WAITERS 2
#define ROUNDS_A_STEP 1024

enum role { OWNER, CONTENDER, WAITER = CONTENDER + CONTENDERS, SLEEPER = WAITER + WAITERS, RUNNER, THREADS };

/* What a thread remembers of itself, kept beside the thread-local copy that it must equal. */
struct member {
	pthread_t thread;
	volatile uint64_t tid;
	volatile uint64_t in_place;
	volatile uint64_t done;
	volatile uint64_t tid_now;
	volatile uint64_t self_now;
	uint8_t local_now[64];
};

static struct member members[THREADS];
static __thread uint8_t local[64];
static pthread_key_t key;

static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t inside; /* how many contenders have had the mutex */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool open_gate, owner_may_go;
static volatile uint64_t passed;

static volatile uint64_t naps;

/* Written by the runner alone; `before` is counted first and `after` last, so equal numbers mean a whole step. */
static struct {
	volatile uint64_t before, state, after;
} run;
static uint64_t run_start;

static uint64_t tid(void)
{
	return (uint64_t)syscall(SYS_gettid);
}

static struct member *take_place(int role)
{
	struct member *me = &members[role];

	fill(local, sizeof local, seed_for((unsigned)role));
	if (pthread_setspecific(key, me))
		die("pthread_setspecific");
	me->tid = tid();
	return me;
}

/* The thread says what it finds: only it can read its own thread-local values and its own id. */
static void tell(struct member *me)
{
	me->tid_now = tid();
	me->self_now = pthread_equal(pthread_self(), me->thread) && pthread_getspecific(key) == me;
	memcpy(me->local_now, local, sizeof local);
	me->done = 1;
}

static void *owner(void *role)
{
	struct member *me = take_place((int)(intptr_t)role);

	pthread_mutex_lock(&contended);
	pthread_mutex_lock(&gate);
	me->in_place = 1;
	while (!owner_may_go)
		pthread_cond_wait(&opened, &gate);
	pthread_mutex_unlock(&gate);
	tell(me);
	pthread_mutex_unlock(&contended);
	return NULL;
}

static void *contender(void *role)
{
	struct member *me = take_place((int)(intptr_t)role);

	me->in_place = 1;
	pthread_mutex_lock(&contended);
	inside++;
	pthread_mutex_unlock(&contended);
	tell(me);
	return NULL;
}

static void *waiter(void *role)
{
	struct member *me = take_place((int)(intptr_t)role);

	pthread_mutex_lock(&gate);
	me->in_place = 1;
	while (!open_gate)
		pthread_cond_wait(&opened, &gate);
	passed++;
	pthread_mutex_unlock(&gate);
	tell(me);
	return NULL;
}

static void *sleeper(void *role)
{
	struct member *me = take_place((int)(intptr_t)role);

	me->in_place = 1;
	for (;;) {
		sleep_ms(20);
		naps++;
		if (naps > 1)
			tell(me);
	}
	return NULL;
}

static void *runner(void *role)
{
	struct member *me = take_place((int)(intptr_t)role);
	uint64_t state = run_start;

	run_last();
	me->in_place = 1;
	for (;;) {
		for (int i = 0; i < ROUNDS_A_STEP; i++)
			state = advance(state);
		run.before++;
		run.state = state;
		run.after++;
		tell(me);
	}
	return NULL;
}

static void start(int role, void *(*body)(void *))
{
	if (pthread_create(&members[role].thread, NULL, body, (void *)(intptr_t)role) ||
	    !reaches(&members[role].in_place, 1))
		die("thread");
}

/* What the kernel says a thread is doing: S is asleep, R runs. */
static char posture(int role)
{
	char path[64], stat[256] = "", *end;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%" PRIu64 "/stat", members[role].tid);
	file = fopen(path, "re");
	if (!file || !fgets(stat, sizeof stat, file))
		mismatch("thread %d: has no %s", role, path);
	if (file)
		fclose(file);
	end = strrchr(stat, ')');
	return end && end[1] ? end[2] : '?';
}

/* A thread says that it is in place just before the call that blocks it, so wait until the kernel says so too. */
static void await_sleep(int role)
{
	for (int ms = 0; ms < wait_ms && posture(role) != 'S'; ms += 2)
		sleep_ms(2);
	if (posture(role) != 'S')
		mismatch("thread %d: is not blocked", role);
}

static void start_all(void)
{
	run_start = seed_for(200);
	start(OWNER, owner);
	await_sleep(OWNER);
	for (int i = 0; i < CONTENDERS; i++)
		start(CONTENDER + i, contender);
	for (int i = 0; i < WAITERS; i++)
		start(WAITER + i, waiter);
	start(SLEEPER, sleeper);
	start(RUNNER, runner);
	for (int role = OWNER; role < SLEEPER; role++)
		await_sleep(role);
}

/* Read a whole step of the runner, between two of its writes. */
static bool read_run(uint64_t *steps, uint64_t *state)
{
	for (int ms = 0; ms < wait_ms; ms += 2) {
		*steps = run.after;
		*state = run.state;
		if (run.before == *steps)
			return true;
		sleep_ms(2);
	}
	return false;
}

static void compare_postures(void)
{
	compare_number("contenders inside the held mutex", inside, 0);
	compare_number("waiters past the closed gate", passed, 0);
	if (pthread_mutex_trylock(&contended) != EBUSY)
		mismatch("the held mutex is free");
	if (pthread_mutex_trylock(&gate))
		mismatch("the free mutex is held");
	else
		pthread_mutex_unlock(&gate);
	for (int role = OWNER; role < SLEEPER; role++)
		await_sleep(role);
}

/* First the waiters alone, then the owner, and with it the contenders. */
static void let_all_go(void)
{
	pthread_mutex_lock(&gate);
	open_gate = true;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&gate);
	if (!reaches(&passed, WAITERS))
		mismatch("condition: %" PRIu64 " of %d waiters woke", passed, WAITERS);
	compare_number("contenders inside before the owner let go", inside, 0);
	pthread_mutex_lock(&gate);
	owner_may_go = true;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&gate);
	if (!reaches(&inside, CONTENDERS))
		mismatch("mutex: %" PRIu64 " of %d contenders got it", inside, CONTENDERS);
}

static void compare_members(void)
{
	char name[64];

	for (int role = 0; role < THREADS; role++) {
		struct member *member = &members[role];

		if (role >= SLEEPER) /* these tell at every round: ask for a new one */
			member->done = 0;
		if (!reaches(&member->done, 1)) {
			mismatch("thread %d: does not go on", role);
			continue;
		}
		snprintf(name, sizeof name, "thread %d: tid", role);
		compare_number(name, member->tid_now, member->tid);
		snprintf(name, sizeof name, "thread %d: pthread_self and its key", role);
		compare_number(name, member->self_now, 1);
		snprintf(name, sizeof name, "thread %d: thread-local values", role);
		compare_fill(name, member->local_now, sizeof member->local_now, seed_for((unsigned)role));
	}
}

static void compare_policy(void)
{
	uint64_t policy = (uint64_t)sched_getscheduler((pid_t)members[RUNNER].tid);

	compare_number("the running thread's scheduling policy", policy, SCHED_IDLE);
}

static void compare_progress(void)
{
	uint64_t nap = naps, step = run.after;

	if (!reaches(&naps, nap + 1))
		mismatch("the sleeping thread does not wake");
	if (!reaches(&run.after, step + 1))
		mismatch("the running thread does not run");
}

static void verify(void)
{
	compare_postures();
	compare_policy();
	compare_progress();
	let_all_go();
	compare_members();
	for (int role = OWNER; role < SLEEPER; role++)
		if (members[role].done && pthread_join(members[role].thread, NULL))
			mismatch("thread %d: cannot be joined", role);
}

static void describe(void)
{
	uint64_t steps = 0, state = 0;
	char name[32];

	if (!read_run(&steps, &state))
		mismatch("the running thread stopped within a step");
	report_number("run_start", run_start);
	report_number("rounds", steps * ROUNDS_A_STEP);
	report_number("run_state", state);
	report_number("naps", naps);
	for (int role = 0; role < THREADS; role++) {
		snprintf(name, sizeof name, "tid%d", role);
		report_number(name, members[role].tid);
	}
}

/* The deliberate damage of the self-test. */
static void corrupt(const char *what)
{
	if (!strcmp(what, "corrupt mutex"))
		memset(&contended, 0, sizeof contended);
	else if (!strcmp(what, "corrupt wakeup")) /* as if a waiter had come through a gate that is closed */
		passed++;
	else if (!strcmp(what, "corrupt condition"))
		pthread_cond_init(&opened, NULL);
	else if (!strcmp(what, "corrupt thread"))
		pthread_cancel(members[SLEEPER].thread);
	else if (!strcmp(what, "corrupt runner"))
		run.before = run.after = 0;
	else if (!strcmp(what, "corrupt tid"))
		members[WAITER].tid = members[RUNNER].tid;
	else if (!strcmp(what, "corrupt tls"))
		*(volatile uint8_t *)((uint8_t *)members[WAITER].thread + ((uint8_t *)local - (uint8_t *)pthread_self())) ^= 1;
}

int main(void)
{
	witness_start();
	if (pthread_key_create(&key, NULL))
		die("pthread_key_create");
	start_all();
	ready();
	for (;;) {
		const char *question = next_question();

		if (!strncmp(question, "corrupt", 7))
			corrupt(question);
		report_open();
		describe();
		if (!strcmp(question, "check"))
			verify();
		report_close();
	}
}
