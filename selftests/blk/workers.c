// SPDX-License-Identifier: GPL-2.0
/*
 * Queues that share workers, and queues that move from worker to worker while
 * requests are in flight: every byte right, no doorbell lost, none starved.
 *
 *	queue 0 .. 63 --- attached to ---> worker 0 .. 3 ---> null_blk
 */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include "disk.h"
#include "lib/proc.h"

#define QUEUES	KVHOST_BLK_QUEUES_MAX
#define DEPTH	8u
#define LEN	4096u

/*
 * Rounds a queue that moves has to survive. They go on until it has moved often
 * enough, however slow its worker's end is, but not for ever.
 */
#define ROUNDS		600u
#define ROUNDS_MOST	(100 * ROUNDS)

/* Chains one turn may take: KVH_TURN_CHAINS of the core. */
#define TURN	256u

FIXTURE(workers) {
	struct kvhost k;
	struct blkreq r[QUEUES][DEPTH];
	struct leak before;
	int fd;
};

FIXTURE_VARIANT(workers) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(workers, split_one) { .ring = { .queues = 64, .workers = 1 } };
FIXTURE_VARIANT_ADD(workers, packed_four) {
	.ring = { .queues = 64, .workers = 4, .packed = true }
};

FIXTURE_SETUP(workers)
{
	struct kvhost_opts o = variant->ring;
	unsigned int i, j;

	leak_snapshot(&self->before);
	self->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	for (i = 0; i < o.queues; i++)
		for (j = 0; j < DEPTH; j++)
			blkreq_init(&self->r[i][j], &self->k.mem, i % GMEM_REGIONS, LEN);
}

FIXTURE_TEARDOWN(workers)
{
	struct leak after;

	kvhost_close(&self->k);
	close(self->fd);
	EXPECT_TRUE(leak_wait_clean(&self->before, &after));
}

static u64 place(unsigned int i, unsigned int j)
{
	return (i * DEPTH + j) * (u64)LEN;
}

static void submit(struct _test_data_workers *self, unsigned int i, unsigned int n, u32 type,
		   u32 seed)
{
	unsigned int j;

	for (j = 0; j < n; j++) {
		struct blkreq *r = &self->r[i][j];

		blkreq_set(r, type, place(i, j) / 512, LEN);
		if (type == VIRTIO_BLK_T_OUT)
			blk_pattern(gmem_va(r->mem, r->data), LEN, place(i, j), seed);
		must(blkreq_submit(r, &self->k.q[i], NULL) >= 0, "ring full");
	}
}

/* Take back @n of queue @i. Return: whether all came back OK and, read, right. */
static bool collect(struct _test_data_workers *self, unsigned int i, unsigned int n, u32 seed)
{
	struct vq_used u[DEPTH];
	unsigned int j;

	if (vq_wait_used(&self->k.q[i], u, n) != n)
		return false;
	for (j = 0; j < n; j++) {
		struct blkreq *r = u[j].cookie;

		if (blkreq_status(r) != VIRTIO_BLK_S_OK)
			return false;
		if (!r->out && !blk_is_pattern(gmem_va(r->mem, r->data), LEN,
					       r->sector * 512, seed))
			return false;
	}
	return true;
}

static u32 worker_of(struct kvhost *k, unsigned int i)
{
	struct vhost_vring_worker w = { .index = i };

	KVHOST_IOCTL(k, VHOST_GET_VRING_WORKER, &w);
	return w.worker_id;
}

static void attach(struct kvhost *k, unsigned int i, u32 id)
{
	struct vhost_vring_worker w = { .index = i, .worker_id = id };

	KVHOST_IOCTL(k, VHOST_ATTACH_VRING_WORKER, &w);
}

static u32 new_worker(struct kvhost *k)
{
	struct vhost_worker_state n;

	KVHOST_IOCTL(k, VHOST_NEW_WORKER, &n);
	return n.worker_id;
}

static void free_worker(struct kvhost *k, u32 id)
{
	struct vhost_worker_state n = { .worker_id = id };

	KVHOST_IOCTL(k, VHOST_FREE_WORKER, &n);
}

TEST_F(workers, sixty_four_queues_share_them)
{
	unsigned int i, round, seen = 0;
	struct leak now;

	leak_snapshot(&now);
	EXPECT_EQ(variant->ring.workers, now.threads - self->before.threads);
	for (i = 0; i < QUEUES; i++)
		seen |= 1u << worker_of(&self->k, i);
	EXPECT_EQ((1u << variant->ring.workers) - 1, seen);
	for (round = 0; round < 3; round++) {
		u32 type = round == 1 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;

		for (i = 0; i < QUEUES; i++)
			submit(self, i, DEPTH, type, round / 2);
		for (i = 0; i < QUEUES; i++)
			ASSERT_TRUE(collect(self, i, DEPTH, round / 2)) {
				TH_LOG("queue %u, round %u", i, round);
			}
	}
}

