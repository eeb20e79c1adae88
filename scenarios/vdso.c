/*
 * Symbols of the vDSO, called through addresses that were looked up before the dump: a program keeps them for ever,
 * while each kernel has a vDSO of its own. The arguments name the symbols, without `__vdso_`.
 */
#include "workload.h"

#include <elf.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define PATIENCE_S 5 /* of processor time: a foreign vDSO may wait for ever for a page that nobody writes any more */

struct vgetrandom_parameters {
	uint32_t size, protection, flags, reserved[13];
};

static int (*clock_gettime_of_vdso)(clockid_t, struct timespec *);
static int (*clock_getres_of_vdso)(clockid_t, struct timespec *);
static int (*gettimeofday_of_vdso)(struct timeval *, void *);
static time_t (*time_of_vdso)(time_t *);
static long (*getcpu_of_vdso)(unsigned *, unsigned *, void *);
static ssize_t (*getrandom_of_vdso)(void *, size_t, unsigned, void *, size_t);
static uint8_t *random_state;
static struct vgetrandom_parameters random_parameters;
static uint64_t offset; /* nothing but the self-test makes it other than 0 */
static char symbols[512];

static void *find(const char *name)
{
	const uint8_t *base = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *segment = (const Elf64_Phdr *)(base + header->e_phoff);
	const Elf64_Shdr *section = (const Elf64_Shdr *)(base + header->e_shoff);
	uint64_t bias = 0;
	void *found = NULL;

	for (unsigned i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD)
			bias = segment[i].p_offset - segment[i].p_vaddr;
	for (unsigned i = 0; i < header->e_shnum; i++) {
		const Elf64_Sym *symbol = (const Elf64_Sym *)(base + section[i].sh_offset);
		const char *strings;

		if (section[i].sh_type != SHT_DYNSYM)
			continue;
		strings = (const char *)base + section[section[i].sh_link].sh_offset;
		for (size_t j = 1; j < section[i].sh_size / sizeof *symbol; j++)
			if (!strcmp(strings + symbol[j].st_name, name))
				found = (void *)(base + bias + symbol[j].st_value);
	}
	return found;
}

static void *look_up(const char *name)
{
	char symbol[64];
	void *found;

	snprintf(symbol, sizeof symbol, "__vdso_%s", name);
	found = find(symbol);
	if (!found)
		die(symbol);
	strcat(strcat(symbols, symbols[0] ? " " : ""), name);
	return found;
}

static sigjmp_buf after_fault;

static void leave(int number)
{
	siglongjmp(after_fault, number);
}

/* Call what may crash or never return. */
static void survives(const char *name, void (*call)(void))
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGVTALRM };
	const struct itimerval patience = { .it_value.tv_sec = PATIENCE_S }, none = { 0 };
	struct sigaction action = { .sa_handler = leave, .sa_flags = SA_NODEFER };
	int number;

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigaction(faults[i], &action, NULL);
	setitimer(ITIMER_VIRTUAL, &patience, NULL);
	number = sigsetjmp(after_fault, 1);
	if (!number)
		call();
	setitimer(ITIMER_VIRTUAL, &none, NULL);
	action.sa_handler = SIG_DFL;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigaction(faults[i], &action, NULL);
	if (number)
		mismatch("%s: died of %s", name, number == SIGVTALRM ? "endless waiting" : strsignal(number));
}

static int64_t nanoseconds(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* What the vDSO says lies between what two system calls say. */
static bool lies_between(clockid_t clock, int64_t (*ask)(clockid_t), int64_t unit)
{
	struct timespec before, after;
	int64_t said;

	syscall(SYS_clock_gettime, clock, &before);
	said = ask(clock) + (int64_t)offset * 1000000000;
	syscall(SYS_clock_gettime, clock, &after);
	return said >= nanoseconds(&before) / unit * unit && said <= nanoseconds(&after);
}

static int64_t ask_clock(clockid_t clock)
{
	struct timespec now = { 0 };

	return clock_gettime_of_vdso(clock, &now) ? -1 : nanoseconds(&now);
}

static int64_t ask_timeofday(clockid_t clock)
{
	struct timeval now = { 0 };

	(void)clock;
	return gettimeofday_of_vdso(&now, NULL) ? -1 : (int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_usec * 1000;
}

static int64_t ask_time(clockid_t clock)
{
	(void)clock;
	return (int64_t)time_of_vdso(NULL) * 1000000000;
}

static void call_clock_gettime(void)
{
	static const struct {
		clockid_t clock;
		const char *name;
	} clocks[] = { { CLOCK_MONOTONIC, "MONOTONIC" },       { CLOCK_REALTIME, "REALTIME" },
		       { CLOCK_BOOTTIME, "BOOTTIME" },	       { CLOCK_MONOTONIC_RAW, "MONOTONIC_RAW" },
		       { CLOCK_MONOTONIC_COARSE, "MONOTONIC_COARSE" }, { CLOCK_REALTIME_COARSE, "REALTIME_COARSE" },
		       { CLOCK_TAI, "TAI" },		       { CLOCK_PROCESS_CPUTIME_ID, "PROCESS_CPUTIME_ID" } };

	for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
		if (!lies_between(clocks[i].clock, ask_clock, 1))
			mismatch("clock_gettime: CLOCK_%s is not what the kernel says", clocks[i].name);
}

static void call_clock_getres(void)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_MONOTONIC_COARSE };

	for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
		struct timespec said = { -1, -1 }, wanted = { 0 };

		syscall(SYS_clock_getres, clocks[i], &wanted);
		if (clock_getres_of_vdso(clocks[i], &said) ||
		    nanoseconds(&said) + (int64_t)offset != nanoseconds(&wanted))
			mismatch("clock_getres: clock %d has not the resolution that the kernel says", clocks[i]);
	}
}

