// SPDX-License-Identifier: GPL-2.0
/*
 * blk_user_test.c - the userspace block backend behind a driver.
 *
 *	test, driver side of ../lib --rings, eventfds--> I/O thread --> image file
 *
 * Once with and once without O_DIRECT, and with and without event indices. Ids
 * name rows of the conformance list (BLK, CORE) and of the list of hostile
 * drivers (HD).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "blk_backend.h"
#include "blk_range.h"
#include "disk.h"
#include "event.h"
#include "fault.h"
#include "memory.h"
#include "options.h"
#include "util.h"
#include "virtio.h"
#include "lib/blkreq.h"
#include <kselftest_harness.h>

#define QUEUES		2
#define QUEUE_SIZE	64
#define DISK_BYTES	(96u << 20)
#define SECTORS		(DISK_BYTES / 512)
#define MAX_DATA	0x100000u
#define LARGE_GPA	(GMEM_HIGH_GPA + (8u << 20))
#define LARGE_MAX	(20u << 20)
#define ERROR_MS	5000
#define QUIET_MS	50

static void as_virtio_queue(struct virtio_queue *vq, unsigned int index, const struct vq *q)
{
	*vq = (struct virtio_queue) {
		.index = index,
		.size_max = q->size,
		.size = q->size,
		.desc = q->desc_gpa,
		.driver = q->avail_gpa,
		.device = q->used_gpa,
		.enabled = true,
		.kick_fd = q->kick_fd,
		.call_fd = q->call_fd,
	};
}

FIXTURE(user) {
	char path[64];
	struct disk_options opt;
	struct disk disk;
	struct blk_setup setup;
	struct blk_backend *backend;
	struct guest_memory mem;
	struct gmem gmem;
	struct vq q[QUEUES];
	struct virtio_queue vq[QUEUES];
	struct blkreq req;
	uint64_t features;
	int err_fd;
	int file;
};

FIXTURE_VARIANT(user) {
	bool direct;
	bool event_idx;
	bool readonly;
};

FIXTURE_VARIANT_ADD(user, buffered) {
	.direct = false,
	.event_idx = false,
};

FIXTURE_VARIANT_ADD(user, direct) {
	.direct = true,
	.event_idx = true,
};

FIXTURE_VARIANT_ADD(user, readonly) {
	.direct = true,
	.event_idx = true,
	.readonly = true,
};

#define OPS(self)	((self)->backend->ops)

static int start_queue(struct blk_backend *b, struct virtio_queue *vq)
{
	int ret = b->ops->queue_start(b, vq);

	event_raise(vq->kick_fd);
	return ret;
}

FIXTURE_SETUP(user)
{
	strcpy(self->path, "blk_user_test.XXXXXX");
	self->file = mkstemp(self->path);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, ftruncate(self->file, DISK_BYTES));
	self->opt = (struct disk_options) {
		.path = self->path,
		.direct = variant->direct,
		.readonly = variant->readonly,
		.serial = "serial-of-20-bytes-x",
		.queue_size = QUEUE_SIZE,
	};
	ASSERT_EQ(0, disk_open(&self->disk, &self->opt));
	unlink(self->path);
	gmem_init(&self->gmem);
	/* A hole between the two, and no RAM where the middle region is. */
	self->mem.nr = 2;
	self->mem.regions[0].gpa = GMEM_LOW_GPA;
	self->mem.regions[0].size = GMEM_REGION_SIZE;
	self->mem.regions[0].hva = gmem_va(&self->gmem, GMEM_LOW_GPA);
	self->mem.regions[1].gpa = GMEM_HIGH_GPA;
	self->mem.regions[1].size = GMEM_REGION_SIZE;
	self->mem.regions[1].hva = gmem_va(&self->gmem, GMEM_HIGH_GPA);
	self->err_fd = event_open();
	self->setup = (struct blk_setup) {
		.name = "test",
		.disk = &self->disk,
		.opt = &self->opt,
		.mem = &self->mem,
		.queues = QUEUES,
		.vqs = self->vq,
		.writeback = true,
		.err_fd = self->err_fd,
	};
	for (int i = 0; i < QUEUES; i++) {
		vq_init(&self->q[i], &self->gmem, QUEUE_SIZE,
			variant->event_idx ? VQ_EVENT_IDX : 0);
		as_virtio_queue(&self->vq[i], i, &self->q[i]);
	}
	ASSERT_EQ(0, blk_user_create(&self->backend, &self->setup));
	self->features = VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			 VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	if (variant->event_idx)
		self->features |= VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
	ASSERT_EQ(0, OPS(self)->start(self->backend, self->features, true));
	for (int i = 0; i < QUEUES; i++)
		ASSERT_EQ(0, start_queue(self->backend, &self->vq[i]));
	blkreq_init(&self->req, &self->gmem, GMEM_HIGH, MAX_DATA);
}

