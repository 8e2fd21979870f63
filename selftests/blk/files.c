// SPDX-License-Identifier: GPL-2.0
/*
 * Regular files as disks: of a file system that answers late or never, of one that
 * cannot punch holes, and what others on the host see of the I/O.
 *
 *	queue --> worker --> deferred I/O --> FUSE file, served by the test
 *	queue --> worker --> ext4, tmpfs  --> inotify
 */
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include "disk.h"
#include "lib/fuse.h"

#define LEN		4096u
#define MANY		200u
#define ZERO_LEN	(256u << 10)

FIXTURE(served) {
	struct fuse f;
	struct kvhost k;
	int fd;
};

FIXTURE_VARIANT(served) {
	int flags;
};

FIXTURE_VARIANT_ADD(served, buffered) { };
FIXTURE_VARIANT_ADD(served, direct) { .flags = O_DIRECT };

FIXTURE_SETUP(served)
{
	struct kvhost_opts o = { .size = 1024 };

	/* the server shall hold no file of the device */
	if (!fuse_start(&self->f, "files", 8 * DISK_MB))
		SKIP(return, "no /dev/fuse: load fuse, or build it");
	self->fd = backing_open(self->f.path, O_RDWR | variant->flags);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
}

FIXTURE_TEARDOWN(served)
{
	/* what is not answered fails now */
	fuse_stop(&self->f);
	kvhost_close(&self->k);
	close(self->fd);
}

static void submit(struct kvhost *k, struct blkreq *r, u32 type, u64 sector, u32 len)
{
	blkreq_init(r, &k->mem, GMEM_LOW, len);
	blkreq_set(r, type, sector, len);
	must(blkreq_submit(r, &k->q[0], NULL) >= 0, "ring full");
}

TEST_F(served, K14_a_file_that_does_not_answer_leaves_the_worker_free)
{
	struct blkreq in, out, id;
	struct vq_used u;

	fuse_hold(&self->f, true);
	submit(&self->k, &in, VIRTIO_BLK_T_IN, 0, LEN);
	submit(&self->k, &out, VIRTIO_BLK_T_OUT, 8, LEN);
	ASSERT_TRUE(fuse_wait_held(&self->f, 1));
	/* the worker alone answers this one */
	submit(&self->k, &id, VIRTIO_BLK_T_GET_ID, 0, VIRTIO_BLK_ID_BYTES);
	ASSERT_TRUE(vq_wait_used(&self->k.q[0], &u, 1));
	/* a buffered write may have ended in the page cache */
	if (u.cookie == &out)
		ASSERT_TRUE(vq_wait_used(&self->k.q[0], &u, 1));
	EXPECT_EQ(&id, u.cookie);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&id));
}

TEST_F(served, K3_a_file_that_does_not_answer_holds_up_no_other_disk)
{
	struct kvhost_opts o = { .fd = backing_open(disk_paths[DISK_TMPFS], O_RDWR) };
	struct blkreq r[MANY], w;
	struct kvhost other;
	unsigned int i;

	fuse_hold(&self->f, true);
	for (i = 0; i < MANY; i++)
		submit(&self->k, &r[i], VIRTIO_BLK_T_IN, i * 4096, LEN);
	/* as many as a disk works on at a time */
	ASSERT_TRUE(fuse_wait_held(&self->f, 60));
	kvhost_start(&other, &o);
	blkreq_init(&w, &other.mem, GMEM_LOW, LEN);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&w, &other.q[0], VIRTIO_BLK_T_OUT, i * 8, LEN));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&w, &other.q[0], VIRTIO_BLK_T_FLUSH, 0, 0));
	}
	kvhost_backend(&other, &(struct kvhost_opts) { .fd = -1 });
	kvhost_close(&other);
	close(o.fd);
}

static u8 zero(struct blkreq *r, struct vq *q, u32 type, u64 sector, u32 nr, u32 flags)
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

