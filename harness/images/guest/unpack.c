/*
 * Lays a tar out, as GNU tar writes one (`tar -c` in a guest) or Python does with GNU_FORMAT. In place of `tar -x`,
 * because it runs once an attempt: after a reset all that runs is translated anew, and `tar -x` of 2 MB with its libraries
 * added 0.25 s to the shell that called it. busybox's tar reads on to the end of what it is given, here a disk of 1 GiB.
 *
 *   unpack INPUT DIRECTORY
 *
 * Owners, modes (the set-id bits too) and change times come back, as for root with `tar -xp`. What it does not know
 * (sparse files, PAX headers) and an archive without an end are errors, never passed over.
 */
#define _GNU_SOURCE
#include "tar.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct member {
	char *name, *linkname;
	char type;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	unsigned long long size;
	time_t mtime;
	dev_t device;
};

struct directory { /* its change time is set when nothing more is put into it */
	struct directory *next;
	struct member member;
};

static int input;
static char buffer[1 << 18];
static size_t begin, end;

/* Up to `most` of the next bytes; never none. */
static char *take(size_t most, size_t *got)
{
	char *found;

	if (begin == end) {
		ssize_t size;

		do
			size = read(input, buffer, sizeof buffer);
		while (size < 0 && errno == EINTR);
		if (size < 0)
			err(1, "the input");
		if (!size)
			errx(1, "the input: it ends before the archive does");
		begin = 0;
		end = (size_t)size;
	}
	*got = most < end - begin ? most : end - begin;
	found = buffer + begin;
	begin += *got;
	return found;
}

static void take_all(void *target, size_t size)
{
	char *next = target;

	while (size) {
		size_t got;
		char *found = take(size, &got);

		memcpy(next, found, got);
		next += got;
		size -= got;
	}
}

static void skip_padding(unsigned long long size)
{
	char padding[BLOCK];

	take_all(padding, padding_of(size));
}

/* Octal, or big endian behind a set first bit (GNU, for what does not fit). */
static unsigned long long number(const char *field, size_t size)
{
	unsigned long long value = 0;

	if (*field & 0x80) {
		for (size_t i = 1; i < size; i++)
			value = value << 8 | (unsigned char)field[i];
		return value;
	}
	for (size_t i = 0; i < size; i++)
		if (field[i] >= '0' && field[i] <= '7')
			value = value << 3 | (unsigned long long)(field[i] - '0');
		else if (field[i] != ' ')
			break;
	return value;
}

static int is_end(const struct header *header)
{
	static const struct header nothing;

	return memcmp(header, &nothing, sizeof nothing) == 0;
}

static void check(const struct header *header)
{
	if (number(header->checksum, sizeof header->checksum) != sum_of(header))
		errx(1, "the input: a header's checksum is wrong");
}

static char *long_name(unsigned long long size)
{
	char *name;

	if (size > 1 << 16)
		errx(1, "the input: a name of more than 64 KiB");
	name = need(calloc(1, size + 1));
	take_all(name, size);
	skip_padding(size);
	return name;
}

static char *short_name(const struct header *header)
{
	char name[sizeof header->prefix + 1 + sizeof header->name + 1];

	if (memcmp(header->magic, "ustar", 6) == 0 && *header->prefix)
		snprintf(name, sizeof name, "%.155s/%.100s", header->prefix, header->name);
	else
		snprintf(name, sizeof name, "%.100s", header->name);
	return need(strdup(name));
}

/* 0 at the archive's end. */
static int next_member(struct member *member)
{
	struct header header;

	*member = (struct member){ 0 };
	for (;;) {
		take_all(&header, sizeof header);
		if (is_end(&header))
			return 0;
		check(&header);
		member->size = number(header.size, sizeof header.size);
		if (header.type == 'L')
			member->name = long_name(member->size);
		else if (header.type == 'K')
			member->linkname = long_name(member->size);
		else
			break;
	}
	if (!member->name)
		member->name = short_name(&header);
	if (!member->linkname)
		member->linkname = need(strndup(header.linkname, sizeof header.linkname));
	member->type = header.type;
	member->mode = (mode_t)number(header.mode, sizeof header.mode) & 07777;
	member->uid = (uid_t)number(header.uid, sizeof header.uid);
	member->gid = (gid_t)number(header.gid, sizeof header.gid);
	member->mtime = (time_t)number(header.mtime, sizeof header.mtime);
	member->device = makedev((unsigned)number(header.major, sizeof header.major),
				 (unsigned)number(header.minor, sizeof header.minor));
	return 1;
}

