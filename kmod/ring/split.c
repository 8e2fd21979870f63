// SPDX-License-Identifier: GPL-2.0
/*
 * split.c - the split layout: descriptor table, avail ring, used ring (2.7).
 *
 * Invariants: avail - used is the number of buffers taken and not handed back,
 * at most the queue size; seen is at or ahead of avail and never more than the
 * queue size ahead of used. All are 16-bit counters that run freely. Of the
 * used ring only the index is ever read, once, when a position is restored.
 *
 * Called by ring.c and order.c alone, by the one thread that uses the ring.
 */
#include "split.h"
#include "table.h"

/* Offsets in the avail ring (2.7.6) and the used ring (2.7.8). */
#define AVAIL_FLAGS	0u
#define AVAIL_IDX	2u
#define AVAIL_HEADS	4u
#define USED_FLAGS	0u
#define USED_IDX	2u
#define USED_ENTRIES	4u
#define USED_ENTRY_BYTES 8u

#define AVAIL_NO_INTERRUPT	1u
#define USED_NO_NOTIFY		1u

static const u8 *used_event(const struct kvh_ring *r)
{
	return r->driver + AVAIL_HEADS + 2 * r->size;
}

static u8 *avail_event(const struct kvh_ring *r)
{
	return r->device + USED_ENTRIES + USED_ENTRY_BYTES * r->size;
}

/**
 * kvh_split_set_base() - continue at a given position
 * @r:    the ring
 * @base: avail index of the first buffer to take
 *
 * Context: As kvh_ring_set_base().
 * Return: 0, -EINVAL if @base has more than 16 bits, -EPROTO if the used ring's
 * index says that more buffers are in flight than the queue holds.
 */
int kvh_split_set_base(struct kvh_ring *r, u32 base)
{
	u16 used;

	if (base > 0xffff)
		return -EINVAL;
	used = kvh_fetch16(r->device + USED_IDX);
	if ((u16)(base - used) > r->size) {
		r->fault = KVH_FAULT_AVAIL_JUMP;
		r->fault_told = true;
		return -EPROTO;
	}
	r->avail = base;
	r->seen = base;
	r->used = used;
	r->published = used;
	r->seq_used = base;
	return 0;
}

/*
 * Learns how far the driver has got, if not enough is known already, and lowers
 * @max to the number of buffers there are. A jump or a step back is a fault.
 */
static __always_inline int look(struct kvh_ring *r, unsigned int *max)
{
	u16 idx, out, ready = r->seen - r->avail;

	/* What was put back hides what came meanwhile: see kvh_split_enable_kick(). */
	if (ready < *max || unlikely(r->stalled)) {
		/*
		 * Acquire, so that ring entries, descriptors and indirect
		 * tables are read after the index that covers them. Pairs with
		 * virtio_wmb() in virtqueue_add_split().
		 */
		idx = kvh_fetch16_acquire(r->driver + AVAIL_IDX);
		out = r->avail - r->used;
		if (unlikely((u16)(idx - r->avail) > r->size - out ||
			     (u16)(idx - r->avail) < ready))
			return KVH_FAULT_AVAIL_JUMP;
		r->seen = idx;
		ready = idx - r->avail;
		if (ready < *max)
			*max = ready;
	}
	return 0;
}

/* Goes on with the table behind direct descriptors (2.7.5.3.2). */
static int walk_table(struct kvh_ring *r, struct kvh_env *env,
		      struct kvh_walk *w, const struct kvh_seg *end)
{
	u64 word = w->word;
	int err;

	if (unlikely(KVH_SPLIT_FLAGS(word) & KVH_DESC_NEXT))
		return KVH_FAULT_INDIRECT_NEXT;
	err = kvh_table_copy(r, env,
			     kvh_fetch64(r->desc + KVH_DESC_BYTES * w->i), word);
	if (unlikely(err))
		return err;
	if (unlikely(w->seg == end))
		return -ENOSPC;
	return kvh_table_linked(r, w, end, KVH_WORD_LEN(word) / KVH_DESC_BYTES);
}

/*
 * Collects the chain that begins at descriptor c->id, which is in range, with
 * the second word @word. Returns as described at struct kvh_walk.
 */
