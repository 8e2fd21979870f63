// SPDX-License-Identifier: GPL-2.0
/*
 * packed.c - the packed layout: one descriptor ring, two event structures (2.8).
 *
 * Invariants: slots_out is the distance from used to avail, at most the queue
 * size; a position is a slot below the queue size and the wrap counter of the
 * lap it belongs to. The words of a slot are read when its buffer is taken,
 * and written when a used entry goes there, in one store of eight bytes.
 *
 * The first used entry of a batch is held back until publish: the driver polls
 * that slot only, so the others behind it cannot be seen before (2.8.9).
 *
 * Called by ring.c and order.c alone, by the one thread that uses the ring.
 */
#include "chain.h"
#include "packed.h"

/* Event structures: offset and wrap counter below, flags above (2.8.14). */
#define EVENT_OFF_WRAP(e)	((u16)(e))
#define EVENT_FLAGS(e)		(((e) >> 16) & 3u)
#define EVENT_ENABLE		0u
#define EVENT_DISABLE		1u
#define EVENT_DESC		2u

#define WRAP_BIT		0x8000u

static __always_inline u64 avail_bits(bool wrap)
{
	return wrap ? KVH_SLOT_AVAIL : KVH_SLOT_USED;
}

static __always_inline u64 used_bits(bool wrap)
{
	return wrap ? KVH_SLOT_BITS : 0;
}

static __always_inline u64 used_word(const struct kvh_chain *c, u64 bits)
{
	return c->written | (u64)c->id << 32 | bits |
		(c->written ? (u64)KVH_DESC_WRITE << 48 : 0);
}

/* Goes on by @n slots, into the next lap where the ring ends. */
static __always_inline void advance(u32 *slot, u64 *bits, u32 n, u32 size)
{
	*slot += n;
	if (unlikely(*slot >= size)) {
		*slot -= size;
		*bits ^= KVH_SLOT_BITS;
	}
}

static u16 position(u16 slot, bool wrap)
{
	return slot | (wrap ? WRAP_BIT : 0);
}

/**
 * kvh_packed_set_base() - continue at a given position
 * @r:    the ring
 * @base: avail position below, used position above, each with its wrap counter
 *        in bit 15
 *
 * A front end that knows of no used position leaves the upper half empty;
 * then nothing is in flight. So does one that means slot 0 of an even lap,
 * whose buffers in flight, if any, were lost with the process that had them.
 *
 * Context: As kvh_ring_set_base().
 * Return: 0, or -EINVAL for a slot beyond the queue or positions more than the
 * queue size apart.
 */
int kvh_packed_set_base(struct kvh_ring *r, u32 base)
{
	u16 avail = base & 0xffff, used = base >> 16;
	u32 slot, used_slot, out;

	if (!used)
		used = avail;
	slot = avail & ~WRAP_BIT;
	used_slot = used & ~WRAP_BIT;
	if (slot >= r->size || used_slot >= r->size)
		return -EINVAL;
	out = slot - used_slot;
	if ((avail ^ used) & WRAP_BIT)
		out += r->size;
	if (out > r->size)
		return -EINVAL;

	r->avail = slot;
	r->avail_wrap = avail & WRAP_BIT;
	r->used = used_slot;
	r->used_wrap = used & WRAP_BIT;
	r->slots_out = out;
	return 0;
}

/**
 * kvh_packed_base() - the position, as kvh_packed_set_base() takes it
 * @r: the ring
 *
 * Context: As kvh_ring_base().
 * Return: The position.
 */
u32 kvh_packed_base(const struct kvh_ring *r)
{
	return position(r->avail, r->avail_wrap) |
		(u32)position(r->used, r->used_wrap) << 16;
}

/*
 * Of a slot's flags what tells whether and how the list goes on; AVAIL and USED
 * read as zero where @bits make a slot available.
 */
static __always_inline u32 slot_kind(u64 word, u64 bits)
{
	return KVH_PACKED_FLAGS(word ^ bits) &
		(KVH_PACKED_FLAGS(KVH_SLOT_BITS) | KVH_DESC_KNOWN);
}

