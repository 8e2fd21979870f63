// SPDX-License-Identifier: GPL-2.0
/*
 * chain.c - indirect tables, and what becomes of a chain that cannot be taken.
 *
 * An indirect table is copied whole into private memory by one call of the
 * seam; everything after works on that copy, so a driver that rewrites the
 * table meanwhile changes nothing. Tables of split rings are linked by next
 * (2.7.5.3), those of packed rings are read from first to last (2.8.7).
 *
 * Called by split.c and packed.c from within kvh_ring_take().
 */
#include "chain.h"

/* Copies the table at @addr; its number of entries goes to @entries. */
static int table_copy(struct kvh_ring *r, struct kvh_env *env, u64 addr,
		      u32 len, u32 *entries)
{
	int err;

	if (unlikely(!r->indirect))
		return KVH_FAULT_INDIRECT_OFF;
	if (unlikely(!len || len % KVH_DESC_BYTES ||
		     len > KVH_CHAIN_SEGS_MAX * KVH_DESC_BYTES))
		return KVH_FAULT_INDIRECT_LEN;
	if (unlikely(addr + (len - 1) < addr))
		return KVH_FAULT_INDIRECT_READ;

	err = kvh_env_read_guest(env, addr, r->table, len);
	if (unlikely(err))
		return err == -EAGAIN ? err : KVH_FAULT_INDIRECT_READ;
	*entries = len / KVH_DESC_BYTES;
	return 0;
}

/**
 * kvh_chain_linked() - collect the indirect table of a split ring's chain
 * @r:    the ring
 * @env:  for kvh_env_read_guest()
 * @c:    the buffer, with the segments and lengths it had before the table
 * @segs: its segments
 * @end:  end of the room for them
 * @addr: guest address of the table
 * @word: second word of the descriptor that refers to it
 *
 * Entries are followed by next, beginning at the first (2.7.5.3).
 *
 * Context: Within kvh_ring_take().
 * Return: 0; a positive enum kvh_ring_fault; -ENOSPC for more segments than
 * there is room for; -EAGAIN, see kvh_env_read_guest().
 */
int kvh_chain_linked(struct kvh_ring *r, struct kvh_env *env,
		     struct kvh_chain *c, struct kvh_seg *segs,
		     const struct kvh_seg *end, u64 addr, u64 word)
{
	const u8 *table = (const u8 *)r->table;
	struct kvh_walk w = {
		.segs = segs,
		.seg = segs + c->n_read + c->n_write,
	};
	const struct kvh_seg *lap;
	u32 entries;
	int err;

	if (unlikely(KVH_SPLIT_FLAGS(word) & KVH_DESC_NEXT))
		return KVH_FAULT_INDIRECT_NEXT;
	err = table_copy(r, env, addr, KVH_WORD_LEN(word), &entries);
	if (unlikely(err))
		return err;
	if (unlikely(w.seg == end))
		return -ENOSPC;

	lap = w.seg + entries;
	w.end = lap < end ? lap : end;
	w.word = kvh_desc_word(table, 8, true);
	w.kind = KVH_SPLIT_FLAGS(w.word) & KVH_DESC_KNOWN;
	err = KVH_WALK_OTHER;
	w.bytes = c->read_len;
	if (likely(!c->n_write))
		err = kvh_walk_links(&w, table, entries, 0, true);
	kvh_walk_turn(&w);
	if (err == KVH_WALK_OTHER) {
		w.writable -= c->n_write;
		w.bytes = c->write_len;
		err = kvh_walk_links(&w, table, entries, KVH_DESC_WRITE, true);
	}
	if (likely(!err))
		return kvh_walk_done(&w, c);
	if (err == -ENOSPC && w.end == lap)
		return KVH_FAULT_LOOP;
	if (err != KVH_WALK_OTHER)
		return err;
	return w.kind & KVH_DESC_INDIRECT ? KVH_FAULT_INDIRECT_NEST :
					    KVH_FAULT_ORDER;
}

