/*
 * UDP-Lite over IPv4 and IPv6: bound and connected, with a checksum over a part of each datagram. A kernel without the
 * protocol is said so in the file `lacking`.
 */
#include "inet.h"

#define FAMILIES 2
#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11

/* Seeds of the contents. */
enum part { LATER = 1 };

static const int families[FAMILIES] = { AF_INET, AF_INET6 };
static int bound[FAMILIES], connected[FAMILIES];

static const struct option options[] = {
	{ "priority", SOL_SOCKET, SO_PRIORITY, 4 },
	{ "mark", SOL_SOCKET, SO_MARK, 99 },
	{ "rcvbuf", SOL_SOCKET, SO_RCVBUF, 70000 },
	{ 0 },
};

static void say_if_lacking(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	if (fd >= 0 || errno != EPROTONOSUPPORT) {
		close(fd);
		return;
	}
	fd = open("lacking", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0 || close(fd))
		die("lacking");
	ready();
	exit(0);
}

static void make_sockets(int i)
{
	union address address = loopback(families[i], 0);

	bound[i] = make_socket(families[i], SOCK_DGRAM, IPPROTO_UDPLITE);
	bind_to(bound[i], &address);
	address = own_address(bound[i]);
	connected[i] = make_socket(families[i], SOCK_DGRAM, IPPROTO_UDPLITE);
	connect_to(connected[i], &address);
	set_options(connected[i], options);
}

static void describe(void)
{
	report_address("bound4", bound[0], getsockname);
	report_address("bound6", bound[1], getsockname);
	report_addresses("connected4", connected[0]);
	report_addresses("connected6", connected[1]);
	report_options("connected4", connected[0], options);
	report_options("connected6", connected[1], options);
	report_number("protocol4", get_option(connected[0], SOL_SOCKET, SO_PROTOCOL));
	report_number("protocol6", get_option(bound[1], SOL_SOCKET, SO_PROTOCOL));
	/* The checksum's coverage is an option that only this protocol has. */
	report_number("coverage4", get_option(connected[0], IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV));
}

static void verify(void)
{
	expect_flow(connected[0], bound[0], "IPv4", seed_for(LATER));
	expect_flow(connected[1], bound[1], "IPv6", seed_for(LATER + 1));
}

/* The same ports, but of the common protocol. */
static void become_udp(void)
{
	union address own = own_address(bound[0]), address = own_address(connected[0]);

	close(bound[0]);
	close(connected[0]);
	bound[0] = make_socket(AF_INET, SOCK_DGRAM, 0);
	bind_to(bound[0], &own);
	connected[0] = make_socket(AF_INET, SOCK_DGRAM, 0);
	bind_to(connected[0], &address);
	connect_to(connected[0], &own);
	set_options(connected[0], options);
}

static void unbind(void)
{
	close(bound[1]);
	bound[1] = make_socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE);
}

static void forget_mark(void)
{
	set_option(connected[1], SOL_SOCKET, SO_MARK, 0);
}

static const struct damage damages[] = {
	{ "udp", become_udp },
	{ "unbound", unbind },
	{ "mark", forget_mark },
	{ 0 },
};

int main(void)
{
	witness_start();
	say_if_lacking();
	for (int i = 0; i < FAMILIES; i++)
		make_sockets(i);
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
