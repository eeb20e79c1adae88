/*
 * BPF maps as file descriptors: an array that is frozen, an array that is not, and a hash with gaps. One of them is
 * known by two descriptors and by a child.
 */
#include "spaces.h"

#include <linux/bpf.h>
#include <sys/syscall.h>

#define SLOTS 16
#define KEYS 40 /* of so many possible keys every third is in the hash */
#define VALUE 24

enum part { FROZEN = 1, OPEN, HASH, VALUES = 100 };
enum question { LOOK, PUT };

static int frozen, array, again, table;

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof *attr);
}

static int make_map(uint32_t type, const char *name, uint32_t key_size, uint32_t entries, uint32_t flags)
{
	union bpf_attr attr = { .map_type = type,
				.key_size = key_size,
				.value_size = VALUE,
				.max_entries = entries,
				.map_flags = flags };
	int fd;

	strcpy(attr.map_name, name);
	fd = (int)bpf(BPF_MAP_CREATE, &attr);
	if (fd < 0)
		die(name);
	return fd;
}

static long element(int command, int fd, const void *key, const void *value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd, .key = (uintptr_t)key, .value = (uintptr_t)value };

	return bpf(command, &attr);
}

static uint64_t value_seed(unsigned part, unsigned index)
{
	return seed_for(VALUES * part + index);
}

static void put(int fd, const void *key, unsigned part, unsigned index)
{
	uint8_t value[VALUE];

	fill(value, VALUE, value_seed(part, index));
	if (element(BPF_MAP_UPDATE_ELEM, fd, key, value))
		die("BPF_MAP_UPDATE_ELEM");
}

/* Keys of the hash are bytes that follow from the nonce. */
static uint64_t hash_key(unsigned index)
{
	return seed_for(VALUES * HASH + KEYS + index);
}

static void freeze(void)
{
	union bpf_attr attr = { .map_fd = (uint32_t)frozen };

	if (bpf(BPF_MAP_FREEZE, &attr))
		die("BPF_MAP_FREEZE");
}

static void make_maps(void)
{
	frozen = make_map(BPF_MAP_TYPE_ARRAY, "frozen", 4, SLOTS, 0);
	array = make_map(BPF_MAP_TYPE_ARRAY, "open", 4, SLOTS, 0);
	table = make_map(BPF_MAP_TYPE_HASH, "table", 8, KEYS, BPF_F_NO_PREALLOC);
	for (uint32_t i = 0; i < SLOTS; i++) {
		put(frozen, &i, FROZEN, i);
		if (i % 2) /* an array's other slots are zero */
			put(array, &i, OPEN, i);
	}
	for (unsigned i = 0; i < KEYS; i += 3) {
		uint64_t key = hash_key(i);

		put(table, &key, HASH, i);
	}
	freeze();
	again = dup(array);
	if (again < 0)
		die("dup");
}

static void answer(unsigned question, char *text)
{
	const uint32_t slot = 2;
	uint8_t value[VALUE] = { 0 };

	if (question == PUT) {
		fill(value, VALUE, 4711);
		element(BPF_MAP_UPDATE_ELEM, array, &slot, value);
	}
	if (element(BPF_MAP_LOOKUP_ELEM, array, &slot, value))
		strcpy(text, strerror(errno));
	else
		snprintf(text, TEXT, "%016" PRIx64, hash(value, VALUE));
}

static void describe_map(const char *name, int fd)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)fd, .info_len = sizeof info, .info = (uintptr_t)&info } };
	char text[160], path[64], line[128];
	int is_frozen = -1;
	FILE *file;

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
		mismatch("%s: is no map any more: %s", name, strerror(errno));
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file))
		sscanf(line, "frozen: %d", &is_frozen);
	if (file)
		fclose(file);
	snprintf(text, sizeof text, "%.16s type %u key %u value %u entries %u flags %u frozen %d cloexec %d", info.name,
		 info.type, info.key_size, info.value_size, info.max_entries, info.map_flags, is_frozen,
		 fcntl(fd, F_GETFD));
	report_text(name, text);
}

static void describe(void)
{
	describe_map("frozen", frozen);
	describe_map("open", array);
	describe_map("table", table);
	report_number("descriptors", (uint64_t)(frozen * 1000000 + array * 10000 + again * 100 + table));
}

