// SPDX-License-Identifier: GPL-2.0
/*
 * control.c - the control socket.
 *
 * A line of text asks for something, the answer is lines of text, the last of
 * which is "ok" or "error: ...". The commands are one table. Everything runs
 * on the main thread; a client that does not take its answer is dropped, so
 * none can stop the loop.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "loop.h"
#include "options.h"
#include "util.h"
#include "vm.h"

#define CLIENTS_MAX	8
#define LINE_BYTES	128

struct client {
	struct control *control;
	int fd;			/* -1: free */
	unsigned int len;
	char line[LINE_BYTES];
};

struct control {
	struct vm *vm;
	const char *path;
	int fd;
	struct client clients[CLIENTS_MAX];
};

static void do_status(struct vm *vm, FILE *out)
{
	vm_status(vm, out);
}

static void do_stats(struct vm *vm, FILE *out)
{
	vm_stats(vm, out);
}

static void do_reset(struct vm *vm, FILE *out)
{
	vm_request_reset(vm);
}

static void do_powerdown(struct vm *vm, FILE *out)
{
	vm_power_button(vm);
}

static void do_quit(struct vm *vm, FILE *out)
{
	vm_request_exit(vm, VM_EXIT_QUIT);
}

/* Without @run the command is one of the device that is named behind it. */
static const struct command {
	const char *name;
	const char *args;
	void (*run)(struct vm *vm, FILE *out);
	const char *help;
} commands[] = {
	{ "status", "", do_status, "print the state of the VM and its devices" },
	{ "stats", "", do_stats, "print the counters of its devices, as debugfs does" },
	{ "reset", "", do_reset, "reset the machine, as its reset button would" },
	{ "powerdown", "", do_powerdown, "press the power button; the guest may take its time" },
	{ "quit", "", do_quit, "end the VM now, as if its power were cut" },
	{ "limit", " DISK [KEY=VALUE,...]", NULL,
	  "limit a disk by iops, iops_burst, bps, bps_burst; none lifts all" },
	{ "link", " NET up|down", NULL, "tell the guest that the link is up or down" },
	{ "announce", " NET", NULL, "have the guest tell its neighbours where it is" },
	{ "resize", " DISK", NULL, "look again how large a disk is, and tell the guest" },
	{ "resume", " DISK [retry|report]", NULL,
	  "go on after an error of the disk: ask it again, or tell the guest" },
};

static void run_command(struct vm *vm, const struct command *c, char *args, FILE *out)
{
	char *device = args;

	if (!c->run == !*args) {
		fprintf(out, "error: write `%s%s`\n", c->name, c->args);
		return;
	}
	if (c->run) {
		c->run(vm, out);
	} else {
		args += strcspn(args, " ");
		if (*args)
			*args++ = 0;
		if (vm_command(vm, c->name, device, args, out))
			return;
	}
	fputs("ok\n", out);
}

static void run_line(struct vm *vm, char *line, FILE *out)
{
	size_t len = strcspn(line, " ");
	char *args = line + len + !!line[len];

	line[len] = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, line))
			continue;
		run_command(vm, &commands[i], args, out);
		return;
	}
	fprintf(out, "error: '%s' is not one of", line);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, " %s", commands[i].name);
	fputc('\n', out);
}

/* --- the VM's side --------------------------------------------------- */

static void drop(struct client *c)
{
	loop_del(vm_loop(c->control->vm), c->fd);
	close(c->fd);
	c->fd = -1;
}

static int answer(struct client *c, char *line)
{
	char *text = NULL;
	size_t len = 0;
	ssize_t n;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return -ENOMEM;
	run_line(c->control->vm, line, out);
	if (fclose(out)) {
		free(text);
		return -ENOMEM;
	}
	n = send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(text);
	return n == (ssize_t)len ? 0 : -EAGAIN;
}

