// SPDX-License-Identifier: GPL-2.0
/*
 * The packed layout (2.8) as a driver works it: one descriptor ring that both
 * sides write, and an event structure of either side.
 *
 * Memory order: of all that is published together, the flags of the first
 * descriptor are stored last (release), for the device goes no further than
 * that slot; flags of a used descriptor before its other fields (acquire).
 * Buffer IDs of all descriptors of a list but the last are nonsense, since the
 * device has to ignore them (2.8.6). Called by vring.c alone.
 */
#include <string.h>
#include "vring_layout.h"

#define F_AVAIL		0x0080u
#define F_USED		0x8000u

#define NO_ID		0xdead

/* All bits of a table entry that mean nothing: only WRITE does (2.8.7). */
#define JUNK_FLAGS	(0xffff & ~VRING_DESC_F_WRITE)

static u16 avail_bits(bool wrap)
{
	return wrap ? F_AVAIL : F_USED;
}

static u16 used_bits(bool wrap)
{
	return wrap ? F_AVAIL | F_USED : 0;
}

/*
 * A ring that begins in the middle looks as if it had been gone through up to
 * there: all descriptors are used, those before it in this lap.
 */
static void packed_reset(struct vq *q, u32 base)
{
	u16 at = base & ~VQ_WRAP & 0xffff;
	bool wrap = base & VQ_WRAP;
	unsigned int i;

	must(!(base >> 16) || base >> 16 == (base & 0xffff),
	     "a ring with buffers in it is none that is empty: base %#x", base);
	memset(q->ring, 0, vq_desc_bytes(q));
	memset(q->driver, 0, vq_driver_bytes(q));
	memset(q->device, 0, vq_device_bytes(q));
	for (i = 0; i < q->size; i++)
		q->ring[i].flags = used_bits(i < at ? wrap : !wrap);
	q->avail_idx = at;
	q->used_idx = at;
	q->avail_wrap = wrap;
	q->used_wrap = wrap;
	q->head_flags = 0;
}

/* Fill @n entries of an indirect table, which the device reads in sequence. */
static void fill_table(struct vq *q, u64 table, const struct vq_buf *bufs,
		       unsigned int n, bool junk)
{
	struct vring_packed_desc *t = gmem_va(q->mem, table);
	unsigned int i;

	for (i = 0; i < n; i++)
		t[i] = (struct vring_packed_desc) {
			.addr = bufs[i].gpa,
			.len = bufs[i].len,
			.id = junk ? 0xffff : 0,
			.flags = (bufs[i].write ? VRING_DESC_F_WRITE : 0) |
				 (junk ? JUNK_FLAGS : 0),
		};
}

/* Write the next slot; @hold: its flags are left for packed_publish(). */
static void put_slot(struct vq *q, struct vring_packed_desc d, bool hold)
{
	struct vring_packed_desc *slot = &q->ring[q->avail_idx];

	d.flags |= avail_bits(q->avail_wrap);
	slot->addr = d.addr;
	slot->len = d.len;
	slot->id = d.id;
	if (hold) {
		q->head_slot = q->avail_idx;
		q->head_flags = d.flags;
	} else {
		__atomic_store_n(&slot->flags, d.flags, __ATOMIC_RELEASE);
	}
	if (++q->avail_idx == q->size) {
		q->avail_idx = 0;
		q->avail_wrap = !q->avail_wrap;
	}
	q->fresh++;
}

static u16 packed_add(struct vq *q, const struct vq_buf *bufs, unsigned int n,
		      const struct vq_shape *shape)
{
	bool hold = !q->head_flags;
	u16 id = vq_take_id(q);
	unsigned int i;

	must(!shape->indirect || !shape->direct, "INDIRECT in a list is malformed (2.8.19)");
	if (shape->indirect) {
		u64 table = vq_table(q, id);

		fill_table(q, table, bufs, n, shape->junk);
		put_slot(q, (struct vring_packed_desc) {
			.addr = table,
			.len = 16 * n,
			.id = id,
			.flags = VRING_DESC_F_INDIRECT | shape->table_flag,
		}, hold);
		return id;
	}
	for (i = 0; i < n; i++) {
		bool last = i + 1 == n;

		put_slot(q, (struct vring_packed_desc) {
			.addr = bufs[i].gpa,
			.len = bufs[i].len,
			.id = last ? id : NO_ID,
			.flags = (bufs[i].write ? VRING_DESC_F_WRITE : 0) |
				 (last ? 0 : VRING_DESC_F_NEXT),
		}, hold && !i);
	}
	return id;
}

static void packed_publish(struct vq *q)
{
	if (!q->head_flags)
		return;
	__atomic_store_n(&q->ring[q->head_slot].flags, q->head_flags, __ATOMIC_RELEASE);
	q->head_flags = 0;
}

/* How far @slot of lap @wrap lies behind the next slot to write, in slots. */
static unsigned int behind(const struct vq *q, unsigned int slot, bool wrap)
{
	return q->avail_idx - slot + (wrap == q->avail_wrap ? 0 : q->size);
}

static bool packed_wants_kick(const struct vq *q)
{
	u16 flags = __atomic_load_n(&q->device->flags, __ATOMIC_ACQUIRE);
	u16 at = LOAD(q->device->off_wrap);

	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	must(q->event_idx, "CORE-061: DESC in the device event without EVENT_IDX");
	return behind(q, at & ~VQ_WRAP, at & VQ_WRAP) - 1 < q->fresh;
}

static bool packed_peek(const struct vq *q, u32 *id, u32 *len)
{
	struct vring_packed_desc *d = &q->ring[q->used_idx];
	u16 flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

	if ((flags & (F_AVAIL | F_USED)) != used_bits(q->used_wrap))
		return false;
	*id = LOAD(d->id);
	/* Without WRITE the length means nothing (2.8.4). */
	*len = flags & VRING_DESC_F_WRITE ? LOAD(d->len) : 0;
	return true;
}

static void packed_step(struct vq *q, unsigned int buffers, unsigned int slots)
{
	unsigned int to = q->used_idx + slots;

	if (to >= q->size) {
		to -= q->size;
		q->used_wrap = !q->used_wrap;
	}
	q->used_idx = to;
}

static void packed_arm(struct vq *q, unsigned int n)
{
	unsigned int at = q->used_idx + n;
	bool wrap = q->used_wrap;

	if (!q->event_idx) {
		STORE(q->driver->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
		return;
	}
	if (at >= q->size) {
		at -= q->size;
		wrap = !wrap;
	}
	STORE(q->driver->off_wrap, at | (wrap ? VQ_WRAP : 0));
	__atomic_store_n(&q->driver->flags, VRING_PACKED_EVENT_FLAG_DESC, __ATOMIC_RELEASE);
}

static void packed_disarm(struct vq *q)
{
	STORE(q->driver->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
}

const struct vq_layout vq_packed = {
	.reset = packed_reset,
	.add = packed_add,
	.publish = packed_publish,
	.wants_kick = packed_wants_kick,
	.peek = packed_peek,
	.step = packed_step,
	.arm = packed_arm,
	.disarm = packed_disarm,
};
