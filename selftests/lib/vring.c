// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue as a driver works it, whatever its layout.
 *
 * Keeps a model of what is outstanding: the device may return each buffer once,
 * with a length that its writable part can hold, and with IN_ORDER in the order
 * they were offered, or the test ends. Barriers here are the full ones: between
 * publishing and looking at the device's wish for a doorbell, and between
 * arming and looking for used buffers; the device has the mirror of each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "vring_layout.h"

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	must(fd >= 0, "eventfd: %m");
	return fd;
}

/**
 * vq_init() - make an empty queue in the lowest region
 * @q:        to be filled
 * @mem:      guest memory
 * @size:     up to 32768; a split queue's is a power of two
 * @features: VQ_*, what is going to be negotiated
 */
void vq_init(struct vq *q, struct gmem *mem, unsigned int size, unsigned int features)
{
	memset(q, 0, sizeof(*q));
	q->mem = mem;
	q->size = size;
	q->event_idx = features & VQ_EVENT_IDX;
	q->packed = features & VQ_PACKED;
	q->in_order = features & VQ_IN_ORDER;
	q->layout = q->packed ? &vq_packed : &vq_split;
	q->desc_gpa = gmem_alloc(mem, GMEM_LOW, vq_desc_bytes(q), 16);
	q->avail_gpa = gmem_alloc(mem, GMEM_LOW, vq_driver_bytes(q), q->packed ? 4 : 2);
	q->used_gpa = gmem_alloc(mem, GMEM_LOW, vq_device_bytes(q), 4);
	q->desc = gmem_va(mem, q->desc_gpa);
	q->avail = gmem_va(mem, q->avail_gpa);
	q->used = gmem_va(mem, q->used_gpa);
	q->kick_fd = new_eventfd();
	q->call_fd = new_eventfd();
	q->err_fd = new_eventfd();
	q->free = calloc(size, sizeof(*q->free));
	q->links = calloc(size, sizeof(*q->links));
	q->out = calloc(size, sizeof(*q->out));
	q->order = calloc(size, sizeof(*q->order));
	q->tables = calloc(size, sizeof(*q->tables));
	q->spare = calloc(size, sizeof(*q->spare));
	must(q->free && q->links && q->out && q->order && q->tables && q->spare,
	     "out of memory");
	vq_reset(q, vq_fresh_base(q));
}

/**
 * vq_free() - close the eventfds and forget the queue
 * @q: queue the device no longer uses
 */
void vq_free(struct vq *q)
{
	close(q->kick_fd);
	close(q->call_fd);
	close(q->err_fd);
	free(q->free);
	free(q->links);
	free(q->out);
	free(q->order);
	free(q->tables);
	free(q->spare);
	memset(q, 0, sizeof(*q));
}

/**
 * vq_reset() - empty the queue, as a driver does before it enables it again
 * @q:    queue the device is not looking at
 * @base: position to begin at, as vq_base() gives it; the upper half of a
 *        packed ring's may be empty
 */
void vq_reset(struct vq *q, u32 base)
{
	unsigned int i;

	memset(q->out, 0, q->size * sizeof(*q->out));
	for (i = 0; i < q->size; i++)
		q->free[i] = q->size - 1 - i;
	q->num_ids = q->size;
	q->num_free = q->size;
	q->next_id = 0;
	q->num_out = 0;
	q->oldest = 0;
	q->batch = 0;
	q->fresh = 0;
	q->layout->reset(q, base);
}

/**
 * vq_fresh_base() - where a queue begins that was never used
 * @q: queue
 *
 * Return: argument of VHOST_SET_VRING_BASE.
 */
u32 vq_fresh_base(const struct vq *q)
{
	return q->packed ? VQ_WRAP << 16 | VQ_WRAP : 0;
}

/**
 * vq_base() - where the queue stands
 * @q: queue
 *
 * Return: argument of VHOST_SET_VRING_BASE: the available index; packed, the
 * available position in the lower and the used one in the upper half.
 */
u32 vq_base(const struct vq *q)
{
	if (!q->packed)
		return q->avail_idx;
	return q->avail_idx | (q->avail_wrap ? VQ_WRAP : 0) |
	       (u32)(q->used_idx | (q->used_wrap ? VQ_WRAP : 0)) << 16;
}

/**
 * vq_desc_bytes() - size of the descriptor table or ring
 * @q: queue
 *
 * Return: bytes.
 */
