// SPDX-License-Identifier: GPL-2.0
/*
 * Backends come, change and go while frames flow both ways: nothing hangs,
 * nothing stale is seen, nothing is left behind.
 *
 * CVE-2013-4127, CVE-2023-1838, CVE-2023-3301, fixes 6.1.11 and 5.14.9.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "kselftest_harness.h"
#include "lib/leak.h"
#include "pair.h"

#define DEPTH	64u

/* Seconds for what does a thing many times, on a kernel that checks all it does. */
#define SLOW	120

FIXTURE(life) {
	struct leak before;
	struct pair p;
	pthread_t driver;
	pthread_t world;
	bool stop;
	unsigned long sent;
	unsigned long got;
};

FIXTURE_VARIANT(life) {
	struct pair_opts o;
};

FIXTURE_VARIANT_ADD(life, split) { .o = { .mergeable = true } };
FIXTURE_VARIANT_ADD(life, packed_registered) { .o = { .packed = true, .registered = true } };

static void post(struct pair *p, unsigned int q, u32 i)
{
	struct vq_buf b = { p->buf + (q * DEPTH + i) * 8192, 2048, q == RX };

	/* Every fourth is a frame that goes alone. */
	if (q == TX)
		b.len = i % 4 ? 100 + HDR : 6000 + HDR;
	must(vq_add(&p->k.q[q], &b, 1, NULL, p->k.q + i) >= 0, "ring full");
}

/* A driver that keeps both queues full. */
static void *drive(void *arg)
{
	static u8 out[FRAME_MAX];
	struct _test_data_life *self = arg;
	struct pair *p = &self->p;
	struct vq_used u;
	u32 i, q;

	for (q = 0; q < 2; q++)
		for (i = 0; i < DEPTH; i++) {
			frame_fill(out, 6000, i);
			pair_put(p, p->buf + (q * DEPTH + i) * 8192, NULL, out, 6000);
			post(p, q, i);
		}
	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) {
		for (q = 0; q < 2; q++) {
			vq_kick(&p->k.q[q]);
			while (vq_get_used(&p->k.q[q], &u)) {
				if (q == RX && !self->stop)
					__atomic_fetch_add(&self->got, 1, __ATOMIC_RELAXED);
				if (q == TX)
					__atomic_fetch_add(&self->sent, 1, __ATOMIC_RELAXED);
				post(p, q, (struct vq *)u.cookie - p->k.q);
			}
			vq_kick(&p->k.q[q]);
		}
		sched_yield();
	}
	return NULL;
}

/* A world that sends to the guest all the time. */
static void *send_all(void *arg)
{
	static u8 out[FRAME_MAX];
	struct _test_data_life *self = arg;

	frame_fill(out, 900, 3);
	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) {
		/* The device may be gone. */
		if (send(self->p.peer, out, 900, MSG_DONTWAIT) < 0)
			sched_yield();
		while (recv(self->p.peer, out + 1000, 1, MSG_DONTWAIT) > 0)
			;
	}
	return NULL;
}

FIXTURE_SETUP(life)
{
	leak_snapshot(&self->before);
	pair_start(&self->p, &variant->o);
	self->stop = false;
	self->sent = 0;
	self->got = 0;
}

FIXTURE_TEARDOWN(life)
{
	struct leak after;

	pair_stop(&self->p);
	EXPECT_TRUE(leak_wait_clean(&self->before, &after));
}

static void load_start(struct _test_data_life *self)
{
	must(!pthread_create(&self->driver, NULL, drive, self), "thread");
	must(!pthread_create(&self->world, NULL, send_all, self), "thread");
}

static void load_stop(struct _test_data_life *self)
{
	__atomic_store_n(&self->stop, true, __ATOMIC_RELAXED);
	pthread_join(self->driver, NULL);
	pthread_join(self->world, NULL);
}

/* Wait until @n more of what @count counts; false if it does not go on. */
static bool goes_on(const unsigned long *count, unsigned long n)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	unsigned long from = __atomic_load_n(count, __ATOMIC_RELAXED);
	int left;

	for (left = LIMIT_MS; left; left--) {
		if (__atomic_load_n(count, __ATOMIC_RELAXED) - from >= n)
			return true;
		nanosleep(&ms, NULL);
	}
	return false;
}

TEST_F_TIMEOUT(life, swap, SLOW)
{
	int other = tap_open("tap1", &variant->o), i;

	load_start(self);
	for (i = 0; i < 150; i++) {
		int back = i & 1 ? other : self->p.back;

		net_backend(self->p.k.fd, RX, i % 7 ? back : -1);
		net_backend(self->p.k.fd, TX, i % 5 ? back : -1);
		if (i % 50 == 1)
			ASSERT_TRUE(goes_on(&self->sent, 50));
	}
	net_backend(self->p.k.fd, RX, self->p.back);
	net_backend(self->p.k.fd, TX, self->p.back);
	EXPECT_TRUE(goes_on(&self->sent, 100));
	EXPECT_TRUE(goes_on(&self->got, 100));
	load_stop(self);
	close(other);
}

