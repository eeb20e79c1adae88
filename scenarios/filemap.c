/* Mappings of files: one deleted, one with a hole, one longer than its file, one read-only, one from the middle. */
#include "maps.h"

#include <sys/stat.h>

#define SIZE ((size_t)8 * PAGE)

enum { DELETED, HOLED, SHORT, READ_ONLY, MIDDLE, COPIED, POPULATED, MAPS };

static struct area areas[MAPS] = {
	[DELETED] = { .name = "deleted", .size = SIZE },   [HOLED] = { .name = "holed", .size = SIZE },
	[SHORT] = { .name = "short", .size = SIZE },	   [READ_ONLY] = { .name = "read_only", .size = SIZE },
	[MIDDLE] = { .name = "middle", .size = 2 * PAGE }, [COPIED] = { .name = "copied", .size = SIZE },
	[POPULATED] = { .name = "populated", .size = SIZE },
};

static int deleted, hole; /* the others are held by their mappings alone */

static int make(const char *name, size_t size, unsigned part)
{
	uint8_t bytes[SIZE];
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);

	fill(bytes, sizeof bytes, seed_for(part));
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		die(name);
	return fd;
}

static void map(unsigned which, int protection, int flags, int fd, off_t offset)
{
	areas[which].at = map_at(NULL, areas[which].size, protection, flags, fd, offset);
}

static void make_files(void)
{
	const int both = PROT_READ | PROT_WRITE;
	int fd;

	deleted = make("deleted.dat", SIZE, DELETED);
	map(DELETED, both, MAP_SHARED, deleted, 0);
	hole = open("holed.dat", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);
	if (unlink("deleted.dat") || hole < 0 || ftruncate(hole, SIZE))
		die("hole");
	map(HOLED, both, MAP_SHARED, hole, 0);
	fill(areas[HOLED].at + 4 * PAGE, PAGE, seed_for(HOLED));
	fd = make("short.dat", 2 * PAGE + 100, SHORT);
	map(SHORT, both, MAP_PRIVATE, fd, 0);
	fill(areas[SHORT].at + 2 * PAGE + 2000, 100, seed_for(20)); /* beyond its end, in the page that has it */
	close(fd);
	fd = make("data.dat", SIZE, READ_ONLY);
	map(READ_ONLY, PROT_READ, MAP_SHARED, fd, 0);
	map(MIDDLE, PROT_READ, MAP_PRIVATE, fd, 3 * PAGE);
	map(COPIED, both, MAP_PRIVATE, fd, 0);
	map(POPULATED, both, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	fill(areas[COPIED].at + 5 * PAGE, PAGE, seed_for(21));
	close(fd);
}

/* A mapping of a deleted file and its descriptor are one file still, which has no name. */
static void compare_deleted(void)
{
	uint64_t word = witness.chain, seen = 0;
	struct stat status = { .st_nlink = 99 };

	compare_fill("deleted", areas[DELETED].at, SIZE, seed_for(DELETED));
	fstat(deleted, &status);
	compare_number("deleted: links", status.st_nlink, 0);
	memcpy(areas[DELETED].at + PAGE, &word, sizeof word);
	if (pread(deleted, &seen, sizeof seen, PAGE) != sizeof seen || seen != word)
		mismatch("deleted: the file does not see what the mapping was given");
	if (!access("deleted.dat", F_OK))
		mismatch("deleted: has a name again");
}

/* A shared hole reads as zeros, takes bytes, and the file has them. */
static void compare_hole(void)
{
	uint64_t word = witness.chain, seen = 0;

	if (!all_zero(areas[HOLED].at, 4 * PAGE) || !all_zero(areas[HOLED].at + 5 * PAGE, 3 * PAGE))
		mismatch("holed: the hole is not empty");
	compare_fill("holed", areas[HOLED].at + 4 * PAGE, PAGE, seed_for(HOLED));
	memcpy(areas[HOLED].at, &word, sizeof word);
	if (pread(hole, &seen, sizeof seen, 0) != sizeof seen || seen != word)
		mismatch("holed: the file does not see what its hole was given");
}

/* Beyond the file's last page there is nothing, until the file grows. */
static void compare_short(void)
{
	uint8_t *end = areas[SHORT].at + 3 * PAGE;

	compare_fill("short", areas[SHORT].at, 2 * PAGE + 100, seed_for(SHORT));
	compare_fill("short, behind the end", areas[SHORT].at + 2 * PAGE + 2000, 100, seed_for(20));
	expect_fault("short, behind the last page", end, false, SIGBUS);
	if (truncate("short.dat", SIZE))
		mismatch("short: %s", strerror(errno));
	expect_fault("short, after it grew", end, false, 0);
}

static void compare_data(void)
{
	uint8_t want[SIZE], byte = 0;
	int fd = open("data.dat", O_RDWR | O_CLOEXEC);

	fill(want, SIZE, seed_for(READ_ONLY));
	compare("read_only", areas[READ_ONLY].at, want, SIZE);
	compare("middle", areas[MIDDLE].at, want + 3 * PAGE, 2 * PAGE);
	compare("populated", areas[POPULATED].at, want, SIZE);
	compare("copied, the file's part", areas[COPIED].at, want, 5 * PAGE);
	compare_fill("copied, its own part", areas[COPIED].at + 5 * PAGE, PAGE, seed_for(21));
	expect_fault("read_only", areas[READ_ONLY].at, true, SIGSEGV);
	if (fd < 0 || pread(fd, &byte, 1, 5 * PAGE) != 1 || byte != want[5 * PAGE])
		mismatch("copied: the copy has got into the file");
	byte ^= 0xff;
	if (pwrite(fd, &byte, 1, 0) != 1 || areas[READ_ONLY].at[0] != byte)
		mismatch("read_only: does not see what the file was given");
	close(fd);
}

static void verify(void)
{
	compare_deleted();
	compare_hole();
	compare_short();
	compare_data();
}

static void describe(void)
{
	report_areas(areas, MAPS);
	report_hash("deleted", areas[DELETED].at, SIZE);
	report_hash("copied", areas[COPIED].at, SIZE);
}

static void empty_middle(void)
{
	map_at(areas[MIDDLE].at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void give_name(void)
{
	close(deleted);
	deleted = make("deleted.dat", SIZE, DELETED);
}

static void fill_hole(void)
{
	pwrite(hole, "x", 1, PAGE);
}

static void lengthen(void)
{
	if (truncate("short.dat", SIZE))
		die("truncate");
}

static void drop_copy(void)
{
	madvise(areas[COPIED].at, SIZE, MADV_DONTNEED);
}

static void detach(void)
{
	uint8_t copy[SIZE];

	memcpy(copy, areas[READ_ONLY].at, SIZE);
	map_at(areas[READ_ONLY].at, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memcpy(areas[READ_ONLY].at, copy, SIZE);
	mprotect(areas[READ_ONLY].at, SIZE, PROT_READ);
}

static const struct damage damages[] = {
	{ "middle", empty_middle }, { "named", give_name }, { "hole", fill_hole }, { "longer", lengthen },
	{ "copy", drop_copy },	   { "detached", detach }, { 0 },
};

int main(void)
{
	witness_start();
	make_files();
	serve(describe, verify, damages);
}
