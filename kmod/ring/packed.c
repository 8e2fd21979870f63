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

/* AVAIL and USED of a descriptor's flags, as they lie in its second word. */
#define SLOT_AVAIL	(0x0080ull << 48)
#define SLOT_USED	(0x8000ull << 48)
#define SLOT_BITS	(SLOT_AVAIL | SLOT_USED)
#define SLOT_WRITE	((u64)KVH_DESC_WRITE << 48)

/* Event structures: offset and wrap counter below, flags above (2.8.14). */
#define EVENT_OFF_WRAP(e)	((u16)(e))
#define EVENT_FLAGS(e)		(((e) >> 16) & 3u)
#define EVENT_ENABLE		0u
#define EVENT_DISABLE		1u
#define EVENT_DESC		2u

#define WRAP_BIT		0x8000u

static __always_inline u64 avail_bits(bool wrap)
{
	return wrap ? SLOT_AVAIL : SLOT_USED;
}

static __always_inline u64 used_bits(bool wrap)
{
	return wrap ? SLOT_BITS : 0;
}

/* The first entry of a batch waits for publish. */
static __always_inline void hold(struct kvh_ring *r, u32 slot, u64 word)
{
	r->held_slot = slot;
	r->held_word = word;
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

/**
 * struct cursor - where in the ring the walk is
 * @slot: slot to look at
 * @bits: AVAIL and USED of an available descriptor in this lap
 * @left: slots that are not in flight, from here on
 */
struct cursor {
	u32 slot;
	u64 bits;
	u32 left;
};

static __always_inline void advance(struct cursor *c, u32 size)
{
	c->left--;
	if (unlikely(++c->slot == size)) {
		c->slot = 0;
		c->bits ^= SLOT_BITS;
	}
}

/*
 * Collects the list whose first descriptor has the second word @word, and
 * leaves @c behind it and the buffer's ID in @id.
 */
static __always_inline int walk(struct kvh_ring *r, struct kvh_env *env,
				struct kvh_walk *w, struct cursor *c, u64 word,
				u16 *id)
{
	const u8 *desc = r->desc;
	u64 addr = kvh_fetch64(desc + KVH_DESC_BYTES * c->slot);
	const u32 room = c->left;
	int err;

	if (KVH_PACKED_FLAGS(word) & KVH_DESC_INDIRECT) {
		/* A copy, so that @w itself can stay in registers. */
		struct kvh_walk copy = *w;

		if (unlikely(KVH_PACKED_FLAGS(word) & KVH_DESC_NEXT))
			return KVH_FAULT_INDIRECT_NEXT;
		err = kvh_chain_sequence(r, env, &copy, addr,
					 KVH_WORD_LEN(word));
		*w = copy;
		goto out;
	}
	for (;;) {
		err = kvh_walk_add(w, addr, KVH_WORD_LEN(word),
				   KVH_PACKED_FLAGS(word) & KVH_DESC_WRITE);
		if (unlikely(err))
			return err;
		if (!(KVH_PACKED_FLAGS(word) & KVH_DESC_NEXT))
			break;
		advance(c, r->size);
		if (unlikely(!c->left))
			return room < r->size ? KVH_FAULT_PARTIAL : KVH_FAULT_LOOP;
		/* The head's flags were acquired, and cover the list (2.8.21). */
		word = kvh_fetch64(desc + KVH_DESC_BYTES * c->slot + 8);
		if (unlikely((word & SLOT_BITS) != c->bits))
			return KVH_FAULT_PARTIAL;
		if (unlikely(KVH_PACKED_FLAGS(word) & KVH_DESC_INDIRECT))
			return KVH_FAULT_INDIRECT_NEXT;
		addr = kvh_fetch64(desc + KVH_DESC_BYTES * c->slot);
	}
out:
	advance(c, r->size);
	*id = KVH_PACKED_ID(word);
	if (unlikely(!err && *id >= r->size))
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
	const u32 size = r->size;
	const u16 seq = r->seq_next;
	struct cursor at = {
		.slot = r->avail,
		.bits = avail_bits(r->avail_wrap),
		.left = size - r->slots_out,
	};
	u32 n, first = 0;
	int err = 0;

	for (n = 0; n < max_chains; n++) {
		struct cursor c = at;
		struct kvh_walk w;
		u64 word;
		u16 id = 0;

		/*
		 * Behind a whole lap is the slot this batch began with. Whether
		 * it was offered twice is for the next call to see.
		 */
		if (unlikely(!c.left && n))
			break;
		/*
		 * Acquire, so that the rest of the list is read after the flags
		 * that make it available. Pairs with virtio_wmb() in
		 * virtqueue_add_packed() and virtqueue_add_indirect_packed().
		 */
		word = kvh_fetch64_acquire(r->desc + KVH_DESC_BYTES * c.slot + 8);
		if ((word & SLOT_BITS) != c.bits)
			break;
		if (unlikely(!c.left)) {
			err = KVH_FAULT_AVAIL_JUMP;
			break;
		}
		kvh_walk_begin(&w, segs + first, max_segs - first);
		err = walk(r, env, &w, &c, word, &id);
		if (likely(!err))
			err = kvh_walk_end(&w);
		if (unlikely(err))
			break;
		kvh_walk_emit(&w, &chains[n], id, at.left - c.left, seq + n,
			      first);
		first += w.n_read + w.n_write;
		at = c;
	}
	r->avail = at.slot;
	r->avail_wrap = at.bits == SLOT_AVAIL;
	r->slots_out = size - at.left;
	r->seq_next = seq + n;
	if (unlikely(err))
		return kvh_chain_stop(r, n, err);
	return n;
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
}

/**
 * kvh_packed_used() - fill in one used entry
 * @r:       the ring
 * @id:      buffer ID; that of the last buffer, if the entry stands for several
 * @written: bytes written into that buffer
 * @slots:   slots the buffer, or all of the buffers, took
 *
 * Context: As kvh_ring_publish().
 */
void kvh_packed_used(struct kvh_ring *r, u16 id, u32 written, u32 slots)
{
	u64 word = written | (u64)id << 32 | used_bits(r->used_wrap);
	u32 slot = r->used;

	if (written)
		word |= SLOT_WRITE;
	if (r->unpublished)
		kvh_store64(r->desc + KVH_DESC_BYTES * slot + 8, word);
	else
		hold(r, slot, word);
	slot += slots;
	if (slot >= r->size) {
		slot -= r->size;
		r->used_wrap = !r->used_wrap;
	}
	r->used = slot;
	r->unpublished += slots;
	r->slots_out -= slots;
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
	unsigned int i;

	for (i = 0; i < n; i++)
		kvh_packed_used(r, chains[i].id, chains[i].written,
				chains[i].slots);
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

	return (word & SLOT_BITS) == avail_bits(wrap);
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
