/*
 * Packet sockets on loopback: one with a mapped receive ring and memberships, one with a filter, two that share the
 * packets of a fanout group, one that is not bound. They see what is sent after the move.
 */
#include "inet.h"

#include <net/if.h>
#include <sys/mman.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define FRAME 2048u
#define FRAMES 16u
#define GROUP 4711
#define FANOUTS 2
#define SENT 4
#define HEADERS 28 /* of IPv4 and UDP */
#define PAYLOAD 100
#define MULTICAST "01005e7f0203"

/* Seeds of the contents. */
enum part { SEEN = 1 };

static int ring, filtered, unbound, fanouts[FANOUTS];
static uint8_t *frames; /* the ring's memory */
static int udp;	       /* sends to itself */

static const struct option ring_options[] = {
	{ "version", SOL_PACKET, PACKET_VERSION, TPACKET_V2 },
	{ "reserve", SOL_PACKET, PACKET_RESERVE, 64 },
	{ "auxdata", SOL_PACKET, PACKET_AUXDATA, 1 },
	{ "origdev", SOL_PACKET, PACKET_ORIGDEV, 1 },
	{ "timestamp", SOL_PACKET, PACKET_TIMESTAMP, 1 << 6 }, /* SOF_TIMESTAMPING_RAW_HARDWARE */
	{ "priority", SOL_SOCKET, SO_PRIORITY, 3 },
	{ "mark", SOL_SOCKET, SO_MARK, 8 },
	{ 0 },
};

static int bound(int type, int protocol)
{
	struct sockaddr_ll name = { .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol) };
	int fd = make_socket(AF_PACKET, type, htons((uint16_t)protocol));

	name.sll_ifindex = (int)if_nametoindex("lo");
	if (bind(fd, (struct sockaddr *)&name, sizeof name))
		die("bind");
	return fd;
}

static void join(int type, const uint8_t *address, unsigned short size)
{
	struct packet_mreq request = { .mr_ifindex = (int)if_nametoindex("lo"),
				       .mr_type = (unsigned short)type,
				       .mr_alen = size };

	memcpy(request.mr_address, address, size);
	if (setsockopt(ring, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request))
		die("PACKET_ADD_MEMBERSHIP");
}

static void make_ring(void)
{
	static const uint8_t group[] = { 0x01, 0x00, 0x5e, 0x7f, 0x02, 0x03 };
	struct tpacket_req request = { FRAME * FRAMES, 1, FRAME, FRAMES };

	ring = bound(SOCK_RAW, ETH_P_IP);
	set_options(ring, ring_options);
	if (setsockopt(ring, SOL_PACKET, PACKET_RX_RING, &request, sizeof request))
		die("PACKET_RX_RING");
	frames = mmap(NULL, FRAME * FRAMES, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
	if (frames == MAP_FAILED)
		die("mmap");
	join(PACKET_MR_PROMISC, group, 0);
	join(PACKET_MR_MULTICAST, group, sizeof group);
}

/* Of all IPv4 packets those of UDP: the protocol's number is the tenth byte. */
static void make_filtered(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
				      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
				      BPF_STMT(BPF_RET | BPF_K, 0xffff), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog program = { sizeof code / sizeof *code, code };

	filtered = bound(SOCK_DGRAM, ETH_P_IP);
	if (setsockopt(filtered, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
		die("SO_ATTACH_FILTER");
}

static void make_fanouts(void)
{
	for (int i = 0; i < FANOUTS; i++) {
		fanouts[i] = bound(SOCK_DGRAM, ETH_P_IP);
		set_option(fanouts[i], SOL_PACKET, PACKET_FANOUT, GROUP | PACKET_FANOUT_LB << 16);
	}
}

static void make_udp(void)
{
	union address address = loopback(AF_INET, 0);

	udp = make_socket(AF_INET, SOCK_DGRAM, 0);
	bind_to(udp, &address);
	address = own_address(udp);
	connect_to(udp, &address);
}

/* How often loopback was asked to take all packets. */
static uint64_t promiscuity(void)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} request = { .head = { .nlmsg_len = sizeof request, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST },
		      .info = { .ifi_index = (int)if_nametoindex("lo") } };
	union {
		struct nlmsghdr head;
		char bytes[8192];
	} answer;
	int fd = make_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	int left = send(fd, &request, sizeof request, 0) < 0 ? 0 : (int)recv(fd, &answer, sizeof answer, 0);

	close(fd);
	left -= (int)NLMSG_SPACE(sizeof request.info);
	for (struct rtattr *at = IFLA_RTA(NLMSG_DATA(&answer.head)); RTA_OK(at, left); at = RTA_NEXT(at, left))
		if (at->rta_type == IFLA_PROMISCUITY)
			return *(uint32_t *)RTA_DATA(at);
	return UINT64_MAX;
}

static uint64_t in_group(void)
{
	FILE *file = fopen("/proc/self/net/dev_mcast", "re");
	char line[200];
	uint64_t found = 0;

	if (!file)
		die("dev_mcast");
	while (fgets(line, sizeof line, file))
		found += strstr(line, " lo ") && strstr(line, MULTICAST);
	fclose(file);
	return found;
}

static void report_link(const char *what, int fd)
{
	struct sockaddr_ll name = { 0 };
	socklen_t size = sizeof name;
	char text[60];

	if (getsockname(fd, (struct sockaddr *)&name, &size))
		mismatch("%s: %s", what, strerror(errno));
	snprintf(text, sizeof text, "interface %d, protocol %04x", name.sll_ifindex, ntohs(name.sll_protocol));
	report_text(what, text);
}

static void describe(void)
{
	report_link("ring", ring);
	report_link("filtered", filtered);
	report_link("unbound", unbound);
	report_link("fanout", fanouts[0]);
	report_options("ring", ring, ring_options);
	report_number("fanout0_group", get_option(fanouts[0], SOL_PACKET, PACKET_FANOUT));
	report_number("fanout1_group", get_option(fanouts[1], SOL_PACKET, PACKET_FANOUT));
	report_number("promiscuity", promiscuity());
	report_number("in_group", in_group());
	report_number("ring_type", get_option(ring, SOL_SOCKET, SO_TYPE));
	report_number("filtered_type", get_option(filtered, SOL_SOCKET, SO_TYPE));
}

/* What the kernel has laid into the ring: so many frames, each with the payload. */
static void verify_ring(unsigned wanted)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < FRAMES; i++) {
		const struct tpacket2_hdr *head = (const struct tpacket2_hdr *)(frames + i * FRAME);

		if (!(head->tp_status & TP_STATUS_USER))
			continue;
		seen++;
		compare_fill("ring", (const uint8_t *)head + head->tp_net + HEADERS, PAYLOAD, seed_for(SEEN));
	}
	if (seen != wanted)
		mismatch("ring: %u packets, expected %u", seen, wanted);
}

