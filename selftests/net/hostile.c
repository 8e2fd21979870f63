// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that lie: about headers, lengths and buffers. What would mislead the
 * host's stack is dropped and counted, the buffer comes back, and the next
 * frame passes; what is no buffer for its queue breaks that queue alone.
 *
 * HD-022, HD-043, HD-044, HD-045, CVE-2014-0055, CVE-2024-41090, CVE-2024-41091.
 */
#include <pthread.h>
#include <string.h>
#include "kselftest_harness.h"
#include "pair.h"

#define CSUM	VIRTIO_NET_HDR_F_NEEDS_CSUM
#define TCP4	VIRTIO_NET_HDR_GSO_TCPV4
#define TCP6	VIRTIO_NET_HDR_GSO_TCPV6
#define UFO	VIRTIO_NET_HDR_GSO_UDP
#define ECN	VIRTIO_NET_HDR_GSO_ECN

FIXTURE(hostile) {
	struct pair p;
};

FIXTURE_VARIANT(hostile) {
	struct pair_opts o;
};

FIXTURE_VARIANT_ADD(hostile, split) { .o = { .mergeable = true } };
FIXTURE_VARIANT_ADD(hostile, packed_indirect) { .o = { .packed = true, .indirect = true } };
FIXTURE_VARIANT_ADD(hostile, packed_registered) { .o = { .packed = true, .registered = true } };
FIXTURE_VARIANT_ADD(hostile, limited_sndbuf) { .o = { .sndbuf = 1 << 20 } };

FIXTURE_SETUP(hostile)
{
	pair_start(&self->p, &variant->o);
}

FIXTURE_TEARDOWN(hostile)
{
	pair_stop(&self->p);
}

/* Headers that are refused for a frame of any length up to 64 KiB. */
static const struct virtio_net_hdr bad[] = {
	{ .flags = CSUM, .csum_start = 0xffff, .csum_offset = 0xffff },
	{ .flags = CSUM, .csum_start = 0xfffe },
	{ .flags = CSUM, .csum_start = 34, .csum_offset = 0xffff },
	{ .flags = CSUM, .csum_start = 0, .csum_offset = 0 },
	{ .flags = CSUM, .csum_start = 13, .csum_offset = 2 },
	{ .flags = CSUM, .gso_type = UFO, .gso_size = 0, .csum_start = 34, .csum_offset = 6 },
	{ .gso_type = UFO, .gso_size = 0xffff },
	{ .flags = CSUM, .gso_type = TCP4, .gso_size = 0, .csum_start = 34, .csum_offset = 16 },
	{ .flags = CSUM, .gso_type = TCP4, .gso_size = 0xffff, .csum_start = 34,
	  .csum_offset = 16 },
	{ .flags = CSUM, .gso_type = TCP6, .gso_size = 0, .csum_start = 54, .csum_offset = 16 },
	{ .gso_type = ECN, .gso_size = 1000 },
	{ .gso_type = 5, .gso_size = 1000 },
	{ .gso_type = 0x7f, .gso_size = 1000 },
	{ .gso_type = 2, .gso_size = 1000 },
};

static void fill_tcp(u8 *frame, u32 len)
{
	frame_tcp(frame, len - 54, 1);
}

TEST_F(hostile, headers)
{
	static const u32 lengths[] = { 60, 1514, 3000, 9000 };
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	u8 hdr[HDR] = { };
	u32 i, j, n = 0;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		for (j = 0; j < ARRAY_SIZE(lengths); j++, n++) {
			memcpy(hdr, &bad[i], sizeof(bad[i]));
			fill_tcp(out, lengths[j]);
			ASSERT_TRUE(pair_send(&self->p, hdr, out, lengths[j], 0));
			net_stats(&self->p.k, TX, &st);
			EXPECT_EQ(st.drops[KVHOST_NET_DROP_HEADER], n + 1) {
				TH_LOG("header %u, length %u", i, lengths[j]);
			}
		}
	EXPECT_EQ(packet_recv(self->p.peer, in, 0), 0);
	EXPECT_TRUE(pair_works(&self->p));
}

