// SPDX-License-Identifier: GPL-2.0
/*
 * What only a packed ring has (2.8): wrap counters, used descriptors in the
 * descriptor ring itself, sizes that are no power of two, its position as an
 * argument of VHOST_SET_VRING_BASE; CORE-036 ... CORE-056 where a process can
 * see them. And IN_ORDER (CORE-045, CORE-051, CORE-060), for either layout.
 */
#include "disk.h"

#define F_AVAIL	0x0080u
#define F_USED	0x8000u

static void start(struct kvhost *k, struct blkreq *r, const struct kvhost_opts *o)
{
	kvhost_start(k, o);
	blkreq_init(r, &k->mem, GMEM_LOW, 4096);
}

/* Add a read of one sector, not yet published. */
static void add_read(struct blkreq *r, struct vq *q, const struct vq_shape *shape)
{
	struct vq_buf bufs[3];

	blkreq_set(r, VIRTIO_BLK_T_IN, 0, 512);
	must(vq_add(q, bufs, blkreq_plain(r, bufs), shape, r) >= 0, "ring full");
}

FIXTURE(packed) {
	struct kvhost k;
	struct blkreq r;
	struct vq *q;
	int fd;
};

FIXTURE_SETUP(packed)
{
	struct kvhost_opts o = { .packed = true, .size = 7, .queues = 2 };

	self->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.fd = self->fd;
	start(&self->k, &self->r, &o);
	self->q = &self->k.q[0];
}

FIXTURE_TEARDOWN(packed)
{
	kvhost_close(&self->k);
	close(self->fd);
}

/*
 * CORE-036, CORE-037, CORE-039, CORE-040: every used descriptor bit for bit,
 * over enough laps for every slot to be one, on both values of the counter.
 */
static const char *laps(struct kvhost *k, struct blkreq *r, unsigned int requests,
			const struct vq_shape *shape)
{
	struct vq *q = &k->q[0];
	struct vring_packed_desc d;
	struct vq_used u;
	unsigned int at;
	bool wrap;

	while (requests--) {
		at = q->used_idx;
		wrap = q->used_wrap;
		add_read(r, q, shape);
		vq_kick(q);
		if (!vq_wait_used(q, &u, 1))
			return "not used in time";
		d = q->ring[at];
		if (d.flags != (VRING_DESC_F_WRITE | (wrap ? F_AVAIL | F_USED : 0)))
			return "flags of the used descriptor are wrong";
		if (d.len != 513 || d.id != u.id)
			return "length or ID of the used descriptor is wrong";
		if (blkreq_status(r) != VIRTIO_BLK_S_OK)
			return "status is not OK";
	}
	return NULL;
}

TEST_F(packed, CORE_036_CORE_037_CORE_039_CORE_049_used_descriptors_in_rings_of_any_size)
{
	static const unsigned int sizes[] = { 1, 2, 3, 5, 7, 100, 256, 32767, 32768 };
	static const struct vq_shape table = { .indirect = true };
	struct kvhost_opts o = { .packed = true, .fd = self->fd };
	const char *err;
	struct kvhost k;
	struct blkreq r;
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		o.size = sizes[i / 2];
		if (i % 2 && o.size < 3)
			continue;
		/* large rings begin shortly before their end */
		o.base = o.size > 300 ? VQ_WRAP | (o.size - 8) : 0;
		start(&k, &r, &o);
		err = laps(&k, &r, o.size < 50 ? 6 * o.size : 90, i % 2 ? NULL : &table);
		EXPECT_EQ(NULL, err) {
			TH_LOG("size %u: %s", o.size, err);
		}
		kvhost_close(&k);
	}
}

TEST_F(packed, CORE_049_sizes_beyond_32768_are_refused)
{
	static const unsigned int bad[] = { 0, 32769, 65535, 65536, 0x80000000 };
	struct vhost_vring_state s = { .index = 0 };
	unsigned int i;

	kvhost_enable(&self->k, 0, 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		s.num = bad[i];
		EXPECT_EQ(-EINVAL, __kvhost_ioctl(self->k.fd, VHOST_SET_VRING_NUM, &s)) {
			TH_LOG("size %u", bad[i]);
		}
	}
}

/* Kick, and wait until the worker has certainly looked. */
static u64 chains_after_kick(struct kvhost *k)
{
	struct kvhost_vring_stats st;

	vq_kick_always(&k->q[0]);
	kvhost_enable(k, 0, 0);
	kvhost_enable(k, 0, 1);
	kvhost_enable(k, 0, 0);
	kvhost_stats(k, 0, &st);
	kvhost_enable(k, 0, 1);
	return st.chains;
}

TEST_F(packed, CORE_037_CORE_055_memory_that_only_looks_used_is_not_consumed)
{
	static const u8 bytes[] = { 0x00, 0xff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		memset(self->q->ring, bytes[i], vq_desc_bytes(self->q));
		EXPECT_EQ(0, chains_after_kick(&self->k));
	}
	kvhost_revive(&self->k, 0);
	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN, 0, 512));
	/* what the last lap left behind is not available in the next */
	for (i = 0; i < 12; i++) {
		ASSERT_EQ(VIRTIO_BLK_S_OK,
			  blk_do(&self->r, self->q, VIRTIO_BLK_T_IN, 0, 512));
		EXPECT_EQ(2 + i, chains_after_kick(&self->k));
	}
}

