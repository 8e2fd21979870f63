// SPDX-License-Identifier: GPL-2.0
/*
 * bounce.c - payload that lies in memory as the disk cannot take it.
 *
 * A driver may cut its payload anywhere (2.7.4.1); disks want whole sectors at
 * aligned addresses. Such a request goes through pages of our own.
 */
#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>
#include "blk.h"

static void bounce_free(struct blk_req *req)
{
	unsigned int i;

	for (i = 0; i < req->pin.nr; i++)
		__free_page(req->pin.bv[i].bv_page);
	kvfree(req->pin.bv);
}

static int bounce_alloc(struct blk_req *req)
{
	unsigned int n = DIV_ROUND_UP(req->len, PAGE_SIZE);
	u32 left = req->len;
	struct bio_vec *bv;

	memset(&req->pin, 0, sizeof(req->pin));
	req->pin.bv = kvmalloc_array(n, sizeof(*req->pin.bv), GFP_KERNEL_ACCOUNT);
	if (!req->pin.bv)
		return -ENOMEM;
	for (; left; left -= bv->bv_len) {
		bv = &req->pin.bv[req->pin.nr];
		bv->bv_page = alloc_page(GFP_KERNEL_ACCOUNT);
		if (!bv->bv_page)
			return -ENOMEM;
		bv->bv_offset = 0;
		bv->bv_len = min_t(u32, left, PAGE_SIZE);
		req->pin.nr++;
	}
	return 0;
}

/* Copy between the pages and guest segments @segs from byte @off on. */
static int bounce_copy(struct blk_req *req, const struct kvh_seg *segs, unsigned int n,
		       u64 off, bool to_guest)
{
	unsigned int i;
	int ret = 0;
	void *va;

	for (i = 0; !ret && i < req->pin.nr; i++) {
		const struct bio_vec *bv = &req->pin.bv[i];

		va = kmap_local_page(bv->bv_page);
		ret = to_guest ? kvh_vq_write(req->bq->vq, segs, n, off, va, bv->bv_len) :
				 kvh_vq_read(req->bq->vq, segs, n, off, va, bv->bv_len);
		kunmap_local(va);
		off += bv->bv_len;
	}
	return ret;
}

/**
 * blk_bounce_get() - make blk_req.pin pages of our own, filled for a write
 * @req:  request with @len set
 * @segs: the payload's segments
 * @n:    number of segments
 * @off:  bytes before the piece
 *
 * Context: Worker, queue lock held.
 * Return: 0, -ENOMEM, or -EFAULT if the payload is not in guest memory
 */
int blk_bounce_get(struct blk_req *req, const struct kvh_seg *segs, unsigned int n, u64 off)
{
	int ret = bounce_alloc(req);

	if (!ret && req->ask.type == VIRTIO_BLK_T_OUT)
		ret = bounce_copy(req, segs, n, off, false);
	if (ret)
		bounce_free(req);
	return ret;
}

/**
 * blk_bounce_put() - free the pages
 * @req:      request with pages of our own, and with @segs if it reads
 * @to_guest: hand a read's data to the guest first
 *
 * Context: Worker, queue lock held.
 * Return: 0, or -EFAULT if the guest's memory is gone
 */
int blk_bounce_put(struct blk_req *req, bool to_guest)
{
	int ret = 0;

	if (to_guest)
		ret = bounce_copy(req, req->segs, req->nsegs, req->at, true);
	bounce_free(req);
	return ret;
}
