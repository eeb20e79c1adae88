/* System calls: asked with arguments that change nothing; ENOSYS says that a kernel has none such. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HERE ((long)AT_FDCWD)

static void plain(const long *a)
{
	result(syscall(a[0], a[1], a[2], a[3], a[4], a[5], 0));
}

static void kcmp_file(const long *a)
{
	(void)a;
	result(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 0, 0));
}

static void kcmp_epoll(const long *a)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct {
		uint32_t efd, tfd, toff;
	} slot = { 0 };
	int epoll = epoll_create1(0), target = eventfd(0, 0);

	(void)a;
	need(epoll >= 0 && target >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, target, &event) == 0, "epoll");
	slot.efd = epoll;
	slot.tfd = target;
	result(syscall(SYS_kcmp, getpid(), getpid(), 7 /* KCMP_EPOLL_TFD */, target, &slot));
}

static void memfd(const long *a)
{
	result(syscall(SYS_memfd_create, "probe", a[0]));
}

static void pidfd_open(const long *a)
{
	(void)a;
	result(syscall(434, getpid(), 0));
}

static void pidfd_send_signal(const long *a)
{
	long fd = syscall(434, getpid(), 0);

	(void)a;
	need(fd >= 0, "pidfd_open");
	result(syscall(424, fd, 0, NULL, 0));
}

static void pidfd_getfd(const long *a)
{
	long fd = syscall(434, getpid(), 0);

	(void)a;
	need(fd >= 0, "pidfd_open");
	result(syscall(438, fd, 0, 0));
}

struct clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* pid 1 is taken: a kernel that knows set_tid says EEXIST, an older one E2BIG. */
static void clone3_set_tid(const long *a)
{
	pid_t tid = 1;
	struct clone_arguments arguments = { 0 };
	long pid;

	(void)a;
	arguments.exit_signal = SIGCHLD;
	arguments.set_tid = (uint64_t)(uintptr_t)&tid;
	arguments.set_tid_size = 1;
	pid = syscall(435, &arguments, sizeof(arguments));
	if (pid == 0)
		_exit(0);
	result(pid);
}

struct uffd_api {
	uint64_t api, features, ioctls;
};

static void uffd_features(const long *a)
{
	struct uffd_api api = { 0xAA, 0, 0 };
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	(void)a;
	need(fd >= 0, "userfaultfd");
	result(ioctl(fd, 0xc018aa3f /* UFFDIO_API */, &api));
	text("0x%llx", (unsigned long long)api.features);
}

/* CRIU asks for the events of fork, remap and unmap together (feature uffd-noncoop). */
static void uffd_events(const long *a)
{
	struct uffd_api api = { 0xAA, (1 << 1) | (1 << 2) | (1 << 3) | (1 << 6), 0 };
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	(void)a;
	need(fd >= 0, "userfaultfd");
	result(ioctl(fd, 0xc018aa3f /* UFFDIO_API */, &api));
}

static void counted(const long *a)
{
	long got = syscall(a[0], a[1], a[2], a[3], a[4], a[5], 0);

	result(got);
	if (got >= 0)
		number(got);
}

/* The bits of a mask that a call returns. */
static void masked(const long *a)
{
	long got = syscall(a[0], a[1], a[2], a[3], a[4], a[5], 0);

	result(got);
	if (got >= 0)
		text("0x%lx", got);
}

static void membarrier_registrations(const long *a)
{
	(void)a;
	syscall(SYS_membarrier, 1 << 4 /* REGISTER_PRIVATE_EXPEDITED */, 0, 0);
	masked((const long[]){ SYS_membarrier, 1 << 9, 0, 0, 0, 0 });
}

static void robust_list(const long *a)
{
	void *head;
	size_t size;

	(void)a;
	result(syscall(SYS_get_robust_list, 0, &head, &size));
	number(size);
}

