// SPDX-License-Identifier: GPL-2.0
/*
 * stock.c - buffers of a guest taken to be filled, as many as a frame needs.
 *
 * A frame may need the buffers of several takes, and a take may give more than
 * a frame needs, so they are kept here, in the order taken, with their
 * segments side by side. The stock is filled and emptied within one call of
 * kvh_backend.serve: what is left over goes back to the ring.
 */
#include <linux/slab.h>
#include "net.h"

/* Buffers, and segments, that one frame may fill at most. */
#define FRAME_CHAINS	KVH_CHAIN_SEGS_MAX
#define FRAME_SEGS	KVH_CHAIN_SEGS_MAX

/* Segments of one take at most: see KVH_VQ_SEGS of the core. */
#define TAKE_SEGS	(KVH_CHAIN_SEGS_MAX + 4 * KVH_BATCH)

/**
 * struct net_stock - buffers taken
 * @c0:    index of the first
 * @c1:    behind the last
 * @s0:    index of the first segment
 * @s1:    behind the last
 * @bytes: what fits into them
 * @chains: buffers
 * @segs:  segments
 */
struct net_stock {
	unsigned int c0;
	unsigned int c1;
	unsigned int s0;
	unsigned int s1;
	u64 bytes;
	struct kvh_chain chains[FRAME_CHAINS + KVH_BATCH];
	struct kvh_seg segs[FRAME_SEGS + TAKE_SEGS];
};

/**
 * net_stock_new() - make an empty stock
 *
 * Context: Process context.
 * Return: the stock, or NULL without memory
 */
struct net_stock *net_stock_new(void)
{
	struct net_stock *st = kvmalloc(sizeof(*st), GFP_KERNEL_ACCOUNT);

	if (st) {
		st->c0 = 0;
		st->c1 = 0;
		st->s0 = 0;
		st->s1 = 0;
		st->bytes = 0;
	}
	return st;
}

/**
 * net_stock_free() - undo net_stock_new()
 * @st: stock, empty; or NULL
 *
 * Context: Process context.
 */
void net_stock_free(struct net_stock *st)
{
	kvfree(st);
}

/* Have the room behind the stock in one piece. */
static void stock_compact(struct net_stock *st)
{
	if (!st->c0)
		return;
	memmove(st->chains, st->chains + st->c0, (st->c1 - st->c0) * sizeof(*st->chains));
	memmove(st->segs, st->segs + st->s0, (st->s1 - st->s0) * sizeof(*st->segs));
	st->c1 -= st->c0;
	st->s1 -= st->s0;
	st->c0 = 0;
	st->s0 = 0;
}

/**
 * net_stock_take() - take more buffers
 * @st:   stock
 * @vq:   receive queue
 * @want: how many at most, not 0
 *
 * Context: Worker, queue lock held.
 * Return: how many, 0 if there are none for now; -EMSGSIZE if there are so many
 * already that no frame may fill; -EBADMSG if one is none to receive into
 */
int net_stock_take(struct net_stock *st, struct kvh_vq *vq, unsigned int want)
{
	const struct kvh_chain *chains;
	int i, n;

	stock_compact(st);
	if (st->c1 >= FRAME_CHAINS || st->s1 >= FRAME_SEGS)
		return -EMSGSIZE;
	/* A frame that was begun is ended, whatever the turn has left. */
	n = st->c1 ? kvh_vq_take_more(vq, &chains, want) : kvh_vq_take_max(vq, &chains, want);
	for (i = 0; i < n; i++) {
		const struct kvh_chain *c = &chains[i];

		if (unlikely(c->n_read || !c->n_write)) {
			kvh_vq_untake(vq, c, n - i);
			return -EBADMSG;
		}
		memcpy(st->segs + st->s1, kvh_vq_segs(vq, c), c->n_write * sizeof(*st->segs));
		st->s1 += c->n_write;
		st->bytes += c->write_len;
		st->chains[st->c1++] = *c;
	}
	return n;
}

/**
 * net_stock_return() - put what is left back into the ring
 * @st: stock
 * @vq: receive queue
 *
 * Context: Worker, queue lock held.
 */
void net_stock_return(struct net_stock *st, struct kvh_vq *vq)
{
	kvh_vq_untake(vq, st->chains + st->c0, st->c1 - st->c0);
	st->c0 = 0;
	st->c1 = 0;
	st->s0 = 0;
	st->s1 = 0;
	st->bytes = 0;
}

/**
 * net_stock_reach() - how far a frame reaches
 * @st:    stock of that many bytes
 * @len:   bytes of the frame with its header
 * @nsegs: result: segments of the buffers it fills
 *
 * Context: Worker, queue lock held.
 * Return: number of buffers it fills
 */
unsigned int net_stock_reach(const struct net_stock *st, u32 len, unsigned int *nsegs)
{
	const struct kvh_chain *c = st->chains + st->c0;
	u64 room = 0;
	unsigned int n;

	*nsegs = 0;
	for (n = 0; room < len; n++, c++) {
		room += c->write_len;
		*nsegs += c->n_write;
	}
	return n;
}

/**
 * net_stock_segs() - segments of the stock
 * @st: stock
 *
 * Context: Worker, queue lock held.
 * Return: the first one
 */
const struct kvh_seg *net_stock_segs(const struct net_stock *st)
{
	return st->segs + st->s0;
}

/**
 * net_stock_bytes() - what fits into the stock
 * @st: stock
 *
 * Context: Worker, queue lock held.
 * Return: bytes
 */
u64 net_stock_bytes(const struct net_stock *st)
{
	return st->bytes;
}

/**
 * net_stock_count() - how many buffers there are
 * @st: stock
 *
 * Context: Worker, queue lock held.
 * Return: their number
 */
unsigned int net_stock_count(const struct net_stock *st)
{
	return st->c1 - st->c0;
}

/**
 * net_stock_first() - what fits into the first buffer
 * @st: stock
 *
 * Context: Worker, queue lock held.
 * Return: bytes, 0 if there is none
 */
u32 net_stock_first(const struct net_stock *st)
{
	return st->c0 == st->c1 ? 0 : st->chains[st->c0].write_len;
}

/**
 * net_stock_complete() - give buffers that were filled back to the driver
 * @st:  stock
 * @vq:  receive queue
 * @n:   how many, as net_stock_reach() gave it
 * @len: bytes of the frame with its header
 *
 * Context: Worker, queue lock held.
 */
void net_stock_complete(struct net_stock *st, struct kvh_vq *vq, unsigned int n, u32 len)
{
	for (; n; n--) {
		struct kvh_chain *c = &st->chains[st->c0++];

		c->written = min(len, c->write_len);
		len -= c->written;
		st->s0 += c->n_write;
		st->bytes -= c->write_len;
		kvh_vq_complete(vq, c);
	}
	if (st->c0 == st->c1) {
		st->c0 = 0;
		st->c1 = 0;
		st->s0 = 0;
		st->s1 = 0;
	}
}
