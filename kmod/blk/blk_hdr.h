/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blk_hdr.h - what a virtio-blk request asks for, and whether it may.
 */
#ifndef KVH_BLK_HDR_H
#define KVH_BLK_HDR_H

#include <linux/virtio_blk.h>
#include "kvh_env.h"

#define KVH_BLK_SECTOR_SHIFT	9

/* Most bytes GET_ID answers. */
#define KVH_BLK_ID_BYTES	20u

/**
 * struct kvh_blk_hdr - the first readable bytes of every request (5.2.6)
 * @type:     VIRTIO_BLK_T_*
 * @reserved: ignored
 * @sector:   first 512-byte sector of IN and OUT, ignored otherwise
 */
struct kvh_blk_hdr {
	__le32 type;
	__le32 reserved;
	__le64 sector;
};

/**
 * struct kvh_blk_limits - the properties of a disk that requests are held
 * against
 * @capacity:   512-byte sectors
 * @lbs:        logical block size in bytes, a power of two from 512 on
 * @ranges_max: most ranges of one DISCARD, WRITE_ZEROES or SECURE_ERASE
 * @readonly:   nothing may be changed
 * @discard:    DISCARD is served
 * @zeroes:     WRITE_ZEROES is served
 * @erase:      SECURE_ERASE is served
 */
struct kvh_blk_limits {
	u64 capacity;
	u32 lbs;
	u32 ranges_max;
	bool readonly;
	bool discard;
	bool zeroes;
	bool erase;
};

/**
 * struct kvh_blk_ask - what a request asks for, in host order
 * @type:      VIRTIO_BLK_T_*; any value until the request was accepted
 * @nr_ranges: DISCARD, WRITE_ZEROES, SECURE_ERASE: ranges in the payload
 * @sector:    IN and OUT: first sector, on the disk with all @len bytes
 * @len:       payload bytes: of IN and OUT what is moved, of GET_ID what is
 *             answered, of those with ranges what these take
 */
struct kvh_blk_ask {
	u32 type;
	u32 nr_ranges;
	u64 sector;
	u32 len;
};

/**
 * struct kvh_blk_range - one range of a request, in host order
 * @sector: first sector
 * @bytes:  length, above 0; the range is on the disk
 * @unmap:  the blocks may be given up
 */
struct kvh_blk_range {
	u64 sector;
	u64 bytes;
	bool unmap;
};

bool kvh_blk_hdr_fits(u32 readable, u32 writable);
int kvh_blk_hdr_check(const struct kvh_blk_hdr *hdr, u32 out, u32 in,
		      const struct kvh_blk_limits *lim, struct kvh_blk_ask *ask);
int kvh_blk_range_check(const struct kvh_blk_ask *ask,
			const struct virtio_blk_discard_write_zeroes *raw,
			const struct kvh_blk_limits *lim, struct kvh_blk_range *range);
u8 kvh_blk_status(int error);
u32 kvh_blk_written(u32 filled, u32 writable);

#endif /* KVH_BLK_HDR_H */
