/*
 * What a ZDTM test looks like from outside, and how it is stopped. One program, because under emulation each fork and
 * exec costs 20 to 40 ms.
 *
 *   eye stage TEST ROOT DEV      make the mounts in which a test of flavour ns or uns finds its root
 *   eye look PID                 describe every process of the tree as JSON
 *   eye stop PID OUTFILE SECONDS end the test as CRIU's runner does, wait for it, tell how its output ends
 *   eye wait PID OUTFILE SECONDS wait for it once more
 *   eye kill PID SECONDS         kill every process of the tree; fails if one is still there after so long
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define NAP_MS 10
#define MOST_PIDS 4096
#define NONCE "KMATRIX_NONCE="

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "eye: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void make_directory(const char *path, mode_t mode)
{
	if (mkdir(path, mode) && errno != EEXIST)
		die(path);
	if (chmod(path, mode))
		die(path);
}

static void make_device(const char *dev, const char *name, dev_t number)
{
	char path[4096], own[4096];
	struct stat there;

	snprintf(own, sizeof own, "/dev/%s", name);
	if (!number && stat(own, &there))
		return;
	snprintf(path, sizeof path, "%s/%s", dev, name);
	if (mknod(path, S_IFCHR, number ? number : there.st_rdev) && errno != EEXIST)
		die(path);
	if (chmod(path, 0666))
		die(path);
}

/* The place is not below the test's directory, and a mount of its own: CRIU wants a root that is one. */
static void stage(const char *test, const char *root, const char *dev)
{
	char path[4096];

	if (mount("criu-test-dev", dev, "tmpfs", 0, NULL))
		die(dev);
	make_directory(dev, 0777);
	snprintf(path, sizeof path, "%s/pts", dev);
	make_directory(path, 0755);
	snprintf(path, sizeof path, "%s/net", dev);
	make_directory(path, 0755);
	make_device(dev, "tty", makedev(5, 0));
	make_device(dev, "null", makedev(1, 3));
	make_device(dev, "net/tun", 0);
	make_device(dev, "rtc", 0);
	make_device(dev, "autofs", makedev(10, 235));
	if (mount(test, root, NULL, MS_BIND, NULL) || mount(NULL, root, NULL, MS_PRIVATE, NULL))
		die(root);
}

/* Bytes of a file in /proc; never more than fit. The end is marked with a zero. */
static size_t slurp(const char *path, char *data, size_t room)
{
	FILE *file = fopen(path, "r");
	size_t size = file ? fread(data, 1, room - 1, file) : 0;

	if (file)
		fclose(file);
	data[size] = '\0';
	return size;
}

static bool is_gone(int pid)
{
	char path[64], stat[512], *end;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (!slurp(path, stat, sizeof stat))
		return true;
	end = strrchr(stat, ')');
	return end && (!strncmp(end, ") Z", 3) || !strncmp(end, ") X", 3));
}

static int parent_of(int pid)
{
	char path[64], stat[512], *end;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	slurp(path, stat, sizeof stat);
	end = strrchr(stat, ')');
	return end ? atoi(end + 4) : 0;
}

