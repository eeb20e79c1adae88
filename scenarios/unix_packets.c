/*
 * Unix datagram and seqpacket sockets: queued messages of several lengths, abstract names and names in the file system,
 * a datagram socket that many are connected to, a seqpacket listener.
 */
#include "sockets.h"

#define NAME "mailbox.sock"
#define FIRST 120 /* the lengths of queued messages: FIRST, 2 * FIRST, ... */
#define MESSAGES 4
#define WRITERS 2

/* Seeds of the contents. */
enum part { DATAGRAMS = 1, SEQUENCE = 20, BACK = 40, MAIL = 60, LATER = 100 };

static int datagrams[2]; /* a pair, messages from [0] to [1] */
static int sequence[2];	 /* a seqpacket pair, messages in both directions, [0] has shut its writing half */
static int mailbox;	 /* a datagram socket with a name in the file system */
static int writers[WRITERS]; /* connected to it, the first has an abstract name */
static int loner;	 /* a datagram socket with an abstract name and no peer */
static int listener;	 /* seqpacket, abstract name */
static int client, server;

static const struct option mailbox_options[] = {
	{ "rcvbuf", SOL_SOCKET, SO_RCVBUF, 50000 },
	{ "priority", SOL_SOCKET, SO_PRIORITY, 2 },
	{ 0 },
};

/* Not on a socket with messages in its queue: each would carry credentials, which is the scenario unix_credentials. */
static const struct option loner_options[] = {
	{ "passcred", SOL_SOCKET, SO_PASSCRED, 1 },
	{ 0 },
};

static size_t length(unsigned number)
{
	return FIRST * (number + 1);
}

/* Abstract names belong to the network namespace: another run of this program must not have the same. */
static socklen_t abstract(struct sockaddr_un *name, const char *what)
{
	memset(name, 0, sizeof *name);
	name->sun_family = AF_UNIX;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "kmatrix-%d-%s",
					    witness.pid, what));
}

static int bound(int type, const char *what)
{
	struct sockaddr_un name;
	socklen_t size = abstract(&name, what);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&name, size))
		die("bind");
	return fd;
}

static void put_messages(int fd, enum part part)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		put(fd, "message", length(i), seed_for(part + i));
}

static void expect_messages(int fd, const char *what, enum part part)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		expect_message(fd, what, length(i), seed_for(part + i));
}

static void make_mailbox(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = NAME };

	unlink(NAME);
	mailbox = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	writers[0] = bound(SOCK_DGRAM, "writer");
	writers[1] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	loner = bound(SOCK_DGRAM, "loner");
	if (mailbox < 0 || writers[1] < 0 || bind(mailbox, (struct sockaddr *)&name, sizeof name))
		die("mailbox");
	set_options(mailbox, mailbox_options);
	set_options(loner, loner_options);
	for (int i = 0; i < WRITERS; i++)
		if (connect(writers[i], (struct sockaddr *)&name, sizeof name))
			die("connect");
	put(writers[0], "mail", FIRST, seed_for(MAIL));
	put(writers[1], "mail", 2 * FIRST, seed_for(MAIL + 1));
}

static int dial(void)
{
	struct sockaddr_un name;
	socklen_t size = abstract(&name, "listener");
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&name, size))
		mismatch("listener: its name does not lead to it: %s", strerror(errno));
	return fd;
}

static void make_sequence(void)
{
	listener = bound(SOCK_SEQPACKET, "listener");
	if (listen(listener, 3))
		die("listen");
	client = dial();
	server = accept_soon(listener, NULL, NULL);
	if (server < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sequence) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams))
		die("seqpacket");
	put_messages(datagrams[0], DATAGRAMS);
	put_messages(sequence[1], BACK);
	put_messages(sequence[0], SEQUENCE);
	put(client, "connection", FIRST, seed_for(SEQUENCE + MESSAGES));
	if (shutdown(sequence[0], SHUT_WR))
		die("shutdown");
}

