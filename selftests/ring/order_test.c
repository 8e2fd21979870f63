// SPDX-License-Identifier: GPL-2.0
/*
 * IN_ORDER: completed anyhow, used in order, in batches.
 */
#include <stdlib.h>

#include "rig.h"

#define PACKED(l) ((l) == KVH_RING_PACKED)

static void shuffle(struct kvh_chain *c, unsigned int n, unsigned int *seed)
{
	unsigned int i;

	for (i = n; i > 1; i--) {
		unsigned int k = rand_r(seed) % i;
		struct kvh_chain t = c[k];

		c[k] = c[i - 1];
		c[i - 1] = t;
	}
}

/* Used entries the device wrote; every other one was skipped over. */
static unsigned int entries, buffers;

static void random_completion(enum kvh_ring_layout l, u32 size)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = size, .in_order = true });
	struct kvh_chain work[64];
	unsigned int n_work = 0, seed = size, offered = 0, seen = 0, round;
	u32 lens[1024];

	for (round = 0; round < 30000; round++) {
		struct drv_seg segs[3] = { { 1, 4, 0 }, { 2, 5, 1 }, { 3, 6, 1 } };
		unsigned int n, i;
		struct drv_used u;
		int id;

		/* Offer. The length the device is to report goes with the order. */
		n = rand_r(&seed) % 4;
		for (i = 0; i < n && offered - seen < 60; i++) {
			unsigned int first = rand_r(&seed) % 3;
			unsigned int count = rand_r(&seed) % (3 - first) + 1;

			if (count > size)
				count = 1;
			id = drv_add(&r->drv, segs + first, count, NULL);
			if (id < 0)
				break;
			offered++;
		}
		drv_publish(&r->drv);

		/* Take, and remember what will be written: all, or less. */
		n = rig_take(r, 8 < 64 - n_work ? 8 : 64 - n_work);
		for (i = 0; i < n; i++) {
			struct kvh_chain *c = &r->chains[i];

			c->written = rand_r(&seed) % 3 ? c->write_len :
				rand_r(&seed) % (c->write_len + 1);
			lens[c->seq % 1024] = c->written << 1 |
				(c->written == c->write_len);
			work[n_work++] = *c;
		}

		/* Complete some, in no order. */
		shuffle(work, n_work, &seed);
		n = n_work ? rand_r(&seed) % (n_work + 1) : 0;
		if (round % 7 == 0)
			n = n_work;
		kvh_ring_complete(&r->ring, work + n_work - n, n);
		n_work -= n;
		rig_trace(r);
		kvh_ring_publish(&r->ring);
		CHECK(r->ring.in_flight == n_work);

		/* The driver model pops its own order: ids must agree with it. */
		while (drv_get_used(&r->drv, &u)) {
			u32 want = lens[(u16)seen % 1024];

			CHECK(!u.bogus);
			if (u.skipped)
				CHECK(want & 1);
			else
				CHECK(u.len == want >> 1);
			entries += !u.skipped;
			buffers++;
			seen++;
		}
	}
	CHECK(seen > 10000);
	rig_free_all();
}

static void resequenced(enum kvh_ring_layout l)
{
	static const u32 sizes[] = { 1, 2, 3, 5, 8, 17, 64, 100 };
	u32 i;

	entries = 0;
	buffers = 0;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (kvh_ring_desc_bytes(l, sizes[i]))
			random_completion(l, sizes[i]);
	/* Batching happened, and not by accident. */
	CHECK(entries < buffers);
}

static void held_until_first(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .in_order = true });
	struct drv_used u;
	unsigned int i;

	for (i = 0; i < 4; i++)
		rig_add1(r, 8, true);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 8) == 4);
	for (i = 3; i > 0; i--) {
		r->chains[i].written = i;
		kvh_ring_complete(&r->ring, &r->chains[i], 1);
		CHECK(!kvh_ring_publish(&r->ring));
		CHECK(!drv_peek_used(&r->drv));
	}
	r->chains[0].written = 7;
	kvh_ring_complete(&r->ring, r->chains, 1);
	CHECK(kvh_ring_publish(&r->ring));
	for (i = 0; i < 4; i++) {
		CHECK(drv_get_used(&r->drv, &u));
		CHECK(u.id == i && u.len == (i ? i : 7) && !u.skipped);
	}
}