FIXTURE_TEARDOWN(user)
{
	for (int i = 0; i < QUEUES; i++)
		OPS(self)->queue_stop(self->backend, &self->vq[i]);
	OPS(self)->destroy(self->backend);
	disk_close(&self->disk);
	close(self->file);
	close(self->err_fd);
	for (int i = 0; i < QUEUES; i++)
		vq_free(&self->q[i]);
	gmem_free(&self->gmem);
}

#define DO(type, sector, len)	blk_do(&self->req, &self->q[0], type, sector, len)
#define DATA			((u8 *)gmem_va(&self->gmem, self->req.data))

static struct kvhost_vring_stats stats_of(struct blk_backend *b, unsigned int index)
{
	struct kvhost_vring_stats st;

	b->ops->stats(b, index, &st);
	return st;
}

/* BLK-021: IN fills data then status, OUT and FLUSH write the status alone */
TEST_F(user, data_and_used_length)
{
	static const u32 lens[] = { 512, 4096, 5 * 512, 128 * 1024, MAX_DATA };
	u8 want = variant->readonly ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;

	for (unsigned int i = 0; i < ARRAY_SIZE(lens); i++) {
		blk_pattern(DATA, lens[i], i * 4096, i);
		EXPECT_EQ(want, DO(VIRTIO_BLK_T_OUT, i * 4096 + 1, lens[i]));
		EXPECT_EQ(1, self->req.used_len);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(lens); i++) {
		EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_IN, i * 4096 + 1, lens[i]));
		EXPECT_EQ(lens[i] + 1, self->req.used_len);
		/* BLK-028: nothing reached a read-only disk. */
		EXPECT_TRUE(variant->readonly ? !DATA[lens[i] / 2] :
			    blk_is_pattern(DATA, lens[i], i * 4096, i));
	}
	EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_EQ(1, self->req.used_len);
}

/* BLK-022: at most 20 bytes, and no length that was not written */
TEST_F(user, get_id)
{
	for (u32 len = 0; len <= 64; len++) {
		EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_GET_ID, 0, len));
		EXPECT_EQ(0, memcmp(DATA, self->opt.serial, len < 20 ? len : 20));
		for (u32 i = 20; i < len; i++)
			ASSERT_EQ(BLK_POISON, DATA[i]);
		EXPECT_EQ(len <= 20 ? len + 1 : 20, self->req.used_len);
	}
}

/* BLK-023: any other type is not served and touches no data */
TEST_F(user, unknown_types)
{
	static const u32 types[] = {
		2, 3, 5, 6, 7, 9, 10, 12, 15, 18, 26, 255, 0x80000000, 0x80000001, 0xffffffff,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, DO(types[i], 0, 512));
		EXPECT_EQ(BLK_POISON, DATA[0]);
		EXPECT_EQ(0, self->req.used_len);
		EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, DO(types[i], 0, 0));
		EXPECT_EQ(1, self->req.used_len);
	}
}

/* One request that names a range, behind the header. */
static u8 do_range(struct blkreq *r, struct vq *q, u32 type, u64 sector, u32 nr, u32 flags)
{
	struct virtio_blk_discard_write_zeroes seg = {
		.sector = sector, .num_sectors = nr, .flags = flags,
	};

	blkreq_set(r, type, 0, sizeof(seg));
	r->out = true;
	memcpy(gmem_va(r->mem, r->data), &seg, sizeof(seg));
	must(blkreq_submit(r, q, NULL) >= 0, "no descriptors");
	return blkreq_wait(r, q);
}

#define RANGE(type, ...)	do_range(&self->req, &self->q[0], type, __VA_ARGS__)

/* Bytes of the disk's first MAX_DATA that are still those of pattern 5. */
static u32 kept(struct blkreq *r, struct vq *q, u32 from, u32 len)
{
	const u8 *p = gmem_va(r->mem, r->data);

	if (blk_do(r, q, VIRTIO_BLK_T_IN, 0, MAX_DATA) != VIRTIO_BLK_S_OK)
		return 0;
	if (!blk_is_pattern(p, from, 0, 5) ||
	    !blk_is_pattern(p + from + len, MAX_DATA - from - len, from + len, 5))
		return 0;
	for (u32 i = from; i < from + len; i++)
		if (p[i])
			return 0;
	return MAX_DATA - len;
}

#define KEPT(from, len)		kept(&self->req, &self->q[0], from, len)

