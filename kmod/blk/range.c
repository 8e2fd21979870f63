// SPDX-License-Identifier: GPL-2.0
/*
 * range.c - requests that name ranges instead of carrying data: discard, write
 * zeroes, secure erase (5.2.6).
 *
 * The segments are copied once and all are checked before the first is acted
 * on. What they ask for may block and takes its time anyway, so it is done in
 * the disk's work queue by the kernel's own synchronous helpers.
 */
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>
#include "blk.h"

static u32 range_flags(const struct virtio_blk_discard_write_zeroes *r)
{
	return le32_to_cpu(r->flags);
}

static u64 range_sector(const struct virtio_blk_discard_write_zeroes *r)
{
	return le64_to_cpu(r->sector);
}

static u64 range_bytes(const struct virtio_blk_discard_write_zeroes *r)
{
	return (u64)le32_to_cpu(r->num_sectors) << SECTOR_SHIFT;
}

static bool range_unmaps(const struct virtio_blk_discard_write_zeroes *r)
{
	return range_flags(r) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
}

static int range_check(const struct blk_req *req,
		       const struct virtio_blk_discard_write_zeroes *r)
{
	u32 known = 0;

	/* Unknown flags, and unmap where it says nothing, are UNSUPP (5.2.6.2). */
	if (req->type == VIRTIO_BLK_T_WRITE_ZEROES)
		known = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	if (range_flags(r) & ~known)
		return -EOPNOTSUPP;
	return blk_range_ok(req->disk, range_sector(r), range_bytes(r)) ? 0 : -EINVAL;
}

static int range_on_bdev(const struct blk_req *req,
			 const struct virtio_blk_discard_write_zeroes *r)
{
	sector_t sector = (req->disk->start >> SECTOR_SHIFT) + range_sector(r);
	sector_t nr = range_bytes(r) >> SECTOR_SHIFT;
	struct block_device *bdev = req->disk->bdev;

	switch (req->type) {
	case VIRTIO_BLK_T_DISCARD:
		return blkdev_issue_discard(bdev, sector, nr, GFP_NOIO);
	case VIRTIO_BLK_T_SECURE_ERASE:
		return blkdev_issue_secure_erase(bdev, sector, nr, GFP_NOIO);
	default:
		return blkdev_issue_zeroout(bdev, sector, nr, GFP_NOIO,
					    range_unmaps(r) ? 0 : BLKDEV_ZERO_NOUNMAP);
	}
}

static int range_on_file(const struct blk_req *req,
			 const struct virtio_blk_discard_write_zeroes *r)
{
	bool punch = req->type == VIRTIO_BLK_T_DISCARD || range_unmaps(r);
	int mode = FALLOC_FL_KEEP_SIZE | (punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);

	return vfs_fallocate(req->disk->file, mode,
			     req->disk->start + (range_sector(r) << SECTOR_SHIFT),
			     range_bytes(r));
}

static int range_all(const struct blk_req *req)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < req->nr_ranges; i++)
		ret = req->disk->bdev ? range_on_bdev(req, &req->ranges[i]) :
					range_on_file(req, &req->ranges[i]);
	if (ret || !req->durable)
		return ret;
	return req->disk->bdev ? blkdev_issue_flush(req->disk->bdev) :
				 vfs_fsync(req->disk->file, 1);
}

static void range_work(struct work_struct *work)
{
	struct blk_req *req = container_of(work, struct blk_req, work);
	const struct cred *old = override_creds(req->disk->cred);
	int ret = range_all(req);

	revert_creds(old);
	if (ret)
		blk_req_error(req, ret);
	blk_req_done(req);
}

/* May this be done to the disk at all? */
static int range_allowed(const struct blk_req *req)
{
	const struct blk_disk *disk = req->disk;

	if (disk->flags & KVHOST_BLK_RDONLY)
		return -EROFS;
	if (req->type == VIRTIO_BLK_T_DISCARD && !disk->discard)
		return -EOPNOTSUPP;
	if (req->type == VIRTIO_BLK_T_WRITE_ZEROES && !disk->zeroes)
		return -EOPNOTSUPP;
	if (req->type == VIRTIO_BLK_T_SECURE_ERASE && !disk->erase)
		return -EOPNOTSUPP;
	return 0;
}

/**
 * blk_range_start() - begin a request that names ranges
 * @req:  request
 * @segs: its segments
 * @off:  bytes before the first range
 * @len:  bytes the ranges take
 * @in:   bytes it has room for besides the status; none belong there
 *
 * Context: Worker, queue lock held.
 * Return: 0; -EOPNOTSUPP for what the disk cannot or a flag says too much;
 * -EROFS; -EINVAL for no, too many, ragged or misplaced ranges; -EFAULT; -ENOMEM
 */
int blk_range_start(struct blk_req *req, const struct kvh_seg *segs, u64 off, u32 len, u32 in)
{
	u32 i, nr = len / sizeof(*req->ranges);
	int ret = range_allowed(req);

	if (ret)
		return ret;
	if (in || !nr || nr > KVHOST_BLK_RANGES_MAX || len % sizeof(*req->ranges))
		return -EINVAL;
	req->ranges = kmalloc_array(nr, sizeof(*req->ranges), GFP_KERNEL_ACCOUNT);
	if (!req->ranges)
		return -ENOMEM;
	req->nr_ranges = nr;
	ret = kvh_vq_read(req->bq->vq, segs, req->chain.n_read, off, req->ranges, len);
	for (i = 0; !ret && i < nr; i++)
		ret = range_check(req, &req->ranges[i]);
	if (!ret)
		blk_defer(req, range_work);
	return ret;
}
