/*
 * Open files of every ordinary kind, alone and shared with a child. Contents follow from the nonce; what a descriptor
 * is (flags, offset, owner, type) is reported as facts, what it does is tried in the check.
 */
#include "companion.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define SIZE 65536
#define OFFSET 12345
#define FAR (INT64_C(5) << 30) /* beyond 32 bits */
#define ENTRIES 40
#define HIGH 700 /* a descriptor number far above the others */

enum part { DATA = 1 };
enum order { OFFSET_OF_READER, WHERE_AM_I };

/* In the order of `names`: what describe() says of each descriptor. */
enum file { READER, TWIN, OTHER, APPENDER, BEYOND, PATH, LINK, DIRECTORY, DEV_NULL, DEV_ZERO, DEV_FULL, MAPS, FILES };

static const char *const names[FILES] = {
	"reader", "twin", "other", "appender", "beyond", "path", "link", "directory", "null", "zero", "full", "maps",
};
static int files[FILES];
static struct companion *child;
static char listed[ENTRIES + 8][32]; /* names that came out of the directory before the dump */
static int listed_count;

static void must_open(enum file file, const char *path, int flags)
{
	files[file] = open(path, flags, 0640);
	if (files[file] < 0)
		die(path);
}

static void write_file(const char *name, size_t size, uint64_t seed)
{
	static uint8_t bytes[SIZE];
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0640);

	fill(bytes, size, seed);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd))
		die(name);
}

