// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log of live migration: with VHOST_F_LOG_ALL every page of guest
 * memory that the device writes is marked, before the driver can see that the
 * request is done; a page it does not write is not.
 *
 *	request --> data, status, used ring written --> bit of each page set
 *
 * LOG_ALL advertised, and reads not logged, is what earlier in-kernel block
 * backends shipped with; a driver that migrates then loses what it read.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <linux/virtio_config.h>
#include "disk.h"

#define PAGE		4096ull
#define LEN		16384u
#define LOG_BYTES	0x24000u	/* a bit for each page up to above GMEM_HIGH */

/* With an IOTLB, what the driver calls guest memory is this much higher. */
#define IOVA		0x40000000000ull

FIXTURE(dirty_log) {
	struct kvhost_opts o;
	struct kvhost k;
	struct blkreq r;
	u8 *log;
	int log_fd;
	u64 iova;
};

FIXTURE_VARIANT(dirty_log) {
	struct kvhost_opts ring;
	enum disk disk;
	int flags;
	bool iotlb;
};

FIXTURE_VARIANT_ADD(dirty_log, split_device) { .disk = DISK_NULLB, .flags = O_RDWR };
FIXTURE_VARIANT_ADD(dirty_log, packed_device_registered) {
	.ring = { .packed = true, .registered = true }, .disk = DISK_NULLB, .flags = O_RDWR
};

FIXTURE_VARIANT_ADD(dirty_log, packed_file_buffered) {
	.ring = { .packed = true }, .disk = DISK_TMPFS, .flags = O_RDWR
};

FIXTURE_VARIANT_ADD(dirty_log, split_file_direct_registered) {
	.ring = { .registered = true }, .disk = DISK_EXT4, .flags = O_RDWR | O_DIRECT
};

FIXTURE_VARIANT_ADD(dirty_log, split_device_iotlb) {
	.disk = DISK_NULLB, .flags = O_RDWR, .iotlb = true
};

FIXTURE_VARIANT_ADD(dirty_log, packed_device_iotlb_registered) {
	.ring = { .packed = true, .registered = true }, .disk = DISK_NULLB,
	.flags = O_RDWR, .iotlb = true
};

static void set_log(struct _test_data_dirty_log *self, bool on)
{
	u64 base = (unsigned long)self->log, log_all = 1ull << VHOST_F_LOG_ALL;

	if (on)
		KVHOST_IOCTL(&self->k, VHOST_SET_LOG_BASE, &base);
	self->k.features = (self->k.features & ~log_all) | (on ? log_all : 0);
	KVHOST_IOCTL(&self->k, VHOST_SET_FEATURES, &self->k.features);
}

static void *new_log(void)
{
	void *p = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	must(p != MAP_FAILED, "mmap: %m");
	return p;
}

/* The addresses of queue 0, its used ring to be logged. */
static void set_addr(struct _test_data_dirty_log *self)
{
	struct vhost_vring_addr a;
	struct vq *q = &self->k.q[0];

	kvhost_vring_addr(&self->k, 0, &a);
	if (self->iova) {
		a.desc_user_addr = q->desc_gpa + self->iova;
		a.avail_user_addr = q->avail_gpa + self->iova;
		a.used_user_addr = q->used_gpa + self->iova;
	}
	a.flags = 1 << VHOST_VRING_F_LOG;
	a.log_guest_addr = q->used_gpa;
	KVHOST_IOCTL(&self->k, VHOST_SET_VRING_ADDR, &a);
}

/* Tell the device what all I/O virtual addresses mean. */
static void map_all(struct _test_data_dirty_log *self)
{
	unsigned int i;

	for (i = 0; i < GMEM_REGIONS; i++) {
		const struct gmem_region *r = &self->k.mem.regions[i];
		struct vhost_msg m = { .type = VHOST_IOTLB_MSG };

		m.iotlb = (struct vhost_iotlb_msg) {
			.iova = r->gpa + self->iova, .size = r->size,
			.uaddr = (unsigned long)r->va, .perm = VHOST_ACCESS_RW,
			.type = VHOST_IOTLB_UPDATE,
		};
		must(write(self->k.fd, &m, sizeof(m)) == sizeof(m), "IOTLB update: %m");
	}
}

