/*
 * Record locks of fcntl(2): POSIX locks, which belong to a process, and open file description locks. A companion sees
 * them as another process does: it asks with F_GETLK, and takes ranges that must be free.
 */
#include "companion.h"

enum order { OPEN_OWN, TAKE_OWN, PROBE, RELEASE_OWN };

struct range {
	short type;
	off_t start, length; /* 0: to the end, wherever that will be */
};

static const struct range held[] = {
	{ F_WRLCK, 100, 100 }, { F_RDLCK, 300, 50 }, { F_WRLCK, 350, 10 }, { F_WRLCK, INT64_C(6) << 30, 0 },
};
static const struct range unlocked[] = { { F_WRLCK, 0, 100 }, { F_WRLCK, 200, 100 }, { F_WRLCK, 360, 140 } };
static const struct range of_child = { F_WRLCK, 500, 10 };
static const struct range of_description = { F_WRLCK, 10, 10 }, of_description_read = { F_RDLCK, 40, 20 };

#define RANGES (sizeof held / sizeof *held)
#define GAPS (sizeof unlocked / sizeof *unlocked)

static int records, description;
static int childs = -1; /* the child's own way to the records; -1: it uses the descriptor that it has inherited */
static struct companion *child;
static volatile uint64_t *waiter_has;
static pid_t waiter;

static int must_open(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		die(name);
	return fd;
}

static struct flock as_lock(const struct range *range)
{
	return (struct flock){ .l_type = range->type, .l_whence = SEEK_SET, .l_start = range->start,
			       .l_len = range->length };
}

static int lock(int fd, int command, const struct range *range, short type)
{
	struct flock wanted = as_lock(range);

	wanted.l_type = type;
	return fcntl(fd, command, &wanted);
}

/* What stands in the way of a write lock on the range, as another process sees it. */
static struct flock obstacle(int fd, const struct range *range)
{
	struct flock found = as_lock(range);

	found.l_type = F_WRLCK;
	if (fcntl(fd, F_GETLK, &found))
		die("F_GETLK");
	return found;
}

static void probe(void)
{
	for (size_t i = 0; i < RANGES; i++) {
		struct flock found = obstacle(records, &held[i]);

		if (found.l_type != held[i].type || found.l_start != held[i].start ||
		    found.l_len != held[i].length)
			mismatch("range %zu: type %d from %jd, %jd bytes stands there", i, found.l_type,
				 (intmax_t)found.l_start, (intmax_t)found.l_len);
		else if (found.l_pid != getppid())
			mismatch("range %zu: belongs to process %d", i, found.l_pid);
	}
	for (size_t i = 0; i < GAPS; i++) {
		if (lock(records, F_SETLK, &unlocked[i], F_WRLCK) || lock(records, F_SETLK, &unlocked[i], F_UNLCK))
			mismatch("gap %zu: cannot be locked: %s", i, strerror(errno));
	}
	if (lock(records, F_SETLK, &held[1], F_RDLCK) || lock(records, F_SETLK, &held[1], F_UNLCK))
		mismatch("range 1: cannot be shared by readers");
}

static int64_t obey(unsigned order)
{
	switch (order) {
	case OPEN_OWN:
		childs = must_open("records");
		break;
	case TAKE_OWN:
		return lock(childs < 0 ? records : childs, F_SETLK, &of_child, F_WRLCK);
	case RELEASE_OWN:
		return lock(childs < 0 ? records : childs, F_SETLK, &of_child, F_UNLCK);
	case PROBE:
		probe();
	}
	return 0;
}

__attribute__((noreturn)) static void wait_for_range(void)
{
	waiter_has[0] = 1;
	while (lock(records, F_SETLKW, &held[0], F_WRLCK) && errno == EINTR)
		;
	waiter_has[1] = 1;
	for (;;)
		pause();
}

static void make_waiter(void)
{
	waiter_has = shared_memory(2 * sizeof *waiter_has);
	waiter = fork();
	if (waiter < 0)
		die("fork");
	if (waiter == 0)
		wait_for_range();
	if (!reaches(&waiter_has[0], 1) || !waits_in(waiter, SYS_fcntl))
		die("the waiter");
}