TEST_F(packed, CORE_038_later_slots_are_not_looked_at)
{
	struct vring_packed_desc ring[7];
	unsigned int i;

	for (i = 1; i < 7; i++)
		self->q->ring[i] = (struct vring_packed_desc) {
			.addr = self->r.hdr, .len = 16, .id = i, .flags = F_AVAIL
		};
	memcpy(ring, self->q->ring, sizeof(ring));
	EXPECT_EQ(0, chains_after_kick(&self->k));
	EXPECT_EQ(0, memcmp(ring, self->q->ring, sizeof(ring)));
}

TEST_F(packed, CORE_041_lists_of_exactly_the_queue_size_and_tables_between)
{
	static const struct vq_shape table = { .indirect = true };
	struct vq *q = self->q;
	struct vq_buf bufs[7];
	struct vq_used u;
	unsigned int i, j;

	for (i = 0; i < 20; i++) {
		blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, 5 * 512);
		bufs[0] = (struct vq_buf) { self->r.hdr, 16, false };
		for (j = 0; j < 5; j++)
			bufs[1 + j] = (struct vq_buf) { self->r.data + 512 * j, 512, true };
		bufs[6] = (struct vq_buf) { self->r.status, 1, true };
		ASSERT_LE(0, vq_add(q, bufs, 7, i % 3 == 2 ? &table : NULL, &self->r));
		vq_kick(q);
		ASSERT_EQ(1, vq_wait_used(q, &u, 1));
		EXPECT_EQ(5 * 512 + 1, u.len);
		EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r));
	}
}

TEST_F(packed, CORE_047_the_driver_event_structure_is_never_written)
{
	static const u16 flags[] = { 0, 1, 2 };
	struct vring_packed_desc_event e;
	unsigned int i;

	for (i = 0; i < 30; i++) {
		e = (struct vring_packed_desc_event) {
			.off_wrap = i % 7 | (i & 8 ? VQ_WRAP : 0), .flags = flags[i % 3]
		};
		*self->q->driver = e;
		add_read(&self->r, self->q, NULL);
		vq_kick(self->q);
		ASSERT_TRUE(vq_spin_used(self->q, 1));
		EXPECT_EQ(0, memcmp(&e, self->q->driver, sizeof(e)));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r, self->q));
	}
}

/* Every slot a driver may name against every one used, in a ring of 7. */
TEST_F(packed, CORE_048_notified_when_the_named_slot_is_used)
{
	static const struct vq_shape table = { .indirect = true };
	struct vq *q = self->q;
	struct vq_used u;
	unsigned int at, i;

	/* The first notification after a start may be one too many. */
	add_read(&self->r, q, &table);
	vq_kick(q);
	ASSERT_TRUE(vq_spin_used(q, 1));
	ASSERT_TRUE(vq_get_used(q, &u));
	ASSERT_TRUE(eventfd_wait(q->call_fd, LIMIT_MS));
	eventfd_take(q->call_fd);
	for (at = 0; at < 49; at++) {
		vq_arm_at(q, at % 7);
		for (i = 0; i <= at % 7 + at / 7; i++) {
			/* one slot each, so that all positions come in turn */
			add_read(&self->r, q, &table);
			vq_kick(q);
			ASSERT_TRUE(vq_spin_used(q, 1));
			ASSERT_TRUE(vq_get_used(q, &u));
			if (i != at % 7)
				continue;
			ASSERT_TRUE(eventfd_wait(q->call_fd, LIMIT_MS)) {
				TH_LOG("no notification %u slots ahead", i);
			}
			EXPECT_EQ(1, eventfd_take(q->call_fd));
		}
	}
	kvhost_enable(&self->k, 0, 0);
	EXPECT_EQ(0, eventfd_take(q->call_fd));
}

TEST_F(packed, CORE_056_a_used_descriptor_is_not_altered_any_more)
{
	struct kvhost_opts o = { .packed = true, .fd = self->fd, .size = 64 };
	static const struct vq_shape table = { .indirect = true };
	struct vring_packed_desc copy[64];
	struct blkreq r[64];
	struct vq_used u;
	struct kvhost k;
	unsigned int i, j;

	kvhost_start(&k, &o);
	for (i = 0; i < 64; i++) {
		blkreq_init(&r[i], &k.mem, GMEM_LOW, 512);
		add_read(&r[i], &k.q[0], &table);
		vq_kick(&k.q[0]);
		if (i % 8 != 7)
			continue;
		for (j = i - 7; j <= i; j++) {
			ASSERT_EQ(1, vq_wait_used(&k.q[0], &u, 1));
			copy[j] = k.q[0].ring[j];
		}
		EXPECT_EQ(0, memcmp(copy, k.q[0].ring, 16 * (i + 1)));
	}
	kvhost_enable(&k, 0, 0);
	EXPECT_EQ(0, memcmp(copy, k.q[0].ring, sizeof(copy)));
	kvhost_close(&k);
}