/* Hints that lie harm nobody, and flags that are not the driver's are ignored. */
TEST_F(hostile, hints)
{
	static const struct virtio_net_hdr odd[] = {
		{ .hdr_len = 0xffff }, { .hdr_len = 1 }, { .hdr_len = 13 },
		{ .flags = 0xfe, .csum_start = 0xffff, .csum_offset = 0xffff },
		{ .gso_size = 0xffff }, { .flags = CSUM, .csum_start = 34, .csum_offset = 16 },
	};
	static const u32 lengths[] = { 60, 1514, 9000 };
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	u8 hdr[HDR] = { };
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(odd); i++)
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			memcpy(hdr, &odd[i], sizeof(odd[i]));
			memset(hdr + 10, 0xff, 2);
			fill_tcp(out, lengths[j]);
			ASSERT_TRUE(pair_send(&self->p, hdr, out, lengths[j], 0));
			ASSERT_EQ(packet_recv(self->p.peer, in, LIMIT_MS), lengths[j]);
			EXPECT_EQ(memcmp(in + 54, out + 54, lengths[j] - 54), 0);
		}
}

/* CVE-2024-41090: from nothing but a header, or part of one, to an Ethernet header. */
TEST_F(hostile, runts)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	struct vq_used u;
	u32 len;

	for (len = 1; len < HDR + 14; len++) {
		struct vq_buf b = { self->p.buf, len, false };

		pair_put(&self->p, b.gpa, NULL, out, 60);
		ASSERT_GE(pair_add(&self->p, TX, &b, 1, &u), 0);
		vq_kick(&self->p.k.q[TX]);
		ASSERT_EQ(vq_wait_used(&self->p.k.q[TX], &u, 1), 1);
		EXPECT_EQ(u.len, 0);
	}
	net_stats(&self->p.k, TX, &st);
	EXPECT_EQ(st.drops[KVHOST_NET_DROP_RUNT], HDR + 13);
	EXPECT_EQ(packet_recv(self->p.peer, in, 0), 0);
	EXPECT_TRUE(pair_works(&self->p));
}

/* HD-043: above 64 KiB and its headers. */
TEST_F(hostile, giants)
{
	static const u32 lengths[] = { 65559, 70000, 1 << 20 };
	static u8 in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	struct vq_used u;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct vq_buf b = { self->p.buf, lengths[i] + HDR, false };

		ASSERT_GE(pair_add(&self->p, TX, &b, 1, &u), 0);
		vq_kick(&self->p.k.q[TX]);
		ASSERT_EQ(vq_wait_used(&self->p.k.q[TX], &u, 1), 1);
	}
	net_stats(&self->p.k, TX, &st);
	EXPECT_EQ(st.drops[KVHOST_NET_DROP_TOO_LONG], i);
	EXPECT_EQ(packet_recv(self->p.peer, in, 0), 0);
	EXPECT_TRUE(pair_works(&self->p));
}

static bool breaks(struct pair *p, unsigned int q, const struct vq_buf *b, unsigned int n)
{
	static u8 out[60];

	must(pair_add(p, q, b, n, p) >= 0, "ring full");
	vq_kick(&p->k.q[q]);
	/* A receive buffer is looked at when there is a frame for it. */
	frame_fill(out, sizeof(out), 1);
	if (q == RX)
		packet_send(p->peer, out, sizeof(out));
	return kvhost_wait_state(&p->k, q, KVHOST_VRING_BROKEN) &&
	       eventfd_wait(p->k.q[q].err_fd, LIMIT_MS) && !vq_has_used(&p->k.q[q]) &&
	       kvhost_wait_idle(&p->k, q);
}

