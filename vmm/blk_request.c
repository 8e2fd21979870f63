// SPDX-License-Identifier: GPL-2.0
/*
 * blk_request.c - one virtio-blk request of the userspace backend.
 *
 * The header is copied out of guest RAM once, and only the copy is used; the
 * module's own blk_hdr.c checks it. Header, data and status may be cut into
 * segments in any way. A chain whose header or status byte is missing or not in
 * guest RAM is malformed, as there is nowhere to report to; everything else gets
 * a status.
 *
 * The used length never exceeds what was written from the first writable byte
 * on: where data ends early, the status byte behind the gap does not count.
 *
 * Called by the I/O thread of blk_user.c.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>

#include "blk_request.h"
#include "disk.h"
#include "memory.h"
#include <kvhost.h>

#define HEADER_BYTES	sizeof(struct kvh_blk_hdr)
#define RETRIES_MAX	16

/* Entries of iov that a request keeps, 1 KiB: enough for what drivers usually send. */
#define IOV_KEPT	64u

/* Collects bytes [@skip, @skip + @len) of @n segments into req->iov. */
static int collect(struct blk_request *req, const struct guest_memory *mem,
		   const struct kvh_seg *segs, unsigned int n, size_t skip,
		   size_t len)
{
	req->iov_at = 0;
	req->iov_nr = 0;
	req->bits = 0;
	if (n > req->iov_room) {
		free(req->iov);
		req->iov_room = 0;
		req->iov = calloc(n, sizeof(*req->iov));
		if (!req->iov)
			return -ENOMEM;
		req->iov_room = n;
	}
	for (; len; segs++) {
		size_t part = segs->len;
		uint8_t *p;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		part -= skip;
		if (part > len)
			part = len;
		p = memory_at(mem, segs->addr + skip, part);
		if (!p)
			return -EFAULT;
		req->iov[req->iov_nr++] = (struct iovec) {
			.iov_base = p,
			.iov_len = part,
		};
		req->bits |= (uintptr_t)p | part;
		skip = 0;
		len -= part;
	}
	return 0;
}

/* Moves @len bytes between the rest of the data and @buf. */
static void copy(struct blk_request *req, void *buf, size_t len, bool to_guest)
{
	unsigned int i;

	for (i = req->iov_at; len; i++) {
		size_t part = req->iov[i].iov_len;

		if (part > len)
			part = len;
		if (to_guest)
			memcpy(req->iov[i].iov_base, buf, part);
		else
			memcpy(buf, req->iov[i].iov_base, part);
		buf = (char *)buf + part;
		len -= part;
	}
}

static void advance(struct blk_request *req, size_t len)
{
	req->left -= len;
	req->pos += len;
	while (len) {
		struct iovec *v = &req->iov[req->iov_at];

		if (len < v->iov_len) {
			v->iov_base = (char *)v->iov_base + len;
			v->iov_len -= len;
			return;
		}
		len -= v->iov_len;
		req->iov_at++;
		req->iov_nr--;
	}
}

static int read_header(struct blk_request *req, const struct guest_memory *mem,
		       const struct kvh_seg *segs,
		       struct kvh_blk_hdr *hdr)
{
	const struct kvh_chain *c = &req->chain;
	const void *p;
	int ret;

	if (segs[0].len >= HEADER_BYTES) {
		p = memory_at(mem, segs[0].addr, HEADER_BYTES);
		if (!p)
			return -EFAULT;
		memcpy(hdr, p, HEADER_BYTES);
		return 0;
	}
	ret = collect(req, mem, segs, c->n_read, 0, HEADER_BYTES);
	if (!ret)
		copy(req, hdr, HEADER_BYTES, false);
	return ret;
}

static void settle(struct blk_request *req, uint8_t status)
{
	req->op = BLK_DONE;
	req->status = status;
}

static int parse_transfer(struct blk_request *req,
			  const struct blk_parse *parse,
			  const struct kvh_seg *segs,
			  const struct kvh_blk_ask *ask, enum blk_op op)
{
	const struct kvh_chain *c = &req->chain;

	req->op = op;
	req->bytes = ask->len;
	req->left = ask->len;
	req->pos = parse->disk->offset + ask->sector * DISK_SECTOR;
	if (op == BLK_READ)
		return collect(req, parse->mem, segs + c->n_read, c->n_write,
			       0, req->bytes);
	return collect(req, parse->mem, segs, c->n_read, HEADER_BYTES,
		       req->bytes);
}

static int parse_get_id(struct blk_request *req, const struct blk_parse *parse,
			const struct kvh_seg *segs, size_t len)
{
	const struct kvh_chain *c = &req->chain;
	uint8_t id[sizeof(parse->serial)];
	int ret;

	memcpy(id, parse->serial, sizeof(id));
	ret = collect(req, parse->mem, segs + c->n_read, c->n_write, 0, len);
	if (ret)
		return ret;
	copy(req, id, len, true);
	req->filled = len;
	return 0;
}

