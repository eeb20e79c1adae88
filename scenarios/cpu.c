/* Registers held live by a spinning thread, and memory of four kinds, all filled from a nonce that is only in memory. */
#include "workload.h"

#include <asm/prctl.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define AREA 65536
#define PAGE 4096

/* The assembler below knows these offsets. */
struct registers {
	uint64_t integer[16];
	uint8_t vector[16][32];
	uint8_t x87[8][16];
	uint32_t mxcsr;
	uint16_t control;
	uint8_t padding[250];
};

struct hold {
	struct registers want;
	struct registers got;
	volatile uint64_t release;
	volatile uint64_t loaded; /* how often the registers were loaded */
};

_Static_assert(offsetof(struct registers, vector) == 128, "layout");
_Static_assert(offsetof(struct registers, x87) == 640, "layout");
_Static_assert(offsetof(struct registers, mxcsr) == 768, "layout");
_Static_assert(offsetof(struct registers, control) == 772, "layout");
_Static_assert(offsetof(struct hold, got) == 1024, "layout");
_Static_assert(offsetof(struct hold, release) == 2048, "layout");
_Static_assert(offsetof(struct hold, loaded) == 2056, "layout");

/* rax points at the hold, rsp and rbp belong to the compiler; the other thirteen are under test. */
#define INTEGERS 13
#define EACH_INTEGER(DO)                                                                                               \
	DO("rbx", "0") DO("rcx", "8") DO("rdx", "16") DO("rsi", "24") DO("rdi", "32") DO("r8", "40") DO("r9", "48")     \
	DO("r10", "56") DO("r11", "64") DO("r12", "72") DO("r13", "80") DO("r14", "88") DO("r15", "96")
#define LOAD_INTEGER(NAME, AT) "mov " AT "(%%rax), %%" NAME "\n"
#define SAVE_INTEGER(NAME, AT) "mov %%" NAME ", 1024+" AT "(%%rax)\n"

#define EACH_VECTOR(DO)                                                                                                \
	DO("0") DO("1") DO("2") DO("3") DO("4") DO("5") DO("6") DO("7") DO("8") DO("9") DO("10") DO("11") DO("12")      \
	DO("13") DO("14") DO("15")
#define LOAD_XMM(N) "movdqu 128+32*" N "(%%rax), %%xmm" N "\n"
#define SAVE_XMM(N) "movdqu %%xmm" N ", 1152+32*" N "(%%rax)\n"
#define LOAD_YMM(N) "vmovdqu 128+32*" N "(%%rax), %%ymm" N "\n"
#define SAVE_YMM(N) "vmovdqu %%ymm" N ", 1152+32*" N "(%%rax)\n"

/* The x87 registers are a stack: what is loaded first is saved last. */
#define LOAD_X87                                                                                                       \
	"fldt 640(%%rax)\n fldt 656(%%rax)\n fldt 672(%%rax)\n fldt 688(%%rax)\n"                                       \
	"fldt 704(%%rax)\n fldt 720(%%rax)\n fldt 736(%%rax)\n fldt 752(%%rax)\n"
#define SAVE_X87                                                                                                       \
	"fstpt 1776(%%rax)\n fstpt 1760(%%rax)\n fstpt 1744(%%rax)\n fstpt 1728(%%rax)\n"                               \
	"fstpt 1712(%%rax)\n fstpt 1696(%%rax)\n fstpt 1680(%%rax)\n fstpt 1664(%%rax)\n"

/* No `pause`: with one slow processor there is nobody to be kind to, and an emulator leaves its translated code for it. */
#define SPIN "incq 2056(%%rax)\n 1: cmpq $0, 2048(%%rax)\n je 1b\n"
#define CONTROL_IN "ldmxcsr 768(%%rax)\n fninit\n fldcw 772(%%rax)\n"
#define CONTROL_OUT "stmxcsr 1792(%%rax)\n fnstcw 1796(%%rax)\n"

#define HOLD(LOAD, SAVE, AFTER)                                                                                        \
	asm volatile(CONTROL_IN LOAD_X87 EACH_VECTOR(LOAD) EACH_INTEGER(LOAD_INTEGER) SPIN EACH_INTEGER(SAVE_INTEGER)   \
			     EACH_VECTOR(SAVE) CONTROL_OUT SAVE_X87 AFTER                                               \
		     :                                                                                                  \
		     : "a"(hold)                                                                                        \
		     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc",   \
		       "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",        \
		       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)",  \
		       "st(5)", "st(6)", "st(7)")

static void hold_sse(struct hold *hold)
{
	HOLD(LOAD_XMM, SAVE_XMM, "");
}

__attribute__((target("avx"))) static void hold_avx(struct hold *hold)
{
	HOLD(LOAD_YMM, SAVE_YMM, "vzeroupper\n");
}

