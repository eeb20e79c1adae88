/*
 * A mount namespace and a second one inside it, held by a child: tmpfs with contents, bind mounts, a peer group with a
 * slave, private and unbindable mounts, one mount over another. After the move new mounts must propagate as before.
 *
 *   mntns              without the mounts of the lab's guest
 *   mntns devtmpfs     with its /dev
 */
#include "spaces.h"

#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define FILE_SIZE 5000
#define MOUNTS 16

/* Seeds of files' contents. */
enum part { SHARED_FILE = 1, UNDER, OVER, ON_DISK };
enum question { SEES, DOES_NOT_SEE, LIST };

static char base[PATH_MAX]; /* the directory of the mounts, on the disk */

static const char *at(const char *name)
{
	static char paths[4][PATH_MAX + 64];
	static unsigned turn;

	turn = (turn + 1) % 4;
	snprintf(paths[turn], sizeof paths[0], "%s/%s", base, name);
	return paths[turn];
}

static void make_directory(const char *name)
{
	if (mkdir(at(name), 0755) && errno != EEXIST)
		die(name);
}

static void mount_or_die(const char *from, const char *name, const char *type, unsigned long flags, const char *data)
{
	if (mount(from, at(name), type, flags, data))
		die(name);
}

static void change(const char *name, unsigned long flags)
{
	mount_or_die("none", name, NULL, flags, NULL);
}

static void put_file(const char *name, unsigned part, mode_t mode)
{
	uint8_t bytes[FILE_SIZE];
	int fd = open(at(name), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);

	fill(bytes, FILE_SIZE, seed_for(part));
	if (fd < 0 || write(fd, bytes, FILE_SIZE) != FILE_SIZE || fchmod(fd, mode) || close(fd))
		die(name);
}

static void compare_file(const char *name, unsigned part)
{
	uint8_t bytes[FILE_SIZE + 1];
	int fd = open(at(name), O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);

	if (fd >= 0)
		close(fd);
	if (size != FILE_SIZE)
		mismatch("%s: %zd bytes, expected %d", name, size, FILE_SIZE);
	else
		compare_fill(name, bytes, FILE_SIZE, seed_for(part));
}

/*
 * first and peer are one group, slave listens to them, apart is private, sealed can be bound nowhere: all five show
 * the same tmpfs.
 */
