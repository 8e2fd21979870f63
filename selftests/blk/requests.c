// SPDX-License-Identifier: GPL-2.0
/*
 * Requests a disk must refuse, and how: unknown types, ranges beyond its end,
 * writes to a read-only disk, data in the wrong direction.
 *
 * None of them breaks the queue, none changes the disk, and the used length
 * never exceeds what was written into the writable part (CORE-003, CORE-027,
 * CVE-2024-8612): that part is poisoned beforehand.
 */
#include <sys/mman.h>
#include "disk.h"

#define LEN	4096u

FIXTURE(requests) {
	struct kvhost k;
	struct blkreq r;
	struct vq *q;
	u8 *host;
	int fd;
};

FIXTURE_VARIANT(requests) {
	enum disk disk;
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(requests, null_blk) { .disk = DISK_NULLB };
FIXTURE_VARIANT_ADD(requests, null_blk_packed) {
	.disk = DISK_NULLB, .ring = { .packed = true, .size = 50 }
};

FIXTURE_VARIANT_ADD(requests, file_split_in_order) {
	.disk = DISK_TMPFS, .ring = { .in_order = true }
};

FIXTURE_VARIANT_ADD(requests, file_packed_in_order) {
	.disk = DISK_TMPFS, .ring = { .packed = true, .in_order = true, .size = 17 }
};

static void start(struct kvhost *k, struct blkreq *r, const struct kvhost_opts *o)
{
	kvhost_start(k, o);
	blkreq_init(r, &k->mem, GMEM_LOW, 65536);
}

FIXTURE_SETUP(requests)
{
	struct kvhost_opts o = variant->ring;
	u64 pos;

	self->fd = backing_open(disk_paths[variant->disk], O_RDWR);
	ASSERT_EQ(0, posix_memalign((void **)&self->host, 4096, 65536));
	for (pos = 0; pos < DISK_MB << 20; pos += 63 << 20) {
		blk_pattern(self->host, 65536, pos, 1);
		ASSERT_EQ(65536, pwrite(self->fd, self->host, 65536, pos));
	}
	ASSERT_EQ(0, fsync(self->fd));
	o.fd = self->fd;
	o.serial = "x";
	start(&self->k, &self->r, &o);
	self->q = &self->k.q[0];
}

FIXTURE_TEARDOWN(requests)
{
	kvhost_close(&self->k);
	free(self->host);
	close(self->fd);
}

/* Whether the marked parts of the disk are as the set-up left them. */
static bool disk_unchanged(u8 *host, int fd)
{
	u64 pos;

	for (pos = 0; pos < DISK_MB << 20; pos += 63 << 20)
		if (pread(fd, host, 65536, pos) != 65536 ||
		    !blk_is_pattern(host, 65536, pos, 1))
			return false;
	return true;
}

/* Whether the used length is covered by bytes that were written (CORE-027). */
static bool used_len_honest(const struct blkreq *r)
{
	u32 data = r->out ? 0 : r->len;
	const u8 *va = gmem_va(r->mem, r->data);

	if (r->used_len <= disk_written(va, data))
		return true;
	return disk_written(va, data) == data && r->used_len <= data + 1;
}

static u32 queue_state(struct kvhost *k)
{
	struct kvhost_vring_stats st;

	kvhost_stats(k, 0, &st);
	return st.state;
}

TEST_F(requests, BLK_023_unknown_types_answer_UNSUPP_and_touch_nothing)
{
	static const u32 types[] = {
		2, 3, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 22, 24, 26, 27, 100, 255,
		0x80000000, 0x80000001, 0xffffffff,
	};
	u8 *va = gmem_va(&self->k.mem, self->r.data);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		EXPECT_EQ(VIRTIO_BLK_S_UNSUPP,
			  blk_do(&self->r, self->q, types[i], 0, LEN)) {
			TH_LOG("type %#x answered %u", types[i], blkreq_status(&self->r));
		}
		EXPECT_EQ(0, disk_written(va, LEN));
		EXPECT_TRUE(used_len_honest(&self->r)) {
			TH_LOG("type %#x: used length %u", types[i], self->r.used_len);
		}
	}
	EXPECT_TRUE(disk_unchanged(self->host, self->fd));
	EXPECT_EQ(KVHOST_VRING_RUNNING, queue_state(&self->k));
}

/* The same types with data the device may only read: no write by mistake. */
TEST_F(requests, BLK_023_unknown_types_with_readable_data)
{
	static const u32 types[] = { 2, 3, 5, 7, 12, 15, 0x80000001 };
	struct vq_buf bufs[3];
	struct vq_used u;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		blkreq_set(&self->r, types[i], 0, LEN);
		blkreq_plain(&self->r, bufs);
		bufs[1].write = false;
		ASSERT_LE(0, vq_add(self->q, bufs, 3, NULL, &self->r));
		vq_kick(self->q);
		ASSERT_EQ(1, vq_wait_used(self->q, &u, 1));
		EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, blkreq_status(&self->r));
		EXPECT_EQ(1, u.len);
	}
	EXPECT_TRUE(disk_unchanged(self->host, self->fd));
}

