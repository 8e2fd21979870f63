// SPDX-License-Identifier: GPL-2.0
/*
 * What a malicious driver offers, and that it hurts itself only.
 *
 * Each malformed chain is offered alone and behind good ones: the good ones are
 * served, the fault is named, the ring stays refused until it is set up anew,
 * and the work done is bounded by the ring's size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define PACKED(l) ((l) == KVH_RING_PACKED)
#define NEXT		1u
#define WRITE		2u
#define INDIRECT	4u

static struct rig *r;

/* Offers the chain that begins at descriptor @head. */
static void offer(u16 head)
{
	if (r->drv.packed)
		return;
	drv_put_head(&r->drv, r->drv.avail, head);
	drv_put_avail_idx(&r->drv, ++r->drv.avail);
}

/* @segs as they are, direct, from the current position on. */
static void lay(const struct drv_seg *segs, unsigned int n)
{
	CHECK(drv_add(&r->drv, segs, n, NULL) >= 0);
	drv_publish(&r->drv);
}

/* A table of @n entries given raw, and the descriptor that refers to it. */
static void refer(u64 addr, u32 len, u16 flags)
{
	u16 at = r->drv.packed ? r->drv.avail : 5;

	drv_put_desc(&r->drv, at, addr, len, INDIRECT | flags,
		     r->drv.packed ? 0 : at + 1);
	offer(at);
}

static void entry(u32 i, u64 addr, u32 len, u16 flags, u16 x)
{
	drv_put_entry(&r->drv, 0, i, addr, len, flags, x);
}

static u64 table(void)
{
	return drv_table_gpa(&r->drv, 0);
}

static void bad_order(void)
{
	struct drv_seg s[] = { { 1, 1, 1 }, { 2, 1, 0 } };

	lay(s, 2);
}

static void bad_order_late(void)
{
	struct drv_seg s[] = { { 1, 1, 0 }, { 2, 1, 1 }, { 3, 1, 1 }, { 4, 1, 0 } };

	lay(s, 4);
}

static void bad_order_table(void)
{
	struct drv_seg s[] = { { 1, 1, 1 }, { 2, 1, 0 } };
	struct drv_how how = { .indirect = true };

	CHECK(drv_add(&r->drv, s, 2, &how) >= 0);
	drv_publish(&r->drv);
}

static void bad_order_into_table(void)
{
	struct drv_seg s[] = { { 1, 1, 1 }, { 2, 1, 0 } };
	struct drv_how how = { .indirect = true, .direct = 1 };

	CHECK(drv_add(&r->drv, s, 2, &how) >= 0);
	drv_publish(&r->drv);
}

static void zero_first(void)
{
	struct drv_seg s[] = { { 1, 0, 0 }, { 2, 1, 1 } };

	lay(s, 2);
}

static void zero_last(void)
{
	struct drv_seg s[] = { { 1, 1, 0 }, { 2, 1, 1 }, { 3, 0, 1 } };

	lay(s, 3);
}

static void zero_table(void)
{
	entry(0, 1, 0, WRITE, 0);
	refer(table(), 16, 0);
}

static void addr_wraps(void)
{
	struct drv_seg s[] = { { ~0ull - 10, 12, 0 } };

	lay(s, 1);
}

static void addr_wraps_max(void)
{
	struct drv_seg s[] = { { ~0ull, 0xffffffff, 1 } };

	lay(s, 1);
}

static void addr_wraps_table(void)
{
	entry(0, ~0ull - 14, 16, 0, 0);
	refer(table(), 16, 0);
}

static void total_read(void)
{
	struct drv_seg s[] = { { 0, 0xffffffff, 0 }, { 0, 1, 0 } };

	lay(s, 2);
}

static void total_write(void)
{
	struct drv_seg s[] = { { 0, 1, 0 }, { 0, 0x80000000, 1 },
			       { 0, 0x80000000, 1 } };

	lay(s, 3);
}

static void total_table(void)
{
	entry(0, 1, 0x80000000, NEXT, 1);
	entry(1, 1, 0x80000000, 0, 0);
	refer(table(), 32, 0);
}

static void total_before_table(void)
{
	drv_put_desc(&r->drv, 5, 1, 0xffffffff, NEXT, 6);
	drv_put_desc(&r->drv, 6, 1, 1, NEXT, 7);
	drv_put_desc(&r->drv, 7, table(), 16, INDIRECT, 0);
	entry(0, 1, 1, 0, 0);
	offer(5);
}