static struct hold hold;
static bool has_avx;
static volatile uint64_t saved; /* how often the registers were given back */

static void *holder(void *nothing)
{
	const uint32_t default_mxcsr = 0x1f80;

	run_last();
	for (;;) {
		hold.release = 0;
		if (has_avx)
			hold_avx(&hold);
		else
			hold_sse(&hold);
		asm volatile("ldmxcsr %0\n fninit" : : "m"(default_mxcsr));
		saved++;
		while (hold.release)
			sched_yield();
	}
	return nothing;
}

static void choose_registers(struct registers *want)
{
	fill(want->integer, sizeof want->integer, seed_for(1));
	fill(want->vector, sizeof want->vector, seed_for(2));
	fill(want->x87, sizeof want->x87, seed_for(3));
	for (int i = 0; i < 8; i++) {
		want->x87[i][7] |= 0x80; /* the integer bit, so that every value is a normal number */
		want->x87[i][8] = 0xff;
		want->x87[i][9] = 0x3f;
	}
	want->mxcsr = 0xffe0;   /* flush to zero, denormals are zero, truncate, inexact seen; all masked */
	want->control = 0x0c7f; /* single precision, truncate, all masked */
}

static void let_go(void)
{
	uint64_t before = saved;

	hold.release = 1;
	if (!reaches(&saved, before + 1))
		mismatch("registers: the thread that holds them does not run");
}

static void compare_registers(void)
{
	size_t width = has_avx ? 32 : 16;
	char name[32];

	let_go();
	compare("integer registers", hold.got.integer, hold.want.integer, INTEGERS * sizeof(uint64_t));
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof name, "%s%d", has_avx ? "ymm" : "xmm", i);
		compare(name, hold.got.vector[i], hold.want.vector[i], width);
	}
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "x87 register %d", i);
		compare(name, hold.got.x87[i], hold.want.x87[i], 10);
	}
	compare_number("mxcsr", hold.got.mxcsr, hold.want.mxcsr);
	compare_number("x87 control word", hold.got.control, hold.want.control);
}

/* What the processes share through anonymous memory. */
struct talk {
	volatile uint64_t challenge;
	volatile uint64_t answered;
	volatile uint64_t answer;
	volatile uint64_t secret;
};

static uint8_t *anonymous, *private_file, *shared_file, *shared;
static struct talk *talk;
static uint64_t child_secret;
static int shared_fd, private_fd;
static pid_t child;

static uint8_t *map(int flags, int fd)
{
	uint8_t *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (area == MAP_FAILED)
		die("mmap");
	return area;
}

static int file_of(const char *name, uint64_t seed)
{
	uint8_t bytes[AREA];
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);

	fill(bytes, sizeof bytes, seed);
	if (fd < 0 || write(fd, bytes, sizeof bytes) != AREA)
		die(name);
	return fd;
}

/* Every second page of the private mapping is copied on write; the others stay the file's. */
static void touch_private(void)
{
	for (size_t at = 0; at < AREA; at += 2 * PAGE)
		fill(private_file + at, PAGE, seed_for(100 + (unsigned)(at / PAGE)));
}

static void make_memory(void)
{
	private_fd = file_of("private.dat", seed_for(11));
	shared_fd = file_of("shared.dat", 0);
	anonymous = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	private_file = map(MAP_PRIVATE, private_fd);
	shared_file = map(MAP_SHARED, shared_fd);
	shared = map(MAP_SHARED | MAP_ANONYMOUS, -1);
	fill(anonymous, AREA, seed_for(10));
	touch_private();
	fill(shared_file, AREA, seed_for(12));
	fill(shared, AREA - PAGE, seed_for(13));
	talk = (struct talk *)(shared + AREA - PAGE);
}

/* The child answers through the shared pages with a secret that it alone keeps in its private memory. */
static void answer_forever(void)
{
	uint64_t secret;

	random_bytes(&secret, sizeof secret);
	talk->secret = secret;
	talk->answered = 1;
	for (;;) {
		if (talk->challenge > talk->answered) {
			talk->answer = advance(talk->challenge ^ secret);
			talk->answered = talk->challenge;
		}
		sleep_ms(2);
	}
}

static void start_child(void)
{
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		answer_forever();
	if (!reaches(&talk->answered, 1))
		die("the child is silent");
	child_secret = talk->secret;
	talk->secret = 0;
}

static void challenge_child(void)
{
	uint64_t challenge = talk->answered + 1 + (witness.ticks & 0xffff);

	talk->challenge = challenge;
	if (!reaches(&talk->answered, challenge))
		mismatch("shared anonymous memory: the child does not see what the parent wrote");
	else
		compare_number("the child's answer", talk->answer, advance(challenge ^ child_secret));
}