/* Adds slots of one kind, and the last if it is of that kind. */
static __always_inline int walk_slots(struct kvh_walk *w, const u8 *desc,
				      u32 size, u32 kind, u64 *bits)
{
	int err;

	while (w->kind == (kind | KVH_DESC_NEXT)) {
		err = kvh_walk_add(w, kvh_fetch64(desc + KVH_DESC_BYTES * w->i));
		if (unlikely(err))
			return err;
		if (unlikely(w->seg == w->end))
			return -ENOSPC;
		advance(&w->i, bits, 1, size);
		/* The head's flags were acquired, and cover the list (2.8.21). */
		w->word = kvh_fetch64(desc + KVH_DESC_BYTES * w->i + 8);
		w->kind = slot_kind(w->word, *bits);
	}
	if (w->kind != kind)
		return KVH_WALK_OTHER;
	return kvh_walk_add(w, kvh_fetch64(desc + KVH_DESC_BYTES * w->i));
}

/*
 * Collects the list that begins at @slot with the second word @word, in at most
 * @left slots. Returns as described at struct kvh_walk.
 */
static __always_inline int walk(const struct kvh_ring *r, struct kvh_chain *c,
				struct kvh_seg *segs, const struct kvh_seg *end,
				u32 left, u32 slot, u64 word)
{
	const struct kvh_seg *lap = segs + left;
	u64 bits = word & KVH_SLOT_BITS;
	struct kvh_walk w = {
		.segs = segs,
		.seg = segs,
		.i = slot,
		.word = word,
		.kind = slot_kind(word, bits),
	};
	int err;

	w.end = lap < end ? lap : end;
	err = walk_slots(&w, r->desc, r->size, 0, &bits);
	kvh_walk_turn(&w);
	if (err == KVH_WALK_OTHER)
		err = walk_slots(&w, r->desc, r->size, KVH_DESC_WRITE, &bits);
	if (likely(!err)) {
		c->id = KVH_PACKED_ID(w.word);
		c->slots = w.seg - segs;
		return kvh_walk_done(&w, c);
	}
	if (err == -ENOSPC && w.end == lap)
		return left == r->size ? KVH_FAULT_LOOP : KVH_FAULT_PARTIAL;
	if (err != KVH_WALK_OTHER)
		return err;
	if (w.kind & KVH_PACKED_FLAGS(KVH_SLOT_BITS))
		return KVH_FAULT_PARTIAL;
	return w.kind & KVH_DESC_INDIRECT ? KVH_FAULT_INDIRECT_NEXT :
					    KVH_FAULT_ORDER;
}

/*
 * Collects the buffer that begins at the avail position, with the second word
 * @word, in at most @left slots. Returns as described at struct kvh_walk.
 */
static __always_inline int collect(struct kvh_ring *r, struct kvh_env *env,
				   struct kvh_chain *c, struct kvh_seg *segs,
				   const struct kvh_seg *end, u32 left, u64 word)
{
	int err;

	if (KVH_PACKED_FLAGS(word) & KVH_DESC_INDIRECT)
		err = kvh_chain_sequence(r, env, c, segs, end,
					 kvh_fetch64(r->desc +
						     KVH_DESC_BYTES * r->avail),
					 word);
	else
		err = walk(r, c, segs, end, left, r->avail, word);
	if (unlikely(!err && c->id >= r->size))
		return KVH_FAULT_ID_RANGE;
	return err;
}

/* The same for the single direct descriptor at @desc, which most buffers are. */
static __always_inline int collect_one(const struct kvh_ring *r,
				       struct kvh_chain *c, struct kvh_seg *seg,
				       const u8 *desc, u64 word)
{
	int err;

	err = kvh_chain_single(c, seg, kvh_fetch64(desc), KVH_WORD_LEN(word),
			       KVH_PACKED_FLAGS(word) / KVH_DESC_WRITE & 1);
	if (unlikely(!err && KVH_PACKED_ID(word) >= r->size))
		return KVH_FAULT_ID_RANGE;
	return err;
}