static void loop_self(void)
{
	drv_put_desc(&r->drv, 5, 1, 1, NEXT, 5);
	offer(5);
}

static void loop_two(void)
{
	drv_put_desc(&r->drv, 5, 1, 1, NEXT, 6);
	drv_put_desc(&r->drv, 6, 1, 1, NEXT, 5);
	offer(5);
}

static void loop_all(void)
{
	u32 i;

	for (i = 4; i < 16; i++)
		drv_put_desc(&r->drv, i, 1, 1, NEXT, i < 15 ? i + 1 : 4);
	offer(5);
}

/* A packed ring full of NEXT; behind good buffers it runs into those. */
static void next_everywhere(void)
{
	u32 i, n = r->drv.n_free;

	for (i = 0; i < n; i++) {
		drv_put_desc(&r->drv, r->drv.avail, 1, 1, NEXT, 0);
		if (++r->drv.avail == r->drv.size) {
			r->drv.avail = 0;
			r->drv.wrap = !r->drv.wrap;
		}
	}
}

static void next_beyond(void)
{
	drv_put_desc(&r->drv, 5, 1, 1, NEXT, 16);
	offer(5);
}

static void next_far_beyond(void)
{
	drv_put_desc(&r->drv, 5, 1, 1, NEXT, 0xffff);
	offer(5);
}

static void head_beyond(void)
{
	offer(16);
}

static void head_far_beyond(void)
{
	offer(0xffff);
}

static void table_loop_self(void)
{
	entry(0, 1, 1, NEXT, 0);
	refer(table(), 16, 0);
}

static void table_loop(void)
{
	u32 i;

	for (i = 0; i < 100; i++)
		entry(i, 1, 1, NEXT, (i + 1) % 100);
	refer(table(), 1600, 0);
}

static void table_next_beyond(void)
{
	entry(0, 1, 1, NEXT, 1);
	refer(table(), 16, 0);
}

static void nested(void)
{
	entry(0, 1, 1, NEXT, 1);
	entry(1, table(), 16, INDIRECT, 0);
	refer(table(), 32, 0);
}

/* Where the first entry is the last, there is no list to walk. */
static void nested_first(void)
{
	entry(0, table(), 16, INDIRECT, 0);
	refer(table(), 16, 0);
}

static void indirect_next(void)
{
	entry(0, 1, 1, 0, 0);
	refer(table(), 16, NEXT);
}

static void len_zero(void)
{
	refer(table(), 0, 0);
}

static void len_ragged(void)
{
	refer(table(), 24, 0);
}

static void len_tiny(void)
{
	refer(table(), 15, 0);
}

static void len_over_cap(void)
{
	refer(table(), 16 * (KVH_CHAIN_SEGS_MAX + 1), 0);
}

static void len_huge(void)
{
	refer(table(), 0xfffffff0, 0);
}

static void unmapped(void)
{
	refer(0x42, 16, 0);
}

static void across_end(void)
{
	refer(RIG_GUEST_GPA + r->env.bytes - 16, 32, 0);
}

static void table_wraps(void)
{
	refer(~0ull - 15, 32, 0);
}

static void id_beyond(void)
{
	drv_put_desc(&r->drv, r->drv.avail, 1, 1, 0, 16);
}

static void id_far_beyond(void)
{
	drv_put_desc(&r->drv, r->drv.avail, 1, 1, NEXT, 0);
	drv_put_desc(&r->drv, r->drv.avail + 1, 1, 1, 0, 0xffff);
}

static void list_leaves(void)
{
	/* The second slot is not available. */
	drv_put_desc(&r->drv, r->drv.avail, 1, 1, NEXT, 0);
}

static void indirect_in_list(void)
{
	entry(0, 1, 1, 0, 0);
	drv_put_desc(&r->drv, r->drv.avail, 1, 1, NEXT, 0);
	drv_put_desc(&r->drv, r->drv.avail + 1, table(), 16, INDIRECT, 0);
}

/**
 * struct attack - one malformed chain
 * @id:     the row it stands for
 * @lay:    lays it into the ring
 * @fault:  what it must be found to be
 * @behind: what instead, behind good chains; 0: the same
 * @only:   's' or 'p'
 */
struct attack {
	const char *id;
	void (*lay)(void);
	enum kvh_ring_fault fault;
	enum kvh_ring_fault behind;
	char only;
};

