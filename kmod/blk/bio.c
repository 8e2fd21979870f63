// SPDX-License-Identifier: GPL-2.0
/*
 * bio.c - requests to a block device, as bios on the guest's own pages.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>
#include "blk.h"

/**
 * blk_bios_make() - set bios aside so that I/O goes on when memory is short
 *
 * Each disk has bios of its own: one that never answers keeps all of its own for
 * ever.
 *
 * Context: Process context of the owner.
 * Return: the bios, NULL without memory
 */
struct bio_set *blk_bios_make(void)
{
	struct bio_set *bios = kzalloc(sizeof(*bios), GFP_KERNEL_ACCOUNT);

	if (bios && bioset_init(bios, BIO_POOL_SIZE, 0, BIOSET_NEED_BVECS)) {
		kfree(bios);
		return NULL;
	}
	return bios;
}

/**
 * blk_bios_free() - undo blk_bios_make()
 * @bios: bios, none in use; or NULL
 *
 * Context: Process context.
 */
void blk_bios_free(struct bio_set *bios)
{
	if (!bios)
		return;
	bioset_exit(bios);
	kfree(bios);
}

static void bio_end(struct bio *bio)
{
	struct blk_req *req = bio->bi_private;

	if (bio->bi_status)
		blk_req_error(req, blk_status_to_errno(bio->bi_status));
	bio_put(bio);
	blk_req_done(req);
}

static struct bio *bio_new(struct blk_req *req, unsigned int nr, blk_opf_t opf)
{
	const struct blk_disk *disk = req->disk;
	struct bio *bio = bio_alloc_bioset(disk->bdev, nr, opf, GFP_NOIO, disk->bios);

	bio->bi_private = req;
	bio->bi_end_io = bio_end;
	return bio;
}

static void bio_submit(struct blk_req *req, struct bio *bio)
{
	req->bq->stats->bios++;
	submit_bio(bio);
}

static blk_opf_t rw_opf(const struct blk_req *req)
{
	if (req->ask.type != VIRTIO_BLK_T_OUT)
		return REQ_OP_READ | REQ_SYNC;
	return REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | (req->durable ? REQ_FUA : 0);
}

static sector_t rw_sector(const struct blk_req *req)
{
	return ((req->disk->start + req->at) >> SECTOR_SHIFT) + req->ask.sector;
}

/* Add what fits of @bv to @end. Return: the first that did not */
static const struct bio_vec *bio_fill(struct bio *bio, const struct bio_vec *bv,
				      const struct bio_vec *end)
{
	while (bv < end &&
	       bio_add_page(bio, bv->bv_page, bv->bv_len, bv->bv_offset) == bv->bv_len)
		bv++;
	return bv;
}

/**
 * blk_bio_rw() - read or write a piece of a request's payload
 * @req: request, the piece mapped
 *
 * Context: Worker, within a plug.
 */
void blk_bio_rw(struct blk_req *req)
{
	const struct bio_vec *bv = req->pin.bv, *end = bv + req->pin.nr;
	sector_t sector = rw_sector(req);
	blk_opf_t opf = rw_opf(req);
	struct bio *bio;

	/* One part is ours until all bios are on their way. */
	while (bv < end) {
		bio = bio_new(req, bio_max_segs(end - bv), opf);
		bio->bi_iter.bi_sector = sector;
		bv = bio_fill(bio, bv, end);
		sector += bio_sectors(bio);
		atomic_inc(&req->pending);
		bio_submit(req, bio);
	}
	blk_req_done(req);
}

/**
 * blk_bio_flush() - make completed writes durable
 * @req: request
 *
 * Context: Worker, within a plug.
 */
void blk_bio_flush(struct blk_req *req)
{
	bio_submit(req, bio_new(req, 0, REQ_OP_WRITE | REQ_PREFLUSH));
}
