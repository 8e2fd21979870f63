/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What /proc tells of tasks.
 */
#ifndef SELFTESTS_PROC_H
#define SELFTESTS_PROC_H

#include <sys/types.h>
#include "base.h"

bool wait_blocked(pid_t tid);
bool wait_workers_rest(unsigned int ms);

#endif /* SELFTESTS_PROC_H */
