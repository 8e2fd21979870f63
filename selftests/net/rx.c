// SPDX-License-Identifier: GPL-2.0
/*
 * What comes in by the tap reaches the guest's buffers byte for byte, whatever
 * their size, behind a header of which every byte is defined; what fits nowhere
 * is dropped; and what has to wait for buffers waits without spinning.
 *
 * CVE-2014-0077, CVE-2018-16880, CVE-2019-3900, CVE-2020-16843, CVE-2025-40236,
 * HD-045.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include "kselftest_harness.h"
#include "lib/proc.h"
#include "pair.h"

#define ROOM	(1u << 20)

FIXTURE(rx) {
	struct pair p;
};

FIXTURE_VARIANT(rx) {
	struct pair_opts o;
};

FIXTURE_VARIANT_ADD(rx, split) { .o = { .no_event = true } };
FIXTURE_VARIANT_ADD(rx, split_mergeable_indirect) {
	.o = { .mergeable = true, .indirect = true }
};

FIXTURE_VARIANT_ADD(rx, split_in_order_registered) {
	.o = { .mergeable = true, .in_order = true, .registered = true }
};

FIXTURE_VARIANT_ADD(rx, packed) { .o = { .packed = true, .no_event = true } };
FIXTURE_VARIANT_ADD(rx, packed_mergeable_in_order) {
	.o = { .packed = true, .in_order = true, .mergeable = true }
};

FIXTURE_VARIANT_ADD(rx, packed_mergeable_registered) {
	.o = { .packed = true, .registered = true, .mergeable = true }
};

FIXTURE_VARIANT_ADD(rx, no_hdr_mergeable) { .o = { .no_hdr = true, .mergeable = true } };
FIXTURE_VARIANT_ADD(rx, busyloop) { .o = { .busyloop = 50, .mergeable = true } };
FIXTURE_VARIANT_ADD(rx, packet_socket) { .o = { .packet = true, .mergeable = true } };

FIXTURE_VARIANT_ADD(rx, macvtap) { .o = { .macvtap = true, .mergeable = true } };

FIXTURE_SETUP(rx)
{
	pair_start(&self->p, &variant->o);
}

FIXTURE_TEARDOWN(rx)
{
	pair_stop(&self->p);
}

static bool header_defined(const u8 *at, u32 nbufs)
{
	static const u8 zero[HDR - 2];

	return !memcmp(at, zero, sizeof(zero)) && at[10] == (nbufs & 0xff) && at[11] == nbufs >> 8;
}

static const u32 lengths[] = { 14, 42, 60, 1514, 2035, 2036, 2037, 4096, 9014, 20000, 65535 };

TEST_F(rx, bytes)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	u32 i, nbufs;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		pair_offer(&self->p, self->p.buf, 66000, 1);
		frame_fill(out, lengths[i], i);
		packet_send(self->p.peer, out, lengths[i]);
		ASSERT_EQ(pair_take(&self->p, in, &nbufs), lengths[i] + HDR);
		ASSERT_EQ(nbufs, 1);
		ASSERT_TRUE(header_defined(in, 1));
		ASSERT_EQ(memcmp(in + HDR, out, lengths[i]), 0);
	}
	net_stats(&self->p.k, RX, &st);
	EXPECT_EQ(st.packets, ARRAY_SIZE(lengths));
	EXPECT_TRUE(pair_works(&self->p));
}

/* Many small buffers for a frame, down to those that do not hold a header. */
TEST_F(rx, small_buffers)
{
	static const u32 each[] = { 1, 5, 12, 13, 64, 700, 1526, 4096 };
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	u32 i, len, nbufs, want;

	if (!variant->o.mergeable)
		SKIP(return, "for mergeable buffers");
	for (i = 0; i < ARRAY_SIZE(each); i++) {
		len = each[i] == 1 ? 200 : each[i] < 64 ? 1000 : each[i] < 700 ? 10000 : 60000;
		want = (len + HDR + each[i] - 1) / each[i];
		frame_fill(out, len, i);
		packet_send(self->p.peer, out, len);
		pair_offer(&self->p, self->p.buf, each[i], want);
		ASSERT_EQ(pair_take(&self->p, in, &nbufs), len + HDR);
		ASSERT_EQ(nbufs, want);
		ASSERT_TRUE(header_defined(in, want));
		ASSERT_EQ(memcmp(in + HDR, out, len), 0);
	}
}

/* Frames wait, in order, for buffers that come in dribs and drabs. */
TEST_F(rx, no_buffers)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	u32 i, nbufs, n = 20;

	for (i = 0; i < n; i++) {
		frame_fill(out, 1000, i);
		packet_send(self->p.peer, out, 1000);
	}
	/* It does not look again and again, but once a frame at most. */
	EXPECT_TRUE(wait_workers_rest(50));
	net_stats(&self->p.k, RX, &st);
	EXPECT_EQ(st.packets, 0);
	EXPECT_GE(n, st.starved);
	for (i = 0; i < n; i++) {
		pair_offer(&self->p, self->p.buf + i * 2048, 2048, 1);
		ASSERT_EQ(pair_take(&self->p, in, &nbufs), 1000 + HDR);
		ASSERT_EQ(frame_seq(in + HDR), i);
	}
}

