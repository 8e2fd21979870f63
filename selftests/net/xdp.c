// SPDX-License-Identifier: GPL-2.0
/*
 * An XDP program on the tap comes and goes, and changes frames, while the guest sends.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include "kselftest_harness.h"
#include "pair.h"

/* Frames under way at most. */
#define BURST	128u

/* Times the program comes and goes. */
#define CHANGES	20000u

/* Bytes that trim_program() takes off a frame's end. */
#define TRIM	10

#define INSN(op, d, s, o, i) \
	((struct bpf_insn){ .code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV_IMM(d, i)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int program_load(const struct bpf_insn *code, unsigned int n)
{
	union bpf_attr a = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (unsigned long)code,
		.insn_cnt = n,
		.license = (unsigned long)"GPL",
	};
	int fd = sys_bpf(BPF_PROG_LOAD, &a);

	must(fd >= 0, "BPF_PROG_LOAD: %m");
	return fd;
}

static int pass_program(void)
{
	const struct bpf_insn code[] = {
		MOV_IMM(BPF_REG_0, XDP_PASS),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return program_load(code, ARRAY_SIZE(code));
}

static int trim_program(void)
{
	const struct bpf_insn code[] = {
		MOV_IMM(BPF_REG_2, -TRIM),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_xdp_adjust_tail),
		MOV_IMM(BPF_REG_0, XDP_PASS),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return program_load(code, ARRAY_SIZE(code));
}

/* Return: a descriptor whose close takes the program off again. */
static int attach(const char *dev, int prog, u32 mode)
{
	union bpf_attr a = {
		.link_create.prog_fd = prog,
		.link_create.target_ifindex = if_nametoindex(dev),
		.link_create.attach_type = BPF_XDP,
		.link_create.flags = mode,
	};
	int fd = sys_bpf(BPF_LINK_CREATE, &a);

	must(fd >= 0, "BPF_LINK_CREATE: %m");
	return fd;
}

FIXTURE(xdp) {
	struct pair p;
	bool stop;
};

FIXTURE_VARIANT(xdp) {
	struct pair_opts o;
};

FIXTURE_VARIANT_ADD(xdp, split) { .o = { .no_event = true } };
FIXTURE_VARIANT_ADD(xdp, packed_registered) { .o = { .packed = true, .registered = true } };

FIXTURE_SETUP(xdp)
{
	self->stop = false;
	pair_start(&self->p, &variant->o);
}

FIXTURE_TEARDOWN(xdp)
{
	pair_stop(&self->p);
}

/* Lengths up to what fits a page with and without the room that XDP wants. */
static u32 length_of(u32 seq)
{
	static const u32 lengths[] = { 60, 100, 700, 1514, 3300, 3500, 3700 };

	return lengths[seq % ARRAY_SIZE(lengths)];
}

static void add_frame(struct pair *p, u32 i)
{
	struct vq_buf b = { p->buf + i * 8192, length_of(i) + HDR, false };

	must(pair_add(p, TX, &b, 1, p->k.q + i) >= 0, "transmit ring full");
}

static void make_frames(struct pair *p)
{
	static u8 out[FRAME_MAX];
	u32 i;

	for (i = 0; i < BURST; i++) {
		frame_fill(out, length_of(i), i);
		pair_put(p, p->buf + i * 8192, NULL, out, length_of(i));
	}
}

/* A driver that keeps the queue full. */
static void *flood(void *arg)
{
	struct _test_data_xdp *self = arg;
	struct vq *q = &self->p.k.q[TX];
	struct vq_used u;
	u32 i, left = BURST;

	for (i = 0; i < BURST; i++)
		add_frame(&self->p, i);
	while (left) {
		vq_kick(q);
		while (vq_get_used(q, &u)) {
			if (__atomic_load_n(&self->stop, __ATOMIC_RELAXED))
				left--;
			else
				add_frame(&self->p, (struct vq *)u.cookie - self->p.k.q);
		}
		sched_yield();
	}
	return NULL;
}

/* Send a burst with one doorbell, and see all of it come out. */
static bool burst_passes(struct pair *p)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct vq_used u[BURST];
	u32 i;

	for (i = 0; i < BURST; i++)
		add_frame(p, i);
	vq_kick(&p->k.q[TX]);
	if (vq_wait_used(&p->k.q[TX], u, BURST) != BURST)
		return false;
	for (i = 0; i < BURST; i++) {
		frame_fill(out, length_of(i), i);
		if (packet_recv(p->peer, in, LIMIT_MS) != (int)length_of(i) ||
		    memcmp(in, out, length_of(i)))
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(xdp, K5_a_program_comes_and_goes, 120)
{
	/*
	 * On another device, too: a program that is new to the kernel, or goes, has
	 * code patched that the worker runs, which the emulator of the test host
	 * does not survive.
	 */
	int prog = pass_program(), kept = attach("lo", prog, XDP_FLAGS_SKB_MODE), link;
	struct pair *p = &self->p;
	pthread_t driver;
	u32 i;

	make_frames(p);
	/* With nobody to receive them, most of the time goes into making frames. */
	close(p->peer);
	ASSERT_EQ(pthread_create(&driver, NULL, flood, self), 0);
	for (i = 0; i < CHANGES; i++) {
		link = attach(p->dev, prog, XDP_FLAGS_DRV_MODE);
		close(link);
	}
	__atomic_store_n(&self->stop, true, __ATOMIC_RELAXED);
	pthread_join(driver, NULL);
	p->peer = packet_open(p->dev);
	EXPECT_TRUE(burst_passes(p));
	link = attach(p->dev, prog, XDP_FLAGS_DRV_MODE);
	EXPECT_TRUE(burst_passes(p));
	close(link);
	EXPECT_TRUE(pair_works(p));
	close(kept);
	close(prog);
}

/* What the guest has sent is counted, not what a program has made of it. */
TEST_F(xdp, K5_a_program_changes_lengths)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	int prog = trim_program(), link = attach(self->p.dev, prog, XDP_FLAGS_DRV_MODE);

	frame_fill(out, 1000, 1);
	ASSERT_TRUE(pair_send(&self->p, NULL, out, 1000, 0));
	ASSERT_EQ(packet_recv(self->p.peer, in, LIMIT_MS), 1000 - TRIM);
	EXPECT_EQ(memcmp(in, out, 1000 - TRIM), 0);
	net_stats(&self->p.k, TX, &st);
	EXPECT_EQ(st.packets, 1);
	EXPECT_EQ(st.bytes, 1000);
	close(link);
	close(prog);
}

TEST_HARNESS_MAIN
