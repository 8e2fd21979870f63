// SPDX-License-Identifier: GPL-2.0
/*
 * queue.c - a block queue: its requests, starting them, collecting them.
 *
 * There are as many requests as descriptors, and the core never has more
 * chains in flight, so taking a request cannot fail.
 */
#include <linux/blkdev.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>
#include "blk.h"
#include "stats.h"

/**
 * blk_queue_start() - make a queue's requests
 * @vq: queue
 *
 * Context: Process context, device and queue lock held.
 * Return: 0 or -ENOMEM
 */
int blk_queue_start(struct kvh_vq *vq)
{
	unsigned int i, n = kvh_vq_size(vq);
	struct blk_queue *bq = kzalloc(sizeof(*bq), GFP_KERNEL_ACCOUNT);

	if (!bq)
		return -ENOMEM;
	bq->vq = vq;
	bq->stats = kvh_vq_stats(vq);
	bq->limit = &blk_vq_dev(vq)->limit;
	bq->budget = &blk_vq_dev(vq)->budget;
	blk_share_init(&bq->share, vq);
	bq->typical = 1;
	blk_waiter_init(&bq->waiter, vq);
	init_llist_head(&bq->done);
	bq->reqs = kvcalloc(n, sizeof(*bq->reqs), GFP_KERNEL_ACCOUNT);
	bq->free = kvmalloc_array(n, sizeof(*bq->free), GFP_KERNEL_ACCOUNT);
	if (!bq->reqs || !bq->free) {
		kvfree(bq->free);
		kvfree(bq->reqs);
		kfree(bq);
		return -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		bq->reqs[i].bq = bq;
		bq->free[bq->nr_free++] = &bq->reqs[i];
	}
	kvh_vq_set_private(vq, bq);
	blk_halt_add(bq);
	return 0;
}

/**
 * blk_queue_stop() - free a queue's requests, none being in flight
 * @vq: queue
 *
 * Context: Process context, device and queue lock held.
 */
void blk_queue_stop(struct kvh_vq *vq)
{
	struct blk_queue *bq = kvh_vq_private(vq);

	blk_limit_leave(bq->limit, &bq->waiter);
	blk_share_leave(bq->budget, &bq->share);
	blk_halt_remove(bq);
	kvh_vq_set_private(vq, NULL);
	kvfree(bq->free);
	kvfree(bq->reqs);
	kfree(bq);
}

/* Header and status are no payload; a chain without them is paid for as it is. */
static u64 chain_bytes(const struct kvh_chain *c)
{
	u64 n = (u64)c->read_len + c->write_len;

	return n - min_t(u64, n, sizeof(struct virtio_blk_outhdr) + 1);
}

/**
 * blk_queue_charge() - have pages for a request, or for a piece of it
 * @bq:    queue
 * @c:     its chain
 * @pages: result: how many it may use
 *
 * Context: Worker, queue lock held.
 * Return: true if it may begin; else the queue tries again when a request of it
 * ends, or when it is woken
 */
bool blk_queue_charge(struct blk_queue *bq, const struct kvh_chain *c, u32 *pages)
{
	*pages = min(blk_chain_pages(c), BLK_PIECE_PAGES);
	if (bq->share.used)
		return blk_share_take_or_wait(bq->budget, &bq->share, *pages);
	if (blk_share_take(bq->budget, &bq->share, *pages))
		return true;
	*pages = BLK_SHARE_PAGES;
	return blk_share_take(bq->budget, &bq->share, *pages);
}

/**
 * blk_queue_settle() - charge a request for the pages that it uses
 * @bq:  queue
 * @req: request just begun
 *
 * Context: Worker, queue lock held.
 */
void blk_queue_settle(struct blk_queue *bq, struct blk_req *req)
{
	u32 pages = blk_payload_pages(req);

	if (pages < req->cost)
		blk_share_put(bq->budget, &bq->share, req->cost - pages);
	else if (pages > req->cost)
		blk_share_force(bq->budget, &bq->share, pages - req->cost);
	req->cost = pages;
}

/*
 * How many chains are worth reading? Fewer than a batch if that many cannot begin,
 * because each that is put back is read again. Return: 0 if none may begin; then
 * something wakes the queue when one may
 */
