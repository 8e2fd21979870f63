/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blk_range.h - DISCARD, WRITE_ZEROES and SECURE_ERASE of the userspace backend,
 * carried out by a thread of their own.
 */
#ifndef KVHOST_BLK_RANGE_H
#define KVHOST_BLK_RANGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct blk_backend;
struct blk_request;
struct disk;

/**
 * struct blk_ranger - the thread of one disk
 * @disk:    the disk; this group is constant once it runs
 * @granularity: bytes it gives up together, 0 if not known
 * @thread:  the thread
 * @started: @thread exists
 * @done_fd: eventfd raised when a request has ended; its I/O thread's
 * @step:    bytes of the next step; the thread's own
 * @stop_at: when @stopping was set, now_ns(); lockless
 * @stopping: blk_request.owner of the queue that is to stop, or NULL; lockless
 * @lock:    protects what follows
 * @wake:    signalled for the thread
 * @todo:    requests to carry out, by blk_request.next
 * @last:    where the next one is linked
 * @done:    requests that have ended, newest first
 * @quit:    the thread is to end
 */
struct blk_ranger {
	const struct disk *disk;
	uint32_t granularity;
	pthread_t thread;
	bool started;
	int done_fd;

	uint64_t step;
	uint64_t stop_at;
	const void *stopping;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct blk_request *todo;
	struct blk_request **last;
	struct blk_request *done;
	bool quit;
};

void blk_range_probe(struct blk_backend *base, const struct disk *disk);
int blk_range_create(struct blk_ranger *r, const struct disk *disk, uint32_t granularity,
		     const char *name, int done_fd);
void blk_range_destroy(struct blk_ranger *r);
void blk_range_stop(struct blk_ranger *r, const void *owner);
void blk_range_submit(struct blk_ranger *r, struct blk_request *req);
struct blk_request *blk_range_take_done(struct blk_ranger *r);

#endif
