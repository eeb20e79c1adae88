/* Files that are memory: one mapped twice, one open twice, one shared with a child, sealed ones. */
#include "maps.h"

#include <sys/stat.h>

#define SIZE ((size_t)8 * PAGE)

struct talk {
	volatile uint64_t challenge;
	volatile uint64_t answer;
};

static int plain, twin, reader, frozen, growing;
static uint8_t *writable, *window, *still, *late;
static struct talk *talk;
static uint64_t child_secret;
static pid_t child;

static int make(const char *name, unsigned part)
{
	uint8_t bytes[SIZE];
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	fill(bytes, SIZE, seed_for(part));
	if (fd < 0 || write(fd, bytes, SIZE) != (ssize_t)SIZE)
		die(name);
	return fd;
}

static void seal(int fd, int seals)
{
	if (fcntl(fd, F_ADD_SEALS, seals))
		die("F_ADD_SEALS");
}

static void make_files(void)
{
	char path[64];

	plain = make("plain", 1);
	twin = dup(plain);
	snprintf(path, sizeof path, "/proc/self/fd/%d", plain);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	if (twin < 0 || reader < 0 || fchmod(plain, 0640) || lseek(plain, 777, SEEK_SET) != 777)
		die("plain");
	writable = map_at(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	window = map_at(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, reader, 4 * PAGE);
	if (lseek(reader, 5, SEEK_SET) != 5)
		die("lseek");
	frozen = make("frozen, to the last byte", 2);
	seal(frozen, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	still = map_at(NULL, SIZE, PROT_READ, MAP_PRIVATE, frozen, 0);
	growing = make("growing", 3);
	seal(growing, F_SEAL_SHRINK);
	if (ftruncate(growing, 1 << 20)) /* a hole of most of a megabyte */
		die("ftruncate");
	late = map_at(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, growing, 0);
	fill(late, PAGE, seed_for(4));
}

static void answer_forever(void)
{
	for (;;) {
		if (talk->challenge)
			talk->answer = advance(talk->challenge ^ child_secret);
		sleep_ms(2);
	}
}

static void start_child(void)
{
	int fd = memfd_create("talk", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PAGE))
		die("talk");
	talk = (struct talk *)map_at(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd); /* a mapping alone must keep it */
	random_bytes(&child_secret, sizeof child_secret);
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		answer_forever();
}

static void compare_child(void)
{
	uint64_t challenge = witness.chain | 1, wanted = advance(challenge ^ child_secret);

	talk->challenge = challenge;
	for (long ms = 0; talk->answer != wanted && ms < wait_ms; ms += 2)
		sleep_ms(2);
	if (talk->answer != wanted)
		mismatch("talk: the child does not answer through the memory that it shares");
	if (waitpid(child, NULL, WNOHANG) != 0)
		mismatch("the child is not this process's child any more");
}

/* Two mappings and two descriptors of one file: each sees what any other writes. */
static void compare_plain(void)
{
	uint64_t word = advance(witness.chain), seen = 0;

	compare_fill("plain", writable, SIZE, seed_for(1));
	compare_number("plain: the twin's offset", (uint64_t)lseek(twin, 1, SEEK_CUR), 778);
	compare_number("plain: the offset, moved by the twin", (uint64_t)lseek(plain, 0, SEEK_CUR), 778);
	compare_number("plain: the reader's offset", (uint64_t)lseek(reader, 0, SEEK_CUR), 5);
	memcpy(writable + 4 * PAGE, &word, sizeof word);
	if (memcmp(window, &word, sizeof word))
		mismatch("plain: one mapping does not see what the other was given");
	if (pread(reader, &seen, sizeof seen, 4 * PAGE) != sizeof seen || seen != word)
		mismatch("plain: the reader does not see what the mapping was given");
	if (write(reader, "x", 1) != -1 || errno != EBADF)
		mismatch("plain: the reader can write");
	expect_fault("plain: the read-only mapping", window, true, SIGSEGV);
	if (fcntl(plain, F_ADD_SEALS, F_SEAL_GROW))
		mismatch("plain: cannot be sealed any more: %s", strerror(errno));
}

static void compare_sealed(void)
{
	uint8_t byte = 0;

	compare_fill("frozen", still, SIZE, seed_for(2));
	if (pwrite(frozen, &byte, 1, 0) != -1 || errno != EPERM)
		mismatch("frozen: can be written to");
	if (ftruncate(frozen, PAGE) != -1 || ftruncate(frozen, 2 * SIZE) != -1)
		mismatch("frozen: can be made smaller or larger");
	if (fcntl(frozen, F_ADD_SEALS, F_SEAL_WRITE) != -1 || errno != EPERM)
		mismatch("frozen: takes another seal");
	compare_fill("growing, its copy", late, PAGE, seed_for(4));
	if (pread(growing, &byte, 1, PAGE) != 1 || byte != late[PAGE])
		mismatch("growing: a page that was not copied is not the file's");
	if (ftruncate(growing, PAGE) != -1 || errno != EPERM)
		mismatch("growing: can be made smaller");
	if (ftruncate(growing, 2 << 20))
		mismatch("growing: does not grow: %s", strerror(errno));
}

static void verify(void)
{
	compare_plain();
	compare_sealed();
	compare_child();
}

static void describe_file(const char *name, int fd)
{
	char entry[64], path[64], target[128] = "";
	struct stat status = { 0 };

	fstat(fd, &status);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (readlink(path, target, sizeof target - 1) < 0)
		die(path);
	report_text(name, target);
	snprintf(entry, sizeof entry, "%s_seals", name);
	report_number(entry, (uint64_t)fcntl(fd, F_GET_SEALS));
	snprintf(entry, sizeof entry, "%s_mode", name);
	report_number(entry, status.st_mode);
	snprintf(entry, sizeof entry, "%s_size", name);
	report_number(entry, (uint64_t)status.st_size);
	snprintf(entry, sizeof entry, "%s_flags", name);
	report_number(entry, (uint64_t)(fcntl(fd, F_GETFL) | fcntl(fd, F_GETFD) << 30));
}

static void describe(void)
{
	describe_file("plain", plain);
	describe_file("reader", reader);
	describe_file("frozen", frozen);
	describe_file("growing", growing);
	report_number("child", (uint64_t)child);
	report_hash("still", still, SIZE);
}

static void change_byte(void)
{
	writable[4000] ^= 1;
}

static void replace(int fd, const char *name, unsigned part)
{
	int other = make(name, part);

	if (dup3(other, fd, O_CLOEXEC) != fd || close(other))
		die("dup3");
}

static void unseal(void)
{
	replace(frozen, "frozen, to the last byte", 2);
}

static void split_twin(void)
{
	replace(twin, "plain", 1);
	lseek(twin, 777, SEEK_SET);
}

static void split_mapping(void)
{
	uint8_t copy[2 * PAGE];

	memcpy(copy, window, sizeof copy);
	map_at(window, sizeof copy, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memcpy(window, copy, sizeof copy);
}

static void drop_copy(void)
{
	madvise(late, SIZE, MADV_DONTNEED);
}

static void change_mode(void)
{
	fchmod(plain, 0600);
}

static void split_talk(void)
{
	map_at(talk, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static const struct damage damages[] = {
	{ "byte", change_byte },	   { "unsealed", unseal },     { "twin", split_twin },
	{ "mapping", split_mapping }, { "copy", drop_copy }, { "mode", change_mode },
	{ "talk", split_talk },	   { 0 },
};

int main(void)
{
	witness_start();
	make_files();
	start_child();
	serve(describe, verify, damages);
}