static void put(const char *text, size_t size)
{
	putchar('"');
	for (size_t i = 0; i < size; i++) {
		unsigned char c = text[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void put_lines(const char *key, const char *path)
{
	FILE *file = fopen(path, "r");
	size_t room = 0, count = 0;
	char *line = NULL;
	ssize_t size;

	printf(", \"%s\": [", key);
	while (file && (size = getline(&line, &room, file)) > 0) {
		printf("%s", count++ ? ", " : "");
		put(line, size - (line[size - 1] == '\n'));
	}
	printf("]");
	free(line);
	if (file)
		fclose(file);
}

static void put_names(const char *key, const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	printf(", \"%s\": [", key);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		printf("%s", count++ ? ", " : "");
		put(entry->d_name, strlen(entry->d_name));
	}
	printf("]");
	if (directory)
		closedir(directory);
}

/* How each mapped file was opened is the mode of its link: r-x, rw-. */
static void put_map_files(int pid)
{
	char path[4096];
	DIR *directory;
	struct dirent *entry;
	struct stat link;
	size_t count = 0;

	snprintf(path, sizeof path, "/proc/%d/map_files", pid);
	directory = opendir(path);
	printf(", \"map_files\": {");
	while (directory && (entry = readdir(directory))) {
		snprintf(path, sizeof path, "/proc/%d/map_files/%s", pid, entry->d_name);
		if (entry->d_name[0] == '.' || lstat(path, &link))
			continue;
		printf("%s\"%s\": %u", count++ ? ", " : "", entry->d_name, link.st_mode);
	}
	printf("}");
	if (directory)
		closedir(directory);
}

/* The environment is memory: what was put there at start is nowhere else, so a process that was started anew lacks it. */
static void put_nonce(int pid)
{
	static char environment[1 << 20];
	char path[64], *found = "";
	size_t size;

	snprintf(path, sizeof path, "/proc/%d/environ", pid);
	size = slurp(path, environment, sizeof environment);
	for (char *p = environment; p < environment + size; p += strlen(p) + 1)
		if (!strncmp(p, NONCE, strlen(NONCE)))
			found = p + strlen(NONCE);
	printf(", \"nonce\": ");
	put(found, strlen(found));
}

static void put_ids(int pid)
{
	char path[64], status[8192], *ids, *end;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	slurp(path, status, sizeof status);
	ids = strstr(status, "\nNSpid:");
	ids = ids ? ids + strlen("\nNSpid:") : status + strlen(status);
	while (isspace((unsigned char)*ids))
		ids++;
	end = strchr(ids, '\n');
	printf("{\"ids\": ");
	put(ids, end ? (size_t)(end - ids) : strlen(ids));
	printf(", \"zombie\": %s", is_gone(pid) ? "true" : "false");
}

static void put_process(int pid)
{
	char path[64];

	put_ids(pid);
	put_nonce(pid);
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	put_names("fds", path);
	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	put_lines("maps", path);
	put_map_files(pid);
	snprintf(path, sizeof path, "/proc/%d/mountinfo", pid);
	put_lines("mounts", path);
	printf("}");
}

static bool is_in(int pid, const int *pids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* A pid may be smaller than its parent's, so look again until nothing is added. */
static size_t find_tree(int root, int *tree)
{
	size_t count = 1, before;
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	if (!proc)
		die("/proc");
	tree[0] = root;
	do {
		before = count;
		rewinddir(proc);
		while (count < MOST_PIDS && (entry = readdir(proc))) {
			int pid = atoi(entry->d_name);

			if (pid > 0 && !is_in(pid, tree, count) && is_in(parent_of(pid), tree, count))
				tree[count++] = pid;
		}
	} while (count != before);
	closedir(proc);
	return count;
}

static void look(int root)
{
	static int tree[MOST_PIDS];
	size_t count = find_tree(root, tree);

	printf("{\"gone\": %s, \"processes\": [", is_gone(root) ? "true" : "false");
	for (size_t i = 0; i < count; i++) {
		printf("%s", i ? ",\n" : "");
		put_process(tree[i]);
	}
	printf("]}\n");
}

static void put_end(const char *key, const char *path)
{
	static char text[1 << 20];
	size_t size = slurp(path, text, sizeof text);
	const char *start = size > 4000 ? text + size - 4000 : text;

	printf(", \"%s\": ", key);
	put(start, strlen(start));
}

static void stop(int pid, const char *outfile, long seconds, int signal)
{
	const struct timespec nap = { 0, NAP_MS * 1000000 };
	bool early = !access(outfile, F_OK), signalled = !kill(pid, signal), gone = false;
	char unfinished[4096];

	for (long naps = 0; !(gone = is_gone(pid)) && naps * NAP_MS <= seconds * 1000; naps++)
		nanosleep(&nap, NULL);
	snprintf(unfinished, sizeof unfinished, "%s.inprogress", outfile);
	printf("{\"early\": %s, \"signalled\": %s, \"gone\": %s", early ? "true" : "false",
	       signalled ? "true" : "false", gone ? "true" : "false");
	put_end("out", outfile);
	put_end("unfinished", unfinished);
	printf("}\n");
}

/* Until nothing is left of them, not even a zombie: a restore wants their pids. */
static void kill_tree(int root, long seconds)
{
	const struct timespec nap = { 0, NAP_MS * 1000000 };
	static int tree[MOST_PIDS];
	size_t count = find_tree(root, tree);

	for (size_t i = 0; i < count; i++)
		kill(tree[i], SIGKILL);
	for (long naps = 0; count; naps++) {
		while (count && kill(tree[count - 1], 0) && errno == ESRCH)
			count--;
		if (count && naps * NAP_MS > seconds * 1000)
			die("the killed test is still there");
		nanosleep(&nap, NULL);
	}
}

int main(int argc, char **argv)
{
	const char *step = argc > 1 ? argv[1] : "";

	if (!strcmp(step, "stage") && argc == 5)
		stage(argv[2], argv[3], argv[4]);
	else if (!strcmp(step, "look") && argc == 3)
		look(atoi(argv[2]));
	else if (!strcmp(step, "stop") && argc == 5)
		stop(atoi(argv[2]), argv[3], atol(argv[4]), SIGTERM);
	else if (!strcmp(step, "wait") && argc == 5)
		stop(atoi(argv[2]), argv[3], atol(argv[4]), 0);
	else if (!strcmp(step, "kill") && argc == 4)
		kill_tree(atoi(argv[2]), atol(argv[3]));
	else
		return 2;
	return 0;
}
