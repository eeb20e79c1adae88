/*
 * A user namespace whose users 0 to 65535 are the host's 100000 to 165535, with fewer capabilities than it could have.
 * Files on disk have the host's numbers; the workload sees its own.
 */
#include "spaces.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define OUTER 100000
#define COUNT 65536
#define OWNER 1234 /* inside */
#define OWNER_GROUP 4321

enum question { WHO, CHOWN };

static int file;

/* The parent's privileges are needed for a map of more than one user, so a child outside writes it. */
static void write_maps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
	if (!put_text(path, "0 %d %d\n", OUTER, COUNT))
		die(path);
	snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
	if (!put_text(path, "0 %d 1000\n1000 %d %d\n", OUTER, OUTER + 2000, COUNT - 2000))
		die(path);
}

static void enter_users(void)
{
	int go[2], status;
	pid_t me = getpid(), mapper;
	char byte;

	if (pipe2(go, O_CLOEXEC))
		die("pipe2");
	mapper = fork();
	if (mapper == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		write_maps(me);
		_exit(0);
	}
	enter_new(CLONE_NEWUSER);
	if (write(go[1], "x", 1) != 1 || waitpid(mapper, &status, 0) != mapper || status)
		die("maps");
	close(go[0]);
	close(go[1]);
}

static void capabilities(int call, uint32_t effective[2], uint32_t permitted[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		data[i].effective = effective[i];
		data[i].permitted = permitted[i];
	}
	if (syscall(call, &header, data))
		die("capabilities");
	for (int i = 0; i < 2; i++) {
		effective[i] = data[i].effective;
		permitted[i] = data[i].permitted;
	}
}

/* Some are permitted and not effective, some are gone for good. */
static void drop_capabilities(void)
{
	uint32_t effective[2], permitted[2];

	capabilities(SYS_capget, effective, permitted);
	if (prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0))
		die("PR_CAPBSET_DROP");
	permitted[0] &= ~(1U << CAP_SYS_BOOT | 1U << CAP_MKNOD);
	effective[0] = permitted[0] & ~(1U << CAP_SYS_NICE);
	effective[1] = permitted[1];
	capabilities(SYS_capset, effective, permitted);
}

static void become_root(void)
{
	const gid_t groups[] = { 5, 1500 };

	if (setresgid(0, 0, 0) || setgroups(2, groups) || setresuid(0, 0, 0))
		die("setresuid");
	/* What the change of user took away: CRIU must be able to look into /proc. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		die("PR_SET_DUMPABLE");
}

static void make_file(void)
{
	file = open("owned", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0640);
	if (file < 0 || fchown(file, OWNER, OWNER_GROUP))
		die("owned");
}

static void settle(void)
{
	if (setresgid(OWNER_GROUP, OWNER_GROUP, OWNER_GROUP) || setresuid(OWNER, OWNER, OWNER) ||
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		die("child");
}

/* The child is the file's owner and nobody else. */
static void answer(unsigned question, char *text)
{
	if (question == CHOWN)
		snprintf(text, TEXT, "%s", chown("owned", 0, 0) ? strerror(errno) : "changed");
	else
		snprintf(text, TEXT, "%d:%d %s", geteuid(), getegid(),
			 access("owned", R_OK | W_OK) ? strerror(errno) : "may write");
}

static void describe(void)
{
	uint32_t effective[2], permitted[2];
	struct stat status;
	gid_t groups[8];
	int count = getgroups(8, groups);

	capabilities(SYS_capget, effective, permitted);
	if (fstat(file, &status))
		die("owned");
	report_text("uid_map", get_text("/proc/self/uid_map"));
	report_text("gid_map", get_text("/proc/self/gid_map"));
	report_text("setgroups", get_text("/proc/self/setgroups"));
	report_number("uid", geteuid());
	report_number("gid", getegid());
	report_number("groups", count == 2 ? groups[0] * 100000 + groups[1] : (uint64_t)count);
	report_number("owner", status.st_uid);
	report_number("owner_group", status.st_gid);
	report_number("effective", effective[0] | (uint64_t)effective[1] << 32);
	report_number("permitted", permitted[0] | (uint64_t)permitted[1] << 32);
	report_number("bounded", (uint64_t)prctl(PR_CAPBSET_READ, CAP_SYS_BOOT, 0, 0, 0));
	report_number("partner", (uint64_t)partner_pid);
}

/* Root in here may give files to whom the map has, and to nobody else. */
static void verify(void)
{
	struct stat status;

	compare_text("the child", ask_partner(WHO), "1234:4321 may write");
	compare_text("the child gives its file away", ask_partner(CHOWN), strerror(EPERM));
	if (fchown(file, COUNT - 1, 999) || fstat(file, &status))
		mismatch("root in the namespace cannot give a file away: %s", strerror(errno));
	else
		compare_number("the file's new owner", status.st_uid, COUNT - 1);
	if (!fchown(file, COUNT + 1, 0) || errno != EINVAL)
		mismatch("a file was given to a user that is not in the map");
	if (!fchown(file, OWNER, OWNER_GROUP) && !unshare(CLONE_NEWUTS) && sethostname("inside", 6))
		mismatch("root in the namespace does not own a UTS namespace of its own: %s", strerror(errno));
}

static void damage_capability(void)
{
	uint32_t effective[2], permitted[2];

	capabilities(SYS_capget, effective, permitted);
	effective[0] |= 1U << CAP_SYS_NICE;
	capabilities(SYS_capset, effective, permitted);
}

static void damage_owner(void)
{
	if (fchown(file, OWNER, 1))
		die("fchown");
}

static void damage_groups(void)
{
	setgroups(0, NULL);
}

/* A namespace inside, with the same names for other users. */
static void damage_map(void)
{
	enter_new(CLONE_NEWUSER);
	if (!put_text("/proc/self/setgroups", "deny") || !put_text("/proc/self/uid_map", "0 0 1"))
		die("uid_map");
}

int main(void)
{
	const struct damage damages[] = { { "capability", damage_capability },
					  { "owner", damage_owner },
					  { "groups", damage_groups },
					  { "map", damage_map },
					  { 0 } };

	witness_start();
	if (chown(".", OUTER, OUTER) || chmod(".", 0755))
		die("work directory");
	enter_users();
	become_root();
	drop_capabilities();
	make_file();
	start_partner(settle, answer);
	serve(describe, verify, damages);
}
