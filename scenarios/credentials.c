/*
 * Who a process is and what it may: three children and a thread, each with other ids, groups, capabilities and secure
 * bits. A child says of itself what the kernel tells it, before and after, through memory that it shares.
 */
#include "workload.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define GROUPS 4
#define CAPS 41 /* up to CAP_CHECKPOINT_RESTORE (5.9) */

enum { PERSON, HELPER, LOCKED, THREAD, ALL };

struct state {
	uint32_t uid[3], gid[3], fsuid, fsgid;
	int group_count;
	gid_t groups[GROUPS];
	struct __user_cap_data_struct caps[2];
	uint64_t bounding, ambient;
	int securebits, keepcaps, no_new_privs, dumpable;
};

struct holder {
	volatile uint64_t asked, answered, damage;
	struct state state;
};

static const char *const names[ALL] = { "person", "helper", "locked", "thread" };
static struct holder *holders;
static struct state before[ALL];
static pid_t children[THREAD];

/* The C library would change the ids of all threads; the plain calls change this one's. */
static void set_ids(uint32_t real, uint32_t effective, uint32_t saved)
{
	if (syscall(SYS_setresgid, real + 100, effective + 100, saved + 100) ||
	    syscall(SYS_setresuid, real, effective, saved))
		die("setresuid");
}

static uint64_t caps_of(bool ambient)
{
	uint64_t set = 0;

	for (int cap = 0; cap < CAPS; cap++) {
		int has = ambient ? prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) :
				    prctl(PR_CAPBSET_READ, cap);

		set |= has == 1 ? UINT64_C(1) << cap : 0;
	}
	return set;
}

static void set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};

	if (syscall(SYS_capset, &header, data))
		die("capset");
}

static void look(struct state *state)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	memset(state, 0, sizeof *state);
	getresuid(&state->uid[0], &state->uid[1], &state->uid[2]);
	getresgid(&state->gid[0], &state->gid[1], &state->gid[2]);
	state->fsuid = (uint32_t)setfsuid((uid_t)-1);
	state->fsgid = (uint32_t)setfsgid((gid_t)-1);
	state->group_count = getgroups(GROUPS, state->groups);
	if (syscall(SYS_capget, &header, state->caps))
		die("capget");
	state->bounding = caps_of(false);
	state->ambient = caps_of(true);
	state->securebits = prctl(PR_GET_SECUREBITS);
	state->keepcaps = prctl(PR_GET_KEEPCAPS);
	state->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	state->dumpable = prctl(PR_GET_DUMPABLE);
}

/* Somebody who is nobody special: three different ids, groups, and no capabilities at all. */
static void be_person(void)
{
	const gid_t groups[GROUPS] = { 20, 4000000, 7, 70000 };

	if (setgroups(GROUPS, groups))
		die("setgroups");
	set_ids(1001, 1002, 1003);
	set_caps(0, 0, 0);
}

/* Somebody else who may still do a few things, and hands them on. */
static void be_helper(void)
{
	const uint64_t net = UINT64_C(1) << CAP_NET_BIND_SERVICE, nice = UINT64_C(1) << CAP_SYS_NICE;

	for (int cap = CAP_SYS_BOOT; cap <= CAP_SYS_BOOT + 1; cap++)
		if (prctl(PR_CAPBSET_DROP, cap))
			die("PR_CAPBSET_DROP");
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL))
		die("PR_SET_KEEPCAPS");
	set_ids(2001, 2001, 2001);
	set_caps(net, net | nice, net);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 1))
		die("helper");
}

/* Root in name, whose root means nothing and never will again. */
static void be_locked(void)
{
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE))
		die("PR_SET_SECUREBITS");
	set_caps(UINT64_C(1) << CAP_CHOWN, UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_KILL, 0);
}

static void do_damage(unsigned who)
{
	if (who == PERSON)
		syscall(SYS_setresuid, -1, 1003, -1);
	else if (who == HELPER)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	else if (who == LOCKED)
		prctl(PR_SET_DUMPABLE, 0);
	else
		setfsgid(9);
}

