/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blk.h - what the files of kvhost_blk share.
 *
 * A request belongs to its queue's worker from kvh_vq_take() until it is
 * handed to the disk, then to the disk until blk_req_done(), then to the
 * worker again. Nobody else touches it.
 *
 * Each file calls those below it only: main, queue, request, payload, then what
 * does the I/O (bio, file, range, bounce), then defer, then done; disk, stats and
 * blk_hdr call none.
 */
#ifndef KVH_BLK_H
#define KVH_BLK_H

#include <linux/errseq.h>
#include <linux/fs.h>
#include <linux/llist.h>
#include <linux/workqueue.h>
#include <uapi/kvhost.h>
#include <kvhost.h>
#include "blk_hdr.h"
#include "budget.h"
#include "halt.h"
#include "limit.h"

struct bio_set;
struct block_device;
struct cgroup_subsys_state;
struct mem_cgroup;

/**
 * struct blk_owner - on whose account I/O is done
 * @css:   block cgroup
 * @memcg: memory cgroup
 */
struct blk_owner {
	struct cgroup_subsys_state *css;
	struct mem_cgroup *memcg;
};

/**
 * struct blk_disk - what requests go to; constant once built but for the capacity
 * @file:      the file or device node given, holding all below alive
 * @cred:      who gave it: files are read and written in their name
 * @owner:     who pays for what is deferred
 * @wq:        where what may block is done
 * @limits:    what requests are held against
 * @discard_granularity: bytes deallocated together, 0 if not known
 * @iocb_flags: IOCB_* of every request on a file
 * @bdev:      block device, NULL for a regular file
 * @bios:      bios for @bdev
 * @flags:     KVHOST_BLK_*
 * @start:     first byte of the disk in @file
 * @length:    bytes it was given, 0 for all there are
 * @pbs:       physical block size, bytes
 * @wb_err:    errors of writing back @file's cache up to when it was given
 * @mem_align: mask that memory addresses must not have bits of; 0: any
 * @serial:    for GET_ID
 */
struct blk_disk {
	struct file *file;
	const struct cred *cred;
	struct blk_owner owner;
	struct workqueue_struct *wq;
	struct kvh_blk_limits limits;
	u32 discard_granularity;
	int iocb_flags;
	errseq_t wb_err;
	struct block_device *bdev;
	struct bio_set *bios;
	u64 flags;
	u64 start;
	u64 length;
	u32 pbs;
	u32 mem_align;
	u8 serial[KVHOST_BLK_SERIAL_BYTES];
};

/**
 * struct blk_dev - backend state of a device
 * @disk:  its disk, NULL without one; under the device lock, stable while a
 *         queue runs
 * @limit: how fast it may be used
 * @halt:  queues that stopped at an error of it
 * @budget: pages that requests may have in use
 */
struct blk_dev {
	struct blk_disk *disk;
	struct blk_limit limit;
	struct blk_halt halt;
	struct blk_budget budget;
};

/* Segments of a chain kept inside struct blk_req, without an allocation. */
#define BLK_FEW_SEGS	4u

/**
 * struct blk_req - one request
 * @done:      on blk_queue.done once the disk has finished
 * @bq:        its queue; constant
 * @chain:     the chain taken
 * @disk:      where it goes; NULL while it is kept by halt.c
 * @hdr:       its header, a private copy
 * @ask:       what it asks for, checked
 * @taken:     local_clock() when it was taken off the ring
 * @refused:   it was answered without asking the disk
 * @durable:   a write has to be on the medium before it is used
 * @error:     first error of the disk, 0 or -errno; written by any context
 * @pending:   parts the disk has not finished
 * @cost:      pages charged to blk_queue.share
 * @at:        payload bytes before the piece at hand
 * @len:       payload bytes of that piece
 * @moved:     bytes of the piece that a file has transferred so far
 * @pin:       the piece as pages
 * @has_pin:   @pin is to be released
 * @has_copy:  @pin holds pages of our own
 * @bounced:   some piece was copied
 * @segs:      the segments with the payload, if they are needed later
 * @nsegs:     number of @segs
 * @few:       where @segs points if they are few
 * @ranges:    what a discard and the like names; NULL if none
 * @status_at: where the status byte goes
 * @iocb:      I/O on a regular file
 * @work:      the deferred part of it
 * @deferred:  what that does, see blk_defer()
 */
struct blk_req {
	struct llist_node done;
	struct blk_queue *bq;
	struct kvh_chain chain;
	const struct blk_disk *disk;
	struct kvh_blk_hdr hdr;
	struct kvh_blk_ask ask;
	u64 taken;
	bool refused;
	bool durable;
	int error;
	atomic_t pending;
	u32 cost;
	u32 at;
	u32 len;
	u32 moved;
	struct kvh_pin pin;
	bool has_pin;
	bool has_copy;
	bool bounced;
	struct kvh_seg *segs;
	unsigned int nsegs;
	struct kvh_seg few[BLK_FEW_SEGS];
	struct kvh_blk_range *ranges;
	struct kvh_seg status_at;
	struct kiocb iocb;
	struct work_struct work;
	int (*deferred)(struct blk_req *req);
};