TEST_F(requests, BLK_024_ranges_beyond_the_end_answer_IOERR)
{
	static const struct {
		u64 sector;
		u32 len;
	} rows[] = {
		{ DISK_SECTORS, 512 },
		{ DISK_SECTORS - 1, 1024 },
		{ DISK_SECTORS - 7, 4096 },
		{ DISK_SECTORS + 1, 512 },
		{ 1ull << 32, 512 },
		{ (1ull << 55) - 1, 512 },	/* the last byte offset that fits in s64 */
		{ 1ull << 55, 512 },		/* sector * 512 is 2^64 */
		{ (1ull << 55) + 8, 512 },	/* ... and wraps to 4096 */
		{ 1ull << 54, 512 },		/* negative as loff_t */
		{ 1ull << 63, 512 },
		{ ~0ull, 512 },
		{ ~0ull, 1024 },		/* sector + count wraps */
		{ ~0ull - 7, 8192 },
	};
	u32 type, i;

	for (i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		type = i & 1 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
		EXPECT_EQ(VIRTIO_BLK_S_IOERR,
			  blk_do(&self->r, self->q, type, rows[i / 2].sector,
				 rows[i / 2].len)) {
			TH_LOG("type %u sector %#llx length %u", type,
			       rows[i / 2].sector, rows[i / 2].len);
		}
		EXPECT_TRUE(used_len_honest(&self->r));
	}
	EXPECT_TRUE(disk_unchanged(self->host, self->fd));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN,
					  DISK_SECTORS - 1, 512));
}

TEST_F(requests, BLK_024_lengths_that_are_no_sectors_answer_IOERR)
{
	static const u32 lens[] = { 0, 1, 16, 511, 513, 1023, 4095, 4097 };
	u32 type, i;

	for (i = 0; i < 2 * ARRAY_SIZE(lens); i++) {
		type = i & 1 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
		EXPECT_EQ(VIRTIO_BLK_S_IOERR,
			  blk_do(&self->r, self->q, type, 0, lens[i / 2])) {
			TH_LOG("type %u length %u answered %u", type, lens[i / 2],
			       blkreq_status(&self->r));
		}
		EXPECT_TRUE(used_len_honest(&self->r));
	}
	EXPECT_TRUE(disk_unchanged(self->host, self->fd));
	EXPECT_EQ(KVHOST_VRING_RUNNING, queue_state(&self->k));
}

/* HD-052: data in the wrong direction. */
TEST_F(requests, HD_052_IN_into_readable_data_and_OUT_from_writable_data)
{
	struct kvhost_vring_stats st;
	struct vq_buf bufs[3];
	struct vq_used u;
	u32 type;

	for (type = 0; type < 2; type++) {
		blkreq_set(&self->r, type, 0, LEN);
		gmem_fill(&self->k.mem, self->r.data, BLK_POISON, LEN);
		blkreq_plain(&self->r, bufs);
		bufs[1].write = !bufs[1].write;
		ASSERT_LE(0, vq_add(self->q, bufs, 3, NULL, &self->r));
		vq_kick(self->q);
		if (vq_wait_used_ms(self->q, &u, 1, 3000)) {
			self->r.used_len = u.len;
			EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_status(&self->r));
		} else {
			kvhost_stats(&self->k, 0, &st);
			EXPECT_EQ(KVHOST_VRING_BROKEN, st.state);
			kvhost_revive(&self->k, 0);
		}
		EXPECT_EQ(0, disk_written(gmem_va(&self->k.mem, self->r.data), LEN));
	}
	EXPECT_TRUE(disk_unchanged(self->host, self->fd));
}

TEST_F(requests, BLK_027_BLK_028_a_read_only_disk_refuses_writes)
{
	static const u32 writes[] = { VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_DISCARD,
				      VIRTIO_BLK_T_WRITE_ZEROES };
	struct kvhost_opts o = variant->ring;
	struct kvhost k;
	struct blkreq r;
	unsigned int i;
	u8 status;

	o.fd = self->fd;
	o.flags = KVHOST_BLK_RDONLY;
	start(&k, &r, &o);
	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		status = blk_do(&r, &k.q[0], writes[i], 0, LEN);
		EXPECT_NE(VIRTIO_BLK_S_OK, status);
		EXPECT_TRUE(i || status == VIRTIO_BLK_S_IOERR);
	}
	EXPECT_TRUE(disk_unchanged(self->host, self->fd));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, 0, LEN));
	EXPECT_TRUE(blk_is_pattern(gmem_va(&k.mem, r.data), LEN, 0, 1));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_FLUSH, 0, 0));
	kvhost_close(&k);
}

