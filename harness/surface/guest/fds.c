/* Each kind of file descriptor: the fields of its fdinfo, the name of its link, and what ioctl CRIU puts to it. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum kind { FILE_FD, PIPE, SOCKET, EVENTFD, EPOLL, SIGNALFD, TIMERFD, INOTIFY, FANOTIFY, PIDFD, MEMFD, UFFD, BPF_MAP,
	    BPF_PROGRAM, IO_URING, TUN, PTMX, NAMESPACE, MOUNT, LANDLOCK };

static int epoll_fd(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(0), target = eventfd(0, 0);

	epoll_ctl(fd, EPOLL_CTL_ADD, target, &event);
	return fd;
}

static int timer_fd(void)
{
	struct itimerspec later = { .it_value = { 3600, 0 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	timerfd_settime(fd, 0, &later, NULL);
	return fd;
}

static int inotify_fd(void)
{
	int fd = inotify_init1(0);

	inotify_add_watch(fd, "/run", IN_CREATE);
	return fd;
}

static int fanotify_fd(void)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY);

	if (fd >= 0)
		fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/run");
	return fd;
}

static int bpf_map(void)
{
	uint32_t attributes[16] = { 2 /* BPF_MAP_TYPE_ARRAY */, 4, 4, 1 };

	return (int)syscall(SYS_bpf, 0 /* BPF_MAP_CREATE */, attributes, sizeof(attributes));
}

static int bpf_program(void)
{
	static const uint64_t ends[] = { 0x00000000000000b7 /* r0 = 0 */, 0x95 /* exit */ };
	struct {
		uint32_t type, instructions;
		uint64_t program, license;
		uint32_t level, size;
		uint64_t buffer;
		uint32_t rest[8];
	} attributes = { .type = 1 /* SOCKET_FILTER */, .instructions = 2 };

	attributes.program = (uint64_t)(uintptr_t)ends;
	attributes.license = (uint64_t)(uintptr_t)"GPL";
	return (int)syscall(SYS_bpf, 5 /* BPF_PROG_LOAD */, &attributes, sizeof(attributes));
}

static int io_uring(void)
{
	char parameters[120] = { 0 };

	return (int)syscall(425, 1, parameters);
}

static int tun(void)
{
	struct ifreq request = { .ifr_name = "probe%d", .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	return fd < 0 || ioctl(fd, TUNSETIFF, &request) ? -1 : fd;
}

static int landlock(void)
{
	uint64_t handled = 1;

	return (int)syscall(444, &handled, sizeof(handled), 0);
}

static int one_of(enum kind kind)
{
	sigset_t none;
	int ends[2];

	sigemptyset(&none);
	switch (kind) {
	case FILE_FD: return open("/proc/self/exe", O_RDONLY);
	case PIPE: return pipe(ends) ? -1 : ends[0];
	case SOCKET: return socket(AF_UNIX, SOCK_STREAM, 0);
	case EVENTFD: return eventfd(0, 0);
	case EPOLL: return epoll_fd();
	case SIGNALFD: return signalfd(-1, &none, 0);
	case TIMERFD: return timer_fd();
	case INOTIFY: return inotify_fd();
	case FANOTIFY: return fanotify_fd();
	case PIDFD: return (int)syscall(434, getpid(), 0);
	case MEMFD: return (int)syscall(SYS_memfd_create, "probe", 0);
	case UFFD: return (int)syscall(SYS_userfaultfd, 0);
	case BPF_MAP: return bpf_map();
	case BPF_PROGRAM: return bpf_program();
	case IO_URING: return io_uring();
	case TUN: return tun();
	case PTMX: return open("/dev/ptmx", O_RDWR | O_NOCTTY);
	case NAMESPACE: return open("/proc/self/ns/net", O_RDONLY);
	case MOUNT: return (int)syscall(428, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */);
	case LANDLOCK: return landlock();
	}
	return -1;
}

static int opened(const long *a)
{
	int fd = one_of((enum kind)a[0]);

	if (fd < 0) {
		result(-1);
		_exit(0);
	}
	return fd;
}

/* Fields, and of lines with several the names inside (`tfd: ... events: ... data:`), in order, each once. */
static void fdinfo(const long *a)
{
	static char room[16384];
	char path[64], *line, *rest = room, *word;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", opened(a));
	need(slurp(path, room, sizeof(room)) >= 0, "fdinfo");
	while ((line = strsep(&rest, "\n"))) {
		char names[256] = "";

		while ((word = strsep(&line, " \t"))) {
			size_t length = strcspn(word, ":");

			if (!word[length] || length == 0 || length > 24 || (*word >= '0' && *word <= '9'))
				continue;
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.*s", *names ? " " : "", (int)length,
				 word);
		}
		if (*names)
			item("%s", names);
	}
	result(0);
}

/* Numbers in the link's name are inodes. */
static void link_name(const long *a)
{
	char path[64], name[256], *p;
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", opened(a));
	size = readlink(path, name, sizeof(name) - 1);
	need(size > 0, "readlink");
	name[size] = 0;
	p = strstr(name, ":[");
	if (p && p[2] >= '0' && p[2] <= '9')
		strcpy(p, ":[N]");
	result(0);
	text("%s", name);
}

/* Of which file system a descriptor is, and whether it calls itself a regular file. */
static void nature(const long *a)
{
	int fd = opened(a);
	struct statfs system;
	struct stat status;

	need(fstatfs(fd, &system) == 0 && fstat(fd, &status) == 0, "fstat");
	result(0);
	text("file system 0x%lx, mode 0%o", (unsigned long)system.f_type, status.st_mode & S_IFMT);
}

