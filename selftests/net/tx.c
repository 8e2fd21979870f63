// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest sends comes out of the tap byte for byte, in order, however
 * its buffers are cut, and every buffer comes back.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "pair.h"

FIXTURE(tx) {
	struct pair p;
};

FIXTURE_VARIANT(tx) {
	struct pair_opts o;
};

FIXTURE_VARIANT_ADD(tx, split) { .o = { .no_event = true } };
FIXTURE_VARIANT_ADD(tx, split_indirect) { .o = { .indirect = true } };
FIXTURE_VARIANT_ADD(tx, split_in_order_registered) {
	.o = { .in_order = true, .registered = true }
};

FIXTURE_VARIANT_ADD(tx, packed) { .o = { .packed = true, .no_event = true } };
FIXTURE_VARIANT_ADD(tx, packed_in_order) { .o = { .packed = true, .in_order = true } };
FIXTURE_VARIANT_ADD(tx, packed_indirect_registered) {
	.o = { .packed = true, .indirect = true, .registered = true }
};

FIXTURE_VARIANT_ADD(tx, no_hdr) { .o = { .no_hdr = true } };
FIXTURE_VARIANT_ADD(tx, busyloop) { .o = { .busyloop = 50 } };
FIXTURE_VARIANT_ADD(tx, packet_socket) { .o = { .packet = true } };
FIXTURE_VARIANT_ADD(tx, limited_sndbuf) { .o = { .sndbuf = 1 << 20 } };

FIXTURE_VARIANT_ADD(tx, macvtap) { .o = { .macvtap = true } };

FIXTURE_SETUP(tx)
{
	pair_start(&self->p, &variant->o);
}

FIXTURE_TEARDOWN(tx)
{
	pair_stop(&self->p);
}

/* Lengths around every limit there is inside. */
static const u32 lengths[] = {
	14, 18, 60, 61, 1514, 2035, 2036, 2037, 3500, 3600, 3700, 4096, 9014, 16000, 65535,
};

TEST_F(tx, bytes)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	u32 i, n = 0;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		frame_fill(out, lengths[i], i);
		ASSERT_TRUE(pair_send(&self->p, NULL, out, lengths[i], 0));
		ASSERT_EQ(packet_recv(self->p.peer, in, LIMIT_MS), lengths[i]);
		ASSERT_EQ(memcmp(in, out, lengths[i]), 0);
		n += lengths[i];
	}
	net_stats(&self->p.k, TX, &st);
	EXPECT_EQ(st.packets, ARRAY_SIZE(lengths));
	EXPECT_EQ(st.bytes, n);
	EXPECT_TRUE(pair_works(&self->p));
}

TEST_F(tx, segments)
{
	static const u32 cuts[] = { 1, 2, 5, 11, 12, 13, 26, 100 };
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	u32 i, len;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		len = cuts[i] < 26 ? 100 + i : 3000;
		frame_fill(out, len, i);
		ASSERT_TRUE(pair_send(&self->p, NULL, out, len, cuts[i]));
		ASSERT_EQ(packet_recv(self->p.peer, in, LIMIT_MS), len);
		ASSERT_EQ(memcmp(in, out, len), 0);
	}
}

/* Every segment reaches from one page into the next. */
TEST_F(tx, page_ends)
{
	static const struct vq_shape table = { .indirect = true };
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	const u32 each = 64, n = 1000, len = 14 + n * each;
	u64 at = self->p.buf + 2 * 4096 - each / 2;
	struct vq_buf b[1 + n];
	struct vq_used u;
	u32 i;

	frame_fill(out, 14 + each, 1);
	b[0] = (struct vq_buf) { self->p.buf, HDR + 14, false };
	pair_put(&self->p, b[0].gpa, NULL, out, 14);
	gmem_write(&self->p.k.mem, at, out + 14, each);
	for (i = 0; i < n; i++) {
		b[1 + i] = (struct vq_buf) { at, each, false };
		memcpy(out + 14 + i * each, out + 14, each);
	}
	ASSERT_GE(vq_add(&self->p.k.q[TX], b, 1 + n, &table, &u), 0);
	vq_kick(&self->p.k.q[TX]);
	ASSERT_EQ(vq_wait_used(&self->p.k.q[TX], &u, 1), 1);
	ASSERT_EQ(packet_recv(self->p.peer, in, LIMIT_MS), len);
	EXPECT_EQ(memcmp(in, out, len), 0);
}

