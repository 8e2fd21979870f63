/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio-blk requests (5.2.6): header, data, status byte, in any framing.
 *
 * blk_do() is the synchronous way; blkreq_submit() and vq_wait_used() the
 * asynchronous one. blkreq_bufs() cuts a request into segments at given byte
 * positions and spreads them over guest memory with poison between them, so
 * that a device which writes one byte too many or too few is found out.
 */
#ifndef SELFTESTS_BLKREQ_H
#define SELFTESTS_BLKREQ_H

#include <linux/virtio_blk.h>
#include "vring.h"

#define BLK_HDR		16u
#define BLK_POISON	0xa5
#define BLK_PAD		32u
#define BLK_NO_STATUS	0xee	/* what the status byte holds beforehand */

/**
 * struct blkreq - one request and its place in guest memory
 * @mem:    guest memory
 * @type:   VIRTIO_BLK_T_*
 * @sector: in units of 512 bytes
 * @len:    bytes of data
 * @out:    data goes to the device
 * @hdr:    guest address of the header
 * @data:   guest address of the data
 * @status: guest address of the status byte
 * @used_len: what the used element said
 */
struct blkreq {
	struct gmem *mem;
	u32 type;
	u64 sector;
	u32 len;
	bool out;
	u64 hdr;
	u64 data;
	u64 status;
	u32 used_len;
};

void blkreq_init(struct blkreq *r, struct gmem *mem, unsigned int region, u32 max_len);
void blkreq_set(struct blkreq *r, u32 type, u64 sector, u32 len);
unsigned int blkreq_plain(const struct blkreq *r, struct vq_buf *bufs);
int blkreq_submit(struct blkreq *r, struct vq *q, const struct vq_shape *shape);
u8 blkreq_status(const struct blkreq *r);
bool __blkreq_wait(struct blkreq *r, struct vq *q);
u8 blkreq_wait(struct blkreq *r, struct vq *q);
u8 blk_do(struct blkreq *r, struct vq *q, u32 type, u64 sector, u32 len);

/* Pattern of the data a test expects: a function of position and a seed. */
void blk_pattern(u8 *buf, size_t len, u64 pos, u32 seed);
bool blk_is_pattern(const u8 *buf, size_t len, u64 pos, u32 seed);

/**
 * struct blkframe - a request spread over guest memory
 * @bufs:  its segments
 * @n:     how many
 * @n_out: of these, readable
 * @arena: guest address of the memory they lie in
 * @bytes: its size, poison included
 */
struct blkframe {
	struct vq_buf *bufs;
	unsigned int n;
	unsigned int n_out;
	u64 arena;
	size_t bytes;
};

void blkframe_init(struct blkframe *f, struct gmem *mem, size_t bytes,
		   unsigned int max_bufs);
void blkframe_free(struct blkframe *f);
void blkframe_cut(struct blkframe *f, struct gmem *mem, const u8 *out, u32 out_len,
		  u32 in_len, const u32 *cuts, unsigned int n_cuts);
const char *blkframe_check(const struct blkframe *f, const struct gmem *mem,
			   const u8 *out, u8 *in, u32 in_len);

#endif /* SELFTESTS_BLKREQ_H */
