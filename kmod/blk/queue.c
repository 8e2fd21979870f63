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
	blk_halt_remove(bq);
	kvh_vq_set_private(vq, NULL);
	kvfree(bq->free);
	kvfree(bq->reqs);
	kfree(bq);
}

/* Most pages the payload of a chain can touch. */
static u32 chain_cost(const struct kvh_chain *c)
{
	return (c->read_len >> PAGE_SHIFT) + (c->write_len >> PAGE_SHIFT) +
	       2 * (c->n_read + c->n_write);
}

static bool queue_has_room(const struct blk_queue *bq)
{
	return bq->pages < BLK_QUEUE_PAGES;
}

/* Header and status are no payload; a chain without them is paid for as it is. */
static u64 chain_bytes(const struct kvh_chain *c)
{
	u64 n = (u64)c->read_len + c->write_len;

	return n - min_t(u64, n, sizeof(struct virtio_blk_outhdr) + 1);
}

/* May the next chain begin? If not, something wakes the queue when it may. */
static bool queue_may_begin(struct blk_queue *bq, const struct kvh_chain *c)
{
	return !blk_halt_stopped(bq) && queue_has_room(bq) &&
	       blk_limit_take(bq->limit, &bq->waiter, chain_bytes(c));
}

static void queue_begin(struct blk_queue *bq, const struct kvh_chain *chain)
{
	struct blk_req *req = bq->free[--bq->nr_free];

	req->taken = bq->now;
	req->cost = chain_cost(chain);
	bq->pages += req->cost;
	blk_req_start(req, chain);
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
	struct blk_plug plug;
	unsigned int begun = 0;
	bool go = true;
	int i, n;

	WRITE_ONCE(bq->submitter, current);
	blk_start_plug(&plug);
	while (go && (n = kvh_vq_take(vq, &chains))) {
		bq->now = local_clock();
		for (i = 0; i < n && (go = queue_may_begin(bq, &chains[i])); i++)
			queue_begin(bq, &chains[i]);
		/* Taken again when something in flight has finished, or in time. */
		kvh_vq_untake(vq, &chains[i], n - i);
		begun += i;
	}
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
	bq->pages -= req->cost;
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