/* Start a broken queue again with an empty ring. */
static void revive(struct pair *p, unsigned int i)
{
	struct vhost_vring_state s = { i, vq_fresh_base(&p->k.q[i]) };

	net_backend(p->k.fd, i, -1);
	vq_reset(&p->k.q[i], s.num);
	KVHOST_IOCTL(&p->k, VHOST_SET_VRING_BASE, &s);
	eventfd_take(p->k.q[i].err_fd);
	eventfd_take(p->k.q[i].call_fd);
	net_backend(p->k.fd, i, p->back);
}

/* Is there a frame to be received? */
static bool receives(struct pair *p)
{
	struct vq_buf b = { p->buf, 2048, true };
	struct vq_used u;

	must(pair_add(p, RX, &b, 1, p) >= 0, "ring full");
	vq_kick(&p->k.q[RX]);
	return vq_wait_used(&p->k.q[RX], &u, 1) == 1;
}

TEST_F(hostile, no_buffers_at_all)
{
	u64 at = self->p.buf, hole = GMEM_HOLE_GPA;
	struct vq_buf tx_write[] = { { at, 100, false }, { at + 4096, 10, true } };
	struct vq_buf tx_hole[] = { { at, 100, false }, { hole, 10, false } };
	struct vq_buf tx_hole_big[] = { { at, 5000, false }, { hole, 5000, false } };
	struct vq_buf rx_read[] = { { at, 100, false }, { at + 4096, 2000, true } };
	struct vq_buf rx_hole[] = { { hole, 2000, true } };

	EXPECT_TRUE(breaks(&self->p, TX, tx_write, 2));
	revive(&self->p, TX);
	EXPECT_TRUE(breaks(&self->p, TX, tx_hole, 2));
	revive(&self->p, TX);
	EXPECT_TRUE(breaks(&self->p, TX, tx_hole_big, 2));
	revive(&self->p, TX);
	EXPECT_TRUE(breaks(&self->p, RX, rx_read, 2));
	revive(&self->p, RX);
	EXPECT_TRUE(breaks(&self->p, RX, rx_hole, 1));
	revive(&self->p, RX);
	/* One frame went down with its buffer, the other is still there. */
	EXPECT_TRUE(receives(&self->p));
	EXPECT_TRUE(pair_works(&self->p));
}

static bool stop_flipping;

/* HD-022: change the header for ever. */
static void *flip(void *arg)
{
	struct virtio_net_hdr *h = arg;
	u32 i;

	for (i = 0; !__atomic_load_n(&stop_flipping, __ATOMIC_RELAXED); i++) {
		h->flags = i & 1;
		h->gso_type = i & 2 ? TCP4 : i & 4 ? UFO : 0;
		h->gso_size = i & 8 ? 0xffff : 1000;
		h->csum_start = i & 16 ? 0xffff : 34;
		h->csum_offset = 16;
		h->hdr_len = i & 32 ? 0xffff : 54;
	}
	return NULL;
}

TEST_F(hostile, race)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	struct vq_used u;
	pthread_t t;
	u32 i, n = 400;

	stop_flipping = false;
	fill_tcp(out, 9000);
	pair_put(&self->p, self->p.buf, NULL, out, 9000);
	pthread_create(&t, NULL, flip, gmem_va(&self->p.k.mem, self->p.buf));
	for (i = 0; i < n; i++) {
		struct vq_buf b = { self->p.buf, HDR + (i & 1 ? 9000 : 1000), false };

		ASSERT_GE(pair_add(&self->p, TX, &b, 1, &u), 0);
		vq_kick(&self->p.k.q[TX]);
		ASSERT_EQ(vq_wait_used(&self->p.k.q[TX], &u, 1), 1);
		while (packet_recv(self->p.peer, in, 0))
			;
	}
	__atomic_store_n(&stop_flipping, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	net_stats(&self->p.k, TX, &st);
	EXPECT_LT(0, st.drops[KVHOST_NET_DROP_HEADER]);
	EXPECT_TRUE(pair_works(&self->p));
}

TEST_HARNESS_MAIN
