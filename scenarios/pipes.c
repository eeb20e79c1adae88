/*
 * Bytes in flight in pipes, a fifo and socket pairs, shared between a parent and its child. Nothing is read before
 * the lab's check: then parent and child take turns in reading and compare with what they know was written.
 */
#include "workload.h"

#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SMALL 1000
#define STREAM 3000
#define PIPE_SIZE 16384
#define MESSAGES 3

/* Seeds of the contents. */
enum part { SHARED_PIPE = 1, FULL_PIPE, FIFO, STREAM_DOWN, STREAM_UP, DATAGRAMS = 20 };

enum { READ, WRITE };

static int shared_pipe[2]; /* read in turns: the first half by the parent, the second by the child */
static int full_pipe[2];   /* non-blocking and filled to the brim */
static int fifo[2];
static int stream[2], datagrams[2]; /* [0] is the parent's end, [1] the child's */
static size_t full_bytes;

/* Orders to the child, and what it found; shared anonymous memory, so that no further pipe is in play. */
struct orders {
	volatile uint64_t order;
	volatile uint64_t obeyed;
	char mismatches[MISMATCHES][200];
	int mismatch_count;
};

enum order { NOTHING, COMPARE, CLOSE };

static struct orders *orders;
static pid_t child;

static void put(int fd, const char *what, size_t size, uint64_t seed)
{
	uint8_t bytes[STREAM];

	fill(bytes, size, seed);
	if (write(fd, bytes, size) != (ssize_t)size)
		die(what);
}

/* Read without ever blocking: bytes that are not there are a finding, not a hang. */
static bool take(int fd, const char *what, void *bytes, size_t size)
{
	size_t got = 0;
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (got < size) {
		ssize_t count = read(fd, (char *)bytes + got, size - got);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			break;
		got += (size_t)count;
	}
	fcntl(fd, F_SETFL, flags);
	if (got < size)
		mismatch("%s: only %zu of %zu bytes are there", what, got, size);
	return got == size;
}

static void compare_bytes(int fd, const char *what, size_t skip, size_t size, uint64_t seed)
{
	uint8_t want[PIPE_SIZE], got[PIPE_SIZE];

	fill(want, skip + size, seed);
	if (take(fd, what, got, size))
		compare(what, got, want + skip, size);
}

static void compare_empty(int fd, const char *what)
{
	int left = -1;

	if (ioctl(fd, FIONREAD, &left))
		mismatch("%s: %s", what, strerror(errno));
	else if (left)
		mismatch("%s: %d bytes too many", what, left);
}

/* Datagrams keep their boundaries: each read gives one message of its own length. */
static void compare_datagrams(void)
{
	uint8_t want[SMALL], got[SMALL];

	for (unsigned i = 0; i < MESSAGES; i++) {
		size_t size = 100 + i * 50;
		ssize_t count = recv(datagrams[1], got, sizeof got, MSG_DONTWAIT);

		fill(want, size, seed_for(DATAGRAMS + i));
		if (count != (ssize_t)size)
			mismatch("datagram %u: %zd bytes, expected %zu", i, count, size);
		else
			compare("datagram", got, want, size);
	}
}

static void child_compares(void)
{
	compare_bytes(shared_pipe[READ], "shared pipe, second half", SMALL / 2, SMALL / 2, seed_for(SHARED_PIPE));
	compare_empty(shared_pipe[READ], "shared pipe");
	compare_bytes(stream[1], "socket pair, downwards", 0, STREAM, seed_for(STREAM_DOWN));
	compare_empty(stream[1], "socket pair, downwards");
	compare_datagrams();
}

static void close_all(void)
{
	close(shared_pipe[WRITE]);
	close(full_pipe[WRITE]);
	close(fifo[WRITE]);
	close(stream[1]);
}

