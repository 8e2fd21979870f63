// SPDX-License-Identifier: GPL-2.0
/*
 * Signals and kicks: none lost, few wasted.
 *
 * The rules of flags and event indices are checked against sets written out
 * position by position, over all values where that is feasible.
 */
#include <stdlib.h>

#include "rig.h"

#define PACKED(l) ((l) == KVH_RING_PACKED)

/* @n buffers used and published, the question not yet asked. */
static void use(struct rig *r, unsigned int n)
{
	rig_turn_around(r, n);
}

static void event_ignored(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ 0 });
	u32 event;

	for (event = 0; event < 65536; event += 7) {
		drv_put_event(&r->drv, 0, event);
		use(r, 1);
		CHECK(rig_need_signal(r));
		drv_put_event(&r->drv, 1, event);
		use(r, 1);
		CHECK(!rig_need_signal(r));
	}
}

static void flag_silences(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ 0 });
	unsigned int i;

	drv_put_event(&r->drv, 1, 0);
	for (i = 0; i < 100; i++) {
		use(r, i % 8 + 1);
		CHECK(!rig_need_signal(r));
	}
}

static void flag_asks(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ 0 });
	unsigned int i;

	for (i = 0; i < 100; i++) {
		bool silent = i % 3 == 0;

		drv_put_event(&r->drv, silent, 0);
		use(r, 1);
		CHECK(rig_need_signal(r) == !silent);
	}
}

static void junk_flags(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ 0 });
	u32 flags;

	/* Bit 0 alone speaks, whatever else is set. */
	for (flags = 0; flags < 65536; flags++) {
		drv_put_event(&r->drv, flags, 0);
		CHECK(rig_need_signal(r) == !(flags & 1));
	}
}

static void low_bit_ignored(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .event_idx = true });
	unsigned int i;

	for (i = 0; i < 100; i++) {
		drv_put_event(&r->drv, i & 1, r->drv.used);
		use(r, 1);
		CHECK(rig_need_signal(r));
	}
}

static void event_exhaustive_split(enum kvh_ring_layout l)
{
	static const u32 bases[] = { 0, 1, 5, 32760, 32767, 65530, 65535 };
	u32 b, k, event;

	for (b = 0; b < sizeof(bases) / sizeof(*bases); b++)
		for (k = 1; k <= 8; k++) {
			struct rig *r = rig_new(l, (struct rig_opts){
					.event_idx = true });

			drv_seek(&r->drv, bases[b], true);
			CHECK(!rig_set_base(r, bases[b]));
			CHECK(rig_need_signal(r));
			use(r, k);
			for (event = 0; event < 65536; event++) {
				bool want = (u16)(event - bases[b]) < k;

				r->ring.unsignalled = k;
				drv_put_event(&r->drv, 0, event);
				CHECK(rig_need_signal(r) == want);
			}
			rig_free_all();
		}
}

/* Notes the positions that @k slots from (@slot, @wrap) on pass. */
static void passed(bool set[2][16], u32 size, u32 slot, bool wrap, u32 k)
{
	u32 i;

	for (i = 0; i < 32; i++)
		set[i / 16][i % 16] = false;
	while (k--) {
		set[wrap][slot] = true;
		if (++slot == size) {
			slot = 0;
			wrap = !wrap;
		}
	}
}

static void event_exhaustive_packed(enum kvh_ring_layout l)
{
	u32 size, start, k, off, wrap;
	bool set[2][16];

	for (size = 1; size <= 7; size++) {
		for (start = 0; start < 2 * size; start++)
			for (k = 1; k <= size; k++) {
				struct rig *r = rig_new(l, (struct rig_opts){
						.size = size, .event_idx = true });
				u32 slot = start % size;
				bool lap = start < size;

				drv_seek(&r->drv, slot, lap);
				CHECK(!rig_set_base(r, (slot | lap << 15) |
						    (slot | (u32)lap << 15) << 16));
				CHECK(rig_need_signal(r));
				use(r, k);
				passed(set, size, slot, lap, k);
				for (wrap = 0; wrap < 2; wrap++)
					for (off = 0; off < size; off++) {
						r->ring.unsignalled = k;
						drv_put_event(&r->drv, 2,
							      off | wrap << 15);
						CHECK(rig_need_signal(r) ==
						      set[wrap][off]);
					}
				rig_free_all();
			}
	}
}