/* BLK-027, 029..033: discard and write zeroes, and what they leave alone */
TEST_F(user, discard_and_zeroes)
{
	const u32 zeroes = VIRTIO_BLK_T_WRITE_ZEROES, discard = VIRTIO_BLK_T_DISCARD;
	struct stat st[2];

	if (variant->readonly) {
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, RANGE(zeroes, 0, 8, 0));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, RANGE(discard, 0, 8, 0));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, RANGE(VIRTIO_BLK_T_SECURE_ERASE, 0, 8, 0));
		return;
	}
	blk_pattern(DATA, MAX_DATA, 0, 5);
	EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_OUT, 0, MAX_DATA));
	EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_FLUSH, 0, 0));
	ASSERT_EQ(0, fstat(self->file, &st[0]));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, RANGE(discard, 0, 8, 1));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, RANGE(zeroes, 0, 8, 2));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, RANGE(VIRTIO_BLK_T_SECURE_ERASE, 0, 8, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, RANGE(discard, SECTORS - 1, 2, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, RANGE(zeroes, ~0ULL, 1, 0));
	EXPECT_EQ(MAX_DATA, KEPT(0, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, RANGE(zeroes, 3, 5, 1));
	EXPECT_EQ(1, self->req.used_len);
	EXPECT_EQ(MAX_DATA - 5 * 512, KEPT(3 * 512, 5 * 512));
	EXPECT_EQ(VIRTIO_BLK_S_OK, RANGE(discard, 0, 1024, 0));
	EXPECT_EQ(MAX_DATA - 1024 * 512, KEPT(0, 1024 * 512));
	ASSERT_EQ(0, fstat(self->file, &st[1]));
	EXPECT_LT(st[1].st_blocks, st[0].st_blocks);
	/* In write-through mode it is made durable as well, and nothing is lost. */
	OPS(self)->set_writeback(self->backend, false);
	EXPECT_EQ(VIRTIO_BLK_S_OK, RANGE(zeroes, 1024, 8, 1));
	EXPECT_EQ(MAX_DATA - 1032 * 512, KEPT(0, 1032 * 512));
	/* The length of the file is the host's. */
	EXPECT_EQ(DISK_BYTES, st[1].st_size);
}

/*
 * Stands in for the C library's: a file system that lacks some modes, or is slow.
 * The range thread calls it.
 */
static struct {
	int lacks;
	unsigned int sleep_ms;
	unsigned int calls;
} fallocate_is;

int fallocate(int fd, int mode, off_t pos, off_t len)
{
	unsigned int ms = __atomic_load_n(&fallocate_is.sleep_ms, __ATOMIC_RELAXED);

	__atomic_add_fetch(&fallocate_is.calls, 1, __ATOMIC_RELAXED);
	if (mode & __atomic_load_n(&fallocate_is.lacks, __ATOMIC_RELAXED)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (!ms)
		return syscall(SYS_fallocate, fd, mode, pos, len);
	usleep(ms * 1000);
	return 0;
}

static void fallocate_lacks(int modes)
{
	__atomic_store_n(&fallocate_is.lacks, modes, __ATOMIC_RELAXED);
}

static uint64_t serves(const struct disk *disk)
{
	struct blk_backend probed = { };

	blk_range_probe(&probed, disk);
	return probed.serves;
}

TEST_F(user, K28_zeroes_are_written_where_no_hole_can_be_punched)
{
	const u32 zeroes = VIRTIO_BLK_T_WRITE_ZEROES, discard = VIRTIO_BLK_T_DISCARD;
	static const int lacks[] = {
		0, FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE,
	};

	if (variant->readonly)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(lacks); i++) {
		bool punches = !(lacks[i] & FALLOC_FL_PUNCH_HOLE);

		fallocate_lacks(lacks[i]);
		EXPECT_EQ(KVHOST_BLK_WRITE_ZEROES | (punches ? KVHOST_BLK_DISCARD : 0),
			  serves(&self->disk));
		for (u32 unmap = 0; unmap < 2; unmap++) {
			blk_pattern(DATA, MAX_DATA, 0, 5);
			EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_OUT, 0, MAX_DATA));
			EXPECT_EQ(VIRTIO_BLK_S_OK, RANGE(zeroes, 3, 500, unmap));
			EXPECT_EQ(MAX_DATA - 500 * 512, KEPT(3 * 512, 500 * 512));
		}
		EXPECT_EQ(punches ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_UNSUPP,
			  RANGE(discard, 0, 8, 0));
	}
	fallocate_lacks(0);
}

/* A range of 1 TiB that takes half an hour: the queue stops all the same. */
TEST_F(user, K6_long_ranges_end_when_the_queue_stops)
{
	const u32 types[] = { VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_DISCARD };
	struct virtio_blk_discard_write_zeroes seg = { .num_sectors = 1u << 31 };
	unsigned int before;

	if (variant->readonly)
		return;
	self->disk.bytes = 1ull << 40;
	ASSERT_EQ(0, OPS(self)->resize(self->backend));
	__atomic_store_n(&fallocate_is.sleep_ms, 60, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		before = __atomic_load_n(&fallocate_is.calls, __ATOMIC_RELAXED);
		blkreq_set(&self->req, types[i], 0, sizeof(seg));
		self->req.out = true;
		memcpy(DATA, &seg, sizeof(seg));
		ASSERT_LE(0, blkreq_submit(&self->req, &self->q[0], NULL));
		while (__atomic_load_n(&fallocate_is.calls, __ATOMIC_RELAXED) == before)
			usleep(1000);
		OPS(self)->queue_stop(self->backend, &self->vq[0]);
		EXPECT_EQ(i ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR,
			  blkreq_wait(&self->req, &self->q[0]));
		vq_reset(&self->q[0], 0);
		eventfd_take(self->q[0].kick_fd);
		ASSERT_EQ(0, start_queue(self->backend, &self->vq[0]));
	}
	__atomic_store_n(&fallocate_is.sleep_ms, 0, __ATOMIC_RELAXED);
}

