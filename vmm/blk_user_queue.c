// SPDX-License-Identifier: GPL-2.0
/*
 * blk_user_queue.c - one virtqueue of the userspace backend.
 *
 * Chains become requests, requests become io_uring entries on guest memory
 * itself; the entries of a batch are submitted by the one system call with
 * which blk_user.c then waits, and what has completed by then is published and
 * signalled once. Doorbells are off while the queue is being served; before
 * the thread sleeps they are turned on and the ring is looked at once more.
 *
 * A queue belongs to the I/O thread from user_queue_start() until a stop
 * command is answered, and to vCPU threads under vm_lock() otherwise.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "blk_user.h"
#include "disk.h"
#include "event.h"
#include "memory.h"
#include "virtio.h"

/* Counters have one writer; readers see old or new. */
static void count(__u64 *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static void set_state(struct user_queue *q, uint32_t state)
{
	__atomic_store_n(&q->stats.state, state, __ATOMIC_RELAXED);
}

static void update_in_flight(struct user_queue *q)
{
	__atomic_store_n(&q->stats.in_flight, q->ring.in_flight,
			 __ATOMIC_RELAXED);
}

static struct blk_request *get_request(struct user_queue *q)
{
	struct blk_request *req = q->free;

	q->free = req->next;
	q->nr_free--;
	return req;
}

static void put_request(struct user_queue *q, struct blk_request *req)
{
	req->next = q->free;
	q->free = req;
	q->nr_free++;
}

static int alloc_parts(struct user_queue *q, const struct kvh_ring_config *cfg)
{
	unsigned int i, n = cfg->size;

	if (n > USER_REQUESTS_MAX)
		n = USER_REQUESTS_MAX;
	q->requests = calloc(n, sizeof(*q->requests));
	q->table = calloc(KVH_CHAIN_SEGS_MAX, 16);
	if (cfg->in_order)
		q->order = calloc(cfg->size, sizeof(*q->order));
	if (!q->requests || !q->table || (cfg->in_order && !q->order))
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		q->requests[i].owner = q;
		put_request(q, &q->requests[i]);
	}
	return 0;
}

/**
 * user_queue_prepare() - make a stopped queue ready to be started
 * @q:        the queue
 * @features: what was negotiated
 * @vq:       its registers
 *
 * Context: vm_lock() held.
 * Return: 0, -ENOMEM, or -EINVAL for rings the ring code does not accept.
 */
int user_queue_prepare(struct user_queue *q, uint64_t features,
		       const struct virtio_queue *vq)
{
	const struct guest_memory *mem = q->user->setup->mem;
	bool packed = features & VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	struct kvh_ring_config cfg = {
		.layout = packed ? KVH_RING_PACKED : KVH_RING_SPLIT,
		.size = vq->size,
		.event_idx = features & VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX),
		.indirect = features & VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC),
		.in_order = features & VIRTIO_BIT(VIRTIO_F_IN_ORDER),
	};
	int ret;

	cfg.desc = memory_at(mem, vq->desc,
			     kvh_ring_desc_bytes(cfg.layout, cfg.size));
	cfg.driver = memory_at(mem, vq->driver,
			       kvh_ring_driver_bytes(cfg.layout, cfg.size));
	cfg.device = memory_at(mem, vq->device,
			       kvh_ring_device_bytes(cfg.layout, cfg.size));
	q->call_fd = vq->call_fd;
	ret = alloc_parts(q, &cfg);
	cfg.table = q->table;
	cfg.order = q->order;
	if (!ret)
		ret = kvh_ring_init(&q->ring, &cfg);
	if (ret)
		user_queue_release(q);
	return ret;
}

/**
 * user_queue_release() - undo user_queue_prepare()
 * @q: a queue that is stopped, nothing of it in flight
 *
 * Context: vm_lock() held.
 */
void user_queue_release(struct user_queue *q)
{
	struct blk_request *req;

	for (req = q->free; req; req = req->next)
		blk_request_free(req);
	free(q->requests);
	free(q->table);
	free(q->order);
	q->free = NULL;
	q->nr_free = 0;
	q->requests = NULL;
	q->table = NULL;
	q->order = NULL;
	set_state(q, KVHOST_VRING_STOPPED);
}

