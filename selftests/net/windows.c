// SPDX-License-Identifier: GPL-2.0
/*
 * How often guest memory is opened for user access, for each frame: rings take none,
 * a frame in one buffer at most one when sent and two when received, registered
 * memory none at all.
 */
#include "kselftest_harness.h"
#include "pair.h"

#define FRAMES	32u

FIXTURE(windows) {
	struct pair p;
};

FIXTURE_VARIANT(windows) {
	struct pair_opts o;
};

FIXTURE_VARIANT_ADD(windows, split) { .o = { .mergeable = true } };
FIXTURE_VARIANT_ADD(windows, packed) { .o = { .mergeable = true, .packed = true } };
FIXTURE_VARIANT_ADD(windows, split_registered) {
	.o = { .mergeable = true, .registered = true }
};

FIXTURE_VARIANT_ADD(windows, packed_registered) {
	.o = { .mergeable = true, .packed = true, .registered = true }
};

FIXTURE_SETUP(windows)
{
	pair_start(&self->p, &variant->o);
}

FIXTURE_TEARDOWN(windows)
{
	pair_stop(&self->p);
}

static const u32 lengths[] = { 60, 1514, 9014, 60000 };

static u64 windows(struct pair *p, unsigned int q)
{
	struct kvhost_vring_stats st;

	kvhost_stats(&p->k, q, &st);
	return st.windows;
}

TEST_F(windows, sent)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	u32 i, n;
	u64 was;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		frame_fill(out, lengths[i], i);
		was = windows(&self->p, TX);
		for (n = 0; n < FRAMES; n++) {
			ASSERT_TRUE(pair_send(&self->p, NULL, out, lengths[i], 0));
			ASSERT_EQ(packet_recv(self->p.peer, in, LIMIT_MS), lengths[i]);
		}
		was = windows(&self->p, TX) - was;
		EXPECT_LE(was, self->p.o.registered ? 0 : FRAMES);
		/* Short ones are read so: the counter is alive. */
		if (!i && !self->p.o.registered)
			EXPECT_EQ(was, FRAMES);
	}
}

TEST_F(windows, received)
{
	static u8 out[FRAME_MAX];
	struct vq_used u;
	u32 i, n;
	u64 was;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct vq_buf b = { self->p.buf, lengths[i] + HDR, true };

		frame_fill(out, lengths[i], i);
		was = windows(&self->p, RX);
		for (n = 0; n < FRAMES; n++) {
			ASSERT_GE(pair_add(&self->p, RX, &b, 1, &u), 0);
			vq_kick(&self->p.k.q[RX]);
			packet_send(self->p.peer, out, lengths[i]);
			ASSERT_EQ(vq_wait_used(&self->p.k.q[RX], &u, 1), 1);
			ASSERT_EQ(u.len, lengths[i] + HDR);
		}
		was = windows(&self->p, RX) - was;
		EXPECT_LE(was, self->p.o.registered ? 0 : 2 * FRAMES);
		if (!i && !self->p.o.registered)
			EXPECT_GE(was, FRAMES);
	}
}

TEST_HARNESS_MAIN