struct entry { /* what getdents64 gives */
	ino64_t ino;
	off64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

/* Up to so many bytes of entries; returns how many names were added to `listed`, -1 if they are too many. */
static int list(size_t bytes)
{
	char buffer[4096] __attribute__((aligned(8)));
	int before = listed_count;
	ssize_t got = getdents64(files[DIRECTORY], buffer, bytes);

	for (ssize_t at = 0; at < got;) {
		const struct entry *entry = (const struct entry *)(buffer + at);

		if (listed_count == ENTRIES + 8)
			return -1;
		snprintf(listed[listed_count++], sizeof listed[0], "%s", entry->name);
		at += entry->length;
	}
	return got < 0 ? -1 : listed_count - before;
}

static void make_directory(void)
{
	char name[32];

	if (mkdir("directory", 0750) && errno != EEXIST)
		die("directory");
	for (int i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof name, "directory/entry-%d", i);
		write_file(name, 0, 0);
	}
	must_open(DIRECTORY, "directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (list(512) < 5)
		die("getdents64");
}

static void make_files(void)
{
	struct f_owner_ex owner = { F_OWNER_PID, getpid() };

	write_file("data", SIZE, seed_for(DATA));
	write_file("log", 100, seed_for(DATA));
	must_open(READER, "data", O_RDONLY | O_NOATIME);
	files[TWIN] = fcntl(files[READER], F_DUPFD_CLOEXEC, HIGH);
	must_open(OTHER, "data", O_RDWR | O_SYNC | O_NONBLOCK);
	must_open(APPENDER, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	must_open(BEYOND, "data", O_RDONLY | O_DIRECT);
	must_open(PATH, "data", O_PATH | O_CLOEXEC);
	unlink("link");
	if (symlink("data", "link"))
		die("symlink");
	must_open(LINK, "link", O_PATH | O_NOFOLLOW);
	must_open(DEV_NULL, "/dev/null", O_RDWR);
	must_open(DEV_ZERO, "/dev/zero", O_RDONLY | O_CLOEXEC);
	must_open(DEV_FULL, "/dev/full", O_WRONLY);
	must_open(MAPS, "/proc/self/maps", O_RDONLY);
	make_directory();
	if (lseek(files[READER], OFFSET, SEEK_SET) < 0 || lseek(files[OTHER], 99, SEEK_SET) < 0 ||
	    lseek(files[APPENDER], 3, SEEK_SET) < 0 || lseek(files[BEYOND], FAR, SEEK_SET) < 0)
		die("lseek");
	if (fcntl(files[APPENDER], F_SETOWN_EX, &owner) || fcntl(files[APPENDER], F_SETSIG, SIGRTMIN + 3))
		die("F_SETOWN_EX");
}

/* The child: another root, another working directory, another umask. */
static int64_t obey(unsigned order)
{
	static bool settled;
	char cwd[PATH_MAX] = "";
	struct stat inner;
	mode_t mask;

	if (!settled) {
		if (chroot("jail") || chdir("/room"))
			die("chroot");
		umask(027);
		settled = true;
	}
	if (order == OFFSET_OF_READER)
		return lseek(files[READER], 0, SEEK_CUR);
	if (!getcwd(cwd, sizeof cwd) || strcmp(cwd, "/room"))
		mismatch("working directory is %.100s, not /room", cwd);
	if (stat("inner", &inner) || inner.st_size != 77 || stat("/room/inner", &inner))
		mismatch("the file in the working directory is not there");
	if (!stat("/etc", &inner))
		mismatch("the root is not the one it had chosen");
	mask = umask(027);
	compare_number("umask", mask, 027);
	return 0;
}

static void make_jail(void)
{
	if ((mkdir("jail", 0755) || mkdir("jail/room", 0755)) && errno != EEXIST)
		die("jail");
	write_file("jail/room/inner", 77, 0);
	umask(013);
}

static void describe(void)
{
	char name[40];

	for (enum file file = 0; file < FILES; file++) {
		struct stat status = { 0 };

		fstat(files[file], &status);
		snprintf(name, sizeof name, "%s_flags", names[file]);
		/* the loss of O_DIRECTORY is directory_flag's business */
		report_number(name, (uint64_t)fcntl(files[file], F_GETFL) & ~(uint64_t)O_DIRECTORY);
		snprintf(name, sizeof name, "%s_cloexec", names[file]);
		report_number(name, (uint64_t)fcntl(files[file], F_GETFD));
		snprintf(name, sizeof name, "%s_mode", names[file]);
		report_number(name, status.st_mode);
		snprintf(name, sizeof name, "%s_device", names[file]);
		report_number(name, status.st_rdev);
		if (file == DIRECTORY)
			continue; /* its position is the file system's own business */
		snprintf(name, sizeof name, "%s_offset", names[file]);
		report_number(name, (uint64_t)lseek(files[file], 0, SEEK_CUR));
	}
	report_number("twin", (uint64_t)files[TWIN]);
}

static void compare_shared_offsets(void)
{
	static uint8_t want[SIZE];
	uint8_t got[1000] = { 0 };

	fill(want, SIZE, seed_for(DATA));
	if (read(files[READER], got, 500) != 500)
		mismatch("reader: cannot be read");
	compare("reader", got, want + OFFSET, 500);
	if (lseek(files[TWIN], 0, SEEK_CUR) != OFFSET + 500)
		mismatch("twin: does not move with the reader");
	if (companion_does(child, OFFSET_OF_READER) != OFFSET + 500)
		mismatch("child: its reader does not move with ours");
	if (read(files[OTHER], got, 100) != 100)
		mismatch("other: cannot be read");
	compare("other", got, want + 99, 100);
}

static void compare_append(void)
{
	uint8_t got[104] = { 0 }, want[104];
	int fd = open("log", O_RDONLY | O_CLOEXEC);

	fill(want, 100, seed_for(DATA));
	memcpy(want + 100, "end", 4);
	if (write(files[APPENDER], "end", 3) != 3 || read(fd, got, sizeof got) != 103)
		mismatch("appender: the file has not grown by what was written");
	compare("appender", got, want, sizeof got);
	close(fd);
}

static void compare_owner(void)
{
	struct f_owner_ex owner = { 0, 0 };

	if (fcntl(files[APPENDER], F_GETOWN_EX, &owner) || owner.type != F_OWNER_PID || owner.pid != getpid())
		mismatch("appender: has lost its owner");
	compare_number("appender: its signal", (uint64_t)fcntl(files[APPENDER], F_GETSIG), (uint64_t)SIGRTMIN + 3);
}

/* O_PATH descriptors name a file and do nothing else. */
static void compare_paths(void)
{
	char byte, target[16] = "", self[32];
	struct stat named, held;

	if (read(files[PATH], &byte, 1) != -1 || errno != EBADF)
		mismatch("path: can be read");
	if (stat("data", &named) || fstat(files[PATH], &held) || named.st_ino != held.st_ino)
		mismatch("path: names another file");
	if (readlinkat(files[LINK], "", target, sizeof target) != 4 || strcmp(target, "data"))
		mismatch("link: is no longer the link itself");
	snprintf(self, sizeof self, "/proc/self/fd/%d", files[TWIN]);
	if (stat(self, &held) || named.st_ino != held.st_ino)
		mismatch("twin: proc knows another file by its number");
	if (faccessat(files[DIRECTORY], "entry-7", R_OK, 0))
		mismatch("directory: openat does not find its entry");
}

static void compare_directory(void)
{
	int count;
	bool seen[ENTRIES] = { false };

	while ((count = list(4096)) > 0)
		;
	if (count < 0)
		mismatch("directory: cannot be read on, or has too many entries");
	for (int i = 0; i < listed_count; i++) {
		int number;

		if (sscanf(listed[i], "entry-%d", &number) != 1)
			continue;
		if (number < 0 || number >= ENTRIES || seen[number])
			mismatch("directory: %s came twice", listed[i]);
		else
			seen[number] = true;
	}
	for (int i = 0; i < ENTRIES; i++)
		if (!seen[i])
			mismatch("directory: entry-%d never came", i);
}

static void compare_devices(void)
{
	char bytes[64], line[32] = "";
	uint8_t zeros[64] = { 0 };

	memset(bytes, 'x', sizeof bytes);
	if (read(files[DEV_NULL], bytes, 1) != 0 || write(files[DEV_NULL], "x", 1) != 1)
		mismatch("null: does not swallow bytes, or gives some");
	if (read(files[DEV_ZERO], bytes, sizeof bytes) != sizeof bytes || memcmp(bytes, zeros, sizeof zeros))
		mismatch("zero: gives no zeros");
	if (write(files[DEV_FULL], "x", 1) != -1 || errno != ENOSPC)
		mismatch("full: is not full");
	if (lseek(files[MAPS], 0, SEEK_SET) || read(files[MAPS], line, sizeof line - 1) < 20 || !strchr(line, '-'))
		mismatch("maps: cannot be read");
}

static void verify(void)
{
	mode_t mask = umask(013);

	compare_number("umask", mask, 013);
	compare_shared_offsets();
	compare_append();
	compare_owner();
	compare_paths();
	compare_directory();
	compare_devices();
	companion_does(child, WHERE_AM_I);
	companion_compare_parent(child);
}

/* One file opened again in place of another, at the same offset: the same number, another open file. */
static void reopen(enum file file, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	lseek(fd, lseek(files[file], 0, SEEK_CUR), SEEK_SET);
	dup3(fd, files[file], fcntl(files[file], F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0);
	close(fd);
}

static void corrupt_offset(void)
{
	lseek(files[OTHER], 98, SEEK_SET);
}

static void corrupt_twin(void)
{
	reopen(TWIN, "data", O_RDONLY | O_NOATIME);
}

static void corrupt_reader(void)
{
	reopen(READER, "data", O_RDONLY | O_NOATIME);
	dup3(files[READER], files[TWIN], O_CLOEXEC);
}

static void corrupt_append(void)
{
	fcntl(files[APPENDER], F_SETFL, 0);
}

static void corrupt_cloexec(void)
{
	fcntl(files[READER], F_SETFD, FD_CLOEXEC);
}

static void corrupt_owner(void)
{
	fcntl(files[APPENDER], F_SETOWN, 1);
}

static void corrupt_directory(void)
{
	lseek(files[DIRECTORY], 0, SEEK_SET);
}

static void corrupt_null(void)
{
	dup2(files[DEV_ZERO], files[DEV_NULL]);
}

static void corrupt_path(void)
{
	dup3(files[TWIN], files[PATH], O_CLOEXEC);
}

static void corrupt_room(void)
{
	if (rename("jail/room", "jail/other") || mkdir("jail/room", 0755))
		die("jail");
}

static const struct damage damages[] = {
	{ "offset", corrupt_offset }, { "twin", corrupt_twin },   { "reader", corrupt_reader },
	{ "append", corrupt_append }, { "cloexec", corrupt_cloexec }, { "owner", corrupt_owner },
	{ "null", corrupt_null },     { "path", corrupt_path },   { "directory", corrupt_directory },
	{ "room", corrupt_room },     { 0 },
};

int main(void)
{
	witness_start();
	make_files();
	make_jail();
	child = companion_start(obey);
	companion_must(child, WHERE_AM_I, "the child");
	serve(describe, verify, damages);
}
