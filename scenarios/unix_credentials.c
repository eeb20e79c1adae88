/*
 * Credentials in flight: two messages in a unix socket with SO_PASSCRED, of the parent and of its child, which each
 * say who sent them.
 */
#include "sockets.h"

#include <sys/prctl.h>

#define OF_PARENT 100
#define OF_CHILD 200

/* Seeds of the contents. */
enum part { PARENT = 1, CHILD };

static int letters[2]; /* sent by [0] to [1] */
static pid_t child;

static const struct option options[] = {
	{ "passcred", SOL_SOCKET, SO_PASSCRED, 1 },
	{ 0 },
};

static void send_letters(void)
{
	int done[2];
	char byte;

	put(letters[0], "letter", OF_PARENT, seed_for(PARENT));
	if (pipe2(done, O_CLOEXEC))
		die("pipe2");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		put(letters[0], "letter", OF_CHILD, seed_for(CHILD));
		close(done[0]);
		close(done[1]);
		for (;;)
			pause();
	}
	close(done[1]);
	if (read(done[0], &byte, 1) || close(done[0]))
		die("the child");
}

static void describe(void)
{
	report_options("letters", letters[1], options);
	report_number("first", queued(letters[1], SIOCINQ));
	report_number("child", (uint64_t)child);
}

static void compare_sender(const char *what, struct msghdr *message, pid_t sender)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	struct ucred credentials;

	if (!head || head->cmsg_type != SCM_CREDENTIALS) {
		mismatch("%s: does not say who sent it", what);
		return;
	}
	memcpy(&credentials, CMSG_DATA(head), sizeof credentials);
	if (credentials.pid != sender)
		mismatch("%s: was sent by %d, expected %d", what, credentials.pid, sender);
	if (credentials.uid != getuid() || credentials.gid != getgid())
		mismatch("%s: was sent by another user", what);
}

static void compare_letter(const char *what, pid_t sender, size_t size, uint64_t seed)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	uint8_t bytes[OF_CHILD];
	struct iovec data = { bytes, sizeof bytes };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	ssize_t count = recvmsg(letters[1], &message, MSG_DONTWAIT);

	if (count != (ssize_t)size) {
		mismatch("%s: a message of %zd bytes, expected %zu", what, count, size);
		return;
	}
	compare_fill(what, bytes, size, seed);
	compare_sender(what, &message, sender);
}

static void verify(void)
{
	compare_letter("letter of the parent", getpid(), OF_PARENT, seed_for(PARENT));
	compare_letter("letter of the child", child, OF_CHILD, seed_for(CHILD));
	expect_nothing(letters[1], "letters");
}

static void drain(void)
{
	uint8_t bytes[OF_CHILD];

	while (recv(letters[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
}

/* The same two messages, all of the parent. */
static void claim(void)
{
	drain();
	put(letters[0], "corruption", OF_PARENT, seed_for(PARENT));
	put(letters[0], "corruption", OF_CHILD, seed_for(CHILD));
}

static void lose(void)
{
	uint8_t byte;

	recv(letters[1], &byte, 1, MSG_DONTWAIT);
}

static void turn_off(void)
{
	set_option(letters[1], SOL_SOCKET, SO_PASSCRED, 0);
}

static const struct damage damages[] = {
	{ "claimed", claim },
	{ "lost", lose },
	{ "off", turn_off },
	{ 0 },
};

int main(void)
{
	witness_start();
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, letters))
		die("socketpair");
	set_options(letters[1], options);
	send_letters();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
