/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Let the kernel fail on purpose: the Nth allocation or user access of a task.
 *
 * It takes a kernel with CONFIG_FAULT_INJECTION, as tools/testhost/debug-kernel
 * builds one. Failures are counted by the kernel, so no chance is involved.
 */
#ifndef SELFTESTS_FAULT_H
#define SELFTESTS_FAULT_H

#include <sys/types.h>
#include "base.h"

/* Most workers a test lets fail at a time. */
#define FAULT_WORKERS	8u

/* A call that still fails after this many faults is given up: it has no end. */
#define FAULT_MOST	3000u

bool fault_possible(void);
void fault_arm(pid_t tid, unsigned int n);
bool fault_disarm(pid_t tid);
unsigned int fault_find_workers(pid_t *tids);

/**
 * struct fault_call - a call that is to survive every fault
 * @name: for messages
 * @call: makes it; 0 or -errno
 * @undo: takes a success back, so that it can be made again; NULL: no need
 */
struct fault_call {
	const char *name;
	int (*call)(void *arg);
	int (*undo)(void *arg);
};

unsigned int fault_each(const struct fault_call *c, void *arg);

#endif /* SELFTESTS_FAULT_H */
