// SPDX-License-Identifier: GPL-2.0
/*
 * BLK-019, CORE-008, CORE-057: a request means the same however it is cut into
 * descriptors. The same read and the same write are sent cut at every byte
 * position, at random sets of positions, and into single bytes; with direct
 * descriptors, one indirect table, and both in one chain.
 *
 *	| header 16 | data to write |    | data to read | status |
 *	^ readable bytes                 ^ writable bytes
 *
 * Segments lie apart in guest memory with poison between them.
 */
#include "disk.h"

#define DATA		512u
#define TOTAL_OUT	(BLK_HDR + DATA)
#define TOTAL		(BLK_HDR + DATA + 1)
#define QUEUE		1024u
#define PACKED		1031u	/* not a multiple of what a request takes */
#define SHAPES		6u

FIXTURE(framing) {
	struct kvhost k;
	struct blkframe f;
	const struct vq_shape *shapes;
	struct vq *q;
	int fd;
	u32 seed;
};

FIXTURE_VARIANT(framing) {
	enum disk disk;
	u32 type;
	struct kvhost_opts ring;
	unsigned int stride;
};

FIXTURE_VARIANT_ADD(framing, null_blk_IN) {
	.disk = DISK_NULLB, .type = VIRTIO_BLK_T_IN, .stride = 1
};

FIXTURE_VARIANT_ADD(framing, null_blk_OUT) {
	.disk = DISK_NULLB, .type = VIRTIO_BLK_T_OUT, .stride = 1
};

FIXTURE_VARIANT_ADD(framing, file_packed_IN) {
	.disk = DISK_TMPFS, .type = VIRTIO_BLK_T_IN, .stride = 1,
	.ring = { .packed = true, .size = PACKED },
};

FIXTURE_VARIANT_ADD(framing, file_packed_OUT) {
	.disk = DISK_TMPFS, .type = VIRTIO_BLK_T_OUT, .stride = 1,
	.ring = { .packed = true, .size = PACKED },
};

FIXTURE_VARIANT_ADD(framing, file_split_in_order_OUT) {
	.disk = DISK_TMPFS, .type = VIRTIO_BLK_T_OUT, .stride = 7,
	.ring = { .in_order = true },
};

FIXTURE_VARIANT_ADD(framing, null_blk_packed_in_order_IN) {
	.disk = DISK_NULLB, .type = VIRTIO_BLK_T_IN, .stride = 7,
	.ring = { .packed = true, .in_order = true, .size = PACKED },
};

static const struct vq_shape split_shapes[SHAPES] = {
	{ .indirect = false },
	{ .indirect = true },
	{ .indirect = true, .shuffle = true },				/* CORE-016 */
	{ .indirect = true, .direct = 1 },				/* CORE-015 */
	{ .indirect = true, .direct = 2, .shuffle = true },
	{ .indirect = true, .table_flag = VRING_DESC_F_WRITE },		/* CORE-014 */
};

/* Direct ones twice: CORE-041, direct and indirect lists in one ring. */
static const struct vq_shape packed_shapes[SHAPES] = {
	{ .indirect = false },						/* CORE-042 */
	{ .indirect = true },
	{ .indirect = true, .junk = true },				/* CORE-043 */
	{ .indirect = false },						/* CORE-057 */
	{ .indirect = true, .table_flag = VRING_DESC_F_WRITE },		/* CORE-044 */
	{ .indirect = true, .junk = true, .table_flag = VRING_DESC_F_WRITE },
};

FIXTURE_SETUP(framing)
{
	struct kvhost_opts o = variant->ring;

	self->fd = backing_open(disk_paths[variant->disk],
				O_RDWR | (variant->disk == DISK_NULLB ? O_DIRECT : 0));
	o.fd = self->fd;
	if (!o.size)
		o.size = QUEUE;
	self->shapes = o.packed ? packed_shapes : split_shapes;
	kvhost_start(&self->k, &o);
	self->q = &self->k.q[0];
	blkframe_init(&self->f, &self->k.mem, TOTAL + DATA, TOTAL + DATA);
}

FIXTURE_TEARDOWN(framing)
{
	kvhost_close(&self->k);
	blkframe_free(&self->f);
	close(self->fd);
}

/* Send a frame and wait for it. Return: NULL, or what went wrong. */
static const char *send_frame(struct _test_data_framing *self, const struct vq_shape *shape,
			      u32 *used_len)
{
	struct vq_used u;

	if (vq_add(self->q, self->f.bufs, self->f.n, shape, &self->f) < 0)
		return "ring full";
	vq_kick(self->q);
	if (!vq_wait_used(self->q, &u, 1))
		return "not used in time";
	*used_len = u.len;
	return NULL;
}

