/* Signal descriptors: their masks, signals waiting to be read through them, one shared with a child, one in a set. */
#include "workload.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define QUEUED 3
#define FIRST 40 /* real-time signals; SIGRTMIN is no constant */
#define SECOND 41
#define THIRD 42

enum { ONE, MANY, FDS };

static int fds[FDS], set;
static pid_t child;
static int to_child[2], from_child[2];

static void queue_one(int number, uint64_t value)
{
	const union sigval sent = { .sival_ptr = (void *)value };

	if (sigqueue(getpid(), number, sent))
		die("sigqueue");
}

static uint64_t value_of(int number, int nth)
{
	return seed_for((unsigned)(number * 10 + nth));
}

static int make(int flags, int first, int second)
{
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, first);
	if (second)
		sigaddset(&mask, second);
	fd = signalfd(-1, &mask, flags);
	if (fd < 0)
		die("signalfd");
	return fd;
}

/* Its own signals come out of the descriptor that it has in common with its parent, not the parent's. */
static void be_child(void)
{
	struct signalfd_siginfo info;
	char byte;

	while (read(to_child[0], &byte, 1) == 1) {
		memset(&info, 0, sizeof info);
		(void)!read(fds[MANY], &info, sizeof info);
		if (write(from_child[1], &info.ssi_ptr, 8) != 8)
			break;
	}
	_exit(0);
}

static void start_child(void)
{
	if (pipe(to_child) || pipe(from_child))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (child)
		return;
	close(to_child[1]);
	queue_one(SECOND, value_of(99, 0));
	be_child();
}

static void compare_next(int fd, int number, int nth)
{
	struct signalfd_siginfo info = { 0 };

	if (!poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0) || read(fd, &info, sizeof info) != sizeof info)
		mismatch("signal %d, %d of %d: does not come", number, nth, QUEUED);
	else if (info.ssi_signo != (uint32_t)number || info.ssi_code != SI_QUEUE ||
		 info.ssi_ptr != value_of(number, nth) || info.ssi_pid != (uint32_t)witness.pid)
		mismatch("signal %d, %d of %d: another came", number, nth, QUEUED);
}

static void compare_empty(int fd, const char *what)
{
	if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0))
		mismatch("%s: another signal waits", what);
}

/* The set watches the second descriptor and must see what comes through it. */
static void compare_set(const char *when, int want)
{
	struct epoll_event event = { 0 };
	int count = epoll_wait(set, &event, 1, 0);

	if (count != want)
		mismatch("%s: the set has %d ready, expected %d", when, count, want);
	else if (want && event.data.u64 != seed_for(7))
		mismatch("%s: the set's data is another", when);
}

static void compare_child(void)
{
	uint64_t value = 0;

	if (write(to_child[1], "?", 1) != 1)
		mismatch("the child's pipe is gone");
	nap_until_readable(from_child[0]);
	for (long ms = 0; ms < wait_ms && !poll(&(struct pollfd){ from_child[0], POLLIN, 0 }, 1, 2); ms += 2)
		;
	if (!poll(&(struct pollfd){ from_child[0], POLLIN, 0 }, 1, 0) || read(from_child[0], &value, 8) != 8)
		mismatch("the child does not answer");
	else if (value != value_of(99, 0))
		mismatch("the child's signal is not as it was sent");
	if (waitpid(child, NULL, WNOHANG) != 0)
		mismatch("the child is not this process's child any more");
}

static void verify(void)
{
	compare_set("while signals wait", 1);
	for (int nth = 0; nth < QUEUED; nth++)
		compare_next(fds[MANY], SECOND, nth);
	for (int nth = 0; nth < QUEUED; nth++)
		compare_next(fds[MANY], THIRD, nth);
	for (int nth = 0; nth < QUEUED; nth++)
		compare_next(fds[ONE], FIRST, nth);
	compare_empty(fds[ONE], "first descriptor");
	compare_empty(fds[MANY], "second descriptor");
	compare_set("when all are read", 0);
	queue_one(THIRD, value_of(THIRD, 77));
	compare_set("after one more", 1);
	compare_next(fds[MANY], THIRD, 77);
	compare_child();
}

static void describe_fd(const char *what, int fd)
{
	char path[64], line[128], name[64], mask[32];
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "sigmask: %31s", mask) != 1)
			continue;
		snprintf(name, sizeof name, "%s mask", what);
		report_text(name, mask);
	}
	fclose(file);
	snprintf(name, sizeof name, "%s flags", what);
	report_number(name, (uint64_t)fcntl(fd, F_GETFL));
	snprintf(name, sizeof name, "%s closes on exec", what);
	report_number(name, (uint64_t)fcntl(fd, F_GETFD));
}

static void describe(void)
{
	report_number("child", (uint64_t)child);
	describe_fd("first", fds[ONE]);
	describe_fd("second", fds[MANY]);
}

static void lose(void)
{
	struct signalfd_siginfo info;

	(void)!read(fds[ONE], &info, sizeof info);
}

static void narrow(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, THIRD);
	if (signalfd(fds[MANY], &mask, 0) < 0)
		die("signalfd");
}

static void refill(void)
{
	lose();
	queue_one(FIRST, value_of(FIRST, 0));
}

static void block(void)
{
	fcntl(fds[ONE], F_SETFL, 0);
}

static void unwatch(void)
{
	epoll_ctl(set, EPOLL_CTL_DEL, fds[MANY], NULL);
}

static void steal(void)
{
	if (write(to_child[1], "?", 1) != 1)
		die("write");
	sleep_ms(20);
	(void)!read(from_child[0], &(uint64_t){ 0 }, 8);
}

static const struct damage damages[] = {
	{ "lost", lose },      { "mask", narrow }, { "order", refill }, { "blocking", block },
	{ "unwatched", unwatch }, { "child", steal }, { 0 },
};

int main(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0 };
	sigset_t all;

	witness_start();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	fds[ONE] = make(SFD_NONBLOCK | SFD_CLOEXEC, FIRST, 0);
	fds[MANY] = make(SFD_NONBLOCK, SECOND, THIRD);
	start_child();
	for (int nth = 0; nth < QUEUED; nth++)
		for (int number = THIRD; number >= FIRST; number--)
			queue_one(number, value_of(number, nth));
	set = epoll_create1(0);
	event.data.u64 = seed_for(7);
	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fds[MANY], &event))
		die("epoll");
	serve(describe, verify, damages);
}
