/* Signals that wait, for the process and for each of its threads; masks, handlers, alternate stacks. */
#include "workload.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define THREADS 3 /* the main thread is the first */
#define QUEUED 4
#define STACK 65536
#define ALONE (SIGRTMIN + 9) /* caught on the alternate stack */
#define MARK UINT32_C(0x51671f00)

/* As the kernel has it: glibc hides the restorer. */
struct kernel_action {
	uint64_t handler, flags, restorer, mask;
};

/* What rt_sigqueueinfo carries for any negative code: since 4.20 the bytes after the kernel's own 48 must be zero. */
struct raw_info {
	int32_t signo, error, code, padding;
	uint8_t payload[48 - 16];
	uint8_t zero[128 - 48];
};

struct member {
	pthread_t thread;
	pid_t tid;
	uint8_t *stack;
	sigset_t mask;
	volatile uint64_t order, done;
	volatile uintptr_t handled_at;
};

static struct member members[THREADS];
static struct kernel_action actions[_NSIG];
static void (*task)(int);

static struct kernel_action get_action(int number)
{
	struct kernel_action action = { 0 };

	syscall(SYS_rt_sigaction, number, NULL, &action, 8);
	return action;
}

static void set_action(int number, int flags, void (*handler)(int, siginfo_t *, void *), int masked)
{
	struct sigaction action = { .sa_flags = flags, .sa_sigaction = handler };

	sigemptyset(&action.sa_mask);
	if (masked)
		sigaddset(&action.sa_mask, masked);
	if (sigaction(number, &action, NULL))
		die("sigaction");
}

static void on_stack(int number, siginfo_t *info, void *context)
{
	uint8_t here;

	(void)number, (void)info, (void)context;
	for (int i = 0; i < THREADS; i++)
		if (members[i].tid == (pid_t)syscall(SYS_gettid))
			members[i].handled_at = (uintptr_t)&here;
}

static void never(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info, (void)context;
	_exit(99);
}

static void set_actions(void)
{
	set_action(ALONE, SA_SIGINFO | SA_ONSTACK, on_stack, SIGQUIT);
	set_action(SIGHUP, SA_SIGINFO | SA_RESTART | SA_NODEFER, never, SIGUSR2);
	set_action(SIGUSR2, SA_SIGINFO | SA_RESETHAND, never, 0);
	set_action(SIGCHLD, SA_SIGINFO | SA_NOCLDSTOP | SA_RESTART, never, SIGRTMAX);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGRTMAX - 1, SIG_IGN);
}

/* Once there are threads: the first makes the library set an action of its own. */
static void remember_actions(void)
{
	for (int number = 1; number < _NSIG; number++)
		actions[number] = get_action(number);
}

/* The mask is kept as the kernel made it: SIGKILL and SIGSTOP are never in it. */
static void set_stack_and_mask(struct member *member)
{
	const stack_t stack = { .ss_sp = member->stack, .ss_size = STACK };

	if (sigaltstack(&stack, NULL) || pthread_sigmask(SIG_SETMASK, &member->mask, NULL) ||
	    pthread_sigmask(SIG_SETMASK, NULL, &member->mask))
		die("sigaltstack");
}

/* One that no queueing function of a library would make: its own code, every byte of it chosen. */
static struct raw_info made_info(int who, int number, int nth)
{
	struct raw_info info = { .signo = number, .code = -40 - nth };

	fill(info.payload, sizeof info.payload, seed_for((unsigned)(who * 1000 + number * 10 + nth)));
	return info;
}

/* For the process if who is -1, else for that thread. */
static void queue_one(int who, int number, int nth)
{
	struct raw_info info = made_info(who, number, nth);
	long result = who < 0 ? syscall(SYS_rt_sigqueueinfo, getpid(), number, &info) :
				syscall(SYS_rt_tgsigqueueinfo, getpid(), members[who].tid, number, &info);

	if (result)
		die("sigqueueinfo");
}

static void queue_signals(void)
{
	const union sigval value = { .sival_ptr = (void *)seed_for(5000) };

	for (int nth = 0; nth < QUEUED; nth++) {
		queue_one(-1, SIGRTMIN + 2, nth);
		for (int who = 0; who < THREADS; who++)
			queue_one(who, SIGRTMIN + 3 + who, nth);
	}
	if (sigqueue(getpid(), SIGRTMIN + 1, value) || kill(getpid(), SIGHUP) || kill(getpid(), SIGTERM))
		die("kill");
	for (int who = 0; who < THREADS; who++)
		if (syscall(SYS_tgkill, getpid(), members[who].tid, SIGWINCH))
			die("tgkill");
}

/* Not the library's sigtimedwait, which passes SI_TKILL off as SI_USER. */
static bool take(int number, siginfo_t *info)
{
	const struct timespec now = { 0 };
	sigset_t set;

	memset(info, 0, sizeof *info);
	sigemptyset(&set);
	sigaddset(&set, number);
	return syscall(SYS_rt_sigtimedwait, &set, info, &now, 8) == number;
}

static void compare_queue(int who, int number)
{
	char what[64];
	siginfo_t info;

	for (int nth = 0; nth < QUEUED; nth++) {
		struct raw_info want = made_info(who, number, nth);

		snprintf(what, sizeof what, "signal %d of %d for %s %d", nth, number - SIGRTMIN,
			 who < 0 ? "the process" : "thread", who);
		if (take(number, &info))
			compare(what, &info, &want, sizeof want);
		else
			mismatch("%s: does not wait any more", what);
	}
	if (take(number, &info))
		mismatch("signal %d waits more often than it was sent", number - SIGRTMIN);
}

