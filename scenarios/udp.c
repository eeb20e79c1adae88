/*
 * UDP over IPv4 and IPv6: bound, connected, shut for reading, sharing a port, bound to an address that the host does
 * not have; a datagram that nobody has read.
 */
#include "inet.h"

#define FAMILIES 2
#define SHARERS 2
#define QUEUED 200

/* Seeds of the contents. */
enum part { QUEUE = 1, LATER = 10 };

static const int families[FAMILIES] = { AF_INET, AF_INET6 };
static int bound[FAMILIES], connected[FAMILIES]; /* the second is connected to the first */
static int sharers[SHARERS];
static int deaf;    /* its reading half is shut */
static int foreign; /* bound to an IPv6 address of somebody else, by IP_FREEBIND */
static int both;    /* IPv6, takes IPv4 as well */
static int inbox, outbox;
static const char *fate = "waiting"; /* of the datagram in `inbox` */

static const struct option options[] = {
	{ "broadcast", SOL_SOCKET, SO_BROADCAST, 1 },
	{ "priority", SOL_SOCKET, SO_PRIORITY, 4 },
	{ "mark", SOL_SOCKET, SO_MARK, 99 },
	{ "no_check", SOL_SOCKET, SO_NO_CHECK, 1 },
	{ "rcvbuf", SOL_SOCKET, SO_RCVBUF, 70000 },
	{ "sndbuf", SOL_SOCKET, SO_SNDBUF, 50000 },
	{ "dontroute", SOL_SOCKET, SO_DONTROUTE, 1 },
	{ 0 },
};

static const struct option bound_options[FAMILIES][4] = {
	{
		{ "tos", IPPROTO_IP, IP_TOS, 0x28 },
		{ "ttl", IPPROTO_IP, IP_TTL, 33 },
		{ "pktinfo", IPPROTO_IP, IP_PKTINFO, 1 },
		{ 0 },
	},
	{
		{ "recvpktinfo", IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
		{ 0 },
	},
};

static const struct option foreign_options[] = {
	{ "freebind", IPPROTO_IP, IP_FREEBIND, 1 },
	{ 0 },
};

static void make_sockets(int i)
{
	union address address = loopback(families[i], 0);

	bound[i] = make_socket(families[i], SOCK_DGRAM, 0);
	bind_to(bound[i], &address);
	set_options(bound[i], bound_options[i]);
	address = own_address(bound[i]);
	connected[i] = make_socket(families[i], SOCK_DGRAM, 0);
	connect_to(connected[i], &address);
	set_options(connected[i], options);
}

static void make_sharers(void)
{
	union address address = loopback(AF_INET, 0);

	for (int i = 0; i < SHARERS; i++) {
		sharers[i] = make_socket(AF_INET, SOCK_DGRAM, 0);
		set_option(sharers[i], SOL_SOCKET, SO_REUSEPORT, 1);
		bind_to(sharers[i], &address);
		address = own_address(sharers[i]);
	}
	if (setsockopt(sharers[0], SOL_SOCKET, SO_BINDTODEVICE, "lo", 3))
		die("SO_BINDTODEVICE");
}

static void make_others(void)
{
	union address address = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(5007) } };

	foreign = make_socket(AF_INET6, SOCK_DGRAM, 0);
	set_options(foreign, foreign_options);
	inet_pton(AF_INET6, "2001:db8::7", &address.v6.sin6_addr);
	bind_to(foreign, &address);
	address = (union address){ .v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any } };
	both = make_socket(AF_INET6, SOCK_DGRAM, 0);
	set_option(both, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	bind_to(both, &address);
	deaf = make_socket(AF_INET, SOCK_DGRAM, 0);
	address = own_address(bound[0]);
	connect_to(deaf, &address);
	if (shutdown(deaf, SHUT_RD))
		die("shutdown");
	inbox = make_socket(AF_INET, SOCK_DGRAM, 0);
	address = loopback(AF_INET, 0);
	bind_to(inbox, &address);
	address = own_address(inbox);
	outbox = make_socket(AF_INET, SOCK_DGRAM, 0);
	connect_to(outbox, &address);
	put(outbox, "inbox", QUEUED, seed_for(QUEUE));
}

static void report_device(const char *what, int fd)
{
	char device[16] = "";
	socklen_t size = sizeof device;

	if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &size))
		mismatch("SO_BINDTODEVICE: %s", strerror(errno));
	report_text(what, device);
}

static void describe(void)
{
	report_address("bound4", bound[0], getsockname);
	report_address("bound6", bound[1], getsockname);
	report_addresses("connected4", connected[0]);
	report_addresses("connected6", connected[1]);
	report_options("bound4", bound[0], bound_options[0]);
	report_options("bound6", bound[1], bound_options[1]);
	report_options("connected4", connected[0], options);
	report_options("connected6", connected[1], options);
	report_address("sharer0", sharers[0], getsockname);
	report_address("sharer1", sharers[1], getsockname);
	report_device("sharer0_device", sharers[0]);
	report_device("sharer1_device", sharers[1]);
	report_number("reuseport", get_option(sharers[1], SOL_SOCKET, SO_REUSEPORT));
	report_address("foreign", foreign, getsockname);
	report_options("foreign", foreign, foreign_options);
	report_address("both", both, getsockname);
	report_number("v6only", get_option(both, IPPROTO_IPV6, IPV6_V6ONLY));
	report_addresses("deaf", deaf);
	report_addresses("outbox", outbox);
	report_text("fate", fate);
}

