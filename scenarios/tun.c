/*
 * A tun and a tap device: one with an address, up, whose packets are read and written through its descriptor; one that
 * persists without a descriptor, with an owner, a header for offloads and a size of its own.
 */
#include "inet.h"

#include <net/if.h>
#include <netinet/ip.h>
#include <linux/if_tun.h>

#define TUN "kmtun"
#define TAP "kmtap"
#define OWN "198.51.100.1"
#define THEIRS "198.51.100.2"
#define MTU 1400
#define OWNER 1234
#define SIZE 100000
#define HEADERS 28 /* of IPv4 and UDP */
#define PAYLOAD 80
#define PORT 5300

/* Seeds of the contents. */
enum part { OUT = 1, BACK };

static int tun, unattached;

static int open_tun(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die("/dev/net/tun");
	return fd;
}

static int attach(const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = (short)flags };
	int fd = open_tun();

	strcpy(request.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &request))
		die(name);
	return fd;
}

static void set_address(struct ifreq *request, unsigned long which, const char *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&request->ifr_addr;
	int fd = make_socket(AF_INET, SOCK_DGRAM, 0);

	*in = (struct sockaddr_in){ .sin_family = AF_INET };
	in->sin_addr.s_addr = inet_addr(address);
	if (ioctl(fd, which, request))
		die(address);
	close(fd);
}

static void make_tun(void)
{
	struct ifreq request = { .ifr_name = TUN };
	int fd = make_socket(AF_INET, SOCK_DGRAM, 0);

	tun = attach(TUN, IFF_TUN | IFF_NO_PI);
	set_address(&request, SIOCSIFADDR, OWN);
	set_address(&request, SIOCSIFDSTADDR, THEIRS);
	request.ifr_mtu = MTU;
	if (ioctl(fd, SIOCSIFMTU, &request))
		die("SIOCSIFMTU");
	request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_POINTOPOINT | IFF_NOARP;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		die("SIOCSIFFLAGS");
	close(fd);
}

static void make_tap(void)
{
	int fd = attach(TAP, IFF_TAP | IFF_VNET_HDR), header = 12, size = SIZE;

	if (ioctl(fd, TUNSETOWNER, OWNER) || ioctl(fd, TUNSETVNETHDRSZ, &header) || ioctl(fd, TUNSETSNDBUF, &size) ||
	    ioctl(fd, TUNSETPERSIST, 1))
		die("tap");
	close(fd);
}

/* By ioctl, because /sys tells of the network namespace of whoever mounted it. */
static uint64_t flags_of(const char *name)
{
	struct ifreq request = { 0 };
	int fd = make_socket(AF_INET, SOCK_DGRAM, 0);
	bool failed;

	strcpy(request.ifr_name, name);
	failed = ioctl(fd, SIOCGIFFLAGS, &request);
	close(fd);
	return failed ? UINT64_MAX : (uint16_t)request.ifr_flags;
}

static uint64_t mtu_of(const char *name)
{
	struct ifreq request = { 0 };
	int fd = make_socket(AF_INET, SOCK_DGRAM, 0);
	bool failed;

	strcpy(request.ifr_name, name);
	failed = ioctl(fd, SIOCGIFMTU, &request);
	close(fd);
	return failed ? UINT64_MAX : (uint64_t)request.ifr_mtu;
}

/* A persistent device tells its settings to whoever attaches to it. */
static void report_tap(void)
{
	struct ifreq request = { .ifr_name = TAP, .ifr_flags = IFF_TAP | IFF_VNET_HDR };
	int fd = open_tun(), header = -1, size = -1;

	if (ioctl(fd, TUNSETIFF, &request))
		mismatch("tap: cannot be attached to: %s", strerror(errno));
	else if (ioctl(fd, TUNGETVNETHDRSZ, &header) || ioctl(fd, TUNGETSNDBUF, &size) ||
		 ioctl(fd, TUNGETIFF, &request))
		mismatch("tap: does not tell its settings: %s", strerror(errno));
	report_number("tap_mode", (uint16_t)request.ifr_flags);
	report_number("tap_header", (uint64_t)header);
	report_number("tap_size", (uint64_t)size);
	close(fd);
}

