/*
 * Starts redis-server and stays its client on three connections: one that asks, one that is blocked in BLPOP and
 * one inside MULTI with queued commands. All are in one process tree and stay connected while it moves.
 */
#include "workload.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define KEYS 32
#define BIG 65536
#define PORT "6379" /* the network namespace is the workload's own */

static pid_t server;
static int asking, blocked, transaction;
static char reply[2 * BIG];

static int dial(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(PORT)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		die("socket");
	if (!connect(fd, (struct sockaddr *)&address, sizeof address))
		return fd;
	close(fd);
	return -1;
}

/* Nothing is ever saved to disk: what is there afterwards was in memory. */
static void start_server(void)
{
	server = fork();
	if (server < 0)
		die("fork");
	if (server == 0) {
		sigprocmask(SIG_UNBLOCK, &question_signal, NULL);
		execlp("redis-server", "redis-server", "--bind", "127.0.0.1", "--port", PORT, "--save", "",
		       "--appendonly", "no", "--protected-mode", "no", "--tcp-keepalive", "0", "--databases", "1", "--maxclients", "64",
		       "--always-show-logo", "no", (char *)NULL);
		die("redis-server");
	}
	for (long ms = 0; ms < 20000; ms += 2) {
		asking = dial();
		if (asking >= 0)
			return;
		if (waitpid(server, NULL, WNOHANG) == server)
			die("redis-server ended");
		sleep_ms(2);
	}
	die("redis-server does not listen");
}

static bool tell(int fd, const void *bytes, size_t size)
{
	if (send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size)
		return true;
	mismatch("redis: a connection cannot be written to: %s", strerror(errno));
	return false;
}

/* So many bytes of a reply, or as many as came. */
static size_t hear(int fd, size_t size)
{
	size_t got = receive(fd, reply, size);

	reply[got] = '\0';
	return got;
}

/* A line, without its end: for replies whose length is not known. */
static const char *hear_line(int fd)
{
	size_t got = 0;
	static char line[256];

	while (got < sizeof line - 1 && hear(fd, 1) == 1 && reply[0] != '\n')
		if (reply[0] != '\r')
			line[got++] = reply[0];
	line[got] = '\0';
	return line;
}

/* One command as an inline request and exactly the reply that it must get. */
static void expect(int fd, const char *what, const char *want)
{
	size_t size = strlen(want), got = hear(fd, size);

	if (got < size)
		mismatch("%s: %zu of %zu bytes of the reply came", what, got, size);
	else
		compare(what, reply, want, size);
}

__attribute__((format(printf, 4, 5))) static void command(int fd, const char *what, const char *want,
							  const char *format, ...)
{
	char request[512];
	va_list args;

	va_start(args, format);
	vsnprintf(request, sizeof request - 2, format, args);
	va_end(args);
	strcat(request, "\r\n");
	if (tell(fd, request, strlen(request)) && want)
		expect(fd, what, want);
}

static const char *ask_redis(const char *request)
{
	command(asking, request, NULL, "%s", request);
	return hear_line(asking);
}

static uint64_t value_of(unsigned key)
{
	return seed_for(key);
}

/* A binary value that one reply cannot bring in one segment. */
static void set_big(void)
{
	static char request[BIG + 64];
	int head = snprintf(request, sizeof request, "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n", BIG);

	fill(request + head, BIG, seed_for(500));
	memcpy(request + head + BIG, "\r\n", 2);
	for (size_t sent = 0, size = (size_t)head + BIG + 2; sent < size;) {
		ssize_t count = send(asking, request + sent, size - sent, MSG_NOSIGNAL);

		if (count <= 0)
			die("send");
		sent += (size_t)count;
	}
	expect(asking, "SET big", "+OK\r\n");
}

static void compare_big(void)
{
	const char *head = "$65536\r\n";

	command(asking, "GET big", head, "GET big");
	if (hear(asking, BIG + 2) == BIG + 2)
		compare_fill("big value", reply, BIG, seed_for(500));
	else
		mismatch("big value: did not come");
}

