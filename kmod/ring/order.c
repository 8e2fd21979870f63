// SPDX-License-Identifier: GPL-2.0
/*
 * order.c - IN_ORDER: buffers go back in the order they came (2.7.9, 2.8.8).
 *
 * A backend completes in any order. Completed buffers wait in a private table,
 * one place per buffer that may be in flight, until all before them are
 * completed too. A run of them then goes back as one used entry that names the
 * last, but only across buffers that were written to their end: the driver
 * takes a buffer that is skipped over for fully written.
 *
 * Invariant: place of sequence number s is order_used + (s - seq_used), modulo
 * the queue size; s - seq_used is below the queue size.
 *
 * Called by ring.c alone, by the one thread that uses the ring.
 */
#include "order.h"
#include "packed.h"
#include "split.h"

static struct kvh_order *place(const struct kvh_ring *r, u16 seq)
{
	u32 i = r->order_used + (u16)(seq - r->seq_used);

	return &r->order[i < r->size ? i : i - r->size];
}

/**
 * kvh_order_complete() - note that buffers are completed
 * @r:      the ring
 * @chains: the buffers, in any order
 * @n:      how many
 *
 * Context: As kvh_ring_complete().
 */
void kvh_order_complete(struct kvh_ring *r, const struct kvh_chain *chains,
			unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		const struct kvh_chain *c = &chains[i];
		struct kvh_order *o = place(r, c->seq);

		o->id = c->id;
		o->slots = c->slots;
		o->full = c->written == c->write_len;
		o->written = c->written;
		o->done = 1;
	}
}

/**
 * kvh_order_flush() - make used entries of what is completed without a gap
 * @r: the ring
 *
 * Context: As kvh_ring_publish().
 */
void kvh_order_flush(struct kvh_ring *r)
{
	u32 slots = 0;

	while (r->seq_used != r->seq_next) {
		struct kvh_order *o = place(r, r->seq_used);
		struct kvh_order *next = place(r, r->seq_used + 1);
		bool last;

		if (!o->done)
			break;
		o->done = 0;
		slots += o->slots;
		r->seq_used++;
		if (++r->order_used == r->size)
			r->order_used = 0;

		last = !o->full || r->seq_used == r->seq_next || !next->done;
		if (!last)
			continue;
		if (r->layout == KVH_RING_SPLIT)
			kvh_split_used(r, o->id, o->written, slots);
		else
			kvh_packed_used(r, o->id, o->written, slots);
		slots = 0;
	}
}
