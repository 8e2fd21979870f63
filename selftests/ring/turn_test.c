// SPDX-License-Identifier: GPL-2.0
/*
 * The guest rewrites memory after every single access.
 *
 * The rig checks in all of these that no word is fetched twice within one
 * request, and that a chain, if one is returned, keeps every promise: what was
 * checked is what is used, whatever memory says by then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define PACKED(l) ((l) == KVH_RING_PACKED)

static u8 old_value;
static const struct rig_access *fetched;
static struct rig_access last;

/* Inverts what was just fetched: a second look would see something else. */
static void invert(struct rig *r, const struct rig_access *a)
{
	u8 *base = a->part == 'd' ? r->drv.desc :
		a->part == 'a' ? r->drv.driver : r->drv.device;
	u32 i;

	if (a->store)
		return;
	last = *a;
	fetched = &last;
	for (i = 0; i < a->bytes; i++)
		base[a->off + i] ^= 0xff;
}

static void invert_table(void *p, u32 len)
{
	u8 *b = p;

	old_value = b[0];
	while (len--)
		*b++ ^= 0xff;
}

/* Rewritten after the load: the buffer is what it was when it was loaded. */
static void first_look_counts(enum kvh_ring_layout l)
{
	struct drv_seg segs[4] = {
		{ 0x10, 1, 0 }, { 0x20, 2, 0 }, { 0x30, 3, 1 }, { 0x40, 4, 1 } };
	u32 indirect, k;

	for (indirect = 0; indirect < 2; indirect++) {
		struct rig *r = rig_new(l, (struct rig_opts){ .indirect = true });
		struct drv_how how = { .indirect = indirect };
		int id = drv_add(&r->drv, segs, 4, &how);

		drv_publish(&r->drv);
		r->turn = invert;
		r->env.turn = invert_table;
		CHECK(rig_take(r, 1) == 1);
		CHECK(fetched);
		CHECK(r->chains[0].id == id);
		CHECK(r->chains[0].n_read == 2 && r->chains[0].n_write == 2);
		for (k = 0; k < 4; k++)
			CHECK(r->segs[k].addr == segs[k].addr &&
			      r->segs[k].len == segs[k].len);
		CHECK(r->env.reads == indirect);
		r->turn = NULL;
		rig_free_all();
	}
}

static unsigned int seed;

/* Anything, anywhere, but often enough something that makes sense. */
static void scribble(struct rig *r, const struct rig_access *a)
{
	unsigned int part = rand_r(&seed) % 3, n = rand_r(&seed) % 3;
	u8 *base[3] = { r->drv.desc, r->drv.driver, r->drv.device };

	(void)a;
	while (n--) {
		u32 off = rand_r(&seed) % (r->bytes[part] / 2) * 2;
		u16 v = rand_r(&seed);

		switch (rand_r(&seed) % 4) {
		case 0:
			v %= 2 * r->cfg.size;
			break;
		case 1:
			v = (v & 7) | (v & 0x8000 ? 0x80 : 0x8000);
			break;
		case 2:
			v = r->ring.avail + v % 4;
			break;
		}
		memcpy(base[part] + off, &v, 2);
	}
}

static void scribble_table(void *p, u32 len)
{
	u8 *b = p;

	b[rand_r(&seed) % len] = rand_r(&seed);
}

/* A word of random content somewhere, for a start. */
static void seed_memory(struct rig *r)
{
	struct drv_seg segs[3] = { { 1, 1, 0 }, { 2, 2, 0 }, { 3, 3, 1 } };
	unsigned int i;

	for (i = rand_r(&seed) % 4; i; i--) {
		struct drv_how how = { .indirect = rand_r(&seed) % 2 };

		if (drv_add(&r->drv, segs, rand_r(&seed) % 3 + 1, &how) < 0)
			break;
	}
	drv_publish(&r->drv);
}

/*
 * The verbs in any order while memory changes under them. What remains to be
 * checked: bounded loads, a bounded number in flight, and sticky faults.
 */
