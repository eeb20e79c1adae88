/* POSIX timers: ids with gaps, every way to be told, far and near ones, a thread that is told, one never set. */
#include "remaining.h"

#include <pthread.h>
#include <sys/syscall.h>

#define NEAR_MS 20
#define MADE 40 /* timers that are made so that those that stay have gaps between their ids */
/* Real-time signals; SIGRTMIN is no constant. */
#define NEAR 40
#define TOLD 41
#define FAR 42

enum { REAL_ONCE, REAL_PERIODIC, MONOTONIC, BOOTTIME, QUIET, THREAD, NEVER_SET, RUNNING, TIMERS };

/* How each is made; `place` is how many timers have been made before it. */
static const struct plan {
	const char *name;
	int place;
	clockid_t clock;
	int notify, signal;
	bool set, periodic;
} plans[TIMERS] = {
	[REAL_ONCE] = { "realtime, once", 0, CLOCK_REALTIME, SIGEV_SIGNAL, FAR, true, false },
	[REAL_PERIODIC] = { "realtime, periodic", 3, CLOCK_REALTIME, SIGEV_SIGNAL, FAR, true, true },
	[MONOTONIC] = { "monotonic, periodic", 4, CLOCK_MONOTONIC, SIGEV_SIGNAL, FAR, true, true },
	[BOOTTIME] = { "boottime, once", 9, CLOCK_BOOTTIME, SIGEV_SIGNAL, FAR, true, false },
	[QUIET] = { "nobody is told", 17, CLOCK_MONOTONIC, SIGEV_NONE, 0, true, true },
	[THREAD] = { "one thread is told", 18, CLOCK_MONOTONIC, SIGEV_THREAD_ID, TOLD, true, true },
	[NEVER_SET] = { "never set", 31, CLOCK_MONOTONIC, SIGEV_SIGNAL, FAR, false, false },
	[RUNNING] = { "running", 39, CLOCK_MONOTONIC, SIGEV_SIGNAL, NEAR, true, true },
};

static int ids[TIMERS]; /* the kernel's own: glibc hides them behind pointers */
static struct itimerspec set[TIMERS];
static pthread_t listener;
static volatile pid_t listener_tid;
static volatile uint64_t heard;
static siginfo_t heard_info;

static int make(clockid_t clock, int notify, int number, uint64_t value)
{
	struct sigevent event = { .sigev_notify = notify, .sigev_signo = number };
	int id = -1;

	event.sigev_value.sival_ptr = (void *)value;
	event._sigev_un._tid = listener_tid;
	if (syscall(SYS_timer_create, clock, &event, &id))
		die("timer_create");
	return id;
}

static uint64_t value_of(int timer)
{
	return seed_for(200 + (unsigned)timer);
}

static void set_timer(int timer, int64_t first, int64_t interval)
{
	struct itimerspec time = { .it_value = timespec_of(first), .it_interval = timespec_of(interval) };

	if (syscall(SYS_timer_settime, ids[timer], 0, &time, NULL))
		mismatch("%s: timer %d cannot be set", plans[timer].name, ids[timer]);
}

static struct itimerspec get_timer(int timer)
{
	struct itimerspec time = { 0 };

	if (syscall(SYS_timer_gettime, ids[timer], &time))
		mismatch("%s: there is no timer %d any more", plans[timer].name, ids[timer]);
	return time;
}

static void choose_times(void)
{
	for (unsigned timer = 0; timer < TIMERS; timer++) {
		if (!plans[timer].set)
			continue;
		set[timer].it_value = timespec_of(hours_for(timer));
		if (plans[timer].periodic) /* another time of hours, far from the first */
			set[timer].it_interval = timespec_of(10 * hours_for(100 + timer));
	}
	set[RUNNING].it_value = set[RUNNING].it_interval = timespec_of(NEAR_MS * 1000000);
}

static void make_timers(void)
{
	int spare[MADE], next = 0;

	for (int place = 0; place < MADE; place++) {
		const struct plan *plan = &plans[next];

		spare[place] = -1;
		if (place != plan->place) {
			spare[place] = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
			continue;
		}
		ids[next] = make(plan->clock, plan->notify, plan->signal, value_of(next));
		set_timer(next, ns_of(set[next].it_value), ns_of(set[next].it_interval));
		next++;
	}
	for (int place = 0; place < MADE; place++)
		if (spare[place] >= 0 && syscall(SYS_timer_delete, spare[place]))
			die("timer_delete");
}

static void *listen_for(void *nothing)
{
	sigset_t told;

	sigemptyset(&told);
	sigaddset(&told, TOLD);
	for (listener_tid = (pid_t)syscall(SYS_gettid);;)
		if (sigwaitinfo(&told, &heard_info) == TOLD)
			heard++;
	return nothing;
}

static bool wait_for(int number, siginfo_t *info)
{
	const struct timespec patience = { wait_ms / 1000, wait_ms % 1000 * 1000000 };
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, number);
	while ((got = sigtimedwait(&set, info, &patience)) < 0 && errno == EINTR)
		;
	return got == number;
}

static void compare_info(int timer, const siginfo_t *info)
{
	const struct plan *plan = &plans[timer];

	if (info->si_code != SI_TIMER)
		mismatch("%s: its signal has code %d", plan->name, info->si_code);
	else if (info->si_timerid != ids[timer])
		mismatch("%s: its signal says timer %d, expected %d", plan->name, info->si_timerid, ids[timer]);
	else if ((uint64_t)info->si_value.sival_ptr != value_of(timer))
		mismatch("%s: its signal has another value", plan->name);
}

