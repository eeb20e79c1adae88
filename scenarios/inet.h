/* What the scenarios over IP share: addresses on loopback, connections, and what the kernel tells of a TCP socket. */
#pragma once

#include "sockets.h"

#define NAME_MAX_TEXT 80

/* Two ends of one connection. */
struct pair {
	int client, server;
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline union address loopback(int family, uint16_t port)
{
	union address address = { .any.sa_family = (sa_family_t)family };

	if (family == AF_INET) {
		address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		address.v4.sin_port = htons(port);
	} else {
		address.v6.sin6_addr = in6addr_loopback;
		address.v6.sin6_port = htons(port);
	}
	return address;
}

static inline socklen_t address_size(const union address *address)
{
	return address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
}

static inline union address own_address(int fd)
{
	union address address = { 0 };
	socklen_t size = sizeof address;

	if (getsockname(fd, &address.any, &size))
		mismatch("getsockname: %s", strerror(errno));
	return address;
}

static inline uint16_t port_of(int fd)
{
	union address address = own_address(fd);

	return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

static inline int make_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		die("socket");
	return fd;
}

static inline void bind_to(int fd, const union address *address)
{
	if (bind(fd, &address->any, address_size(address)))
		die("bind");
}

static inline void connect_to(int fd, const union address *address)
{
	if (connect(fd, &address->any, address_size(address)))
		mismatch("connect: %s", strerror(errno));
}

/* A TCP listener on loopback at a port of the kernel's choice. */
static inline int make_listener(int family, int backlog)
{
	int fd = make_socket(family, SOCK_STREAM, 0);
	union address address = loopback(family, 0);

	bind_to(fd, &address);
	if (listen(fd, backlog))
		die("listen");
	return fd;
}

static inline struct pair make_pair(int listener, const union address *address)
{
	struct pair pair;

	pair.client = make_socket(address->any.sa_family, SOCK_STREAM, 0);
	connect_to(pair.client, address);
	pair.server = accept_soon(listener, NULL, NULL);
	if (pair.server < 0)
		mismatch("listener: a connection does not arrive");
	return pair;
}

/* Address and port as text, e.g. "127.0.0.1:1025". */
static inline void report_address(const char *what, int fd,
				  int (*get)(int fd, struct sockaddr *restrict name, socklen_t *restrict size))
{
	char text[INET6_ADDRSTRLEN] = "", name[NAME_MAX_TEXT];
	union address address = { 0 };
	socklen_t size = sizeof address;

	if (get(fd, &address.any, &size)) {
		report_text(what, errno == ENOTCONN ? "not connected" : strerror(errno));
		return;
	}
	if (address.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
	else
		inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text);
	/* The port lies at the same place in both. */
	snprintf(name, sizeof name, "%s:%u", text, ntohs(address.v4.sin_port));
	report_text(what, name);
}

static inline void report_addresses(const char *whose, int fd)
{
	char name[NAME_MAX_TEXT];

	snprintf(name, sizeof name, "%s_own", whose);
	report_address(name, fd, getsockname);
	snprintf(name, sizeof name, "%s_peer", whose);
	report_address(name, fd, getpeername);
}

static inline struct tcp_info tcp_info(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		mismatch("TCP_INFO: %s", strerror(errno));
	return info;
}

/* State, and what both sides agreed on when they met: it cannot be agreed on again. */
static inline void report_tcp(const char *whose, int fd)
{
	struct tcp_info info = tcp_info(fd);
	char name[NAME_MAX_TEXT];

	snprintf(name, sizeof name, "%s_state", whose);
	report_number(name, info.tcpi_state);
	snprintf(name, sizeof name, "%s_agreed", whose);
	report_number(name, info.tcpi_options & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE));
	snprintf(name, sizeof name, "%s_scales", whose);
	report_number(name, info.tcpi_snd_wscale * 100u + info.tcpi_rcv_wscale);
}

/* A state that the other end and the kernel reach soon. */
static inline void await_state(int fd, uint8_t state)
{
	for (long ms = 0; ms < wait_ms; ms += 2) {
		if (tcp_info(fd).tcpi_state == state)
			return;
		sleep_ms(2);
	}
	die("TCP state");
}
