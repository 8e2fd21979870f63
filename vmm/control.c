// SPDX-License-Identifier: GPL-2.0
/*
 * control.c - the control socket.
 *
 * A line of text asks for something, the answer is lines of text, the last of
 * which is "ok" or "error: ..."; control_command.c has the commands.
 *
 * The main thread talks to clients and never waits. A command that looks at devices
 * becomes a job of the device thread, which comes back with the answer. If that
 * takes longer than ANSWER_LIMIT, because a disk hangs, the client is told so.
 * Answers of any length leave as fast as the client takes them.
 */
#include <errno.h>
#include <stdbool.h>
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

/* Less than `kvhost ctl` waits for. */
#define ANSWER_LIMIT	(5 * NSEC_PER_SEC)

/* How long a client may take nothing of its answer. */
#define TAKE_LIMIT	(10 * NSEC_PER_SEC)

/* Whether a job was begun; changed by both threads. */
enum job_state {
	JOB_QUEUED,
	JOB_BEGUN,
	JOB_GIVEN_UP,
};

/**
 * struct job - a command for the device thread
 * @work:    to the device thread and back
 * @control: whose
 * @client:  who waits for it, or NULL; main thread only
 * @next:    of control.jobs; main thread only
 * @state:   enum job_state, atomic
 * @status:  the command is `status`
 * @line:    the command; the device thread's once it was begun
 * @text:    the answer, or NULL for want of memory
 * @len:     its length, bytes
 */
struct job {
	struct loop_work work;
	struct control *control;
	struct client *client;
	struct job *next;
	int state;
	bool status;
	char line[CONTROL_LINE_BYTES];
	char *text;
	size_t len;
};

/**
 * struct client - a connection
 * @control: whose
 * @fd:      -1: free
 * @len:     bytes in @line
 * @line:    what it has sent and was not looked at yet
 * @job:     what it waits for, or NULL
 * @text:    answer that has not left in whole, or NULL
 * @at:      bytes of it that have left
 * @text_len: bytes of it
 * @timer:   limits @job, or the time that nothing is taken of @text
 */
struct client {
	struct control *control;
	int fd;
	unsigned int len;
	char line[CONTROL_LINE_BYTES];
	struct job *job;
	char *text;
	size_t at;
	size_t text_len;
	struct loop_timer timer;
};

struct control {
	struct vm *vm;
	const char *path;
	int fd;
	struct job *jobs;
	struct client clients[CLIENTS_MAX];
};

/* --- jobs ------------------------------------------------------------ */

static void job_free(struct job *job)
{
	struct job **p = &job->control->jobs;

	while (*p != job)
		p = &(*p)->next;
	*p = job->next;
	free(job->text);
	free(job);
}

static void reply(struct client *c, char *text, size_t len);

/* Main thread. */
static void job_done(void *opaque)
{
	struct job *job = opaque;
	struct client *c = job->client;
	char *text = job->text;

	job->text = NULL;
	if (c)
		c->job = NULL;
	if (c)
		reply(c, text, job->len);
	else
		free(text);
	job_free(job);
}

