/* A process without huge pages: PR_SET_THP_DISABLE, in full or, as later kernels can, but where advised. */
#include "maps.h"

#include <sys/prctl.h>

#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED 2 /* 6.18 */
#endif

#define HUGE ((size_t)2 << 20)

static struct area area = { .name = "area", .size = HUGE };
static bool except_advised;

static uint8_t *map_aligned(void)
{
	uint8_t *room = map_memory(2 * HUGE, 0);

	return (uint8_t *)(((uint64_t)room + HUGE - 1) / HUGE * HUGE);
}

/* How much of a mapping that could have a huge page gets one when it is touched. */
static uint64_t huge_kb(bool advise)
{
	uint8_t *at = map_aligned();

	if (advise && madvise(at, HUGE, MADV_HUGEPAGE))
		mismatch("madvise: %s", strerror(errno));
	at[PAGE] = 1;
	return smaps_value(at, "AnonHugePages:");
}

static void verify(void)
{
	compare_number("PR_GET_THP_DISABLE", (uint64_t)prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), except_advised ? 3 : 1);
	compare_number("mapped later: kB of huge pages", huge_kb(false), 0);
	if (!except_advised)
		compare_number("mapped later, advised: kB of huge pages", huge_kb(true), 0);
	compare_number("area: kB of huge pages", smaps_value(area.at, "AnonHugePages:"), 0);
	compare_fill("area", area.at, 16 * PAGE, seed_for(1));
}

static void describe(void)
{
	report_areas(&area, 1);
}

static void change_byte(void)
{
	area.at[11] ^= 1;
}

static void enable(void)
{
	if (prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0))
		die("PR_SET_THP_DISABLE");
}

static void set_the_other(void)
{
	if (except_advised ? prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) : madvise(area.at, HUGE, MADV_NOHUGEPAGE))
		die("other");
}

static const struct damage damages[] = {
	{ "byte", change_byte },
	{ "enabled", enable },
	{ "other", set_the_other },
	{ 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	except_advised = argc > 1 && !strcmp(argv[1], "except-advised");
	if (prctl(PR_SET_THP_DISABLE, 1, except_advised ? PR_THP_DISABLE_EXCEPT_ADVISED : 0, 0, 0))
		die("PR_SET_THP_DISABLE");
	area.at = map_aligned();
	fill(area.at, 16 * PAGE, seed_for(1));
	serve(describe, verify, damages);
}
