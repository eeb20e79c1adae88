/* Memberships in multicast groups, IPv4 and IPv6, one of them for a single source; datagrams sent to the groups. */
#include "inet.h"

#include <net/if.h>

#define GROUP "239.1.2.3"
#define SOURCED "232.1.2.3"
#define GROUP6 "ff15::1:2:3"
#define GROUP6_HEX "ff150000000000000000000100020003"
#define STRANGE "239.9.9.9"

/* Seeds of the contents. */
enum part { LATER = 1 };

static int member4, sourced4, member6, sender4;

static int bound(int family)
{
	union address any = { .any.sa_family = (sa_family_t)family };
	int fd = make_socket(family, SOCK_DGRAM, 0);

	bind_to(fd, &any);
	return fd;
}

static void join(void)
{
	struct ip_mreqn group = { .imr_ifindex = (int)if_nametoindex("lo") };
	struct ip_mreq_source sourced = { .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
					  .imr_sourceaddr.s_addr = htonl(INADDR_LOOPBACK) };
	struct ipv6_mreq group6 = { .ipv6mr_interface = if_nametoindex("lo") };

	group.imr_multiaddr.s_addr = inet_addr(GROUP);
	sourced.imr_multiaddr.s_addr = inet_addr(SOURCED);
	inet_pton(AF_INET6, GROUP6, &group6.ipv6mr_multiaddr);
	if (setsockopt(member4, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) ||
	    setsockopt(sourced4, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &sourced, sizeof sourced) ||
	    setsockopt(member6, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group6, sizeof group6))
		die("join");
	/* Without it a socket hears the groups of all others. */
	set_option(member4, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	set_option(sourced4, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	set_option(member6, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
}

/* How many sockets the kernel counts in the IPv6 group. */
static uint64_t groups6(void)
{
	FILE *file = fopen("/proc/self/net/igmp6", "re");
	char line[200], device[20], group[40];
	unsigned users, found = 0;

	if (!file)
		die("igmp6");
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "%*d %19s %39s %u", device, group, &users) == 3 && !strcmp(device, "lo") &&
		    !strcmp(group, GROUP6_HEX))
			found = users;
	fclose(file);
	return found;
}

static void describe(void)
{
	report_address("member4", member4, getsockname);
	report_address("sourced4", sourced4, getsockname);
	report_address("member6", member6, getsockname);
	report_number("sender4_interface", get_option(sender4, IPPROTO_IP, IP_MULTICAST_IF));
	report_number("all4", get_option(member4, IPPROTO_IP, IP_MULTICAST_ALL));
	/* Loopback has no route for IPv6 groups, so the kernel's list must do instead of a datagram. */
	report_number("groups6", groups6());
	report_number("all6", get_option(member6, IPPROTO_IPV6, IPV6_MULTICAST_ALL));
}

static void send_to_group(const char *group, int member, uint64_t seed)
{
	struct ip_mreqn out = { .imr_ifindex = (int)if_nametoindex("lo"),
				.imr_address.s_addr = htonl(INADDR_LOOPBACK) };
	union address address = { .any.sa_family = AF_INET };
	int fd = make_socket(AF_INET, SOCK_DGRAM, 0);
	uint8_t bytes[100];

	fill(bytes, sizeof bytes, seed);
	address.v4.sin_addr.s_addr = inet_addr(group);
	address.v4.sin_port = htons(port_of(member));
	if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out))
		die("IP_MULTICAST_IF");
	if (sendto(fd, bytes, sizeof bytes, MSG_DONTWAIT, &address.any, sizeof address.v4) != sizeof bytes)
		mismatch("%s: cannot be sent to: %s", group, strerror(errno));
	close(fd);
}

static void verify(void)
{
	send_to_group(GROUP, member4, seed_for(LATER));
	expect_message(member4, "IPv4 group", 100, seed_for(LATER));
	send_to_group(STRANGE, member4, seed_for(LATER));
	expect_nothing(member4, "a group of somebody else");
	send_to_group(SOURCED, sourced4, seed_for(LATER + 1));
	expect_message(sourced4, "IPv4 group of one source", 100, seed_for(LATER + 1));
}

static void leave4(void)
{
	struct ip_mreqn group = { .imr_ifindex = (int)if_nametoindex("lo") };

	group.imr_multiaddr.s_addr = inet_addr(GROUP);
	setsockopt(member4, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group);
}

static void leave6(void)
{
	struct ipv6_mreq group = { .ipv6mr_interface = if_nametoindex("lo") };

	inet_pton(AF_INET6, GROUP6, &group.ipv6mr_multiaddr);
	setsockopt(member6, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &group, sizeof group);
}

static void close_sourced(void)
{
	close(sourced4);
	sourced4 = bound(AF_INET);
	set_option(sourced4, IPPROTO_IP, IP_MULTICAST_ALL, 0);
}

static const struct damage damages[] = {
	{ "left4", leave4 },
	{ "left6", leave6 },
	{ "exchanged", close_sourced },
	{ 0 },
};

int main(void)
{
	struct in_addr out = { htonl(INADDR_LOOPBACK) };

	witness_start();
	member4 = bound(AF_INET);
	sourced4 = bound(AF_INET);
	member6 = bound(AF_INET6);
	sender4 = make_socket(AF_INET, SOCK_DGRAM, 0);
	if (setsockopt(sender4, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out))
		die("IP_MULTICAST_IF");
	join();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
