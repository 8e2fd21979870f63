// SPDX-License-Identifier: GPL-2.0
/*
 * blkhdr_test.c - what a block request asks for, and whether it may.
 *
 * A test per rule, by the ids of the conformance list (BLK) and of the list of
 * hostile drivers (HD). With BLKHDR_SEEDS=<directory> every question is written
 * down there, for the fuzzer to begin with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdr_input.h"
#include <kselftest_harness.h>

#define CAPACITY	2048u
#define ALL		0xffffffffu
#define OK		VIRTIO_BLK_S_OK
#define IOERR		VIRTIO_BLK_S_IOERR
#define UNSUPP		VIRTIO_BLK_S_UNSUPP

static const u32 with_ranges[] = {
	VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_SECURE_ERASE,
};

FIXTURE(disk) {
	struct kvh_blk_limits lim;
	struct kvh_blk_ask ask;
	struct kvh_blk_range range;
};

FIXTURE_SETUP(disk)
{
	self->lim = (struct kvh_blk_limits){
		.capacity = CAPACITY,
		.lbs = 512,
		.ranges_max = 4,
		.discard = true,
		.zeroes = true,
		.erase = true,
	};
}

FIXTURE_TEARDOWN(disk)
{
}

static void keep(const struct hdr_input *in, const void *range)
{
	const char *dir = getenv("BLKHDR_SEEDS");
	static unsigned int nr;
	char path[4096];
	FILE *f;

	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/hdr-%d-%u", dir, getpid(), nr++);
	f = fopen(path, "w");
	if (!f)
		return;
	fwrite(in, sizeof(*in), 1, f);
	if (range)
		fwrite(range, 16, 1, f);
	fclose(f);
}

static struct hdr_input input(const struct kvh_blk_limits *lim, u32 type, u64 sector, u32 out,
			      u32 in)
{
	return (struct hdr_input){
		.lbs_shift = __builtin_ctz(lim->lbs / 512),
		.flags = (lim->readonly ? HDR_RDONLY : 0) | (lim->discard ? HDR_DISCARD : 0) |
			 (lim->zeroes ? HDR_ZEROES : 0) | (lim->erase ? HDR_ERASE : 0),
		.ranges_max = lim->ranges_max,
		.capacity = lim->capacity,
		.readable = 16 + out,
		.writable = 1 + in,
		.hdr = { .type = type, .sector = sector },
	};
}

/* The status of a header with @out bytes of payload to the device, @in from it. */
static u8 status(struct _test_data_disk *self, u32 type, u64 sector, u32 out, u32 in)
{
	struct hdr_input i = input(&self->lim, type, sector, out, in);

	keep(&i, NULL);
	return kvh_blk_status(kvh_blk_hdr_check(&i.hdr, out, in, &self->lim, &self->ask));
}

/* The status of a range in a request of its own. */
static u8 range(struct _test_data_disk *self, u32 type, u64 sector, u32 nr, u32 flags)
{
	struct virtio_blk_discard_write_zeroes raw = {
		.sector = sector, .num_sectors = nr, .flags = flags,
	};
	struct hdr_input i = input(&self->lim, type, 0, sizeof(raw), 0);

	keep(&i, &raw);
	if (kvh_blk_hdr_check(&i.hdr, sizeof(raw), 0, &self->lim, &self->ask))
		return 0xff;
	return kvh_blk_status(kvh_blk_range_check(&self->ask, &raw, &self->lim, &self->range));
}

/* BLK-019, HD-050: 16 bytes to read and one to write are the least */
TEST_F(disk, room_for_header_and_status)
{
	EXPECT_TRUE(kvh_blk_hdr_fits(16, 1));
	EXPECT_TRUE(kvh_blk_hdr_fits(ALL, ALL));
	EXPECT_FALSE(kvh_blk_hdr_fits(15, 1));
	EXPECT_FALSE(kvh_blk_hdr_fits(0, 1));
	EXPECT_FALSE(kvh_blk_hdr_fits(16, 0));
	EXPECT_FALSE(kvh_blk_hdr_fits(ALL, 0));
}

