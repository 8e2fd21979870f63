// SPDX-License-Identifier: GPL-2.0
/*
 * The driver side of a virtqueue, from the specification.
 *
 * Words shared with the device are accessed atomically, because the tests run
 * the device in another thread. A packed slot's second half is written and read
 * as one word of eight bytes, so that TSan sees both sides use one variable.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "drv.h"

#define F_NEXT		1u
#define F_WRITE		2u
#define F_INDIRECT	4u
#define F_AVAIL		0x0080u
#define F_USED		0x8000u

static u16 get16(const u8 *p)
{
	return __atomic_load_n((const u16 *)p, __ATOMIC_ACQUIRE);
}

static u32 get32(const u8 *p)
{
	return __atomic_load_n((const u32 *)p, __ATOMIC_ACQUIRE);
}

static u64 get64(const u8 *p)
{
	return __atomic_load_n((const u64 *)p, __ATOMIC_ACQUIRE);
}

static void put16(u8 *p, u16 v)
{
	__atomic_store_n((u16 *)p, v, __ATOMIC_RELEASE);
}

static void put32(u8 *p, u32 v)
{
	__atomic_store_n((u32 *)p, v, __ATOMIC_RELEASE);
}

static void put64(u8 *p, u64 v)
{
	__atomic_store_n((u64 *)p, v, __ATOMIC_RELEASE);
}

static void full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * Begins with the first descriptor of fresh ring memory. Layout, features, size
 * and addresses are filled in by the caller.
 */
void drv_init(struct drv *d)
{
	u32 i;

	d->free = calloc(d->size, sizeof(*d->free));
	d->next = calloc(d->size, sizeof(*d->next));
	d->fifo = calloc(d->size, sizeof(*d->fifo));
	d->descs = calloc(d->size, sizeof(*d->descs));
	assert(d->free && d->next && d->fifo && d->descs);
	d->n_free = d->size;
	d->free_top = d->size;
	for (i = 0; i < d->size; i++)
		d->free[i] = d->size - 1 - i;
	d->wrap = true;
	d->used_wrap = true;
}

void drv_free(struct drv *d)
{
	free(d->free);
	free(d->next);
	free(d->fifo);
	free(d->descs);
}

/*
 * Both positions, before anything was added. A packed ring looks as if it had
 * been gone through up to there.
 */
void drv_seek(struct drv *d, u16 avail, bool wrap)
{
	u32 i;

	for (i = 0; d->packed && i < d->size; i++)
		if (avail || !wrap)
			put64(d->desc + 16 * i + 8,
			      (i < avail) == wrap ? (u64)0x8080 << 48 : 0);
	d->avail = avail;
	d->wrap = wrap;
	d->shown = avail;
	d->used = avail;
	d->used_wrap = wrap;
	if (!d->packed) {
		put16(d->driver + 2, avail);
		put16(d->device + 2, avail);
	}
	d->next_id = avail % d->size;
}

static u16 avail_bits(const struct drv *d)
{
	return d->wrap ? F_AVAIL : F_USED;
}

static void put_raw(u8 *p, u64 addr, u32 len, u16 third, u16 fourth)
{
	put64(p, addr);
	put64(p + 8, len | (u64)third << 32 | (u64)fourth << 48);
}

/* @x: next (split) or buffer ID (packed). Packed slots are made available. */
void drv_put_desc(struct drv *d, u32 i, u64 addr, u32 len, u16 flags, u16 x)
{
	if (d->packed)
		put_raw(d->desc + 16 * i, addr, len, x, flags | avail_bits(d));
	else
		put_raw(d->desc + 16 * i, addr, len, flags, x);
}

void drv_put_entry(struct drv *d, u32 id, u32 i, u64 addr, u32 len, u16 flags,
		   u16 x)
{
	u8 *p = d->tables + 16ul * (id * DRV_TABLE_MAX + i);

	if (d->packed)
		put_raw(p, addr, len, x, flags);
	else
		put_raw(p, addr, len, flags, x);
}

u64 drv_table_gpa(const struct drv *d, u32 id)
{
	return d->table_gpa + 16ul * id * DRV_TABLE_MAX;
}

void drv_put_head(struct drv *d, u16 at, u16 head)
{
	put16(d->driver + 4 + 2 * (at & (d->size - 1)), head);
}

void drv_put_avail_idx(struct drv *d, u16 idx)
{
	put16(d->driver + 2, idx);
}

/* Split: avail flags and used_event. Packed: driver event structure. */
void drv_put_event(struct drv *d, u16 flags, u16 event)
{
	if (d->packed) {
		put32(d->driver, (u32)flags << 16 | event);
	} else {
		put16(d->driver, flags);
		put16(d->driver + 4 + 2 * d->size, event);
	}
}

u64 drv_desc_word(const struct drv *d, u32 i)
{
	return get64(d->desc + 16 * i + 8);
}