static bool is_zero(const u8 *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

TEST_F(served, K28_zeroes_are_written_where_no_hole_can_be_punched)
{
	struct kvhost_blk_config c = { .size = sizeof(c) };
	struct vq *q = &self->k.q[0];
	struct blkreq r;
	u64 before;
	u32 unmap;
	u8 *p;

	KVHOST_IOCTL(&self->k, KVHOST_BLK_GET_CONFIG, &c);
	EXPECT_EQ(KVHOST_BLK_WRITE_ZEROES, c.serves);
	blkreq_init(&r, &self->k.mem, GMEM_MID, ZERO_LEN);
	p = gmem_va(r.mem, r.data);
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, zero(&r, q, VIRTIO_BLK_T_DISCARD, 0, 8, 0));
	for (unmap = 0; unmap < 2; unmap++) {
		blk_pattern(p, ZERO_LEN, 0, 5);
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, q, VIRTIO_BLK_T_OUT, 0, ZERO_LEN));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, q, VIRTIO_BLK_T_FLUSH, 0, 0));
		before = self->f.s->written;
		EXPECT_EQ(VIRTIO_BLK_S_OK,
			  zero(&r, q, VIRTIO_BLK_T_WRITE_ZEROES, 16, 320, unmap));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, q, VIRTIO_BLK_T_FLUSH, 0, 0));
		EXPECT_LE(320 * 512, self->f.s->written - before);
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, q, VIRTIO_BLK_T_IN, 0, ZERO_LEN));
		EXPECT_TRUE(blk_is_pattern(p, 16 * 512, 0, 5));
		EXPECT_TRUE(is_zero(p + 16 * 512, 320 * 512));
		EXPECT_TRUE(blk_is_pattern(p + 336 * 512, ZERO_LEN - 336 * 512, 336 * 512, 5));
	}
	EXPECT_LT(0, self->f.s->fallocate);
}

FIXTURE(watched) {
	struct kvhost k;
	struct blkreq r;
	int fd;
	int watch;
};

FIXTURE_VARIANT(watched) {
	enum disk disk;
	int flags;
};

FIXTURE_VARIANT_ADD(watched, tmpfs) { .disk = DISK_TMPFS };
FIXTURE_VARIANT_ADD(watched, ext4) { .disk = DISK_EXT4 };
FIXTURE_VARIANT_ADD(watched, ext4_direct) { .disk = DISK_EXT4, .flags = O_DIRECT };

FIXTURE_SETUP(watched)
{
	struct kvhost_opts o = { };

	self->fd = backing_open(disk_paths[variant->disk], O_RDWR | variant->flags);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, LEN);
	self->watch = inotify_init1(IN_CLOEXEC);
	ASSERT_LE(0, self->watch);
	ASSERT_LE(0, inotify_add_watch(self->watch, disk_paths[variant->disk],
				       IN_MODIFY | IN_ACCESS));
}

FIXTURE_TEARDOWN(watched)
{
	close(self->watch);
	kvhost_close(&self->k);
	close(self->fd);
}

/* Return: what happened next, 0 if nothing did */
static u32 event(int watch)
{
	struct pollfd p = { .fd = watch, .events = POLLIN };
	struct inotify_event e;

	if (poll(&p, 1, LIMIT_MS) != 1)
		return 0;
	must(read(watch, &e, sizeof(e)) == sizeof(e), "inotify: %m");
	return e.mask;
}

TEST_F(watched, K19_inotify_sees_reads_and_writes)
{
	struct vq *q = &self->k.q[0];

	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, q, VIRTIO_BLK_T_OUT, 0, LEN));
	EXPECT_EQ(IN_MODIFY, event(self->watch));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, q, VIRTIO_BLK_T_IN, 0, LEN));
	EXPECT_EQ(IN_ACCESS, event(self->watch));
	EXPECT_EQ(VIRTIO_BLK_S_OK, zero(&self->r, q, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0));
	EXPECT_EQ(IN_MODIFY, event(self->watch));
}

static void __attribute__((constructor)) make(void)
{
	disk_make("files", 1 << DISK_TMPFS | 1 << DISK_EXT4);
}

TEST_HARNESS_MAIN