static __always_inline int walk(struct kvh_ring *r, struct kvh_env *env,
				struct kvh_chain *c, struct kvh_seg *segs,
				const struct kvh_seg *end, u64 word)
{
	const u8 *desc = r->desc;
	const u32 size = r->size;
	const struct kvh_seg *lap = segs + size;
	struct kvh_walk w = {
		.segs = segs,
		.seg = segs,
		.i = c->id,
		.word = word,
		.kind = KVH_SPLIT_FLAGS(word) & KVH_DESC_KNOWN,
	};
	int err;

	w.end = lap < end ? lap : end;
	err = kvh_walk_links(&w, desc, size, 0, false);
	kvh_walk_turn(&w);
	if (err == KVH_WALK_OTHER)
		err = kvh_walk_links(&w, desc, size, KVH_DESC_WRITE, false);
	if (unlikely(err)) {
		if (err == -ENOSPC && w.end == lap)
			return KVH_FAULT_LOOP;
		if (err != KVH_WALK_OTHER)
			return err;
		if (!(w.kind & KVH_DESC_INDIRECT))
			return KVH_FAULT_ORDER;
		err = walk_table(r, env, &w, end);
		if (err)
			return err;
	}
	if (unlikely(w.seg - segs > KVH_CHAIN_SEGS_MAX))
		return -ENOSPC;
	return kvh_walk_done(&w, c);
}

/* A buffer that is a table, to which the descriptor @addr, @word refers. */
static __always_inline int table(struct kvh_ring *r, struct kvh_env *env,
				 struct kvh_chain *c, struct kvh_seg *segs,
				 const struct kvh_seg *end, u64 addr, u64 word)
{
	struct kvh_walk w = { .segs = segs, .seg = segs, .writable = segs };
	u64 first;
	int err;

	if (unlikely(KVH_SPLIT_FLAGS(word) & KVH_DESC_NEXT))
		return KVH_FAULT_INDIRECT_NEXT;
	err = kvh_table_copy(r, env, addr, word);
	if (unlikely(err))
		return err;
	first = kvh_private_le64(r->table + 1);
	if (!(KVH_SPLIT_FLAGS(first) & (KVH_DESC_NEXT | KVH_DESC_INDIRECT)))
		return kvh_chain_single(c, segs, kvh_private_le64(r->table),
					KVH_WORD_LEN(first),
					KVH_SPLIT_WRITE(first));
	err = kvh_table_linked(r, &w, end, KVH_WORD_LEN(word) / KVH_DESC_BYTES);
	if (unlikely(err))
		return err;
	return kvh_walk_done(&w, c);
}

/**
 * kvh_split_take() - take available buffers
 * @r:          the ring
 * @env:        for kvh_env_read_guest()
 * @chains:     receives the buffers
 * @max_chains: places in @chains
 * @segs:       receives their segments
 * @max_segs:   places in @segs
 *
 * Context: As kvh_ring_take().
 * Return: As kvh_ring_take().
 */
int kvh_split_take(struct kvh_ring *r, struct kvh_env *env,
		   struct kvh_chain *chains, unsigned int max_chains,
		   struct kvh_seg *segs, unsigned int max_segs)
{
	const u8 *heads = r->driver + AVAIL_HEADS, *desc = r->desc;
	const u32 mask = r->size - 1;
	struct kvh_chain *c = chains, *last;
	struct kvh_seg *seg = segs, *end = segs + max_segs;
	u32 avail = r->avail;
	int err;

	err = look(r, &max_chains);
	if (unlikely(err))
		return kvh_chain_stop(r, 0, err);

	for (last = c + max_chains; c < last; c++, avail++) {
		size_t head = kvh_fetch16(heads + 2 * (avail & mask));
		u32 flags;
		u64 word;

		if (unlikely(head > mask || seg == end)) {
			err = head > mask ? KVH_FAULT_HEAD_RANGE : -ENOSPC;
			break;
		}
		head = kvh_index_nospec(head, mask);
		word = kvh_fetch64(desc + KVH_DESC_BYTES * head + 8);
		flags = KVH_SPLIT_FLAGS(word);
		c->id = head;
		c->slots = 1;
		c->seq = avail;
		c->first = seg - segs;
		if (likely(!(flags & (KVH_DESC_NEXT | KVH_DESC_INDIRECT)))) {
			err = kvh_chain_single(c, seg++,
					       kvh_fetch64(desc + KVH_DESC_BYTES * head),
					       KVH_WORD_LEN(word),
					       KVH_SPLIT_WRITE(word));
			if (unlikely(err))
				break;
		} else {
			if (flags & KVH_DESC_INDIRECT)
				err = table(r, env, c, seg, end,
					    kvh_fetch64(desc + KVH_DESC_BYTES * head),
					    word);
			else
				err = walk(r, env, c, seg, end, word);
			if (unlikely(err))
				break;
			seg += c->n_read + c->n_write;
		}
	}
	r->avail = avail;
	if (unlikely(err))
		return kvh_chain_stop(r, c - chains, err);
	return c - chains;
}

/**
 * kvh_split_untake() - put the buffers taken last back
 * @r: the ring
 * @n: how many
 *
 * Context: As kvh_ring_untake().
 */
void kvh_split_untake(struct kvh_ring *r, unsigned int n)
{
	r->avail -= n;
}

/**
 * kvh_split_complete() - fill in used elements, in the order given
 * @r:      the ring
 * @chains: the buffers
 * @n:      how many
 *
 * Context: As kvh_ring_complete().
 */
