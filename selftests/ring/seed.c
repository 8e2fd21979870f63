// SPDX-License-Identifier: GPL-2.0
/*
 * Writes the rings that the unit tests meet down as seeds for the fuzzers.
 *
 * With RING_SEEDS naming a directory, each small ring is recorded as it is when
 * a batch is about to be taken: as a program of ../fuzz/prog.h that writes the
 * same memory, takes, completes and publishes. Equal programs are one file, by
 * the hash in its name; tests that do the same thing many times stop after a
 * few.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/prog.h"
#include "rig.h"

#define RECORDS_MAX	512u
#define PER_TEST	24u

struct program {
	struct fuzz_rec rec[RECORDS_MAX];
	u32 n;
};

static struct fuzz_rec *add(struct program *p, enum fuzz_op op)
{
	struct fuzz_rec *r = &p->rec[p->n < RECORDS_MAX ? p->n++ : 0];

	*r = (struct fuzz_rec){ .op = op };
	return r;
}

/* Notes the raw descriptor at @d as a record; tables move to the fuzzer's. */
static void add_desc(struct program *p, enum fuzz_op op, u32 i, const u8 *d,
		     bool packed, u64 gpa)
{
	struct fuzz_rec *r;
	u16 half[2];
	u64 addr;

	memcpy(&addr, d, 8);
	memcpy(half, d + 12, 4);
	r = add(p, op);
	r->a = i;
	memcpy(&r->c, d + 8, 4);
	r->b = half[packed];
	r->x = half[!packed];
	if (half[packed] & 4 && addr == gpa)
		addr = FUZZ_GUEST_GPA;
	r->addr = addr;
	r->high = addr >> 32;
}

static void add_ring(struct program *p, const struct rig *r, u64 gpa)
{
	bool packed = r->cfg.layout == KVH_RING_PACKED;
	static const u8 none[16];
	u32 i;

	for (i = 0; i < r->cfg.size; i++)
		if (memcmp(r->drv.desc + 16 * i, none, 16))
			add_desc(p, FUZZ_DESC, i, r->drv.desc + 16 * i, packed,
				 gpa);
	for (i = 0; gpa && i < FUZZ_TABLE; i++) {
		const u8 *d = r->env.mem + (gpa - RIG_GUEST_GPA) + 16 * i;

		if (memcmp(d, none, 16))
			add_desc(p, FUZZ_ENTRY, i, d, packed, gpa);
	}
	for (i = 0; i < r->bytes[1] / 2; i++) {
		struct fuzz_rec *w;
		u16 v;

		memcpy(&v, r->drv.driver + 2 * i, 2);
		if (!v)
			continue;
		w = add(p, FUZZ_WORD);
		w->a = 1;
		w->b = i;
		w->c = v;
	}
}

/* The first table that a descriptor refers to, if it is a test's own. */
static u64 first_table(const struct rig *r)
{
	u32 flags_at = r->cfg.layout == KVH_RING_PACKED ? 14 : 12, i;

	for (i = 0; i < r->cfg.size; i++) {
		const u8 *d = r->drv.desc + 16 * i;
		u64 gpa;

		memcpy(&gpa, d, 8);
		if (d[flags_at] & 4 && gpa >= RIG_GUEST_GPA &&
		    gpa - RIG_GUEST_GPA + 16 * DRV_TABLE_MAX <= r->env.bytes)
			return gpa;
	}
	return 0;
}

static void save(const u8 *b, size_t bytes, const char *dir, const char *kind)
{
	size_t i;
	u64 hash = 14695981039346656037ull;
	char name[512];
	FILE *file;

	for (i = 0; i < bytes; i++)
		hash = (hash ^ b[i]) * 1099511628211ull;
	snprintf(name, sizeof(name), "%s/%s-%016llx", dir, kind,
		 (unsigned long long)hash);
	file = fopen(name, "w");
	if (!file || fwrite(b, 1, bytes, file) != bytes || fclose(file)) {
		fprintf(stderr, "seed: cannot write %s: %m\n", name);
		exit(1);
	}
}

/* The table alone, behind two bytes that leave its length as it is. */
static void save_table(const struct rig *r, u64 gpa, const char *dir)
{
	static u8 out[2 + 16 * DRV_TABLE_MAX];
	u32 n;

	if (!gpa)
		return;
	memcpy(out + 2, r->env.mem + (gpa - RIG_GUEST_GPA), sizeof(out) - 2);
	for (n = sizeof(out); n > 2 && !out[n - 1]; )
		n--;
	save(out, 2 + (n + 13) / 16 * 16, dir, "chain");
}

static u32 written;

/* A new test begins. */
void rig_seed_test(void)
{
	written = 0;
}

void rig_seed(struct rig *r)
{
	const char *dir = getenv("RING_SEEDS");
	bool packed = r->cfg.layout == KVH_RING_PACKED;
	static struct program p;
	struct fuzz_rec *set_up;
	u32 log = 0, i;

	if (!dir || r->cfg.size > FUZZ_SIZE_MAX || written++ >= PER_TEST)
		return;
	while (1u << log < r->cfg.size)
		log++;
	p.n = 0;
	set_up = add(&p, 0);
	set_up->op = (r->cfg.event_idx ? FUZZ_EVENT_IDX : 0) |
		(r->cfg.indirect ? FUZZ_INDIRECT : 0) |
		(r->cfg.in_order ? FUZZ_IN_ORDER : 0);
	set_up->a = packed ? r->cfg.size - 1 : log;
	add(&p, FUZZ_RESTORE)->c = kvh_ring_base(&r->ring);
	p.rec[1].a = 1;
	add_ring(&p, r, first_table(r));
	add(&p, FUZZ_TAKE)->b = 2047;
	p.rec[p.n - 1].a = r->cfg.size;
	for (i = 0; i < 4; i++)
		add(&p, FUZZ_COMPLETE)->c = i;
	add(&p, FUZZ_PUBLISH);
	add(&p, FUZZ_KICK)->a = 1;
	save((const u8 *)p.rec, p.n * sizeof(p.rec[0]), dir,
	     packed ? "packed" : "split");
	save_table(r, first_table(r), dir);
}
