/*
 * A ruleset of nftables in a network namespace of its own: sets, a map of verdicts, a named counter, a redirection.
 * Datagrams over the loopback device say whether the rules are in force; the lab compares what nft lists.
 */
#include "spaces.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#define OPEN 9000
#define BLOCKED 9001 /* for 127.0.0.2 alone */
#define MAPPED 9002
#define REDIRECTED 9003 /* to OPEN */

static const char ruleset[] =
	"table inet kmatrix {\n"
	"	counter seen { packets 1234 bytes 56789 }\n"
	"	set blocked { type ipv4_addr . inet_service; elements = { 127.0.0.2 . 9001, 127.0.0.3 . 9001 } }\n"
	"	set ranges { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.7.0.1-10.7.0.9 } }\n"
	"	map verdicts { type inet_service : verdict; elements = { 9002 : drop, 9005 : accept } }\n"
	"	chain input {\n"
	"		type filter hook input priority 10; policy accept;\n"
	"		udp dport 9000 counter name \"seen\"\n"
	"		ip daddr . udp dport @blocked drop comment \"pairs\"\n"
	"		ip saddr @ranges counter drop\n"
	"		udp dport vmap @verdicts\n"
	"	}\n"
	"	chain turn {\n"
	"		type nat hook output priority -100; policy accept;\n"
	"		ip daddr 127.0.0.0/8 udp dport 9003 redirect to :9000\n"
	"	}\n"
	"}\n"
	"table ip6 apart {\n"
	"	chain forward { type filter hook forward priority 0; policy drop; }\n"
	"}\n";

static void run_nft(const char *commands)
{
	FILE *nft = popen("nft -f -", "we");

	if (!nft || fputs(commands, nft) < 0 || pclose(nft))
		die("nft");
}

static void raise_loopback(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) || close(fd))
		die("lo");
}

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, text, &to.sin_addr);
	return to;
}

/* Loopback delivers at once: what is not there after the send was dropped. Sockets live only for one datagram. */
static void expect(const char *what, const char *host, uint16_t port, uint16_t arrives_at, bool wanted)
{
	const struct sockaddr_in to = address(host, port), here = address("0.0.0.0", arrives_at);
	int in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte = 'x';
	bool came;

	if (in < 0 || out < 0 || bind(in, (const struct sockaddr *)&here, sizeof here)) {
		mismatch("%s: no sockets: %s", what, strerror(errno));
		return;
	}
	sendto(out, &byte, 1, 0, (const struct sockaddr *)&to, sizeof to);
	came = recv(in, &byte, 1, MSG_DONTWAIT) == 1;
	if (came != wanted)
		mismatch("%s: the datagram %s", what, came ? "came" : "did not come");
	close(in);
	close(out);
}

static void describe(void)
{
}

static void verify(void)
{
	expect("open port", "127.0.0.1", OPEN, OPEN, true);
	expect("blocked pair", "127.0.0.2", BLOCKED, BLOCKED, false);
	expect("pair that is not blocked", "127.0.0.1", BLOCKED, BLOCKED, true);
	expect("mapped port", "127.0.0.1", MAPPED, MAPPED, false);
	expect("redirected port", "127.0.0.1", REDIRECTED, OPEN, true);
}

static void damage_left(void)
{
	join_starter("net", CLONE_NEWNET);
}

static void damage_flushed(void)
{
	run_nft("flush ruleset\n");
}

static void damage_element(void)
{
	run_nft("delete element inet kmatrix blocked { 127.0.0.3 . 9001 }\n");
}

static void damage_counter(void)
{
	run_nft("reset counter inet kmatrix seen\n");
}

/* Listed, and yet not in force for what comes: the same rules behind another that ends them. */
static void damage_bypass(void)
{
	run_nft("insert rule inet kmatrix input accept\n");
}

int main(void)
{
	const struct damage damages[] = { { "left", damage_left },
					  { "flushed", damage_flushed },
					  { "element", damage_element },
					  { "counter", damage_counter },
					  { "bypass", damage_bypass },
					  { 0 } };

	witness_start();
	enter_new(CLONE_NEWNET);
	raise_loopback();
	run_nft(ruleset);
	serve(describe, verify, damages);
}
