/* Interval timers of all three kinds, far ones and running ones, and an alarm. */
#include "remaining.h"

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#define KINDS 3
#define RUNNING_US 20000

enum { FAR, RUNNER, SLEEPER, MEMBERS };

/* What the processes share; each works on its own line. */
static struct member {
	pid_t pid;
	struct itimerval left[KINDS];
	volatile uint64_t asked, answered, rings[KINDS];
	volatile int order; /* a damage, 0 for none */
} *members;

enum { LOOK, STOP_RUNNING, CANCEL_ALARM };

static struct member *me;
static struct itimerval set[KINDS];
static const char *const names[KINDS] = { "real", "virtual", "prof" };
static const int signals[KINDS] = { SIGALRM, SIGVTALRM, SIGPROF };
static unsigned alarm_seconds;

static int64_t ns_of_timeval(struct timeval time)
{
	return time.tv_sec * SECOND + time.tv_usec * 1000;
}

static struct timeval timeval_of(int64_t ns)
{
	return (struct timeval){ ns / SECOND, ns % SECOND / 1000 };
}

static void set_kind(int kind, const struct itimerval *time)
{
	if (setitimer(kind, time, NULL))
		die("setitimer");
}

static void ring(int number)
{
	for (int kind = 0; kind < KINDS; kind++)
		me->rings[kind] += number == signals[kind];
}

/* Every member but the first, for ever: does as told, then tells what its timers say. */
static void answer(void)
{
	const struct itimerval none = { 0 };

	if (me->asked == me->answered)
		return;
	if (me->order == STOP_RUNNING)
		set_kind(ITIMER_PROF, &none);
	if (me->order == CANCEL_ALARM)
		alarm(0);
	me->order = LOOK;
	for (int kind = 0; kind < KINDS; kind++)
		getitimer(kind, &me->left[kind]);
	me->answered++;
}

static void be_runner(void)
{
	const struct itimerval near = { { 0, RUNNING_US }, { 0, RUNNING_US } };

	for (int kind = 0; kind < KINDS; kind++) {
		signal(signals[kind], ring);
		set_kind(kind, &near);
	}
	run_last();
	for (;;) /* spins, because two of its timers count nothing but its own time */
		answer();
}

static void be_sleeper(void)
{
	signal(SIGALRM, ring);
	alarm(alarm_seconds);
	for (;;) {
		answer();
		sleep_ms(2);
	}
}

static void start(int role, void (*life)(void))
{
	members[role].pid = fork();
	if (members[role].pid < 0)
		die("fork");
	if (members[role].pid)
		return;
	me = &members[role];
	life();
}

/* Whether the member answered. */
static bool ask_member(int role, int order)
{
	struct member *member = &members[role];
	uint64_t before = member->answered;

	member->order = order;
	member->asked++;
	if (reaches(&member->answered, before + 1))
		return true;
	mismatch("member %d does not answer", role);
	return false;
}

static void set_far(void)
{
	for (int kind = 0; kind < KINDS; kind++) {
		set[kind].it_value = timeval_of(hours_for((unsigned)kind));
		set[kind].it_interval = timeval_of(10 * hours_for(100 + (unsigned)kind));
		set_kind(kind, &set[kind]);
	}
	alarm_seconds = (unsigned)(hours_for(50) / SECOND);
}

static void compare_running(void)
{
	struct member *runner = &members[RUNNER];

	for (int kind = 0; kind < KINDS; kind++)
		if (!reaches(&runner->rings[kind], runner->rings[kind] + 2))
			mismatch("running timer, %s: does not ring", names[kind]);
}

/* The first rings only now; what it was set to is forgotten. */
static void compare_signal(int kind)
{
	const struct itimerval soon = { { 0, 0 }, { 0, 1000 } };
	const struct timespec patience = { wait_ms / 1000, wait_ms % 1000 * 1000000 };
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, signals[kind]);
	if (sigtimedwait(&wanted, NULL, &(struct timespec){ 0 }) > 0)
		mismatch("%s: has rung, hours before its time", names[kind]);
	set_kind(kind, &soon);
	if (kind == ITIMER_REAL && sigtimedwait(&wanted, NULL, &patience) < 0)
		mismatch("%s: does not ring", names[kind]);
}

