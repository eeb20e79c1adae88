/*
 * Raw sockets: ICMP over IPv4 and IPv6 with filters that let an echo's answer through and nothing else, a socket that
 * writes IP headers itself, and one for a protocol of nobody, bound.
 */
#include "inet.h"

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <linux/icmp.h>

#define PROTOCOL 253 /* for experiments: RFC 3692 */
#define PAYLOAD 64
#define IP_HEADER 20

/* Seeds of the contents. */
enum part { ECHO4 = 1, ECHO6, OWN_HEADER };

static int icmp4, icmp6, header, private;

static const struct option options[] = {
	{ "priority", SOL_SOCKET, SO_PRIORITY, 6 },
	{ "mark", SOL_SOCKET, SO_MARK, 31 },
	{ "rcvbuf", SOL_SOCKET, SO_RCVBUF, 70000 },
	{ 0 },
};

static const struct option header_options[] = {
	{ "hdrincl", IPPROTO_IP, IP_HDRINCL, 1 },
	{ "nodefrag", IPPROTO_IP, IP_NODEFRAG, 1 },
	{ 0 },
};

static void make_sockets(void)
{
	struct icmp_filter blocked4 = { ~(1u << ICMP_ECHOREPLY) };
	struct icmp6_filter blocked6;
	union address address = loopback(AF_INET, 0);

	icmp4 = make_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	icmp6 = make_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	header = make_socket(AF_INET, SOCK_RAW, PROTOCOL + 1);
	private = make_socket(AF_INET, SOCK_RAW, PROTOCOL);
	ICMP6_FILTER_SETBLOCKALL(&blocked6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &blocked6);
	if (setsockopt(icmp4, SOL_RAW, ICMP_FILTER, &blocked4, sizeof blocked4) ||
	    setsockopt(icmp6, IPPROTO_ICMPV6, ICMP6_FILTER, &blocked6, sizeof blocked6))
		die("filter");
	set_options(icmp4, options);
	set_options(icmp6, options);
	set_options(header, header_options);
	bind_to(private, &address);
}

static void report_filter(const char *name, int fd, int level, int number)
{
	uint8_t filter[sizeof(struct icmp6_filter)] = { 0 };
	socklen_t size = sizeof filter;

	if (getsockopt(fd, level, number, filter, &size))
		mismatch("%s: %s", name, strerror(errno));
	report_hash(name, filter, size);
}

static void describe(void)
{
	report_options("icmp4", icmp4, options);
	report_options("icmp6", icmp6, options);
	report_options("header", header, header_options);
	report_filter("filter4", icmp4, SOL_RAW, ICMP_FILTER);
	report_filter("filter6", icmp6, IPPROTO_ICMPV6, ICMP6_FILTER);
	report_addresses("private", private);
	report_number("protocol", get_option(private, SOL_SOCKET, SO_PROTOCOL));
	report_number("protocol6", get_option(icmp6, SOL_SOCKET, SO_PROTOCOL));
}

static uint16_t checksum(const void *bytes, size_t size)
{
	const uint16_t *at = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / 2; i++)
		sum += at[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(sum + (sum >> 16));
}

/* The first message within a while, for a socket that sees all of its protocol that passes the filter. */
static ssize_t next_message(int fd, uint8_t *bytes, size_t size)
{
	struct pollfd wanted = { fd, POLLIN, 0 };

	if (poll(&wanted, 1, (int)soon_ms()) != 1)
		return -1;
	return recv(fd, bytes, size, MSG_DONTWAIT);
}