static void call_gettimeofday(void)
{
	if (!lies_between(CLOCK_REALTIME, ask_timeofday, 1000))
		mismatch("gettimeofday: is not what the kernel says");
}

/* CLOCK_REALTIME_COARSE and time() are both as old as the last tick. */
static void call_time(void)
{
	if (!lies_between(CLOCK_REALTIME_COARSE, ask_time, 1000000000))
		mismatch("time: is not what the kernel says");
}

static void call_getcpu(void)
{
	unsigned cpu = 4711, node = 4711;
	cpu_set_t allowed;

	if (getcpu_of_vdso(&cpu, &node, NULL) || sched_getaffinity(0, sizeof allowed, &allowed))
		mismatch("getcpu: failed");
	else if (!CPU_ISSET(cpu + offset * CPU_SETSIZE / 2, &allowed) || node > 1023)
		mismatch("getcpu: cpu %u, node %u: this process may not be there", cpu, node);
}

/* 32 bytes thrice: no two alike, none empty. The C library calls the same symbol in getrandom(). */
static void call_getrandom(void)
{
	uint8_t bytes[3][32] = { 0 };
	static const uint8_t nothing[32];

	for (int i = 0; i < 2; i++)
		if (getrandom_of_vdso(bytes[i], 32, 0, random_state, random_parameters.size) != 32)
			mismatch("getrandom: failed");
	if (offset)
		memcpy(bytes[1], bytes[0], 32);
	if (getrandom(bytes[2], 32, 0) != 32)
		mismatch("getrandom of the C library: failed");
	for (int i = 0; i < 3; i++)
		if (!memcmp(bytes[i], nothing, 32) || !memcmp(bytes[i], bytes[(i + 1) % 3], 32))
			mismatch("getrandom: bytes %d are nothing, or the same once more", i);
}

static void start_random(void)
{
	if (getrandom_of_vdso(NULL, 0, 0, &random_parameters, ~(size_t)0) != 0)
		die("vgetrandom parameters");
	random_state = mmap(NULL, random_parameters.size, (int)random_parameters.protection,
			    (int)random_parameters.flags, -1, 0);
	if (random_state == MAP_FAILED)
		die("vgetrandom state");
}

static void verify(void)
{
	if (clock_gettime_of_vdso)
		survives("clock_gettime", call_clock_gettime);
	if (clock_getres_of_vdso)
		survives("clock_getres", call_clock_getres);
	if (gettimeofday_of_vdso)
		survives("gettimeofday", call_gettimeofday);
	if (time_of_vdso)
		survives("time", call_time);
	if (getcpu_of_vdso)
		survives("getcpu", call_getcpu);
	if (getrandom_of_vdso)
		survives("getrandom", call_getrandom);
}

static void describe(void)
{
	report_text("symbols", symbols);
	report_number("vdso", getauxval(AT_SYSINFO_EHDR));
}

static void lie(void)
{
	offset = 1;
}

static void unmap(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	while (maps && fgets(line, sizeof line, maps))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx ", &start, &end) == 2)
			if (munmap((void *)start, end - start))
				die("munmap");
	fclose(maps);
}

static const struct damage damages[] = {
	{ "wrong", lie },
	{ "gone", unmap },
	{ 0 },
};

static void take(const char *name)
{
	void *found = look_up(name);

	if (!strcmp(name, "clock_gettime"))
		clock_gettime_of_vdso = found;
	else if (!strcmp(name, "clock_getres"))
		clock_getres_of_vdso = found;
	else if (!strcmp(name, "gettimeofday"))
		gettimeofday_of_vdso = found;
	else if (!strcmp(name, "time"))
		time_of_vdso = found;
	else if (!strcmp(name, "getcpu"))
		getcpu_of_vdso = found;
	else if (!strcmp(name, "getrandom"))
		getrandom_of_vdso = found;
}

int main(int argc, char **argv)
{
	witness_start();
	for (int i = 1; i < argc; i++)
		take(argv[i]);
	if (getrandom_of_vdso)
		start_random();
	verify(); /* what does not hold here would say nothing of the move */
	if (mismatch_count)
		die(mismatches[0]);
	serve(describe, verify, damages);
}
