/*
 * What every C workload shares: a witness of its own identity, questions from the lab, and a report about itself.
 *
 * The lab writes a word to the file `question` in the workload's directory and sends SIGUSR1; the workload answers
 * with `report.json`. SIGUSR1 stays blocked in every thread and is only ever taken by sigtimedwait, so that asking
 * interrupts nothing that is under test.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 5
#define MISMATCHES 16
#define IMPATIENT_MS 200

/* Made at start, kept in memory alone: a process that was started again cannot know it. */
struct witness {
	uint64_t nonce[2];
	uint64_t ticks;
	uint64_t chain; /* `ticks` steps of advance() from nonce[0]: the lab recomputes it */
	pid_t pid;
};

static struct witness witness;
static sigset_t question_signal;
static FILE *report;
static char mismatches[MISMATCHES][200];
static int mismatch_count;
static long wait_ms = 6000; /* for its own threads and children; a guest may be slow, a self-test is not */

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

/* One step of a full-period generator (Knuth's MMIX constants); harness.witness knows the same one. */
static inline uint64_t advance(uint64_t state)
{
	return state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
}

static inline void random_bytes(void *bytes, size_t size)
{
	if (getrandom(bytes, size, 0) != (ssize_t)size)
		die("getrandom");
}

/* Call before any thread or child is made, so that all of them inherit the blocked signal. */
static inline void witness_start(void)
{
	random_bytes(witness.nonce, sizeof witness.nonce);
	witness.chain = witness.nonce[0];
	witness.pid = getpid();
	sigemptyset(&question_signal);
	sigaddset(&question_signal, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &question_signal, NULL))
		die("sigprocmask");
}

/* Bytes that follow from `seed` alone. Every part under test gets a seed of its own from seed_for(). */
static inline void fill(void *bytes, size_t size, uint64_t seed)
{
	uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++) {
		seed = advance(seed);
		at[i] = (uint8_t)(seed >> 56);
	}
}

static inline uint64_t seed_for(unsigned part)
{
	return advance(witness.nonce[1] ^ (UINT64_C(0x9e3779b97f4a7c15) * (part + 1)));
}

/* FNV-1a, 64 bits: enough to notice any accident. */
static inline uint64_t hash(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t value = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		value = (value ^ at[i]) * UINT64_C(0x100000001b3);
	return value;
}

static inline void sleep_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

/* A nap that ends at once when there is something to read: waiting for a peer costs no more than the peer does. */
static inline void nap_until_readable(int fd)
{
	struct pollfd wanted = { fd, POLLIN, 0 };

	poll(&wanted, 1, 2);
}

/* Up to so many bytes from a socket, within wait_ms: as many as came. */
static inline size_t receive(int fd, void *bytes, size_t size)
{
	size_t got = 0;

	for (long ms = 0; got < size && ms < wait_ms;) {
		ssize_t count = recv(fd, (uint8_t *)bytes + got, size - got, MSG_DONTWAIT);

		if (count > 0) {
			got += (size_t)count;
			continue;
		}
		if (count == 0 || (errno != EAGAIN && errno != EINTR))
			break;
		nap_until_readable(fd);
		ms += 2;
	}
	return got;
}

/* For a thread that never sleeps: any other thread goes first, so one slow processor is enough for all. */
static inline void run_last(void)
{
	const struct sched_param none = { 0 };

	if (sched_setscheduler(0, SCHED_IDLE, &none))
		die("sched_setscheduler");
}

/* Wait until the value is reached, by counting naps: a clock that jumps must not decide how long this takes. */
static inline bool reaches(const volatile uint64_t *value, uint64_t wanted)
{
	for (int ms = 0; ms < wait_ms && *value < wanted; ms += 2)
		sleep_ms(2);
	return *value >= wanted;
}

/* The same of a thread that runs last, which on a busy machine may not run at all for a while. */
static inline bool reaches_at_last(const volatile uint64_t *value, uint64_t wanted)
{
	for (int i = 0; i < 5; i++)
		if (reaches(value, wanted))
			return true;
	return false;
}

/*
 * Note that something is not as it was. Text is ours: no quotes, no control characters. Once something is wrong, other
 * things may never come either: waiting long for each of them would outlast the lab's deadline, and the report with it.
 */