/* BLK-024, HD-050: ranges that are not on the disk, in 64 bits */
TEST_F(user, ranges)
{
	static const struct {
		u64 sector;
		u32 len;
	} bad[] = {
		{ SECTORS, 512 }, { SECTORS - 1, 1024 }, { SECTORS + 1, 512 },
		{ ~0ULL, 512 }, { ~0ULL - 1, 1024 }, { ~0ULL >> 9, 512 },
		{ 1ULL << 55, 512 }, { (1ULL << 55) - 1, 1024 }, { 1ULL << 63, 512 },
		{ 0, 0 }, { 0, 1 }, { 0, 511 }, { 0, 513 }, { 8, 4095 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, DO(VIRTIO_BLK_T_IN, bad[i].sector, bad[i].len));
		EXPECT_EQ(bad[i].len ? 0 : 1, self->req.used_len);
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, DO(VIRTIO_BLK_T_OUT, bad[i].sector, bad[i].len));
	}
	EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_IN, SECTORS - 1, 512));
}

/* One request of the given segments; returns its status. */
static u8 do_bufs(struct blkreq *r, struct vq *q, u32 type, const struct vq_buf *bufs,
		  unsigned int n, const struct vq_shape *shape)
{
	blkreq_set(r, type, 16, 0);
	must(vq_add(q, bufs, n, shape, r) >= 0, "no room for %u segments", n);
	vq_kick(q);
	return blkreq_wait(r, q);
}

/* HD-050..052: data that points the wrong way, too much of it, or not in RAM */
TEST_F(user, data_refused)
{
	struct blkreq *r = &self->req;
	const struct vq_buf hdr = { r->hdr, BLK_HDR, false };
	const struct vq_buf status = { r->status, 1, true };
	struct vq_buf in_out[] = { hdr, { r->data, 512, false }, status };
	struct vq_buf out_in[] = { hdr, { r->data, 512, true }, status };
	struct vq_buf hole[] = { hdr, { GMEM_HOLE_GPA, 512, true }, status };
	struct vq_buf edge[] = {
		hdr, { GMEM_HIGH_GPA + GMEM_REGION_SIZE - 256, 512, true }, status,
	};
	struct vq_buf big[] = {
		hdr, { LARGE_GPA, LARGE_MAX, true }, { LARGE_GPA, LARGE_MAX, true },
		{ LARGE_GPA, LARGE_MAX, true }, { LARGE_GPA, LARGE_MAX, true },
		{ LARGE_GPA, LARGE_MAX, true }, status,
	};

	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_bufs(r, &self->q[0], VIRTIO_BLK_T_IN, in_out, 3, NULL));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_bufs(r, &self->q[0], VIRTIO_BLK_T_OUT, out_in, 3, NULL));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_bufs(r, &self->q[0], VIRTIO_BLK_T_FLUSH, in_out, 3, NULL));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_bufs(r, &self->q[0], VIRTIO_BLK_T_FLUSH, out_in, 3, NULL));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_bufs(r, &self->q[0], VIRTIO_BLK_T_GET_ID, in_out, 3, NULL));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_bufs(r, &self->q[0], VIRTIO_BLK_T_IN, hole, 3, NULL));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_bufs(r, &self->q[0], VIRTIO_BLK_T_IN, edge, 3, NULL));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  do_bufs(r, &self->q[0], VIRTIO_BLK_T_IN, big, 7, NULL));
	EXPECT_EQ(KVHOST_VRING_RUNNING, stats_of(self->backend, 0).state);
}

/* Data of @bytes in at least @n descriptors, each of the same memory. Return: the status */
static u8 do_large(struct blkreq *r, struct vq *q, u32 type, u32 bytes, unsigned int n,
		   u32 *each)
{
	bool in = type == VIRTIO_BLK_T_IN;
	struct vq_buf b[34];
	unsigned int i;

	while (bytes / n > LARGE_MAX)
		n++;
	*each = bytes / n / 512 * 512;
	b[0] = (struct vq_buf) { r->hdr, BLK_HDR, false };
	for (i = 0; i < n; i++)
		b[i + 1] = (struct vq_buf) {
			LARGE_GPA, i + 1 < n ? *each : bytes - i * *each, in,
		};
	b[n + 1] = (struct vq_buf) { r->status, 1, true };
	return do_bufs(r, q, type, b, n + 2, &(struct vq_shape) { .indirect = true });
}

