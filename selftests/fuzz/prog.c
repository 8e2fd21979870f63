// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a program of the ring fuzzers against a ring, and checks its promises.
 *
 * Ring parts are allocations of their exact size, so that ASan sees any access
 * beyond them. What else must hold, whatever memory says: chains are well
 * formed, never more is in flight than the queue holds, faults are sticky, work
 * is bounded, and what is completed is shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prog.h"
#include "ring.h"

#define SEGS_MAX	2048u
#define LATER_MAX	8u
#define NEXT		1u

void (*kvh_turn)(const void *p, u32 bytes, bool store);

/* Guest memory: one indirect table. */
struct kvh_env {
	u8 mem[16 * FUZZ_TABLE];
	u32 misses;
};

static struct {
	struct kvh_ring ring;
	struct kvh_ring_config cfg;
	struct kvh_env env;
	u8 *part[3];
	u32 bytes[3];
	struct {
		u32 when;
		u32 part;
		u32 off;
		u16 value;
	} later[LATER_MAX];
	u32 n_later;
	u32 accesses;
	/* The driver. */
	u16 avail;
	bool wrap;
	bool chained;
	u16 head;
	/* The backend. */
	struct kvh_chain work[FUZZ_SIZE_MAX];
	u32 n_work;
	u32 last_taken;
	int fault;
} f;

static struct kvh_seg segs[SEGS_MAX];
static __le64 table[2 * KVH_CHAIN_SEGS_MAX];
static struct kvh_order order[FUZZ_SIZE_MAX];

static void must(bool cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "promise broken: %s\n", what);
	abort();
}

static void put16(u32 part, u32 half, u16 v)
{
	part %= 3;
	half %= f.bytes[part] / 2;
	memcpy(f.part[part] + 2 * half, &v, 2);
}

static void guest_turn(const void *p, u32 bytes, bool store)
{
	u32 i;

	(void)p;
	(void)bytes;
	(void)store;
	f.accesses++;
	for (i = 0; i < f.n_later; i++)
		if (f.later[i].when == f.accesses)
			put16(f.later[i].part, f.later[i].off, f.later[i].value);
}

int kvh_env_read_guest(struct kvh_env *env, u64 addr, void *dst, u32 len)
{
	must(len && addr + (len - 1) >= addr, "table range wraps");
	must(len <= 16 * KVH_CHAIN_SEGS_MAX, "table longer than the scratch");
	if (env->misses) {
		env->misses--;
		return -EAGAIN;
	}
	addr -= FUZZ_GUEST_GPA;
	if (addr >= sizeof(env->mem) || len > sizeof(env->mem) - addr)
		return -EFAULT;
	memcpy(dst, env->mem + addr, len);
	/* The table changes as soon as it is read. */
	env->mem[addr] ^= 0x55;
	return 0;
}

static void put_desc(u8 *p, const struct fuzz_rec *r, u16 flags)
{
	u64 addr = r->addr | (u64)(__s64)(__s16)r->high << 32;
	u64 word = r->c;

	if (f.cfg.layout == KVH_RING_PACKED)
		word |= (u64)r->x << 32 | (u64)flags << 48;
	else
		word |= (u64)flags << 32 | (u64)r->x << 48;
	memcpy(p, &addr, 8);
	memcpy(p + 8, &word, 8);
}

static void offer(u16 head)
{
	u16 idx;

	put16(1, 2 + f.avail % f.cfg.size, head);
	memcpy(&idx, f.part[1] + 2, 2);
	put16(1, 1, idx + 1);
	f.avail++;
}

/* As a driver would, so that programs get past the first look. */
static void push(const struct fuzz_rec *r)
{
	u32 at = f.avail % f.cfg.size;

	if (f.cfg.layout == KVH_RING_PACKED) {
		put_desc(f.part[0] + 16 * at, r,
			 (r->b & 0x7f7f) | (f.wrap ? 0x80 : 0x8000));
		f.avail = at + 1;
		if (f.avail == f.cfg.size) {
			f.avail = 0;
			f.wrap = !f.wrap;
		}
		return;
	}
	at = (f.head + f.chained) % f.cfg.size;
	put_desc(f.part[0] + 16 * at, r, r->b);
	if (!f.chained)
		offer(at);
	f.chained = r->b & NEXT;
	f.head = at;
}

