/*
 * A cgroup with limits of memory, pids, processor time and huge pages, and this process in it. Where version 1 has some
 * of these controllers, as on the host of a self-test, the others must do. As `around` of the lab's steps the
 * same program makes its host what systemd makes of one: controllers are passed on to the cgroups below the root.
 *
 *   cgroup_limits                    be the workload
 *   cgroup_limits STEP COMMAND...    pass the controllers on, then run the command
 */
#include "cgroups.h"

#define PIDS 40

/* Memory is large enough never to be reached. */
static const struct setting {
	const char *name, *value;
} settings[] = {
	{ "memory.max", "314572800" },
	{ "memory.high", "209715200" },
	{ "memory.low", "1048576" },
	{ "memory.oom.group", "1" },
	{ "pids.max", "40" },
	{ "cpu.max", "80000 100000" },
	{ "cpu.weight", "333" },
	{ "hugetlb.2MB.max", "8388608" },
};
#define SETTINGS (sizeof settings / sizeof *settings)

static char own[PATH];

static void pass_on_controllers(void)
{
	static const char *const wanted[] = { "+memory", "+pids", "+cpu", "+hugetlb" };

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		put_text(below(cgroup_mount(), "cgroup.subtree_control"), "%s", wanted[i]);
}

static bool has(size_t setting)
{
	return !access(below(own, settings[setting].name), W_OK);
}

/* The first of those that are there. */
static size_t any_setting(void)
{
	size_t i = 0;

	while (i < SETTINGS && !has(i))
		i++;
	if (i == SETTINGS)
		die("no controller has a limit");
	return i;
}

static void describe(void)
{
	report_text("path", path_of(getpid()));
	report_text("controllers", get_text(below(own, "cgroup.controllers")));
	for (size_t i = 0; i < SETTINGS; i++)
		report_text(settings[i].name, get_text(below(own, settings[i].name)));
}

/* As many children as the limit allows, and not one more. */
static void compare_limit(void)
{
	pid_t children[2 * PIDS];
	int count = 0;

	while (count < 2 * PIDS && (children[count] = fork()) > 0)
		count++;
	if (count < 2 * PIDS && children[count] == 0)
		for (;;)
			sleep_ms(1000);
	for (int i = 0; i < count; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	compare_number("children that pids.max allows", (uint64_t)count, PIDS - 1);
}

static void verify(void)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (has(i))
			compare_text(settings[i].name, get_text(below(own, settings[i].name)), settings[i].value);
	if (!access(below(own, "pids.max"), F_OK))
		compare_limit();
}

static void damage_limit(void)
{
	put_text(below(own, settings[any_setting()].name), "max");
}

/* One down: limited all the same, but by another's limits. */
static void damage_moved(void)
{
	char lower[PATH];

	snprintf(lower, sizeof lower, "%.400s/lower", own);
	make_cgroup(lower);
	put_text(below(lower, "cgroup.procs"), "%d", getpid());
}

static void damage_left(void)
{
	put_text(below(cgroup_mount(), "cgroup.procs"), "%d", getpid());
}

int main(int count, char **arguments)
{
	const struct damage damages[] = { { "limit", damage_limit },
					  { "moved", damage_moved },
					  { "left", damage_left },
					  { 0 } };

	pass_on_controllers();
	if (count > 2) {
		execv(arguments[2], arguments + 2);
		die(arguments[2]);
	}
	witness_start();
	enter_cgroup(own, "kmatrix-limits");
	for (size_t i = any_setting(); i < SETTINGS; i++)
		if (has(i) && !put_text(below(own, settings[i].name), "%s", settings[i].value))
			die(settings[i].name);
	serve(describe, verify, damages);
}
