// SPDX-License-Identifier: GPL-2.0
/*
 * No notification is lost, at the one moment when it could be.
 *
 * Device and driver meet in a spin barrier and then do, at the same time, what
 * must not pass each other: one asks for a kick and looks for buffers, the other
 * shows a buffer and looks whether a kick is asked for. Either sees the other;
 * if neither does, both would sleep for ever. Likewise for signals. Before that
 * each reads what the other is to write: a load that hits the cache beside a
 * store that does not is how the two get passed each other. A missing barrier
 * shows within some hundred thousand rounds on two processors; hence no
 * sanitizer, whose calls would order everything.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "drv.h"
#include "kselftest.h"
#include "ring.h"

#define ROUNDS	1000000u
#define SPINS	20000u
#define SECONDS	2

void (*kvh_turn)(const void *p, u32 bytes, bool store);

int kvh_env_read_guest(struct kvh_env *env, u64 addr, void *dst, u32 len)
{
	return -EFAULT;
}

/**
 * struct shared - what the two threads meet over, apart from the ring
 * @arrived: number of arrivals at the barrier
 * @ring:    device side
 * @drv:     driver side
 * @over:    the round that begins is none any more; set by the driver
 * @rounds:  how many there were
 * @device:  what the device saw in this round: work, or the wish for a signal
 * @driver:  what the driver saw: the wish for a kick, or a used buffer
 * @lost:    rounds in which neither saw anything
 * @both:    rounds in which both did
 */
struct shared {
	_Alignas(64) u32 arrived;
	_Alignas(64) bool device;
	_Alignas(64) bool driver;
	_Alignas(64) struct kvh_ring ring;
	_Alignas(64) struct drv drv;
	bool over;
	u32 rounds;
	u32 lost[2];
	u32 both[2];
};

static struct shared s;

/* Both wait until both are here. */
static void meet(u32 *round)
{
	u32 spins = 0;

	__atomic_add_fetch(&s.arrived, 1, __ATOMIC_ACQ_REL);
	*round += 2;
	while ((int)(__atomic_load_n(&s.arrived, __ATOMIC_ACQUIRE) - *round) < 0)
		if (++spins % SPINS == 0)
			sched_yield();
}

static void linger(unsigned int *seed)
{
	unsigned int n = rand_r(seed) % 64;

	while (n--)
		__asm__ __volatile__("");
}

static void *device(void *arg)
{
	struct kvh_chain chain;
	struct kvh_seg seg;
	unsigned int seed = 1;
	u32 round = 0;

	for (;;) {
		kvh_ring_disable_kick(&s.ring);
		meet(&round);
		if (s.over)
			break;
		kvh_ring_has_avail(&s.ring);
		meet(&round);
		linger(&seed);
		s.device = kvh_ring_enable_kick(&s.ring);
		meet(&round);
		/* The buffer is there by now. */
		if (kvh_ring_take(&s.ring, NULL, &chain, 1, &seg, 1) != 1)
			abort();
		kvh_ring_complete(&s.ring, &chain, 1);
		meet(&round);
		kvh_fetch16(s.drv.driver);
		meet(&round);
		linger(&seed);
		kvh_ring_publish(&s.ring);
		s.device = kvh_ring_need_signal(&s.ring);
		meet(&round);
		meet(&round);
	}
	return NULL;
}

static void count(u32 which)
{
	if (!s.device && !s.driver)
		s.lost[which]++;
	if (s.device && s.driver)
		s.both[which]++;
}

static void *driver(void *arg)
{
	struct drv_seg seg = { 8, 8, true };
	unsigned int seed = 2;
	struct drv_used u;
	time_t end = time(NULL) + SECONDS;
	u32 round = 0;

	for (;; s.rounds++) {
		drv_disarm(&s.drv);
		if (drv_add(&s.drv, &seg, 1, NULL) < 0)
			abort();
		if (s.rounds == ROUNDS ||
		    (s.rounds % 1024 == 0 && time(NULL) > end))
			s.over = true;
		meet(&round);
		if (s.over)
			break;
		drv_used_flags(&s.drv);
		meet(&round);
		linger(&seed);
		drv_publish(&s.drv);
		s.driver = drv_need_kick(&s.drv);
		meet(&round);
		count(0);
		meet(&round);
		drv_peek_used(&s.drv);
		meet(&round);
		linger(&seed);
		drv_arm(&s.drv);
		s.driver = drv_peek_used(&s.drv);
		meet(&round);
		count(1);
		if (!drv_get_used(&s.drv, &u))
			abort();
		meet(&round);
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

static void run(enum kvh_ring_layout layout, bool event_idx)
{
	const char *name = layout == KVH_RING_PACKED ? "packed" : "split";
	struct kvh_ring_config cfg = {
		.layout = layout,
		.size = 64,
		.event_idx = event_idx,
		.desc = zalloc(kvh_ring_desc_bytes(layout, 64)),
		.driver = zalloc(kvh_ring_driver_bytes(layout, 64)),
		.device = zalloc(kvh_ring_device_bytes(layout, 64)),
	};
	pthread_t threads[2];
	u32 i;

	memset(&s, 0, sizeof(s));
	if (kvh_ring_init(&s.ring, &cfg))
		abort();
	s.drv = (struct drv){
		.packed = layout == KVH_RING_PACKED,
		.event_idx = event_idx,
		.size = 64,
		.desc = cfg.desc,
		.driver = (u8 *)cfg.driver,
		.device = cfg.device,
	};
	drv_init(&s.drv);
	if (pthread_create(&threads[0], NULL, device, NULL) ||
	    pthread_create(&threads[1], NULL, driver, NULL))
		abort();
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	drv_free(&s.drv);
	free(cfg.desc);
	free((void *)cfg.driver);
	free(cfg.device);

	for (i = 0; i < 2; i++) {
		ksft_print_msg("%u rounds, %u lost, %u seen by both\n",
			       s.rounds, s.lost[i], s.both[i]);
		ksft_test_result(!s.lost[i], "CORE-020 CORE-033 CORE-047 %s%s: no %s is lost\n",
				 name, event_idx ? ", EVENT_IDX" : "",
				 i ? "signal" : "kick");
	}
}

int main(void)
{
	ksft_print_header();
	ksft_set_plan(8);
	run(KVH_RING_SPLIT, false);
	run(KVH_RING_SPLIT, true);
	run(KVH_RING_PACKED, false);
	run(KVH_RING_PACKED, true);
	if (ksft_get_fail_cnt())
		ksft_exit_fail();
	ksft_exit_pass();
}