/**
 * kvh_packed_take() - take available buffers
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
int kvh_packed_take(struct kvh_ring *r, struct kvh_env *env,
		    struct kvh_chain *chains, unsigned int max_chains,
		    struct kvh_seg *segs, unsigned int max_segs)
{
	const u8 *desc = r->desc;
	const u32 size = r->size;
	struct kvh_chain *c = chains, *last = chains + max_chains;
	struct kvh_seg *seg = segs, *end = segs + max_segs;
	u64 bits = avail_bits(r->avail_wrap);
	u32 slot = r->avail, left = size - r->slots_out;
	u16 seq = r->seq_next;
	int err = 0;

	/*
	 * A batch of the whole ring ends before the slot it began with; whether
	 * that was offered twice is for the next call to see.
	 */
	for (; c < last && (left || c == chains); c++, seq++) {
		u64 word;

		/*
		 * Acquire, so that the rest of the list is read after the flags
		 * that make it available. Pairs with virtio_wmb() in
		 * virtqueue_add_packed() and virtqueue_add_indirect_packed().
		 */
		word = kvh_fetch64_acquire(desc + KVH_DESC_BYTES * slot + 8);
		if ((word & KVH_SLOT_BITS) != bits)
			break;
		if (unlikely(seg == end || !left)) {
			err = left ? -ENOSPC : KVH_FAULT_AVAIL_JUMP;
			break;
		}
		c->id = KVH_PACKED_ID(word);
		c->slots = 1;
		c->seq = seq;
		c->first = seg - segs;
		c->written = 0;
		if (likely(!(KVH_PACKED_FLAGS(word) &
			     (KVH_DESC_NEXT | KVH_DESC_INDIRECT)))) {
			err = collect_one(r, c, seg++,
					  desc + KVH_DESC_BYTES * slot, word);
			if (unlikely(err))
				break;
			advance(&slot, &bits, 1, size);
			left--;
		} else {
			r->avail = slot;
			err = collect(r, env, c, seg, end, left, word);
			if (unlikely(err))
				break;
			seg += c->n_read + c->n_write;
			advance(&slot, &bits, c->slots, size);
			left -= c->slots;
		}
	}
	r->avail = slot;
	r->avail_wrap = bits == KVH_SLOT_AVAIL;
	r->slots_out = size - left;
	r->seq_next = seq;
	if (unlikely(err))
		return kvh_chain_stop(r, c - chains, err);
	return c - chains;
}

/**
 * kvh_packed_untake() - put the buffers taken last back
 * @r:      the ring
 * @chains: the buffers
 * @n:      how many
 *
 * Context: As kvh_ring_untake().
 */
void kvh_packed_untake(struct kvh_ring *r, const struct kvh_chain *chains,
		       unsigned int n)
{
	u32 slots = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		slots += chains[i].slots;
	if (!r->stalled) {
		r->seen = r->avail;
		r->seen_wrap = r->avail_wrap;
	}
	if (slots > r->avail) {
		r->avail += r->size;
		r->avail_wrap = !r->avail_wrap;
	}
	r->avail -= slots;
	r->slots_out -= slots;
	r->seq_next -= n;
}

/**
 * kvh_packed_used() - fill in one used entry that stands for several buffers
 * @r:       the ring
 * @id:      ID of the last of them
 * @written: bytes written into the last of them
 * @slots:   slots all of them took
 *
 * The entry is at the place of the first one (2.8.8).
 *
 * Context: As kvh_ring_complete().
 */
void kvh_packed_used(struct kvh_ring *r, u16 id, u32 written, u32 slots)
{
	struct kvh_chain c = { .id = id, .slots = slots, .written = written };

	kvh_packed_complete(r, &c, 1);
}

/**
 * kvh_packed_complete() - fill in used entries, in the order given
 * @r:      the ring
 * @chains: the buffers
 * @n:      how many
 *
 * Context: As kvh_ring_complete().
 */
void kvh_packed_complete(struct kvh_ring *r, const struct kvh_chain *chains,
			 unsigned int n)
{
	const struct kvh_chain *c = chains, *end = c + n;
	const bool wrap = r->used_wrap;
	const u32 size = r->size;
	u8 *desc = r->desc;
	u64 bits = used_bits(wrap);
	u32 slot = r->used, slots;

	if (!n)
		return;
	/* The first entry of a batch waits for publish. */
	if (!r->unpublished) {
		r->held_slot = slot;
		r->held_word = used_word(c, bits);
		advance(&slot, &bits, c->slots, size);
		c++;
	}
	for (; c < end; c++) {
		kvh_store64(desc + KVH_DESC_BYTES * slot + 8,
			    used_word(c, bits));
		advance(&slot, &bits, c->slots, size);
	}

	slots = slot - r->used;
	if (bits != used_bits(wrap)) {
		slots += size;
		r->used_wrap = !wrap;
	}
	r->used = slot;
	r->unpublished += slots;
	r->slots_out -= slots;
}

