/* Sockets: families and protocols, and the options of each that CRIU reads and sets. */
#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int made(const long *a)
{
	int fd = socket((int)a[0], (int)a[1], (int)a[2]);

	need(fd >= 0, "socket");
	return fd;
}

static void makes(const long *a)
{
	result(socket((int)a[0], (int)a[1], (int)a[2]));
}

/* family, type, protocol, level, option */
static void reads(const long *a)
{
	char room[512] = { 0 };
	socklen_t size = sizeof(room);

	result(getsockopt(made(a), (int)a[3], (int)a[4], room, &size));
}

/* As `reads`, with the size of what is read. */
static void sizes(const long *a)
{
	char room[4096] = { 0 };
	socklen_t size = sizeof(room);

	result(getsockopt(made(a), (int)a[3], (int)a[4], room, &size));
	number(size);
}

/* As `reads`, and the value is set. */
static void sets(const long *a)
{
	int value = (int)a[5];

	result(setsockopt(made(a), (int)a[3], (int)a[4], &value, sizeof(value)));
}

/* A TCP connection over the loopback: the end that called, the end that was called. */
static void connected(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	need(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	need(listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&address, &size) == 0, "listen");
	need(connect(ends[0], (struct sockaddr *)&address, size) == 0, "connect");
	ends[1] = accept(listener, NULL, NULL);
	need(ends[1] >= 0, "accept");
	close(listener);
}

static void repair(int fd)
{
	int on = 1;

	need(setsockopt(fd, IPPROTO_TCP, 19 /* TCP_REPAIR */, &on, sizeof(on)) == 0, "TCP_REPAIR");
}

static void repair_on(const long *a)
{
	int on = 1, ends[2];

	(void)a;
	connected(ends);
	result(setsockopt(ends[0], IPPROTO_TCP, 19, &on, sizeof(on)));
}

static void repair_off_without_probe(const long *a)
{
	int off = -1, ends[2];

	(void)a;
	connected(ends);
	repair(ends[0]);
	result(setsockopt(ends[0], IPPROTO_TCP, 19, &off, sizeof(off)));
}

static void repair_reads(const long *a)
{
	char room[64] = { 0 };
	socklen_t size = (socklen_t)a[1];
	int queue = 1, ends[2];

	connected(ends);
	repair(ends[0]);
	setsockopt(ends[0], IPPROTO_TCP, 20 /* TCP_REPAIR_QUEUE */, &queue, sizeof(queue));
	result(getsockopt(ends[0], IPPROTO_TCP, (int)a[0], room, &size));
	number(size);
}

/* The window of a connection whose other end has closed (feature tcp_half_closed). */
static void half_closed(const long *a)
{
	char room[64];
	socklen_t size = 20;
	int ends[2];

	(void)a;
	connected(ends);
	shutdown(ends[1], SHUT_WR);
	shutdown(ends[0], SHUT_WR);
	repair(ends[0]);
	result(getsockopt(ends[0], IPPROTO_TCP, 29 /* TCP_REPAIR_WINDOW */, room, &size));
}

static void ioctl_socket(const long *a)
{
	result(ioctl(made(a), (unsigned long)a[3], 0));
}

/* The file by which a bound unix socket is known. */
static void unix_file(const long *a)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/kmatrix-probe.sock" };
	int fd = made((const long[]){ AF_UNIX, SOCK_STREAM, 0 });

	(void)a;
	unlink(address.sun_path);
	need(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	result(ioctl(fd, 0x89e0 /* SIOCUNIXFILE */, 0));
	unlink(address.sun_path);
}

#define INET AF_INET, SOCK_STREAM, 0
#define INET6 AF_INET6, SOCK_STREAM, 0
#define DGRAM AF_INET, SOCK_DGRAM, 0
#define UNIX AF_UNIX, SOCK_STREAM, 0
#define NETLINK AF_NETLINK, SOCK_RAW, 0
#define PACKET AF_PACKET, SOCK_RAW, 0

