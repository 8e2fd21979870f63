// SPDX-License-Identifier: GPL-2.0
/*
 * KVHOST_BLK_POLL: requests in a poll queue of the disk end only when somebody
 * asks. None is forgotten, whatever becomes of the queue meanwhile: null_blk
 * gives up a request nobody has asked for after 30 seconds, longer than any
 * wait here.
 */
#include <sched.h>
#include "disk.h"

#define LEN	4096u
#define DEPTH	32u

FIXTURE(poll) {
	struct kvhost k;
	struct blkreq r[DEPTH];
	struct vq *q;
	int fd;
};

static void set_busyloop(struct kvhost *k, unsigned int us)
{
	struct vhost_vring_state s = { .index = 0, .num = us };

	KVHOST_IOCTL(k, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s);
}

static u64 polled(struct kvhost *k)
{
	struct kvhost_blk_queue_stats st = { .size = sizeof(st) };

	KVHOST_IOCTL(k, KVHOST_BLK_GET_QUEUE_STATS, &st);
	return st.polled;
}

static u64 flags(struct kvhost *k)
{
	struct kvhost_blk_config c = { .size = sizeof(c) };

	KVHOST_IOCTL(k, KVHOST_BLK_GET_CONFIG, &c);
	return c.flags;
}

FIXTURE_SETUP(poll)
{
	struct kvhost_opts o = { .flags = KVHOST_BLK_POLL, .size = 128 };
	unsigned int i;

	self->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	for (i = 0; i < DEPTH; i++)
		blkreq_init(&self->r[i], &self->k.mem, GMEM_LOW, LEN);
	self->q = &self->k.q[0];
	set_busyloop(&self->k, 10000);
}

FIXTURE_TEARDOWN(poll)
{
	kvhost_close(&self->k);
	close(self->fd);
}

static void submit_all(struct blkreq *r, struct vq *q)
{
	struct vq_buf bufs[3];
	unsigned int i;

	for (i = 0; i < DEPTH; i++) {
		blkreq_set(&r[i], VIRTIO_BLK_T_IN, 1000 * i, LEN);
		must(vq_add(q, bufs, blkreq_plain(&r[i], bufs), NULL, &r[i]) >= 0, "full");
	}
	vq_kick(q);
}

/* Until the worker has found that spinning pays, and polls. */
static bool until_polled(struct kvhost *k, struct blkreq *r, struct vq *q)
{
	u64 before = polled(k);
	unsigned int i;

	for (i = 0; i < 5000; i++) {
		blk_do(r, q, VIRTIO_BLK_T_IN, 8, LEN);
		if (polled(k) > before)
			return true;
	}
	return false;
}

TEST_F(poll, data_is_right_and_polling_is_counted)
{
	u8 *data = gmem_va(&self->k.mem, self->r[0].data);
	unsigned int i;

	EXPECT_EQ(KVHOST_BLK_POLL, flags(&self->k));
	ASSERT_TRUE(until_polled(&self->k, &self->r[0], self->q));
	for (i = 0; i < 200; i++) {
		blk_pattern(data, LEN, i, 3);
		ASSERT_EQ(VIRTIO_BLK_S_OK,
			  blk_do(&self->r[0], self->q, VIRTIO_BLK_T_OUT, 8 * i, LEN));
		ASSERT_EQ(VIRTIO_BLK_S_OK,
			  blk_do(&self->r[0], self->q, VIRTIO_BLK_T_IN, 8 * i, LEN));
		ASSERT_TRUE(blk_is_pattern(data, LEN, i, 3));
	}
	EXPECT_LT(1, polled(&self->k));
}

TEST_F(poll, a_queue_that_stops_asks_for_what_is_in_flight)
{
	unsigned int i, round;
	struct vq_used u;

	for (round = 0; round < 20; round++) {
		ASSERT_TRUE(until_polled(&self->k, &self->r[0], self->q));
		submit_all(self->r, self->q);
		/* Now, or when it has taken them. */
		if (round & 1)
			sched_yield();
		kvhost_enable(&self->k, 0, 0);
		for (i = 0; i < DEPTH && vq_get_used(self->q, &u); i++)
			EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(u.cookie));
		kvhost_revive(&self->k, 0);
	}
}

TEST_F(poll, a_queue_that_breaks_asks_for_what_is_in_flight)
{
	struct vq_buf hdr;
	unsigned int i;

	ASSERT_TRUE(until_polled(&self->k, &self->r[0], self->q));
	for (i = 1; i < DEPTH; i++) {
		struct vq_buf bufs[3];

		blkreq_set(&self->r[i], VIRTIO_BLK_T_IN, 1000 * i, LEN);
		ASSERT_LE(0, vq_add(self->q, bufs, blkreq_plain(&self->r[i], bufs), NULL,
				    &self->r[i]));
	}
	hdr = (struct vq_buf) { self->r[0].hdr, BLK_HDR, false };
	ASSERT_LE(0, vq_add(self->q, &hdr, 1, NULL, &self->r[0]));
	vq_kick(self->q);
	ASSERT_TRUE(kvhost_wait_state(&self->k, 0, KVHOST_VRING_BROKEN));
	EXPECT_TRUE(kvhost_wait_idle(&self->k, 0));
}

TEST_F(poll, without_spinning_it_is_the_interrupt_that_tells)
{
	unsigned int i;

	set_busyloop(&self->k, 0);
	for (i = 0; i < 100; i++)
		ASSERT_EQ(VIRTIO_BLK_S_OK,
			  blk_do(&self->r[0], self->q, VIRTIO_BLK_T_IN, 8 * i, LEN));
	EXPECT_EQ(0, polled(&self->k));
}

TEST(closing_a_device_leaves_nothing_in_flight)
{
	struct kvhost_opts o = { .flags = KVHOST_BLK_POLL, .size = 128 };
	struct leak before, after;
	struct blkreq r[DEPTH];
	struct kvhost k;
	unsigned int i;

	o.fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	leak_snapshot(&before);
	kvhost_start(&k, &o);
	for (i = 0; i < DEPTH; i++)
		blkreq_init(&r[i], &k.mem, GMEM_LOW, LEN);
	set_busyloop(&k, 10000);
	EXPECT_TRUE(until_polled(&k, &r[0], &k.q[0]));
	submit_all(r, &k.q[0]);
	kvhost_close(&k);
	EXPECT_TRUE(leak_wait_clean(&before, &after));
	close(o.fd);
}

TEST(a_disk_without_poll_queues_is_served_as_ever)
{
	struct kvhost_opts o = { .flags = KVHOST_BLK_POLL };
	struct kvhost k;
	struct blkreq r;
	unsigned int i;

	o.fd = backing_open(disk_paths[DISK_TMPFS], O_RDWR);
	kvhost_start(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, LEN);
	set_busyloop(&k, 10000);
	EXPECT_EQ(0, flags(&k));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, 8 * i, LEN));
	EXPECT_EQ(0, polled(&k));
	kvhost_close(&k);
	close(o.fd);
}

static void __attribute__((constructor)) make_disks(void)
{
	/* null_blk has a poll queue unless it is told otherwise. */
	disk_make("poll", 1 << DISK_NULLB | 1 << DISK_TMPFS);
}

TEST_HARNESS_MAIN