/**
 * struct blk_queue - a queue's private state
 * @vq:        the core's queue
 * @limit:     limits of the device
 * @waiter:    our place where they make us wait
 * @halted:    failed requests that wait for the owner
 * @reqs:      as many requests as the queue has descriptors
 * @free:      stack of unused ones
 * @nr_free:   its height
 * @budget:    pages of the device
 * @share:     what we have of them
 * @typical:   pages the request that began last may have needed, at least 1
 * @drained:   jiffies when a long request first saw a drain, 0 if there is none; lockless
 * @done:      finished requests, pushed from any context
 * @submitter: the worker while it starts requests: it will look at @done
 *             itself, so completions in its context need not wake it
 * @stats:     counters, kept by the core; written by the worker
 * @now:       local_clock() when the worker last took or collected requests
 */
struct blk_queue {
	struct kvh_vq *vq;
	struct blk_limit *limit;
	struct blk_waiter waiter;
	struct blk_halted halted;
	struct blk_req *reqs;
	struct blk_req **free;
	unsigned int nr_free;
	struct blk_budget *budget;
	struct blk_share share;
	u32 typical;
	unsigned long drained;
	struct llist_head done;
	struct task_struct *submitter;
	struct kvhost_blk_queue_stats *stats;
	u64 now;
};

/**
 * blk_vq_dev() - the backend state of a queue's device
 * @vq: queue
 *
 * Context: Any.
 * Return: the state
 */
static inline struct blk_dev *blk_vq_dev(const struct kvh_vq *vq)
{
	return kvh_dev_private(kvh_vq_dev(vq));
}

/**
 * blk_vq_disk() - the disk a queue's requests go to
 * @vq: queue
 *
 * Context: Worker, queue lock held, from kvh_backend.serve.
 * Return: the disk
 */
static inline const struct blk_disk *blk_vq_disk(const struct kvh_vq *vq)
{
	return blk_vq_dev(vq)->disk;
}

/* Is the owner gone, so that nobody will read the answer? Lockless. */
static inline bool blk_req_orphaned(const struct blk_req *req)
{
	return kvh_dev_ending(kvh_vq_dev(req->bq->vq));
}

/* Most pages that the payload of a chain can touch. */
static inline u32 blk_chain_pages(const struct kvh_chain *c)
{
	return (c->read_len >> PAGE_SHIFT) + (c->write_len >> PAGE_SHIFT) +
	       2 * (c->n_read + c->n_write);
}

/* queue.c */
int blk_queue_start(struct kvh_vq *vq);
void blk_queue_stop(struct kvh_vq *vq);
void blk_queue_serve(struct kvh_vq *vq);
void blk_queue_reap(struct kvh_vq *vq);
bool blk_queue_pending(struct kvh_vq *vq);
bool blk_queue_charge(struct blk_queue *bq, const struct kvh_chain *c, u32 *pages);
void blk_queue_settle(struct blk_queue *bq, struct blk_req *req);
void blk_queue_put(struct blk_queue *bq, struct blk_req *req);

/* touches.c */
bool blk_queue_touches(struct kvh_vq *vq, u64 first, u64 last);

/* request.c */
void blk_req_start(struct blk_req *req, const struct kvh_chain *chain);
bool blk_req_more(struct blk_req *req);
void blk_req_suspend(struct blk_req *req);
void blk_req_retry(struct blk_req *req);
void blk_req_finish(struct blk_req *req);

/* payload.c */
int blk_payload_map(struct blk_req *req);
int blk_payload_next(struct blk_req *req);
u32 blk_payload_pages(const struct blk_req *req);
int blk_payload_unmap(struct blk_req *req);
void blk_payload_forget(struct blk_req *req);

/* range.c */
bool blk_queue_cut(struct blk_queue *bq);
int blk_range_start(struct blk_req *req, const struct kvh_seg *segs, u64 off);
int blk_range_recheck(struct blk_req *req);
void blk_range_submit(struct blk_req *req);

/* bounce.c */
int blk_bounce_get(struct blk_req *req, const struct kvh_seg *segs, unsigned int n, u64 off);
int blk_bounce_put(struct blk_req *req, bool to_guest);

/* bio.c */
struct bio_set *blk_bios_make(void);
void blk_bios_free(struct bio_set *bios);
void blk_bio_rw(struct blk_req *req);
void blk_bio_flush(struct blk_req *req);

/* file.c */
void blk_file_rw(struct blk_req *req);
void blk_file_flush(struct blk_req *req);
void blk_file_finish(const struct blk_req *req);
int blk_file_zero(const struct blk_disk *disk, u64 pos, u64 bytes);
int blk_file_sync(const struct blk_disk *disk);

/* done.c */
void blk_req_error(struct blk_req *req, int error);
void blk_req_done(struct blk_req *req);

/* defer.c */
void blk_defer(struct blk_req *req, int (*fn)(struct blk_req *req));

/* disk.c */
struct blk_disk *blk_disk_open(const struct kvhost_blk_backend *b);
void blk_disk_close(struct blk_disk *disk);
void blk_disk_resize(struct blk_disk *disk);

/* charge.c */
void blk_owner_get(struct blk_owner *owner);
void blk_owner_put(struct blk_owner *owner);
struct mem_cgroup *blk_charge_begin(const struct blk_owner *owner);
void blk_charge_end(struct mem_cgroup *old);

#endif /* KVH_BLK_H */
