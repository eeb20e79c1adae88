/* A family: sessions, process groups, orphans, zombies, a stopped one, two reapers of orphans. */
#include "workload.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define EXIT_CODE 37

/*
 * SOLO leads a session, MATE is in its group, LEADER leads another group of that session. KEEPER is a reaper of its
 * own: NEPHEW came to it by its parent's death. HOLDER has a child, CHARGE, that comes to this process when HOLDER
 * dies.
 */
enum { SOLO, MATE, LEADER, KEEPER, NEPHEW, HOLDER, CHARGE, STOPPED, EXITED, KILLED, MEMBERS };
enum { WAIT, DIE, START_SESSION, JOIN_OTHER };

static const char *const names[MEMBERS] = { "solo",	"mate",	  "leader", "keeper", "nephew",
					    "holder", "charge", "stopped", "exited", "killed" };

static struct table {
	volatile uint64_t here[MEMBERS], heard[MEMBERS], told[MEMBERS];
	volatile int order[MEMBERS];
	pid_t pids[MEMBERS];
} *table;

/* Every member's life; it counts the orders that it follows. A signal to the first one's group does not reach all. */
static void __attribute__((noreturn)) live(int who)
{
	table->pids[who] = getpid();
	for (table->here[who] = 1;; sleep_ms(2)) {
		if (kill(witness.pid, 0))
			_exit(0);
		if (table->told[who] == table->heard[who])
			continue;
		if (table->order[who] == DIE)
			_exit(0);
		if (table->order[who] == START_SESSION)
			setsid();
		if (table->order[who] == JOIN_OTHER)
			setpgid(0, table->pids[LEADER]);
		table->heard[who]++;
	}
}

static bool order(int who, int what)
{
	uint64_t before = table->heard[who];

	table->order[who] = what;
	table->told[who]++;
	if (what == DIE || reaches(&table->heard[who], before + 1))
		return true;
	mismatch("%s: does not answer", names[who]);
	return false;
}

static pid_t born(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

static void start(int who)
{
	if (!born())
		live(who);
}

static void be_solo(void)
{
	setsid();
	start(MATE);
	if (!born()) {
		setpgid(0, 0);
		live(LEADER);
	}
	live(SOLO);
}

/* Its grandchild comes to it, because the one between them ends at once. */
static void be_keeper(void)
{
	pid_t between;

	setsid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	between = born();
	if (!between) {
		start(NEPHEW);
		_exit(0);
	}
	waitpid(between, NULL, 0);
	live(KEEPER);
}

static void be_holder(void)
{
	start(CHARGE);
	live(HOLDER);
}

static void await(int who)
{
	if (!reaches(&table->here[who], 1))
		die(names[who]);
}

static void start_dead(int who, bool killed)
{
	siginfo_t info;
	pid_t pid = born();

	if (!pid) {
		if (killed)
			raise(SIGTERM);
		_exit(EXIT_CODE);
	}
	table->pids[who] = pid;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT))
		die("waitid");
}

static void start_all(void)
{
	siginfo_t info;

	if (!born())
		be_solo();
	if (!born())
		be_keeper();
	if (!born())
		be_holder();
	start(STOPPED);
	for (int who = 0; who <= STOPPED; who++)
		await(who);
	kill(table->pids[STOPPED], SIGSTOP);
	if (waitid(P_PID, (id_t)table->pids[STOPPED], &info, WSTOPPED))
		die("stop");
	start_dead(EXITED, false);
	start_dead(KILLED, true);
}

struct place {
	char state;
	int parent, group, session;
};

static bool get_place(int who, struct place *place)
{
	char path[64];
	FILE *file;
	int got = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", table->pids[who]);
	file = fopen(path, "re");
	if (file) {
		got = fscanf(file, "%*d (%*[^)]) %c %d %d %d", &place->state, &place->parent, &place->group,
			     &place->session);
		fclose(file);
	}
	return got == 4;
}

