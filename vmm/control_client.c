// SPDX-License-Identifier: GPL-2.0
/*
 * control_client.c - `kvhost ctl`: asks a VM by its control socket.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "util.h"
#include "vm.h"

static int client_usage(FILE *out, int status)
{
	fputs("Usage: kvhost ctl SOCKET COMMAND\n\nCommands:\n", out);
	control_help(out);
	return status;
}

static int client_connect(const char *path)
{
	struct timeval limit = { .tv_sec = 10 };
	struct sockaddr_un sa;
	int fd, err;

	err = control_address(&sa, path);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		err = -errno;
		log_error("cannot reach a VM at '%s': %m; is it running with --control %s?", path,
			  path);
		close(fd);
		return err;
	}
	return fd;
}

/* Hand on the answer line by line; its last line decides. */
static int client_answer(int fd, int (*line_fn)(void *opaque, char *line), void *opaque)
{
	FILE *in = fdopen(fd, "r");
	int err = -ETIMEDOUT;
	char *line = NULL;
	size_t room = 0;

	if (!in) {
		close(fd);
		return -ENOMEM;
	}
	while (err == -ETIMEDOUT && getline(&line, &room, in) > 0) {
		if (!strcmp(line, "ok\n")) {
			err = 0;
		} else if (!strncmp(line, "error: ", 7)) {
			line[strcspn(line, "\n")] = 0;
			log_error("%s", line + 7);
			err = -EINVAL;
		} else if (line_fn(opaque, line)) {
			err = -ENOMEM;
		}
	}
	if (err == -ETIMEDOUT)
		log_error("the VM did not answer within 10 seconds, or ended");
	free(line);
	fclose(in);
	return err;
}

/**
 * control_ask() - have a VM run a command
 * @path:    of its control socket
 * @command: one of those in the table
 * @line_fn: called for each line of the answer; non-zero: out of memory
 * @opaque:  its argument
 *
 * Return: 0; -E2BIG for a command too long to be one; after one line on stderr
 * -EINVAL if the VM refused it, another -errno if it could not be asked or did
 * not answer.
 */
int control_ask(const char *path, const char *command,
		int (*line_fn)(void *opaque, char *line), void *opaque)
{
	char line[CONTROL_LINE_BYTES];
	int fd, n;

	n = snprintf(line, sizeof(line), "%s\n", command);
	if (n >= (int)sizeof(line))
		return -E2BIG;
	fd = client_connect(path);
	if (fd < 0)
		return fd == -EINVAL ? -EIO : fd;
	if (write_all(fd, line, (size_t)n)) {
		log_error("the VM at '%s' hung up", path);
		close(fd);
		return -EPIPE;
	}
	return client_answer(fd, line_fn, opaque);
}

static int print_line(void *opaque, char *line)
{
	fputs(line, opaque);
	return 0;
}

/**
 * control_client() - run `kvhost ctl`
 * @argc: arguments after "ctl"
 * @argv: the arguments
 *
 * Return: the exit status.
 */
int control_client(int argc, char **argv)
{
	char line[CONTROL_LINE_BYTES];
	int err, n = 0;

	if (argc == 1 && !strcmp(argv[0], "--help"))
		return client_usage(stdout, 0);
	if (argc < 2)
		return client_usage(stderr, VM_EXIT_USAGE);
	for (int i = 1; i < argc && n < (int)sizeof(line); i++)
		n += snprintf(line + n, sizeof(line) - n, "%s%s", i > 1 ? " " : "", argv[i]);
	err = n < (int)sizeof(line) ? control_ask(argv[0], line, print_line, stdout) : -E2BIG;
	if (err == -E2BIG)
		log_error("'%s' is not a command; `kvhost ctl --help` lists them", argv[1]);
	if (err == -E2BIG || err == -EINVAL)
		return VM_EXIT_USAGE;
	return err ? VM_EXIT_HOST : 0;
}
