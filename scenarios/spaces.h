/*
 * What the workloads about namespaces share: small files under /proc and /sys, and a child that looks at the same
 * namespace from a second process.
 */
#pragma once

#include "workload.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define TEXT 256

static inline void enter_new(int flags)
{
	if (unshare(flags))
		die("unshare");
}

/* For a self-test: out of the namespace under test, into the one of whoever started it. */
static inline void join_starter(const char *kind, int flag)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/ns/%s", getppid(), kind);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, flag) || close(fd))
		die(path);
}

/*
 * Only a child can be the first process of a new pid namespace. The starter leaves its pid, as it is outside, in the
 * file `pid` and ends when the state has been reached. `prepare` brings the starter into the namespace.
 */
static inline void start_as_init(void (*prepare)(void))
{
	pid_t init;
	FILE *file;

	prepare();
	init = fork();
	if (init < 0)
		die("fork");
	if (init == 0) {
		if (setsid() < 0)
			die("setsid");
		return;
	}
	file = fopen("pid", "we");
	if (!file || fprintf(file, "%d\n", init) < 0 || fclose(file))
		die("pid");
	while (access("ready", F_OK))
		if (waitpid(init, NULL, WNOHANG))
			die("the first process has ended");
		else
			sleep_ms(2);
	exit(0);
}

/* Write a setting in one write, as the kernel wants it. Returns whether it was taken. */
__attribute__((format(printf, 2, 3))) static inline bool put_text(const char *path, const char *format, ...)
{
	char text[TEXT];
	va_list args;
	ssize_t done;
	int fd, size;

	va_start(args, format);
	size = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, text, (size_t)size);
	return !close(fd) && done == size;
}

/* Runs of space become one, so that the text fits into a report. Empty if there is no such file. */
static inline const char *get_text(const char *path)
{
	static char text[4][TEXT];
	static unsigned turn;
	char raw[TEXT], *to = text[turn = (turn + 1) % 4];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? 0 : read(fd, raw, sizeof raw - 1);
	size_t length = 0;

	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < size; i++) {
		bool space = raw[i] <= ' ' || raw[i] == '"' || raw[i] == '\\';

		if (!space)
			to[length++] = raw[i];
		else if (length && to[length - 1] != ' ')
			to[length++] = ' ';
	}
	while (length && to[length - 1] == ' ')
		length--;
	to[length] = '\0';
	return to;
}

static inline void compare_text(const char *what, const char *got, const char *want)
{
	if (strcmp(got, want))
		mismatch("%s: is '%.60s', expected '%.60s'", what, got, want);
}

/* The child's page: nothing else is between the two but what is under test. */
struct partner {
	volatile uint64_t asked;
	volatile uint64_t answered;
	unsigned question;
	long patience; /* a child that waits for what never comes must say so while its parent still listens */
	char text[TEXT];
};

static struct partner *partner;
static pid_t partner_pid;

/* The child of this process answers its questions with text, from where `answer` looks, for ever. */
static inline void start_partner(void (*settle)(void), void (*answer)(unsigned question, char *text))
{
	partner = mmap(NULL, sizeof *partner, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (partner == MAP_FAILED)
		die("mmap");
	partner_pid = fork();
	if (partner_pid < 0)
		die("fork");
	if (partner_pid == 0) {
		if (settle)
			settle();
		partner->answered = 1;
		for (;;) {
			if (partner->asked > partner->answered) {
				wait_ms = partner->patience;
				answer(partner->question, partner->text);
				partner->answered = partner->asked;
			}
			sleep_ms(2);
		}
	}
	partner->asked = 1;
	if (!reaches(&partner->answered, 1))
		die("the child is silent");
}

/* What the child says; empty, and a mismatch, if it is silent. */
static inline const char *ask_partner(unsigned question)
{
	partner->question = question;
	partner->patience = wait_ms / 4;
	partner->text[0] = '\0';
	partner->asked++;
	if (!reaches(&partner->answered, partner->asked)) {
		mismatch("the child does not answer");
		return "";
	}
	return partner->text;
}
