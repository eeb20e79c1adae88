/* Memory: special mappings, the vDSO, the auxiliary vector, rseq, processor state, and what mmap and its kin take. */
#define _GNU_SOURCE
#include "probe.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096UL

/* Those with names in brackets, but for stack and heap: where these lie relative to the others is random. */
static void special_mappings(const long *a)
{
	static char maps[65536];
	char *line, *rest = maps, name[128], rights[8];
	unsigned long start, end;

	(void)a;
	need(slurp("/proc/self/maps", maps, sizeof(maps)) >= 0, "/proc/self/maps");
	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %127s", &start, &end, rights, name) != 4 || *name != '[')
			continue;
		if (strcmp(name, "[stack]") && strcmp(name, "[heap]") && strncmp(name, "[anon", 5))
			item("%s %s, %lu pages", name, rights, (end - start) / PAGE);
	}
	result(0);
}

struct vdso {
	const char *base;
	const Elf64_Ehdr *header;
	const Elf64_Dyn *dynamic;
	long bias;
};

static struct vdso vdso(void)
{
	struct vdso found = { .base = (const char *)getauxval(AT_SYSINFO_EHDR) };
	const Elf64_Phdr *segment;
	bool loaded = false;
	int i;

	need(found.base != NULL, "AT_SYSINFO_EHDR");
	found.header = (const void *)found.base;
	segment = (const void *)(found.base + found.header->e_phoff);
	for (i = 0; i < found.header->e_phnum; i++, segment++) {
		if (segment->p_type == PT_DYNAMIC)
			found.dynamic = (const void *)(found.base + segment->p_offset);
		else if (segment->p_type == PT_LOAD && !loaded) {
			found.bias = (long)found.base - (long)segment->p_vaddr;
			loaded = true;
		}
	}
	need(found.dynamic != NULL, "PT_DYNAMIC");
	return found;
}

/* The symbols lie between the table's start and that of the strings, however they are hashed. */
static void vdso_symbols(const long *a)
{
	struct vdso found = vdso();
	const Elf64_Dyn *entry;
	const Elf64_Sym *symbol = NULL;
	const char *strings = NULL;

	(void)a;
	for (entry = found.dynamic; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_SYMTAB)
			symbol = (const void *)(entry->d_un.d_ptr + found.bias);
		else if (entry->d_tag == DT_STRTAB)
			strings = (const void *)(entry->d_un.d_ptr + found.bias);
	}
	need(symbol && strings && (const char *)symbol < strings, "the vDSO's symbols");
	for (; (const char *)(symbol + 1) <= strings; symbol++)
		if (symbol->st_name && symbol->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC)
			item("%s", strings + symbol->st_name);
	result(0);
}

static void vdso_dynamic(const long *a)
{
	struct vdso found = vdso();
	const Elf64_Dyn *entry;

	(void)a;
	for (entry = found.dynamic; entry->d_tag != DT_NULL; entry++)
		item("0x%lx", (unsigned long)entry->d_tag);
	result(0);
}

static void vdso_header(const long *a)
{
	struct vdso found = vdso();

	(void)a;
	result(0);
	text("OSABI %d, type %d, %d segments", found.header->e_ident[EI_OSABI], found.header->e_type, found.header->e_phnum);
}

static void auxv(const long *a)
{
	static Elf64_auxv_t vector[128];
	int fd = open("/proc/self/auxv", O_RDONLY), i;
	ssize_t size = read(fd, vector, sizeof(vector));

	(void)a;
	need(size > 0, "/proc/self/auxv");
	for (i = 0; i < size / (ssize_t)sizeof(*vector) && vector[i].a_type != AT_NULL; i++)
		item("%lu", (unsigned long)vector[i].a_type);
	result(0);
}

static void auxv_value(const long *a)
{
	unsigned long value;

	errno = 0;
	value = getauxval((unsigned long)a[0]);
	result(errno ? -1 : 0);
	if (!errno)
		number((long long)value);
}

/* A registration of a size and an alignment, in a process whose C library has registered one already. */
static void rseq_register(const long *a)
{
	static char room[4096] __attribute__((aligned(4096)));
	extern const unsigned int __rseq_size __attribute__((weak));
	extern const ptrdiff_t __rseq_offset __attribute__((weak));

	if (&__rseq_size && &__rseq_offset && __rseq_size) {
		char *thread = __builtin_thread_pointer();

		syscall(334, thread + __rseq_offset, 32, 1 /* UNREGISTER */, 0x53053053);
	}
	result(syscall(334, room + a[1], (unsigned int)a[0], 0, 0x53053053));
}

