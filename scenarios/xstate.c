/*
 * The processor's whole extended state, one set of values a thread: x87 with its tags and flags, MXCSR, and every
 * vector and mask register and protection key right that the processor has. It is loaded by xrstor from an image made
 * of the nonce, held by a thread that does nothing but look at one word, and stored by xsave after the move. In a
 * second thread that happens in a signal's handler, while the interrupted state lies in the frame on its stack.
 */
#include "workload.h"

#include <cpuid.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>

#define XSAVE_MAX 4096
#define HOLDERS 2
#define STACK 65536

/* x87, SSE, AVX, the three parts of AVX-512, protection keys. AMX needs a permission, MPX is gone. */
#define COMPONENTS UINT64_C(0x2e7)
#define PKRU 9

/* The legacy area, as fxsave has it. */
struct legacy {
	uint16_t control, status;
	uint8_t tags, reserved;
	uint16_t opcode;
	uint64_t instruction, data;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t x87[8][16];
	uint8_t xmm[16][16];
};

struct image {
	union {
		struct legacy legacy;
		uint8_t bytes[XSAVE_MAX];
	};
} __attribute__((aligned(64)));

struct hold {
	struct image want, got;
	volatile uint64_t release, loaded, saved;
};

static struct hold normal[HOLDERS], interrupted, handling;
static volatile uint64_t on_other_stack;
static uint8_t *other_stack;
static uint64_t components;
static pthread_t threads[HOLDERS + 1];

/* Load, wait, store. What it needs meanwhile is in integer registers and memory alone. */
static void keep(struct hold *hold)
{
	const uint32_t default_mxcsr = 0x1f80;

	asm volatile("xrstor64 (%[want])\n"
		     "incq (%[loaded])\n"
		     "1: cmpq $0, (%[release])\n"
		     "je 1b\n"
		     "xsave64 (%[got])\n"
		     :
		     : [want] "r"(&hold->want), [got] "r"(&hold->got), [loaded] "r"(&hold->loaded),
		       [release] "r"(&hold->release), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
		     : "memory", "cc");
	asm volatile("ldmxcsr %0\n fninit" : : "m"(default_mxcsr));
	hold->saved++;
}

static void *hold_forever(void *argument)
{
	struct hold *hold = argument;

	run_last();
	for (;;) {
		hold->release = 0;
		keep(hold);
		while (hold->release)
			sched_yield();
	}
	return NULL;
}

/* Runs on the other stack, above the frame with the state that `interrupted` holds. */
static void handle(int number)
{
	uint8_t here;

	(void)number;
	on_other_stack = &here >= other_stack && &here < other_stack + STACK;
	keep(&handling);
}

static void *be_interrupted(void *nothing)
{
	stack_t stack = { .ss_sp = other_stack, .ss_size = STACK };
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };

	run_last();
	if (sigaltstack(&stack, NULL) || sigaction(SIGUSR2, &action, NULL))
		die("sigaltstack");
	keep(&interrupted);
	for (;;)
		pause();
	return nothing;
}

static uint32_t component_at(unsigned index, uint32_t *size)
{
	uint32_t offset = 0, flags, rest;

	__cpuid_count(0xd, index, *size, offset, flags, rest);
	return offset;
}

static void choose_legacy(struct legacy *legacy, unsigned part)
{
	static const uint16_t rounding[4] = { 0x037f, 0x077f, 0x0b7f, 0x0f7f };
	const unsigned full = 2 + part % 5; /* registers in use, the top of stack accordingly */

	legacy->control = rounding[part % 4];
	legacy->status = (uint16_t)((8 - full) << 11 | 0x4500 | (1 << part % 6)); /* C3, C2, C0 are free to choose */
	legacy->status &= ~0x0400 | 0x4000;
	legacy->tags = (uint8_t)(0xff << (8 - full));
	legacy->mxcsr = 0x1f80 | (part % 4) << 13 | 1U << part % 6;
	fill(legacy->x87, sizeof legacy->x87, seed_for(10 * part + 1));
	for (unsigned i = 0; i < 8; i++) {
		memset(legacy->x87[i] + 10, 0, 6);
		if (i >= full)
			memset(legacy->x87[i], 0, 10);
		legacy->x87[i][7] |= i < full ? 0x80 : 0; /* the integer bit of a normal number */
		legacy->x87[i][8] = i < full ? 0xff : 0;
		legacy->x87[i][9] = i < full ? 0x3f : 0;
	}
	fill(legacy->xmm, sizeof legacy->xmm, seed_for(10 * part + 2));
}

static void choose(struct hold *hold, unsigned part)
{
	uint64_t in_use = components;
	uint32_t size;

	choose_legacy(&hold->want.legacy, part);
	memcpy(hold->want.bytes + 512, &in_use, sizeof in_use);
	for (unsigned index = 2; index < 10; index++) {
		uint32_t at;

		if (!(components >> index & 1))
			continue;
		at = component_at(index, &size);
		fill(hold->want.bytes + at, size, seed_for(10 * part + index));
		if (index == PKRU) { /* key 15 may not be written, and nobody uses it */
			const uint32_t rights = 0x95555554;

			memset(hold->want.bytes + at, 0, size);
			memcpy(hold->want.bytes + at, &rights, sizeof rights);
		}
	}
}