/* An archive need not name the directories above a file: the lab's own payloads do not. */
static void make_parents(const char *name)
{
	static char *made; /* the last one: neighbours follow each other */
	const char *last = strrchr(name, '/');
	size_t length = last ? (size_t)(last - name) : 0;
	char *path;

	if (!length || (made && strlen(made) == length && !memcmp(made, name, length)))
		return;
	path = need(strndup(name, length));
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			err(1, "%s", path);
		*slash = '/';
	}
	if (mkdir(path, 0755) && errno != EEXIST)
		err(1, "%s", path);
	free(made);
	made = path;
}

static int leads_outside(const char *name)
{
	if (!*name || *name == '/')
		return 1;
	for (const char *part = name; part; part = strchr(part, '/'), part = part ? part + 1 : NULL)
		if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2]))
			return 1;
	return 0;
}

static void write_file(const struct member *member)
{
	int file = open(member->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (file < 0)
		err(1, "%s", member->name);
	for (unsigned long long left = member->size; left;) {
		size_t got;
		char *next = take(left < sizeof buffer ? (size_t)left : sizeof buffer, &got);

		write_all(file, member->name, next, got);
		left -= got;
	}
	if (close(file))
		err(1, "%s", member->name);
	skip_padding(member->size);
}

static int make(const struct member *member)
{
	switch (member->type) {
	case '\0':
	case '0':
		write_file(member);
		return 0;
	case '1':
		return link(member->linkname, member->name);
	case '2':
		return symlink(member->linkname, member->name);
	case '3':
		return mknod(member->name, S_IFCHR | 0600, member->device);
	case '4':
		return mknod(member->name, S_IFBLK | 0600, member->device);
	case '5':
		return mkdir(member->name, 0700);
	case '6':
		return mkfifo(member->name, 0600);
	default:
		errx(1, "%s: a kind of entry that this program does not know", member->name);
	}
}

/* chown takes the set-id bits away, so the mode comes after it. */
static void dress(const struct member *member)
{
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = member->mtime } };

	if (member->type == '1')
		return;
	if (lchown(member->name, member->uid, member->gid))
		err(1, "%s", member->name);
	if (member->type != '2' && chmod(member->name, member->mode))
		err(1, "%s", member->name);
	if (utimensat(AT_FDCWD, member->name, times, AT_SYMLINK_NOFOLLOW))
		err(1, "%s", member->name);
}

static int is_directory(const char *name)
{
	struct stat found;

	return lstat(name, &found) == 0 && S_ISDIR(found.st_mode);
}

int main(int argc, char **argv)
{
	struct directory *directories = NULL;
	struct member member;

	if (argc != 3) {
		fprintf(stderr, "usage: unpack INPUT DIRECTORY\n");
		return 2;
	}
	umask(0);
	input = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (input < 0)
		err(1, "%s", argv[1]);
	if (chdir(argv[2]))
		err(1, "%s", argv[2]);
	while (next_member(&member)) {
		int exists;

		if (leads_outside(member.name))
			errx(1, "%s: a name that could lead outside", member.name);
		make_parents(member.name);
		exists = member.type == '5' && is_directory(member.name);
		if (!exists && member.type != '5' && unlink(member.name) && errno != ENOENT)
			err(1, "%s", member.name);
		if (!exists && make(&member))
			err(1, "%s", member.name);
		if (member.type == '5') {
			struct directory *one = need(malloc(sizeof *one));

			*one = (struct directory){ directories, member };
			directories = one;
		} else {
			dress(&member);
		}
	}
	for (; directories; directories = directories->next)
		dress(&directories->member);
	return 0;
}