/* As a letter: a member that waits is asleep, but a slow guest may show it running. */
static void describe_member(int who)
{
	struct place place = { 0 };
	char text[96];

	if (get_place(who, &place))
		snprintf(text, sizeof text, "%d%s, child of %d, group %d, session %d", table->pids[who],
			 place.state == 'Z'			 ? " dead" :
			 place.state == 'T'			 ? " stopped" :
			 strchr("RSD", place.state) != NULL ? " alive" :
								   " odd",
			 place.parent, place.group, place.session);
	else
		snprintf(text, sizeof text, "gone");
	report_text(names[who], text);
}

static void describe(void)
{
	int reaper = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &reaper);
	report_number("reaper", (uint64_t)reaper);
	for (int who = 0; who < MEMBERS; who++)
		describe_member(who);
}

static void compare_dead(int who, int code, int status)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)table->pids[who], &info, WEXITED | WNOHANG) || info.si_pid != table->pids[who])
		mismatch("%s: cannot be waited for", names[who]);
	else if (info.si_code != code || info.si_status != status)
		mismatch("%s: code %d, status %d, expected %d, %d", names[who], info.si_code, info.si_status, code,
			 status);
}

/* Wait until a member that has lost its parent has this one. */
static void compare_new_parent(int who, pid_t parent)
{
	struct place place = { 0 };

	for (long ms = 0; ms < wait_ms; ms += 2) {
		if (get_place(who, &place) && place.parent == parent)
			return;
		sleep_ms(2);
	}
	mismatch("%s: after its parent's death it is a child of %d, expected %d", names[who], place.parent, parent);
}

static void compare_stopped(void)
{
	uint64_t before = table->heard[STOPPED];

	table->told[STOPPED]++;
	sleep_ms(10);
	if (table->heard[STOPPED] != before)
		mismatch("stopped: it runs");
	kill(table->pids[STOPPED], SIGCONT);
	if (!reaches(&table->heard[STOPPED], before + 1))
		mismatch("stopped: does not go on when it is told to");
}

static void verify(void)
{
	for (int who = 0; who < STOPPED; who++)
		order(who, WAIT);
	compare_stopped();
	compare_dead(EXITED, CLD_EXITED, EXIT_CODE);
	compare_dead(KILLED, CLD_KILLED, SIGTERM);
	order(HOLDER, DIE);
	compare_new_parent(CHARGE, getpid());
	if (waitpid(table->pids[HOLDER], NULL, 0) != table->pids[HOLDER])
		mismatch("holder: cannot be waited for");
	order(KEEPER, DIE);
	compare_new_parent(NEPHEW, getpid());
	if (kill(-table->pids[LEADER], SIGKILL) || kill(-table->pids[SOLO], SIGKILL))
		mismatch("a process group cannot be signalled");
}

static void bury(void)
{
	waitpid(table->pids[EXITED], NULL, 0);
}

static void replace_dead(void)
{
	waitpid(table->pids[KILLED], NULL, 0);
	start_dead(KILLED, false);
}

static void new_session(void)
{
	order(MATE, START_SESSION);
}

static void new_group(void)
{
	order(MATE, JOIN_OTHER);
}

static void forget_orphans(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void go_on(void)
{
	kill(table->pids[STOPPED], SIGCONT);
	sleep_ms(20);
}

static void restart(void)
{
	kill(table->pids[HOLDER], SIGKILL);
	waitpid(table->pids[HOLDER], NULL, 0);
	table->here[HOLDER] = 0;
	if (!born())
		live(HOLDER);
	await(HOLDER);
}

static const struct damage damages[] = {
	{ "reaped", bury },	      { "status", replace_dead }, { "session", new_session }, { "group", new_group },
	{ "reaper", forget_orphans }, { "continued", go_on },	  { "restarted", restart },   { 0 },
};

int main(void)
{
	witness_start();
	table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (table == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1))
		die("subreaper");
	start_all();
	serve(describe, verify, damages);
}
