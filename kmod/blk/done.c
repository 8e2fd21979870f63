// SPDX-License-Identifier: GPL-2.0
/*
 * done.c - the way of a request back to its queue's worker.
 *
 * What does I/O (bio.c, file.c, range.c) reports here, in any context; it knows
 * nothing of how requests begin or are completed. The last part of a request to
 * end pushes it to blk_queue.done, which the worker alone empties.
 */
#include <linux/rcupdate.h>
#include "blk.h"

/**
 * blk_req_error() - note what went wrong; the first error stays
 * @req:   request
 * @error: -errno
 *
 * Context: Any.
 */
void blk_req_error(struct blk_req *req, int error)
{
	cmpxchg(&req->error, 0, error);
}

/**
 * blk_req_done() - one part of a request is finished
 * @req: request
 *
 * Context: Any, interrupts included. The last part hands @req back to the
 * queue's worker.
 */
void blk_req_done(struct blk_req *req)
{
	struct blk_queue *bq = req->bq;
	struct kvh_vq *vq = bq->vq;
	bool mine;

	if (!atomic_dec_and_test(&req->pending))
		return;
	/*
	 * In the submitter's own context (or an interrupt on top of it) the
	 * wake-up is not needed: it reaps after it has cleared @submitter.
	 */
	mine = READ_ONCE(bq->submitter) == current;
	/*
	 * Once on the list the request, and with the last one the queue, can be
	 * gone at any time; kvh_dev_reset() waits for us before it frees @vq.
	 */
	rcu_read_lock();
	if (llist_add(&req->done, &bq->done) && !mine)
		kvh_vq_wake(vq);
	rcu_read_unlock();
}
