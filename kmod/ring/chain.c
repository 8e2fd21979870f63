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
 * kvh_chain_linked() - add the entries of a split ring's indirect table
 * @r:    the ring
 * @env:  for kvh_env_read_guest()
 * @w:    the buffer being collected
 * @addr: guest address of the table
 * @len:  its length in bytes
 *
 * Entries are followed by next, beginning at the first (2.7.5.3).
 *
 * Context: Within kvh_ring_take().
 * Return: As described at struct kvh_walk.
 */
int kvh_chain_linked(struct kvh_ring *r, struct kvh_env *env,
		     struct kvh_walk *w, u64 addr, u32 len)
{
	struct kvh_walk walk = *w;
	u32 entries, left, i = 0;
	int err;

	err = table_copy(r, env, addr, len, &entries);
	if (unlikely(err))
		return err;

	for (left = entries; ; ) {
		u64 word = kvh_private_le64(&r->table[2 * i + 1]);
		u16 flags = KVH_SPLIT_FLAGS(word);

		if (unlikely(flags & KVH_DESC_INDIRECT))
			return KVH_FAULT_INDIRECT_NEST;
		err = kvh_walk_add(&walk, kvh_private_le64(&r->table[2 * i]),
				   KVH_WORD_LEN(word), flags & KVH_DESC_WRITE);
		if (unlikely(err))
			return err;
		if (!(flags & KVH_DESC_NEXT))
			break;
		i = KVH_SPLIT_NEXT(word);
		if (unlikely(i >= entries))
			return KVH_FAULT_NEXT_RANGE;
		if (unlikely(!--left))
			return KVH_FAULT_LOOP;
	}
	*w = walk;
	return 0;
}

/**
 * kvh_chain_sequence() - add the entries of a packed ring's indirect table
 * @r:    the ring
 * @env:  for kvh_env_read_guest()
 * @w:    the buffer being collected
 * @addr: guest address of the table
 * @len:  its length in bytes
 *
 * All entries belong to the buffer; of their flags only WRITE counts (2.8.7).
 *
 * Context: Within kvh_ring_take().
 * Return: As described at struct kvh_walk.
 */
int kvh_chain_sequence(struct kvh_ring *r, struct kvh_env *env,
		       struct kvh_walk *w, u64 addr, u32 len)
{
	struct kvh_walk walk = *w;
	u32 entries, i;
	int err;

	err = table_copy(r, env, addr, len, &entries);
	if (unlikely(err))
		return err;

	for (i = 0; i < entries; i++) {
		u64 word = kvh_private_le64(&r->table[2 * i + 1]);

		err = kvh_walk_add(&walk, kvh_private_le64(&r->table[2 * i]),
				   KVH_WORD_LEN(word),
				   KVH_PACKED_FLAGS(word) & KVH_DESC_WRITE);
		if (unlikely(err))
			return err;
	}
	*w = walk;
	return 0;
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