/* The request, too, passes by this socket: only the filter keeps it out. */
static void verify_echo4(void)
{
	struct {
		struct icmphdr head;
		uint8_t payload[PAYLOAD];
	} request = { .head = { .type = ICMP_ECHO, .un.echo.id = htons(77) } };
	union address to = loopback(AF_INET, 0);
	uint8_t got[IP_HEADER + sizeof request];

	fill(request.payload, PAYLOAD, seed_for(ECHO4));
	request.head.checksum = checksum(&request, sizeof request);
	if (sendto(icmp4, &request, sizeof request, 0, &to.any, sizeof to.v4) != sizeof request)
		mismatch("echo: cannot be sent: %s", strerror(errno));
	else if (next_message(icmp4, got, sizeof got) != sizeof got)
		mismatch("echo: no answer");
	else if (got[IP_HEADER] != ICMP_ECHOREPLY)
		mismatch("echo: type %u came through the filter", got[IP_HEADER]);
	else
		compare_fill("echo", got + IP_HEADER + sizeof request.head, PAYLOAD, seed_for(ECHO4));
	expect_nothing(icmp4, "after the echo");
}

static void verify_echo6(void)
{
	struct {
		struct icmp6_hdr head;
		uint8_t payload[PAYLOAD];
	} request = { .head = { .icmp6_type = ICMP6_ECHO_REQUEST } }, got;
	union address to = loopback(AF_INET6, 0);

	fill(request.payload, PAYLOAD, seed_for(ECHO6));
	if (sendto(icmp6, &request, sizeof request, 0, &to.any, sizeof to.v6) != sizeof request)
		mismatch("echo over IPv6: cannot be sent: %s", strerror(errno));
	else if (next_message(icmp6, (uint8_t *)&got, sizeof got) != sizeof got)
		mismatch("echo over IPv6: no answer");
	else if (got.head.icmp6_type != ICMP6_ECHO_REPLY)
		mismatch("echo over IPv6: type %u came through the filter", got.head.icmp6_type);
	else
		compare_fill("echo over IPv6", got.payload, PAYLOAD, seed_for(ECHO6));
	expect_nothing(icmp6, "after the echo over IPv6");
}

/* What is written with a header of its own arrives under just that header. */
static void verify_header(void)
{
	struct {
		struct iphdr head;
		uint8_t payload[PAYLOAD];
	} packet = { .head = { .version = 4, .ihl = 5, .ttl = 13, .tos = 0x10, .protocol = PROTOCOL } }, got;
	union address to = loopback(AF_INET, 0);

	packet.head.saddr = packet.head.daddr = htonl(INADDR_LOOPBACK);
	fill(packet.payload, PAYLOAD, seed_for(OWN_HEADER));
	if (sendto(header, &packet, sizeof packet, 0, &to.any, sizeof to.v4) != sizeof packet)
		mismatch("own header: cannot be sent: %s", strerror(errno));
	else if (next_message(private, (uint8_t *)&got, sizeof got) != sizeof got)
		mismatch("own header: does not arrive");
	else if (got.head.ttl != 13 || got.head.tos != 0x10)
		mismatch("own header: arrives under another one");
	else
		compare_fill("own header", got.payload, PAYLOAD, seed_for(OWN_HEADER));
}

static void verify(void)
{
	verify_echo4();
	verify_echo6();
	verify_header();
}

static void open_filter(void)
{
	struct icmp_filter open = { 0 };

	setsockopt(icmp4, SOL_RAW, ICMP_FILTER, &open, sizeof open);
}

static void open_filter6(void)
{
	struct icmp6_filter open;

	ICMP6_FILTER_SETPASSALL(&open);
	setsockopt(icmp6, IPPROTO_ICMPV6, ICMP6_FILTER, &open, sizeof open);
}

static void forget_header(void)
{
	set_option(header, IPPROTO_IP, IP_HDRINCL, 0);
}

static void change_protocol(void)
{
	close(private);
	private = make_socket(AF_INET, SOCK_RAW, PROTOCOL + 1);
}

static void forget_mark(void)
{
	set_option(icmp6, SOL_SOCKET, SO_MARK, 0);
}

static const struct damage damages[] = {
	{ "filter", open_filter },	  { "filter6", open_filter6 }, { "header", forget_header },
	{ "protocol", change_protocol }, { "mark", forget_mark },     { 0 },
};

int main(void)
{
	witness_start();
	make_sockets();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
