/* A file of O_TMPFILE: it never had a name, and may be given one; one of O_EXCL may not. */
#include "workload.h"

#include <sys/stat.h>

#define SIZE 50000
#define OFFSET 777

enum part { FREE = 1, KEPT };

static int free_file, kept_file;

static int make(int flags, uint64_t seed)
{
	static uint8_t bytes[SIZE];
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0640);

	fill(bytes, SIZE, seed);
	if (fd < 0 || write(fd, bytes, SIZE) != SIZE || lseek(fd, OFFSET, SEEK_SET) < 0)
		die("O_TMPFILE");
	return fd;
}

static void describe_file(const char *what, int fd)
{
	char name[40];
	struct stat status = { 0 };

	snprintf(name, sizeof name, "%s_links", what);
	report_number(name, fstat(fd, &status) ? 99 : status.st_nlink);
	snprintf(name, sizeof name, "%s_mode", what);
	report_number(name, status.st_mode);
	snprintf(name, sizeof name, "%s_offset", what);
	report_number(name, (uint64_t)lseek(fd, 0, SEEK_CUR));
}

static void describe(void)
{
	describe_file("free", free_file);
	describe_file("kept", kept_file);
}

static int name_it(int fd, const char *name)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	unlink(name);
	return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static void compare_file(const char *what, int fd, uint64_t seed)
{
	static uint8_t got[SIZE];

	if (pread(fd, got, SIZE, 0) != SIZE)
		mismatch("%s: is shorter than it was", what);
	compare_fill(what, got, SIZE, seed);
}

static void verify(void)
{
	int fd;

	compare_file("free", free_file, seed_for(FREE));
	compare_file("kept", kept_file, seed_for(KEPT));
	if (!name_it(kept_file, "kept"))
		mismatch("kept: can be given a name");
	if (name_it(free_file, "free"))
		mismatch("free: cannot be given a name: %s", strerror(errno));
	fd = open("free", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		compare_file("free, by name", fd, seed_for(FREE));
	close(fd);
}

static void corrupt_byte(void)
{
	if (pwrite(free_file, "\0\0", 2, 600) != 2)
		die("free");
}

static void corrupt_named(void)
{
	name_it(free_file, "elsewhere");
}

/* What CRIU makes of it: a file that had a name and was unlinked. */
static void corrupt_unlinked(void)
{
	name_it(free_file, "free");
	unlink("free");
}

static void corrupt_exclusive(void)
{
	close(kept_file);
	kept_file = make(0, seed_for(KEPT));
}

static const struct damage damages[] = {
	{ "byte", corrupt_byte },	  { "named", corrupt_named }, { "unlinked", corrupt_unlinked },
	{ "exclusive", corrupt_exclusive }, { 0 },
};

int main(void)
{
	witness_start();
	free_file = make(0, seed_for(FREE));
	kept_file = make(O_EXCL, seed_for(KEPT));
	serve(describe, verify, damages);
}
