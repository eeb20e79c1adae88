/*
 * System V shared memory, semaphores and message queues, in an IPC namespace of the workload's own. Other processes
 * are attached, wait for a semaphore, and wait for a message.
 */
#include "companion.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define SIZE 65536
#define SEMAPHORES 5
#define MESSAGES 4
#define LIMIT 5000 /* of a message's bytes: a setting of the namespace */

enum part { SEGMENT = 1, IDLE, MESSAGE = 10 };
enum order { ATTACHED, WRITE_SEGMENT };

static const unsigned short values[SEMAPHORES] = { 7, 0, 32000, 1, 0 };
static const long types[MESSAGES] = { 3, 1, 2, 3 };
static const key_t keys[] = { 0x4b4d01, 0x4b4d02, 0x4b4d03, 0x4b4d04 };

static int segment, idle, set, queue;
static uint8_t *writable;
static const uint8_t *readable; /* the same segment once more, read only */
static bool limited; /* whether the queue has a limit of its own, which CRIU loses: asked for by msg_limit */
static struct companion *child;

struct message {
	long type;
	uint8_t bytes[1000];
};

union semun {
	int value;
	struct semid_ds *status;
	unsigned short *values;
};

static size_t message_size(unsigned number)
{
	return 100 + 200 * number;
}

/* Processes that wait in the kernel. CRIU lets these calls end with EINTR, as any signal does: they ask again. */
struct waiter {
	volatile uint64_t count; /* 1: about to wait, 2: through */
	volatile uint64_t got;
};

enum waiting { FOR_SEMAPHORE, FOR_MESSAGE, WAITERS };

static struct waiter *waiters;
static pid_t pids[WAITERS];

__attribute__((noreturn)) static void wait_for(enum waiting which)
{
	struct sembuf lower = { 1, -2, 0 };
	struct message message = { 0 };
	ssize_t done;

	waiters[which].count = 1;
	do {
		done = which == FOR_SEMAPHORE ? semop(set, &lower, 1) : msgrcv(queue, &message, 1000, 9, 0);
	} while (done < 0 && errno == EINTR);
	waiters[which].got = done < 0 ? (uint64_t)errno << 8 : message.bytes[0];
	waiters[which].count = 2;
	for (;;)
		pause();
}

/* 1 if somebody waits in semop; the namespace tells. After a restore the waiter needs a moment to ask again. */
static bool semaphore_waited_for(void)
{
	for (int ms = 0; ms < wait_ms; ms += 2) {
		if (semctl(set, 1, GETNCNT) == 1)
			return true;
		sleep_ms(2);
	}
	return false;
}

static void make_waiters(void)
{
	waiters = shared_memory(WAITERS * sizeof *waiters);
	for (enum waiting which = 0; which < WAITERS; which++) {
		pids[which] = fork();
		if (pids[which] < 0)
			die("fork");
		if (pids[which] == 0)
			wait_for(which);
		if (!reaches(&waiters[which].count, 1))
			die("a waiter");
	}
	if (!semaphore_waited_for())
		die("semop");
}

static void write_limit(void)
{
	FILE *file = fopen("/proc/sys/kernel/msgmax", "we");

	if (!file || fprintf(file, "%d\n", LIMIT) < 0 || fclose(file))
		die("msgmax");
}

static int read_limit(void)
{
	FILE *file = fopen("/proc/sys/kernel/msgmax", "re");
	int limit = -1;

	if (file && fscanf(file, "%d", &limit) != 1)
		limit = -1;
	if (file)
		fclose(file);
	return limit;
}

static int64_t obey(unsigned order)
{
	if (order == WRITE_SEGMENT)
		writable[123] = (uint8_t)~readable[123];
	compare_fill("segment, rest", readable + 200, SIZE - 200, advance(seed_for(SEGMENT)));
	return 0;
}

static void make_memory(void)
{
	int used_up = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600); /* so that no number is the first one */
	void *other;

	segment = shmget(keys[0], SIZE, IPC_CREAT | IPC_EXCL | 0640);
	idle = shmget(keys[1], SIZE / 2, IPC_CREAT | IPC_EXCL | 0604);
	if (used_up < 0 || segment < 0 || idle < 0 || shmctl(used_up, IPC_RMID, NULL))
		die("shmget");
	writable = shmat(segment, NULL, 0);
	readable = shmat(segment, NULL, SHM_RDONLY);
	other = shmat(idle, NULL, 0);
	if (writable == (void *)-1 || readable == (void *)-1 || other == (void *)-1)
		die("shmat");
	fill(writable, 200, seed_for(SEGMENT));
	fill(writable + 200, SIZE - 200, advance(seed_for(SEGMENT)));
	fill(other, SIZE / 2, seed_for(IDLE));
	if (shmdt(other))
		die("shmdt");
}

