/* A TCP connection that was reset by its client, of which the server's owner has not been told yet. */
#include "inet.h"

static int listener;
static struct pair pair;

static void reset(void)
{
	const struct linger now = { 1, 0 };

	if (setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &now, sizeof now))
		die("SO_LINGER");
	close(pair.client);
	await_state(pair.server, TCP_CLOSE);
}

static void describe(void)
{
	report_number("state", tcp_info(pair.server).tcpi_state);
}

static void verify(void)
{
	uint8_t byte;
	ssize_t count = recv(pair.server, &byte, 1, MSG_DONTWAIT);

	if (count != -1)
		mismatch("a reset looks like %s", count ? "bytes" : "an end");
	else if (errno != ECONNRESET)
		mismatch("a reset is told as: %s", strerror(errno));
}

/* The error is told once: whoever asks for it takes it away. */
static void tell_early(void)
{
	get_option(pair.server, SOL_SOCKET, SO_ERROR);
}

static void exchange(void)
{
	close(pair.server);
	pair.server = make_socket(AF_INET, SOCK_STREAM, 0);
}

static void revive(void)
{
	union address address = own_address(listener);

	close(pair.server);
	pair = make_pair(listener, &address);
}

static const struct damage damages[] = {
	{ "told", tell_early },
	{ "exchanged", exchange },
	{ "revived", revive },
	{ 0 },
};

int main(void)
{
	union address address;

	witness_start();
	listener = make_listener(AF_INET, 4);
	address = own_address(listener);
	pair = make_pair(listener, &address);
	reset();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
