/*
 * A process whose child is the first process of a pid namespace: what a container manager looks like from outside.
 */
#include "spaces.h"

enum question { PIDS, MAKE };

static void answer(unsigned question, char *text)
{
	pid_t made = 0;

	if (question == MAKE) {
		made = fork();
		if (made == 0)
			_exit(0);
		waitpid(made, NULL, 0);
	}
	snprintf(text, TEXT, "%d %d %d", getpid(), getppid(), made);
}

static void describe(void)
{
	report_number("partner", (uint64_t)partner_pid);
	report_text("inside", ask_partner(PIDS));
}

/* The child is 1 inside and its parent is nobody; its children's numbers go on from where they were. */
static void verify(void)
{
	compare_text("pid, parent and no child of the first process", ask_partner(PIDS), "1 0 0");
	compare_text("pid, parent and next child of the first process", ask_partner(MAKE), "1 0 2");
	if (waitpid(partner_pid, NULL, WNOHANG))
		mismatch("the first process is not this process's child any more");
}

static void replace_partner(void)
{
	kill(partner_pid, SIGKILL);
	waitpid(partner_pid, NULL, 0);
	start_partner(NULL, answer);
}

/* In the namespace that is nobody's any more after its first process was killed nothing can be made. */
static void damage_left(void)
{
	join_starter("pid", CLONE_NEWPID);
	replace_partner();
}

static void damage_restarted(void)
{
	join_starter("pid", CLONE_NEWPID);
	enter_new(CLONE_NEWPID);
	replace_partner();
}

static void damage_number(void)
{
	ask_partner(MAKE);
}

int main(void)
{
	const struct damage damages[] = { { "left", damage_left },
					  { "restarted", damage_restarted },
					  { "number", damage_number },
					  { 0 } };

	witness_start();
	enter_new(CLONE_NEWPID);
	start_partner(NULL, answer);
	serve(describe, verify, damages);
}