/* Device thread. */
static void job_run(void *opaque)
{
	struct job *job = opaque;
	struct vm *vm = job->control->vm;
	int state = JOB_QUEUED;

	if (__atomic_compare_exchange_n(&job->state, &state, JOB_BEGUN, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		job->text = control_run(vm, job->line, &job->len);
	job->work.fn = job_done;
	loop_post(vm_main_loop(vm), &job->work);
}

static int job_start(struct client *c)
{
	struct control *ctl = c->control;
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	*job = (struct job){
		.work = { .fn = job_run, .opaque = job },
		.control = ctl,
		.client = c,
		.next = ctl->jobs,
		.state = JOB_QUEUED,
		.status = !strcmp(c->line, "status"),
	};
	strcpy(job->line, c->line);
	ctl->jobs = job;
	c->job = job;
	loop_timer_arm(vm_main_loop(ctl->vm), &c->timer, ANSWER_LIMIT);
	loop_post(vm_loop(ctl->vm), &job->work);
	return 0;
}

/* What can be said of a VM whose device thread is held up. */
static char *late_text(struct vm *vm, struct job *job, size_t *len)
{
	int state = JOB_QUEUED;
	bool begun = !__atomic_compare_exchange_n(&job->state, &state, JOB_GIVEN_UP, false,
						  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	char what[VM_WAIT_BYTES], *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (!out)
		return NULL;
	vm_wait_text(vm, what, sizeof(what));
	if (job->status) {
		vm_status_brief(vm, out);
		fprintf(out, "waits_for=%s\nok\n", what);
	} else {
		fprintf(out, "error: the VM waits for %s; the command %s\n", what,
			begun ? "is under way" : "was not carried out");
	}
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

/* --- clients --------------------------------------------------------- */

static void drop(struct client *c)
{
	struct loop *loop = vm_main_loop(c->control->vm);

	loop_timer_disarm(loop, &c->timer);
	if (c->job)
		c->job->client = NULL;
	c->job = NULL;
	free(c->text);
	c->text = NULL;
	loop_del(loop, c->fd);
	close(c->fd);
	c->fd = -1;
}

static void client_late(void *opaque)
{
	struct client *c = opaque;
	struct job *job = c->job;
	size_t len = 0;
	char *text;

	if (!job) {
		drop(c);
		return;
	}
	text = late_text(c->control->vm, job, &len);
	job->client = NULL;
	c->job = NULL;
	reply(c, text, len);
}

/* Sends what the client takes now. Return: true if all of it has left. */
static bool send_some(struct client *c)
{
	struct loop *loop = vm_main_loop(c->control->vm);
	ssize_t n;

	while (c->at < c->text_len) {
		n = send(c->fd, c->text + c->at, c->text_len - c->at,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			loop_mod(loop, c->fd, EPOLLOUT);
			return false;
		}
		if (n < 0) {
			drop(c);
			return false;
		}
		c->at += (size_t)n;
		loop_timer_arm(loop, &c->timer, TAKE_LIMIT);
	}
	free(c->text);
	c->text = NULL;
	loop_timer_disarm(loop, &c->timer);
	loop_mod(loop, c->fd, EPOLLIN);
	return true;
}

/* @text is the client's from now on. Return: true if all of it has left. */
static bool begin_reply(struct client *c, char *text, size_t len)
{
	c->text = text;
	c->text_len = len;
	c->at = 0;
	loop_timer_arm(vm_main_loop(c->control->vm), &c->timer, TAKE_LIMIT);
	return send_some(c);
}

static void serve_lines(struct client *c);

/* Likewise, and on with the next line; NULL: there was no memory for @text. */
static void reply(struct client *c, char *text, size_t len)
{
	if (!text)
		drop(c);
	else if (begin_reply(c, text, len))
		serve_lines(c);
}

/* Answers the line in front, or begins to. */
static void serve_line(struct client *c)
{
	struct vm *vm = c->control->vm;
	size_t len = 0;
	char *text;

	if (!control_is_urgent(c->line)) {
		/* No more of its lines before it has the answer. */
		loop_mod(vm_main_loop(vm), c->fd, 0);
		if (job_start(c))
			drop(c);
		return;
	}
	text = control_run(vm, c->line, &len);
	if (text)
		begin_reply(c, text, len);
	else
		drop(c);
}

static void serve_lines(struct client *c)
{
	char *end;

	while (c->fd >= 0 && !c->job && !c->text && (end = strchr(c->line, '\n'))) {
		*end++ = 0;
		serve_line(c);
		c->len -= (unsigned int)(end - c->line);
		memmove(c->line, end, c->len + 1);
	}
	if (c->fd >= 0 && c->len == sizeof(c->line) - 1 && !strchr(c->line, '\n'))
		drop(c);
}

static void client_ready(void *opaque, int fd, uint32_t events)
{
	struct client *c = opaque;
	ssize_t n;

	if (c->text) {
		if (send_some(c))
			serve_lines(c);
		return;
	}
	/* Nothing is asked for while a job is under way: the client has gone. */
	if (c->job) {
		drop(c);
		return;
	}
	n = recv(fd, c->line + c->len, sizeof(c->line) - 1 - c->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (unsigned int)n;
	c->line[c->len] = 0;
	serve_lines(c);
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
		if (loop_add(vm_main_loop(ctl->vm), client, EPOLLIN, client_ready, c))
			break;
		c->fd = client;
		c->len = 0;
		c->line[0] = 0;
		return;
	}
	close(client);
}

/**
 * control_address() - make a socket's address of its path
 * @sa:   filled in
 * @path: of the socket
 *
 * Return: 0, or -ENAMETOOLONG after one line on stderr.
 */
int control_address(struct sockaddr_un *sa, const char *path)
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
		ctl->clients[i] = (struct client){
			.control = ctl,
			.fd = -1,
			.timer = { .fn = client_late, .opaque = &ctl->clients[i] },
		};
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = ctl->fd < 0 ? -errno : control_address(&sa, path);
	if (!err) {
		remove_stale(&sa);
		err = bind_private(ctl->fd, &sa);
	}
	if (!err && listen(ctl->fd, CLIENTS_MAX) < 0)
		err = -errno;
	if (!err)
		err = loop_add(vm_main_loop(vm), ctl->fd, EPOLLIN, listener_ready, ctl);
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
 * @control: not served by a thread any more, or NULL. The file stays when the
 *           sandbox does not let us remove it; the next VM to use the path does
 */
void control_destroy(struct control *control)
{
	if (!control)
		return;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i].fd >= 0)
			drop(&control->clients[i]);
	}
	/* The device thread has ended, and the main loop as well. */
	while (control->jobs)
		job_free(control->jobs);
	loop_del(vm_main_loop(control->vm), control->fd);
	close(control->fd);
	if (!vm_options(control->vm)->sandbox)
		unlink(control->path);
	free(control);
}