/* Three full buffers, one entry: at the place of the first, naming the last. */
static void one_entry(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = PACKED(l) ? 7 : 8,
				.in_order = true });
	struct drv_seg segs[2] = { { 1, 8, 1 }, { 2, 8, 1 } };
	u32 lap, i, stores;

	for (lap = 0; lap < 50; lap++) {
		u16 at = r->drv.used;
		bool wrap = r->drv.used_wrap;
		struct drv_used u;
		int last = 0;
		u64 word;

		for (i = 0; i < 3; i++)
			last = drv_add(&r->drv, segs, 2, NULL);
		CHECK(last >= 0);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 8) == 3);
		for (i = 0; i < 3; i++)
			r->chains[i].written = i < 2 ? 16 : 5;
		rig_trace(r);
		rig_finish(r, r->chains, 3);
		for (stores = 0, i = 0; i < r->n_trace; i++)
			stores += r->trace[i].store;
		if (PACKED(l)) {
			CHECK(stores == 1);
			word = drv_desc_word(&r->drv, at);
			CHECK((u32)word == 5);
			CHECK((u16)(word >> 32) == last);
			CHECK(word >> 48 == ((wrap ? 0x8080u : 0) | 2));
		} else {
			CHECK(stores == 3);
			CHECK(drv_used_elem(&r->drv, at) ==
			      ((u64)5 << 32 | (u32)last));
			CHECK(drv_used_idx(&r->drv) == (u16)(at + 3));
		}
		for (i = 0; i < 3; i++) {
			CHECK(drv_get_used(&r->drv, &u));
			CHECK(u.skipped == (i < 2));
		}
		CHECK(!drv_peek_used(&r->drv));
	}
}

static void short_ends_batch(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .in_order = true });
	/* Full, full, short, full, short. */
	static const u32 written[] = { 8, 8, 7, 8, 0 };
	static const bool skipped[] = { true, true, false, true, false };
	struct drv_used u;
	unsigned int i;

	for (i = 0; i < 5; i++)
		rig_add1(r, 8, true);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 8) == 5);
	for (i = 0; i < 5; i++)
		r->chains[i].written = written[i];
	rig_finish(r, r->chains, 5);
	for (i = 0; i < 5; i++) {
		CHECK(drv_get_used(&r->drv, &u));
		CHECK(u.id == i && u.skipped == skipped[i]);
		CHECK(u.skipped || u.len == written[i]);
	}
}

static void event_across_batch(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .event_idx = true,
				.in_order = true });
	u32 lap, n, after, i;

	/* A batch counts for all the buffers it stands for. */
	for (lap = 0; lap < 300; lap++) {
		n = lap % 7 + 1;
		after = lap % 8;
		drv_arm_after(&r->drv, after);
		for (i = 0; i < n; i++)
			rig_add1(r, 8, false);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 8) == (int)n);
		rig_finish(r, r->chains, n);
		CHECK(rig_need_signal(r) == (n > after));
		for (i = 0; i < n; i++)
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

static void untake_keeps_order(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .in_order = true });
	struct kvh_chain kept[2];
	struct drv_used u;
	unsigned int lap, i;

	for (lap = 0; lap < 40; lap++) {
		u16 first;

		for (i = 0; i < 5; i++)
			rig_add1(r, 8, true);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 8) == 5);
		kept[0] = r->chains[0];
		kept[1] = r->chains[1];
		first = kept[0].id;
		kvh_ring_untake(&r->ring, r->chains + 2, 3);
		CHECK(rig_take(r, 8) == 3);
		CHECK(r->chains[0].id == (first + 2) % 8);
		kvh_ring_complete(&r->ring, r->chains, 3);
		CHECK(!kvh_ring_publish(&r->ring));
		rig_finish(r, kept, 2);
		for (i = 0; i < 5; i++) {
			CHECK(drv_get_used(&r->drv, &u));
			CHECK(u.id == (first + i) % 8);
		}
	}
}

const struct rig_test order_tests[] = {
	{ "CORE-028 CORE-045 CORE-060",
	  "random completion comes back in order, in batches", resequenced, 0 },
	{ "CORE-060", "nothing is shown before the first is done",
	  held_until_first, 0 },
	{ "CORE-029 CORE-045", "one entry, at the first, naming the last",
	  one_entry, 0 },
	{ "CORE-029", "only fully written buffers are skipped over",
	  short_ends_batch, 0 },
	{ "CORE-028 CORE-048", "the event index counts every buffer of a batch",
	  event_across_batch, 0 },
	{ "CORE-060", "buffers put back keep their place", untake_keeps_order, 0 },
	{ 0 }
};