/* Everything of a thread that only the thread itself can look at. */
static void compare_own(int who)
{
	struct member *member = &members[who];
	siginfo_t info;
	sigset_t mask, alone;
	stack_t stack;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	compare(who ? "a thread's mask" : "the main thread's mask", &mask, &member->mask, 8);
	sigaltstack(NULL, &stack);
	if (stack.ss_sp != member->stack || stack.ss_size != STACK || stack.ss_flags != 0)
		mismatch("thread %d: its alternate stack is %p, size %zu, flags %d", who, stack.ss_sp, stack.ss_size,
			 stack.ss_flags);
	compare_queue(who, SIGRTMIN + 3 + who);
	if (!take(SIGWINCH, &info) || info.si_code != SI_TKILL || info.si_pid != witness.pid)
		mismatch("thread %d: its plain signal is not as it was sent", who);
	sigemptyset(&alone);
	sigaddset(&alone, ALONE);
	pthread_sigmask(SIG_UNBLOCK, &alone, NULL);
	syscall(SYS_tgkill, getpid(), member->tid, ALONE);
	if (member->handled_at - (uintptr_t)member->stack >= STACK)
		mismatch("thread %d: the handler did not run on the alternate stack", who);
}

static void *obey(void *argument)
{
	struct member *member = argument;

	member->tid = (pid_t)syscall(SYS_gettid);
	set_stack_and_mask(member);
	for (member->done = 1;; member->done++) {
		while (member->order < member->done)
			sleep_ms(2);
		task((int)(member - members));
	}
	return NULL;
}

/* Let each thread do something, one after the other, and wait for it. */
static void in_all(void (*what)(int))
{
	task = what;
	what(0);
	for (int who = 1; who < THREADS; who++) {
		uint64_t before = members[who].done;

		members[who].order++;
		if (!reaches(&members[who].done, before + 1))
			mismatch("thread %d does not run", who);
	}
}

static void start_threads(void)
{
	for (int who = 0; who < THREADS; who++) {
		struct member *member = &members[who];

		member->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (member->stack == MAP_FAILED)
			die("mmap");
		sigfillset(&member->mask);
		sigdelset(&member->mask, SIGRTMIN + 20 + who);
		if (who && pthread_create(&member->thread, NULL, obey, member))
			die("pthread_create");
	}
	members[0].tid = getpid();
	set_stack_and_mask(&members[0]);
	for (int who = 1; who < THREADS; who++)
		if (!reaches(&members[who].done, 1))
			die("thread");
}

static void compare_process(void)
{
	siginfo_t info;
	char what[32];

	compare_queue(-1, SIGRTMIN + 2);
	if (!take(SIGRTMIN + 1, &info) || info.si_code != SI_QUEUE || info.si_pid != witness.pid ||
	    (uint64_t)info.si_value.sival_ptr != seed_for(5000))
		mismatch("sigqueue: its signal is not as it was sent");
	if (!take(SIGHUP, &info) || info.si_code != SI_USER || info.si_pid != witness.pid)
		mismatch("kill: its signal is not as it was sent");
	for (int number = 1; number < _NSIG; number++) {
		struct kernel_action action = get_action(number);

		snprintf(what, sizeof what, "action of signal %d", number);
		compare(what, &action, &actions[number], sizeof action);
	}
}

static void verify(void)
{
	compare_process();
	in_all(compare_own);
}

/* What /proc says of a thread: pending, shared pending, blocked, ignored, caught. */
static void describe_thread(int who)
{
	char path[64], line[128], name[64], value[32];
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%d/status", members[who].tid);
	file = fopen(path, "re");
	if (!file) {
		mismatch("thread %d has no status", who);
		return;
	}
	while (fgets(line, sizeof line, file)) {
		char field[32];

		if (sscanf(line, "%31[A-Za-z]: %31s", field, value) != 2 || !strcmp(field, "SigQ") ||
		    (strncmp(field, "Sig", 3) && strcmp(field, "ShdPnd")))
			continue;
		snprintf(name, sizeof name, "thread%d_%s", who, field);
		report_text(name, value);
	}
	fclose(file);
}

static void describe(void)
{
	for (int who = 0; who < THREADS; who++)
		describe_thread(who);
}

static void lose(void)
{
	siginfo_t info;

	take(SIGRTMIN + 2, &info);
}

/* As many as before, the second in the first one's place. */
static void swap(void)
{
	siginfo_t info;

	while (take(SIGRTMIN + 2, &info))
		;
	for (int nth = 0; nth < QUEUED; nth++)
		queue_one(-1, SIGRTMIN + 2, nth ^ 1);
}

/* What was for one thread now waits for the whole process. */
static void share(void)
{
	siginfo_t info;

	if (take(SIGWINCH, &info))
		kill(getpid(), SIGWINCH);
}

static void unblock_in_thread(int who)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 25);
	if (who == 1)
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void drop_stack(int who)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	if (who == 2)
		sigaltstack(&none, NULL);
}

static void change_mask(void)
{
	in_all(unblock_in_thread);
}

static void change_stack(void)
{
	in_all(drop_stack);
}

static void change_flags(void)
{
	set_action(SIGUSR2, SA_SIGINFO, never, 0);
}

static void replace_sender(void)
{
	siginfo_t info;

	take(SIGHUP, &info);
	syscall(SYS_tgkill, getpid(), getpid(), SIGHUP);
}

static const struct damage damages[] = {
	{ "lost", lose },	  { "order", swap },	       { "shared", share },	   { "mask", change_mask },
	{ "stack", change_stack }, { "flags", change_flags }, { "sender", replace_sender },
	{ 0 },
};

int main(void)
{
	witness_start();
	set_actions();
	start_threads();
	remember_actions();
	queue_signals();
	serve(describe, verify, damages);
}