/* BLK-019: the payload is what the header and the status leave over */
TEST_F(disk, data_as_asked)
{
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_IN, 7, 0, 1024));
	EXPECT_EQ(VIRTIO_BLK_T_IN, self->ask.type);
	EXPECT_EQ(7, self->ask.sector);
	EXPECT_EQ(1024, self->ask.len);
	EXPECT_EQ(0, self->ask.nr_ranges);
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_OUT, CAPACITY - 1, 512, 0));
	EXPECT_EQ(VIRTIO_BLK_T_OUT, self->ask.type);
	EXPECT_EQ(CAPACITY - 1, self->ask.sector);
	EXPECT_EQ(512, self->ask.len);
}

/* BLK-019: the word between type and sector means nothing */
TEST_F(disk, reserved_word)
{
	struct kvh_blk_hdr hdr = { .type = VIRTIO_BLK_T_FLUSH, .reserved = ALL };

	EXPECT_EQ(0, kvh_blk_hdr_check(&hdr, 0, 0, &self->lim, &self->ask));
}

/* BLK-020: whatever a type, the status is one of three, and told for it */
TEST_F(disk, status_values)
{
	for (u64 type = 0; type <= ALL; type += type < 70000 ? 1 : 99991) {
		struct kvh_blk_hdr hdr = { .type = type };
		int err = kvh_blk_hdr_check(&hdr, 0, 0, &self->lim, &self->ask);

		ASSERT_GE(UNSUPP, kvh_blk_status(err));
		ASSERT_EQ(type, self->ask.type);
	}
	EXPECT_EQ(OK, kvh_blk_status(0));
	EXPECT_EQ(UNSUPP, kvh_blk_status(-EOPNOTSUPP));
	EXPECT_EQ(IOERR, kvh_blk_status(-EIO));
	EXPECT_EQ(IOERR, kvh_blk_status(-EROFS));
	EXPECT_EQ(IOERR, kvh_blk_status(-ENOSPC));
	EXPECT_EQ(IOERR, kvh_blk_status(-EINVAL));
}

/* BLK-021: the status byte counts if all that lies before it was written */
TEST_F(disk, used_length)
{
	EXPECT_EQ(513, kvh_blk_written(512, 513));
	EXPECT_EQ(511, kvh_blk_written(511, 513));
	EXPECT_EQ(0, kvh_blk_written(0, 513));
	EXPECT_EQ(1, kvh_blk_written(0, 1));
	EXPECT_EQ(ALL, kvh_blk_written(ALL - 1, ALL));
}

/* BLK-022: at most 20 bytes of serial, and only from the device */
TEST_F(disk, get_id)
{
	for (u32 len = 0; len <= 64; len++) {
		EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_GET_ID, ~0ULL, 0, len));
		EXPECT_EQ(len < 20 ? len : 20, self->ask.len);
	}
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_GET_ID, 0, 1, 20));
}

/* BLK-023, BLK-044: types nobody knows, old SCSI ones and those of zones */
TEST_F(disk, unknown_types)
{
	static const u32 types[] = {
		2, 3, 5, 6, 7, 9, 10, 12, 15, 16, 17, 18, 20, 22, 24, 26, 27, 255,
		0x80000000, 0x80000001, 0x80000004, ALL,
	};

	for (unsigned int i = 0; i < sizeof(types) / sizeof(*types); i++) {
		EXPECT_EQ(UNSUPP, status(self, types[i], 0, 0, 512));
		EXPECT_EQ(UNSUPP, status(self, types[i], 0, 512, 0));
		EXPECT_EQ(UNSUPP, status(self, types[i], 0, 0, 0));
		EXPECT_EQ(types[i], self->ask.type);
	}
}

