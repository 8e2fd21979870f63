// SPDX-License-Identifier: GPL-2.0
/*
 * blk_hdr.c - what a virtio-blk request asks for, and whether it may.
 *
 * Pure: from private copies of what the driver sent, the lengths of the chain
 * and the properties of the disk follows either what to do or the status. The
 * same source is part of kvhost_blk, of the VMM's userspace backend and of the
 * fuzzer, so that a request means the same to all of them.
 *
 * Whoever calls has copied header and ranges once and uses the results only;
 * nothing here reads guest memory. Sections are those of virtio 1.2.
 */
#include "blk_hdr.h"

/**
 * kvh_blk_hdr_fits() - has a chain room for header and status? (5.2.6)
 * @readable: device-readable bytes of the chain
 * @writable: device-writable bytes of the chain
 *
 * Without it there is nowhere to report to: the chain is malformed. Payload is
 * what is left over, @readable less the header and @writable less one byte.
 *
 * Context: Any.
 * Return: true if it has
 */
bool kvh_blk_hdr_fits(u32 readable, u32 writable)
{
	return readable >= sizeof(struct kvh_blk_hdr) && writable;
}

/*
 * Whole blocks on the disk, at least one? In 64 bits, without sums or products
 * that wrap: a driver may name any sector (5.2.6.1, 5.2.6.2).
 */
static bool on_disk(const struct kvh_blk_limits *lim, u64 sector, u64 bytes)
{
	u64 n = bytes >> KVH_BLK_SECTOR_SHIFT;
	u64 block = lim->lbs >> KVH_BLK_SECTOR_SHIFT;
	/* A disk may be resized at any time: one load. */
	u64 capacity = kvh_private_once64(&lim->capacity);

	if (!bytes || bytes & (lim->lbs - 1) || sector & (block - 1))
		return false;
	return n <= capacity && sector <= capacity - n;
}

/* Payload on the one side and none on the other, that a write may change (5.2.6.2). */
static int check_data(const struct kvh_blk_limits *lim, u32 len, u32 wrong_way, bool write,
		      struct kvh_blk_ask *ask)
{
	if (wrong_way || !on_disk(lim, ask->sector, len))
		return -EINVAL;
	if (write && lim->readonly)
		return -EROFS;
	ask->len = len;
	return 0;
}

/* The payload is an array of ranges (5.2.6); each is checked once it is copied. */
static int check_ranges(const struct kvh_blk_limits *lim, u32 out, u32 in, bool served,
			struct kvh_blk_ask *ask)
{
	const u32 each = sizeof(struct virtio_blk_discard_write_zeroes);

	if (lim->readonly)
		return -EROFS;
	if (!served)
		return -EOPNOTSUPP;
	if (in || !out || out % each || out / each > lim->ranges_max)
		return -EINVAL;
	ask->nr_ranges = out / each;
	ask->len = out;
	return 0;
}

/**
 * kvh_blk_hdr_check() - what a request asks for
 * @hdr: private copy of its header
 * @out: bytes of payload to the device, what the ranges take included
 * @in:  bytes of payload from the device
 * @lim: the disk
 * @ask: filled in; only @ask->type if the request is refused
 *
 * Context: Any.
 * Return: 0; -EOPNOTSUPP for a type that is unknown or not served; -EROFS for
 * one that changes a read-only disk; -EINVAL for payload in the wrong direction,
 * none, or a place that is misaligned or not on the disk
 */
int kvh_blk_hdr_check(const struct kvh_blk_hdr *hdr, u32 out, u32 in,
		      const struct kvh_blk_limits *lim, struct kvh_blk_ask *ask)
{
	*ask = (struct kvh_blk_ask){
		.type = kvh_private_le32(&hdr->type),
		.sector = kvh_private_le64(&hdr->sector),
	};
	switch (ask->type) {
	case VIRTIO_BLK_T_IN:
		return check_data(lim, in, out, false, ask);
	case VIRTIO_BLK_T_OUT:
		return check_data(lim, out, in, true, ask);
	case VIRTIO_BLK_T_FLUSH:
		return out || in ? -EINVAL : 0;
	case VIRTIO_BLK_T_GET_ID:
		ask->len = in < KVH_BLK_ID_BYTES ? in : KVH_BLK_ID_BYTES;
		return out ? -EINVAL : 0;
	case VIRTIO_BLK_T_DISCARD:
		return check_ranges(lim, out, in, lim->discard, ask);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return check_ranges(lim, out, in, lim->zeroes, ask);
	case VIRTIO_BLK_T_SECURE_ERASE:
		return check_ranges(lim, out, in, lim->erase, ask);
	default:
		return -EOPNOTSUPP;
	}
}

/**
 * kvh_blk_range_check() - one range of a request that names ranges
 * @ask:   the request, accepted by kvh_blk_hdr_check()
 * @raw:   private copy of the range
 * @lim:   the disk
 * @range: filled in
 *
 * Context: Any.
 * Return: 0; -EOPNOTSUPP for flags that are unknown, and for unmap where it says
 * nothing, which is everywhere but in WRITE_ZEROES (5.2.6.2); -EINVAL for a
 * range that is empty, misaligned or not on the disk
 */
int kvh_blk_range_check(const struct kvh_blk_ask *ask,
			const struct virtio_blk_discard_write_zeroes *raw,
			const struct kvh_blk_limits *lim, struct kvh_blk_range *range)
{
	u32 flags = kvh_private_le32(&raw->flags), known = 0;

	if (ask->type == VIRTIO_BLK_T_WRITE_ZEROES)
		known = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	if (flags & ~known)
		return -EOPNOTSUPP;
	*range = (struct kvh_blk_range){
		.sector = kvh_private_le64(&raw->sector),
		.bytes = (u64)kvh_private_le32(&raw->num_sectors) << KVH_BLK_SECTOR_SHIFT,
		.unmap = flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
	};
	return on_disk(lim, range->sector, range->bytes) ? 0 : -EINVAL;
}

/**
 * kvh_blk_status() - how a request ended, as its driver sees it (5.2.6)
 * @error: 0 or -errno
 *
 * Context: Any.
 * Return: VIRTIO_BLK_S_*
 */
u8 kvh_blk_status(int error)
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

/**
 * kvh_blk_written() - the used length of a finished request (2.7.8.2)
 * @filled:   payload bytes known to be written, from the first one on
 * @writable: device-writable bytes of the chain, the status included
 *
 * The status byte counts only if nothing unwritten lies before it.
 *
 * Context: Any.
 * Return: bytes written from the first writable one on
 */
u32 kvh_blk_written(u32 filled, u32 writable)
{
	return filled == writable - 1 ? writable : filled;
}
