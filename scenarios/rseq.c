/*
 * Restartable sequences: an area registered with the kernel, and a thread that stands inside a critical section when it
 * is dumped. `rseq c-library` takes the areas that the C library registered, `rseq own` registers its own.
 */
#include "workload.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#define OWN_SIZE 32 /* the first one's, which every kernel takes */
#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif
#define UNREGISTER 1

struct area {
	volatile uint32_t cpu_id_start, cpu_id;
	volatile uint64_t section;
	uint32_t flags, rest[3];
} __attribute__((aligned(32)));

static bool own;
static struct area own_areas[2]; /* the main thread's, the worker's */
static struct area *areas[2];
static uint32_t size;
static pthread_t worker;
static volatile uint64_t entered, aborted, disobey, disobeyed;

static long rseq(struct area *area, uint32_t length, int flags)
{
	return syscall(SYS_rseq, area, length, flags, RSEQ_SIG);
}

/* A registration that exists is refused in one way, and only if address, length and signature are its own. */
static bool is_registered(struct area *area, uint32_t length)
{
	return rseq(area, length, 0) == -1 && errno == EBUSY;
}

static struct area *take_area(unsigned index)
{
	const uint32_t sizes[] = { 32, (uint32_t)getauxval(AT_RSEQ_FEATURE_SIZE), 64, __rseq_size };
	struct area *area = (struct area *)((char *)__builtin_thread_pointer() + __rseq_offset);

	if (own) {
		area = &own_areas[index];
		if (rseq(area, OWN_SIZE, 0))
			die("rseq");
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes && !size; i++)
		if (sizes[i] && is_registered(area, sizes[i]))
			size = sizes[i];
	if (!size)
		die("no area is registered");
	return area;
}

/* Stay inside a critical section until the kernel aborts it, as it does at a signal or when another thread runs. */
static void be_aborted(struct area *area)
{
	static const volatile uint64_t never = 0;

	asm volatile(".pushsection .data.rel.ro, \"aw\"\n"
		     ".balign 32\n"
		     "3: .long 0, 0\n"
		     ".quad 1f, 2f - 1f, 4f\n"
		     ".popsection\n"
		     "leaq 3b(%%rip), %%rax\n"
		     "incq %[entered]\n"
		     "movq %%rax, %[section]\n"
		     "1: cmpq $0, %[never]\n"
		     "je 1b\n"
		     "2: jmp 5f\n"
		     ".byte 0x0f, 0xb9, 0x3d\n"
		     ".long %c[signature]\n"
		     "4: incq %[aborted]\n"
		     "5:\n"
		     : [entered] "+m"(entered), [aborted] "+m"(aborted), [section] "=m"(area->section)
		     : [never] "m"(never), [signature] "i"(RSEQ_SIG)
		     : "rax", "memory", "cc");
}

static void nothing_to_do(int number)
{
	(void)number;
}

static void *work(void *nothing)
{
	run_last();
	areas[1] = take_area(1);
	for (;;) {
		if (disobey && !disobeyed) {
			if (rseq(areas[1], size, UNREGISTER))
				die("unregister");
			disobeyed = 1;
		}
		be_aborted(areas[1]);
	}
	return nothing;
}

/* A signal must abort the section that the worker is in; without a registration it would go on in it for ever. */
static bool aborts(void)
{
	uint64_t before = aborted;

	for (int ms = 0; ms < 5 * wait_ms && aborted == before; ms += 2) {
		pthread_kill(worker, SIGUSR2);
		sleep_ms(2);
	}
	return aborted > before;
}

/* The number that the kernel keeps in the area is this processor's; asked until both are asked on one. */
static void compare_cpu(void)
{
	unsigned cpu = 0, seen = 0;

	for (int i = 0; i < 1000; i++) {
		seen = areas[0]->cpu_id;
		if (syscall(SYS_getcpu, &cpu, NULL, NULL))
			die("getcpu");
		if (cpu == seen && areas[0]->cpu_id_start == seen)
			return;
	}
	mismatch("the area says processor %u, the kernel says %u", seen, cpu);
}

static void verify(void)
{
	if (!is_registered(areas[0], size))
		mismatch("the main thread's area is not registered");
	if (!aborts() || !aborts())
		mismatch("the worker's critical section is not aborted");
	else if (aborted > entered)
		mismatch("more sections were aborted than entered");
	compare_cpu();
}

static void describe(void)
{
	report_number("main_area", (uint64_t)areas[0]);
	report_number("worker_area", (uint64_t)areas[1]);
	report_number("size", size);
}

static void unregister(void)
{
	if (rseq(areas[0], size, UNREGISTER))
		die("unregister");
}

static void unregister_worker(void)
{
	disobey = 1;
	for (int ms = 0; ms < 5 * wait_ms && !disobeyed; ms += 2) {
		pthread_kill(worker, SIGUSR2);
		sleep_ms(2);
	}
}

static void register_elsewhere(void)
{
	static struct area other;

	unregister();
	if (rseq(&other, size <= sizeof other ? size : sizeof other, 0))
		die("rseq");
}

static const struct damage damages[] = {
	{ "unregistered", unregister },
	{ "worker", unregister_worker },
	{ "elsewhere", register_elsewhere },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = nothing_to_do, .sa_flags = SA_RESTART };

	witness_start();
	own = argc > 1 && !strcmp(argv[1], "own");
	sigaction(SIGUSR2, &action, NULL);
	areas[0] = take_area(0);
	if (pthread_create(&worker, NULL, work, NULL) || !reaches_at_last(&entered, 1) || !aborts())
		die("worker");
	serve(describe, verify, damages);
}
