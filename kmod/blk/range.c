// SPDX-License-Identifier: GPL-2.0
/*
 * range.c - requests that name ranges instead of carrying data: discard, write
 * zeroes, secure erase (5.2.6).
 *
 * The ranges are copied once and all are checked before the first is acted on.
 * The work may block and takes its time anyway, so it is deferred, and done by
 * the kernel's own synchronous helpers. None of them can be ended early, so each
 * range is done in steps. Before every step two events can end the request:
 *
 *	the owner is gone     at once; nobody reads the answer
 *	a drain waits for it  after %RANGE_GRACE; a discard, which is advice, is
 *	                      answered OK, the others are answered IOERR
 */
#include <linux/blkdev.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>
#include "blk.h"
#include "blk_step.h"

/*
 * Longest that a drain waits for the ranges of a queue, besides the steps that go
 * on, in jiffies. Raising it saves slow disks an IOERR, and lets the owner's call wait
 * longer.
 */
#define RANGE_GRACE	(5 * HZ)

/**
 * struct range_walk - how far a request has come
 * @req:     the request
 * @step:    bytes to ask for next
 * @cut:     a drain has waited long enough
 * @written: the device refused to write zeroes by itself
 */
struct range_walk {
	struct blk_req *req;
	u64 step;
	bool cut;
	bool written;
};

/**
 * blk_queue_cut() - has a drain waited long enough for requests that take long?
 * @bq: queue
 *
 * All requests of a queue are given the same time, %RANGE_GRACE. It begins when the
 * first of them asks during the drain.
 *
 * Context: Any, while a request of the queue is in flight.
 * Return: true if the request that asks has to end
 */
bool blk_queue_cut(struct blk_queue *bq)
{
	unsigned long since;

	if (!kvh_vq_held(bq->vq)) {
		WRITE_ONCE(bq->drained, 0);
		return false;
	}
	since = READ_ONCE(bq->drained);
	if (!since)
		/* 0 means no drain. */
		WRITE_ONCE(bq->drained, jiffies | 1);
	return since && time_after(jiffies, since + RANGE_GRACE);
}

/* Return: 0 to go on, -EINTR if nobody waits for the request any more */
static int walk_check(struct range_walk *w)
{
	if (blk_req_orphaned(w->req))
		return -EINTR;
	w->cut = blk_queue_cut(w->req->bq);
	return w->cut ? -EINTR : 0;
}

/*
 * Offloaded if the device can. Without NOFALLBACK a device that refuses would
 * have all of the step written, whatever the size to which steps have grown.
 */
static int zero_bdev(struct range_walk *w, sector_t sector, sector_t nr, bool unmap)
{
	struct block_device *bdev = w->req->disk->bdev;
	unsigned int flags = unmap ? 0 : BLKDEV_ZERO_NOUNMAP;
	sector_t most = KVH_STEP_FIRST >> SECTOR_SHIFT;
	int ret = -EOPNOTSUPP;

	if (!w->written)
		ret = blkdev_issue_zeroout(bdev, sector, nr, GFP_NOIO,
					   flags | BLKDEV_ZERO_NOFALLBACK);
	if (ret != -EOPNOTSUPP)
		return ret;
	w->written = true;
	for (ret = 0; !ret && nr; sector += most, nr -= most) {
		most = min(most, nr);
		ret = walk_check(w);
		if (!ret)
			ret = blkdev_issue_zeroout(bdev, sector, most, GFP_NOIO, flags);
	}
	return ret;
}

static int step_on_bdev(struct range_walk *w, u64 pos, u64 bytes, bool unmap)
{
	struct block_device *bdev = w->req->disk->bdev;
	sector_t sector = pos >> SECTOR_SHIFT, nr = bytes >> SECTOR_SHIFT;

	switch (w->req->ask.type) {
	case VIRTIO_BLK_T_DISCARD:
		return blkdev_issue_discard(bdev, sector, nr, GFP_NOIO);
	case VIRTIO_BLK_T_SECURE_ERASE:
		return blkdev_issue_secure_erase(bdev, sector, nr, GFP_NOIO);
	default:
		return zero_bdev(w, sector, nr, unmap);
	}
}

/* No file system has all of these, so whatever it lacks is replaced by the next. */
static int zero_file(const struct blk_disk *disk, u64 pos, u64 bytes, bool unmap)
{
	int ret = -EOPNOTSUPP;

	if (unmap)
		ret = vfs_fallocate(disk->file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    pos, bytes);
	if (ret == -EOPNOTSUPP)
		ret = vfs_fallocate(disk->file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE,
				    pos, bytes);
	return ret == -EOPNOTSUPP ? blk_file_zero(disk, pos, bytes) : ret;
}

static int step_on_file(struct range_walk *w, u64 pos, u64 bytes, bool unmap)
{
	const struct blk_disk *disk = w->req->disk;

	if (w->req->ask.type != VIRTIO_BLK_T_DISCARD)
		return zero_file(disk, pos, bytes, unmap);
	return vfs_fallocate(disk->file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, pos, bytes);
}

static int range_one(struct range_walk *w, const struct kvh_blk_range *r)
{
	const struct blk_disk *disk = w->req->disk;
	u64 pos = disk->start + (r->sector << SECTOR_SHIFT);
	u64 end = pos + r->bytes, to, begun;
	u64 base = disk->bdev ? get_start_sect(disk->bdev) << SECTOR_SHIFT : 0;
	int ret = 0;

	/* Steps that grew while holes were punched are too long for writing. */
	if (!r->unmap)
		w->step = KVH_STEP_FIRST;
	for (; !ret && pos < end; pos = to) {
		ret = walk_check(w);
		if (ret)
			return ret;
		to = kvh_step_end(pos, end, w->step, disk->discard_granularity, base);
		begun = ktime_get_ns();
		ret = disk->bdev ? step_on_bdev(w, pos, to - pos, r->unmap) :
				   step_on_file(w, pos, to - pos, r->unmap);
		w->step = kvh_step_next(w->step, ktime_get_ns() - begun);
		cond_resched();
	}
	return ret;
}

static int range_all(struct blk_req *req)
{
	struct range_walk w = { .req = req, .step = KVH_STEP_FIRST };
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < req->ask.nr_ranges; i++)
		ret = range_one(&w, &req->ranges[i]);
	if (w.cut && req->ask.type == VIRTIO_BLK_T_DISCARD)
		return 0;
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
 * blk_range_recheck() - hold ranges read before against the disk of now
 * @req: request, its ranges read
 *
 * Context: Worker, queue lock held.
 * Return: 0; -EINVAL for a range that is not on the disk
 */
int blk_range_recheck(struct blk_req *req)
{
	struct virtio_blk_discard_write_zeroes raw;
	struct kvh_blk_range *r = req->ranges;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < req->ask.nr_ranges; i++, r++) {
		raw.sector = cpu_to_le64(r->sector);
		raw.num_sectors = cpu_to_le32(r->bytes >> SECTOR_SHIFT);
		raw.flags = cpu_to_le32(r->unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0);
		ret = kvh_blk_range_check(&req->ask, &raw, &req->disk->limits, r);
	}
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
	/* Requests are begun while no drain is on, so this is of an earlier one. */
	WRITE_ONCE(req->bq->drained, 0);
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
