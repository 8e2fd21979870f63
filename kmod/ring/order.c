// SPDX-License-Identifier: GPL-2.0
/*
 * order.c - IN_ORDER: buffers go back in the order they came (2.7.9, 2.8.8).
 *
 * A backend completes in any order. Buffers completed in order are merged into
 * a run; others are parked in a private table, one place per buffer that may be
 * in flight, until all before them are completed too. A run goes back as one
 * used entry that names its last buffer, but only across buffers that were
 * written to their end: the driver takes a buffer that is skipped over for
 * fully written.
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

static void park(struct kvh_ring *r, const struct kvh_chain *c)
{
	*place(r, c->seq) = (struct kvh_order){
		.id = c->id,
		.slots = c->slots,
		.done = 1,
		.full = c->written == c->write_len,
		.written = c->written,
	};
	r->parked++;
}

/* The run ends, and gets its used entry. */
static void end_run(struct kvh_ring *r)
{
	if (r->layout == KVH_RING_PACKED)
		kvh_packed_used(r, r->run_id, r->run_written, r->run_slots);
	else
		kvh_split_used(r, r->run_id, r->run_written, r->run_slots);
	r->run_slots = 0;
}

/* @n buffers whose turn it is are no longer awaited. */
static void pass(struct kvh_ring *r, u32 n)
{
	u32 i = r->order_used + n;

	r->order_used = i < r->size ? i : i - r->size;
	r->seq_used += n;
}

/* The turn of those parked may have come. */
static void unpark(struct kvh_ring *r)
{
	while (r->parked) {
		struct kvh_order *o = place(r, r->seq_used);

		if (!o->done)
			break;
		o->done = 0;
		r->parked--;
		if (r->run_slots && !r->run_full)
			end_run(r);
		r->run_slots += o->slots;
		r->run_id = o->id;
		r->run_full = o->full;
		r->run_written = o->written;
		pass(r, 1);
	}
}

/*
 * Buffers from @c on whose turn it is, one after the other, join the run. It is
 * extended in registers and written back once. Returns how many.
 */
static u32 join(struct kvh_ring *r, const struct kvh_chain *c, u32 n)
{
	const u16 seq = r->seq_used;
	u32 slots = r->run_slots, i;
	bool full = r->run_full;

	for (i = 0; i < n && c[i].seq == (u16)(seq + i); i++) {
		if (slots && !full) {
			r->run_slots = slots;
			if (i) {
				r->run_id = c[i - 1].id;
				r->run_written = c[i - 1].written;
			}
			end_run(r);
			slots = 0;
		}
		slots += c[i].slots;
		full = c[i].written == c[i].write_len;
	}
	if (!i)
		return 0;
	r->run_slots = slots;
	r->run_full = full;
	r->run_id = c[i - 1].id;
	r->run_written = c[i - 1].written;
	pass(r, i);
	return i;
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
	while (n) {
		u32 joined = join(r, chains, n);

		if (!joined) {
			park(r, chains);
			joined = 1;
		} else if (unlikely(r->parked)) {
			unpark(r);
		}
		chains += joined;
		n -= joined;
	}
}

/**
 * kvh_order_flush() - make used entries of all that is completed without a gap
 * @r: the ring
 *
 * Context: As kvh_ring_publish().
 */
void kvh_order_flush(struct kvh_ring *r)
{
	if (r->run_slots)
		end_run(r);
}
