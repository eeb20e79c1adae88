/*
 * File leases: a read lease and a write lease, or one that is being broken. Another process that wants the file must
 * not get it at once, and the holder must be told by its signal, once.
 */
#include "companion.h"

#include <sys/stat.h>

#define SIGNAL (SIGRTMIN + 2) /* instead of SIGIO: with siginfo, so it says which descriptor is meant */

enum order { TRY_READER, TRY_WRITER, TRY_READER_TO_WRITE, TRY_BREAKING, TRY_NONE };
enum lease { READ_LEASE, WRITE_LEASE, BREAKING, NONE, LEASES };

static const char *const names[LEASES] = { "read-lease", "write-lease", "breaking", "none" };
static int files[LEASES] = { -1, -1, -1, -1 };
static bool being_broken;
static struct companion *child;

/* Opened and closed at once: 0 if it was to be had, the error if not. */
static int64_t try_open(enum lease which, int flags)
{
	int fd = open(names[which], flags | O_NONBLOCK | O_CLOEXEC);
	int64_t failed = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return failed;
}

static int64_t obey(unsigned order)
{
	switch (order) {
	case TRY_READER:
		return try_open(READ_LEASE, O_RDONLY);
	case TRY_READER_TO_WRITE:
		return try_open(READ_LEASE, O_WRONLY);
	case TRY_WRITER:
		return try_open(WRITE_LEASE, O_RDONLY);
	case TRY_BREAKING:
		return try_open(BREAKING, O_RDONLY);
	}
	return try_open(NONE, O_RDWR);
}

/* The descriptor that a lease's signal is about, -1 if there is none. */
static int told(void)
{
	const struct timespec nap = { 0, 2000000 };
	sigset_t wanted;
	siginfo_t info;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGNAL);
	for (long ms = 0; ms < wait_ms; ms += 2)
		if (sigtimedwait(&wanted, &info, &nap) == SIGNAL)
			return info.si_fd;
	return -1;
}

static void make_lease(enum lease which, int flags, int type)
{
	int made = open(names[which], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	if (made < 0 || close(made))
		die(names[which]);
	files[which] = open(names[which], flags | O_CLOEXEC);
	if (files[which] < 0)
		die(names[which]);
	if (type == F_UNLCK)
		return;
	if (fcntl(files[which], F_SETSIG, SIGNAL) || fcntl(files[which], F_SETLEASE, type))
		die("F_SETLEASE");
}

static void make_leases(void)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGNAL);
	sigaddset(&blocked, SIGIO); /* what a lost F_SETSIG would give, and which ends a process */
	if (sigprocmask(SIG_BLOCK, &blocked, NULL))
		die("sigprocmask");
	child = companion_start(obey); /* first: it must not inherit a leased descriptor */
	make_lease(NONE, O_RDONLY, F_UNLCK);
	if (!being_broken) {
		make_lease(READ_LEASE, O_RDONLY, F_RDLCK);
		make_lease(WRITE_LEASE, O_RDWR, F_WRLCK);
		return;
	}
	make_lease(BREAKING, O_RDONLY, F_WRLCK); /* a writer could not downgrade it to a read lease */
	if (companion_does(child, TRY_BREAKING) != EWOULDBLOCK || told() != files[BREAKING])
		die("the lease to be broken");
}

static void describe(void)
{
	for (enum lease which = 0; which < LEASES; which++) {
		char name[40];

		if (files[which] < 0)
			continue;
		snprintf(name, sizeof name, "%s", names[which]);
		report_number(name, (uint64_t)fcntl(files[which], F_GETLEASE));
		snprintf(name, sizeof name, "%s_signal", names[which]);
		report_number(name, (uint64_t)fcntl(files[which], F_GETSIG));
	}
}

static void compare_try(enum order order, int64_t want, const char *what)
{
	int64_t got = companion_does(child, order);

	if (got != want)
		mismatch("%s: another process gets error %jd, expected %jd", what, (intmax_t)got, (intmax_t)want);
}

static void compare_break(enum lease which, enum order order)
{
	int fd;

	compare_try(order, EWOULDBLOCK, names[which]);
	fd = told();
	if (fd != files[which])
		mismatch("%s: the holder is told of descriptor %d, not %d", names[which], fd, files[which]);
	if (fcntl(files[which], F_SETLEASE, F_UNLCK))
		mismatch("%s: there is no lease to give up", names[which]);
	compare_try(order, 0, "given up");
}

static void verify_whole(void)
{
	compare_try(TRY_READER, 0, "read-lease, another reader");
	compare_break(READ_LEASE, TRY_READER_TO_WRITE);
	compare_break(WRITE_LEASE, TRY_WRITER);
}

static void verify_broken(void)
{
	sigset_t pending;

	sigpending(&pending);
	if (sigismember(&pending, SIGNAL) || sigismember(&pending, SIGIO))
		mismatch("breaking: the holder is told again");
	compare_try(TRY_BREAKING, EWOULDBLOCK, "breaking");
	if (fcntl(files[BREAKING], F_SETLEASE, F_RDLCK))
		mismatch("breaking: cannot be downgraded as it was asked to");
	compare_try(TRY_BREAKING, 0, "breaking, downgraded");
}

static void verify(void)
{
	compare_try(TRY_NONE, 0, "none");
	if (being_broken)
		verify_broken();
	else
		verify_whole();
	companion_compare_parent(child);
}

static void corrupt_lost(void)
{
	fcntl(files[READ_LEASE], F_SETLEASE, F_UNLCK);
}

static void corrupt_weaker(void)
{
	fcntl(files[WRITE_LEASE], F_SETLEASE, F_UNLCK);
	close(open(names[WRITE_LEASE], O_RDONLY | O_CLOEXEC));
	dup3(files[READ_LEASE], files[WRITE_LEASE], O_CLOEXEC);
}

static void corrupt_signal(void)
{
	fcntl(files[WRITE_LEASE], F_SETSIG, 0);
}

/* Somebody who must not be told holds the lease. */
static void corrupt_owner(void)
{
	fcntl(files[READ_LEASE], F_SETOWN, child->pid);
}

/* Whole again, as if nobody had asked for it. */
static void corrupt_unbroken(void)
{
	fcntl(files[BREAKING], F_SETLEASE, F_UNLCK);
	fcntl(files[BREAKING], F_SETLEASE, F_WRLCK);
}

static void corrupt_given_up(void)
{
	fcntl(files[BREAKING], F_SETLEASE, F_UNLCK);
}

static void corrupt_told(void)
{
	sigqueue(getpid(), SIGNAL, (union sigval){ 0 });
}

static const struct damage damages[] = {
	{ "lost", corrupt_lost },   { "weaker", corrupt_weaker },     { "signal", corrupt_signal },
	{ "owner", corrupt_owner }, { "unbroken", corrupt_unbroken },
	{ "given_up", corrupt_given_up }, { "told", corrupt_told }, { 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	being_broken = argc > 1 && !strcmp(argv[1], "breaking");
	make_leases();
	serve(describe, verify, damages);
}