/**
 * kvh_packed_publish() - show the driver what was completed
 * @r: the ring
 *
 * Context: As kvh_ring_publish().
 * Return: Whether there was anything to show.
 */
bool kvh_packed_publish(struct kvh_ring *r)
{
	if (!r->unpublished)
		return false;
	/*
	 * Release, so that the entries behind the first, and payload, are
	 * visible before it. Pairs with virtio_rmb() in
	 * virtqueue_get_buf_ctx_packed().
	 */
	kvh_store64_release(r->desc + KVH_DESC_BYTES * r->held_slot + 8,
			    r->held_word);
	r->unsignalled += r->unpublished;
	r->unpublished = 0;
	return true;
}

/**
 * kvh_packed_need_signal() - does the driver want to hear of what was published
 * @r: the ring; not forced by kvh_ring_set_base()
 *
 * Context: As kvh_ring_need_signal().
 * Return: Whether it does.
 */
bool kvh_packed_need_signal(struct kvh_ring *r)
{
	u32 passed = r->unsignalled;
	u32 event, off, behind;

	/*
	 * The entry stored by publish must be visible before the driver's wish
	 * is read. Pairs with virtio_store_mb() in
	 * virtqueue_get_buf_ctx_packed(), virtio_mb() in
	 * virtqueue_enable_cb_delayed_packed() and in virtqueue_poll().
	 */
	kvh_mb();
	r->unsignalled = 0;
	/*
	 * Offset and flags in one load: a driver that stores the offset first,
	 * as virtqueue_enable_cb_prepare_packed() does, is never met half way.
	 */
	event = kvh_fetch32(r->driver);
	if (EVENT_FLAGS(event) == EVENT_DISABLE)
		return false;
	/* DESC means nothing without the feature; then, and for 3, speak up. */
	if (EVENT_FLAGS(event) != EVENT_DESC || !r->event_idx)
		return true;

	/* Is the slot the driver named among the last @passed ones (2.8.10)? */
	off = EVENT_OFF_WRAP(event) & ~WRAP_BIT;
	behind = r->used - off;
	if (!(event & WRAP_BIT) != !r->used_wrap)
		behind += r->size;
	return behind - 1 < passed;
}

/**
 * kvh_packed_disable_kick() - tell the driver that kicks are not needed
 * @r: the ring; kicks are not known to be off
 *
 * Context: As kvh_ring_disable_kick().
 */
void kvh_packed_disable_kick(struct kvh_ring *r)
{
	kvh_store32(r->device, EVENT_DISABLE << 16);
}

/* Whether the descriptor at @slot is available. */
static bool slot_avail(const struct kvh_ring *r, u32 slot, bool wrap)
{
	u64 word = kvh_fetch64(r->desc + KVH_DESC_BYTES * slot + 8);

	return (word & KVH_SLOT_BITS) == avail_bits(wrap);
}

/**
 * kvh_packed_enable_kick() - ask for a kick at the next buffer, and look again
 * @r: the ring
 *
 * Context: As kvh_ring_enable_kick().
 * Return: Whether buffers came meanwhile.
 */
bool kvh_packed_enable_kick(struct kvh_ring *r)
{
	u16 slot = r->stalled ? r->seen : r->avail;
	bool wrap = r->stalled ? r->seen_wrap : r->avail_wrap;

	/* Offset and flags in one store, for a driver that reads them so. */
	if (r->event_idx)
		kvh_store32(r->device, EVENT_DESC << 16 | position(slot, wrap));
	else if (r->kick != KVH_KICK_ON)
		kvh_store32(r->device, EVENT_ENABLE << 16);
	/*
	 * The wish must be visible before the flags are read: either the driver
	 * sees it and kicks, or its buffer is seen here. Pairs with virtio_mb()
	 * in virtqueue_kick_prepare_packed().
	 */
	kvh_mb();
	return slot_avail(r, slot, wrap);
}

/**
 * kvh_packed_has_avail() - is there a buffer to take
 * @r: the ring
 *
 * Context: As kvh_ring_has_avail().
 * Return: Whether there is.
 */
bool kvh_packed_has_avail(const struct kvh_ring *r)
{
	return slot_avail(r, r->avail, r->avail_wrap);
}
