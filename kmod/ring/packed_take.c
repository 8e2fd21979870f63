// SPDX-License-Identifier: GPL-2.0
/*
 * packed_take.c - taking buffers from a packed ring (2.8).
 *
 * Buffers come in three kinds: a single direct descriptor, a list of them, an
 * indirect table. Mostly a queue's are all of one kind, so there is a loop for
 * each, which goes on as long as its kind comes and keeps what it needs in
 * registers; struct take carries the batch from one to the next. A loop that ends
 * because of what it found hands on the word it found it in: no slot is looked
 * at twice.
 *
 * Invariants: those of packed.c. A batch ends, before any slot it has no room
 * for is looked at, where the caller's chains, its segments or the ring's slots
 * end; and the position is never beyond a buffer that was not taken.
 *
 * Called by ring.c alone, by the one thread that uses the ring.
 */
#include "packed.h"
#include "packed_slot.h"
#include "table.h"

/*
 * Of a slot's flags what tells whether and how the list goes on; AVAIL and USED
 * read as zero where @bits make a slot available.
 */
static __always_inline u32 slot_kind(u64 word, u64 bits)
{
	return KVH_PACKED_FLAGS(word ^ bits) &
		(KVH_PACKED_FLAGS(KVH_SLOT_BITS) | KVH_DESC_KNOWN);
}

/**
 * struct take - a batch being taken
 * @at:   the slot at hand
 * @word: its second word, or %NO_WORD if the batch ends here
 * @c:    where the next buffer goes
 * @seg:  where its segments go
 * @n:    buffers taken
 * @max:  buffers wanted
 * @segs: segments they have
 * @room: places for segments that are left
 * @left: slots that are left
 */
struct take {
	struct cursor at;
	u64 word;
	struct kvh_chain *c;
	struct kvh_seg *seg;
	u32 n;
	u32 max;
	u32 segs;
	u32 room;
	u32 left;
};

/* AVAIL and USED both set: available in no lap. */
#define NO_WORD		KVH_SLOT_BITS

/*
 * The second word of the slot at hand. Acquire, so that the rest of the buffer is
 * read after the flags that make it available. Pairs with virtio_wmb() in
 * virtqueue_add_packed() and virtqueue_add_indirect_packed().
 */
static __always_inline u64 head_word(const struct cursor *at)
{
	return kvh_fetch64_acquire(at->slot + 8);
}

static __always_inline u32 least(u32 a, u32 b)
{
	return a < b ? a : b;
}

/*
 * Takes the single direct descriptor at hand, which most buffers are, and those
 * like it that follow.
 */
static noinline int take_singles(const struct kvh_ring *r, struct take *t)
{
	const u16 size = r->size;	/* of 16 bits as IDs are */
	struct cursor at = t->at;
	struct kvh_chain *c = t->c;
	struct kvh_seg *seg = t->seg;
	u32 first = t->segs, n = least(least(t->max - t->n, t->left), t->room);
	const u32 stop = first + n;
	/* Sequence numbers and segments advance alike. */
	const u32 seq = r->seq_next + t->n - first;
	u64 word = t->word;
	int err;

	do {
		u16 id = KVH_PACKED_ID(word);

		err = kvh_chain_single(c, seg, kvh_fetch64(at.slot),
				       KVH_WORD_LEN(word),
				       KVH_PACKED_WRITE(word));
		if (unlikely(!err && id >= size))
			err = KVH_FAULT_ID_RANGE;
		if (unlikely(err))
			break;
		c->id = id;
		c->seq = seq + first;
		c->first = first;
		c->slots = 1;
		c++;
		seg++;
		cursor_move(&at, 1, size);
		word = NO_WORD;
		if (++first == stop)
			break;
		word = head_word(&at);
	} while ((word & (KVH_SLOT_BITS | KVH_SLOT_MORE)) == at.bits);

	n = first - t->segs;
	t->at = at;
	t->word = word;
	t->c = c;
	t->seg = seg;
	t->n += n;
	t->segs = first;
	t->room -= n;
	t->left -= n;
	return err;
}

