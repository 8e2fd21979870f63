/* SPDX-License-Identifier: GPL-2.0 */
/*
 * packed_slot.h - positions in a packed ring, and what flags say there.
 *
 * Private to packed.c and packed_take.c.
 */
#ifndef KVH_PACKED_SLOT_H
#define KVH_PACKED_SLOT_H

#include "chain.h"

/* What AVAIL and USED are in an available descriptor of a lap (2.8.1). */
static __always_inline u64 avail_bits(bool wrap)
{
	return wrap ? KVH_SLOT_AVAIL : KVH_SLOT_USED;
}

/* The same in a used one. */
static __always_inline u64 used_bits(bool wrap)
{
	return wrap ? KVH_SLOT_BITS : 0;
}

/**
 * struct cursor - a position while it is worked with
 * @slot: the descriptor there
 * @lap:  where the ring ends
 * @bits: what AVAIL and USED have to be in this lap
 */
struct cursor {
	u8 *slot;
	u8 *lap;
	u64 bits;
};

static __always_inline struct cursor cursor_at(const struct kvh_ring *r,
					       u32 slot, u64 bits)
{
	return (struct cursor){
		.slot = r->desc + KVH_DESC_BYTES * slot,
		.lap = r->desc + KVH_DESC_BYTES * r->size,
		.bits = bits,
	};
}

/* Goes on by @n slots, into the next lap where the ring, which is @size, ends. */
static __always_inline void cursor_move(struct cursor *at, u32 n, u32 size)
{
	at->slot += KVH_DESC_BYTES * n;
	if (unlikely(at->slot >= at->lap)) {
		at->slot -= KVH_DESC_BYTES * size;
		at->bits ^= KVH_SLOT_BITS;
	}
}

static __always_inline u32 cursor_slot(const struct cursor *at, u32 size)
{
	return size - (u32)(at->lap - at->slot) / KVH_DESC_BYTES;
}

/* Whether the descriptor at @slot is available. */
static inline bool slot_avail(const struct kvh_ring *r, u32 slot, bool wrap)
{
	u64 word = kvh_fetch64(r->desc + KVH_DESC_BYTES * slot + 8);

	return (word & KVH_SLOT_BITS) == avail_bits(wrap);
}

#endif /* KVH_PACKED_SLOT_H */
