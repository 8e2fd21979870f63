/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stats.h - what kvhost_net counts per queue.
 *
 * Counted by the queue's worker with the queue lock held; the core reads the
 * words without a lock.
 */
#ifndef KVH_NET_STATS_H
#define KVH_NET_STATS_H

#include "net.h"
#include "trace.h"

/* A frame was delivered. */
static inline void net_stats_frame(struct net_queue *nq, u32 len)
{
	nq->stats->packets++;
	nq->stats->bytes += len;
}

/* A frame was dropped, for reason KVHOST_NET_DROP_*. */
static inline void net_stats_drop(struct net_queue *nq, unsigned int reason, u32 len)
{
	nq->stats->drops[reason]++;
	trace_kvh_net_drop(nq, reason, len);
}

#endif /* KVH_NET_STATS_H */
