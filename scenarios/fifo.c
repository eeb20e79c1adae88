/*
 * Named fifos: bytes in flight, ends that only some process has, one without a name, one of packets. A reader waits in
 * read(2), and a process waits in open(2) for a writer that has not come.
 */
#include "companion.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

#define SIZE 5000
#define PIPE_SIZE 32768
#define PACKETS 3

enum part { BYTES = 1, NAMELESS, ORPHAN, PACKET = 10 };
enum order { WRITE_OWN, CLOSE_OWN };

static int both;	/* one descriptor for both directions, with bytes */
static int reader, link_writer; /* the same fifo by two names; the child writes into it, too */
static int lonely;	/* a reading end that never had a writer */
static int nameless;	/* both directions, unlinked, with bytes */
static int orphan;	/* bytes whose writer has gone: first they come, then the end */
static int packets[2];	/* O_DIRECT: each write is read by itself */
static bool with_packets;
static struct companion *child;

static int must_open(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC);

	if (fd < 0)
		die(name);
	return fd;
}

static void make(const char *name, mode_t mode)
{
	unlink(name);
	if (mkfifo(name, mode))
		die(name);
}

static void put(int fd, size_t size, uint64_t seed)
{
	uint8_t bytes[SIZE];

	fill(bytes, size, seed);
	if (write(fd, bytes, size) != (ssize_t)size)
		die("write");
}

/* The child has a writing end of its own, opened by name. */
static int64_t obey(unsigned order)
{
	static int own = -1;

	if (own < 0)
		own = must_open("shared", O_WRONLY);
	if (order == WRITE_OWN)
		return write(own, "child", 5) == 5 ? 0 : -1;
	close(own);
	close(link_writer);
	close(both);
	close(nameless);
	if (with_packets)
		close(packets[1]);
	return 0;
}

/* Processes that wait inside a system call; `count` goes up when they start and again when they are through. */
struct waiter {
	volatile uint64_t count;
	volatile char byte;
};

enum waiting { IN_READ, IN_OPEN, WAITERS };

static struct waiter *waiters;
static pid_t pids[WAITERS];

__attribute__((noreturn)) static void wait_in(enum waiting which)
{
	struct waiter *self = &waiters[which];
	char byte = 0;
	int fd = which == IN_READ ? must_open("quiet", O_RDWR) : -1;

	self->count = 1;
	if (which == IN_OPEN)
		fd = must_open("missed", O_RDONLY);
	if (read(fd, &byte, 1) != 1)
		die("read");
	self->byte = byte;
	self->count = 2;
	for (;;)
		pause();
}

static bool waits(enum waiting which)
{
	return waits_in(pids[which], which == IN_READ ? SYS_read : SYS_openat);
}

static void make_waiters(void)
{
	make("quiet", 0600);
	make("missed", 0600);
	waiters = shared_memory(WAITERS * sizeof *waiters);
	for (enum waiting which = 0; which < WAITERS; which++) {
		pids[which] = fork();
		if (pids[which] < 0)
			die("fork");
		if (pids[which] == 0)
			wait_in(which);
	}
	for (enum waiting which = 0; which < WAITERS; which++) {
		if (!reaches(&waiters[which].count, 1) || !waits(which))
			die("a waiter");
	}
}

static void make_fifos(void)
{
	int writer;

	make("both", 0604);
	both = must_open("both", O_RDWR);
	put(both, SIZE, seed_for(BYTES));
	make("shared", 0640);
	/* not a hard link: tar, with which the lab moves files, makes two fifos of one with two names */
	unlink("again");
	if (symlink("shared", "again"))
		die("symlink");
	reader = must_open("shared", O_RDONLY | O_NONBLOCK);
	link_writer = must_open("again", O_WRONLY);
	if (fcntl(reader, F_SETPIPE_SZ, PIPE_SIZE) != PIPE_SIZE)
		die("F_SETPIPE_SZ");
	make("lonely", 0600);
	lonely = must_open("lonely", O_RDONLY | O_NONBLOCK);
	make("nameless", 0600);
	nameless = must_open("nameless", O_RDWR);
	put(nameless, SIZE, seed_for(NAMELESS));
	if (unlink("nameless"))
		die("nameless");
	make("orphan", 0600);
	orphan = must_open("orphan", O_RDONLY | O_NONBLOCK);
	writer = must_open("orphan", O_WRONLY);
	put(writer, SIZE, seed_for(ORPHAN));
	close(writer);
}

static void make_packets(void)
{
	if (pipe2(packets, O_DIRECT | O_CLOEXEC))
		die("pipe2");
	for (unsigned i = 0; i < PACKETS; i++)
		put(packets[1], 100 + 50 * i, seed_for(PACKET + i));
}

static void describe(void)
{
	const struct { const char *name; int fd; } ends[] = {
		{ "both", both }, { "reader", reader }, { "link_writer", link_writer }, { "lonely", lonely },
		{ "nameless", nameless }, { "orphan", orphan }, { "packets_out", packets[0] }, { "packets_in", packets[1] },
	};

	for (size_t i = 0; i < sizeof ends / sizeof *ends - (with_packets ? 0 : 2); i++) {
		char name[40];
		struct stat status = { 0 };
		int queued = -1;

		fstat(ends[i].fd, &status);
		ioctl(ends[i].fd, FIONREAD, &queued);
		snprintf(name, sizeof name, "%s_flags", ends[i].name);
		report_number(name, (uint64_t)fcntl(ends[i].fd, F_GETFL));
		snprintf(name, sizeof name, "%s_bytes", ends[i].name);
		report_number(name, (uint64_t)queued);
		snprintf(name, sizeof name, "%s_size", ends[i].name);
		report_number(name, (uint64_t)fcntl(ends[i].fd, F_GETPIPE_SZ));
		snprintf(name, sizeof name, "%s_mode", ends[i].name);
		report_number(name, status.st_mode);
		snprintf(name, sizeof name, "%s_links", ends[i].name);
		report_number(name, status.st_nlink);
	}
	report_number("in_read", waiters[IN_READ].count);
	report_number("in_open", waiters[IN_OPEN].count);
}