static void make_locks(bool inherited)
{
	records = must_open("records");
	description = must_open("description");
	for (size_t i = 0; i < RANGES; i++)
		if (lock(records, F_SETLK, &held[i], held[i].type))
			die("F_SETLK");
	if (lock(description, F_OFD_SETLK, &of_description, F_WRLCK) ||
	    lock(description, F_OFD_SETLK, &of_description_read, F_RDLCK))
		die("F_OFD_SETLK");
	child = companion_start(obey);
	if (!inherited)
		companion_must(child, OPEN_OWN, "the child's descriptor");
	companion_must(child, TAKE_OWN, "the child's lock");
	make_waiter();
}

/* How another open file sees the range: F_UNLCK if it is free. */
static short seen_by_another_file(const struct range *range, pid_t *holder)
{
	int fd = must_open("description");
	struct flock found = as_lock(range);

	found.l_type = F_WRLCK;
	if (fcntl(fd, F_OFD_GETLK, &found))
		die("F_OFD_GETLK");
	close(fd);
	*holder = found.l_pid;
	return found.l_type;
}

static void compare_description(const char *what, const struct range *range, short want)
{
	pid_t holder;
	short type = seen_by_another_file(range, &holder);

	if (type != want)
		mismatch("%s: lock of type %d, expected %d", what, type, want);
	else if (want != F_UNLCK && holder != -1)
		mismatch("%s: the lock belongs to process %d, not to an open file", what, holder);
}

/* Asked without closing a descriptor of `records`: that would drop this process's POSIX locks. */
static void describe(void)
{
	struct flock found = obstacle(records, &of_child);

	report_number("child_lock", (uint64_t)found.l_type);
	report_number("child_lock_start", (uint64_t)found.l_start);
	report_number("child_lock_holder_is_child", found.l_pid == child->pid);
	report_number("waiter_has", waiter_has[1]);
}

static void verify(void)
{
	struct range gap = { F_WRLCK, 20, 20 };

	companion_does(child, PROBE);
	compare_description("description, written", &of_description, F_WRLCK);
	compare_description("description, read", &of_description_read, F_RDLCK);
	compare_description("description, between", &gap, F_UNLCK);
	if (lock(description, F_OFD_SETLK, &of_description, F_UNLCK))
		mismatch("description: cannot be released");
	compare_description("description, released", &of_description, F_UNLCK);
	companion_does(child, RELEASE_OWN);
	if (obstacle(records, &of_child).l_type != F_UNLCK)
		mismatch("the child's range is not free after it let go");
	if (waiter_has[1])
		mismatch("waiter: has a lock that is held");
	if (!waits_in(waiter, SYS_fcntl))
		mismatch("waiter: does not wait");
	if (lock(records, F_SETLK, &held[0], F_UNLCK) || !reaches(&waiter_has[1], 1))
		mismatch("waiter: does not get the range that became free");
	if (obstacle(records, &held[0]).l_pid != waiter)
		mismatch("waiter: is not the holder of the range");
	companion_compare_parent(child);
}

static void corrupt_lost(void)
{
	lock(records, F_SETLK, &held[3], F_UNLCK);
}

static void corrupt_weaker(void)
{
	lock(records, F_SETLK, &held[2], F_RDLCK);
}

static void corrupt_wider(void)
{
	const struct range wider = { F_WRLCK, 200, 1 };

	lock(records, F_SETLK, &wider, F_WRLCK);
}

static void corrupt_child(void)
{
	companion_does(child, RELEASE_OWN);
}

/* A POSIX lock where an open file should hold one: from outside both say write lock. */
static void corrupt_kind(void)
{
	lock(description, F_OFD_SETLK, &of_description, F_UNLCK);
	lock(description, F_SETLK, &of_description, F_WRLCK);
}

static void corrupt_reader(void)
{
	lock(description, F_OFD_SETLK, &of_description_read, F_UNLCK);
}

static void corrupt_waiter(void)
{
	kill(waiter, SIGKILL);
	waitpid(waiter, NULL, 0);
}

static const struct damage damages[] = {
	{ "lost", corrupt_lost }, { "weaker", corrupt_weaker }, { "wider", corrupt_wider }, { "child", corrupt_child },
	{ "kind", corrupt_kind }, { "reader", corrupt_reader }, { "waiter", corrupt_waiter }, { 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	make_locks(argc > 1 && !strcmp(argv[1], "inherited"));
	serve(describe, verify, damages);
}
