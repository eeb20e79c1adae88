/* Memory barriers by system call: a process must register for the expedited kinds before it may ask for them. */
#include "workload.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>

#define GET_REGISTRATIONS (1 << 9) /* 6.3 */

static const struct {
	const char *name;
	int registration, command;
} kinds[] = {
	{ "private", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED },
	{ "sync core", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
	  MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE },
	{ "rseq", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ },
};

#define KINDS (sizeof kinds / sizeof *kinds)

static bool global; /* the first kind and the global one; else all three private kinds */

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static bool is_wanted(size_t kind)
{
	return !global || kind == 0;
}

/* What was registered for is granted, and what was not is refused. */
static void verify(void)
{
	long registered = membarrier(GET_REGISTRATIONS);
	long wanted = global ? MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED : 0;

	for (size_t i = 0; i < KINDS; i++) {
		long done = membarrier(kinds[i].command);

		if (is_wanted(i) && done)
			mismatch("%s: %s", kinds[i].name, strerror(errno));
		if (!is_wanted(i) && (!done || errno != EPERM))
			mismatch("%s: is granted without a registration", kinds[i].name);
		wanted |= is_wanted(i) ? kinds[i].registration : 0;
	}
	if (registered >= 0 && registered != wanted)
		mismatch("the kernel has registrations 0x%lx, expected 0x%lx", registered, wanted);
}

static void describe(void)
{
	report_text("registered", global ? "global" : "private");
}

static void expect_other(void)
{
	global = !global;
}

static void register_other(void)
{
	if (membarrier(global ? kinds[1].registration : MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED))
		die("register");
}

static const struct damage damages[] = {
	{ "other", expect_other },
	{ "more", register_other },
	{ 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	global = argc > 1 && !strcmp(argv[1], "global");
	for (size_t i = 0; i < KINDS; i++)
		if (is_wanted(i) && membarrier(kinds[i].registration))
			die(kinds[i].name);
	if (global && membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED))
		die("global");
	serve(describe, verify, damages);
}
