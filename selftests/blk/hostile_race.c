// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile guests that need time or a second thread: rewriting what is in
 * flight (HD-021, HD-023, HD-024, HD-031), poisoned used rings (HD-020), wild
 * event fields (HD-019, HD-029), memory that goes away, heads offered twice
 * (HD-018), IDs in flight twice (HD-028).
 *
 * No single outcome is required of a race, only its bounds: the kernel stays
 * whole, the other queue works, the disk is written only where the guest may
 * write, and the queue can be revived.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include "disk.h"

#define RACE_MS	1500

FIXTURE(race) {
	struct kvhost k;
	struct blkreq r;
	struct blkreq other;
	struct vq *q;
	int fd;
};

FIXTURE_VARIANT(race) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(race, split) { .ring = { .size = 64 } };
FIXTURE_VARIANT_ADD(race, packed) { .ring = { .packed = true, .size = 61 } };
FIXTURE_VARIANT_ADD(race, packed_in_order) {
	.ring = { .packed = true, .in_order = true, .size = 61 }
};

/* Return: the disk, of which the device shows the first half only. */
static int start(struct kvhost *k, struct blkreq *r, struct blkreq *other,
		 const struct kvhost_opts *ring)
{
	struct kvhost_opts o = *ring;

	o.fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.queues = 2;
	o.length = DISK_MB << 19;
	kvhost_start(k, &o);
	blkreq_init(r, &k->mem, GMEM_LOW, 65536);
	blkreq_init(other, &k->mem, GMEM_LOW, 4096);
	return o.fd;
}

FIXTURE_SETUP(race)
{
	self->fd = start(&self->k, &self->r, &self->other, &variant->ring);
	self->q = &self->k.q[0];
}

FIXTURE_TEARDOWN(race)
{
	kvhost_close(&self->k);
	close(self->fd);
}

static bool works(struct kvhost *k, struct blkreq *r, unsigned int i)
{
	return blk_do(r, &k->q[i], VIRTIO_BLK_T_IN, 0, 512) == VIRTIO_BLK_S_OK;
}

/* What the rewriting thread works on. */
struct rewriter {
	struct vq *q;
	struct virtio_blk_outhdr *hdr;
	bool stop;
	bool descs;
};

static void *rewrite(void *arg)
{
	struct rewriter *w = arg;
	unsigned int seed = 1, i;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		u32 x = rand_r(&seed);

		i = x % 3;
		if (w->descs && w->q->packed) {
			struct vring_packed_desc *d = &w->q->ring[i];

			d->addr ^= x << 4;
			d->len ^= x & 0x1fff;
			d->id = x >> 16 & 0x3f;
			/* available: a revived ring begins here */
			d->flags = 1 << VRING_PACKED_DESC_F_AVAIL | (x & 7);
		} else if (w->descs) {
			w->q->desc[i].addr ^= x << 4;
			w->q->desc[i].len ^= x & 0x1fff;
			w->q->desc[i].flags ^= x & 7;
			w->q->desc[i].next = x >> 8;
		}
		w->hdr->sector = x & 1 ? 0 : ~0ull - (x & 0xff);
		w->hdr->type = x & 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
	}
	return NULL;
}

