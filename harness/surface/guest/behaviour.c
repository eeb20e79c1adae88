/* Behaviour: what a kernel does, where asking whether it knows a name says too little. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define PAGEMAP_SCAN 0xc0606610UL

struct scan {
	uint64_t size, flags, start, end, walk_end, regions, regions_size, max_pages;
	uint64_t inverted, mask, any_of, returned;
};

struct region {
	uint64_t start, end, categories;
};

static void *fresh(size_t pages)
{
	void *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(memory != MAP_FAILED, "mmap");
	return memory;
}

static long scan(void *memory, size_t pages, uint64_t categories, struct region *regions, size_t size)
{
	struct scan request = { .size = sizeof(request), .any_of = categories, .returned = categories };
	int fd = open("/proc/self/pagemap", O_RDONLY);

	need(fd >= 0, "/proc/self/pagemap");
	request.start = (uint64_t)(uintptr_t)memory;
	request.end = request.start + pages * PAGE;
	request.regions = (uint64_t)(uintptr_t)regions;
	request.regions_size = size;
	return ioctl(fd, PAGEMAP_SCAN, &request);
}

/* The categories are those that CRIU asks for, then soft-dirty (6.8) or guard (6.16) pages. */
static void scans(const long *a)
{
	struct region regions[4] = { 0 };
	long got = scan(fresh(4), 4, (uint64_t)a[0], regions, ARRAY_SIZE(regions));

	result(got < 0 ? got : 0);
}

static void guard_page(const long *a)
{
	struct region regions[4] = { 0 };
	char *memory = fresh(4);
	long got;

	(void)a;
	memset(memory, 1, 4 * PAGE);
	need(madvise(memory + PAGE, PAGE, 102) == 0, "MADV_GUARD_INSTALL");
	got = scan(memory, 4, 1 << 8, regions, ARRAY_SIZE(regions));
	result(got < 0 ? got : 0);
	if (got >= 0)
		text("%ld region, page %ld of 4", got, (long)(regions[0].start - (uintptr_t)memory) / (long)PAGE);
}

static uint64_t pagemap_entry(const void *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	need(pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)address / PAGE * 8)) == 8, "pagemap");
	close(fd);
	return entry;
}

static void soft_dirty(const long *a)
{
	char *memory = fresh(1);
	int before, after;

	(void)a;
	*memory = 1;
	need(spill("/proc/self/clear_refs", "4") == 0, "clear_refs");
	before = pagemap_entry(memory) >> 55 & 1;
	*memory = 2;
	after = pagemap_entry(memory) >> 55 & 1;
	result(0);
	text("clean page %d, written page %d", before, after);
}

/* The numbers of two timers, and of a third after the first is gone: CRIU must know how they are given. */
static void timer_numbers(const long *a)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	int ids[3];

	(void)a;
	need(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &ids[0]) == 0, "timer_create");
	need(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &ids[1]) == 0, "timer_create");
	syscall(SYS_timer_delete, ids[0]);
	need(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &ids[2]) == 0, "timer_create");
	result(0);
	text("%d %d, then %d", ids[0], ids[1], ids[2]);
}

static void timer_wanted(const long *a)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	int id = 4242;

	(void)a;
	need(prctl(77, 1, 0, 0, 0) == 0, "PR_TIMER_CREATE_RESTORE_IDS");
	result(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
	text("%s", id == 4242 ? "as wanted" : "another");
}

static void aio_remap(const long *a)
{
	aio_context_t context = 0;
	struct io_event event;
	struct timespec now = { 0, 0 };
	void *moved;

	(void)a;
	need(syscall(SYS_io_setup, 1, &context) == 0, "io_setup");
	moved = mremap((void *)context, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, fresh(1));
	need(moved != MAP_FAILED, "mremap");
	result(syscall(SYS_io_getevents, (aio_context_t)moved, 0, 1, &event, &now));
}

/* Since 5.16 the request is granted and no lock is taken. */
static void mandatory_lock(const long *a)
{
	int fd = open("/run", O_RDONLY | O_DIRECTORY);
	char path[64], room[1024];

	(void)a;
	result(flock(fd, 32 /* LOCK_MAND */ | 64 /* LOCK_READ */));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	need(slurp(path, room, sizeof(room)) >= 0, "fdinfo");
	text("%s", strstr(room, "lock:") ? "held" : "not held");
}