__attribute__((format(printf, 1, 2))) static inline void mismatch(const char *format, ...)
{
	va_list args;

	if (wait_ms > IMPATIENT_MS)
		wait_ms = IMPATIENT_MS;
	if (mismatch_count == MISMATCHES)
		return;
	va_start(args, format);
	vsnprintf(mismatches[mismatch_count++], sizeof mismatches[0], format, args);
	va_end(args);
}

static inline void compare(const char *what, const void *got, const void *want, size_t size)
{
	const uint8_t *left = got, *right = want;

	for (size_t i = 0; i < size; i++) {
		if (left[i] == right[i])
			continue;
		mismatch("%s: byte %zu of %zu is 0x%02x, expected 0x%02x", what, i, size, left[i], right[i]);
		return;
	}
}

static inline void compare_fill(const char *what, const void *got, size_t size, uint64_t seed)
{
	uint8_t *want = malloc(size);

	if (!want)
		die("malloc");
	fill(want, size, seed);
	compare(what, got, want, size);
	free(want);
}

static inline void compare_number(const char *what, uint64_t got, uint64_t want)
{
	if (got != want)
		mismatch("%s: is %" PRIu64 ", expected %" PRIu64, what, got, want);
}

static inline void report_number(const char *name, uint64_t value)
{
	fprintf(report, ", \"%s\": %" PRIu64, name, value);
}

static inline void report_text(const char *name, const char *value)
{
	fprintf(report, ", \"%s\": \"%s\"", name, value);
}

static inline void report_hash(const char *name, const void *bytes, size_t size)
{
	fprintf(report, ", \"%s\": \"%016" PRIx64 "\"", name, hash(bytes, size));
}

/* The file is only open while a report is written, so it is never part of the dumped state. */
static inline void report_open(void)
{
	report = fopen("report.json.new", "we");
	if (!report)
		die("report.json.new");
	fprintf(report, "{\"pid\": %d, \"remembered_pid\": %d, \"nonce\": \"%016" PRIx64 "%016" PRIx64 "\"", getpid(),
		witness.pid, witness.nonce[0], witness.nonce[1]);
	report_number("ticks", witness.ticks);
	report_number("chain", witness.chain);
}

static inline void report_close(void)
{
	fprintf(report, ", \"mismatches\": [");
	for (int i = 0; i < mismatch_count; i++)
		fprintf(report, "%s\"%s\"", i ? ", " : "", mismatches[i]);
	fprintf(report, "]}\n");
	mismatch_count = 0;
	if (fclose(report) || rename("report.json.new", "report.json"))
		die("report.json");
}

/* Tell the lab that the state to be dumped has been reached. */
static inline void ready(void)
{
	int fd = open("ready", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0 || close(fd))
		die("ready");
	/* a self-test is impatient, but not with the set-up: the machine may be busy */
	if (getenv("WAIT_MS"))
		wait_ms = atol(getenv("WAIT_MS"));
}

static inline const char *read_question(void)
{
	static char question[64];
	FILE *file = fopen("question", "re");

	if (!file || !fgets(question, sizeof question, file))
		die("question");
	fclose(file);
	return question;
}

/* Tick until the lab asks; return what it asked. */
static inline const char *next_question(void)
{
	const struct timespec tick = { 0, TICK_MS * 1000000 };

	for (;;) {
		witness.ticks++;
		witness.chain = advance(witness.chain);
		if (sigtimedwait(&question_signal, NULL, &tick) == SIGUSR1)
			return read_question();
		if (errno != EAGAIN && errno != EINTR)
			die("sigtimedwait");
	}
}

/* One way to damage the state on purpose; the module's CORRUPTIONS has the same name. */
struct damage {
	const char *name;
	void (*inflict)(void);
};

/*
 * Say that the state has been reached, then answer the lab for ever. `describe` reports facts that must not change
 * and changes nothing; `verify` compares, and may consume what is under test; `damages` ends with an empty one.
 */
__attribute__((noreturn)) static inline void serve(void (*describe)(void), void (*verify)(void),
						   const struct damage *damages)
{
	ready();
	for (;;) {
		const char *question = next_question();

		if (!strncmp(question, "corrupt ", 8)) {
			const struct damage *damage = damages;

			while (damage->name && strcmp(damage->name, question + 8))
				damage++;
			if (!damage->name)
				die(question);
			damage->inflict();
		}
		report_open();
		describe();
		if (!strcmp(question, "check"))
			verify();
		report_close();
	}
}
