// SPDX-License-Identifier: GPL-2.0
/*
 * request.c - a virtio-blk request: read its header, have it checked, start it,
 * and tell the driver how it went.
 *
 * Framing is the driver's (5.2.6, 2.7.4): the header is the first 16 readable
 * bytes, the status the last writable byte, whatever lies between is payload,
 * however it is cut. The header is copied once and only the copy is used. A
 * chain without room for header or status breaks the queue and is never
 * reported as used; everything else is answered by a status.
 */
#include <linux/blkdev.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>
#include "blk.h"
#include "stats.h"
#include "trace.h"

#define HDR_BYTES	sizeof(struct kvh_blk_hdr)

static const struct kvh_seg *req_segs(const struct blk_req *req)
{
	return kvh_vq_segs(req->bq->vq, &req->chain);
}

/* Copy header and place of the status byte. Return: false if there is no room for them. */
static bool req_parse(struct blk_req *req)
{
	const struct kvh_seg *segs = req_segs(req), *last;

	if (!kvh_blk_hdr_fits(req->chain.read_len, req->chain.write_len))
		return false;
	last = &segs[req->chain.n_read + req->chain.n_write - 1];
	req->status_at = (struct kvh_seg){ .addr = last->addr + last->len - 1, .len = 1 };
	return !kvh_vq_read(req->bq->vq, segs, req->chain.n_read, 0, &req->hdr,
			    sizeof(req->hdr));
}

/*
 * Is a completed write to survive a power cut? So it is in write-through mode,
 * and for a driver that cannot ask for a flush later (5.2.6.2).
 */
static bool req_durable(const struct blk_req *req)
{
	return (req->disk->flags & KVHOST_BLK_WRITETHROUGH) ||
	       !kvh_vq_has_feature(req->bq->vq, VIRTIO_BLK_F_FLUSH);
}

static void submit_rw(struct blk_req *req)
{
	if (req->disk->bdev)
		blk_bio_rw(req);
	else
		blk_file_rw(req);
}

static int start_rw(struct blk_req *req, bool write)
{
	const struct blk_disk *disk = req->disk;
	int ret;

	/* It may have become so since it was opened. */
	if (write && disk->bdev && bdev_read_only(disk->bdev))
		return -EROFS;
	req->durable = write && req_durable(req);
	ret = blk_payload_map(req);
	if (ret)
		return ret;
	/* Requests are begun while no drain is on, so this is of an earlier one. */
	if (req->len < req->ask.len)
		WRITE_ONCE(req->bq->drained, 0);
	submit_rw(req);
	return 0;
}

static int start_flush(struct blk_req *req)
{
	if (req->disk->bdev)
		blk_bio_flush(req);
	else
		blk_file_flush(req);
	return 0;
}

/* The serial is answered at once. */
static int start_get_id(struct blk_req *req)
{
	int ret = kvh_vq_write(req->bq->vq, req_segs(req) + req->chain.n_read,
			       req->chain.n_write, 0, req->disk->serial, req->ask.len);

	if (!ret)
		blk_req_done(req);
	return ret;
}

static int start_range(struct blk_req *req)
{
	req->durable = req_durable(req);
	return blk_range_start(req, req_segs(req), HDR_BYTES);
}

/* Hold what is asked for against the disk. */
static int req_check(struct blk_req *req)
{
	return kvh_blk_hdr_check(&req->hdr, req->chain.read_len - HDR_BYTES,
				 req->chain.write_len - 1, &req->disk->limits, &req->ask);
}

static int req_submit(struct blk_req *req)
{
	int ret = req_check(req);

	if (ret)
		return ret;
	switch (req->ask.type) {
	case VIRTIO_BLK_T_IN:
		return start_rw(req, false);
	case VIRTIO_BLK_T_OUT:
		return start_rw(req, true);
	case VIRTIO_BLK_T_FLUSH:
		return start_flush(req);
	case VIRTIO_BLK_T_GET_ID:
		return start_get_id(req);
	default:
		return start_range(req);
	}
}

static void req_refuse(struct blk_req *req, int error)
{
	req->refused = true;
	blk_req_error(req, error);
	blk_req_done(req);
}

/**
 * blk_req_start() - begin a request
 * @req:   an unused request of the queue
 * @chain: the chain it is made from; copied
 *
 * Every request comes back through blk_queue.done, refused ones too.
 *
 * Context: Worker, queue lock held, from blk_queue_serve().
 */