/* A child in a mount namespace of its own; returns when it is there. */
static pid_t elsewhere(void)
{
	int ready[2];
	char word = 0;
	pid_t pid;

	need(pipe(ready) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		word = unshare(CLONE_NEWNS) ? 'n' : 'y';
		if (write(ready[1], &word, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	need(pid > 0 && read(ready[0], &word, 1) == 1 && word == 'y', "a mount namespace");
	return pid;
}

/* What CRIU's restore of mounts did until 4.1.1, refused between 12f147ddd6de and cffd0441872e. */
static void propagation_from_outside(const long *a)
{
	char path[64];

	(void)a;
	snprintf(path, sizeof(path), "/proc/%d/root", elsewhere());
	result(mount(NULL, path, NULL, MS_PRIVATE, NULL));
}

/* A private bind of a mount joins its group. */
static void set_group(const long *a)
{
	const char *base = "/run/kmatrix-probe-group", *bind = "/run/kmatrix-probe-group/bind";

	(void)a;
	mkdir(base, 0700);
	need(mount("probe", base, "tmpfs", 0, NULL) == 0 && mkdir(bind, 0700) == 0, "tmpfs");
	need(mount(base, bind, NULL, MS_BIND, NULL) == 0 && mount(NULL, base, NULL, MS_SHARED, NULL) == 0, "mount");
	result(syscall(429, AT_FDCWD, base, AT_FDCWD, bind, 0x100 /* MOVE_MOUNT_SET_GROUP */));
}

/* Whether a mapping of a file on overlayfs tells the device and inode that stat does. */
static void overlay(const long *a)
{
	static char maps[65536];
	const char *base = "/run/kmatrix-probe-overlay";
	unsigned int major, minor;
	unsigned long number, start;
	struct stat status;
	char *line, *rest = maps;
	int fd;

	(void)a;
	mkdir(base, 0700);
	need(mount("probe", base, "tmpfs", 0, NULL) == 0 && chdir(base) == 0, "tmpfs");
	need(!mkdir("lower", 0700) && !mkdir("upper", 0700) && !mkdir("work", 0700) && !mkdir("all", 0700), "mkdir");
	close(open("lower/file", O_CREAT | O_WRONLY, 0600));
	need(truncate("lower/file", PAGE) == 0, "truncate");
	need(mount("probe", "all", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") == 0, "overlayfs");
	fd = open("all/file", O_RDONLY);
	need(fd >= 0 && fstat(fd, &status) == 0, "open");
	start = (unsigned long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	need(slurp("/proc/self/maps", maps, sizeof(maps)) >= 0, "maps");
	while ((line = strsep(&rest, "\n"))) {
		unsigned long here;

		if (sscanf(line, "%lx-%*x %*s %*s %x:%x %lu", &here, &major, &minor, &number) == 4 && here == start) {
			result(0);
			text("device %s, inode %s", makedev(major, minor) == status.st_dev ? "right" : "wrong",
			     number == status.st_ino ? "right" : "wrong");
		}
	}
}

/* The page above a stack's start is the guard's: since 4.12 it is not shown as part of the mapping. */
static void guard_gap(const long *a)
{
	static char maps[65536];
	char *place = mmap(NULL, 512 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 256 * PAGE, *line, *rest = maps;
	unsigned long start, end;

	(void)a;
	munmap(place - 256 * PAGE, 512 * PAGE);
	place = mmap(place, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	need(place != MAP_FAILED && slurp("/proc/self/maps", maps, sizeof(maps)) >= 0, "mmap");
	while ((line = strsep(&rest, "\n")))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && end == (unsigned long)place + 4 * PAGE) {
			result(0);
			number((long long)(end - start) / (long long)PAGE);
		}
}

static void thp_disable(const long *a)
{
	static char maps[262144];
	char *memory = fresh(1), *line, *rest = maps;
	unsigned long start, end;
	bool here = false, shown = false;

	(void)a;
	need(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0, "PR_SET_THP_DISABLE");
	memory = fresh(1);
	need(slurp("/proc/self/smaps", maps, sizeof(maps)) >= 0, "smaps");
	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (unsigned long)memory && (unsigned long)memory < end;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			shown = strstr(line, " nh") != NULL;
	}
	result(0);
	text("%s", shown ? "each mapping is marked" : "the process is marked");
}

static void monotonic_offset(const long *a)
{
	(void)a;
	need(unshare(0x80 /* CLONE_NEWTIME */) == 0, "a time namespace");
	result(spill("/proc/self/timens_offsets", "monotonic 1000 0\n"));
}

static void chosen_pid(const long *a)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size;
		uint64_t cgroup;
	} arguments = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	pid_t wanted = 4242, pid;

	(void)a;
	need(unshare(CLONE_NEWPID) == 0, "a pid namespace");
	pid = fork();
	if (pid == 0) {
		long made;

		arguments.set_tid = (uint64_t)(uintptr_t)&wanted;
		made = syscall(435, &arguments, sizeof(arguments));
		if (made == 0)
			_exit(0);
		result(made);
		if (made > 0)
			number(made);
		_exit(0);
	}
	need(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
}

const struct probe behaviour_probes[] = {
	{ "pagemap.scan", scans, { 0x2 | 0x4 | 0x8 | 0x20 } },
	{ "pagemap.scan.soft-dirty", scans, { 0x80 } },
	{ "pagemap.scan.guard", scans, { 0x100 } },
	{ "behaviour.guard-page", guard_page, { 0 } },
	{ "behaviour.soft-dirty", soft_dirty, { 0 } },
	{ "behaviour.timer-numbers", timer_numbers, { 0 } },
	{ "behaviour.timer-number-wanted", timer_wanted, { 0 } },
	{ "behaviour.aio-remap", aio_remap, { 0 } },
	{ "behaviour.lock-mand", mandatory_lock, { 0 } },
	{ "behaviour.propagation-from-outside", propagation_from_outside, { 0 } },
	{ "behaviour.mount-set-group", set_group, { 0 } },
	{ "behaviour.overlay-maps", overlay, { 0 } },
	{ "behaviour.stack-guard-gap", guard_gap, { 0 } },
	{ "behaviour.thp-disable", thp_disable, { 0 } },
	{ "behaviour.time-namespace-offset", monotonic_offset, { 0 } },
	{ "behaviour.clone3-chosen-pid", chosen_pid, { 0 } },
	{ 0 },
};
