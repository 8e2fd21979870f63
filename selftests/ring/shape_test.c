// SPDX-License-Identifier: GPL-2.0
/*
 * Whatever shape a buffer has, it arrives as the driver meant it.
 *
 * Sizes and alignment of the ring, framing, direct and indirect chains, caps.
 */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define PACKED(l) ((l) == KVH_RING_PACKED)

static struct kvh_ring_config config(enum kvh_ring_layout l, u32 size)
{
	static u64 mem[3][8] __attribute__((__aligned__(64)));

	return (struct kvh_ring_config){
		.layout = l, .size = size,
		.desc = mem[0], .driver = mem[1], .device = mem[2],
	};
}

static void sizes_refused(enum kvh_ring_layout l, const u32 *sizes)
{
	struct kvh_ring ring;

	for (; *sizes != ~0u; sizes++) {
		struct kvh_ring_config cfg = config(l, *sizes);

		CHECK(kvh_ring_init(&ring, &cfg) == -EINVAL);
		CHECK(!kvh_ring_desc_bytes(l, *sizes));
		CHECK(!kvh_ring_driver_bytes(l, *sizes));
		CHECK(!kvh_ring_device_bytes(l, *sizes));
	}
}

static void size_moves(enum kvh_ring_layout l, u32 size)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = size });
	u32 batch = size < 64 ? size : 64, i;

	for (i = 0; i < 2 * size + 3; i += batch)
		rig_turn_around(r, batch);
	rig_free_all();
}

static void sizes_split(enum kvh_ring_layout l)
{
	static const u32 bad[] = { 0, 3, 5, 7, 100, 32767, 32769, 65536,
				   0x80000000, ~0u };
	u32 size;

	sizes_refused(l, bad);
	for (size = 1; size <= 32768; size *= 2) {
		CHECK(kvh_ring_desc_bytes(l, size) == 16ul * size);
		CHECK(kvh_ring_driver_bytes(l, size) == 6 + 2ul * size);
		CHECK(kvh_ring_device_bytes(l, size) == 6 + 8ul * size);
		size_moves(l, size);
	}
}

static void sizes_packed(enum kvh_ring_layout l)
{
	static const u32 good[] = { 1, 2, 3, 5, 7, 100, 256, 1000, 32767, 32768 };
	static const u32 bad[] = { 0, 32769, 65535, 65536, 0x80000001, ~0u };
	u32 i;

	sizes_refused(l, bad);
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		CHECK(kvh_ring_desc_bytes(l, good[i]) == 16ul * good[i]);
		CHECK(kvh_ring_driver_bytes(l, good[i]) == 4);
		CHECK(kvh_ring_device_bytes(l, good[i]) == 4);
		size_moves(l, good[i]);
	}
}

static void misaligned(enum kvh_ring_layout l)
{
	u32 driver_align = PACKED(l) ? 4 : 2, off;
	struct kvh_ring_config cfg;
	struct kvh_ring ring;

	cfg = config(l, 2);
	CHECK(!kvh_ring_init(&ring, &cfg));
	for (off = 1; off < 16; off++) {
		cfg = config(l, 2);
		cfg.desc = (u8 *)cfg.desc + off;
		CHECK(kvh_ring_init(&ring, &cfg) == -EINVAL);
		cfg = config(l, 2);
		cfg.driver = (const u8 *)cfg.driver + off;
		CHECK(kvh_ring_init(&ring, &cfg) ==
		      (off % driver_align ? -EINVAL : 0));
		cfg = config(l, 2);
		cfg.device = (u8 *)cfg.device + off;
		CHECK(kvh_ring_init(&ring, &cfg) == (off % 4 ? -EINVAL : 0));
	}
	cfg = config(l, 2);
	cfg.desc = NULL;
	CHECK(kvh_ring_init(&ring, &cfg) == -EINVAL);
	cfg = config(l, 2);
	cfg.driver = NULL;
	CHECK(kvh_ring_init(&ring, &cfg) == -EINVAL);
	cfg = config(l, 2);
	cfg.device = NULL;
	CHECK(kvh_ring_init(&ring, &cfg) == -EINVAL);
}

static void inconsistent(enum kvh_ring_layout l)
{
	struct kvh_ring_config cfg = config(l, 2);
	struct kvh_ring ring;

	cfg.indirect = true;
	CHECK(kvh_ring_init(&ring, &cfg) == -EINVAL);
	cfg = config(l, 2);
	cfg.in_order = true;
	CHECK(kvh_ring_init(&ring, &cfg) == -EINVAL);
	cfg = config(l, 2);
	cfg.layout = (enum kvh_ring_layout)7;
	CHECK(kvh_ring_init(&ring, &cfg) == -EINVAL);
}

