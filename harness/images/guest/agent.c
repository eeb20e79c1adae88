/*
 * The guest's end of the lab: runs one command at a time for the host, over a virtio-serial port.
 *
 * Why not qemu-ga: its guest-exec gives output only after the end and only when polled, and behind libvirt it is deaf
 * for up to a second after every snapshot reset, because QEMU reports the reopened port at most once a second
 * (VSERPORT_CHANGE is rate limited). A read that is pending on this port is part of the snapshot: after a reset the
 * agent simply goes on.
 *
 * A frame is a header and `length` bytes, all integers little endian. Runs on every kernel since 2.6.27.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x584d4b01u /* 01 "KMX" */
#define MAX_PAYLOAD (8u << 20)

enum request { PING = 1, EXEC = 2, SIGNAL = 3, WRITE = 4, WAKE = 5 };
enum reply { PONG = 65, STDOUT = 66, STDERR = 67, EXITED = 68, FAILED = 69 };

struct header {
	uint32_t magic, id, type, length;
};

struct command {
	pid_t pid; /* 0: none */
	uint32_t id;
	int out, err;
	struct timespec started;
};

static int port;

static void die(const char *what)
{
	fprintf(stderr, "kmatrix-agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_all(const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(port, p, size);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return; /* the host is not listening; what it asked for is no longer wanted */
		p += n;
		size -= n;
	}
}

static void reply(uint32_t id, enum reply type, const void *data, uint32_t length)
{
	struct header header = { MAGIC, id, type, length };

	send_all(&header, sizeof(header));
	send_all(data, length);
}

static void fail(uint32_t id, const char *what)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));

	reply(id, FAILED, text, n);
}

/* Without a host on the other end a read returns 0 and poll reports a hangup, both at once: wait a little. */
static void receive_all(void *data, size_t size)
{
	char *p = data;

	while (size) {
		ssize_t n = read(port, p, size);

		if (n <= 0) {
			usleep(2000);
			continue;
		}
		p += n;
		size -= n;
	}
}

/* A host that gave up in the middle of a frame starts afresh: look for the next magic number, byte by byte. */
static void receive_header(struct header *header)
{
	receive_all(header, sizeof(*header));
	while (header->magic != MAGIC || header->length > MAX_PAYLOAD) {
		memmove(header, (char *)header + 1, sizeof(*header) - 1);
		receive_all((char *)header + sizeof(*header) - 1, 1);
	}
}

