/* Descriptors of processes: of itself, a child that lives, one that is dead, one that is dead and buried. */
#include "workload.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ZOMBIE_CODE 23
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { SELF, LIVE, ZOMBIE, BURIED, FDS };

static const char *const names[FDS] = { "self", "live", "zombie", "buried" };
static pid_t pids[FDS];
static int fds[FDS], twin;

static int open_pid(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		die("pidfd_open");
	return fd;
}

static int send_to(int fd, int number)
{
	return syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) ? errno : 0;
}

static bool has_ended(int fd, long ms)
{
	struct pollfd wanted = { fd, POLLIN, 0 };

	while (ms > 0 && poll(&wanted, 1, 2) == 0)
		ms -= 2;
	return poll(&wanted, 1, 0) == 1 && wanted.revents & POLLIN;
}

/* Lives until it gets SIGTERM. */
static pid_t start_live(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	while (pid == 0)
		pause();
	return pid;
}

static pid_t start_zombie(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0)
		_exit(ZOMBIE_CODE);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT))
		die("waitid");
	return pid;
}

static void make(void)
{
	pids[SELF] = getpid();
	pids[LIVE] = start_live();
	pids[ZOMBIE] = start_zombie();
	pids[BURIED] = start_zombie();
	for (int which = 0; which < FDS; which++)
		fds[which] = open_pid(pids[which]);
	twin = open_pid(pids[LIVE]);
	if (waitpid(pids[BURIED], NULL, 0) != pids[BURIED])
		die("waitpid");
}

static void compare_waiting(void)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)fds[ZOMBIE], &info, WEXITED) || info.si_pid != pids[ZOMBIE] ||
	    info.si_code != CLD_EXITED || info.si_status != ZOMBIE_CODE)
		mismatch("zombie: is not the child that exited with %d", ZOMBIE_CODE);
	memset(&info, 0, sizeof info);
	if (waitid(P_PIDFD, (id_t)fds[LIVE], &info, WEXITED | WNOHANG) || info.si_pid != 0)
		mismatch("live: is not a child that lives");
	if (has_ended(fds[LIVE], 0))
		mismatch("live: the descriptor says that it has ended");
	if (send_to(twin, SIGTERM))
		mismatch("live: gets no signal");
	else if (!has_ended(fds[LIVE], wait_ms))
		mismatch("live: the descriptor does not say that it has ended");
	else if (waitid(P_PIDFD, (id_t)fds[LIVE], &info, WEXITED) || info.si_pid != pids[LIVE] ||
		 info.si_code != CLD_KILLED || info.si_status != SIGTERM)
		mismatch("live: did not end by the signal");
}

static void verify(void)
{
	compare_number("signal to itself", (uint64_t)send_to(fds[SELF], 0), 0);
	compare_number("signal to a zombie", (uint64_t)send_to(fds[ZOMBIE], 0), 0);
	compare_number("signal to the buried one", (uint64_t)send_to(fds[BURIED], 0), ESRCH);
	if (!has_ended(fds[ZOMBIE], 0) || !has_ended(fds[BURIED], 0))
		mismatch("a dead process's descriptor does not say that it has ended");
	if (has_ended(fds[SELF], 0))
		mismatch("self: has ended");
	compare_waiting();
}

/* The pid that the kernel says the descriptor is of: -1 once the process is buried. */
static void describe(void)
{
	char path[64], line[128], name[64];
	long pid = 0;

	for (int which = 0; which < FDS; which++) {
		FILE *file;

		snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fds[which]);
		file = fopen(path, "re");
		if (!file)
			die(path);
		while (fgets(line, sizeof line, file))
			sscanf(line, "Pid: %ld", &pid);
		fclose(file);
		snprintf(name, sizeof name, "%s, pid", names[which]);
		report_number(name, (uint32_t)pid);
		snprintf(name, sizeof name, "%s, child", names[which]);
		report_number(name, (uint64_t)pids[which]);
	}
}

static void change_child(void)
{
	kill(pids[LIVE], SIGKILL);
	waitpid(pids[LIVE], NULL, 0);
	pids[LIVE] = start_live();
}

static void bury(void)
{
	waitpid(pids[ZOMBIE], NULL, 0);
}

static void revive(void)
{
	dup2(fds[SELF], fds[BURIED]);
}

/* A descriptor of something that is no process. */
static void misdirect(void)
{
	close(twin);
	twin = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static const struct damage damages[] = {
	{ "child", change_child }, { "reaped", bury }, { "revived", revive }, { "other", misdirect }, { 0 },
};

int main(void)
{
	witness_start();
	make();
	serve(describe, verify, damages);
}
