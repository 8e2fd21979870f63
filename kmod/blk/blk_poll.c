// SPDX-License-Identifier: GPL-2.0
/*
 * blk_poll.c - completions that are asked for instead of being waited for.
 *
 * With KVHOST_BLK_POLL, a request of one bio goes to a poll queue of the disk
 * while the worker spins anyway. There it raises no interrupt: it ends when
 * somebody asks the disk, so from its start to its end it is on
 * blk_queue.polled and the worker asks, every turn and while it spins, and does
 * not sleep. That holds for a queue that is held, drained or broken as well.
 *
 * A bio that is polled is kept by a reference of ours: another poller of the
 * same disk, or its time-out, may end it while we look at it.
 *
 * The worker never waits for a tag of the disk: those that hold them may be its
 * own, and end only when it asks. A bio that would have to wait ends with
 * BLK_STS_AGAIN, and bio.c issues it once more from the disk's work queue, to be
 * ended by an interrupt.
 *
 * Called by the queue's worker with the queue lock held.
 */
#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/list.h>
#include "blk.h"
#include "blk_poll.h"
#include "stats.h"

/**
 * blk_poll_can() - has a disk poll queues?
 * @disk: disk
 *
 * Context: Process context.
 * Return: true if it has, and need not make us wait
 */
bool blk_poll_can(const struct blk_disk *disk)
{
	return disk->bdev && bdev_can_poll(disk->bdev) && bdev_nowait(disk->bdev);
}

/**
 * blk_poll_begin() - have a bio polled, if that pays
 * @req: request
 * @bio: all there is of it, about to be submitted
 *
 * Context: Worker, queue lock held.
 */
void blk_poll_begin(struct blk_req *req, struct bio *bio)
{
	if (!(req->disk->flags & KVHOST_BLK_POLL) || req->poll_failed ||
	    op_is_flush(bio->bi_opf) || !kvh_vq_spins(req->bq->vq))
		return;
	bio_get(bio);
	bio->bi_opf |= REQ_POLLED | REQ_NOWAIT;
	req->poll_bio = bio;
	list_add_tail(&req->poll_node, &req->bq->polled);
}

static void poll_forget(struct blk_req *req)
{
	list_del(&req->poll_node);
	bio_put(req->poll_bio);
	req->poll_bio = NULL;
}

/**
 * blk_poll_submitted() - a bio was submitted; is it polled in the end?
 * @req: request
 *
 * A device that has lost its poll queues since may have taken it as any other, and
 * one without a tag to spare did not take it.
 *
 * Context: Worker, queue lock held.
 */
void blk_poll_submitted(struct blk_req *req)
{
	const struct bio *bio = req->poll_bio;

	if (bio && (!(bio->bi_opf & REQ_POLLED) || bio->bi_status == BLK_STS_AGAIN))
		poll_forget(req);
}

/**
 * blk_poll_ask() - ask the disk once
 * @bq: queue
 *
 * Requests may be in several hardware queues, so that each is asked for in turn.
 *
 * Context: Worker, queue lock held, outside of a plug.
 */
void blk_poll_ask(struct blk_queue *bq)
{
	struct blk_req *req = list_first_entry_or_null(&bq->polled, struct blk_req, poll_node);

	if (!req)
		return;
	/* What ends here needs not wake us. */
	WRITE_ONCE(bq->submitter, current);
	bio_poll(req->poll_bio, NULL, BLK_POLL_ONESHOT);
	WRITE_ONCE(bq->submitter, NULL);
	list_move_tail(&req->poll_node, &bq->polled);
}

/**
 * blk_poll_end() - a request came back
 * @req: request
 *
 * A device that has lost its poll queues since may refuse what is to be polled;
 * that is no answer for the driver, and the request is sent again.
 *
 * Context: Worker, queue lock held.
 * Return: true if it is on its way once more
 */
bool blk_poll_end(struct blk_req *req)
{
	struct blk_plug plug;

	if (!req->poll_bio)
		return false;
	poll_forget(req);
	if (req->error != -EOPNOTSUPP) {
		req->bq->stats->polled++;
		return false;
	}
	req->poll_failed = true;
	req->error = 0;
	atomic_set(&req->pending, 1);
	blk_start_plug(&plug);
	blk_bio_rw(req);
	blk_finish_plug(&plug);
	return true;
}
