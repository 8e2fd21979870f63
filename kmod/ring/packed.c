// SPDX-License-Identifier: GPL-2.0
/*
 * packed.c - the packed layout: one descriptor ring, two event structures (2.8).
 * How buffers are taken is in packed_take.c.
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
#include "packed.h"
#include "packed_slot.h"

/* Event structures: offset and wrap counter below, flags above (2.8.14). */
#define EVENT_OFF_WRAP(e)	((u16)(e))
#define EVENT_FLAGS(e)		(((e) >> 16) & 3u)
#define EVENT_ENABLE		0u
#define EVENT_DISABLE		1u
#define EVENT_DESC		2u

#define WRAP_BIT		0x8000u

static __always_inline u64 used_word(const struct kvh_chain *c, u64 bits)
{
	if (c->written)
		bits |= (u64)KVH_DESC_WRITE << 48;
	return bits | (u64)c->id << 32 | c->written;
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
	r->ahead += slots;
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
	struct cursor at = cursor_at(r, r->used, used_bits(r->used_wrap));
	const struct kvh_chain *c = chains, *end = c + n;
	const u32 size = r->size;
	u32 slots;

	if (!n)
		return;
	/* The first entry of a batch waits for publish. */
	if (!r->unpublished) {
		r->held_slot = r->used;
		r->held_word = used_word(c, at.bits);
		cursor_move(&at, c->slots, size);
		c++;
	}
	for (; c < end; c++) {
		kvh_store64(at.slot + 8, used_word(c, at.bits));
		cursor_move(&at, c->slots, size);
	}

	slots = cursor_slot(&at, size) - r->used;
	if (at.bits != used_bits(r->used_wrap)) {
		slots += size;
		r->used_wrap = !r->used_wrap;
	}
	r->used = cursor_slot(&at, size);
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

/*
 * Count the slots at @at that have become available behind those that are known.
 * Return: Whether there are any. Each is told of once.
 */
static bool look_ahead(struct kvh_ring *r, struct cursor at)
{
	const u32 known = r->ahead, most = r->size - r->slots_out;

	while (r->ahead < most &&
	       (kvh_fetch64(at.slot + 8) & KVH_SLOT_BITS) == at.bits) {
		r->ahead++;
		cursor_move(&at, 1, r->size);
	}
	return r->ahead != known;
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
	struct cursor at = cursor_at(r, r->avail, avail_bits(r->avail_wrap));
	u16 slot;

	if (unlikely(r->stalled))
		cursor_move(&at, r->ahead, r->size);
	slot = cursor_slot(&at, r->size);
	/* Offset and flags in one store, for a driver that reads them so. */
	if (r->event_idx)
		kvh_store32(r->device, EVENT_DESC << 16 |
			    position(slot, at.bits == KVH_SLOT_AVAIL));
	else if (r->kick != KVH_KICK_ON)
		kvh_store32(r->device, EVENT_ENABLE << 16);
	/*
	 * The wish must be visible before the flags are read: either the driver
	 * sees it and kicks, or its buffer is seen here. Pairs with virtio_mb()
	 * in virtqueue_kick_prepare_packed().
	 */
	kvh_mb();
	if (unlikely(r->stalled))
		return look_ahead(r, at);
	return slot_avail(r, r->avail, r->avail_wrap);
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
