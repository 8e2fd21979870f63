// SPDX-License-Identifier: GPL-2.0
/*
 * touches.c - which guest memory the requests in flight still need.
 */
#include <linux/blkdev.h>
#include "blk.h"

static bool req_touches(const struct blk_req *req, u64 first, u64 last)
{
	return kvh_segs_touch(&req->status_at, 1, first, last) ||
	       (req->has_pin && kvh_segs_touch(req->pin.segs, req->pin.nsegs, first, last)) ||
	       (req->segs && kvh_segs_touch(req->segs, req->nsegs, first, last));
}

/**
 * blk_queue_touches() - tell whether a request needs guest memory in a range
 * @vq:    queue with a device IOTLB
 * @first: first I/O virtual address
 * @last:  last address
 *
 * The status byte counts, because it is written when the request ends.
 *
 * Context: Process context, queue lock held, queue paused.
 * Return: true if one does
 */
bool blk_queue_touches(struct kvh_vq *vq, u64 first, u64 last)
{
	const struct blk_queue *bq = kvh_vq_private(vq);
	unsigned int i;

	for (i = 0; i < kvh_vq_size(vq); i++)
		if (req_touches(&bq->reqs[i], first, last))
			return true;
	return false;
}