static void load_keys(void)
{
	char requests[KEYS * 64];
	size_t size = 0;

	/* All requests first, then all replies: one at a time the two processes would only wait for each other. */
	for (unsigned key = 0; key < KEYS; key++)
		size += (size_t)sprintf(requests + size, "SET key%u %020" PRIu64 "\r\n", key, value_of(key));
	if (tell(asking, requests, size))
		for (unsigned key = 0; key < KEYS; key++)
			expect(asking, "SET", "+OK\r\n");
	/* By the wall clock, which goes on while a checkpoint waits: a large run needs hours, one that is resumed days. */
	command(asking, "EXPIRE", ":1\r\n", "EXPIRE key0 1000000000");
	command(asking, "SET", "+OK\r\n", "SET balance 40");
	command(asking, "SADD", ":3\r\n", "SADD set a b c");
	command(asking, "ZADD", ":2\r\n", "ZADD zset 1 one 2 two");
	set_big();
}

static void open_connections(void)
{
	blocked = dial();
	transaction = dial();
	if (blocked < 0 || transaction < 0)
		die("connect");
	command(blocked, "SETNAME", "+OK\r\n", "CLIENT SETNAME blocked");
	command(transaction, "SETNAME", "+OK\r\n", "CLIENT SETNAME transaction");
	command(transaction, "WATCH", "+OK\r\n", "WATCH balance");
	command(transaction, "MULTI", "+OK\r\n", "MULTI");
	command(transaction, "INCRBY", "+QUEUED\r\n", "INCRBY balance 2");
	command(transaction, "SET", "+QUEUED\r\n", "SET note %020" PRIu64, value_of(600));
	command(transaction, "GET", "+QUEUED\r\n", "GET balance");
	command(blocked, "BLPOP", NULL, "BLPOP queue 0");
}

/* Get an INFO-like reply, which is a bulk string: its length, then its lines. */
static bool inform(const char *request)
{
	const char *length = ask_redis(request);
	size_t bulk = length[0] == '$' ? (size_t)atol(length + 1) : 0;

	if (bulk && bulk + 2 < sizeof reply && hear(asking, bulk + 2) == bulk + 2)
		return true;
	mismatch("%s: no proper reply", request);
	reply[0] = '\0';
	return false;
}

/* A field of the last such reply. */
static void field(const char *name, char *value, size_t size)
{
	const char *found = strstr(reply, name);

	snprintf(value, size, "?");
	if (found)
		snprintf(value, size, "%.*s", (int)strcspn(found + strlen(name), "\r\n "), found + strlen(name));
}

static void report_field(const char *what, const char *name)
{
	char value[128];

	field(name, value, sizeof value);
	report_text(what, value);
}

/* The server has the BLPOP only a moment after it was sent. */
static void await_blocked(void)
{
	char count[16] = "";

	for (long ms = 0; ms < wait_ms && strcmp(count, "1"); ms += 2) {
		if (inform("INFO clients"))
			field("blocked_clients:", count, sizeof count);
		if (strcmp(count, "1"))
			sleep_ms(2);
	}
	if (strcmp(count, "1"))
		die("no blocked client");
}

static void describe(void)
{
	report_number("server", (uint64_t)server);
	inform("INFO server");
	report_field("run_id", "run_id:");
	report_field("server_pid", "process_id:");
	report_field("version", "redis_version:");
	inform("INFO clients");
	report_field("blocked_clients", "blocked_clients:");
	report_field("clients", "connected_clients:");
	inform("INFO stats");
	report_field("connections_ever", "total_connections_received:");
	report_text("client_id", ask_redis("CLIENT ID"));
	report_text("keys", ask_redis("DBSIZE"));
	report_text("expires_at", ask_redis("PEXPIRETIME key0"));
}