/* kind, request, first word of the argument */
static void controls(const long *a)
{
	long room[32] = { a[2] };

	result(ioctl(opened(a), (unsigned long)a[1], room));
}

static void controls_by_value(const long *a)
{
	result(ioctl(opened(a), (unsigned long)a[1], a[2]));
}

static void terminal(const long *a)
{
	int leader, follower, value = 0;

	need(openpty(&leader, &follower, NULL, NULL, NULL) == 0, "openpty");
	result(ioctl(a[0] ? leader : follower, (unsigned long)a[1], &value));
}

static void other_end(const long *a)
{
	int leader, follower;

	(void)a;
	need(openpty(&leader, &follower, NULL, NULL, NULL) == 0, "openpty");
	result(ioctl(leader, 0x5441 /* TIOCGPTPEER */, O_RDWR | O_NOCTTY));
}

static void owner(const long *a)
{
	struct {
		int type, pid;
	} owner = { 1, getpid() };

	(void)a;
	result(fcntl(opened((const long[]){ PIPE }), F_SETOWN_EX, &owner));
}

static void controls_fcntl(const long *a)
{
	char room[256] = { 0 };

	result(fcntl(opened(a), (int)a[1], room));
}

const struct probe fd_probes[] = {
	{ "fdinfo.file", fdinfo, { FILE_FD } },
	{ "fdinfo.pipe", fdinfo, { PIPE } },
	{ "fdinfo.socket", fdinfo, { SOCKET } },
	{ "fdinfo.eventfd", fdinfo, { EVENTFD } },
	{ "fdinfo.epoll", fdinfo, { EPOLL } },
	{ "fdinfo.signalfd", fdinfo, { SIGNALFD } },
	{ "fdinfo.timerfd", fdinfo, { TIMERFD } },
	{ "fdinfo.inotify", fdinfo, { INOTIFY } },
	{ "fdinfo.fanotify", fdinfo, { FANOTIFY } },
	{ "fdinfo.pidfd", fdinfo, { PIDFD } },
	{ "fdinfo.memfd", fdinfo, { MEMFD } },
	{ "fdinfo.userfaultfd", fdinfo, { UFFD } },
	{ "fdinfo.bpf-map", fdinfo, { BPF_MAP } },
	{ "fdinfo.bpf-program", fdinfo, { BPF_PROGRAM } },
	{ "fdinfo.tun", fdinfo, { TUN } },
	{ "fdinfo.ptmx", fdinfo, { PTMX } },
	{ "fdinfo.namespace", fdinfo, { NAMESPACE } },
	{ "fd.link.eventfd", link_name, { EVENTFD } },
	{ "fd.link.epoll", link_name, { EPOLL } },
	{ "fd.link.signalfd", link_name, { SIGNALFD } },
	{ "fd.link.timerfd", link_name, { TIMERFD } },
	{ "fd.link.inotify", link_name, { INOTIFY } },
	{ "fd.link.fanotify", link_name, { FANOTIFY } },
	{ "fd.link.pidfd", link_name, { PIDFD } },
	{ "fd.link.memfd", link_name, { MEMFD } },
	{ "fd.link.userfaultfd", link_name, { UFFD } },
	{ "fd.link.bpf-map", link_name, { BPF_MAP } },
	{ "fd.link.io_uring", link_name, { IO_URING } },
	{ "fd.link.namespace", link_name, { NAMESPACE } },
	{ "fd.nature.pidfd", nature, { PIDFD } },
	{ "fd.nature.memfd", nature, { MEMFD } },
	{ "fd.nature.namespace", nature, { NAMESPACE } },
	{ "fd.nature.eventfd", nature, { EVENTFD } },
	{ "fd.mount", fdinfo, { MOUNT } },
	{ "fd.landlock", fdinfo, { LANDLOCK } },
	{ "ioctl.tungetiff", controls, { TUN, TUNGETIFF, 0 } },
	{ "ioctl.tungetdevnetns", controls, { TUN, 0x54e3, 0 } },
	{ "ioctl.inotify-setnextwd", controls_by_value, { INOTIFY, 0x40044900, 42 } },
	{ "ioctl.timerfd-set-ticks", controls, { TIMERFD, 0x40085400, 1 } },
	{ "ioctl.ns-get-userns", controls_by_value, { NAMESPACE, 0xb701, 0 } },
	{ "ioctl.ns-get-id", controls, { NAMESPACE, 0x8008b70d, 0 } },
	{ "ioctl.pidfd-get-info", controls, { PIDFD, 0xc048ff0b, 0 } },
	{ "ioctl.pidfd-get-pid-namespace", controls_by_value, { PIDFD, 0xff05, 0 } },
	{ "ioctl.tiocgptpeer", other_end, { 0 } },
	{ "ioctl.tiocgpkt", terminal, { 1, 0x80045438 } },
	{ "ioctl.tiocgptlck", terminal, { 1, 0x80045439 } },
	{ "ioctl.tiocgexcl", terminal, { 0, 0x80045440 } },
	{ "fcntl.setown-ex", owner, { 0 } },
	{ "fcntl.get-seals", controls_fcntl, { MEMFD, 1034 } },
	{ "fcntl.getpipe-size", controls_fcntl, { PIPE, 1032 } },
	{ "fcntl.get-rw-hint", controls_fcntl, { FILE_FD, 1035 } },
	{ "fcntl.getlk-ofd", controls_fcntl, { FILE_FD, 36 } },
	{ 0 },
};
