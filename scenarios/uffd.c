/* A page that is filled when it is touched, by a thread that reads of the fault from a userfaultfd. */
#include "maps.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define SIZE ((size_t)4 * PAGE)

static int faults;
static struct area area = { .name = "area", .size = SIZE };
static volatile uint64_t filled;

static void *fill_on_demand(void *nothing)
{
	static uint8_t page[PAGE] __attribute__((aligned(PAGE)));
	struct uffd_msg message;

	while (read(faults, &message, sizeof message) == sizeof message) {
		struct uffdio_copy copy = { .dst = message.arg.pagefault.address & ~(uint64_t)(PAGE - 1),
					    .src = (uint64_t)page, .len = PAGE };

		fill(page, PAGE, seed_for((unsigned)(copy.dst - (uint64_t)area.at) / PAGE));
		filled++; /* first: the copy lets the other thread go on, and look */
		if (ioctl(faults, UFFDIO_COPY, &copy))
			die("UFFDIO_COPY");
	}
	return nothing;
}

/* Only the first page was touched before. */
static void verify(void)
{
	uint64_t before = filled;

	compare_fill("first page", area.at, PAGE, seed_for(0));
	compare_number("pages filled for what was there", filled - before, 0);
	compare_fill("second page", area.at + PAGE, PAGE, seed_for(1));
	compare_number("pages filled on demand", filled - before, 1);
}

static void describe(void)
{
	report_number("filled", filled);
	report_number("area", (uint64_t)area.at);
}

static void unregister(void)
{
	struct uffdio_range range = { (uint64_t)area.at, SIZE };

	if (ioctl(faults, UFFDIO_UNREGISTER, &range))
		die("UFFDIO_UNREGISTER");
}

static void change_byte(void)
{
	area.at[70] ^= 1;
}

static const struct damage damages[] = {
	{ "byte", change_byte },
	{ "unregistered", unregister },
	{ 0 },
};

int main(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register registration;
	pthread_t thread;

	witness_start();
	area.at = map_alone(SIZE, 0);
	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	registration = (struct uffdio_register){ .range = { (uint64_t)area.at, SIZE },
						 .mode = UFFDIO_REGISTER_MODE_MISSING };
	if (faults < 0 || ioctl(faults, UFFDIO_API, &api) || ioctl(faults, UFFDIO_REGISTER, &registration))
		die("userfaultfd");
	if (pthread_create(&thread, NULL, fill_on_demand, NULL) || fault_of(area.at, false))
		die("thread");
	serve(describe, verify, damages);
}
