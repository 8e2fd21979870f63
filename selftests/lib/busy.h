/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file system whose files a device holds: it can be unmounted just when the
 * device has let go of all of them.
 */
#ifndef SELFTESTS_BUSY_H
#define SELFTESTS_BUSY_H

#include "base.h"

/**
 * enum busy_end - how the owner parts with its device
 * @BUSY_EXIT:  it exits
 * @BUSY_KILL:  it is killed
 * @BUSY_CLOSE: it closes the device and lives on
 * @BUSY_RESET: VHOST_RESET_OWNER
 */
enum busy_end {
	BUSY_EXIT,
	BUSY_KILL,
	BUSY_CLOSE,
	BUSY_RESET,
};

/**
 * struct busy - a place to mount a file system
 * @dir:       where
 * @expedited: value of rcu_expedited to restore, -1 if it was not changed
 * @check:     more to look at when the device has ended: true if something is
 *             still in use; may be NULL
 */
struct busy {
	char dir[32];
	int expedited;
	bool (*check)(void);
};

void busy_init(struct busy *b, bool expedited);
void busy_exit(struct busy *b);
int busy_file(struct busy *b, const char *name, size_t size);
void busy_map(struct busy *b, void *va, size_t size);
bool busy_round(struct busy *b, enum busy_end end, int (*start)(struct busy *b));

#endif /* SELFTESTS_BUSY_H */
