// SPDX-License-Identifier: GPL-2.0
/*
 * Asks the rows of a table of both nodes, side by side, and compares.
 *
 * Most of the time is spent waiting in close(), so a few processes share the
 * rows, each with devices, taps and memory of its own. The answers are collected
 * in memory they share.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest.h"
#include "table.h"

#define HELPERS	8u

/**
 * struct asked - what all helpers share
 * @next:    next row to be asked
 * @answers: by row and state: vhost-net's, ours
 */
struct asked {
	unsigned int next;
	struct answer answers[][STATES][2];
};

/**
 * say() - add words to an answer
 * @a:   answer
 * @fmt: words
 */
void say(struct answer *a, const char *fmt, ...)
{
	size_t used = strlen(a->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(a->text + used, sizeof(a->text) - used, fmt, args);
	va_end(args);
}

/**
 * error_name() - name of an error
 * @err: 0 or -errno
 *
 * Return: "0", "EINVAL" and the like.
 */
const char *error_name(int err)
{
	return err ? strerrorname_np(-err) : "0";
}

static void ask_elsewhere(struct side *s, const struct row *row, struct answer *a)
{
	pid_t pid = fork();
	int st;

	must(pid >= 0, "fork: %m");
	if (!pid) {
		row->ask(s, row, a);
		_exit(0);
	}
	must(waitpid(pid, &st, 0) == pid && !st, "%s: the caller failed", row->name);
}

static void ask(struct side *sides, const struct row *row, enum state in, struct answer *a)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		side_bring(&sides[i], in);
		if (in == FOREIGN)
			ask_elsewhere(&sides[i], row, &a[i]);
		else
			row->ask(&sides[i], row, &a[i]);
		side_close(&sides[i]);
	}
}

static bool asked_in(const struct row *row, enum state in)
{
	return !row->states || row->states & IN(in);
}

static _Noreturn void helper(const struct row *rows, unsigned int n, struct asked *all)
{
	static struct side sides[2];
	enum state in;
	unsigned int i;

	side_init(&sides[0], VHOST_NET_NODE);
	side_init(&sides[1], KVHOST_NET_NODE);
	for (;;) {
		i = __atomic_fetch_add(&all->next, 1, __ATOMIC_RELAXED);
		if (i >= n)
			_exit(0);
		for (in = OPENED; in < STATES; in++)
			if (asked_in(&rows[i], in))
				ask(sides, &rows[i], in, all->answers[i][in]);
	}
}

static void ask_all(const struct row *rows, unsigned int n, struct asked *all)
{
	unsigned int i;
	int st;

	fflush(stdout);
	for (i = 0; i < HELPERS && i < n; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork: %m");
		if (!pid)
			helper(rows, n, all);
	}
	for (i = 0; i < HELPERS && i < n; i++)
		must(wait(&st) > 0 && !st, "a helper failed");
}

/* Does this kernel's vhost-net offer a feature? */
static bool offered(unsigned int bit)
{
	int fd = open(VHOST_NET_NODE, O_RDWR);
	u64 features = 0;

	must(fd >= 0 && !ioctl(fd, VHOST_GET_FEATURES, &features), "VHOST_GET_FEATURES: %m");
	close(fd);
	return features & 1ull << bit;
}

/* Is this a kernel on which the row differs on purpose? */
static bool meant_here(const struct row *row)
{
	switch (row->on) {
	case K_NO_RING_RESET:
		return row->differs && !offered(VIRTIO_F_RING_RESET);
	case K_RING_RESET:
		return row->differs && offered(VIRTIO_F_RING_RESET);
	case K_NO_IN_ORDER:
		return row->differs && !offered(VIRTIO_F_IN_ORDER);
	default:
		return row->differs;
	}
}

static bool judge(const struct row *row, enum state in, const struct answer *a, bool meant)
{
	bool same = !strcmp(a[0].text, a[1].text);
	bool listed = meant && (row->in ? row->in : IN_ALL) & IN(in);

	if (same && listed)
		ksft_print_msg("%s: no longer differs, answer %s; %s\n", state_names[in],
			       a[0].text, differences[row->differs]);
	if (!same && !listed)
		ksft_print_msg("%s: vhost-net %s, kvhost-net %s\n", state_names[in], a[0].text,
			       a[1].text);
	return same != listed;
}

static bool judge_row(const struct row *row, struct answer (*a)[2])
{
	bool meant = meant_here(row), ok = true;
	enum state in;

	for (in = OPENED; in < STATES; in++)
		if (asked_in(row, in))
			ok &= judge(row, in, a[in], meant);
	return ok;
}

/**
 * table_run() - ask all rows, and report
 * @rows: table
 * @n:    rows
 *
 * Ends the program.
 */
void table_run(const struct row *rows, unsigned int n)
{
	size_t size = sizeof(struct asked) + n * sizeof(((struct asked *)0)->answers[0]);
	struct asked *all;
	unsigned int i;

	ksft_print_header();
	if (access(VHOST_NET_NODE, F_OK) && system("modprobe vhost_net 2>/dev/null"))
		ksft_exit_skip("no %s to compare with: load vhost_net\n", VHOST_NET_NODE);
	all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(all != MAP_FAILED, "out of memory");
	ksft_set_plan(n);
	ask_all(rows, n, all);
	for (i = 0; i < n; i++) {
		bool ok = judge_row(&rows[i], all->answers[i]);

		if (ok && meant_here(&rows[i]))
			ksft_print_msg("%s\n", differences[rows[i].differs]);
		ksft_test_result(ok, "%s: %s\n", meant_here(&rows[i]) ? "differs on purpose" :
				 "as vhost-net", rows[i].name);
	}
	ksft_finished();
}