static void make_queues(void)
{
	union semun all = { .values = (unsigned short *)values };
	struct msqid_ds status;

	set = semget(keys[2], SEMAPHORES, IPC_CREAT | IPC_EXCL | 0660);
	queue = msgget(keys[3], IPC_CREAT | IPC_EXCL | 0622);
	if (set < 0 || queue < 0 || semctl(set, 0, SETALL, all))
		die("semget or msgget");
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct message message = { types[i], { 0 } };

		fill(message.bytes, message_size(i), seed_for(MESSAGE + i));
		if (msgsnd(queue, &message, message_size(i), IPC_NOWAIT))
			die("msgsnd");
	}
	if (msgctl(queue, IPC_STAT, &status))
		die("msgctl");
	status.msg_qbytes = 9000;
	if (limited && msgctl(queue, IPC_SET, &status))
		die("msgctl");
}

static void describe_owner(const char *what, const struct ipc_perm *owner)
{
	char name[40];

	snprintf(name, sizeof name, "%s_key", what);
	report_number(name, (uint64_t)owner->__key);
	snprintf(name, sizeof name, "%s_mode", what);
	report_number(name, owner->mode);
	snprintf(name, sizeof name, "%s_owner", what);
	report_number(name, owner->uid);
}

static void describe(void)
{
	struct shmid_ds memory = { 0 };
	struct semid_ds semaphores = { 0 };
	struct msqid_ds messages = { 0 };

	shmctl(segment, IPC_STAT, &memory);
	describe_owner("segment", &memory.shm_perm);
	report_number("segment_id", (uint64_t)shmget(keys[0], 0, 0));
	report_number("segment_size", memory.shm_segsz);
	report_number("segment_attached", memory.shm_nattch);
	shmctl(idle, IPC_STAT, &memory);
	describe_owner("idle", &memory.shm_perm);
	report_number("idle_id", (uint64_t)shmget(keys[1], 0, 0));
	report_number("idle_attached", memory.shm_nattch);
	semctl(set, 0, IPC_STAT, (union semun){ .status = &semaphores });
	describe_owner("set", &semaphores.sem_perm);
	report_number("set_id", (uint64_t)semget(keys[2], 0, 0));
	report_number("set_size", semaphores.sem_nsems);
	msgctl(queue, IPC_STAT, &messages);
	describe_owner("queue", &messages.msg_perm);
	report_number("queue_id", (uint64_t)msgget(keys[3], 0));
	report_number("queue_messages", messages.msg_qnum);
	report_number("queue_bytes", messages.__msg_cbytes);
	report_number("queue_limit", messages.msg_qbytes);
	report_number("limit", (uint64_t)read_limit());
	report_number("through", waiters[FOR_SEMAPHORE].count + waiters[FOR_MESSAGE].count);
}

static void compare_memory(void)
{
	const uint8_t *other;

	compare_fill("segment", readable, 200, seed_for(SEGMENT));
	compare_fill("segment, rest", readable + 200, SIZE - 200, advance(seed_for(SEGMENT)));
	companion_does(child, ATTACHED);
	writable[123] ^= 0x5a;
	if (readable[123] != writable[123])
		mismatch("segment: its two maps have become two");
	companion_does(child, WRITE_SEGMENT);
	writable[123] = (uint8_t)~writable[123];
	writable[123] ^= 0x5a;
	compare_fill("segment, after the child wrote", readable, 200, seed_for(SEGMENT));
	other = shmat(idle, NULL, SHM_RDONLY);
	if (other == (void *)-1)
		mismatch("idle: cannot be attached: %s", strerror(errno));
	else
		compare_fill("idle", other, SIZE / 2, seed_for(IDLE));
}

static void compare_semaphores(void)
{
	struct sembuf raise = { 1, 2, 0 };

	for (int i = 0; i < SEMAPHORES; i++)
		if (semctl(set, i, GETVAL) != values[i])
			mismatch("semaphore %d: is %d, expected %d", i, semctl(set, i, GETVAL), values[i]);
	if (waiters[FOR_SEMAPHORE].count != 1 || !semaphore_waited_for())
		mismatch("semaphore 1: nobody waits for it");
	if (semop(set, &raise, 1) || !reaches(&waiters[FOR_SEMAPHORE].count, 2) || waiters[FOR_SEMAPHORE].got)
		mismatch("semaphore 1: who waited does not get through");
	if (semctl(set, 1, GETVAL))
		mismatch("semaphore 1: is %d after it was taken", semctl(set, 1, GETVAL));
}

