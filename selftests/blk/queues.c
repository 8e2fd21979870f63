// SPDX-License-Identifier: GPL-2.0
/*
 * Requests really in flight while things change: several queues, stop, swap of
 * backend and of memory table, reset of the owner, close.
 *
 *	queue 0..3 -- 32 requests each --> null_blk that answers SLOW_NS later
 *
 * A call that has to wait for what is in flight is checked the moment it
 * returns: everything taken is used by then, and nothing changes later.
 */
#include <sys/eventfd.h>
#include "disk.h"

#define QUEUES	4u
#define DEPTH	32u
#define LEN	4096u

FIXTURE(queues) {
	struct kvhost k;
	struct blkreq r[QUEUES][DEPTH];
	int fd;
	int fast;
};

FIXTURE_VARIANT(queues) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(queues, split) { .ring = { .size = 128 } };
FIXTURE_VARIANT_ADD(queues, packed) { .ring = { .size = 100, .packed = true } };
FIXTURE_VARIANT_ADD(queues, split_in_order) {
	.ring = { .size = 128, .in_order = true }
};

FIXTURE_VARIANT_ADD(queues, packed_in_order) {
	.ring = { .size = 100, .packed = true, .in_order = true }
};

FIXTURE_SETUP(queues)
{
	struct kvhost_opts o = variant->ring;
	unsigned int i, j;

	o.queues = QUEUES;
	self->fast = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	self->fd = backing_open(disk_paths[DISK_SLOW], O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	for (i = 0; i < QUEUES; i++)
		for (j = 0; j < DEPTH; j++)
			blkreq_init(&self->r[i][j], &self->k.mem, GMEM_LOW, LEN);
}

FIXTURE_TEARDOWN(queues)
{
	kvhost_close(&self->k);
	close(self->fd);
	close(self->fast);
}

/* Where request @j of queue @i lives on the disk. */
static u64 place(unsigned int i, unsigned int j)
{
	return (i * DEPTH + j) * (u64)LEN;
}

static void submit(struct _test_data_queues *self, unsigned int i, u32 type, u32 seed)
{
	unsigned int j;

	for (j = 0; j < DEPTH; j++) {
		struct blkreq *r = &self->r[i][j];

		blkreq_set(r, type, place(i, j) / 512, LEN);
		if (type == VIRTIO_BLK_T_OUT)
			blk_pattern(gmem_va(r->mem, r->data), LEN, place(i, j), seed);
		must(blkreq_submit(r, &self->k.q[i], NULL) >= 0, "ring full");
	}
}

/* Take back all of queue @i. Return: whether all came back OK and, read, right. */
static bool collect(struct _test_data_queues *self, unsigned int i, u32 seed)
{
	struct vq_used u[DEPTH];
	unsigned int j;

	if (vq_wait_used(&self->k.q[i], u, DEPTH) != DEPTH)
		return false;
	for (j = 0; j < DEPTH; j++) {
		struct blkreq *r = u[j].cookie;

		if (blkreq_status(r) != VIRTIO_BLK_S_OK)
			return false;
		if (!r->out && !blk_is_pattern(gmem_va(r->mem, r->data), LEN,
					       r->sector * 512, seed))
			return false;
	}
	return true;
}

/* Wait until the worker has taken something that the disk has not answered yet. */
static bool wait_in_flight(struct kvhost *k, unsigned int i)
{
	struct kvhost_vring_stats st;
	unsigned int n;

	for (n = 0; n < 100000; n++) {
		kvhost_stats(k, i, &st);
		if (st.in_flight)
			return true;
		if (vq_used_ready(&k->q[i]) == k->q[i].num_out)
			return false;
	}
	return false;
}

/* Wait until @n requests are with the disk. Return: false if it was too fast. */
static bool wait_taken(struct kvhost *k, u32 n)
{
	struct kvhost_vring_stats st;

	do {
		kvhost_stats(k, 0, &st);
		if (st.in_flight == n)
			return true;
	} while (!vq_used_ready(&k->q[0]));
	return false;
}

/* Make a call that has to wait for what is in flight. */
static void drain(struct _test_data_queues *self, unsigned int which)
{
	if (which == 0)
		kvhost_set_mem(&self->k);
	else if (which == 1)
		kvhost_backend(&self->k, &(struct kvhost_opts) { .fd = self->fd });
	else
		kvhost_enable(&self->k, 0, 0);
}

/* CVE-2026-93782: when such a call returns, nothing of before is still to come. */
TEST_F_TIMEOUT(queues, a_new_table_or_backend_or_a_stop_drains_before_it_returns, 60)
{
	struct vq *q = &self->k.q[0];
	unsigned int round, j, caught[3] = { };
	const u64 end = now_ms() + LIMIT_MS;
	struct vq_used u[4];

	/* A slow machine is too late for most of them. */
	for (round = 0; round < 12 || (!(caught[0] && caught[1] && caught[2]) && now_ms() < end);
	     round++) {
		for (j = 0; j < ARRAY_SIZE(u); j++) {
			blkreq_set(&self->r[0][j], VIRTIO_BLK_T_IN, 8 * j, LEN);
			ASSERT_LE(0, vq_add(q, (struct vq_buf[]) {
				{ self->r[0][j].hdr, BLK_HDR, false },
				{ self->r[0][j].data, LEN, true },
				{ self->r[0][j].status, 1, true },
			}, 3, NULL, &self->r[0][j]));
		}
		vq_kick(q);
		if (wait_taken(&self->k, ARRAY_SIZE(u))) {
			caught[round % 3]++;
			drain(self, round % 3);
			EXPECT_EQ(ARRAY_SIZE(u), vq_used_ready(q)) {
				TH_LOG("call %u returned too early", round % 3);
			}
			kvhost_enable(&self->k, 0, 1);
		}
		ASSERT_EQ(ARRAY_SIZE(u), vq_wait_used(q, u, ARRAY_SIZE(u)));
	}
	for (j = 0; j < ARRAY_SIZE(caught); j++)
		EXPECT_LT(0, caught[j]);
}

TEST_F(queues, BLK_018_every_queue_serves_its_own_requests)
{
	unsigned int round, i;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < QUEUES; i++)
			submit(self, i, VIRTIO_BLK_T_OUT, round);
		for (i = 0; i < QUEUES; i++)
			ASSERT_TRUE(collect(self, i, round));
		for (i = 0; i < QUEUES; i++)
			submit(self, i, VIRTIO_BLK_T_IN, round);
		for (i = 0; i < QUEUES; i++)
			ASSERT_TRUE(collect(self, i, round));
	}
}

