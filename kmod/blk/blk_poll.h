/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blk_poll.h - what blk_poll.c does for queue.c, bio.c and disk.c.
 */
#ifndef KVH_BLK_BLK_POLL_H
#define KVH_BLK_BLK_POLL_H

#include <linux/types.h>

struct bio;
struct blk_disk;
struct blk_queue;
struct blk_req;

bool blk_poll_can(const struct blk_disk *disk);
void blk_poll_begin(struct blk_req *req, struct bio *bio);
void blk_poll_submitted(struct blk_req *req);
void blk_poll_ask(struct blk_queue *bq);
bool blk_poll_end(struct blk_req *req);

#endif /* KVH_BLK_BLK_POLL_H */
