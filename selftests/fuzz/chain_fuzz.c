// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: indirect tables, against a second reading of the rules.
 *
 * The input is a table of raw descriptors. It is walked by the ring code as a
 * split and as a packed ring would, and by the plainest code that follows the
 * specification; segments and faults must agree.
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

static int judge(const struct entry *e, u16 flags, u32 n, u32 n_write)
{
	if (!e->len)
		return KVH_FAULT_ZERO_LEN;
	if (e->len - 1 > ~0ull - e->addr)
		return KVH_FAULT_ADDR_WRAP;
	if (n == KVH_CHAIN_SEGS_MAX)
		return -ENOSPC;
	if (n_write && !(flags & KVH_DESC_WRITE))
		return KVH_FAULT_ORDER;
	return 0;
}

/* What the table means. Returns what the walk should. */
static int expect(const u8 *mem, u32 len, bool linked, struct kvh_seg *out,
		  u32 *n_read, u32 *n_write)
{
	u32 entries = len / 16, i = 0, steps, n = 0;

	*n_read = 0;
	*n_write = 0;
	if (!len || len % 16 || entries > KVH_CHAIN_SEGS_MAX)
		return KVH_FAULT_INDIRECT_LEN;
	for (steps = 1; ; steps++) {
		struct entry e = entry_at(mem, i);
		u16 flags = linked ? e.third : e.fourth & KVH_DESC_WRITE;
		int err;

		if (linked && flags & KVH_DESC_INDIRECT)
			return KVH_FAULT_INDIRECT_NEST;
		err = judge(&e, flags, n, *n_write);
		if (err)
			return err;
		out[n++] = (struct kvh_seg){ e.addr, e.len };
		*(flags & KVH_DESC_WRITE ? n_write : n_read) += 1;
		if (!linked) {
			if (++i == entries)
				return 0;
			continue;
		}
		if (!(flags & KVH_DESC_NEXT))
			return 0;
		i = e.fourth;
		if (i >= entries)
			return KVH_FAULT_NEXT_RANGE;
		if (steps == entries)
			return KVH_FAULT_LOOP;
	}
}

static void must(bool cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "promise broken: %s\n", what);
	abort();
}

static void walk(const u8 *mem, u32 bytes, u32 len, bool linked)
{
	static struct kvh_seg got[KVH_CHAIN_SEGS_MAX], want[KVH_CHAIN_SEGS_MAX];
	static __le64 table[2 * KVH_CHAIN_SEGS_MAX];
	struct kvh_env env = { .mem = mem, .bytes = bytes };
	struct kvh_ring ring = { .indirect = true, .table = table };
	u32 n_read, n_write, k;
	struct kvh_walk w;
	int err, due;

	kvh_walk_begin(&w, got, KVH_CHAIN_SEGS_MAX);
	err = linked ? kvh_chain_linked(&ring, &env, &w, 0x1000, len) :
		       kvh_chain_sequence(&ring, &env, &w, 0x1000, len);
	due = expect(mem, len, linked, want, &n_read, &n_write);
	must(err == due, "fault");
	must(env.reads <= 1, "one read");
	if (err)
		return;
	must(w.n_read == n_read && w.n_write == n_write, "counts");
	for (k = 0; k < n_read + n_write; k++)
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