static void answer_forever(unsigned who)
{
	struct holder *mine = &holders[who];

	for (;;) {
		if (mine->damage) {
			do_damage(who);
			mine->damage = 0;
		}
		if (mine->asked >= mine->answered) {
			look(&mine->state);
			mine->answered = mine->asked + 1;
		}
		sleep_ms(2);
	}
}

/* A thread with ids for files of its own, as a file server's. */
static void *be_thread(void *nothing)
{
	setfsgid(3002);
	setfsuid(3001);
	answer_forever(THREAD);
	return nothing;
}

static bool ask(unsigned who)
{
	holders[who].asked++;
	return reaches(&holders[who].answered, holders[who].asked + 1);
}

static void compare_state(const char *name, const struct state *got, const struct state *want)
{
	static const char *const ids[] = { "real", "effective", "saved" };
	char what[64];

	for (int i = 0; i < 3; i++) {
		snprintf(what, sizeof what, "%s: %s uid", name, ids[i]);
		compare_number(what, got->uid[i], want->uid[i]);
		snprintf(what, sizeof what, "%s: %s gid", name, ids[i]);
		compare_number(what, got->gid[i], want->gid[i]);
	}
#define COMPARE(FIELD, WORDS)                                        \
	snprintf(what, sizeof what, "%s: " WORDS, name);             \
	compare_number(what, (uint64_t)got->FIELD, (uint64_t)want->FIELD)
	COMPARE(fsuid, "file system uid");
	COMPARE(fsgid, "file system gid");
	COMPARE(group_count, "groups");
	for (int i = 0; i < 2; i++) {
		COMPARE(caps[i].effective, "effective capabilities");
		COMPARE(caps[i].permitted, "permitted capabilities");
		COMPARE(caps[i].inheritable, "inheritable capabilities");
	}
	COMPARE(bounding, "bounding set");
	COMPARE(ambient, "ambient capabilities");
	COMPARE(securebits, "secure bits");
	COMPARE(keepcaps, "keeps capabilities");
	COMPARE(no_new_privs, "no_new_privs");
	COMPARE(dumpable, "dumpable");
#undef COMPARE
	snprintf(what, sizeof what, "%s: group", name);
	compare(what, got->groups, want->groups, sizeof got->groups);
}

static void verify(void)
{
	for (unsigned who = 0; who < ALL; who++) {
		if (!ask(who))
			mismatch("%s: does not answer", names[who]);
		else
			compare_state(names[who], &holders[who].state, &before[who]);
	}
	for (unsigned who = 0; who < THREAD; who++)
		if (waitpid(children[who], NULL, WNOHANG) != 0)
			mismatch("%s: is not this process's child any more", names[who]);
}

static void describe(void)
{
	for (unsigned who = 0; who < THREAD; who++)
		report_number(names[who], (uint64_t)children[who]);
	report_hash("states", before, sizeof before);
}

static void damage(unsigned who)
{
	holders[who].damage = 1;
	for (long ms = 0; ms < wait_ms && holders[who].damage; ms += 2)
		sleep_ms(2);
}

static void damage_person(void)
{
	damage(PERSON);
}

static void damage_helper(void)
{
	damage(HELPER);
}

static void damage_locked(void)
{
	damage(LOCKED);
}

static void damage_thread(void)
{
	damage(THREAD);
}

static const struct damage damages[] = {
	{ "uid", damage_person },     { "ambient", damage_helper }, { "dumpable", damage_locked },
	{ "thread", damage_thread }, { 0 },
};

static void start_child(unsigned who, void (*become)(void))
{
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		become();
		answer_forever(who);
	}
	children[who] = child;
}

int main(void)
{
	pthread_t thread;

	witness_start();
	holders = mmap(NULL, sizeof *holders * ALL, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (holders == MAP_FAILED)
		die("mmap");
	start_child(PERSON, be_person);
	start_child(HELPER, be_helper);
	start_child(LOCKED, be_locked);
	if (pthread_create(&thread, NULL, be_thread, NULL))
		die("thread");
	for (unsigned who = 0; who < ALL; who++) {
		if (!ask(who))
			die(names[who]);
		before[who] = holders[who].state;
	}
	serve(describe, verify, damages);
}
