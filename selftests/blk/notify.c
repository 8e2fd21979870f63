// SPDX-License-Identifier: GPL-2.0
/*
 * Who is woken when: CORE-018 ... CORE-034 for the split ring, CORE-047 and
 * CORE-048 for the packed one, and the queue's life around it (CORE-001,
 * CORE-004, CORE-006).
 *
 *	fixture		rings
 *	doorbell	all
 *	notify_flags	without EVENT_IDX, split and packed
 *	notify_event	with EVENT_IDX, all
 *	notify_split	split, what has no counterpart in a packed ring
 *
 * "No notification" is shown without waiting for nothing to happen: stopping
 * the queue returns only when the worker is quiet, and then the eventfd tells
 * how often it was signalled.
 */
#include <sys/eventfd.h>
#include "disk.h"

/* A device with two queues, of which queue 0 has told of its first request. */
struct bed {
	struct kvhost k;
	struct blkreq r;
	struct vq *q;
	int fd;
};

/* One read without touching the notification fields. Return: whether it came back. */
static bool silent_read(struct blkreq *r, struct vq *q)
{
	struct vq_used u;

	blkreq_set(r, VIRTIO_BLK_T_IN, 0, 512);
	if (blkreq_submit(r, q, NULL) < 0 || !vq_spin_used(q, 1))
		return false;
	return vq_get_used(q, &u) && blkreq_status(r) == VIRTIO_BLK_S_OK;
}

static void bed_up(struct bed *b, const struct kvhost_opts *ring)
{
	struct kvhost_opts o = *ring;

	b->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.fd = b->fd;
	o.queues = 2;
	kvhost_start(&b->k, &o);
	b->q = &b->k.q[0];
	blkreq_init(&b->r, &b->k.mem, GMEM_LOW, 4096);
	/* The first notification after a start may be one too many. */
	must(silent_read(&b->r, b->q), "the first request is lost");
	must(eventfd_wait(b->q->call_fd, LIMIT_MS), "the first notification is lost");
	eventfd_take(b->q->call_fd);
}

static void bed_down(struct bed *b)
{
	kvhost_close(&b->k);
	close(b->fd);
}

/* How often the call eventfd was signalled, once the queue is quiet. */
static u64 signals(struct kvhost *k)
{
	kvhost_enable(k, 0, 0);
	return eventfd_take(k->q[0].call_fd);
}

/* Steps of the used position that a read makes. */
static unsigned int steps(const struct vq *q)
{
	return q->packed ? 3 : 1;
}

FIXTURE(notify_flags) {
	struct bed b;
};

FIXTURE_VARIANT(notify_flags) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(notify_flags, split) { .ring = { .no_event = true } };
FIXTURE_VARIANT_ADD(notify_flags, packed) {
	.ring = { .no_event = true, .packed = true, .size = 37 }
};

FIXTURE_SETUP(notify_flags)
{
	bed_up(&self->b, &variant->ring);
}

FIXTURE_TEARDOWN(notify_flags)
{
	bed_down(&self->b);
}

TEST_F(notify_flags, CORE_019_CORE_047_no_notification_when_the_flag_says_so)
{
	unsigned int i;

	vq_disarm(self->b.q);
	for (i = 0; i < 20; i++)
		ASSERT_TRUE(silent_read(&self->b.r, self->b.q));
	EXPECT_EQ(0, signals(&self->b.k));
}

TEST_F(notify_flags, CORE_020_CORE_047_a_notification_for_every_used_update_otherwise)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(silent_read(&self->b.r, self->b.q));
		ASSERT_TRUE(eventfd_wait(self->b.q->call_fd, LIMIT_MS));
		EXPECT_EQ(1, eventfd_take(self->b.q->call_fd));
	}
	EXPECT_EQ(0, signals(&self->b.k));
}

/* CORE-047: DESC needs EVENT_IDX, and 3 is reserved: told rather too often. */
TEST_F(notify_flags, CORE_018_CORE_061_without_EVENT_IDX_the_event_index_is_ignored)
{
	struct vq *q = self->b.q;
	unsigned int i;

	for (i = 0; i < 40; i++) {
		if (q->packed) {
			q->driver->off_wrap = i * 1638;
			q->driver->flags = i % 2 ? 2 : i % 4 * 3 / 2;
		} else {
			q->avail->ring[q->size] = q->used_idx + i * 1638;
		}
		ASSERT_TRUE(silent_read(&self->b.r, q));
	}
	EXPECT_EQ(40, signals(&self->b.k));
}

FIXTURE(notify_event) {
	struct bed b;
};

FIXTURE_VARIANT(notify_event) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(notify_event, split) { .ring = { .base = 0 } };
FIXTURE_VARIANT_ADD(notify_event, packed) { .ring = { .packed = true } };
FIXTURE_VARIANT_ADD(notify_event, split_in_order) { .ring = { .in_order = true } };
FIXTURE_VARIANT_ADD(notify_event, packed_in_order) {
	.ring = { .packed = true, .in_order = true }
};

