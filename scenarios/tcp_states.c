/*
 * TCP connections that are half closed: by the client, by the server, one whose end waits behind a full queue, one
 * whose other end is gone; listeners with a backlog and with a shared port; sockets bound only, or not even that.
 */
#include "inet.h"

#define UNREAD 3000
#define BUFFER 8192
#define FULL_MAX (1 << 18)
#define BACKLOG 5
#define SHARERS 2

/* Seeds of the contents. */
enum part { EARLY = 1, LATE, STUCK, GONE, LATER = 10 };

static int listener, sharers[SHARERS], bound, fresh;
static struct pair early; /* the client has shut its half, behind unread bytes */
static struct pair late;  /* the server has */
static struct pair stuck; /* the client has, but its queue is full: its FIN has not gone out */
static struct pair gone;  /* the client is closed altogether; the server has not read yet */
static size_t stuck_bytes;

static const struct option client_options[] = {
	{ "nodelay", IPPROTO_TCP, TCP_NODELAY, 1 },
	{ "keepalive", SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ "keepidle", IPPROTO_TCP, TCP_KEEPIDLE, 111 },
	{ "keepintvl", IPPROTO_TCP, TCP_KEEPINTVL, 22 },
	{ "keepcnt", IPPROTO_TCP, TCP_KEEPCNT, 4 },
	{ "oobinline", SOL_SOCKET, SO_OOBINLINE, 1 },
	{ "priority", SOL_SOCKET, SO_PRIORITY, 5 },
	{ "mark", SOL_SOCKET, SO_MARK, 1234 },
	{ "rcvlowat", SOL_SOCKET, SO_RCVLOWAT, 9 },
	{ "dontroute", SOL_SOCKET, SO_DONTROUTE, 1 },
	{ "sndbuf", SOL_SOCKET, SO_SNDBUF, 30000 },
	{ "rcvbuf", SOL_SOCKET, SO_RCVBUF, 60000 },
	{ 0 },
};

static const struct option fresh_options[] = {
	{ "reuseaddr", SOL_SOCKET, SO_REUSEADDR, 1 },
	{ "reuseport", SOL_SOCKET, SO_REUSEPORT, 1 },
	{ "broadcast", SOL_SOCKET, SO_BROADCAST, 1 },
	{ "freebind", IPPROTO_IP, IP_FREEBIND, 1 },
	{ "keepalive", SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ 0 },
};

static void set_linger(int fd, int seconds)
{
	const struct linger linger = { seconds > 0, seconds };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger))
		die("SO_LINGER");
}

static uint64_t linger_of(int fd)
{
	struct linger linger = { 0 };
	socklen_t size = sizeof linger;

	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size))
		mismatch("SO_LINGER: %s", strerror(errno));
	return linger.l_onoff ? (uint64_t)linger.l_linger : 0;
}

static void shut(int fd)
{
	if (shutdown(fd, SHUT_WR))
		die("shutdown");
}

/* Until neither queue takes any more, and has not for a while; then the end. */
static void fill_stuck(void)
{
	uint8_t *bytes = malloc(FULL_MAX);
	int idle = 0;

	if (!bytes)
		die("malloc");
	fill(bytes, FULL_MAX, seed_for(STUCK));
	while (idle < 5) {
		ssize_t count = send(stuck.client, bytes + stuck_bytes, FULL_MAX - stuck_bytes,
				     MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count > 0)
			stuck_bytes += (size_t)count;
		idle = count > 0 ? 0 : idle + 1;
		sleep_ms(2);
	}
	free(bytes);
	if (stuck_bytes == FULL_MAX)
		die("the queues are never full");
	shut(stuck.client);
}

static void make_connections(void)
{
	union address address = own_address(listener);
	int small = make_listener(AF_INET, 1);

	early = make_pair(listener, &address);
	late = make_pair(listener, &address);
	gone = make_pair(listener, &address);
	set_option(small, SOL_SOCKET, SO_RCVBUF, BUFFER);
	address = own_address(small);
	stuck = make_pair(small, &address);
	close(small);
	set_option(stuck.client, SOL_SOCKET, SO_SNDBUF, BUFFER);
	set_options(early.client, client_options);
	set_option(late.server, IPPROTO_TCP, TCP_CORK, 1);
	set_option(listener, IPPROTO_TCP, TCP_NODELAY, 1);
	set_linger(gone.server, 17);
}

static void close_halves(void)
{
	put(early.client, "early", UNREAD, seed_for(EARLY));
	put(early.server, "early, back", UNREAD, seed_for(EARLY + LATER));
	shut(early.client);
	put(late.server, "late", UNREAD, seed_for(LATE));
	shut(late.server);
	put(gone.client, "gone", UNREAD, seed_for(GONE));
	close(gone.client);
	fill_stuck();
	await_state(early.client, TCP_FIN_WAIT2);
	await_state(early.server, TCP_CLOSE_WAIT);
	await_state(late.server, TCP_FIN_WAIT2);
	await_state(late.client, TCP_CLOSE_WAIT);
	await_state(stuck.client, TCP_FIN_WAIT1);
	await_state(gone.server, TCP_CLOSE_WAIT);
}

