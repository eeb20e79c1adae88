/*
 * What the socket scenarios share: tables of options, bytes that follow from the witness, and messages with control
 * data. An option is reported as the kernel tells it, so that the lab compares it with what it was before the dump.
 */
#pragma once

#include "workload.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/sockios.h>

#define MESSAGE_MAX 65536
/* For what a local queue holds or loopback carries at once: each nap may take several times its length in a guest. */
#define SOON_MS 600

/* One option of a table that ends with an empty one. */
struct option {
	const char *name;
	int level, number, value;
};

static inline long soon_ms(void)
{
	return wait_ms < SOON_MS ? wait_ms : SOON_MS;
}

static inline uint64_t get_option(int fd, int level, int number)
{
	int value = 0;
	socklen_t size = sizeof value;

	return getsockopt(fd, level, number, &value, &size) ? UINT64_MAX : (uint64_t)value;
}

static inline void set_option(int fd, int level, int number, int value)
{
	if (setsockopt(fd, level, number, &value, sizeof value))
		die("setsockopt");
}

/* An option that had its value already would not be missed: each must change what the kernel tells. */
static inline void set_options(int fd, const struct option *table)
{
	for (; table->name; table++) {
		uint64_t before = get_option(fd, table->level, table->number);

		if (setsockopt(fd, table->level, table->number, &table->value, sizeof table->value))
			die(table->name);
		if (get_option(fd, table->level, table->number) == before)
			die(table->name);
	}
}

static inline void report_options(const char *whose, int fd, const struct option *table)
{
	for (; table->name; table++) {
		char name[80];

		snprintf(name, sizeof name, "%s_%s", whose, table->name);
		report_number(name, get_option(fd, table->level, table->number));
	}
}

static inline uint64_t queued(int fd, unsigned long which)
{
	int count = -1;

	return ioctl(fd, which, &count) ? UINT64_MAX : (uint64_t)count;
}

/* The name of a unix socket or of its peer as text; abstract names begin with '@'. */
static inline void report_name(const char *what, int fd,
			       int (*get)(int fd, struct sockaddr *restrict name, socklen_t *restrict size))
{
	struct sockaddr_un name = { 0 };
	socklen_t size = sizeof name;

	if (get(fd, (struct sockaddr *)&name, &size)) {
		report_text(what, errno == ENOTCONN ? "not connected" : "unknown");
		return;
	}
	if (size <= offsetof(struct sockaddr_un, sun_path)) {
		report_text(what, "no name");
		return;
	}
	if (!name.sun_path[0])
		name.sun_path[0] = '@';
	name.sun_path[sizeof name.sun_path - 1] = '\0';
	report_text(what, name.sun_path);
}

static inline void put(int fd, const char *what, size_t size, uint64_t seed)
{
	uint8_t *bytes = malloc(size);

	if (!bytes)
		die("malloc");
	fill(bytes, size, seed);
	if (send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
		mismatch("%s: cannot be sent: %s", what, strerror(errno));
	free(bytes);
}

static inline void expect_stream(int fd, const char *what, size_t size, uint64_t seed)
{
	uint8_t *bytes = malloc(size);
	size_t got;

	if (!bytes)
		die("malloc");
	got = receive(fd, bytes, size);
	if (got < size)
		mismatch("%s: only %zu of %zu bytes came", what, got, size);
	else
		compare_fill(what, bytes, size, seed);
	free(bytes);
}

/* One message of exactly this length: boundaries are part of the state. */
static inline void expect_message(int fd, const char *what, size_t size, uint64_t seed)
{
	static uint8_t bytes[MESSAGE_MAX];
	ssize_t count = -1;

	for (long ms = 0; count < 0 && ms < soon_ms(); ms += 2) {
		count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);
		if (count < 0 && errno != EAGAIN && errno != EINTR)
			break;
		if (count < 0)
			nap_until_readable(fd);
	}
	if (count < 0)
		mismatch("%s: no message (%s)", what, strerror(errno));
	else if (count != (ssize_t)size)
		mismatch("%s: a message of %zd bytes, expected %zu", what, count, size);
	else
		compare_fill(what, bytes, size, seed);
}

static inline void expect_nothing(int fd, const char *what)
{
	uint8_t byte;
	ssize_t count = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	if (count >= 0)
		mismatch("%s: %s where nothing should be", what, count ? "bytes" : "an end");
	else if (errno != EAGAIN)
		mismatch("%s: %s where nothing should be", what, strerror(errno));
}

/* The peer's writing half is closed and nothing more is to come. */
static inline void expect_end(int fd, const char *what)
{
	uint8_t byte;
	ssize_t count = -1;

	for (long ms = 0; ms < wait_ms; ms += 2) {
		count = recv(fd, &byte, 1, MSG_DONTWAIT);
		if (count >= 0 || errno != EAGAIN)
			break;
		nap_until_readable(fd);
	}
	if (count)
		mismatch("%s: no end but %s", what, count > 0 ? "a byte" : strerror(errno));
}

/* Bytes go from one to the other now. */
static inline void expect_flow(int from, int to, const char *what, uint64_t seed)
{
	put(from, what, 100, seed);
	if (get_option(to, SOL_SOCKET, SO_TYPE) == SOCK_STREAM)
		expect_stream(to, what, 100, seed);
	else
		expect_message(to, what, 100, seed);
}

/* Without waiting on a socket that blocks. */
static inline int accept_soon(int listener, struct sockaddr *peer, socklen_t *size)
{
	for (long ms = 0; ms < soon_ms(); ms += 2) {
		struct pollfd wanted = { listener, POLLIN, 0 };

		if (poll(&wanted, 1, 2) == 1)
			return accept4(listener, peer, size, SOCK_CLOEXEC);
	}
	return -1;
}
