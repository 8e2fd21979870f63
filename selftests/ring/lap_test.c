// SPDX-License-Identifier: GPL-2.0
/*
 * Whole laps of rings of awkward sizes, the largest ones above all, and batches
 * that end where the caller's room does.
 *
 * The position of a packed ring is a slot and a wrap counter in 16 bits: at
 * 32768 slots it has no bit to spare, at 32767 a lap is no power of two.
 */
#include "rig.h"

#define PACKED(l) ((l) == KVH_RING_PACKED)

static const u32 packed_sizes[] = { 1, 2, 3, 7, 255, 257, 1000, 32767, 32768 };
static const u32 split_sizes[] = { 1, 2, 256, 32768 };

static const u32 *sizes(enum kvh_ring_layout l, u32 *n)
{
	*n = PACKED(l) ? sizeof(packed_sizes) / sizeof(u32) :
			 sizeof(split_sizes) / sizeof(u32);
	return PACKED(l) ? packed_sizes : split_sizes;
}

/* What the device's position has to be when it is level with the driver's. */
static u32 level(const struct rig *r)
{
	u32 at = r->drv.avail | (r->drv.wrap ? 0x8000 : 0);

	return r->drv.packed ? at | at << 16 : r->drv.avail;
}

/* @n buffers of @descs segments, whose addresses count on from @addr. */
static void offer(struct rig *r, u32 n, u32 descs, u64 *addr)
{
	struct drv_seg segs[3];
	u32 k;

	while (n--) {
		for (k = 0; k < descs; k++)
			segs[k] = (struct drv_seg){ (*addr)++, 1, k == 2 };
		CHECK(drv_add(&r->drv, segs, descs, NULL) >= 0);
	}
	drv_publish(&r->drv);
}

/* They are taken, each once and in order, and given back. */
static void serve(struct rig *r, u32 n, u32 descs, u64 addr)
{
	struct drv_used u;
	u32 i, k;

	CHECK(rig_take(r, n) == (int)n);
	for (i = 0; i < n; i++) {
		CHECK(r->chains[i].n_read + r->chains[i].n_write == descs);
		for (k = 0; k < descs; k++)
			CHECK(r->segs[r->chains[i].first + k].addr == addr++);
	}
	rig_finish(r, r->chains, n);
	for (i = 0; i < n; i++)
		CHECK(drv_get_used(&r->drv, &u) && !u.bogus);
	CHECK(!drv_peek_used(&r->drv));
}

/*
 * Four laps and more, so that either wrap counter turns both ways, in batches
 * that meet the end of the ring differently in each lap.
 */
static void laps_of(enum kvh_ring_layout l, u32 size, u32 descs)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = size });
	u32 most = size / descs < 300 ? size / descs : 300;
	u32 done = 0, turns = 0, n = 1;
	bool wrap = r->drv.wrap;
	u64 addr = 1;

	while (done < 4 * size + size / 2 + 3) {
		u64 from = addr;

		offer(r, n, descs, &addr);
		serve(r, n, descs, from);
		done += n * (PACKED(l) ? descs : 1);
		CHECK(kvh_ring_base(&r->ring) == level(r));
		turns += r->drv.wrap != wrap;
		wrap = r->drv.wrap;
		n = n % most + 1;
	}
	/* In a ring of one slot or so, batches turn it more than once. */
	CHECK(!PACKED(l) || size < 3 || turns == done / size);
}

static void whole_laps(enum kvh_ring_layout l)
{
	u32 n, i, descs;
	const u32 *size = sizes(l, &n);

	for (i = 0; i < n; i++)
		for (descs = 1; descs <= 3 && descs <= size[i]; descs++) {
			laps_of(l, size[i], descs);
			rig_free_all();
		}
}

/* All slots at once: the batch ends where it began, one lap later. */
static void full_laps(enum kvh_ring_layout l)
{
	u32 n, i, k, lap;
	const u32 *size = sizes(l, &n);

	for (i = 0; i < n; i++) {
		struct rig *r = rig_new(l, (struct rig_opts){ .size = size[i] });
		u64 addr = 1, from = 1;

		for (lap = 0; lap < 3; lap++) {
			offer(r, size[i], 1, &addr);
			for (k = size[i]; k; ) {
				u32 some = k < RIG_CHAINS ? k : RIG_CHAINS;

				serve(r, some, 1, from);
				from += some;
				k -= some;
			}
			CHECK(rig_take(r, 1) == 0);
			CHECK(kvh_ring_base(&r->ring) == level(r));
		}
		rig_free_all();
	}
}

/*
 * Suppression across the end of the ring. The driver asks to be told @after
 * entries on, the device asks for kicks now and then; both must come exactly
 * then, whatever side of the end the named slot is on.
 */
static void events_at(struct rig *r, u32 start, bool wrap)
{
	u32 size = r->cfg.size, after, i;
	u64 addr = 1;

	for (after = 0; after < 4 && after < size; after++) {
		drv_seek(&r->drv, start, wrap);
		rig_reinit(r);
		CHECK(!rig_set_base(r, level(r)));
		/* The signal after a restore is not withheld; get it over. */
		offer(r, 1, 1, &addr);
		serve(r, 1, 1, addr - 1);
		CHECK(rig_need_signal(r));
		drv_need_kick(&r->drv);

		drv_arm_after(&r->drv, after);
		for (i = 0; i < 8; i++) {
			bool ask = i % 3 == 0;

			if (ask)
				CHECK(!rig_enable_kick(r));
			offer(r, 1, 1, &addr);
			CHECK(drv_need_kick(&r->drv) == ask);
			serve(r, 1, 1, addr - 1);
			CHECK(rig_need_signal(r) == (i == after));
		}
	}
}

