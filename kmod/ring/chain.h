/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chain.h - collecting the segments of one buffer, whatever the layout.
 *
 * Private to kmod/ring. The per-segment step is inline, because it runs once
 * for every descriptor of every request.
 */
#ifndef KVH_CHAIN_H
#define KVH_CHAIN_H

#include "ring.h"

/* Descriptor flags (2.7.5, 2.8.14). */
#define KVH_DESC_NEXT		0x0001u
#define KVH_DESC_WRITE		0x0002u
#define KVH_DESC_INDIRECT	0x0004u

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

/**
 * struct kvh_walk - the buffer being collected
 * @seg:       where the next segment goes
 * @room:      segments that may still be added
 * @n_read:    readable segments so far
 * @n_write:   writable segments so far
 * @read_len:  bytes in the readable segments
 * @write_len: bytes in the writable segments
 *
 * Functions that work on it return 0, a positive enum kvh_ring_fault, -ENOSPC
 * when @room is used up, or -EAGAIN (see kvh_env_read_guest()).
 */
struct kvh_walk {
	struct kvh_seg *seg;
	u32 room;
	u32 n_read;
	u32 n_write;
	u64 read_len;
	u64 write_len;
};

static __always_inline void kvh_walk_begin(struct kvh_walk *w,
					   struct kvh_seg *segs, u32 room)
{
	w->seg = segs;
	w->room = room < KVH_CHAIN_SEGS_MAX ? room : KVH_CHAIN_SEGS_MAX;
	w->n_read = 0;
	w->n_write = 0;
	w->read_len = 0;
	w->write_len = 0;
}

static __always_inline int kvh_walk_add(struct kvh_walk *w, u64 addr, u32 len,
					bool write)
{
	if (unlikely(!len))
		return KVH_FAULT_ZERO_LEN;
	if (unlikely(addr + (len - 1) < addr))
		return KVH_FAULT_ADDR_WRAP;
	if (unlikely(!w->room))
		return -ENOSPC;
	if (write) {
		w->n_write++;
		w->write_len += len;
	} else {
		if (unlikely(w->n_write))
			return KVH_FAULT_ORDER;
		w->n_read++;
		w->read_len += len;
	}
	w->seg->addr = addr;
	w->seg->len = len;
	w->seg++;
	w->room--;
	return 0;
}

/* The sums of at most KVH_CHAIN_SEGS_MAX lengths cannot wrap 64 bits. */
static __always_inline int kvh_walk_end(const struct kvh_walk *w)
{
	if (unlikely((w->read_len | w->write_len) >> 32))
		return KVH_FAULT_TOTAL_LEN;
	return 0;
}

/* Everything of @c is written here, and once. */
static __always_inline void kvh_walk_emit(const struct kvh_walk *w,
					  struct kvh_chain *c, u16 id, u16 slots,
					  u16 seq, u32 first)
{
	c->id = id;
	c->slots = slots;
	c->seq = seq;
	c->n_read = w->n_read;
	c->n_write = w->n_write;
	c->first = first;
	c->read_len = w->read_len;
	c->write_len = w->write_len;
	c->written = 0;
}

int kvh_chain_linked(struct kvh_ring *r, struct kvh_env *env,
		     struct kvh_walk *w, u64 addr, u32 len);
int kvh_chain_sequence(struct kvh_ring *r, struct kvh_env *env,
		       struct kvh_walk *w, u64 addr, u32 len);
int kvh_chain_stop(struct kvh_ring *r, unsigned int n, int why);
int kvh_chain_errno(enum kvh_ring_fault fault);

#endif /* KVH_CHAIN_H */