static void client_ready(void *opaque, int fd, uint32_t events)
{
	struct client *c = opaque;
	char *end;
	ssize_t n;

	n = recv(fd, c->line + c->len, sizeof(c->line) - 1 - c->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (unsigned int)n;
	c->line[c->len] = 0;
	while ((end = strchr(c->line, '\n'))) {
		*end++ = 0;
		if (answer(c, c->line)) {
			drop(c);
			return;
		}
		c->len -= (unsigned int)(end - c->line);
		memmove(c->line, end, c->len + 1);
	}
	if (c->len == sizeof(c->line) - 1)
		drop(c);
}

static void listener_ready(void *opaque, int fd, uint32_t events)
{
	struct control *ctl = opaque;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client < 0)
		return;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &ctl->clients[i];

		if (c->fd >= 0)
			continue;
		if (loop_add(vm_loop(ctl->vm), client, EPOLLIN, client_ready, c))
			break;
		c->fd = client;
		c->len = 0;
		return;
	}
	close(client);
}

static int fill_address(struct sockaddr_un *sa, const char *path)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sa->sun_path)) {
		log_error("control socket '%s': the path is longer than %zu bytes", path,
			  sizeof(sa->sun_path) - 1);
		return -ENAMETOOLONG;
	}
	strcpy(sa->sun_path, path);
	return 0;
}

/* A socket nobody listens on is left over from a VM that was killed. */
static void remove_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd;

	if (stat(sa->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 && errno == ECONNREFUSED)
		unlink(sa->sun_path);
	close(fd);
}

static int bind_private(int fd, const struct sockaddr_un *sa)
{
	mode_t old = umask(0177);
	int err = bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;

	umask(old);
	return err;
}

/**
 * control_create() - listen on the control socket
 * @control: set on success
 * @vm:      the VM
 * @path:    of the socket; outlives it
 *
 * Return: 0, or -errno after one line on stderr.
 */
int control_create(struct control **control, struct vm *vm, const char *path)
{
	struct control *ctl = calloc(1, sizeof(*ctl));
	struct sockaddr_un sa;
	int err;

	if (!ctl)
		return -ENOMEM;
	ctl->vm = vm;
	ctl->path = path;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		ctl->clients[i] = (struct client){ .control = ctl, .fd = -1 };
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = ctl->fd < 0 ? -errno : fill_address(&sa, path);
	if (!err) {
		remove_stale(&sa);
		err = bind_private(ctl->fd, &sa);
	}
	if (!err && listen(ctl->fd, CLIENTS_MAX) < 0)
		err = -errno;
	if (!err)
		err = loop_add(vm_loop(vm), ctl->fd, EPOLLIN, listener_ready, ctl);
	if (err) {
		log_error("--control: cannot listen on '%s': %s%s", path, strerror(-err),
			  err == -EADDRINUSE ? "; a VM is using it, or it is another file" : "");
		if (ctl->fd >= 0)
			close(ctl->fd);
		free(ctl);
		return err;
	}
	*control = ctl;
	return 0;
}

/**
 * control_destroy() - close the control socket
 * @control: or NULL. The file stays when the sandbox does not let us remove it;
 *           the next VM to use the path does
 */
void control_destroy(struct control *control)
{
	if (!control)
		return;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i].fd >= 0)
			drop(&control->clients[i]);
	}
	loop_del(vm_loop(control->vm), control->fd);
	close(control->fd);
	if (!vm_options(control->vm)->sandbox)
		unlink(control->path);
	free(control);
}

/* --- the client's side ----------------------------------------------- */

static int client_usage(FILE *out, int status)
{
	char head[64];

	fputs("Usage: kvhost ctl SOCKET COMMAND\n\nCommands:\n", out);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		snprintf(head, sizeof(head), "%s%s", commands[i].name, commands[i].args);
		fprintf(out, "  %-26s %s\n", head, commands[i].help);
	}
	return status;
}

static int client_connect(const char *path)
{
	struct timeval limit = { .tv_sec = 10 };
	struct sockaddr_un sa;
	int fd, err;

	err = fill_address(&sa, path);
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
	char line[LINE_BYTES];
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
	char line[LINE_BYTES];
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
