// SPDX-License-Identifier: GPL-2.0
/*
 * Who is woken when: CORE-018 ... CORE-034 for the split ring, and the queue's
 * life around it (CORE-001, CORE-004, CORE-006).
 *
 * "No notification" is shown without waiting for nothing to happen: stopping
 * the queue returns only when the worker is quiet, and then the eventfd tells
 * how often it was signalled.
 */
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>
#include "disk.h"

FIXTURE(notify) {
	struct kvhost k;
	struct blkreq r;
	struct vq *q;
	int fd;
};

FIXTURE_VARIANT(notify) {
	bool event_idx;
};

FIXTURE_VARIANT_ADD(notify, flags) { .event_idx = false };
FIXTURE_VARIANT_ADD(notify, event_idx) { .event_idx = true };

/* Wait for the used index by looking at it, so that notifications play no part. */
static bool spin_used(const struct vq *q, u16 idx)
{
	struct timespec now, start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (vq_used_idx(q) != idx) {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > LIMIT_MS / 1000)
			return false;
	}
	return true;
}

/* One read without touching the notification fields. Return: whether it came back. */
static bool silent_read(struct blkreq *r, struct vq *q)
{
	struct vq_used u;

	blkreq_set(r, VIRTIO_BLK_T_IN, 0, 512);
	if (blkreq_submit(r, q, NULL) < 0 || !spin_used(q, q->used_idx + 1))
		return false;
	return vq_get_used(q, &u) && blkreq_status(r) == VIRTIO_BLK_S_OK;
}

FIXTURE_SETUP(notify)
{
	struct kvhost_opts o = { .queues = 2, .no_event = !variant->event_idx };

	self->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	self->q = &self->k.q[0];
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, 4096);
	/* The first notification after a start may be one too many. */
	ASSERT_TRUE(silent_read(&self->r, self->q));
	ASSERT_TRUE(eventfd_wait(self->q->call_fd, LIMIT_MS));
	eventfd_take(self->q->call_fd);
}

FIXTURE_TEARDOWN(notify)
{
	kvhost_close(&self->k);
	close(self->fd);
}

/* How often the call eventfd was signalled, once the queue is quiet. */
static u64 signals(struct kvhost *k)
{
	kvhost_enable(k, 0, 0);
	return eventfd_take(k->q[0].call_fd);
}

static u16 *used_event(struct vq *q)
{
	return &q->avail->ring[q->size];
}

TEST_F(notify, CORE_018_without_EVENT_IDX_used_event_is_ignored)
{
	unsigned int i;

	if (variant->event_idx)
		SKIP(return, "about a queue without EVENT_IDX");
	for (i = 0; i < 40; i++) {
		*used_event(self->q) = self->q->used_idx + i * 1638;
		ASSERT_TRUE(silent_read(&self->r, self->q));
	}
	EXPECT_EQ(40, signals(&self->k));
}

TEST_F(notify, CORE_019_no_notification_when_the_flag_says_so)
{
	unsigned int i;

	if (variant->event_idx)
		SKIP(return, "about a queue without EVENT_IDX");
	self->q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	for (i = 0; i < 20; i++)
		ASSERT_TRUE(silent_read(&self->r, self->q));
	EXPECT_EQ(0, signals(&self->k));
}

TEST_F(notify, CORE_020_a_notification_for_every_used_update_otherwise)
{
	unsigned int i;

	if (variant->event_idx)
		SKIP(return, "about a queue without EVENT_IDX");
	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(silent_read(&self->r, self->q));
		ASSERT_TRUE(eventfd_wait(self->q->call_fd, LIMIT_MS));
		EXPECT_EQ(1, eventfd_take(self->q->call_fd));
	}
	EXPECT_EQ(0, signals(&self->k));
}

TEST_F(notify, CORE_021_with_EVENT_IDX_the_flag_is_ignored)
{
	if (!variant->event_idx)
		SKIP(return, "about a queue with EVENT_IDX");
	self->q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	*used_event(self->q) = self->q->used_idx;
	ASSERT_TRUE(silent_read(&self->r, self->q));
	EXPECT_EQ(1, signals(&self->k));
}

TEST_F(notify, CORE_022_CORE_023_notified_at_used_event_and_nowhere_else)
{
	unsigned int i, round;

	if (!variant->event_idx)
		SKIP(return, "about a queue with EVENT_IDX");
	for (round = 0; round < 4; round++) {
		*used_event(self->q) = self->q->used_idx + 5;
		for (i = 0; i < 12; i++) {
			ASSERT_TRUE(silent_read(&self->r, self->q));
			if (i != 5)
				continue;
			EXPECT_TRUE(eventfd_wait(self->q->call_fd, LIMIT_MS));
			EXPECT_EQ(1, eventfd_take(self->q->call_fd));
		}
	}
	EXPECT_EQ(0, signals(&self->k));
}

