/*
 * Runs every probe in a child, under an alarm, and prints a line of JSON for each:
 *
 *   probe              all of them
 *   probe --list       their ids
 *   probe ID...        these only
 *
 * Under emulation a fork costs 5 ms, so probes that leave nothing behind share a child. One that dies takes its child
 * with it, and another goes on after it. What was said is kept in memory that outlives them and written once: each
 * line by itself would have to be forwarded to the host by itself.
 */
#define _GNU_SOURCE
#include "probe.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 5 /* a probe takes a few milliseconds, under emulation too */

struct said {
	char result[64];
	char value[32768];
	size_t length;
	int items;
	int at; /* the probe that is being asked, by its number in the family */
	char lines[262144];
	size_t written;
};

static struct said *said;

static const struct family {
	const struct probe *probes;
	bool alone; /* each in a child of its own */
} families[] = {
	{ syscall_probes, false }, { process_probes, true }, { ptrace_probes, true }, { socket_probes, false },
	{ netlink_probes, true },  { proc_probes, false },   { counter_probes, true }, { fd_probes, false },
	{ memory_probes, true },   { behaviour_probes, true },
};

void answer(const char *word)
{
	snprintf(said->result, sizeof(said->result), "%s", word);
}

void result(long returned)
{
	int error = errno;
	/* ENOTSUPP is the kernel's own and has leaked from it here and there */
	const char *name = returned >= 0 ? "ok" : error == 524 ? "ENOTSUPP" : strerrorname_np(error);

	if (name)
		answer(name);
	else
		snprintf(said->result, sizeof(said->result), "errno %d", error);
}

static void add(const char *bytes, size_t size)
{
	if (size >= sizeof(said->value) - said->length)
		return;
	memcpy(said->value + said->length, bytes, size);
	said->length += size;
}

static void add_string(const char *format, va_list arguments)
{
	char plain[512], escaped[8];
	const char *p;

	vsnprintf(plain, sizeof(plain), format, arguments);
	add("\"", 1);
	for (p = plain; *p; p++) {
		if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			add(escaped, snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned char)*p));
		else
			add(p, 1);
	}
	add("\"", 1);
}

void number(long long value)
{
	char digits[32];

	add(digits, snprintf(digits, sizeof(digits), "%lld", value));
}

void text(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_string(format, arguments);
	va_end(arguments);
}

void item(const char *format, ...)
{
	va_list arguments;

	add(said->items++ ? "," : "[", 1);
	va_start(arguments, format);
	add_string(format, arguments);
	va_end(arguments);
}

void need(bool good, const char *step)
{
	const char *name = strerrorname_np(errno);

	if (good)
		return;
	said->length = said->items = 0;
	answer("unasked");
	text("%s: %s", step, name ? name : "unknown error");
	_exit(0);
}

ssize_t slurp(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	while (length < size - 1 && (n = read(fd, buffer + length, size - 1 - length)) > 0)
		length += n;
	close(fd);
	buffer[length] = 0;
	return n < 0 ? -1 : (ssize_t)length;
}

long spill(const char *path, const char *data)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int error;

	if (fd < 0)
		return -1;
	n = write(fd, data, strlen(data));
	error = errno;
	close(fd);
	errno = error;
	return n < 0 ? -1 : 0;
}

/* A child that waits; it ends with the probe. */
pid_t sleeper(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		for (;;)
			pause();
	}
	need(pid > 0, "fork");
	return pid;
}

/* What stands before the colon of each line. */
void lines_before_colon(char *text)
{
	char *line, *rest = text, *colon;

	while ((line = strsep(&rest, "\n"))) {
		colon = strchr(line, ':');
		if (colon)
			item("%.*s", (int)(colon - line), line);
	}
}

bool all_digits(const char *word)
{
	const char *p;

	for (p = word; *p; p++)
		if (!isdigit((unsigned char)*p))
			return false;
	return *word;
}

static void line(const char *format, ...)
{
	va_list arguments;
	int size, room = (int)(sizeof(said->lines) - said->written);

	va_start(arguments, format);
	size = vsnprintf(said->lines + said->written, room, format, arguments);
	va_end(arguments);
	if (size < room)
		said->written += size;
}

static void write_down(const struct probe *probe)
{
	if (!said->result[0])
		answer("silent");
	if (said->items)
		add("]", 1);
	line("{\"id\":\"%s\",\"result\":\"%s\"%s%.*s}\n", probe->id, said->result, said->length ? ",\"value\":" : "",
	     (int)said->length, said->value);
}

static void begin(int at)
{
	said->result[0] = 0;
	said->length = said->items = 0;
	said->at = at;
}

static bool wanted(const char *id, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], id) == 0)
			return true;
	return argc == 1;
}

/* Asks what is wanted from the probe `at` on, as far as one child goes. */
__attribute__((noreturn)) static void run_child(const struct family *family, int at, int argc, char **argv)
{
	const struct probe *probe = &family->probes[at];
	struct rlimit none = { 0, 0 };

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	for (; probe->id; probe++, at++) {
		if (!wanted(probe->id, argc, argv))
			continue;
		begin(at);
		alarm(SECONDS);
		probe->run(probe->a);
		if (family->alone)
			_exit(0);
		write_down(probe);
	}
	begin(at);
	answer("next");
	_exit(0);
}

/* Returns the number of the probe to go on with. */
static int ask(const struct family *family, int at, int argc, char **argv)
{
	int status;
	pid_t pid;

	begin(at);
	pid = fork();
	if (pid == 0)
		run_child(family, at, argc, argv);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		result(-1);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		answer("timeout");
	else if (WIFSIGNALED(status))
		snprintf(said->result, sizeof(said->result), "SIG%s", sigabbrev_np(WTERMSIG(status)));
	if (pid > 0)
		kill(-pid, SIGKILL);
	if (strcmp(said->result, "next") == 0)
		return said->at;
	write_down(&family->probes[said->at]);
	return said->at + 1;
}

/* What probes mount, bind and name in /run stays in namespaces of their own. */
static int seclude(void)
{
	return unshare(CLONE_NEWNS | CLONE_NEWIPC) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("probe", "/run", "tmpfs", 0, NULL);
}

static void ask_all(const struct family *family, bool list, int argc, char **argv)
{
	int at = 0;

	while (family->probes[at].id) {
		if (list)
			line("%s\n", family->probes[at++].id);
		else if (!wanted(family->probes[at].id, argc, argv))
			at++;
		else
			at = ask(family, at, argc, argv);
	}
}

int main(int argc, char **argv)
{
	bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
	size_t i;

	said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (said == MAP_FAILED || (!list && seclude())) {
		fprintf(stderr, "probe: %s\n", strerror(errno));
		return 1;
	}
	for (i = 0; i < ARRAY_SIZE(families); i++)
		ask_all(&families[i], list, argc, argv);
	return fwrite(said->lines, said->written, 1, stdout) != 1 || fflush(stdout);
}