/* The child has mismatches of its own, which it hands over. */
static void obey(uint64_t order)
{
	if (order == COMPARE)
		child_compares();
	if (order == CLOSE)
		close_all();
	memcpy(orders->mismatches, mismatches, sizeof mismatches);
	orders->mismatch_count = mismatch_count;
	mismatch_count = 0;
	orders->obeyed = order;
}

static void obey_forever(void)
{
	close(stream[0]);
	close(datagrams[0]);
	for (;;) {
		if (orders->order > orders->obeyed)
			obey(orders->order);
		sleep_ms(2);
	}
}

static void order(enum order what)
{
	orders->order = what;
	if (!reaches(&orders->obeyed, what)) {
		mismatch("the child does not do what it is told");
		return;
	}
	for (int i = 0; i < orders->mismatch_count; i++)
		mismatch("child: %.150s", orders->mismatches[i]);
}

static void make_pipes(void)
{
	if (pipe2(shared_pipe, O_CLOEXEC) || pipe2(full_pipe, O_CLOEXEC | O_NONBLOCK))
		die("pipe2");
	if (fcntl(full_pipe[WRITE], F_SETPIPE_SZ, PIPE_SIZE) != PIPE_SIZE)
		die("F_SETPIPE_SZ");
	unlink("fifo");
	if (mkfifo("fifo", 0600))
		die("mkfifo");
	/* Opened for reading without waiting for a writer; what is tested is the blocking kind. */
	fifo[READ] = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	fifo[WRITE] = open("fifo", O_WRONLY | O_CLOEXEC);
	if (fifo[READ] < 0 || fifo[WRITE] < 0 || fcntl(fifo[READ], F_SETFL, 0))
		die("fifo");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams))
		die("socketpair");
}

static void fill_to_the_brim(void)
{
	uint8_t bytes[PIPE_SIZE];

	fill(bytes, sizeof bytes, seed_for(FULL_PIPE));
	for (;;) {
		ssize_t count = write(full_pipe[WRITE], bytes + full_bytes, 4096);

		if (count < 0 && errno == EAGAIN)
			return;
		if (count != 4096)
			die("full pipe");
		full_bytes += 4096;
	}
}

static void fill_pipes(void)
{
	uint8_t message[SMALL];

	put(shared_pipe[WRITE], "shared pipe", SMALL, seed_for(SHARED_PIPE));
	put(fifo[WRITE], "fifo", SMALL, seed_for(FIFO));
	put(stream[0], "socket pair, downwards", STREAM, seed_for(STREAM_DOWN));
	put(stream[1], "socket pair, upwards", STREAM, seed_for(STREAM_UP));
	for (unsigned i = 0; i < MESSAGES; i++) {
		fill(message, 100 + i * 50, seed_for(DATAGRAMS + i));
		if (send(datagrams[0], message, 100 + i * 50, 0) != (ssize_t)(100 + i * 50))
			die("datagram");
	}
	fill_to_the_brim();
}

static uint64_t queued(int fd)
{
	int count = -1;

	return ioctl(fd, FIONREAD, &count) ? UINT64_MAX : (uint64_t)count;
}

/* A full pipe takes nothing; a blocking one must not have become non-blocking, nor the reverse. */
static void compare_flags(void)
{
	if (write(full_pipe[WRITE], "x", 1) != -1 || errno != EAGAIN)
		mismatch("full pipe: takes another byte, or fails otherwise than with EAGAIN");
	compare_number("full pipe: its size", (uint64_t)fcntl(full_pipe[WRITE], F_GETPIPE_SZ), PIPE_SIZE);
	if (!(fcntl(full_pipe[READ], F_GETFL) & O_NONBLOCK))
		mismatch("full pipe: has become blocking");
	if ((fcntl(shared_pipe[READ], F_GETFL) | fcntl(fifo[READ], F_GETFL)) & O_NONBLOCK)
		mismatch("shared pipe or fifo: has become non-blocking");
}