size_t vq_desc_bytes(const struct vq *q)
{
	return 16 * q->size;
}

/**
 * vq_driver_bytes() - size of the available ring or driver event structure
 * @q: queue
 *
 * Return: bytes.
 */
size_t vq_driver_bytes(const struct vq *q)
{
	return q->packed ? 4 : 6 + 2 * q->size;
}

/**
 * vq_device_bytes() - size of the used ring or device event structure
 * @q: queue
 *
 * Return: bytes.
 */
size_t vq_device_bytes(const struct vq *q)
{
	return q->packed ? 4 : 6 + 8 * q->size;
}

/**
 * vq_table() - the indirect table that belongs to a buffer
 * @q:  queue
 * @id: its head or ID
 *
 * Return: guest address of %VQ_TABLE_MAX entries, until the buffer comes back.
 */
u64 vq_table(struct vq *q, u16 id)
{
	if (!q->tables[id])
		q->tables[id] = q->num_spare ? q->spare[--q->num_spare] :
				gmem_alloc(q->mem, GMEM_HIGH, VQ_TABLE_MAX * 16, 16);
	return q->tables[id];
}

/**
 * vq_take_id() - take a descriptor (split) or buffer ID (packed), for the layouts
 * @q: queue with a free one
 *
 * With IN_ORDER they are taken one after the other (2.7.9).
 *
 * Return: the index.
 */
u16 vq_take_id(struct vq *q)
{
	u16 id = q->next_id;

	if (!q->in_order)
		return q->free[--q->num_ids];
	q->next_id = (q->next_id + 1) % q->size;
	return id;
}

/* Give back what vq_take_id() gave for a buffer. */
static void give_ids(struct vq *q, u16 id)
{
	unsigned int n = q->packed ? 1 : q->out[id].slots;

	if (q->in_order)
		return;
	for (; n; n--, id = q->links[id])
		q->free[q->num_ids++] = id;
}

/**
 * vq_add() - lay a buffer into descriptors behind those already there
 * @q:      queue
 * @bufs:   segments, readable ones first unless the test means otherwise
 * @n:      number of segments
 * @shape:  how to lay them out; NULL: direct descriptors
 * @cookie: given back by vq_get_used(), not NULL
 *
 * The device sees it at the next vq_publish().
 *
 * Return: its head or buffer ID, or -ENOSPC when descriptors are short.
 */
int vq_add(struct vq *q, const struct vq_buf *bufs, unsigned int n,
	   const struct vq_shape *shape, void *cookie)
{
	static const struct vq_shape plain;
	unsigned int direct, slots, i;
	u64 writable = 0;
	u16 id;

	if (!shape)
		shape = &plain;
	direct = shape->indirect ? shape->direct : n;
	slots = direct + shape->indirect;
	must(direct <= n && slots, "shape wants %u direct of %u segments", direct, n);
	must(n - direct <= VQ_TABLE_MAX, "%u segments for one table", n - direct);
	if (q->num_free < slots)
		return -ENOSPC;
	for (i = 0; i < n; i++)
		writable += bufs[i].write ? bufs[i].len : 0;
	id = q->layout->add(q, bufs, n, shape);
	q->order[(q->oldest + q->num_out) % q->size] = id;
	q->out[id] = (struct vq_out) { cookie, writable, slots };
	q->num_free -= slots;
	q->num_out++;
	return id;
}

/**
 * vq_offer() - put a head into the next available slot, whatever it is
 * @q:    split queue
 * @head: descriptor index, possibly nonsense
 */
void vq_offer(struct vq *q, u16 head)
{
	STORE(q->avail->ring[q->avail_idx % q->size], head);
	q->avail_idx++;
	q->fresh++;
}

/**
 * vq_publish() - let the device see what was added
 * @q: queue
 */
void vq_publish(struct vq *q)
{
	q->layout->publish(q);
}

/**
 * vq_kick_always() - ring the doorbell, wanted or not
 * @q: queue
 */
void vq_kick_always(const struct vq *q)
{
	u64 one = 1;

	must(write(q->kick_fd, &one, 8) == 8, "kick: %m");
}

/**
 * vq_kick() - publish, and ring the doorbell if the device wants it
 * @q: queue
 */
void vq_kick(struct vq *q)
{
	vq_publish(q);
	FENCE();
	if (q->layout->wants_kick(q))
		vq_kick_always(q);
	q->fresh = 0;
}