/* Cuts @len bytes at @addr into pieces whose lengths come from @seed. */
static unsigned int cut(struct drv_seg *segs, u64 addr, u32 len, bool write,
			unsigned int most, unsigned int *seed)
{
	unsigned int n = 0;

	while (len) {
		u32 piece = n + 1 == most ? len : rand_r(seed) % len + 1;

		segs[n++] = (struct drv_seg){ addr, piece, write };
		addr += piece;
		len -= piece;
	}
	return n;
}

/* The message is what is left when piece boundaries are forgotten. */
static void check_message(const struct rig *r, const struct kvh_chain *c,
			  u64 rd, u32 rd_len, u64 wr, u32 wr_len)
{
	u32 k;

	CHECK(c->read_len == rd_len && c->write_len == wr_len);
	for (k = 0; k < c->n_read; k++) {
		CHECK(r->segs[c->first + k].addr == rd);
		rd += r->segs[c->first + k].len;
	}
	for (; k < (u32)c->n_read + c->n_write; k++) {
		CHECK(r->segs[c->first + k].addr == wr);
		wr += r->segs[c->first + k].len;
	}
}

static void framing(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 64, .indirect = true });
	unsigned int seed = 1, round;

	for (round = 0; round < 20000; round++) {
		u32 rd_len = rand_r(&seed) % 40, wr_len = rand_r(&seed) % 40;
		struct drv_how how = {
			.indirect = round % 3,
			.direct = PACKED(l) ? 0 : rand_r(&seed) % 3,
			.shuffle = round % 2,
		};
		struct drv_seg segs[64];
		struct drv_used u;
		unsigned int n;
		int id;

		if (!rd_len && !wr_len)
			continue;
		n = cut(segs, 0x1000, rd_len, false, 30, &seed);
		n += cut(segs + n, 0x9000, wr_len, true, 30, &seed);
		if (how.direct >= n)
			how.direct = 0;
		id = drv_add(&r->drv, segs, n, &how);
		CHECK(id >= 0);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 1) == 1);
		CHECK(r->chains[0].id == id);
		CHECK((u32)r->chains[0].n_read + r->chains[0].n_write == n);
		check_message(r, r->chains, 0x1000, rd_len, 0x9000, wr_len);
		r->chains[0].written = wr_len;
		rig_finish(r, r->chains, 1);
		CHECK(drv_get_used(&r->drv, &u) && u.id == id && u.len == wr_len);
	}
}

/* Every way to cut eight bytes, by the bits of a mask. */
static void framing_exhaustive(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 16, .indirect = true });
	u32 mask, writes, i;

	for (mask = 0; mask < 128; mask++)
		for (writes = 0; writes <= 8; writes++) {
			struct drv_how how = { .indirect = mask & 1 };
			struct drv_seg segs[8];
			u32 n = 0, at = 0;

			for (i = 0; i < 8; i++) {
				bool write = i >= 8 - writes;

				if (i != 7 && !(mask & 1 << i) && i + 1 != 8 - writes)
					continue;
				segs[n++] = (struct drv_seg){
					(write ? 0x9000 : 0x1000) + at,
					i + 1 - at, write };
				at = i + 1;
			}
			CHECK(drv_add(&r->drv, segs, n, &how) >= 0);
			drv_publish(&r->drv);
			CHECK(rig_take(r, 4) == 1);
			check_message(r, r->chains, 0x1000, 8 - writes,
				      0x9000 + 8 - writes, writes);
			rig_finish(r, r->chains, 1);
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
		}
}

static void cap(enum kvh_ring_layout l)
{
	static const u32 count[] = { 1023, 1024, 1025 };
	struct drv_seg segs[1100];
	u32 i, k, direct;

	for (i = 0; i < 1100; i++)
		segs[i] = (struct drv_seg){ 0x1000 + i, 1, i >= 700 };
	for (direct = 0; direct < 2; direct++)
		for (k = 0; k < 3; k++) {
			struct rig *r = rig_new(l, (struct rig_opts){
					.size = 2048, .indirect = !direct });
			struct drv_how how = { .indirect = !direct };

			CHECK(drv_add(&r->drv, segs, count[k], &how) >= 0);
			drv_publish(&r->drv);
			if (count[k] <= KVH_CHAIN_SEGS_MAX) {
				CHECK(rig_take(r, 1) == 1);
				CHECK(r->chains[0].n_read == 700);
				CHECK(r->chains[0].n_write == count[k] - 700);
			} else {
				CHECK(rig_take(r, 1) == -EBADMSG);
				CHECK(r->ring.fault ==
				      (direct ? KVH_FAULT_TOO_LONG :
						KVH_FAULT_INDIRECT_LEN));
			}
			rig_free_all();
		}
}