/* BLK-024, HD-050: sectors that are not there, those that wrap among them */
TEST_F(disk, off_the_disk)
{
	static const struct {
		u64 sector;
		u32 len;
	} bad[] = {
		{ CAPACITY, 512 }, { CAPACITY - 1, 1024 }, { CAPACITY + 1, 512 },
		{ ~0ULL, 512 }, { ~0ULL, 1024 }, { ~0ULL - 1, 1024 }, { ~0ULL >> 9, 512 },
		{ 1ULL << 55, 512 }, { (1ULL << 55) - 1, 1024 }, { 1ULL << 63, 512 },
		{ 0, 0 }, { 0, 1 }, { 0, 511 }, { 0, 513 }, { 8, 4095 }, { CAPACITY, 0 },
		{ 0, (CAPACITY + 1) * 512 },
	};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_IN, bad[i].sector, 0, bad[i].len));
		EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_OUT, bad[i].sector, bad[i].len, 0));
	}
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_IN, 0, 0, CAPACITY * 512));
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_OUT, CAPACITY - 2, 1024, 0));
}

/* BLK-024: the largest of disks ends, too */
TEST_F(disk, capacity_at_the_limit)
{
	self->lim.capacity = ~0ULL;
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_IN, ~0ULL - 1, 0, 512));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_IN, ~0ULL, 0, 512));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_IN, ~0ULL - 1, 0, 1024));
	self->lim.capacity = 0;
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_IN, 0, 0, 512));
}

/* BLK-024: whole blocks of the disk, place and length */
TEST_F(disk, blocks_of_4096)
{
	self->lim.lbs = 4096;
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_IN, 8, 0, 4096));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_IN, 8, 0, 512));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_IN, 8, 0, 4096 + 512));
	for (u64 sector = 1; sector < 8; sector++)
		EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_OUT, sector, 4096, 0));
	/* Bits that a shift to bytes would lose. */
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_OUT, 1ULL << 55, 4096, 0));
	for (const u32 *t = with_ranges; t < with_ranges + 3; t++) {
		EXPECT_EQ(OK, range(self, *t, 8, 8, 0));
		EXPECT_EQ(IOERR, range(self, *t, 4, 8, 0));
		EXPECT_EQ(IOERR, range(self, *t, 8, 4, 0));
	}
}

/* HD-051, K27: no more than the disk has, in one request */
TEST_F(disk, too_much_data)
{
	self->lim.capacity = 1u << 20;
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_IN, 0, 0, 512u << 20));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_IN, 0, 0, (512u << 20) + 512));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_OUT, 0, (512u << 20) + 512, 0));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_OUT, 0, 0xfffffe00, 0));
	self->lim.capacity = 1u << 24;
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_OUT, 0, 0xfffffe00, 0));
	EXPECT_EQ(0xfffffe00, self->ask.len);
}

/* HD-050: payload in the wrong direction is not touched */
TEST_F(disk, wrong_direction)
{
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_IN, 0, 512, 0));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_IN, 0, 1, 512));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_OUT, 0, 0, 512));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_OUT, 0, 512, 1));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_FLUSH, 0, 1, 0));
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_FLUSH, 0, 0, 1));
	for (const u32 *t = with_ranges; t < with_ranges + 3; t++)
		EXPECT_EQ(IOERR, status(self, *t, 0, 16, 1));
	/* The sector of a flush means nothing. */
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_FLUSH, ~0ULL, 0, 0));
}

/* BLK-027, BLK-028: a read-only disk refuses all that changes it with IOERR */
TEST_F(disk, read_only)
{
	self->lim.readonly = true;
	EXPECT_EQ(IOERR, status(self, VIRTIO_BLK_T_OUT, 0, 512, 0));
	for (const u32 *t = with_ranges; t < with_ranges + 3; t++)
		EXPECT_EQ(IOERR, status(self, *t, 0, 16, 0));
	self->lim.discard = false;
	self->lim.zeroes = false;
	self->lim.erase = false;
	for (const u32 *t = with_ranges; t < with_ranges + 3; t++)
		EXPECT_EQ(IOERR, status(self, *t, 0, 16, 0));
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_IN, 0, 0, 512));
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_FLUSH, 0, 0, 0));
	EXPECT_EQ(OK, status(self, VIRTIO_BLK_T_GET_ID, 0, 0, 20));
}

/* BLK-023: each of the three is served for itself */
TEST_F(disk, not_served)
{
	bool *served[] = { &self->lim.discard, &self->lim.zeroes, &self->lim.erase };

	for (int off = 0; off < 3; off++) {
		*served[off] = false;
		for (int i = 0; i < 3; i++)
			EXPECT_EQ(i == off ? UNSUPP : OK, status(self, with_ranges[i], 0, 16, 0));
		*served[off] = true;
	}
}

