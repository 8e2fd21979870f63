// SPDX-License-Identifier: GPL-2.0
/*
 * Drives /proc/TID/fail-nth. The file counts down at every point where the
 * task may be told to fail; at zero that point fails, and only that one.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fault.h"

/* Set a knob of the fault injection; false: this kernel has none of the name. */
static bool set_knob(const char *name, const char *value)
{
	char path[96];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return ok;
}

/**
 * fault_possible() - prepare the kernel for faults on purpose
 *
 * Allocations that may sleep fail too, and a failure prints nothing.
 *
 * Return: true if this kernel can.
 */
bool fault_possible(void)
{
	static const char *const quiet[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char name[64];
	unsigned int i;

	for (i = 0; i < sizeof(quiet) / sizeof(*quiet); i++) {
		snprintf(name, sizeof(name), "%s/verbose", quiet[i]);
		if (!set_knob(name, "0"))
			return false;
	}
	return set_knob("failslab/ignore-gfp-wait", "0") &&
	       set_knob("fail_page_alloc/ignore-gfp-wait", "0") &&
	       set_knob("fail_page_alloc/ignore-gfp-highmem", "0") &&
	       set_knob("fail_page_alloc/min-order", "0") &&
	       !access("/proc/self/fail-nth", W_OK);
}

static int open_nth(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", tid);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Setting the file is a user access too, so an armed task may fail in it once. */
static void write_nth(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fd, text, len, 0) != len)
		must(pwrite(fd, text, len, 0) == len, "fail-nth: %m");
}

/**
 * fault_arm() - let a task fail once
 * @tid: thread, of any process
 * @n:   its failure point counted from now, 1 the next
 */
void fault_arm(pid_t tid, unsigned int n)
{
	int fd = open_nth(tid);

	must(fd >= 0, "/proc/%d/fail-nth: %m", tid);
	write_nth(fd, n);
	close(fd);
}

/**
 * fault_disarm() - end what fault_arm() began
 * @tid: thread
 *
 * Opening and reading the file may themselves use up the count of the caller.
 * Such a fault shows as an error of these calls and is not one of the test's.
 *
 * Return: true if the task has failed.
 */
bool fault_disarm(pid_t tid)
{
	char text[16] = "";
	int fd = open_nth(tid);
	bool failed;

	if (fd < 0) {
		must(errno != ENOENT, "thread %d is gone", tid);
		fd = open_nth(tid);
		must(fd >= 0, "/proc/%d/fail-nth: %m", tid);
		write_nth(fd, 0);
		close(fd);
		return false;
	}
	failed = pread(fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	write_nth(fd, 0);
	close(fd);
	return failed;
}

static bool is_worker(const char *dir, const char *tid)
{
	char path[300], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/comm", dir, tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%31s", comm) != 1)
		comm[0] = 0;
	fclose(f);
	return !strncmp(comm, "kvhost-", 7) || !strncmp(comm, "vhost-", 6);
}

static unsigned int find_in(const char *dir, pid_t *tids, unsigned int n)
{
	struct dirent *e;
	DIR *d = opendir(dir);

	must(d, "%s: %m", dir);
	while (n < FAULT_WORKERS && (e = readdir(d)))
		if (isdigit(e->d_name[0]) && atoi(e->d_name) != getpid() &&
		    is_worker(dir, e->d_name))
			tids[n++] = atoi(e->d_name);
	closedir(d);
	return n;
}

/**
 * fault_find_workers() - all workers there are, kernel threads or ours
 * @tids: result, room for FAULT_WORKERS
 *
 * Return: how many.
 */
unsigned int fault_find_workers(pid_t *tids)
{
	return find_in("/proc", tids, find_in("/proc/self/task", tids, 0));
}

/* What a call may answer that has been refused memory or its argument. */
static bool expected_error(int r)
{
	return r == -ENOMEM || r == -EFAULT || r == -EAGAIN;
}

/**
 * fault_each() - make a call fail at each of its points, then succeed
 * @c:   call
 * @arg: its argument
 *
 * A fault that the call survives is fine. The call must succeed in the end,
 * after all its failures and without any step between them.
 *
 * Return: number of faults.
 */
unsigned int fault_each(const struct fault_call *c, void *arg)
{
	pid_t self = getpid();
	unsigned int n;
	bool failed;
	int r;

	for (n = 1; n < FAULT_MOST; n++) {
		fault_arm(self, n);
		r = c->call(arg);
		failed = fault_disarm(self);
		if (!failed) {
			must(!r, "%s: %s though nothing failed any more (after %u faults)",
			     c->name, strerror(-r), n - 1);
			return n - 1;
		}
		must(!r || expected_error(r), "%s: %s after fault %u", c->name, strerror(-r), n);
		if (!r && c->undo) {
			r = c->undo(arg);
			must(!r, "%s: undoing it: %s", c->name, strerror(-r));
		}
	}
	die("%s: no end of faults", c->name);
}
