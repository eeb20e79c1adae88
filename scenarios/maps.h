/* Memory mappings as a workload sees them: made, described by the flags of /proc/self/smaps, and touched with care. */
#pragma once

#include "workload.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096

/* The flags that a process chose or that follow from its choice, on every kernel alike; not accounting or dirt. */
#define CHOSEN_FLAGS " rd wr ex sh gd lo dc dd wf hg nh mg sr rr nr ht dp "

struct area {
	const char *name;
	uint8_t *at;
	size_t size;
	char flags[80];
};

static inline uint8_t *map_at(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	uint8_t *area = mmap(at, size, protection, flags, fd, offset);

	if (area == MAP_FAILED)
		die("mmap");
	return area;
}

static inline uint8_t *map_memory(size_t size, int flags)
{
	return map_at(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/* A mapping that no neighbour can be merged with: an inaccessible page lies on either side. */
static inline uint8_t *map_alone(size_t size, int flags)
{
	uint8_t *area = map_at(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + PAGE;

	return map_at(area, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);
}

static inline void keep_chosen(char *kept, size_t size, char *line)
{
	char *rest = NULL;

	kept[0] = '\0';
	for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		char wanted[8];

		snprintf(wanted, sizeof wanted, " %.4s ", word);
		if (!strstr(CHOSEN_FLAGS, wanted) || strlen(kept) + 4 > size)
			continue;
		if (kept[0])
			strcat(kept, " ");
		strcat(kept, word);
	}
}

/* Fill in the flags of every area, in one walk; an area that is not mapped has none. */
static inline void read_flags(struct area *areas, size_t count)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start = 0, end = 0, from, to;
	char line[512];

	if (!smaps)
		die("smaps");
	for (size_t i = 0; i < count; i++)
		areas[i].flags[0] = '\0';
	while (fgets(line, sizeof line, smaps)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			start = from;
			end = to;
		}
		if (strncmp(line, "VmFlags:", 8))
			continue;
		for (size_t i = 0; i < count; i++)
			if ((unsigned long)areas[i].at >= start && (unsigned long)areas[i].at < end) {
				char copy[sizeof line];

				strcpy(copy, line + 8);
				keep_chosen(areas[i].flags, sizeof areas[i].flags, copy);
			}
	}
	fclose(smaps);
}

static inline void report_areas(struct area *areas, size_t count)
{
	read_flags(areas, count);
	for (size_t i = 0; i < count; i++) {
		char name[64];

		snprintf(name, sizeof name, "%s_at", areas[i].name);
		report_number(name, (uint64_t)areas[i].at);
		snprintf(name, sizeof name, "%s_flags", areas[i].name);
		report_text(name, areas[i].flags);
	}
}

/* A value in kB of the mapping that holds the address, such as `Locked:`. */
static inline uint64_t smaps_value(const void *at, const char *name)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start, end, value, found = UINT64_MAX;
	bool inside = false;
	char line[512];

	if (!smaps)
		die("smaps");
	while (fgets(line, sizeof line, smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (unsigned long)at >= start && (unsigned long)at < end;
		else if (inside && !strncmp(line, name, strlen(name)) &&
			 sscanf(line + strlen(name), " %lu kB", &value) == 1)
			found = value;
	}
	fclose(smaps);
	return found;
}

/* How many pages of an area are in memory or in swap: a page that was never touched is in neither. */
static inline uint64_t populated(const uint8_t *at, size_t size)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry, count = 0;

	if (fd < 0)
		die("pagemap");
	for (size_t i = 0; i < size / PAGE; i++) {
		if (pread(fd, &entry, sizeof entry, (off_t)(((uint64_t)at / PAGE + i) * sizeof entry)) != sizeof entry)
			die("pagemap");
		count += (entry >> 62) != 0;
	}
	close(fd);
	return count;
}

static sigjmp_buf after_fault;

static inline void leave_fault(int number)
{
	siglongjmp(after_fault, number);
}

/* Read or write one byte; the signal that it costs, or 0. */
static inline int fault_of(volatile uint8_t *at, bool write)
{
	struct sigaction catch = { .sa_handler = leave_fault, .sa_flags = SA_NODEFER }, segv, bus;
	int number;

	sigaction(SIGSEGV, &catch, &segv);
	sigaction(SIGBUS, &catch, &bus);
	number = sigsetjmp(after_fault, 1);
	if (!number) {
		uint8_t byte = *at;

		if (write)
			*at = byte;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return number;
}

static inline void expect_fault(const char *what, uint8_t *at, bool write, int want)
{
	int number = fault_of(at, write);

	if (number != want)
		mismatch("%s: %s gives signal %d, expected %d", what, write ? "writing" : "reading", number, want);
}

/* What a new child says of its memory: the answer is its exit status, -1 if it cannot give one. */
static inline int ask_child(int (*question)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(question());
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static inline bool all_zero(const uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (at[i])
			return false;
	return true;
}
