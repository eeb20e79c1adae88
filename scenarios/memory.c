/* Anonymous memory in every shape that a mapping can have: advice, protection, holes, growth, a heap, many pieces. */
#include "maps.h"

#define PAGES(N) ((N) * (size_t)PAGE)
#define STRIPES 200
#define GROWTH 64
#define HEAP 20000

enum kind { LOCKED, UNFORKED, UNDUMPED, MERGED, HUGE, SMALL, IN_ORDER, AT_RANDOM, UNRESERVED, HIDDEN, READ_ONLY, CODE,
	    PLAIN, ADVISED };

/* What a plain area of four pages gets: advice, protection. HUGE has room for a huge page. */
static struct area areas[ADVISED] = {
	[LOCKED] = { .name = "locked" },     [UNFORKED] = { .name = "unforked" },   [UNDUMPED] = { .name = "undumped" },
	[MERGED] = { .name = "merged" },     [HUGE] = { .name = "huge" },	     [SMALL] = { .name = "small" },
	[IN_ORDER] = { .name = "in_order" }, [AT_RANDOM] = { .name = "at_random" },
	[UNRESERVED] = { .name = "unreserved" }, [HIDDEN] = { .name = "hidden" },     [READ_ONLY] = { .name = "read_only" }, [CODE] = { .name = "code" },
	[PLAIN] = { .name = "plain" },
};

static const int advice[ADVISED] = {
	[UNFORKED] = MADV_DONTFORK, [UNDUMPED] = MADV_DONTDUMP,	  [MERGED] = MADV_MERGEABLE,
	[HUGE] = MADV_HUGEPAGE,	    [SMALL] = MADV_NOHUGEPAGE,	  [IN_ORDER] = MADV_SEQUENTIAL,
	[AT_RANDOM] = MADV_RANDOM,
};

static const int protection[ADVISED] = {
	[HIDDEN] = PROT_NONE, [READ_ONLY] = PROT_READ, [CODE] = PROT_READ | PROT_EXEC,
};

static uint8_t *sparse;	 /* every third of its 60 pages was touched */
static uint8_t *torn;	 /* 12 pages, of which the middle four were moved away */
static uint8_t *moved;	 /* to here */
static uint8_t *growing; /* the top page of a stack */
static uint8_t *heap;	 /* HEAP bytes below the break */
static uint8_t *striped; /* STRIPES pages, by turns writable and read-only */
static uint8_t *reserved; /* 1 GiB, of which one page was touched */

static void make_areas(void)
{
	for (unsigned i = 0; i < ADVISED; i++) {
		struct area *area = &areas[i];

		area->size = PAGES(i == HUGE ? 600 : 4);
		area->at = map_alone(area->size, i == UNRESERVED ? MAP_NORESERVE : 0);
		if (advice[i] && madvise(area->at, area->size, advice[i]))
			die(area->name);
		fill(area->at, area->size, seed_for(i));
		if ((protection[i] || i == HIDDEN) && mprotect(area->at, area->size, protection[i]))
			die(area->name);
	}
	if (mlock(areas[LOCKED].at, areas[LOCKED].size))
		die("mlock");
}

static void make_holes(void)
{
	sparse = map_alone(PAGES(60), 0);
	for (unsigned page = 0; page < 60; page += 3)
		fill(sparse + PAGES(page), PAGE, seed_for(100 + page));
	reserved = map_alone((size_t)1 << 30, MAP_NORESERVE);
	fill(reserved + ((size_t)1 << 29), PAGE, seed_for(90));
	torn = map_alone(PAGES(12), 0);
	fill(torn, PAGES(12), seed_for(91));
	moved = map_alone(PAGES(4), 0);
	if (mremap(torn + PAGES(4), PAGES(4), PAGES(4), MREMAP_MAYMOVE | MREMAP_FIXED, moved) != moved)
		die("mremap");
}

