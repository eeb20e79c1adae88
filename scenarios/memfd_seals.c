/* Seals of memory files that came later: against execution, and against future writers. */
#include "maps.h"

#include <sys/stat.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SIZE ((size_t)4 * PAGE)

static bool against_writers; /* else against execution */
static int file;
static uint8_t *mapping;

static int make(void)
{
	uint8_t bytes[SIZE];
	int fd = memfd_create("sealed", MFD_CLOEXEC | (against_writers ? MFD_ALLOW_SEALING : MFD_NOEXEC_SEAL));

	fill(bytes, SIZE, seed_for(1));
	if (fd < 0 || write(fd, bytes, SIZE) != (ssize_t)SIZE)
		die("memfd");
	return fd;
}

/* The mapping that was there before the seal goes on writing; nothing else does. */
static void verify_future(void)
{
	compare_fill("file", mapping, SIZE, seed_for(1));
	mapping[PAGE] ^= 1;
	if (pwrite(file, "x", 1, 0) != -1 || errno != EPERM)
		mismatch("file: can be written to");
	if (mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) != MAP_FAILED)
		mismatch("file: can be mapped for writing");
}

static void verify_exec(void)
{
	compare_fill("file", mapping, SIZE, seed_for(1));
	if (!fchmod(file, 0755))
		mismatch("file: can be made executable");
}

static void verify(void)
{
	if (against_writers)
		verify_future();
	else
		verify_exec();
}

static void describe(void)
{
	struct stat status = { 0 };

	fstat(file, &status);
	report_number("mode", status.st_mode);
	report_number("seals", (uint64_t)fcntl(file, F_GET_SEALS));
	report_hash("file", mapping, SIZE);
}

static void change_byte(void)
{
	mapping[100] ^= 1;
}

static void replace(void)
{
	int other = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (other < 0 || write(other, mapping, SIZE) != (ssize_t)SIZE || dup3(other, file, O_CLOEXEC) != file)
		die("memfd");
}

static void add_seal(void)
{
	if (fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK))
		die("F_ADD_SEALS");
}

static const struct damage damages[] = {
	{ "byte", change_byte },
	{ "unsealed", replace },
	{ "sealed", add_seal },
	{ 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	against_writers = argc > 1 && !strcmp(argv[1], "future");
	file = make();
	mapping = map_at(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (against_writers && fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE))
		die("F_SEAL_FUTURE_WRITE");
	serve(describe, verify, damages);
}
