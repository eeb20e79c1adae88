/* Readers of /proc: the names and numbers of fields, and the files that CRIU reads and writes. */
#define _GNU_SOURCE
#include "probe.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char room[262144];

static void read_file(const char *path)
{
	need(slurp(path, room, sizeof(room)) >= 0, path);
}

/* The first argument is the path. */
static void names_of_fields(const long *a)
{
	read_file((const char *)a[0]);
	lines_before_colon(room);
	result(0);
}

static void fields_of_first_line(const long *a)
{
	char *word, *rest;
	int count = 0;

	read_file((const char *)a[0]);
	rest = room;
	rest[strcspn(rest, "\n")] = 0;
	while ((word = strsep(&rest, " \t")))
		count += *word != 0;
	result(0);
	number(count);
}

/* The second field of stat may hold blanks. */
static void fields_of_stat(const long *a)
{
	char *p;
	int count = 2;

	(void)a;
	read_file("/proc/self/stat");
	for (p = strrchr(room, ')'); p && *p; p++)
		count += *p == ' ';
	result(0);
	number(count);
}

/* The fields of the first mapping: up to the next line that begins with an address. */
static void fields_of_smaps(const long *a)
{
	char *line, *rest = room;
	bool first = true;

	(void)a;
	read_file("/proc/self/smaps");
	while ((line = strsep(&rest, "\n"))) {
		char *colon = strchr(line, ':');

		if (!isupper((unsigned char)*line)) {
			if (!first)
				break;
			first = false;
		} else if (colon) {
			item("%.*s", (int)(colon - line), line);
		}
	}
	result(0);
}

/* The flags of the mapping in which an address lies. */
static void flags_of(const void *address)
{
	bool here = false;
	char *line, *rest = room, *flag;
	unsigned long start, end;

	read_file("/proc/self/smaps");
	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (unsigned long)address && (unsigned long)address < end;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			for (line += 8; (flag = strsep(&line, " "));)
				if (*flag)
					item("%s", flag);
	}
}

/* protection, flags, then advice */
static void flags_of_mapping(const long *a)
{
	void *page = mmap(NULL, 1 << 16, (int)a[0], (int)a[1] | MAP_ANONYMOUS, -1, 0);

	need(page != MAP_FAILED, "mmap");
	need(!a[2] || madvise(page, 1 << 16, (int)a[2]) == 0, "madvise");
	result(0);
	flags_of(page);
}