FIXTURE_SETUP(notify_event)
{
	bed_up(&self->b, &variant->ring);
}

FIXTURE_TEARDOWN(notify_event)
{
	bed_down(&self->b);
}

TEST_F(notify_event, CORE_022_CORE_023_CORE_048_notified_at_the_event_and_nowhere_else)
{
	struct vq *q = self->b.q;
	unsigned int i, round;

	for (round = 0; round < 4; round++) {
		vq_arm_at(q, 5 * steps(q));
		for (i = 0; i < 12; i++) {
			ASSERT_TRUE(silent_read(&self->b.r, q));
			if (i != 5)
				continue;
			EXPECT_TRUE(eventfd_wait(q->call_fd, LIMIT_MS));
			EXPECT_EQ(1, eventfd_take(q->call_fd));
		}
	}
	EXPECT_EQ(0, signals(&self->b.k));
}

TEST_F(notify_event, CORE_022_CORE_048_the_event_across_the_wrap_of_the_index)
{
	struct kvhost_opts o = variant->ring;
	struct kvhost k;
	struct blkreq r;
	unsigned int i;

	o.fd = self->b.fd;
	o.base = o.packed ? VQ_WRAP | 50 : 65530;
	kvhost_start(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, 4096);
	ASSERT_TRUE(silent_read(&r, &k.q[0]));
	ASSERT_TRUE(eventfd_wait(k.q[0].call_fd, LIMIT_MS));
	eventfd_take(k.q[0].call_fd);
	vq_arm_at(&k.q[0], 7 * steps(&k.q[0]));
	for (i = 0; i < 14; i++)
		ASSERT_TRUE(silent_read(&r, &k.q[0]));
	EXPECT_EQ(1, signals(&k));
	kvhost_close(&k);
}

FIXTURE(notify_split) {
	struct bed b;
};

FIXTURE_VARIANT(notify_split) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(notify_split, flags) { .ring = { .no_event = true } };
FIXTURE_VARIANT_ADD(notify_split, event_idx) { .ring = { .no_event = false } };

FIXTURE_SETUP(notify_split)
{
	bed_up(&self->b, &variant->ring);
}

FIXTURE_TEARDOWN(notify_split)
{
	bed_down(&self->b);
}

/* CORE-019 is the other half: without EVENT_IDX the flag is all there is. */
TEST_F(notify_split, CORE_021_the_flag_counts_only_without_EVENT_IDX)
{
	struct vq *q = self->b.q;

	q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	q->avail->ring[q->size] = q->used_idx;
	ASSERT_TRUE(silent_read(&self->b.r, q));
	EXPECT_EQ(q->event_idx, signals(&self->b.k));
}

TEST_F(notify_split, CORE_030_CORE_032_used_flags_under_load)
{
	struct vq *q = self->b.q;
	u16 seen = 0;
	unsigned int i;

	for (i = 0; i < 500; i++) {
		ASSERT_TRUE(silent_read(&self->b.r, q));
		seen |= q->used->flags;
	}
	EXPECT_EQ(0, seen & ~(q->event_idx ? 0 : VRING_USED_F_NO_NOTIFY));
}

/* CORE-013, and the avail ring is the driver's too. */
TEST_F(notify_split, CORE_013_descriptors_and_avail_ring_are_never_written)
{
	struct blkreq *r = &self->b.r;
	struct vq *q = self->b.q;
	u8 *copy = malloc(vq_desc_bytes(q)), *ring = malloc(vq_driver_bytes(q));
	struct vq_buf bufs[3];
	unsigned int i;

	ASSERT_TRUE(copy && ring);
	for (i = 0; i < 300; i++) {
		blkreq_set(r, VIRTIO_BLK_T_IN, i, 512);
		ASSERT_LE(0, vq_add(q, bufs, blkreq_plain(r, bufs), NULL, r));
		memcpy(copy, q->desc, vq_desc_bytes(q));
		vq_kick(q);
		memcpy(ring, q->avail, vq_driver_bytes(q));
		ASSERT_TRUE(vq_spin_used(q, 1));
		ASSERT_EQ(0, memcmp(copy, q->desc, vq_desc_bytes(q)));
		ASSERT_EQ(0, memcmp(ring, q->avail, vq_driver_bytes(q)));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(r, q));
	}
	free(copy);
	free(ring);
}

FIXTURE(doorbell) {
	struct bed b;
};

FIXTURE_VARIANT(doorbell) {
	struct kvhost_opts ring;
	unsigned int requests;
};

