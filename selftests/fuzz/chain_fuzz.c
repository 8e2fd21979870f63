// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: indirect tables, against a second reading of the rules.
 *
 * The input is a table of raw descriptors. It is taken from a split and from a
 * packed ring, and walked by the plainest code that follows the specification;
 * segments and faults must agree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "mutate.h"

#define ENTRIES_MAX 1200u

void (*kvh_turn)(const void *p, u32 bytes, bool store);

struct kvh_env {
	const u8 *mem;
	u32 bytes;
	u32 reads;
};

int kvh_env_read_guest(struct kvh_env *env, u64 addr, void *dst, u32 len)
{
	env->reads++;
	if (addr != 0x1000 || len > env->bytes)
		return -EFAULT;
	memcpy(dst, env->mem, len);
	return 0;
}

/* The 16 bytes of entry @i, by name. */
struct entry {
	u64 addr;
	u32 len;
	u16 third;
	u16 fourth;
};

static struct entry entry_at(const u8 *mem, u32 i)
{
	struct entry e;

	memcpy(&e, mem + 16 * i, sizeof(e));
	return e;
}

/* What the table means, as @c and @out. Returns what the walk should. */
static int expect(const u8 *mem, u32 len, bool linked, struct kvh_chain *c,
		  struct kvh_seg *out)
{
	u32 entries = len / 16, i = 0, steps, n = 0;
	u64 bytes[2] = { 0 };

	if (!len || len % 16 || entries > KVH_CHAIN_SEGS_MAX)
		return KVH_FAULT_INDIRECT_LEN;
	for (steps = 1; ; steps++) {
		struct entry e = entry_at(mem, i);
		u16 flags = linked ? e.third : e.fourth;
		bool write = flags & KVH_DESC_WRITE;

		if (linked && flags & KVH_DESC_INDIRECT)
			return KVH_FAULT_INDIRECT_NEST;
		if (c->n_write && !write)
			return KVH_FAULT_ORDER;
		if (!e.len)
			return KVH_FAULT_ZERO_LEN;
		if (e.len - 1 > ~0ull - e.addr)
			return KVH_FAULT_ADDR_WRAP;
		out[n++] = (struct kvh_seg){ e.addr, e.len };
		bytes[write] += e.len;
		*(write ? &c->n_write : &c->n_read) += 1;
		i++;
		if (linked ? !(flags & KVH_DESC_NEXT) : i == entries)
			break;
		if (!linked)
			continue;
		i = e.fourth;
		if (i >= entries)
			return KVH_FAULT_NEXT_RANGE;
		if (steps == entries)
			return KVH_FAULT_LOOP;
	}
	if (bytes[0] > 0xffffffff || bytes[1] > 0xffffffff)
		return KVH_FAULT_TOTAL_LEN;
	c->read_len = bytes[0];
	c->write_len = bytes[1];
	return 0;
}

static void must(bool cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "promise broken: %s\n", what);
	abort();
}

/* An entry aligned as a ring has to be. */
union ring {
	struct entry entry;
	max_align_t align;
};

static union ring desc;
static u32 driver[2];
static u32 device[4];

/* A ring of one slot, whose only buffer is the table at 0x1000. */
static void offer(struct kvh_ring *ring, u32 len, bool linked)
{
	static __le64 table[2 * KVH_CHAIN_SEGS_MAX];
	const struct kvh_ring_config cfg = {
		.layout = linked ? KVH_RING_SPLIT : KVH_RING_PACKED,
		.size = 1,
		.indirect = true,
		.desc = &desc,
		.driver = driver,
		.device = device,
		.table = table,
	};

	desc.entry = (struct entry){ .addr = 0x1000, .len = len };
	if (linked)
		desc.entry.third = KVH_DESC_INDIRECT;
	else
		desc.entry.fourth = KVH_DESC_INDIRECT | 0x80;
	driver[0] = 1 << 16;
	must(!kvh_ring_init(ring, &cfg), "ring");
}

static void walk(const u8 *mem, u32 bytes, u32 len, bool linked)
{
	static struct kvh_seg got[KVH_CHAIN_SEGS_MAX], want[KVH_CHAIN_SEGS_MAX];
	struct kvh_env env = { .mem = mem, .bytes = bytes };
	struct kvh_chain c = { 0 }, d = { 0 };
	struct kvh_ring ring;
	int err, due;
	u32 k;

	offer(&ring, len, linked);
	err = kvh_ring_take(&ring, &env, &c, 1, got, KVH_CHAIN_SEGS_MAX);
	must(err == 1 || err == -EBADMSG, "taken or refused");
	err = ring.fault;
	due = expect(mem, len, linked, &d, want);
	must(err == due, "fault");
	must(env.reads <= 1, "one read");
	if (err)
		return;
	must(c.n_read == d.n_read && c.n_write == d.n_write, "counts");
	must(c.read_len == d.read_len && c.write_len == d.write_len, "lengths");
	for (k = 0; k < c.n_read + c.n_write; k++)
		must(got[k].addr == want[k].addr && got[k].len == want[k].len,
		     "segment");
}

int fuzz_input(const u8 *data, size_t bytes)
{
	u32 len;

	if (bytes < 2 || bytes > 16 * ENTRIES_MAX)
		return 0;
	/* The first two bytes make the length ragged, at times. */
	len = (bytes - 2) / 16 * 16;
	if (data[0] == 0xff)
		len = data[1];
	data += 2;
	bytes -= 2;
	if (len > bytes)
		return 0;
	walk(data, bytes, len, true);
	walk(data, bytes, len, false);
	return 0;
}