TEST_F_TIMEOUT(queues, all_requests_of_a_queue_are_in_flight_together, 60)
{
	struct kvhost_blk_queue_stats st = { .size = sizeof(st) };
	const u64 end = now_ms() + LIMIT_MS;
	struct vq *q = &self->k.q[0];
	struct vq_used u[DEPTH];
	struct vq_buf bufs[3];
	unsigned int j;

	/* A slow machine may have taken the last when the disk is through with the first. */
	do {
		for (j = 0; j < DEPTH; j++) {
			struct blkreq *r = &self->r[0][j];

			blkreq_set(r, VIRTIO_BLK_T_IN, place(0, j) / 512, LEN);
			ASSERT_LE(0, vq_add(q, bufs, blkreq_plain(r, bufs), NULL, r));
		}
		vq_kick(q);
		ASSERT_EQ(DEPTH, vq_wait_used(q, u, DEPTH));
		KVHOST_IOCTL(&self->k, KVHOST_BLK_GET_QUEUE_STATS, &st);
	} while (st.in_flight_max < DEPTH / 2 && now_ms() < end);
	EXPECT_LE(DEPTH / 2, st.in_flight_max);
	EXPECT_GE(DEPTH, st.in_flight_max);
}

TEST_F(queues, counters_add_up)
{
	struct kvhost_vring_stats st;
	unsigned int i;

	for (i = 0; i < QUEUES; i++)
		submit(self, i, VIRTIO_BLK_T_OUT, 1);
	for (i = 0; i < QUEUES; i++)
		ASSERT_TRUE(collect(self, i, 1));
	submit(self, 0, VIRTIO_BLK_T_IN, 1);
	ASSERT_TRUE(collect(self, 0, 1));
	for (i = 0; i < QUEUES; i++) {
		kvhost_enable(&self->k, i, 0);
		kvhost_stats(&self->k, i, &st);
		EXPECT_EQ(i ? DEPTH : 2 * DEPTH, st.chains);
		EXPECT_EQ(DEPTH * (BLK_HDR + LEN) + (i ? 0 : DEPTH * BLK_HDR),
			  st.bytes_read);
		EXPECT_EQ(DEPTH + (i ? 0 : DEPTH * (LEN + 1)), st.bytes_written);
		EXPECT_LE(1, st.kicks);
		EXPECT_LE(1, st.signals);
		EXPECT_GE(st.chains, st.signals + st.signals_suppressed);
		EXPECT_EQ(0, st.in_flight);
		EXPECT_EQ(0, st.broken);
		EXPECT_EQ(KVHOST_VRING_STOPPED, st.state);
	}
}