FIXTURE_VARIANT_ADD(doorbell, split) { .requests = 4000 };
FIXTURE_VARIANT_ADD(doorbell, split_flags) {
	.ring = { .no_event = true }, .requests = 800
};

FIXTURE_VARIANT_ADD(doorbell, split_in_order) {
	.ring = { .in_order = true }, .requests = 800
};

FIXTURE_VARIANT_ADD(doorbell, packed) {
	.ring = { .packed = true, .size = 61 }, .requests = 4000
};

FIXTURE_VARIANT_ADD(doorbell, packed_flags) {
	.ring = { .packed = true, .no_event = true }, .requests = 800
};

FIXTURE_VARIANT_ADD(doorbell, packed_in_order) {
	.ring = { .packed = true, .in_order = true, .size = 61 }, .requests = 800
};

FIXTURE_SETUP(doorbell)
{
	bed_up(&self->b, &variant->ring);
}

FIXTURE_TEARDOWN(doorbell)
{
	bed_down(&self->b);
}

/* A kick or an interrupt lost anywhere makes this time out. */
TEST_F_TIMEOUT(doorbell, CORE_031_CORE_033_kicking_only_when_asked_loses_nothing, 120)
{
	struct blkreq r[16];
	struct vq_used u[16];
	unsigned int i, n, got, done = 0;

	for (i = 0; i < ARRAY_SIZE(r); i++)
		blkreq_init(&r[i], &self->b.k.mem, GMEM_LOW, 512);
	srandom(3);
	while (done < variant->requests) {
		n = 1 + random() % ARRAY_SIZE(r);
		for (i = 0; i < n; i++) {
			blkreq_set(&r[i], VIRTIO_BLK_T_IN, i, 512);
			ASSERT_LE(0, blkreq_submit(&r[i], self->b.q, NULL));
		}
		got = vq_wait_used(self->b.q, u, n);
		ASSERT_EQ(n, got) {
			TH_LOG("after %u requests one was lost", done);
		}
		for (i = 0; i < n; i++)
			ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_status(u[i].cookie));
		if (!(random() % 8))
			vq_disarm(self->b.q);
		done += n;
	}
}

/*
 * The same for a driver that never sleeps: it offers the next buffer some
 * instructions after the last one was used, which is when the device asks for
 * kicks again. A device that does not look once more after that stalls here.
 */
TEST_F_TIMEOUT(doorbell, CORE_033_a_buffer_offered_while_kicks_are_turned_on, 60)
{
	struct vq *q = self->b.q;
	unsigned int i, spin;
	struct vq_used u;

	srandom(5);
	for (i = 0; i < 2 * variant->requests; i++) {
		blkreq_set(&self->b.r, 0xff, 0, 0);	/* answered at once */
		ASSERT_LE(0, blkreq_submit(&self->b.r, q, NULL));
		ASSERT_TRUE(vq_spin_used(q, 1)) {
			TH_LOG("request %u was never looked at", i);
		}
		ASSERT_TRUE(vq_get_used(q, &u));
		vq_disarm(q);
		for (spin = random() % 2000; spin; spin--)
			__asm__ volatile("" ::: "memory");
	}
}

TEST_F(doorbell, CORE_034_spurious_kicks_do_no_harm)
{
	struct kvhost_vring_stats st;
	unsigned int i;

	for (i = 0; i < 5000; i++)
		vq_kick_always(self->b.q);
	EXPECT_FALSE(vq_has_used(self->b.q));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->b.r, self->b.q, VIRTIO_BLK_T_IN, 0, 512));
	kvhost_stats(&self->b.k, 0, &st);
	EXPECT_EQ(2, st.chains);
	EXPECT_EQ(KVHOST_VRING_RUNNING, st.state);
}

TEST_F(doorbell, CORE_001_nothing_is_used_before_the_queue_runs)
{
	struct kvhost_opts o = variant->ring;
	struct blkreq r, other;
	struct kvhost k;

	o.fd = self->b.fd;
	o.queues = 2;
	kvhost_prepare(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, 512);
	blkreq_init(&other, &k.mem, GMEM_LOW, 512);
	blkreq_set(&r, VIRTIO_BLK_T_IN, 0, 512);
	ASSERT_LE(0, blkreq_submit(&r, &k.q[0], NULL));
	vq_kick_always(&k.q[0]);
	kvhost_enable(&k, 1, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&other, &k.q[1], VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_FALSE(vq_has_used(&k.q[0]));
	EXPECT_EQ(0, eventfd_take(k.q[0].call_fd));
	EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&r));
	kvhost_enable(&k, 0, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&r, &k.q[0]));
	kvhost_close(&k);
}

