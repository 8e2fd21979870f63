/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Overlay: which request was put into a plug last, whatever the list is made of;
 * and where a queue says that it can be polled.
 */
#ifndef KVH_COMPAT_BLK_MQ_H
#define KVH_COMPAT_BLK_MQ_H

#include_next <linux/blk-mq.h>
#include <linux/blkdev.h>

static inline bool bdev_can_poll(struct block_device *bdev)
{
	struct request_queue *q = bdev_get_queue(bdev);

#ifdef BLK_FEAT_POLL
	return queue_is_mq(q) && (q->limits.features & BLK_FEAT_POLL);
#else
	return queue_is_mq(q) && test_bit(QUEUE_FLAG_POLL, &q->queue_flags);
#endif
}

static inline const struct request *blk_plug_last(const struct blk_plug *plug)
{
#ifdef KVH_HAVE_RQ_LIST_TAIL
	return plug->mq_list.tail;
#else
	return plug->mq_list;
#endif
}

#endif