static void small_array(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 16 });
	struct drv_seg segs[4] = {
		{ 1, 1, 0 }, { 2, 1, 0 }, { 3, 1, 1 }, { 4, 1, 1 } };
	int n;

	CHECK(drv_add(&r->drv, segs, 3, NULL) >= 0);
	CHECK(drv_add(&r->drv, segs, 4, NULL) >= 0);
	drv_publish(&r->drv);
	/* Room for the first and most of the second: only the first is taken. */
	n = kvh_ring_take(&r->ring, &r->env, r->chains, 8, r->segs, 6);
	CHECK(n == 1 && r->chains[0].n_read == 2 && r->chains[0].n_write == 1);
	CHECK(!r->ring.fault);
	CHECK(rig_take(r, 8) == 1);
	CHECK(r->chains[0].n_read == 2 && r->chains[0].n_write == 2);
	CHECK(r->segs[3].addr == 4);

	/* With no room for a single one, the array is the cap. */
	CHECK(drv_add(&r->drv, segs, 4, NULL) >= 0);
	drv_publish(&r->drv);
	rig_trace(r);
	n = kvh_ring_take(&r->ring, &r->env, r->chains, 8, r->segs, 3);
	CHECK(n == -EBADMSG && r->ring.fault == KVH_FAULT_TOO_LONG);
}

/* The same where a table comes to the end of the room. */
static void small_array_table(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .indirect = true });
	struct drv_seg segs[4] = {
		{ 1, 1, 0 }, { 2, 1, 0 }, { 3, 1, 1 }, { 4, 1, 1 } };
	struct drv_how how = { .indirect = true };
	unsigned int room;
	u32 direct;

	for (direct = 0; direct < (PACKED(l) ? 1 : 3); direct++)
		for (room = 2; room < 6; room++) {
			how.direct = direct;
			CHECK(drv_add(&r->drv, segs, 1, NULL) >= 0);
			CHECK(drv_add(&r->drv, segs, 4, &how) >= 0);
			drv_publish(&r->drv);
			rig_trace(r);
			CHECK(kvh_ring_take(&r->ring, &r->env, r->chains, 8,
					    r->segs, room) == (room < 5 ? 1 : 2));
			CHECK(!r->ring.fault);
			rig_finish(r, r->chains, room < 5 ? 1 : 2);
			if (room < 5) {
				CHECK(rig_take(r, 8) == 1);
				CHECK(r->chains[0].n_read == 2);
				CHECK(r->segs[3].addr == 4);
				rig_finish(r, r->chains, 1);
			}
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
		}
}

static void payload_untouched(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 8, .indirect = true });
	/* No such memory exists; only the table is ever read. */
	struct drv_seg segs[2] = { { ~0ull - 99, 100, 0 }, { 1ull << 63, 5, 1 } };
	struct drv_how how = { .indirect = true };

	CHECK(drv_add(&r->drv, segs, 2, NULL) >= 0);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 8) == 1);
	CHECK(r->env.reads == 0);
	CHECK(drv_add(&r->drv, segs, 2, &how) >= 0);
	drv_publish(&r->drv);
	CHECK(rig_take(r, 8) == 1);
	CHECK(r->env.reads == 1);
	CHECK(r->segs[0].addr == ~0ull - 99 && r->segs[1].addr == 1ull << 63);
}

static void read_only_parts(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){
			.size = 8, .indirect = true, .event_idx = true });
	struct drv_seg segs[3] = { { 1, 1, 0 }, { 2, 2, 0 }, { 3, 3, 1 } };
	u8 desc[128], driver[64];
	unsigned int i;

	for (i = 0; i < 200; i++) {
		struct drv_how how = { .indirect = i & 1 };

		CHECK(drv_add(&r->drv, segs, 3, &how) >= 0);
		drv_publish(&r->drv);
		drv_arm(&r->drv);
		memcpy(desc, r->cfg.desc, r->bytes[0]);
		memcpy(driver, r->cfg.driver, r->bytes[1]);
		kvh_ring_disable_kick(&r->ring);
		CHECK(rig_take(r, 8) == 1);
		rig_finish(r, r->chains, 1);
		CHECK(rig_need_signal(r));
		CHECK(!rig_enable_kick(r));
		if (!PACKED(l))
			CHECK(!memcmp(desc, r->cfg.desc, r->bytes[0]));
		CHECK(!memcmp(driver, r->cfg.driver, r->bytes[1]));
		CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

static void ref_write_ignored(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .indirect = true });
	struct drv_seg segs[3] = { { 1, 1, 0 }, { 2, 2, 0 }, { 3, 3, 1 } };
	u16 flags;

	for (flags = 0; flags <= 2; flags += 2) {
		struct drv_how how = { .indirect = true, .ref_flags = flags };

		CHECK(drv_add(&r->drv, segs, 3, &how) >= 0);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 1) == 1);
		CHECK(r->chains[0].n_read == 2 && r->chains[0].n_write == 1);
	}
}