/* Short and long frames in turns, all rung for at once. */
TEST_F(tx, order)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct vq_used u[100];
	u32 i, len, n = 100;

	for (i = 0; i < n; i++) {
		u64 at = self->p.buf + i * 16384;
		struct vq_buf b = { at, 0, false };

		len = i % 3 ? 64 + i : 5000 + i * 100;
		b.len = len + HDR;
		frame_fill(out, len, i);
		pair_put(&self->p, at, NULL, out, len);
		ASSERT_GE(pair_add(&self->p, TX, &b, 1, &u), 0);
	}
	vq_kick(&self->p.k.q[TX]);
	ASSERT_EQ(vq_wait_used(&self->p.k.q[TX], u, n), n);
	for (i = 0; i < n; i++) {
		ASSERT_LT(0, packet_recv(self->p.peer, in, LIMIT_MS));
		ASSERT_EQ(frame_seq(in), i);
	}
}

/* A segmentation offload goes into the host in one piece. */
TEST_F(tx, offload)
{
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 54,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16,
	};
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	u8 hdr[HDR] = { };
	u32 len;

	if (variant->o.no_hdr || variant->o.packet)
		SKIP(return, "no header, no offload");
	len = frame_tcp(out, 60000, 1);
	memcpy(hdr, &h, sizeof(h));
	ASSERT_TRUE(pair_send(&self->p, hdr, out, len, 4096));
	ASSERT_EQ(packet_recv(self->p.peer, in, LIMIT_MS), len);
	EXPECT_EQ(memcmp(in + 54, out + 54, len - 54), 0);
	/* And one that fits a page. */
	len = frame_tcp(out, 3000, 2);
	ASSERT_TRUE(pair_send(&self->p, hdr, out, len, 0));
	ASSERT_EQ(packet_recv(self->p.peer, in, LIMIT_MS), len);
	EXPECT_EQ(memcmp(in + 54, out + 54, len - 54), 0);
}

/* Microseconds; the module's own setting comes back at the end of a test. */
static u32 linger_set(u32 us)
{
	static const char path[] = "/sys/module/kvhost_net/parameters/tx_linger_us";
	FILE *f = fopen(path, "re+");
	u32 was;

	must(f && fscanf(f, "%u", &was) == 1, "%s: %m", path);
	rewind(f);
	must(fprintf(f, "%u", us) > 0 && !fclose(f), "%s: %m", path);
	return was;
}

#define LINGER_ROUNDS	100u

/* Frames of a round that is worth waiting for. */
#define LINGER_BURST	8u

/* Add frames one by one, each with a doorbell if one is wanted; then wait for all. */
static void send_burst(struct pair *p, u32 n)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct vq_used u[LINGER_BURST];
	u32 i;

	frame_fill(out, 60, n);
	for (i = 0; i < n; i++) {
		struct vq_buf b = { p->buf + i * 4096, 60 + HDR, false };

		pair_put(p, b.gpa, NULL, out, 60);
		must(pair_add(p, TX, &b, 1, p) >= 0, "transmit ring full");
		vq_kick(&p->k.q[TX]);
	}
	must(vq_wait_used(&p->k.q[TX], u, n) == n, "frames are not used");
	for (i = 0; i < n; i++)
		must(packet_recv(p->peer, in, LIMIT_MS) == 60, "frame %u has not come", i);
}

/* How many of so many rounds, each begun when the last has ended, needed no doorbell? */
static u32 unrung(u32 linger_us, u32 burst)
{
	u32 i, was = linger_set(linger_us);
	struct kvhost_vring_stats st;
	struct pair p;

	pair_start(&p, &(struct pair_opts){ });
	for (i = 0; i < LINGER_ROUNDS; i++)
		send_burst(&p, burst);
	kvhost_stats(&p.k, TX, &st);
	pair_stop(&p);
	linger_set(was);
	return LINGER_ROUNDS - (st.kicks < LINGER_ROUNDS ? st.kicks : LINGER_ROUNDS);
}

/*
 * While frames follow each other within tx_linger_us, the guest need not ring. On a
 * machine that is busy otherwise they may not follow so soon: it is tried again.
 */
