// SPDX-License-Identifier: GPL-2.0
/*
 * range.c - requests that name ranges instead of carrying data: discard, write
 * zeroes, secure erase (5.2.6).
 *
 * The ranges are copied once and all are checked before the first is acted on.
 * What they ask for may block and takes its time anyway, so it is done in the
 * disk's work queue by the kernel's own synchronous helpers.
 */
#include <linux/blkdev.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>
#include "blk.h"

/* Where zeroes are written one by one: so many at a time. */
#define ZERO_STEP	((sector_t)(32u << 20) >> SECTOR_SHIFT)

/*
 * A range may be as large as the disk. Where the kernel has to write the zeroes
 * itself that can take hours, and nobody but us can end it: so in steps, until
 * the owner is gone.
 */
static int range_zero_bdev(const struct blk_req *req, sector_t sector, sector_t nr, bool unmap)
{
	struct block_device *bdev = req->disk->bdev;
	sector_t step = bdev_write_zeroes_sectors(bdev) ? nr : ZERO_STEP;
	int ret = 0;

	for (; !ret && nr; sector += step, nr -= step) {
		if (kvh_dev_ending(kvh_vq_dev(req->bq->vq)))
			return -EINTR;
		step = min(step, nr);
		ret = blkdev_issue_zeroout(bdev, sector, step, GFP_NOIO,
					   unmap ? 0 : BLKDEV_ZERO_NOUNMAP);
	}
	return ret;
}

static int range_on_bdev(const struct blk_req *req, const struct kvh_blk_range *r)
{
	sector_t sector = (req->disk->start >> SECTOR_SHIFT) + r->sector;
	sector_t nr = r->bytes >> SECTOR_SHIFT;
	struct block_device *bdev = req->disk->bdev;

	switch (req->ask.type) {
	case VIRTIO_BLK_T_DISCARD:
		return blkdev_issue_discard(bdev, sector, nr, GFP_NOIO);
	case VIRTIO_BLK_T_SECURE_ERASE:
		return blkdev_issue_secure_erase(bdev, sector, nr, GFP_NOIO);
	default:
		return range_zero_bdev(req, sector, nr, r->unmap);
	}
}

static int range_on_file(const struct blk_req *req, const struct kvh_blk_range *r)
{
	bool punch = req->ask.type == VIRTIO_BLK_T_DISCARD || r->unmap;
	int mode = FALLOC_FL_KEEP_SIZE | (punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);

	return vfs_fallocate(req->disk->file, mode,
			     req->disk->start + (r->sector << SECTOR_SHIFT), r->bytes);
}

static int range_all(struct blk_req *req)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < req->ask.nr_ranges; i++)
		ret = req->disk->bdev ? range_on_bdev(req, &req->ranges[i]) :
					range_on_file(req, &req->ranges[i]);
	if (ret || !req->durable)
		return ret;
	return req->disk->bdev ? blkdev_issue_flush(req->disk->bdev) :
				 blk_file_sync(req->disk);
}

/* Copy the ranges, all at once, and check each of them. */
static int range_read(struct blk_req *req, const struct kvh_seg *segs, u64 off)
{
	u32 i, nr = req->ask.nr_ranges;
	struct virtio_blk_discard_write_zeroes *raw;
	int ret;

	raw = kmalloc_array(nr, sizeof(*raw), GFP_KERNEL_ACCOUNT);
	if (!raw)
		return -ENOMEM;
	ret = kvh_vq_read(req->bq->vq, segs, req->chain.n_read, off, raw, req->ask.len);
	for (i = 0; !ret && i < nr; i++)
		ret = kvh_blk_range_check(&req->ask, &raw[i], &req->disk->limits, &req->ranges[i]);
	kfree(raw);
	return ret;
}

/**
 * blk_range_submit() - have the disk do what the ranges ask for
 * @req: request, its ranges read
 *
 * Context: Worker, queue lock held.
 */
void blk_range_submit(struct blk_req *req)
{
	blk_defer(req, range_all);
}

/**
 * blk_range_start() - begin a request that names ranges
 * @req:  request, its header accepted
 * @segs: its segments
 * @off:  bytes before the first range
 *
 * Context: Worker, queue lock held.
 * Return: 0; -EOPNOTSUPP for flags the type does not know; -EINVAL for a range
 * that is not on the disk; -EFAULT; -ENOMEM
 */
int blk_range_start(struct blk_req *req, const struct kvh_seg *segs, u64 off)
{
	int ret;

	req->ranges = kmalloc_array(req->ask.nr_ranges, sizeof(*req->ranges), GFP_KERNEL_ACCOUNT);
	if (!req->ranges)
		return -ENOMEM;
	ret = range_read(req, segs, off);
	if (!ret)
		blk_range_submit(req);
	return ret;
}