/* A buffer offered while the queue stood still is found without a kick. */
TEST_F(doorbell, what_waits_in_the_ring_is_served_at_the_start)
{
	kvhost_enable(&self->b.k, 0, 0);
	eventfd_take(self->b.q->kick_fd);
	blkreq_set(&self->b.r, VIRTIO_BLK_T_IN, 0, 512);
	ASSERT_LE(0, blkreq_submit(&self->b.r, self->b.q, NULL));
	eventfd_take(self->b.q->kick_fd);
	kvhost_enable(&self->b.k, 0, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->b.r, self->b.q));
}

TEST_F(doorbell, CORE_004_nothing_is_used_after_the_queue_was_stopped)
{
	struct blkreq other;

	blkreq_init(&other, &self->b.k.mem, GMEM_LOW, 512);
	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->b.r, self->b.q, VIRTIO_BLK_T_IN, 0, 512));
	kvhost_enable(&self->b.k, 0, 0);
	eventfd_take(self->b.q->call_fd);
	blkreq_set(&self->b.r, VIRTIO_BLK_T_IN, 0, 512);
	ASSERT_LE(0, blkreq_submit(&self->b.r, self->b.q, NULL));
	vq_kick_always(self->b.q);
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  blk_do(&other, &self->b.k.q[1], VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_FALSE(vq_has_used(self->b.q));
	EXPECT_EQ(0, eventfd_take(self->b.q->call_fd));
	kvhost_enable(&self->b.k, 0, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->b.r, self->b.q));
}

static bool all_poison(const void *mem, size_t n)
{
	const u8 *byte = mem;

	while (n && byte[n - 1] == BLK_POISON)
		n--;
	return !n;
}

TEST_F(doorbell, CORE_006_CORE_049_a_queue_comes_back_with_another_size_and_place)
{
	static const unsigned int split[] = { 1, 2, 4, 128, 1024, 32768, 64 };
	static const unsigned int packed[] = { 1, 3, 100, 7, 32767, 32768, 2 };
	static const struct vq_shape table = { .indirect = true };
	struct vq old, *q = self->b.q;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(split); i++) {
		kvhost_enable(&self->b.k, 0, 0);
		old = *q;
		memset(old.used, BLK_POISON, vq_device_bytes(&old));
		memset(old.desc, BLK_POISON, vq_desc_bytes(&old));
		kvhost_renew(&self->b.k, 0, old.packed ? packed[i] : split[i]);
		kvhost_enable(&self->b.k, 0, 1);
		for (j = 0; j < 5; j++) {
			blkreq_set(&self->b.r, VIRTIO_BLK_T_IN, j, 512);
			ASSERT_LE(0, blkreq_submit(&self->b.r, q, &table));
			ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->b.r, q));
		}
		EXPECT_TRUE(all_poison(old.used, vq_device_bytes(&old)));
		EXPECT_TRUE(all_poison(old.desc, vq_desc_bytes(&old)));
		vq_free(&old);
	}
}

TEST_F(doorbell, another_call_eventfd_takes_over)
{
	struct vhost_vring_file f = { .index = 0, .fd = eventfd(0, EFD_NONBLOCK) };
	int old = self->b.q->call_fd;

	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->b.r, self->b.q, VIRTIO_BLK_T_IN, 0, 512));
	KVHOST_IOCTL(&self->b.k, VHOST_SET_VRING_CALL, &f);
	eventfd_take(old);
	self->b.q->call_fd = f.fd;
	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->b.r, self->b.q, VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_EQ(0, eventfd_take(old));
	f.fd = -1;
	KVHOST_IOCTL(&self->b.k, VHOST_SET_VRING_CALL, &f);
	ASSERT_TRUE(silent_read(&self->b.r, self->b.q));
	close(old);
}

TEST_F(doorbell, another_kick_eventfd_takes_over_under_a_running_queue)
{
	struct vhost_vring_file f = { .index = 0, .fd = eventfd(0, EFD_NONBLOCK) };
	int old = self->b.q->kick_fd;
	struct vq_buf bufs[3];

	KVHOST_IOCTL(&self->b.k, VHOST_SET_VRING_KICK, &f);
	self->b.q->kick_fd = f.fd;
	close(old);
	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->b.r, self->b.q, VIRTIO_BLK_T_IN, 0, 512));
	/* signalled before it is bound: must count as a kick */
	f.fd = eventfd(1, EFD_NONBLOCK);
	blkreq_set(&self->b.r, VIRTIO_BLK_T_IN, 0, 512);
	ASSERT_LE(0, vq_add(self->b.q, bufs, blkreq_plain(&self->b.r, bufs), NULL,
			    &self->b.r));
	vq_publish(self->b.q);
	KVHOST_IOCTL(&self->b.k, VHOST_SET_VRING_KICK, &f);
	close(self->b.q->kick_fd);
	self->b.q->kick_fd = f.fd;
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->b.r, self->b.q));
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("notify", 1 << DISK_NULLB);
}

TEST_HARNESS_MAIN