static const struct attack attacks[] = {
	{ "HD-008 HD-026", bad_order, KVH_FAULT_ORDER, 0, 0 },
	{ "HD-008 HD-026", bad_order_late, KVH_FAULT_ORDER, 0, 0 },
	{ "HD-008", bad_order_table, KVH_FAULT_ORDER, 0, 0 },
	{ "HD-008", bad_order_into_table, KVH_FAULT_ORDER, 0, 's' },
	{ "HD-012", zero_first, KVH_FAULT_ZERO_LEN, 0, 0 },
	{ "HD-012", zero_last, KVH_FAULT_ZERO_LEN, 0, 0 },
	{ "HD-012", zero_table, KVH_FAULT_ZERO_LEN, 0, 0 },
	{ "HD-012", addr_wraps, KVH_FAULT_ADDR_WRAP, 0, 0 },
	{ "HD-012", addr_wraps_max, KVH_FAULT_ADDR_WRAP, 0, 0 },
	{ "HD-012", addr_wraps_table, KVH_FAULT_ADDR_WRAP, 0, 0 },
	{ "HD-011", total_read, KVH_FAULT_TOTAL_LEN, 0, 0 },
	{ "HD-011", total_write, KVH_FAULT_TOTAL_LEN, 0, 0 },
	{ "HD-011", total_table, KVH_FAULT_TOTAL_LEN, 0, 0 },
	{ "HD-011", total_before_table, KVH_FAULT_TOTAL_LEN, 0, 's' },
	{ "HD-010", loop_self, KVH_FAULT_LOOP, 0, 's' },
	{ "HD-010", loop_two, KVH_FAULT_LOOP, 0, 's' },
	{ "HD-010", loop_all, KVH_FAULT_LOOP, 0, 's' },
	{ "HD-025", next_everywhere, KVH_FAULT_LOOP, KVH_FAULT_PARTIAL, 'p' },
	{ "HD-012", next_beyond, KVH_FAULT_NEXT_RANGE, 0, 's' },
	{ "HD-012", next_far_beyond, KVH_FAULT_NEXT_RANGE, 0, 's' },
	{ "HD-018", head_beyond, KVH_FAULT_HEAD_RANGE, 0, 's' },
	{ "HD-018", head_far_beyond, KVH_FAULT_HEAD_RANGE, 0, 's' },
	{ "fix 5.18.5", table_loop_self, KVH_FAULT_LOOP, 0, 's' },
	{ "fix 5.18.5", table_loop, KVH_FAULT_LOOP, 0, 's' },
	{ "HD-012", table_next_beyond, KVH_FAULT_NEXT_RANGE, 0, 's' },
	{ "HD-013", nested, KVH_FAULT_INDIRECT_NEST, 0, 's' },
	{ "HD-013", nested_first, KVH_FAULT_INDIRECT_NEST, 0, 's' },
	{ "HD-014", indirect_next, KVH_FAULT_INDIRECT_NEXT, 0, 0 },
	{ "HD-015", len_zero, KVH_FAULT_INDIRECT_LEN, 0, 0 },
	{ "HD-015", len_ragged, KVH_FAULT_INDIRECT_LEN, 0, 0 },
	{ "HD-015", len_tiny, KVH_FAULT_INDIRECT_LEN, 0, 0 },
	{ "HD-016", len_over_cap, KVH_FAULT_INDIRECT_LEN, 0, 0 },
	{ "HD-015", len_huge, KVH_FAULT_INDIRECT_LEN, 0, 0 },
	{ "HD-015", unmapped, KVH_FAULT_INDIRECT_READ, 0, 0 },
	{ "HD-015", across_end, KVH_FAULT_INDIRECT_READ, 0, 0 },
	{ "HD-015", table_wraps, KVH_FAULT_INDIRECT_READ, 0, 0 },
	{ "HD-028", id_beyond, KVH_FAULT_ID_RANGE, 0, 'p' },
	{ "HD-028", id_far_beyond, KVH_FAULT_ID_RANGE, 0, 'p' },
	{ "HD-025", list_leaves, KVH_FAULT_PARTIAL, 0, 'p' },
	{ "HD-027", indirect_in_list, KVH_FAULT_INDIRECT_NEXT, 0, 'p' },
};

/* Refused, named, nothing shown to the driver, until set up anew. */
static void check_refused(enum kvh_ring_fault fault)
{
	int err = fault <= KVH_FAULT_RING_LAST ? -EPROTO : -EBADMSG;
	unsigned int i;

	if (r->ring.fault != fault)
		printf("# found %s, not %s\n",
		       kvh_ring_fault_name(r->ring.fault),
		       kvh_ring_fault_name(fault));
	CHECK(r->ring.fault == fault);
	for (i = 0; i < 3; i++) {
		rig_trace(r);
		CHECK(rig_take(r, 16) == err);
		CHECK(r->count == 0);
	}
	CHECK(r->ring.fault == fault);
	CHECK(!rig_enable_kick(r) && !rig_has_avail(r));
}

