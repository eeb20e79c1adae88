/*
 * Asks one CRIU about many features. CRIU answers one a call, and under emulation three quarters of such a call are spent
 * on the dynamic loader; preloaded into `criu check --feature NAME,NAME...`, this forks behind the loader and before
 * main, once for each name, and lets each child be the CRIU that is asked about that name alone.
 *
 * Prints each name and the exit code; 128 and the signal where a child was killed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = 3 }; /* criu check --feature NAMES */

static void be_asked(char **argv, char *name)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, 1);
	dup2(null, 2);
	close(null);
	argv[NAMES] = name;
}

__attribute__((constructor)) static void each(int argc, char **argv)
{
	unsetenv("LD_PRELOAD"); /* CRIU calls other programs */
	if (argc != NAMES + 1)
		return;
	for (char *name = strtok(argv[NAMES], ","); name; name = strtok(NULL, ",")) {
		pid_t child = fork();
		int status;

		if (!child) {
			be_asked(argv, name);
			return;
		}
		if (child < 0 || waitpid(child, &status, 0) < 0)
			_exit(1);
		dprintf(1, "%s %d\n", name, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
	_exit(0);
}
