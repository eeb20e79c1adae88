/*
 * Files and directories that are open and whose names are gone: without any name left, with a name elsewhere, with
 * another file under the old name. A child stands in a directory that was removed.
 */
#include "companion.h"

#include <dirent.h>
#include <sys/stat.h>

#define SIZE 100000
#define OFFSET 4321
#define SPARSE (INT64_C(64) << 20)
#define HOLE (INT64_C(8) << 20) /* one block of data at each multiple */

enum part { GHOST = 1, TWICE, REPLACED, NEWCOMER, MAPPED, SPARSE_DATA = 20 };
enum order { WHERE_AM_I };

static int ghost[2];   /* one inode opened twice: different offsets, the same bytes */
static int linked;     /* its first name is gone, the second stays */
static int replaced;   /* nameless, and a new file has its name */
static int sparse;     /* larger than CRIU's limit for such files, but for its holes */
static int directory;  /* removed */
static uint8_t *mapped;/* shared map of `replaced` */
static struct companion *child;

static int create(const char *name, size_t size, uint64_t seed)
{
	static uint8_t bytes[SIZE];
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0640);

	fill(bytes, size, seed);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		die(name);
	return fd;
}

static int make_ghost_file(void)
{
	const struct timespec times[2] = { { 1000000000, 0 }, { 1100000000, 0 } };
	int fd = create("room/ghost", SIZE, seed_for(GHOST));

	if (fchmod(fd, 0604) || fchown(fd, 12, 34) || futimens(fd, times))
		die("ghost");
	return fd;
}

static void make_ghost(void)
{
	ghost[0] = make_ghost_file();
	ghost[1] = open("room/ghost", O_RDONLY | O_CLOEXEC);
	if (ghost[1] < 0 || unlink("room/ghost") || lseek(ghost[0], OFFSET, SEEK_SET) < 0)
		die("ghost");
}

static void make_linked(void)
{
	linked = create("room/first", SIZE, seed_for(TWICE));
	unlink("room/second");
	if (link("room/first", "room/second") || unlink("room/first") || lseek(linked, OFFSET, SEEK_SET) < 0)
		die("linked");
}

static void make_replaced(void)
{
	replaced = create("room/name", SIZE, seed_for(REPLACED));
	mapped = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, replaced, 0);
	if (mapped == MAP_FAILED || unlink("room/name"))
		die("replaced");
	close(create("room/name", SIZE / 2, seed_for(NEWCOMER)));
}

static void make_sparse(void)
{
	uint8_t block[4096];

	sparse = create("room/sparse", 0, 0);
	if (unlink("room/sparse") || ftruncate(sparse, SPARSE))
		die("sparse");
	for (int64_t at = 0; at < SPARSE; at += HOLE) {
		fill(block, sizeof block, seed_for(SPARSE_DATA + (unsigned)(at / HOLE)));
		if (pwrite(sparse, block, sizeof block, at) != sizeof block)
			die("sparse");
	}
}

static void compare_nowhere(const char *what)
{
	char cwd[256];
	struct stat status;

	if (getcwd(cwd, sizeof cwd) || errno != ENOENT)
		mismatch("%s: has a name", what);
	if (open("inside", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) >= 0 || errno != ENOENT)
		mismatch("%s: a file can be made in it", what);
	if (stat(".", &status) || !S_ISDIR(status.st_mode) || status.st_nlink)
		mismatch("%s: is not a directory without links", what);
	if (status.st_mode != (S_IFDIR | 0711))
		mismatch("%s: its mode is 0%o", what, status.st_mode);
}

static int64_t obey(unsigned order)
{
	static bool settled;

	if (!settled) {
		if (mkdir("room/nowhere", 0711) || chdir("room/nowhere") || rmdir("../nowhere"))
			die("room/nowhere");
		settled = true;
	}
	if (order == WHERE_AM_I)
		compare_nowhere("working directory");
	return 0;
}

static void make_all(void)
{
	umask(0);
	if (mkdir("room", 0755) && errno != EEXIST)
		die("room");
	make_ghost();
	make_linked();
	make_replaced();
	make_sparse();
	if (mkdir("room/gone", 0711))
		die("room/gone");
	directory = open("room/gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0 || rmdir("room/gone"))
		die("room/gone");
	child = companion_start(obey);
	companion_must(child, WHERE_AM_I, "the child");
}

static void describe_file(const char *what, int fd)
{
	char name[40];
	struct stat status = { 0 };
	const struct { const char *name; uint64_t value; } facts[] = {
		{ "flags", (uint64_t)fcntl(fd, F_GETFL) },
		{ "offset", (uint64_t)lseek(fd, 0, SEEK_CUR) },
		{ "mode", fstat(fd, &status) ? 0 : status.st_mode },
		{ "size", (uint64_t)status.st_size },
		{ "owner", status.st_uid },
		{ "group", status.st_gid },
		{ "links", status.st_nlink },
	};

	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		snprintf(name, sizeof name, "%s_%s", what, facts[i].name);
		report_number(name, facts[i].value);
	}
}

/* Everything that has a name: CRIU's own help names must be gone, no lost name may be back. */
static void describe_room(void)
{
	char list[200] = "";
	struct dirent **entries;
	int count = scandir("room", &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.' || strlen(entries[i]->d_name) > 2) {
			strncat(list, entries[i]->d_name, sizeof list - strlen(list) - 2);
			strcat(list, " ");
		}
		free(entries[i]);
	}
	free(entries);
	report_text("room", list);
}