static void attack(const struct attack *a, enum kvh_ring_layout l, u32 good)
{
	enum kvh_ring_fault fault = good && a->behind ? a->behind : a->fault;
	u32 i;

	r = rig_new(l, (struct rig_opts){ .size = 16, .indirect = true });
	r->loops = a->fault == KVH_FAULT_LOOP;
	for (i = 0; i < good; i++)
		rig_add1(r, 1, true);
	if (good)
		drv_publish(&r->drv);
	a->lay();
	/* Never more than each word of the ring once, and a look or two. */
	rig_trace(r);
	if (good) {
		CHECK(rig_take(r, 16) == (int)good);
		CHECK(r->ring.in_flight == good);
		/* Not told yet: neither sleep nor polling may miss it. */
		CHECK(rig_has_avail(r) && rig_enable_kick(r));
		rig_finish(r, r->chains, good);
		for (i = 0; i < good; i++)
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
		CHECK(rig_enable_kick(r));
	}
	CHECK(rig_take(r, 16) < 0);
	CHECK(r->count < 16 * 3 + 16);
	check_refused(fault);
	CHECK(!drv_peek_used(&r->drv));

	/* What was completed before may still be shown; and reset recovers. */
	rig_free_all();
	r = rig_new(l, (struct rig_opts){ .size = 16, .indirect = true });
	rig_turn_around(r, 3);
	rig_free_all();
}

static void attacks_each(enum kvh_ring_layout l, const char *id)
{
	unsigned int i, n = 0;

	for (i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		if (attacks[i].only && attacks[i].only != "sp"[PACKED(l)])
			continue;
		if (!strstr(attacks[i].id, id))
			continue;
		attack(&attacks[i], l, 0);
		attack(&attacks[i], l, 1);
		attack(&attacks[i], l, 4);
		n++;
	}
	CHECK(n);
}

#define EACH(name, id)						\
static void name(enum kvh_ring_layout l)			\
{								\
	attacks_each(l, id);					\
}

EACH(hd008, "HD-008")
EACH(hd010, "HD-010")
EACH(hd011, "HD-011")
EACH(hd012, "HD-012")
EACH(hd013, "HD-013")
EACH(hd014, "HD-014")
EACH(hd015, "HD-015")
EACH(hd016, "HD-016")
EACH(hd018, "HD-018")
EACH(hd025, "HD-025")
EACH(hd026, "HD-026")
EACH(hd027, "HD-027")
EACH(hd028, "HD-028")
EACH(fix5185, "fix 5.18.5")

/* A fault behind good buffers that are put back is found again, or is gone. */
static void fault_put_back(enum kvh_ring_layout l)
{
	struct drv_seg zero = { 1, 0, 0 };

	r = rig_new(l, (struct rig_opts){ .size = 16 });
	rig_add1(r, 1, true);
	lay(&zero, 1);
	CHECK(rig_take(r, 16) == 1);
	kvh_ring_untake(&r->ring, r->chains, 1);
	CHECK(rig_take(r, 16) == 1);
	CHECK(rig_take(r, 16) == -EBADMSG);
	check_refused(KVH_FAULT_ZERO_LEN);
}

static void indirect_off(enum kvh_ring_layout l)
{
	r = rig_new(l, (struct rig_opts){ .size = 16 });
	refer(RIG_GUEST_GPA, 16, 0);
	CHECK(rig_take(r, 1) == -EBADMSG);
	check_refused(KVH_FAULT_INDIRECT_OFF);
	CHECK(r->env.reads == 0);
}

/* Behind a table of @n good entries comes one that is read, or not. */
static void table_sizes(enum kvh_ring_layout l)
{
	struct drv_seg segs[KVH_CHAIN_SEGS_MAX];
	struct drv_how how = { .indirect = true };
	u32 i, n;

	for (i = 0; i < KVH_CHAIN_SEGS_MAX; i++)
		segs[i] = (struct drv_seg){ i, 1, 1 };
	r = rig_new(l, (struct rig_opts){ .size = 4, .indirect = true });
	for (n = 1; n <= KVH_CHAIN_SEGS_MAX; n += n < 20 ? 1 : 167) {
		CHECK(drv_add(&r->drv, segs, n, &how) >= 0);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 1) == 1);
		CHECK(r->chains[0].n_write == n);
		rig_finish(r, r->chains, 1);
		CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