static void mountinfo(const long *a)
{
	char *line, *separator;
	int before = 0, after = 0;

	(void)a;
	read_file("/proc/self/mountinfo");
	line = room;
	line[strcspn(line, "\n")] = 0;
	separator = strstr(line, " - ");
	need(separator != NULL, "mountinfo");
	for (; *line; line++)
		*(line < separator ? &before : &after) += *line == ' ';
	result(0);
	/* optional fields stand before the separator: a mount that is private has none */
	text("%d before, %d after", before + 1, after - 1);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void entries(const long *a)
{
	static char *names[512];
	struct dirent *entry;
	DIR *directory = opendir((const char *)a[0]);
	size_t count = 0, i;

	need(directory, (const char *)a[0]);
	while ((entry = readdir(directory)) && count < ARRAY_SIZE(names))
		if (entry->d_name[0] != '.' && !all_digits(entry->d_name))
			names[count++] = strdup(entry->d_name);
	qsort(names, count, sizeof(*names), by_name);
	for (i = 0; i < count; i++)
		item("%s", names[i]);
	result(0);
}

static void opens(const long *a)
{
	result(open((const char *)a[0], (int)a[1] | O_CLOEXEC));
}

static void opens_directory(const long *a)
{
	DIR *directory = opendir((const char *)a[0]);

	errno = 0;
	result(directory && readdir(directory) ? 0 : -1);
}

/* Reading or writing may be what is refused. */
static void reads(const long *a)
{
	result(slurp((const char *)a[0], room, sizeof(room)));
}

static void says(const long *a)
{
	read_file((const char *)a[0]);
	room[strcspn(room, "\n")] = 0;
	result(0);
	text("%s", room);
}

static void words(const long *a)
{
	char *word, *rest = room;

	read_file((const char *)a[0]);
	while ((word = strsep(&rest, " \n")))
		if (*word)
			item("%s", word);
	result(0);
}

static void writes(const long *a)
{
	result(spill((const char *)a[0], (const char *)a[1]));
}

static void link_of_own(const long *a)
{
	result(readlink((const char *)a[0], room, sizeof(room)));
}

/* In a pid namespace of its own, so that nobody else's numbers are moved. */
static void next_pid(const long *a)
{
	int status;
	pid_t pid;

	(void)a;
	need(unshare(CLONE_NEWPID) == 0, "a pid namespace");
	pid = fork();
	if (pid == 0) {
		pid_t made;

		result(spill("/proc/sys/kernel/ns_last_pid", "4241"));
		made = fork();
		if (made == 0)
			_exit(0);
		number(made);
		_exit(0);
	}
	need(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
}

static void next_ipc(const long *a)
{
	char path[64];
	int id = -1;

	need(unshare(CLONE_NEWIPC) == 0, "an ipc namespace");
	snprintf(path, sizeof(path), "/proc/sys/kernel/%s_next_id", (const char *)a[0]);
	result(spill(path, "4242"));
	if (*(const char *)a[0] == 's')
		id = ((const char *)a[0])[1] == 'e' ? semget(IPC_PRIVATE, 1, 0600) : shmget(IPC_PRIVATE, 4096, 0600);
	else
		id = msgget(IPC_PRIVATE, 0600);
	number(id);
}

/* The same by the owner of a user namespace, as CRIU restores an unprivileged container. */
static void next_ipc_of_user(const long *a)
{
	(void)a;
	need(unshare(CLONE_NEWUSER | CLONE_NEWIPC) == 0, "a user namespace");
	result(spill("/proc/sys/kernel/sem_next_id", "4242"));
}

static void timers(const long *a)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	(void)a;
	need(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	read_file("/proc/self/timers");
	lines_before_colon(room);
	result(0);
}

static void locks(const long *a)
{
	char line[256], *word, *rest = line;
	int fd = open("/run/kmatrix-probe.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600), count = 0;

	(void)a;
	need(fd >= 0 && flock(fd, LOCK_EX) == 0, "flock");
	unlink("/run/kmatrix-probe.lock");
	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
	read_file(line);
	need(strstr(room, "lock:") != NULL, "lock: in fdinfo");
	snprintf(line, sizeof(line), "%s", strstr(room, "lock:"));
	line[strcspn(line, "\n")] = 0;
	while ((word = strsep(&rest, " \t")))
		count += *word != 0;
	result(0);
	number(count);
}

#define SELF "/proc/self/"
#define SYS "/proc/sys/kernel/"
#define P(path) ((long)(path))

const struct probe proc_probes[] = {
	{ "proc.entries", entries, { P("/proc/self") } },
	{ "proc.task-entries", entries, { P("/proc/thread-self") } },
	{ "proc.status", names_of_fields, { P(SELF "status") } },
	{ "proc.io", names_of_fields, { P(SELF "io") } },
	{ "proc.timers", timers, { 0 } },
	{ "proc.stat", fields_of_stat, { 0 } },
	{ "proc.statm", fields_of_first_line, { P(SELF "statm") } },
	{ "proc.maps", fields_of_first_line, { P(SELF "maps") } },
	{ "proc.smaps", fields_of_smaps, { 0 } },
	{ "proc.smaps.flags.anonymous", flags_of_mapping, { PROT_READ | PROT_WRITE, MAP_PRIVATE } },
	{ "proc.smaps.flags.shared", flags_of_mapping, { PROT_READ | PROT_WRITE, MAP_SHARED } },
	{ "proc.smaps.flags.growsdown", flags_of_mapping, { PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_GROWSDOWN } },
	{ "proc.smaps.flags.locked", flags_of_mapping, { PROT_READ, MAP_PRIVATE | MAP_LOCKED } },
	{ "proc.smaps.flags.dontfork", flags_of_mapping, { PROT_READ, MAP_PRIVATE, MADV_DONTFORK } },
	{ "proc.smaps.flags.dontdump", flags_of_mapping, { PROT_READ, MAP_PRIVATE, MADV_DONTDUMP } },
	{ "proc.smaps.flags.wipeonfork", flags_of_mapping, { PROT_READ, MAP_PRIVATE, MADV_WIPEONFORK } },
	{ "proc.smaps.flags.mergeable", flags_of_mapping, { PROT_READ, MAP_PRIVATE, MADV_MERGEABLE } },
	{ "proc.smaps.flags.droppable", flags_of_mapping, { PROT_READ | PROT_WRITE, 8 } },
	{ "proc.mountinfo", mountinfo, { 0 } },
	{ "proc.limits", fields_of_first_line, { P(SELF "limits") } },
	{ "proc.fdinfo.lock", locks, { 0 } },
	{ "proc.map_files", opens_directory, { P(SELF "map_files") } },
	{ "proc.children", opens, { P("/proc/thread-self/children"), O_RDONLY } },
	{ "proc.pagemap", opens, { P(SELF "pagemap"), O_RDONLY } },
	{ "proc.mem", opens, { P(SELF "mem"), O_RDWR } },
	{ "proc.clear_refs", opens, { P(SELF "clear_refs"), O_WRONLY } },
	{ "proc.exe", link_of_own, { P(SELF "exe") } },
	{ "proc.personality", reads, { P(SELF "personality") } },
	{ "proc.stack", reads, { P(SELF "stack") } },
	{ "proc.syscall", reads, { P(SELF "syscall") } },
	{ "proc.wchan", reads, { P(SELF "wchan") } },
	{ "proc.autogroup", reads, { P(SELF "autogroup") } },
	{ "proc.coredump_filter", reads, { P(SELF "coredump_filter") } },
	{ "proc.comm", writes, { P(SELF "comm"), P("probe") } },
	{ "proc.loginuid", reads, { P(SELF "loginuid") } },
	{ "proc.loginuid.set", writes, { P(SELF "loginuid"), P("0") } },
	{ "proc.attr.current", reads, { P(SELF "attr/current") } },
	{ "proc.attr.apparmor", reads, { P(SELF "attr/apparmor/current") } },
	{ "proc.attr.sockcreate", reads, { P(SELF "attr/sockcreate") } },
	{ "proc.setgroups", reads, { P(SELF "setgroups") } },
	{ "proc.uid_map", reads, { P(SELF "uid_map") } },
	{ "proc.timens_offsets", reads, { P(SELF "timens_offsets") } },
	{ "proc.timerslack_ns", reads, { P(SELF "timerslack_ns") } },
	{ "proc.thread-self", reads, { P("/proc/thread-self/comm") } },
	{ "proc.locks", reads, { P("/proc/locks") } },
	{ "proc.slabinfo", reads, { P("/proc/slabinfo") } },
	{ "proc.kallsyms", opens, { P("/proc/kallsyms"), O_RDONLY } },
	{ "sysctl.shm_rmid_forced", says, { P(SYS "shm_rmid_forced") } },
	{ "sysctl.auto_msgmni", says, { P(SYS "auto_msgmni") } },
	{ "sysctl.msgmni", says, { P(SYS "msgmni") } },
	{ "sysctl.cap_last_cap", says, { P(SYS "cap_last_cap") } },
	{ "sysctl.unprivileged_userfaultfd", says, { P("/proc/sys/vm/unprivileged_userfaultfd") } },
	{ "sysctl.overflowuid", says, { P("/proc/sys/fs/overflowuid") } },
	{ "sysctl.kernel", entries, { P("/proc/sys/kernel") } },
	{ "sysctl.fs", entries, { P("/proc/sys/fs") } },
	{ "sysctl.net.ipv4.conf", entries, { P("/proc/sys/net/ipv4/conf/lo") } },
	{ "sysctl.net.ipv6.conf", entries, { P("/proc/sys/net/ipv6/conf/lo") } },
	{ "sysctl.net.unix", entries, { P("/proc/sys/net/unix") } },
	{ "cgroup2.controllers", words, { P("/sys/fs/cgroup/cgroup.controllers") } },
	{ "proc.cgroups", fields_of_first_line, { P("/proc/cgroups") } },
	{ 0 },
};

/* What these leave behind would be found by others. */
const struct probe counter_probes[] = {
	{ "proc.oom_score_adj", writes, { P(SELF "oom_score_adj"), P("1") } },
	{ "sysctl.ns_last_pid", next_pid, { 0 } },
	{ "sysctl.sem_next_id", next_ipc, { P("sem") } },
	{ "sysctl.msg_next_id", next_ipc, { P("msg") } },
	{ "sysctl.shm_next_id", next_ipc, { P("shm") } },
	{ "sysctl.sem_next_id.userns", next_ipc_of_user, { 0 } },
	{ 0 },
};