TEST_F(notify, CORE_022_used_event_across_the_wrap_of_the_index)
{
	struct kvhost_opts o = {
		.fd = self->fd, .base = 65530, .no_event = !variant->event_idx
	};
	struct kvhost k;
	struct blkreq r;
	unsigned int i;

	if (!variant->event_idx)
		SKIP(return, "about a queue with EVENT_IDX");
	kvhost_start(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, 4096);
	ASSERT_TRUE(silent_read(&r, &k.q[0]));
	ASSERT_TRUE(eventfd_wait(k.q[0].call_fd, LIMIT_MS));
	eventfd_take(k.q[0].call_fd);
	*used_event(&k.q[0]) = 2;	/* 7 buffers on from 65531 */
	for (i = 0; i < 14; i++)
		ASSERT_TRUE(silent_read(&r, &k.q[0]));
	EXPECT_EQ(1, signals(&k));
	kvhost_close(&k);
}

TEST_F(notify, CORE_030_CORE_032_used_flags_under_load)
{
	u16 seen = 0;
	unsigned int i;

	for (i = 0; i < 500; i++) {
		ASSERT_TRUE(silent_read(&self->r, self->q));
		seen |= self->q->used->flags;
	}
	EXPECT_EQ(0, seen & ~(variant->event_idx ? 0 : VRING_USED_F_NO_NOTIFY));
}

/* A kick or an interrupt lost anywhere makes this time out. */
TEST_F_TIMEOUT(notify, CORE_031_CORE_033_kicking_only_when_asked_loses_nothing, 120)
{
	struct blkreq r[16];
	struct vq_used u[16];
	unsigned int i, n, got, done = 0;

	for (i = 0; i < ARRAY_SIZE(r); i++)
		blkreq_init(&r[i], &self->k.mem, GMEM_LOW, 512);
	srandom(3);
	while (done < 4000) {
		n = 1 + random() % ARRAY_SIZE(r);
		for (i = 0; i < n; i++) {
			blkreq_set(&r[i], VIRTIO_BLK_T_IN, i, 512);
			ASSERT_LE(0, blkreq_submit(&r[i], self->q, NULL));
		}
		got = vq_wait_used(self->q, u, n);
		ASSERT_EQ(n, got) {
			TH_LOG("after %u requests one was lost", done);
		}
		if (!(random() % 8))
			vq_disarm(self->q);
		done += n;
	}
}

TEST_F(notify, CORE_034_spurious_kicks_do_no_harm)
{
	struct kvhost_vring_stats st;
	unsigned int i;

	for (i = 0; i < 20000; i++)
		vq_kick_always(self->q);
	EXPECT_EQ(1, vq_used_idx(self->q));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN, 0, 512));
	kvhost_stats(&self->k, 0, &st);
	EXPECT_EQ(2, st.chains);
	EXPECT_EQ(KVHOST_VRING_RUNNING, st.state);
}

TEST_F(notify, CORE_001_nothing_is_used_before_the_queue_runs)
{
	struct kvhost_opts o = {
		.fd = self->fd, .queues = 2, .no_event = !variant->event_idx
	};
	struct blkreq r, other;
	struct kvhost k;

	kvhost_prepare(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, 512);
	blkreq_init(&other, &k.mem, GMEM_LOW, 512);
	blkreq_set(&r, VIRTIO_BLK_T_IN, 0, 512);
	ASSERT_LE(0, blkreq_submit(&r, &k.q[0], NULL));
	vq_kick_always(&k.q[0]);
	kvhost_enable(&k, 1, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&other, &k.q[1], VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_EQ(0, vq_used_idx(&k.q[0]));
	EXPECT_EQ(0, eventfd_take(k.q[0].call_fd));
	EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&r));
	kvhost_enable(&k, 0, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&r, &k.q[0]));
	kvhost_close(&k);
}

/* A buffer offered while the queue stood still is found without a kick. */
TEST_F(notify, what_waits_in_the_ring_is_served_at_the_start)
{
	kvhost_enable(&self->k, 0, 0);
	eventfd_take(self->q->kick_fd);
	blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, 512);
	ASSERT_LE(0, blkreq_submit(&self->r, self->q, NULL));
	eventfd_take(self->q->kick_fd);
	kvhost_enable(&self->k, 0, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r, self->q));
}

