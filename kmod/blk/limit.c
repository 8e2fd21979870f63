// SPDX-License-Identifier: GPL-2.0
/*
 * limit.c - hold requests back that are beyond the device's limits.
 *
 * All queues of a device draw from the same two buckets. A queue whose request
 * does not fit stands in line and takes nothing more from its ring; a timer
 * gives the first in line its turn when enough has come in. So nothing spins,
 * a queue that is stopped meanwhile has nothing in flight on this account, and
 * queues get on in the order in which they came, one request at a time.
 *
 * A turn that is not used, because the queue broke, was held or found nothing to
 * take after all, is passed on after %LIMIT_TURN_NS.
 *
 * Called by workers with their queue's lock held, by ioctls with the device's,
 * and by the timer in interrupt context. blk_limit.lock is a leaf.
 */
#include <linux/blkdev.h>
#include <linux/ktime.h>
#include "blk.h"

/* Longest that others wait for a queue that does not use its turn. */
#define LIMIT_TURN_NS	((u64)20 * NSEC_PER_MSEC)

static void limit_arm(struct blk_limit *l, u64 ns)
{
	hrtimer_start(&l->timer, ns_to_ktime(ktime_get_ns() + ns), HRTIMER_MODE_ABS);
}

static struct blk_waiter *limit_first(struct blk_limit *l)
{
	return list_first_entry_or_null(&l->line, struct blk_waiter, node);
}

/* Whoever is first now gets its turn when its request fits. */
static void limit_arm_next(struct blk_limit *l)
{
	struct blk_waiter *w = limit_first(l);

	lockdep_assert_held(&l->lock);
	if (w)
		limit_arm(l, kvh_limits_wait(&l->limits, w->bytes));
}

static enum hrtimer_restart limit_timer(struct hrtimer *timer)
{
	struct blk_limit *l = container_of(timer, struct blk_limit, timer);
	struct blk_waiter *w;
	unsigned long flags;

	spin_lock_irqsave(&l->lock, flags);
	w = limit_first(l);
	l->turn = w;
	if (w) {
		list_del_init(&w->node);
		/* It is alive: blk_limit_leave() has not taken @lock for it yet. */
		rcu_read_lock();
		kvh_vq_wake(w->vq);
		rcu_read_unlock();
		limit_arm(l, LIMIT_TURN_NS);
	}
	spin_unlock_irqrestore(&l->lock, flags);
	return HRTIMER_NORESTART;
}

/**
 * blk_limit_init() - begin without limits
 * @l: limits
 *
 * Context: Process context.
 */
