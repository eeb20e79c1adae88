/*
 * pid 1 of every guest, on Linux 3.11 as on 7.3: no step is assumed to work, each failure is said on the console.
 * No shell script: under emulation each program that one calls costs 20 to 100 ms, and a boot has some thirty steps.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AGENT "/usr/lib/kmatrix/agent"
#define PORTS "/dev/virtio-ports/"
#define PORT_NAPS 100
#define NAP_MS 50
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vdprintf(1, format, arguments);
	va_end(arguments);
}

/* Whether a step worked; if not, the console has its name and the reason. */
static bool tried(int result, const char *step)
{
	if (result < 0)
		tell("kmatrix: %s failed: %s\n", step, strerror(errno));
	return result >= 0;
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

static void nap(void)
{
	const struct timespec time = { 0, NAP_MS * 1000000 };

	nanosleep(&time, NULL);
}

/* What is in a small file, without its last line break; empty if there is none. */
static const char *contents(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void mount_on(const char *type, const char *place, unsigned long flags, const char *options)
{
	char step[64];

	snprintf(step, sizeof step, "mounting %s", place);
	tried(mount(type, place, type, flags, options), step);
}

static void link_to(const char *target, const char *path)
{
	if (symlink(target, path) && errno != EEXIST)
		tried(-1, path);
}

static void use_console(void)
{
	int null, console;

	/* The initrd may have moved its own mounts here already. */
	if (!exists("/proc/self/stat"))
		mount_on("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (!exists("/sys/kernel"))
		mount_on("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (!exists("/dev/null"))
		mount_on("devtmpfs", "/dev", 0, "mode=0755");
	null = open("/dev/null", O_RDWR);
	console = open("/dev/console", O_WRONLY | O_NOCTTY);
	dup2(null, 0);
	dup2(console, 1);
	dup2(console, 2);
	for (int fd = 3; fd < 10; fd++)
		close(fd);
}

static void make_directories(void)
{
	static const char *const directories[] = {
		"/dev/pts", "/dev/shm", "/dev/net", "/dev/virtio-ports", "/run/kmatrix", "/run/lock",
	};
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
	};

	mount_on("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
	mount_on("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	for (size_t i = 0; i < LENGTH(directories); i++)
		if (mkdir(directories[i], 0755) && errno != EEXIST)
			tried(-1, directories[i]);
	mount_on("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666");
	mount_on("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	/* What udev makes of a module's static node: opening it loads the driver. CRIU probes it. */
	tried(mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200)), "/dev/net/tun");
	for (size_t i = 0; i < LENGTH(links); i++)
		link_to(links[i][0], links[i][1]);
}

/* cgroup2 came with 4.5. Before that the guest has no cgroups, and CRIU finds none to save. */
static void mount_cgroups(void)
{
	FILE *known = fopen("/proc/filesystems", "re");
	char line[128];

	while (known && fgets(line, sizeof line, known))
		if (!strcmp(line, "nodev\tcgroup2\n"))
			mount_on("cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (known)
		fclose(known);
}

static void load(const char *module)
{
	pid_t child = fork();

	if (!child) {
		execl("/sbin/modprobe", "modprobe", "-q", module, NULL);
		_exit(127);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

static void name_ports(void)
{
	DIR *ports = opendir("/sys/class/virtio-ports");
	struct dirent *port;

	while (ports && (port = readdir(ports))) {
		char path[320], name[64], place[96], target[288];

		snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", port->d_name);
		if (!*contents(path, name, sizeof name))
			continue;
		snprintf(place, sizeof place, PORTS "%s", name);
		snprintf(target, sizeof target, "../%s", port->d_name);
		link_to(target, place);
	}
	if (ports)
		closedir(ports);
}

/*
 * Without a udev nobody else loads the driver (a module before 6.12) or names the ports, and their numbers depend on the
 * order in which they were added. The host announces them one by one, after the driver is there.
 */
static void open_ports(void)
{
	if (!exists("/sys/bus/virtio/drivers/virtio_console"))
		load("virtio_console");
	for (int naps = 0; naps < PORT_NAPS; naps++) {
		name_ports();
		if (exists(PORTS "kmatrix.agent") && exists(PORTS "kmatrix.out"))
			return;
		nap();
	}
	tell("KMATRIX-BOOT-FAILED: no virtio-serial port kmatrix.agent or kmatrix.out\n");
}

/* An oops is evidence: the guest says so on its console and goes on, unless the kernel's command line wants a panic. */
static void survive_oopses(void)
{
	char line[4096];
	int fd;

	contents("/proc/cmdline", line, sizeof line);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		if (!strcmp(word, "oops=panic"))
			return;
	fd = open("/proc/sys/kernel/panic_on_oops", O_WRONLY | O_CLOEXEC);
	if (tried(fd, "panic_on_oops")) {
		tried((int)write(fd, "0\n", 2), "panic_on_oops");
		close(fd);
	}
}

static void raise_loopback(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	tried(fd < 0 ? fd : ioctl(fd, SIOCSIFFLAGS, &loopback), "bringing lo up");
	close(fd);
}

/* The nft behind Debian's iptables asks for what kernels before 4 do not have, and CRIU calls iptables. */
static void use_legacy_iptables(void)
{
	static const char *const families[] = { "iptables", "ip6tables" };
	static const char *const programs[] = { "", "-restore", "-save" };

	for (size_t i = 0; i < LENGTH(families) * LENGTH(programs); i++) {
		const char *family = families[i / LENGTH(programs)], *program = programs[i % LENGTH(programs)];
		char path[64], target[64];

		snprintf(path, sizeof path, "/etc/alternatives/%s%s", family, program);
		snprintf(target, sizeof target, "/usr/sbin/%s-legacy%s", family, program);
		unlink(path);
		link_to(target, path);
	}
}

static pid_t start_agent(void)
{
	pid_t child = fork();

	if (!child) {
		int log = open("/run/kmatrix/agent.log", O_WRONLY | O_CREAT | O_APPEND, 0644);

		dup2(log, 1);
		dup2(log, 2);
		close(log);
		execl(AGENT, AGENT, PORTS "kmatrix.agent", NULL);
		_exit(127);
	}
	return child;
}

int main(void)
{
	struct utsname system;
	char uptime[64];
	pid_t agent;

	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C.UTF-8", 1);
	umask(022);
	use_console();
	make_directories();
	mount_cgroups();
	open_ports();
	tried(sethostname("kmatrix", strlen("kmatrix")), "sethostname");
	survive_oopses();
	raise_loopback();
	uname(&system);
	if (system.release[0] < '4' && system.release[1] == '.')
		use_legacy_iptables();
	/* A cache made by another kernel gives false results. */
	unlink("/run/criu.kdat");

	contents("/proc/uptime", uptime, sizeof uptime);
	uptime[strcspn(uptime, " ")] = '\0';
	tell("kmatrix: Linux %s %s, up %s s\n", system.release, system.version, uptime);
	tell("KMATRIX-READY\n");

	/*
	 * It stays and reaps what loses its parent. An agent that dies does not come back: the lab takes the guest for lost
	 * and boots another.
	 */
	agent = start_agent();
	for (;;) {
		int status;
		pid_t child = wait(&status);

		if (child == agent)
			tell("kmatrix: the agent ended with status %d\n",
			     WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
		else if (child < 0 && errno == ECHILD)
			sleep(1);
	}
}