/* Requests of any size are served: nothing tells a driver how large one may be. */
TEST_F(user, K27_requests_of_any_size_are_served)
{
	static const u32 mb[] = { 16, 17, 32, 64 };
	static u8 buf[LARGE_MAX];
	u8 *data = gmem_va(&self->gmem, LARGE_GPA);
	unsigned int i, n;
	u32 each, at;

	for (i = 0; i < ARRAY_SIZE(mb); i++)
		for (n = 1; n <= 32; n += 31) {
			u32 bytes = mb[i] << 20;

			blk_pattern(data, LARGE_MAX, 0, i + n);
			EXPECT_EQ(variant->readonly ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK,
				  do_large(&self->req, &self->q[0], VIRTIO_BLK_T_OUT, bytes, n,
					   &each));
			memset(data, 0, LARGE_MAX);
			ASSERT_EQ(VIRTIO_BLK_S_OK,
				  do_large(&self->req, &self->q[0], VIRTIO_BLK_T_IN, bytes, n,
					   &each));
			EXPECT_EQ(bytes + 1, self->req.used_len);
			if (variant->readonly)
				continue;
			EXPECT_TRUE(blk_is_pattern(data, each, 0, i + n));
			for (at = 0; at < bytes - bytes % each; at += each) {
				ASSERT_EQ(each, pread(self->file, buf, each, 16 * 512 + at));
				ASSERT_TRUE(blk_is_pattern(buf, each, 0, i + n));
			}
		}
}

/*
 * Header, data and status cut into @n pieces that lie apart, aligned to
 * nothing. Status and the last data byte share a segment where it falls so.
 */
static unsigned int cut(struct gmem *mem, const struct blkreq *r, u8 *data, bool write,
			u32 len, unsigned int *seed, struct vq_buf *bufs, u64 *pieces)
{
	static const u8 poison = BLK_NO_STATUS;
	u32 total = BLK_HDR + len + 1, at = 0;
	unsigned int n = 0;

	while (at < total) {
		bool w = at >= BLK_HDR + (write ? 0 : len);
		u32 end = w ? total : BLK_HDR + (write ? 0 : len);
		u32 part = 1 + rand_r(seed) % (rand_r(seed) % 4 ? 3000 : 20);
		u64 gpa;

		if (part > end - at || n > 40)
			part = end - at;
		gpa = gmem_alloc(mem, GMEM_HIGH, part + 8, 8) + rand_r(seed) % 8;
		for (u32 i = 0; i < part; i++) {
			u32 pos = at + i;
			u8 byte = poison;

			if (pos < BLK_HDR)
				byte = ((u8 *)gmem_va(mem, r->hdr))[pos];
			else if (pos < BLK_HDR + len)
				byte = write ? BLK_POISON : data[pos - BLK_HDR];
			gmem_write(mem, gpa + i, &byte, 1);
			if (pos >= BLK_HDR)
				pieces[pos - BLK_HDR] = gpa + i;
		}
		bufs[n++] = (struct vq_buf) { gpa, part, w };
		at += part;
	}
	return n;
}

/* BLK-019, CORE-008: any framing gives the same result, bounced or not */
TEST_F(user, framing)
{
	const struct vq_shape shape = { .indirect = true };
	struct blkreq *r = &self->req;
	u64 *pieces = calloc(MAX_DATA + 1, sizeof(*pieces));
	u8 *data = malloc(MAX_DATA), byte;
	unsigned int seed = 1, n;
	struct vq_buf bufs[64];
	struct vq_used used;

	ASSERT_TRUE(pieces && data);
	for (int i = 0; i < 60; i++) {
		bool write = !(i & 1);
		u32 len = 512 * (1 + (i / 2) * 3 % 70);

		/* An OUT is read back by the IN that follows. */
		blk_pattern(data, len, 0, i / 2);
		blkreq_set(r, write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, 200, 0);
		n = cut(&self->gmem, r, data, !write, len, &seed, bufs, pieces);
		ASSERT_LE(0, vq_add(&self->q[0], bufs, n, &shape, r));
		vq_kick(&self->q[0]);
		ASSERT_EQ(1, vq_wait_used(&self->q[0], &used, 1));
		gmem_read(&self->gmem, pieces[len], &byte, 1);
		if (write && variant->readonly) {
			EXPECT_EQ(VIRTIO_BLK_S_IOERR, byte);
			continue;
		}
		EXPECT_EQ(VIRTIO_BLK_S_OK, byte);
		EXPECT_EQ(write ? 1 : len + 1, used.len);
		if (write || variant->readonly)
			continue;
		for (u32 b = 0; b < len; b++) {
			gmem_read(&self->gmem, pieces[b], &byte, 1);
			ASSERT_EQ(data[b], byte);
		}
	}
	free(pieces);
	free(data);
}

/*
 * HD-008..010, HD-050: a malformed chain breaks its queue, is told once, leaves
 * the other queue alone, and the queue starts afresh.
 */
