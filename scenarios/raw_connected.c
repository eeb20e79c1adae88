/* A raw socket of a protocol of nobody, bound and connected: it hears its peer's address and no other. */
#include "inet.h"

#define PROTOCOL 253 /* for experiments: RFC 3692 */
#define PEER (INADDR_LOOPBACK + 4)
#define STRANGER (INADDR_LOOPBACK + 5)
#define IP_HEADER 20
#define PAYLOAD 50

/* Seeds of the contents. */
enum part { HEARD = 1 };

static int connected;

static int bound(uint32_t host)
{
	union address address = loopback(AF_INET, 0);
	int fd = make_socket(AF_INET, SOCK_RAW, PROTOCOL);

	address.v4.sin_addr.s_addr = htonl(host);
	bind_to(fd, &address);
	return fd;
}

static void join(int fd, uint32_t host)
{
	union address address = loopback(AF_INET, 0);

	address.v4.sin_addr.s_addr = htonl(host);
	connect_to(fd, &address);
}

static void describe(void)
{
	report_addresses("connected", connected);
	report_number("protocol", get_option(connected, SOL_SOCKET, SO_PROTOCOL));
}

static void say(uint32_t host)
{
	int fd = bound(host);

	join(fd, INADDR_LOOPBACK);
	put(fd, "said", PAYLOAD, seed_for(HEARD));
	close(fd);
}

static void verify(void)
{
	uint8_t packet[IP_HEADER + PAYLOAD + 1];

	say(STRANGER);
	expect_nothing(connected, "of a stranger");
	say(PEER);
	if (recv(connected, packet, sizeof packet, MSG_DONTWAIT) != IP_HEADER + PAYLOAD)
		mismatch("of the peer: nothing comes");
	else
		compare_fill("of the peer", packet + IP_HEADER, PAYLOAD, seed_for(HEARD));
}

static void disconnect(void)
{
	close(connected);
	connected = bound(INADDR_LOOPBACK);
}

static void change_peer(void)
{
	disconnect();
	join(connected, STRANGER);
}

static const struct damage damages[] = {
	{ "disconnected", disconnect },
	{ "other-peer", change_peer },
	{ 0 },
};

int main(void)
{
	witness_start();
	connected = bound(INADDR_LOOPBACK);
	join(connected, PEER);
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
