/*
 * The steps of an attempt at a workload that is not in a container. No shell: under emulation one takes 0.1 s before it
 * does anything, since after a reset all that runs is translated anew, and an attempt at a dump would start three.
 *
 *   step start DIRECTORY PIDFILE COMMAND...    start the command there, print its pid and write it to the file
 *   step adopt FILE PIDFILE                    copy a pid from one file to the other, and print it
 *   step age SECONDS                           wait until the kernel has been up for longer, if that can be seen
 *   step run OUTPUT COMMAND...                 run the command, print its exit code, its start and its end by uptime
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Far above every pid of the guest's own, so that the same numbers are free on the other side. */
#define LAST_PID "20000"
#define NAP_MS 100

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd))
		err(1, "%s", path);
}

__attribute__((noreturn)) static void become(const char *output, int how, char **command)
{
	int fd = open(output, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0644);

	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		err(126, "%s", output);
	execvp(command[0], command);
	err(errno == ENOENT ? 127 : 126, "%s", command[0]);
}

static void tell_pid(const char *pidfile, long pid)
{
	char text[32];

	snprintf(text, sizeof text, "%ld\n", pid);
	write_text(pidfile, text);
	fputs(text, stdout);
}

static void start(const char *directory, const char *pidfile, char **command)
{
	pid_t pid;

	if (chdir(directory))
		err(1, "%s", directory);
	write_text("/proc/sys/kernel/ns_last_pid", LAST_PID);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (nothing < 0 || dup2(nothing, 0) < 0)
			err(126, "/dev/null");
		become("stdout.log", O_TRUNC, command);
	}
	tell_pid(pidfile, pid);
}

static void adopt(const char *file, const char *pidfile)
{
	FILE *from = fopen(file, "re");
	long pid = 0;

	if (!from)
		err(1, "%s", file);
	if (fscanf(from, "%ld", &pid) != 1 || pid <= 0)
		errx(1, "%s: there is no pid in it", file);
	fclose(from);
	tell_pid(pidfile, pid);
}

static struct timespec uptime(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_BOOTTIME, &now))
		err(1, "CLOCK_BOOTTIME");
	return now;
}

/*
 * Without time namespaces (before 5.6) CLOCK_MONOTONIC of the restored process is this kernel's. A guest younger than the
 * one that dumped would be the lab's doing, not the kernel's. Whole seconds: what the workload knows is from a little
 * later than what the lab was told.
 */
static void age(const char *seconds)
{
	const struct timespec nap = { 0, NAP_MS * 1000000 };

	if (!access("/proc/self/ns/time", F_OK))
		return;
	while (uptime().tv_sec <= atoll(seconds))
		nanosleep(&nap, NULL);
}

static void run(const char *output, char **command)
{
	struct timespec begun = uptime(), ended;
	pid_t pid = fork();
	int status;

	if (pid < 0)
		err(1, "fork");
	if (!pid)
		become(output, O_APPEND, command);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err(1, "wait");
	ended = uptime();
	printf("%d %lld.%03ld %lld.%03ld\n", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
	       (long long)begun.tv_sec, begun.tv_nsec / 1000000, (long long)ended.tv_sec, ended.tv_nsec / 1000000);
}

int main(int argc, char **argv)
{
	const char *step = argc > 1 ? argv[1] : "";

	if (!strcmp(step, "start") && argc > 4)
		start(argv[2], argv[3], argv + 4);
	else if (!strcmp(step, "adopt") && argc == 4)
		adopt(argv[2], argv[3]);
	else if (!strcmp(step, "age") && argc == 3)
		age(argv[2]);
	else if (!strcmp(step, "run") && argc > 3)
		run(argv[2], argv + 3);
	else
		errx(2, "no such step");
	if (fflush(stdout))
		err(1, "stdout");
	return 0;
}
