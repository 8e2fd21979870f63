/* SPDX-License-Identifier: GPL-2.0 */
/*
 * halt.h - queues that stop at an error of the disk.
 */
#ifndef KVH_BLK_HALT_H
#define KVH_BLK_HALT_H

#include <linux/list.h>
#include <linux/llist.h>
#include <linux/spinlock.h>
#include <uapi/kvhost.h>

struct blk_queue;
struct blk_req;

/**
 * struct blk_halt - what a device knows of queues that stopped
 * @lock:   everything below and blk_halted of its queues; a leaf
 * @queues: queues that run, by blk_halted.node
 * @last:   what the owner is told
 */
struct blk_halt {
	spinlock_t lock;	/* see above */
	struct list_head queues;
	struct kvhost_blk_error last;
};

/**
 * struct blk_halted - requests a queue holds back; written under blk_halt.lock
 * @node:   on blk_halt.queues
 * @reqs:   failed requests, latest first
 * @nr:     how many; only the queue's worker changes it
 * @again:  requests to be tried again, first to last; the worker's
 * @resume: the owner has decided about @reqs
 * @action: KVHOST_BLK_RETRY or _REPORT, valid if @resume
 */
struct blk_halted {
	struct list_head node;
	struct llist_head reqs;
	unsigned int nr;
	struct llist_node *again;
	bool resume;
	u32 action;
};

void blk_halt_init(struct blk_halt *h);
void blk_halt_add(struct blk_queue *bq);
void blk_halt_remove(struct blk_queue *bq);
void blk_halt_forget(struct blk_halt *h);
bool blk_halt_stopped(const struct blk_queue *bq);
bool blk_halt_keep(struct blk_queue *bq, struct blk_req *req);
void blk_halt_reap(struct blk_queue *bq);
void blk_halt_resume(struct blk_halt *h, u32 action);
void blk_halt_get(struct blk_halt *h, struct kvhost_blk_error *get);

#endif /* KVH_BLK_HALT_H */
