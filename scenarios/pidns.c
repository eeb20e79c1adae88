/*
 * The first process of a pid namespace, with a child of a chosen pid, an orphan that it inherited and a zombie that it
 * has not waited for. Pids are the namespace's own: outside they are others, before and after the move.
 */
#include "spaces.h"

#define CHOSEN 1000
#define STATUS 42

enum question { PIDS, ATTACK };

static volatile pid_t *orphan; /* shared: told by the process between, which then ends */
static pid_t zombie;
static int owned;

static void enter_pids(void)
{
	enter_new(CLONE_NEWPID);
}

static void choose_next(pid_t pid)
{
	if (!put_text("/proc/sys/kernel/ns_last_pid", "%d", pid - 1))
		die("ns_last_pid");
}

static void sleep_forever(void)
{
	for (;;)
		sleep_ms(1000);
}

static void make_orphan(void)
{
	pid_t between = fork();

	if (between == 0) {
		pid_t last = fork();

		if (last == 0)
			sleep_forever();
		*orphan = last;
		_exit(0);
	}
	if (between < 0 || waitpid(between, NULL, 0) != between || *orphan <= 0)
		die("orphan");
}

static void make_zombie(void)
{
	siginfo_t info;

	zombie = fork();
	if (zombie == 0)
		_exit(STATUS);
	if (zombie < 0 || waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT))
		die("zombie");
}

/* The chosen one: a leader of its own session, of which the number is its own pid. */
static void settle(void)
{
	if (setsid() != CHOSEN)
		die("setsid");
}

static void answer(unsigned question, char *text)
{
	if (question == ATTACK) /* the first process of a namespace cannot be killed from inside */
		snprintf(text, TEXT, "%d %d", kill(1, SIGKILL), kill(1, SIGTERM));
	else
		snprintf(text, TEXT, "%d %d %d %d", getpid(), getppid(), getsid(0), getpgid(0));
}

static void describe(void)
{
	report_number("partner", (uint64_t)partner_pid);
	report_number("orphan", (uint64_t)*orphan);
	report_number("zombie", (uint64_t)zombie);
	report_number("session", (uint64_t)getsid(0));
	report_number("partner_session", (uint64_t)getsid(partner_pid));
	report_number("orphan_group", (uint64_t)getpgid(*orphan));
	report_number("owner", (uint64_t)fcntl(owned, F_GETOWN));
}

static void compare_end(const char *what, pid_t pid, int code, int status)
{
	siginfo_t info = { 0 };
	bool there = !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);

	for (long ms = 0; there && !info.si_pid && ms < wait_ms; ms += 2) {
		sleep_ms(2);
		there = !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
	}
	if (!there || info.si_pid != pid || info.si_code != code || info.si_status != status)
		mismatch("%s: pid %d, code %d, status %d", what, info.si_pid, info.si_code, info.si_status);
}

static void verify(void)
{
	char want[TEXT];

	compare_number("pid of the first process", (uint64_t)getpid(), 1);
	snprintf(want, sizeof want, "%d 1 %d %d", CHOSEN, CHOSEN, CHOSEN);
	compare_text("pid, parent, session and group of the child", ask_partner(PIDS), want);
	ask_partner(ATTACK);
	compare_end("zombie", zombie, CLD_EXITED, STATUS);
	/* An inherited child can be waited for by nobody but the namespace's first process. */
	if (kill(*orphan, SIGKILL))
		mismatch("orphan: %s", strerror(errno));
	compare_end("orphan", *orphan, CLD_KILLED, SIGKILL);
	if (kill(partner_pid, SIGKILL))
		mismatch("child: %s", strerror(errno));
	compare_end("child", partner_pid, CLD_KILLED, SIGKILL);
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
		mismatch("there are more children than there were");
}

static void damage_zombie(void)
{
	waitpid(zombie, NULL, 0);
}

static void damage_orphan(void)
{
	kill(*orphan, SIGKILL);
	waitpid(*orphan, NULL, 0);
	choose_next(*orphan);
	make_orphan();
}

static void damage_child(void)
{
	kill(partner_pid, SIGKILL);
	waitpid(partner_pid, NULL, 0);
	partner_pid = fork();
	if (partner_pid == 0)
		sleep_forever();
}

static void damage_more(void)
{
	if (fork() == 0)
		sleep_forever();
}

static void damage_owner(void)
{
	fcntl(owned, F_SETOWN, 1);
}

int main(void)
{
	const struct damage damages[] = { { "zombie", damage_zombie }, { "orphan", damage_orphan },
					  { "child", damage_child },   { "more", damage_more },
					  { "owner", damage_owner },   { 0 } };
	int pipe_fds[2];

	start_as_init(enter_pids);
	witness_start();
	orphan = mmap(NULL, sizeof *orphan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (orphan == MAP_FAILED || pipe2(pipe_fds, O_CLOEXEC))
		die("mmap");
	make_orphan();
	make_zombie();
	choose_next(CHOSEN);
	start_partner(settle, answer);
	owned = pipe_fds[0];
	if (partner_pid != CHOSEN || fcntl(owned, F_SETOWN, partner_pid))
		die("F_SETOWN");
	serve(describe, verify, damages);
}