/* A frame that needs more than there is yet waits; nothing is written meanwhile. */
TEST_F(rx, not_enough)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	struct kvhost_vring_stats a, b;
	u32 nbufs;

	if (!variant->o.mergeable)
		SKIP(return, "for mergeable buffers");
	pair_offer(&self->p, self->p.buf, 1000, 3);
	frame_fill(out, 3500, 1);
	packet_send(self->p.peer, out, 3500);
	do
		net_stats(&self->p.k, RX, &st);
	while (!st.starved);
	/* It has put them back. */
	ASSERT_TRUE(kvhost_wait_idle(&self->p.k, RX));
	kvhost_stats(&self->p.k, RX, &a);
	EXPECT_TRUE(wait_workers_rest(50));
	kvhost_stats(&self->p.k, RX, &b);
	EXPECT_EQ(b.chains, a.chains);
	/* It has looked when the buffers came and when the frame did. */
	net_stats(&self->p.k, RX, &st);
	EXPECT_GE(4, st.starved);
	EXPECT_FALSE(vq_has_used(&self->p.k.q[RX]));
	pair_offer(&self->p, self->p.buf + 3000, 1000, 1);
	ASSERT_EQ(pair_take(&self->p, in, &nbufs), 3500 + HDR);
	EXPECT_EQ(nbufs, 4);
	EXPECT_EQ(memcmp(in + HDR, out, 3500), 0);
}

/* CVE-2014-0077: without mergeable buffers a frame has to fit one. */
TEST_F(rx, oversized)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	u32 i, nbufs, n = 0;

	if (variant->o.mergeable)
		SKIP(return, "for buffers that are not mergeable");
	pair_offer(&self->p, self->p.buf, 1526, 1);
	for (i = 1515; i < 66000 - 1000; i += i < 1530 ? 1 : 4111, n++) {
		frame_fill(out, i, i);
		packet_send(self->p.peer, out, i);
	}
	frame_fill(out, 1514, 7);
	packet_send(self->p.peer, out, 1514);
	ASSERT_EQ(pair_take(&self->p, in, &nbufs), 1514 + HDR);
	EXPECT_EQ(memcmp(in + HDR, out, 1514), 0);
	net_stats(&self->p.k, RX, &st);
	EXPECT_EQ(st.drops[KVHOST_NET_DROP_TOO_LONG], n);
	EXPECT_EQ(st.packets, 1);
}

/* CVE-2018-16880, HD-045: a ring full of one-byte buffers will never do. */
TEST_F(rx, hopeless)
{
	static u8 out[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	struct timespec ms = { .tv_nsec = 1000000 };
	int left = LIMIT_MS;
	u32 i;

	if (!variant->o.mergeable)
		SKIP(return, "for mergeable buffers");
	pair_offer(&self->p, self->p.buf, 1, self->p.k.q[RX].size);
	frame_fill(out, 60000, 1);
	for (i = 0; i < 20; i++)
		packet_send(self->p.peer, out, 60000);
	do {
		nanosleep(&ms, NULL);
		net_stats(&self->p.k, RX, &st);
	} while (st.drops[KVHOST_NET_DROP_TOO_LONG] < 20 && left--);
	EXPECT_EQ(st.drops[KVHOST_NET_DROP_TOO_LONG], 20);
	EXPECT_EQ(st.packets, 0);
	EXPECT_FALSE(vq_has_used(&self->p.k.q[RX]));
	/* The other queue works. */
	frame_fill(out, 60, 2);
	EXPECT_TRUE(pair_send(&self->p, NULL, out, 60, 0));
}

/* Bursts larger than rings and batches, with the tap's queue as the only limit. */
TEST_F(rx, burst)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	u32 round, i, nbufs;

	for (round = 0; round < 4; round++) {
		pair_offer(&self->p, self->p.buf, 2048, 200);
		for (i = 0; i < 200; i++) {
			frame_fill(out, 64 + i, i);
			packet_send(self->p.peer, out, 64 + i);
		}
		for (i = 0; i < 200; i++) {
			ASSERT_EQ(pair_take(&self->p, in, &nbufs), 64 + i + HDR);
			ASSERT_EQ(frame_seq(in + HDR), i);
		}
	}
}

static bool marked(const u8 *log, u64 gpa)
{
	return log[gpa >> 15] >> (gpa >> 12 & 7) & 1;
}

/* Each page written is marked before the driver sees the frame, no other is. */
TEST_F(rx, dirty_log)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	u8 *log = mmap(NULL, 0x24000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u64 base = (unsigned long)log, at = self->p.buf;
	u32 nbufs, len, page;

	ASSERT_NE(log, MAP_FAILED);
	KVHOST_IOCTL(&self->p.k, VHOST_SET_LOG_BASE, &base);
	self->p.k.features |= 1ull << VHOST_F_LOG_ALL;
	KVHOST_IOCTL(&self->p.k, VHOST_SET_FEATURES, &self->p.k.features);
	for (len = 60; len <= 30000; len += len < 100 ? 4000 : 12970) {
		memset(log, 0, 0x24000);
		pair_offer(&self->p, at, 66000, 1);
		frame_fill(out, len, 1);
		packet_send(self->p.peer, out, len);
		ASSERT_EQ(pair_take(&self->p, in, &nbufs), len + HDR);
		for (page = 0; page < 16; page++)
			EXPECT_EQ(marked(log, at + page * 4096), page * 4096 < len + HDR);
	}
	munmap(log, 0x24000);
}

TEST_HARNESS_MAIN