/* CVE-2023-1838: another file comes behind the descriptor while it is looked up. */
static void *dup_over(void *arg)
{
	struct _test_data_life *self = arg;
	int spot = self->p.back + 100, null = open("/dev/null", O_RDWR);

	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) {
		dup2(self->p.back, spot);
		dup2(null, spot);
		close(spot);
	}
	close(null);
	return NULL;
}

TEST_F_TIMEOUT(life, descriptor_race, SLOW)
{
	int spot = self->p.back + 100, i, r, took = 0, refused = 0;
	time_t end = time(NULL) + LIMIT_MS / 1000;
	pthread_t t;

	load_start(self);
	must(!pthread_create(&t, NULL, dup_over, self), "thread");
	for (i = 0; (took < 100 || refused < 100) && time(NULL) < end; i++) {
		r = __net_backend(self->p.k.fd, i & 1, spot);
		took += !r;
		refused += !!r;
		ASSERT_TRUE(!r || r == -ENOTSOCK);
		if (!(i % 16))
			net_backend(self->p.k.fd, i & 1, -1);
	}
	pthread_join((load_stop(self), t), NULL);
	EXPECT_LE(100, took);
	EXPECT_LE(100, refused);
}

TEST_F(life, tap_deleted)
{
	load_start(self);
	ASSERT_TRUE(goes_on(&self->sent, 100));
	ASSERT_TRUE(goes_on(&self->got, 100));
	ASSERT_EQ(system("ip link del tap0"), 0);
	/* The guest is not stopped by it: what it sends is dropped. */
	EXPECT_TRUE(goes_on(&self->sent, 100));
	EXPECT_EQ(__net_backend(self->p.k.fd, RX, -1), 0);
	EXPECT_EQ(__net_backend(self->p.k.fd, RX, self->p.back), -EINVAL);
	EXPECT_EQ(__net_backend(self->p.k.fd, TX, -1), 0);
	load_stop(self);
}

TEST_F(life, link_down)
{
	load_start(self);
	ASSERT_TRUE(goes_on(&self->got, 50));
	ASSERT_EQ(system("ip link set tap0 down"), 0);
	EXPECT_TRUE(goes_on(&self->sent, 50));
	ASSERT_EQ(system("ip link set tap0 up"), 0);
	EXPECT_TRUE(goes_on(&self->sent, 50));
	EXPECT_TRUE(goes_on(&self->got, 50));
	load_stop(self);
}

/* All of guest memory, the region with the frames in one piece or in two. */
static void set_table(struct kvhost *k, bool two)
{
	struct vhost_memory *t = gmem_table(&k->mem);
	struct vhost_memory_region *r, *half;

	t = realloc(t, sizeof(*t) + (t->nregions + 1) * sizeof(*r));
	must(t, "out of memory");
	if (two) {
		r = &t->regions[GMEM_MID];
		half = &t->regions[t->nregions++];
		*half = *r;
		r->memory_size = r->memory_size / 2 & ~4095ull;
		half->guest_phys_addr += r->memory_size;
		half->userspace_addr += r->memory_size;
		half->memory_size -= r->memory_size;
	}
	KVHOST_IOCTL(k, VHOST_SET_MEM_TABLE, t);
	free(t);
}

TEST_F_TIMEOUT(life, memory_table, SLOW)
{
	int i;

	load_start(self);
	ASSERT_TRUE(goes_on(&self->got, 50));
	for (i = 0; i < 30; i++)
		set_table(&self->p.k, i % 2 == 0);
	EXPECT_TRUE(goes_on(&self->sent, 50));
	EXPECT_TRUE(goes_on(&self->got, 50));
	load_stop(self);
}

TEST_F(life, reset_owner)
{
	load_start(self);
	ASSERT_TRUE(goes_on(&self->got, 50));
	KVHOST_IOCTL(&self->p.k, VHOST_RESET_OWNER, NULL);
	EXPECT_EQ(__net_backend(self->p.k.fd, RX, -1), -EPERM);
	load_stop(self);
}

/* The last to have the device open is another process: it is served till then. */
TEST_F_TIMEOUT(life, passed, SLOW)
{
	pid_t pid;
	int st;

	load_start(self);
	ASSERT_TRUE(goes_on(&self->got, 50));
	pid = fork();
	if (!pid) {
		pause();
		_exit(1);
	}
	close(self->p.k.fd);
	self->p.k.fd = -1;
	EXPECT_TRUE(goes_on(&self->sent, 100));
	EXPECT_TRUE(goes_on(&self->got, 100));
	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, &st, 0), pid);
	load_stop(self);
}

