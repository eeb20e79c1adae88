/* Epoll sets: edges, one-shots, data, a set within a set, a target added through a descriptor that is closed by now. */
#include "workload.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#define COUNT 77

enum { LEVEL, EDGE, ONE_SHOT, SPENT, FREED, SILENT, TARGETS };

static const struct plan {
	const char *name;
	uint32_t events;
} plans[TARGETS] = {
	[LEVEL] = { "level", EPOLLIN | EPOLLPRI },
	[EDGE] = { "edge", EPOLLIN | EPOLLET | EPOLLRDHUP },
	[ONE_SHOT] = { "one-shot", EPOLLIN | EPOLLONESHOT },
	[SPENT] = { "spent one-shot", EPOLLIN | EPOLLONESHOT },
	[FREED] = { "added through a closed descriptor", EPOLLIN },
	[SILENT] = { "never ready", EPOLLIN | EPOLLEXCLUSIVE },
};

static int targets[TARGETS]; /* eventfds, all empty but SPENT */
static int inner, outer, counter;

static uint64_t data_of(int target)
{
	return seed_for(300 + (unsigned)target);
}

static void control(int set, int operation, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	if (epoll_ctl(set, operation, fd, &event))
		die("epoll_ctl");
}

static void add(int fd, int target)
{
	control(inner, EPOLL_CTL_ADD, fd, plans[target].events, data_of(target));
}

static void ring(int target)
{
	if (eventfd_write(targets[target], 1))
		mismatch("%s: cannot be written to", plans[target].name);
}

static void hush(int target)
{
	eventfd_t value;

	if (eventfd_read(targets[target], &value))
		mismatch("%s: cannot be read", plans[target].name);
}

/* The target that is ready, TARGETS if there is none, -1 if it is none of them. */
static int ready_target(long ms, uint32_t *events)
{
	struct epoll_event event;

	if (epoll_wait(inner, &event, 1, (int)ms) != 1)
		return TARGETS;
	*events = event.events;
	for (int target = 0; target < TARGETS; target++)
		if (event.data.u64 == data_of(target))
			return target;
	return -1;
}

static const char *name_of(int target)
{
	return target < 0 ? "an unknown one" : target < TARGETS ? plans[target].name : "none";
}

static void expect_ready(const char *when, int want)
{
	uint32_t events = 0;
	int got = ready_target(want == TARGETS ? 0 : wait_ms, &events);

	if (got != want)
		mismatch("%s: %s is ready, expected %s", when, name_of(got), name_of(want));
	else if (want < TARGETS && events != EPOLLIN)
		mismatch("%s: events are 0x%x", when, events);
}

/* The outer set is ready when the inner one is, and says so with its own data. */
static void compare_nested(const char *when, int want)
{
	struct epoll_event event = { 0 };
	int count = epoll_wait(outer, &event, 1, 0);

	if (count != want)
		mismatch("%s: the outer set has %d ready, expected %d", when, count, want);
	else if (want && event.data.u64 != data_of(TARGETS))
		mismatch("%s: the outer set's data is another", when);
}

static void verify(void)
{
	eventfd_t value = 0;

	expect_ready("before anything", TARGETS);
	compare_nested("before anything", 0);
	ring(LEVEL);
	compare_nested("after a ring", 1);
	expect_ready("level", LEVEL);
	expect_ready("level, again", LEVEL);
	hush(LEVEL);
	ring(EDGE);
	expect_ready("edge", EDGE);
	expect_ready("edge, again", TARGETS);
	ring(ONE_SHOT);
	expect_ready("one-shot", ONE_SHOT);
	expect_ready("one-shot, again", TARGETS);
	control(inner, EPOLL_CTL_MOD, targets[SPENT], plans[SPENT].events, data_of(SPENT));
	expect_ready("spent one-shot, armed again", SPENT);
	ring(FREED);
	expect_ready("closed descriptor", FREED);
	if (eventfd_read(counter, &value) || value != COUNT + seed_for(1) % COUNT)
		mismatch("counter: is %" PRIu64, value);
	if (eventfd_read(counter, &value) != -1 || errno != EAGAIN)
		mismatch("counter: is not empty once read, or has become blocking");
}