static void describe(void)
{
	struct stat status = { 0 };

	describe_file("ghost", ghost[0]);
	describe_file("ghost_again", ghost[1]);
	describe_file("linked", linked);
	describe_file("replaced", replaced);
	describe_file("sparse", sparse);
	fstat(ghost[0], &status);
	report_number("ghost_modified", (uint64_t)status.st_mtime);
	describe_room();
}

static void compare_file(const char *what, int fd, uint64_t seed)
{
	static uint8_t got[SIZE];

	if (pread(fd, got, SIZE, 0) != SIZE)
		mismatch("%s: is shorter than it was", what);
	compare_fill(what, got, SIZE, seed);
}

/* What is written through one way to the inode must be seen through the other. */
static void compare_same_inode(const char *what, int one, int other)
{
	uint8_t bytes[16], got[16] = { 0 };

	fill(bytes, sizeof bytes, witness.chain);
	if (pwrite(one, bytes, sizeof bytes, 500) != sizeof bytes || pread(other, got, sizeof got, 500) < 0 ||
	    memcmp(bytes, got, sizeof got))
		mismatch("%s: has become two files", what);
}

static void compare_linked(void)
{
	int fd = open("room/second", O_RDONLY | O_CLOEXEC);
	struct stat named, held;

	compare_file("linked", linked, seed_for(TWICE));
	compare_same_inode("linked", linked, fd);
	if (fstat(fd, &named) || fstat(linked, &held) || named.st_ino != held.st_ino)
		mismatch("linked: its other name leads to another file");
	close(fd);
}

static void compare_replaced(void)
{
	static uint8_t got[SIZE];
	int fd = open("room/name", O_RDONLY | O_CLOEXEC);

	compare_file("replaced", replaced, seed_for(REPLACED));
	compare_fill("replaced, mapped", mapped, SIZE, seed_for(REPLACED));
	if (read(fd, got, SIZE) != SIZE / 2)
		mismatch("newcomer: has another size");
	compare_fill("newcomer", got, SIZE / 2, seed_for(NEWCOMER));
	close(fd);
	mapped[600] ^= 1;
	if (pread(replaced, got, 1, 600) != 1 || got[0] != mapped[600])
		mismatch("replaced: its map and its descriptor have become two files");
}

static void compare_sparse(void)
{
	uint8_t got[8192], zeros[4096] = { 0 };
	struct stat status;

	for (int64_t at = 0; at < SPARSE; at += HOLE) {
		if (pread(sparse, got, sizeof got, at) != sizeof got)
			mismatch("sparse: is shorter than it was");
		compare_fill("sparse: data", got, 4096, seed_for(SPARSE_DATA + (unsigned)(at / HOLE)));
		compare("sparse: hole", got + 4096, zeros, sizeof zeros);
	}
	if (fstat(sparse, &status) || status.st_blocks * 512 > SPARSE / 16)
		mismatch("sparse: its holes are filled");
}

static void compare_directory(void)
{
	int home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fchdir(directory))
		mismatch("directory: cannot be entered");
	else
		compare_nowhere("directory");
	if (fchdir(home))
		die("fchdir");
	close(home);
}

static void verify(void)
{
	compare_file("ghost", ghost[0], seed_for(GHOST));
	compare_same_inode("ghost", ghost[0], ghost[1]);
	compare_linked();
	compare_replaced();
	compare_sparse();
	compare_directory();
	companion_does(child, WHERE_AM_I);
	companion_compare_parent(child);
}

static void corrupt_byte(void)
{
	if (pwrite(ghost[0], "\0\0", 2, 50000) != 2)
		die("ghost");
}

/* A second file with the same bytes and attributes: what each descriptor gets if it is restored by itself. */
static void corrupt_twofold(void)
{
	close(ghost[1]);
	close(make_ghost_file());
	ghost[1] = open("room/ghost", O_RDONLY | O_CLOEXEC);
	if (ghost[1] < 0 || unlink("room/ghost"))
		die("ghost");
}

static void corrupt_named(void)
{
	char name[32];

	snprintf(name, sizeof name, "/proc/self/fd/%d", linked);
	if (linkat(AT_FDCWD, name, AT_FDCWD, "room/first", AT_SYMLINK_FOLLOW))
		die("linkat");
}

/* The right bytes under both ways to it, but they are two files: a copy instead of a link. */
static void corrupt_copied(void)
{
	if (unlink("room/second") || close(create("room/second", SIZE, seed_for(TWICE))))
		die("copy");
}

static void corrupt_newcomer(void)
{
	close(create("room/name", SIZE, seed_for(REPLACED)));
}

static void corrupt_filled(void)
{
	static uint8_t zeros[HOLE - 4096];

	if (pwrite(sparse, zeros, sizeof zeros, 4096) != sizeof zeros)
		die("sparse");
	sync_file_range(sparse, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE);
}

static void corrupt_directory(void)
{
	if (mkdir("room/gone", 0711))
		die("room/gone");
	close(directory);
	directory = open("room/gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void corrupt_map(void)
{
	if (mmap(mapped, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, replaced, 0) == MAP_FAILED)
		die("mmap");
}

static const struct damage damages[] = {
	{ "byte", corrupt_byte },     { "twofold", corrupt_twofold }, { "named", corrupt_named },
	{ "copied", corrupt_copied }, { "newcomer", corrupt_newcomer }, { "filled", corrupt_filled },
	{ "directory", corrupt_directory }, { "map", corrupt_map }, { 0 },
};

int main(void)
{
	witness_start();
	make_all();
	serve(describe, verify, damages);
}