/* Room below for it to grow into, farther than the gap that the kernel keeps below a stack (4.12: 256 pages). */
static void make_growing(void)
{
	size_t room = PAGES(1024);
	uint8_t *bottom = map_at(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (munmap(bottom, room))
		die("munmap");
	growing = map_at(bottom + room - PAGES(4), PAGES(4), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	for (unsigned page = 0; page < GROWTH; page++)
		growing[-(long)PAGES(page) + 1] = (uint8_t)page;
}

static void make_stripes(void)
{
	striped = map_alone(PAGES(STRIPES), 0);
	fill(striped, PAGES(STRIPES), seed_for(92));
	for (unsigned page = 0; page < STRIPES; page += 2)
		if (mprotect(striped + PAGES(page), PAGE, PROT_READ))
			die("mprotect");
}

static void make_heap(void)
{
	heap = sbrk(HEAP);
	if (heap == (uint8_t *)-1)
		die("sbrk");
	fill(heap, HEAP, seed_for(93));
}

/* How many mappings lie wholly within a range. */
static uint64_t mappings(const uint8_t *from, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	uint64_t count = 0;
	char line[512];

	if (!maps)
		die("maps");
	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			count += start >= (unsigned long)from && end <= (unsigned long)(from + size);
	fclose(maps);
	return count;
}

/* A child has the plain area and not the one that is not for children. */
static int child_reads(void)
{
	return fault_of(areas[PLAIN].at, false) ? 1 : fault_of(areas[UNFORKED].at, false);
}

static void compare_areas(void)
{
	expect_fault("hidden", areas[HIDDEN].at, false, SIGSEGV);
	expect_fault("read_only", areas[READ_ONLY].at, true, SIGSEGV);
	expect_fault("code", areas[CODE].at, true, SIGSEGV);
	if (mprotect(areas[HIDDEN].at, areas[HIDDEN].size, PROT_READ))
		mismatch("hidden: %s", strerror(errno));
	for (unsigned i = 0; i < ADVISED; i++) {
		expect_fault("guard page", areas[i].at - 1, false, SIGSEGV);
		expect_fault("guard page", areas[i].at + areas[i].size, false, SIGSEGV);
		compare_fill(areas[i].name, areas[i].at, areas[i].size, seed_for(i));
	}
	compare_number("locked: kB", smaps_value(areas[LOCKED].at, "Locked:"), areas[LOCKED].size / 1024);
	compare_number("unforked: what the child got for reading it", (uint64_t)ask_child(child_reads), SIGSEGV);
}

/* Holes stay holes: they read as zeros, and nobody has put memory behind them. */
static void compare_holes(void)
{
	uint8_t want[PAGE] = { 0 };

	if (populated(sparse, PAGES(60)) > 20)
		mismatch("sparse: %" PRIu64 " pages are populated, 20 were touched", populated(sparse, PAGES(60)));
	for (unsigned page = 0; page < 60; page++) {
		if (page % 3 == 0)
			compare_fill("sparse, touched", sparse + PAGES(page), PAGE, seed_for(100 + page));
		else
			compare("sparse, untouched", sparse + PAGES(page), want, PAGE);
	}
	compare_fill("reserved", reserved + ((size_t)1 << 29), PAGE, seed_for(90));
	expect_fault("torn, the hole", torn + PAGES(4), false, SIGSEGV);
	expect_fault("torn, the hole", torn + PAGES(8) - 1, false, SIGSEGV);
}

static void compare_torn(void)
{
	uint8_t want[PAGES(12)];

	fill(want, sizeof want, seed_for(91));
	compare("torn, lower part", torn, want, PAGES(4));
	compare("moved", moved, want + PAGES(4), PAGES(4));
	compare("torn, upper part", torn + PAGES(8), want + PAGES(8), PAGES(4));
}

static void compare_growing(void)
{
	for (unsigned page = 0; page < GROWTH; page++)
		compare_number("growing", growing[-(long)PAGES(page) + 1], page);
	expect_fault("growing, one page further", growing - PAGES(GROWTH), true, 0);
	expect_fault("growing, many pages further", growing - PAGES(2 * GROWTH), true, 0);
}

static void compare_heap(void)
{
	uint8_t zeros[HEAP] = { 0 }, *more;

	compare_fill("heap", heap, HEAP, seed_for(93));
	if ((uint8_t *)sbrk(0) < heap + HEAP)
		mismatch("heap: the break is below what was asked for");
	more = sbrk(HEAP);
	if (more == (uint8_t *)-1)
		mismatch("heap: does not grow: %s", strerror(errno));
	else
		compare("heap, grown", more, zeros, HEAP);
}

static void verify(void)
{
	compare_holes(); /* first: what reads untouched pages maps the zero page there */
	compare_areas();
	compare_torn();
	compare_growing();
	compare_heap();
	compare_fill("striped", striped, PAGES(STRIPES), seed_for(92));
	expect_fault("striped, an even page", striped + PAGES(STRIPES - 2), true, SIGSEGV);
	expect_fault("striped, an odd page", striped + PAGES(STRIPES - 1), true, 0);
}

static void describe(void)
{
	struct area stack = { .name = "growing", .at = growing };

	report_areas(areas, ADVISED);
	report_areas(&stack, 1);
	report_number("stripes", mappings(striped, PAGES(STRIPES)));
	report_number("sparse_at", (uint64_t)sparse);
	report_number("moved_at", (uint64_t)moved);
	report_number("heap_at", (uint64_t)heap);
	report_hash("sparse", sparse, PAGE);
	report_hash("locked", areas[LOCKED].at, areas[LOCKED].size);
}

static void change_byte(void)
{
	areas[UNDUMPED].at[5000] ^= 1;
}

static void unlock(void)
{
	munlock(areas[LOCKED].at, areas[LOCKED].size);
}

static void allow_fork(void)
{
	madvise(areas[UNFORKED].at, areas[UNFORKED].size, MADV_DOFORK);
}

static void forget_advice(void)
{
	madvise(areas[AT_RANDOM].at, areas[AT_RANDOM].size, MADV_NORMAL);
}

static void materialise(void)
{
	for (unsigned page = 0; page < 60; page++)
		*(volatile uint8_t *)(sparse + PAGES(page)) += 0;
}

static void open_guard(void)
{
	mprotect(areas[SMALL].at + areas[SMALL].size, PAGE, PROT_READ);
}

static void mend_hole(void)
{
	map_at(torn + PAGES(4), PAGES(4), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void merge_stripes(void)
{
	mprotect(striped, PAGES(STRIPES), PROT_READ | PROT_WRITE);
}

static void stop_growth(void)
{
	map_at(growing - PAGES(GROWTH + 10), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static const struct damage damages[] = {
	{ "byte", change_byte },     { "unlocked", unlock },	    { "forked", allow_fork },
	{ "advice", forget_advice }, { "materialised", materialise }, { "guard", open_guard },
	{ "mended", mend_hole },     { "merged", merge_stripes },   { "stunted", stop_growth },
	{ 0 },
};

int main(void)
{
	witness_start();
	make_areas();
	make_holes();
	make_growing();
	make_stripes();
	make_heap();
	serve(describe, verify, damages);
}
