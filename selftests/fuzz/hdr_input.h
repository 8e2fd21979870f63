/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a fuzz input of the request checks is made of: a disk, the lengths of
 * a chain and its header, then ranges of 16 bytes each. Any bytes are valid; the
 * unit tests write down what they ask, as seeds.
 */
#ifndef HDR_INPUT_H
#define HDR_INPUT_H

#include "blk_hdr.h"

/* struct hdr_input.flags */
#define HDR_RDONLY	1u
#define HDR_DISCARD	2u
#define HDR_ZEROES	4u
#define HDR_ERASE	8u

/**
 * struct hdr_input - the fixed part of an input
 * @lbs_shift:  logical block size, 512 << (this % 8)
 * @flags:      HDR_*
 * @ranges_max: most ranges
 * @unused:     makes the rest aligned
 * @capacity:   sectors
 * @readable:   bytes of the chain
 * @writable:   bytes of the chain
 * @hdr:        the header
 */
struct hdr_input {
	u8 lbs_shift;
	u8 flags;
	u8 ranges_max;
	u8 unused[5];
	u64 capacity;
	u32 readable;
	u32 writable;
	struct kvh_blk_hdr hdr;
};

#endif /* HDR_INPUT_H */
