// SPDX-License-Identifier: GPL-2.0
/*
 * The split layout (2.7) as a driver works it: descriptor table, available ring
 * and used ring.
 *
 * Memory order: descriptors before the available index (release), used index
 * before used elements (acquire). Called by vring.c alone.
 */
#include <string.h>
#include "vring_layout.h"

static u16 *used_event(const struct vq *q)
{
	return &q->avail->ring[q->size];
}

static u16 *avail_event(const struct vq *q)
{
	return (u16 *)&q->used->ring[q->size];
}

static void split_reset(struct vq *q, u32 base)
{
	memset(q->desc, 0, vq_desc_bytes(q));
	memset(q->avail, 0, vq_driver_bytes(q));
	memset(q->used, 0, vq_device_bytes(q));
	q->avail_idx = base;
	q->used_idx = base;
	q->avail->idx = base;
	q->used->idx = base;
}

/*
 * Fill @n entries of an indirect table. Shuffled, the entries after the first
 * are linked from the last to the second (2.7.5.3: linked by next, in any
 * order, beginning at entry 0).
 */
static void fill_table(struct vq *q, u64 table, const struct vq_buf *bufs,
		       unsigned int n, bool shuffle)
{
	struct vring_desc *t = gmem_va(q->mem, table);
	unsigned int i, at, next;

	for (i = 0; i < n; i++) {
		at = shuffle && i ? n - i : i;
		next = shuffle ? n - (i + 1) : i + 1;
		t[at] = (struct vring_desc) {
			.addr = bufs[i].gpa,
			.len = bufs[i].len,
			.flags = (bufs[i].write ? VRING_DESC_F_WRITE : 0) |
				 (i + 1 < n ? VRING_DESC_F_NEXT : 0),
			.next = i + 1 < n ? next : 0,
		};
	}
}

static u16 split_add(struct vq *q, const struct vq_buf *bufs, unsigned int n,
		     const struct vq_shape *shape)
{
	unsigned int direct = shape->indirect ? shape->direct : n;
	unsigned int slots = direct + shape->indirect, i;
	u16 head = vq_take_id(q), at = head;

	for (i = 0; i < slots; i++) {
		struct vring_desc d = { .flags = VRING_DESC_F_INDIRECT };

		if (i < direct) {
			d.addr = bufs[i].gpa;
			d.len = bufs[i].len;
			d.flags = bufs[i].write ? VRING_DESC_F_WRITE : 0;
		} else {
			d.addr = vq_table(q, head);
			d.len = 16 * (n - direct);
			d.flags |= shape->table_flag;
			fill_table(q, d.addr, bufs + direct, n - direct, shape->shuffle);
		}
		if (i + 1 < slots) {
			q->links[at] = vq_take_id(q);
			d.flags |= VRING_DESC_F_NEXT;
			d.next = q->links[at];
		}
		q->desc[at] = d;
		at = d.next;
	}
	vq_offer(q, head);
	return head;
}

static void split_publish(struct vq *q)
{
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
}

static bool split_wants_kick(const struct vq *q)
{
	if (q->event_idx)
		return vring_need_event(LOAD(*avail_event(q)), q->avail_idx,
					q->avail_idx - q->fresh);
	return !(LOAD(q->used->flags) & VRING_USED_F_NO_NOTIFY);
}

static bool split_peek(const struct vq *q, u32 *id, u32 *len)
{
	struct vring_used_elem *e = &q->used->ring[q->used_idx % q->size];

	if (vq_used_idx(q) == q->used_idx)
		return false;
	*id = LOAD(e->id);
	*len = LOAD(e->len);
	return true;
}

static void split_step(struct vq *q, unsigned int buffers, unsigned int slots)
{
	u16 ahead = vq_used_idx(q) - q->used_idx;

	must(ahead <= q->size, "used index ran %u ahead in a queue of %u", ahead, q->size);
	must(ahead >= buffers, "CORE-060: a used element for %u buffers, used index %u ahead",
	     buffers, ahead);
	q->used_idx += buffers;
}

static void split_arm(struct vq *q, unsigned int n)
{
	if (q->event_idx)
		STORE(*used_event(q), (u16)(q->used_idx + n));
	else
		STORE(q->avail->flags, 0);
}

static void split_disarm(struct vq *q)
{
	if (q->event_idx)
		STORE(*used_event(q), (u16)(q->used_idx - 1));
	else
		STORE(q->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

const struct vq_layout vq_split = {
	.reset = split_reset,
	.add = split_add,
	.publish = split_publish,
	.wants_kick = split_wants_kick,
	.peek = split_peek,
	.step = split_step,
	.arm = split_arm,
	.disarm = split_disarm,
};
