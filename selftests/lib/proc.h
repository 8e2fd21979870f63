/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What /proc tells of tasks.
 */
#ifndef SELFTESTS_PROC_H
#define SELFTESTS_PROC_H

#include <sys/types.h>
#include "base.h"

/**
 * struct worker - a thread that serves queues
 * @tid:   the thread
 * @owner: process that owns its device
 * @comm:  its name
 */
struct worker {
	pid_t tid;
	pid_t owner;
	char comm[32];
};

void each_worker(void (*fn)(const struct worker *w, void *arg), void *arg);
pid_t worker_named(const char *comm);
bool wait_blocked(pid_t tid);
bool wait_workers_rest(unsigned int ms);

#endif /* SELFTESTS_PROC_H */
