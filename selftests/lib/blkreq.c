// SPDX-License-Identifier: GPL-2.0
/*
 * Builds virtio-blk requests in guest memory and reads their results.
 *
 * A request object owns its guest memory and can be used again and again, but
 * is in flight at most once. Every request starts with the status byte and the
 * data the device is to write poisoned.
 */
#include <stdlib.h>
#include <string.h>
#include "blkreq.h"

/**
 * blkreq_init() - give a request its guest memory
 * @r:       to be filled
 * @mem:     guest memory
 * @region:  where the data shall lie
 * @max_len: most data bytes it will carry
 */
void blkreq_init(struct blkreq *r, struct gmem *mem, unsigned int region, u32 max_len)
{
	*r = (struct blkreq) {
		.mem = mem,
		.hdr = gmem_alloc(mem, GMEM_LOW, BLK_HDR, 16),
		.data = gmem_alloc(mem, region, max_len ? max_len : 1, 4096),
		.status = gmem_alloc(mem, GMEM_LOW, 1, 1),
	};
}

/**
 * blkreq_set() - say what a request asks for
 * @r:      request, not in flight
 * @type:   VIRTIO_BLK_T_*; OUT carries its data to the device, the others from it
 * @sector: in units of 512 bytes
 * @len:    bytes of data
 *
 * Data to be written by the device is poisoned, data to be read is left alone.
 */
void blkreq_set(struct blkreq *r, u32 type, u64 sector, u32 len)
{
	struct virtio_blk_outhdr h = { .type = type, .sector = sector };
	u8 none = BLK_NO_STATUS;

	r->type = type;
	r->sector = sector;
	r->len = len;
	r->out = type == VIRTIO_BLK_T_OUT;
	gmem_write(r->mem, r->hdr, &h, sizeof(h));
	gmem_write(r->mem, r->status, &none, 1);
	if (!r->out)
		gmem_fill(r->mem, r->data, BLK_POISON, len);
}

/**
 * blkreq_plain() - the framing stock drivers use: header, data, status
 * @r:    request
 * @bufs: room for 3
 *
 * Return: number of segments.
 */
unsigned int blkreq_plain(const struct blkreq *r, struct vq_buf *bufs)
{
	unsigned int n = 0;

	bufs[n++] = (struct vq_buf) { r->hdr, BLK_HDR, false };
	if (r->len)
		bufs[n++] = (struct vq_buf) { r->data, r->len, !r->out };
	bufs[n++] = (struct vq_buf) { r->status, 1, true };
	return n;
}

/**
 * blkreq_submit() - put a request into a queue and ring the doorbell
 * @r:     request
 * @q:     queue
 * @shape: as for vq_add()
 *
 * Return: its head, or -ENOSPC.
 */
int blkreq_submit(struct blkreq *r, struct vq *q, const struct vq_shape *shape)
{
	struct vq_buf bufs[3];
	int head;

	head = vq_add(q, bufs, blkreq_plain(r, bufs), shape, r);
	if (head >= 0)
		vq_kick(q);
	return head;
}

/**
 * blkreq_status() - what the device answered
 * @r: request
 *
 * Return: status byte, %BLK_NO_STATUS when it was not written.
 */
u8 blkreq_status(const struct blkreq *r)
{
	u8 s;

	gmem_read(r->mem, r->status, &s, 1);
	return s;
}

/**
 * __blkreq_wait() - wait for the only request in flight
 * @r: request
 * @q: queue
 *
 * Return: whether it came back.
 */
bool __blkreq_wait(struct blkreq *r, struct vq *q)
{
	struct vq_used u;

	if (!vq_wait_used(q, &u, 1))
		return false;
	must(u.cookie == r, "another request came back");
	r->used_len = u.len;
	return true;
}

/**
 * blkreq_wait() - wait for the only request in flight, which has to come back
 * @r: request
 * @q: queue
 *
 * Return: status byte.
 */
u8 blkreq_wait(struct blkreq *r, struct vq *q)
{
	must(__blkreq_wait(r, q), "request type %u sector %llu not used within %d ms",
	     r->type, r->sector, LIMIT_MS);
	return blkreq_status(r);
}

/**
 * blk_do() - one request from start to end
 * @r:      request
 * @q:      queue with nothing else in flight
 * @type:   as for blkreq_set()
 * @sector: as for blkreq_set()
 * @len:    as for blkreq_set()
 *
 * Return: status byte.
 */
u8 blk_do(struct blkreq *r, struct vq *q, u32 type, u64 sector, u32 len)
{
	int head;

	blkreq_set(r, type, sector, len);
	head = blkreq_submit(r, q, NULL);
	must(head >= 0, "queue full");
	return blkreq_wait(r, q);
}

static u8 pattern(u64 pos, u32 seed)
{
	u64 x = (pos >> 3) * 0x9e3779b97f4a7c15ull + seed * 0xd1342543de82ef95ull;

	x ^= x >> 29;
	return x >> (8 * (pos & 7) % 32);
}