/* Twice, because the first may have been waiting since before the move. */
static void compare_running(void)
{
	siginfo_t info = { 0 };

	for (int nth = 0; nth < 2; nth++) {
		if (!wait_for(NEAR, &info)) {
			mismatch("running: signal %d does not come", nth);
			return;
		}
		compare_info(RUNNING, &info);
	}
}

/* Brought near, each must still tell the one that it told before. */
static void compare_notification(int timer)
{
	const struct plan *plan = &plans[timer];
	uint64_t before = heard;
	siginfo_t info = { 0 };

	set_timer(timer, 1000000, 0);
	if (plan->notify == SIGEV_NONE)
		return;
	if (plan->notify == SIGEV_THREAD_ID ? reaches(&heard, before + 1) : wait_for(plan->signal, &info))
		compare_info(timer, plan->notify == SIGEV_THREAD_ID ? &heard_info : &info);
	else
		mismatch("%s: nobody was told", plan->name);
}

static void verify(void)
{
	const struct timespec now = { 0 };
	siginfo_t info;
	sigset_t early;

	sigemptyset(&early);
	sigaddset(&early, FAR);
	if (heard || sigtimedwait(&early, &info, &now) > 0)
		mismatch("a timer that has hours left has fired");
	for (int timer = 0; timer < RUNNING; timer++)
		if (plans[timer].set)
			compare_remaining(plans[timer].name, ns_of(get_timer(timer).it_value),
					  ns_of(set[timer].it_value));
	compare_running();
	for (int timer = 0; timer < RUNNING; timer++)
		compare_notification(timer);
}

/* Whom the kernel says it tells, and on which clock. The file's order is the kernel's own and has changed. */
static void describe_notification(int timer)
{
	char line[128], name[64], notify[32] = "?", text[64];
	int id = -1, clock = -1;
	FILE *file = fopen("/proc/self/timers", "re");

	if (!file)
		die("/proc/self/timers");
	while (clock < 0 && fgets(line, sizeof line, file)) {
		sscanf(line, "ID: %d", &id);
		if (id == ids[timer]) {
			sscanf(line, "notify: %31s", notify);
			sscanf(line, "ClockID: %d", &clock);
		}
	}
	fclose(file);
	snprintf(name, sizeof name, "notification of %s", plans[timer].name);
	snprintf(text, sizeof text, "%s, clock %d", notify, clock);
	report_text(name, text);
}

static void describe(void)
{
	char name[64];

	for (int timer = 0; timer < TIMERS; timer++) {
		struct itimerspec time = get_timer(timer);

		snprintf(name, sizeof name, "interval of %s", plans[timer].name);
		report_number(name, (uint64_t)ns_of(time.it_interval));
		snprintf(name, sizeof name, "id of %s", plans[timer].name);
		report_number(name, (uint64_t)ids[timer]);
		snprintf(name, sizeof name, "%s is armed", plans[timer].name);
		report_number(name, ns_of(time.it_value) != 0);
		describe_notification(timer);
	}
	report_number("listener", (uint64_t)listener_tid);
}

/* As a timer that was set again from its interval. */
static void start_over(void)
{
	int64_t interval = ns_of(set[MONOTONIC].it_interval);

	set_timer(MONOTONIC, interval, interval);
}

static void run_down(void)
{
	set_timer(REAL_ONCE, ns_of(set[REAL_ONCE].it_value) - 2 * MOVE_TAKES_AT_MOST, 0);
}

static void disarm(void)
{
	set_timer(MONOTONIC, 0, ns_of(set[MONOTONIC].it_interval));
}

static void stop(void)
{
	set_timer(RUNNING, hours_for(0), NEAR_MS * 1000000);
}

static void remake(int timer, int notify, uint64_t value)
{
	struct itimerspec time = get_timer(timer);
	int id;

	syscall(SYS_timer_delete, ids[timer]);
	id = make(plans[timer].clock, notify, plans[timer].signal, value);
	ids[timer] = id;
	set_timer(timer, ns_of(time.it_value), ns_of(time.it_interval));
}

static void renumber(void)
{
	remake(BOOTTIME, SIGEV_SIGNAL, value_of(BOOTTIME));
}

static void lose(void)
{
	syscall(SYS_timer_delete, ids[NEVER_SET]);
}

static void tell_all(void)
{
	remake(THREAD, SIGEV_SIGNAL, value_of(THREAD));
}

static void forget_value(void)
{
	remake(REAL_PERIODIC, SIGEV_SIGNAL, 0);
}

static const struct damage damages[] = {
	{ "restarted", start_over }, { "shortened", run_down }, { "disarmed", disarm }, { "stopped", stop },
	{ "renumbered", renumber },  { "lost", lose },		{ "told", tell_all },	{ "value", forget_value },
	{ 0 },
};

int main(void)
{
	sigset_t all;

	witness_start();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (pthread_create(&listener, NULL, listen_for, NULL))
		die("pthread_create");
	while (!listener_tid)
		sleep_ms(1);
	choose_times();
	make_timers();
	if (mismatch_count)
		die(mismatches[0]);
	serve(describe, verify, damages);
}
