// SPDX-License-Identifier: GPL-2.0
/*
 * budget.c - bound the pages that the payload of a device has in use.
 *
 * A guest decides how many queues it uses, so the bound is one of the device:
 *
 *	each queue    %BLK_SHARE_PAGES of its own
 *	all queues    %BLK_POOL_PAGES, each at most an equal part of it
 *
 * A queue without anything in use can always begin a piece of a request. So no
 * queue waits for another one to make progress. A queue that is refused pages has
 * some in use: it tries again when its own requests end, or when it is woken
 * because others gave pages back. Small I/O stays within the queue's own pages and
 * touches nothing that queues share.
 *
 * Called by the queue's worker with the queue lock held unless noted.
 */
#include <linux/blkdev.h>
#include "blk.h"
#include "budget.h"

/* Refused queues wake when so much is free again, so that they wake seldom. */
#define WAKE_USED	((int)(BLK_POOL_PAGES - BLK_POOL_PAGES / 4))

/**
 * blk_budget_init() - begin with all pages unused
 * @b: budget of a device
 *
 * Context: Process context.
 */
void blk_budget_init(struct blk_budget *b)
{
	atomic_set(&b->used, 0);
	atomic_set(&b->users, 0);
	spin_lock_init(&b->lock);
	INIT_LIST_HEAD(&b->waiting);
	b->wake_at = -1;
}

/**
 * blk_share_init() - prepare the share of a queue that starts
 * @s:  share
 * @vq: queue
 *
 * Context: Process context, device and queue lock held.
 */
void blk_share_init(struct blk_share *s, struct kvh_vq *vq)
{
	s->vq = vq;
	s->used = 0;
	s->pool = 0;
	INIT_LIST_HEAD(&s->node);
}

/**
 * blk_share_leave() - a queue stops, and waits for no pages any more
 * @b: budget of the device
 * @s: share, none of it in use
 *
 * Context: Process context, device and queue lock held.
 */
void blk_share_leave(struct blk_budget *b, struct blk_share *s)
{
	spin_lock(&b->lock);
	list_del_init(&s->node);
	spin_unlock(&b->lock);
}

/* Most pages of the pool that a queue may use. */
static u32 share_fair(const struct blk_budget *b, const struct blk_share *s)
{
	return BLK_POOL_PAGES / max(atomic_read(&b->users) + !s->pool, 1);
}

/**
 * blk_share_room() - tell how many more pages a queue could use now
 * @b: budget of the device
 * @s: share
 *
 * Context: Worker, queue lock held.
 * Return: pages; a hint, because other queues take some at any time
 */
u32 blk_share_room(const struct blk_budget *b, const struct blk_share *s)
{
	u32 own = s->used < BLK_SHARE_PAGES ? BLK_SHARE_PAGES - s->used : 0;
	u32 used = atomic_read(&b->used), fair = share_fair(b, s);

	if (used >= BLK_POOL_PAGES || s->pool >= fair)
		return own;
	return own + min(BLK_POOL_PAGES - used, fair - s->pool);
}

/* Pages of the pool that @used pages of a queue are. */
static u32 pool_part(u32 used)
{
	return used > BLK_SHARE_PAGES ? used - BLK_SHARE_PAGES : 0;
}

static void share_set(struct blk_budget *b, struct blk_share *s, u32 used)
{
	u32 pool = pool_part(used);

	if (!s->pool && pool)
		atomic_inc(&b->users);
	else if (s->pool && !pool)
		atomic_dec(&b->users);
	s->used = used;
	s->pool = pool;
}

/**
 * blk_share_take() - use more pages, if they are to be had
 * @b:     budget of the device
 * @s:     share
 * @pages: how many
 *
 * Context: Worker, queue lock held.
 * Return: true if they may be used; always if none is in use and @pages is at most
 * %BLK_SHARE_PAGES
 */