static void storm(enum kvh_ring_layout l, u32 in_order)
{
	u32 round, taken_all = 0, faults = 0;

	for (round = 0; round < 3000; round++) {
		u32 size = PACKED(l) ? rand_r(&seed) % 9u + 1 :
			1u << rand_r(&seed) % 4;
		struct rig *r = rig_new(l, (struct rig_opts){
				.size = size, .event_idx = rand_r(&seed) % 2,
				.indirect = rand_r(&seed) % 2,
				.in_order = in_order });
		struct kvh_chain work[16];
		u32 n_work = 0, step;
		int n;

		r->loops = true;
		for (step = 0; step < 30; step++) {
			if (r->cfg.indirect)
				seed_memory(r);
			r->turn = scribble;
			r->env.turn = scribble_table;
			rig_trace(r);
			n = rig_take(r, 16 - n_work);
			CHECK(r->count <= 4 * size * size + 8);
			if (n > 0) {
				memcpy(work + n_work, r->chains,
				       n * sizeof(*work));
				n_work += n;
				taken_all += n;
			}
			CHECK(n_work <= size);
			CHECK(r->ring.in_flight == n_work);
			if (n < 0) {
				faults++;
				CHECK(r->ring.fault != KVH_FAULT_NONE);
				break;
			}
			if (n > 0 && rand_r(&seed) % 4 == 0) {
				u32 k = rand_r(&seed) % n + 1;

				kvh_ring_untake(&r->ring, work + n_work - k, k);
				n_work -= k;
			}
			while (n_work && rand_r(&seed) % 3) {
				u32 k = rand_r(&seed) % n_work;

				work[k].written = rand_r(&seed) %
					(work[k].write_len + 1ull);
				kvh_ring_complete(&r->ring, &work[k], 1);
				memmove(&work[k], &work[k + 1],
					(n_work - k - 1) * sizeof(*work));
				n_work--;
			}
			rig_trace(r);
			if (kvh_ring_publish(&r->ring))
				rig_need_signal(r);
			if (rand_r(&seed) % 2)
				kvh_ring_disable_kick(&r->ring);
			else
				rig_enable_kick(r);
			CHECK(r->count <= 4 * size + 8);
		}
		/* Whatever is left is given back, fault or none. */
		kvh_ring_complete(&r->ring, work, n_work);
		kvh_ring_publish(&r->ring);
		CHECK(r->ring.in_flight == 0);
		rig_free_all();
	}
	printf("# %u buffers, %u faults\n", taken_all, faults);
	/* Both outcomes were met, many times. */
	CHECK(taken_all > 1000 && faults > 500);
}

static void storm_any(enum kvh_ring_layout l)
{
	seed = 11;
	storm(l, 0);
}

static void storm_in_order(enum kvh_ring_layout l)
{
	seed = 12;
	storm(l, 1);
}

/* At each access in turn, one word of the ring is replaced by each of a few. */
static struct {
	u32 when;
	u32 part;
	u32 off;
	u16 value;
} strike;

static void strike_once(struct rig *r, const struct rig_access *a)
{
	u8 *base[3] = { r->drv.desc, r->drv.driver, r->drv.device };

	(void)a;
	if (r->count == strike.when)
		memcpy(base[strike.part] + strike.off, &strike.value, 2);
}

static void every_word_every_time(enum kvh_ring_layout l)
{
	static const u16 values[] = { 0, 1, 3, 4, 0x80, 0x8000, 0x8084, 0xffff };
	struct drv_seg segs[2] = { { 0x10, 1, 0 }, { 0x20, 2, 1 } };
	u32 v, runs = 0;

	for (strike.when = 1; strike.when < 16; strike.when++)
		for (strike.part = 0; strike.part < 3; strike.part++)
			for (strike.off = 0; ; strike.off += 2) {
				struct rig *r = rig_new(l, (struct rig_opts){
						.size = 4, .indirect = true });
				bool over = strike.off >= r->bytes[strike.part];

				rig_free_all();
				if (over)
					break;
				for (v = 0; v < 8; v++) {
					int n;

					r = rig_new(l, (struct rig_opts){
						.size = 4, .indirect = true });
					CHECK(drv_add(&r->drv, segs, 2,
						      NULL) >= 0);
					CHECK(drv_add(&r->drv, segs, 1,
						      NULL) >= 0);
					drv_publish(&r->drv);
					strike.value = values[v];
					r->turn = strike_once;
					r->loops = true;
					rig_trace(r);
					n = rig_take(r, 8);
					CHECK(n <= 4);
					if (n > 0)
						rig_finish(r, r->chains, n);
					runs++;
					rig_free_all();
				}
			}
	CHECK(runs > 1000);
}

const struct rig_test turn_tests[] = {
	{ "HD-021 HD-024 HD-031", "memory rewritten after a load changes nothing",
	  first_look_counts, 0 },
	{ "HD-021 HD-024", "every word replaced at every moment",
	  every_word_every_time, 0 },
	{ "HD-021 HD-031 CVE-2016-5728", "a storm of writes under every verb",
	  storm_any, 0 },
	{ "HD-021 CORE-060", "the same with IN_ORDER", storm_in_order, 0 },
	{ 0 }
};