static void no_translation(enum kvh_ring_layout l)
{
	struct drv_seg segs[2] = { { 1, 1, 0 }, { 2, 1, 1 } };
	struct drv_how how = { .indirect = true };
	u32 base;

	r = rig_new(l, (struct rig_opts){ .indirect = true });
	rig_add1(r, 1, false);
	CHECK(drv_add(&r->drv, segs, 2, &how) >= 0);
	drv_publish(&r->drv);
	r->env.fail = EAGAIN;
	CHECK(rig_take(r, 8) == 1);
	rig_finish(r, r->chains, 1);
	base = kvh_ring_base(&r->ring);
	/* Not a fault, nothing consumed, as often as it takes. */
	CHECK(rig_take(r, 8) == -EAGAIN);
	CHECK(rig_take(r, 8) == -EAGAIN);
	CHECK(!r->ring.fault && kvh_ring_base(&r->ring) == base);
	/* Sleep until it can be read or more comes, rather than ask for ever. */
	rig_enable_kick(r);
	CHECK(rig_take(r, 8) == -EAGAIN);
	CHECK(!rig_enable_kick(r));
	rig_add1(r, 1, false);
	drv_publish(&r->drv);
	CHECK(rig_enable_kick(r));
	CHECK(rig_take(r, 8) == -EAGAIN);
	CHECK(!rig_enable_kick(r));
	r->env.fail = 0;
	CHECK(rig_take(r, 1) == 1);
	CHECK(r->chains[0].n_read == 1 && r->chains[0].n_write == 1);
}

static void avail_jump(enum kvh_ring_layout l)
{
	static const u16 bases[] = { 0, 3, 32767, 65530 };
	u32 b, taken, jump;

	(void)l;
	for (b = 0; b < 4; b++)
		for (taken = 0; taken <= 8; taken += 4)
			for (jump = 0; jump < 65536; jump += jump < 20 ? 1 : 1021) {
				u16 from = bases[b] + taken;
				u32 i;

				r = rig_new(KVH_RING_SPLIT,
					    (struct rig_opts){ 0 });
				drv_seek(&r->drv, bases[b], true);
				CHECK(!rig_set_base(r, bases[b]));
				for (i = 0; i < taken; i++)
					rig_add1(r, 1, false);
				drv_publish(&r->drv);
				CHECK(rig_take(r, 8) == (int)taken);
				for (i = 0; i < 8; i++)
					drv_put_desc(&r->drv, i, 1, 1, 0, 0);
				drv_put_avail_idx(&r->drv, from + jump);
				if (jump <= 8 - taken) {
					CHECK(rig_take(r, 16) == (int)jump);
				} else {
					CHECK(rig_take(r, 16) == -EPROTO);
					check_refused(KVH_FAULT_AVAIL_JUMP);
				}
				rig_free_all();
			}
}

static void avail_back(enum kvh_ring_layout l)
{
	(void)l;
	r = rig_new(KVH_RING_SPLIT, (struct rig_opts){ 0 });
	rig_add1(r, 1, false);
	rig_add1(r, 1, false);
	rig_add1(r, 1, false);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 1) == 1);
	/* Three were offered, then only two. */
	drv_put_avail_idx(&r->drv, 2);
	CHECK(rig_take(r, 8) == -EPROTO);
	check_refused(KVH_FAULT_AVAIL_JUMP);
}

/* Offers more and more without a single buffer having been used. */
static void flood(enum kvh_ring_layout l)
{
	u32 total = 0, i;
	int n;

	r = rig_new(l, (struct rig_opts){ .size = 8 });
	for (i = 0; i < 100; i++) {
		if (PACKED(l)) {
			drv_put_desc(&r->drv, r->drv.avail, 1, 1, 0, i % 8);
			if (++r->drv.avail == 8) {
				r->drv.avail = 0;
				r->drv.wrap = !r->drv.wrap;
			}
		} else {
			drv_put_desc(&r->drv, i % 8, 1, 1, 0, 0);
			offer(i % 8);
		}
		n = rig_take(r, 8);
		if (n < 0)
			break;
		total += n;
	}
	CHECK(total == 8 && r->ring.in_flight == 8);
	check_refused(KVH_FAULT_AVAIL_JUMP);
	/* What was taken may still be given back. */
	rig_trace(r);
}

