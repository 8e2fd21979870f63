// SPDX-License-Identifier: GPL-2.0
/*
 * Driver and device in two threads, under ThreadSanitizer.
 *
 * Payload is written and read with plain accesses on both sides, so that TSan
 * reports a publication that does not order it. Kicks and signals are eventfds
 * with a limit on every wait: a notification that is lost stalls the pair, and
 * the test says so instead of hanging.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "drv.h"
#include "kselftest.h"
#include "ring.h"

#define WAIT_MS		5000
#define BATCH		32u
#define SLOTS_MAX	1024u

void (*kvh_turn)(const void *p, u32 bytes, bool store);

/**
 * struct plan - one run
 * @name:      what it shows
 * @layout:    split or packed
 * @size:      descriptors
 * @event_idx: with event indices
 * @in_order:  with IN_ORDER
 * @silent:    the driver asks for a signal not at the next used buffer but
 *             somewhere among those that are out
 */
struct plan {
	const char *name;
	enum kvh_ring_layout layout;
	u32 size;
	bool event_idx;
	bool in_order;
	bool silent;
};

/**
 * struct pair - a queue and its two threads
 * @plan:   what to do
 * @total:  buffers to pass
 * @ring:   device side; device thread
 * @drv:    driver side; driver thread
 * @kick:   eventfd
 * @call:   eventfd
 * @cell:   payload, one word per id: a number out, its square back
 * @sleeps: times a thread slept, each
 * @lost:   a wait ran into its limit
 * @wrong:  a payload was not what it should be
 */
struct pair {
	const struct plan *plan;
	u64 total;
	struct kvh_ring ring;
	struct drv drv;
	int kick;
	int call;
	u64 cell[SLOTS_MAX];
	u64 sleeps[2];
	const char *lost;
	bool wrong;
};

int kvh_env_read_guest(struct kvh_env *env, u64 addr, void *dst, u32 len)
{
	return -EFAULT;
}

static void ring_bell(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static bool wait_bell(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u64 count;

	return poll(&p, 1, WAIT_MS) == 1 &&
		read(fd, &count, sizeof(count)) == sizeof(count);
}

static bool failed(struct pair *p)
{
	return __atomic_load_n(&p->lost, __ATOMIC_RELAXED) ||
		__atomic_load_n(&p->wrong, __ATOMIC_RELAXED);
}

/* Completes in an order of its own where that is allowed. */
static void serve(struct pair *p, struct kvh_chain *c, int n, unsigned int *seed)
{
	int i;

	for (i = 0; i < n; i++) {
		u64 *cell = &p->cell[c[i].id];

		*cell *= *cell;
		c[i].written = sizeof(*cell);
	}
	while (n) {
		i = rand_r(seed) % n;
		kvh_ring_complete(&p->ring, &c[i], 1);
		c[i] = c[--n];
		if (rand_r(seed) % 8 == 0 && kvh_ring_publish(&p->ring) &&
		    kvh_ring_need_signal(&p->ring))
			ring_bell(p->call);
	}
	if (kvh_ring_publish(&p->ring) && kvh_ring_need_signal(&p->ring))
		ring_bell(p->call);
}

static void *device(void *arg)
{
	struct kvh_chain chains[BATCH];
	struct kvh_seg segs[BATCH * 4];
	struct pair *p = arg;
	unsigned int seed = 1;
	u64 done = 0;

	while (done < p->total && !failed(p)) {
		int n = kvh_ring_take(&p->ring, NULL, chains,
				      rand_r(&seed) % BATCH + 1, segs, BATCH * 4);

		if (n < 0) {
			__atomic_store_n(&p->wrong, true, __ATOMIC_RELAXED);
			break;
		}
		if (n) {
			kvh_ring_disable_kick(&p->ring);
			serve(p, chains, n, &seed);
			done += n;
			continue;
		}
		if (done == p->total || kvh_ring_enable_kick(&p->ring))
			continue;
		p->sleeps[0]++;
		if (!wait_bell(p->kick) && !failed(p))
			__atomic_store_n(&p->lost, "kick", __ATOMIC_RELAXED);
	}
	return NULL;
}

static bool check_used(struct pair *p, u64 *given)
{
	struct drv_used u;

	if (!drv_get_used(&p->drv, &u))
		return false;
	if (u.bogus || p->cell[u.id] != given[u.id] * given[u.id] ||
	    (!u.skipped && u.len != sizeof(u64)))
		__atomic_store_n(&p->wrong, true, __ATOMIC_RELAXED);
	return true;
}

static void *driver(void *arg)
{
	static const struct drv_how direct;
	struct pair *p = arg;
	unsigned int seed = 2;
	u64 given[SLOTS_MAX], sent = 0, got = 0;

	while (got < p->total && !failed(p)) {
		u32 burst = rand_r(&seed) % BATCH + 1;
		struct drv_seg segs[3] = {
			{ 8, 4, 0 }, { 16, 4, 0 }, { 24, 8, 1 } };
		u32 room, n, i;

		for (i = 0; i < burst && sent < p->total; i++) {
			unsigned int k = rand_r(&seed) % 3;
			int id;

			if (p->drv.size < 3)
				k = 2;
			id = drv_add(&p->drv, segs + k, 3 - k, &direct);
			if (id < 0)
				break;
			given[id] = sent * 2654435761u;
			p->cell[id] = given[id];
			sent++;
		}
		drv_publish(&p->drv);
		if (drv_need_kick(&p->drv))
			ring_bell(p->kick);
		while (check_used(p, given))
			got++;
		if (sent < p->total && rand_r(&seed) % 4)
			continue;
		/* Sleep until something is used, or until much of it is. */
		room = p->drv.packed ? p->drv.size - p->drv.n_free : sent - got;
		n = p->plan->silent && room ? rand_r(&seed) % room : 0;
		drv_arm_after(&p->drv, n);
		if (got < p->total && sent > got && !drv_peek_used(&p->drv)) {
			p->sleeps[1]++;
			if (!wait_bell(p->call) && !failed(p))
				__atomic_store_n(&p->lost, "signal",
						 __ATOMIC_RELAXED);
		}
		drv_disarm(&p->drv);
	}
	return NULL;
}

static void *zalloc(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 63) & ~63ul);

	if (!p)
		abort();
	return memset(p, 0, bytes);
}

