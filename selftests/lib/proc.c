// SPDX-License-Identifier: GPL-2.0
/*
 * Waits for what a task of a test, or a worker, is about to do in the kernel.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "proc.h"
#include "vring.h"

/**
 * wait_blocked() - wait until a task blocks in the kernel
 * @tid: a process, which is its main thread, or a thread
 *
 * It may do so for another reason than that which is waited for, a page fault say.
 *
 * Return: whether it did within the limit every wait has, and before it ended.
 */
bool wait_blocked(pid_t tid)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	const u64 end = now_ms() + LIMIT_MS;
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	while (state != 'D' && now_ms() < end) {
		nanosleep(&pause, NULL);
		f = fopen(path, "re");
		if (!f)
			break;
		/* A task that has ended meanwhile tells nothing. */
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		fclose(f);
	}
	return state == 'D';
}

/* Call @fn for those threads of a process that are workers. */
static void each_worker_of(const char *pid, void (*fn)(const struct worker *w, void *arg),
			   void *arg)
{
	struct worker w = { };
	char path[600];
	struct dirent *e;
	DIR *d;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	d = opendir(path);
	/* It may have ended meanwhile. */
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", pid, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!f)
			continue;
		w.tid = atoi(e->d_name);
		if (fscanf(f, "%31s", w.comm) == 1 &&
		    sscanf(w.comm, "kvhost-%d.%*c", &w.owner) == 1 && strchr(w.comm, '.'))
			fn(&w, arg);
		fclose(f);
	}
	if (d)
		closedir(d);
}

/**
 * each_worker() - look at all workers there are
 * @fn:  called for each
 * @arg: given to it
 *
 * A worker is a thread of its owner, or of the kernel on one without vhost tasks.
 */
void each_worker(void (*fn)(const struct worker *w, void *arg), void *arg)
{
	struct dirent *e;
	DIR *d;

	d = opendir("/proc");
	must(d, "/proc: %m");
	while ((e = readdir(d)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			each_worker_of(e->d_name, fn, arg);
	closedir(d);
}

static void match_name(const struct worker *w, void *arg)
{
	struct worker *want = arg;

	if (!strcmp(w->comm, want->comm))
		want->tid = w->tid;
}

/**
 * worker_named() - find a worker
 * @comm: name of its thread
 *
 * Return: the thread, -1 if there is none
 */
pid_t worker_named(const char *comm)
{
	struct worker want = { .tid = -1 };

	snprintf(want.comm, sizeof(want.comm), "%s", comm);
	each_worker(match_name, &want);
	return want.tid;
}

/* Add the nanoseconds that a worker of this process has run. */
static void add_ran(const struct worker *w, void *arg)
{
	u64 *sum = arg, ran;
	char path[64];
	FILE *f;

	if (w->owner != getpid())
		return;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", w->tid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fscanf(f, "%llu", &ran) == 1)
		*sum += ran;
	fclose(f);
}

static u64 workers_ran(void)
{
	u64 sum = 0;

	each_worker(add_ran, &sum);
	must(sum, "this process has no worker, or /proc/PID/schedstat tells nothing");
	return sum;
}

/**
 * wait_workers_rest() - wait for a time in which no worker of this process runs
 * @ms: how long a time, below a second
 *
 * Return: whether there was one. Workers that look again and again have none.
 */
bool wait_workers_rest(unsigned int ms)
{
	const struct timespec span = { .tv_nsec = ms * 1000000l };
	const u64 end = now_ms() + LIMIT_MS;
	u64 before, ran = workers_ran();

	do {
		before = ran;
		nanosleep(&span, NULL);
		ran = workers_ran();
	} while (ran != before && now_ms() < end);
	return ran == before;
}
