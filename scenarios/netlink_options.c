/* Options of the netlink level, each as a fact of its own. */
#include "sockets.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

static int tuned;

static const struct option options[] = {
	{ "pktinfo", SOL_NETLINK, NETLINK_PKTINFO, 1 },
	{ "broadcast_error", SOL_NETLINK, NETLINK_BROADCAST_ERROR, 1 },
	{ "no_enobufs", SOL_NETLINK, NETLINK_NO_ENOBUFS, 1 },
	{ "cap_ack", SOL_NETLINK, NETLINK_CAP_ACK, 1 },
	{ "ext_ack", SOL_NETLINK, NETLINK_EXT_ACK, 1 },
	{ "strict", SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1 },
	{ 0 },
};

static void describe(void)
{
	report_options("tuned", tuned, options);
}

/* A request that the kernel must refuse: a short answer, because NETLINK_CAP_ACK leaves the request out of it. */
static void verify(void)
{
	struct {
		struct nlmsghdr head;
		uint8_t padding[200];
	} request = { .head = { .nlmsg_len = sizeof request, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST } };
	union {
		struct nlmsghdr head;
		char bytes[1024];
	} answer;
	ssize_t size;

	memset(request.padding, 0xff, sizeof request.padding);
	if (send(tuned, &request, sizeof request, 0) != sizeof request)
		mismatch("cannot ask: %s", strerror(errno));
	size = recv(tuned, &answer, sizeof answer, MSG_DONTWAIT);
	if (size < (ssize_t)sizeof answer.head || answer.head.nlmsg_type != NLMSG_ERROR)
		mismatch("no refusal");
	else if (get_option(tuned, SOL_NETLINK, NETLINK_CAP_ACK) == 1 && !(answer.head.nlmsg_flags & NLM_F_CAPPED))
		mismatch("the refusal repeats the request, whatever the option says");
}

static void repeat(void)
{
	set_option(tuned, SOL_NETLINK, NETLINK_CAP_ACK, 0);
}

static void forget_strict(void)
{
	set_option(tuned, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 0);
}

static void forget_pktinfo(void)
{
	set_option(tuned, SOL_NETLINK, NETLINK_PKTINFO, 0);
}

static const struct damage damages[] = {
	{ "repeating", repeat },
	{ "strict", forget_strict },
	{ "pktinfo", forget_pktinfo },
	{ 0 },
};

int main(void)
{
	witness_start();
	tuned = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (tuned < 0)
		die("socket");
	set_options(tuned, options);
	serve(describe, verify, damages);
}
