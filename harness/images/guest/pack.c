/*
 * Writes files and directories as a tar, as `tar -cf OUT -b 512 -C DIRECTORY NAME...` does. In place of it, because it
 * runs once a dump: after a reset all that runs is translated anew, and the shell and tar took 0.28 s of the processor.
 *
 *   pack OUT DIRECTORY NAME...
 *
 * Names, owners, modes, times, hard links; sockets are passed over, as GNU tar does: CRIU makes them again. Whole records
 * of 256 KiB, so that the host can tell a tar that was cut. What changes while it is read is an error.
 */
#define _GNU_SOURCE
#include "tar.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define RECORD (512 * BLOCK)

struct linked { /* a file with more than one name, by its first one */
	struct linked *next;
	dev_t device;
	ino_t inode;
	char *name;
};

static const char *out_name;
static int out;
static char record[RECORD];
static size_t filled;
static struct linked *links;

static void flush_record(void)
{
	write_all(out, out_name, record, filled);
	filled = 0;
}

/* Where up to `most` bytes may be put next, at least one. */
static char *room(size_t most, size_t *size)
{
	if (filled == RECORD)
		flush_record();
	*size = most < RECORD - filled ? most : RECORD - filled;
	return record + filled;
}

static void put(const void *data, size_t size)
{
	const char *next = data;

	while (size) {
		size_t most;
		char *place = room(size, &most);

		memcpy(place, next, most);
		filled += most;
		next += most;
		size -= most;
	}
}

static void put_zeros(size_t size)
{
	while (size) {
		size_t most;
		char *place = room(size, &most);

		memset(place, 0, most);
		filled += most;
		size -= most;
	}
}

/* Octal; what does not fit big endian behind a set first bit, as GNU does. */
static void set_number(char *field, size_t size, unsigned long long value)
{
	if (value >> (3 * (size - 1)) == 0) {
		snprintf(field, size, "%0*llo", (int)size - 1, value);
		return;
	}
	for (size_t i = size; i--; value >>= 8)
		field[i] = (char)(value & 0xff);
	field[0] = (char)0x80;
}

static void put_header(struct header *header)
{
	char sum[sizeof header->checksum];

	memcpy(header->magic, "ustar  ", sizeof header->magic);
	snprintf(sum, sizeof sum, "%06o", sum_of(header));
	memcpy(header->checksum, sum, sizeof sum);
	header->checksum[7] = ' ';
	put(header, sizeof *header);
}

/* A name that has no room in the header of what it names goes before it. */
static void put_long(char type, const char *name)
{
	struct header header = { .name = "././@LongLink", .mode = "0000000", .uid = "0000000", .gid = "0000000",
				 .mtime = "00000000000", .type = type };
	size_t size = strlen(name) + 1;

	set_number(header.size, sizeof header.size, size);
	put_header(&header);
	put(name, size);
	put_zeros(padding_of(size));
}

static void put_entry(const char *name, const struct stat *file, char type, const char *target)
{
	struct header header = { .type = type };

	if (strlen(target) > sizeof header.linkname)
		put_long('K', target);
	if (strlen(name) > sizeof header.name)
		put_long('L', name);
	strncpy(header.name, name, sizeof header.name);
	strncpy(header.linkname, target, sizeof header.linkname);
	set_number(header.mode, sizeof header.mode, file->st_mode & 07777);
	set_number(header.uid, sizeof header.uid, file->st_uid);
	set_number(header.gid, sizeof header.gid, file->st_gid);
	set_number(header.size, sizeof header.size, type == '0' ? (unsigned long long)file->st_size : 0);
	/* a time before 1970 is told as its beginning */
	set_number(header.mtime, sizeof header.mtime, file->st_mtime > 0 ? (unsigned long long)file->st_mtime : 0);
	if (type == '3' || type == '4') {
		set_number(header.major, sizeof header.major, major(file->st_rdev));
		set_number(header.minor, sizeof header.minor, minor(file->st_rdev));
	}
	put_header(&header);
}

/* The name under which a file has been put already, or NULL. */
static const char *seen(const char *name, const struct stat *file)
{
	struct linked *one;

	if (file->st_nlink < 2)
		return NULL;
	for (one = links; one; one = one->next)
		if (one->inode == file->st_ino && one->device == file->st_dev)
			return one->name;
	one = need(malloc(sizeof *one));
	*one = (struct linked){ links, file->st_dev, file->st_ino, need(strdup(name)) };
	links = one;
	return NULL;
}

static void put_file(const char *name, const struct stat *file)
{
	int fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	unsigned long long left = (unsigned long long)file->st_size;
	char more;

	if (fd < 0)
		err(1, "%s", name);
	put_entry(name, file, '0', "");
	while (left) {
		size_t most;
		char *place = room(left < RECORD ? (size_t)left : RECORD, &most);
		ssize_t size = read(fd, place, most);

		if (size < 0)
			err(1, "%s", name);
		if (!size)
			errx(1, "%s: it became shorter while it was read", name);
		filled += (size_t)size;
		left -= (unsigned long long)size;
	}
	if (read(fd, &more, 1) != 0)
		errx(1, "%s: it became longer while it was read", name);
	close(fd);
	put_zeros(padding_of((unsigned long long)file->st_size));
}

static void put_symlink(const char *name, const struct stat *file)
{
	char target[4097];
	ssize_t size = readlink(name, target, sizeof target - 1);

	if (size < 0)
		err(1, "%s", name);
	target[size] = '\0';
	put_entry(name, file, '2', target);
}

static void put_tree(const char *name);

static int no_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void put_directory(const char *name, const struct stat *file)
{
	struct dirent **entries;
	int count = scandir(name, &entries, no_dots, by_bytes);
	char *path;

	if (count < 0)
		err(1, "%s", name);
	if (asprintf(&path, "%s/", name) < 0)
		err(1, "memory");
	put_entry(path, file, '5', "");
	free(path);
	for (int i = 0; i < count; i++) {
		if (asprintf(&path, "%s/%s", name, entries[i]->d_name) < 0)
			err(1, "memory");
		put_tree(path);
		free(path);
		free(entries[i]);
	}
	free(entries);
}

static void put_tree(const char *name)
{
	const char *first;
	struct stat file;

	if (lstat(name, &file))
		err(1, "%s", name);
	if (S_ISDIR(file.st_mode))
		put_directory(name, &file);
	else if (S_ISSOCK(file.st_mode))
		return;
	else if ((first = seen(name, &file)))
		put_entry(name, &file, '1', first);
	else if (S_ISREG(file.st_mode))
		put_file(name, &file);
	else if (S_ISLNK(file.st_mode))
		put_symlink(name, &file);
	else if (S_ISFIFO(file.st_mode))
		put_entry(name, &file, '6', "");
	else
		put_entry(name, &file, S_ISCHR(file.st_mode) ? '3' : '4', "");
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: pack OUT DIRECTORY NAME...\n");
		return 2;
	}
	out_name = argv[1];
	out = open(out_name, O_WRONLY | O_CLOEXEC);
	if (out < 0)
		err(1, "%s", out_name);
	if (chdir(argv[2]))
		err(1, "%s", argv[2]);
	for (char **name = argv + 3; *name; name++)
		put_tree(*name);
	put_zeros(2 * BLOCK);
	put_zeros((RECORD - filled) % RECORD);
	flush_record();
	return 0;
}