/* Offer the same request again and again while another thread rewrites it. */
static void race(struct kvhost *k, struct blkreq *r, bool descs)
{
	struct vq *q = &k->q[0];
	struct rewriter w = { .q = q, .hdr = gmem_va(&k->mem, r->hdr), .descs = descs };
	struct vq_buf bufs[3];
	pthread_t t;
	u64 end;

	must(!pthread_create(&t, NULL, rewrite, &w), "pthread_create");
	end = now_ms() + RACE_MS;
	while (now_ms() < end) {
		struct pollfd p[2] = {
			{ .fd = q->err_fd, .events = POLLIN },
			{ .fd = q->call_fd, .events = POLLIN },
		};
		struct vq_used u;

		blkreq_set(r, VIRTIO_BLK_T_IN, 0, 4096);
		must(vq_add(q, bufs, blkreq_plain(r, bufs), NULL, r) >= 0, "ring full");
		vq_arm(q);
		vq_publish(q);
		vq_kick_always(q);
		must(poll(p, 2, LIMIT_MS) > 0, "neither used nor broken");
		/* what a rewritten packed ring gives back can be anything */
		if (p[0].revents || (q->packed && descs))
			kvhost_revive(k, 0);
		else if (!vq_get_used(q, &u))
			continue;
		eventfd_take(q->call_fd);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	kvhost_revive(k, 0);
}

TEST_F_TIMEOUT(race, HD_021_HD_024_descriptors_rewritten_after_they_were_published, 60)
{
	/* of the disk only the window's half may change: the rest tells */
	u8 *buf, *ref;

	ASSERT_EQ(0, posix_memalign((void **)&buf, 4096, 65536));
	ref = malloc(65536);
	ASSERT_NE(NULL, ref);
	blk_pattern(ref, 65536, 0, 3);
	memcpy(buf, ref, 65536);
	ASSERT_EQ(65536, pwrite(self->fd, buf, 65536, DISK_MB << 19));
	race(&self->k, &self->r, true);
	EXPECT_TRUE(works(&self->k, &self->r, 0));
	EXPECT_TRUE(works(&self->k, &self->other, 1));
	ASSERT_EQ(65536, pread(self->fd, buf, 65536, DISK_MB << 19));
	EXPECT_EQ(0, memcmp(ref, buf, 65536));
	free(buf);
	free(ref);
}

TEST_F_TIMEOUT(race, HD_023_header_rewritten_during_processing, 60)
{
	u8 *buf, *ref;

	ASSERT_EQ(0, posix_memalign((void **)&buf, 4096, 65536));
	ref = malloc(65536);
	ASSERT_NE(NULL, ref);
	blk_pattern(ref, 65536, 0, 4);
	memcpy(buf, ref, 65536);
	ASSERT_EQ(65536, pwrite(self->fd, buf, 65536, DISK_MB << 19));
	race(&self->k, &self->r, false);
	EXPECT_TRUE(works(&self->k, &self->r, 0));
	ASSERT_EQ(65536, pread(self->fd, buf, 65536, DISK_MB << 19));
	EXPECT_EQ(0, memcmp(ref, buf, 65536));
	free(buf);
	free(ref);
}

TEST_F(race, HD_012_data_in_the_hole_answers_IOERR)
{
	static const struct {
		u64 gpa;
		u32 len;
	} rows[] = {
		{ GMEM_HOLE_GPA, 512 },
		{ GMEM_HOLE_GPA - 1, 512 },
		{ GMEM_HOLE_GPA - 511, 512 },
		{ GMEM_LOW_GPA - 512, 512 },
		{ GMEM_LOW_GPA - 1, 512 },
		{ GMEM_HIGH_GPA + GMEM_REGION_SIZE, 512 },
		{ GMEM_HIGH_GPA + GMEM_REGION_SIZE - 1, 512 },
		{ ~0ull - 511, 512 },
		{ 0, 512 },
		{ GMEM_LOW_GPA, 0xfffffe00 },
		{ GMEM_MID_GPA, 1 << 30 },
	};
	struct vq_buf bufs[3];
	struct vq_used u;
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		bool out = i & 1;

		blkreq_set(&self->r, out ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, 0, 512);
		blkreq_plain(&self->r, bufs);
		bufs[1] = (struct vq_buf) { rows[i / 2].gpa, rows[i / 2].len, !out };
		ASSERT_LE(0, vq_add(self->q, bufs, 3, NULL, &self->r));
		vq_kick(self->q);
		ASSERT_EQ(1, vq_wait_used(self->q, &u, 1)) {
			TH_LOG("%s at %#llx + %#x", out ? "OUT" : "IN", rows[i / 2].gpa,
			       rows[i / 2].len);
		}
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_status(&self->r));
		EXPECT_GE(1, u.len);
	}
	EXPECT_TRUE(works(&self->k, &self->r, 0));
}

TEST_F(race, HD_031_memory_that_is_unmapped_or_read_only)
{
	u64 gpa = gmem_alloc(&self->k.mem, GMEM_HIGH, 3 * 4096, 4096);
	u8 *va = gmem_va(&self->k.mem, gpa);
	struct vq_buf bufs[3];
	struct vq_used u;
	unsigned int i;

	memset(va, 0, 3 * 4096);
	ASSERT_EQ(0, mprotect(va, 4096, PROT_READ));
	ASSERT_EQ(0, munmap(va + 4096, 4096));
	for (i = 0; i < 4; i++) {
		bool out = i & 1;

		blkreq_set(&self->r, out ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, 0, 4096);
		blkreq_plain(&self->r, bufs);
		bufs[1].gpa = gpa + (i & 2 ? 4096 : 0);
		ASSERT_LE(0, vq_add(self->q, bufs, 3, NULL, &self->r));
		vq_kick(self->q);
		ASSERT_EQ(1, vq_wait_used(self->q, &u, 1));
		/* reading from read-only memory is fine, all else is not */
		EXPECT_EQ(i == 1 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR,
			  blkreq_status(&self->r)) {
			TH_LOG("case %u", i);
		}
	}
	EXPECT_TRUE(works(&self->k, &self->r, 0));
}