/* HD-051: the array of ranges, from none to one too many, and ragged */
TEST_F(disk, number_of_ranges)
{
	for (const u32 *t = with_ranges; t < with_ranges + 3; t++) {
		EXPECT_EQ(IOERR, status(self, *t, 0, 0, 0));
		for (u32 n = 1; n <= 4; n++) {
			EXPECT_EQ(OK, status(self, *t, ~0ULL, 16 * n, 0));
			EXPECT_EQ(n, self->ask.nr_ranges);
			EXPECT_EQ(16 * n, self->ask.len);
		}
		EXPECT_EQ(IOERR, status(self, *t, 0, 16 * 5, 0));
		EXPECT_EQ(IOERR, status(self, *t, 0, 0xfffffff0, 0));
		for (u32 len = 1; len < 64; len += len % 16 == 15 ? 2 : 1)
			EXPECT_EQ(IOERR, status(self, *t, 0, len, 0));
	}
}

/* BLK-029, BLK-030: of all flags only unmap, and that in WRITE_ZEROES only */
TEST_F(disk, flags_of_ranges)
{
	for (const u32 *t = with_ranges; t < with_ranges + 3; t++) {
		for (int bit = 0; bit < 32; bit++) {
			bool known = !bit && *t == VIRTIO_BLK_T_WRITE_ZEROES;

			EXPECT_EQ(known ? OK : UNSUPP, range(self, *t, 0, 8, 1u << bit));
		}
		EXPECT_EQ(UNSUPP, range(self, *t, 0, 8, ALL));
		/* A flag that is not known says more than a place that is not. */
		EXPECT_EQ(UNSUPP, range(self, *t, ~0ULL, 8, 2));
	}
}

/* BLK-031..033: what a range means */
TEST_F(disk, range_as_asked)
{
	EXPECT_EQ(OK, range(self, VIRTIO_BLK_T_WRITE_ZEROES, 3, 5, 1));
	EXPECT_EQ(3, self->range.sector);
	EXPECT_EQ(5 * 512, self->range.bytes);
	EXPECT_TRUE(self->range.unmap);
	EXPECT_EQ(OK, range(self, VIRTIO_BLK_T_WRITE_ZEROES, 3, 5, 0));
	EXPECT_FALSE(self->range.unmap);
	EXPECT_EQ(OK, range(self, VIRTIO_BLK_T_DISCARD, 0, CAPACITY, 0));
	EXPECT_FALSE(self->range.unmap);
	self->lim.capacity = 1ULL << 40;
	EXPECT_EQ(OK, range(self, VIRTIO_BLK_T_DISCARD, 0, ALL, 0));
	EXPECT_EQ(0x1fffffffe00ULL, self->range.bytes);
}

/* BLK-024, BLK-033: ranges of no sectors, of too many, and such as wrap */
TEST_F(disk, ranges_off_the_disk)
{
	for (const u32 *t = with_ranges; t < with_ranges + 3; t++) {
		EXPECT_EQ(IOERR, range(self, *t, 0, 0, 0));
		EXPECT_EQ(IOERR, range(self, *t, CAPACITY, 0, 0));
		EXPECT_EQ(IOERR, range(self, *t, 0, CAPACITY + 1, 0));
		EXPECT_EQ(IOERR, range(self, *t, 0, ALL, 0));
		EXPECT_EQ(IOERR, range(self, *t, CAPACITY, 1, 0));
		EXPECT_EQ(IOERR, range(self, *t, CAPACITY - 1, 2, 0));
		EXPECT_EQ(IOERR, range(self, *t, ~0ULL, 1, 0));
		EXPECT_EQ(IOERR, range(self, *t, ~0ULL - 1, 3, 0));
		EXPECT_EQ(IOERR, range(self, *t, 1ULL << 55, 8, 0));
		EXPECT_EQ(OK, range(self, *t, CAPACITY - 1, 1, 0));
	}
}

TEST_HARNESS_MAIN