static unsigned drain(int fd, const char *what)
{
	uint8_t packet[256];
	ssize_t size;
	unsigned count = 0;

	while ((size = recv(fd, packet, sizeof packet, MSG_DONTWAIT)) >= 0) {
		if (size != HEADERS + PAYLOAD || packet[9] != IPPROTO_UDP)
			mismatch("%s: a packet of protocol %u, %zd bytes", what, packet[9], size);
		else
			compare_fill(what, packet + HEADERS, PAYLOAD, seed_for(SEEN));
		count++;
	}
	return count;
}

/* Something that the filter must keep out: TCP to a port that nobody listens at. */
static void knock(void)
{
	union address address = loopback(AF_INET, 1);
	int fd = make_socket(AF_INET, SOCK_STREAM, 0);

	if (!connect(fd, &address.any, sizeof address.v4))
		mismatch("somebody listens at port 1");
	close(fd);
}

static void verify(void)
{
	unsigned shares[FANOUTS];

	verify_ring(0);
	for (int i = 0; i < SENT; i++)
		put(udp, "packet", PAYLOAD, seed_for(SEEN));
	verify_ring(SENT);
	for (int i = 0; i < FANOUTS; i++)
		shares[i] = drain(fanouts[i], "fanout");
	if (shares[0] != SENT / FANOUTS || shares[1] != SENT / FANOUTS)
		mismatch("fanout: %u and %u packets of %d", shares[0], shares[1], SENT);
	compare_number("filtered: packets", drain(filtered, "filtered"), SENT);
	knock();
	compare_number("filtered: packets of TCP", drain(filtered, "filtered"), 0);
}

static void unfilter(void)
{
	setsockopt(filtered, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, sizeof(int));
}

static void unmap(void)
{
	if (mmap(frames, FRAME * FRAMES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	    frames)
		die("mmap");
}

static void leave_fanout(void)
{
	close(fanouts[1]);
	fanouts[1] = bound(SOCK_DGRAM, ETH_P_IP);
}

static void leave(int type)
{
	static const uint8_t group[] = { 0x01, 0x00, 0x5e, 0x7f, 0x02, 0x03 };
	struct packet_mreq request = { .mr_ifindex = (int)if_nametoindex("lo"), .mr_type = (unsigned short)type };

	if (type == PACKET_MR_MULTICAST) {
		request.mr_alen = sizeof group;
		memcpy(request.mr_address, group, sizeof group);
	}
	if (setsockopt(ring, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &request, sizeof request))
		die("PACKET_DROP_MEMBERSHIP");
}

static void leave_promiscuous(void)
{
	leave(PACKET_MR_PROMISC);
}

static void leave_group(void)
{
	leave(PACKET_MR_MULTICAST);
}

static void forget_auxdata(void)
{
	set_option(ring, SOL_PACKET, PACKET_AUXDATA, 0);
}

static const struct damage damages[] = {
	{ "unfiltered", unfilter },	       { "unmapped", unmap }, { "fanout", leave_fanout },
	{ "promiscuous", leave_promiscuous }, { "group", leave_group }, { "auxdata", forget_auxdata },
	{ 0 },
};

int main(void)
{
	witness_start();
	make_ring();
	make_filtered();
	make_fanouts();
	unbound = make_socket(AF_PACKET, SOCK_DGRAM, 0);
	make_udp();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
