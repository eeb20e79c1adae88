/* A process whose future mappings are locked too: mlockall(MCL_FUTURE), as a real-time program does at its start. */
#include "maps.h"

#define SIZE ((size_t)4 * PAGE)

static struct area area = { .name = "area", .size = SIZE };

/* Whatever is mapped from now on is locked and in memory before it is touched. */
static void verify(void)
{
	uint8_t *later = map_alone(SIZE, 0);

	compare_fill("area", area.at, SIZE, seed_for(1));
	compare_number("mapped before: locked kB", smaps_value(area.at, "Locked:"), SIZE / 1024);
	compare_number("mapped later: pages in memory", populated(later, SIZE), SIZE / PAGE);
	compare_number("mapped later: locked kB", smaps_value(later, "Locked:"), SIZE / 1024);
}

static void describe(void)
{
	report_areas(&area, 1);
}

static void change_byte(void)
{
	area.at[PAGE] ^= 1;
}

static void lock_current_alone(void)
{
	if (mlockall(MCL_CURRENT))
		die("mlockall");
}

static void unlock(void)
{
	munlock(area.at, SIZE);
}

static const struct damage damages[] = {
	{ "byte", change_byte },
	{ "future", lock_current_alone },
	{ "unlocked", unlock },
	{ 0 },
};

int main(void)
{
	witness_start();
	if (mlockall(MCL_FUTURE))
		die("mlockall");
	area.at = map_alone(SIZE, 0);
	fill(area.at, SIZE, seed_for(1));
	serve(describe, verify, damages);
}
