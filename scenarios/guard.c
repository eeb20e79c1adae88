/* Guard regions that are no mappings of their own: MADV_GUARD_INSTALL, which glibc 2.42 puts below thread stacks. */
#include "maps.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

#define SIZE ((size_t)8 * PAGE)
#define GUARD ((size_t)2 * PAGE) /* two pages from here on */

static struct area area = { .name = "area", .size = SIZE };

static void verify(void)
{
	uint8_t want[SIZE];

	fill(want, SIZE, seed_for(1));
	compare("below the guard", area.at, want, GUARD);
	compare("above the guard", area.at + GUARD + 2 * PAGE, want + GUARD + 2 * PAGE, SIZE - GUARD - 2 * PAGE);
	for (size_t at = GUARD; at < GUARD + 2 * PAGE; at += PAGE) {
		expect_fault("guard", area.at + at, false, SIGSEGV);
		expect_fault("guard", area.at + at + PAGE - 1, true, SIGSEGV);
	}
	if (madvise(area.at + GUARD, 2 * PAGE, MADV_GUARD_REMOVE))
		mismatch("guard: cannot be removed: %s", strerror(errno));
	expect_fault("former guard", area.at + GUARD, true, 0);
	if (!fault_of(area.at + GUARD, false) && !all_zero(area.at + GUARD, 2 * PAGE))
		mismatch("former guard: is not empty");
}

static void describe(void)
{
	report_areas(&area, 1);
	report_hash("below", area.at, GUARD);
}

static void change_byte(void)
{
	area.at[9] ^= 1;
}

static void remove_guard(void)
{
	if (madvise(area.at + GUARD + PAGE, PAGE, MADV_GUARD_REMOVE))
		die("MADV_GUARD_REMOVE");
}

static void empty_neighbour(void)
{
	if (madvise(area.at + GUARD + 2 * PAGE, PAGE, MADV_DONTNEED))
		die("MADV_DONTNEED");
}

static void protect(void) /* a guard of the old kind, which MADV_GUARD_REMOVE cannot take away */
{
	if (mprotect(area.at + GUARD, 2 * PAGE, PROT_NONE))
		die("mprotect");
}

static const struct damage damages[] = {
	{ "byte", change_byte },
	{ "removed", remove_guard },
	{ "emptied", empty_neighbour },
	{ "protected", protect },
	{ 0 },
};

int main(void)
{
	witness_start();
	area.at = map_alone(SIZE, 0);
	fill(area.at, SIZE, seed_for(1));
	if (madvise(area.at + GUARD, 2 * PAGE, MADV_GUARD_INSTALL))
		die("MADV_GUARD_INSTALL");
	serve(describe, verify, damages);
}
