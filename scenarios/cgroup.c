/*
 * A cgroup with limits of its own and another below it, each with a process; the lower one's is frozen. Which
 * controllers there are is the host's choice: limits of those that it has are set.
 */
#include "cgroups.h"

enum question { WHERE };

/* Files and values that no cgroup has by default; memory is large enough never to be reached. */
static const struct setting {
	const char *name, *value;
} settings[] = {
	{ "cgroup.max.depth", "7" },	       { "cgroup.max.descendants", "33" },
	{ "memory.max", "314572800" },	       { "memory.high", "209715200" },
	{ "memory.low", "1048576" },	       { "memory.swap.max", "10485760" },
	{ "memory.oom.group", "1" },	       { "pids.max", "77" },
	{ "cpu.max", "80000 100000" },	       { "cpu.weight", "333" },
};
#define SETTINGS (sizeof settings / sizeof *settings)

static char upper[PATH], lower[PATH];
static pid_t frozen;
static volatile uint64_t *frozen_count; /* shared with the frozen child, which counts when it may */

static void answer(unsigned question, char *text)
{
	if (question == WHERE)
		strcpy(text, path_of(getpid()));
}

static void set_limits(void)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const char *path = below(upper, settings[i].name);

		if (access(path, W_OK))
			continue;
		if (!put_text(path, "%s", settings[i].value))
			die(path);
	}
}

/* What systemd does on a host: a cgroup only has the controllers that its parent passes on. */
static void pass_on_controllers(void)
{
	static const char *const wanted[] = { "+memory", "+pids", "+cpu" };

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		put_text(below(cgroup_mount(), "cgroup.subtree_control"), "%s", wanted[i]);
}

static const char *lower_state(void)
{
	return get_text(below(lower, "cgroup.events"));
}

/* A process that counts, in the lower cgroup, which is then frozen. */
static void start_frozen(void)
{
	frozen_count = mmap(NULL, sizeof *frozen_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (frozen_count == MAP_FAILED)
		die("mmap");
	frozen = fork();
	if (frozen < 0)
		die("fork");
	while (frozen == 0) {
		(*frozen_count)++;
		sleep_ms(2);
	}
	if (!reaches(frozen_count, 1) || !put_text(below(lower, "cgroup.procs"), "%d", frozen))
		die("lower cgroup");
}

static void freeze(const char *word)
{
	if (!put_text(below(lower, "cgroup.freeze"), "%s", word))
		die("cgroup.freeze");
}

static bool is_frozen(void)
{
	return strstr(lower_state(), "frozen 1") != NULL;
}

static void describe(void)
{
	report_text("path", path_of(getpid()));
	report_text("frozen_path", path_of(frozen));
	report_text("controllers", get_text(below(upper, "cgroup.controllers")));
	report_text("subtree", get_text(below(upper, "cgroup.subtree_control")));
	report_text("lower_depth", get_text(below(lower, "cgroup.max.depth")));
	report_text("lower_freeze", get_text(below(lower, "cgroup.freeze")));
	for (size_t i = 0; i < SETTINGS; i++)
		report_text(settings[i].name, get_text(below(upper, settings[i].name)));
	report_number("partner", (uint64_t)partner_pid);
}

static void verify(void)
{
	uint64_t count;
	char mine[PATH];

	strcpy(mine, path_of(getpid()));
	compare_text("the child's cgroup", ask_partner(WHERE), mine);
	for (size_t i = 0; i < SETTINGS; i++)
		if (!access(below(upper, settings[i].name), F_OK))
			compare_text(settings[i].name, get_text(below(upper, settings[i].name)), settings[i].value);
	count = *frozen_count;
	sleep_ms(20);
	if (!is_frozen() || *frozen_count != count)
		mismatch("frozen cgroup: it runs, its events are '%.60s'", lower_state());
	freeze("0");
	if (!reaches(frozen_count, count + 1))
		mismatch("frozen cgroup: its process does not go on when it is thawed");
}

static void damage_left(void)
{
	put_text(below(cgroup_mount(), "cgroup.procs"), "%d", getpid());
}

static void damage_limit(void)
{
	put_text(below(upper, "cgroup.max.descendants"), "max");
}

static void damage_thawed(void)
{
	freeze("0");
}

static void damage_moved(void)
{
	freeze("0");
	put_text(below(upper, "cgroup.procs"), "%d", frozen);
}

int main(void)
{
	const struct damage damages[] = { { "left", damage_left },
					  { "limit", damage_limit },
					  { "thawed", damage_thawed },
					  { "moved", damage_moved },
					  { 0 } };

	witness_start();
	pass_on_controllers();
	enter_cgroup(upper, "kmatrix");
	set_limits();
	snprintf(lower, sizeof lower, "%.400s/lower", upper);
	make_cgroup(lower);
	if (!put_text(below(lower, "cgroup.max.depth"), "5"))
		die("cgroup.max.depth");
	start_partner(NULL, answer);
	start_frozen();
	freeze("1");
	for (long ms = 0; !is_frozen() && ms < wait_ms; ms += 2)
		sleep_ms(2);
	if (!is_frozen())
		die("the cgroup does not freeze");
	serve(describe, verify, damages);
}