static void compare_hold(const char *who, struct hold *hold)
{
	static const char *const names[] = { [2] = "ymm, upper halves", [5] = "mask registers",
					     [6] = "zmm0 to 15, upper halves", [7] = "zmm16 to 31",
					     [9] = "protection key rights" };
	const struct legacy *got = &hold->got.legacy, *want = &hold->want.legacy;
	uint64_t before = hold->saved;
	char what[80];

	hold->release = 1;
	if (!reaches_at_last(&hold->saved, before + 1)) {
		mismatch("%s: does not run", who);
		return;
	}
	snprintf(what, sizeof what, "%s: x87 control", who);
	compare_number(what, got->control, want->control);
	snprintf(what, sizeof what, "%s: x87 status", who);
	compare_number(what, got->status, want->status);
	snprintf(what, sizeof what, "%s: x87 tags", who);
	compare_number(what, got->tags, want->tags);
	snprintf(what, sizeof what, "%s: mxcsr", who);
	compare_number(what, got->mxcsr, want->mxcsr);
	snprintf(what, sizeof what, "%s: x87 registers", who);
	compare(what, got->x87, want->x87, sizeof got->x87);
	snprintf(what, sizeof what, "%s: xmm", who);
	compare(what, got->xmm, want->xmm, sizeof got->xmm);
	for (unsigned index = 2; index < 10; index++) {
		uint32_t size, at;

		if (!(components >> index & 1))
			continue;
		at = component_at(index, &size);
		snprintf(what, sizeof what, "%s: %s", who, names[index]);
		compare(what, hold->got.bytes + at, hold->want.bytes + at, size);
	}
}

/* The handler first: only when it returns does the kernel load the state from the frame. */
static void verify(void)
{
	compare_number("the handler ran on the other stack", on_other_stack, 1);
	compare_hold("in a handler", &handling);
	compare_hold("interrupted by a signal", &interrupted);
	compare_hold("thread 0", &normal[0]);
	compare_hold("thread 1", &normal[1]);
}

static void describe(void)
{
	report_number("components", components);
	report_hash("interrupted", &interrupted.want, sizeof interrupted.want);
	report_hash("handling", &handling.want, sizeof handling.want);
}

/* The thread gets another value than is expected of it. */
static void reload(struct hold *hold, uint8_t *byte)
{
	uint64_t loaded = hold->loaded, saved = hold->saved;

	*byte ^= 1;
	hold->release = 1;
	if (!reaches_at_last(&hold->saved, saved + 1))
		die("saved");
	hold->release = 0;
	if (!reaches_at_last(&hold->loaded, loaded + 1))
		die("loaded");
	*byte ^= 1;
}

static void change_xmm(void)
{
	reload(&normal[0], &normal[0].want.legacy.xmm[9][3]);
}

static void change_ymm(void)
{
	uint32_t size;

	reload(&normal[1], normal[1].want.bytes + component_at(2, &size) + 40);
}

static void change_flags(void)
{
	reload(&normal[0], (uint8_t *)&normal[0].want.legacy.status);
}

static void change_mxcsr(void)
{
	reload(&normal[1], (uint8_t *)&normal[1].want.legacy.mxcsr);
}

/* Find the state in the frame on the other stack and damage it there, as a restore might. */
static void change_frame(void)
{
	const uint8_t *wanted = interrupted.want.legacy.xmm[5];

	for (uint8_t *at = other_stack; at < other_stack + STACK - 16; at += 16)
		if (!memcmp(at, wanted, 16))
			at[2] ^= 1;
}

static const struct damage damages[] = {
	{ "xmm", change_xmm },	   { "ymm", change_ymm },     { "flags", change_flags },
	{ "mxcsr", change_mxcsr }, { "frame", change_frame }, { 0 },
};

static void start(unsigned index, void *(*run)(void *), struct hold *hold)
{
	if (pthread_create(&threads[index], NULL, run, hold) || !reaches_at_last(&hold->loaded, 1))
		die("thread");
}

int main(void)
{
	uint32_t low, high;

	witness_start();
	if (!(__builtin_cpu_supports("avx")))
		die("a processor without avx");
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	components = ((uint64_t)high << 32 | low) & COMPONENTS;
	for (unsigned i = 0; i < HOLDERS; i++)
		choose(&normal[i], i);
	choose(&interrupted, 2);
	choose(&handling, 3);
	other_stack = aligned_alloc(4096, STACK);
	for (unsigned i = 0; i < HOLDERS; i++)
		start(i, hold_forever, &normal[i]);
	start(HOLDERS, be_interrupted, &interrupted);
	if (pthread_kill(threads[HOLDERS], SIGUSR2) || !reaches_at_last(&handling.loaded, 1))
		die("handler");
	serve(describe, verify, damages);
}