/* Copied once, all of them; each is checked before the first is acted on. */
static int parse_ranges(struct blk_request *req, const struct blk_parse *parse,
			const struct kvh_seg *segs,
			const struct kvh_blk_ask *ask)
{
	struct virtio_blk_discard_write_zeroes raw[KVHOST_BLK_RANGES_MAX];
	unsigned int i;
	int ret;

	ret = collect(req, parse->mem, segs, req->chain.n_read, HEADER_BYTES,
		      ask->len);
	if (ret)
		return ret;
	copy(req, raw, ask->len, false);
	req->type = ask->type;
	req->nr_ranges = ask->nr_ranges;
	req->ranges = calloc(ask->nr_ranges, sizeof(*req->ranges));
	if (!req->ranges)
		return -ENOMEM;
	for (i = 0; !ret && i < ask->nr_ranges; i++)
		ret = kvh_blk_range_check(ask, &raw[i], &parse->limits,
					  &req->ranges[i]);
	req->op = BLK_RANGES;
	return ret;
}

static int parse_type(struct blk_request *req, const struct blk_parse *parse,
		      const struct kvh_seg *segs, const struct kvh_blk_hdr *hdr)
{
	struct kvh_blk_ask ask;
	int ret = kvh_blk_hdr_check(hdr, req->chain.read_len - HEADER_BYTES,
				    req->chain.write_len - 1, &parse->limits,
				    &ask);

	if (ret)
		return ret;
	switch (ask.type) {
	case VIRTIO_BLK_T_IN:
		return parse_transfer(req, parse, segs, &ask, BLK_READ);
	case VIRTIO_BLK_T_OUT:
		return parse_transfer(req, parse, segs, &ask, BLK_WRITE);
	case VIRTIO_BLK_T_FLUSH:
		req->op = BLK_FLUSH;
		return 0;
	case VIRTIO_BLK_T_GET_ID:
		return parse_get_id(req, parse, segs, ask.len);
	default:
		return parse_ranges(req, parse, segs, &ask);
	}
}

/**
 * blk_request_parse() - find out what a chain asks for
 * @req:   @req->chain filled in
 * @parse: what to check against
 * @segs:  the chain's segments, readable ones first
 *
 * Return: 0, then @req->op says what is left to do; -EPROTO for a malformed
 * chain.
 */
int blk_request_parse(struct blk_request *req, const struct blk_parse *parse,
		      const struct kvh_seg *segs)
{
	const struct kvh_chain *c = &req->chain;
	struct kvh_blk_hdr hdr;
	const struct kvh_seg *last;
	int ret;

	settle(req, VIRTIO_BLK_S_OK);
	req->retries = 0;
	req->filled = 0;
	req->left = 0;
	req->bytes = 0;
	if (!kvh_blk_hdr_fits(c->read_len, c->write_len))
		return -EPROTO;
	last = &segs[c->n_read + c->n_write - 1];
	req->status_p = memory_at(parse->mem, last->addr + last->len - 1, 1);
	if (!req->status_p || read_header(req, parse->mem, segs, &hdr))
		return -EPROTO;

	ret = parse_type(req, parse, segs, &hdr);
	if (ret)
		settle(req, kvh_blk_status(ret));
	return 0;
}

/**
 * blk_request_unaligned() - can the file not take the data as it lies?
 * @req:  a BLK_READ or BLK_WRITE
 * @disk: the disk
 *
 * Return: true if it takes a bounce buffer.
 */
bool blk_request_unaligned(const struct blk_request *req,
			   const struct disk *disk)
{
	return disk->direct && (req->bits & (disk->align - 1));
}

/**
 * blk_request_bounce() - prepare the next piece of I/O through @req->bounce
 * @req: a BLK_READ or BLK_WRITE
 */
void blk_request_bounce(struct blk_request *req)
{
	req->bounce_len = req->left;
	if (req->bounce_len > BLK_BOUNCE_BYTES)
		req->bounce_len = BLK_BOUNCE_BYTES;
	if (req->op == BLK_WRITE)
		copy(req, req->bounce, req->bounce_len, false);
}

/**
 * blk_request_done() - a piece of I/O came to its end
 * @req: the request; @req->op becomes BLK_DONE unless there is more to do
 * @res: bytes transferred, or -errno
 */
void blk_request_done(struct blk_request *req, int res)
{
	if (req->op == BLK_RANGES) {
		settle(req, kvh_blk_status(res));
		return;
	}
	if (res == -EINTR || res == -EAGAIN) {
		if (++req->retries > RETRIES_MAX)
			settle(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (res < 0) {
		settle(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (req->op == BLK_FLUSH) {
		req->op = BLK_DONE;
		return;
	}
	/* Nothing at all: the file became shorter than the disk. */
	if (!res) {
		settle(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (req->op == BLK_READ) {
		if (req->bounce)
			copy(req, req->bounce, res, true);
		req->filled += res;
	}
	advance(req, res);
	if (!req->left)
		req->op = BLK_DONE;
}

/**
 * blk_request_finish() - tell the guest how it went
 * @req: its @op is BLK_DONE; @req->chain.written is set
 */
void blk_request_finish(struct blk_request *req)
{
	free(req->ranges);
	req->ranges = NULL;
	__atomic_store_n(req->status_p, req->status, __ATOMIC_RELAXED);
	req->chain.written = kvh_blk_written(req->filled, req->chain.write_len);
	if (req->iov_room > IOV_KEPT)
		blk_request_free(req);
}

/**
 * blk_request_free() - free what a request keeps
 * @req: request without @bounce
 */
void blk_request_free(struct blk_request *req)
{
	free(req->iov);
	req->iov = NULL;
	req->iov_room = 0;
}