static void armed_at_random(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 16, .event_idx = true });
	unsigned int seed = 3, i, signals = 0;

	for (i = 0; i < 100000; i++) {
		u32 after = rand_r(&seed) % 16, done = 0;

		drv_arm_after(&r->drv, after);
		while (done <= after) {
			u32 n = rand_r(&seed) % 4 + 1;
			bool due = done + n > after;

			use(r, n);
			done += n;
			CHECK(rig_need_signal(r) == due);
			signals += due;
		}
	}
	CHECK(signals == 100000);
}

static void silent_otherwise(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 16, .event_idx = true });
	unsigned int i;

	for (i = 0; i < 30000; i++) {
		/* Always just behind: all of it was used long ago. */
		if (PACKED(l))
			drv_put_event(&r->drv, 1, 0);
		else
			drv_put_event(&r->drv, 0, r->drv.used - 1);
		use(r, 1);
		CHECK(!rig_need_signal(r));
	}
}

static void several_publishes(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .event_idx = true });

	/* Asked once after three publishes: the first of them counts too. */
	drv_arm(&r->drv);
	use(r, 2);
	use(r, 3);
	use(r, 1);
	CHECK(rig_need_signal(r));
	CHECK(!rig_need_signal(r));
}

static void used_flags_split(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ 0 });
	unsigned int i;

	for (i = 0; i < 20; i++) {
		kvh_ring_disable_kick(&r->ring);
		CHECK(drv_used_flags(&r->drv) == 1);
		use(r, 3);
		CHECK(drv_used_flags(&r->drv) == 1);
		CHECK(!rig_enable_kick(r));
		CHECK(drv_used_flags(&r->drv) == 0);
	}
}

static void used_flags_zero(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .event_idx = true });
	unsigned int i;

	/* What an earlier user of the memory left there goes away. */
	for (i = 0; i < 2; i++) {
		*(u16 *)r->drv.device = 1;
		rig_reinit(r);
		if (i)
			rig_enable_kick(r);
		else
			kvh_ring_disable_kick(&r->ring);
		CHECK(drv_used_flags(&r->drv) == 0);
	}
	for (i = 0; i < 20; i++) {
		kvh_ring_disable_kick(&r->ring);
		CHECK(drv_used_flags(&r->drv) == 0);
		use(r, 3);
		CHECK(!rig_enable_kick(r));
		CHECK(drv_used_flags(&r->drv) == 0);
		CHECK(drv_avail_event(&r->drv) == r->drv.avail);
	}
}

static void event_struct(enum kvh_ring_layout l)
{
	u32 event_idx;

	for (event_idx = 0; event_idx < 2; event_idx++) {
		struct rig *r = rig_new(l, (struct rig_opts){
				.size = 5, .event_idx = event_idx });
		unsigned int i;

		for (i = 0; i < 30; i++) {
			u32 at = r->drv.avail | r->drv.wrap << 15;

			CHECK(!rig_enable_kick(r));
			CHECK(drv_device_event(&r->drv) ==
			      (event_idx ? 2u << 16 | at : 0));
			kvh_ring_disable_kick(&r->ring);
			CHECK(drv_device_event(&r->drv) == 1u << 16);
			use(r, i % 4 + 1);
		}
		rig_free_all();
	}
}

static void recheck(enum kvh_ring_layout l)
{
	u32 event_idx;

	for (event_idx = 0; event_idx < 2; event_idx++) {
		struct rig *r = rig_new(l, (struct rig_opts){
				.event_idx = event_idx });
		unsigned int i;

		for (i = 0; i < 50; i++) {
			kvh_ring_disable_kick(&r->ring);
			use(r, 1);
			drv_need_kick(&r->drv);
			rig_add1(r, 1, false);
			drv_publish(&r->drv);
			CHECK(!drv_need_kick(&r->drv));
			/* It came while kicks were off: found, not waited for. */
			CHECK(rig_enable_kick(r));
			CHECK(rig_has_avail(r));
			CHECK(rig_take(r, 8) == 1);
			rig_finish(r, r->chains, 1);
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
			CHECK(!rig_enable_kick(r));
			CHECK(!rig_has_avail(r));
			/* From here on the driver kicks. */
			rig_add1(r, 1, false);
			drv_publish(&r->drv);
			CHECK(drv_need_kick(&r->drv));
			CHECK(rig_take(r, 8) == 1);
			rig_finish(r, r->chains, 1);
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
		}
		rig_free_all();
	}
}

static struct rig *late;

/* A buffer appears the moment the wish is stored. */
static void add_late(struct rig *r, const struct rig_access *a)
{
	if (!a->store || a->part != 'u')
		return;
	r->turn = NULL;
	rig_add1(late, 1, false);
	drv_publish(&late->drv);
}

