// SPDX-License-Identifier: GPL-2.0
/*
 * deaf - run a command on a terminal that nobody reads.
 *
 * usage: deaf FULL COMMAND [ARGUMENT]...
 *
 * When the terminal is full it takes a little, so that there is room for less than the
 * command wants to write. Makes the file FULL once it is full again. The exit status is
 * the command's, or 128 and the number of the signal that ended it.
 */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_US		20000

/* Looks that find it full before a little is read: the command has more to say by then. */
#define FULL_LOOKS	150

/* What is read then. */
#define TAKEN		1024

static pid_t start(char **argv, int slave)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	dup2(slave, STDOUT_FILENO);
	dup2(slave, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

/* Whether a writer would wait now. */
static int is_full(int slave)
{
	struct pollfd p = { .fd = slave, .events = POLLOUT };

	return !poll(&p, 1, 0);
}

int main(int argc, char **argv)
{
	int master, slave, status, full = 0;
	char taken[TAKEN];
	pid_t pid;

	if (argc < 3 || openpty(&master, &slave, NULL, NULL, NULL))
		return 126;
	fcntl(master, F_SETFD, FD_CLOEXEC);
	fcntl(slave, F_SETFD, FD_CLOEXEC);
	pid = start(argv + 2, slave);
	while (!waitpid(pid, &status, WNOHANG)) {
		full += is_full(slave);
		if (full == FULL_LOOKS)
			(void)!read(master, taken, sizeof(taken));
		else if (full > FULL_LOOKS)
			close(open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
		usleep(LOOK_US);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
