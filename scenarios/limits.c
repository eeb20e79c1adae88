/* What surrounds a process: its limits, umask, names, priorities and policies, whom it outlives. */
#include "workload.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define THREADS 5

/* Every kind of scheduling that needs no admission; the number is the real-time priority or the nice value. */
static const struct {
	const char *name;
	int policy, priority, nice;
} kinds[THREADS] = {
	{ "fifo", SCHED_FIFO, 7, 0 },	  { "rr", SCHED_RR, 3, 0 },   { "batch", SCHED_BATCH, 0, 5 },
	{ "idle class", SCHED_IDLE, 0, 0 }, { "hurried", SCHED_OTHER, 0, -11 },
};

static volatile pid_t tids[THREADS];
static struct rlimit limits[RLIM_NLIMITS];
static const char own_name[] = "a) R (name \xe2\x82\xac"; /* what a reader of /proc/PID/stat may stumble over */
static pid_t child;
static int said[2];

static void choose_limits(void)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit *limit = &limits[i];

		if (getrlimit(i, limit))
			die("getrlimit");
		if (i == RLIMIT_CPU || i == RLIMIT_FSIZE || i == RLIMIT_AS || i == RLIMIT_DATA || i == RLIMIT_RTTIME)
			limit->rlim_cur = ((rlim_t)1 << 40) + (rlim_t)i; /* far away, and no round number */
		else if (i == RLIMIT_STACK)
			limit->rlim_cur = 7 << 20;
		else if (i == RLIMIT_CORE)
			*limit = (struct rlimit){ 0, 12345 };
		else if (i == RLIMIT_NICE || i == RLIMIT_RTPRIO)
			*limit = (struct rlimit){ 10 + (rlim_t)i, 30 };
		else
			*limit = (struct rlimit){ 1000 + (rlim_t)i, 2000 };
		/* Raising a hard one takes CAP_SYS_RESOURCE, which the root of a container need not have. */
		if (setrlimit(i, limit) && (errno != EPERM || getrlimit(i, limit)))
			die("setrlimit");
	}
}

static void *be_scheduled(void *argument)
{
	uintptr_t index = (uintptr_t)argument;
	const struct sched_param parameters = { kinds[index].priority };

	if (prctl(PR_SET_NAME, kinds[index].name))
		die("PR_SET_NAME");
	if (kinds[index].nice && setpriority(PRIO_PROCESS, 0, kinds[index].nice))
		die("setpriority");
	if (sched_setscheduler(0, kinds[index].policy, &parameters))
		die("sched_setscheduler");
	tids[index] = gettid();
	for (;;)
		sleep_ms(1000);
	return NULL;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd))
		die(path);
}

static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long value = -4711;

	if (!file || fscanf(file, "%ld", &value) != 1)
		mismatch("%s: cannot be read", path);
	if (file)
		fclose(file);
	return (uint64_t)value;
}

/* A child that writes one letter when it is told to: whether its parent's death would be told to it by SIGUSR2. */
static void tell(int number)
{
	int signal = 0;

	(void)number;
	if (prctl(PR_GET_PDEATHSIG, &signal) || write(said[1], signal == SIGUSR2 ? "y" : "n", 1) != 1)
		_exit(1);
}

static void start_child(void)
{
	signal(SIGHUP, tell);
	if (pipe2(said, O_CLOEXEC))
		die("pipe2");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGUSR2))
			die("PR_SET_PDEATHSIG");
		for (;;)
			sleep_ms(1000);
	}
}

static void make(void)
{
	choose_limits();
	umask(0137);
	write_file("/proc/self/oom_score_adj", "417");
	if (prctl(PR_SET_NAME, own_name) || prctl(PR_SET_CHILD_SUBREAPER, 1))
		die("prctl");
	for (uintptr_t i = 0; i < THREADS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, be_scheduled, (void *)i))
			die("pthread_create");
	}
	for (unsigned i = 0; i < THREADS; i++)
		for (int ms = 0; !tids[i]; ms += 2) {
			if (ms > wait_ms)
				die("thread");
			sleep_ms(2);
		}
}

static void compare_limits(void)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit = { 0 };
		char what[32];

		getrlimit(i, &limit);
		snprintf(what, sizeof what, "soft limit %d", i);
		compare_number(what, limit.rlim_cur, limits[i].rlim_cur);
		snprintf(what, sizeof what, "hard limit %d", i);
		compare_number(what, limit.rlim_max, limits[i].rlim_max);
	}
}

static void compare_threads(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		struct sched_param parameters = { 0 };
		char path[64], name[64] = "";
		FILE *file;

		snprintf(path, sizeof path, "/proc/self/task/%d/comm", tids[i]);
		file = fopen(path, "re");
		if (!file || !fgets(name, sizeof name, file))
			mismatch("thread %u: has no name", i);
		if (file)
			fclose(file);
		name[strcspn(name, "\n")] = '\0';
		if (strcmp(name, kinds[i].name))
			mismatch("thread %u: is named otherwise than %s", i, kinds[i].name);
		if (sched_getscheduler(tids[i]) != kinds[i].policy)
			mismatch("%s: has policy %d, expected %d", kinds[i].name, sched_getscheduler(tids[i]),
				 kinds[i].policy);
		sched_getparam(tids[i], &parameters);
		compare_number(kinds[i].name, (uint64_t)parameters.sched_priority, (uint64_t)kinds[i].priority);
		compare_number(kinds[i].name, (uint64_t)getpriority(PRIO_PROCESS, (id_t)tids[i]),
			       (uint64_t)kinds[i].nice);
	}
}

static void compare_child(void)
{
	struct pollfd wanted = { said[0], POLLIN, 0 };
	char letter = 0;

	kill(child, SIGHUP);
	if (poll(&wanted, 1, (int)wait_ms) != 1 || read(said[0], &letter, 1) != 1)
		mismatch("child: does not answer");
	else if (letter != 'y')
		mismatch("child: would not be told of its parent's death");
}

static void verify(void)
{
	char name[17] = "";
	int subreaper = -1;

	compare_limits();
	compare_threads();
	compare_child();
	compare_number("umask", umask(0137), 0137);
	compare_number("oom_score_adj", read_number("/proc/self/oom_score_adj"), 417);
	prctl(PR_GET_NAME, name);
	compare("name", name, own_name, sizeof own_name);
	prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
	compare_number("subreaper", (uint64_t)subreaper, 1);
}

static void describe(void)
{
	report_number("child", (uint64_t)child);
	report_hash("limits", limits, sizeof limits);
}

static void lower_limit(void)
{
	struct rlimit limit = limits[RLIMIT_MSGQUEUE];

	limit.rlim_cur--;
	setrlimit(RLIMIT_MSGQUEUE, &limit);
}

static void change_umask(void)
{
	umask(0133);
}

static void change_policy(void)
{
	const struct sched_param none = { 0 };

	sched_setscheduler(tids[0], SCHED_OTHER, &none);
}

static void change_nice(void)
{
	setpriority(PRIO_PROCESS, (id_t)tids[2], 6);
}

static void change_oom(void)
{
	write_file("/proc/self/oom_score_adj", "0");
}

static void change_name(void)
{
	prctl(PR_SET_NAME, "limits");
}

static const struct damage damages[] = {
	{ "limit", lower_limit }, { "umask", change_umask }, { "policy", change_policy },
	{ "nice", change_nice },  { "oom", change_oom },     { "name", change_name },
	{ 0 },
};

int main(void)
{
	witness_start();
	start_child();
	make();
	serve(describe, verify, damages);
}
