// SPDX-License-Identifier: GPL-2.0
/*
 * Positions, used entries, and what is stored when.
 *
 * Free-running indices and wrap counters, save and restore, putting back,
 * completion out of order, the order of loads and stores.
 */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define PACKED(l) ((l) == KVH_RING_PACKED)

static void used_lengths(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ 0 });
	static const u32 lens[] = { 0, 1, 7, 4096, 0x7fffffff, 0xffffffff };
	struct drv_used u;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		rig_add1(r, 0xffffffff, true);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 1) == 1);
		r->chains[0].written = lens[i];
		rig_finish(r, r->chains, 1);
		CHECK(drv_get_used(&r->drv, &u));
		CHECK(u.len == lens[i]);
		if (PACKED(l))
			CHECK(u.write == (lens[i] > 0));
	}
}

static void counters_run(enum kvh_ring_layout l, u32 size)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = size });
	u32 done = 0, seed = 5;

	while (done < 3 * 65536 + 17) {
		u32 n = rand_r(&seed) % (size < 200 ? size : 200) + 1;

		rig_turn_around(r, n);
		done += n;
	}
	if (!PACKED(l))
		CHECK(kvh_ring_base(&r->ring) == (u16)done);
	rig_free_all();
}

static void free_running(enum kvh_ring_layout l)
{
	counters_run(l, 1);
	counters_run(l, 8);
	counters_run(l, 32768);
}

static void every_id_once(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 32 });
	struct kvh_chain work[32];
	bool out[32] = { 0 };
	unsigned int seed = 8, n_work = 0, round, i;

	for (round = 0; round < 50000; round++) {
		struct drv_seg segs[4] = {
			{ 1, 1, 0 }, { 2, 1, 0 }, { 3, 1, 1 }, { 4, 1, 1 } };
		struct drv_used u;
		int n;

		for (i = rand_r(&seed) % 4; i; i--) {
			int id = drv_add(&r->drv, segs, rand_r(&seed) % 4 + 1,
					 NULL);

			if (id < 0)
				break;
			CHECK(!out[id]);
			out[id] = true;
		}
		drv_publish(&r->drv);
		n = rig_take(r, 32);
		CHECK(n >= 0);
		memcpy(work + n_work, r->chains, n * sizeof(*work));
		n_work += n;
		CHECK(r->ring.in_flight == n_work);
		/* Give a few back, picked at random. */
		for (i = rand_r(&seed) % 4; i && n_work; i--) {
			unsigned int k = rand_r(&seed) % n_work;

			kvh_ring_complete(&r->ring, &work[k], 1);
			work[k] = work[--n_work];
		}
		kvh_ring_publish(&r->ring);
		while (drv_get_used(&r->drv, &u)) {
			CHECK(!u.bogus && out[u.id]);
			out[u.id] = false;
		}
	}
}

static void completion_order(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8 });
	struct drv_used u;
	unsigned int i;
	u16 ids[6];

	for (i = 0; i < 6; i++)
		rig_add1(r, 1, true);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 8) == 6);
	for (i = 0; i < 6; i++) {
		struct kvh_chain *c = &r->chains[(i * 5 + 3) % 6];

		c->written = i & 1;
		ids[i] = c->id;
		kvh_ring_complete(&r->ring, c, 1);
	}
	CHECK(kvh_ring_publish(&r->ring));
	for (i = 0; i < 6; i++) {
		CHECK(drv_get_used(&r->drv, &u));
		CHECK(u.id == ids[i] && u.len == (i & 1));
	}
}

static void publish_last(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8 });
	struct drv_seg segs[2] = { { 1, 1, 1 }, { 2, 1, 1 } };
	unsigned int i, lap;

	for (lap = 0; lap < 20; lap++) {
		u16 first = r->drv.used;

		for (i = 0; i < 3; i++)
			CHECK(drv_add(&r->drv, segs, 1 + i % 2, NULL) >= 0);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 8) == 3);
		rig_trace(r);
		for (i = 0; i < 3; i++) {
			kvh_ring_complete(&r->ring, &r->chains[i], 1);
			/* Not one of them is visible yet. */
			CHECK(!drv_peek_used(&r->drv));
		}
		CHECK(kvh_ring_publish(&r->ring));
		CHECK(r->n_trace == (PACKED(l) ? 3 : 7));
		for (i = 0; i < r->n_trace; i++)
			CHECK(r->trace[i].store);
		/* Last of all: the index, or the first slot of the batch. */
		if (PACKED(l))
			CHECK(r->trace[2].part == 'd' &&
			      r->trace[2].off == 16u * first + 8);
		else
			CHECK(r->trace[6].part == 'u' && r->trace[6].off == 2);
		for (i = 0; i < 3; i++)
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

