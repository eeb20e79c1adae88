/*
 * The cgroup2 hierarchy as the workloads about cgroups see it: where it is mounted, where a process is in it.
 */
#pragma once

#include "spaces.h"

#include <dirent.h>
#include <sys/stat.h>

#define PATH 512

/* A guest has it at /sys/fs/cgroup, a host with version 1 beside it elsewhere. */
static inline const char *cgroup_mount(void)
{
	static char found[PATH];
	char line[1024], point[PATH];
	FILE *mounts;

	if (found[0])
		return found;
	mounts = fopen("/proc/self/mountinfo", "re");
	while (mounts && !found[0] && fgets(line, sizeof line, mounts))
		if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %*s %511s", point) == 1)
			strcpy(found, point);
	if (!mounts || !found[0])
		die("no cgroup2 is mounted");
	fclose(mounts);
	return found;
}

static inline const char *below(const char *directory, const char *name)
{
	static char path[2 * PATH];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

/* The cgroup of a process as this process's cgroup namespace shows it. */
static inline const char *path_of(pid_t pid)
{
	static char found[PATH];
	char path[64], line[1024];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	strcpy(found, "none");
	while (file && fgets(line, sizeof line, file))
		if (!strncmp(line, "0::", 3))
			sscanf(line + 3, "%511s", found);
	if (file)
		fclose(file);
	return found;
}

static inline void make_cgroup(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		die(path);
}

/* What earlier workloads left on a host that runs on, as in self-tests: the kernel takes away only what is empty. */
static inline void sweep_cgroups(const char *name)
{
	static const char *const lower[] = { "lower", "frozen", "inner", "" };
	DIR *directory = opendir(cgroup_mount());
	struct dirent *entry;
	char path[PATH];

	while (directory && (entry = readdir(directory))) {
		if (strncmp(entry->d_name, name, strlen(name)) || entry->d_name[strlen(name)] != '.')
			continue;
		for (size_t i = 0; i < sizeof lower / sizeof *lower; i++) {
			snprintf(path, sizeof path, "%.200s/%.200s/%s", cgroup_mount(), entry->d_name, lower[i]);
			rmdir(path);
		}
	}
	if (directory)
		closedir(directory);
}

/* A new cgroup below the mount, and this process in it. */
static inline void enter_cgroup(char path[PATH], const char *name)
{
	sweep_cgroups(name);
	snprintf(path, PATH, "%.200s/%s.%d", cgroup_mount(), name, getpid());
	make_cgroup(path);
	if (!put_text(below(path, "cgroup.procs"), "%d", getpid()))
		die("cgroup.procs");
}