/* By type, by upper bound of types, then in order: what a queue of bytes could not do. */
static void compare_messages(void)
{
	const struct { unsigned number; long wanted; } order[MESSAGES] = { { 2, 2 }, { 1, -2 }, { 0, 0 }, { 3, 3 } };
	struct message message = { 9, { 77 } };

	for (size_t i = 0; i < MESSAGES; i++) {
		unsigned number = order[i].number;
		ssize_t got = msgrcv(queue, &message, 1000, order[i].wanted, IPC_NOWAIT);

		if (got != (ssize_t)message_size(number) || message.type != types[number])
			mismatch("message %u: %zd bytes of type %ld", number, got, message.type);
		else
			compare_fill("message", message.bytes, message_size(number), seed_for(MESSAGE + number));
	}
	if (waiters[FOR_MESSAGE].count != 1)
		mismatch("queue: who waited for a message has gone on");
	message = (struct message){ 9, { 77 } };
	if (msgsnd(queue, &message, 1, IPC_NOWAIT) || !reaches(&waiters[FOR_MESSAGE].count, 2) ||
	    waiters[FOR_MESSAGE].got != 77)
		mismatch("queue: who waited for a message does not get it");
}

static void verify(void)
{
	compare_memory();
	compare_semaphores();
	compare_messages();
	companion_compare_parent(child);
}

static void corrupt_byte(void)
{
	writable[5000] ^= 1;
}

/* The right bytes, but memory of our own: nobody shares it. */
static void corrupt_private(void)
{
	uint8_t copy[SIZE];

	memcpy(copy, writable, SIZE);
	shmdt(writable);
	if (mmap(writable, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		die("mmap");
	memcpy(writable, copy, SIZE);
}

static void corrupt_value(void)
{
	semctl(set, 2, SETVAL, (union semun){ .value = 31999 });
}

static void corrupt_waiter(void)
{
	kill(pids[FOR_SEMAPHORE], SIGKILL);
	waitpid(pids[FOR_SEMAPHORE], NULL, 0);
}

static void corrupt_message(void)
{
	struct message message;

	if (msgrcv(queue, &message, 1000, 2, IPC_NOWAIT) < 0)
		die("msgrcv");
	message.bytes[0] ^= 1;
	if (msgsnd(queue, &message, message_size(2), IPC_NOWAIT))
		die("msgsnd");
}

/* To the end of the queue: all are there, but in another order. */
static void corrupt_order(void)
{
	struct message message;

	if (msgrcv(queue, &message, 1000, 0, IPC_NOWAIT) < 0 || msgsnd(queue, &message, message_size(0), IPC_NOWAIT))
		die("message");
}

/* The same key, mode and bytes under another number. */
static void corrupt_number(void)
{
	void *memory;

	shmctl(idle, IPC_RMID, NULL);
	idle = shmget(keys[1], SIZE / 2, IPC_CREAT | 0604);
	memory = shmat(idle, NULL, 0);
	if (memory == (void *)-1)
		die("shmat");
	fill(memory, SIZE / 2, seed_for(IDLE));
	shmdt(memory);
}

static void corrupt_limit(void)
{
	struct msqid_ds status;

	if (msgctl(queue, IPC_STAT, &status))
		die("msgctl");
	status.msg_qbytes = 16384;
	if (msgctl(queue, IPC_SET, &status))
		die("msgctl");
}

static const struct damage damages[] = {
	{ "byte", corrupt_byte },	{ "private", corrupt_private }, { "value", corrupt_value },
	{ "waiter", corrupt_waiter }, { "message", corrupt_message }, { "order", corrupt_order },
	{ "number", corrupt_number }, { "limit", corrupt_limit },	{ 0 },
};

int main(int argc, char **argv)
{
	witness_start();
	limited = argc > 1 && !strcmp(argv[1], "limited");
	if (unshare(CLONE_NEWIPC))
		die("unshare");
	write_limit();
	make_memory();
	make_queues();
	child = companion_start(obey);
	companion_must(child, ATTACHED, "the child");
	make_waiters();
	serve(describe, verify, damages);
}