u16 drv_used_flags(const struct drv *d)
{
	return get16(d->device);
}

u16 drv_used_idx(const struct drv *d)
{
	return get16(d->device + 2);
}

u16 drv_avail_event(const struct drv *d)
{
	return get16(d->device + 4 + 8 * d->size);
}

/* Length above, id below, as two 32-bit words. */
u64 drv_used_elem(const struct drv *d, u16 at)
{
	const u8 *p = d->device + 4 + 8 * (at & (d->size - 1));

	return get32(p) | (u64)get32(p + 4) << 32;
}

u32 drv_device_event(const struct drv *d)
{
	return get32(d->device);
}

static u16 grab(struct drv *d)
{
	if (!d->in_order)
		return d->free[--d->free_top];
	if (d->next_id == d->size)
		d->next_id = 0;
	return d->next_id++;
}

static void fill_table(struct drv *d, u16 id, const struct drv_seg *segs,
		       unsigned int n, const struct drv_how *how)
{
	unsigned int i;

	assert(n <= DRV_TABLE_MAX);
	for (i = 0; i < n; i++) {
		u16 flags = (segs[i].write ? F_WRITE : 0) | how->junk;
		/* Shuffled: 0, n-1, n-2, ... 1. */
		bool shuffle = how->shuffle && !d->packed;
		u32 at = shuffle && i ? n - i : i;
		u16 next = shuffle ? (i ? n - i - 1 : n - 1) : i + 1;

		if (d->packed)
			next = 0xbeef;
		else if (i + 1 < n)
			flags |= F_NEXT;
		drv_put_entry(d, id, at, segs[i].addr, segs[i].len, flags, next);
	}
}

static int add_split(struct drv *d, const struct drv_seg *segs, unsigned int n,
		     const struct drv_how *how)
{
	unsigned int direct = how->indirect ? how->direct : n;
	unsigned int need = direct + how->indirect, i;
	u16 head, at;

	if (need > d->n_free)
		return -1;
	head = grab(d);
	at = head;
	for (i = 0; i < need; i++) {
		bool last = i + 1 == need;
		u16 next = last ? 0xeeee : grab(d);

		if (i < direct) {
			drv_put_desc(d, at, segs[i].addr, segs[i].len,
				     (segs[i].write ? F_WRITE : 0) |
				     (last ? 0 : F_NEXT), next);
		} else {
			fill_table(d, head, segs + i, n - i, how);
			drv_put_desc(d, at, drv_table_gpa(d, head),
				     16 * (n - i), F_INDIRECT | how->ref_flags,
				     next);
		}
		d->next[at] = next;
		at = next;
	}
	d->descs[head] = need;
	d->n_free -= need;
	drv_put_head(d, d->avail++, head);
	d->added++;
	return head;
}

static void put_slot(struct drv *d, bool first, u64 addr, u64 word)
{
	put64(d->desc + 16 * d->avail, addr);
	if (first && !d->held) {
		d->held = true;
		d->held_slot = d->avail;
		d->held_word = word;
	} else {
		put64(d->desc + 16 * d->avail + 8, word);
	}
	if (++d->avail == d->size) {
		d->avail = 0;
		d->wrap = !d->wrap;
	}
	d->added++;
}

static int add_packed(struct drv *d, const struct drv_seg *segs, unsigned int n,
		      const struct drv_how *how)
{
	unsigned int need = how->indirect ? 1 : n, i;
	u16 id;

	if (need > d->n_free)
		return -1;
	id = grab(d);
	if (how->indirect) {
		fill_table(d, id, segs, n, how);
		put_slot(d, true, drv_table_gpa(d, id), 16 * n | (u64)id << 32 |
			 (u64)(F_INDIRECT | how->ref_flags | avail_bits(d)) << 48);
	}
	for (i = 0; i < n && !how->indirect; i++) {
		bool last = i + 1 == n;
		u16 flags = (segs[i].write ? F_WRITE : 0) |
			(last ? 0 : F_NEXT) | avail_bits(d);
		/* Only the last descriptor's ID counts (2.8.6). */
		u64 word = segs[i].len | (u64)(last ? id : 0xdead) << 32 |
			(u64)flags << 48;

		put_slot(d, i == 0, segs[i].addr, word);
	}
	d->descs[id] = need;
	d->n_free -= need;
	return id;
}

/* Adds a buffer, not yet shown. Returns its id, or -1 if the ring is full. */
int drv_add(struct drv *d, const struct drv_seg *segs, unsigned int n,
	    const struct drv_how *how)
{
	static const struct drv_how plain;
	int id;

	if (!how)
		how = &plain;
	id = d->packed ? add_packed(d, segs, n, how) :
			 add_split(d, segs, n, how);
	if (id >= 0 && d->in_order)
		d->fifo[(d->fifo_head + d->fifo_len++) % d->size] = id;
	return id;
}

