/*
 * The surface's probe: asks a kernel for each interface that CRIU leans on, without CRIU.
 *
 * Numbers of calls and options are written out where they are younger than 5.0: the host's headers need not know
 * them, and an interface must be asked for by the number under which every kernel would know it.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROBE_ARGUMENTS 6
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct probe {
	const char *id; /* as in catalogue.yaml */
	void (*run)(const long *a);
	long a[PROBE_ARGUMENTS];
};

/* Each ends with an entry without an id. */
extern const struct probe syscall_probes[];
extern const struct probe process_probes[];
extern const struct probe ptrace_probes[];
extern const struct probe socket_probes[];
extern const struct probe netlink_probes[];
extern const struct probe proc_probes[];
extern const struct probe counter_probes[];
extern const struct probe fd_probes[];
extern const struct probe memory_probes[];
extern const struct probe behaviour_probes[];

/* A probe says one result, and a value if it has one. It may end its process. */
void result(long returned); /* negative: the name of errno; else ok */
void answer(const char *word);
void number(long long value);
void text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void item(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A step without which the question cannot be put: the probe ends with "unasked" and the reason as its value. */
void need(bool good, const char *step);

ssize_t slurp(const char *path, char *buffer, size_t size);
long spill(const char *path, const char *data);
pid_t sleeper(void);
void lines_before_colon(char *text);
bool all_digits(const char *word);

#endif
