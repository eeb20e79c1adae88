/* Netlink: diagnostics of sockets, and what CRIU asks of network namespaces and devices. */
#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr header;
	char body[1024];
};

static int opened(int protocol)
{
	struct timeval patience = { 2, 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	need(fd >= 0, "netlink socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void prepare(struct request *request, int type, int flags, const void *body, size_t size)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = NLMSG_LENGTH(size);
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(request->body, body, size);
}

static void attach(struct request *request, int type, const void *data, size_t size)
{
	struct rtattr *attribute = (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(size);
	memcpy(RTA_DATA(attribute), data, size);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

/*
 * Sends a request and reads to the end of its answer, or its refusal, which becomes errno. `each` sees the messages.
 */
static long exchange(int fd, struct request *request, void (*each)(const struct nlmsghdr *, void *), void *with)
{
	static char room[65536];
	struct nlmsghdr *message;
	bool dump = (request->header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	if (send(fd, request, request->header.nlmsg_len, 0) < 0)
		return -1;
	for (;;) {
		ssize_t n = recv(fd, room, sizeof(room), 0);

		if (n < 0)
			return -1;
		for (message = (void *)room; NLMSG_OK(message, n); message = NLMSG_NEXT(message, n)) {
			if (message->nlmsg_type == NLMSG_ERROR) {
				struct nlmsgerr *error = NLMSG_DATA(message);

				errno = -error->error;
				return error->error ? -1 : 0;
			}
			if (message->nlmsg_type == NLMSG_DONE) {
				int error = 0;

				if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
					memcpy(&error, NLMSG_DATA(message), sizeof(error));
				errno = -error;
				return error < 0 ? -1 : 0;
			}
			if (each)
				each(message, with);
			if (!dump)
				return 0;
		}
	}
}

static void inet_request(struct request *request, int family, int protocol)
{
	struct inet_diag_req_v2 body = { .sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = -1 };

	prepare(request, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &body, sizeof(body));
}

static void inet(const long *a)
{
	struct request request;

	inet_request(&request, (int)a[0], (int)a[1]);
	result(exchange(opened(NETLINK_SOCK_DIAG), &request, NULL, NULL));
}

/* A protocol's number that does not fit into the request's one byte has an attribute of its own. */
static void inet_by_attribute(const long *a)
{
	uint32_t protocol = (uint32_t)a[1];
	struct request request;

	inet_request(&request, (int)a[0], 255);
	attach(&request, 3 /* INET_DIAG_REQ_PROTOCOL */, &protocol, sizeof(protocol));
	result(exchange(opened(NETLINK_SOCK_DIAG), &request, NULL, NULL));
}

/* Families other than inet: the request begins alike and is longer than any of them. */
static void family(const long *a)
{
	struct {
		unsigned char family, protocol;
		unsigned short pad;
		unsigned int fields[5];
	} body = { (unsigned char)a[0], (unsigned char)a[1], 0, { (unsigned int)-1, 0, (unsigned int)a[2], 0, 0 } };
	struct request request;

	if (a[0] == AF_NETLINK || a[0] == AF_PACKET)
		body.fields[0] = 0;
	prepare(&request, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &body, (size_t)a[3]);
	result(exchange(opened(NETLINK_SOCK_DIAG), &request, NULL, NULL));
}

/* The numbers of the attributes that sock_diag gives for a listening TCP socket. */
static void attributes(const struct nlmsghdr *message, void *with)
{
	struct rtattr *attribute = (void *)((char *)NLMSG_DATA(message) + sizeof(struct inet_diag_msg));
	int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof(struct inet_diag_msg));
	bool *seen = with;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type < 64)
			seen[attribute->rta_type] = true;
}

static void inet_attributes(const long *a)
{
	struct inet_diag_req_v2 body = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = -1,
					 .idiag_ext = 0xff };
	bool seen[64] = { false };
	struct request request;
	int fd, i;

	(void)a;
	need(unshare(CLONE_NEWNET) == 0, "a network namespace");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	need(fd >= 0 && listen(fd, 1) == 0, "listen");
	prepare(&request, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &body, sizeof(body));
	result(exchange(opened(NETLINK_SOCK_DIAG), &request, attributes, seen));
	for (i = 0; i < 64; i++)
		if (seen[i])
			item("%d", i);
}

struct inodes {
	unsigned int known[64];
	int count, twice;
};

static void inode(const struct nlmsghdr *message, void *with)
{
	const struct inet_diag_msg *body = NLMSG_DATA(message);
	struct inodes *inodes = with;
	int i;

	for (i = 0; i < inodes->count && body->idiag_inode; i++)
		inodes->twice += inodes->known[i] == body->idiag_inode;
	if (body->idiag_inode && inodes->count < (int)ARRAY_SIZE(inodes->known))
		inodes->known[inodes->count++] = body->idiag_inode;
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	request.ifr_flags = IFF_UP | IFF_RUNNING;
	need(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0, "lo");
	close(fd);
}

/* 5d6b58c932ec let sock_diag show two sockets with one inode: both ends, closed by one, and a new listener beside. */
static void one_inode_a_socket(const long *a)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct inodes inodes = { .count = 0 };
	socklen_t size = sizeof(address);
	struct request request;
	int listener, caller, called;

	(void)a;
	need(unshare(CLONE_NEWNET) == 0, "a network namespace");
	loopback_up();
	listener = socket(AF_INET, SOCK_STREAM, 0);
	need(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 4) == 0, "listen");
	need(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
	caller = socket(AF_INET, SOCK_STREAM, 0);
	need(connect(caller, (struct sockaddr *)&address, size) == 0, "connect");
	called = accept(listener, NULL, NULL);
	need(called >= 0, "accept");
	inet_request(&request, AF_INET, IPPROTO_TCP);
	need(exchange(opened(NETLINK_SOCK_DIAG), &request, inode, &inodes) == 0, "sock_diag");
	result(0);
	text("%d sockets, %d inodes twice", inodes.count, inodes.twice);
}

static void own_nsid(const long *a)
{
	struct rtgenmsg body = { .rtgen_family = AF_UNSPEC };
	int fd = open("/proc/self/ns/net", O_RDONLY);
	struct request request;

	(void)a;
	need(fd >= 0, "/proc/self/ns/net");
	prepare(&request, RTM_GETNSID, 0, &body, sizeof(body));
	attach(&request, NETNSA_FD, &fd, sizeof(fd));
	result(exchange(opened(NETLINK_ROUTE), &request, NULL, NULL));
}

/* An index that cannot be: ERANGE from a kernel that reads the attribute, which an older one passes over. */
static void new_index(const long *a)
{
	struct ifinfomsg body = { .ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex("lo") };
	int index = -1;
	struct request request;

	(void)a;
	need(unshare(CLONE_NEWNET) == 0, "a network namespace");
	prepare(&request, RTM_SETLINK, NLM_F_ACK, &body, sizeof(body));
	attach(&request, 49 /* IFLA_NEW_IFINDEX */, &index, sizeof(index));
	result(exchange(opened(NETLINK_ROUTE), &request, NULL, NULL));
}

static void link_attributes(const struct nlmsghdr *message, void *with)
{
	struct rtattr *attribute = IFLA_RTA((struct ifinfomsg *)NLMSG_DATA(message));
	int left = (int)IFLA_PAYLOAD(message);
	bool *seen = with;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if ((attribute->rta_type & NLA_TYPE_MASK) < 128)
			seen[attribute->rta_type & NLA_TYPE_MASK] = true;
}

static void link_of_loopback(const long *a)
{
	struct ifinfomsg body = { .ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex("lo") };
	bool seen[128] = { false };
	struct request request;
	int i;

	(void)a;
	prepare(&request, RTM_GETLINK, 0, &body, sizeof(body));
	result(exchange(opened(NETLINK_ROUTE), &request, link_attributes, seen));
	for (i = 0; i < 128; i++)
		if (seen[i])
			item("%d", i);
}

const struct probe netlink_probes[] = {
	{ "diag.tcp", inet, { AF_INET, IPPROTO_TCP } },
	{ "diag.tcp6", inet, { AF_INET6, IPPROTO_TCP } },
	{ "diag.udp", inet, { AF_INET, IPPROTO_UDP } },
	{ "diag.udp6", inet, { AF_INET6, IPPROTO_UDP } },
	{ "diag.udplite", inet, { AF_INET, 136 } },
	{ "diag.udplite6", inet, { AF_INET6, 136 } },
	{ "diag.raw", inet, { AF_INET, IPPROTO_RAW } },
	{ "diag.raw6", inet, { AF_INET6, IPPROTO_RAW } },
	{ "diag.mptcp", inet_by_attribute, { AF_INET, 262 } },
	{ "diag.unix", family, { AF_UNIX, 0, 0x3f, 24 } },
	{ "diag.packet", family, { AF_PACKET, 0, 0, 20 } },
	{ "diag.netlink", family, { AF_NETLINK, 0xff, 0, 20 } },
	{ "diag.tcp.attributes", inet_attributes, { 0 } },
	{ "behaviour.one-inode-a-socket", one_inode_a_socket, { 0 } },
	{ "rtnetlink.getnsid", own_nsid, { 0 } },
	{ "rtnetlink.new-ifindex", new_index, { 0 } },
	{ "rtnetlink.link-attributes", link_of_loopback, { 0 } },
	{ 0 },
};
