/*
 * An IPC namespace: a shared memory segment that is attached and one that is not, semaphores, a message queue with
 * messages of several types, and the namespace's own limits.
 */
#include "spaces.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define AREA 8192
#define SEMAPHORES 4
#define MESSAGES 5
#define BODY 100

enum part { ATTACHED = 1, DETACHED, BODIES = 10, KEYS = 30 };
enum question { SEE, WRITE, ATTACHES };

/* Limits that CRIU carries (criu/ipc_ns.c), with values that no kernel has by default. */
static const struct {
	const char *name, *path, *value;
} limits[] = {
	{ "sem", "/proc/sys/kernel/sem", "31000 1000000 400 31000" },
	{ "msgmax", "/proc/sys/kernel/msgmax", "9000" },
	{ "msgmnb", "/proc/sys/kernel/msgmnb", "20000" },
	{ "msgmni", "/proc/sys/kernel/msgmni", "77" },
	{ "shmall", "/proc/sys/kernel/shmall", "123456789" },
	{ "shmmax", "/proc/sys/kernel/shmmax", "987654321" },
	{ "shmmni", "/proc/sys/kernel/shmmni", "999" },
	{ "rmid_forced", "/proc/sys/kernel/shm_rmid_forced", "0" },
	{ "mq_queues_max", "/proc/sys/fs/mqueue/queues_max", "123" },
	{ "mq_msg_max", "/proc/sys/fs/mqueue/msg_max", "17" },
	{ "mq_msgsize_max", "/proc/sys/fs/mqueue/msgsize_max", "9001" },
};
#define LIMITS (sizeof limits / sizeof *limits)

struct message {
	long type;
	uint8_t body[BODY];
};

static int attached, detached, semaphores, queue;
static uint8_t *area;

static key_t key_for(unsigned part)
{
	return (key_t)(seed_for(KEYS + part) & 0x7fffffff) | 1;
}

static int make_segment(unsigned part)
{
	int id = shmget(key_for(part), AREA, IPC_CREAT | IPC_EXCL | 0640);
	void *at = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

	if (at == (void *)-1)
		die("shmget");
	fill(at, AREA, seed_for(part));
	if (part == ATTACHED)
		area = at;
	else if (shmdt(at))
		die("shmdt");
	return id;
}

static void make_semaphores(void)
{
	semaphores = semget(key_for(3), SEMAPHORES, IPC_CREAT | IPC_EXCL | 0600);
	if (semaphores < 0)
		die("semget");
	for (int i = 0; i < SEMAPHORES; i++)
		if (semctl(semaphores, i, SETVAL, 11 + i * 7))
			die("SETVAL");
}

/* Types go round, so that one that is asked for by type is not the first in line. */
static void make_queue(void)
{
	struct message message;

	queue = msgget(key_for(4), IPC_CREAT | IPC_EXCL | 0604);
	if (queue < 0)
		die("msgget");
	for (int i = 0; i < MESSAGES; i++) {
		message.type = 1 + i % 3;
		fill(message.body, BODY, seed_for(BODIES + (unsigned)i));
		if (msgsnd(queue, &message, (size_t)(BODY - i), IPC_NOWAIT))
			die("msgsnd");
	}
}

static void set_limits(void)
{
	for (size_t i = 0; i < LIMITS; i++)
		if (!put_text(limits[i].path, "%s", limits[i].value))
			die(limits[i].path);
}

/* What the child sees through the segment that it inherited, or changes there. */
static void answer(unsigned question, char *text)
{
	if (question == WRITE)
		area[77] ^= 0xff;
	snprintf(text, TEXT, "%02x %d", area[77], semctl(semaphores, 1, GETVAL));
}

static void describe(void)
{
	struct shmid_ds segment = { 0 };
	struct msqid_ds messages = { 0 };
	struct semid_ds set = { 0 };

	if (shmctl(attached, IPC_STAT, &segment) || msgctl(queue, IPC_STAT, &messages) ||
	    semctl(semaphores, 0, IPC_STAT, &set))
		mismatch("an object is gone: %s", strerror(errno));
	report_number("attached", (uint64_t)attached);
	report_number("detached", (uint64_t)detached);
	report_number("semaphores", (uint64_t)semaphores);
	report_number("queue", (uint64_t)queue);
	report_number("address", (uint64_t)area);
	report_number("attaches", segment.shm_nattch);
	report_number("segment_mode", segment.shm_perm.mode);
	report_number("messages", messages.msg_qnum);
	report_number("queue_mode", messages.msg_perm.mode);
	report_number("queue_bytes", messages.msg_qbytes);
	report_number("set_size", set.sem_nsems);
	for (size_t i = 0; i < LIMITS; i++)
		report_text(limits[i].name, get_text(limits[i].path));
}