static void index_first(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8 });
	struct drv_seg segs[2] = { { 1, 1, 0 }, { 2, 1, 1 } };
	u32 head;

	head = drv_add(&r->drv, segs, 2, NULL);
	drv_publish(&r->drv);
	rig_trace(r);
	CHECK(rig_take(r, 8) == 1);
	if (PACKED(l)) {
		/* Flags of the head, with length and ID; the address after. */
		CHECK(r->trace[0].off == 8 && r->trace[0].bytes == 8);
		CHECK(r->trace[1].off == 0 && r->trace[1].bytes == 8);
		/* Two slots of two words, and a look at the slot behind. */
		CHECK(r->n_trace == 5);
	} else {
		CHECK(r->trace[0].part == 'a' && r->trace[0].off == 2);
		CHECK(r->trace[1].part == 'a' && r->trace[1].off == 4);
		CHECK(r->trace[2].part == 'd' && r->trace[2].off == 16 * head + 8);
		CHECK(r->n_trace == 6);
	}
}

static void wrap_flips(enum kvh_ring_layout l)
{
	static const u32 sizes[] = { 1, 2, 3, 5, 7, 256, 32768 };
	u32 i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		u32 size = sizes[i], slot = 0, k;
		struct rig *r = rig_new(l, (struct rig_opts){ .size = size });
		bool wrap = true;

		CHECK(kvh_ring_base(&r->ring) == 0x80008000);
		for (k = 0; k < 4 * size + 3; k++) {
			u32 at = slot | wrap << 15;

			CHECK(kvh_ring_base(&r->ring) == (at | at << 16));
			rig_turn_around(r, 1);
			if (++slot == size) {
				slot = 0;
				wrap = !wrap;
			}
		}
		rig_free_all();
	}
}

static void used_bits_exact(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 5 });
	unsigned int lap;

	for (lap = 0; lap < 40; lap++) {
		u16 at = r->drv.used;
		bool wrap = r->drv.used_wrap, write = lap % 3;
		u64 addr, word;
		u16 id;

		rig_add1(r, 8, write);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 1) == 1);
		id = r->chains[0].id;
		r->chains[0].written = write ? 6 : 0;
		addr = *(u64 *)(r->drv.desc + 16 * at);
		rig_finish(r, r->chains, 1);
		word = drv_desc_word(&r->drv, at);
		CHECK((u32)word == (write ? 6 : 0));
		CHECK((u16)(word >> 32) == id);
		CHECK(word >> 48 == ((wrap ? 0x8080u : 0u) | (write ? 2u : 0u)));
		CHECK(*(u64 *)(r->drv.desc + 16 * at) == addr);
		CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

/* Memory that never was made available, whatever is in it. */
static void not_available(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 4 });
	static const u16 never[2][3] = {
		/* wrap 0: available is USED alone; wrap 1: AVAIL alone */
		{ 0x0000, 0x0080, 0x8080 }, { 0x0000, 0x8000, 0x8080 } };
	u32 lap, k, junk;

	for (lap = 0; lap < 9; lap++) {
		u16 at = r->drv.avail;
		u8 *p = r->drv.desc + 16 * at + 8;
		u64 was = drv_desc_word(&r->drv, at);

		for (k = 0; k < 3; k++)
			for (junk = 0; junk < 65536; junk += 13) {
				u16 flags = (junk & 0x7f7f) |
					never[r->drv.wrap][k];

				*(u64 *)p = (u64)flags << 48 | 1u;
				CHECK(rig_take(r, 4) == 0);
				CHECK(!rig_has_avail(r));
			}
		*(u64 *)p = was;
		/* The previous lap's leftovers are not available either. */
		CHECK(rig_take(r, 4) == 0);
		rig_turn_around(r, 1);
	}
}

