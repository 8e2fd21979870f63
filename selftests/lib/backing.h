/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disks to put behind a device: null_blk made through configfs, files on
 * tmpfs, files on an ext4 file system in a loop device.
 *
 * backing_*() register their own removal: whatever a process made goes away
 * when it calls exit(), last made first. Make them before the harness forks
 * its tests; a test then opens them by path.
 */
#ifndef SELFTESTS_BACKING_H
#define SELFTESTS_BACKING_H

#include "base.h"

#define BACKING_PATH	96

/**
 * struct nullb_opts - a null_blk device
 * @mb:     size in MiB
 * @bs:     block size in bytes; 0: 512
 * @delay_ns: every completion comes this much later; 0: at once
 * @depth:  requests it takes at a time on each of its 2 queues; 0: 64
 * @cache_mb: size of its volatile write cache; 0: none
 * @memory: it remembers what was written, and can discard it
 */
struct nullb_opts {
	unsigned int mb;
	unsigned int bs;
	unsigned long delay_ns;
	unsigned int depth;
	unsigned int cache_mb;
	bool memory;
};

const char *backing_nullb(const char *name, const struct nullb_opts *o);
const char *backing_tmpfs(unsigned int mb);
const char *backing_ext4(unsigned int mb);
const char *backing_full(unsigned int room_mb, unsigned int mb);
const char *backing_full_ext4(unsigned int mb, unsigned int fs_mb);
const char *backing_add(const char *path, const char *undo);
void backing_nullb_pull(const char *name);
void backing_undo(void);
int backing_open(const char *path, int flags);
int __run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* SELFTESTS_BACKING_H */