FIXTURE_SETUP(dirty_log)
{
	struct gmem *mem = &self->k.mem;

	self->o = variant->ring;
	self->o.fd = backing_open(disk_paths[variant->disk], variant->flags);
	self->o.no_indirect = true;
	kvhost_prepare(&self->k, &self->o);
	self->log = new_log();
	self->log_fd = eventfd(0, EFD_NONBLOCK);
	self->iova = variant->iotlb ? IOVA : 0;
	if (variant->iotlb)
		self->k.features |= 1ull << VIRTIO_F_ACCESS_PLATFORM;
	set_log(self, true);
	KVHOST_IOCTL(&self->k, VHOST_SET_LOG_FD, &self->log_fd);
	set_addr(self);
	if (variant->iotlb)
		map_all(self);
	kvhost_enable(&self->k, 0, 1);
	/* header, data and status each in pages of their own */
	self->r.mem = mem;
	self->r.hdr = gmem_alloc(mem, GMEM_HIGH, PAGE, PAGE);
	self->r.data = gmem_alloc(mem, GMEM_HIGH, LEN + PAGE, PAGE);
	self->r.status = gmem_alloc(mem, GMEM_MID, PAGE, PAGE);
}

FIXTURE_TEARDOWN(dirty_log)
{
	kvhost_close(&self->k);
	close(self->o.fd);
	close(self->log_fd);
	munmap(self->log, LOG_BYTES);
}

static bool marked(const struct _test_data_dirty_log *self, u64 gpa)
{
	return self->log[gpa / PAGE / 8] >> gpa / PAGE % 8 & 1;
}

/* Forget the mark of every page of a range. Return: how many had one. */
static unsigned int take(struct _test_data_dirty_log *self, u64 gpa, u64 len)
{
	unsigned int n = 0;
	u64 at;

	for (at = gpa & ~(PAGE - 1); at < gpa + len; at += PAGE) {
		n += marked(self, at);
		__atomic_fetch_and(&self->log[at / PAGE / 8], ~(1u << at / PAGE % 8),
				   __ATOMIC_RELAXED);
	}
	return n;
}

/* Wait for a request, then take the marks of the ring. Return: how many it had. */
static unsigned int take_ring(struct _test_data_dirty_log *self)
{
	struct vq *q = &self->k.q[0];
	struct vq_used u;

	must(vq_wait_used(q, &u, 1) == 1, "no answer");
	/* The worker is done with its turn, and so with marking, once it can be stopped. */
	kvhost_enable(&self->k, 0, 0);
	kvhost_enable(&self->k, 0, 1);
	return take(self, q->used_gpa, vq_device_bytes(q)) +
	       (q->packed ? take(self, q->desc_gpa, vq_desc_bytes(q)) : 0);
}

static bool in_pages(u64 page, u64 gpa, u64 len)
{
	return page >= gpa / PAGE && page <= (gpa + len - 1) / PAGE;
}

/*
 * Pages still marked that nobody has written. The ring's may be at any time:
 * whether it wants doorbells is for the device to write there.
 */
static unsigned int strangers(struct _test_data_dirty_log *self)
{
	const struct vq *q = &self->k.q[0];
	unsigned int n = 0;
	u64 page;

	for (page = 0; page < LOG_BYTES * 8; page++)
		n += marked(self, page * PAGE) &&
		     !in_pages(page, q->used_gpa, vq_device_bytes(q)) &&
		     !(q->packed && in_pages(page, q->desc_gpa, vq_desc_bytes(q)));
	return n;
}

/* Make a request of up to three segments of payload, at the driver's addresses. */
static void ask(struct _test_data_dirty_log *self, u32 type, u64 sector, const u32 *cuts,
		unsigned int n_cuts, u32 len)
{
	struct vq_buf bufs[6];
	unsigned int i, n = 0;
	u32 at = 0, end;

	blkreq_set(&self->r, type, sector, len);
	bufs[n++] = (struct vq_buf) { self->r.hdr + self->iova, BLK_HDR, false };
	for (i = 0; at < len; i++, at = end) {
		end = i < n_cuts ? cuts[i] : len;
		bufs[n++] = (struct vq_buf) {
			self->r.data + self->iova + at, end - at, !self->r.out
		};
	}
	bufs[n++] = (struct vq_buf) { self->r.status + self->iova, 1, true };
	must(vq_add(&self->k.q[0], bufs, n, NULL, &self->r) >= 0, "ring full");
	memset(self->log, 0, LOG_BYTES);
	vq_kick(&self->k.q[0]);
}

