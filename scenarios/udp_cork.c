/* A UDP socket with UDP_CORK set and the first half of a datagram in it: the second half makes it go out. */
#include "inet.h"

#include <netinet/udp.h>

#define HALF 150

/* Seeds of the contents. */
enum part { WHOLE = 1 };

static int corked, receiver;

static void put_half(int number)
{
	uint8_t bytes[2 * HALF];

	fill(bytes, sizeof bytes, seed_for(WHOLE));
	if (send(corked, bytes + number * HALF, HALF, MSG_DONTWAIT) != HALF)
		mismatch("half %d cannot be sent: %s", number, strerror(errno));
}

static void describe(void)
{
	report_number("cork", get_option(corked, IPPROTO_UDP, UDP_CORK));
	report_addresses("corked", corked);
}

static void verify(void)
{
	expect_nothing(receiver, "before the second half");
	put_half(1);
	set_option(corked, IPPROTO_UDP, UDP_CORK, 0);
	expect_message(receiver, "datagram of two halves", 2 * HALF, seed_for(WHOLE));
}

static void uncork(void)
{
	set_option(corked, IPPROTO_UDP, UDP_CORK, 0);
}

/* It looks corked, but the first half is gone. */
static void lose_half(void)
{
	uint8_t bytes[HALF];

	uncork();
	recv(receiver, bytes, sizeof bytes, MSG_DONTWAIT);
	set_option(corked, IPPROTO_UDP, UDP_CORK, 1);
}

static const struct damage damages[] = {
	{ "uncorked", uncork },
	{ "lost", lose_half },
	{ 0 },
};

int main(void)
{
	union address address = loopback(AF_INET, 0);

	witness_start();
	receiver = make_socket(AF_INET, SOCK_DGRAM, 0);
	bind_to(receiver, &address);
	address = own_address(receiver);
	corked = make_socket(AF_INET, SOCK_DGRAM, 0);
	connect_to(corked, &address);
	set_option(corked, IPPROTO_UDP, UDP_CORK, 1);
	put_half(0);
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
