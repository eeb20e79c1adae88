/* A POSIX message queue with messages of several priorities, in an IPC namespace of its own; open, or only named. */
#include "workload.h"

#include <mqueue.h>

#define NAME "/kmatrix"
#define MESSAGES 4
#define LENGTH 256

static const unsigned priorities[MESSAGES] = { 5, 1, 9, 5 };
static const unsigned order[MESSAGES] = { 2, 0, 3, 1 }; /* by priority, then by age */

static bool closed; /* whether the queue has a name and messages, but no descriptor */
static mqd_t held = (mqd_t)-1;

static mqd_t attach(void)
{
	return closed ? mq_open(NAME, O_RDWR | O_NONBLOCK) : held;
}

static void detach(mqd_t queue)
{
	if (closed && queue != (mqd_t)-1)
		mq_close(queue);
}

static void put(mqd_t queue, unsigned number)
{
	char bytes[LENGTH];

	fill(bytes, sizeof bytes, seed_for(number));
	if (mq_send(queue, bytes, 100 + number, priorities[number]))
		die("mq_send");
}

static void describe(void)
{
	mqd_t queue = attach();
	struct mq_attr attributes = { 0 };

	report_number("found", queue != (mqd_t)-1);
	if (queue != (mqd_t)-1)
		mq_getattr(queue, &attributes);
	report_number("flags", (uint64_t)attributes.mq_flags);
	report_number("most", (uint64_t)attributes.mq_maxmsg);
	report_number("longest", (uint64_t)attributes.mq_msgsize);
	report_number("queued", (uint64_t)attributes.mq_curmsgs);
	detach(queue);
}

static void verify(void)
{
	mqd_t queue = attach();
	char got[LENGTH];
	unsigned priority;

	if (queue == (mqd_t)-1)
		mismatch("the queue is gone: %s", strerror(errno));
	for (unsigned i = 0; queue != (mqd_t)-1 && i < MESSAGES; i++) {
		unsigned number = order[i];
		ssize_t size = mq_receive(queue, got, sizeof got, &priority);

		if (size != (ssize_t)(100 + number) || priority != priorities[number])
			mismatch("message %u: %zd bytes of priority %u", number, size, priority);
		else
			compare_fill("message", got, (size_t)size, seed_for(number));
	}
	detach(queue);
}

static void corrupt_lost(void)
{
	mqd_t queue = attach();
	char got[LENGTH];

	if (mq_receive(queue, got, sizeof got, NULL) < 0)
		die("mq_receive");
	detach(queue);
}

static void corrupt_order(void)
{
	mqd_t queue = attach();
	char got[LENGTH];

	for (int i = 0; i < MESSAGES; i++)
		if (mq_receive(queue, got, sizeof got, NULL) < 0)
			die("mq_receive");
	for (unsigned i = MESSAGES; i-- > 0;)
		put(queue, i);
	detach(queue);
}

static mqd_t make(void)
{
	struct mq_attr attributes = { .mq_maxmsg = 7, .mq_msgsize = LENGTH };

	return mq_open(NAME, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attributes);
}

/* An empty queue of the same name. */
static void corrupt_anew(void)
{
	if (mq_unlink(NAME))
		die("mq_unlink");
	if (held != (mqd_t)-1)
		mq_close(held);
	held = make();
	if (closed)
		mq_close(held);
}

static const struct damage damages[] = {
	{ "lost", corrupt_lost }, { "order", corrupt_order }, { "anew", corrupt_anew }, { 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	closed = argc > 1 && !strcmp(argv[1], "closed");
	if (unshare(CLONE_NEWIPC))
		die("unshare");
	held = make();
	if (held == (mqd_t)-1)
		die("mq_open");
	for (unsigned i = 0; i < MESSAGES; i++)
		put(held, i);
	if (closed) {
		mq_close(held);
		held = (mqd_t)-1;
	}
	serve(describe, verify, damages);
}