TEST_F(dirty_log, LOG_ALL_marks_what_a_read_has_written)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		self->r.data += i == 10 ? 512 : 0;
		ask(self, VIRTIO_BLK_T_IN, 8 * i, NULL, 0, LEN);
		/* the moment it is visible, long before an interrupt */
		ASSERT_TRUE(vq_spin_used(&self->k.q[0], 1));
		ASSERT_EQ(i < 10 ? 4 : 5, take(self, self->r.data, LEN));
		ASSERT_EQ(1, take(self, self->r.status, 1));
		EXPECT_LE(1, take_ring(self));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r));
		EXPECT_EQ(0, strangers(self));
	}
}

TEST_F(dirty_log, and_of_a_read_through_a_copy)
{
	static const u32 cuts[] = { 1001, 9000 };

	self->r.data += 77;
	ask(self, VIRTIO_BLK_T_IN, 0, cuts, 2, LEN - 512);
	ASSERT_TRUE(vq_spin_used(&self->k.q[0], 1));
	EXPECT_EQ(4, take(self, self->r.data, LEN - 512));
	EXPECT_EQ(1, take(self, self->r.status, 1));
	EXPECT_LE(1, take_ring(self));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r));
	EXPECT_EQ(0, strangers(self));
}

TEST_F(dirty_log, a_write_and_a_flush_mark_their_status_alone)
{
	ask(self, VIRTIO_BLK_T_OUT, 0, NULL, 0, LEN);
	ASSERT_TRUE(vq_spin_used(&self->k.q[0], 1));
	EXPECT_EQ(1, take(self, self->r.status, 1));
	EXPECT_LE(1, take_ring(self));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r));
	EXPECT_EQ(0, strangers(self));
	ask(self, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, 0);
	EXPECT_LE(1, take_ring(self));
	EXPECT_EQ(1, take(self, self->r.status, 1));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r));
	EXPECT_EQ(0, strangers(self));
}

TEST_F(dirty_log, a_flush_that_carries_data_is_refused_and_writes_none)
{
	ask(self, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, 512);
	EXPECT_LE(1, take_ring(self));
	EXPECT_EQ(1, take(self, self->r.status, 1));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_status(&self->r));
	EXPECT_EQ(0, strangers(self));
}

TEST_F(dirty_log, GET_ID_marks_where_the_serial_goes)
{
	self->r.data += PAGE - 10;
	ask(self, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, 20);
	ASSERT_TRUE(vq_spin_used(&self->k.q[0], 1));
	EXPECT_EQ(2, take(self, self->r.data, 20));
	EXPECT_EQ(1, take(self, self->r.status, 1));
	EXPECT_LE(1, take_ring(self));
	EXPECT_EQ(0, strangers(self));
}

TEST_F(dirty_log, a_refused_read_marks_its_status_alone)
{
	ask(self, VIRTIO_BLK_T_IN, DISK_SECTORS, NULL, 0, LEN);
	EXPECT_LE(1, take_ring(self));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_status(&self->r));
	EXPECT_EQ(1, take(self, self->r.status, 1));
	EXPECT_EQ(0, strangers(self));
}

/* CVE-2019-14835: a mark for each of many segments, and for none of no length. */
TEST_F(dirty_log, CVE_2019_14835_every_segment_is_marked_once)
{
	static const u32 cuts[] = { 512, PAGE, PAGE + 512 };

	ask(self, VIRTIO_BLK_T_IN, 0, cuts, 3, LEN);
	ASSERT_TRUE(vq_spin_used(&self->k.q[0], 1));
	EXPECT_EQ(4, take(self, self->r.data, LEN));
	EXPECT_EQ(1, take(self, self->r.status, 1));
	EXPECT_LE(1, take_ring(self));
	EXPECT_EQ(0, strangers(self));
}

/* CVE-2025-38074: once logging is off, the log may go, whatever is in flight. */
TEST_F(dirty_log, CVE_2025_38074_the_log_is_left_alone_once_it_is_off)
{
	unsigned int i;
	void *old;

	for (i = 0; i < 30; i++) {
		ask(self, VIRTIO_BLK_T_IN, 8 * i, NULL, 0, LEN);
		set_log(self, false);
		old = self->log;
		munmap(old, LOG_BYTES);
		self->log = new_log();
		take_ring(self);
		ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r));
		memset(self->log, 0, LOG_BYTES);
		ask(self, VIRTIO_BLK_T_IN, 8 * i, NULL, 0, LEN);
		take_ring(self);
		ASSERT_EQ(0, strangers(self)) {
			TH_LOG("marks although it is off");
		}
		set_log(self, true);
	}
	ask(self, VIRTIO_BLK_T_IN, 0, NULL, 0, LEN);
	take_ring(self);
	EXPECT_EQ(4, take(self, self->r.data, LEN));
}

