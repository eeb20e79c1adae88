/*
 * The lab's hand inside a guest: what needs a wait or several system calls, in one program, because under emulation
 * each fork and exec costs 20 to 40 ms. It is no part of the workload's tree.
 *
 *   hand start own|shared COMMAND...         become the workload: leader of a session, in the current directory
 *   hand await PID FILE SECONDS              wait until the process has made the file
 *   hand ask PID FILE SECONDS QUESTION       put the question beside it, print the file that answers and take it away
 *
 * Ends with 3 if the process is gone, with 4 if it takes longer than SECONDS, with 5 if the hand itself is at fault.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NAP_MS 2
#define LOOK_NAPS 10 /* between two looks at the process itself */

enum { GONE = 3, LATE = 4, FAULT = 5 };

__attribute__((noreturn)) static void die(const char *what)
{
	const char *reason = strerror(errno);

	/* Nobody can be told if stderr is closed. */
	if (write(2, what, strlen(what)) < 0 || write(2, ": ", 2) < 0 || write(2, reason, strlen(reason)) < 0 ||
	    write(2, "\n", 1) < 0)
		_exit(FAULT);
	_exit(FAULT);
}

/* A zombie has lost its state as much as a process that is gone. */
static bool is_gone(const char *pid)
{
	char path[64] = "/proc/", stat[256];
	ssize_t size;
	char *end;
	int fd;

	strncat(path, pid, 20);
	strcat(path, "/stat");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	size = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (size <= 0)
		return true;
	stat[size] = '\0';
	end = strrchr(stat, ')');
	return end && (!strncmp(end, ") Z", 3) || !strncmp(end, ") X", 3));
}

/* Wait for the file by counting naps: a clock may be what has gone wrong. Returns its descriptor. */
static int await(const char *pid, const char *name, long seconds)
{
	const struct timespec nap = { 0, NAP_MS * 1000000 };
	bool gone = false;

	for (long naps = 0; naps * NAP_MS <= seconds * 1000; naps++) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		if (errno != ENOENT)
			die(name);
		if (gone) /* and what it may have left has been looked for once more */
			_exit(GONE);
		if (naps % LOOK_NAPS == 0)
			gone = is_gone(pid);
		if (!gone)
			nanosleep(&nap, NULL);
	}
	_exit(LATE);
}

static void put_question(const char *pid, const char *answer, const char *question)
{
	const char *name = strrchr(answer, '/');
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof path, "%.*squestion", name ? (int)(name + 1 - answer) : 0, answer) >= (int)sizeof path)
		die(answer);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (unlink(answer) && errno != ENOENT)
		die(answer);
	if (fd < 0 || write(fd, question, strlen(question)) != (ssize_t)strlen(question) || close(fd))
		die(path);
	if (kill(atoi(pid), SIGUSR1))
		_exit(GONE);
}

static void print(int fd)
{
	char text[16384];
	ssize_t size;

	while ((size = read(fd, text, sizeof text)) > 0)
		if (write(1, text, (size_t)size) != size)
			die("stdout");
	if (size < 0)
		die("answer");
}

static void make_own_network(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) || close(fd))
		die("lo");
}

static void become(const char *network, char **command)
{
	if (getsid(0) != getpid() && setsid() < 0)
		die("setsid");
	if (!strcmp(network, "own"))
		make_own_network();
	execvp(command[0], command);
	die(command[0]);
}

int main(int argc, char **argv)
{
	const char *step = argc > 1 ? argv[1] : "";

	if (!strcmp(step, "start") && argc > 3)
		become(argv[2], argv + 3);
	if (!strcmp(step, "await") && argc == 5)
		return close(await(argv[2], argv[3], atol(argv[4])));
	if (!strcmp(step, "ask") && argc == 6) {
		put_question(argv[2], argv[3], argv[5]);
		print(await(argv[2], argv[3], atol(argv[4])));
		if (unlink(argv[3]))
			die(argv[3]);
		return 0;
	}
	errno = EINVAL;
	die("hand");
}