static void duplicate_heads(enum kvh_ring_layout l)
{
	u32 i;

	r = rig_new(l, (struct rig_opts){ .size = 8 });
	for (i = 0; i < 6; i++) {
		if (PACKED(l)) {
			drv_put_desc(&r->drv, i, 0x100 + i, 1, 0, 3);
		} else {
			drv_put_desc(&r->drv, 3, 0x100, 1, 0, 0);
			offer(3);
		}
	}
	/* Each offer is a buffer of its own; nothing is looked up by id. */
	CHECK(rig_take(r, 8) == 6);
	for (i = 0; i < 6; i++)
		CHECK(r->chains[i].id == 3 && r->chains[i].n_read == 1);
	rig_finish(r, r->chains, 6);
	CHECK(r->ring.in_flight == 0);
}

static void used_poisoned(enum kvh_ring_layout l)
{
	u32 i;

	/* The rig fails the test at any load from the device's part. */
	r = rig_new(l, (struct rig_opts){ .size = 8, .event_idx = true });
	for (i = 0; i < 100; i++) {
		memset(r->cfg.device, i * 37, r->bytes[2]);
		rig_add1(r, 1, false);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 8) == 1);
		memset(r->cfg.device, i * 41, r->bytes[2]);
		rig_finish(r, r->chains, 1);
		rig_need_signal(r);
		if (!PACKED(l))
			CHECK(drv_used_idx(&r->drv) == i + 1);
		CHECK(!rig_enable_kick(r));
		kvh_ring_disable_kick(&r->ring);
		CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

static void tiny_descriptors(enum kvh_ring_layout l)
{
	struct drv_seg segs[KVH_CHAIN_SEGS_MAX];
	u32 i;

	for (i = 0; i < KVH_CHAIN_SEGS_MAX; i++)
		segs[i] = (struct drv_seg){ i, 1, 0 };
	r = rig_new(l, (struct rig_opts){ .size = 4096 });
	CHECK(drv_add(&r->drv, segs, 1024, NULL) >= 0);
	CHECK(drv_add(&r->drv, segs, 1024, NULL) >= 0);
	drv_publish(&r->drv);
	rig_trace(r);
	/* One batch loads what it returns and little more. */
	CHECK(kvh_ring_take(&r->ring, &r->env, r->chains, 8, r->segs, 1024) == 1);
	CHECK(r->count <= 2 * 1024 + 8 + 2 * 1024);
}

const struct rig_test hostile_tests[] = {
	{ "HD-008", "readable after writable", hd008, 0 },
	{ "HD-009", "thousands of tiny descriptors cost what the cap allows",
	  tiny_descriptors, 0 },
	{ "HD-010", "loops of any length", hd010, 's' },
	{ "HD-011", "more than 2^32 - 1 bytes", hd011, 0 },
	{ "HD-012 CVE-2016-6490 CVE-2016-7422 CVE-2023-5158",
	  "bad next, empty segment, wrapping address", hd012, 0 },
	{ "HD-013", "a table within a table", hd013, 's' },
	{ "HD-014", "INDIRECT together with NEXT", hd014, 0 },
	{ "HD-015 CVE-2011-2212", "tables of bad length or outside of memory",
	  hd015, 0 },
	{ "HD-016", "a table above the cap", hd016, 0 },
	{ "HD-016", "a table longer than the queue, up to the cap", table_sizes, 0 },
	{ "HD-017", "avail idx jumps", avail_jump, 's' },
	{ "HD-017", "avail idx goes back", avail_back, 's' },
	{ "HD-017 CVE-2016-5403", "never more in flight than the queue holds",
	  flood, 0 },
	{ "HD-018", "head beyond the queue", hd018, 's' },
	{ "HD-018 HD-028", "one id offered many times over", duplicate_heads, 0 },
	{ "HD-020", "the device's part is scribbled on", used_poisoned, 0 },
	{ "HD-025 CVE-2026-16457", "endless and torn lists", hd025, 'p' },
	{ "HD-026", "writable before readable", hd026, 'p' },
	{ "HD-027", "INDIRECT inside a list", hd027, 'p' },
	{ "HD-028", "buffer ID beyond the queue", hd028, 'p' },
	{ "HD-004 CORE-061", "INDIRECT that was not negotiated", indirect_off, 0 },
	{ "fix 5.18.5", "loops within a table", fix5185, 's' },
	{ "fault", "a fault behind buffers put back", fault_put_back, 0 },
	{ "IOTLB", "a table without a translation is taken later", no_translation,
	  0 },
	{ 0 }
};