/* The position goes out and comes back in, whole or without its upper half. */
TEST_F(packed, the_position_survives_a_stop)
{
	struct vhost_vring_state s = { .index = 0 };
	struct kvhost_opts o = { .packed = true, .fd = self->fd, .size = 100 };
	struct kvhost k;
	struct blkreq r;
	unsigned int i;

	start(&k, &r, &o);
	for (i = 0; i < 80; i++) {
		kvhost_enable(&k, 0, 0);
		KVHOST_IOCTL(&k, VHOST_GET_VRING_BASE, &s);
		ASSERT_EQ(vq_base(&k.q[0]), s.num);
		/* slot 0 of an even lap is 0 in either half */
		if (i % 2)
			s.num &= 0xffff;
		KVHOST_IOCTL(&k, VHOST_SET_VRING_BASE, &s);
		kvhost_enable(&k, 0, 1);
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, 0, 512));
	}
	kvhost_close(&k);
}

TEST_F(packed, positions_outside_the_ring_are_refused)
{
	static const u32 bad[] = {
		0x8007, 0x80078007, 0x80008007, 0xffff, 0xffffffff,
		0x80038000,	/* used ahead of avail */
		0x00020003 | VQ_WRAP,	/* more than a lap apart */
	};
	struct vhost_vring_state s = { .index = 0 };
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		kvhost_enable(&self->k, 0, 0);
		s.num = bad[i];
		err = __kvhost_ioctl(self->k.fd, VHOST_SET_VRING_BASE, &s);
		if (!err)
			err = __kvhost_enable(&self->k, 0, 1);
		EXPECT_EQ(-EINVAL, err) {
			TH_LOG("base %#x", bad[i]);
		}
	}
	kvhost_revive(&self->k, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r, self->q, VIRTIO_BLK_T_IN, 0, 512));
}

/* The order of a slow read and of quick ones behind it. */
FIXTURE(order) {
	struct kvhost k;
	struct blkreq slow;
	struct blkreq quick[8];
	int fd;
};

FIXTURE_VARIANT(order) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(order, split) { .ring = { .size = 32 } };
FIXTURE_VARIANT_ADD(order, packed) { .ring = { .size = 29, .packed = true } };
FIXTURE_VARIANT_ADD(order, split_in_order) { .ring = { .size = 32, .in_order = true } };
FIXTURE_VARIANT_ADD(order, packed_in_order) {
	.ring = { .size = 29, .packed = true, .in_order = true }
};

FIXTURE_SETUP(order)
{
	struct kvhost_opts o = variant->ring;
	unsigned int i;

	self->fd = backing_open(disk_paths[DISK_SLOW], O_RDWR);
	o.fd = self->fd;
	start(&self->k, &self->slow, &o);
	for (i = 0; i < ARRAY_SIZE(self->quick); i++)
		blkreq_init(&self->quick[i], &self->k.mem, GMEM_LOW, 512);
}

FIXTURE_TEARDOWN(order)
{
	kvhost_close(&self->k);
	close(self->fd);
}

/* GET_ID is answered without the disk, which takes SLOW_NS for a read. */
TEST_F(order, CORE_051_CORE_060_used_as_completed_or_in_order)
{
	static const struct vq_shape table = { .indirect = true };
	unsigned int round, i, n = ARRAY_SIZE(self->quick);
	struct vq *q = &self->k.q[0];
	struct vq_used u[9];
	struct vq_buf bufs[3];
	struct blkreq *r;

	for (round = 0; round < 20; round++) {
		add_read(&self->slow, q, round & 1 ? &table : NULL);
		for (i = 0; i < n; i++) {
			r = &self->quick[i];
			/* one that is filled to its end, one that is not */
			blkreq_set(r, VIRTIO_BLK_T_GET_ID, 0, i & 1 ? 20 : 64);
			ASSERT_LE(0, vq_add(q, bufs, blkreq_plain(r, bufs), i & 2 ? NULL : &table,
					    r));
		}
		vq_kick(q);
		for (i = 0; i <= n; i++) {
			ASSERT_EQ(1, vq_wait_used(q, &u[i], 1));
			ASSERT_EQ(VIRTIO_BLK_S_OK, blkreq_status(u[i].cookie));
			/* a driver takes what is skipped over for full (CORE-045) */
			r = u[i].cookie;
			EXPECT_FALSE(u[i].skipped && r->len == 64);
		}
		EXPECT_EQ(&self->slow, u[variant->ring.in_order ? 0 : n].cookie);
		for (i = 0; i < n; i++)
			EXPECT_EQ(&self->quick[i], u[i + variant->ring.in_order].cookie);
		EXPECT_EQ(VIRTIO_BLK_S_OK,
			  blk_do(&self->slow, q, VIRTIO_BLK_T_IN, 0, 512));
	}
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("packed", 1 << DISK_NULLB | 1 << DISK_SLOW);
}

TEST_HARNESS_MAIN
