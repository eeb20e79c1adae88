/*
 * A cgroup namespace: the workload's cgroup is the root of all that it can see, although it is not the host's root.
 */
#include "cgroups.h"

enum question { WHERE, LEAVE };

static char outer[PATH], inner[PATH];

static void answer(unsigned question, char *text)
{
	if (question == LEAVE && !put_text(below(inner, "cgroup.procs"), "%d", getpid()))
		strcpy(text, strerror(errno));
	else
		strcpy(text, path_of(getpid()));
}

/* Where the namespace's root lies in the mount, which was made outside: a path that climbs out is not ours to see. */
static void describe(void)
{
	char mine[PATH];

	strcpy(mine, path_of(getpid()));
	report_text("path", mine);
	report_text("child_path", path_of(partner_pid));
	report_number("partner", (uint64_t)partner_pid);
}

/* The child moves one down, and both must see it from the namespace's root and not from the host's. */
static void verify(void)
{
	compare_text("own cgroup", path_of(getpid()), "/");
	compare_text("the child's cgroup as it sees it", ask_partner(WHERE), "/");
	compare_text("the child's cgroup, one down, as it sees it", ask_partner(LEAVE), "/inner");
	compare_text("the child's cgroup, one down", path_of(partner_pid), "/inner");
}

/* The same cgroup, seen from the host's root. */
static void damage_left(void)
{
	join_starter("cgroup", CLONE_NEWCGROUP);
}

/* A namespace whose root is one too deep. */
static void damage_deeper(void)
{
	if (!put_text(below(inner, "cgroup.procs"), "%d", getpid()))
		die("cgroup.procs");
	enter_new(CLONE_NEWCGROUP);
}

static void damage_moved(void)
{
	if (!put_text(below(inner, "cgroup.procs"), "%d", partner_pid))
		die("cgroup.procs");
}

int main(void)
{
	const struct damage damages[] = { { "left", damage_left },
					  { "deeper", damage_deeper },
					  { "moved", damage_moved },
					  { 0 } };

	witness_start();
	enter_cgroup(outer, "kmatrix-root");
	snprintf(inner, sizeof inner, "%.400s/inner", outer);
	make_cgroup(inner);
	enter_new(CLONE_NEWCGROUP);
	start_partner(NULL, answer);
	serve(describe, verify, damages);
}
