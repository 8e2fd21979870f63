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
static bool req_parse(struct blk_req *req, struct kvh_blk_hdr *hdr)
{
	const struct kvh_seg *segs = req_segs(req), *last;

	if (!kvh_blk_hdr_fits(req->chain.read_len, req->chain.write_len))
		return false;
	last = &segs[req->chain.n_read + req->chain.n_write - 1];
	req->status_at = (struct kvh_seg){ .addr = last->addr + last->len - 1, .len = 1 };
	return !kvh_vq_read(req->bq->vq, segs, req->chain.n_read, 0, hdr, sizeof(*hdr));
}

/* Does the payload lie as the disk needs it? */
static bool pin_aligned(const struct blk_req *req)
{
	u32 len_mask = req->disk->limits.lbs - 1;
	unsigned int i;

	if (!req->disk->mem_align)
		return true;
	for (i = 0; i < req->pin.nr; i++) {
		const struct bio_vec *bv = &req->pin.bv[i];

		if ((bv->bv_offset & req->disk->mem_align) || (bv->bv_len & len_mask))
			return false;
	}
	return true;
}

/* Get hold of the payload's pages, or of a copy where they lie badly. */
static int req_map(struct blk_req *req, bool write)
{
	const struct kvh_seg *segs = req_segs(req);
	unsigned int n = req->chain.n_read;
	u64 off = HDR_BYTES;
	int ret;

	if (write) {
		segs += n;
		n = req->chain.n_write;
		off = 0;
	}
	ret = kvh_pin_get(&req->pin, req->bq->vq, segs, n, off, req->ask.len, write);
	if (ret)
		return ret;
	req->has_pin = true;
	if (pin_aligned(req))
		return 0;
	req->has_pin = false;
	kvh_pin_put(&req->pin, req->bq->vq);
	return blk_bounce_get(req, segs, n, off);
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
	ret = req_map(req, !write);
	if (ret)
		return ret;
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

static int req_submit(struct blk_req *req, const struct kvh_blk_hdr *hdr)
{
	int ret = kvh_blk_hdr_check(hdr, req->chain.read_len - HDR_BYTES,
				    req->chain.write_len - 1, &req->disk->limits, &req->ask);

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
	struct kvh_blk_hdr hdr;
	int ret;

	req->chain = *chain;
	req->disk = blk_vq_disk(req->bq->vq);
	req->error = 0;
	req->has_pin = false;
	req->bounced = false;
	req->durable = false;
	req->refused = false;
	req->moved = 0;
	req->ranges = NULL;
	atomic_set(&req->pending, 1);
	if (!req_parse(req, &hdr)) {
		/* blk_req_finish() drops it. */
		req->status_at.len = 0;
		kvh_vq_malformed(req->bq->vq);
		blk_req_done(req);
		return;
	}
	trace_kvh_blk_start(req, &hdr);
	ret = req_submit(req, &hdr);
	if (ret) {
		req->refused = true;
		blk_req_error(req, ret);
		blk_req_done(req);
	}
}

/**
 * blk_req_retry() - ask the disk again
 * @req: request off blk_queue.done that the disk has failed
 *
 * It still has all it needs: a copy of what it asks for, and its payload.
 *
 * Context: Worker, queue lock held.
 */
void blk_req_retry(struct blk_req *req)
{
	req->error = 0;
	req->moved = 0;
	atomic_set(&req->pending, 1);
	switch (req->ask.type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		submit_rw(req);
		break;
	case VIRTIO_BLK_T_FLUSH:
		start_flush(req);
		break;
	default:
		blk_range_submit(req);
		break;
	}
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

	if (req->bounced) {
		ret = blk_bounce_put(req);
		if (ret)
			blk_req_error(req, ret);
	} else if (req->has_pin) {
		kvh_pin_put(&req->pin, vq);
	}
	if (!req->disk->bdev)
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
	kfree(req->ranges);
	/* It needs no guest memory any more: see blk_queue_touches(). */
	req->status_at.len = 0;
	req->has_pin = false;
}