static void direct_then_indirect(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 16, .indirect = true });
	struct drv_seg segs[16];
	unsigned int direct, i;

	for (i = 0; i < 16; i++)
		segs[i] = (struct drv_seg){ 0x100 + i, i + 1, i >= 7 };
	for (direct = 0; direct < 15; direct++) {
		struct drv_how how = { .indirect = true, .direct = direct };

		CHECK(drv_add(&r->drv, segs, 16, &how) >= 0);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 1) == 1);
		CHECK(r->chains[0].n_read == 7 && r->chains[0].n_write == 9);
		for (i = 0; i < 16; i++)
			CHECK(r->segs[i].addr == 0x100 + i &&
			      r->segs[i].len == i + 1);
		rig_finish(r, r->chains, 1);
		CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

static void table_follows_next(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .indirect = true });
	struct drv_seg segs[200];
	unsigned int n, i;

	for (n = 1; n <= 200; n++) {
		struct drv_how how = { .indirect = true, .shuffle = true };

		for (i = 0; i < n; i++)
			segs[i] = (struct drv_seg){ 0x100 + i, i + 1, i >= n / 2 };
		CHECK(drv_add(&r->drv, segs, n, &how) >= 0);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 1) == 1);
		for (i = 0; i < n; i++)
			CHECK(r->segs[i].addr == 0x100 + i);
		rig_finish(r, r->chains, 1);
		CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

static void table_junk(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .indirect = true });
	struct drv_seg segs[3] = { { 1, 1, 0 }, { 2, 2, 0 }, { 3, 3, 1 } };
	u32 junk;

	for (junk = 0; junk < 65536; junk++) {
		struct drv_how how = { .indirect = true, .junk = junk & ~2u };

		CHECK(drv_add(&r->drv, segs, 3, &how) >= 0);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 1) == 1);
		CHECK(r->chains[0].n_read == 2 && r->chains[0].n_write == 1);
		CHECK(r->segs[1].addr == 2 && r->segs[2].addr == 3);
		rig_finish(r, r->chains, 1);
		CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

static void whole_ring(enum kvh_ring_layout l)
{
	static const u32 sizes[] = { 1, 2, 3, 7, 8, 100, 1024 };
	struct drv_seg segs[1024];
	u32 i, k, lap;

	for (i = 0; i < 1024; i++)
		segs[i] = (struct drv_seg){ 0x100 + i, 1, i & 512 };
	for (k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
		struct rig *r;

		if (!kvh_ring_desc_bytes(l, sizes[k]))
			continue;
		r = rig_new(l, (struct rig_opts){ .size = sizes[k] });
		for (lap = 0; lap < 5; lap++) {
			CHECK(drv_add(&r->drv, segs, sizes[k], NULL) >= 0);
			drv_publish(&r->drv);
			CHECK(rig_take(r, 4) == 1);
			CHECK((u32)r->chains[0].n_read + r->chains[0].n_write ==
			      sizes[k]);
			rig_finish(r, r->chains, 1);
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
			/* And out of step with the ring's end. */
			if (sizes[k] > 1)
				rig_turn_around(r, 1);
		}
		rig_free_all();
	}
}