static void describe(void)
{
	report_options("mailbox", mailbox, mailbox_options);
	report_options("loner", loner, loner_options);
	report_name("mailbox_name", mailbox, getsockname);
	report_name("mailbox_peer", mailbox, getpeername);
	report_name("writer_name", writers[0], getsockname);
	report_name("writer_peer", writers[1], getpeername);
	report_name("loner_name", loner, getsockname);
	report_name("loner_peer", loner, getpeername);
	report_name("listener_name", listener, getsockname);
	report_number("listening", get_option(listener, SOL_SOCKET, SO_ACCEPTCONN));
	/* Of a datagram socket the first message's length, of a seqpacket socket all bytes. */
	report_number("datagrams", queued(datagrams[1], SIOCINQ));
	report_number("sequence", queued(sequence[1], SIOCINQ));
	report_number("mailbox_first", queued(mailbox, SIOCINQ));
}

static void compare_mailbox(void)
{
	struct sockaddr_un name;
	socklen_t size = abstract(&name, "loner");

	expect_message(mailbox, "mail", FIRST, seed_for(MAIL));
	expect_message(mailbox, "mail, of the second writer", 2 * FIRST, seed_for(MAIL + 1));
	expect_nothing(mailbox, "mailbox");
	for (unsigned i = 0; i < WRITERS; i++)
		expect_flow(writers[i], mailbox, "mail, later", seed_for(LATER + i));
	if (sendto(mailbox, "hello", 5, MSG_DONTWAIT, (struct sockaddr *)&name, size) != 5)
		mismatch("loner: cannot be reached by its name: %s", strerror(errno));
	if (queued(loner, SIOCINQ) != 5)
		mismatch("loner: what is sent to its name does not arrive");
}

static void verify(void)
{
	int fresh, second;

	expect_messages(datagrams[1], "datagram", DATAGRAMS);
	expect_nothing(datagrams[1], "datagram pair");
	expect_flow(datagrams[1], datagrams[0], "datagram, back", seed_for(LATER + 10));
	expect_messages(sequence[0], "seqpacket, back", BACK);
	expect_messages(sequence[1], "seqpacket", SEQUENCE);
	expect_end(sequence[1], "seqpacket");
	expect_flow(sequence[1], sequence[0], "seqpacket, later", seed_for(LATER + 11));
	expect_message(server, "connection", FIRST, seed_for(SEQUENCE + MESSAGES));
	expect_flow(server, client, "connection, back", seed_for(LATER + 12));
	compare_mailbox();
	fresh = dial();
	second = accept_soon(listener, NULL, NULL);
	if (second < 0)
		mismatch("listener: a new connection does not arrive");
	else
		expect_flow(fresh, second, "new connection", seed_for(LATER + 13));
}

/* As many bytes as before, but in one message. */
static void glue(void)
{
	static uint8_t bytes[MESSAGE_MAX];
	size_t size = 0;

	for (unsigned i = 0; i < MESSAGES; i++)
		size += (size_t)recv(sequence[0], bytes + size, sizeof bytes - size, MSG_DONTWAIT);
	if (send(sequence[1], bytes, size, MSG_DONTWAIT) != (ssize_t)size)
		die("send");
}

static void swap_mail(void)
{
	uint8_t bytes[2 * FIRST];

	recv(mailbox, bytes, sizeof bytes, MSG_DONTWAIT);
	put(writers[0], "corruption", FIRST, seed_for(MAIL));
}

static void forget_name(void)
{
	close(loner);
	loner = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	set_options(loner, loner_options);
}

static void disconnect(void)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	connect(writers[1], &none, sizeof none);
}

static void stop_listening(void)
{
	shutdown(listener, SHUT_RDWR);
}

static const struct damage damages[] = {
	{ "glued", glue }, { "swapped", swap_mail },
	{ "nameless", forget_name }, { "disconnected", disconnect }, { "deaf", stop_listening },
	{ 0 },
};

int main(void)
{
	witness_start();
	make_mailbox();
	make_sequence();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
