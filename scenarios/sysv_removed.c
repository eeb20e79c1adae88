/* A shared memory segment that was removed while it is attached: it lives until the last process lets go of it. */
#include "companion.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#define SIZE 65536

enum order { COMPARE, WRITE, DETACH };

static int segment;
static uint8_t *memory;
static struct companion *child;

static int64_t obey(unsigned order)
{
	if (order == WRITE)
		memory[77] ^= 0xff;
	else if (order == DETACH)
		return shmdt(memory);
	else
		compare_fill("segment", memory, SIZE, seed_for(1));
	return 0;
}

static void describe(void)
{
	struct shmid_ds status = { 0 };

	report_number("known", shmctl(segment, IPC_STAT, &status) == 0);
	report_number("mode", status.shm_perm.mode);
	report_number("key", (uint64_t)status.shm_perm.__key);
	report_number("attached", status.shm_nattch);
}

static void verify(void)
{
	struct shmid_ds status;

	compare_fill("segment", memory, SIZE, seed_for(1));
	companion_does(child, COMPARE);
	companion_does(child, WRITE);
	memory[77] ^= 0xff;
	compare_fill("segment, after the child wrote", memory, SIZE, seed_for(1));
	companion_does(child, DETACH);
	if (shmdt(memory))
		mismatch("segment: cannot be detached");
	if (!shmctl(segment, IPC_STAT, &status))
		mismatch("segment: is still there after the last process let go of it");
}

static void corrupt_byte(void)
{
	memory[5000] ^= 1;
}

static void corrupt_private(void)
{
	uint8_t copy[SIZE];

	memcpy(copy, memory, SIZE);
	shmdt(memory);
	if (mmap(memory, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		die("mmap");
	memcpy(memory, copy, SIZE);
}

/* A segment that nobody has removed, with the right bytes and under the same address. */
static void corrupt_kept(void)
{
	uint8_t copy[SIZE];

	memcpy(copy, memory, SIZE);
	shmdt(memory);
	segment = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0640);
	if (shmat(segment, memory, 0) != memory)
		die("shmat");
	memcpy(memory, copy, SIZE);
}

static const struct damage damages[] = {
	{ "byte", corrupt_byte }, { "private", corrupt_private }, { "kept", corrupt_kept }, { 0 },
};

int main(void)
{
	witness_start();
	if (unshare(CLONE_NEWIPC))
		die("unshare");
	segment = shmget(0x4b4d05, SIZE, IPC_CREAT | IPC_EXCL | 0640);
	memory = shmat(segment, NULL, 0);
	if (memory == (void *)-1)
		die("shmat");
	fill(memory, SIZE, seed_for(1));
	child = companion_start(obey);
	companion_must(child, COMPARE, "the child");
	if (shmctl(segment, IPC_RMID, NULL))
		die("IPC_RMID");
	serve(describe, verify, damages);
}
