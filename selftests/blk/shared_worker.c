// SPDX-License-Identifier: GPL-2.0
/*
 * A worker that waits for the driver of one queue lets go of it: for another queue
 * it serves, and for an ioctl.
 *
 *	queue 0: one request at a time, the next soon after the last
 *	queue 1: one request          } one worker, which spins or sleeps for queue 0
 *
 * How long somebody waits is counted in requests of queue 0, not in time.
 */
#include <pthread.h>
#include <sched.h>
#include "disk.h"
#include "lib/proc.h"

#define LEN		512u
#define SPIN_US		10000u

/* Chains one pass may take: KVH_TURN_CHAINS of the core. */
#define PASS		256u

/* Requests of queue 0 after which the worker has found that it pays to wait. */
#define WARM		500u

FIXTURE(shared_worker) {
	struct kvhost k;
	struct blkreq r[2];
	pthread_t driver;
	bool pause;
	bool paused;
	bool stop;
	int fd;
};

FIXTURE_VARIANT(shared_worker) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(shared_worker, split) { .ring = { .queues = 2, .workers = 1 } };
FIXTURE_VARIANT_ADD(shared_worker, packed) {
	.ring = { .queues = 2, .workers = 1, .packed = true }
};

static void note(const struct worker *w, void *arg)
{
	if (w->owner == getpid())
		*(pid_t *)arg = w->tid;
}

/* Have a thread run on the CPU after the first @nth that we may use, 0: this thread. */
static void run_on(pid_t tid, unsigned int nth)
{
	cpu_set_t may, one;
	int cpu;

	must(!sched_getaffinity(getpid(), sizeof(may), &may), "CPUs: %m");
	for (cpu = 0; !CPU_ISSET(cpu, &may) || nth--; cpu++)
		must(cpu + 1 < CPU_SETSIZE, "no such CPU");
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	must(!sched_setaffinity(tid, sizeof(one), &one), "CPU %d: %m", cpu);
}

static void submit(struct _test_data_shared_worker *self, unsigned int i)
{
	blkreq_set(&self->r[i], VIRTIO_BLK_T_IN, 0, LEN);
	must(blkreq_submit(&self->r[i], &self->k.q[i], NULL) >= 0, "ring full");
}

static bool is_set(bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag, bool on)
{
	__atomic_store_n(flag, on, __ATOMIC_RELEASE);
}

/* The driver of queue 0, which rings when the device asks for it. */
static void *drive(void *arg)
{
	struct _test_data_shared_worker *self = arg;
	struct vq *q = &self->k.q[0];
	struct vq_used u;
	cpu_set_t may;

	must(!sched_getaffinity(getpid(), sizeof(may), &may), "CPUs: %m");
	run_on(0, CPU_COUNT(&may) > 1);
	while (!is_set(&self->stop)) {
		if (is_set(&self->pause)) {
			set(&self->paused, true);
			sched_yield();
			continue;
		}
		submit(self, 0);
		while (!vq_get_used(q, &u))
			vq_arm(q);
	}
	return NULL;
}

static u64 served(struct _test_data_shared_worker *self)
{
	struct kvhost_vring_stats st;

	kvhost_stats(&self->k, 0, &st);
	return st.chains;
}

/* Wait until queue 0 has served @n more. */
static bool goes_on(struct _test_data_shared_worker *self, unsigned int n)
{
	const u64 end = now_ms() + LIMIT_MS;
	u64 from = served(self);

	while (served(self) - from < n && now_ms() < end)
		sched_yield();
	return served(self) - from >= n;
}

FIXTURE_SETUP(shared_worker)
{
	struct vhost_vring_state spin = { .index = 0, .num = SPIN_US };
	struct kvhost_opts o = variant->ring;
	unsigned int i;

	self->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	KVHOST_IOCTL(&self->k, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &spin);
	for (i = 0; i < 2; i++)
		blkreq_init(&self->r[i], &self->k.mem, GMEM_LOW, LEN);
	must(!pthread_create(&self->driver, NULL, drive, self), "thread");
}

FIXTURE_TEARDOWN(shared_worker)
{
	set(&self->stop, true);
	pthread_join(self->driver, NULL);
	kvhost_close(&self->k);
	close(self->fd);
}

/*
 * Both doorbells are rung before the worker runs: this thread has the worker's CPU and
 * goes before it. So both queues are in what the worker takes at once, queue 0 first.
 */
TEST_F_TIMEOUT(shared_worker, K9_a_queue_in_the_same_batch_is_not_waited_past, 60)
{
	const struct sched_param high = { .sched_priority = 1 }, normal = { };
	u64 before, meanwhile, least = PASS;
	unsigned int try;
	struct vq_used u;
	pid_t worker = 0;
	cpu_set_t may;

	must(!sched_getaffinity(0, sizeof(may), &may), "CPUs: %m");
	if (CPU_COUNT(&may) < 2)
		SKIP(return, "worker and driver need a CPU each: run it where there are two");
	each_worker(note, &worker);
	ASSERT_LT(0, worker);
	run_on(worker, 0);
	run_on(0, 0);
	for (try = 0; try < 8; try++) {
		ASSERT_TRUE(goes_on(self, WARM));
		set(&self->paused, false);
		set(&self->pause, true);
		while (!is_set(&self->paused))
			sched_yield();
		/* The worker asks for doorbells and sleeps. */
		ASSERT_TRUE(wait_workers_rest(20));
		ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &high));
		before = served(self);
		vq_kick_always(&self->k.q[0]);
		submit(self, 1);
		set(&self->pause, false);
		while (!vq_get_used(&self->k.q[1], &u))
			eventfd_wait(self->k.q[1].call_fd, 1);
		meanwhile = served(self) - before;
		if (meanwhile < least)
			least = meanwhile;
		ASSERT_EQ(0, sched_setscheduler(0, SCHED_OTHER, &normal));
		vq_arm(&self->k.q[1]);
	}
	TH_LOG("queue 0: %llu requests before queue 1 had its answer", least);
	EXPECT_GT(PASS / 4, least);
}

/* Whatever a pass may take, an ioctl waits for what the worker does just now. */
TEST_F_TIMEOUT(shared_worker, K17_an_ioctl_ends_the_pass, 60)
{
	struct vhost_vring_file call = { .index = 0 };
	unsigned int try, ioctls = 0;
	u64 before, meanwhile = 0;

	call.fd = self->k.q[0].call_fd;
	ASSERT_TRUE(goes_on(self, WARM));
	for (try = 0; try < 200; try++) {
		/* While the worker is at work. */
		ASSERT_TRUE(goes_on(self, 1));
		before = served(self);
		KVHOST_IOCTL(&self->k, VHOST_SET_VRING_CALL, &call);
		meanwhile += served(self) - before;
		ioctls++;
	}
	TH_LOG("queue 0: %llu requests in %u ioctls", meanwhile, ioctls);
	EXPECT_GT(PASS / 8 * ioctls, meanwhile);
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("shared_worker", 1 << DISK_NULLB);
}

TEST_HARNESS_MAIN