static void check_chains(const struct kvh_chain *c, int n, u32 max_segs)
{
	u32 next = 0, k;

	for (; n > 0; n--, c++) {
		u64 sum[2] = { 0 };
		u32 all = c->n_read + c->n_write;

		must(c->first == next, "segments follow one another");
		must(all >= 1 && all <= KVH_CHAIN_SEGS_MAX, "segments counted");
		must(next + all <= max_segs, "segments fit the array");
		must(c->id < f.cfg.size, "id in range");
		must(c->slots >= 1 && c->slots <= f.cfg.size, "slots in range");
		must(!c->written, "nothing written yet");
		for (k = 0; k < all; k++) {
			const struct kvh_seg *s = &segs[next + k];

			must(s->len, "no empty segment");
			must(s->addr + (s->len - 1) >= s->addr, "no wrap");
			sum[k >= c->n_read] += s->len;
		}
		must(sum[0] == c->read_len && sum[1] == c->write_len, "sums");
		next += all;
	}
}

static void take(const struct fuzz_rec *r)
{
	u32 max = r->a % (f.cfg.size + 2), max_segs = r->b % SEGS_MAX + 1;
	struct kvh_chain chains[FUZZ_SIZE_MAX + 2];
	bool missing = f.env.misses;
	u32 before = f.accesses;
	int n;

	n = kvh_ring_take(&f.ring, &f.env, chains, max, segs, max_segs);
	/* Each chain at most the whole ring; and a few looks. */
	must(f.accesses - before <=
	     (f.cfg.size + 1) * (2 * f.cfg.size + 1) + 4, "bounded loads");
	must(n <= (int)max, "no more than asked for");
	must(!f.fault || n == f.fault, "a fault is sticky");
	if (n < 0) {
		must(n == -EPROTO || n == -EBADMSG || (n == -EAGAIN && missing),
		     "known errno");
		must(n == -EAGAIN || f.ring.fault != KVH_FAULT_NONE, "named");
		f.fault = n == -EAGAIN ? 0 : n;
		return;
	}
	check_chains(chains, n, max_segs);
	must(f.n_work + n <= f.cfg.size, "no more than the queue holds");
	memcpy(f.work + f.n_work, chains, n * sizeof(*chains));
	f.n_work += n;
	f.last_taken = n;
	must(f.ring.in_flight == f.n_work, "in flight");
}

static void complete(const struct fuzz_rec *r)
{
	struct kvh_chain *c;
	u32 i;

	if (!f.n_work)
		return;
	i = r->a % f.n_work;
	c = &f.work[i];
	c->written = r->c % (c->write_len + 1ull);
	kvh_ring_complete(&f.ring, c, 1);
	memmove(c, c + 1, (--f.n_work - i) * sizeof(*c));
	/* Those taken last are still last, unless it was one of them. */
	if (i + f.last_taken > f.n_work)
		f.last_taken = f.n_work - i;
	must(f.ring.in_flight == f.n_work, "in flight");
}

static void untake(const struct fuzz_rec *r)
{
	u32 n = r->a % (f.last_taken + 1);

	f.n_work -= n;
	f.last_taken -= n;
	kvh_ring_untake(&f.ring, f.work + f.n_work, n);
	must(f.ring.in_flight == f.n_work, "in flight");
}

static void publish(void)
{
	u32 before = f.accesses;

	if (kvh_ring_publish(&f.ring))
		kvh_ring_need_signal(&f.ring);
	must(!kvh_ring_publish(&f.ring), "published once");
	must(f.accesses - before <= 2 * FUZZ_SIZE_MAX + 4, "bounded stores");
}

static void kick(u32 how)
{
	switch (how % 3) {
	case 0:
		kvh_ring_disable_kick(&f.ring);
		break;
	case 1:
		must(!kvh_ring_enable_kick(&f.ring) || !f.fault, "told once");
		break;
	case 2:
		must(!kvh_ring_has_avail(&f.ring) || !f.fault, "told once");
		break;
	}
}