static void compare_private(void)
{
	uint8_t want[AREA], file[AREA];

	fill(want, AREA, seed_for(11));
	if (pread(private_fd, file, AREA, 0) != AREA)
		mismatch("private file: cannot be read: %s", strerror(errno));
	else
		compare("private file on disk", file, want, AREA);
	for (size_t at = 0; at < AREA; at += 2 * PAGE)
		fill(want + at, PAGE, seed_for(100 + (unsigned)(at / PAGE)));
	compare("private file mapping", private_file, want, AREA);
}

/* Shared means that each side sees what the other writes, from now on too and not only up to the dump. */
static void compare_shared_file(void)
{
	uint64_t word = advance(witness.chain), seen = 0;

	compare_fill("shared file mapping", shared_file, AREA, seed_for(12));
	memcpy(shared_file + PAGE, &word, sizeof word);
	if (pread(shared_fd, &seen, sizeof seen, PAGE) != sizeof seen || seen != word)
		mismatch("shared file mapping: the file does not see what the mapping was given");
	word = advance(word);
	if (pwrite(shared_fd, &word, sizeof word, 2 * PAGE) != sizeof word || memcmp(shared_file + 2 * PAGE, &word, 8))
		mismatch("shared file mapping: the mapping does not see what the file was given");
}

static void compare_gs(void)
{
	uint64_t base = 0;

	if (syscall(SYS_arch_prctl, ARCH_GET_GS, &base))
		mismatch("gs base: %s", strerror(errno));
	compare_number("gs base", base, (uint64_t)anonymous);
}

static void verify(void)
{
	compare_registers();
	compare_gs();
	compare_fill("anonymous memory", anonymous, AREA, seed_for(10));
	compare_private();
	compare_shared_file();
	compare_fill("shared anonymous memory", shared, AREA - PAGE, seed_for(13));
	challenge_child();
	if (waitpid(child, NULL, WNOHANG) != 0)
		mismatch("the child is not this process's child any more");
}

static void describe(void)
{
	report_text("vectors", has_avx ? "avx" : "sse");
	report_number("child", (uint64_t)child);
	report_number("addresses", (uint64_t)anonymous ^ (uint64_t)private_file ^ (uint64_t)shared_file ^ (uint64_t)shared);
	report_hash("anonymous", anonymous, AREA);
	report_hash("private_file", private_file, AREA);
	report_hash("shared_file", shared_file, AREA);
	report_hash("shared", shared, AREA - PAGE);
	report_hash("registers", &hold.want, sizeof hold.want);
}

/* The registers get a changed bit, the expectation does not. */
static void corrupt_registers(void)
{
	uint64_t before = hold.loaded;

	hold.want.vector[7][has_avx ? 20 : 4] ^= 1;
	let_go();
	hold.release = 0;
	if (!reaches(&hold.loaded, before + 1))
		die("holder");
	hold.want.vector[7][has_avx ? 20 : 4] ^= 1;
}

/* The same bytes at the same place, but nobody else's any more. */
static void make_private(uint8_t *area)
{
	uint8_t copy[AREA];

	memcpy(copy, area, AREA);
	if (mmap(area, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != area)
		die("mmap");
	memcpy(area, copy, AREA);
}

/* The deliberate damage of the self-test. */
static void corrupt(const char *what)
{
	if (!strcmp(what, "corrupt memory"))
		anonymous[12345] ^= 1;
	else if (!strcmp(what, "corrupt private-file"))
		madvise(private_file, AREA, MADV_DONTNEED); /* drops the copies: the file is read again */
	else if (!strcmp(what, "corrupt registers"))
		corrupt_registers();
	else if (!strcmp(what, "corrupt unshared-file"))
		make_private(shared_file);
	else if (!strcmp(what, "corrupt unshared-memory"))
		make_private(shared);
	else if (!strcmp(what, "corrupt counter"))
		witness.ticks -= 3;
	else if (!strcmp(what, "corrupt gs"))
		syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
}

int main(void)
{
	pthread_t thread;

	witness_start();
	has_avx = __builtin_cpu_supports("avx");
	make_memory();
	start_child();
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, anonymous))
		die("arch_prctl");
	choose_registers(&hold.want);
	if (pthread_create(&thread, NULL, holder, NULL) || !reaches(&hold.loaded, 1))
		die("holder");
	ready();
	for (;;) {
		const char *question = next_question();

		if (!strncmp(question, "corrupt", 7))
			corrupt(question);
		report_open();
		describe(); /* before verify(), which writes to the shared areas */
		if (!strcmp(question, "check"))
			verify();
		report_close();
	}
}