/* A buffer that is a table, to which the descriptor @addr, @word refers. */
static __always_inline int table(struct kvh_ring *r, struct kvh_env *env,
				 struct kvh_chain *c, struct kvh_seg *segs,
				 const struct kvh_seg *end, u64 addr, u64 word)
{
	u32 entries = KVH_WORD_LEN(word) / KVH_DESC_BYTES;
	u64 first;
	int err;

	err = kvh_table_copy(r, env, addr, word);
	if (unlikely(err))
		return err;
	if (entries > 1)
		return kvh_table_sequence(r, c, segs, end, entries);
	first = kvh_private_le64(r->table + 1);
	return kvh_chain_single(c, segs, kvh_private_le64(r->table),
				KVH_WORD_LEN(first),
				KVH_PACKED_WRITE(first));
}

/* Adds slots of one kind, and the last if it is of that kind. */
static __always_inline int walk_slots(struct kvh_walk *w, u32 kind,
				      struct cursor *at, u32 size)
{
	int err;

	while (w->kind == (kind | KVH_DESC_NEXT)) {
		err = kvh_walk_add(w, kvh_fetch64(at->slot));
		if (unlikely(err))
			return err;
		if (unlikely(w->seg == w->end))
			return -ENOSPC;
		cursor_move(at, 1, size);
		/* The head's flags were acquired, and cover the list (2.8.21). */
		w->word = kvh_fetch64(at->slot + 8);
		w->kind = slot_kind(w->word, at->bits);
	}
	if (w->kind != kind)
		return KVH_WALK_OTHER;
	return kvh_walk_add(w, kvh_fetch64(at->slot));
}

/* What is wrong with the list at @w, whose walk ended with @err. */
static int list_fault(const struct kvh_ring *r, const struct take *t,
		      const struct kvh_walk *w, int err)
{
	u32 left = t->left - (w->segs - t->seg);

	if (err == -ENOSPC && w->seg - w->segs == left)
		return left == r->size ? KVH_FAULT_LOOP : KVH_FAULT_PARTIAL;
	if (err != KVH_WALK_OTHER)
		return err;
	if (w->kind & KVH_PACKED_FLAGS(KVH_SLOT_BITS))
		return KVH_FAULT_PARTIAL;
	return w->kind & KVH_DESC_INDIRECT ? KVH_FAULT_INDIRECT_NEXT :
					     KVH_FAULT_ORDER;
}

/* Takes the list of direct descriptors at hand, and those that follow. */
static noinline int take_lists(const struct kvh_ring *r, struct take *t)
{
	const u32 size = r->size;
	struct cursor at = t->at;
	struct kvh_chain *c = t->c;
	const struct kvh_chain *last = c + (t->max - t->n);
	struct kvh_walk w = { .seg = t->seg, .word = t->word };
	const struct kvh_seg *base = t->seg - t->segs;
	u32 seq = r->seq_next + t->n;
	u32 n;
	int err;

	/* Each slot is a segment. */
	w.end = w.seg + least(t->left, t->room);
	do {
		struct cursor next = at;

		w.segs = w.seg;
		w.bytes = 0;
		w.kind = slot_kind(w.word, next.bits);
		err = walk_slots(&w, 0, &next, size);
		kvh_walk_turn(&w);
		if (err == KVH_WALK_OTHER)
			err = walk_slots(&w, KVH_DESC_WRITE, &next, size);
		if (unlikely(err)) {
			err = list_fault(r, t, &w, err);
			break;
		}
		n = w.seg - w.segs;
		err = kvh_walk_done(&w, c);
		if (unlikely(!err && n > KVH_CHAIN_SEGS_MAX))
			err = -ENOSPC;
		if (unlikely(!err && KVH_PACKED_ID(w.word) >= size))
			err = KVH_FAULT_ID_RANGE;
		if (unlikely(err))
			break;
		c->id = KVH_PACKED_ID(w.word);
		c->seq = seq++;
		c->first = w.segs - base;
		c->slots = n;
		c++;
		cursor_move(&next, 1, size);
		at = next;
		w.word = NO_WORD;
		w.segs = w.seg;
		if (c == last || w.seg == w.end)
			break;
		w.word = head_word(&at);
	} while ((w.word & (KVH_SLOT_BITS | KVH_SLOT_MORE)) ==
		 (at.bits | (u64)KVH_DESC_NEXT << 48));

	n = w.segs - t->seg;
	t->at = at;
	t->word = w.word;
	t->seg += n;
	t->segs += n;
	t->room -= n;
	t->left -= n;
	t->n += c - t->c;
	t->c = c;
	return err;
}

