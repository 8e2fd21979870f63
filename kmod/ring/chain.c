// SPDX-License-Identifier: GPL-2.0
/*
 * chain.c - what becomes of a chain that cannot be taken.
 *
 * A fault is remembered, and told when nothing in front of it is left to tell.
 * How chains are collected is in chain.h and table.h.
 *
 * Called by split.c and packed_take.c from within kvh_ring_take().
 */
#include "chain.h"

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
