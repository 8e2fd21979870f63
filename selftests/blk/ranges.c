// SPDX-License-Identifier: GPL-2.0
/*
 * DISCARD, WRITE_ZEROES and SECURE_ERASE: requests that name ranges of the disk
 * (5.2.6). Each range is 16 bytes of readable payload: sector, count, flags.
 */
#include "disk.h"

#define SEGS_MAX	KVHOST_BLK_RANGES_MAX
#define UNMAP		VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP
#define AREA		(256u << 10)

FIXTURE(ranges) {
	struct kvhost k;
	struct blkreq r;
	struct vq *q;
	struct virtio_blk_discard_write_zeroes seg[SEGS_MAX + 1];
};

FIXTURE_VARIANT(ranges) {
	enum disk disk;
	bool packed;
};

FIXTURE_VARIANT_ADD(ranges, nullb) {
	.disk = DISK_NULLB,
};

/* K28: tmpfs can punch holes but not zero what stays allocated: zeroes are written. */
FIXTURE_VARIANT_ADD(ranges, tmpfs) {
	.disk = DISK_TMPFS,
};

FIXTURE_VARIANT_ADD(ranges, ext4) {
	.disk = DISK_EXT4,
};

FIXTURE_VARIANT_ADD(ranges, nullb_on_a_packed_ring) {
	.disk = DISK_NULLB,
	.packed = true,
};

/* One request that carries the first @bytes of @seg. */
static u8 do_ranges(struct blkreq *r, struct vq *q, u32 type,
		    const struct virtio_blk_discard_write_zeroes *seg, u32 bytes)
{
	blkreq_set(r, type, 0, bytes);
	r->out = true;
	memcpy(gmem_va(r->mem, r->data), seg, bytes);
	must(blkreq_submit(r, q, NULL) >= 0, "no descriptors");
	return blkreq_wait(r, q);
}

static u8 ask(struct _test_data_ranges *self, u32 type, unsigned int n)
{
	return do_ranges(&self->r, self->q, type, self->seg, n * sizeof(*self->seg));
}

static u8 fill(struct blkreq *w, struct vq *q)
{
	blk_pattern(gmem_va(w->mem, w->data), AREA, 0, 5);
	return blk_do(w, q, VIRTIO_BLK_T_OUT, 0, AREA);
}

static bool is_zero(const u8 *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

FIXTURE_SETUP(ranges)
{
	struct kvhost_opts o = {
		.fd = backing_open(disk_paths[variant->disk], O_RDWR),
		.packed = variant->packed,
	};
	struct blkreq w;

	ASSERT_LE(0, o.fd);
	kvhost_start(&self->k, &o);
	close(o.fd);
	self->q = &self->k.q[0];
	blkreq_init(&w, &self->k.mem, GMEM_LOW, AREA);
	ASSERT_EQ(VIRTIO_BLK_S_OK, fill(&w, self->q));
	blkreq_init(&self->r, &self->k.mem, GMEM_MID, AREA);
}

FIXTURE_TEARDOWN(ranges)
{
	kvhost_close(&self->k);
}

static void set(struct virtio_blk_discard_write_zeroes *seg, u64 sector, u32 n, u32 flags)
{
	*seg = (struct virtio_blk_discard_write_zeroes) {
		.sector = sector, .num_sectors = n, .flags = flags,
	};
}

/* Read the area and compare: zero within [@from, @to) bytes, the pattern around it. */
static bool area_is(struct blkreq *r, struct vq *q, u32 from, u32 to)
{
	const u8 *p = gmem_va(r->mem, r->data);

	if (blk_do(r, q, VIRTIO_BLK_T_IN, 0, AREA) != VIRTIO_BLK_S_OK)
		return false;
	return blk_is_pattern(p, from, 0, 5) && (from == to || is_zero(p + from, to - from)) &&
	       blk_is_pattern(p + to, AREA - to, to, 5);
}

TEST_F(ranges, BLK_033_zeroes_are_read_after_write_zeroes)
{
	set(self->seg, 16, 64, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, ask(self, VIRTIO_BLK_T_WRITE_ZEROES, 1));
	EXPECT_TRUE(area_is(&self->r, self->q, 16 * 512, 80 * 512));
}

TEST_F(ranges, BLK_033_zeroes_are_read_after_write_zeroes_with_unmap)
{
	set(self->seg, 16, 64, UNMAP);
	EXPECT_EQ(VIRTIO_BLK_S_OK, ask(self, VIRTIO_BLK_T_WRITE_ZEROES, 1));
	EXPECT_EQ(1, self->r.used_len);
	EXPECT_TRUE(area_is(&self->r, self->q, 16 * 512, 80 * 512));
}

TEST_F(ranges, discard_is_served_and_touches_nothing_else)
{
	set(self->seg, 128, 128, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, ask(self, VIRTIO_BLK_T_DISCARD, 1));
	EXPECT_EQ(1, self->r.used_len);
	/* These disks read zero where they discarded. */
	EXPECT_TRUE(area_is(&self->r, self->q, 128 * 512, 256 * 512));
}

TEST_F(ranges, several_ranges_of_one_request_are_all_served)
{
	unsigned int i;

	for (i = 0; i < SEGS_MAX; i++)
		set(&self->seg[i], 8 * i, 8, UNMAP);
	EXPECT_EQ(VIRTIO_BLK_S_OK, ask(self, VIRTIO_BLK_T_WRITE_ZEROES, SEGS_MAX));
	EXPECT_TRUE(area_is(&self->r, self->q, 0, SEGS_MAX * 4096));
}

TEST_F(ranges, BLK_029_BLK_030_flags_that_mean_nothing_are_UNSUPP)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		set(self->seg, 0, 8, 1u << bit);
		EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, ask(self, VIRTIO_BLK_T_DISCARD, 1)) {
			TH_LOG("discard with flag bit %u", bit);
		}
		if (1u << bit == UNMAP)
			continue;
		EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, ask(self, VIRTIO_BLK_T_WRITE_ZEROES, 1));
	}
	EXPECT_TRUE(area_is(&self->r, self->q, AREA, AREA));
}

