/* A UDP socket that is bound to an IPv4 address which the host does not have, as IP_FREEBIND allows. */
#include "inet.h"

#define FOREIGN "192.0.2.7"
#define PORT 5007

static int foreign;

static void bind_foreign(void)
{
	union address address = { .v4 = { .sin_family = AF_INET, .sin_port = htons(PORT) } };

	address.v4.sin_addr.s_addr = inet_addr(FOREIGN);
	foreign = make_socket(AF_INET, SOCK_DGRAM, 0);
	set_option(foreign, IPPROTO_IP, IP_FREEBIND, 1);
	bind_to(foreign, &address);
}

static void describe(void)
{
	report_address("own", foreign, getsockname);
	report_number("freebind", get_option(foreign, IPPROTO_IP, IP_FREEBIND));
}

/* Nobody else may have the port at this address. */
static void verify(void)
{
	union address address = { .v4 = { .sin_family = AF_INET, .sin_port = htons(PORT) } };
	int other = make_socket(AF_INET, SOCK_DGRAM, 0);

	address.v4.sin_addr.s_addr = inet_addr(FOREIGN);
	set_option(other, IPPROTO_IP, IP_FREEBIND, 1);
	if (!bind(other, &address.any, sizeof address.v4))
		mismatch("the address is free");
	close(other);
}

static void unbind(void)
{
	close(foreign);
	foreign = make_socket(AF_INET, SOCK_DGRAM, 0);
}

static void forget(void)
{
	set_option(foreign, IPPROTO_IP, IP_FREEBIND, 0);
}

static const struct damage damages[] = {
	{ "unbound", unbind },
	{ "forgotten", forget },
	{ 0 },
};

int main(void)
{
	witness_start();
	bind_foreign();
	serve(describe, verify, damages);
}