/* HD-006: the ring's own pages are pinned, so the owner cannot pull them away. */
TEST_F(race, HD_006_ring_memory_unmapped_under_a_running_queue)
{
	u64 last = gmem_alloc(&self->k.mem, GMEM_LOW, 4096, 4096);
	u8 *low = self->k.mem.regions[GMEM_LOW].va;
	struct kvhost_vring_stats st;

	ASSERT_TRUE(works(&self->k, &self->r, 0));
	ASSERT_NE(MAP_FAILED, mmap(low, last - GMEM_LOW_GPA, PROT_READ | PROT_WRITE,
				   MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	vq_kick_always(self->q);
	vq_kick_always(&self->k.q[1]);
	kvhost_enable(&self->k, 0, 0);
	kvhost_stats(&self->k, 0, &st);
	EXPECT_EQ(KVHOST_VRING_STOPPED, st.state);
	kvhost_revive(&self->k, 0);
	EXPECT_TRUE(works(&self->k, &self->r, 0));
}

FIXTURE(race_split) {
	struct kvhost k;
	struct blkreq r;
	struct blkreq other;
	struct vq *q;
	int fd;
};

FIXTURE_SETUP(race_split)
{
	const struct kvhost_opts o = { .size = 64 };

	self->fd = start(&self->k, &self->r, &self->other, &o);
	self->q = &self->k.q[0];
}

FIXTURE_TEARDOWN(race_split)
{
	kvhost_close(&self->k);
	close(self->fd);
}

TEST_F(race_split, HD_020_the_device_does_not_read_back_its_used_ring)
{
	struct vq_used u;
	unsigned int i;

	for (i = 0; i < 50; i++) {
		memset(self->q->used, 0xff, 6 + 8 * self->q->size);
		blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, 512);
		ASSERT_LE(0, blkreq_submit(&self->r, self->q, NULL));
		vq_kick_always(self->q);
		/* the index it publishes is its own, not 0xffff + 1 */
		while (vq_used_idx(self->q) == 0xffff)
			ASSERT_TRUE(kvhost_wait_idle(&self->k, 0));
		ASSERT_EQ((u16)(i + 1), vq_used_idx(self->q));
		ASSERT_TRUE(vq_get_used(self->q, &u));
	}
}

TEST_F(race_split, HD_019_wild_avail_flags_and_used_event)
{
	struct vq_buf bufs[3];
	unsigned int i;
	u16 want;

	for (i = 0; i < 400; i++) {
		self->q->avail->flags = i * 2654435761u >> 8;
		self->q->avail->ring[self->q->size] = i * 40503;
		blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, 512);
		ASSERT_LE(0, vq_add(self->q, bufs, blkreq_plain(&self->r, bufs), NULL,
				    &self->r));
		vq_publish(self->q);
		vq_kick_always(self->q);
		want = self->q->used_idx + 1;
		while (vq_used_idx(self->q) != want)
			ASSERT_TRUE(kvhost_wait_idle(&self->k, 0));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r, self->q));
	}
	EXPECT_GE(400, eventfd_take(self->q->call_fd));
}

TEST_F(race_split, HD_018_CVE_2016_5403_one_head_offered_size_times)
{
	struct kvhost_vring_stats st;
	struct vq_buf bufs[3];
	unsigned int i;
	int head;
	u64 end;

	blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, 4096);
	head = vq_add(self->q, bufs, blkreq_plain(&self->r, bufs), NULL, &self->r);
	ASSERT_LE(0, head);
	for (i = 1; i < self->q->size; i++)
		vq_offer(self->q, head);
	vq_publish(self->q);
	vq_kick_always(self->q);
	end = now_ms() + LIMIT_MS;
	do {
		kvhost_stats(&self->k, 0, &st);
		ASSERT_GE(self->q->size, st.in_flight);
		ASSERT_GT(end, now_ms());
	} while (st.state == KVHOST_VRING_RUNNING &&
		 vq_used_idx(self->q) != self->q->size);
	EXPECT_TRUE(works(&self->k, &self->other, 1));
	kvhost_revive(&self->k, 0);
	EXPECT_TRUE(works(&self->k, &self->r, 0));
}