static void only_next_slot(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8 });
	u32 i;

	/* All slots but the next look available. */
	for (i = 1; i < 8; i++)
		drv_put_desc(&r->drv, i, 0x1000, 5, 0, i);
	CHECK(rig_take(r, 8) == 0);
	CHECK(!rig_has_avail(r) && !rig_enable_kick(r));
	CHECK(!r->ring.fault);
	/* Once the next one is, they follow. */
	drv_put_desc(&r->drv, 0, 0x1000, 5, 0, 0);
	CHECK(rig_take(r, 8) == 8);
}

static void first_used_last(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8 });
	unsigned int i;

	/* One packet in four buffers: the first becomes visible last. */
	for (i = 0; i < 4; i++)
		rig_add1(r, 100, true);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 8) == 4);
	rig_trace(r);
	rig_finish(r, r->chains, 4);
	if (PACKED(l)) {
		CHECK(r->n_trace == 4);
		CHECK(r->trace[0].off == 24 && r->trace[1].off == 40 &&
		      r->trace[2].off == 56 && r->trace[3].off == 8);
	} else {
		CHECK(r->n_trace == 9 && r->trace[8].off == 2);
	}
}

static void used_left_alone(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8 });
	u8 before[16];
	unsigned int lap;

	for (lap = 0; lap < 40; lap++) {
		u16 at = r->drv.used;
		u8 *p = PACKED(l) ? r->drv.desc + 16 * at :
			r->drv.device + 4 + 8 * (at & 7);
		u32 bytes = PACKED(l) ? 16 : 8;

		rig_add1(r, 1, true);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 1) == 1);
		rig_finish(r, r->chains, 1);
		memcpy(before, p, bytes);
		CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
		/* Seven more buffers later it is still what it was. */
		rig_turn_around(r, 7);
		CHECK(!memcmp(before, p, bytes));
	}
}

static void reset_defaults(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8, .in_order = true });
	struct rig *s;

	/* Mid-lap, in flight, completed but unpublished, at index 65533. */
	if (!PACKED(l)) {
		drv_seek(&r->drv, 65533, true);
		CHECK(!rig_set_base(r, 65533));
	}
	rig_turn_around(r, 5);
	rig_turn_around(r, 5);
	rig_add1(r, 1, true);
	rig_add1(r, 1, true);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 2) == 2);
	kvh_ring_complete(&r->ring, r->chains + 1, 1);

	/* The same object over fresh memory begins at the beginning. */
	s = rig_new(l, (struct rig_opts){ .size = 8, .in_order = true });
	r->cfg.in_order = true;
	s->ring = r->ring;
	CHECK(!kvh_ring_init(&s->ring, &s->cfg));
	CHECK(kvh_ring_base(&s->ring) == (PACKED(l) ? 0x80008000 : 0));
	CHECK(s->ring.in_flight == 0 && s->ring.fault == KVH_FAULT_NONE);
	CHECK(!kvh_ring_publish(&s->ring));
	rig_turn_around(s, 8);
	rig_turn_around(s, 8);
}

/* The same order table serves the queue again after a reset. */
static void reset_order_table(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8, .in_order = true });
	unsigned int i;

	for (i = 0; i < 3; i++)
		rig_add1(r, 1, true);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 8) == 3);
	kvh_ring_complete(&r->ring, r->chains + 1, 2);
	/* Reset: what was completed and not handed back is forgotten. */
	memset(r->cfg.desc, 0, r->bytes[0]);
	memset((void *)r->cfg.driver, 0, r->bytes[1]);
	memset(r->cfg.device, 0, r->bytes[2]);
	drv_free(&r->drv);
	r->drv = (struct drv){
		.packed = PACKED(l), .in_order = true, .size = 8,
		.desc = r->cfg.desc, .driver = (u8 *)r->cfg.driver,
		.device = r->cfg.device,
	};
	drv_init(&r->drv);
	rig_reinit(r);
	CHECK(!kvh_ring_publish(&r->ring));
	for (i = 0; i < 3; i++)
		rig_add1(r, 1, true);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 8) == 3);
	/* The last waits, and the first does not take the second along. */
	kvh_ring_complete(&r->ring, r->chains + 2, 1);
	kvh_ring_complete(&r->ring, r->chains, 1);
	CHECK(kvh_ring_publish(&r->ring));
	CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	CHECK(!drv_peek_used(&r->drv));
	rig_finish(r, r->chains + 1, 1);
	CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
}

