/* Directories opened with O_DIRECTORY, and one without: what F_GETFL says of them. */
#include "workload.h"

#include <sys/stat.h>

static int opened, plain;

static void describe(void)
{
	report_number("opened", (uint64_t)fcntl(opened, F_GETFL));
	report_number("plain", (uint64_t)fcntl(plain, F_GETFL));
}

static void verify(void)
{
	if (!(fcntl(opened, F_GETFL) & O_DIRECTORY))
		mismatch("the directory has lost O_DIRECTORY");
	if (fcntl(plain, F_GETFL) & O_DIRECTORY)
		mismatch("the other directory has gained O_DIRECTORY");
	if (faccessat(opened, "inside", F_OK, 0) || faccessat(plain, "inside", F_OK, 0))
		mismatch("what is in the directory is not found");
}

static void corrupt_flag(void)
{
	dup3(plain, opened, O_CLOEXEC);
}

static void corrupt_gained(void)
{
	dup3(opened, plain, O_CLOEXEC);
}

static void corrupt_other(void)
{
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dup3(root, opened, O_CLOEXEC);
	close(root);
}

static const struct damage damages[] = {
	{ "flag", corrupt_flag }, { "gained", corrupt_gained }, { "other", corrupt_other }, { 0 },
};

int main(void)
{
	witness_start();
	if ((mkdir("room", 0755) || mkdir("room/inside", 0755)) && errno != EEXIST)
		die("room");
	opened = open("room", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	plain = open("room", O_RDONLY | O_CLOEXEC);
	if (opened < 0 || plain < 0)
		die("room");
	serve(describe, verify, damages);
}