void blk_limit_init(struct blk_limit *l)
{
	spin_lock_init(&l->lock);
	INIT_LIST_HEAD(&l->line);
	hrtimer_init(&l->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	l->timer.function = limit_timer;
}

/**
 * blk_limit_exit() - undo blk_limit_init(); no queue is left
 * @l: limits
 *
 * Context: Process context.
 */
void blk_limit_exit(struct blk_limit *l)
{
	hrtimer_cancel(&l->timer);
}

/**
 * blk_waiter_init() - give a queue that starts its place
 * @w:  place
 * @vq: queue
 *
 * Context: Process context, device and queue lock held.
 */
void blk_waiter_init(struct blk_waiter *w, struct kvh_vq *vq)
{
	w->vq = vq;
	INIT_LIST_HEAD(&w->node);
}

/* Is nobody before @w? */
static bool limit_may_try(const struct blk_limit *l, const struct blk_waiter *w)
{
	return l->turn ? l->turn == w : list_empty(&l->line);
}

/* @w waits no more; the others go on. */
static void limit_dequeue(struct blk_limit *l, struct blk_waiter *w)
{
	list_del_init(&w->node);
	if (l->turn == w)
		l->turn = NULL;
	if (!l->turn)
		limit_arm_next(l);
}

/* Stand in line, with a turn that was too early before all others. */
static void limit_queue(struct blk_limit *l, struct blk_waiter *w, u64 bytes)
{
	w->bytes = bytes;
	if (l->turn == w) {
		l->turn = NULL;
		list_add(&w->node, &l->line);
	} else if (list_empty(&w->node)) {
		list_add_tail(&w->node, &l->line);
	}
	if (limit_first(l) == w && !l->turn)
		limit_arm_next(l);
}

/**
 * __blk_limit_room() - blk_limit_room() where there are limits
 * @l: limits
 * @w: the queue's place in the line
 *
 * Context: Worker, queue lock held.
 * Return: requests that may begin; 0 if the queue stands in line
 */
unsigned int __blk_limit_room(struct blk_limit *l, struct blk_waiter *w)
{
	unsigned long flags;
	unsigned int n = 0;

	spin_lock_irqsave(&l->lock, flags);
	/* While queues wait, each begins one request at a time. */
	if (!kvh_limits_on(&l->limits))
		n = KVH_BATCH;
	else if (limit_may_try(l, w))
		n = kvh_limits_room(&l->limits, w->bytes, ktime_get_ns(), l->turn == w,
				    list_empty(&l->line) ? KVH_BATCH : 1);
	if (!n)
		limit_queue(l, w, w->bytes);
	spin_unlock_irqrestore(&l->lock, flags);
	return n;
}

/**
 * __blk_limit_take() - blk_limit_take() where there are limits
 * @l:     limits
 * @w:     the queue's place in the line
 * @bytes: payload
 *
 * Context: Worker, queue lock held.
 * Return: true if the request may begin
 */
bool __blk_limit_take(struct blk_limit *l, struct blk_waiter *w, u64 bytes)
{
	unsigned long flags;
	bool ok;

	/* Not more than a bucket can count; both directions may come close to 4 GiB. */
	bytes = min_t(u64, bytes, KVH_BUCKET_BURST_MAX);
	spin_lock_irqsave(&l->lock, flags);
	ok = !kvh_limits_on(&l->limits) ||
	     (limit_may_try(l, w) &&
	      kvh_limits_take(&l->limits, bytes, ktime_get_ns(), l->turn == w));
	w->bytes = bytes;
	if (ok)
		limit_dequeue(l, w);
	else
		limit_queue(l, w, bytes);
	/* Limits that were lifted are forgotten when all have come through. */
	if (!kvh_limits_on(&l->limits) && list_empty(&l->line) && !l->turn)
		WRITE_ONCE(l->on, false);
	spin_unlock_irqrestore(&l->lock, flags);
	return ok;
}

/**
 * blk_limit_leave() - a queue stops: it waits for nothing any more
 * @l: limits
 * @w: the queue's place in the line
 *
 * Context: Process context, device and queue lock held.
 */
void blk_limit_leave(struct blk_limit *l, struct blk_waiter *w)
{
	unsigned long flags;

	spin_lock_irqsave(&l->lock, flags);
	limit_dequeue(l, w);
	spin_unlock_irqrestore(&l->lock, flags);
}

/**
 * blk_limit_set() - replace the limits, at any time
 * @l:   limits
 * @set: KVHOST_BLK_SET_LIMITS' argument, a private copy, @reserved checked
 *
 * Both buckets are full then. Whoever waits tries again at once.
 *
 * Context: Process context, device lock held.
 * Return: 0, or -EINVAL for a burst that is too large or has no rate
 */
int blk_limit_set(struct blk_limit *l, const struct kvhost_blk_limits *set)
{
	u64 now = ktime_get_ns();
	unsigned long flags;

	if (set->iops_burst > KVH_BUCKET_BURST_MAX || set->bytes_burst > KVH_BUCKET_BURST_MAX ||
	    (set->iops_burst && !set->iops) || (set->bytes_burst && !set->bytes))
		return -EINVAL;
	spin_lock_irqsave(&l->lock, flags);
	kvh_bucket_set(&l->limits.ops, set->iops, set->iops_burst, now);
	kvh_bucket_set(&l->limits.bytes, set->bytes, set->bytes_burst, now);
	/* While a queue waits, it has to be let through by __blk_limit_take(). */
	WRITE_ONCE(l->on, kvh_limits_on(&l->limits) || !list_empty(&l->line) || l->turn);
	if (!l->turn)
		limit_arm_next(l);
	spin_unlock_irqrestore(&l->lock, flags);
	return 0;
}

/**
 * blk_limit_get() - read the limits in force
 * @l:   limits
 * @get: result; @size is left alone
 *
 * Context: Process context, device lock held.
 */
void blk_limit_get(struct blk_limit *l, struct kvhost_blk_limits *get)
{
	const struct kvh_limits *s = &l->limits;

	get->iops = s->ops.rate;
	get->iops_burst = s->ops.rate ? s->ops.burst : 0;
	get->bytes = s->bytes.rate;
	get->bytes_burst = s->bytes.rate ? s->bytes.burst : 0;
}
