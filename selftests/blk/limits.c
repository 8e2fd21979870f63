// SPDX-License-Identifier: GPL-2.0
/*
 * Limits in requests and bytes per second.
 *
 *	device A, queues 0..1 -- limited --.
 *	device B, queues 0..1 -- limited --+--> one null_blk
 *	device C, queue 0     -- floods  --'
 *
 * A rate is a count over the time it took, once the burst is used up. Limits are
 * far below what the slowest emulator does, and bursts make up for half a second
 * in which a busy one did nothing, so that a rate that is too low is the limit's
 * fault and not the machine's.
 */
#include <sys/wait.h>
#include <time.h>
#include "disk.h"

#define QUEUES	2u
#define DEPTH	8u
#define FLOOD	32u

/* How long a rate is measured, seconds of the limit's own account. */
#define SECONDS	3u

/**
 * struct side - a device kept busy
 * @k:    the device
 * @r:    its requests
 * @len:  payload of each
 * @done: requests that came back, by queue
 */
struct side {
	struct kvhost k;
	struct blkreq r[QUEUES][FLOOD];
	u32 len;
	u64 done[QUEUES];
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int __limit(struct kvhost *k, struct kvhost_blk_limits l)
{
	l.size = sizeof(l);
	return __kvhost_ioctl(k->fd, KVHOST_BLK_SET_LIMITS, &l);
}

static void limit(struct kvhost *k, struct kvhost_blk_limits l)
{
	int r = __limit(k, l);

	must(!r, "KVHOST_BLK_SET_LIMITS: %s", strerror(-r));
}

static void send(struct side *s, unsigned int i, struct blkreq *r)
{
	blkreq_set(r, VIRTIO_BLK_T_IN, 0, s->len);
	must(blkreq_submit(r, &s->k.q[i], NULL) >= 0, "ring full");
}

static void side_start(struct side *s, int fd, unsigned int queues, unsigned int depth, u32 len)
{
	struct kvhost_opts o = { .fd = fd, .queues = queues, .size = 4 * FLOOD };
	unsigned int i, j;

	memset(s, 0, sizeof(*s));
	kvhost_start(&s->k, &o);
	s->len = len;
	for (i = 0; i < queues; i++)
		for (j = 0; j < depth; j++)
			blkreq_init(&s->r[i][j], &s->k.mem, GMEM_LOW, len);
}

static void side_fill(struct side *s, unsigned int depth)
{
	unsigned int i, j;

	for (i = 0; i < s->k.queues; i++)
		for (j = 0; j < depth; j++)
			send(s, i, &s->r[i][j]);
}

static u64 total(const struct side *s)
{
	return s->done[0] + s->done[1];
}

/*
 * Take back what is used, once around at most, and send it again. Return: how
 * many that were.
 */
static unsigned int turn(struct side *s)
{
	unsigned int i, j, n = 0;
	struct vq_used u;

	for (i = 0; i < s->k.queues; i++)
		for (j = 0; j < FLOOD && vq_get_used(&s->k.q[i], &u); j++) {
			must(blkreq_status(u.cookie) == VIRTIO_BLK_S_OK, "status %u",
			     blkreq_status(u.cookie));
			s->done[i]++;
			n++;
			send(s, i, u.cookie);
		}
	return n;
}

static void nap(void)
{
	nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
}

/* Keep @s busy for @n more requests. Return: false if that takes a minute. */
static bool run(struct side *s, u64 n)
{
	double end = now() + 60;
	u64 want = total(s) + n;

	while (total(s) < want && now() < end)
		if (!turn(s))
			nap();
	return total(s) >= want;
}

/* Requests per second of the next @n. */
static double rate(struct side *s, u64 n)
{
	double start = now();

	must(run(s, n), "%u requests took more than a minute", (unsigned int)n);
	return n / (now() - start);
}

static bool near(double got, double want)
{
	return got > 0.95 * want && got < 1.05 * want;
}

/*
 * Over SECONDS a limit lets pass what they bring and at most its burst, which a driver
 * that was held up may find saved. It brings no less to a driver that always asks.
 */
static bool within(double got, double want, double burst)
{
	return got > 0.95 * want && got < 1.01 * want + burst / SECONDS;
}

FIXTURE(limits) {
	struct side a;
	struct side b;
	struct side c;
	int fd;
};

FIXTURE_SETUP(limits)
{
	self->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	side_start(&self->a, self->fd, QUEUES, DEPTH, 16384);
}

FIXTURE_TEARDOWN(limits)
{
	kvhost_close(&self->a.k);
	close(self->fd);
}

TEST_F(limits, requests_per_second_are_kept_and_queues_share_them)
{
	struct side *a = &self->a;
	double got;

	limit(&a->k, (struct kvhost_blk_limits) { .iops = 200, .iops_burst = 100 });
	side_fill(a, DEPTH);
	ASSERT_TRUE(run(a, 140));
	a->done[0] = 0;
	a->done[1] = 0;
	got = rate(a, SECONDS * 200);
	TH_LOG("%.1f requests per second of 200; queues %llu and %llu", got,
	       (unsigned long long)a->done[0], (unsigned long long)a->done[1]);
	EXPECT_TRUE(near(got, 200));
	EXPECT_LT(0.4 * total(a), a->done[0]);
	EXPECT_LT(0.4 * total(a), a->done[1]);
}

TEST_F(limits, bytes_per_second_are_kept)
{
	struct side *a = &self->a;
	double got;

	limit(&a->k, (struct kvhost_blk_limits) { .bytes = 1 << 20, .bytes_burst = 1 << 19 });
	side_fill(a, DEPTH);
	ASSERT_TRUE(run(a, 48));
	got = rate(a, SECONDS * (1 << 20) / a->len) * a->len;
	TH_LOG("%.0f bytes per second of %u", got, 1 << 20);
	EXPECT_TRUE(near(got, 1 << 20));
}

/* A request above the burst passes, and is paid for. */
TEST_F(limits, a_request_larger_than_the_burst_passes)
{
	struct side *a = &self->a;
	double got;

	limit(&a->k, (struct kvhost_blk_limits) { .bytes = 1 << 20, .bytes_burst = 512 });
	side_fill(a, DEPTH);
	ASSERT_TRUE(run(a, 2));
	got = rate(a, (1 << 20) / a->len) * a->len;
	/* nothing makes up for a wake-up that came late, so it may be fewer */
	TH_LOG("%.0f bytes per second of %u", got, 1 << 20);
	EXPECT_GT(1.05 * (1 << 20), got);
}

TEST_F(limits, a_burst_passes_at_once_and_no_more)
{
	struct kvhost_vring_stats st[QUEUES];
	double start = now();
	unsigned int i;

	limit(&self->a.k, (struct kvhost_blk_limits) { .iops = 1, .iops_burst = 5 });
	side_fill(&self->a, DEPTH);
	ASSERT_TRUE(run(&self->a, 5));
	for (i = 0; i < 20; i++)
		nap();
	for (i = 0; i < QUEUES; i++)
		kvhost_stats(&self->a.k, i, &st[i]);
	EXPECT_LE(5, st[0].chains + st[1].chains);
	/* and one a second, begun or not */
	EXPECT_GE(6 + now() - start, st[0].chains + st[1].chains);
	EXPECT_EQ(0, st[0].in_flight + st[1].in_flight);
}

/* Two limited devices get what they are due while a third takes all it can. */
TEST_F(limits, hold_beside_a_device_that_floods_the_disk)
{
	struct side *a = &self->a, *b = &self->b, *c = &self->c;
	const u64 want_a = SECONDS * 200, want_b = SECONDS * 100;
	double start, end_a = 0, end_b = 0;
	u64 a0, b0;

	side_start(b, self->fd, QUEUES, DEPTH, 4096);
	side_start(c, self->fd, 1, FLOOD, 4096);
	limit(&a->k, (struct kvhost_blk_limits) { .iops = 200, .iops_burst = 100 });
	limit(&b->k, (struct kvhost_blk_limits) {
		.bytes = 100 * 4096, .bytes_burst = 50 * 4096 });
	side_fill(a, DEPTH);
	side_fill(b, DEPTH);
	side_fill(c, FLOOD);
	while (total(a) < 140 || total(b) < 90) {
		turn(a);
		turn(b);
		turn(c);
	}
	a0 = total(a);
	b0 = total(b);
	c->done[0] = 0;
	start = now();
	while ((!end_a || !end_b) && now() < start + 30) {
		turn(a);
		turn(b);
		turn(c);
		if (!end_a && total(a) >= a0 + want_a)
			end_a = (total(a) - a0) / (now() - start);
		if (!end_b && total(b) >= b0 + want_b)
			end_b = (total(b) - b0) / (now() - start);
	}
	TH_LOG("%.1f of 200 and %.1f of 100 per second, beside %llu requests", end_a, end_b,
	       (unsigned long long)c->done[0]);
	EXPECT_TRUE(within(end_a, 200, 100));
	EXPECT_TRUE(within(end_b, 100, 50));
	EXPECT_LT(4 * (want_a + want_b), c->done[0]);
	kvhost_close(&b->k);
	kvhost_close(&c->k);
}

TEST_F(limits, change_and_end_while_requests_wait)
{
	struct kvhost_blk_limits l = { .size = sizeof(l) };
	struct side *a = &self->a;

	limit(&a->k, (struct kvhost_blk_limits) { .iops = 1 });
	side_fill(a, DEPTH);
	ASSERT_TRUE(run(a, 1));
	/* at one a second the next thousand would take a quarter of an hour */
	limit(&a->k, (struct kvhost_blk_limits) { .iops = 5000 });
	KVHOST_IOCTL(&a->k, KVHOST_BLK_GET_LIMITS, &l);
	EXPECT_EQ(5000, l.iops);
	EXPECT_EQ(500, l.iops_burst);
	EXPECT_EQ(0, l.bytes);
	EXPECT_EQ(0, l.bytes_burst);
	ASSERT_TRUE(run(a, 1000));
	limit(&a->k, (struct kvhost_blk_limits) { .bytes = 1 });
	ASSERT_TRUE(run(a, 1));
	limit(&a->k, (struct kvhost_blk_limits) { });
	ASSERT_TRUE(run(a, 2000));
}

TEST_F(limits, a_queue_that_waits_stops_at_once_and_lets_the_other_on)
{
	struct kvhost_vring_stats st;
	struct side *a = &self->a;
	unsigned int round;
	double start;

	for (round = 0; round < 4; round++) {
		limit(&a->k, (struct kvhost_blk_limits) { .bytes = 4096, .bytes_burst = 1 });
		if (!round)
			side_fill(a, DEPTH);
		/* four seconds a request: both stand in line */
		start = now();
		kvhost_enable(&a->k, round & 1, 0);
		EXPECT_GT(2, now() - start);
		kvhost_stats(&a->k, round & 1, &st);
		EXPECT_EQ(0, st.in_flight);
		/* the queue left over does not wait for the one that is gone */
		a->done[0] = 0;
		a->done[1] = 0;
		limit(&a->k, (struct kvhost_blk_limits) { .iops = 500 });
		while (a->done[!(round & 1)] < 100 && now() < start + 20)
			if (!turn(a))
				nap();
		EXPECT_LE(100, a->done[!(round & 1)]);
		kvhost_enable(&a->k, round & 1, 1);
		ASSERT_TRUE(run(a, 50));
	}
}

/* A broken queue at the head of the line does not hold up the others. */
TEST_F(limits, a_queue_that_breaks_while_it_waits_lets_the_other_on)
{
	struct side *a = &self->a;
	struct vq *q = &a->k.q[0];
	double end;

	/* the first uses the burst up, the second makes the queue wait */
	limit(&a->k, (struct kvhost_blk_limits) { .iops = 1, .iops_burst = 1 });
	send(a, 0, &a->r[0][0]);
	send(a, 0, &a->r[0][1]);
	for (end = now() + 20; !vq_used_ready(q) && now() < end;)
		nap();
	send(a, 1, &a->r[1][0]);
	q->avail->idx += 1000;
	must(write(q->kick_fd, &(u64) { 1 }, 8) == 8, "kick: %m");
	ASSERT_TRUE(kvhost_wait_state(&a->k, 0, KVHOST_VRING_BROKEN));
	for (end = now() + 20; a->done[1] < 3 && now() < end;)
		if (!turn(a))
			nap();
	EXPECT_LE(3, a->done[1]);
}

TEST_F(limits, the_owner_can_be_killed_while_requests_wait)
{
	struct leak before, after;
	unsigned int i;
	int st, p[2];
	pid_t pid;
	char ch;

	leak_snapshot(&before);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pipe(p));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			side_start(&self->b, self->fd, QUEUES, DEPTH, 4096);
			limit(&self->b.k, (struct kvhost_blk_limits) { .iops = 1 + i });
			side_fill(&self->b, DEPTH);
			must(run(&self->b, 1), "nothing came back");
			must(write(p[1], "", 1) == 1, "pipe: %m");
			for (;;)
				pause();
		}
		close(p[1]);
		ASSERT_EQ(1, read(p[0], &ch, 1));
		close(p[0]);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &st, 0));
		EXPECT_TRUE(leak_wait_clean(&before, &after));
	}
}