/* A window into a disk: sector 0 is at @offset, and nothing is reachable outside. */
TEST_F(requests, offset_and_length_bound_the_disk)
{
	const u64 from = 1 << 20, len = 1 << 20;
	struct kvhost_opts o = variant->ring;
	struct kvhost_blk_config c = { .size = sizeof(c) };
	struct kvhost k;
	struct blkreq r;

	o.fd = self->fd;
	o.offset = from;
	o.length = len;
	start(&k, &r, &o);
	KVHOST_IOCTL(&k, KVHOST_BLK_GET_CONFIG, &c);
	EXPECT_EQ(len / 512, c.capacity);
	blk_pattern(gmem_va(&k.mem, r.data), LEN, 77, 9);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_OUT, 8, LEN));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &k.q[0], VIRTIO_BLK_T_OUT, 2048, 512));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, 2047, 1024));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, (1ull << 55) - 2048, 512));
	/* sector + count wraps to the window, sector + offset to before it */
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, ~0ull - 7, 8192));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &k.q[0], VIRTIO_BLK_T_OUT, ~0ull - 7, 8192));
	kvhost_close(&k);
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(LEN, pread(self->fd, self->host, LEN, from + LEN));
	EXPECT_TRUE(blk_is_pattern(self->host, LEN, 77, 9));
	EXPECT_TRUE(disk_unchanged(self->host, self->fd));
}

TEST_F(requests, BLK_017_config_tells_capacity_and_block_size)
{
	struct kvhost_blk_config c = { .size = sizeof(c) };

	KVHOST_IOCTL(&self->k, KVHOST_BLK_GET_CONFIG, &c);
	EXPECT_EQ(DISK_SECTORS, c.capacity);
	EXPECT_LE(512, c.logical_block_size);
	EXPECT_EQ(0, c.logical_block_size & (c.logical_block_size - 1));
	EXPECT_LE(c.logical_block_size, c.physical_block_size);
	EXPECT_LE(1, c.seg_max);
	EXPECT_EQ(0, c.flags);
}

/* Split: the index runs past 65535. Packed: a lap ends, and another begins. */
TEST_F(requests, CORE_017_CORE_036_the_position_wraps)
{
	struct kvhost_opts o = variant->ring;
	struct kvhost k;
	struct blkreq r;
	unsigned int i;

	o.fd = self->fd;
	o.size = o.packed ? 7 : 8;
	o.base = o.packed ? 5 : 65530;
	start(&k, &r, &o);
	for (i = 0; i < 20; i++)
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, i, 512));
	kvhost_close(&k);
}

/* Bytes of a file, and how many at its front are the disk. */
#define FILE_BYTES	(1u << 20)
#define DISK_BYTES	(FILE_BYTES / 2)

/* Whether all bytes of the file behind the disk are as they were made. */
static bool rest_unchanged(int fd)
{
	static u8 buf[FILE_BYTES - DISK_BYTES];
	unsigned int i;

	must(pread(fd, buf, sizeof(buf), DISK_BYTES) == sizeof(buf), "pread: %m");
	for (i = 0; i < sizeof(buf) && buf[i] == 0x5a; i++)
		;
	return i == sizeof(buf);
}

/*
 * A slot's last request was refused because it is not on the disk. A chain without a
 * header that comes next in that slot is dropped, and nothing of that request is done.
 */
TEST(a_malformed_chain_takes_up_nothing_of_the_request_before)
{
	struct kvhost_opts o = { .length = DISK_BYTES };
	int fd = memfd_create("disk", MFD_CLOEXEC);
	static u8 fill[FILE_BYTES];
	struct vq_buf bufs[3];
	struct blkreq r;
	struct kvhost k;
	unsigned int n;

	memset(fill, 0x5a, sizeof(fill));
	ASSERT_EQ((ssize_t)sizeof(fill), write(fd, fill, sizeof(fill)));
	o.fd = fd;
	start(&k, &r, &o);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_OUT, 0, LEN));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  blk_do(&r, &k.q[0], VIRTIO_BLK_T_OUT, DISK_BYTES >> 9, LEN));
	blkreq_set(&r, VIRTIO_BLK_T_OUT, 0, 4 * LEN);
	gmem_fill(&k.mem, r.data, 0xff, 4 * LEN);
	n = blkreq_plain(&r, bufs);
	bufs[0].gpa = GMEM_HOLE_GPA;
	ASSERT_LE(0, vq_add(&k.q[0], bufs, n, NULL, &r));
	vq_kick(&k.q[0]);
	EXPECT_TRUE(kvhost_wait_state(&k, 0, KVHOST_VRING_BROKEN));
	EXPECT_TRUE(kvhost_wait_idle(&k, 0));
	kvhost_enable(&k, 0, 0);
	EXPECT_TRUE(rest_unchanged(fd));
	kvhost_close(&k);
	close(fd);
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("requests", 1 << DISK_NULLB | 1 << DISK_TMPFS);
}

TEST_HARNESS_MAIN
