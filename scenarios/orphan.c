/*
 * An orphan of a session and a group whose leader is dead, which came to its grandparent, the reaper of orphans.
 * Every daemon that was started by forking twice is one, to init or to a container's or a user's own reaper.
 */
#include "workload.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static volatile struct shared {
	pid_t leader, orphan;
	int parent, group, session;
	uint64_t asked, answered;
	int order;
} *shared;

enum { LOOK, LEAVE_GROUP, START_SESSION, END };

/* Says where it finds itself, as often as it is asked. */
static void be_orphan(void)
{
	for (shared->orphan = getpid();; sleep_ms(2)) {
		if (kill(witness.pid, 0))
			_exit(0);
		if (shared->asked == shared->answered)
			continue;
		if (shared->order == LEAVE_GROUP)
			setpgid(0, 0);
		if (shared->order == START_SESSION)
			setsid();
		if (shared->order == END)
			_exit(29);
		shared->parent = getppid();
		shared->group = getpgrp();
		shared->session = getsid(0);
		shared->answered++;
	}
}

static void ask_orphan(int order)
{
	uint64_t before = shared->answered;

	shared->order = order;
	shared->asked++;
	if (order != END && !reaches(&shared->answered, before + 1))
		mismatch("the orphan does not answer");
}

/* Leads a session, has a child, and is gone. */
static void start(void)
{
	pid_t leader = fork();

	if (leader < 0)
		die("fork");
	if (leader == 0) {
		setsid();
		if (fork() == 0)
			be_orphan();
		while (!shared->orphan)
			sleep_ms(1);
		_exit(0);
	}
	shared->leader = leader;
	if (waitpid(leader, NULL, 0) != leader)
		die("waitpid");
}

static void verify(void)
{
	siginfo_t info = { 0 };

	if (shared->parent != getpid())
		mismatch("the orphan is a child of %d, expected %d", shared->parent, getpid());
	ask_orphan(END);
	for (long ms = 0; ms < wait_ms && info.si_pid == 0; ms += 2) {
		if (waitid(P_PID, (id_t)shared->orphan, &info, WEXITED | WNOHANG))
			break;
		sleep_ms(2);
	}
	if (info.si_pid != shared->orphan || info.si_code != CLD_EXITED || info.si_status != 29)
		mismatch("the orphan cannot be waited for");
}

static void describe(void)
{
	int reaper = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &reaper);
	report_number("reaper", (uint64_t)reaper);
	ask_orphan(LOOK);
	report_number("leader", (uint64_t)shared->leader);
	report_number("orphan", (uint64_t)shared->orphan);
	report_number("group", (uint64_t)shared->group);
	report_number("session", (uint64_t)shared->session);
}

static void leave_group(void)
{
	ask_orphan(LEAVE_GROUP);
}

static void start_session(void)
{
	ask_orphan(START_SESSION);
}

/* The next reaper up gets it. */
static void give_away(void)
{
	kill(shared->orphan, SIGKILL);
	waitpid(shared->orphan, NULL, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	shared->orphan = 0;
	start();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static const struct damage damages[] = {
	{ "group", leave_group }, { "session", start_session }, { "parent", give_away }, { 0 },
};

int main(void)
{
	witness_start();
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1))
		die("subreaper");
	start();
	serve(describe, verify, damages);
}