static void compare_array(const char *name, int fd, unsigned part, unsigned step)
{
	const uint8_t zero[VALUE] = { 0 };
	uint8_t value[VALUE];

	for (uint32_t i = 0; i < SLOTS; i++) {
		if (element(BPF_MAP_LOOKUP_ELEM, fd, &i, value))
			mismatch("%s: slot %u: %s", name, i, strerror(errno));
		else if (step == 1 || i % step)
			compare_fill(name, value, VALUE, value_seed(part, i));
		else
			compare(name, value, zero, VALUE);
	}
}

static void compare_table(void)
{
	uint64_t key, next;
	unsigned count = 0;
	uint8_t value[VALUE] = { 0 };
	bool more = !element(BPF_MAP_GET_NEXT_KEY, table, NULL, &next);

	for (; more && count < 2 * KEYS; count++) {
		key = next;
		more = !element(BPF_MAP_GET_NEXT_KEY, table, &key, &next);
	}
	compare_number("table: its entries", count, (KEYS + 2) / 3);
	for (unsigned i = 0; i < KEYS; i += 3) {
		key = hash_key(i);
		if (element(BPF_MAP_LOOKUP_ELEM, table, &key, value))
			mismatch("table: key %u: %s", i, strerror(errno));
		else
			compare_fill("table", value, VALUE, value_seed(HASH, i));
	}
}

/* One map: what one descriptor is given the other shows, in the child too. */
static void compare_shared(void)
{
	const uint32_t slot = 2;
	uint8_t value[VALUE], got[VALUE] = { 0 };
	char want[TEXT];

	fill(value, VALUE, 4242);
	if (element(BPF_MAP_UPDATE_ELEM, again, &slot, value) || element(BPF_MAP_LOOKUP_ELEM, array, &slot, got))
		mismatch("open array: %s", strerror(errno));
	compare("open array, written through the second descriptor", got, value, VALUE);
	snprintf(want, sizeof want, "%016" PRIx64, hash(value, VALUE));
	compare_text("open array as the child sees it", ask_partner(LOOK), want);
	fill(value, VALUE, 4711);
	ask_partner(PUT);
	element(BPF_MAP_LOOKUP_ELEM, array, &slot, got);
	compare("open array, written by the child", got, value, VALUE);
}

static void verify(void)
{
	const uint32_t slot = 3;
	uint8_t value[VALUE] = { 0 };

	compare_array("frozen array", frozen, FROZEN, 1);
	compare_array("open array", array, OPEN, 2);
	compare_table();
	compare_shared();
	if (!element(BPF_MAP_UPDATE_ELEM, frozen, &slot, value) || errno != EPERM)
		mismatch("frozen array: takes a value, or fails otherwise than with EPERM");
}

static void damage_value(void)
{
	uint64_t key = hash_key(9);
	uint8_t value[VALUE] = { 0 };

	element(BPF_MAP_LOOKUP_ELEM, table, &key, value);
	value[VALUE - 1] ^= 1;
	element(BPF_MAP_UPDATE_ELEM, table, &key, value);
}

static void damage_gap(void)
{
	uint64_t key = hash_key(1);

	put(table, &key, HASH, 1);
}

/* The same values in a map of its own, behind the same descriptor. */
static void replace(int *fd, const char *name, unsigned part, unsigned step)
{
	int other = make_map(BPF_MAP_TYPE_ARRAY, name, 4, SLOTS, 0);

	for (uint32_t i = 0; i < SLOTS; i++)
		if (step == 1 || i % step)
			put(other, &i, part, i);
	if (dup3(other, *fd, O_CLOEXEC) != *fd || close(other))
		die("dup3");
}

static void damage_thawed(void)
{
	replace(&frozen, "frozen", FROZEN, 1);
}

static void damage_unshared(void)
{
	replace(&array, "open", OPEN, 2);
}

static void damage_name(void)
{
	replace(&frozen, "other", FROZEN, 1);
	freeze();
}

int main(void)
{
	const struct damage damages[] = { { "value", damage_value },
					  { "gap", damage_gap },
					  { "thawed", damage_thawed },
					  { "unshared", damage_unshared },
					  { "name", damage_name },
					  { 0 } };

	witness_start();
	make_maps();
	start_partner(NULL, answer);
	serve(describe, verify, damages);
}
