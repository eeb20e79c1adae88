/* prctl, arch_prctl, capabilities, namespaces: what a process can set and be asked for. */
#define _GNU_SOURCE
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_MM_MAP_SIZE
#define PR_SET_MM_MAP_SIZE 15
#endif

static void asked(const long *a)
{
	result(prctl((int)a[0], a[1], a[2], a[3], a[4]));
}

/* What is returned is the answer. */
static void told(const long *a)
{
	long got = prctl((int)a[0], a[1], a[2], a[3], a[4]);

	result(got);
	if (got >= 0)
		number(got);
}

/* The answer is written to where the first argument points. */
static void filled(const long *a)
{
	long room[64] = { 0 };

	result(prctl((int)a[0], room, a[1], a[2], a[3]));
}

static void mm_map_size(const long *a)
{
	unsigned int size = 0;

	(void)a;
	result(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));
	number(size);
}

/* The end of the code set to where it is: /proc/PID/stat says where. */
static void mm_brk(const long *a)
{
	(void)a;
	result(prctl(PR_SET_MM, PR_SET_MM_BRK, sbrk(0), 0, 0));
}

static void anon_name(const long *a)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)a;
	need(page != MAP_FAILED, "mmap");
	result(prctl(0x53564d41 /* PR_SET_VMA */, 0, page, 4096, "probe"));
}

static void last_capability(const long *a)
{
	int last = 0;

	(void)a;
	while (last < 63 && prctl(PR_CAPBSET_READ, last + 1, 0, 0, 0) >= 0)
		last++;
	result(0);
	number(last);
}

static void arch(const long *a)
{
	unsigned long room[4] = { 0 };

	result(syscall(SYS_arch_prctl, a[0], a[1] ? (unsigned long)a[1] : (unsigned long)room));
}

static void xstate_support(const long *a)
{
	unsigned long mask = 0;

	(void)a;
	result(syscall(SYS_arch_prctl, 0x1021 /* ARCH_GET_XCOMP_SUPP */, &mask));
	text("0x%lx", mask);
}

static void new_namespace(const long *a)
{
	result(unshare((int)a[0]));
}

/* The kinds of namespaces that a process has, by the names of their links. */
static void namespaces(const long *a)
{
	DIR *directory = opendir("/proc/self/ns");
	struct dirent *entry;

	(void)a;
	need(directory, "opendir");
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			item("%s", entry->d_name);
	result(0);
}

const struct probe process_probes[] = {
	{ "prctl.set-mm.map-size", mm_map_size, { 0 } },
	{ "prctl.set-mm.brk", mm_brk, { 0 } },
	{ "prctl.get-tid-address", filled, { PR_GET_TID_ADDRESS } },
	{ "prctl.get-child-subreaper", filled, { PR_GET_CHILD_SUBREAPER } },
	{ "prctl.set-child-subreaper", asked, { PR_SET_CHILD_SUBREAPER, 1 } },
	{ "prctl.get-pdeathsig", filled, { PR_GET_PDEATHSIG } },
	{ "prctl.get-dumpable", asked, { PR_GET_DUMPABLE } },
	{ "prctl.get-securebits", told, { PR_GET_SECUREBITS } },
	{ "prctl.get-no-new-privs", told, { PR_GET_NO_NEW_PRIVS } },
	{ "prctl.get-seccomp", told, { PR_GET_SECCOMP } },
	{ "prctl.get-thp-disable", told, { PR_GET_THP_DISABLE } },
	{ "prctl.set-thp-disable.except-advised", asked, { PR_SET_THP_DISABLE, 1, 2 } },
	{ "prctl.get-timerslack", asked, { PR_GET_TIMERSLACK } },
	{ "prctl.get-io-flusher", told, { 58 } },
	{ "prctl.get-memory-merge", told, { 68 } },
	{ "prctl.get-mdwe", told, { 66 } },
	{ "prctl.get-auxv", asked, { 0x41555856 } },
	{ "prctl.get-speculation", asked, { 52, 0 } },
	{ "prctl.get-tsc", filled, { PR_GET_TSC } },
	{ "prctl.cap-ambient", told, { PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0 } },
	{ "prctl.timer-create-restore-ids", told, { 77, 2 } },
	{ "prctl.futex-hash", told, { 78, 2 } },
	{ "prctl.rseq-slice-extension", told, { 79, 1 } },
	{ "prctl.set-vma-anon-name", anon_name, { 0 } },
	{ "capability.last", last_capability, { 0 } },
	/* An address that no mapping can have: with a vDSO mapped the call says EEXIST before it looks at it. */
	{ "arch_prctl.map-vdso-64", arch, { 0x2003, 1 } },
	{ "arch_prctl.map-vdso-32", arch, { 0x2002, 1 } },
	{ "arch_prctl.map-vdso-x32", arch, { 0x2001, 1 } },
	{ "arch_prctl.shadow-stack-status", arch, { 0x5005 } },
	{ "arch_prctl.cpuid", arch, { 0x1011 } },
	{ "arch_prctl.xstate-supported", xstate_support, { 0 } },
	{ "namespace.kinds", namespaces, { 0 } },
	{ "namespace.mount", new_namespace, { 0x00020000 } },
	{ "namespace.uts", new_namespace, { 0x04000000 } },
	{ "namespace.ipc", new_namespace, { 0x08000000 } },
	{ "namespace.user", new_namespace, { 0x10000000 } },
	{ "namespace.pid", new_namespace, { 0x20000000 } },
	{ "namespace.network", new_namespace, { 0x40000000 } },
	{ "namespace.cgroup", new_namespace, { 0x02000000 } },
	{ "namespace.time", new_namespace, { 0x00000080 } },
	{ 0 },
};