TEST_F(limits, arguments_are_checked)
{
	struct kvhost_blk_limits l = { .size = sizeof(l) };
	struct kvhost *k = &self->a.k;

	EXPECT_EQ(-EINVAL, __limit(k, (struct kvhost_blk_limits) { .flags = 1 }));
	EXPECT_EQ(-EINVAL, __limit(k, (struct kvhost_blk_limits) { .reserved = { 0, 1 } }));
	EXPECT_EQ(-EINVAL, __limit(k, (struct kvhost_blk_limits) { .iops_burst = 1 }));
	EXPECT_EQ(-EINVAL, __limit(k, (struct kvhost_blk_limits) { .bytes_burst = 1 }));
	EXPECT_EQ(-EINVAL, __limit(k, (struct kvhost_blk_limits) {
		.iops = 1, .iops_burst = (1ull << 32) + 1 }));
	EXPECT_EQ(0, __limit(k, (struct kvhost_blk_limits) {
		.iops = ~0ull, .iops_burst = 1ull << 32, .bytes = ~0ull }));
	KVHOST_IOCTL(k, KVHOST_BLK_GET_LIMITS, &l);
	EXPECT_EQ(~0ull, l.iops);
	EXPECT_EQ(1ull << 32, l.iops_burst);
	EXPECT_EQ(1ull << 32, l.bytes_burst);
	side_fill(&self->a, DEPTH);
	EXPECT_TRUE(run(&self->a, 1000));
	/* they end with the backend */
	kvhost_backend(k, &(struct kvhost_opts) { .fd = -1 });
	KVHOST_IOCTL(k, KVHOST_BLK_GET_LIMITS, &l);
	EXPECT_EQ(0, l.iops);
	EXPECT_EQ(0, l.bytes);
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("limits", 1 << DISK_NULLB);
}

TEST_HARNESS_MAIN
