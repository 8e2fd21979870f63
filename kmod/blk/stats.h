/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stats.h - what stats.c counts.
 */
#ifndef KVH_BLK_STATS_H
#define KVH_BLK_STATS_H

#include <linux/types.h>

struct blk_queue;
struct blk_req;

void blk_stats_started(struct blk_queue *bq);
u64 blk_stats_latency(const struct blk_req *req);
u64 blk_req_payload(const struct blk_req *req);
void blk_stats_answered(const struct blk_req *req, u8 status);

#endif /* KVH_BLK_STATS_H */
