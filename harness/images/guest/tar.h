/*
 * What the lab's tars are made of: ustar (POSIX.1-1988) in 512-byte blocks, and GNU tar's way with what has no room in
 * it. `unpack` reads them, `pack` and `logs` write them.
 */
#ifndef KMATRIX_TAR_H
#define KMATRIX_TAR_H

#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 512

struct header { /* GNU's differs in `magic` and has no `prefix` */
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, linkname[100], magic[8],
		user[32], group[32], major[8], minor[8], prefix[155], padding[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

/* The sum of a header's bytes, those of the sum itself taken for blanks. */
static inline unsigned int sum_of(const struct header *header)
{
	struct header blanked = *header;
	unsigned int sum = 0;

	memset(blanked.checksum, ' ', sizeof blanked.checksum);
	for (size_t i = 0; i < sizeof blanked; i++)
		sum += ((unsigned char *)&blanked)[i];
	return sum;
}

static inline void *need(void *memory)
{
	if (!memory)
		err(1, "memory");
	return memory;
}

/* How many zeros follow `size` bytes. */
static inline size_t padding_of(unsigned long long size)
{
	return (size_t)((BLOCK - size % BLOCK) % BLOCK);
}

static inline void write_all(int file, const char *name, const void *data, size_t size)
{
	const char *next = data;

	while (size) {
		ssize_t written = write(file, next, size);

		if (written < 0 && errno != EINTR)
			err(1, "%s", name);
		if (written > 0) {
			next += written;
			size -= (size_t)written;
		}
	}
}

#endif