/**
 * vq_used_idx() - what the device has published
 * @q: split queue
 *
 * Return: used index.
 */
u16 vq_used_idx(const struct vq *q)
{
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
}

/* How many buffers a used entry for @id stands for, @skip older ones being gone. */
static unsigned int batch_of(const struct vq *q, u32 id, unsigned int skip)
{
	unsigned int i;

	if (id >= q->size || !q->out[id].cookie)
		return 0;
	if (!q->in_order)
		return 1;
	for (i = skip; i < q->num_out; i++)
		if (q->order[(q->oldest + i) % q->size] == id)
			return i + 1 - skip;
	return 0;
}

/* Slots taken by that batch. */
static unsigned int batch_slots(const struct vq *q, u32 id, unsigned int skip,
				unsigned int batch)
{
	unsigned int i, slots = 0;

	if (!q->in_order)
		return q->out[id].slots;
	for (i = skip; i < skip + batch; i++)
		slots += q->out[q->order[(q->oldest + i) % q->size]].slots;
	return slots;
}

/**
 * vq_has_used() - whether there is something to take
 * @q: queue
 *
 * Does not ask whether what is there makes sense.
 *
 * Return: whether vq_get_used() will look at it.
 */
bool vq_has_used(const struct vq *q)
{
	u32 id, len;

	return q->batch || q->layout->peek(q, &id, &len);
}

/**
 * vq_used_ready() - how many buffers vq_get_used() would give right now
 * @q: queue
 *
 * Return: their number.
 */
unsigned int vq_used_ready(const struct vq *q)
{
	unsigned int n = q->batch, batch;
	struct vq at = *q;
	u32 id, len;

	while (n < q->num_out && at.layout->peek(&at, &id, &len)) {
		batch = batch_of(q, id, n);
		if (!batch)
			break;
		at.layout->step(&at, batch, batch_slots(q, id, n, batch));
		n += batch;
	}
	return n;
}

/* Read the next used entry. Return: false when there is none. */
static bool next_entry(struct vq *q)
{
	u32 id;

	if (!q->layout->peek(q, &id, &q->batch_len))
		return false;
	must(id < q->size, "CORE-024: used id %u in a queue of %u", id, q->size);
	must(q->out[id].cookie, "CORE-024: used id %u is not outstanding", id);
	q->batch = batch_of(q, id, 0);
	must(q->batch, "CORE-060: used id %u is none of the %u in order", id, q->num_out);
	must(q->batch_len <= q->out[id].write_len, "CORE-027: used length %u of %llu",
	     q->batch_len, q->out[id].write_len);
	q->batch_id = id;
	q->layout->step(q, q->batch, batch_slots(q, id, 0, q->batch));
	return true;
}

/**
 * vq_get_used() - take one used buffer
 * @q: queue
 * @u: result
 *
 * Ends the test when the device returns what it was not given (CORE-024).
 *
 * Return: false when there is none.
 */
bool vq_get_used(struct vq *q, struct vq_used *u)
{
	struct vq_out *out;
	u16 id;

	if (!q->batch && !next_entry(q))
		return false;
	id = q->in_order ? q->order[q->oldest] : q->batch_id;
	q->batch--;
	out = &q->out[id];
	*u = (struct vq_used) {
		.id = id,
		.len = q->batch ? out->write_len : q->batch_len,
		.skipped = q->batch,
		.cookie = out->cookie,
	};
	q->oldest = (q->oldest + 1) % q->size;
	q->num_out--;
	q->num_free += out->slots;
	give_ids(q, id);
	if (q->tables[id])
		q->spare[q->num_spare++] = q->tables[id];
	q->tables[id] = 0;
	out->cookie = NULL;
	return true;
}

/**
 * vq_arm_at() - ask to be notified of a used entry to come
 * @q: queue
 * @n: with EVENT_IDX, entries (split) or slots (packed) after the next
 */
void vq_arm_at(struct vq *q, unsigned int n)
{
	q->layout->arm(q, n);
	FENCE();
}

/**
 * vq_arm() - ask to be notified of the next used buffer
 * @q: queue
 */
void vq_arm(struct vq *q)
{
	vq_arm_at(q, 0);
}

/**
 * vq_disarm() - ask not to be notified
 * @q: queue
 */
void vq_disarm(struct vq *q)
{
	q->layout->disarm(q);
	FENCE();
}