static void restore(const struct fuzz_rec *r)
{
	int err;

	must(!kvh_ring_init(&f.ring, &f.cfg), "set up anew");
	f.n_work = 0;
	f.last_taken = 0;
	f.fault = 0;
	if (!(r->a & 1))
		return;
	err = kvh_ring_set_base(&f.ring, r->c);
	must(!err || err == -EINVAL || err == -EPROTO, "known errno");
	if (err == -EPROTO)
		f.fault = err;
	if (!err)
		f.avail = r->c & 0x7fff;
	if (!err && f.cfg.layout == KVH_RING_PACKED)
		f.wrap = r->c & 0x8000;
}

static void step(const struct fuzz_rec *r)
{
	switch (r->op % FUZZ_OPS) {
	case FUZZ_PUSH:
		push(r);
		break;
	case FUZZ_DESC:
		put_desc(f.part[0] + 16 * (r->a % f.cfg.size), r, r->b);
		break;
	case FUZZ_ENTRY:
		put_desc(f.env.mem + 16 * (r->a % FUZZ_TABLE), r, r->b);
		break;
	case FUZZ_HEAD:
		if (f.cfg.layout == KVH_RING_SPLIT)
			offer(r->b);
		break;
	case FUZZ_WORD:
		put16(r->a, r->b, r->c);
		break;
	case FUZZ_LATER:
		if (f.n_later == LATER_MAX)
			f.n_later = 0;
		f.later[f.n_later].when = f.accesses + 1 + r->x % 64;
		f.later[f.n_later].part = r->a;
		f.later[f.n_later].off = r->b;
		f.later[f.n_later++].value = r->c;
		break;
	case FUZZ_EVENT:
		put16(1, f.cfg.layout == KVH_RING_PACKED ? 1 : 0, r->b);
		put16(1, f.cfg.layout == KVH_RING_PACKED ? 0 : 2 + f.cfg.size,
		      r->c);
		break;
	case FUZZ_TAKE:
		take(r);
		break;
	case FUZZ_COMPLETE:
		complete(r);
		break;
	case FUZZ_UNTAKE:
		untake(r);
		break;
	case FUZZ_PUBLISH:
		publish();
		break;
	case FUZZ_KICK:
		kick(r->a);
		break;
	case FUZZ_RESTORE:
		restore(r);
		break;
	case FUZZ_MISS:
		f.env.misses = r->a % 4;
		break;
	}
}

static bool set_up(bool packed, const struct fuzz_rec *r)
{
	enum kvh_ring_layout l = packed ? KVH_RING_PACKED : KVH_RING_SPLIT;
	u32 size = packed ? r->a % FUZZ_SIZE_MAX + 1 : 1u << r->a % 6, i;

	memset(&f, 0, sizeof(f));
	f.wrap = true;
	f.bytes[0] = kvh_ring_desc_bytes(l, size);
	f.bytes[1] = kvh_ring_driver_bytes(l, size);
	f.bytes[2] = kvh_ring_device_bytes(l, size);
	for (i = 0; i < 3; i++) {
		f.part[i] = calloc(1, f.bytes[i]);
		must(f.part[i], "memory for the ring");
	}
	f.cfg = (struct kvh_ring_config){
		.layout = l,
		.size = size,
		.event_idx = r->op & FUZZ_EVENT_IDX,
		.indirect = r->op & FUZZ_INDIRECT,
		.in_order = r->op & FUZZ_IN_ORDER,
		.desc = f.part[0],
		.driver = f.part[1],
		.device = f.part[2],
		.table = table,
		.order = order,
	};
	return !kvh_ring_init(&f.ring, &f.cfg);
}

/* Runs the program of @bytes at @data on a ring of either layout. */
void fuzz_ring(bool packed, const u8 *data, size_t bytes)
{
	struct fuzz_rec r;
	u32 i;

	if (bytes < sizeof(r))
		return;
	memcpy(&r, data, sizeof(r));
	must(set_up(packed, &r), "set up");
	kvh_turn = guest_turn;
	for (data += sizeof(r), bytes -= sizeof(r); bytes >= sizeof(r);
	     data += sizeof(r), bytes -= sizeof(r)) {
		memcpy(&r, data, sizeof(r));
		step(&r);
	}
	/* Whatever is out comes back, and is shown. */
	kvh_ring_complete(&f.ring, f.work, f.n_work);
	must(kvh_ring_publish(&f.ring) || !f.n_work, "shown in the end");
	must(!f.ring.in_flight, "nothing left in flight");
	kvh_turn = NULL;
	for (i = 0; i < 3; i++)
		free(f.part[i]);
}
