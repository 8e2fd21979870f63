/* SPDX-License-Identifier: GPL-2.0 */
/*
 * terminal.h - raw mode, and a promise to leave it.
 */
#ifndef KVHOST_TERMINAL_H
#define KVHOST_TERMINAL_H

#include <stdbool.h>

/* Put standard input into raw mode; false when it is not a terminal of ours. */
bool terminal_raw(void);
/* Undo that; also from a signal handler, and harmless when there is nothing to undo. */
void terminal_restore(void);

#endif