static unsigned int queue_wanted(struct blk_queue *bq)
{
	unsigned int n;
	u32 room;

	if (blk_halt_stopped(bq))
		return 0;
	n = blk_limit_room(bq->limit, &bq->waiter);
	room = blk_share_room(bq->budget, &bq->share);
	if (likely(!n || room >= n * bq->typical))
		return n;
	if (room < bq->typical && bq->share.used &&
	    !blk_share_may_take(bq->budget, &bq->share, bq->typical))
		return 0;
	return max(room / bq->typical, 1u);
}

/* May the next chain begin? If not, something wakes the queue when it may. */
static bool queue_may_begin(struct blk_queue *bq, const struct kvh_chain *c, u32 *pages)
{
	if (blk_halt_stopped(bq) || !blk_queue_charge(bq, c, pages))
		return false;
	if (blk_limit_take(bq->limit, &bq->waiter, chain_bytes(c)))
		return true;
	blk_share_put(bq->budget, &bq->share, *pages);
	return false;
}

static void queue_begin(struct blk_queue *bq, const struct kvh_chain *chain, u32 pages)
{
	struct blk_req *req = bq->free[--bq->nr_free];

	req->taken = bq->now;
	req->cost = pages;
	bq->typical = pages;
	blk_req_start(req, chain);
	blk_queue_settle(bq, req);
}

/* Begin chains just read. Return: how many */
static int queue_begin_batch(struct blk_queue *bq, const struct kvh_chain *chains, int n)
{
	u32 pages;
	int i;

	bq->now = local_clock();
	for (i = 0; i < n && queue_may_begin(bq, &chains[i], &pages); i++)
		queue_begin(bq, &chains[i], pages);
	return i;
}

/**
 * blk_queue_serve() - start what the driver made available
 * @vq: queue
 *
 * Context: Worker, queue lock held.
 */
void blk_queue_serve(struct kvh_vq *vq)
{
	struct blk_queue *bq = kvh_vq_private(vq);
	const struct kvh_chain *chains;
	unsigned int begun = 0, max;
	struct blk_plug plug;
	int i, n;

	WRITE_ONCE(bq->submitter, current);
	blk_start_plug(&plug);
	while ((max = queue_wanted(bq)) && (n = kvh_vq_take_max(vq, &chains, max))) {
		i = queue_begin_batch(bq, chains, n);
		begun += i;
		if (i < n) {
			/* Taken again when something in flight has finished, or in time. */
			kvh_vq_untake(vq, &chains[i], n - i);
			max = 0;
			break;
		}
	}
	/* Doorbells would tell nothing. */
	if (!max)
		kvh_vq_park(vq);
	blk_finish_plug(&plug);
	WRITE_ONCE(bq->submitter, NULL);
	if (begun)
		blk_stats_started(bq);
}

/**
 * blk_queue_put() - answer a request; it is unused afterwards
 * @bq:  queue
 * @req: request, off blk_queue.done
 *
 * Context: Worker, queue lock held.
 */
void blk_queue_put(struct blk_queue *bq, struct blk_req *req)
{
	blk_req_finish(req);
	blk_queue_settle(bq, req);
	bq->free[bq->nr_free++] = req;
}

/**
 * blk_queue_reap() - complete the requests the disk has finished
 * @vq: queue
 *
 * Context: Worker, queue lock held.
 */
void blk_queue_reap(struct kvh_vq *vq)
{
	struct blk_queue *bq = kvh_vq_private(vq);
	struct blk_req *req, *next;
	struct llist_node *node;

	blk_halt_reap(bq);
	if (!blk_queue_pending(vq))
		return;
	bq->now = local_clock();
	node = llist_reverse_order(llist_del_all(&bq->done));
	llist_for_each_entry_safe(req, next, node, done) {
		if (!blk_req_more(req) && !blk_halt_keep(bq, req))
			blk_queue_put(bq, req);
	}
	/* What was to be tried again and found no pages has some now: nothing else wakes us. */
	if (unlikely(bq->halted.again))
		blk_halt_reap(bq);
}

/**
 * blk_queue_pending() - is there anything to reap?
 * @vq: queue
 *
 * Context: Worker, queue lock held.
 * Return: true if there is
 */
bool blk_queue_pending(struct kvh_vq *vq)
{
	struct blk_queue *bq = kvh_vq_private(vq);

	return !llist_empty(&bq->done);
}
