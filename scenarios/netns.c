/*
 * A network namespace with a bridge, a veth pair of which one end is a port of the bridge, another with addresses and
 * routes, and one whose other end is in the child's own network namespace. Configured by iproute2; what it shows is
 * compared by the lab, that it works is found out here. Given any argument, a device with routes has no carrier.
 */
#include "spaces.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define PORT 7777
#define BYTES 200

enum question { LISTEN, RECEIVE, SETTING };

static int inbox = -1; /* of the child, only while it is asked for */

static const char *const parent_commands[] = {
	"link set lo up",
	"link add bridge0 address 02:00:00:00:77:01 type bridge forward_delay 0 ageing_time 12345",
	"link add port0 address 02:00:00:00:77:02 mtu 1400 type veth peer name far0 address 02:00:00:00:77:03",
	"link add stub0 address 02:00:00:00:77:04 mtu 1334 type veth peer name stubfar0 address 02:00:00:00:77:07",
	"link set port0 master bridge0",
	"link set bridge0 up",
	"link set port0 up",
	"link set far0 up",
	"link set stub0 up",
	"link set stubfar0 up",
	"addr add 192.168.77.1/24 dev bridge0",
	"addr add 192.168.77.9/32 dev far0",
	"addr add 10.9.8.7/24 broadcast 10.9.8.255 dev stub0 label stub0:one",
	"addr add fd00:77::1/64 dev stub0 nodad",
	"route add blackhole 10.66.0.0/16",
	"route add 10.55.0.0/16 via 10.9.8.1 dev stub0 metric 55",
	"route add default via 192.168.77.254 dev bridge0",
	"route add fd00:55::/48 via fd00:77::2 dev stub0 metric 77",
	"rule add from 10.9.8.0/24 lookup 100 priority 1000",
	"rule add to 10.44.0.0/16 prohibit priority 1001",
	"addr add 10.77.0.1/24 dev wire0",
	"link set wire0 up",
};

static const char *const child_commands[] = {
	"link set lo up",
	"addr add 10.77.0.2/24 dev wire1",
	"link set wire1 mtu 1300 up",
	"route add default via 10.77.0.1 dev wire1",
};

static const struct setting {
	const char *name, *path, *value;
} settings[] = {
	{ "forwarding", "/proc/sys/net/ipv4/conf/all/forwarding", "1" },
	{ "rp_filter", "/proc/sys/net/ipv4/conf/stub0/rp_filter", "2" },
	{ "proxy_arp", "/proc/sys/net/ipv4/conf/bridge0/proxy_arp", "1" },
	{ "default_tag", "/proc/sys/net/ipv4/conf/default/tag", "5" },
	{ "accept_ra", "/proc/sys/net/ipv6/conf/stub0/accept_ra", "0" },
	{ "hop_limit", "/proc/sys/net/ipv6/conf/bridge0/hop_limit", "33" },
	{ "max_dgram_qlen", "/proc/sys/net/unix/max_dgram_qlen", "77" },
};
#define SETTINGS (sizeof settings / sizeof *settings)
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void run_ip(const char *const *commands, size_t count)
{
	FILE *ip = popen("ip -batch -", "we");

	if (!ip)
		die("ip");
	for (size_t i = 0; i < count; i++)
		fprintf(ip, "%s\n", commands[i]);
	if (pclose(ip))
		die("ip -batch");
}

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	inet_pton(AF_INET, text, &to.sin_addr);
	return to;
}

/* The child's sockets live only as long as a question. */
static void answer(unsigned question, char *text)
{
	const struct sockaddr_in here = address("10.77.0.2");
	uint8_t bytes[BYTES];

	strcpy(text, "done");
	if (question == SETTING) {
		strcpy(text, get_text("/proc/sys/net/ipv4/conf/wire1/rp_filter"));
	} else if (question == LISTEN) {
		inbox = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (inbox < 0 || bind(inbox, (const struct sockaddr *)&here, sizeof here))
			strcpy(text, strerror(errno));
	} else {
		size_t size = receive(inbox, bytes, BYTES);

		snprintf(text, TEXT, "%zu %016" PRIx64, size, hash(bytes, size));
		close(inbox);
	}
}