TEST_F(user, malformed)
{
	struct blkreq *r = &self->req;
	struct vq_buf no_status[] = { { r->hdr, BLK_HDR, false } };
	struct vq_buf short_hdr[] = { { r->hdr, 15, false }, { r->status, 1, true } };
	struct vq_buf no_hdr[] = { { r->status, 1, true } };
	struct vq_buf hdr_hole[] = { { GMEM_HOLE_GPA, 16, false }, { r->status, 1, true } };
	struct vq_buf status_hole[] = {
		{ r->hdr, BLK_HDR, false }, { GMEM_HOLE_GPA, 1, true },
	};
	const struct {
		struct vq_buf *bufs;
		unsigned int n;
	} bad[] = {
		{ no_status, 1 }, { short_hdr, 2 }, { no_hdr, 1 }, { hdr_hole, 2 },
		{ status_hole, 2 }, { NULL, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vq *q = &self->q[0];
		struct kvhost_vring_stats st;

		blkreq_set(r, VIRTIO_BLK_T_IN, 0, 0);
		if (bad[i].n) {
			ASSERT_LE(0, vq_add(q, bad[i].bufs, bad[i].n, NULL, r));
		} else {
			/* A chain that leads to itself. */
			q->desc[3] = (struct vring_desc) { r->hdr, 16, VRING_DESC_F_NEXT, 3 };
			vq_offer(q, 3);
		}
		vq_publish(q);
		vq_kick_always(q);
		EXPECT_TRUE(eventfd_wait(self->err_fd, ERROR_MS));
		EXPECT_EQ(1, eventfd_take(self->err_fd));
		st = stats_of(self->backend, 0);
		EXPECT_EQ(KVHOST_VRING_BROKEN, st.state);
		EXPECT_EQ(i + 1, st.broken);
		EXPECT_EQ(0, st.in_flight);
		/* Broken stays broken. */
		vq_kick_always(q);
		EXPECT_FALSE(eventfd_wait(self->err_fd, QUIET_MS));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(r, &self->q[1], VIRTIO_BLK_T_IN, 0, 4096));

		OPS(self)->queue_stop(self->backend, &self->vq[0]);
		EXPECT_EQ(KVHOST_VRING_STOPPED, stats_of(self->backend, 0).state);
		vq_reset(q, 0);
		eventfd_take(q->kick_fd);
		ASSERT_EQ(0, start_queue(self->backend, &self->vq[0]));
		EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_IN, 0, 4096));
	}
}

/* CORE-001: nothing is taken from a queue that was not started */
TEST_F(user, stopped_queue_is_left_alone)
{
	struct vq *q = &self->q[0];

	OPS(self)->queue_stop(self->backend, &self->vq[0]);
	vq_reset(q, 0);
	blkreq_set(&self->req, VIRTIO_BLK_T_IN, 0, 4096);
	ASSERT_LE(0, blkreq_submit(&self->req, q, NULL));
	vq_kick_always(q);
	EXPECT_FALSE(eventfd_wait(q->call_fd, QUIET_MS));
	EXPECT_EQ(0, vq_used_idx(q));
	EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&self->req));
	/* It was made available before the start, and counts. */
	ASSERT_EQ(0, start_queue(self->backend, &self->vq[0]));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->req, q));
}

/* CORE-004: a stop waits for what is in flight, and nothing moves afterwards */
TEST_F(user, stop_under_load)
{
	struct blkreq reqs[QUEUE_SIZE / 4];

	for (unsigned int i = 0; i < ARRAY_SIZE(reqs); i++)
		blkreq_init(&reqs[i], &self->gmem, GMEM_HIGH, 65536);
	for (int round = 0; round < 30; round++) {
		struct vq *q = &self->q[0];
		u16 used, done = 0;

		for (unsigned int i = 0; i < ARRAY_SIZE(reqs); i++) {
			blkreq_set(&reqs[i], VIRTIO_BLK_T_IN, i * 128, 65536);
			ASSERT_LE(0, blkreq_submit(&reqs[i], q, NULL));
		}
		OPS(self)->queue_stop(self->backend, &self->vq[0]);
		used = vq_used_idx(q);
		for (unsigned int i = 0; i < ARRAY_SIZE(reqs); i++)
			done += blkreq_status(&reqs[i]) == VIRTIO_BLK_S_OK;
		EXPECT_EQ(used, done);
		EXPECT_EQ(0, stats_of(self->backend, 0).in_flight);
		usleep(1000);
		EXPECT_EQ(used, vq_used_idx(q));
		vq_reset(q, 0);
		eventfd_take(q->kick_fd);
		eventfd_take(q->call_fd);
		ASSERT_EQ(0, start_queue(self->backend, &self->vq[0]));
	}
}

