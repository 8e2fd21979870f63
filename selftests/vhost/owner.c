// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of a device whose owner forks, executes a program, exits or is
 * killed while the node is still open elsewhere, and what is free when an owner
 * without heirs has ended.
 *
 *	this process: driver == shared rings and packets == a child: owner
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include "kselftest.h"
#include "table.h"

enum deed { LIVES, FORKS, CLOSES, EXECUTES, EXITS, IS_KILLED };

/* Parts of the rings, in the region that a child shares with us. */
static void share_rings(struct side *s)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct vq *q = &s->p.k.q[i];
		u64 at = gmem_alloc(q->mem, GMEM_MID, 3 * 4096, 4096);

		q->desc = gmem_va(q->mem, at);
		q->avail = gmem_va(q->mem, at + 4096);
		q->used = gmem_va(q->mem, at + 8192);
		vq_reset(q, 0);
	}
}

/* The owner's life, up to the deed in question; then it waits to be killed. */
static _Noreturn void be_owner(struct side *s, enum deed deed, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	side_start(s);
	if (deed == FORKS && !fork())
		_exit(0);
	if (deed == CLOSES)
		close(s->p.k.fd);
	/* An execution closes the pipe, and so does an end. */
	if (deed == EXECUTES)
		execlp("sleep", "sleep", "1000", NULL);
	if (deed == EXITS)
		_exit(0);
	if (deed == IS_KILLED)
		kill(getpid(), SIGKILL);
	must(write(ready, "1", 1) == 1, "ready: %m");
	for (;;)
		pause();
}

static pid_t start_owner(struct side *s, enum deed deed)
{
	int p[2], st;
	pid_t pid;
	char c;

	must(!pipe2(p, O_CLOEXEC), "pipe: %m");
	pid = fork();
	must(pid >= 0, "fork: %m");
	if (!pid)
		be_owner(s, deed, p[1]);
	close(p[1]);
	/* A byte, or the end of the pipe. */
	must(read(p[0], &c, 1) >= 0, "ready: %m");
	close(p[0]);
	if (deed == EXITS || deed == IS_KILLED)
		must(waitpid(pid, &st, 0) == pid, "waitpid: %m");
	return pid;
}

static void ask_deed(struct side *s, const struct row *row, struct answer *a)
{
	pid_t pid;

	share_rings(s);
	pid = start_owner(s, row->v);
	say(a, "%s,", pair_works(&s->p) ? "carries" : "is mute");
	say(a, " %s,", error_name(side_call(s, VHOST_SET_OWNER, NULL)));
	say(a, " %s", error_name(side_call(s, VHOST_RESET_OWNER, NULL)));
	if (row->v != EXITS && row->v != IS_KILLED) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* Own a device with a tap of one's own, whose number is above the node's. */
static _Noreturn void own_and_end(struct side *s, const char *tap, bool killed)
{
	static const struct pair_opts none;

	s->p.k.fd = open(s->node, O_RDWR | O_CLOEXEC);
	must(s->p.k.fd >= 0, "%s: %m", s->node);
	s->p.back = fcntl(tap_open(tap, &none), F_DUPFD, 500);
	side_start(s);
	if (killed)
		kill(getpid(), SIGKILL);
	_exit(0);
}

static bool tap_is_free(const char *tap)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), ret;

	must(fd >= 0, "/dev/net/tun: %m");
	strcpy(r.ifr_name, tap);
	ret = ioctl(fd, TUNSETIFF, &r);
	close(fd);
	return !ret;
}

static void await_tap(const char *tap)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	const u64 end = now_ms() + LIMIT_MS;

	while (!tap_is_free(tap)) {
		must(now_ms() < end, "%s is never free", tap);
		nanosleep(&pause, NULL);
	}
}

/* As soon as the owner has been waited for, others may have its tap. */
static void ask_free(struct side *s, const struct row *row, struct answer *a)
{
	unsigned int i, busy = 0;
	int st;

	for (i = 0; i < 20; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork: %m");
		if (!pid)
			own_and_end(s, "tap7", row->v == IS_KILLED);
		must(waitpid(pid, &st, 0) == pid, "waitpid: %m");
		must(WIFEXITED(st) == (row->v == EXITS), "the owner failed");
		if (tap_is_free("tap7"))
			continue;
		busy++;
		await_tap("tap7");
	}
	say(a, "busy %u of 20 times", busy);
}

#define DEED(d)		{ .name = "the owner " #d, .ask = ask_deed, .states = IN(OPENED), .v = d }
#define FREE(d)		{ .name = "the tap is free when the owner " #d, .ask = ask_free, \
			  .states = IN(OPENED), .v = d }

static const struct row rows[] = {
	DEED(LIVES), DEED(FORKS), DEED(CLOSES), DEED(EXECUTES), DEED(EXITS), DEED(IS_KILLED),
	FREE(EXITS), FREE(IS_KILLED),
};

int main(void)
{
	table_run(rows, ARRAY_SIZE(rows));
}