/* Takes the table at hand, and those that follow. */
static noinline int take_tables(struct kvh_ring *r, struct kvh_env *env,
				struct take *t)
{
	const u32 size = r->size;
	struct cursor at = t->at;
	struct kvh_chain *c = t->c;
	const struct kvh_chain *last = c + least(t->max - t->n, t->left);
	struct kvh_seg *seg = t->seg;
	const struct kvh_seg *base = seg - t->segs, *end = seg + t->room;
	u32 seq = r->seq_next + t->n;
	u64 word = t->word;
	int err;

	do {
		u16 id = KVH_PACKED_ID(word);

		err = table(r, env, c, seg, end, kvh_fetch64(at.slot), word);
		if (unlikely(!err && id >= size))
			err = KVH_FAULT_ID_RANGE;
		if (unlikely(err))
			break;
		c->id = id;
		c->seq = seq++;
		c->first = seg - base;
		c->slots = 1;
		seg += c->n_read + c->n_write;
		c++;
		cursor_move(&at, 1, size);
		word = NO_WORD;
		if (c == last || seg == end)
			break;
		word = head_word(&at);
	} while ((slot_kind(word, at.bits) & ~KVH_DESC_WRITE) ==
		 KVH_DESC_INDIRECT);

	t->at = at;
	t->word = word;
	t->n += c - t->c;
	t->left -= c - t->c;
	t->c = c;
	t->segs += seg - t->seg;
	t->room -= seg - t->seg;
	t->seg = seg;
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
 * A batch of the whole ring ends before the slot it began with; whether that
 * was offered twice is for the next call to see.
 *
 * Context: As kvh_ring_take().
 * Return: As kvh_ring_take().
 */
int kvh_packed_take(struct kvh_ring *r, struct kvh_env *env,
		    struct kvh_chain *chains, unsigned int max_chains,
		    struct kvh_seg *segs, unsigned int max_segs)
{
	struct take t;
	int err;

	if (unlikely(!max_chains))
		return 0;
	t.at = cursor_at(r, r->avail, avail_bits(r->avail_wrap));
	t.word = head_word(&t.at);
	if ((t.word & KVH_SLOT_BITS) != t.at.bits)
		return 0;
	t.left = r->size - r->slots_out;
	if (unlikely(!t.left))
		return kvh_chain_stop(r, 0, KVH_FAULT_AVAIL_JUMP);
	t.c = chains;
	t.seg = segs;
	t.n = 0;
	t.max = max_chains;
	t.segs = 0;
	t.room = max_segs;

	do {
		switch (KVH_PACKED_FLAGS(t.word & KVH_SLOT_MORE)) {
		case 0:
			err = take_singles(r, &t);
			break;
		case KVH_DESC_NEXT:
			err = take_lists(r, &t);
			break;
		case KVH_DESC_INDIRECT:
			err = take_tables(r, env, &t);
			break;
		default:
			err = KVH_FAULT_INDIRECT_NEXT;
		}
	} while (!err && (t.word & KVH_SLOT_BITS) == t.at.bits);

	r->avail = cursor_slot(&t.at, r->size);
	r->avail_wrap = t.at.bits == KVH_SLOT_AVAIL;
	if (unlikely(r->ahead))
		r->ahead -= least(r->ahead, r->size - t.left - r->slots_out);
	r->slots_out = r->size - t.left;
	r->seq_next += t.n;
	return unlikely(err) ? kvh_chain_stop(r, t.n, err) : (int)t.n;
}
