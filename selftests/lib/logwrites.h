/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The log of a dm log-writes device: every write in the order in which it
 * became durable, with the marks set meanwhile.
 */
#ifndef SELFTESTS_LOGWRITES_H
#define SELFTESTS_LOGWRITES_H

#include "base.h"

long logwrites_replay(int log, int to, const char *mark);

#endif /* SELFTESTS_LOGWRITES_H */