const struct probe syscall_probes[] = {
	{ "syscall.kcmp", kcmp_file, { 0 } },
	{ "syscall.kcmp.epoll", kcmp_epoll, { 0 } },
	{ "syscall.memfd_create", memfd, { 1 } },
	{ "syscall.memfd_create.hugetlb", memfd, { 4 } },
	{ "syscall.memfd_create.hugetlb-sealing", memfd, { 4 | 2 } },
	{ "syscall.memfd_create.noexec-seal", memfd, { 8 } },
	{ "syscall.pidfd_open", pidfd_open, { 0 } },
	{ "syscall.pidfd_send_signal", pidfd_send_signal, { 0 } },
	{ "syscall.pidfd_getfd", pidfd_getfd, { 0 } },
	{ "syscall.clone3", plain, { 435, 0, 0 } },
	{ "syscall.clone3.set_tid", clone3_set_tid, { 0 } },
	{ "syscall.userfaultfd", plain, { SYS_userfaultfd, O_CLOEXEC } },
	{ "syscall.userfaultfd.features", uffd_features, { 0 } },
	{ "syscall.userfaultfd.events", uffd_events, { 0 } },
	{ "syscall.rseq", plain, { 334, 0, 0, 0, 0 } },
	{ "syscall.membarrier", masked, { SYS_membarrier, 0, 0, 0 } },
	{ "syscall.membarrier.registrations", membarrier_registrations, { 0 } },
	{ "syscall.get_robust_list", robust_list, { 0 } },
	{ "syscall.set_robust_list", plain, { SYS_set_robust_list, 0, 24 } },
	{ "syscall.openat2", plain, { 437, HERE, 0, 0, 0 } },
	{ "syscall.close_range", plain, { 436, 1000, 1001, 0 } },
	{ "syscall.fsopen", plain, { 430, 0, 0 } },
	{ "syscall.fsconfig", plain, { 431, -1, 0 } },
	{ "syscall.fsmount", plain, { 432, -1, 0, 0 } },
	{ "syscall.fspick", plain, { 433, HERE, 0, 0 } },
	{ "syscall.open_tree", plain, { 428, HERE, 0, 0 } },
	{ "syscall.move_mount", plain, { 429, -1, 0, -1, 0, 0 } },
	{ "syscall.mount_setattr", plain, { 442, -1, 0, 0, 0, 0 } },
	{ "syscall.open_tree_attr", plain, { 467, HERE, 0, 0, 0, 0 } },
	{ "syscall.statmount", plain, { 457, 0, 0, 0, 0 } },
	{ "syscall.listmount", plain, { 458, 0, 0, 0, 0 } },
	{ "syscall.listns", plain, { 470, 0, 0, 0, 0 } },
	{ "syscall.setns", plain, { SYS_setns, -1, 0 } },
	{ "syscall.io_setup", plain, { SYS_io_setup, 0, 0 } },
	{ "syscall.io_uring_setup", plain, { 425, 0, 0 } },
	{ "syscall.seccomp.actions", plain, { SYS_seccomp, 2, 0, 0 } },
	{ "syscall.seccomp.notify-sizes", plain, { SYS_seccomp, 3, 0, 0 } },
	{ "syscall.process_vm_readv", plain, { SYS_process_vm_readv, 1, 0, 0, 0, 0 } },
	{ "syscall.process_madvise", plain, { 440, -1, 0, 0, 0, 0 } },
	{ "syscall.process_mrelease", plain, { 448, -1, 0 } },
	{ "syscall.name_to_handle_at", plain, { SYS_name_to_handle_at, HERE, 0, 0, 0, 0 } },
	{ "syscall.open_by_handle_at", plain, { SYS_open_by_handle_at, -1, 0, 0 } },
	{ "syscall.fanotify_init", plain, { SYS_fanotify_init, 0, 0 } },
	{ "syscall.inotify_init1", plain, { SYS_inotify_init1, 0 } },
	{ "syscall.signalfd4", plain, { SYS_signalfd4, -1, 0, 0, 0 } },
	{ "syscall.timerfd_create", plain, { SYS_timerfd_create, 1, 0 } },
	{ "syscall.epoll_pwait2", plain, { 441, -1, 0, 0, 0, 0 } },
	{ "syscall.bpf", plain, { SYS_bpf, -1, 0, 0 } },
	{ "syscall.semtimedop", plain, { SYS_semtimedop, -1, 0, 0, 0 } },
	{ "syscall.msgrcv.copy", plain, { SYS_msgrcv, -1, 0, 0, 0, 040000 | 04000 } },
	{ "syscall.mq_open", plain, { SYS_mq_open, 0, 0, 0, 0 } },
	{ "syscall.rt_sigqueueinfo", plain, { SYS_rt_sigqueueinfo, 0, 0, 0 } },
	{ "syscall.rt_tgsigqueueinfo", plain, { SYS_rt_tgsigqueueinfo, 0, 0, 0, 0 } },
	{ "syscall.sched_getattr", plain, { SYS_sched_getattr, 0, 0, 0, 0 } },
	{ "syscall.sched_setattr", plain, { SYS_sched_setattr, 0, 0, 0 } },
	{ "syscall.prlimit64", plain, { SYS_prlimit64, 0, 0, 0, 0 } },
	{ "syscall.modify_ldt", counted, { SYS_modify_ldt, 0, 0, 0 } },
	{ "syscall.get_thread_area", plain, { SYS_get_thread_area, 0 } },
	{ "syscall.personality", counted, { SYS_personality, 0xffffffff } },
	{ "syscall.getrandom", plain, { SYS_getrandom, 0, 0, 0 } },
	{ "syscall.preadv2", plain, { SYS_preadv2, -1, 0, 0, 0, 0 } },
	{ "syscall.fallocate", plain, { SYS_fallocate, -1, 0, 0, 1 } },
	{ "syscall.pkey_alloc", plain, { SYS_pkey_alloc, 0, 0 } },
	{ "syscall.memfd_secret", plain, { 447, 0 } },
	{ "syscall.futex_waitv", plain, { 449, 0, 0, 0, 0, 0 } },
	{ "syscall.futex_wait", plain, { 455, 0, 0, 0, 0, 0 } },
	{ "syscall.set_mempolicy_home_node", plain, { 450, 0, 0, 0, 0 } },
	{ "syscall.landlock_create_ruleset", counted, { 444, 0, 0, 1 } },
	{ "syscall.map_shadow_stack", plain, { 453, 0, 0, 0 } },
	{ "syscall.mseal", plain, { 462, 0, 0, 1 } },
	{ "syscall.lsm_get_self_attr", plain, { 459, 0, 0, 0, 1 } },
	{ "syscall.cachestat", plain, { 451, -1, 0, 0, 0 } },
	{ "syscall.setxattrat", plain, { 463, -1, 0, 0, 0, 0 } },
	{ "syscall.file_getattr", plain, { 468, -1, 0, 0, 0, 0 } },
	{ "syscall.rseq_slice_yield", plain, { 471 } },
	{ "syscall.remap_file_pages", plain, { SYS_remap_file_pages, 0, 0, 0, 0, 0 } },
	{ 0 },
};