/* Where a queue stands that took @n requests of 3 descriptors, and used all. */
static u32 base_after(const struct vq *q, u32 start, unsigned int n)
{
	unsigned int at = (start & 0x7fff) + 3 * n;
	u32 wrap = start & VQ_WRAP;

	if (!q->packed)
		return (u16)(start + n);
	if (at >= q->size) {
		at -= q->size;
		wrap ^= VQ_WRAP;
	}
	return at | wrap | (at | wrap) << 16;
}

TEST_F(queues, stopping_waits_for_what_is_in_flight)
{
	struct vhost_vring_state base = { .index = 0 };
	struct kvhost_vring_stats st;
	unsigned int round;
	unsigned int used;
	u32 start;

	for (round = 0; round < 5; round++) {
		start = vq_base(&self->k.q[0]);
		submit(self, 0, VIRTIO_BLK_T_OUT, round);
		wait_in_flight(&self->k, 0);
		kvhost_enable(&self->k, 0, 0);
		used = vq_used_ready(&self->k.q[0]);
		kvhost_stats(&self->k, 0, &st);
		EXPECT_EQ(0, st.in_flight);
		KVHOST_IOCTL(&self->k, VHOST_GET_VRING_BASE, &base);
		EXPECT_EQ(base_after(&self->k.q[0], start, used), base.num);
		EXPECT_EQ(used, vq_used_ready(&self->k.q[0]));
		/* whatever was not taken is served when it starts again */
		kvhost_enable(&self->k, 0, 1);
		ASSERT_TRUE(collect(self, 0, round));
		submit(self, 0, VIRTIO_BLK_T_IN, round);
		ASSERT_TRUE(collect(self, 0, round));
	}
}

TEST_F(queues, CORE_004_other_queues_run_on_while_one_is_stopped)
{
	unsigned int i;

	for (i = 0; i < QUEUES; i++)
		submit(self, i, VIRTIO_BLK_T_OUT, 3);
	kvhost_enable(&self->k, 2, 0);
	for (i = 0; i < QUEUES; i++)
		if (i != 2)
			ASSERT_TRUE(collect(self, i, 3));
	kvhost_enable(&self->k, 2, 1);
	ASSERT_TRUE(collect(self, 2, 3));
}

TEST_F(queues, swapping_the_backend_drains_the_old_one)
{
	struct kvhost_opts slow = { .fd = self->fd }, fast = { .fd = self->fast };
	unsigned int round, i;
	u8 *buf;

	ASSERT_EQ(0, posix_memalign((void **)&buf, 4096, LEN));
	for (round = 0; round < 6; round++) {
		for (i = 0; i < QUEUES; i++)
			submit(self, i, VIRTIO_BLK_T_OUT, 10 + round);
		wait_in_flight(&self->k, 0);
		kvhost_backend(&self->k, round & 1 ? &slow : &fast);
		for (i = 0; i < QUEUES; i++)
			ASSERT_TRUE(collect(self, i, 10 + round));
		/* the queues run on and serve the new one */
		submit(self, 0, VIRTIO_BLK_T_OUT, 50 + round);
		ASSERT_TRUE(collect(self, 0, 50 + round));
		ASSERT_EQ(0, fsync(round & 1 ? self->fd : self->fast));
		ASSERT_EQ(LEN, pread(round & 1 ? self->fd : self->fast, buf, LEN, place(0, 7)));
		EXPECT_TRUE(blk_is_pattern(buf, LEN, place(0, 7), 50 + round));
	}
	free(buf);
}

TEST_F(queues, detaching_the_backend_stops_all_queues)
{
	struct kvhost_opts none = { .fd = -1 }, slow = { .fd = self->fd };
	struct kvhost_vring_stats st;
	unsigned int i;

	for (i = 0; i < QUEUES; i++)
		submit(self, i, VIRTIO_BLK_T_OUT, 4);
	wait_in_flight(&self->k, 1);
	kvhost_backend(&self->k, &none);
	for (i = 0; i < QUEUES; i++) {
		kvhost_stats(&self->k, i, &st);
		EXPECT_EQ(KVHOST_VRING_STOPPED, st.state);
		EXPECT_EQ(0, st.in_flight);
	}
	kvhost_backend(&self->k, &slow);
	for (i = 0; i < QUEUES; i++) {
		kvhost_enable(&self->k, i, 1);
		ASSERT_TRUE(collect(self, i, 4));
	}
}

