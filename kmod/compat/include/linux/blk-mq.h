/* SPDX-License-Identifier: GPL-2.0 */
/* Overlay: which request was put into a plug last, whatever the list is made of. */
#ifndef KVH_COMPAT_BLK_MQ_H
#define KVH_COMPAT_BLK_MQ_H

#include_next <linux/blk-mq.h>

static inline const struct request *blk_plug_last(const struct blk_plug *plug)
{
#ifdef KVH_HAVE_RQ_LIST_TAIL
	return plug->mq_list.tail;
#else
	return plug->mq_list;
#endif
}

#endif
