/* Memory that a child finds empty: MADV_WIPEONFORK, as cryptographic libraries use it for their random state. */
#include "maps.h"

#define SIZE ((size_t)4 * PAGE)

static struct area wiped = { .name = "wiped", .size = SIZE };

static int child_finds(void)
{
	return all_zero(wiped.at, SIZE) ? 10 : 20;
}

static void verify(void)
{
	compare_fill("wiped", wiped.at, SIZE, seed_for(1));
	if (ask_child(child_finds) != 10)
		mismatch("wiped: the child reads the secret of its parent");
	compare_fill("wiped, after the fork", wiped.at, SIZE, seed_for(1));
}

static void describe(void)
{
	report_areas(&wiped, 1);
}

static void keep_on_fork(void)
{
	madvise(wiped.at, SIZE, MADV_KEEPONFORK);
}

static void wipe(void)
{
	memset(wiped.at, 0, SIZE);
}

static void make_shared(void)
{
	map_at(wiped.at, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	fill(wiped.at, SIZE, seed_for(1));
}

static const struct damage damages[] = {
	{ "kept", keep_on_fork },
	{ "wiped", wipe },
	{ "shared", make_shared },
	{ 0 },
};

int main(void)
{
	witness_start();
	wiped.at = map_alone(SIZE, 0);
	fill(wiped.at, SIZE, seed_for(1));
	if (madvise(wiped.at, SIZE, MADV_WIPEONFORK))
		die("MADV_WIPEONFORK");
	serve(describe, verify, damages);
}
