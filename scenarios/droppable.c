/* Memory that the kernel may drop: MAP_DROPPABLE, which glibc 2.41 keeps its random state in. */
#include "maps.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

#define SIZE ((size_t)4 * PAGE)

static struct area area = { .name = "area", .size = SIZE };

static int child_finds(void)
{
	return all_zero(area.at, SIZE) ? 10 : 20;
}

/* A page may have been dropped, which reads as zeros; it may not have become anything else. */
static void verify(void)
{
	uint8_t want[SIZE];

	fill(want, SIZE, seed_for(1));
	for (size_t at = 0; at < SIZE; at += PAGE)
		if (!all_zero(area.at + at, PAGE))
			compare("area", area.at + at, want + at, PAGE);
	if (ask_child(child_finds) != 10)
		mismatch("area: the child reads what its parent has there");
	fill(area.at, SIZE, seed_for(1)); /* the kernel cannot lock what it may drop, nor let it be dumped */
	if (mlock(area.at, SIZE))
		mismatch("area: mlock: %s", strerror(errno));
	compare_number("area: locked kB", smaps_value(area.at, "Locked:"), 0);
}

static void describe(void)
{
	report_areas(&area, 1);
}

static void change_byte(void)
{
	area.at[PAGE + 7] ^= 1;
}

static void become(int flags)
{
	map_at(area.at, SIZE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	fill(area.at, SIZE, seed_for(1));
}

static void become_private(void)
{
	become(MAP_PRIVATE);
}

static void become_secret(void) /* all but droppable */
{
	become(MAP_PRIVATE);
	if (madvise(area.at, SIZE, MADV_WIPEONFORK) || madvise(area.at, SIZE, MADV_DONTDUMP))
		die("madvise");
}

static const struct damage damages[] = {
	{ "byte", change_byte },
	{ "private", become_private },
	{ "secret", become_secret },
	{ 0 },
};

int main(void)
{
	witness_start();
	area.at = map_at(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	fill(area.at, SIZE, seed_for(1));
	serve(describe, verify, damages);
}
