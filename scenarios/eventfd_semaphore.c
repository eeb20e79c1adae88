/* An eventfd that is a semaphore: each read takes one from its count, and not the whole of it. */
#include "workload.h"

#include <sys/eventfd.h>

#define COUNT 3

static int fd;

static void verify(void)
{
	eventfd_t value = 0;

	for (int nth = 0; nth < COUNT; nth++)
		if (eventfd_read(fd, &value))
			mismatch("semaphore: only %d of %d can be taken", nth, COUNT);
		else if (value != 1)
			mismatch("semaphore: a read took %" PRIu64, value);
	if (eventfd_read(fd, &value) != -1 || errno != EAGAIN)
		mismatch("semaphore: more can be taken than were left");
}

static void describe(void)
{
	report_number("flags", (uint64_t)fcntl(fd, F_GETFL));
}

static void take(void)
{
	eventfd_t value;

	eventfd_read(fd, &value);
}

static void give(void)
{
	eventfd_write(fd, 1);
}

static void replace(void)
{
	int counter = eventfd(COUNT, EFD_NONBLOCK);

	dup2(counter, fd);
	close(counter);
}

static const struct damage damages[] = { { "taken", take }, { "given", give }, { "counter", replace }, { 0 } };

int main(void)
{
	witness_start();
	fd = eventfd(COUNT, EFD_NONBLOCK | EFD_SEMAPHORE);
	if (fd < 0)
		die("eventfd");
	serve(describe, verify, damages);
}
