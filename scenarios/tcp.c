/*
 * TCP over loopback: a connection with unread bytes in both directions, one whose queues are full to the last
 * byte, and a listener with a connection that nobody has accepted yet. Nothing is read before the lab's check.
 */
#include "workload.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>

#define UNREAD 5000
#define KNOCK 100
#define FULL_MAX (1 << 17)
#define IDLE_NAPS 5
#define BUFFER 8192

/* Seeds of the contents. */
enum part { DOWN = 1, UP, FULL, PENDING, LATER };

/* Two ends of one connection. */
struct pair {
	int client, server;
	struct sockaddr_in client_name, server_name;
};

static int listener;
static struct sockaddr_in address;
static struct pair calm, full;
static int pending;
static struct sockaddr_in pending_name;
static size_t full_bytes;
static uint8_t *full_want, *full_got;
static const char *pending_fate = "waiting";

static struct sockaddr_in own_name(int fd)
{
	struct sockaddr_in name = { 0 };
	socklen_t size = sizeof name;

	if (getsockname(fd, (struct sockaddr *)&name, &size))
		mismatch("getsockname: %s", strerror(errno));
	return name;
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = BUFFER;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) ||
	    connect(fd, (struct sockaddr *)&address, sizeof address))
		die("connect");
	return fd;
}

static void make_listener(void)
{
	int size = BUFFER;
	socklen_t length = sizeof address;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* Accepted sockets inherit the small buffer, so that the queues are soon full. */
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) ||
	    bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4) ||
	    getsockname(listener, (struct sockaddr *)&address, &length))
		die("listener");
}