TEST_F(ranges, HD_051_misplaced_ranges_are_IOERR_and_nothing_is_done)
{
	static const struct { u64 sector; u32 n; } bad[] = {
		{ DISK_SECTORS, 1 }, { DISK_SECTORS - 1, 2 }, { ~0ull, 1 }, { ~0ull, 0xffffffff },
		{ 0, 0xffffffff }, { 0, 0 }, { 1ull << 55, 8 }, { (1ull << 55) - 1, 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* A good one first: all are checked before the first is acted on. */
		set(&self->seg[0], 0, 8, 0);
		set(&self->seg[1], bad[i].sector, bad[i].n, 0);
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, ask(self, VIRTIO_BLK_T_DISCARD, 2)) {
			TH_LOG("sector %#llx count %#x", (unsigned long long)bad[i].sector,
			       bad[i].n);
		}
	}
	EXPECT_TRUE(area_is(&self->r, self->q, AREA, AREA));
}

TEST_F(ranges, HD_051_ragged_no_or_too_many_ranges_are_IOERR)
{
	unsigned int i;

	for (i = 0; i <= SEGS_MAX; i++)
		set(&self->seg[i], 0, 8, 0);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, ask(self, VIRTIO_BLK_T_DISCARD, SEGS_MAX + 1));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_ranges(&self->r, self->q, VIRTIO_BLK_T_DISCARD, self->seg, 15));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_ranges(&self->r, self->q, VIRTIO_BLK_T_DISCARD, self->seg, 17));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_ranges(&self->r, self->q, VIRTIO_BLK_T_DISCARD, self->seg, 0));
	EXPECT_TRUE(area_is(&self->r, self->q, AREA, AREA));
}

TEST_F(ranges, secure_erase_is_UNSUPP_where_the_disk_cannot)
{
	set(self->seg, 0, 8, 0);
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, ask(self, VIRTIO_BLK_T_SECURE_ERASE, 1));
	EXPECT_TRUE(area_is(&self->r, self->q, AREA, AREA));
}

TEST_F(ranges, config_says_what_is_served)
{
	struct kvhost_blk_config c = { .size = sizeof(c) };

	KVHOST_IOCTL(&self->k, KVHOST_BLK_GET_CONFIG, &c);
	EXPECT_EQ(KVHOST_BLK_DISCARD | KVHOST_BLK_WRITE_ZEROES, c.serves);
	EXPECT_EQ(SEGS_MAX, c.ranges_max);
}

TEST_F(ranges, K28_nothing_is_offered_for_a_read_only_disk)
{
	struct kvhost_blk_config c = { .size = sizeof(c) };
	struct kvhost_opts o = {
		.fd = backing_open(disk_paths[variant->disk], O_RDWR),
		.flags = KVHOST_BLK_RDONLY,
	};

	kvhost_backend(&self->k, &o);
	close(o.fd);
	KVHOST_IOCTL(&self->k, KVHOST_BLK_GET_CONFIG, &c);
	EXPECT_EQ(0, c.serves);
	set(self->seg, 0, 8, 0);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, ask(self, VIRTIO_BLK_T_DISCARD, 1));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, ask(self, VIRTIO_BLK_T_WRITE_ZEROES, 1));
}

static void __attribute__((constructor)) make(void)
{
	disk_make("ranges", 1 << DISK_NULLB | 1 << DISK_TMPFS | 1 << DISK_EXT4);
}

TEST_HARNESS_MAIN