void kvh_split_complete(struct kvh_ring *r, const struct kvh_chain *chains,
			unsigned int n)
{
	u8 *entries = r->device + USED_ENTRIES;
	const u32 mask = r->size - 1;
	const u16 used = r->used;
	unsigned int i;

	for (i = 0; i < n; i++) {
		u8 *p = entries + USED_ENTRY_BYTES * ((used + i) & mask);

		kvh_store32(p, chains[i].id);
		kvh_store32(p + 4, chains[i].written);
	}
	r->used = used + n;
}

/**
 * kvh_split_used() - fill in one used element that stands for several buffers
 * @r:       the ring
 * @id:      head of the last of them
 * @written: bytes written into the last of them
 * @n:       how many
 *
 * The element is at the place of the first one (2.7.9).
 *
 * Context: As kvh_ring_publish().
 */
void kvh_split_used(struct kvh_ring *r, u16 id, u32 written, u32 n)
{
	u8 *p = r->device + USED_ENTRIES +
		USED_ENTRY_BYTES * (r->used & (r->size - 1));

	kvh_store32(p, id);
	kvh_store32(p + 4, written);
	r->used += n;
}

/**
 * kvh_split_publish() - show the driver what was completed
 * @r: the ring
 *
 * Context: As kvh_ring_publish().
 * Return: Whether there was anything to show.
 */
bool kvh_split_publish(struct kvh_ring *r)
{
	u16 n = r->used - r->published;

	if (!n)
		return false;
	/*
	 * Release, so that used elements and payload are visible before the
	 * index. Pairs with virtio_rmb() in virtqueue_get_buf_ctx_split().
	 */
	kvh_store16_release(r->device + USED_IDX, r->used);
	r->published = r->used;
	r->unsignalled += n;
	return true;
}

/**
 * kvh_split_need_signal() - does the driver want to hear of what was published
 * @r: the ring; not forced by kvh_ring_set_base()
 *
 * Context: As kvh_ring_need_signal().
 * Return: Whether it does.
 */
bool kvh_split_need_signal(struct kvh_ring *r)
{
	u32 passed = r->unsignalled;
	u16 event;

	/*
	 * The index stored by publish must be visible before the driver's wish
	 * is read. Pairs with virtio_store_mb() in virtqueue_get_buf_ctx_split()
	 * and virtqueue_enable_cb_delayed_split() and virtio_mb() in
	 * virtqueue_poll().
	 */
	kvh_mb();
	r->unsignalled = 0;
	if (!r->event_idx)
		return !(kvh_fetch16(r->driver + AVAIL_FLAGS) &
			 AVAIL_NO_INTERRUPT);

	/* Was the entry the driver named among the last @passed ones (2.7.7)? */
	event = kvh_fetch16(used_event(r));
	return (u16)(r->published - event - 1) < passed;
}

/**
 * kvh_split_disable_kick() - tell the driver that kicks are not needed
 * @r: the ring; kicks are not known to be off
 *
 * With EVENT_IDX nothing need be said: avail_event stays behind and the flags
 * must be zero (2.7.10.2).
 *
 * Context: As kvh_ring_disable_kick().
 */
void kvh_split_disable_kick(struct kvh_ring *r)
{
	if (!r->event_idx)
		kvh_store16(r->device + USED_FLAGS, USED_NO_NOTIFY);
	else if (r->kick == KVH_KICK_UNKNOWN)
		kvh_store16(r->device + USED_FLAGS, 0);
}

/**
 * kvh_split_enable_kick() - ask for a kick at the next buffer, and look again
 * @r: the ring
 *
 * Context: As kvh_ring_enable_kick().
 * Return: Whether buffers came meanwhile.
 */
bool kvh_split_enable_kick(struct kvh_ring *r)
{
	if (r->kick == KVH_KICK_UNKNOWN ||
	    (!r->event_idx && r->kick == KVH_KICK_OFF))
		kvh_store16(r->device + USED_FLAGS, 0);
	if (r->event_idx)
		kvh_store16(avail_event(r), r->seen);
	/*
	 * The wish must be visible before the index is read: either the driver
	 * sees it and kicks, or its buffer is seen here. Pairs with virtio_mb()
	 * in virtqueue_kick_prepare_split().
	 */
	kvh_mb();
	return kvh_fetch16(r->driver + AVAIL_IDX) !=
		(r->stalled ? r->seen : r->avail);
}

/**
 * kvh_split_has_avail() - is there a buffer to take
 * @r: the ring
 *
 * Context: As kvh_ring_has_avail().
 * Return: Whether there is.
 */
bool kvh_split_has_avail(const struct kvh_ring *r)
{
	return r->seen != r->avail ||
		kvh_fetch16(r->driver + AVAIL_IDX) != r->avail;
}