static void describe(void)
{
	struct ifreq request = { 0 };

	if (ioctl(tun, TUNGETIFF, &request))
		mismatch("tun: its descriptor is not attached: %s", strerror(errno));
	report_text("tun", request.ifr_name);
	report_number("tun_mode", (uint16_t)request.ifr_flags);
	report_number("tun_index", if_nametoindex(TUN));
	report_number("tun_flags", flags_of(TUN));
	report_number("tun_mtu", mtu_of(TUN));
	report_number("tap_index", if_nametoindex(TAP));
	report_number("tap_flags", flags_of(TAP));
	report_tap();
	report_number("unattached", ioctl(unattached, TUNGETIFF, &request) ? (uint64_t)errno : 0);
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

/* Skips what the kernel says of itself, as IPv6 does. */
static bool read_packet(uint8_t *packet, size_t size)
{
	for (long ms = 0; ms < soon_ms(); ms += 2) {
		ssize_t count = read(tun, packet, size);

		if (count == (ssize_t)size && packet[0] >> 4 == 4)
			return true;
		if (count < 0 && errno != EAGAIN)
			break;
		nap_until_readable(tun);
	}
	return false;
}

/* The datagram that went out comes back with its addresses and ports exchanged; UDP needs no checksum over IPv4. */
static void answer(int fd, uint8_t *packet)
{
	struct iphdr *head = (struct iphdr *)packet;
	uint16_t *ports = (uint16_t *)(packet + sizeof *head), port = ports[0];
	uint32_t address = head->saddr;

	head->saddr = head->daddr;
	head->daddr = address;
	head->check = 0;
	head->check = checksum(head, sizeof *head);
	ports[0] = ports[1];
	ports[1] = port;
	ports[3] = 0;
	fill(packet + HEADERS, PAYLOAD, seed_for(BACK));
	if (write(tun, packet, HEADERS + PAYLOAD) != HEADERS + PAYLOAD)
		mismatch("tun: takes no packet: %s", strerror(errno));
	else
		expect_message(fd, "tun, back", PAYLOAD, seed_for(BACK));
}

static void verify(void)
{
	union address theirs = { .v4 = { .sin_family = AF_INET, .sin_port = htons(PORT) } };
	uint8_t packet[HEADERS + PAYLOAD];
	int fd = make_socket(AF_INET, SOCK_DGRAM, 0);

	theirs.v4.sin_addr.s_addr = inet_addr(THEIRS);
	connect_to(fd, &theirs);
	if (own_address(fd).v4.sin_addr.s_addr != inet_addr(OWN))
		mismatch("tun: has another address, or there is no way to its peer");
	put(fd, "tun", PAYLOAD, seed_for(OUT));
	if (!read_packet(packet, sizeof packet)) {
		mismatch("tun: what is sent to its peer does not come out");
	} else {
		compare_fill("tun", packet + HEADERS, PAYLOAD, seed_for(OUT));
		answer(fd, packet);
	}
	close(tun);
	if (if_nametoindex(TUN))
		mismatch("tun: outlives its descriptor");
	if (!if_nametoindex(TAP))
		mismatch("tap: did not outlive a descriptor");
}

static void detach(void)
{
	close(tun);
	tun = open_tun();
}

static void make_persistent(void)
{
	if (ioctl(tun, TUNSETPERSIST, 1))
		die("TUNSETPERSIST");
}

static void take_down(void)
{
	struct ifreq request = { .ifr_name = TUN };
	int fd = make_socket(AF_INET, SOCK_DGRAM, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &request))
		die("SIOCSIFFLAGS");
	close(fd);
}

static void lose_tap(void)
{
	int fd = attach(TAP, IFF_TAP | IFF_VNET_HDR);

	ioctl(fd, TUNSETPERSIST, 0);
	close(fd);
}

static void shrink(void)
{
	int fd = attach(TAP, IFF_TAP | IFF_VNET_HDR), header = 10;

	ioctl(fd, TUNSETVNETHDRSZ, &header);
	close(fd);
}

static const struct damage damages[] = {
	{ "detached", detach }, { "persistent", make_persistent }, { "down", take_down },
	{ "no-tap", lose_tap }, { "header", shrink },		   { 0 },
};

int main(void)
{
	witness_start();
	make_tun();
	make_tap();
	unattached = open_tun();
	serve(describe, verify, damages);
}