TEST(frames_that_follow_soon_need_no_doorbell)
{
	u32 tries = 20, got;

	do
		got = unrung(10000, LINGER_BURST);
	while (got <= LINGER_ROUNDS / 2 && --tries);
	EXPECT_GT(got, LINGER_ROUNDS / 2);
	EXPECT_LT(unrung(0, LINGER_BURST), LINGER_ROUNDS / 2);
}

/* Keep a CPU busy, and be in nobody's way for long. */
static void hog(int cpu, int ready)
{
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set), "CPU %d: %m", cpu);
	must(!setpriority(PRIO_PROCESS, 0, 19), "setpriority: %m");
	must(write(ready, "", 1) == 1, "write: %m");
	for (;;)
		;
}

/*
 * A guest that sends one frame and waits for what comes of it rings, and is not
 * kept waiting for a timer. Others want every CPU, so that nobody spins.
 */
TEST(a_frame_by_itself_does_not_wait_for_more)
{
	pid_t hogs[CPU_SETSIZE] = { };
	int i, ready[2];
	cpu_set_t all;
	char c;

	must(!pipe(ready) && !sched_getaffinity(0, sizeof(all), &all), "CPUs: %m");
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		hogs[i] = fork();
		must(hogs[i] >= 0, "fork: %m");
		if (!hogs[i])
			hog(i, ready[1]);
		must(read(ready[0], &c, 1) == 1, "hog on CPU %d: %m", i);
	}
	EXPECT_LT(unrung(10000, 1), LINGER_ROUNDS / 2);
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!hogs[i])
			continue;
		kill(hogs[i], SIGKILL);
		waitpid(hogs[i], NULL, 0);
	}
	close(ready[0]);
	close(ready[1]);
}

/* Send a frame and see it used, without asking for an interrupt. */
static bool send_silent(struct pair *p)
{
	struct vq_buf b = { p->buf, HDR + 60, false };
	static u8 out[60];

	frame_fill(out, sizeof(out), 1);
	pair_put(p, p->buf, NULL, out, sizeof(out));
	must(pair_add(p, TX, &b, 1, p) >= 0, "transmit ring full");
	vq_kick(&p->k.q[TX]);
	return vq_spin_used(&p->k.q[TX], 1);
}

/* The same, after the first one, which is signalled in any case. */
static void send_two(struct pair *p)
{
	struct vq *q = &p->k.q[TX];
	struct vq_used u;

	vq_disarm(q);
	must(send_silent(p) && eventfd_wait(q->call_fd, LIMIT_MS), "the first is not signalled");
	eventfd_take(q->call_fd);
	must(vq_get_used(q, &u), "the first is not used");
	vq_disarm(q);
	must(send_silent(p), "the second is not used");
}

FIXTURE(on_empty) {
	struct pair p;
};

FIXTURE_VARIANT(on_empty) {
	struct pair_opts o;
};

FIXTURE_VARIANT_ADD(on_empty, split) { .o = { .on_empty = true, .no_event = true } };
FIXTURE_VARIANT_ADD(on_empty, split_event) { .o = { .on_empty = true } };
FIXTURE_VARIANT_ADD(on_empty, packed) { .o = { .on_empty = true, .packed = true } };

FIXTURE_SETUP(on_empty)
{
	pair_start(&self->p, &variant->o);
}

FIXTURE_TEARDOWN(on_empty)
{
	pair_stop(&self->p);
}

/* A driver that wants no interrupts gets one when it has no buffer left to send. */
TEST_F(on_empty, signalled)
{
	send_two(&self->p);
	EXPECT_TRUE(eventfd_wait(self->p.k.q[TX].call_fd, LIMIT_MS));
}

/* But not without the feature. */
TEST(not_on_empty)
{
	static const struct pair_opts o = { .no_event = true };
	struct kvhost_vring_stats st;
	struct pair p;

	pair_start(&p, &o);
	send_two(&p);
	do
		kvhost_stats(&p.k, TX, &st);
	while (st.signals_suppressed + st.signals < 2);
	EXPECT_EQ(0, eventfd_take(p.k.q[TX].call_fd));
	pair_stop(&p);
}

TEST_HARNESS_MAIN