TEST_F(notify, CORE_004_nothing_is_used_after_the_queue_was_stopped)
{
	struct blkreq other;
	u16 used;

	blkreq_init(&other, &self->k.mem, GMEM_LOW, 512);
	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN, 0, 512));
	kvhost_enable(&self->k, 0, 0);
	eventfd_take(self->q->call_fd);
	used = vq_used_idx(self->q);
	blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, 512);
	ASSERT_LE(0, blkreq_submit(&self->r, self->q, NULL));
	vq_kick_always(self->q);
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  blk_do(&other, &self->k.q[1], VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_EQ(used, vq_used_idx(self->q));
	EXPECT_EQ(0, eventfd_take(self->q->call_fd));
	kvhost_enable(&self->k, 0, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r, self->q));
}

TEST_F(notify, CORE_006_a_queue_comes_back_with_another_size_and_place)
{
	static const unsigned int sizes[] = { 1, 2, 4, 128, 1024, 32768, 64 };
	static const struct vq_shape table = { .indirect = true };
	struct vq old, *q = self->q;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		kvhost_enable(&self->k, 0, 0);
		old = *q;
		vq_init(q, &self->k.mem, sizes[i], variant->event_idx);
		memset(old.used, BLK_POISON, 6 + 8 * old.size);
		kvhost_ring_setup(&self->k, 0, 0);
		kvhost_enable(&self->k, 0, 1);
		for (j = 0; j < 5; j++) {
			blkreq_set(&self->r, VIRTIO_BLK_T_IN, j, 512);
			ASSERT_LE(0, blkreq_submit(&self->r, q, &table));
			ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r, q));
		}
		for (j = 0; j < 6 + 8 * old.size; j++)
			ASSERT_EQ(BLK_POISON, ((u8 *)old.used)[j]);
		vq_free(&old);
	}
}

TEST_F(notify, another_call_eventfd_takes_over)
{
	struct vhost_vring_file f = { .index = 0, .fd = eventfd(0, EFD_NONBLOCK) };
	int old = self->q->call_fd;

	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN, 0, 512));
	KVHOST_IOCTL(&self->k, VHOST_SET_VRING_CALL, &f);
	eventfd_take(old);
	self->q->call_fd = f.fd;
	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_EQ(0, eventfd_take(old));
	f.fd = -1;
	KVHOST_IOCTL(&self->k, VHOST_SET_VRING_CALL, &f);
	ASSERT_TRUE(silent_read(&self->r, self->q));
	close(old);
}

TEST_F(notify, another_kick_eventfd_takes_over_under_a_running_queue)
{
	struct vhost_vring_file f = { .index = 0, .fd = eventfd(0, EFD_NONBLOCK) };
	int old = self->q->kick_fd;

	KVHOST_IOCTL(&self->k, VHOST_SET_VRING_KICK, &f);
	self->q->kick_fd = f.fd;
	close(old);
	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN, 0, 512));
	/* signalled before it is bound: must count as a kick */
	f.fd = eventfd(1, EFD_NONBLOCK);
	blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, 512);
	ASSERT_LE(0, vq_add(self->q, (struct vq_buf[]) {
		{ self->r.hdr, 16, false }, { self->r.data, 512, true },
		{ self->r.status, 1, true },
	}, 3, NULL, &self->r));
	vq_publish(self->q);
	self->q->published = self->q->avail_idx;
	KVHOST_IOCTL(&self->k, VHOST_SET_VRING_KICK, &f);
	close(self->q->kick_fd);
	self->q->kick_fd = f.fd;
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r, self->q));
}

/* CORE-013, and the avail ring is the driver's too. */
TEST_F(notify, CORE_013_descriptors_and_avail_ring_are_never_written)
{
	size_t n = 16 * self->q->size;
	u8 *copy = malloc(n);
	unsigned int i;

	ASSERT_NE(NULL, copy);
	for (i = 0; i < 300; i++) {
		u16 ring[70];

		blkreq_set(&self->r, VIRTIO_BLK_T_IN, i, 512);
		ASSERT_LE(0, vq_add(self->q, (struct vq_buf[]) {
			{ self->r.hdr, 16, false }, { self->r.data, 512, true },
			{ self->r.status, 1, true },
		}, 3, NULL, &self->r));
		memcpy(copy, self->q->desc, n);
		vq_kick(self->q);
		memcpy(ring, self->q->avail, 6 + 2 * self->q->size);
		ASSERT_TRUE(spin_used(self->q, self->q->used_idx + 1));
		ASSERT_EQ(0, memcmp(copy, self->q->desc, n));
		ASSERT_EQ(0, memcmp(ring, self->q->avail, 6 + 2 * self->q->size));
		ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r, self->q));
	}
	free(copy);
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("notify", 1 << DISK_NULLB);
}

TEST_HARNESS_MAIN
