/*
 * Descriptors in flight: messages in unix sockets that carry a pipe's only reading end, a file whose offset is shared
 * with one that stayed, an event counter, and two ends of a socket pair.
 */
#include "sockets.h"

#include <sys/eventfd.h>
#include <sys/stat.h>

#define FILE_SIZE 4096
#define OFFSET 1234
#define PIPED 600
#define COUNT 77
#define RIGHTS_MAX 4

/* Seeds of the contents. */
enum part { PIPED_BYTES = 1, FILE_BYTES, PAIR_BYTES, LATER };

static int stream[2], datagrams[2]; /* sent by [0] to [1] */
static int pipe_writer;	     /* its reading end is in flight and nowhere else */
static int file;	     /* shares its offset with the one in flight */

/* What came with one message. */
struct parcel {
	int rights[RIGHTS_MAX], count;
};

static void send_rights(int fd, const char *text, const int *rights, int count)
{
	union {
		char bytes[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec data = { (char *)text, strlen(text) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes };
	struct cmsghdr *head;

	message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	memcpy(CMSG_DATA(head), rights, (size_t)count * sizeof(int));
	if (sendmsg(fd, &message, MSG_DONTWAIT) != (ssize_t)data.iov_len)
		die("sendmsg");
}

static void unpack(struct msghdr *message, struct parcel *parcel)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);

	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return;
	parcel->count = (int)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(parcel->rights, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
}

/* One message of this text with so many descriptors. */
static bool open_parcel(int fd, const char *text, int count, struct parcel *parcel)
{
	union {
		char bytes[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char bytes[64] = { 0 };
	struct iovec data = { bytes, strlen(text) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	memset(parcel, 0, sizeof *parcel);
	if (size < 0) {
		mismatch("%s: no message (%s)", text, strerror(errno));
		return false;
	}
	unpack(&message, parcel);
	if (size != (ssize_t)strlen(text) || strcmp(bytes, text))
		mismatch("%s: another text came", text);
	else if (parcel->count != count || message.msg_flags & MSG_CTRUNC)
		mismatch("%s: %d descriptors came, expected %d", text, parcel->count, count);
	else
		return true;
	return false;
}

static void send_pipe(void)
{
	uint8_t bytes[PIPED];
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		die("pipe2");
	pipe_writer = ends[1];
	fill(bytes, sizeof bytes, seed_for(PIPED_BYTES));
	if (write(pipe_writer, bytes, sizeof bytes) != PIPED)
		die("write");
	send_rights(stream[0], "a pipe", ends, 1);
	close(ends[0]);
}

static void send_file(void)
{
	uint8_t bytes[FILE_SIZE];
	int both[2];

	file = open("sent", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fill(bytes, sizeof bytes, seed_for(FILE_BYTES));
	if (file < 0 || write(file, bytes, sizeof bytes) != FILE_SIZE || lseek(file, OFFSET, SEEK_SET) != OFFSET)
		die("file");
	both[0] = file;
	both[1] = eventfd(COUNT, EFD_NONBLOCK | EFD_CLOEXEC);
	if (both[1] < 0)
		die("eventfd");
	send_rights(stream[0], "a file and a counter", both, 2);
	close(both[1]);
}

static void send_pair(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("socketpair");
	put(pair[0], "pair", 300, seed_for(PAIR_BYTES));
	send_rights(datagrams[0], "a pair", pair, 2);
	close(pair[0]);
	close(pair[1]);
}

static void describe(void)
{
	report_number("stream", queued(stream[1], SIOCINQ));
	report_number("datagrams", queued(datagrams[1], SIOCINQ));
	report_number("offset", (uint64_t)lseek(file, 0, SEEK_CUR));
}

static void compare_pipe(void)
{
	struct parcel parcel;
	uint8_t bytes[PIPED];

	if (!open_parcel(stream[1], "a pipe", 1, &parcel))
		return;
	fcntl(parcel.rights[0], F_SETFL, O_NONBLOCK);
	if (read(parcel.rights[0], bytes, PIPED) != PIPED)
		mismatch("the sent pipe: not all bytes are there");
	else
		compare_fill("the sent pipe", bytes, PIPED, seed_for(PIPED_BYTES));
	if (write(pipe_writer, "x", 1) != 1 || read(parcel.rights[0], bytes, 1) != 1 || bytes[0] != 'x')
		mismatch("the sent pipe: is not the other end of the one that stayed");
	close(pipe_writer);
	if (read(parcel.rights[0], bytes, 1) != 0)
		mismatch("the sent pipe: no end after its only writer closed");
}

static void compare_file(int sent)
{
	uint8_t bytes[FILE_SIZE], want[FILE_SIZE];
	struct stat status = { 0 }, named = { 0 };

	fill(want, sizeof want, seed_for(FILE_BYTES));
	if (fstat(sent, &status) || stat("sent", &named) || status.st_ino != named.st_ino)
		mismatch("the sent file: is not the one in the directory");
	if (read(sent, bytes, 100) != 100)
		mismatch("the sent file: cannot be read");
	else
		compare("the sent file", bytes, want + OFFSET, 100);
	compare_number("the file that stayed: its offset", (uint64_t)lseek(file, 0, SEEK_CUR), OFFSET + 100);
}

static void compare_parcel(void)
{
	struct parcel parcel;
	uint64_t count = 0;

	if (!open_parcel(stream[1], "a file and a counter", 2, &parcel))
		return;
	compare_file(parcel.rights[0]);
	if (read(parcel.rights[1], &count, sizeof count) != sizeof count)
		mismatch("the sent counter: cannot be read");
	compare_number("the sent counter", count, COUNT);
}

static void compare_pair(void)
{
	struct parcel parcel;

	if (!open_parcel(datagrams[1], "a pair", 2, &parcel))
		return;
	expect_stream(parcel.rights[1], "the sent pair", 300, seed_for(PAIR_BYTES));
	expect_flow(parcel.rights[1], parcel.rights[0], "the sent pair, back", seed_for(LATER + 2));
	close(parcel.rights[0]);
	expect_end(parcel.rights[1], "the sent pair");
}

static void verify(void)
{
	compare_pipe();
	compare_parcel();
	compare_pair();
	expect_nothing(stream[1], "stream");
	expect_nothing(datagrams[1], "datagrams");
}

/* The same texts, without what they carried. */
static void resend(bool with_pipe)
{
	struct parcel first, second;
	int ends[2];

	if (!open_parcel(stream[1], "a pipe", 1, &first) ||
	    !open_parcel(stream[1], "a file and a counter", 2, &second) || pipe2(ends, O_CLOEXEC))
		die("corruption");
	if (with_pipe) {
		send_rights(stream[0], "a pipe", first.rights, 1);
		close(second.rights[0]);
		second.rights[0] = open("sent", O_RDWR | O_CLOEXEC);
		lseek(second.rights[0], OFFSET, SEEK_SET);
	} else {
		if (write(ends[1], "other bytes", 11) != 11)
			die("write");
		send_rights(stream[0], "a pipe", ends, 1);
	}
	send_rights(stream[0], "a file and a counter", second.rights, 2);
	for (int i = 0; i < 2; i++)
		close(second.rights[i]);
	close(ends[0]);
}

static void exchange_pipe(void)
{
	resend(false);
}

static void reopen_file(void)
{
	resend(true);
}

static void lose_rights(void)
{
	char text[64];

	if (recv(datagrams[1], text, sizeof text, MSG_DONTWAIT) != 6)
		die("recv");
	if (send(datagrams[0], "a pair", 6, MSG_DONTWAIT) != 6)
		die("send");
}

static void move_offset(void)
{
	lseek(file, OFFSET + 1, SEEK_SET);
}

static const struct damage damages[] = {
	{ "exchanged", exchange_pipe }, { "reopened", reopen_file }, { "empty-handed", lose_rights },
	{ "offset", move_offset },	{ 0 },
};

int main(void)
{
	witness_start();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams))
		die("socketpair");
	send_pipe();
	send_file();
	send_pair();
	if (mismatch_count)
		die("set-up");
	serve(describe, verify, damages);
}
