/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file whose server is part of the test: it can keep what it is asked to itself,
 * and it cannot punch holes. The kernel knows no IOCB_NOWAIT for such a file.
 */
#ifndef SELFTESTS_FUSE_H
#define SELFTESTS_FUSE_H

#include <sys/types.h>
#include "backing.h"

/**
 * struct fuse_shared - what the server and the test share
 * @hold:      reads, writes and flushes are not answered
 * @held:      requests that were not
 * @fallocate: times it was asked to punch or zero, which it refuses
 * @written:   bytes written
 */
struct fuse_shared {
	bool hold;
	unsigned int held;
	unsigned int fallocate;
	u64 written;
};

/**
 * struct fuse - a file system of one file
 * @path:   of the file, whose bytes are zero until they are written
 * @dir:    where it is mounted
 * @server: process that serves it
 * @s:      shared with the server
 */
struct fuse {
	char path[BACKING_PATH];
	char dir[BACKING_PATH / 2];
	pid_t server;
	struct fuse_shared *s;
};

bool fuse_start(struct fuse *f, const char *name, unsigned int mb);
void fuse_stop(struct fuse *f);
void fuse_hold(struct fuse *f, bool hold);
bool fuse_wait_held(const struct fuse *f, unsigned int n);

#endif /* SELFTESTS_FUSE_H */
