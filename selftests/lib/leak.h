/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What must not be left behind: worker threads, pinned pages, open files,
 * module references. Take a snapshot before, compare after.
 */
#ifndef SELFTESTS_LEAK_H
#define SELFTESTS_LEAK_H

#include "base.h"

/**
 * struct leak - a snapshot
 * @threads: kernel threads of kvhost
 * @pins:    pages pinned and not released
 * @files:   open files of the whole system
 * @refs:    references to the backends' modules
 */
struct leak {
	long threads;
	long pins;
	long files;
	long refs;
};

long leak_pins(void);
void leak_snapshot(struct leak *l);
bool leak_wait_clean(const struct leak *before, struct leak *after);
long leak_slab(const char *cache);

#endif /* SELFTESTS_LEAK_H */
