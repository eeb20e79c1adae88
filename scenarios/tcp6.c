/*
 * TCP over IPv6: a connection with unread bytes in both directions, an IPv4 connection on a dual-stack listener, an
 * IPv6-only listener that shares its port with an IPv4 one.
 */
#include "inet.h"

#define UNREAD 4000

/* Seeds of the contents. */
enum part { DOWN = 1, UP, MAPPED, LATER = 10 };

static int listener, dual, only6, only4; /* the last two at one port */
static struct pair calm;		 /* over ::1 */
static struct pair mapped;		 /* an IPv4 client of the dual listener: ::ffff:127.0.0.1 to the server */

static const struct option options[] = {
	{ "nodelay", IPPROTO_TCP, TCP_NODELAY, 1 },
	{ "keepalive", SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ "mark", SOL_SOCKET, SO_MARK, 66 },
	{ 0 },
};

static void make_dual(void)
{
	union address any = { .v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any } };
	union address address;

	dual = make_socket(AF_INET6, SOCK_STREAM, 0);
	/* net.ipv6.bindv6only may say otherwise. */
	set_option(dual, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	bind_to(dual, &any);
	if (listen(dual, 4))
		die("listen");
	address = loopback(AF_INET, port_of(dual));
	mapped = make_pair(dual, &address);
}

static void make_only(void)
{
	union address address = { .v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any } };

	only6 = make_socket(AF_INET6, SOCK_STREAM, 0);
	set_option(only6, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	bind_to(only6, &address);
	address = loopback(AF_INET, port_of(only6));
	only4 = make_socket(AF_INET, SOCK_STREAM, 0);
	bind_to(only4, &address);
	if (listen(only6, 4) || listen(only4, 4))
		die("listen");
}

static void describe(void)
{
	report_addresses("client", calm.client);
	report_addresses("server", calm.server);
	report_addresses("mapped_client", mapped.client);
	report_addresses("mapped_server", mapped.server);
	report_address("dual", dual, getsockname);
	report_address("only6", only6, getsockname);
	report_address("only4", only4, getsockname);
	report_tcp("client", calm.client);
	report_tcp("server", calm.server);
	report_tcp("mapped", mapped.server);
	report_options("client", calm.client, options);
	report_number("dual_v6only", get_option(dual, IPPROTO_IPV6, IPV6_V6ONLY));
	report_number("only6_v6only", get_option(only6, IPPROTO_IPV6, IPV6_V6ONLY));
	report_number("down", queued(calm.server, SIOCINQ));
	report_number("up", queued(calm.client, SIOCINQ));
}

/* Whoever dials the family gets its own listener and nobody else. */
static void compare_listener(const char *what, int fd, int family, uint16_t port)
{
	union address address = loopback(family, port);
	struct pair fresh;

	if (fd < 0 || get_option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1) {
		mismatch("%s: does not listen", what);
		return;
	}
	fresh = make_pair(fd, &address);
	if (fresh.server >= 0)
		expect_flow(fresh.client, fresh.server, what, seed_for(LATER + 5));
	close(fresh.client);
	close(fresh.server);
}

static void verify(void)
{
	expect_stream(calm.server, "IPv6, down", UNREAD, seed_for(DOWN));
	expect_stream(calm.client, "IPv6, up", UNREAD, seed_for(UP));
	expect_stream(mapped.server, "mapped", UNREAD, seed_for(MAPPED));
	expect_flow(calm.client, calm.server, "IPv6, later", seed_for(LATER));
	expect_flow(calm.server, calm.client, "IPv6, later, back", seed_for(LATER + 1));
	expect_flow(mapped.server, mapped.client, "mapped, back", seed_for(LATER + 2));
	compare_listener("listener", listener, AF_INET6, port_of(listener));
	compare_listener("dual listener, by IPv4", dual, AF_INET, port_of(dual));
	compare_listener("dual listener, by IPv6", dual, AF_INET6, port_of(dual));
	compare_listener("IPv6-only listener", only6, AF_INET6, port_of(only6));
	compare_listener("IPv4 listener at its port", only4, AF_INET, port_of(only6));
	close(calm.client);
	expect_end(calm.server, "IPv6");
	close(mapped.server);
	expect_end(mapped.client, "mapped");
}

static void lose_a_byte(void)
{
	uint8_t byte;

	receive(mapped.server, &byte, 1);
}

static void reconnect(void)
{
	union address address = own_address(listener);
	struct pair before = calm;

	calm = make_pair(listener, &address); /* while the old one is there, or its port may be chosen again */
	close(before.client);
	close(before.server);
	set_options(calm.client, options);
	put(calm.client, "corruption", UNREAD, seed_for(DOWN));
	put(calm.server, "corruption", UNREAD, seed_for(UP));
	sleep_ms(20);
}

static void exclude_ipv4(void)
{
	union address any = { .v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any } };

	any.v6.sin6_port = htons(port_of(dual));
	close(dual);
	dual = make_socket(AF_INET6, SOCK_STREAM, 0);
	set_option(dual, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(dual, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	bind_to(dual, &any);
	if (listen(dual, 4))
		die("listen");
}

static void lose_listener(void)
{
	close(only4);
	only4 = make_socket(AF_INET, SOCK_STREAM, 0);
}

static void lose_mark(void)
{
	set_option(calm.client, SOL_SOCKET, SO_MARK, 0);
}

static const struct damage damages[] = {
	{ "lost", lose_a_byte },	 { "reconnected", reconnect }, { "only-ipv6", exclude_ipv4 },
	{ "no-listener", lose_listener }, { "mark", lose_mark },       { 0 },
};

int main(void)
{
	union address address;

	witness_start();
	listener = make_listener(AF_INET6, 4);
	address = own_address(listener);
	calm = make_pair(listener, &address);
	set_options(calm.client, options);
	make_dual();
	make_only();
	put(calm.client, "IPv6, down", UNREAD, seed_for(DOWN));
	put(calm.server, "IPv6, up", UNREAD, seed_for(UP));
	put(mapped.client, "mapped", UNREAD, seed_for(MAPPED));
	sleep_ms(20);
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