const struct probe socket_probes[] = {
	{ "socket.unix", makes, { AF_UNIX, SOCK_SEQPACKET, 0 } },
	{ "socket.udplite", makes, { AF_INET, SOCK_DGRAM, 136 } },
	{ "socket.udplite6", makes, { AF_INET6, SOCK_DGRAM, 136 } },
	{ "socket.raw", makes, { AF_INET, SOCK_RAW, IPPROTO_RAW } },
	{ "socket.ping", makes, { AF_INET, SOCK_DGRAM, IPPROTO_ICMP } },
	{ "socket.mptcp", makes, { AF_INET, SOCK_STREAM, 262 } },
	{ "socket.packet", makes, { PACKET } },
	{ "socket.netlink", makes, { NETLINK } },
	{ "sockopt.buf-lock.inet", reads, { INET, SOL_SOCKET, 72 } },
	{ "sockopt.buf-lock.unix", reads, { UNIX, SOL_SOCKET, 72 } },
	{ "sockopt.buf-lock.set", sets, { INET, SOL_SOCKET, 72, 0 } },
	{ "sockopt.passcred.inet", reads, { INET, SOL_SOCKET, SO_PASSCRED } },
	{ "sockopt.passcred.inet6", reads, { INET6, SOL_SOCKET, SO_PASSCRED } },
	{ "sockopt.passcred.unix", reads, { UNIX, SOL_SOCKET, SO_PASSCRED } },
	{ "sockopt.passcred.netlink", reads, { NETLINK, SOL_SOCKET, SO_PASSCRED } },
	{ "sockopt.passcred.packet", reads, { PACKET, SOL_SOCKET, SO_PASSCRED } },
	{ "sockopt.passsec.inet", reads, { INET, SOL_SOCKET, SO_PASSSEC } },
	{ "sockopt.passsec.unix", reads, { UNIX, SOL_SOCKET, SO_PASSSEC } },
	{ "sockopt.passpidfd.unix", reads, { UNIX, SOL_SOCKET, 76 } },
	{ "sockopt.passrights.unix", reads, { UNIX, SOL_SOCKET, 83 } },
	{ "sockopt.peek-off.unix", reads, { UNIX, SOL_SOCKET, SO_PEEK_OFF } },
	{ "sockopt.peek-off.udp", reads, { DGRAM, SOL_SOCKET, SO_PEEK_OFF } },
	{ "sockopt.peek-off.tcp", reads, { INET, SOL_SOCKET, SO_PEEK_OFF } },
	{ "sockopt.mark", reads, { INET, SOL_SOCKET, SO_MARK } },
	{ "sockopt.rcvmark", reads, { INET, SOL_SOCKET, 75 } },
	{ "sockopt.priority", reads, { INET, SOL_SOCKET, SO_PRIORITY } },
	{ "sockopt.rcvpriority", reads, { INET, SOL_SOCKET, 82 } },
	{ "sockopt.reuseport", reads, { INET, SOL_SOCKET, SO_REUSEPORT } },
	{ "sockopt.sndbufforce", sets, { INET, SOL_SOCKET, SO_SNDBUFFORCE, 65536 } },
	{ "sockopt.rcvbufforce", sets, { INET, SOL_SOCKET, SO_RCVBUFFORCE, 65536 } },
	{ "sockopt.get-filter", reads, { INET, SOL_SOCKET, 26 } },
	{ "sockopt.lock-filter", reads, { INET, SOL_SOCKET, 44 } },
	{ "sockopt.bind-to-device", reads, { INET, SOL_SOCKET, SO_BINDTODEVICE } },
	{ "sockopt.no-check", reads, { DGRAM, SOL_SOCKET, SO_NO_CHECK } },
	{ "sockopt.netns-cookie", reads, { INET, SOL_SOCKET, 71 } },
	{ "sockopt.meminfo", sizes, { INET, SOL_SOCKET, 55 } },
	{ "sockopt.reserve-mem", reads, { INET, SOL_SOCKET, 73 } },
	{ "sockopt.txrehash", reads, { INET, SOL_SOCKET, 74 } },
	{ "sockopt.ip.freebind", reads, { INET, IPPROTO_IP, IP_FREEBIND } },
	{ "sockopt.ip.freebind6", reads, { INET6, IPPROTO_IPV6, 78 } },
	{ "sockopt.ip.transparent", reads, { INET, IPPROTO_IP, IP_TRANSPARENT } },
	{ "sockopt.ip.pktinfo", reads, { DGRAM, IPPROTO_IP, IP_PKTINFO } },
	{ "sockopt.tcp.info", sizes, { INET, IPPROTO_TCP, TCP_INFO } },
	{ "sockopt.tcp.ulp", reads, { INET, IPPROTO_TCP, 31 } },
	{ "sockopt.tcp.is-mptcp", reads, { INET, IPPROTO_TCP, 43 } },
	{ "sockopt.tcp.repair", repair_on, { 0 } },
	{ "sockopt.tcp.repair-off-no-wp", repair_off_without_probe, { 0 } },
	{ "sockopt.tcp.queue-seq", repair_reads, { 21, 4 } },
	{ "sockopt.tcp.repair-window", repair_reads, { 29, 20 } },
	{ "sockopt.tcp.repair-window.half-closed", half_closed, { 0 } },
	{ "sockopt.tcp.timestamp", repair_reads, { 24, 4 } },
	{ "sockopt.netlink.memberships", reads, { NETLINK, 270, 9 } },
	{ "sockopt.netlink.strict-check", reads, { NETLINK, 270, 12 } },
	{ "sockopt.packet.version", reads, { PACKET, 263, 10 } },
	{ "ioctl.siocgskns", ioctl_socket, { INET, 0x894c } },
	{ "ioctl.siocunixfile", unix_file, { 0 } },
	{ 0 },
};