/*
 * Moves queue 0 on and on, but only once for each request that completes: the
 * next move would otherwise wake a queue whose doorbell the last one lost.
 */
struct mover {
	struct kvhost *k;
	bool renew;
	bool stop;
	unsigned int done;
	unsigned int moves;
};

static bool wait_done(struct mover *m, unsigned int more_than)
{
	while (__atomic_load_n(&m->done, __ATOMIC_RELAXED) == more_than)
		if (__atomic_load_n(&m->stop, __ATOMIC_RELAXED))
			return false;
	return true;
}

static void *move(void *arg)
{
	struct mover *m = arg;
	u32 ids[3], at;
	unsigned int i, done;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		ids[i] = new_worker(m->k);
	for (done = 0; wait_done(m, done);) {
		done = __atomic_load_n(&m->done, __ATOMIC_RELAXED);
		at = m->moves % ARRAY_SIZE(ids);
		attach(m->k, 0, ids[at]);
		if (m->renew) {
			at = (at + 1) % ARRAY_SIZE(ids);
			free_worker(m->k, ids[at]);
			ids[at] = new_worker(m->k);
		}
		__atomic_add_fetch(&m->moves, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static unsigned int moves(struct mover *m)
{
	return __atomic_load_n(&m->moves, __ATOMIC_RELAXED);
}

static void move_under_load(struct __test_metadata *_metadata,
			    struct _test_data_workers *self, bool renew)
{
	struct mover m = { .k = &self->k, .renew = renew };
	const unsigned int enough = renew ? 4 : 11;
	unsigned int round, n;
	pthread_t t;

	ASSERT_EQ(0, pthread_create(&t, NULL, move, &m));
	/* One request at a time is what a lost doorbell would stop for good. */
	for (round = 0; round < ROUNDS || (round < ROUNDS_MOST && moves(&m) < enough); round++) {
		n = round % 3 ? 1 : DEPTH;
		submit(self, 0, n, VIRTIO_BLK_T_OUT, round);
		if (!collect(self, 0, n, round))
			break;
		__atomic_add_fetch(&m.done, 1, __ATOMIC_RELAXED);
		submit(self, 0, n, VIRTIO_BLK_T_IN, round);
		if (!collect(self, 0, n, round))
			break;
		__atomic_add_fetch(&m.done, 1, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	EXPECT_LE(ROUNDS, round);
	TH_LOG("%u moves in %u rounds", m.moves, round);
	EXPECT_LE(enough, m.moves);
}

TEST_F(workers, a_queue_moves_under_load)
{
	move_under_load(_metadata, self, false);
}

TEST_F(workers, a_queue_moves_under_load_and_what_it_left_is_freed)
{
	move_under_load(_metadata, self, true);
}

/* Times the thread named @comm was given a processor. */
static long runs_of(const char *comm)
{
	char path[64];
	long runs;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", worker_named(comm));
	f = fopen(path, "re");
	must(f && fscanf(f, "%*d %*d %ld", &runs) == 1, "%s of %s: %m", path, comm);
	fclose(f);
	return runs;
}

/* A worker of its own for queue 5. Return: its thread */
static pid_t own_worker(struct _test_data_workers *self)
{
	u32 id = new_worker(&self->k);
	char name[16];
	pid_t pid;

	snprintf(name, sizeof(name), "kvhost-%d.w%u", getpid(), id);
	pid = worker_named(name);
	must(pid > 0, "no thread is named %s", name);
	attach(&self->k, 5, id);
	return pid;
}

/* Requests for queue 5, until its worker has the policy, or for @ms. Return: whether it had */
static bool policy_comes(struct _test_data_workers *self, pid_t pid, int policy, u64 ms)
{
	const u64 end = now_ms() + ms;
	struct vq_used u[DEPTH];

	do {
		submit(self, 5, DEPTH, VIRTIO_BLK_T_IN, 1);
		must(vq_wait_used(&self->k.q[5], u, DEPTH) == DEPTH, "queue 5 serves nothing");
		if (sched_getscheduler(pid) == policy)
			return true;
	} while (now_ms() < end);
	return false;
}

TEST_F_TIMEOUT(workers, a_worker_tries_patience_and_keeps_its_nice_value, 130)
{
	pid_t pid = own_worker(self);
	unsigned int i;

	ASSERT_EQ(0, setpriority(PRIO_PROCESS, pid, 3));
	/* Not once, by chance of a beginning, but again and again. */
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(policy_comes(self, pid, SCHED_BATCH, LIMIT_MS));
		ASSERT_TRUE(policy_comes(self, pid, SCHED_OTHER, LIMIT_MS));
	}
	EXPECT_EQ(3, getpriority(PRIO_PROCESS, pid));
}

/* A policy given between two trials is that of the worker a second later. */
static void policy_stays(struct __test_metadata *_metadata, struct _test_data_workers *self,
			 int policy, int priority)
{
	const struct sched_param param = { .sched_priority = priority };
	pid_t pid = own_worker(self);

	/* By then it does try. */
	ASSERT_TRUE(policy_comes(self, pid, SCHED_BATCH, LIMIT_MS));
	do {
		ASSERT_TRUE(policy_comes(self, pid, SCHED_OTHER, LIMIT_MS));
		ASSERT_TRUE(wait_workers_rest(20));
	} while (sched_getscheduler(pid) != SCHED_OTHER);
	ASSERT_EQ(0, sched_setscheduler(pid, policy, &param));
	EXPECT_FALSE(policy_comes(self, pid, SCHED_OTHER, 1000));
	EXPECT_EQ(policy, sched_getscheduler(pid));
}

TEST_F_TIMEOUT(workers, a_worker_made_real_time_stays_so, 50)
{
	policy_stays(_metadata, self, SCHED_FIFO, 1);
}

TEST_F_TIMEOUT(workers, a_worker_made_patient_stays_so, 50)
{
	policy_stays(_metadata, self, SCHED_BATCH, 0);
}

/* Have a thread run on the CPU after the first @nth that we may use, 0: this thread. */
static void run_on(pid_t pid, unsigned int nth)
{
	cpu_set_t may, one;
	int cpu;

	must(!sched_getaffinity(getpid(), sizeof(may), &may), "CPUs: %m");
	for (cpu = 0; !CPU_ISSET(cpu, &may) || nth--; cpu++)
		must(cpu + 1 < CPU_SETSIZE, "no such CPU");
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	must(!sched_setaffinity(pid, sizeof(one), &one), "CPU %d: %m", cpu);
}

static void spend(u64 ns)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000000000ull + now.tv_nsec - begin.tv_nsec < ns);
}

/* What a guest spends on a request, and on an interrupt as well. */
#define EFFORT_NS	200000u

/*
 * Serve @n requests of queue 5 as a guest does that an interrupt keeps from making the
 * next request. All of them are under way to begin with. Return: interrupts meanwhile
 */
static u64 interrupts_of(struct _test_data_workers *self, unsigned int n)
{
	struct kvhost_vring_stats before, after;
	struct vq *q = &self->k.q[5];
	struct blkreq *ready[DEPTH];
	unsigned int nr_ready = 0;
	struct vq_used u;

	kvhost_stats(&self->k, 5, &before);
	while (n) {
		bool called = eventfd_wait(q->call_fd, nr_ready || vq_has_used(q) ? 0 : LIMIT_MS);

		must(called || nr_ready || vq_has_used(q), "queue 5 serves nothing");
		if (called || vq_has_used(q)) {
			if (called)
				eventfd_take(q->call_fd);
			spend(EFFORT_NS);
			for (; n && vq_get_used(q, &u); n--)
				ready[nr_ready++] = u.cookie;
			vq_arm(q);
		}
		/* The interrupt of what was found before it came. */
		if (!nr_ready)
			continue;
		must(blkreq_submit(ready[--nr_ready], q, NULL) >= 0, "ring full");
		spend(EFFORT_NS);
	}
	while (nr_ready)
		must(blkreq_submit(ready[--nr_ready], q, NULL) >= 0, "ring full");
	kvhost_stats(&self->k, 5, &after);
	return after.signals - before.signals;
}

/*
 * Requests, and interrupts for them: a quarter as many if half of them are held, or more if the
 * machine is busy.
 */
#define SHARED		512u
#define SHARED_MOST	(11 * SHARED / 16)

/* Though the worker has a CPU of its own, and could answer each by itself. */
TEST_F_TIMEOUT(workers, requests_of_a_busy_driver_share_an_interrupt, 50)
{
	const u64 end = now_ms() + 2 * LIMIT_MS;
	pid_t pid = own_worker(self);
	struct vq_used u[DEPTH];
	u64 interrupts;
	cpu_set_t may;

	must(!sched_getaffinity(0, sizeof(may), &may), "CPUs: %m");
	if (CPU_COUNT(&may) < 2)
		SKIP(return, "worker and driver need a CPU each: run it where there are two");
	run_on(pid, 1);
	run_on(0, 0);
	submit(self, 5, DEPTH, VIRTIO_BLK_T_IN, 1);
	do
		interrupts = interrupts_of(self, SHARED);
	while (interrupts > SHARED_MOST && now_ms() < end);
	TH_LOG("%llu interrupts for %u requests", interrupts, SHARED);
	EXPECT_GE(SHARED_MOST, interrupts);
	EXPECT_EQ(DEPTH, vq_wait_used(&self->k.q[5], u, DEPTH));
}

TEST_F(workers, a_moved_queue_is_its_new_worker_s_alone)
{
	u32 old = new_worker(&self->k), now = new_worker(&self->k);
	char old_name[16], now_name[16];
	long before_old, before_now;

	snprintf(old_name, sizeof(old_name), "kvhost-%d.w%u", getpid(), old);
	snprintf(now_name, sizeof(now_name), "kvhost-%d.w%u", getpid(), now);
	attach(&self->k, 5, old);
	submit(self, 5, DEPTH, VIRTIO_BLK_T_OUT, 1);
	ASSERT_TRUE(collect(self, 5, DEPTH, 1));
	ASSERT_TRUE(kvhost_wait_idle(&self->k, 5));
	attach(&self->k, 5, now);
	/* What they were woken for may be done before. */
	EXPECT_TRUE(wait_workers_rest(50));
	before_old = runs_of(old_name);
	before_now = runs_of(now_name);
	ASSERT_LT(0, before_old);
	submit(self, 5, DEPTH, VIRTIO_BLK_T_IN, 1);
	ASSERT_TRUE(collect(self, 5, DEPTH, 1));
	EXPECT_EQ(before_old, runs_of(old_name));
	EXPECT_LT(before_now, runs_of(now_name));
}

/* One request that a queue is full of, in turn after turn. */
#define CROWD		2048u
#define CROWD_RING	8192u
#define CROWD_LEN	16384u

/* Give queue 0 a ring of its own, and the request that will be in it over and over. */
static void crowded(struct _test_data_workers *self, struct blkreq *r)
{
	kvhost_enable(&self->k, 0, 0);
	vq_free(&self->k.q[0]);
	kvhost_renew(&self->k, 0, CROWD_RING);
	kvhost_enable(&self->k, 0, 1);
	blkreq_init(r, &self->k.mem, GMEM_MID, CROWD_LEN);
}

/* Fill it, unpublished. */
static void crowd(struct _test_data_workers *self, struct blkreq *r)
{
	struct vq_buf bufs[3];
	unsigned int j, n;

	blkreq_set(r, VIRTIO_BLK_T_IN, 0, CROWD_LEN);
	n = blkreq_plain(r, bufs);
	for (j = 0; j < CROWD; j++)
		must(vq_add(&self->k.q[0], bufs, n, NULL, r) >= 0, "ring full");
}

/*
 * Have queue 4 ask for something while queue 0 is at work. Return: how many requests
 * of queue 0 were served meanwhile; all of them if it was late to ask.
 */
static u64 served_meanwhile(struct __test_metadata *_metadata,
			    struct _test_data_workers *self)
{
	struct kvhost_vring_stats before, a, b;

	kvhost_stats(&self->k, 0, &before);
	vq_kick(&self->k.q[0]);
	do
		kvhost_stats(&self->k, 0, &a);
	while (a.chains == before.chains);
	submit(self, 4, 1, VIRTIO_BLK_T_OUT, 1);
	must(collect(self, 4, 1, 1), "queue 4 has no answer");
	kvhost_stats(&self->k, 0, &b);
	TH_LOG("queue 0: %llu requests when queue 4 asked, %llu when it had its answer",
	       a.chains - before.chains, b.chains - before.chains);
	return a.chains - before.chains > CROWD / 2 ? CROWD : b.chains - a.chains;
}

/*
 * Queue 4 shares the worker of queue 0, which has work for many turns. From the
 * doorbell of queue 4 to its completion, queue 0 gets the turn it is in and one
 * more; how long queue 4 waits is counted in requests of queue 0, not in time. What
 * the test itself is late adds to it, so that the least of some tries counts.
 */
TEST_F_TIMEOUT(workers, a_crowded_queue_does_not_starve_its_neighbour, 60)
{
	struct vhost_vring_state spin = { .index = 0, .num = 10000 };
	u64 served = CROWD;
	unsigned int tries;
	struct vq_used *u;
	struct blkreq r;

	ASSERT_EQ(worker_of(&self->k, 0), worker_of(&self->k, 4));
	/* And were it to spin as long as it may, that ends when others wait. */
	KVHOST_IOCTL(&self->k, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &spin);
	u = calloc(CROWD, sizeof(*u));
	ASSERT_NE(NULL, u);
	crowded(self, &r);
	for (tries = 0; served > 3 * TURN && tries < 8; tries++) {
		crowd(self, &r);
		served = served_meanwhile(_metadata, self);
		EXPECT_EQ(CROWD, vq_wait_used(&self->k.q[0], u, CROWD));
	}
	EXPECT_GE(3 * TURN, served);
	free(u);
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("workers", 1 << DISK_NULLB);
}

TEST_HARNESS_MAIN
