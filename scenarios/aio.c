/* Asynchronous input and output: contexts with events in their rings that nobody has fetched yet. */
#include "workload.h"

#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#define EVENTS 5
#define SIZE 4096

static aio_context_t context, turned; /* the second one's ring has been gone round */
static int file, told;
static uint8_t buffers[EVENTS][SIZE];

static void submit(aio_context_t where, unsigned index, int tell)
{
	struct iocb request = { .aio_data = 1000 + index, .aio_lio_opcode = IOCB_CMD_PREAD,
				.aio_fildes = (uint32_t)file, .aio_buf = (uint64_t)buffers[index], .aio_nbytes = SIZE,
				.aio_offset = (int64_t)index * SIZE };
	struct iocb *requests[] = { &request };

	if (tell >= 0) {
		request.aio_flags = IOCB_FLAG_RESFD;
		request.aio_resfd = (uint32_t)tell;
	}
	if (syscall(SYS_io_submit, where, 1L, requests) != 1)
		die("io_submit");
}

/* Events that are there; none is waited for longer than that takes. */
static long fetch(aio_context_t where, struct io_event *events, long count)
{
	const struct timespec none = { 0 };

	return syscall(SYS_io_getevents, where, 0L, count, events, &none);
}

static bool all_done(aio_context_t where, unsigned wanted)
{
	struct ring {
		uint32_t id, count, head, tail;
	} *ring = (struct ring *)where;

	for (int ms = 0; ms < wait_ms; ms += 2) {
		if ((ring->tail + ring->count - ring->head) % ring->count == wanted)
			return true;
		sleep_ms(2);
	}
	return false;
}

static void make(void)
{
	uint8_t bytes[EVENTS * SIZE];
	struct io_event event;

	fill(bytes, sizeof bytes, seed_for(1));
	file = open("data", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);
	told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (file < 0 || told < 0 || write(file, bytes, sizeof bytes) != sizeof bytes)
		die("data");
	if (syscall(SYS_io_setup, 8, &context) || syscall(SYS_io_setup, 4, &turned))
		die("io_setup");
	for (unsigned i = 0; i < EVENTS; i++)
		submit(context, i, i == 2 ? told : -1);
	for (unsigned i = 0; i < 300; i++) {
		submit(turned, i % EVENTS, -1);
		if (!all_done(turned, 1) || fetch(turned, &event, 1) != 1)
			die("io_getevents");
	}
	submit(turned, 4, -1);
	submit(turned, 3, -1);
	if (!all_done(context, EVENTS) || !all_done(turned, 2))
		die("events");
}

static void compare_events(const char *what, aio_context_t where, const unsigned *order, long count)
{
	struct io_event events[8] = { 0 };
	long got = fetch(where, events, 8);

	if (got != count)
		mismatch("%s: %ld events, expected %ld (%s)", what, got, count, got < 0 ? strerror(errno) : "fetched");
	for (long i = 0; i < got && i < count; i++) {
		compare_number(what, events[i].data, 1000 + order[i]);
		compare_number(what, (uint64_t)events[i].res, SIZE);
	}
}

/* The events of old, then a new one that must land in memory and be told of. */
static void verify(void)
{
	static const unsigned in_order[] = { 0, 1, 2, 3, 4 }, crossed[] = { 4, 3 }, again[] = { 1 };
	uint64_t count = 0;

	compare_events("first context", context, in_order, EVENTS);
	compare_events("context that went round", turned, crossed, 2);
	for (unsigned i = 0; i < EVENTS; i++) {
		uint8_t want[EVENTS * SIZE];

		fill(want, sizeof want, seed_for(1));
		compare("what was read", buffers[i], want + i * SIZE, SIZE);
	}
	if (read(told, &count, sizeof count) != sizeof count || count != 1)
		mismatch("eventfd: %" PRIu64 ", expected 1", count);
	memset(buffers[1], 0, SIZE);
	submit(turned, 1, told);
	if (!all_done(turned, 1))
		mismatch("new request: is not done");
	compare_events("new request", turned, again, 1);
	if (read(told, &count, sizeof count) != sizeof count || count != 1)
		mismatch("new request: the eventfd does not tell");
	if (syscall(SYS_io_destroy, context) || syscall(SYS_io_destroy, turned))
		mismatch("contexts: cannot be destroyed: %s", strerror(errno));
}

static void describe(void)
{
	report_number("first_context", context);
	report_number("second_context", turned);
	report_hash("buffers", buffers, sizeof buffers);
}

static void lose_event(void)
{
	struct io_event event;

	fetch(context, &event, 1);
}

static void swap_events(void)
{
	struct io_event events[8];

	fetch(turned, events, 8);
	submit(turned, 3, -1);
	submit(turned, 4, -1);
}

static void destroy(void)
{
	if (syscall(SYS_io_destroy, context))
		die("io_destroy");
}

static void reset_told(void)
{
	uint64_t count;

	if (read(told, &count, sizeof count) != sizeof count)
		die("eventfd");
}

static const struct damage damages[] = {
	{ "lost", lose_event },
	{ "order", swap_events },
	{ "destroyed", destroy },
	{ "untold", reset_told },
	{ 0 },
};

int main(void)
{
	witness_start();
	make();
	serve(describe, verify, damages);
}