/* To the connected one comes only what its peer sends. */
static void verify_family(int i)
{
	union address address = own_address(connected[i]);
	int stranger = make_socket(families[i], SOCK_DGRAM, 0);

	expect_flow(connected[i], bound[i], i ? "IPv6" : "IPv4", seed_for(LATER));
	sendto(stranger, "x", 1, 0, &address.any, address_size(&address));
	expect_nothing(connected[i], i ? "IPv6, of a stranger" : "IPv4, of a stranger");
	if (sendto(bound[i], "peer", 4, 0, &address.any, address_size(&address)) != 4 ||
	    queued(connected[i], SIOCINQ) != 4)
		mismatch("%s: what the peer sends back does not arrive", i ? "IPv6" : "IPv4");
	close(stranger);
}

/* CRIU drops what nobody has read, as the network may: whole or not at all, and it says so in its log. */
static void verify_inbox(void)
{
	uint8_t bytes[QUEUED + 1];
	ssize_t count = recv(inbox, bytes, sizeof bytes, MSG_DONTWAIT);

	fate = count < 0 ? "dropped" : "kept";
	if (count >= 0 && count != QUEUED)
		mismatch("inbox: a datagram of %zd bytes, expected %d or none", count, QUEUED);
	else if (count >= 0)
		compare_fill("inbox", bytes, QUEUED, seed_for(QUEUE));
	expect_flow(outbox, inbox, "inbox, later", seed_for(LATER + 1));
}

/* IP_TOS is not only told but used: a datagram to somebody who wants to know carries it. */
static void verify_tos(void)
{
	union {
		char bytes[CMSG_SPACE(1)];
		struct cmsghdr align;
	} control;
	char data[8];
	struct iovec where = { data, sizeof data };
	struct msghdr message = { .msg_iov = &where,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	union address address = loopback(AF_INET, 0);
	int fd = make_socket(AF_INET, SOCK_DGRAM, 0);

	set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
	bind_to(fd, &address);
	address = own_address(fd);
	if (sendto(bound[0], "tos", 3, 0, &address.any, sizeof address.v4) != 3 ||
	    recvmsg(fd, &message, MSG_DONTWAIT) != 3 || !CMSG_FIRSTHDR(&message))
		mismatch("IPv4: no datagram that tells its type of service");
	else
		compare_number("IPv4: type of service", *CMSG_DATA(CMSG_FIRSTHDR(&message)), 0x28);
	close(fd);
}

static void verify(void)
{
	union address address;
	struct pollfd hung = { deaf, POLLRDHUP, 0 };

	for (int i = 0; i < FAMILIES; i++)
		verify_family(i);
	verify_tos();
	verify_inbox();
	if (poll(&hung, 1, 0) != 1)
		mismatch("deaf: its reading half is open");
	address = loopback(AF_INET, port_of(both));
	if (sendto(outbox, "mapped", 6, 0, &address.any, sizeof address.v4) != 6 || queued(both, SIOCINQ) != 6)
		mismatch("both: takes no IPv4");
}

static void disconnect(void)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	connect(connected[1], &none, sizeof none);
}

static void unbind(void)
{
	close(bound[0]);
	bound[0] = make_socket(AF_INET, SOCK_DGRAM, 0);
}

static void listen_again(void)
{
	union address address = own_address(bound[0]);

	close(deaf);
	deaf = make_socket(AF_INET, SOCK_DGRAM, 0);
	connect_to(deaf, &address);
}

static void cut(void)
{
	uint8_t bytes[QUEUED];

	recv(inbox, bytes, sizeof bytes, MSG_DONTWAIT);
	put(outbox, "corruption", QUEUED - 1, seed_for(QUEUE));
}

static void free_device(void)
{
	setsockopt(sharers[0], SOL_SOCKET, SO_BINDTODEVICE, "", 0);
}

static void forget_tos(void)
{
	set_option(bound[0], IPPROTO_IP, IP_TOS, 0);
}

static void forget_checks(void)
{
	set_option(connected[1], SOL_SOCKET, SO_NO_CHECK, 0);
}

static const struct damage damages[] = {
	{ "disconnected", disconnect }, { "unbound", unbind },	     { "listening", listen_again }, { "cut", cut },
	{ "device", free_device },	{ "checks", forget_checks }, { "tos", forget_tos },	    { 0 },
};

int main(void)
{
	witness_start();
	for (int i = 0; i < FAMILIES; i++)
		make_sockets(i);
	make_sharers();
	make_others();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