/* What a process may use of the processor's state, as it was enabled by this kernel. */
static void xstate_features(const long *a)
{
	unsigned int low, high, b, c, d, i;

	(void)a;
	need(__get_cpuid(1, &i, &b, &c, &d) && (c & (1 << 27)), "OSXSAVE");
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	for (i = 0; i < 32; i++)
		if (low & (1u << i))
			item("%u", i);
	result(0);
}

static void xstate_size(const long *a)
{
	unsigned int eax, ebx = 0, ecx, edx;

	need(__get_cpuid_count(0xd, (unsigned int)a[0], &eax, &ebx, &ecx, &edx), "leaf 0xd");
	result(0);
	number(ebx);
}

static volatile unsigned int frame_magic, frame_size, frame_extended;

static void on_signal(int number, siginfo_t *info, void *context)
{
	/* struct _fpx_sw_bytes, in the 48 last bytes of the 512 that FXSAVE writes */
	const unsigned int *words = (const void *)((char *)((ucontext_t *)context)->uc_mcontext.fpregs + 464);

	(void)number;
	(void)info;
	frame_magic = words[0];
	frame_extended = words[1];
	frame_size = words[4];
}

/* The processor's state in a signal frame, which CRIU writes for the restored process to return from. */
static void signal_frame(const long *a)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	(void)a;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	result(0);
	text("%s, %u bytes, %u with the end", frame_magic == 0x46505853 ? "extended" : "plain", frame_size, frame_extended);
}

static void *fresh(void)
{
	void *page = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(page != MAP_FAILED, "mmap");
	return page;
}

static void maps(const long *a)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, (int)a[0] | MAP_ANONYMOUS, -1, 0);

	result(page == MAP_FAILED ? -1 : 0);
}

static void fixed_noreplace(const long *a)
{
	void *page = mmap(fresh(), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0);

	(void)a;
	/* an older kernel takes the address for a hint and maps elsewhere */
	result(page == MAP_FAILED ? -1 : 0);
}

static void advises(const long *a)
{
	result(madvise(fresh(), PAGE, (int)a[0]));
}

static void moves(const long *a)
{
	void *from = fresh(), *to = fresh();

	result(mremap(from, PAGE, PAGE, (int)a[0], to) == MAP_FAILED ? -1 : 0);
}

static void moves_vdso(const long *a)
{
	void *from = (void *)getauxval(AT_SYSINFO_EHDR), *to = fresh();

	(void)a;
	result(mremap(from, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED ? -1 : 0);
}

/* Where the address space ends: with five levels of page tables beyond 47 bits, for who asks for it. */
static void address_space(const long *a)
{
	void *page = mmap((void *)(1UL << 48), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)a;
	need(page != MAP_FAILED, "mmap");
	result(0);
	number((unsigned long)page >> 47 ? 56 : 47);
}

const struct probe memory_probes[] = {
	{ "mapping.special", special_mappings, { 0 } },
	{ "vdso.symbols", vdso_symbols, { 0 } },
	{ "vdso.dynamic", vdso_dynamic, { 0 } },
	{ "vdso.header", vdso_header, { 0 } },
	{ "auxv.keys", auxv, { 0 } },
	{ "auxv.rseq-feature-size", auxv_value, { 27 } },
	{ "auxv.rseq-align", auxv_value, { 28 } },
	{ "auxv.minsigstksz", auxv_value, { 51 } },
	{ "rseq.size-32", rseq_register, { 32, 0 } },
	{ "rseq.size-33", rseq_register, { 33, 0 } },
	{ "rseq.align-32", rseq_register, { 32, 32 } },
	{ "xstate.features", xstate_features, { 0 } },
	{ "xstate.size", xstate_size, { 0 } },
	{ "xstate.size.compacted", xstate_size, { 1 } },
	{ "xstate.signal-frame", signal_frame, { 0 } },
	{ "address-space.bits", address_space, { 0 } },
	{ "mmap.droppable", maps, { 8 } },
	{ "mmap.growsdown", maps, { MAP_PRIVATE | MAP_GROWSDOWN } },
	{ "mmap.fixed-noreplace", fixed_noreplace, { 0 } },
	{ "mmap.below-4g", maps, { MAP_PRIVATE | MAP_32BIT } },
	{ "madvise.wipeonfork", advises, { 18 } },
	{ "madvise.cold", advises, { 20 } },
	{ "madvise.pageout", advises, { 21 } },
	{ "madvise.populate-read", advises, { 22 } },
	{ "madvise.mergeable", advises, { 12 } },
	{ "madvise.hugepage", advises, { 14 } },
	{ "madvise.collapse", advises, { 25 } },
	{ "madvise.dontdump", advises, { 16 } },
	{ "madvise.guard-install", advises, { 102 } },
	{ "mremap.dontunmap", moves, { MREMAP_MAYMOVE | MREMAP_FIXED | 4 } },
	{ "mremap.vdso", moves_vdso, { 0 } },
	{ 0 },
};