/* Both queues full, many laps: every request comes back once with its data */
TEST_F(user, full_queues)
{
	struct blkreq reqs[QUEUES][QUEUE_SIZE / 4];
	unsigned int total = 0;

	for (int i = 0; i < QUEUES; i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(reqs[i]); j++)
			blkreq_init(&reqs[i][j], &self->gmem, GMEM_HIGH, 4096);
	}
	for (int lap = 0; lap < 1200; lap++) {
		bool out = !variant->readonly && !(lap & 1);

		for (int i = 0; i < QUEUES; i++) {
			for (unsigned int j = 0; j < ARRAY_SIZE(reqs[i]); j++) {
				struct blkreq *r = &reqs[i][j];
				u64 sector = 8 * (i * ARRAY_SIZE(reqs[i]) + j);

				if (out)
					blk_pattern(gmem_va(&self->gmem, r->data), 4096, sector,
						    lap);
				blkreq_set(r, out ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, sector,
					   4096);
				ASSERT_LE(0, blkreq_submit(r, &self->q[i], NULL));
			}
		}
		for (int i = 0; i < QUEUES; i++) {
			struct vq_used used[ARRAY_SIZE(reqs[i])];

			ASSERT_EQ(ARRAY_SIZE(used),
				  vq_wait_used(&self->q[i], used, ARRAY_SIZE(used)));
			total += ARRAY_SIZE(used);
			for (unsigned int j = 0; j < ARRAY_SIZE(used); j++) {
				struct blkreq *r = used[j].cookie;

				ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_status(r));
				if (out || variant->readonly)
					continue;
				ASSERT_TRUE(blk_is_pattern(gmem_va(&self->gmem, r->data), 4096,
							   r->sector, lap - 1));
			}
		}
	}
	for (int i = 0; i < QUEUES; i++) {
		struct kvhost_vring_stats st = stats_of(self->backend, i);

		EXPECT_EQ(total / QUEUES, st.chains);
		EXPECT_EQ(0, st.in_flight);
		EXPECT_GE(st.chains, st.signals + st.signals_suppressed);
		EXPECT_LT(0, st.kicks);
	}
}

/* BLK-038: writethrough is a mode, not another result */
TEST_F(user, writethrough)
{
	u8 want = variant->readonly ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;

	ASSERT_EQ(0, OPS(self)->set_writeback(self->backend, false));
	blk_pattern(DATA, 65536, 0, 7);
	EXPECT_EQ(want, DO(VIRTIO_BLK_T_OUT, 0, 65536));
	ASSERT_EQ(0, OPS(self)->set_writeback(self->backend, true));
	EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_IN, 0, 65536));
	EXPECT_EQ(!variant->readonly, blk_is_pattern(DATA, 65536, 0, 7));
}

/* A file that shrinks under the disk gives errors, not silence */
TEST_F(user, file_shrinks)
{
	EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_IN, SECTORS - 8, 4096));
	ASSERT_EQ(0, ftruncate(self->file, DISK_BYTES / 2));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, DO(VIRTIO_BLK_T_IN, SECTORS - 8, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_IN, 0, 4096));
}

static void stop_all(struct _test_data_user *self)
{
	for (int i = 0; i < QUEUES; i++) {
		OPS(self)->queue_stop(self->backend, &self->vq[i]);
		vq_reset(&self->q[i], 0);
	}
}

static int start_all(struct _test_data_user *self)
{
	int ret = OPS(self)->start(self->backend, self->features, true);

	for (int i = 0; !ret && i < QUEUES; i++)
		ret = start_queue(self->backend, &self->vq[i]);
	return ret;
}

static void lose(int err)
{
	__atomic_store_n(&fault.sync, err, __ATOMIC_RELEASE);
}

/*
 * V7: the page cache drops what it cannot write back, and the kernel tells once.
 * Whatever request hears of it, every flush from then on fails, on all queues.
 */
TEST_F(user, V7_lost_writes_stay_lost)
{
	static const int how[] = {
		VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_WRITE_ZEROES,
	};

	if (variant->readonly)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(how); i++) {
		bool flush = how[i] == VIRTIO_BLK_T_FLUSH;

		EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_FLUSH, 0, 0));
		/* In write-through mode a write makes durable, and so does what names ranges. */
		OPS(self)->set_writeback(self->backend, flush);
		lose(-EIO);
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, how[i] == VIRTIO_BLK_T_WRITE_ZEROES ?
			  RANGE(how[i], 0, 8, 0) : DO(how[i], 0, flush ? 0 : 4096));
		EXPECT_EQ(0, fault.sync);
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, DO(VIRTIO_BLK_T_FLUSH, 0, 0));
		EXPECT_EQ(1, self->req.used_len);
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&self->req, &self->q[1], VIRTIO_BLK_T_FLUSH,
						     0, 0));
		/* A cache mode that changes, a queue and a device that are reset: no cure. */
		OPS(self)->set_writeback(self->backend, !flush);
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, DO(VIRTIO_BLK_T_FLUSH, 0, 0));
		stop_all(self);
		ASSERT_EQ(0, start_all(self));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, DO(VIRTIO_BLK_T_FLUSH, 0, 0));
		/* Data that is there can be read and written. */
		EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_OUT, 0, 4096));
		EXPECT_EQ(VIRTIO_BLK_S_OK, DO(VIRTIO_BLK_T_IN, 0, 4096));
		/* A backend that is set anew begins anew. */
		stop_all(self);
		OPS(self)->destroy(self->backend);
		ASSERT_EQ(0, blk_user_create(&self->backend, &self->setup));
		ASSERT_EQ(0, start_all(self));
	}
}

