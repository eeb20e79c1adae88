/* Options of a TCP connection and of a listener that tune how the kernel treats them, each as a fact of its own. */
#include "inet.h"

static int listener;
static struct pair pair;

static const struct option options[] = {
	{ "user_timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, 12345 },
	{ "syncnt", IPPROTO_TCP, TCP_SYNCNT, 3 },
	{ "linger2", IPPROTO_TCP, TCP_LINGER2, 11 },
	{ "notsent_lowat", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096 },
	{ "window_clamp", IPPROTO_TCP, TCP_WINDOW_CLAMP, 20000 },
	{ "thin_linear_timeouts", IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1 },
	{ "pacing", SOL_SOCKET, SO_MAX_PACING_RATE, 1000000 },
	{ "timestamp", SOL_SOCKET, SO_TIMESTAMP, 1 },
	{ 0 },
};

static const struct option listener_options[] = {
	{ "defer_accept", IPPROTO_TCP, TCP_DEFER_ACCEPT, 3 },
	{ "fastopen", IPPROTO_TCP, TCP_FASTOPEN, 6 },
	{ 0 },
};

static void report_congestion(void)
{
	char name[16] = "";
	socklen_t size = sizeof name;

	if (getsockopt(pair.client, IPPROTO_TCP, TCP_CONGESTION, name, &size))
		mismatch("TCP_CONGESTION: %s", strerror(errno));
	report_text("congestion", name);
}

static void describe(void)
{
	report_options("client", pair.client, options);
	report_options("listener", listener, listener_options);
	report_congestion();
}

static void verify(void)
{
	expect_flow(pair.client, pair.server, "connection", seed_for(1));
	expect_flow(pair.server, pair.client, "connection, back", seed_for(2));
}

static void forget_timeout(void)
{
	set_option(pair.client, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
}

static void forget_congestion(void)
{
	if (setsockopt(pair.client, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5))
		die("TCP_CONGESTION");
}

static void accept_at_once(void)
{
	set_option(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
}

static void part_ways(void)
{
	close(pair.server);
	pair.server = make_socket(AF_INET, SOCK_STREAM, 0);
}

static const struct damage damages[] = {
	{ "timeout", forget_timeout },	{ "congestion", forget_congestion },
	{ "defer", accept_at_once }, { "parted", part_ways },	     { 0 },
};

int main(void)
{
	union address address;

	witness_start();
	listener = make_listener(AF_INET, 4);
	address = own_address(listener);
	pair = make_pair(listener, &address);
	set_options(pair.client, options);
	set_options(listener, listener_options);
	if (setsockopt(pair.client, IPPROTO_TCP, TCP_CONGESTION, "reno", 4))
		die("setsockopt");
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