/* The position survives -1, and no frame is seen twice or lost on the way out. */
TEST_F_TIMEOUT(life, position, SLOW)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct vhost_vring_state s;
	u32 i;

	for (i = 0; i < 600; i++) {
		frame_fill(out, 64, i);
		ASSERT_TRUE(pair_send(&self->p, NULL, out, 64, 0));
		ASSERT_EQ(packet_recv(self->p.peer, in, LIMIT_MS), 64);
		ASSERT_EQ(frame_seq(in), i);
		if (i % 10)
			continue;
		net_backend(self->p.k.fd, TX, -1);
		s = (struct vhost_vring_state) { .index = TX };
		KVHOST_IOCTL(&self->p.k, VHOST_GET_VRING_BASE, &s);
		EXPECT_EQ(s.num, vq_base(&self->p.k.q[TX]));
		net_backend(self->p.k.fd, TX, self->p.back);
	}
}

/* Frames taken off the tap's ring and not delivered are not lost by a stop. */
TEST_F(life, undelivered)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	struct vq_used u;
	u32 i;

	for (i = 0; i < 100; i++) {
		frame_fill(out, 64, i);
		packet_send(self->p.peer, out, 64);
	}
	post(&self->p, RX, 0);
	vq_kick(&self->p.k.q[RX]);
	ASSERT_EQ(vq_wait_used(&self->p.k.q[RX], &u, 1), 1);
	do
		net_stats(&self->p.k, RX, &st);
	while (!st.starved);
	net_backend(self->p.k.fd, RX, -1);
	for (i = 1; i < 100; i++) {
		ASSERT_EQ(read(self->p.back, in, sizeof(in)), 64 + HDR);
		ASSERT_EQ(frame_seq(in + HDR), i);
	}
}

static _Noreturn void victim(const struct pair_opts *o, int ready)
{
	struct _test_data_life self = { };

	pair_start(&self.p, o);
	load_start(&self);
	must(goes_on(&self.sent, 20) && goes_on(&self.got, 20), "no traffic");
	must(write(ready, &self.p.k.fd, sizeof(int)) == sizeof(int), "pipe: %m");
	pause();
	_exit(1);
}

FIXTURE(killed) {
	char unused;
};

FIXTURE_SETUP(killed)
{
}

FIXTURE_TEARDOWN(killed)
{
}

/* An owner at work; @fd: number of its device. */
static pid_t victim_start(const struct pair_opts *o, int *fd)
{
	pid_t pid;
	int p[2];

	must(!pipe(p), "pipe: %m");
	pid = fork();
	if (!pid)
		victim(o, p[1]);
	close(p[1]);
	must(read(p[0], fd, sizeof(*fd)) == sizeof(*fd), "the owner did not start");
	close(p[0]);
	return pid;
}

static void victim_kill(pid_t pid)
{
	int st;

	kill(pid, SIGKILL);
	must(waitpid(pid, &st, 0) == pid && WIFSIGNALED(st), "the owner ended by itself");
}

/* kill -9 of the owner at any moment leaves nothing behind. */
TEST_F_TIMEOUT(killed, owner, SLOW)
{
	static const struct pair_opts o[] = {
		{ .mergeable = true }, { .packed = true, .registered = true },
	};
	struct leak before, after;
	int i, fd;

	leak_snapshot(&before);
	for (i = 0; i < 6; i++) {
		struct timespec t = { .tv_nsec = random() % 20000000 };
		pid_t pid = victim_start(&o[i & 1], &fd);

		nanosleep(&t, NULL);
		victim_kill(pid);
	}
	EXPECT_TRUE(leak_wait_clean(&before, &after)) {
		TH_LOG("threads %ld -> %ld, pins %ld -> %ld, files %ld -> %ld", before.threads,
		       after.threads, before.pins, after.pins, before.files, after.files);
	}
}

/* Nor when another process has its device, and may do nothing with it but close it. */
TEST_F_TIMEOUT(killed, passed, SLOW)
{
	static const struct pair_opts o[] = {
		{ .mergeable = true }, { .packed = true, .registered = true },
	};
	struct leak before, after;
	int i, fd, pidfd, dev;

	leak_snapshot(&before);
	for (i = 0; i < 4; i++) {
		pid_t pid = victim_start(&o[i & 1], &fd);

		pidfd = syscall(SYS_pidfd_open, pid, 0);
		dev = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		ASSERT_LE(0, dev);
		close(pidfd);
		EXPECT_EQ(__net_backend(dev, TX, -1), -EPERM);
		victim_kill(pid);
		EXPECT_EQ(__net_backend(dev, TX, -1), -EPERM);
		EXPECT_EQ(__net_backend(dev, RX, dev), -EPERM);
		close(dev);
	}
	EXPECT_TRUE(leak_wait_clean(&before, &after));
}

TEST_HARNESS_MAIN
