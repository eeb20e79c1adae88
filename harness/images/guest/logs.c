/*
 * A cell's evidence, written to the out port as a tar: CRIU's logs, the kernel's messages, the workload's output. One
 * program in place of the shell, dmesg, cp and tar, because it runs once an attempt and under emulation these took 0.3 s.
 *
 *   logs OUT CHECKPOINT WORK
 */
#define _GNU_SOURCE
#include "tar.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <time.h>

#define READ_ALL 3 /* syslog(2) */
#define SIZE_BUFFER 10

static int out;

static void put(const void *data, size_t size)
{
	write_all(out, "the out port", data, size);
}

static void put_header(const char *name, size_t size)
{
	struct header header = { .mode = "0000644", .uid = "0000000", .gid = "0000000", .type = '0' };

	memcpy(header.magic, "ustar\00000", sizeof header.magic);
	snprintf(header.name, sizeof header.name, "%s", name);
	snprintf(header.size, sizeof header.size, "%011zo", size);
	snprintf(header.mtime, sizeof header.mtime, "%011llo", (unsigned long long)time(NULL));
	snprintf(header.checksum, sizeof header.checksum, "%06o", sum_of(&header));
	put(&header, sizeof header);
}

static void put_padding(size_t size)
{
	static const char zeros[BLOCK];

	put(zeros, padding_of(size));
}

static void put_text(const char *name, const char *text, size_t size)
{
	put_header(name, size);
	put(text, size);
	put_padding(size);
}

/* As long as it is now: a workload that lives writes on. A link or a fifo of its making is no log. */
static void put_file(const char *name, const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char buffer[1 << 16];
	struct stat file;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return;
	if (fd < 0 || fstat(fd, &file))
		err(1, "%s", path);
	if (!S_ISREG(file.st_mode)) {
		close(fd);
		return;
	}
	put_header(name, (size_t)file.st_size);
	for (size_t left = (size_t)file.st_size; left;) {
		ssize_t size = read(fd, buffer, left < sizeof buffer ? left : sizeof buffer);

		if (size < 0)
			err(1, "%s", path);
		if (!size) { /* it was cut short; the header has promised more */
			memset(buffer, 0, sizeof buffer);
			size = (ssize_t)(left < sizeof buffer ? left : sizeof buffer);
		}
		put(buffer, (size_t)size);
		left -= (size_t)size;
	}
	put_padding((size_t)file.st_size);
	close(fd);
}

static void put_files(const char *pattern)
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			put_file(strrchr(found.gl_pathv[i], '/') + 1, found.gl_pathv[i]);
		globfree(&found);
	}
}

/* The other end of `lab.sh`'s mark, with the kernel's taint now. */
static void mark_end(void)
{
	char tainted[32] = "", line[96];
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);
	int length;

	if (fd < 0 || read(fd, tainted, sizeof tainted - 1) < 0 || close(fd))
		err(1, "tainted");
	tainted[strcspn(tainted, "\n")] = '\0';
	length = snprintf(line, sizeof line, "<6>kmatrix: a cell ends, tainted %s\n", tainted);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, line, (size_t)length) != length || close(fd))
		err(1, "/dev/kmsg");
}

/* As dmesg(1) prints them: without the level in front of each line. */
static void put_messages(void)
{
	int room = klogctl(SIZE_BUFFER, NULL, 0), size;
	char *text, *end, *to;

	/* the time in front of each line comes on top of what the kernel keeps */
	text = room > 0 ? malloc(2 * (size_t)room) : NULL;
	size = text ? klogctl(READ_ALL, text, 2 * room) : -1;
	if (size < 0)
		err(1, "syslog");
	to = text;
	end = text + size;
	for (char *from = text; from < end;) {
		char *line_end = memchr(from, '\n', (size_t)(end - from));
		char *close = *from == '<' ? memchr(from, '>', end - from < 5 ? (size_t)(end - from) : 5) : NULL;
		size_t length;

		line_end = line_end ? line_end + 1 : end;
		from = close ? close + 1 : from;
		length = (size_t)(line_end - from);
		memmove(to, from, length);
		to += length;
		from = line_end;
	}
	put_text("dmesg.log", text, (size_t)(to - text));
}

int main(int argc, char **argv)
{
	static const char end[2 * BLOCK];
	/* a container's workload has its directory, and its output, on a volume */
	static const char *const outputs[] = { "volume/stdout.log", "stdout.log" };
	/* liblxc has CRIU write its log beside the images, podman in the container's directory */
	static const char *const logs[] = {
		"logs/*.log", "logs/*.out", "images/dump.log", "images/restore.log",
		"/var/lib/containers/storage/vfs-containers/*/userdata/dump.log",
		"/var/lib/containers/storage/vfs-containers/*/userdata/restore.log",
	};

	if (argc != 4) {
		fprintf(stderr, "usage: logs OUT CHECKPOINT WORK\n");
		return 2;
	}
	out = open(argv[1], O_WRONLY | O_CLOEXEC);
	if (out < 0)
		err(1, "%s", argv[1]);
	mark_end();
	put_messages();
	for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
		char pattern[256];

		snprintf(pattern, sizeof pattern, "%s/%s", argv[2], logs[i]);
		put_files(*logs[i] == '/' ? logs[i] : pattern);
	}
	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
		char path[256];

		snprintf(path, sizeof path, "%s/%s", argv[3], outputs[i]);
		if (!access(path, F_OK)) {
			put_file("workload.log", path);
			break;
		}
	}
	put(end, sizeof end);
	return 0;
}