/* The queued commands run now and not before: the balance was 40 all along. */
static void compare_transaction(void)
{
	char want[64];

	command(asking, "balance before EXEC", "$2\r\n40\r\n", "GET balance");
	command(asking, "note before EXEC", "$-1\r\n", "GET note");
	command(transaction, "EXEC", "*3\r\n:42\r\n+OK\r\n$2\r\n42\r\n", "EXEC");
	snprintf(want, sizeof want, "$20\r\n%020" PRIu64 "\r\n", value_of(600));
	command(asking, "note after EXEC", want, "GET note");
}

static void compare_blocked(void)
{
	char want[128];
	char byte;

	if (recv(blocked, &byte, 1, MSG_DONTWAIT) != -1 || errno != EAGAIN)
		mismatch("blocked client: has an answer, or its connection is gone");
	command(asking, "RPUSH", ":1\r\n", "RPUSH queue %020" PRIu64, value_of(700));
	snprintf(want, sizeof want, "*2\r\n$5\r\nqueue\r\n$20\r\n%020" PRIu64 "\r\n", value_of(700));
	expect(blocked, "blocked client", want);
	command(asking, "the queue after BLPOP", ":0\r\n", "LLEN queue");
}

static void compare_keys(void)
{
	char want[64], name[32], requests[KEYS * 64];
	size_t size = 0;

	for (unsigned key = 0; key < KEYS; key++)
		size += (size_t)sprintf(requests + size, "GET key%u\r\n", key);
	tell(asking, requests, size);
	for (unsigned key = 0; key < KEYS; key++) {
		snprintf(name, sizeof name, "key%u", key);
		snprintf(want, sizeof want, "$20\r\n%020" PRIu64 "\r\n", value_of(key));
		expect(asking, name, want);
	}
	command(asking, "set", ":1\r\n", "SISMEMBER set b");
	command(asking, "sorted set", "$1\r\n2\r\n", "ZSCORE zset two");
	compare_big();
}

static void verify(void)
{
	compare_keys();
	compare_transaction();
	compare_blocked();
	command(asking, "a new key", "+OK\r\n", "SET later 1");
	if (waitpid(server, NULL, WNOHANG) != 0)
		mismatch("redis-server is not this process's child any more");
}

/* The deliberate damage of the self-test. */
static void corrupt(const char *what)
{
	if (!strcmp(what, "corrupt key"))
		command(asking, what, "+OK\r\n", "SET key17 %020" PRIu64, value_of(18));
	else if (!strcmp(what, "corrupt expiry"))
		command(asking, what, ":1\r\n", "PERSIST key0");
	else if (!strcmp(what, "corrupt big"))
		command(asking, what, ":65536\r\n", "SETRANGE big 40000 xxxx");
	else if (!strcmp(what, "corrupt watched")) /* the transaction must then be refused */
		command(asking, what, "+OK\r\n", "SET balance 40");
	else if (!strcmp(what, "corrupt executed"))
		command(transaction, what, "*3\r\n:42\r\n+OK\r\n$2\r\n42\r\n", "EXEC");
	else if (!strcmp(what, "corrupt reconnected")) {
		close(transaction);
		close(blocked);
		open_connections();
		await_blocked();
	} else if (!strcmp(what, "corrupt unblocked"))
		command(asking, what, ":1\r\n", "RPUSH queue stray");
	else if (!strcmp(what, "corrupt server")) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		start_server();
		load_keys();
		open_connections();
		await_blocked();
	}
}

int main(void)
{
	witness_start();
	start_server();
	load_keys();
	open_connections();
	await_blocked();
	if (mismatch_count)
		die(mismatches[0]);
	ready();
	for (;;) {
		const char *question = next_question();

		if (!strncmp(question, "corrupt", 7))
			corrupt(question);
		report_open();
		describe();
		if (!strcmp(question, "check"))
			verify();
		report_close();
	}
}
