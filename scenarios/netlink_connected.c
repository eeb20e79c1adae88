/* A netlink socket that is connected to another one's port and to no group: nobody else hears what it sends. */
#include "sockets.h"

#include <linux/netlink.h>

#define LAST_GROUP 0x80000000 /* as a mask; the group's number is 32 */

/* Seeds of the contents. */
enum part { SAID = 1 };

static int from, to, bystander;

static int bound(uint32_t port, uint32_t groups)
{
	const struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof name))
		die("netlink");
	return fd;
}

static void connect_to(uint32_t port, uint32_t groups)
{
	const struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };

	if (connect(from, (const struct sockaddr *)&name, sizeof name))
		die("connect");
}

static void describe(void)
{
	struct sockaddr_nl name = { 0 };
	socklen_t size = sizeof name;

	if (getpeername(from, (struct sockaddr *)&name, &size))
		mismatch("getpeername: %s", strerror(errno));
	report_number("peer_port", name.nl_pid);
	report_number("peer_groups", name.nl_groups);
	size = sizeof name;
	getsockname(bystander, (struct sockaddr *)&name, &size);
	report_number("bystander_groups", name.nl_groups);
}

static void verify(void)
{
	put(from, "said", 100, seed_for(SAID));
	expect_message(to, "said", 100, seed_for(SAID));
	expect_nothing(bystander, "a bystander in group 32");
}

static void shout(void)
{
	connect_to((uint32_t)witness.pid + 1, LAST_GROUP);
}

static void turn_away(void)
{
	connect_to((uint32_t)witness.pid + 2, 0);
}

static void leave_group(void)
{
	close(bystander);
	bystander = bound((uint32_t)witness.pid + 2, 0);
}

static const struct damage damages[] = {
	{ "shouting", shout },
	{ "away", turn_away },
	{ "left", leave_group },
	{ 0 },
};

int main(void)
{
	witness_start();
	from = bound((uint32_t)witness.pid, 0);
	to = bound((uint32_t)witness.pid + 1, 0);
	bystander = bound((uint32_t)witness.pid + 2, LAST_GROUP);
	connect_to((uint32_t)witness.pid + 1, 0);
	serve(describe, verify, damages);
}
