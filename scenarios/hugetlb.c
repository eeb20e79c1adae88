/* Huge pages: a private mapping, one shared with a child, and a memory file of them. */
#include "maps.h"

#include <sys/stat.h>

#define HUGE ((size_t)2 << 20)
#define HUGE_2M (21 << 26) /* both for mmap and for memfd_create */

struct talk {
	volatile uint64_t challenge;
	volatile uint64_t answer;
};

static struct area areas[] = {
	{ .name = "own", .size = HUGE },
	{ .name = "shared", .size = HUGE },
	{ .name = "file", .size = HUGE },
};

static int file;
static pid_t child;

static uint8_t *map_huge(int flags, int fd)
{
	return map_at(NULL, HUGE, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB | HUGE_2M, fd, 0);
}

static struct talk *talk(void)
{
	return (struct talk *)(areas[1].at + HUGE - PAGE);
}

static void answer_forever(void)
{
	for (;;) {
		if (talk()->challenge)
			talk()->answer = advance(talk()->challenge ^ seed_for(9));
		sleep_ms(2);
	}
}

static void make(void)
{
	file = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | HUGE_2M);
	if (file < 0 || ftruncate(file, HUGE))
		die("memfd");
	areas[0].at = map_huge(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	areas[1].at = map_huge(MAP_SHARED | MAP_ANONYMOUS, -1);
	areas[2].at = map_huge(MAP_SHARED, file);
	for (unsigned i = 0; i < 3; i++) /* not all of it: a guest needs a second for that */
		for (size_t at = 0; at < HUGE - 2 * PAGE; at += 32 * PAGE)
			fill(areas[i].at + at, PAGE, seed_for((unsigned)(100 * i + at / PAGE)));
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		answer_forever();
}

static void compare_child(void)
{
	uint64_t challenge = witness.chain | 1, wanted = advance(challenge ^ seed_for(9));

	talk()->challenge = challenge;
	for (long ms = 0; talk()->answer != wanted && ms < wait_ms; ms += 2)
		sleep_ms(2);
	if (talk()->answer != wanted)
		mismatch("shared: the child does not answer through it");
}

static void verify(void)
{
	uint64_t word = witness.chain, seen = 0;
	struct stat status = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		compare_number(areas[i].name, smaps_value(areas[i].at, "KernelPageSize:"), HUGE / 1024);
		for (size_t at = 0; at < HUGE - 2 * PAGE; at += 32 * PAGE)
			compare_fill(areas[i].name, areas[i].at + at, PAGE, seed_for((unsigned)(100 * i + at / PAGE)));
	}
	fstat(file, &status);
	compare_number("file: block size", (uint64_t)status.st_blksize, HUGE);
	memcpy(areas[2].at + PAGE, &word, sizeof word);
	if (pread(file, &seen, sizeof seen, PAGE) != sizeof seen || seen != word)
		mismatch("file: does not see what its mapping was given");
	compare_child();
}

static void describe(void)
{
	report_areas(areas, 3);
	report_number("child", (uint64_t)child);
}

static void change_byte(void)
{
	areas[0].at[32 * PAGE + 8] ^= 1;
}

static void become_small(void)
{
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *at = areas[i].at, *copy = malloc(HUGE);

		memcpy(copy, at, HUGE);
		map_at(at, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		memcpy(at, copy, HUGE);
		free(copy);
	}
}

static void split_file(void)
{
	int other = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | HUGE_2M);

	if (other < 0 || ftruncate(other, HUGE) || dup3(other, file, O_CLOEXEC) != file)
		die("memfd");
}

static void stop_child(void)
{
	kill(child, SIGSTOP);
}

static const struct damage damages[] = {
	{ "byte", change_byte },
	{ "small", become_small },
	{ "split", split_file },
	{ "stopped", stop_child },
	{ 0 },
};

int main(void)
{
	witness_start();
	make();
	serve(describe, verify, damages);
}