static void mixed_forms(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 32, .indirect = true });
	struct drv_seg segs[3] = { { 1, 1, 0 }, { 2, 2, 0 }, { 3, 3, 1 } };
	unsigned int lap, i;

	for (lap = 0; lap < 50; lap++) {
		for (i = 0; i < 10; i++) {
			struct drv_how how = { .indirect = (i * 7 + lap) % 3 == 0 };

			CHECK(drv_add(&r->drv, segs, 3, &how) >= 0);
		}
		drv_publish(&r->drv);
		CHECK(rig_take(r, 32) == 10);
		for (i = 0; i < 10; i++)
			CHECK(r->chains[i].n_read == 2 && r->chains[i].n_write == 1 &&
			      r->segs[r->chains[i].first + 2].addr == 3);
		rig_finish(r, r->chains, 10);
		for (i = 0; i < 10; i++)
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

/* The driver model puts poison IDs into all but the last descriptor. */
static void id_from_last(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 7 });
	struct drv_seg segs[3] = { { 1, 1, 0 }, { 2, 2, 0 }, { 3, 3, 1 } };
	struct drv_used u;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		int id = drv_add(&r->drv, segs, 3, NULL);
		int id2 = drv_add(&r->drv, segs + 1, 2, NULL);

		CHECK(id >= 0 && id2 >= 0);
		drv_publish(&r->drv);
		CHECK(rig_take(r, 8) == 2);
		CHECK(r->chains[0].id == id && r->chains[0].slots == 3);
		CHECK(r->chains[1].id == id2 && r->chains[1].slots == 2);
		rig_finish(r, r->chains, 2);
		/* The second used entry is three slots behind the first. */
		CHECK(drv_get_used(&r->drv, &u) && u.id == id);
		CHECK(drv_get_used(&r->drv, &u) && u.id == id2);
	}
}

static void ring_order(enum kvh_ring_layout l)
{
	struct rig *r = rig_new(l, (struct rig_opts){ .size = 32 });
	unsigned int lap, i, k;

	for (lap = 0; lap < 20; lap++) {
		struct drv_seg segs[3];

		for (i = 0; i < 10; i++) {
			for (k = 0; k < 3; k++)
				segs[k] = (struct drv_seg){ i * 10 + k, 1, 0 };
			CHECK(drv_add(&r->drv, segs, 3, NULL) >= 0);
		}
		drv_publish(&r->drv);
		/* In two halves, so that a position is remembered rightly. */
		CHECK(rig_take(r, 4) == 4);
		rig_finish(r, r->chains, 4);
		CHECK(r->segs[0].addr == 0 && r->segs[11].addr == 32);
		CHECK(rig_take(r, 32) == 6);
		for (i = 0; i < 6; i++)
			for (k = 0; k < 3; k++)
				CHECK(r->segs[i * 3 + k].addr == (i + 4) * 10 + k);
		CHECK(r->chains[5].seq == (u16)(r->chains[0].seq + 5));
		rig_finish(r, r->chains, 6);
		for (i = 0; i < 10; i++)
			CHECK(drv_get_used(&r->drv, &(struct drv_used){ 0 }));
	}
}

const struct rig_test shape_tests[] = {
	{ "CORE-007", "powers of two up to 32768 move data, all else is refused",
	  sizes_split, 's' },
	{ "CORE-049", "any size up to 32768 moves data, all else is refused",
	  sizes_packed, 'p' },
	{ "HD-007", "misaligned or missing ring parts are refused", misaligned, 0 },
	{ "CORE-061", "a feature without its private memory is refused",
	  inconsistent, 0 },
	{ "CORE-008", "a message does not depend on how it is cut", framing, 0 },
	{ "CORE-008", "nor on any of the ways to cut eight bytes",
	  framing_exhaustive, 0 },
	{ "CORE-009 CORE-058", "1024 segments pass, 1025 are a fault", cap, 0 },
	{ "CORE-009", "the caller's array ends a batch, or is the cap",
	  small_array, 0 },
	{ "CORE-009", "so it does where the segments are in a table",
	  small_array_table, 0 },
	{ "CORE-010 CORE-011 CORE-012 CORE-053 CORE-054",
	  "payload is neither read nor written", payload_untouched, 0 },
	{ "CORE-013 CORE-047", "the driver's parts are never written",
	  read_only_parts, 0 },
	{ "CORE-014 CORE-044", "WRITE on the descriptor of a table is ignored",
	  ref_write_ignored, 0 },
	{ "CORE-015", "direct descriptors, then one table", direct_then_indirect,
	  's' },
	{ "CORE-016", "a table is followed by next", table_follows_next, 's' },
	{ "CORE-043 HD-027", "in a table only WRITE counts, IDs do not",
	  table_junk, 'p' },
	{ "CORE-041", "a list may take the whole ring", whole_ring, 0 },
	{ "CORE-041", "direct and indirect live side by side", mixed_forms, 0 },
	{ "CORE-042", "the ID is the last descriptor's, the list is skipped",
	  id_from_last, 'p' },
	{ "CORE-050 CORE-057", "buffers and their segments come in ring order",
	  ring_order, 0 },
	{ 0 }
};