/**
 * blk_pattern() - fill a buffer with bytes that tell where they belong
 * @buf:  buffer
 * @len:  its size
 * @pos:  position of its first byte on the disk
 * @seed: which generation of data
 */
void blk_pattern(u8 *buf, size_t len, u64 pos, u32 seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = pattern(pos + i, seed);
}

/**
 * blk_is_pattern() - whether a buffer holds what blk_pattern() would write
 * @buf:  buffer
 * @len:  its size
 * @pos:  position of its first byte on the disk
 * @seed: which generation of data
 *
 * Return: true if all bytes are right.
 */
bool blk_is_pattern(const u8 *buf, size_t len, u64 pos, u32 seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (buf[i] != pattern(pos + i, seed))
			return false;
	return true;
}

/**
 * blkframe_init() - get an arena to spread requests in
 * @f:        to be filled
 * @mem:      guest memory; the arena lies across LOW and MID where they touch
 * @bytes:    most bytes of a request, header and status included
 * @max_bufs: most segments
 */
void blkframe_init(struct blkframe *f, struct gmem *mem, size_t bytes,
		   unsigned int max_bufs)
{
	f->bytes = bytes + (size_t)(max_bufs + 1) * BLK_PAD;
	f->arena = GMEM_MID_GPA - f->bytes / 2;
	f->bufs = calloc(max_bufs, sizeof(*f->bufs));
	must(f->bufs, "out of memory");
	must(f->arena - GMEM_LOW_GPA > mem->regions[GMEM_LOW].used, "low region too full");
	must(gmem_alloc(mem, GMEM_MID, f->bytes, 4096) == GMEM_MID_GPA,
	     "start of the middle region is taken");
}

/**
 * blkframe_free() - give back what blkframe_init() allocated
 * @f: frame
 */
void blkframe_free(struct blkframe *f)
{
	free(f->bufs);
	f->bufs = NULL;
}

/**
 * blkframe_cut() - lay a request out in pieces
 * @f:       frame
 * @mem:     guest memory
 * @out:     readable bytes: header and data to write
 * @out_len: how many
 * @in_len:  writable bytes: data to read and status
 * @cuts:    ascending byte positions in the request (readable then writable
 *           bytes) before which a new segment begins; the border between
 *           readable and writable is always one
 * @n_cuts:  entries of @cuts
 */
void blkframe_cut(struct blkframe *f, struct gmem *mem, const u8 *out, u32 out_len,
		  u32 in_len, const u32 *cuts, unsigned int n_cuts)
{
	u32 total = out_len + in_len;
	u64 gpa = f->arena + BLK_PAD;
	u32 at = 0, end;

	gmem_fill(mem, f->arena, BLK_POISON, f->bytes);
	f->n = 0;
	f->n_out = 0;
	while (at < total) {
		while (n_cuts && *cuts <= at) {
			cuts++;
			n_cuts--;
		}
		end = n_cuts && *cuts < total ? *cuts : total;
		if (at < out_len && end > out_len)
			end = out_len;
		f->bufs[f->n++] = (struct vq_buf) { gpa, end - at, at >= out_len };
		if (at < out_len) {
			gmem_write(mem, gpa, out + at, end - at);
			f->n_out++;
		}
		gpa += end - at + BLK_PAD;
		at = end;
	}
}

/**
 * blkframe_check() - look at a request that came back
 * @f:      frame
 * @mem:    guest memory
 * @out:    readable bytes it was given
 * @in:     result: writable bytes put together again
 * @in_len: how many
 *
 * Return: NULL, or what the device touched that is not its own.
 */
const char *blkframe_check(const struct blkframe *f, const struct gmem *mem,
			   const u8 *out, u8 *in, u32 in_len)
{
	u64 gpa = f->arena;
	u8 pad[BLK_PAD], poison[BLK_PAD];
	unsigned int i;
	u32 got = 0;
	u8 *piece;
	bool same;

	memset(poison, BLK_POISON, sizeof(poison));
	for (i = 0; i < f->n; i++) {
		gmem_read(mem, gpa, pad, BLK_PAD);
		if (memcmp(pad, poison, BLK_PAD))
			return "CORE-010: bytes between segments were written";
		gpa = f->bufs[i].gpa + f->bufs[i].len;
		if (f->bufs[i].write) {
			gmem_read(mem, f->bufs[i].gpa, in + got, f->bufs[i].len);
			got += f->bufs[i].len;
			continue;
		}
		piece = malloc(f->bufs[i].len);
		must(piece, "out of memory");
		gmem_read(mem, f->bufs[i].gpa, piece, f->bufs[i].len);
		same = !memcmp(piece, out, f->bufs[i].len);
		free(piece);
		if (!same)
			return "CORE-010: a readable segment was written";
		out += f->bufs[i].len;
	}
	gmem_read(mem, gpa, pad, BLK_PAD);
	if (memcmp(pad, poison, BLK_PAD))
		return "CORE-010: bytes behind the last segment were written";
	must(got == in_len, "frame has %u writable bytes, not %u", got, in_len);
	return NULL;
}
