/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blk_user.h - what the files of the userspace backend share.
 */
#ifndef KVHOST_BLK_USER_H
#define KVHOST_BLK_USER_H

#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "blk_backend.h"
#include "blk_range.h"
#include "blk_request.h"
#include "bucket.h"
#include "ring.h"

/* Chains taken at a time, and chains a queue may start before the next one. */
#define USER_BATCH	64u
#define USER_TURN	256u

/* A chain always fits, and a batch of usual ones does. */
#define USER_SEGS	(2 * KVH_CHAIN_SEGS_MAX)

/* Requests of one queue in flight; the driver waits beyond. */
#define USER_REQUESTS_MAX	4096u

/* Bounce buffers of one disk; requests wait beyond. */
#define USER_BOUNCE_MAX	(16u << 20)

/* Places in the ring's registered files; the doorbell of queue n is n behind. */
#define USER_FILE_DISK		0
#define USER_FILE_CONTROL	1
#define USER_FILE_KICK		2

/* Low bits of a completion's user data; the rest is a pointer. */
#define USER_TAG_REQUEST	0u
#define USER_TAG_KICK		1u
#define USER_TAG_CONTROL	2u
#define USER_TAG_LIMIT		3u
#define USER_TAG_MASK		3u

struct blk_user;

/**
 * struct user_queue - one virtqueue
 * @user:     its disk
 * @stats:    counters; written by the I/O thread, read by any
 * @call_fd:  interrupt; this group is written while the queue is stopped
 * @ring:     the virtqueue
 * @requests: all requests
 * @table:    scratch for indirect tables
 * @order:    re-sequencing table, or NULL
 * @free:     unused requests; from here on the I/O thread's own
 * @nr_free:  how many
 * @kicks:    what the read of its doorbell returns
 * @armed:    that read is under way
 * @running:  take new chains
 * @broken:   malformed, takes nothing until it is started again
 * @work:     look at the ring without waiting for a doorbell
 * @stalled:  chains wait for a request or a bounce buffer
 * @limited:  chains wait for the disk's limits
 * @paid:     the next chain was let through by them, and was put back since
 * @waited:   the next chain to be taken has waited for them
 * @held:     requests the disk failed, latest first, until it is resumed
 * @unpublished: chains completed since the last publish
 */
struct user_queue {
	struct blk_user *user;
	struct kvhost_vring_stats stats;

	int call_fd;
	struct kvh_ring ring;
	struct blk_request *requests;
	void *table;
	struct kvh_order *order;

	struct blk_request *free;
	unsigned int nr_free;
	uint64_t kicks;
	bool armed;
	bool running;
	bool broken;
	bool work;
	bool stalled;
	bool limited;
	bool paid;
	bool waited;
	struct blk_request *held;
	unsigned int unpublished;
};

/** enum user_command - what a vCPU thread asks of the I/O thread */
enum user_command {
	/** @USER_NONE: nothing, or the last command is done */
	USER_NONE,
	/** @USER_CREATE: create the io_uring; what the thread begins with */
	USER_CREATE,
	/** @USER_START: serve @command_queue */
	USER_START,
	/** @USER_STOP: stop serving it and wait for its requests */
	USER_STOP,
	/** @USER_LIMIT: obey @command_limits from now on */
	USER_LIMIT,
	/** @USER_RESUME: go on after errors as @command_action says */
	USER_RESUME,
	/** @USER_QUIT: end the thread; no queue runs */
	USER_QUIT,
};

/**
 * struct blk_user - one disk and its I/O thread
 * @base:     as dev_blk.c sees it; this group is constant while the thread runs
 * @setup:    what it was created from
 * @parse:    what requests are checked against
 * @env:      seam of the ring code
 * @thread:   the I/O thread
 * @started:  @thread exists
 * @control_fd: eventfd that a command is announced by
 * @nqueues:  entries of @queues
 * @features: what was negotiated, once it was
 * @writeback: a write need not be durable when it completes; any thread
 * @lock:     protects the command and @failed
 * @done:     signalled when it was carried out
 * @command:  the command under way; one at a time
 * @command_queue: what it is about
 * @command_limits: likewise
 * @command_action: likewise
 * @failed:   what the disk failed last
 * @error:    how @USER_CREATE ended
 * @uring:    from here on the I/O thread's own
 * @ranger:   thread for requests that name ranges
 * @control:  what the read of @control_fd returns
 * @armed:    that read is under way
 * @lost:     0, or the error that told of writes the page cache has lost
 * @bounced:  bytes of bounce buffers
 * @limits:   how fast the disk may be used
 * @wait:     how long a queue waits for that
 * @waiting:  @wait is being waited for
 * @first:    queue that is served first next time
 * @quit:     the thread is to end
 * @chains:   the batch being started
 * @segs:     its segments
 * @queues:   the queues
 */
struct blk_user {
	struct blk_backend base;
	const struct blk_setup *setup;
	struct blk_parse parse;
	struct kvh_env env;
	pthread_t thread;
	bool started;
	int control_fd;
	unsigned int nqueues;
	uint64_t features;
	bool writeback;

	pthread_mutex_t lock;
	pthread_cond_t done;
	enum user_command command;
	struct user_queue *command_queue;
	const struct disk_limits *command_limits;
	uint32_t command_action;
	struct kvhost_blk_error failed;
	int error;

	struct io_uring uring;
	struct blk_ranger ranger;
	uint64_t control;
	bool armed;
	int lost;
	size_t bounced;
	struct kvh_limits limits;
	struct __kernel_timespec wait;
	bool waiting;
	unsigned int first;
	bool quit;
	struct kvh_chain chains[USER_BATCH];
	struct kvh_seg segs[USER_SEGS];
	struct user_queue queues[];
};

/* blk_user_queue.c */
int user_queue_prepare(struct user_queue *q, uint64_t features,
		       const struct virtio_queue *vq);
void user_queue_release(struct user_queue *q);
void user_queue_start(struct user_queue *q);
void user_queue_serve(struct user_queue *q);
void user_queue_flush(struct user_queue *q);
void user_queue_kicked(struct user_queue *q, int res);
void user_queue_retry(struct user_queue *q, struct blk_request *req);
void user_queue_completed(struct blk_request *req, int res);
bool user_queue_wants_turn(struct user_queue *q);

/* blk_user_limit.c */
bool user_limit_take(struct user_queue *q, const struct kvh_chain *chain);
void user_limit_passed(struct blk_user *u);
void user_limit_set(struct blk_user *u, const struct disk_limits *limits);

/* blk_user_halt.c */
bool user_halt_keep(struct user_queue *q, struct blk_request *req, int res);
void user_halt_resume(struct user_queue *q, uint32_t action);
void user_halt_note_lost(struct blk_user *u, const struct blk_request *req,
			 int res);

/* blk_user_ring.c */
int user_ring_create(struct io_uring *ring, const int *fds, unsigned int nfds,
		     unsigned int entries, unsigned int cqes);

/* blk_user.c */
struct io_uring_sqe *blk_user_sqe(struct blk_user *u, void *ptr,
				  unsigned int tag);

#endif
