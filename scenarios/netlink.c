/*
 * Netlink sockets: bound to groups, connected to one another, never bound, of several protocols. Nothing is queued in
 * them; they are asked and heard after the move.
 */
#include "inet.h"

#include <net/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define PORT 41000

static int monitor; /* bound to groups of route */
static int asker;   /* bound, no groups */
static int fresh;   /* not bound */
static int left, right; /* of the users' own protocol, connected to each other; to what else is netlink_connected */
static int uevents; /* in no group: an event while CRIU looks would be queued, which it refuses */

static const struct option options[] = {
	{ "rcvbuf", SOL_SOCKET, SO_RCVBUF, 90000 },
	{ "passcred", SOL_SOCKET, SO_PASSCRED, 1 },
	{ "priority", SOL_SOCKET, SO_PRIORITY, 2 },
	{ 0 },
};

static int bound(int protocol, uint32_t port, uint32_t groups)
{
	const struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };
	int fd = make_socket(AF_NETLINK, SOCK_RAW, protocol);

	if (bind(fd, (const struct sockaddr *)&name, sizeof name))
		die("bind");
	return fd;
}

static void connect_port(int fd, uint32_t port)
{
	const struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = port };

	if (connect(fd, (const struct sockaddr *)&name, sizeof name))
		die("connect");
}

static void report_port(const char *what, int fd,
			int (*get)(int fd, struct sockaddr *restrict name, socklen_t *restrict size))
{
	struct sockaddr_nl name = { 0 };
	socklen_t size = sizeof name;
	char text[40];

	if (get(fd, (struct sockaddr *)&name, &size))
		mismatch("%s: %s", what, strerror(errno));
	snprintf(text, sizeof text, "%u/%x", name.nl_pid, name.nl_groups);
	report_text(what, text);
}

static void describe(void)
{
	report_port("monitor", monitor, getsockname);
	report_port("asker", asker, getsockname);
	report_port("fresh", fresh, getsockname);
	report_port("left", left, getsockname);
	report_port("right", right, getsockname);
	report_port("uevents", uevents, getsockname);
	report_number("uevents_protocol", get_option(uevents, SOL_SOCKET, SO_PROTOCOL));
	report_number("left_protocol", get_option(left, SOL_SOCKET, SO_PROTOCOL));
	report_options("asker", asker, options);
}

/* The kernel answers, and to this port. */
static void verify_asker(void)
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
	ssize_t size;

	if (send(asker, &request, sizeof request, 0) != sizeof request)
		mismatch("asker: cannot ask: %s", strerror(errno));
	size = recv(asker, &answer, sizeof answer, MSG_DONTWAIT);
	if (size < (ssize_t)sizeof answer.head || answer.head.nlmsg_type != RTM_NEWLINK)
		mismatch("asker: no answer");
	else
		compare_number("asker: the port that is answered", answer.head.nlmsg_pid, witness.pid + PORT);
}

/* An address more on loopback is told to whom it concerns. */
static void verify_monitor(void)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg info;
		struct rtattr local;
		uint32_t address;
	} request = { .head = { .nlmsg_len = sizeof request,
				.nlmsg_type = RTM_NEWADDR,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE },
		      .info = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = if_nametoindex("lo") },
		      .local = { .rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL } };
	union {
		struct nlmsghdr head;
		char bytes[8192];
	} event;

	request.address = htonl(INADDR_LOOPBACK + 41);
	if (send(asker, &request, sizeof request, 0) != sizeof request)
		mismatch("monitor: no address can be added: %s", strerror(errno));
	if (recv(monitor, &event, sizeof event, MSG_DONTWAIT) < (ssize_t)sizeof event.head ||
	    event.head.nlmsg_type != RTM_NEWADDR)
		mismatch("monitor: does not hear of a new address");
}

static void verify(void)
{
	uint8_t bytes[100];

	verify_asker();
	verify_monitor();
	put(left, "left to right", sizeof bytes, seed_for(1));
	expect_message(right, "left to right", sizeof bytes, seed_for(1));
	put(right, "right to left", sizeof bytes, seed_for(2));
	expect_message(left, "right to left", sizeof bytes, seed_for(2));
}

static void leave_groups(void)
{
	close(monitor);
	monitor = bound(NETLINK_ROUTE, (uint32_t)witness.pid, 0);
}

static void move_port(void)
{
	close(asker);
	asker = bound(NETLINK_ROUTE, (uint32_t)witness.pid + PORT + 9, 0);
}

static void part_ways(void)
{
	connect_port(left, (uint32_t)witness.pid + 7 * PORT);
}

static void bind_fresh(void)
{
	close(fresh);
	fresh = bound(NETLINK_ROUTE, (uint32_t)witness.pid + PORT + 5, 0);
}

static void forget_passcred(void)
{
	set_option(asker, SOL_SOCKET, SO_PASSCRED, 0);
}

static const struct damage damages[] = {
	{ "groups", leave_groups }, { "port", move_port }, { "parted", part_ways }, { "bound", bind_fresh },
	{ "passcred", forget_passcred }, { 0 },
};

int main(void)
{
	witness_start();
	monitor = bound(NETLINK_ROUTE, (uint32_t)witness.pid, RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE);
	asker = bound(NETLINK_ROUTE, (uint32_t)witness.pid + PORT, 0);
	fresh = make_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	left = bound(NETLINK_USERSOCK, (uint32_t)witness.pid + 2 * PORT, 0);
	right = bound(NETLINK_USERSOCK, (uint32_t)witness.pid + 3 * PORT, 0);
	uevents = bound(NETLINK_KOBJECT_UEVENT, (uint32_t)witness.pid, 0);
	connect_port(left, (uint32_t)witness.pid + 3 * PORT);
	connect_port(right, (uint32_t)witness.pid + 2 * PORT);
	set_options(asker, options);
	serve(describe, verify, damages);
}
