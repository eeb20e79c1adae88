/*
 * A cgroup with settings of its own, a lower one with a process that counts, and an empty one that is frozen.
 */
#include "cgroups.h"

enum question { WHERE };

/* Files and values that no cgroup has by default. */
static const struct setting {
	const char *name, *value;
} settings[] = {
	{ "cgroup.max.depth", "7" },
	{ "cgroup.max.descendants", "33" },
};
#define SETTINGS (sizeof settings / sizeof *settings)

static char upper[PATH], lower[PATH], frozen[PATH];
static pid_t counter;
static volatile uint64_t *count; /* shared with the counter, which counts when it may */

static void answer(unsigned question, char *text)
{
	if (question == WHERE)
		strcpy(text, path_of(getpid()));
}

static void set_limits(void)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		if (!put_text(below(upper, settings[i].name), "%s", settings[i].value))
			die(settings[i].name);
	}
}

static void start_counter(void)
{
	count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (count == MAP_FAILED)
		die("mmap");
	counter = fork();
	if (counter < 0)
		die("fork");
	while (counter == 0) {
		(*count)++;
		sleep_ms(2);
	}
	if (!reaches(count, 1) || !put_text(below(lower, "cgroup.procs"), "%d", counter))
		die("lower cgroup");
}

static void freeze(const char *word)
{
	if (!put_text(below(frozen, "cgroup.freeze"), "%s", word))
		die("cgroup.freeze");
}

static void describe(void)
{
	report_text("path", path_of(getpid()));
	report_text("lower_path", path_of(counter));
	report_text("type", get_text(below(upper, "cgroup.type")));
	report_text("subtree", get_text(below(upper, "cgroup.subtree_control")));
	report_text("lower_depth", get_text(below(lower, "cgroup.max.depth")));
	report_text("frozen", get_text(below(frozen, "cgroup.freeze")));
	for (size_t i = 0; i < SETTINGS; i++)
		report_text(settings[i].name, get_text(below(upper, settings[i].name)));
	report_number("partner", (uint64_t)partner_pid);
}

/* A process that moves into the frozen cgroup stops, and goes on when it is thawed. */
static void compare_freezer(void)
{
	uint64_t stood;

	if (!put_text(below(frozen, "cgroup.procs"), "%d", counter)) {
		mismatch("frozen cgroup: takes no process: %s", strerror(errno));
		return;
	}
	for (long ms = 0; ms < wait_ms && !strstr(get_text(below(frozen, "cgroup.events")), "frozen 1"); ms += 2)
		sleep_ms(2);
	stood = *count;
	sleep_ms(20);
	if (*count != stood)
		mismatch("frozen cgroup: a process in it runs");
	freeze("0");
	if (!reaches(count, stood + 1))
		mismatch("frozen cgroup: its process does not go on when it is thawed");
}

static void verify(void)
{
	char mine[PATH];

	strcpy(mine, path_of(getpid()));
	compare_text("the child's cgroup", ask_partner(WHERE), mine);
	for (size_t i = 0; i < SETTINGS; i++)
		compare_text(settings[i].name, get_text(below(upper, settings[i].name)), settings[i].value);
	if (!reaches(count, *count + 1))
		mismatch("the counting process stands still");
	compare_freezer();
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
	put_text(below(upper, "cgroup.procs"), "%d", counter);
}

int main(void)
{
	const struct damage damages[] = { { "left", damage_left },
					  { "limit", damage_limit },
					  { "thawed", damage_thawed },
					  { "moved", damage_moved },
					  { 0 } };

	witness_start();
	enter_cgroup(upper, "kmatrix");
	set_limits();
	snprintf(lower, sizeof lower, "%.400s/lower", upper);
	snprintf(frozen, sizeof frozen, "%.400s/frozen", upper);
	make_cgroup(lower);
	make_cgroup(frozen);
	if (!put_text(below(lower, "cgroup.max.depth"), "5"))
		die("cgroup.max.depth");
	freeze("1");
	start_partner(NULL, answer);
	start_counter();
	serve(describe, verify, damages);
}
