/*
 * An io_uring with one read waiting for a pipe and one finished request that nobody has looked at yet.
 */
#include "workload.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ENTRIES 8
#define BYTES 64
#define FINISHED 0x1111
#define WAITING 0x2222
#define LATER 0x3333

static struct io_uring_params params;
static struct io_uring_sqe *entries;
static uint8_t *rings; /* both, with IORING_FEAT_SINGLE_MMAP */
static int ring, pipe_fds[2];
static uint8_t buffer[BYTES];

static volatile uint32_t *word(uint32_t offset)
{
	return (volatile uint32_t *)(rings + offset);
}

static void *map(size_t size, uint64_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, (off_t)offset);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static void make_ring(void)
{
	ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &params);
	if (ring < 0)
		die("io_uring_setup");
	if (!(params.features & IORING_FEAT_SINGLE_MMAP))
		die("IORING_FEAT_SINGLE_MMAP");
	rings = map(params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_SQ_RING);
	entries = map(ENTRIES * sizeof *entries, IORING_OFF_SQES);
}

/* One processor and one thread here: the kernel's side is what the barriers are for. */
static bool submit(uint8_t opcode, int fd, void *bytes, uint32_t size, uint64_t name)
{
	uint32_t tail = *word(params.sq_off.tail), index = tail & *word(params.sq_off.ring_mask);

	memset(&entries[index], 0, sizeof *entries);
	entries[index].opcode = opcode;
	entries[index].fd = fd;
	entries[index].addr = (uintptr_t)bytes;
	entries[index].len = size;
	entries[index].user_data = name;
	word(params.sq_off.array)[index] = index;
	__atomic_store_n(word(params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0) == 1;
}

static uint32_t completions(void)
{
	return __atomic_load_n(word(params.cq_off.tail), __ATOMIC_ACQUIRE) - *word(params.cq_off.head);
}

/* Take the next completion, waiting by naps. */
static void compare_completion(const char *what, uint64_t name, int32_t result)
{
	struct io_uring_cqe *all = (struct io_uring_cqe *)(rings + params.cq_off.cqes), got;
	uint32_t head = *word(params.cq_off.head);

	for (long ms = 0; !completions() && ms < wait_ms; ms += 2)
		sleep_ms(2);
	if (!completions()) {
		mismatch("%s: no completion", what);
		return;
	}
	got = all[head & *word(params.cq_off.ring_mask)];
	__atomic_store_n(word(params.cq_off.head), head + 1, __ATOMIC_RELEASE);
	if (got.user_data != name || got.res != result)
		mismatch("%s: completion of 0x%llx with %d", what, (unsigned long long)got.user_data, got.res);
}

static void describe(void)
{
	report_number("ring", (uint64_t)ring);
	report_number("completions", completions());
	report_number("submitted", *word(params.sq_off.tail));
	report_number("cloexec", (uint64_t)fcntl(ring, F_GETFD));
}

static void verify(void)
{
	uint8_t bytes[BYTES];

	compare_completion("finished request", FINISHED, 0);
	fill(bytes, BYTES, seed_for(1));
	if (write(pipe_fds[1], bytes, BYTES) != BYTES)
		mismatch("pipe: %s", strerror(errno));
	compare_completion("waiting read", WAITING, BYTES);
	compare_fill("waiting read", buffer, BYTES, seed_for(1));
	if (!submit(IORING_OP_NOP, -1, NULL, 0, LATER))
		mismatch("the ring takes no request: %s", strerror(errno));
	compare_completion("later request", LATER, 0);
}

static void damage_ring(void)
{
	close(ring);
}

static void damage_completion(void)
{
	*word(params.cq_off.head) += 1;
}

/* Another reader gets the bytes. */
static void damage_request(void)
{
	if (write(pipe_fds[1], buffer, BYTES) != BYTES)
		die("pipe");
}

int main(void)
{
	const struct damage damages[] = { { "ring", damage_ring },
					  { "completion", damage_completion },
					  { "request", damage_request },
					  { 0 } };

	witness_start();
	if (pipe2(pipe_fds, O_CLOEXEC))
		die("pipe2");
	make_ring();
	if (!submit(IORING_OP_NOP, -1, NULL, 0, FINISHED) ||
	    !submit(IORING_OP_READ, pipe_fds[0], buffer, BYTES, WAITING))
		die("io_uring_enter");
	serve(describe, verify, damages);
}
