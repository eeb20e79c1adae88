/* A nameless file of more than CRIU's default limit for such files, every block of it written. */
#include "workload.h"

#include <sys/stat.h>

#define SIZE (3 << 20)

static int ghost;

static void describe(void)
{
	struct stat status = { 0 };

	report_number("size", fstat(ghost, &status) ? 0 : (uint64_t)status.st_size);
	report_number("links", status.st_nlink);
	report_number("offset", (uint64_t)lseek(ghost, 0, SEEK_CUR));
}

static void verify(void)
{
	static uint8_t got[SIZE];

	if (pread(ghost, got, SIZE, 0) != SIZE)
		mismatch("ghost: is shorter than it was");
	compare_fill("ghost", got, SIZE, seed_for(1));
}

static void make_ghost(void)
{
	static uint8_t bytes[SIZE];

	fill(bytes, SIZE, seed_for(1));
	ghost = open("ghost", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	if (ghost < 0 || write(ghost, bytes, SIZE) != SIZE)
		die("ghost");
}

static void corrupt_byte(void)
{
	if (pwrite(ghost, "\0\0", 2, SIZE - 2) != 2)
		die("ghost");
}

static void corrupt_short(void)
{
	if (ftruncate(ghost, SIZE - 1))
		die("ghost");
}

/* The same bytes in a file that has a name. */
static void corrupt_name(void)
{
	close(ghost);
	make_ghost();
}

static const struct damage damages[] = {
	{ "byte", corrupt_byte }, { "short", corrupt_short }, { "name", corrupt_name }, { 0 },
};

int main(void)
{
	witness_start();
	make_ghost();
	if (unlink("ghost"))
		die("ghost");
	serve(describe, verify, damages);
}
