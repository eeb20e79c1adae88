/* Two netlink messages of the users' own protocol in a socket that nobody has read. */
#include "sockets.h"

#include <linux/netlink.h>

#define FIRST 100
#define SECOND 250

/* Seeds of the contents. */
enum part { MESSAGES = 1 };

static int from, to;

static int bound(uint32_t port)
{
	const struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = port };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof name))
		die("netlink");
	return fd;
}

static void describe(void)
{
	report_number("protocol", get_option(to, SOL_SOCKET, SO_PROTOCOL));
}

static void verify(void)
{
	expect_message(to, "first", FIRST, seed_for(MESSAGES));
	expect_message(to, "second", SECOND, seed_for(MESSAGES + 1));
	expect_nothing(to, "queue");
}

static void lose(void)
{
	uint8_t bytes[FIRST];

	recv(to, bytes, sizeof bytes, MSG_DONTWAIT);
}

static void repeat(void)
{
	put(from, "corruption", SECOND, seed_for(MESSAGES + 1));
}

static void exchange(void)
{
	lose();
	put(from, "corruption", FIRST, seed_for(MESSAGES));
}

static const struct damage damages[] = {
	{ "lost", lose },
	{ "repeated", repeat },
	{ "exchanged", exchange },
	{ 0 },
};

int main(void)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };

	witness_start();
	name.nl_pid = (uint32_t)witness.pid + 1;
	from = bound((uint32_t)witness.pid);
	to = bound(name.nl_pid);
	if (connect(from, (const struct sockaddr *)&name, sizeof name))
		die("connect");
	put(from, "first", FIRST, seed_for(MESSAGES));
	put(from, "second", SECOND, seed_for(MESSAGES + 1));
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