static void other_settings(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8 });
	struct rig *s = rig_new(l, (struct rig_opts){ .size = 32, .event_idx = true });

	rig_turn_around(r, 3);
	s->ring = r->ring;
	CHECK(!kvh_ring_init(&s->ring, &s->cfg));
	rig_trace(r);
	rig_turn_around(s, 32);
	rig_turn_around(s, 20);
	CHECK(!rig_enable_kick(s));
	/* The old addresses are not touched any more. */
	CHECK(r->count == 0);
}

/* Stops at every position, saves, restores into another ring, goes on. */
static void save_restore(enum kvh_ring_layout l)
{
	u32 size = PACKED(l) ? 5 : 4, in_order, k;

	for (in_order = 0; in_order < 2; in_order++) {
		struct rig *r = rig_new(l, (struct rig_opts){
				.size = size, .in_order = in_order });

		if (!PACKED(l)) {
			drv_seek(&r->drv, 65500, true);
			CHECK(!rig_set_base(r, 65500));
		}
		for (k = 0; k < 100; k++) {
			u32 base;

			rig_turn_around(r, k % size + 1);
			/* One is offered while the ring stands still. */
			rig_add1(r, 1, true);
			drv_publish(&r->drv);
			base = kvh_ring_base(&r->ring);
			rig_reinit(r);
			CHECK(!rig_set_base(r, base));
			CHECK(kvh_ring_base(&r->ring) == base);
			CHECK(rig_take(r, 8) == 1);
			rig_finish(r, r->chains, 1);
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
		}
		rig_free_all();
	}
}

static void base_encoding(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 5 });
	static const u16 slots[] = { 0, 1, 2, 3, 4, 5, 6, 100, 0x7ffe, 0x7fff };
	u32 accepted = 0, i, k;
	struct drv_seg segs[2] = { { 1, 1, 0 }, { 2, 1, 1 } };

	/* avail idx and wrap below, used idx and wrap above. */
	CHECK(drv_add(&r->drv, segs, 2, NULL) >= 0);
	CHECK(drv_add(&r->drv, segs, 1, NULL) >= 0);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 8) == 2);
	CHECK(kvh_ring_base(&r->ring) == 0x80008003);
	kvh_ring_complete(&r->ring, r->chains, 1);
	CHECK(kvh_ring_publish(&r->ring));
	CHECK(kvh_ring_base(&r->ring) == 0x80028003);

	for (i = 0; i < 20; i++)
		for (k = 0; k < 20; k++) {
			u32 avail = slots[i % 10] | (i < 10 ? 0 : 0x8000);
			u32 used = slots[k % 10] | (k < 10 ? 0 : 0x8000);
			u32 real = used ? used : avail, out;
			bool ok;

			out = (avail & 0x7fff) - (real & 0x7fff) +
				((avail ^ real) & 0x8000 ? 5 : 0);
			ok = slots[i % 10] < 5 && (real & 0x7fff) < 5 && out <= 5;
			rig_reinit(r);
			CHECK(rig_set_base(r, avail | used << 16) ==
			      (ok ? 0 : -EINVAL));
			/* An empty upper half means: nothing in flight. */
			if (ok)
				CHECK(kvh_ring_base(&r->ring) ==
				      (avail | real << 16));
			accepted += ok;
		}
	CHECK(accepted > 50);
}

static void base_split(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8 });
	u32 used, diff;

	CHECK(rig_set_base(r, 0x10000) == -EINVAL);
	CHECK(rig_set_base(r, ~0u) == -EINVAL);
	CHECK(!r->ring.fault);
	for (used = 0; used < 65536; used += 257)
		for (diff = 0; diff < 65536; diff = diff < 20 ? diff + 1 : diff * 2) {
			u16 base = used + diff;

			*(u16 *)(r->drv.device + 2) = used;
			rig_reinit(r);
			if (diff <= 8) {
				CHECK(!rig_set_base(r, base));
				CHECK(kvh_ring_base(&r->ring) == base);
				continue;
			}
			CHECK(rig_set_base(r, base) == -EPROTO);
			CHECK(r->ring.fault == KVH_FAULT_AVAIL_JUMP);
			CHECK(rig_take(r, 1) == -EPROTO);
		}
}

