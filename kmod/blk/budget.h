/* SPDX-License-Identifier: GPL-2.0 */
/*
 * budget.h - pages that the payload of a device's requests may have in use.
 */
#ifndef KVH_BLK_BUDGET_H
#define KVH_BLK_BUDGET_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>

struct kvh_vq;

/*
 * Pages of a queue's own, 1 MiB. More of them let a queue do more while others use
 * up the pool, and raise the bound of a device by 64 times as much.
 */
#define BLK_SHARE_PAGES	256u

/*
 * Pages that the queues of a device share, 64 MiB: 512 requests of 128 KiB, more
 * than any disk needs to be busy.
 */
#define BLK_POOL_PAGES	16384u

/* Pages of one piece: 16 MiB, cut into as many segments as a chain can have. */
#define BLK_PIECE_PAGES	((16u << (20 - PAGE_SHIFT)) + 2 * KVH_CHAIN_SEGS_MAX)

/**
 * struct blk_budget - the pool of a device
 * @used:    pages in use
 * @users:   queues that use some
 * @lock:    everything below; a leaf
 * @waiting: queues that were refused pages, by blk_share.node
 * @wake_at: at so many pages in use or less they are woken; negative: none waits.
 *           May be read locklessly
 */
struct blk_budget {
	atomic_t used;
	atomic_t users;
	spinlock_t lock;	/* see above */
	struct list_head waiting;
	int wake_at;
};

/**
 * struct blk_share - what a queue has of it; the queue's worker's unless noted
 * @vq:   the queue; constant
 * @used: pages in use
 * @pool: of these, pages of the pool
 * @node: on blk_budget.waiting; under blk_budget.lock
 */
struct blk_share {
	struct kvh_vq *vq;
	u32 used;
	u32 pool;
	struct list_head node;
};

void blk_budget_init(struct blk_budget *b);
void blk_share_init(struct blk_share *s, struct kvh_vq *vq);
void blk_share_leave(struct blk_budget *b, struct blk_share *s);
u32 blk_share_room(const struct blk_budget *b, const struct blk_share *s);
bool blk_share_take(struct blk_budget *b, struct blk_share *s, u32 pages);
bool blk_share_may_take(struct blk_budget *b, struct blk_share *s, u32 pages);
bool blk_share_take_or_wait(struct blk_budget *b, struct blk_share *s, u32 pages);
void blk_share_put(struct blk_budget *b, struct blk_share *s, u32 pages);
void blk_share_force(struct blk_budget *b, struct blk_share *s, u32 pages);

#endif /* KVH_BLK_BUDGET_H */
