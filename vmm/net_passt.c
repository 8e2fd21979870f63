// SPDX-License-Identifier: GPL-2.0
/*
 * net_passt.c - passt, which carries a guest's packets over sockets of the host,
 * so that a guest has a network and nobody had to be root for it.
 *
 * passt gets one end of a socket pair and ends when the other end, ours, is
 * closed, however this process ends. Each frame on the socket has its length
 * before it, 32 bits, big-endian. Main thread, before the sandbox.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_port.h"
#include "util.h"

extern char **environ;

/* Where passt finds its end of the socket pair. */
#define PASST_FD	3
#define PASST_FD_TEXT	"3"

/* Room for a burst of large frames; the default holds three. */
#define BUFFER_BYTES	(4 << 20)

/* This process has signals blocked, and one ignored, that passt wants to get. */
static int set_signals(posix_spawnattr_t *attr)
{
	sigset_t none, pipe;
	int err;

	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	err = posix_spawnattr_setsigmask(attr, &none);
	if (!err)
		err = posix_spawnattr_setsigdefault(attr, &pipe);
	if (!err)
		err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
						     POSIX_SPAWN_SETSIGDEF);
	return err;
}

static int spawn(int fd)
{
	static const char *const argv[] = {
		"passt", "--foreground", "--quiet", "--fd", PASST_FD_TEXT, NULL,
	};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	pid_t pid;
	int err;

	err = posix_spawn_file_actions_init(&files);
	if (err)
		return -err;
	err = posix_spawnattr_init(&attr);
	if (!err) {
		err = posix_spawn_file_actions_adddup2(&files, fd, PASST_FD);
		if (!err)
			err = set_signals(&attr);
		if (!err)
			err = posix_spawnp(&pid, argv[0], &files, &attr,
					   (char *const *)argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&files);
	return -err;
}

/**
 * net_passt_start() - start passt
 *
 * Return: our end of the socket, or -errno after one line on stderr.
 */
int net_passt_start(void)
{
	int bytes = BUFFER_BYTES, fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		ret = -errno;
		log_error("--net user: no socket: %s", strerror(-ret));
		return ret;
	}
	/* As much as the host lets us have. */
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	ret = spawn(fds[1]);
	close(fds[1]);
	if (!ret)
		return fds[0];
	close(fds[0]);
	log_error("--net user: cannot start passt: %s%s", strerror(-ret),
		  ret == -ENOENT ? "; install the Debian package passt" : "");
	return ret;
}
