/*
 * A TCP connection that both sides have closed by shutdown() while their descriptors are open, with bytes that were
 * never read.
 */
#include "inet.h"

#define UNREAD 2000

/* Seeds of the contents. */
enum part { UNREAD_BYTES = 1 };

static int listener;
static struct pair done; /* both halves are shut, the server has not read */

static void make_done(void)
{
	put(done.client, "done", UNREAD, seed_for(UNREAD_BYTES));
	if (shutdown(done.server, SHUT_WR))
		die("shutdown");
	await_state(done.client, TCP_CLOSE_WAIT);
	if (shutdown(done.client, SHUT_WR))
		die("shutdown");
	await_state(done.client, TCP_CLOSE);
	await_state(done.server, TCP_CLOSE);
}

static void describe(void)
{
	report_number("client_state", tcp_info(done.client).tcpi_state);
	report_number("server_state", tcp_info(done.server).tcpi_state);
}

static void verify(void)
{
	expect_stream(done.server, "done", UNREAD, seed_for(UNREAD_BYTES));
	expect_end(done.server, "done");
	expect_end(done.client, "done, back");
}

static void lose_a_byte(void)
{
	uint8_t byte;

	receive(done.server, &byte, 1);
}

static void exchange(void)
{
	close(done.server);
	done.server = make_socket(AF_INET, SOCK_STREAM, 0);
}

static void open_half(void)
{
	union address address = own_address(listener);

	close(done.client);
	close(done.server);
	done = make_pair(listener, &address);
	put(done.client, "corruption", UNREAD, seed_for(UNREAD_BYTES));
}

static const struct damage damages[] = {
	{ "lost", lose_a_byte },
	{ "exchanged", exchange },
	{ "open", open_half },
	{ 0 },
};

int main(void)
{
	union address address;

	witness_start();
	listener = make_listener(AF_INET, 4);
	address = own_address(listener);
	done = make_pair(listener, &address);
	make_done();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
