/* SPDX-License-Identifier: GPL-2.0 */
/*
 * table.h - indirect tables (2.7.5.3, 2.8.7).
 *
 * A table is copied whole into private memory by one call of the seam;
 * everything after works on that copy, so a driver that rewrites the table
 * meanwhile changes nothing. Tables of split rings are linked by next, those of
 * packed rings are read from first to last.
 *
 * Private to split.c and packed_take.c, inline for the same reason as chain.h.
 */
#ifndef KVH_TABLE_H
#define KVH_TABLE_H

#include "chain.h"

/*
 * Copies an indirect table into private memory, whole, so that a driver that
 * rewrites it meanwhile changes nothing. @word, the second one of the descriptor
 * that refers to it, has its length. Returns as described at struct kvh_walk.
 */
static __always_inline int kvh_table_copy(struct kvh_ring *r,
					  struct kvh_env *env, u64 addr,
					  u64 word)
{
	u32 len = KVH_WORD_LEN(word);
	int err;

	if (unlikely(!r->indirect))
		return KVH_FAULT_INDIRECT_OFF;
	if (unlikely(len - 1 >= KVH_CHAIN_SEGS_MAX * KVH_DESC_BYTES ||
		     len % KVH_DESC_BYTES))
		return KVH_FAULT_INDIRECT_LEN;
	if (unlikely(addr + (len - 1) < addr))
		return KVH_FAULT_INDIRECT_READ;

	err = kvh_env_read_guest(env, addr, r->table, len);
	if (unlikely(err))
		return err == -EAGAIN ? err : KVH_FAULT_INDIRECT_READ;
	return 0;
}

/*
 * Goes on with the copied table of a split ring's chain, of @entries, which are
 * followed by next, beginning at the first (2.7.5.3).
 */
static __always_inline int kvh_table_linked(const struct kvh_ring *r,
					    struct kvh_walk *w,
					    const struct kvh_seg *end,
					    u32 entries)
{
	const u8 *table = (const u8 *)r->table;
	const struct kvh_seg *lap = w->seg + entries;
	int err = KVH_WALK_OTHER;

	w->end = lap < end ? lap : end;
	w->i = 0;
	w->word = kvh_desc_word(table, 8, true);
	w->kind = KVH_SPLIT_FLAGS(w->word) & KVH_DESC_KNOWN;
	/* Nothing writable so far? */
	if (likely(w->seg == w->writable)) {
		w->bytes = w->read_len;
		err = kvh_walk_links(w, table, entries, 0, true);
		kvh_walk_turn(w);
	}
	if (err == KVH_WALK_OTHER)
		err = kvh_walk_links(w, table, entries, KVH_DESC_WRITE, true);
	if (likely(!err))
		return 0;
	if (err == -ENOSPC && w->end == lap)
		return KVH_FAULT_LOOP;
	if (err != KVH_WALK_OTHER)
		return err;
	return w->kind & KVH_DESC_INDIRECT ? KVH_FAULT_INDIRECT_NEST :
					     KVH_FAULT_ORDER;
}

/* Adds table entries from @at on up to @stop, as long as they are of one kind. */
static __always_inline int walk_entries(struct kvh_walk *w, const u8 **at,
					const u8 *stop, u32 kind)
{
	int err;

	for (; *at < stop; *at += KVH_DESC_BYTES) {
		w->word = kvh_desc_word(*at, 8, true);
		if ((KVH_PACKED_FLAGS(w->word) & KVH_DESC_WRITE) != kind)
			return KVH_WALK_OTHER;
		err = kvh_walk_add(w, kvh_desc_word(*at, 0, true));
		if (unlikely(err))
			return err;
	}
	return 0;
}

/*
 * Collects the copied table of a packed ring's buffer, of @entries, which all
 * belong to it; of their flags only WRITE counts (2.8.7).
 */
static __always_inline int kvh_table_sequence(const struct kvh_ring *r,
					      struct kvh_chain *c,
					      struct kvh_seg *segs,
					      const struct kvh_seg *end,
					      u32 entries)
{
	const u8 *at = (const u8 *)r->table;
	const u8 *stop = at + KVH_DESC_BYTES * entries;
	struct kvh_walk w = { .segs = segs, .seg = segs };
	int err;

	if (unlikely(entries > end - segs))
		return -ENOSPC;

	err = walk_entries(&w, &at, stop, 0);
	kvh_walk_turn(&w);
	if (err == KVH_WALK_OTHER)
		err = walk_entries(&w, &at, stop, KVH_DESC_WRITE);
	if (likely(!err))
		return kvh_walk_done(&w, c);
	return err == KVH_WALK_OTHER ? KVH_FAULT_ORDER : err;
}

#endif /* KVH_TABLE_H */
