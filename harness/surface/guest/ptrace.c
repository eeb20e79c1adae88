/* ptrace: what a tracer learns of a stopped process, and can give it. */
#define _GNU_SOURCE
#include "probe.h"

#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child, seized and stopped as CRIU does it. */
static pid_t stopped(void)
{
	pid_t pid = sleeper();
	int status;

	need(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0, "PTRACE_SEIZE");
	need(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0, "PTRACE_INTERRUPT");
	need(waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status), "wait");
	return pid;
}

static void seize(const long *a)
{
	(void)a;
	result(ptrace(PTRACE_SEIZE, sleeper(), NULL, NULL));
}

static void peek_siginfo(const long *a)
{
	struct {
		uint64_t offset;
		uint32_t flags;
		int32_t count;
	} arguments = { 0, (uint32_t)a[0], 1 };
	siginfo_t info;
	pid_t pid = stopped();

	need(kill(pid, SIGUSR1) == 0, "kill");
	result(ptrace(0x4209, pid, &arguments, &info));
}

static void signal_mask(const long *a)
{
	uint64_t mask;

	(void)a;
	result(ptrace(0x420a, stopped(), sizeof(mask), &mask));
}

/* How much a kernel gives of a set of registers. */
static void registers(const long *a)
{
	static char room[16384];
	struct iovec set = { room, sizeof(room) };

	result(ptrace(PTRACE_GETREGSET, stopped(), a[0], &set));
	number(set.iov_len);
}

/* The same set given back: a kernel that checks what it takes must take what it gave. */
static void registers_back(const long *a)
{
	static char room[16384];
	struct iovec set = { room, sizeof(room) };
	pid_t pid = stopped();

	need(ptrace(PTRACE_GETREGSET, pid, a[0], &set) == 0, "PTRACE_GETREGSET");
	result(ptrace(PTRACE_SETREGSET, pid, a[0], &set));
}

/* Control bits of MXCSR that no processor has. */
static void bad_mxcsr(const long *a)
{
	struct user_fpregs_struct registers;
	pid_t pid = stopped();

	(void)a;
	need(ptrace(PTRACE_GETFPREGS, pid, NULL, &registers) == 0, "PTRACE_GETFPREGS");
	registers.mxcsr = 0xffff0000;
	result(ptrace(PTRACE_SETFPREGS, pid, NULL, &registers));
}

struct rseq_configuration {
	uint64_t pointer;
	uint32_t size, signature, flags, padding;
};

static void rseq_configuration(const long *a)
{
	struct rseq_configuration configuration = { 0 };
	long got = ptrace(0x420f, stopped(), sizeof(configuration), &configuration);

	(void)a;
	result(got < 0 ? got : 0);
	if (got >= 0)
		number(got);
}

static void seccomp_filter(const long *a)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { ARRAY_SIZE(allow), allow };
	pid_t pid;
	long got;
	int status;

	(void)a;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
			_exit(1);
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	need(pid > 0 && waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "PR_SET_SECCOMP");
	need(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 && ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0, "seize");
	waitpid(pid, &status, __WALL);
	got = ptrace(0x420c, pid, 0, NULL);
	result(got < 0 ? got : 0);
	if (got >= 0)
		number(got);
}

static void option(const long *a)
{
	result(ptrace(PTRACE_SETOPTIONS, stopped(), NULL, a[0]));
}

static void into_room(const long *a)
{
	uint64_t room[32] = { 0 };
	long got = ptrace((int)a[0], stopped(), a[1], room);

	result(got < 0 ? got : 0);
	if (got >= 0)
		number(got);
}

/* An execution breakpoint in the first debug register. */
static void breakpoint(const long *a)
{
	pid_t pid = stopped();

	(void)a;
	need(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), (long)seize) == 0, "debug register 0");
	result(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 1));
}

const struct probe ptrace_probes[] = {
	{ "ptrace.seize", seize, { 0 } },
	{ "ptrace.peeksiginfo", peek_siginfo, { 0 } },
	{ "ptrace.peeksiginfo.shared", peek_siginfo, { 1 } },
	{ "ptrace.getsigmask", signal_mask, { 0 } },
	{ "ptrace.regset.general", registers, { NT_PRSTATUS } },
	{ "ptrace.regset.xstate", registers, { NT_X86_XSTATE } },
	{ "ptrace.regset.xstate.back", registers_back, { NT_X86_XSTATE } },
	{ "ptrace.regset.shadow-stack", registers, { 0x204 } },
	{ "ptrace.setfpregs.bad-mxcsr", bad_mxcsr, { 0 } },
	{ "ptrace.get-rseq-configuration", rseq_configuration, { 0 } },
	{ "ptrace.seccomp-get-filter", seccomp_filter, { 0 } },
	{ "ptrace.suspend-seccomp", option, { 1 << 21 } },
	{ "ptrace.exitkill", option, { 1 << 20 } },
	{ "ptrace.get-syscall-info", into_room, { 0x420e, 88 } },
	{ "ptrace.get-syscall-user-dispatch", into_room, { 0x4211, 32 } },
	{ "ptrace.breakpoint", breakpoint, { 0 } },
	{ 0 },
};
