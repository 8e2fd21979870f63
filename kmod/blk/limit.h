/* SPDX-License-Identifier: GPL-2.0 */
/*
 * limit.h - how fast a device may use its disk.
 */
#ifndef KVH_BLK_LIMIT_H
#define KVH_BLK_LIMIT_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include "../ring/bucket.h"

struct kvh_vq;
struct kvhost_blk_limits;

/**
 * struct blk_waiter - a queue's place in the line
 * @vq:    the queue; constant
 * @node:  on blk_limit.line while the queue waits; under blk_limit.lock
 * @bytes: payload of the request that asked last; under blk_limit.lock
 */
struct blk_waiter {
	struct kvh_vq *vq;
	struct list_head node;
	u64 bytes;
};

/**
 * struct blk_limit - the limits of a device, shared by its queues
 * @lock:   everything below; a leaf, taken in interrupts
 * @limits: the buckets
 * @on:     something is limited, or was and a queue still stands in line; may be
 *          read locklessly
 * @line:   queues that wait, the first is served next
 * @turn:   the waiter whose turn it is; it is not in the line
 * @timer:  when the next turn begins
 */
struct blk_limit {
	spinlock_t lock;	/* see above */
	struct kvh_limits limits;
	bool on;
	struct list_head line;
	struct blk_waiter *turn;
	struct hrtimer timer;
};

void blk_limit_init(struct blk_limit *l);
void blk_limit_exit(struct blk_limit *l);
void blk_waiter_init(struct blk_waiter *w, struct kvh_vq *vq);
unsigned int __blk_limit_room(struct blk_limit *l, struct blk_waiter *w);
bool __blk_limit_take(struct blk_limit *l, struct blk_waiter *w, u64 bytes);
void blk_limit_leave(struct blk_limit *l, struct blk_waiter *w);
int blk_limit_set(struct blk_limit *l, const struct kvhost_blk_limits *set);
void blk_limit_get(struct blk_limit *l, struct kvhost_blk_limits *get);

/**
 * blk_limit_room() - how many requests like the last may begin now?
 * @l: limits of its device
 * @w: its queue's place in the line
 *
 * Context: Worker, queue lock held.
 * Return: at most a batch; 0: the queue is woken when it is its turn
 */
static inline unsigned int blk_limit_room(struct blk_limit *l, struct blk_waiter *w)
{
	return likely(!READ_ONCE(l->on)) ? KVH_BATCH : __blk_limit_room(l, w);
}

/**
 * blk_limit_take() - may a request begin now?
 * @l:     limits of its device
 * @w:     its queue's place in the line
 * @bytes: its payload
 *
 * Context: Worker, queue lock held.
 * Return: true if it may; else the queue is woken when it is its turn
 */
static inline bool blk_limit_take(struct blk_limit *l, struct blk_waiter *w, u64 bytes)
{
	return likely(!READ_ONCE(l->on)) || __blk_limit_take(l, w, bytes);
}

#endif /* KVH_BLK_LIMIT_H */