static void settle(void)
{
	enter_new(CLONE_NEWNET);
}

static void make_wire(void)
{
	char command[160];
	const char *const commands[] = { command };

	snprintf(command, sizeof command,
		 "link add wire0 address 02:00:00:00:77:05 type veth "
		 "peer name wire1 address 02:00:00:00:77:06 netns %d",
		 partner_pid);
	run_ip(commands, 1);
}

/* In the child's namespace: this process goes there and comes back. */
static void configure_child(void)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), theirs;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/ns/net", partner_pid);
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWNET))
		die(path);
	run_ip(child_commands, COUNT(child_commands));
	if (!put_text("/proc/sys/net/ipv4/conf/wire1/rp_filter", "1") || setns(own, CLONE_NEWNET))
		die("setns");
	close(own);
	close(theirs);
}

static void describe(void)
{
	for (size_t i = 0; i < SETTINGS; i++)
		report_text(settings[i].name, get_text(settings[i].path));
	report_number("partner", (uint64_t)partner_pid);
}

/* One datagram over the wire says that both ends are up and joined. */
static void compare_wire(void)
{
	const struct sockaddr_in to = address("10.77.0.2");
	uint8_t bytes[BYTES];
	char want[TEXT];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	fill(bytes, BYTES, seed_for(1));
	compare_text("the child's socket", ask_partner(LISTEN), "done");
	if (fd < 0 || sendto(fd, bytes, BYTES, 0, (const struct sockaddr *)&to, sizeof to) != BYTES)
		mismatch("wire: nothing can be sent: %s", strerror(errno));
	close(fd);
	snprintf(want, sizeof want, "%d %016" PRIx64, BYTES, hash(bytes, BYTES));
	compare_text("what came over the wire", ask_partner(RECEIVE), want);
}

static void verify(void)
{
	for (size_t i = 0; i < SETTINGS; i++)
		compare_text(settings[i].name, get_text(settings[i].path), settings[i].value);
	compare_text("the child's rp_filter", ask_partner(SETTING), "1");
	compare_wire();
}

static void do_ip(const char *command)
{
	run_ip(&command, 1);
}

static void damage_left(void)
{
	join_starter("net", CLONE_NEWNET);
}

static void damage_address(void)
{
	do_ip("addr del 10.9.8.7/24 dev stub0");
}

static void damage_route(void)
{
	do_ip("route replace 10.55.0.0/16 via 10.9.8.2 dev stub0 metric 55");
}

static void damage_rule(void)
{
	do_ip("rule del priority 1000");
}

static void damage_port(void)
{
	do_ip("link set port0 nomaster");
}

static void damage_wire(void)
{
	do_ip("link set wire0 down");
}

static void damage_ageing(void)
{
	do_ip("link set bridge0 type bridge ageing_time 30000");
}

static void damage_setting(void)
{
	put_text(settings[1].path, "0");
}

int main(int count, __attribute__((unused)) char **arguments)
{
	const struct damage damages[] = { { "left", damage_left },   { "address", damage_address },
					  { "route", damage_route }, { "rule", damage_rule },
					  { "port", damage_port },   { "wire", damage_wire },
					  { "setting", damage_setting }, { "ageing", damage_ageing },
					  { 0 } };

	witness_start();
	enter_new(CLONE_NEWNET);
	start_partner(settle, answer);
	make_wire();
	run_ip(parent_commands, COUNT(parent_commands));
	configure_child();
	if (count > 1)
		do_ip("link set stubfar0 down");
	for (size_t i = 0; i < SETTINGS; i++)
		if (!put_text(settings[i].path, "%s", settings[i].value))
			die(settings[i].path);
	serve(describe, verify, damages);
}
