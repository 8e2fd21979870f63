/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blk_backend.h - who processes the queues of a virtio-blk device: the kernel
 * module (blk_kernel.c) or a thread of this process (blk_user.c).
 */
#ifndef KVHOST_BLK_BACKEND_H
#define KVHOST_BLK_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <kvhost.h>

struct blk_backend;
struct disk;
struct disk_limits;
struct disk_options;
struct guest_memory;
struct virtio_queue;

/**
 * struct blk_backend_ops - what a backend does, all under vm_lock()
 * @start:         the driver is ready: @features were negotiated, and a write
 *                 need not be durable when it completes if @writeback
 * @set_writeback: @writeback changed on a started device
 * @queue_start:   serve a queue
 * @queue_stop:    stop; on return nothing of it is in flight
 * @set_limits:    use the disk no faster than that from now on
 * @error:         read what the disk failed last, as KVHOST_BLK_GET_ERROR
 * @resume:        go on after errors; @action is KVHOST_BLK_RETRY or _REPORT
 * @resize:        the disk may have another size: see to it, and to @capacity
 * @stats:         read the counters of a queue
 * @requests:      read what became of a queue's requests; NULL: not counted
 * @destroy:       free; no queue is served
 *
 * Functions that return int return 0 or -errno.
 */
struct blk_backend_ops {
	int (*start)(struct blk_backend *backend, uint64_t features,
		     bool writeback);
	int (*set_writeback)(struct blk_backend *backend, bool writeback);
	int (*queue_start)(struct blk_backend *backend,
			   const struct virtio_queue *vq);
	void (*queue_stop)(struct blk_backend *backend,
			   const struct virtio_queue *vq);
	int (*set_limits)(struct blk_backend *backend,
			  const struct disk_limits *limits);
	int (*error)(struct blk_backend *backend,
		     struct kvhost_blk_error *error);
	int (*resume)(struct blk_backend *backend, uint32_t action);
	int (*resize)(struct blk_backend *backend);
	int (*stats)(struct blk_backend *backend, unsigned int index,
		     struct kvhost_vring_stats *stats);
	int (*requests)(struct blk_backend *backend, unsigned int index,
			struct kvhost_blk_queue_stats *stats);
	void (*destroy)(struct blk_backend *backend);
};

/**
 * struct blk_backend - what every backend has; constant after creation but for
 * the capacity
 * @ops:      its functions
 * @features: virtio features it can serve
 * @capacity: in sectors of 512 bytes
 * @logical:  smallest unit of I/O, bytes
 * @physical: unit of efficient I/O, bytes
 * @seg_max:  most data segments of a request
 * @serves:   KVHOST_BLK_DISCARD and the like
 * @ranges_max: most ranges of one of these
 * @discard_granularity: bytes that are deallocated together, 0 if not known
 */
struct blk_backend {
	const struct blk_backend_ops *ops;
	uint64_t features;
	uint64_t capacity;
	uint32_t logical;
	uint32_t physical;
	uint32_t seg_max;
	uint64_t serves;
	uint32_t ranges_max;
	uint32_t discard_granularity;
};

/**
 * struct blk_setup - what a backend is created from; outlives it
 * @name:   for messages
 * @disk:   the disk
 * @opt:    its options
 * @mem:    guest RAM
 * @queues: number of queues
 * @vqs:    the queues; only their doorbells are used before @queue_start
 * @writeback: a write need not be durable when it completes, until a driver
 *          decides
 * @err_fd: eventfd to raise when a queue breaks
 */
struct blk_setup {
	const char *name;
	const struct disk *disk;
	const struct disk_options *opt;
	const struct guest_memory *mem;
	unsigned int queues;
	const struct virtio_queue *vqs;
	bool writeback;
	int err_fd;
};

/* Both write one line on stderr when they fail. */
int blk_kernel_create(struct blk_backend **backend,
		      const struct blk_setup *setup);
int blk_user_create(struct blk_backend **backend,
		    const struct blk_setup *setup);

/* blk_stats.c */
void blk_stats_print(FILE *out, const char *name, struct blk_backend *backend,
		     unsigned int queues);

#endif