/* Adds table entries from the one at hand on, as long as they are of one kind. */
static __always_inline int walk_entries(struct kvh_walk *w, const u8 *table,
					u32 entries, u32 kind)
{
	int err;

	for (; w->i < entries; w->i++) {
		w->word = kvh_desc_word(table, KVH_DESC_BYTES * w->i + 8, true);
		if ((KVH_PACKED_FLAGS(w->word) & KVH_DESC_WRITE) != kind)
			return KVH_WALK_OTHER;
		err = kvh_walk_add(w, kvh_desc_word(table,
						    KVH_DESC_BYTES * w->i, true));
		if (unlikely(err))
			return err;
	}
	return 0;
}

/**
 * kvh_chain_sequence() - collect the indirect table of a packed ring's buffer
 * @r:    the ring
 * @env:  for kvh_env_read_guest()
 * @c:    the buffer; segments and lengths are filled in
 * @segs: receives its segments
 * @end:  end of the room for them
 * @addr: guest address of the table
 * @word: second word of the descriptor that refers to it
 *
 * All entries belong to the buffer; of their flags only WRITE counts (2.8.7).
 *
 * Context: Within kvh_ring_take().
 * Return: 0; a positive enum kvh_ring_fault; -ENOSPC for more segments than
 * there is room for; -EAGAIN, see kvh_env_read_guest().
 */
int kvh_chain_sequence(struct kvh_ring *r, struct kvh_env *env,
		       struct kvh_chain *c, struct kvh_seg *segs,
		       const struct kvh_seg *end, u64 addr, u64 word)
{
	const u8 *table = (const u8 *)r->table;
	struct kvh_walk w = { .segs = segs, .seg = segs };
	u32 entries;
	int err;

	if (unlikely(KVH_PACKED_FLAGS(word) & KVH_DESC_NEXT))
		return KVH_FAULT_INDIRECT_NEXT;
	err = table_copy(r, env, addr, KVH_WORD_LEN(word), &entries);
	if (unlikely(err))
		return err;
	if (unlikely(entries > end - segs))
		return -ENOSPC;

	err = walk_entries(&w, table, entries, 0);
	kvh_walk_turn(&w);
	if (err == KVH_WALK_OTHER)
		err = walk_entries(&w, table, entries, KVH_DESC_WRITE);
	if (likely(!err))
		return kvh_walk_done(&w, c);
	return err == KVH_WALK_OTHER ? KVH_FAULT_ORDER : err;
}

/**
 * kvh_chain_stop() - end a batch before a chain that could not be taken
 * @r:   the ring; its position is just before that chain
 * @n:   chains of the batch taken before it
 * @why: what the walk said: a fault, -ENOSPC or -EAGAIN
 *
 * A fault behind good chains is remembered and told by the next call, so that
 * what was asked for before it is still served. No room behind good chains is
 * no fault: the chain is first in the next batch.
 *
 * Context: Within kvh_ring_take().
 * Return: @n if above 0, else -EPROTO, -EBADMSG or -EAGAIN.
 */
int kvh_chain_stop(struct kvh_ring *r, unsigned int n, int why)
{
	if (why == -ENOSPC && !n)
		why = KVH_FAULT_TOO_LONG;
	if (why > 0) {
		r->fault = why;
		r->fault_told = !n;
	}
	if (n)
		return n;
	return why > 0 ? kvh_chain_errno(why) : why;
}

/**
 * kvh_chain_errno() - the errno that stands for a fault
 * @fault: what was found
 *
 * Context: Any.
 * Return: -EPROTO for a malformed ring, -EBADMSG for a malformed chain.
 */
int kvh_chain_errno(enum kvh_ring_fault fault)
{
	return fault <= KVH_FAULT_RING_LAST ? -EPROTO : -EBADMSG;
}