/* Its targets, as the kernel counts them; numbers and events of each only where it keeps them under one number. */
static void describe_set(const char *what, int set)
{
	char path[64], line[256], name[64], text[64];
	unsigned fd, events;
	unsigned long long data;
	uint64_t count = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", set);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "tfd: %u events: %x data: %llx", &fd, &events, &data) != 3)
			continue;
		count++;
		if (data == data_of(SPENT)) /* has a scenario of its own */
			events &= ~(unsigned)(EPOLLERR | EPOLLHUP);
		snprintf(name, sizeof name, "%s set, target with data %llx", what, data);
		snprintf(text, sizeof text, "events 0x%x", events);
		report_text(name, text);
	}
	fclose(file);
	snprintf(name, sizeof name, "%s set, targets", what);
	report_number(name, count);
}

static void describe(void)
{
	describe_set("inner", inner);
	describe_set("outer", outer);
	report_number("inner flags", (uint64_t)fcntl(inner, F_GETFD));
	report_number("outer flags", (uint64_t)fcntl(outer, F_GETFD));
}

static void lose(void)
{
	epoll_ctl(inner, EPOLL_CTL_DEL, targets[LEVEL], NULL);
}

static void level(void)
{
	control(inner, EPOLL_CTL_MOD, targets[EDGE], EPOLLIN | EPOLLRDHUP, data_of(EDGE));
}

static void rearm(void)
{
	control(inner, EPOLL_CTL_MOD, targets[SPENT], plans[SPENT].events, data_of(SPENT));
}

static void exchange(void)
{
	control(inner, EPOLL_CTL_MOD, targets[LEVEL], plans[LEVEL].events, data_of(ONE_SHOT));
	control(inner, EPOLL_CTL_MOD, targets[ONE_SHOT], plans[ONE_SHOT].events, data_of(LEVEL));
}

static void replace(void)
{
	int other = eventfd(0, EFD_NONBLOCK);

	/* the set keeps watching the old one: nobody can ring that any more */
	dup2(other, targets[FREED]);
}

static void separate(void)
{
	int empty = epoll_create1(EPOLL_CLOEXEC);

	control(outer, EPOLL_CTL_DEL, inner, 0, 0);
	control(outer, EPOLL_CTL_ADD, empty, EPOLLIN, data_of(TARGETS));
}

static void count(void)
{
	eventfd_write(counter, 1);
}

static const struct damage damages[] = {
	{ "lost", lose },	  { "level", level },	    { "rearmed", rearm }, { "exchanged", exchange },
	{ "replaced", replace }, { "separated", separate }, { "counter", count }, { 0 },
};

static void make_targets(void)
{
	uint32_t events;

	for (int target = 0; target < TARGETS; target++) {
		targets[target] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (targets[target] < 0)
			die("eventfd");
		if (target != FREED) {
			add(targets[target], target);
			continue;
		}
		/* the set knows it by a number that means nothing any more */
		int first = dup(targets[target]);

		add(first, target);
		close(first);
	}
	ring(SPENT);
	if (ready_target(wait_ms, &events) != SPENT)
		die("one-shot");
}

int main(void)
{
	witness_start();
	inner = epoll_create1(EPOLL_CLOEXEC);
	outer = epoll_create1(0);
	counter = eventfd(COUNT, EFD_NONBLOCK);
	if (inner < 0 || outer < 0 || counter < 0 || eventfd_write(counter, seed_for(1) % COUNT))
		die("epoll");
	control(outer, EPOLL_CTL_ADD, inner, EPOLLIN, data_of(TARGETS));
	make_targets();
	serve(describe, verify, damages);
}