static void events(enum kvh_ring_layout l)
{
	u32 n, i, before, wrap;
	const u32 *size = sizes(l, &n);

	for (i = 0; i < n; i++)
		for (before = 1; before < 9 && before <= size[i]; before++)
			for (wrap = 0; wrap < 2; wrap++) {
				struct rig *r;

				/* The slot last named comes round again. */
				if (size[i] < 16)
					continue;
				r = rig_new(l, (struct rig_opts){
					.size = size[i], .event_idx = true });
				events_at(r, PACKED(l) ? size[i] - before :
					  wrap * 0x8000u - before, wrap);
				rig_free_all();
			}
}

/* Stop and go on at each slot around the end, with one buffer in flight. */
static void restore_at_wrap(enum kvh_ring_layout l)
{
	u32 n, i, k, wrap;
	const u32 *size = sizes(l, &n);

	for (i = 0; i < n; i++)
		for (wrap = 0; wrap < 2; wrap++) {
			struct rig *r = rig_new(l, (struct rig_opts){
					.size = size[i] });
			u32 start = size[i] < 4 ? 0 : size[i] - 4;
			u64 addr = 1;

			drv_seek(&r->drv, PACKED(l) ? start :
				 wrap * 0x8000u - 4, wrap);
			CHECK(!rig_set_base(r, level(r)));
			for (k = 0; k < 8; k++) {
				u32 base = level(r);

				CHECK(kvh_ring_base(&r->ring) == base);
				offer(r, 1, 1, &addr);
				/* Taken and put back is not taken. */
				CHECK(rig_take(r, 1) == 1);
				kvh_ring_untake(&r->ring, r->chains, 1);
				CHECK(kvh_ring_base(&r->ring) == base);
				rig_reinit(r);
				CHECK(!rig_set_base(r, base));
				serve(r, 1, 1, addr - 1);
			}
			rig_free_all();
		}
}

/* Positions that are in no ring of this size, and the last that are. */
static void base_bounds(enum kvh_ring_layout l)
{
	u32 n, i, wrap;
	const u32 *size = sizes(l, &n);

	for (i = 0; i < n; i++) {
		struct rig *r = rig_new(l, (struct rig_opts){ .size = size[i] });
		u32 last = size[i] - 1;

		for (wrap = 0; wrap < 0x10000; wrap += 0x8000) {
			u32 at = last | wrap, first = wrap ^ 0x8000;

			/* Level, one in flight across the end, a whole lap. */
			CHECK(!rig_set_base(r, at | at << 16));
			CHECK(kvh_ring_base(&r->ring) == (at | at << 16));
			if (at) {
				CHECK(!rig_set_base(r, first | at << 16));
				CHECK(kvh_ring_base(&r->ring) ==
				      (first | at << 16));
				CHECK(!rig_set_base(r, (at ^ 0x8000) | at << 16));
			}
			/* Used ahead of avail; slots beyond the ring. */
			if (first && last)
				CHECK(rig_set_base(r, at | first << 16) ==
				      -EINVAL);
			if (size[i] < 0x8000) {
				CHECK(rig_set_base(r, size[i] | wrap) == -EINVAL);
				CHECK(rig_set_base(r, at | (size[i] | wrap) << 16) ==
				      -EINVAL);
			}
		}
		rig_free_all();
	}
}

/* Room for fewer segments than buffers: a batch ends there, none is lost. */
static void room_ends_batch(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 32 });
	u32 room, descs;
	u64 addr = 1;

	for (descs = 1; descs <= 3; descs++)
		for (room = 3; room < 12; room++) {
			u32 n = room / descs;

			offer(r, 10, descs, &addr);
			rig_trace(r);
			r->segs[room].len = 0xdead;
			CHECK(kvh_ring_take(&r->ring, &r->env, r->chains, 10,
					    r->segs, room) ==
			      (int)(n < 10 ? n : 10));
			CHECK(room >= 10 * descs || r->segs[room].len == 0xdead);
			kvh_ring_untake(&r->ring, r->chains, n < 10 ? n : 10);
			serve(r, 10, descs, addr - 10 * descs);
		}
}

const struct rig_test lap_tests[] = {
	{ "CORE-036 CORE-049", "laps at odd sizes and the largest", whole_laps, 0 },
	{ "CORE-036 CORE-049", "all of the ring at once, lap after lap", full_laps,
	  0 },
	{ "CORE-047 CORE-048", "suppression across the end of the ring", events, 0 },
	{ "fix 6.1.37", "stop and go on around the end of the ring",
	  restore_at_wrap, 0 },
	{ "fix 6.1.37", "positions inside and outside of rings of all sizes",
	  base_bounds, 'p' },
	{ "CORE-009", "a batch ends where there is no room, none is lost",
	  room_ends_batch, 0 },
	{ 0 }
};
