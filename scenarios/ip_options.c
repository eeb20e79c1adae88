/* Options of the IP layer on UDP sockets and a TCP connection of both families, each as a fact of its own. */
#include "inet.h"

static int udp4, udp6;
static struct pair tcp6;

static const struct option options4[] = {
	{ "mtu_discover", IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO },
	{ "recverr", IPPROTO_IP, IP_RECVERR, 1 },
	{ "recvttl", IPPROTO_IP, IP_RECVTTL, 1 },
	{ "recvtos", IPPROTO_IP, IP_RECVTOS, 1 },
	{ "transparent", IPPROTO_IP, IP_TRANSPARENT, 1 },
	{ "minttl", IPPROTO_IP, IP_MINTTL, 2 },
	{ "bind_address_no_port", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1 },
	{ "multicast_ttl", IPPROTO_IP, IP_MULTICAST_TTL, 7 },
	{ "multicast_loop", IPPROTO_IP, IP_MULTICAST_LOOP, 0 },
	{ "timestamp", SOL_SOCKET, SO_TIMESTAMP, 1 },
	{ "rxq_ovfl", SOL_SOCKET, SO_RXQ_OVFL, 1 },
	{ 0 },
};

static const struct option options6[] = {
	{ "tclass", IPPROTO_IPV6, IPV6_TCLASS, 0x48 },
	{ "hops", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44 },
	{ "multicast_hops", IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 5 },
	{ "recvhoplimit", IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
	{ "recvtclass", IPPROTO_IPV6, IPV6_RECVTCLASS, 1 },
	{ "autoflowlabel", IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0 },
	{ "mtu_discover", IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO },
	{ "recverr", IPPROTO_IPV6, IPV6_RECVERR, 1 },
	{ 0 },
};

static const struct option options_tcp6[] = {
	{ "tclass", IPPROTO_IPV6, IPV6_TCLASS, 0x48 },
	{ "hops", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44 },
	{ 0 },
};

static void describe(void)
{
	report_options("udp4", udp4, options4);
	report_options("udp6", udp6, options6);
	report_options("tcp6", tcp6.client, options_tcp6);
	report_address("udp4_own", udp4, getsockname);
	report_address("udp6_own", udp6, getsockname);
}

static void verify(void)
{
	expect_flow(tcp6.client, tcp6.server, "connection", seed_for(1));
	expect_flow(tcp6.server, tcp6.client, "connection, back", seed_for(2));
}

static void forget_minimum(void)
{
	set_option(udp4, IPPROTO_IP, IP_MINTTL, 0);
}

static void forget_class(void)
{
	set_option(tcp6.client, IPPROTO_IPV6, IPV6_TCLASS, 0);
}

static void forget_hops(void)
{
	set_option(udp6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64);
}

static void rebind(void)
{
	union address address = loopback(AF_INET6, 0);

	close(udp6);
	udp6 = make_socket(AF_INET6, SOCK_DGRAM, 0);
	set_options(udp6, options6);
	bind_to(udp6, &address);
}

static const struct damage damages[] = {
	{ "minimum", forget_minimum }, { "class", forget_class }, { "hops", forget_hops }, { "rebound", rebind }, { 0 },
};

int main(void)
{
	union address address = loopback(AF_INET, 0);
	int listener;

	witness_start();
	udp4 = make_socket(AF_INET, SOCK_DGRAM, 0);
	udp6 = make_socket(AF_INET6, SOCK_DGRAM, 0);
	set_options(udp4, options4);
	set_options(udp6, options6);
	/* IP_BIND_ADDRESS_NO_PORT leaves the port to a later connect, unless it is named. */
	address.v4.sin_port = htons(5004);
	bind_to(udp4, &address);
	address = loopback(AF_INET6, 0);
	bind_to(udp6, &address);
	listener = make_listener(AF_INET6, 1);
	address = own_address(listener);
	tcp6 = make_pair(listener, &address);
	set_options(tcp6.client, options_tcp6);
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
