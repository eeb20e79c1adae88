/*
 * Unix stream sockets: a pair with bytes in both directions, halves that are shut down, a listener with a name in the
 * file system, a connection over it, and one that waits to be accepted. Nothing is read before the lab's check.
 */
#include "sockets.h"

#include <sys/stat.h>

#define NAME "listener.sock"
#define QUEUED 3000
#define BACKLOG 7

/* Seeds of the contents. */
enum part { DOWN = 1, UP, HALF, ACCEPTED, LATER };

static int calm[2];    /* bytes in both directions */
static int half[2];    /* [0] has shut its writing half: bytes, then the end; the other way goes on */
static int deaf[2];    /* [0] has shut its reading half */
static int listener;
static int client, server; /* a connection over the listener */
static int waiting;	   /* connected, not accepted */
static struct ucred own;   /* what SO_PEERCRED told at start */

static const struct option calm_options[] = {
	{ "rcvlowat", SOL_SOCKET, SO_RCVLOWAT, 5 },
	{ "sndbuf", SOL_SOCKET, SO_SNDBUF, 20000 },
	{ "rcvbuf", SOL_SOCKET, SO_RCVBUF, 30000 },
	{ "priority", SOL_SOCKET, SO_PRIORITY, 3 },
	{ 0 },
};

/*
 * Set once the connection with bytes in it is accepted, which would inherit SO_PASSCRED: bytes with credentials are
 * the scenario unix_credentials.
 */
static const struct option listener_options[] = {
	{ "passcred", SOL_SOCKET, SO_PASSCRED, 1 },
	{ "sndbuf", SOL_SOCKET, SO_SNDBUF, 40000 },
	{ 0 },
};

static struct ucred credentials_of_peer(int fd)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		mismatch("SO_PEERCRED: %s", strerror(errno));
	return peer;
}

static int dial(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = NAME };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name))
		mismatch("listener: its name does not lead to it: %s", strerror(errno));
	return fd;
}

static void make_listener(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = NAME };

	unlink(NAME);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name) || chmod(NAME, 0640) ||
	    listen(listener, BACKLOG))
		die("listener");
}

static void make_pairs(void)
{
	const struct timeval timeout = { 3, 500000 };

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, calm) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, half) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, deaf))
		die("socketpair");
	set_options(calm[0], calm_options);
	if (setsockopt(calm[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout))
		die("SO_RCVTIMEO");
	put(calm[0], "pair, down", QUEUED, seed_for(DOWN));
	put(calm[1], "pair, up", QUEUED, seed_for(UP));
	put(half[0], "half", QUEUED, seed_for(HALF));
	if (shutdown(half[0], SHUT_WR) || shutdown(deaf[0], SHUT_RD))
		die("shutdown");
}

static void make_connections(void)
{
	client = dial();
	server = accept_soon(listener, NULL, NULL);
	if (server < 0)
		die("accept");
	put(client, "connection", QUEUED, seed_for(ACCEPTED));
	set_options(listener, listener_options);
	waiting = dial();
	own = credentials_of_peer(client);
	if (own.pid != getpid())
		die("SO_PEERCRED tells another pid");
}

static uint64_t timeout_ms(int fd)
{
	struct timeval timeout = { 0 };
	socklen_t size = sizeof timeout;

	getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &size);
	return (uint64_t)(timeout.tv_sec * 1000 + timeout.tv_usec / 1000);
}

static void describe(void)
{
	struct stat status = { 0 };

	if (stat(NAME, &status))
		mismatch("listener: its name is gone: %s", strerror(errno));
	report_number("name_mode", status.st_mode);
	report_name("listener_name", listener, getsockname);
	report_name("waiting_peer", waiting, getpeername);
	report_options("pair", calm[0], calm_options);
	report_options("listener", listener, listener_options);
	report_number("timeout_ms", timeout_ms(calm[1]));
	report_number("listening", get_option(listener, SOL_SOCKET, SO_ACCEPTCONN));
	report_number("listener_flags", (uint64_t)fcntl(listener, F_GETFL));
	report_number("down", queued(calm[1], SIOCINQ));
	report_number("up", queued(calm[0], SIOCINQ));
	report_number("half", queued(half[1], SIOCINQ));
	report_number("connection", queued(server, SIOCINQ));
}

