/* Memory that is locked as it is touched: mlock2 with MLOCK_ONFAULT. */
#include "maps.h"

#define PAGES 8
#define TOUCHED 3
#define SIZE ((size_t)PAGES * PAGE)

static struct area area = { .name = "area", .size = SIZE };

/* What was touched is locked and what was not is not there. */
static void verify(void)
{
	compare_number("pages in memory", populated(area.at, SIZE), TOUCHED);
	compare_number("locked: kB", smaps_value(area.at, "Locked:"), TOUCHED * PAGE / 1024);
	compare_fill("area", area.at, TOUCHED * PAGE, seed_for(1));
	fill(area.at + TOUCHED * PAGE, PAGE, seed_for(2));
	compare_number("locked after one more, kB", smaps_value(area.at, "Locked:"), (TOUCHED + 1) * PAGE / 1024);
}

static void describe(void)
{
	report_areas(&area, 1);
}

static void change_byte(void)
{
	area.at[PAGE] ^= 1;
}

static void lock_all(void)
{
	mlock(area.at, SIZE);
}

static void unlock(void)
{
	munlock(area.at, SIZE);
}

static const struct damage damages[] = {
	{ "byte", change_byte },
	{ "populated", lock_all },
	{ "unlocked", unlock },
	{ 0 },
};

int main(void)
{
	witness_start();
	area.at = map_alone(SIZE, 0);
	if (mlock2(area.at, SIZE, MLOCK_ONFAULT))
		die("mlock2");
	fill(area.at, TOUCHED * PAGE, seed_for(1));
	serve(describe, verify, damages);
}