FIXTURE(race_packed) {
	struct kvhost k;
	struct blkreq r;
	struct blkreq other;
	struct vq *q;
	int fd;
};

FIXTURE_VARIANT(race_packed) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(race_packed, flags) { .ring = { .no_event = true } };
FIXTURE_VARIANT_ADD(race_packed, event_idx) { .ring = { .size = 23 } };
FIXTURE_VARIANT_ADD(race_packed, ordered) { .ring = { .in_order = true } };

FIXTURE_SETUP(race_packed)
{
	struct kvhost_opts o = variant->ring;

	o.packed = true;
	self->fd = start(&self->k, &self->r, &self->other, &o);
	self->q = &self->k.q[0];
}

FIXTURE_TEARDOWN(race_packed)
{
	kvhost_close(&self->k);
	close(self->fd);
}

/* Flags 3, slots beyond the ring, and all of it changing under way. */
TEST_F(race_packed, HD_029_wild_driver_events)
{
	struct vq_buf bufs[3];
	unsigned int i;

	for (i = 0; i < 400; i++) {
		self->q->driver->off_wrap = i * 40503;
		self->q->driver->flags = i % 5 == 4 ? 0xffff : i % 5;
		blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, 512);
		ASSERT_LE(0, vq_add(self->q, bufs, blkreq_plain(&self->r, bufs), NULL,
				    &self->r));
		vq_publish(self->q);
		vq_kick_always(self->q);
		self->q->driver->off_wrap = i * 2654435761u >> 8;
		self->q->driver->flags = i >> 2;
		ASSERT_TRUE(vq_spin_used(self->q, 1));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r, self->q));
	}
	EXPECT_GE(800, eventfd_take(self->q->call_fd));
	/* and a sane wish is still heard */
	for (i = 0; i < 50; i++)
		ASSERT_EQ(VIRTIO_BLK_S_OK,
			  blk_do(&self->r, self->q, VIRTIO_BLK_T_IN, 0, 512));
}

/* The ID means something to the driver only: five buffers may share one. */
TEST_F(race_packed, HD_028_the_same_id_in_flight_five_times)
{
	struct kvhost_vring_stats before, st;
	struct vring_packed_desc *d = self->q->ring;
	struct blkreq r[5];
	unsigned int i;
	u64 end;

	kvhost_stats(&self->k, 0, &before);
	for (i = 0; i < 5; i++) {
		blkreq_init(&r[i], &self->k.mem, GMEM_LOW, 512);
		blkreq_set(&r[i], VIRTIO_BLK_T_IN, 0, 512);
		d[3 * i].addr = r[i].hdr;
		d[3 * i].len = 16;
		d[3 * i + 1].addr = r[i].data;
		d[3 * i + 1].len = 512;
		d[3 * i + 2] = (struct vring_packed_desc) { r[i].status, 1, 7,
			1 << VRING_PACKED_DESC_F_AVAIL | VRING_DESC_F_WRITE };
		d[3 * i + 1].flags = 1 << VRING_PACKED_DESC_F_AVAIL | VRING_DESC_F_WRITE |
				     VRING_DESC_F_NEXT;
		__atomic_store_n(&d[3 * i].flags,
				 1 << VRING_PACKED_DESC_F_AVAIL | VRING_DESC_F_NEXT,
				 __ATOMIC_RELEASE);
	}
	vq_kick_always(self->q);
	end = now_ms() + LIMIT_MS;
	do {
		kvhost_stats(&self->k, 0, &st);
		ASSERT_GT(end, now_ms());
	} while (st.chains != before.chains + 5 || st.in_flight);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&r[i]));
	EXPECT_EQ(KVHOST_VRING_RUNNING, st.state);
	EXPECT_TRUE(works(&self->k, &self->other, 1));
	kvhost_revive(&self->k, 0);
	EXPECT_TRUE(works(&self->k, &self->r, 0));
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("race", 1 << DISK_NULLB);
}

TEST_HARNESS_MAIN
