// SPDX-License-Identifier: GPL-2.0
/*
 * halt.c - stop a queue at an error of the disk, and tell the owner.
 *
 * With KVHOST_BLK_STOP_ON_ERROR a request the disk failed is not answered: it is
 * kept, its queue takes nothing more, and the error eventfd is raised. The owner
 * mends what is wrong and has the requests tried again, or has them answered as
 * they are. Requests of the queue that are with the disk already go on, and join
 * those kept if they fail too; other queues run until they meet an error of their
 * own.
 *
 * A kept request holds its chain and guest addresses, but no memory, no
 * translation and no disk. So it can be kept for as long as the owner likes, while
 * the memory table, the dirty log, translations and the backend change.
 *
 * A queue that stops does not wait for the decision: what is kept is answered then.
 * So neither a stop nor the owner's death can hang on an error nobody looked at.
 */
#include <linux/blkdev.h>
#include "blk.h"

static struct blk_halt *halt_of(const struct blk_queue *bq)
{
	return &blk_vq_dev(bq->vq)->halt;
}

/**
 * blk_halt_init() - begin without queues
 * @h: state of a device
 *
 * Context: Process context.
 */
void blk_halt_init(struct blk_halt *h)
{
	spin_lock_init(&h->lock);
	INIT_LIST_HEAD(&h->queues);
}

/**
 * blk_halt_add() - a queue starts
 * @bq: queue
 *
 * Context: Process context, device and queue lock held.
 */
void blk_halt_add(struct blk_queue *bq)
{
	struct blk_halt *h = halt_of(bq);

	init_llist_head(&bq->halted.reqs);
	bq->halted.again = NULL;
	spin_lock(&h->lock);
	list_add_tail(&bq->halted.node, &h->queues);
	spin_unlock(&h->lock);
}

/**
 * blk_halt_remove() - a queue has stopped, nothing being kept
 * @bq: queue
 *
 * Context: Process context, device and queue lock held.
 */
void blk_halt_remove(struct blk_queue *bq)
{
	struct blk_halt *h = halt_of(bq);

	spin_lock(&h->lock);
	list_del(&bq->halted.node);
	spin_unlock(&h->lock);
}

/**
 * blk_halt_forget() - the owner, or its disk, goes: so does what was told of it
 * @h: state of a device, no queue being left
 *
 * Context: Process context, device lock held.
 */
void blk_halt_forget(struct blk_halt *h)
{
	spin_lock(&h->lock);
	h->last = (struct kvhost_blk_error){ .count = h->last.count };
	spin_unlock(&h->lock);
}

/*
 * Is it the disk that failed? Not so if the guest asked for what cannot be, or if a
 * drain cut a long range short.
 */
static bool halts(const struct blk_req *req)
{
	return (req->disk->flags & KVHOST_BLK_STOP_ON_ERROR) && req->error &&
	       !req->refused && req->error != -EOPNOTSUPP && req->error != -EINTR;
}

/* Requests nobody has decided on yet. */
static u32 halt_held(const struct blk_halt *h)
{
	struct blk_halted *q;
	u32 n = 0;

	list_for_each_entry(q, &h->queues, node)
		if (!q->resume)
			n += q->nr;
	return n;
}

static void halt_note(struct blk_halt *h, const struct blk_req *req)
{
	/* What the owner has not been asked about yet stays for it to read. */
	if (!halt_held(h)) {
		h->last.queue = kvh_vq_index(req->bq->vq);
		h->last.type = req->ask.type;
		h->last.error = req->error;
		h->last.sector = req->ranges ? req->ranges[0].sector : req->ask.sector;
		h->last.bytes = req->ask.len;
	}
	h->last.count++;
}

/**
 * blk_halt_stopped() - does a queue take nothing because of an error?
 * @bq: queue
 *
 * Context: Worker, queue lock held.
 * Return: true if so; blk_halt_reap() goes on with it
 */
bool blk_halt_stopped(const struct blk_queue *bq)
{
	return bq->halted.nr || bq->halted.again;
}

/**
 * blk_halt_keep() - is a finished request one to stop at?
 * @bq:  its queue
 * @req: request off blk_queue.done
 *
 * Context: Worker, queue lock held.
 * Return: true if it is; then it is kept here
 */