/* The fifo is still the one in the directory: a byte written through its name comes out of the old descriptor. */
static void compare_fifo_name(void)
{
	char byte = 0;
	int fd = open("fifo", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || write(fd, "n", 1) != 1)
		mismatch("fifo: cannot be written to by name: %s", strerror(errno));
	else if (take(fifo[READ], "fifo, by name", &byte, 1) && byte != 'n')
		mismatch("fifo: another byte came out than went in by name");
	if (fd >= 0)
		close(fd);
}

/* After the last writer has gone there must be an end: a writer more than before would hold it open. */
static void compare_end(int fd, const char *what)
{
	char byte;
	ssize_t count;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	count = read(fd, &byte, 1);
	if (count)
		mismatch("%s: no end after all writers closed (%s)", what, count > 0 ? "a byte" : strerror(errno));
}

static void verify(void)
{
	compare_flags();
	compare_bytes(shared_pipe[READ], "shared pipe, first half", 0, SMALL / 2, seed_for(SHARED_PIPE));
	compare_bytes(full_pipe[READ], "full pipe", 0, full_bytes, seed_for(FULL_PIPE));
	compare_empty(full_pipe[READ], "full pipe");
	compare_bytes(fifo[READ], "fifo", 0, SMALL, seed_for(FIFO));
	compare_empty(fifo[READ], "fifo");
	compare_bytes(stream[0], "socket pair, upwards", 0, STREAM, seed_for(STREAM_UP));
	order(COMPARE);
	compare_fifo_name();
	order(CLOSE);
	close_all();
	compare_end(shared_pipe[READ], "shared pipe");
	compare_end(full_pipe[READ], "full pipe");
	compare_end(fifo[READ], "fifo");
	compare_end(stream[0], "socket pair");
	if (waitpid(child, NULL, WNOHANG) != 0)
		mismatch("the child is not this process's child any more");
}

static void describe(void)
{
	struct stat status = { 0 };

	fstat(fifo[READ], &status);
	report_number("child", (uint64_t)child);
	report_number("shared_pipe", queued(shared_pipe[READ]));
	report_number("full_pipe", queued(full_pipe[READ]));
	report_number("full_bytes", full_bytes);
	report_number("fifo", queued(fifo[READ]));
	report_number("fifo_mode", status.st_mode);
	report_number("stream_up", queued(stream[0]));
}

/* The same number of bytes, freshly made: what a check by count alone would take for the old ones. */
static void refill(int fd_in, int fd_out, size_t size)
{
	uint8_t bytes[STREAM];

	take(fd_in, "corruption", bytes, size);
	put(fd_out, "corruption", size, advance(witness.chain));
}

/* The deliberate damage of the self-test. */
static void corrupt(const char *what)
{
	uint8_t byte;

	if (!strcmp(what, "corrupt lost"))
		take(fifo[READ], "corruption", &byte, 1);
	else if (!strcmp(what, "corrupt refilled"))
		refill(shared_pipe[READ], shared_pipe[WRITE], SMALL);
	else if (!strcmp(what, "corrupt datagrams"))
		recv(datagrams[1], &byte, 1, 0);
	else if (!strcmp(what, "corrupt added"))
		put(stream[0], "corruption", 1, 0);
	else if (!strcmp(what, "corrupt flags"))
		fcntl(shared_pipe[READ], F_SETFL, O_NONBLOCK);
	else if (!strcmp(what, "corrupt writer"))
		dup(shared_pipe[WRITE]);
	else if (!strcmp(what, "corrupt replaced")) /* a pipe of its own instead of the one that the child has too */
		dup2(full_pipe[READ], shared_pipe[READ]);
	else if (!strcmp(what, "corrupt fifo") && (unlink("fifo") || mkfifo("fifo", 0600)))
		die("fifo");
}

int main(void)
{
	witness_start();
	make_pipes();
	orders = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (orders == MAP_FAILED)
		die("mmap");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		obey_forever();
	fill_pipes();
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