bool blk_share_take(struct blk_budget *b, struct blk_share *s, u32 pages)
{
	u32 more = pool_part(s->used + pages) - s->pool;
	int used = atomic_read(&b->used);

	if (more && s->pool + more > share_fair(b, s))
		return false;
	while (more) {
		if (used + more > BLK_POOL_PAGES)
			return false;
		if (atomic_try_cmpxchg(&b->used, &used, used + more))
			break;
	}
	share_set(b, s, s->used + pages);
	return true;
}

/* Be woken when @pages pages may be had. */
static void share_wait(struct blk_budget *b, struct blk_share *s, u32 pages)
{
	int at = min_t(int, WAKE_USED, BLK_POOL_PAGES - min(pages, BLK_POOL_PAGES));

	spin_lock(&b->lock);
	if (list_empty(&s->node))
		list_add_tail(&s->node, &b->waiting);
	WRITE_ONCE(b->wake_at, max(b->wake_at, at));
	spin_unlock(&b->lock);
	/* Pairs with the one in budget_returned(): either side sees the other. */
	smp_mb();
}

/**
 * blk_share_may_take() - could more pages be used now?
 * @b:     budget of the device
 * @s:     share with pages in use
 * @pages: how many
 *
 * Context: Worker, queue lock held.
 * Return: true if so; else the queue is woken when to ask again
 */
bool blk_share_may_take(struct blk_budget *b, struct blk_share *s, u32 pages)
{
	if (blk_share_room(b, s) >= pages)
		return true;
	share_wait(b, s, pages);
	return blk_share_room(b, s) >= pages;
}

/**
 * blk_share_take_or_wait() - use more pages, or be woken when to try again
 * @b:     budget of the device
 * @s:     share with pages in use
 * @pages: how many
 *
 * Context: Worker, queue lock held.
 * Return: true if they may be used
 */
bool blk_share_take_or_wait(struct blk_budget *b, struct blk_share *s, u32 pages)
{
	if (blk_share_take(b, s, pages))
		return true;
	share_wait(b, s, pages);
	return blk_share_take(b, s, pages);
}

/* Wake the queues that were refused pages; @self tries again by itself. */
static void budget_wake(struct blk_budget *b, const struct blk_share *self)
{
	struct blk_share *s, *next;

	spin_lock(&b->lock);
	WRITE_ONCE(b->wake_at, -1);
	list_for_each_entry_safe(s, next, &b->waiting, node) {
		list_del_init(&s->node);
		if (s == self)
			continue;
		/* Alive: blk_share_leave() has not taken @lock for it yet. */
		rcu_read_lock();
		kvh_vq_wake(s->vq);
		rcu_read_unlock();
	}
	spin_unlock(&b->lock);
}

/* Pages went back to the pool; @last: the queue uses none of it any more. */
static void budget_returned(struct blk_budget *b, const struct blk_share *self, bool last)
{
	int at;

	/* Pairs with the one in share_wait(). */
	smp_mb();
	at = READ_ONCE(b->wake_at);
	/* Each of the others may use more if one user is less. */
	if (unlikely(at >= 0) && (last || atomic_read(&b->used) <= at))
		budget_wake(b, self);
}

/**
 * blk_share_put() - pages are not used any more
 * @b:     budget of the device
 * @s:     share
 * @pages: how many
 *
 * Context: Worker, queue lock held. The caller tries again itself what it was
 * refused.
 */
void blk_share_put(struct blk_budget *b, struct blk_share *s, u32 pages)
{
	u32 less = s->pool - pool_part(s->used - pages);

	share_set(b, s, s->used - pages);
	if (!less)
		return;
	atomic_sub(less, &b->used);
	budget_returned(b, s, !s->pool);
}

/**
 * blk_share_force() - use more pages, whether they are to be had or not
 * @b:     budget of the device
 * @s:     share
 * @pages: how many; few
 *
 * Context: Worker, queue lock held.
 */
void blk_share_force(struct blk_budget *b, struct blk_share *s, u32 pages)
{
	atomic_add(pool_part(s->used + pages) - s->pool, &b->used);
	share_set(b, s, s->used + pages);
}