static void put_back(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 16 });
	struct drv_seg segs[3] = { { 1, 1, 0 }, { 2, 1, 0 }, { 3, 1, 1 } };
	struct kvh_chain copy[8];
	unsigned int lap, i;

	for (lap = 0; lap < 100; lap++) {
		u32 base = kvh_ring_base(&r->ring);

		for (i = 0; i < 5; i++) {
			segs[0].addr = lap + i;
			CHECK(drv_add(&r->drv, segs, i % 3 + 1, NULL) >= 0);
		}
		drv_publish(&r->drv);
		CHECK(rig_take(r, 8) == 5);
		memcpy(copy, r->chains, sizeof(copy));
		kvh_ring_untake(&r->ring, r->chains, 0);
		CHECK(r->ring.in_flight == 5);
		kvh_ring_untake(&r->ring, r->chains, 5);
		CHECK(r->ring.in_flight == 0);
		CHECK(kvh_ring_base(&r->ring) == base);
		/* All of them again, then the last two once more. */
		CHECK(rig_take(r, 8) == 5);
		CHECK(!memcmp(copy, r->chains, 5 * sizeof(copy[0])));
		kvh_ring_untake(&r->ring, r->chains + 3, 2);
		rig_finish(r, r->chains, 3);
		CHECK(rig_take(r, 8) == 2);
		CHECK(r->chains[0].id == copy[3].id);
		CHECK(r->segs[0].addr == lap + 3);
		rig_finish(r, r->chains, 2);
		for (i = 0; i < 5; i++)
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

static void known_before(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 16 });
	unsigned int i;

	for (i = 0; i < 10; i++)
		rig_add1(r, 1, false);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 4) == 4);
	CHECK(rig_has_avail(r) && rig_enable_kick(r));
	CHECK(rig_take(r, 4) == 4);
	CHECK(rig_take(r, 4) == 2);
	CHECK(!rig_has_avail(r) && !rig_enable_kick(r));
	CHECK(rig_take(r, 0) == 0);
	CHECK(r->ring.in_flight == 10);
}

static void names(enum kvh_ring_layout l)
{
	enum kvh_ring_fault f, g;

	(void)l;
	for (f = 0; f < KVH_FAULT_NR; f++)
		for (g = 0; g < KVH_FAULT_NR; g++)
			CHECK((f == g) == !strcmp(kvh_ring_fault_name(f),
						  kvh_ring_fault_name(g)));
	CHECK(!strcmp(kvh_ring_fault_name(KVH_FAULT_NR), "unknown"));
	CHECK(!strcmp(kvh_ring_fault_name((enum kvh_ring_fault)-1), "unknown"));
}

const struct rig_test state_tests[] = {
	{ "CORE-003 CORE-027 CORE-039 CORE-040", "bytes written are reported",
	  used_lengths, 0 },
	{ "CORE-017", "the indices run freely", free_running, 0 },
	{ "CORE-024", "every id offered comes back exactly once", every_id_once, 0 },
	{ "CORE-051", "used order is completion order", completion_order, 0 },
	{ "CORE-025 CORE-026 CORE-052", "publishing is the last store",
	  publish_last, 0 },
	{ "CORE-035 CORE-059", "the index or head flags are loaded first",
	  index_first, 0 },
	{ "CORE-036", "the wrap counter flips at the last slot only", wrap_flips,
	  'p' },
	{ "CORE-037", "used flags to the bit", used_bits_exact, 'p' },
	{ "CORE-037 CORE-055", "stale or junk flags are not available",
	  not_available, 'p' },
	{ "CORE-038", "only the next slot decides", only_next_slot, 'p' },
	{ "CORE-046", "of several buffers the first is shown last",
	  first_used_last, 0 },
	{ "CORE-056", "a used entry is not altered", used_left_alone, 0 },
	{ "CORE-005", "a reset queue begins at the beginning", reset_defaults, 0 },
	{ "CORE-005", "a reset forgets what was completed", reset_order_table, 0 },
	{ "CORE-006", "a queue set up anew forgets size and addresses",
	  other_settings, 0 },
	{ "fix 6.1.37", "stop and go on at every position", save_restore, 0 },
	{ "fix 6.1.37", "the position carries slots and wrap counters",
	  base_encoding, 'p' },
	{ "HD-017", "a restored position must fit the used index", base_split,
	  's' },
	{ "CORE-024", "buffers put back are taken again", put_back, 0 },
	{ "CORE-017", "what is known is not lost between batches", known_before,
	  0 },
	{ "fault", "every fault has a name of its own", names, 's' },
	{ 0 }
};
