// SPDX-License-Identifier: GPL-2.0
/*
 * payload.c - the guest memory of a read or write, a piece at a time.
 *
 * A piece is pinned, or copied where it lies as the disk cannot take it. One piece
 * is the whole payload unless that is large. Pieces follow one another, so a
 * request has the memory of one piece in use, whatever its size.
 *
 * The segments of a chain live in the batch it was taken with. A request that needs
 * them later keeps a copy: for its next piece, for data to be copied to the guest,
 * and to be tried again.
 */
#include <linux/blkdev.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>
#include "blk.h"

static bool is_read(const struct blk_req *req)
{
	return req->ask.type == VIRTIO_BLK_T_IN;
}

/* Segments with the payload, and the bytes before the piece. */
static const struct kvh_seg *payload_segs(const struct blk_req *req, unsigned int *n, u64 *off)
{
	const struct kvh_chain *c = &req->chain;

	*n = is_read(req) ? c->n_write : c->n_read;
	*off = req->at + (is_read(req) ? 0 : sizeof(struct kvh_blk_hdr));
	if (req->segs)
		return req->segs;
	return kvh_vq_segs(req->bq->vq, c) + (is_read(req) ? c->n_read : 0);
}

static int payload_keep_segs(struct blk_req *req)
{
	const struct kvh_seg *segs;
	unsigned int n;
	u64 off;

	if (req->segs)
		return 0;
	segs = payload_segs(req, &n, &off);
	req->nsegs = n;
	req->segs = req->few;
	if (n > ARRAY_SIZE(req->few)) {
		req->segs = kvmalloc_array(n, sizeof(*segs), GFP_KERNEL_ACCOUNT);
		if (!req->segs)
			return -ENOMEM;
	}
	memcpy(req->segs, segs, n * sizeof(*segs));
	return 0;
}

/* Most pages that @len bytes of one segment can touch. */
static u32 seg_pages(u32 len)
{
	return (len >> PAGE_SHIFT) + 2;
}

/*
 * Bytes of payload from blk_req.at on that touch at most @pages pages, in whole
 * blocks of the disk. Return: 0 if not even one block does
 */
static u32 piece_bytes(const struct blk_req *req, u32 pages)
{
	u32 left = req->ask.len - req->at, bytes = 0, run;
	const struct kvh_seg *seg;
	unsigned int n;
	u64 off;

	seg = payload_segs(req, &n, &off);
	for (; n && off >= seg->len; seg++, n--)
		off -= seg->len;
	for (; n && left; seg++, n--, off = 0) {
		run = min_t(u64, left, seg->len - off);
		if (seg_pages(run) > pages) {
			if (pages > 2)
				bytes += min(run, (pages - 2) << PAGE_SHIFT);
			return round_down(bytes, req->disk->limits.lbs);
		}
		pages -= seg_pages(run);
		bytes += run;
		left -= run;
	}
	return bytes;
}

/* Does the piece lie as the disk needs it? */
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

static int piece_copy(struct blk_req *req)
{
	const struct kvh_seg *segs;
	unsigned int n;
	u64 off;
	int ret;

	ret = is_read(req) ? payload_keep_segs(req) : 0;
	if (ret)
		return ret;
	segs = payload_segs(req, &n, &off);
	ret = blk_bounce_get(req, segs, n, off);
	if (ret)
		return ret;
	req->has_copy = true;
	req->bounced = true;
	return 0;
}

/* Get hold of the piece's pages, or of a copy. */
static int piece_map(struct blk_req *req)
{
	const struct kvh_seg *segs;
	unsigned int n;
	u64 off;
	int ret;

	segs = payload_segs(req, &n, &off);
	ret = kvh_pin_get(&req->pin, req->bq->vq, segs, n, off, req->len, is_read(req));
	if (ret)
		return ret;
	req->has_pin = true;
	if (pin_aligned(req))
		return 0;
	req->has_pin = false;
	kvh_pin_put(&req->pin, req->bq->vq);
	return piece_copy(req);
}

/**
 * blk_payload_map() - get hold of the piece that begins at blk_req.at
 * @req: read or write, nothing of it mapped; @cost is the most pages of the piece
 *
 * Context: Worker, queue lock held.
 * Return: 0; -EFAULT if the payload is not in guest memory or cannot be accessed
 * so; -ENOMEM
 */
int blk_payload_map(struct blk_req *req)
{
	bool stops = req->disk->flags & KVHOST_BLK_STOP_ON_ERROR;
	int ret;

	if (likely(!req->at && blk_chain_pages(&req->chain) <= req->cost))
		req->len = req->ask.len;
	else
		req->len = piece_bytes(req, req->cost);
	if (stops || req->len < req->ask.len) {
		ret = payload_keep_segs(req);
		if (ret)
			return ret;
	}
	if (likely(req->len))
		return piece_map(req);
	/* A block of the disk in more pages than there may be is one page as a copy. */
	req->len = req->disk->limits.lbs;
	return piece_copy(req);
}

/**
 * blk_payload_next() - get hold of the piece behind the one at hand
 * @req: read or write, nothing of it mapped; there is more of it
 *
 * It uses the pages of the one before, and more if there are some.
 *
 * Context: Worker, queue lock held.
 * Return: as blk_payload_map()
 */
int blk_payload_next(struct blk_req *req)
{
	struct blk_queue *bq = req->bq;
	u32 more = min(blk_share_room(bq->budget, &bq->share),
		       BLK_PIECE_PAGES - min(req->cost, BLK_PIECE_PAGES));

	if (blk_share_take(bq->budget, &bq->share, more))
		req->cost += more;
	req->at += req->len;
	req->moved = 0;
	return blk_payload_map(req);
}

/**
 * blk_payload_pages() - tell how many pages a request has in use
 * @req: request
 *
 * A request with pieces to come keeps what it was granted.
 *
 * Context: Worker, queue lock held.
 * Return: pages; none are counted of memory that is pinned for longer
 */
u32 blk_payload_pages(const struct blk_req *req)
{
	u32 pages = req->has_copy || (req->has_pin && !req->pin.borrowed) ? req->pin.nr : 0;

	if ((req->has_pin || req->has_copy) && req->len < req->ask.len)
		return max(pages, req->cost);
	return pages;
}

/**
 * blk_payload_unmap() - let go of the piece at hand
 * @req: request; nothing to do if nothing is mapped
 *
 * Data that was read into a copy goes to the guest, unless the disk failed.
 *
 * Context: Worker, queue lock held.
 * Return: 0, or -EFAULT if the guest's memory is gone
 */
int blk_payload_unmap(struct blk_req *req)
{
	int ret = 0;

	if (req->has_pin)
		kvh_pin_put(&req->pin, req->bq->vq);
	if (req->has_copy)
		ret = blk_bounce_put(req, is_read(req) && !req->error);
	req->has_pin = false;
	req->has_copy = false;
	return ret;
}

/**
 * blk_payload_forget() - free what was remembered of the segments
 * @req: request, nothing mapped
 *
 * Context: Worker, queue lock held.
 */
void blk_payload_forget(struct blk_req *req)
{
	if (req->segs != req->few)
		kvfree(req->segs);
	req->segs = NULL;
}