static void make_others(void)
{
	union address address = loopback(AF_INET, 0);

	for (int i = 0; i < SHARERS; i++) {
		sharers[i] = make_socket(AF_INET, SOCK_STREAM, 0);
		set_option(sharers[i], SOL_SOCKET, SO_REUSEPORT, 1);
		bind_to(sharers[i], &address);
		address = own_address(sharers[i]);
		if (listen(sharers[i], BACKLOG + i))
			die("listen");
	}
	bound = make_socket(AF_INET, SOCK_STREAM, 0);
	address = loopback(AF_INET, 0);
	bind_to(bound, &address);
	fresh = make_socket(AF_INET, SOCK_STREAM, 0);
	set_options(fresh, fresh_options);
}

static void describe(void)
{
	report_tcp("early_client", early.client);
	report_tcp("early_server", early.server);
	report_tcp("late_client", late.client);
	report_tcp("late_server", late.server);
	report_tcp("stuck_client", stuck.client);
	report_tcp("stuck_server", stuck.server);
	report_tcp("gone_server", gone.server);
	report_tcp("fresh", fresh);
	report_options("early", early.client, client_options);
	report_options("fresh", fresh, fresh_options);
	report_number("gone_linger", linger_of(gone.server));
	report_number("listener_nodelay", get_option(listener, IPPROTO_TCP, TCP_NODELAY));
	report_number("late_cork", get_option(late.server, IPPROTO_TCP, TCP_CORK));
	report_addresses("early", early.client);
	report_addresses("gone", gone.server);
	report_address("bound", bound, getsockname);
	report_address("sharer0", sharers[0], getsockname);
	report_address("sharer1", sharers[1], getsockname);
	report_number("sharer_reuseport", get_option(sharers[0], SOL_SOCKET, SO_REUSEPORT));
	/* Of a listener these tell how many wait and how many may. */
	report_number("backlog0", tcp_info(sharers[0]).tcpi_sacked);
	report_number("backlog1", tcp_info(sharers[1]).tcpi_sacked);
	report_number("early_unread", queued(early.server, SIOCINQ));
	report_number("gone_unread", queued(gone.server, SIOCINQ));
	report_number("stuck_bytes", stuck_bytes);
}

static void verify_stuck(void)
{
	if (!queued(stuck.client, SIOCOUTQ))
		mismatch("stuck: the send queue is empty");
	expect_stream(stuck.server, "stuck", stuck_bytes, seed_for(STUCK));
	expect_end(stuck.server, "stuck");
	expect_flow(stuck.server, stuck.client, "stuck, back", seed_for(LATER + 5));
}

/* A shut half stays shut, the other goes on, and the end comes after the last byte. */
static void verify(void)
{
	if (send(early.client, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != -1 || errno != EPIPE)
		mismatch("early: the shut half takes bytes");
	expect_stream(early.server, "early", UNREAD, seed_for(EARLY));
	expect_end(early.server, "early");
	expect_stream(early.client, "early, back", UNREAD, seed_for(EARLY + LATER));
	expect_flow(early.server, early.client, "early, later", seed_for(LATER + 6));
	close(early.server);
	expect_end(early.client, "early, back");
	expect_stream(late.client, "late", UNREAD, seed_for(LATE));
	expect_end(late.client, "late");
	expect_flow(late.client, late.server, "late, back", seed_for(LATER + 7));
	close(late.client);
	expect_end(late.server, "late, back");
	expect_stream(gone.server, "gone", UNREAD, seed_for(GONE));
	expect_end(gone.server, "gone");
	verify_stuck();
	if (listen(bound, 1))
		mismatch("bound: cannot listen: %s", strerror(errno));
}

static void lose_the_end(void)
{
	union address address = own_address(listener);

	close(early.client);
	close(early.server);
	early = make_pair(listener, &address);
	set_options(early.client, client_options);
	put(early.client, "corruption", UNREAD, seed_for(EARLY));
	put(early.server, "corruption", UNREAD, seed_for(EARLY + LATER));
}

static void lose_a_byte(void)
{
	uint8_t byte;

	receive(gone.server, &byte, 1);
}

static void drain(void)
{
	uint8_t *bytes = malloc(FULL_MAX);

	receive(stuck.server, bytes, stuck_bytes - 1);
	free(bytes);
}

static void reset(void)
{
	const struct linger now = { 1, 0 };

	setsockopt(late.server, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(late.server);
	late.server = make_socket(AF_INET, SOCK_STREAM, 0);
	sleep_ms(20);
}

static void narrow(void)
{
	listen(sharers[1], 1);
}

static void slow_keepalive(void)
{
	set_option(early.client, IPPROTO_TCP, TCP_KEEPIDLE, 7200);
}

static void forget_linger(void)
{
	set_linger(gone.server, 0);
}

static void unbind(void)
{
	close(bound);
	bound = make_socket(AF_INET, SOCK_STREAM, 0);
}

static const struct damage damages[] = {
	{ "endless", lose_the_end }, { "lost", lose_a_byte }, { "drained", drain },	{ "reset", reset },
	{ "narrow", narrow },	     { "keepalive", slow_keepalive }, { "unbound", unbind }, { "linger", forget_linger },
	{ 0 },
};

int main(void)
{
	witness_start();
	listener = make_listener(AF_INET, BACKLOG);
	make_connections();
	close_halves();
	make_others();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
