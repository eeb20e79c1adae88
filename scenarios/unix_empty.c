/* A message without any byte between two others, in a datagram and in a seqpacket socket. */
#include "sockets.h"

#define FIRST 100
#define LAST 300

/* Seeds of the contents. */
enum part { BEFORE = 1, AFTER };

static int datagrams[2], sequence[2]; /* sent by [0] to [1] */

static void put_three(int fd)
{
	put(fd, "first", FIRST, seed_for(BEFORE));
	put(fd, "empty", 0, 0);
	put(fd, "last", LAST, seed_for(AFTER));
}

static void describe(void)
{
	report_number("datagrams_type", get_option(datagrams[1], SOL_SOCKET, SO_TYPE));
	report_number("sequence_type", get_option(sequence[1], SOL_SOCKET, SO_TYPE));
	report_number("sequence_bytes", queued(sequence[1], SIOCINQ));
}

static void expect_three(int fd, const char *what)
{
	char name[64];

	snprintf(name, sizeof name, "%s, first", what);
	expect_message(fd, name, FIRST, seed_for(BEFORE));
	snprintf(name, sizeof name, "%s, empty", what);
	expect_message(fd, name, 0, 0);
	snprintf(name, sizeof name, "%s, last", what);
	expect_message(fd, name, LAST, seed_for(AFTER));
	expect_nothing(fd, what);
}

static void verify(void)
{
	expect_three(datagrams[1], "datagram");
	expect_three(sequence[1], "seqpacket");
}

static void drain(int fd)
{
	uint8_t bytes[LAST];

	for (int i = 0; i < 3; i++)
		if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) < 0)
			die("recv");
}

static void skip_empty(void)
{
	drain(datagrams[1]);
	put(datagrams[0], "corruption", FIRST, seed_for(BEFORE));
	put(datagrams[0], "corruption", LAST, seed_for(AFTER));
}

static void cut_off(void)
{
	drain(datagrams[1]);
	put(datagrams[0], "corruption", FIRST, seed_for(BEFORE));
}

static void join(void)
{
	drain(sequence[1]);
	put(sequence[0], "corruption", FIRST, seed_for(BEFORE));
	put(sequence[0], "corruption", LAST, seed_for(AFTER));
	put(sequence[0], "corruption", 0, 0);
}

static const struct damage damages[] = {
	{ "skipped", skip_empty },
	{ "cut-off", cut_off },
	{ "moved", join },
	{ 0 },
};

int main(void)
{
	witness_start();
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sequence))
		die("socketpair");
	put_three(datagrams[0]);
	put_three(sequence[0]);
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
