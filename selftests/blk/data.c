// SPDX-License-Identifier: GPL-2.0
/*
 * Data arrives: IN, OUT, FLUSH and GET_ID on every kind of backend.
 *
 *	test (driver side) -- ring --> kvhost_blk --> null_blk | tmpfs | ext4
 *	test (host side)   -- pread/pwrite -------------^
 *
 * What one side writes, the other reads; lengths are those of BLK-021.
 */
#include "disk.h"

/* More pages than one bio takes: the second has to find its own sector. */
#define BIG	(3u << 20)
#define SERIAL	"kvhost-serial-012345"	/* exactly the 20 bytes there are */

FIXTURE(data) {
	struct kvhost k;
	struct blkreq r;
	struct vq *q;
	u8 *host;
	int fd;
};

FIXTURE_VARIANT(data) {
	enum disk disk;
	int flags;
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(data, null_blk) {
	.disk = DISK_NULLB,
	.flags = O_RDWR | O_DIRECT,
};

FIXTURE_VARIANT_ADD(data, null_blk_packed) {
	.disk = DISK_NULLB,
	.flags = O_RDWR | O_DIRECT,
	.ring = { .packed = true },
};

FIXTURE_VARIANT_ADD(data, tmpfs_split_in_order) {
	.disk = DISK_TMPFS,
	.flags = O_RDWR,
	.ring = { .in_order = true },
};

FIXTURE_VARIANT_ADD(data, tmpfs_packed_in_order) {
	.disk = DISK_TMPFS,
	.flags = O_RDWR,
	.ring = { .packed = true, .in_order = true, .size = 19 },
};

FIXTURE_VARIANT_ADD(data, ext4_buffered) {
	.disk = DISK_EXT4,
	.flags = O_RDWR,
};

FIXTURE_VARIANT_ADD(data, ext4_direct) {
	.disk = DISK_EXT4,
	.flags = O_RDWR | O_DIRECT,
};

FIXTURE_VARIANT_ADD(data, ext4_direct_packed) {
	.disk = DISK_EXT4,
	.flags = O_RDWR | O_DIRECT,
	.ring = { .packed = true, .size = 100 },
};

FIXTURE_SETUP(data)
{
	struct kvhost_opts o = variant->ring;

	self->fd = backing_open(disk_paths[variant->disk], variant->flags);
	ASSERT_EQ(0, posix_memalign((void **)&self->host, 4096, BIG));
	o.fd = self->fd;
	o.serial = SERIAL;
	kvhost_start(&self->k, &o);
	self->q = &self->k.q[0];
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, BIG + 4096);
}

FIXTURE_TEARDOWN(data)
{
	kvhost_close(&self->k);
	free(self->host);
	close(self->fd);
}

static bool guest_has(const struct blkreq *r, u64 pos, u32 seed)
{
	return blk_is_pattern(gmem_va(r->mem, r->data), r->len, pos, seed);
}

static void guest_put(const struct blkreq *r, u32 len, u64 pos, u32 seed)
{
	blk_pattern(gmem_va(r->mem, r->data), len, pos, seed);
}

TEST_F(data, BLK_021_IN_returns_what_the_host_wrote)
{
	static const u32 lens[] = { 512, 1024, 4096, 4608, 65536, 131072, BIG };
	u64 pos = 4096;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++, pos += BIG) {
		blk_pattern(self->host, lens[i], pos, i);
		ASSERT_EQ(lens[i], pwrite(self->fd, self->host, lens[i], pos));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN,
						  pos / 512, lens[i]));
		EXPECT_EQ(lens[i] + 1, self->r.used_len);
		EXPECT_TRUE(guest_has(&self->r, pos, i)) {
			TH_LOG("wrong data in a read of %u bytes", lens[i]);
		}
	}
}

TEST_F(data, BLK_021_OUT_is_what_the_host_reads)
{
	static const u32 lens[] = { 512, 1024, 4096, 4608, 65536, 131072, BIG };
	u64 pos = 8192;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++, pos += BIG) {
		guest_put(&self->r, lens[i], pos, 100 + i);
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_OUT,
						  pos / 512, lens[i]));
		EXPECT_EQ(1, self->r.used_len);
		ASSERT_EQ(VIRTIO_BLK_S_OK,
			  blk_do(&self->r, self->q, VIRTIO_BLK_T_FLUSH, 0, 0));
		EXPECT_EQ(1, self->r.used_len);
		ASSERT_EQ(lens[i], pread(self->fd, self->host, lens[i], pos));
		EXPECT_TRUE(blk_is_pattern(self->host, lens[i], pos, 100 + i)) {
			TH_LOG("wrong data after a write of %u bytes", lens[i]);
		}
	}
}

/* Guest buffers may begin anywhere; a disk's DMA alignment is not their concern. */
TEST_F(data, BLK_019_data_at_any_guest_address)
{
	static const u32 offsets[] = { 0, 1, 3, 4, 16, 255, 511, 512, 2048, 4095 };
	u64 base = self->r.data, pos = 32 << 20;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++, pos += 16384) {
		self->r.data = base + offsets[i];
		guest_put(&self->r, 8192, pos, i);
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_OUT,
						  pos / 512, 8192));
		ASSERT_EQ(8192, pread(self->fd, self->host, 8192, pos));
		EXPECT_TRUE(blk_is_pattern(self->host, 8192, pos, i));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN,
						  pos / 512, 8192));
		EXPECT_TRUE(guest_has(&self->r, pos, i)) {
			TH_LOG("wrong data at offset %u in the page", offsets[i]);
		}
	}
}