bool blk_halt_keep(struct blk_queue *bq, struct blk_req *req)
{
	struct blk_halt *h = halt_of(bq);

	if (likely(!req->error) || !halts(req) || kvh_vq_stopping(bq->vq))
		return false;
	blk_req_suspend(req);
	blk_queue_settle(bq, req);
	spin_lock(&h->lock);
	halt_note(h, req);
	llist_add(&req->done, &bq->halted.reqs);
	WRITE_ONCE(bq->halted.nr, bq->halted.nr + 1);
	/* A decision made before this error was not made for it. */
	bq->halted.resume = false;
	spin_unlock(&h->lock);
	kvh_vq_keep(bq->vq);
	kvh_vq_signal_error(bq->vq);
	return true;
}

/* Take what is kept if it is to be done with. Return: it, or NULL */
static struct llist_node *halt_take(struct blk_queue *bq, u32 *action)
{
	struct blk_halt *h = halt_of(bq);
	struct llist_node *node = NULL;

	spin_lock(&h->lock);
	*action = bq->halted.action;
	if (kvh_vq_stopping(bq->vq)) {
		bq->halted.resume = true;
		*action = KVHOST_BLK_REPORT;
	}
	if (bq->halted.resume) {
		node = llist_reverse_order(llist_del_all(&bq->halted.reqs));
		bq->halted.resume = false;
		WRITE_ONCE(bq->halted.nr, 0);
	}
	spin_unlock(&h->lock);
	return node;
}

static void halt_answer(struct blk_queue *bq, struct llist_node *node)
{
	struct blk_req *req, *next;

	llist_for_each_entry_safe(req, next, node, done) {
		kvh_vq_unkeep(bq->vq);
		blk_queue_put(bq, req);
	}
}

static void halt_retry(struct blk_queue *bq)
{
	struct blk_plug plug;
	struct blk_req *req;

	blk_start_plug(&plug);
	while (bq->halted.again) {
		req = llist_entry(bq->halted.again, struct blk_req, done);
		if (!blk_queue_charge(bq, &req->chain, &req->cost))
			break;
		bq->halted.again = req->done.next;
		kvh_vq_unkeep(bq->vq);
		blk_req_retry(req);
		blk_queue_settle(bq, req);
	}
	blk_finish_plug(&plug);
}

/* Requests that are tried again follow those that wait to be. */
static void halt_append(struct blk_queue *bq, struct llist_node *node)
{
	struct llist_node **at = &bq->halted.again;

	while (*at)
		at = &(*at)->next;
	*at = node;
}

/**
 * blk_halt_reap() - go on with what was kept, if the owner said how
 * @bq: queue
 *
 * Context: Worker, queue lock held.
 */
void blk_halt_reap(struct blk_queue *bq)
{
	struct llist_node *node;
	u32 action;

	if (likely(!blk_halt_stopped(bq)))
		return;
	/* What is kept stays so while memory or backend change. */
	if (kvh_vq_held(bq->vq) && !kvh_vq_stopping(bq->vq))
		return;
	node = halt_take(bq, &action);
	if (kvh_vq_stopping(bq->vq)) {
		halt_answer(bq, bq->halted.again);
		bq->halted.again = NULL;
	}
	if (action == KVHOST_BLK_RETRY)
		halt_append(bq, node);
	else
		halt_answer(bq, node);
	if (bq->halted.again)
		halt_retry(bq);
}

/**
 * blk_halt_resume() - the owner has decided
 * @h:      state of the device
 * @action: KVHOST_BLK_RETRY or _REPORT
 *
 * Context: Process context, device lock held.
 */
void blk_halt_resume(struct blk_halt *h, u32 action)
{
	struct blk_halted *q;

	spin_lock(&h->lock);
	list_for_each_entry(q, &h->queues, node) {
		if (!q->nr)
			continue;
		q->action = action;
		q->resume = true;
		/* Alive: it is on the list. */
		rcu_read_lock();
		kvh_vq_wake(container_of(q, struct blk_queue, halted)->vq);
		rcu_read_unlock();
	}
	spin_unlock(&h->lock);
}

/**
 * blk_halt_get() - what the owner is told
 * @h:   state of the device
 * @get: result; @size is left alone
 *
 * Context: Process context, device lock held.
 */
void blk_halt_get(struct blk_halt *h, struct kvhost_blk_error *get)
{
	u32 size = get->size;

	spin_lock(&h->lock);
	*get = h->last;
	get->held = halt_held(h);
	spin_unlock(&h->lock);
	get->size = size;
}