static void verify(void)
{
	char what[64];

	for (int kind = 0; kind < KINDS; kind++) {
		struct itimerval now;

		getitimer(kind, &now);
		compare_remaining(names[kind], ns_of_timeval(now.it_value), ns_of_timeval(set[kind].it_value));
		compare_signal(kind);
	}
	compare_running();
	if (ask_member(SLEEPER, LOOK)) {
		snprintf(what, sizeof what, "alarm");
		compare_remaining(what, ns_of_timeval(members[SLEEPER].left[ITIMER_REAL].it_value),
				  alarm_seconds * SECOND);
	}
	if (members[SLEEPER].rings[ITIMER_REAL])
		mismatch("alarm: has rung, hours before its time");
	for (int role = RUNNER; role < MEMBERS; role++)
		if (waitpid(members[role].pid, NULL, WNOHANG) != 0)
			mismatch("member %d is not this process's child any more", role);
}

static void describe(void)
{
	char name[64];

	members[FAR].pid = getpid();
	for (int kind = 0; kind < KINDS; kind++)
		getitimer(kind, &members[FAR].left[kind]);
	for (int role = 0; role < MEMBERS; role++) {
		if (role != FAR)
			ask_member(role, LOOK);
		snprintf(name, sizeof name, "member %d", role);
		report_number(name, (uint64_t)members[role].pid);
		for (int kind = 0; kind < KINDS; kind++) {
			snprintf(name, sizeof name, "member %d, interval, %s", role, names[kind]);
			report_number(name, (uint64_t)ns_of_timeval(members[role].left[kind].it_interval));
		}
	}
}

static void start_over(void)
{
	const struct itimerval again = { set[ITIMER_VIRTUAL].it_interval, set[ITIMER_VIRTUAL].it_interval };

	set_kind(ITIMER_VIRTUAL, &again);
}

static void lose(void)
{
	const struct itimerval none = { set[ITIMER_PROF].it_interval, { 0, 0 } };

	set_kind(ITIMER_PROF, &none);
}

static void change_interval(void)
{
	struct itimerval now;

	getitimer(ITIMER_REAL, &now);
	now.it_interval.tv_usec ^= 1;
	set_kind(ITIMER_REAL, &now);
}

static void shorten(void)
{
	struct itimerval now;

	getitimer(ITIMER_REAL, &now);
	now.it_value.tv_sec -= 2 * MOVE_TAKES_AT_MOST / SECOND;
	set_kind(ITIMER_REAL, &now);
}

static void stop_running(void)
{
	ask_member(RUNNER, STOP_RUNNING);
}

static void cancel(void)
{
	ask_member(SLEEPER, CANCEL_ALARM);
}

static const struct damage damages[] = {
	{ "restarted", start_over }, { "lost", lose },		{ "interval", change_interval },
	{ "shortened", shorten },    { "running", stop_running }, { "alarm", cancel },
	{ 0 },
};

int main(void)
{
	sigset_t mine;

	witness_start();
	members = mmap(NULL, MEMBERS * sizeof *members, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (members == MAP_FAILED)
		die("mmap");
	set_far(); /* a child does not inherit them */
	start(RUNNER, be_runner);
	start(SLEEPER, be_sleeper);
	sigemptyset(&mine);
	for (int kind = 0; kind < KINDS; kind++)
		sigaddset(&mine, signals[kind]);
	sigprocmask(SIG_BLOCK, &mine, NULL);
	for (int kind = 0; kind < KINDS; kind++)
		if (!reaches(&members[RUNNER].rings[kind], 1))
			die("running timer");
	if (!ask_member(SLEEPER, LOOK))
		die("alarm");
	serve(describe, verify, damages);
}
