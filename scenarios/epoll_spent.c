/* A spent one-shot in an epoll set: until it is armed again, not even a hang-up may be told. */
#include "workload.h"

#include <sys/epoll.h>
#include <sys/socket.h>

static int set, ends[2];

/* How many are ready; the events of the first. */
static int ready_now(long ms, uint32_t *events)
{
	struct epoll_event event = { 0 };
	int count = epoll_wait(set, &event, 1, (int)ms);

	if (count == 1 && event.data.u64 != seed_for(1))
		mismatch("the data is another");
	*events = event.events;
	return count;
}

static void control(int operation)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = seed_for(1) };

	if (epoll_ctl(set, operation, ends[0], &event))
		mismatch("the set does not hold it any more");
}

static void verify(void)
{
	uint32_t events;
	uint8_t byte;

	if (ready_now(0, &events))
		mismatch("it is armed: events 0x%x", events);
	if (recv(ends[0], &byte, 1, MSG_DONTWAIT) != 1 || byte != (uint8_t)seed_for(2))
		mismatch("the byte that it told of is lost");
	close(ends[1]);
	if (ready_now(0, &events))
		mismatch("it tells of a hang-up: events 0x%x", events);
	control(EPOLL_CTL_MOD);
	if (ready_now(wait_ms, &events) != 1)
		mismatch("armed again, it tells nothing");
	else if (events != (EPOLLIN | EPOLLHUP))
		mismatch("armed again, it tells of 0x%x", events);
}

static void describe(void)
{
	report_number("set", (uint64_t)set);
}

static void arm(void)
{
	control(EPOLL_CTL_MOD);
}

static void add_again(void)
{
	struct epoll_event event = { .events = EPOLLONESHOT, .data.u64 = seed_for(1) };

	/* what a restorer does that has only EPOLL_CTL_ADD: the kernel adds errors and hang-ups to any events */
	if (epoll_ctl(set, EPOLL_CTL_DEL, ends[0], NULL) || epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event))
		die("epoll_ctl");
}

static void lose(void)
{
	epoll_ctl(set, EPOLL_CTL_DEL, ends[0], NULL);
}

static const struct damage damages[] = { { "armed", arm }, { "added", add_again }, { "lost", lose }, { 0 } };

int main(void)
{
	uint8_t byte;
	uint32_t events;

	witness_start();
	byte = (uint8_t)seed_for(2);
	set = epoll_create1(EPOLL_CLOEXEC);
	if (set < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		die("epoll");
	control(EPOLL_CTL_ADD);
	if (write(ends[1], &byte, 1) != 1 || ready_now(wait_ms, &events) != 1 || events != EPOLLIN)
		die("one-shot");
	serve(describe, verify, damages);
}