TEST_F(dirty_log, the_log_eventfd_tells_of_marks)
{
	eventfd_take(self->log_fd);
	ask(self, VIRTIO_BLK_T_IN, 0, NULL, 0, LEN);
	ASSERT_TRUE(vq_spin_used(&self->k.q[0], 1));
	EXPECT_TRUE(eventfd_wait(self->log_fd, LIMIT_MS));
	take_ring(self);
}

/* As ask(), of a read, with no thought for the log. */
static void ask_read(struct _test_data_dirty_log *self)
{
	blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, LEN);
	must(vq_add(&self->k.q[0], (struct vq_buf[]) {
		{ self->r.hdr + self->iova, BLK_HDR, false },
		{ self->r.data + self->iova, LEN, true },
		{ self->r.status + self->iova, 1, true },
	}, 3, NULL, &self->r) >= 0, "ring full");
	vq_kick(&self->k.q[0]);
}

/* What cannot be marked must not be lost: the driver hears of it. */
TEST_F(dirty_log, a_log_that_is_not_there_breaks_the_queue)
{
	munmap(self->log, LOG_BYTES);
	ask_read(self);
	EXPECT_TRUE(kvhost_wait_state(&self->k, 0, KVHOST_VRING_BROKEN));
	EXPECT_TRUE(eventfd_wait(self->k.q[0].err_fd, LIMIT_MS));
	self->log = new_log();
}

TEST_F(dirty_log, K21_LOG_ALL_without_a_bitmap_breaks_the_queue)
{
	u64 none = 0;

	KVHOST_IOCTL(&self->k, VHOST_SET_LOG_BASE, &none);
	ask_read(self);
	EXPECT_TRUE(kvhost_wait_state(&self->k, 0, KVHOST_VRING_BROKEN));
	EXPECT_TRUE(eventfd_wait(self->k.q[0].err_fd, LIMIT_MS));
}

/* As vhost has it: the used ring's flag is enough. */
TEST_F(dirty_log, K21_the_used_ring_is_marked_without_LOG_ALL)
{
	set_log(self, false);
	ask(self, VIRTIO_BLK_T_IN, 0, NULL, 0, LEN);
	EXPECT_LE(1, take_ring(self));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r));
	EXPECT_EQ(0, strangers(self));
}

/*
 * A write that has no bit in the bitmap, being in no region. Without an IOTLB no
 * driver can name such memory.
 */
TEST_F(dirty_log, K21_a_write_outside_the_table_breaks_the_queue)
{
	struct vhost_memory *t = gmem_table(&self->k.mem);

	if (!variant->iotlb || variant->ring.registered)
		return;
	t->nregions--;
	KVHOST_IOCTL(&self->k, VHOST_SET_MEM_TABLE, t);
	free(t);
	ask_read(self);
	EXPECT_TRUE(kvhost_wait_state(&self->k, 0, KVHOST_VRING_BROKEN));
}

/* As vhost-net: what an IOTLB says needs a table to be marked by. */
TEST_F(dirty_log, K21_no_queue_starts_without_a_table)
{
	struct kvhost_opts o = self->o;
	struct kvhost k;

	kvhost_open(&k);
	KVHOST_IOCTL(&k, VHOST_SET_OWNER, NULL);
	KVHOST_IOCTL(&k, VHOST_SET_FEATURES, &self->k.features);
	k.queues = 1;
	vq_init(&k.q[0], &k.mem, 64, o.packed ? VQ_PACKED : 0);
	kvhost_ring_setup(&k, 0, vq_base(&k.q[0]));
	kvhost_backend(&k, &o);
	EXPECT_EQ(-EFAULT, __kvhost_enable(&k, 0, 1));
	kvhost_close(&k);
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("dirty_log", 1 << DISK_NULLB | 1 << DISK_TMPFS | 1 << DISK_EXT4);
}

TEST_HARNESS_MAIN
