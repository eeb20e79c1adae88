/*
 * Locks of flock(2): they belong to an open file, not to a process, so it matters which descriptors share one. Whether
 * a lock is held is asked by opening the file anew.
 */
#include "companion.h"

#include <sys/file.h>

enum order { NOTHING, TAKE_SHARED, DROP_SHARED, DROP_INHERITED, DROP_LEFT_BEHIND };

static int exclusive;   /* locked here; the child has a duplicate */
static int shared;      /* a shared lock here, and the child's own */
static int left_behind; /* locked here, then closed here: the child alone has it */
static int released;    /* was locked once */
static struct companion *child;

/* A third process waits for `exclusive`; it says here when it has got it. */
static volatile uint64_t *waiter_has;
static pid_t waiter;

static int must_open(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		die(name);
	return fd;
}

static int64_t obey(unsigned order)
{
	static int own = -1;

	switch (order) {
	case TAKE_SHARED:
		own = must_open("shared");
		return flock(own, LOCK_SH | LOCK_NB);
	case DROP_SHARED:
		return flock(own, LOCK_UN);
	case DROP_INHERITED:
		return flock(exclusive, LOCK_UN);
	case DROP_LEFT_BEHIND:
		return flock(left_behind, LOCK_UN);
	}
	return 0;
}

__attribute__((noreturn)) static void wait_for_lock(void)
{
	int fd = must_open("exclusive");

	/* only its own open file: a duplicate of the holder's would keep the lock alive */
	close(exclusive);
	close(shared);
	close(left_behind);
	waiter_has[0] = 1;
	while (flock(fd, LOCK_EX) && errno == EINTR)
		;
	waiter_has[1] = 1;
	for (;;)
		pause();
}

static void make_locks(void)
{
	exclusive = must_open("exclusive");
	shared = must_open("shared");
	left_behind = must_open("left-behind");
	released = must_open("released");
	if (flock(exclusive, LOCK_EX) || flock(shared, LOCK_SH) || flock(left_behind, LOCK_EX) ||
	    flock(released, LOCK_EX) || flock(released, LOCK_UN))
		die("flock");
	child = companion_start(obey);
	companion_must(child, TAKE_SHARED, "the child's shared lock");
	close(left_behind);
	left_behind = -1;
}

static void make_waiter(void)
{
	waiter_has = shared_memory(2 * sizeof *waiter_has);
	waiter = fork();
	if (waiter < 0)
		die("fork");
	if (waiter == 0)
		wait_for_lock();
	if (!reaches(&waiter_has[0], 1) || !waits_in(waiter, SYS_flock))
		die("the waiter");
}

/* What a newcomer gets: 'x' an exclusive lock, 's' no more than a shared one, '-' none. */
static char available(const char *name)
{
	int fd = must_open(name);
	char best = '-';

	if (!flock(fd, LOCK_EX | LOCK_NB))
		best = 'x';
	else if (!flock(fd, LOCK_SH | LOCK_NB))
		best = 's';
	close(fd);
	return best;
}

static void compare_available(const char *name, char want, const char *when)
{
	char got = available(name);

	if (got != want)
		mismatch("%s, %s: a newcomer gets %c, expected %c", name, when, got, want);
}

static void describe(void)
{
	const char *files[] = { "exclusive", "shared", "left-behind", "released" };
	char text[2] = "";

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		text[0] = available(files[i]);
		report_text(files[i], text);
	}
	report_number("waiter_has", waiter_has[1]);
}

static void verify_waiter(void)
{
	if (waiter_has[1] || !waits_in(waiter, SYS_flock))
		mismatch("waiter: does not wait for the lock");
	companion_does(child, DROP_INHERITED); /* the open file is ours too, so this ends our lock */
	if (!reaches(&waiter_has[1], 1))
		mismatch("waiter: does not get the lock that became free");
	compare_available("exclusive", '-', "taken by the waiter");
	if (waitpid(waiter, NULL, WNOHANG) != 0)
		mismatch("waiter: is not this process's child any more");
}

static void verify(void)
{
	compare_available("exclusive", '-', "held");
	compare_available("released", 'x', "free");
	compare_available("shared", 's', "held twice");
	if (flock(shared, LOCK_UN))
		mismatch("shared: cannot be released");
	compare_available("shared", 's', "held by the child");
	companion_does(child, DROP_SHARED);
	compare_available("shared", 'x', "released by both");
	compare_available("left-behind", '-', "held by the child's descriptor");
	companion_does(child, DROP_LEFT_BEHIND);
	compare_available("left-behind", 'x', "released by the child");
	verify_waiter();
	companion_compare_parent(child);
}

static void corrupt_lost(void)
{
	flock(released, LOCK_EX);
	flock(exclusive, LOCK_UN);
}

static void corrupt_weaker(void)
{
	flock(left_behind, LOCK_UN);
	companion_does(child, DROP_LEFT_BEHIND);
	left_behind = must_open("left-behind");
	flock(left_behind, LOCK_SH);
}

/* The parent holds what the child should: another owner, the same lock. */
static void corrupt_moved(void)
{
	companion_does(child, DROP_LEFT_BEHIND);
	left_behind = must_open("left-behind");
	flock(left_behind, LOCK_EX);
}

/* One shared lock instead of two. */
static void corrupt_single(void)
{
	companion_does(child, DROP_SHARED);
}

/* Locked again by an open file of our own: what the child releases is then another. */
static void corrupt_reopened(void)
{
	/* It must not run before it is stopped, or it gets the lock itself. */
	if (kill(waiter, SIGSTOP) || waitpid(waiter, NULL, WUNTRACED) != waiter)
		die("the waiter does not stop");
	flock(exclusive, LOCK_UN);
	close(exclusive);
	exclusive = must_open("exclusive");
	flock(exclusive, LOCK_EX | LOCK_NB);
	kill(waiter, SIGCONT);
}

static void corrupt_waiter(void)
{
	kill(waiter, SIGKILL);
	waitpid(waiter, NULL, 0);
}

static const struct damage damages[] = {
	{ "lost", corrupt_lost },	  { "weaker", corrupt_weaker }, { "moved", corrupt_moved },
	{ "single", corrupt_single }, { "reopened", corrupt_reopened }, { "waiter", corrupt_waiter }, { 0 },
};

int main(void)
{
	witness_start();
	make_locks();
	make_waiter();
	serve(describe, verify, damages);
}
