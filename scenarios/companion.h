/*
 * A second process that does what it is told: it inherits what there is at its start, and sees files, locks and IPC
 * objects as somebody else does. Orders and answers go through shared anonymous memory, so that no descriptor is in
 * play. It lives in the workload's own session and is part of the dumped tree.
 */
#pragma once

#include "workload.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct companion {
	volatile uint64_t asked, answered; /* orders given, orders carried out */
	volatile uint64_t order;
	volatile int64_t answer;
	char mismatches[MISMATCHES][200];
	int mismatch_count;
	pid_t pid;
};

typedef int64_t (*companion_obeys)(unsigned order);

__attribute__((noreturn)) static inline void companion_run(struct companion *self, companion_obeys obeys)
{
	for (;; sleep_ms(2)) {
		if (self->asked == self->answered)
			continue;
		self->answer = obeys((unsigned)self->order);
		memcpy(self->mismatches, mismatches, sizeof mismatches);
		self->mismatch_count = mismatch_count;
		mismatch_count = 0;
		self->answered++;
	}
}

/* Shared memory that outlives a fork; what is written in it both sides see. */
static inline void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

static inline struct companion *companion_start(companion_obeys obeys)
{
	struct companion *made = shared_memory(sizeof *made);
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0)
		companion_run(made, obeys);
	made->pid = pid;
	return made;
}

/* What it answers, INT64_MIN if it does not; what it found wrong becomes this process's finding. */
static inline int64_t companion_does(struct companion *it, unsigned order)
{
	it->order = order;
	it->asked++;
	if (!reaches(&it->answered, it->asked)) {
		mismatch("the companion does not do what it is told");
		return INT64_MIN;
	}
	for (int i = 0; i < it->mismatch_count; i++)
		mismatch("companion: %.150s", it->mismatches[i]);
	return it->answer;
}

static inline void companion_must(struct companion *it, unsigned order, const char *what)
{
	if (companion_does(it, order))
		die(what);
}

static inline void companion_compare_parent(const struct companion *it)
{
	if (waitpid(it->pid, NULL, WNOHANG) != 0)
		mismatch("the companion is not this process's child any more");
}

/* The system call that a process is in, -1 if it is in none. */
static inline long call_of(pid_t pid)
{
	char path[40], line[64] = "";
	FILE *file;
	long number = -1;

	snprintf(path, sizeof path, "/proc/%d/syscall", pid);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof line, file))
		sscanf(line, "%ld", &number);
	if (file)
		fclose(file);
	return number;
}

/* After a restore a process may need a moment to get back into its system call. */
static inline bool waits_in(pid_t pid, long call)
{
	for (long ms = 0; ms < wait_ms; ms += 2) {
		if (call_of(pid) == call)
			return true;
		sleep_ms(2);
	}
	return false;
}
