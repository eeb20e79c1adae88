/*
 * The names of accepted unix connections: an accepted socket has its listener's name, and its client sees that name
 * as its peer's. A stream one by a name in the file system, a seqpacket one by an abstract name.
 */
#include "sockets.h"

#define NAME "accepted.sock"
#define KINDS 2

static const int types[KINDS] = { SOCK_STREAM, SOCK_SEQPACKET };
static int listeners[KINDS], clients[KINDS], servers[KINDS];

static void make(int i, const struct sockaddr_un *name, socklen_t size)
{
	listeners[i] = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
	clients[i] = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
	if (listeners[i] < 0 || clients[i] < 0 || bind(listeners[i], (const struct sockaddr *)name, size) ||
	    listen(listeners[i], 1) || connect(clients[i], (const struct sockaddr *)name, size))
		die("connection");
	servers[i] = accept_soon(listeners[i], NULL, NULL);
	if (servers[i] < 0)
		die("accept");
}

static void describe(void)
{
	report_name("stream_own", servers[0], getsockname);
	report_name("stream_peer", clients[0], getpeername);
	report_name("stream_client", servers[0], getpeername);
	report_name("packet_own", servers[1], getsockname);
	report_name("packet_peer", clients[1], getpeername);
	report_name("packet_client", servers[1], getpeername);
	report_name("stream_listener", listeners[0], getsockname);
	report_name("packet_listener", listeners[1], getsockname);
}

static void verify(void)
{
	for (int i = 0; i < KINDS; i++) {
		expect_flow(clients[i], servers[i], "connection", seed_for(1));
		expect_flow(servers[i], clients[i], "connection, back", seed_for(2));
	}
}

/* A connection like the old one, made without a listener. */
static void pair_up(void)
{
	int pair[2];

	close(clients[0]);
	close(servers[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("socketpair");
	clients[0] = pair[0];
	servers[0] = pair[1];
}

static void name_client(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "client.sock" };

	unlink(name.sun_path);
	if (bind(clients[1], (struct sockaddr *)&name, sizeof name))
		die("bind");
}

static void part_ways(void)
{
	shutdown(servers[1], SHUT_RDWR);
}

static const struct damage damages[] = {
	{ "paired", pair_up },
	{ "named", name_client },
	{ "parted", part_ways },
	{ 0 },
};

int main(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = NAME };
	size_t size;

	witness_start();
	unlink(NAME);
	make(0, &name, sizeof name);
	memset(name.sun_path, 0, sizeof name.sun_path);
	size = (size_t)snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "kmatrix-%d-accepted", witness.pid);
	make(1, &name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size));
	serve(describe, verify, damages);
}