void blk_req_start(struct blk_req *req, const struct kvh_chain *chain)
{
	int ret;

	req->chain = *chain;
	req->disk = blk_vq_disk(req->bq->vq);
	req->error = 0;
	req->has_pin = false;
	req->has_copy = false;
	req->bounced = false;
	req->durable = false;
	req->refused = false;
	req->at = 0;
	req->len = 0;
	req->moved = 0;
	req->segs = NULL;
	req->ranges = NULL;
	atomic_set(&req->pending, 1);
	if (!req_parse(req)) {
		/* blk_req_finish() drops it. What the slot's last request asked for must go. */
		req->status_at.len = 0;
		memset(&req->ask, 0, sizeof(req->ask));
		kvh_vq_malformed(req->bq->vq);
		blk_req_done(req);
		return;
	}
	trace_kvh_blk_start(req, &req->hdr);
	ret = req_submit(req);
	if (ret)
		req_refuse(req, ret);
}

static bool has_payload(const struct blk_req *req)
{
	return req->ask.type == VIRTIO_BLK_T_IN || req->ask.type == VIRTIO_BLK_T_OUT;
}

/**
 * blk_req_more() - go on with the next piece of the payload
 * @req: request off blk_queue.done
 *
 * Context: Worker, queue lock held.
 * Return: true if there is one; then @req comes back through blk_queue.done again
 */
bool blk_req_more(struct blk_req *req)
{
	struct blk_plug plug;
	int ret;

	if (req->error || !req->len || !has_payload(req) || req->len == req->ask.len - req->at)
		return false;
	/* Whoever stands in for a dead worker must not wait for memory or the disk. */
	if (blk_req_orphaned(req) || kvh_vq_worker_dead(req->bq->vq) || blk_queue_cut(req->bq))
		ret = -EINTR;
	else
		ret = blk_payload_unmap(req);
	if (!ret)
		ret = blk_payload_next(req);
	if (ret) {
		req->refused = true;
		blk_req_error(req, ret);
		return false;
	}
	atomic_set(&req->pending, 1);
	blk_start_plug(&plug);
	submit_rw(req);
	blk_finish_plug(&plug);
	return true;
}

static int req_resubmit(struct blk_req *req)
{
	/* The owner may have replaced the disk since. */
	int ret = req_check(req);

	if (ret)
		return ret;
	switch (req->ask.type) {
	case VIRTIO_BLK_T_IN:
		return start_rw(req, false);
	case VIRTIO_BLK_T_OUT:
		return start_rw(req, true);
	case VIRTIO_BLK_T_FLUSH:
		return start_flush(req);
	default:
		ret = blk_range_recheck(req);
		if (!ret)
			blk_range_submit(req);
		return ret;
	}
}

/**
 * blk_req_suspend() - let go of all that a failed request holds but its chain
 * @req: request off blk_queue.done that the disk has failed
 *
 * Context: Worker, queue lock held.
 */
void blk_req_suspend(struct blk_req *req)
{
	/* There is no data to be copied, which alone could fail. */
	blk_payload_unmap(req);
	req->disk = NULL;
}

/**
 * blk_req_retry() - ask the disk again, for all of the request
 * @req: request after blk_req_suspend()
 *
 * Context: Worker, queue lock held, within a plug.
 */
void blk_req_retry(struct blk_req *req)
{
	int ret;

	req->disk = blk_vq_disk(req->bq->vq);
	req->error = 0;
	req->at = 0;
	req->moved = 0;
	atomic_set(&req->pending, 1);
	ret = req_resubmit(req);
	if (ret)
		req_refuse(req, ret);
}

/* Payload bytes in guest memory for sure. */
static u32 filled(const struct blk_req *req)
{
	bool answers = req->ask.type == VIRTIO_BLK_T_IN || req->ask.type == VIRTIO_BLK_T_GET_ID;

	return answers && !req->error ? req->ask.len : 0;
}

/**
 * blk_req_finish() - release what a request holds and complete its chain
 * @req: request off blk_queue.done; unused afterwards
 *
 * Context: Worker, queue lock held.
 */
void blk_req_finish(struct blk_req *req)
{
	struct kvh_vq *vq = req->bq->vq;
	u8 status;
	int ret;

	ret = blk_payload_unmap(req);
	if (ret)
		blk_req_error(req, ret);
	/* A request that was kept, and is answered as it is, has no disk any more. */
	if (req->disk && !req->disk->bdev)
		blk_file_finish(req);
	status = kvh_blk_status(req->error);
	/* Without a place for the status the queue is broken or becomes so. */
	if (!req->status_at.len || kvh_vq_write(vq, &req->status_at, 1, 0, &status, 1)) {
		req->bq->stats->dropped++;
		kvh_vq_malformed(vq);
		kvh_vq_drop(vq, &req->chain);
	} else {
		blk_stats_answered(req, status);
		req->chain.written = kvh_blk_written(filled(req), req->chain.write_len);
		kvh_vq_complete(vq, &req->chain);
	}
	blk_payload_forget(req);
	kfree(req->ranges);
	/* It needs no guest memory any more: see blk_queue_touches(). */
	req->status_at.len = 0;
	req->has_pin = false;
}