static void recheck_race(enum kvh_ring_layout l)
{
	u32 event_idx;

	for (event_idx = 0; event_idx < 2; event_idx++) {
		struct rig *r = rig_new(l, (struct rig_opts){
				.event_idx = event_idx });

		late = r;
		kvh_ring_disable_kick(&r->ring);
		use(r, 1);
		r->turn = add_late;
		CHECK(rig_enable_kick(r));
		CHECK(!r->turn);
		rig_free_all();
	}
}

static void store_before_look(enum kvh_ring_layout l)
{
	u32 event_idx;

	for (event_idx = 0; event_idx < 2; event_idx++) {
		struct rig *r = rig_new(l, (struct rig_opts){
				.event_idx = event_idx });

		kvh_ring_disable_kick(&r->ring);
		rig_trace(r);
		rig_enable_kick(r);
		CHECK(r->n_trace >= 2);
		CHECK(r->trace[0].store && r->trace[0].part == 'u');
		CHECK(!r->trace[r->n_trace - 1].store);
		CHECK(r->trace[r->n_trace - 1].part == (PACKED(l) ? 'd' : 'a'));
		rig_free_all();
	}
}

static void spurious(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .event_idx = true });
	unsigned int i;

	use(r, 3);
	for (i = 0; i < 10000; i++) {
		rig_trace(r);
		CHECK(rig_take(r, 8) == 0);
		/* One look at one word. */
		CHECK(r->count == 1);
		CHECK(!rig_enable_kick(r));
	}
	CHECK(!kvh_ring_publish(&r->ring));
}

static void driver_flags(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ 0 });
	u32 flags;

	/* DESC without the feature and the reserved value do not silence. */
	for (flags = 0; flags < 65536; flags++) {
		drv_put_event(&r->drv, flags, flags * 31);
		CHECK(rig_need_signal(r) == ((flags & 3) != 1));
	}
	r = rig_new(l, (struct rig_opts){ .event_idx = true });
	use(r, 1);
	for (flags = 0; flags < 65536; flags++) {
		if ((flags & 3) == 2)
			continue;
		drv_put_event(&r->drv, flags, flags * 31);
		CHECK(rig_need_signal(r) == ((flags & 3) != 1));
	}
}

static void event_anything(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){
			.size = PACKED(l) ? 5 : 8, .event_idx = true });
	unsigned int seed = 9, i, asked = 0;

	for (i = 0; i < 200000; i++) {
		drv_put_event(&r->drv, rand_r(&seed), rand_r(&seed));
		use(r, 1);
		asked += rig_need_signal(r);
		if (i % 1000)
			continue;
		drv_put_event(&r->drv, 0, r->drv.used);
		use(r, 1);
		CHECK(rig_need_signal(r));
	}
	/* At most one signal per publish, whatever the driver wrote. */
	CHECK(asked <= i);
}

static void too_few(enum kvh_ring_layout l)
{
	u32 event_idx;

	for (event_idx = 0; event_idx < 2; event_idx++) {
		struct rig *r = rig_new(l, (struct rig_opts){
				.event_idx = event_idx });
		unsigned int i;

		rig_add1(r, 100, true);
		rig_add1(r, 100, true);
		drv_publish(&r->drv);
		for (i = 0; i < 20; i++) {
			CHECK(rig_take(r, 8) == 2);
			kvh_ring_untake(&r->ring, r->chains, 2);
			CHECK(rig_has_avail(r));
			/* Nothing new: sleep rather than come back at once. */
			CHECK(!rig_enable_kick(r));
		}
		/* A third buffer wakes the device, by kick or by the look. */
		rig_add1(r, 100, true);
		drv_publish(&r->drv);
		CHECK(drv_need_kick(&r->drv));
		CHECK(rig_enable_kick(r));
		CHECK(rig_take(r, 8) == 3);
		kvh_ring_untake(&r->ring, r->chains + 1, 2);
		kvh_ring_untake(&r->ring, r->chains, 1);
		CHECK(!rig_enable_kick(r));
		CHECK(rig_take(r, 1) == 1);
		/* What was put back counts again once something was taken. */
		CHECK(rig_enable_kick(r));
		CHECK(rig_take(r, 8) == 2);
		CHECK(!rig_enable_kick(r));
		rig_free_all();
	}
}