/* Shows the device all that was added. */
void drv_publish(struct drv *d)
{
	if (d->packed && d->held)
		put64(d->desc + 16 * d->held_slot + 8, d->held_word);
	else if (!d->packed)
		drv_put_avail_idx(d, d->avail);
	d->held = false;
	d->shown = d->avail;
	d->kicked += d->added;
	d->added = 0;
}

/* Whether what was published since the last call deserves a kick. */
bool drv_need_kick(struct drv *d)
{
	u32 fresh = d->kicked, event, off;
	int behind;

	d->kicked = 0;
	full_barrier();
	if (!d->packed && !d->event_idx)
		return !(drv_used_flags(d) & 1);
	if (!d->packed) {
		u16 dist = d->shown - drv_avail_event(d);

		return dist >= 1 && dist <= fresh;
	}
	event = drv_device_event(d);
	if ((event >> 16 & 3) != 2)
		return (event >> 16 & 3) != 1;
	off = event & 0x7fff;
	behind = (int)d->shown - (int)off;
	if (!!(event & 0x8000) != d->wrap)
		behind += d->size;
	return behind >= 1 && (u32)behind <= fresh;
}

static void retire(struct drv *d, u16 id)
{
	u32 n = d->descs[id];
	u16 at = id;

	d->n_free += n;
	d->descs[id] = 0;
	if (d->in_order)
		return;
	if (d->packed) {
		d->free[d->free_top++] = id;
		return;
	}
	while (n--) {
		u16 next = d->next[at];

		d->free[d->free_top++] = at;
		at = next;
	}
}

static void pop_used(struct drv *d, u32 slots)
{
	if (!d->packed) {
		d->used++;
		return;
	}
	d->used += slots;
	if (d->used >= d->size) {
		d->used -= d->size;
		d->used_wrap = !d->used_wrap;
	}
}

/* Whether there is a used buffer. */
bool drv_peek_used(struct drv *d)
{
	u16 flags;

	if (d->batch)
		return true;
	if (!d->packed)
		return drv_used_idx(d) != d->used;
	flags = drv_desc_word(d, d->used) >> 48;
	return !!(flags & F_AVAIL) == d->used_wrap &&
		!!(flags & F_USED) == d->used_wrap;
}

/* With IN_ORDER: how many buffers the entry that names @id stands for; 0: bogus. */
static u32 batch_of(const struct drv *d, u16 id)
{
	u32 i;

	for (i = 0; i < d->fifo_len; i++)
		if (d->fifo[(d->fifo_head + i) % d->size] == id)
			return i + 1;
	return 0;
}

/* Takes a used buffer back. Returns false if there is none. */
bool drv_get_used(struct drv *d, struct drv_used *u)
{
	u64 word;
	u32 id;

	*u = (struct drv_used){ 0 };
	if (!drv_peek_used(d))
		return false;
	if (!d->batch) {
		if (d->packed) {
			word = drv_desc_word(d, d->used);
			id = word >> 32 & 0xffff;
			u->write = word >> 48 & F_WRITE;
			d->batch_len = word;
		} else {
			word = drv_used_elem(d, d->used);
			id = word;
			d->batch_len = word >> 32;
		}
		u->id = id;
		u->len = d->batch_len;
		if (id >= d->size || !d->descs[id]) {
			u->bogus = true;
			return true;
		}
		d->batch_id = id;
		d->batch = d->in_order ? batch_of(d, id) : 1;
	}
	id = d->in_order ? d->fifo[d->fifo_head] : d->batch_id;
	if (d->in_order) {
		d->fifo_head = (d->fifo_head + 1) % d->size;
		d->fifo_len--;
	}
	d->batch--;
	u->id = id;
	u->len = d->batch_len;
	u->skipped = d->batch > 0;
	pop_used(d, d->descs[id]);
	retire(d, id);
	return true;
}

/* Asks for a signal at the next used buffer. */
void drv_arm(struct drv *d)
{
	drv_arm_after(d, 0);
}

/* Asks for a signal once @n more slots or entries than the next are used. */
void drv_arm_after(struct drv *d, u32 n)
{
	u32 at = d->used + n;

	if (!d->packed) {
		drv_put_event(d, 0, at);
	} else if (!d->event_idx) {
		drv_put_event(d, 0, 0);
	} else {
		bool wrap = d->used_wrap;

		if (at >= d->size) {
			at -= d->size;
			wrap = !wrap;
		}
		drv_put_event(d, 2, at | (wrap ? 0x8000 : 0));
	}
	full_barrier();
}

/* Asks for no signal. */
void drv_disarm(struct drv *d)
{
	if (d->packed)
		drv_put_event(d, 1, 0);
	else if (d->event_idx)
		drv_put_event(d, 0, d->used - 1);
	else
		drv_put_event(d, 1, 0);
}