static void compare_credentials(const char *what, int fd)
{
	struct ucred peer = credentials_of_peer(fd);

	compare_number(what, (uint64_t)peer.pid, (uint64_t)own.pid);
	compare_number(what, peer.uid, own.uid);
	compare_number(what, peer.gid, own.gid);
}

static void compare_halves(void)
{
	expect_stream(half[1], "half", QUEUED, seed_for(HALF));
	expect_end(half[1], "half");
	if (send(half[0], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != -1 || errno != EPIPE)
		mismatch("half: a shut half still takes bytes");
	expect_flow(half[1], half[0], "half, the other way", seed_for(LATER));
	if (send(deaf[1], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != -1 || errno != EPIPE)
		mismatch("deaf: bytes can be sent to a half that is shut");
	expect_flow(deaf[0], deaf[1], "deaf, the other way", seed_for(LATER + 1));
}

/* The name leads to this listener still, and what waited is the first to come out. */
static void compare_listener(void)
{
	int first = accept_soon(listener, NULL, NULL), fresh, second;

	if (first < 0) {
		mismatch("listener: what waited is not there");
		return;
	}
	expect_flow(waiting, first, "waiting connection", seed_for(LATER + 2));
	expect_flow(first, waiting, "waiting connection, back", seed_for(LATER + 3));
	fresh = dial();
	second = accept_soon(listener, NULL, NULL);
	if (second < 0)
		mismatch("listener: a new connection by name does not arrive");
	else
		expect_flow(fresh, second, "new connection", seed_for(LATER + 4));
	if (accept4(listener, NULL, NULL, SOCK_CLOEXEC) != -1)
		mismatch("listener: one connection too many");
}

static void verify(void)
{
	uint8_t bytes[4];

	/* SO_RCVLOWAT is not for a read that does not wait, so only its number is compared. */
	expect_stream(calm[1], "pair, down", QUEUED, seed_for(DOWN));
	expect_nothing(calm[1], "pair, down");
	expect_stream(calm[0], "pair, up", QUEUED, seed_for(UP));
	expect_nothing(calm[0], "pair, up");
	expect_flow(calm[0], calm[1], "pair, later", seed_for(LATER + 5));
	compare_halves();
	expect_stream(server, "connection", QUEUED, seed_for(ACCEPTED));
	expect_flow(server, client, "connection, back", seed_for(LATER + 6));
	compare_credentials("pair: its peer", calm[0]);
	compare_credentials("client: its peer", client);
	compare_credentials("server: its peer", server);
	compare_listener();
	close(client);
	expect_end(server, "connection");
	if (recv(waiting, bytes, sizeof bytes, MSG_DONTWAIT) != -1)
		mismatch("waiting connection: bytes too many");
}

static void lose_a_byte(void)
{
	uint8_t byte;

	receive(calm[1], &byte, 1);
}

static void refill(void)
{
	uint8_t bytes[QUEUED];

	receive(server, bytes, QUEUED);
	put(client, "corruption", QUEUED, seed_for(LATER));
}

static void unshut(void)
{
	close(deaf[0]);
	close(deaf[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, deaf))
		die("socketpair");
}

static void forget_waiting(void)
{
	int fd = accept_soon(listener, NULL, NULL);

	close(fd);
}

/* The listener lives, but its name leads nowhere. */
static void rebind(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = NAME };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(NAME);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) || chmod(NAME, 0640) || listen(fd, 1))
		die("bind");
}

static void lose_passcred(void)
{
	set_option(listener, SOL_SOCKET, SO_PASSCRED, 0);
}

static void lose_timeout(void)
{
	const struct timeval none = { 0 };

	setsockopt(calm[1], SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
}

static const struct damage damages[] = {
	{ "lost", lose_a_byte },	{ "refilled", refill },	    { "unshut", unshut },
	{ "forgotten", forget_waiting }, { "renamed", rebind },	    { "passcred", lose_passcred },
	{ "timeout", lose_timeout },	{ 0 },
};

int main(void)
{
	witness_start();
	make_pairs();
	make_listener();
	make_connections();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