static void arm_kick(struct user_queue *q)
{
	struct io_uring_sqe *sqe;

	if (q->armed)
		return;
	sqe = blk_user_sqe(q->user, q, USER_TAG_KICK);
	if (!sqe)
		return;
	io_uring_prep_read(sqe, USER_FILE_KICK + (q - q->user->queues),
			   &q->kicks, sizeof(q->kicks), 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	q->armed = true;
}

/**
 * user_queue_start() - serve a prepared queue
 * @q: the queue
 *
 * Context: I/O thread.
 */
void user_queue_start(struct user_queue *q)
{
	q->running = true;
	q->broken = false;
	q->stalled = false;
	q->limited = false;
	q->paid = false;
	q->work = true;
	q->unpublished = 0;
	set_state(q, KVHOST_VRING_RUNNING);
	arm_kick(q);
}

/**
 * user_queue_kicked() - the read of the doorbell ended
 * @q:   the queue
 * @res: its result
 *
 * A doorbell that rings while the queue is stopped is not listened to again
 * before it starts, and rings then.
 *
 * Context: I/O thread.
 */
void user_queue_kicked(struct user_queue *q, int res)
{
	q->armed = false;
	if (res > 0)
		count(&q->stats.kicks, q->kicks);
	if (!q->running)
		return;
	q->work = true;
	arm_kick(q);
}

/**
 * user_queue_flush() - show the driver what was completed, signal it once
 * @q: the queue
 *
 * Context: I/O thread.
 */
void user_queue_flush(struct user_queue *q)
{
	if (!q->unpublished)
		return;
	q->unpublished = 0;
	update_in_flight(q);
	if (!kvh_ring_publish(&q->ring))
		return;
	if (kvh_ring_need_signal(&q->ring)) {
		event_raise(q->call_fd);
		count(&q->stats.signals, 1);
	} else {
		count(&q->stats.signals_suppressed, 1);
	}
}

static void broken(struct user_queue *q, enum kvh_ring_fault fault)
{
	if (q->broken)
		return;
	q->broken = true;
	q->work = false;
	count(&q->stats.broken, 1);
	count(&q->stats.faults[fault], 1);
	set_state(q, KVHOST_VRING_BROKEN);
	event_raise(q->user->setup->err_fd);
}

static void put_bounce(struct blk_request *req)
{
	struct blk_user *u = ((struct user_queue *)req->owner)->user;
	unsigned int i;

	if (!req->bounce)
		return;
	free(req->bounce);
	req->bounce = NULL;
	u->bounced -= BLK_BOUNCE_BYTES;
	for (i = 0; i < u->nqueues; i++)
		u->queues[i].work |= u->queues[i].stalled;
}

static void complete(struct user_queue *q, struct blk_request *req)
{
	put_bounce(req);
	count(&q->stats.bytes_written, req->chain.written);
	kvh_ring_complete(&q->ring, &req->chain, 1);
	q->unpublished++;
	put_request(q, req);
	q->work |= q->stalled;
}

static void prepare_io(struct io_uring_sqe *sqe, struct blk_request *req)
{
	struct iovec *v = &req->iov[req->iov_at];
	struct iovec bounce;
	unsigned int n = req->iov_nr;

	if (req->bounce) {
		blk_request_bounce(req);
		bounce.iov_base = req->bounce;
		bounce.iov_len = req->bounce_len;
		v = &bounce;
		n = 1;
	}
	if (n > 1 && req->op == BLK_READ)
		io_uring_prep_readv(sqe, USER_FILE_DISK, v, n, req->pos);
	else if (n > 1)
		io_uring_prep_writev(sqe, USER_FILE_DISK, v, n, req->pos);
	else if (req->op == BLK_READ)
		io_uring_prep_read(sqe, USER_FILE_DISK, v->iov_base,
				   v->iov_len, req->pos);
	else
		io_uring_prep_write(sqe, USER_FILE_DISK, v->iov_base,
				    v->iov_len, req->pos);
}

/* Return: 0, or -EAGAIN if the request has to wait for a bounce buffer. */
static int get_bounce(struct user_queue *q, struct blk_request *req)
{
	struct blk_user *u = q->user;
	const struct disk *disk = u->setup->disk;

	if (req->bounce || (req->op != BLK_READ && req->op != BLK_WRITE) ||
	    !blk_request_unaligned(req, disk))
		return 0;
	if (u->bounced >= USER_BOUNCE_MAX)
		return -EAGAIN;
	if (posix_memalign(&req->bounce, disk->align, BLK_BOUNCE_BYTES)) {
		req->bounce = NULL;
		blk_request_done(req, -ENOMEM);
		return 0;
	}
	u->bounced += BLK_BOUNCE_BYTES;
	return 0;
}

/* Starts what is left of a request, or completes it. */
static int issue(struct user_queue *q, struct blk_request *req)
{
	struct blk_user *u = q->user;
	struct io_uring_sqe *sqe = NULL;
	int ret = get_bounce(q, req);

	if (ret)
		return ret;
	if (req->op == BLK_FLUSH && u->lost) {
		if (user_halt_keep(q, req, u->lost))
			return 0;
		blk_request_done(req, u->lost);
	}
	req->durable = !__atomic_load_n(&u->writeback, __ATOMIC_RELAXED);
	if (req->op == BLK_RANGES) {
		blk_range_submit(&u->ranger, req);
		return 0;
	}
	if (req->op != BLK_DONE)
		sqe = blk_user_sqe(u, req, USER_TAG_REQUEST);
	if (!sqe) {
		if (req->op != BLK_DONE)
			blk_request_done(req, -ENOMEM);
		blk_request_finish(req);
		complete(q, req);
		return 0;
	}
	if (req->op == BLK_FLUSH)
		io_uring_prep_fsync(sqe, USER_FILE_DISK,
				    IORING_FSYNC_DATASYNC);
	else
		prepare_io(sqe, req);
	if (req->op == BLK_WRITE && req->durable)
		sqe->rw_flags = RWF_DSYNC;
	sqe->flags |= IOSQE_FIXED_FILE;
	return 0;
}

/**
 * user_queue_completed() - a piece of I/O of a request ended
 * @req: the request
 * @res: its result
 *
 * Context: I/O thread.
 */
void user_queue_completed(struct blk_request *req, int res)
{
	struct user_queue *q = req->owner;

	user_halt_note_lost(q->user, req, res);
	if (user_halt_keep(q, req, res))
		return;
	blk_request_done(req, res);
	user_queue_retry(q, req);
}

/**
 * user_queue_retry() - do what is left of a request that was started
 * @q:   its queue
 * @req: the request
 *
 * Context: I/O thread.
 */
void user_queue_retry(struct user_queue *q, struct blk_request *req)
{
	/* One that got as far needs nothing it does not have. */
	issue(q, req);
}

/* Return: 0, or -EAGAIN if @chain cannot be started now. */
static int start_chain(struct user_queue *q, const struct kvh_chain *chain)
{
	struct blk_request *req = get_request(q);
	int ret;

	req->chain = *chain;
	if (blk_request_parse(req, &q->user->parse,
			      q->user->segs + chain->first)) {
		broken(q, KVH_FAULT_NONE);
		req->chain.written = 0;
		complete(q, req);
		return 0;
	}
	ret = issue(q, req);
	if (ret) {
		put_request(q, req);
		return ret;
	}
	count(&q->stats.chains, 1);
	count(&q->stats.bytes_read, chain->read_len);
	return 0;
}

/*
 * Starts up to @budget chains. Return: how many, or -EAGAIN if more wait for a
 * request or bounce buffer to come free or for the limits, or -EPROTO for a
 * broken queue.
 */
static int take_batch(struct user_queue *q, unsigned int budget)
{
	struct blk_user *u = q->user;
	unsigned int max = q->nr_free;
	int i, n;

	if (!max)
		return -EAGAIN;
	if (max > budget)
		max = budget;
	if (max > USER_BATCH)
		max = USER_BATCH;
	n = kvh_ring_take(&q->ring, &u->env, u->chains, max, u->segs,
			  USER_SEGS);
	if (n < 0) {
		broken(q, q->ring.fault);
		return -EPROTO;
	}
	for (i = 0; i < n; i++) {
		if (!q->paid && !user_limit_take(q, &u->chains[i]))
			break;
		/* A chain that is put back is the next one again. */
		q->paid = start_chain(q, &u->chains[i]);
		if (q->paid)
			break;
	}
	if (i < n) {
		kvh_ring_untake(&q->ring, &u->chains[i], n - i);
		return -EAGAIN;
	}
	return q->broken ? -EPROTO : n;
}

/**
 * user_queue_serve() - take and start what the driver made available
 * @q: a running queue
 *
 * Context: I/O thread.
 */
void user_queue_serve(struct user_queue *q)
{
	unsigned int budget = USER_TURN;
	int n = 0;

	q->work = false;
	q->stalled = false;
	q->waited = q->limited;
	q->limited = false;
	arm_kick(q);
	kvh_ring_disable_kick(&q->ring);
	while (budget) {
		n = take_batch(q, budget);
		if (n <= 0)
			break;
		budget -= n;
	}
	user_queue_flush(q);
	update_in_flight(q);
	if (n == -EPROTO)
		return;
	/* Completions or time make it work again; doorbells would not help. */
	q->stalled = n == -EAGAIN && !q->limited;
	if (n == -EAGAIN)
		return;
	if (!budget) {
		q->work = true;
		return;
	}
	if (kvh_ring_enable_kick(&q->ring)) {
		count(&q->stats.polls, 1);
		q->work = true;
	}
	/* Deaf as long as the read of the doorbell is not under way. */
	q->work |= !q->armed;
}

/**
 * user_queue_wants_turn() - is there something to serve
 * @q: a queue
 *
 * Context: I/O thread.
 * Return: true if user_queue_serve() would find something to do.
 */
bool user_queue_wants_turn(struct user_queue *q)
{
	return q->running && !q->broken && !q->held && q->work;
}