static void make_pair(struct pair *pair)
{
	int on = 1;

	pair->client = dial();
	pair->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (pair->server < 0)
		die("accept");
	setsockopt(pair->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(pair->server, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	pair->client_name = own_name(pair->client);
	pair->server_name = own_name(pair->server);
}

static void put(int fd, const char *what, size_t size, uint64_t seed)
{
	uint8_t bytes[UNREAD];

	fill(bytes, size, seed);
	if (send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
		mismatch("%s: cannot be sent: %s", what, strerror(errno));
}

static void compare_bytes(int fd, const char *what, size_t size, uint64_t seed)
{
	uint8_t bytes[UNREAD];
	size_t got = receive(fd, bytes, size);

	if (got < size)
		mismatch("%s: only %zu of %zu bytes came", what, got, size);
	else
		compare_fill(what, bytes, size, seed);
}

/* Send until neither the receive queue nor the send queue takes any more, and has not for a while. */
static void fill_queues(void)
{
	int idle = 0;

	full_want = malloc(FULL_MAX);
	full_got = malloc(FULL_MAX);
	if (!full_want || !full_got)
		die("malloc");
	fill(full_want, FULL_MAX, seed_for(FULL));
	while (idle < IDLE_NAPS && full_bytes < FULL_MAX) {
		ssize_t count =
			send(full.client, full_want + full_bytes, FULL_MAX - full_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count < 0 && errno != EAGAIN)
			die("send");
		if (count > 0)
			full_bytes += (size_t)count;
		idle = count > 0 ? 0 : idle + 1;
		sleep_ms(2);
	}
	if (full_bytes == FULL_MAX)
		die("the queues are never full");
}

static uint64_t queue(int fd, unsigned long which)
{
	int count = -1;

	return ioctl(fd, which, &count) ? UINT64_MAX : (uint64_t)count;
}

/* Bytes in either queue; where exactly they lie is the kernel's business, but there must be some in both. */
static void compare_full_queues(void)
{
	uint64_t unread = queue(full.server, SIOCINQ), unsent = queue(full.client, SIOCOUTQ);

	if (!unread)
		mismatch("full connection: the receive queue is empty");
	if (!unsent)
		mismatch("full connection: the send queue is empty");
	if (unread + unsent < full_bytes)
		mismatch("full connection: %" PRIu64 " unread and %" PRIu64 " unsent bytes of %zu", unread, unsent,
			 full_bytes);
}

static void compare_full(void)
{
	size_t got;

	compare_full_queues();
	got = receive(full.server, full_got, full_bytes);
	if (got < full_bytes)
		mismatch("full connection: only %zu of %zu bytes came", got, full_bytes);
	else
		compare("full connection", full_got, full_want, full_bytes);
}

static void compare_names(const char *what, const struct pair *pair)
{
	struct sockaddr_in client = own_name(pair->client), server = own_name(pair->server), peer = { 0 };
	socklen_t size = sizeof peer;

	if (memcmp(&client, &pair->client_name, sizeof client) || memcmp(&server, &pair->server_name, sizeof server))
		mismatch("%s: has other addresses", what);
	if (getpeername(pair->server, (struct sockaddr *)&peer, &size) || memcmp(&peer, &client, sizeof peer))
		mismatch("%s: the server has another peer", what);
}

static uint64_t option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof value;

	return getsockopt(fd, level, name, &value, &size) ? UINT64_MAX : (uint64_t)value;
}

static void compare_later(const char *what, const struct pair *pair)
{
	char name[64];

	snprintf(name, sizeof name, "%s, later, to the server", what);
	put(pair->client, name, KNOCK, seed_for(LATER));
	compare_bytes(pair->server, name, KNOCK, seed_for(LATER));
	snprintf(name, sizeof name, "%s, later, to the client", what);
	put(pair->server, name, KNOCK, seed_for(LATER + 1));
	compare_bytes(pair->client, name, KNOCK, seed_for(LATER + 1));
}

static void compare_end(const char *what, struct pair *pair)
{
	uint8_t byte;

	close(pair->client);
	if (receive(pair->server, &byte, 1))
		mismatch("%s: a byte too many before the end", what);
	else if (recv(pair->server, &byte, 1, MSG_DONTWAIT))
		mismatch("%s: no end after the client closed", what);
}

static int accept_soon(struct sockaddr_in *peer)
{
	socklen_t size = sizeof *peer;

	for (long ms = 0; ms < wait_ms; ms += 2) {
		int fd = accept4(listener, (struct sockaddr *)peer, &size, SOCK_CLOEXEC);

		if (fd >= 0)
			return fd;
		sleep_ms(2);
	}
	return -1;
}

/* Without a server's end the client must learn of it: what it sends next is answered by a reset. */
static bool is_reset(int fd)
{
	for (long ms = 0; ms < wait_ms; ms += 2) {
		if (send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
			return errno == ECONNRESET || errno == EPIPE;
		sleep_ms(2);
	}
	return false;
}

/*
 * CRIU does not carry a connection that is not accepted yet; it says so and needs --skip-in-flight. What must hold
 * is that it is either there with its bytes or cleanly reset, and that nobody else's bytes come out of it.
 */
static void compare_pending(void)
{
	struct sockaddr_in peer = { 0 };
	socklen_t size = sizeof peer;
	int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);

	if (fd >= 0) {
		pending_fate = "accepted";
		if (memcmp(&peer, &pending_name, sizeof peer))
			mismatch("pending connection: from another peer");
		compare_bytes(fd, "pending connection", KNOCK, seed_for(PENDING));
		close(fd);
		return;
	}
	pending_fate = is_reset(pending) ? "reset" : "lost";
	if (!strcmp(pending_fate, "lost"))
		mismatch("pending connection: neither accepted nor reset");
}

static void compare_listener(void)
{
	struct sockaddr_in peer = { 0 }, name = own_name(listener);
	int client, server;

	if (memcmp(&name, &address, sizeof name))
		mismatch("listener: has another address");
	client = dial();
	server = accept_soon(&peer);
	name = own_name(client);
	if (server < 0)
		mismatch("listener: accepts no new connection");
	else if (memcmp(&peer, &name, sizeof peer))
		mismatch("listener: accepted somebody else");
	close(server);
	close(client);
}

static void verify(void)
{
	compare_names("calm connection", &calm);
	compare_names("full connection", &full);
	compare_full();
	compare_bytes(calm.server, "calm connection, to the server", UNREAD, seed_for(DOWN));
	compare_bytes(calm.client, "calm connection, to the client", UNREAD, seed_for(UP));
	compare_later("calm connection", &calm);
	compare_later("full connection", &full);
	compare_pending();
	compare_listener();
	compare_end("calm connection", &calm);
	compare_end("full connection", &full);
}

static void describe(void)
{
	report_number("port", ntohs(address.sin_port));
	report_number("calm_port", ntohs(calm.client_name.sin_port));
	report_number("full_port", ntohs(full.client_name.sin_port));
	report_number("to_server", queue(calm.server, SIOCINQ));
	report_number("to_client", queue(calm.client, SIOCINQ));
	report_number("full_bytes", full_bytes);
	report_number("full_unread", queue(full.server, SIOCINQ));
	report_number("full_unsent", queue(full.client, SIOCOUTQ));
	report_number("nodelay", option(calm.client, IPPROTO_TCP, TCP_NODELAY));
	report_number("keepalive", option(calm.server, SOL_SOCKET, SO_KEEPALIVE));
	report_number("listening", option(listener, SOL_SOCKET, SO_ACCEPTCONN));
}

static void knock(void)
{
	pending = dial();
	pending_name = own_name(pending);
	put(pending, "pending connection", KNOCK, seed_for(PENDING));
}

/* Every byte is put back where it was; only the connections are others. */
static void reconnect(void)
{
	struct pair before = calm;
	struct sockaddr_in peer;

	close(accept_soon(&peer)); /* the pending one is first in the queue */
	close(pending);
	make_pair(&calm); /* while the old one is there, or its port may be chosen again */
	close(before.client);
	close(before.server);
	put(calm.client, "corruption", UNREAD, seed_for(DOWN));
	put(calm.server, "corruption", UNREAD, seed_for(UP));
	knock();
	sleep_ms(20);
}

/* The deliberate damage of the self-test. */
static void corrupt(const char *what)
{
	uint8_t bytes[UNREAD];
	struct sockaddr_in peer;
	int off = 0;

	if (!strcmp(what, "corrupt lost"))
		receive(calm.server, bytes, 1);
	else if (!strcmp(what, "corrupt refilled") && receive(calm.client, bytes, UNREAD))
		put(calm.server, "corruption", UNREAD, advance(witness.chain));
	else if (!strcmp(what, "corrupt drained"))
		receive(full.server, full_got, full_bytes - 1);
	else if (!strcmp(what, "corrupt options"))
		setsockopt(calm.client, IPPROTO_TCP, TCP_NODELAY, &off, sizeof off);
	else if (!strcmp(what, "corrupt pending"))
		accept_soon(&peer); /* the descriptor is lost on purpose: the client hangs in nowhere */
	else if (!strcmp(what, "corrupt shut"))
		shutdown(full.client, SHUT_WR);
	else if (!strcmp(what, "corrupt reconnected"))
		reconnect();
}

int main(void)
{
	witness_start();
	make_listener();
	make_pair(&calm);
	make_pair(&full);
	put(calm.client, "calm connection", UNREAD, seed_for(DOWN));
	put(calm.server, "calm connection", UNREAD, seed_for(UP));
	fill_queues();
	knock();
	if (fcntl(listener, F_SETFL, O_NONBLOCK) || mismatch_count)
		die("set-up");
	ready();
	for (;;) {
		const char *question = next_question();

		if (!strncmp(question, "corrupt", 7))
			corrupt(question);
		report_open();
		describe();
		if (!strcmp(question, "check"))
			verify();
		report_text("pending", pending_fate);
		report_close();
	}
}
