// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: what a request asks for, against a second reading of the
 * rules.
 *
 * The second reading computes in 128 bits, where nothing wraps, and knows of
 * statuses only. Beyond agreeing with it, what is accepted has to lie on the disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdr_input.h"
#include "mutate.h"

#define RANGE_BYTES	16u

static void must(bool cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "promise broken: %s\n", what);
	abort();
}

/* Blocks of the disk, counted in bytes. */
static bool inside(const struct kvh_blk_limits *lim, u64 sector, unsigned __int128 bytes)
{
	unsigned __int128 first = (unsigned __int128)sector * 512;

	return bytes && first % lim->lbs == 0 && bytes % lim->lbs == 0 &&
	       first + bytes <= (unsigned __int128)lim->capacity * 512;
}

static u8 expect_data(const struct kvh_blk_limits *lim, u64 sector, u32 len, bool write)
{
	if (write && lim->readonly)
		return VIRTIO_BLK_S_IOERR;
	return inside(lim, sector, len) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

static u8 expect_ranges(const struct kvh_blk_limits *lim, u32 out, u32 in, bool served)
{
	if (lim->readonly)
		return VIRTIO_BLK_S_IOERR;
	if (!served)
		return VIRTIO_BLK_S_UNSUPP;
	return !in && out >= RANGE_BYTES && out % RANGE_BYTES == 0 &&
	       out / RANGE_BYTES <= lim->ranges_max ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

static u8 expect(const struct hdr_input *i, const struct kvh_blk_limits *lim)
{
	u32 out = i->readable - 16, in = i->writable - 1;

	switch (i->hdr.type) {
	case 0:
		return out ? VIRTIO_BLK_S_IOERR : expect_data(lim, i->hdr.sector, in, false);
	case 1:
		return in ? VIRTIO_BLK_S_IOERR : expect_data(lim, i->hdr.sector, out, true);
	case 4:
		return in || out ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	case 8:
		return out ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	case 11:
		return expect_ranges(lim, out, in, lim->discard);
	case 13:
		return expect_ranges(lim, out, in, lim->zeroes);
	case 14:
		return expect_ranges(lim, out, in, lim->erase);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static u8 expect_range(const struct kvh_blk_limits *lim, u32 type,
		       const struct virtio_blk_discard_write_zeroes *r)
{
	if (r->flags > (type == 13 ? 1 : 0))
		return VIRTIO_BLK_S_UNSUPP;
	return inside(lim, r->sector, (unsigned __int128)r->num_sectors * 512) ?
	       VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

static void ranges(const struct kvh_blk_limits *lim, const struct kvh_blk_ask *ask,
		   const u8 *data, size_t bytes)
{
	struct virtio_blk_discard_write_zeroes raw;
	struct kvh_blk_range range;
	int err;

	for (; bytes >= sizeof(raw); data += sizeof(raw), bytes -= sizeof(raw)) {
		memcpy(&raw, data, sizeof(raw));
		err = kvh_blk_range_check(ask, &raw, lim, &range);
		must(kvh_blk_status(err) == expect_range(lim, ask->type, &raw), "range");
		if (err)
			continue;
		must(range.sector == raw.sector && range.bytes / 512 == raw.num_sectors,
		     "range as told");
		must(range.unmap == (raw.flags == 1), "unmap");
		must(range.bytes / 512 <= lim->capacity - range.sector, "range on the disk");
	}
}

static void used_length(u32 filled, u32 writable)
{
	u32 n;

	if (filled >= writable)
		filled %= writable;
	n = kvh_blk_written(filled, writable);
	must(n <= writable && n >= filled && (n == filled || filled + 1 == writable),
	     "used length");
}

int fuzz_input(const u8 *data, size_t bytes)
{
	struct hdr_input i;
	struct kvh_blk_limits lim;
	struct kvh_blk_ask ask;
	int err;

	if (bytes < sizeof(i))
		return 0;
	memcpy(&i, data, sizeof(i));
	lim = (struct kvh_blk_limits){
		.capacity = i.capacity,
		.lbs = 512u << i.lbs_shift % 8,
		.ranges_max = i.ranges_max,
		.readonly = i.flags & HDR_RDONLY,
		.discard = i.flags & HDR_DISCARD,
		.zeroes = i.flags & HDR_ZEROES,
		.erase = i.flags & HDR_ERASE,
	};
	must(kvh_blk_hdr_fits(i.readable, i.writable) == (i.readable > 15 && i.writable > 0),
	     "room for header and status");
	if (!kvh_blk_hdr_fits(i.readable, i.writable))
		return 0;
	used_length(i.readable, i.writable);
	err = kvh_blk_hdr_check(&i.hdr, i.readable - 16, i.writable - 1, &lim, &ask);
	must(kvh_blk_status(err) == expect(&i, &lim), "status");
	must(ask.type == i.hdr.type, "type");
	if (err)
		return 0;
	must(ask.len <= i.readable - 16 || ask.len <= i.writable - 1, "payload is there");
	must(ask.type != 8 || ask.len <= 20, "serial");
	must(ask.type > 1 || ask.len / 512 <= lim.capacity - ask.sector, "on the disk");
	must(ask.nr_ranges <= lim.ranges_max && ask.nr_ranges * RANGE_BYTES <= ask.len,
	     "ranges fit");
	if (ask.nr_ranges)
		ranges(&lim, &ask, data + sizeof(i), bytes - sizeof(i));
	return 0;
}
