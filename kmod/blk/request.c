// SPDX-License-Identifier: GPL-2.0
/*
 * request.c - a virtio-blk request: read its header, check it, start it, and
 * tell the driver how it went.
 *
 * Framing is the driver's (5.2.6, 2.7.4): the header is the first 16 readable
 * bytes, the status the last writable byte, whatever lies between is payload,
 * however it is cut. The header is copied once and only the copy is used. A
 * chain without room for header or status breaks the queue and is never
 * reported as used; everything else is answered by a status.
 */
#include <linux/blkdev.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/virtio_blk.h>
#include "blk.h"
#include "stats.h"

#define HDR_BYTES	sizeof(struct virtio_blk_outhdr)

static const struct kvh_seg *req_segs(const struct blk_req *req)
{
	return kvh_vq_segs(req->bq->vq, &req->chain);
}

static u32 payload_out(const struct blk_req *req)
{
	return req->chain.read_len - HDR_BYTES;
}

static u32 payload_in(const struct blk_req *req)
{
	return req->chain.write_len - 1;
}

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

/**
 * blk_defer() - go on with a request where it may block
 * @req: request
 * @fn:  what to do; ends in blk_req_done()
 *
 * Context: Any, interrupts included.
 */
void blk_defer(struct blk_req *req, work_func_t fn)
{
	INIT_WORK(&req->work, fn);
	queue_work(req->disk->wq, &req->work);
}

/* Copy header and place of the status byte. Return: false if there is no room for them. */
static bool req_parse(struct blk_req *req)
{
	const struct kvh_seg *segs = req_segs(req), *last;
	struct virtio_blk_outhdr hdr;

	if (req->chain.read_len < HDR_BYTES || !req->chain.n_write)
		return false;
	last = &segs[req->chain.n_read + req->chain.n_write - 1];
	req->status_at = (struct kvh_seg){ .addr = last->addr + last->len - 1, .len = 1 };
	if (kvh_vq_read(req->bq->vq, segs, req->chain.n_read, 0, &hdr, sizeof(hdr)))
		return false;
	req->type = le32_to_cpu((__force __le32)hdr.type);
	req->sector = le64_to_cpu((__force __le64)hdr.sector);
	return true;
}

/**
 * blk_range_ok() - is a range made of whole blocks on the disk? (5.2.6.2)
 * @disk:   disk
 * @sector: first 512-byte sector
 * @len:    bytes
 *
 * Context: Any.
 * Return: true if it is, and not empty
 */
bool blk_range_ok(const struct blk_disk *disk, u64 sector, u64 len)
{
	u64 n = len >> SECTOR_SHIFT;

	if (!len || (len | (sector << SECTOR_SHIFT)) & (disk->lbs - 1))
		return false;
	return n <= disk->capacity && sector <= disk->capacity - n;
}

/* Does the payload lie as the disk needs it? */
static bool pin_aligned(const struct blk_req *req)
{
	unsigned int i;

	if (!req->disk->mem_align)
		return true;
	for (i = 0; i < req->pin.nr; i++) {
		const struct bio_vec *bv = &req->pin.bv[i];

		if ((bv->bv_offset & req->disk->mem_align) || (bv->bv_len & (req->disk->lbs - 1)))
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
	ret = kvh_pin_get(&req->pin, req->bq->vq, segs, n, off, req->len, write);
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

static int start_rw(struct blk_req *req, bool write)
{
	const struct blk_disk *disk = req->disk;
	int ret;

	req->len = write ? payload_out(req) : payload_in(req);
	if ((write ? payload_in(req) : payload_out(req)) || req->len > BLK_DATA_MAX ||
	    !blk_range_ok(disk, req->sector, req->len))
		return -EINVAL;
	if (write && ((disk->flags & KVHOST_BLK_RDONLY) ||
		      (disk->bdev && bdev_read_only(disk->bdev))))
		return -EROFS;
	req->durable = write && req_durable(req);
	ret = req_map(req, !write);
	if (ret)
		return ret;
	if (disk->bdev)
		blk_bio_rw(req);
	else
		blk_file_rw(req);
	return 0;
}

static int start_flush(struct blk_req *req)
{
	if (payload_out(req) || payload_in(req))
		return -EINVAL;
	if (req->disk->bdev)
		blk_bio_flush(req);
	else
		blk_file_flush(req);
	return 0;
}

/* The serial is answered at once. At most 20 bytes, no more than there is room for. */
static int start_get_id(struct blk_req *req)
{
	u32 len = min_t(u32, payload_in(req), KVHOST_BLK_SERIAL_BYTES);
	int ret;

	if (payload_out(req))
		return -EINVAL;
	ret = kvh_vq_write(req->bq->vq, req_segs(req) + req->chain.n_read,
			   req->chain.n_write, 0, req->disk->serial, len);
	if (ret)
		return ret;
	req->len = len;
	blk_req_done(req);
	return 0;
}

static int start_range(struct blk_req *req)
{
	req->durable = req_durable(req);
	return blk_range_start(req, req_segs(req), HDR_BYTES, payload_out(req), payload_in(req));
}

static int req_submit(struct blk_req *req)
{
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		return start_rw(req, false);
	case VIRTIO_BLK_T_OUT:
		return start_rw(req, true);
	case VIRTIO_BLK_T_FLUSH:
		return start_flush(req);
	case VIRTIO_BLK_T_GET_ID:
		return start_get_id(req);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
	case VIRTIO_BLK_T_SECURE_ERASE:
		return start_range(req);
	default:
		return -EOPNOTSUPP;
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
	int ret;

	req->chain = *chain;
	req->disk = blk_vq_disk(req->bq->vq);
	req->len = 0;
	req->error = 0;
	req->has_pin = false;
	req->bounced = false;
	req->durable = false;
	req->refused = false;
	req->moved = 0;
	req->ranges = NULL;
	req->nr_ranges = 0;
	atomic_set(&req->pending, 1);
	if (!req_parse(req)) {
		/* blk_req_finish() drops it. */
		req->status_at.len = 0;
		kvh_vq_malformed(req->bq->vq);
		blk_req_done(req);
		return;
	}
	ret = req_submit(req);
	if (ret) {
		req->refused = true;
		blk_req_error(req, ret);
		blk_req_done(req);
	}
}

static u8 status_of(int error)
{
	switch (error) {
	case 0:
		return VIRTIO_BLK_S_OK;
	case -EOPNOTSUPP:
		return VIRTIO_BLK_S_UNSUPP;
	default:
		return VIRTIO_BLK_S_IOERR;
	}
}

/*
 * Bytes written from the first writable one on (2.7.8.2): the payload if it is
 * known to be there, and the status byte only if nothing unwritten lies before.
 */
static u32 written(const struct blk_req *req)
{
	u32 n = 0;

	if (!req->error && (req->type == VIRTIO_BLK_T_IN || req->type == VIRTIO_BLK_T_GET_ID))
		n = req->len;
	return n == payload_in(req) ? n + 1 : n;
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
	status = status_of(req->error);
	/* Without a place for the status the queue is broken or becomes so. */
	if (!req->status_at.len || kvh_vq_write(vq, &req->status_at, 1, 0, &status, 1)) {
		req->bq->stats->dropped++;
		kvh_vq_malformed(vq);
		kvh_vq_drop(vq, &req->chain);
	} else {
		blk_stats_answered(req, status);
		req->chain.written = written(req);
		kvh_vq_complete(vq, &req->chain);
	}
	kfree(req->ranges);
}