/* V7: with error=stop a flush can be tried again, but never reports what was lost. */
TEST_F(user, V7_resume_does_not_bring_back_what_was_lost)
{
	struct kvhost_blk_error err = { 0 };

	if (variant->readonly)
		return;
	self->opt.error = DISK_ERROR_STOP;
	lose(-ENOSPC);
	blkreq_set(&self->req, VIRTIO_BLK_T_FLUSH, 0, 0);
	ASSERT_LE(0, blkreq_submit(&self->req, &self->q[0], NULL));
	for (unsigned int tries = 1; tries <= 3; tries++) {
		EXPECT_TRUE(eventfd_wait(self->err_fd, ERROR_MS));
		eventfd_take(self->err_fd);
		OPS(self)->error(self->backend, &err);
		EXPECT_EQ(1, err.held);
		EXPECT_EQ(tries, err.count);
		EXPECT_EQ(-ENOSPC, err.error);
		EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&self->req));
		EXPECT_EQ(0, OPS(self)->resume(self->backend, tries < 3 ?
					       KVHOST_BLK_RETRY : KVHOST_BLK_REPORT));
	}
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_wait(&self->req, &self->q[0]));
}

#define MANY	256u

/*
 * V18: a chain that is put back for want of a bounce buffer has paid, and does not
 * pay again: what the limits let through at once comes back at once.
 */
TEST_F(user, V18_a_chain_that_is_put_back_pays_once)
{
	const struct vq_shape shape = { .indirect = true };
	struct disk_limits limits = { .bps = 1, .bps_burst = MANY * 512 };
	struct vq_used used[MANY];
	struct virtio_queue vq;
	struct vq q;

	/* Only direct I/O takes bounce buffers. */
	if (!variant->direct)
		return;
	OPS(self)->queue_stop(self->backend, &self->vq[0]);
	vq_init(&q, &self->gmem, MANY, variant->event_idx ? VQ_EVENT_IDX : 0);
	as_virtio_queue(&vq, 0, &q);
	/* The doorbell is the one that the backend knows. */
	close(q.kick_fd);
	q.kick_fd = dup(self->q[0].kick_fd);
	vq.kick_fd = self->vq[0].kick_fd;
	EXPECT_EQ(0, OPS(self)->set_limits(self->backend, &limits));
	blkreq_set(&self->req, VIRTIO_BLK_T_IN, 0, 0);
	for (unsigned int i = 0; i < MANY; i++) {
		struct vq_buf bufs[] = {
			{ self->req.hdr, BLK_HDR, false },
			{ self->req.data + 8 + i * 1024, 512, true },
			{ self->req.data + i * 1024, 1, true },
		};

		ASSERT_LE(0, vq_add(&q, bufs, 3, &shape, &self->req));
	}
	vq_publish(&q);
	ASSERT_EQ(0, start_queue(self->backend, &vq));
	/* One more token than there is would take 512 seconds to come. */
	EXPECT_EQ(MANY, vq_wait_used(&q, used, MANY));
	OPS(self)->queue_stop(self->backend, &vq);
	vq_free(&q);
	vq_reset(&self->q[0], 0);
	ASSERT_EQ(0, start_queue(self->backend, &self->vq[0]));
}

/* Requests per second of @n requests, one at a time, queues in turn; 0: one failed. */
static double rate_of(struct _test_data_user *self, unsigned int n)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned int i = 0; i < n; i++)
		if (blk_do(&self->req, &self->q[i % QUEUES], VIRTIO_BLK_T_IN, 0, 4096) !=
		    VIRTIO_BLK_S_OK)
			return 0;
	clock_gettime(CLOCK_MONOTONIC, &b);
	return n / (b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9);
}

/* All queues share them, once the burst is used up; and they can be changed. */
TEST_F(user, limits)
{
	struct disk_limits iops = { .iops = 200 }, bps = { .bps = 200 * 4096 };
	struct disk_limits slow = { .iops = 1, .iops_burst = 1 }, none = { };
	double got;

	if (!variant->event_idx || variant->readonly)
		return;
	EXPECT_EQ(0, OPS(self)->set_limits(self->backend, &iops));
	rate_of(self, 40);
	got = rate_of(self, 300);
	TH_LOG("%.1f requests per second of 200", got);
	EXPECT_TRUE(got > 190 && got < 210);
	EXPECT_EQ(0, OPS(self)->set_limits(self->backend, &bps));
	rate_of(self, 40);
	got = rate_of(self, 300) * 4096;
	TH_LOG("%.0f bytes per second of %d", got, 200 * 4096);
	EXPECT_TRUE(got > 0.95 * 200 * 4096 && got < 1.05 * 200 * 4096);
	/* requests that wait for the old limits are not bound to them */
	EXPECT_EQ(0, OPS(self)->set_limits(self->backend, &slow));
	rate_of(self, 1);
	blkreq_set(&self->req, VIRTIO_BLK_T_IN, 0, 4096);
	ASSERT_LE(0, blkreq_submit(&self->req, &self->q[0], NULL));
	EXPECT_EQ(0, OPS(self)->set_limits(self->backend, &none));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->req, &self->q[0]));
	EXPECT_LT(200, rate_of(self, 500));
	/* a queue that waits stops at once */
	EXPECT_EQ(0, OPS(self)->set_limits(self->backend, &(struct disk_limits) { .bps = 1 }));
	rate_of(self, 1);
	ASSERT_LE(0, blkreq_submit(&self->req, &self->q[0], NULL));
}

TEST_HARNESS_MAIN