static void compare_segments(void)
{
	void *at = shmat(shmget(key_for(DETACHED), 0, 0), NULL, SHM_RDONLY);
	char want[TEXT];

	compare_fill("attached segment", area, AREA, seed_for(ATTACHED));
	if (at == (void *)-1) {
		mismatch("detached segment: not there: %s", strerror(errno));
	} else {
		compare_fill("detached segment", at, AREA, seed_for(DETACHED));
		shmdt(at);
	}
	compare_number("detached segment: its id", (uint64_t)shmget(key_for(DETACHED), 0, 0), (uint64_t)detached);
	ask_partner(WRITE);
	snprintf(want, sizeof want, "%02x 18", area[77]);
	compare_text("segment and semaphore as the child sees them", partner->text, want);
	area[77] ^= 0xff;
	compare_fill("attached segment, changed by both", area, AREA, seed_for(ATTACHED));
}

static void compare_semaphores(void)
{
	const struct sembuf down = { 2, -25, IPC_NOWAIT };

	for (int i = 0; i < SEMAPHORES; i++)
		compare_number("semaphore", (uint64_t)semctl(semaphores, i, GETVAL), (uint64_t)(11 + i * 7));
	if (semop(semaphores, (struct sembuf *)&down, 1) || semctl(semaphores, 2, GETVAL))
		mismatch("semaphore: cannot be taken down");
}

static void compare_messages(void)
{
	/* By type first: 3 is the third in line; the rest as they come. */
	const struct {
		long type;
		int index;
	} turns[MESSAGES] = { { 3, 2 }, { 0, 0 }, { 0, 1 }, { 0, 3 }, { 0, 4 } };
	struct message message;

	for (int i = 0; i < MESSAGES; i++) {
		int index = turns[i].index;
		ssize_t size = msgrcv(queue, &message, BODY, turns[i].type, IPC_NOWAIT);

		if (size != BODY - index) {
			mismatch("message %d: %zd bytes, expected %d", index, size, BODY - index);
			continue;
		}
		compare_number("message type", (uint64_t)message.type, (uint64_t)(1 + index % 3));
		compare_fill("message", message.body, (size_t)size, seed_for(BODIES + (unsigned)index));
	}
	if (msgrcv(queue, &message, BODY, 0, IPC_NOWAIT) >= 0)
		mismatch("queue: a message too many");
}

static void verify(void)
{
	compare_segments();
	compare_semaphores();
	compare_messages();
	for (size_t i = 0; i < LIMITS; i++)
		compare_text(limits[i].name, get_text(limits[i].path), limits[i].value);
}

static void damage_byte(void)
{
	area[4000] ^= 1;
}

/* The same key and the same bytes, but another object. */
static void damage_segment(void)
{
	shmctl(detached, IPC_RMID, NULL);
	make_segment(DETACHED);
}

/* The same bytes at the same place, but nobody else's any more. */
static void damage_unshared(void)
{
	uint8_t copy[AREA];

	memcpy(copy, area, AREA);
	if (shmdt(area) ||
	    mmap(area, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != area)
		die("mmap");
	memcpy(area, copy, AREA);
}

static void damage_semaphore(void)
{
	semctl(semaphores, 3, SETVAL, 31);
}

/* As many messages as before, in another order. */
static void damage_message(void)
{
	struct message message;
	ssize_t size = msgrcv(queue, &message, BODY, 0, IPC_NOWAIT);

	if (size < 0 || msgsnd(queue, &message, (size_t)size, IPC_NOWAIT))
		die("message");
}

static void damage_limit(void)
{
	put_text(limits[LIMITS - 1].path, "8192");
}

static void damage_left(void)
{
	join_starter("ipc", CLONE_NEWIPC);
}

int main(void)
{
	const struct damage damages[] = {
		{ "byte", damage_byte },	   { "segment", damage_segment }, { "unshared", damage_unshared },
		{ "semaphore", damage_semaphore }, { "message", damage_message }, { "limit", damage_limit },
		{ "left", damage_left },	   { 0 }
	};

	witness_start();
	enter_new(CLONE_NEWIPC);
	set_limits();
	attached = make_segment(ATTACHED);
	detached = make_segment(DETACHED);
	make_semaphores();
	make_queue();
	start_partner(NULL, answer);
	serve(describe, verify, damages);
}
