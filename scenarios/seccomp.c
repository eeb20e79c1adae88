/*
 * System call filters: several stacked on one thread, others on another, one put on all threads at once, and a child
 * in strict mode. What each thread may do is asked by doing it: system calls that do not exist get an errno each.
 */
#include "workload.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#define NUMBERS 5
#define FIRST 5000 /* numbers of system calls that no kernel has */
#define THREADS 2
#define TRAPPED 0 /* the result that the handler of SIGSYS gives it */

enum { MAIN, PLAIN, STACKED };

struct answers {
	volatile uint64_t asked, answered, misled, mislead_done;
	pid_t tid;
	int errors[NUMBERS];
};

static struct answers threads[THREADS];
static volatile uint64_t may_install; /* all threads exist, and have what was put on all of them */
static struct strict {
	volatile uint64_t challenge, answer;
} *strict;
static uint64_t child_secret;
static pid_t child;
static int wakeup[2]; /* a strict child may read, write and end; so it waits by reading */

/* What each may expect: the filters of a thread are asked from the newest to the oldest, the severest answer holds. */
static const int wanted[3][NUMBERS] = {
	[MAIN] = { ENOSYS, ENOSYS, ENOSYS, ENOTTY, ENOSYS },
	[PLAIN] = { ENOSYS, EISDIR, ENOSYS, ENOTTY, ENOSYS },
	[STACKED] = { ELOOP, EDOM, EXDEV, ENOTTY, TRAPPED },
};

/* One filter: this number gets that answer, all else is allowed. */
static void install(unsigned number, uint32_t answer, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FIRST + number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program))
		die("seccomp");
}

static void install_error(unsigned number, int error, unsigned flags)
{
	install(number, SECCOMP_RET_ERRNO | (uint32_t)error, flags);
}

static void come_back_with(int number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	if (number == SIGSYS && info->si_syscall == FIRST + 4)
		interrupted->uc_mcontext.gregs[REG_RAX] = 0;
}

static void ask(int *errors)
{
	for (unsigned i = 0; i < NUMBERS; i++) {
		errno = 0;
		errors[i] = syscall(FIRST + i) == -1 ? errno : TRAPPED;
	}
}

static void install_own(uintptr_t who)
{
	if (who == PLAIN) {
		install_error(1, EISDIR, 0);
		return;
	}
	install_error(0, ELOOP, 0);
	install_error(1, ERANGE, SECCOMP_FILTER_FLAG_LOG);
	install_error(1, EDOM, 0);
	install_error(2, EXDEV, 0);
	install(4, SECCOMP_RET_TRAP, 0);
}

static void *answer_forever(void *argument)
{
	uintptr_t who = (uintptr_t)argument;
	struct answers *mine = &threads[who - 1];

	for (mine->tid = gettid(); !may_install;)
		sleep_ms(2);
	install_own(who);
	for (mine->answered = 1;;) {
		if (mine->asked >= mine->answered) {
			ask(mine->errors);
			mine->answered = mine->asked + 1;
		}
		if (mine->misled && !mine->mislead_done) {
			install_error(1, ENOSYS, 0);
			mine->mislead_done = 1;
		}
		sleep_ms(2);
	}
	return NULL;
}

/* Forbidden anything but read, write and the end, it answers each byte that it reads. */
static void be_strict(void)
{
	uint8_t byte;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		syscall(SYS_exit, 1);
	while (syscall(SYS_read, wakeup[0], &byte, 1) == 1) {
		strict->answer = advance(strict->challenge ^ child_secret);
		if (byte == 'x')
			syscall(SYS_getppid); /* it is killed for this */
	}
	syscall(SYS_exit, 0);
}

static void compare_answers(const char *who, const int *errors, const int *want)
{
	for (unsigned i = 0; i < NUMBERS; i++)
		if (errors[i] != want[i])
			mismatch("%s: system call %u gives %s, expected %s", who, FIRST + i, strerror(errors[i]),
				 strerror(want[i]));
}

static void compare_thread(const char *name, unsigned who)
{
	struct answers *its = &threads[who - 1];

	its->asked++;
	if (!reaches(&its->answered, its->asked + 1))
		mismatch("%s: does not run", name);
	else
		compare_answers(name, its->errors, wanted[who]);
}

static void compare_strict(void)
{
	uint64_t challenge = witness.chain | 1, want = advance(challenge ^ child_secret);
	int status = 0;

	strict->challenge = challenge;
	if (write(wakeup[1], "a", 1) != 1)
		mismatch("strict child: %s", strerror(errno));
	for (long ms = 0; ms < wait_ms && strict->answer != want; ms += 2)
		sleep_ms(2);
	if (strict->answer != want)
		mismatch("strict child: does not answer");
	if (write(wakeup[1], "x", 1) != 1)
		mismatch("strict child: %s", strerror(errno));
	for (long ms = 0; ms < wait_ms && waitpid(child, &status, WNOHANG) == 0; ms += 2)
		sleep_ms(2);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		mismatch("strict child: lives on after a forbidden system call");
}

static void verify(void)
{
	int errors[NUMBERS];

	ask(errors);
	compare_answers("main thread", errors, wanted[MAIN]);
	compare_thread("thread with one filter", PLAIN);
	compare_thread("thread with five", STACKED);
	compare_number("no_new_privs", (uint64_t)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	compare_strict();
}

static uint64_t mode_of(pid_t tid)
{
	char path[64], line[256];
	unsigned mode = 99;
	FILE *status;

	snprintf(path, sizeof path, "/proc/%d/task/%d/status", tid == child ? child : witness.pid, tid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof line, status))
		sscanf(line, "Seccomp:%u", &mode);
	if (status)
		fclose(status);
	return mode;
}

static void describe(void)
{
	report_number("child", (uint64_t)child);
	report_number("mode_of_child", mode_of(child));
	report_number("mode_of_main", mode_of(witness.pid));
	report_number("mode_of_one", mode_of(threads[0].tid));
	report_number("mode_of_five", mode_of(threads[1].tid));
}

static void add_filter(void)
{
	install_error(0, EBADMSG, 0);
}

/* The newest of two filters that give an errno wins, so this one is as if the one with EISDIR were lost. */
static void add_to_thread(void)
{
	threads[0].misled = 1;
	if (!reaches(&threads[0].mislead_done, 1))
		die("thread");
}

static void kill_child(void)
{
	kill(child, SIGKILL);
}

static const struct damage damages[] = {
	{ "more", add_filter },
	{ "thread", add_to_thread },
	{ "killed", kill_child },
	{ 0 },
};

static void start(void)
{
	struct sigaction action = { .sa_sigaction = come_back_with, .sa_flags = SA_SIGINFO };
	pthread_t thread;

	sigaction(SIGSYS, &action, NULL);
	if (pipe2(wakeup, O_CLOEXEC) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		be_strict();
	for (uintptr_t who = PLAIN; who <= STACKED; who++)
		if (pthread_create(&thread, NULL, answer_forever, (void *)who))
			die("thread");
	install_error(3, ENOTTY, SECCOMP_FILTER_FLAG_TSYNC);
	may_install = 1;
	if (!reaches(&threads[0].answered, 1) || !reaches(&threads[1].answered, 1))
		die("filters");
}

int main(void)
{
	witness_start();
	strict = mmap(NULL, sizeof *strict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (strict == MAP_FAILED)
		die("mmap");
	random_bytes(&child_secret, sizeof child_secret);
	start();
	serve(describe, verify, damages);
}
