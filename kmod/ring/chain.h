/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chain.h - collecting the segments of one buffer, whatever the layout.
 *
 * Private to kmod/ring. Descriptors are collected inline, in the loops of split.c
 * and packed_take.c, because that runs for every descriptor of every request.
 */
#ifndef KVH_CHAIN_H
#define KVH_CHAIN_H

#include "ring.h"

/* Descriptor flags (2.7.5, 2.8.14). */
#define KVH_DESC_NEXT		0x0001u
#define KVH_DESC_WRITE		0x0002u
#define KVH_DESC_INDIRECT	0x0004u
#define KVH_DESC_KNOWN		0x0007u

/* AVAIL and USED of a packed descriptor's flags, as they lie in its word. */
#define KVH_SLOT_AVAIL		(0x0080ull << 48)
#define KVH_SLOT_USED		(0x8000ull << 48)
#define KVH_SLOT_BITS		(KVH_SLOT_AVAIL | KVH_SLOT_USED)
/* And what tells that a buffer is more than this one direct descriptor. */
#define KVH_SLOT_MORE		((u64)(KVH_DESC_NEXT | KVH_DESC_INDIRECT) << 48)

#define KVH_DESC_BYTES		16u

/*
 * The second eight bytes of a descriptor in host order. A split descriptor
 * ends in flags and next, a packed one in id and flags.
 */
#define KVH_WORD_LEN(w)		((u32)(w))
#define KVH_SPLIT_FLAGS(w)	((u16)((w) >> 32))
#define KVH_SPLIT_NEXT(w)	((u16)((w) >> 48))
#define KVH_PACKED_ID(w)	((u16)((w) >> 32))
#define KVH_PACKED_FLAGS(w)	((u16)((w) >> 48))

/* 1 if the WRITE flag is set, else 0. */
#define KVH_SPLIT_WRITE(w)	((u32)((w) >> 33) & 1)
#define KVH_PACKED_WRITE(w)	((u32)((w) >> 49) & 1)

/**
 * struct kvh_walk - the segments of one buffer being collected
 * @segs:     the first one
 * @seg:      where the next one goes
 * @end:      where the room for them ends
 * @writable: the first writable one; @seg as long as there is none
 * @read_len: bytes in the readable ones, once a writable one was met
 * @bytes:    bytes in those of the kind at hand
 * @i:        index of the descriptor at hand
 * @word:     its second word
 * @kind:     what its flags say, NEXT, WRITE and INDIRECT; other bits if it is
 *            not available
 *
 * Readable descriptors come before writable ones, so that a walk is two loops,
 * one for either kind, in which flags are judged by a single comparison. Every
 * descriptor adds a segment, of which there is a limited number: that ends any
 * loop.
 *
 * Lives in registers: its address goes to inline functions only. Functions that
 * work on it return 0, a positive enum kvh_ring_fault, -ENOSPC when there is no
 * room, -EAGAIN (see kvh_env_read_guest()), or %KVH_WALK_OTHER if the descriptor
 * at hand cannot be a segment in this place.
 */
struct kvh_walk {
	struct kvh_seg *segs;
	struct kvh_seg *seg;
	const struct kvh_seg *end;
	struct kvh_seg *writable;
	u64 read_len;
	u64 bytes;
	u32 i;
	u64 word;
	u32 kind;
};

#define KVH_WALK_OTHER	(-EINVAL)

/* The descriptor at hand, whose first word is @addr, is the next segment. */
static __always_inline int kvh_walk_add(struct kvh_walk *w, u64 addr)
{
	u32 len = KVH_WORD_LEN(w->word);

	if (unlikely(!len))
		return KVH_FAULT_ZERO_LEN;
	if (unlikely(addr + (len - 1) < addr))
		return KVH_FAULT_ADDR_WRAP;
	w->seg->addr = addr;
	w->seg->len = len;
	w->seg++;
	w->bytes += len;
	return 0;
}

/* From here on segments are writable. */
static __always_inline void kvh_walk_turn(struct kvh_walk *w)
{
	w->writable = w->seg;
	w->read_len = w->bytes;
	w->bytes = 0;
}

/*
 * What was collected goes to @c. The sums of at most as many lengths as a ring
 * and a table have descriptors cannot wrap 64 bits.
 */
static __always_inline int kvh_walk_done(const struct kvh_walk *w,
					 struct kvh_chain *c)
{
	if (unlikely((w->read_len | w->bytes) >> 32))
		return KVH_FAULT_TOTAL_LEN;
	c->n_read = w->writable - w->segs;
	c->n_write = w->seg - w->writable;
	c->read_len = w->read_len;
	c->write_len = w->bytes;
	c->written = 0;
	return 0;
}

/* The walk of a buffer that is a single direct descriptor, which most are. */
static __always_inline int kvh_chain_single(struct kvh_chain *c,
					    struct kvh_seg *seg, u64 addr,
					    u32 len, u32 write)
{
	u32 write_len = len & -write;

	if (unlikely(!len))
		return KVH_FAULT_ZERO_LEN;
	if (unlikely(addr + (len - 1) < addr))
		return KVH_FAULT_ADDR_WRAP;
	seg->addr = addr;
	seg->len = len;
	c->n_read = 1 - write;
	c->n_write = write;
	c->read_len = len - write_len;
	c->write_len = write_len;
	c->written = 0;
	return 0;
}

/* A word of a descriptor, in the ring or in the private copy of a table. */
static __always_inline u64 kvh_desc_word(const u8 *desc, u32 off, bool copied)
{
	return copied ? kvh_private_le64((const __le64 *)(desc + off)) :
			kvh_fetch64(desc + off);
}

/* Adds linked descriptors of one kind, and the last if it is of that kind. */
static __always_inline int kvh_walk_links(struct kvh_walk *w, const u8 *desc,
					  u32 count, u32 kind, bool copied)
{
	const u32 last = count - 1;
	int err;

	while (w->kind == (kind | KVH_DESC_NEXT)) {
		err = kvh_walk_add(w, kvh_desc_word(desc, KVH_DESC_BYTES * w->i,
						    copied));
		if (unlikely(err))
			return err;
		w->i = KVH_SPLIT_NEXT(w->word);
		if (unlikely(w->i > last))
			return KVH_FAULT_NEXT_RANGE;
		if (unlikely(w->seg == w->end))
			return -ENOSPC;
		/* A ring's size is a power of two; a table's place has the largest. */
		w->i = kvh_index_nospec(w->i, copied ? KVH_CHAIN_SEGS_MAX - 1 : last);
		w->word = kvh_desc_word(desc, KVH_DESC_BYTES * w->i + 8, copied);
		w->kind = KVH_SPLIT_FLAGS(w->word) & KVH_DESC_KNOWN;
	}
	if (w->kind != kind)
		return KVH_WALK_OTHER;
	return kvh_walk_add(w, kvh_desc_word(desc, KVH_DESC_BYTES * w->i, copied));
}

int kvh_chain_stop(struct kvh_ring *r, unsigned int n, int why);
int kvh_chain_errno(enum kvh_ring_fault fault);

#endif /* KVH_CHAIN_H */