/* A backend that looks at @n and can use none: how often is it sent back? */
static unsigned int sent_back(struct rig *r, unsigned int n)
{
	unsigned int times;

	for (times = 0; times < 100; times++) {
		CHECK(rig_take(r, n) == (int)n);
		kvh_ring_untake(&r->ring, r->chains, n);
		if (!rig_enable_kick(r))
			break;
	}
	return times;
}

static void more_than_is_looked_at(enum kvh_ring_layout l)
{
	u32 event_idx, i, round;

	for (event_idx = 0; event_idx < 2; event_idx++) {
		struct rig *r = rig_new(l, (struct rig_opts){
				.size = PACKED(l) ? 50 : 64,
				.event_idx = event_idx });

		/* So that what is offered goes round the end of the ring. */
		use(r, 35);
		for (round = 0; round < 4; round++) {
			for (i = 0; i < 10; i++)
				rig_add1(r, 100, true);
			drv_publish(&r->drv);
			CHECK(drv_need_kick(&r->drv) || !round);
			/* Once for what lies behind, and sleep. */
			CHECK(sent_back(r, 4) <= 1);
			CHECK(sent_back(r, 4) == 0);
		}
		rig_add1(r, 100, true);
		drv_publish(&r->drv);
		CHECK(drv_need_kick(&r->drv));
		CHECK(rig_enable_kick(r));
		CHECK(sent_back(r, 4) == 0);
		/* Some are used up, and still nothing is new. */
		CHECK(rig_take(r, 15) == 15);
		rig_finish(r, r->chains, 15);
		CHECK(sent_back(r, 4) <= 1);
		CHECK(rig_take(r, 64) == 26);
		rig_finish(r, r->chains, 26);
		CHECK(!rig_enable_kick(r));
		rig_add1(r, 100, true);
		drv_publish(&r->drv);
		CHECK(drv_need_kick(&r->drv));
		CHECK(rig_enable_kick(r));
		rig_free_all();
	}
}

static void first_after_restore(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .event_idx = true });

	drv_seek(&r->drv, 3, true);
	CHECK(!rig_set_base(r, PACKED(l) ? 0x80038003 : 3));
	drv_disarm(&r->drv);
	use(r, 1);
	CHECK(rig_need_signal(r));
	use(r, 1);
	CHECK(!rig_need_signal(r));
}

const struct rig_test event_tests[] = {
	{ "CORE-018", "without EVENT_IDX the event index is ignored",
	  event_ignored, 0 },
	{ "CORE-019", "without EVENT_IDX the flag silences", flag_silences, 0 },
	{ "CORE-020", "without EVENT_IDX the flag asks", flag_asks, 0 },
	{ "HD-019", "other bits of the avail flags change nothing", junk_flags, 's' },
	{ "CORE-021", "with EVENT_IDX the flag is ignored", low_bit_ignored, 's' },
	{ "CORE-022", "every used_event at every wrap, against the set",
	  event_exhaustive_split, 's' },
	{ "CORE-048", "every offset and wrap bit of small rings, against the set",
	  event_exhaustive_packed, 'p' },
	{ "CORE-022 CORE-048", "armed anywhere, the signal comes exactly then",
	  armed_at_random, 0 },
	{ "CORE-023", "with EVENT_IDX silence otherwise", silent_otherwise, 0 },
	{ "CORE-022", "nothing published is forgotten before the question",
	  several_publishes, 0 },
	{ "CORE-030 CORE-031", "used flags are 0 or 1", used_flags_split, 's' },
	{ "CORE-032 CORE-033", "with EVENT_IDX used flags stay 0, avail_event moves",
	  used_flags_zero, 's' },
	{ "CORE-047", "the device event structure says what is wanted",
	  event_struct, 'p' },
	{ "CORE-031 CORE-033", "what came while kicks were off is found", recheck,
	  0 },
	{ "CORE-033", "what comes while kicks are turned on is found",
	  recheck_race, 0 },
	{ "CORE-033", "the wish is stored before the look", store_before_look, 0 },
	{ "CORE-034", "a kick for nothing costs one load", spurious, 0 },
	{ "CORE-047 HD-029", "every value of the driver's flags", driver_flags,
	  'p' },
	{ "HD-019 HD-029", "event words that keep changing", event_anything, 0 },
	{ "CVE-2026-74356", "buffers put back do not wake the device again",
	  too_few, 0 },
	{ "CVE-2026-74356", "more put back than was looked at is told of once",
	  more_than_is_looked_at, 0 },
	{ "CORE-022", "the first signal after a restore is never withheld",
	  first_after_restore, 0 },
	{ 0 }
};