static void set_up(struct pair *p, const struct plan *plan, u64 total)
{
	struct kvh_ring_config cfg = {
		.layout = plan->layout,
		.size = plan->size,
		.event_idx = plan->event_idx,
		.in_order = plan->in_order,
		.desc = zalloc(kvh_ring_desc_bytes(plan->layout, plan->size)),
		.driver = zalloc(kvh_ring_driver_bytes(plan->layout, plan->size)),
		.device = zalloc(kvh_ring_device_bytes(plan->layout, plan->size)),
		.order = zalloc(plan->size * sizeof(struct kvh_order)),
	};

	memset(p, 0, sizeof(*p));
	p->plan = plan;
	p->total = total;
	p->kick = eventfd(0, EFD_CLOEXEC);
	p->call = eventfd(0, EFD_CLOEXEC);
	if (p->kick < 0 || p->call < 0 || kvh_ring_init(&p->ring, &cfg))
		abort();
	p->drv = (struct drv){
		.packed = plan->layout == KVH_RING_PACKED,
		.event_idx = plan->event_idx,
		.in_order = plan->in_order,
		.size = plan->size,
		.desc = cfg.desc,
		.driver = (u8 *)cfg.driver,
		.device = cfg.device,
	};
	drv_init(&p->drv);
	drv_disarm(&p->drv);
}

static bool run(const struct plan *plan, u64 total)
{
	static struct pair p;
	pthread_t threads[2];

	set_up(&p, plan, total);
	if (pthread_create(&threads[0], NULL, device, &p) ||
	    pthread_create(&threads[1], NULL, driver, &p))
		abort();
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	ksft_print_msg("%s: %llu buffers, device slept %llu times, driver %llu\n",
		       plan->name, (unsigned long long)total,
		       (unsigned long long)p.sleeps[0],
		       (unsigned long long)p.sleeps[1]);
	if (p.lost)
		ksft_print_msg("%s: a %s was lost\n", plan->name, p.lost);
	if (p.wrong)
		ksft_print_msg("%s: a buffer came back wrong\n", plan->name);
	close(p.kick);
	close(p.call);
	free(p.ring.desc);
	free((void *)p.ring.driver);
	free(p.ring.device);
	free(p.ring.order);
	drv_free(&p.drv);
	return !p.lost && !p.wrong;
}

static const struct plan plans[] = {
	{ "split, flags", KVH_RING_SPLIT, 64, 0, 0, 0 },
	{ "packed, flags", KVH_RING_PACKED, 61, 0, 0, 0 },
	{ "split, EVENT_IDX", KVH_RING_SPLIT, 64, 1, 0, 0 },
	{ "packed, EVENT_IDX", KVH_RING_PACKED, 61, 1, 0, 0 },
	{ "split, EVENT_IDX, few signals", KVH_RING_SPLIT, 256, 1, 0, 1 },
	{ "packed, EVENT_IDX, few signals", KVH_RING_PACKED, 255, 1, 0, 1 },
	{ "split, IN_ORDER", KVH_RING_SPLIT, 64, 1, 1, 0 },
	{ "packed, IN_ORDER", KVH_RING_PACKED, 61, 1, 1, 0 },
	{ "split, size 1", KVH_RING_SPLIT, 1, 1, 0, 0 },
	{ "packed, size 1", KVH_RING_PACKED, 1, 1, 0, 0 },
	{ "split, size 2, flags", KVH_RING_SPLIT, 2, 0, 0, 0 },
	{ "packed, size 3, flags", KVH_RING_PACKED, 3, 0, 0, 0 },
};

int main(int argc, char **argv)
{
	u64 total = argc > 1 ? strtoull(argv[1], NULL, 0) : 150000;
	unsigned int i;

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(plans));
	for (i = 0; i < ARRAY_SIZE(plans); i++) {
		u64 n = plans[i].size < 4 ? total / 10 : total;

		ksft_test_result(run(&plans[i], n),
				 "CORE-020 CORE-022 CORE-025 CORE-033 CORE-035 CORE-047 CORE-059 two threads, %s\n",
				 plans[i].name);
	}
	if (ksft_get_fail_cnt())
		ksft_exit_fail();
	ksft_exit_pass();
}
