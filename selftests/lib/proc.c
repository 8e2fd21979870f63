// SPDX-License-Identifier: GPL-2.0
/*
 * Waits for what a task of a test, or a worker, is about to do in the kernel.
 */
#include <dirent.h>
#include <stdio.h>
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

/* Nanoseconds that a task has run, 0 if it is none of our workers. */
static u64 worker_ran(const char *tid)
{
	char path[300], comm[32] = "", want[32];
	u64 ran = 0;
	FILE *f;

	snprintf(want, sizeof(want), "kvhost-%d.", getpid());
	snprintf(path, sizeof(path), "/proc/%s/comm", tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = 0;
	fclose(f);
	if (strncmp(comm, want, strlen(want)))
		return 0;
	snprintf(path, sizeof(path), "/proc/%s/schedstat", tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &ran) != 1)
		ran = 0;
	fclose(f);
	return ran;
}

static u64 workers_ran(void)
{
	struct dirent *e;
	u64 sum = 0;
	DIR *d;

	d = opendir("/proc");
	must(d, "/proc: %m");
	while ((e = readdir(d)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			sum += worker_ran(e->d_name);
	closedir(d);
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