/* CVE-2026-93782: after the ioctl nothing in flight refers to the old table. */
TEST_F(queues, a_new_memory_table_waits_for_what_is_in_flight)
{
	struct gmem_region *high = &self->k.mem.regions[GMEM_HIGH];
	u8 *old = high->va, *fresh;
	struct blkreq r[DEPTH];
	struct vq_used u[DEPTH];
	unsigned int round, j;

	fresh = aligned_alloc(4096, high->size);
	ASSERT_NE(NULL, fresh);
	for (j = 0; j < DEPTH; j++)
		blkreq_init(&r[j], &self->k.mem, GMEM_HIGH, LEN);
	submit(self, 0, VIRTIO_BLK_T_OUT, 6);
	ASSERT_TRUE(collect(self, 0, 6));
	for (round = 0; round < 6; round++) {
		for (j = 0; j < DEPTH; j++) {
			blkreq_set(&r[j], VIRTIO_BLK_T_IN, place(0, j) / 512, LEN);
			ASSERT_LE(0, blkreq_submit(&r[j], &self->k.q[0], NULL));
		}
		wait_in_flight(&self->k, 0);
		high->va = round & 1 ? old : fresh;
		kvhost_set_mem(&self->k);
		/* nothing writes into what was the guest's memory before */
		memset(round & 1 ? fresh : old, 0x5c, high->used);
		ASSERT_EQ(DEPTH, vq_wait_used(&self->k.q[0], u, DEPTH));
		for (j = 0; j < DEPTH; j++)
			EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&r[j]));
		for (j = 0; j < high->used; j++)
			ASSERT_EQ(0x5c, (round & 1 ? fresh : old)[j]);
	}
	high->va = old;
	kvhost_set_mem(&self->k);
	free(fresh);
}

TEST_F(queues, RESET_OWNER_drains_and_forgets_everything)
{
	struct kvhost_vring_stats st = { .index = 0, .size = sizeof(st) };
	unsigned int i;
	unsigned int used[QUEUES];

	for (i = 0; i < QUEUES; i++)
		submit(self, i, VIRTIO_BLK_T_IN, 1);
	wait_in_flight(&self->k, 0);
	KVHOST_IOCTL(&self->k, VHOST_RESET_OWNER, NULL);
	for (i = 0; i < QUEUES; i++)
		used[i] = vq_used_ready(&self->k.q[i]);
	EXPECT_EQ(-EPERM, __kvhost_enable(&self->k, 0, 1));
	for (i = 0; i < QUEUES; i++)
		EXPECT_EQ(used[i], vq_used_ready(&self->k.q[i]));
	/* and the node serves a new owner from the beginning */
	KVHOST_IOCTL(&self->k, VHOST_SET_OWNER, NULL);
	KVHOST_IOCTL(&self->k, VHOST_SET_FEATURES, &self->k.features);
	kvhost_set_mem(&self->k);
	for (i = 0; i < QUEUES; i++) {
		vq_reset(&self->k.q[i], vq_fresh_base(&self->k.q[i]));
		kvhost_ring_setup(&self->k, i, vq_base(&self->k.q[i]));
	}
	EXPECT_NE(0, __kvhost_enable(&self->k, 0, 1));
	kvhost_backend(&self->k, &(struct kvhost_opts) { .fd = self->fd });
	kvhost_enable(&self->k, 0, 1);
	submit(self, 0, VIRTIO_BLK_T_OUT, 8);
	ASSERT_TRUE(collect(self, 0, 8));
}

TEST_F(queues, close_with_requests_in_flight_leaves_nothing)
{
	struct kvhost_opts o = variant->ring;
	struct leak before, after;
	struct blkreq r[DEPTH];
	unsigned int round, j;
	struct kvhost k;

	o.fd = self->fd;
	o.queues = QUEUES;
	leak_snapshot(&before);
	for (round = 0; round < 10; round++) {
		kvhost_start(&k, &o);
		for (j = 0; j < DEPTH; j++) {
			blkreq_init(&r[j], &k.mem, GMEM_LOW, LEN);
			blkreq_set(&r[j], VIRTIO_BLK_T_IN, place(0, j) / 512, LEN);
			ASSERT_LE(0, blkreq_submit(&r[j], &k.q[round % QUEUES], NULL));
		}
		if (round & 1)
			wait_in_flight(&k, round % QUEUES);
		kvhost_close(&k);
	}
	EXPECT_TRUE(leak_wait_clean(&before, &after));
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("queues", 1 << DISK_NULLB | 1 << DISK_SLOW);
}

TEST_HARNESS_MAIN