/* CVE-2013-0311, CVE-2018-1059: contiguous for the guest, apart in our memory. */
TEST_F(data, data_across_the_border_of_two_regions)
{
	u32 before[] = { 1, 512, 4095, 4096, 8191 };
	u64 pos = 40 << 20;
	unsigned int i;

	gmem_alloc(&self->k.mem, GMEM_MID, 65536, 4096);
	for (i = 0; i < ARRAY_SIZE(before); i++) {
		u8 buf[8192], back[8192];

		self->r.data = GMEM_MID_GPA - before[i];
		blk_pattern(buf, sizeof(buf), pos, i);
		gmem_write(&self->k.mem, self->r.data, buf, sizeof(buf));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_OUT,
						  pos / 512, sizeof(buf)));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN,
						  pos / 512, sizeof(buf)));
		gmem_read(&self->k.mem, self->r.data, back, sizeof(back));
		EXPECT_EQ(0, memcmp(buf, back, sizeof(buf)));
		ASSERT_EQ(8192, pread(self->fd, self->host, 8192, pos));
		EXPECT_TRUE(blk_is_pattern(self->host, 8192, pos, i));
	}
}

TEST_F(data, random_IN_and_OUT_agree_with_a_model)
{
	const u32 sectors = 4096;
	u8 *model = calloc(sectors, 1);
	u64 base = 48 << 20;
	unsigned int i, j;
	u8 *va;

	ASSERT_NE(NULL, model);
	va = gmem_va(&self->k.mem, self->r.data);
	srandom(7);
	for (i = 0; i < 2048; i++) {
		blk_pattern(self->host, 1024, base + i * 1024, 0);
		if (pwrite(self->fd, self->host, 1024, base + i * 1024) != 1024)
			break;
	}
	ASSERT_EQ(2048, i);
	for (i = 0; i < 400; i++) {
		u32 s = random() % (sectors - 64), n = 1 + random() % 64;
		u64 pos = base + s * 512;

		if (random() & 1) {
			for (j = 0; j < n; j++)
				blk_pattern(va + 512 * j, 512, pos + 512 * j, 1 + i % 200);
			memset(model + s, 1 + i % 200, n);
			ASSERT_EQ(VIRTIO_BLK_S_OK,
				  blk_do(&self->r, self->q, VIRTIO_BLK_T_OUT, pos / 512,
					 512 * n));
			continue;
		}
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN,
						  pos / 512, 512 * n));
		for (j = 0; j < n; j++) {
			ASSERT_TRUE(blk_is_pattern(va + 512 * j, 512, pos + 512 * j,
						   model[s + j])) {
				TH_LOG("request %u: sector %u is not generation %u",
				       i, s + j, model[s + j]);
			}
		}
	}
	free(model);
}

TEST_F(data, BLK_022_GET_ID_is_the_serial_and_no_more_than_20_bytes)
{
	u8 *va = gmem_va(&self->k.mem, self->r.data);
	u32 len, n;

	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_GET_ID, 0, 20));
	EXPECT_EQ(21, self->r.used_len);
	EXPECT_EQ(0, memcmp(va, SERIAL, 20));
	for (len = 1; len <= 64; len++) {
		memset(va, BLK_POISON, 80);
		n = len < 20 ? len : 20;
		EXPECT_GE(VIRTIO_BLK_S_IOERR,
			  blk_do(&self->r, self->q, VIRTIO_BLK_T_GET_ID, 0, len));
		EXPECT_GE(n, disk_written(va, 80));
		EXPECT_GE(len + 1, self->r.used_len);
		if (self->r.used_len > disk_written(va, 80))
			EXPECT_EQ(disk_written(va, 80), len);
	}
	EXPECT_GE(VIRTIO_BLK_S_UNSUPP, blk_do(&self->r, self->q, VIRTIO_BLK_T_GET_ID, 0, 0));
	EXPECT_GE(1, self->r.used_len);
}

TEST_F(data, several_data_segments_of_any_size_multiple)
{
	static const u32 cuts[] = { 512, 600, 601, 4096, 5000, 8000, 8191 };
	struct vq_buf bufs[ARRAY_SIZE(cuts) + 3];
	struct vq_used u;
	u64 pos = 56 << 20;
	unsigned int n, i;
	u32 at;

	guest_put(&self->r, 8192, pos, 5);
	for (n = 0; n < ARRAY_SIZE(cuts); n++) {
		blkreq_set(&self->r, VIRTIO_BLK_T_OUT, pos / 512, 8192);
		bufs[0] = (struct vq_buf) { self->r.hdr, 16, false };
		for (i = 0, at = 0; i <= n; i++) {
			bufs[1 + i] = (struct vq_buf) { self->r.data + at, cuts[i] - at, false };
			at = cuts[i];
		}
		bufs[1 + i++] = (struct vq_buf) { self->r.data + at, 8192 - at, false };
		bufs[1 + i++] = (struct vq_buf) { self->r.status, 1, true };
		ASSERT_LE(0, vq_add(self->q, bufs, 1 + i, NULL, &self->r));
		vq_kick(self->q);
		ASSERT_EQ(1, vq_wait_used(self->q, &u, 1));
		EXPECT_EQ(1, u.len);
		EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r));
		ASSERT_EQ(8192, pread(self->fd, self->host, 8192, pos));
		EXPECT_TRUE(blk_is_pattern(self->host, 8192, pos, 5)) {
			TH_LOG("wrong data with %u segments", n + 2);
		}
		pos += 8192;
		guest_put(&self->r, 8192, pos, 5);
	}
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("data", 1 << DISK_NULLB | 1 << DISK_TMPFS | 1 << DISK_EXT4);
}

TEST_HARNESS_MAIN