static int file_with(const char *data, size_t size)
{
	char name[] = "/run/kmatrix-stdin-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd < 0)
		return -1;
	unlink(name);
	if (write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void run_child(char **argv, int in, int out, int err)
{
	sigset_t none;

	setsid();
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int parse_argv(char *payload, uint32_t length, char ***argv, char **rest)
{
	uint32_t argc, i;
	char *p = payload + sizeof(argc), *end = payload + length;

	if (length < sizeof(argc))
		return -1;
	memcpy(&argc, payload, sizeof(argc));
	if (argc == 0 || argc > 4096)
		return -1;
	*argv = calloc(argc + 1, sizeof(char *));
	for (i = 0; i < argc; i++) {
		char *stop = memchr(p, 0, end - p);

		if (!stop)
			return -1;
		(*argv)[i] = p;
		p = stop + 1;
	}
	*rest = p;
	return 0;
}

static void start(struct command *command, uint32_t id, char *payload, uint32_t length)
{
	char **argv = NULL, *rest;
	int out[2], err[2], in;

	if (command->pid) {
		errno = EBUSY;
		return fail(id, "a command is running");
	}
	errno = EINVAL;
	if (parse_argv(payload, length, &argv, &rest)) {
		free(argv);
		return fail(id, "malformed command");
	}
	in = file_with(rest, payload + length - rest);
	if (in < 0 || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
		free(argv);
		return fail(id, "cannot make pipes");
	}
	clock_gettime(CLOCK_MONOTONIC, &command->started);
	command->pid = fork();
	if (command->pid == 0)
		run_child(argv, in, out[1], err[1]);
	close(in);
	close(out[1]);
	close(err[1]);
	free(argv);
	if (command->pid < 0) {
		command->pid = 0;
		close(out[0]);
		close(err[0]);
		return fail(id, "cannot fork");
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	command->id = id;
	command->out = out[0];
	command->err = err[0];
}

/* Returns 0 once the other side is closed or, for a non-blocking pipe, empty. */
static int forward(struct command *command, int *fd, enum reply type)
{
	char buffer[65536];
	ssize_t n;

	if (*fd < 0)
		return 0;
	n = read(*fd, buffer, sizeof(buffer));
	if (n > 0) {
		reply(command->id, type, buffer, n);
		return 1;
	}
	if (n == 0) {
		close(*fd);
		*fd = -1;
	}
	return 0;
}

struct exited {
	uint32_t code;
	uint32_t reserved;
	uint64_t nanoseconds;
};

/*
 * A daemon that the command left behind may hold the pipes open, or write to them, for ever: what is in them by now is
 * enough. One read takes all that a pipe of the default size holds, 16 what one of 1 MiB does, the most without
 * privileges.
 */
static void finish(struct command *command, int status)
{
	struct exited exited = { WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), 0, 0 };
	struct timespec now;
	int reads;

	for (reads = 0; reads < 16 && forward(command, &command->out, STDOUT); reads++)
		;
	for (reads = 0; reads < 16 && forward(command, &command->err, STDERR); reads++)
		;
	if (command->out >= 0)
		close(command->out);
	if (command->err >= 0)
		close(command->err);
	clock_gettime(CLOCK_MONOTONIC, &now);
	exited.nanoseconds = (now.tv_sec - command->started.tv_sec) * 1000000000ull + now.tv_nsec
			     - command->started.tv_nsec;
	command->pid = 0;
	reply(command->id, EXITED, &exited, sizeof(exited));
}

static void reap(struct command *command, int signals)
{
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	if (read(signals, &info, sizeof(info)) < 0)
		return;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command->pid)
			finish(command, status);
}

static void write_file(uint32_t id, char *payload, uint32_t length)
{
	char *stop = memchr(payload, 0, length);
	size_t size;
	int fd, good;

	errno = EINVAL;
	if (!stop)
		return fail(id, "malformed file");
	fd = open(payload, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (fd < 0)
		return fail(id, payload);
	size = payload + length - (stop + 1);
	good = write(fd, stop + 1, size) == (ssize_t)size;
	if (close(fd) || !good)
		return fail(id, payload);
	reply(id, PONG, NULL, 0);
}

/* After a reset the clock stands in the past and every guest of one snapshot would draw the same random numbers. */
static void wake(uint32_t id, const char *payload, uint32_t length)
{
	uint64_t nanoseconds;
	struct timespec now;
	int random;

	errno = EINVAL;
	if (length < sizeof(nanoseconds))
		return fail(id, "malformed time");
	memcpy(&nanoseconds, payload, sizeof(nanoseconds));
	now.tv_sec = nanoseconds / 1000000000u;
	now.tv_nsec = nanoseconds % 1000000000u;
	if (clock_settime(CLOCK_REALTIME, &now))
		return fail(id, "cannot set the clock");
	payload += sizeof(nanoseconds);
	length -= sizeof(nanoseconds);
	random = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	if (random < 0 || write(random, payload, length) != length)
		return fail(id, "cannot reseed /dev/urandom");
	ioctl(random, RNDRESEEDCRNG); /* since 4.14; before that writing is all there is */
	close(random);
	reply(id, PONG, NULL, 0);
}

static void send_signal(struct command *command, const char *payload, uint32_t length)
{
	uint32_t number;

	if (!command->pid || length != sizeof(number))
		return;
	memcpy(&number, payload, sizeof(number));
	/* The child may not have come to its setsid yet. */
	if (kill(-command->pid, number))
		kill(command->pid, number);
}

static void serve(struct command *command)
{
	struct header header;
	char *payload;

	receive_header(&header);
	payload = malloc(header.length + 1);
	if (!payload)
		die("malloc");
	receive_all(payload, header.length);
	switch (header.type) {
	case PING:
		reply(header.id, PONG, NULL, 0);
		break;
	case EXEC:
		start(command, header.id, payload, header.length);
		break;
	case SIGNAL:
		send_signal(command, payload, header.length);
		break;
	case WRITE:
		write_file(header.id, payload, header.length);
		break;
	case WAKE:
		wake(header.id, payload, header.length);
		break;
	default:
		errno = ENOSYS;
		fail(header.id, "unknown request");
	}
	free(payload);
}

int main(int argc, char **argv)
{
	struct command command = { 0 };
	sigset_t chld;
	int signals;

	if (argc != 2) {
		fprintf(stderr, "usage: kmatrix-agent PORT\n");
		return 2;
	}
	port = open(argv[1], O_RDWR | O_CLOEXEC);
	if (port < 0)
		die(argv[1]);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		die("signalfd");
	command.out = command.err = -1;
	for (;;) {
		struct pollfd fds[] = {
			{ port, POLLIN, 0 },
			{ signals, POLLIN, 0 },
			{ command.pid ? command.out : -1, POLLIN, 0 },
			{ command.pid ? command.err : -1, POLLIN, 0 },
		};

		if (poll(fds, 4, -1) < 0 && errno != EINTR)
			die("poll");
		if (fds[2].revents)
			forward(&command, &command.out, STDOUT);
		if (fds[3].revents)
			forward(&command, &command.err, STDERR);
		if (fds[1].revents & POLLIN)
			reap(&command, signals);
		if (fds[0].revents & POLLIN)
			serve(&command);
		else if (fds[0].revents & POLLHUP)
			usleep(2000); /* nobody on the other end */
	}
}