static void make_group(void)
{
	static const char *const names[] = { "first", "peer", "slave", "apart", "sealed" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		make_directory(names[i]);
	mount_or_die("kmatrix-first", "first", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0750");
	put_file("first/file", SHARED_FILE, 0640);
	make_directory("first/place");
	make_directory("first/later");
	if (symlink("file", at("first/link")))
		die("link");
	change("first", MS_SHARED);
	for (size_t i = 1; i < sizeof names / sizeof *names; i++)
		mount_or_die(at("first"), names[i], NULL, MS_BIND, NULL);
	change("slave", MS_SLAVE);
	change("apart", MS_PRIVATE);
	change("sealed", MS_UNBINDABLE);
}

/* What is under a mount comes to light when that goes; a read-only view of a writable directory; a single file. */
static void make_others(void)
{
	static const char *const names[] = { "covered", "readonly", "disk", "disk/below" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		make_directory(names[i]);
	put_file("covered/under", UNDER, 0600);
	mount_or_die("kmatrix-cover", "covered", "tmpfs", 0, "size=2m");
	put_file("covered/over", OVER, 0600);
	put_file("disk/file", ON_DISK, 0644);
	mount_or_die(at("disk"), "readonly", NULL, MS_BIND, NULL);
	change("readonly", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOEXEC | MS_NOSUID);
	put_file("target", UNDER, 0600);
	mount_or_die(at("disk/file"), "target", NULL, MS_BIND, NULL);
}

/* The mounts of both namespaces are peers and masters of each other as they were when the child left. */
static void settle(void)
{
	enter_new(CLONE_NEWNS);
	change("peer", MS_SLAVE);
	mount_or_die("kmatrix-child", "disk/below", "tmpfs", 0, "size=64k");
}

static bool is_mount(const char *name)
{
	struct stat status, parent;
	char above[PATH_MAX + 80];

	snprintf(above, sizeof above, "%s/..", at(name));
	return !stat(at(name), &status) && !stat(above, &parent) && status.st_dev != parent.st_dev;
}

/* Group ids of one kernel mean nothing on another: they are numbered as they appear. */
static unsigned number_of(unsigned id)
{
	static unsigned seen[MOUNTS * 2], count;
	unsigned i = 0;

	while (i < count && seen[i] != id)
		i++;
	if (i == count && count < MOUNTS * 2)
		seen[count++] = id;
	return i + 1;
}

/* A line of mountinfo as far as it may not change: place, root, flags, groups, type. */
static void normalise(char *line, char *text, size_t size)
{
	char root[256], point[PATH_MAX], options[128], type[64] = "", *field, *rest;
	size_t length = strlen(base), used;
	int skip = 0;

	if (sscanf(line, "%*d %*d %*s %255s %4095s %127s %n", root, point, options, &skip) != 3)
		die("mountinfo");
	if (strncmp(point, base, length)) {
		text[0] = '\0';
		return;
	}
	used = (size_t)snprintf(text, size, "%s on %s %s", strncmp(root, base, 4) ? "" : strrchr(root, '/'),
				point + length, options);
	for (field = strtok_r(line + skip, " \n", &rest); field && strcmp(field, "-");
	     field = strtok_r(NULL, " \n", &rest)) {
		unsigned id = 0;

		if (sscanf(field, "%*[a-z_]:%u", &id) == 1)
			used += (size_t)snprintf(text + used, size - used, " %.*s%u", (int)strcspn(field, ":"), field,
						 number_of(id));
		else
			used += (size_t)snprintf(text + used, size - used, " %s", field);
	}
	if (sscanf(rest, "%63s", type) == 1)
		snprintf(text + used, size - used, " %s", type);
}

/* Mounts may come in another order: the report has them by their place. */
static void report_mounts(const char *who, pid_t pid)
{
	char path[64], line[PATH_MAX + 512], text[512], name[600];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/mountinfo", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file)) {
		char *place;

		normalise(line, text, sizeof text);
		place = strstr(text, " on ");
		if (!place)
			continue;
		snprintf(name, sizeof name, "%s%.*s", who, (int)strcspn(place + 4, " "), place + 4);
		report_text(name, text);
	}
	if (file)
		fclose(file);
}

static void describe(void)
{
	report_mounts("parent", getpid());
	report_mounts("child", partner_pid);
	report_number("partner", (uint64_t)partner_pid);
}

/* What the child is asked to look for, relative to `base`. */
static char *wanted;

static void answer(unsigned question, char *text)
{
	(void)question;
	strcpy(text, is_mount(wanted) ? "mounted" : "absent");
}

static void expect(const char *name, bool here, bool in_child)
{
	if (is_mount(name) != here)
		mismatch("%s: a new mount is %s", name, here ? "not there" : "there");
	strcpy(wanted, name);
	if (strcmp(ask_partner(SEES), in_child ? "mounted" : "absent"))
		mismatch("%s: a new mount is %s in the child", name, in_child ? "not there" : "there");
}

static void mount_later(const char *name)
{
	if (mount("kmatrix-later", at(name), "tmpfs", 0, NULL))
		mismatch("%s: cannot be mounted on: %s", name, strerror(errno));
}

/* One mount in the group, one in its slave: who else gets it says what the groups are. */
static void compare_propagation(void)
{
	mount_later("first/place");
	expect("first/place", true, true);
	expect("peer/place", true, true);
	expect("slave/place", true, true);
	expect("apart/place", false, false);
	expect("sealed/place", false, false);
	mount_later("slave/later");
	expect("slave/later", true, false);
	expect("first/later", false, false);
}

static void compare_views(void)
{
	struct stat status;

	compare_file("first/file", SHARED_FILE);
	compare_file("apart/link", SHARED_FILE);
	compare_file("readonly/file", ON_DISK);
	compare_file("target", ON_DISK);
	compare_file("covered/over", OVER);
	if (stat(at("slave/file"), &status) || (status.st_mode & 07777) != 0640)
		mismatch("slave/file: mode %o, expected 640", status.st_mode & 07777);
	if (open(at("readonly/new"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600) >= 0 || errno != EROFS)
		mismatch("readonly: takes a file, or fails otherwise than with EROFS");
	if (mount(at("sealed"), at("disk"), NULL, MS_BIND, NULL) != -1 || errno != EINVAL)
		mismatch("sealed: can be bound elsewhere");
	if (umount2(at("covered"), 0))
		mismatch("covered: cannot be uncovered: %s", strerror(errno));
	compare_file("covered/under", UNDER);
}

static void verify(void)
{
	compare_views();
	compare_propagation();
}

static void damage_left(void)
{
	join_starter("mnt", CLONE_NEWNS);
	if (chdir(base) || chdir(".."))
		die("work directory");
}

static void damage_byte(void)
{
	int fd = open(at("peer/file"), O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, "\0\0\0\0", 4, 4000) != 4 || close(fd))
		die("peer/file");
}

static void damage_peer(void)
{
	change("peer", MS_PRIVATE);
}

/* A copy of the group beside the group: the same name, contents and flags, shared, but nobody's peer. */
static void damage_slave(void)
{
	change("slave", MS_PRIVATE);
	change("slave", MS_SHARED);
}

static void damage_writable(void)
{
	change("readonly", MS_BIND | MS_REMOUNT | MS_NOEXEC | MS_NOSUID);
}

static void damage_uncovered(void)
{
	umount2(at("covered"), MNT_DETACH);
}

static void damage_sealed(void)
{
	change("sealed", MS_PRIVATE);
}

/* Mounts of the lab's own guest, among them file systems that CRIU does not know, are no part of the test. */
static bool is_wanted(const char *point, bool with_devices)
{
	return !strcmp(point, "/") || !strcmp(point, "/proc") || !strcmp(point, "/sys") ||
	       (with_devices && !strcmp(point, "/dev"));
}

static void leave_mounts(bool with_devices)
{
	char line[PATH_MAX + 512], point[PATH_MAX];
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 && !is_wanted(point, with_devices))
			umount2(point, MNT_DETACH);
	if (!file || fclose(file))
		die("mountinfo");
}

/* Whatever is open or mapped belongs to the old namespace's mounts: begin again in the new one. */
static void enter_mounts(char *program, bool with_devices)
{
	char *const arguments[] = { program, "inside", NULL };
	int empty = open("empty", O_CREAT | O_RDONLY | O_CLOEXEC, 0644);

	enter_new(CLONE_NEWNS);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("private");
	leave_mounts(with_devices);
	if (empty < 0 || !freopen("empty", "r", stdin) || !freopen("stdout.log", "a", stdout) ||
	    dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		die("standard files");
	execv(program, arguments);
	die(program);
}

int main(int count, char **arguments)
{
	const struct damage damages[] = { { "left", damage_left },	     { "byte", damage_byte },
					  { "peer", damage_peer },	     { "slave", damage_slave },
					  { "writable", damage_writable },   { "sealed", damage_sealed },
					  { "uncovered", damage_uncovered }, { 0 } };

	if (count < 2 || strcmp(arguments[1], "inside"))
		enter_mounts(arguments[0], count > 1);
	witness_start();
	if (!getcwd(base, sizeof base - 8))
		die("getcwd");
	strcat(base, "/mounts");
	make_directory("");
	wanted = mmap(NULL, PATH_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (wanted == MAP_FAILED)
		die("mmap");
	make_group();
	make_others();
	start_partner(settle, answer);
	serve(describe, verify, damages);
}