static void unblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void compare_bytes(const char *what, int fd, uint64_t seed)
{
	uint8_t got[SIZE + 1];
	ssize_t count;

	unblock(fd);
	count = read(fd, got, sizeof got);
	if (count != SIZE)
		mismatch("%s: %zd bytes, expected %d", what, count, SIZE);
	else
		compare_fill(what, got, SIZE, seed);
}

static void compare_end(const char *what, int fd)
{
	char byte;
	ssize_t count = read(fd, &byte, 1);

	if (count)
		mismatch("%s: no end without writers (%s)", what, count > 0 ? "a byte" : strerror(errno));
}

static void compare_shared(void)
{
	char got[16] = "";

	if (read(reader, got, 1) != -1 || errno != EAGAIN)
		mismatch("shared: is not empty with writers");
	companion_does(child, WRITE_OWN);
	if (write(link_writer, "link", 4) != 4)
		mismatch("shared: cannot be written by its other name: %s", strerror(errno));
	if (read(reader, got, sizeof got - 1) != 9 || strcmp(got, "childlink"))
		mismatch("shared: <%s> came out of it", got);
	companion_does(child, CLOSE_OWN);
	close(link_writer);
	compare_end("shared", reader);
}

static void compare_packets(void)
{
	uint8_t got[SIZE];

	unblock(packets[0]);
	for (unsigned i = 0; i < PACKETS; i++) {
		size_t size = 100 + 50 * i;
		ssize_t count = read(packets[0], got, sizeof got);

		if (count != (ssize_t)size)
			mismatch("packet %u: %zd bytes, expected %zu", i, count, size);
		else
			compare_fill("packet", got, size, seed_for(PACKET + i));
	}
	close(packets[1]);
	compare_end("packets", packets[0]);
}

/* A byte written by name must reach the one that waits, and not before. */
static void compare_waiter(enum waiting which, const char *name)
{
	int fd;

	if (waiters[which].count != 1 || !waits(which))
		mismatch("%s: its reader does not wait in its system call", name);
	fd = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || write(fd, name, 1) != 1)
		mismatch("%s: nobody has it open for reading: %s", name, strerror(errno));
	else if (!reaches(&waiters[which].count, 2) || waiters[which].byte != name[0])
		mismatch("%s: its reader does not get the byte", name);
	close(fd);
}

static void verify(void)
{
	compare_bytes("both", both, seed_for(BYTES));
	compare_bytes("nameless", nameless, seed_for(NAMELESS));
	compare_bytes("orphan", orphan, seed_for(ORPHAN));
	compare_end("orphan", orphan);
	compare_end("lonely", lonely);
	compare_shared();
	if (with_packets)
		compare_packets();
	compare_waiter(IN_READ, "quiet");
	compare_waiter(IN_OPEN, "missed");
	companion_compare_parent(child);
}

static void corrupt_lost(void)
{
	char byte;

	if (read(both, &byte, 1) != 1)
		die("both");
}

static void corrupt_refilled(void)
{
	uint8_t bytes[SIZE];

	if (read(nameless, bytes, SIZE) != SIZE)
		die("nameless");
	put(nameless, SIZE, witness.chain);
}

static void corrupt_writer(void)
{
	must_open("orphan", O_WRONLY);
}

static void corrupt_merged(void)
{
	uint8_t bytes[SIZE];
	size_t got = 0;

	for (int i = 0; i < PACKETS; i++)
		got += (size_t)read(packets[0], bytes + got, SIZE - got);
	if (write(packets[1], bytes, got) != (ssize_t)got)
		die("packets");
}

static void corrupt_renamed(void)
{
	make("shared", 0640);
	reader = dup2(must_open("shared", O_RDONLY | O_NONBLOCK), reader);
}

static void corrupt_reader(void)
{
	kill(pids[IN_READ], SIGKILL);
	waitpid(pids[IN_READ], NULL, 0);
}

static void corrupt_opener(void)
{
	kill(pids[IN_OPEN], SIGKILL);
	waitpid(pids[IN_OPEN], NULL, 0);
}

static const struct damage damages[] = {
	{ "lost", corrupt_lost },	{ "refilled", corrupt_refilled }, { "writer", corrupt_writer },
	{ "merged", corrupt_merged },	{ "renamed", corrupt_renamed },	  { "reader", corrupt_reader },
	{ "opener", corrupt_opener },	{ 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	make_waiters(); /* first: they must have no end of any other fifo */
	make_fifos();
	with_packets = argc > 1 && !strcmp(argv[1], "packets");
	if (with_packets)
		make_packets();
	child = companion_start(obey);
	companion_must(child, WRITE_OWN, "the child's end");
	if (read(reader, (char[8]){ 0 }, 8) != 5)
		die("shared");
	serve(describe, verify, damages);
}