/* One request, cut at @cuts. Return: NULL, or what went wrong. */
static const char *one(struct _test_data_framing *self, u32 type, u32 data,
		       const struct vq_shape *shape, const u32 *cuts, unsigned int n)
{
	u64 pos = (1 + self->seed % 64) * 4096ull;
	struct virtio_blk_outhdr h = { .type = type, .sector = pos / 512 };
	u8 out[BLK_HDR + 2 * DATA], in[2 * DATA + 1], buf[4096 + 2 * DATA];
	u8 *disk = (u8 *)(((unsigned long)buf + 4095) & ~4095ul);
	bool write = type == VIRTIO_BLK_T_OUT;
	u32 out_len = BLK_HDR + (write ? data : 0);
	u32 in_len = 1 + (write ? 0 : data);
	const char *err;
	u32 used_len;

	self->seed++;
	memcpy(out, &h, BLK_HDR);
	blk_pattern(disk, data, pos, self->seed);
	if (write)
		memcpy(out + BLK_HDR, disk, data);
	else if (pwrite(self->fd, disk, data, pos) != data)
		return "host cannot write the disk";
	blkframe_cut(&self->f, &self->k.mem, out, out_len, in_len, cuts, n);
	err = send_frame(self, shape, &used_len);
	if (!err)
		err = blkframe_check(&self->f, &self->k.mem, out, in, in_len);
	if (err)
		return err;
	if (in[in_len - 1] != VIRTIO_BLK_S_OK)
		return "status is not OK";
	if (used_len != in_len)
		return "BLK-021: used length is wrong";
	if (!write)
		return blk_is_pattern(in, data, pos, self->seed) ? NULL : "read wrong data";
	memset(disk, 0, data);
	if (pread(self->fd, disk, data, pos) != data)
		return "host cannot read the disk";
	return blk_is_pattern(disk, data, pos, self->seed) ? NULL : "wrote wrong data";
}

TEST_F_TIMEOUT(framing, BLK_019_cut_at_every_byte_position, 120)
{
	const char *err;
	unsigned int s;
	u32 cut;

	for (s = 0; s < SHAPES; s++) {
		for (cut = 1; cut < TOTAL; cut += s ? 7 : variant->stride) {
			err = one(self, variant->type, DATA, &self->shapes[s], &cut, 1);
			ASSERT_EQ(NULL, err) {
				TH_LOG("shape %u, cut at %u: %s", s, cut, err);
			}
		}
	}
}

TEST_F_TIMEOUT(framing, CORE_008_cut_at_random_positions, 120)
{
	u32 cuts[TOTAL], at;
	unsigned int round, n, every;
	const char *err;

	srandom(variant->type + 1);
	for (round = 0; round < 300; round++) {
		every = 2 + random() % 60;
		for (n = 0, at = 1; at < TOTAL; at++)
			if (!(random() % every))
				cuts[n++] = at;
		err = one(self, variant->type, DATA, &self->shapes[round % SHAPES],
			  cuts, n);
		ASSERT_EQ(NULL, err) {
			TH_LOG("round %u, %u cuts: %s", round, n, err);
		}
	}
}

TEST_F(framing, CORE_008_every_byte_a_segment)
{
	u32 cuts[TOTAL];
	const char *err;
	unsigned int i;

	for (i = 0; i + 1 < TOTAL; i++)
		cuts[i] = i + 1;
	for (i = 0; i < SHAPES; i++) {
		err = one(self, variant->type, DATA, &self->shapes[i], cuts, TOTAL - 1);
		ASSERT_EQ(NULL, err) {
			TH_LOG("shape %u: %s", i, err);
		}
	}
}

/* The status byte may share a descriptor with the data, the header with data to write. */
TEST_F(framing, BLK_019_as_few_descriptors_as_possible)
{
	const char *err;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		err = one(self, variant->type, DATA, &self->shapes[i], NULL, 0);
		ASSERT_EQ(NULL, err) {
			TH_LOG("shape %u: %s", i, err);
		}
	}
	EXPECT_EQ(2, self->f.n);
}

/* The longest chain we take is 1024 segments, and all of it works. */
TEST_F(framing, CORE_009_CORE_058_a_chain_at_the_cap_works)
{
	u32 cuts[1024], n = 0, at;
	const char *err;

	for (at = 1; n < 1022; at++)
		if (at != BLK_HDR && at != BLK_HDR + 2 * DATA)
			cuts[n++] = at;
	for (at = 0; at < 2; at++) {
		err = one(self, variant->type, 2 * DATA, &self->shapes[at], cuts, n);
		ASSERT_EQ(NULL, err) {
			TH_LOG("%u segments, shape %u: %s", self->f.n, at, err);
		}
		EXPECT_EQ(1024, self->f.n);
	}
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("framing", 1 << DISK_NULLB | 1 << DISK_TMPFS);
}

TEST_HARNESS_MAIN
