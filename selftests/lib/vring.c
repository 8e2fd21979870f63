// SPDX-License-Identifier: GPL-2.0
/*
 * Split virtqueues (2.7) as a driver works them.
 *
 * Keeps a model of what is outstanding: the device may return each head once,
 * with a length that its writable part can hold, or the test ends. Memory
 * order: descriptors before the available index (release), used index before
 * used elements (acquire), and a full barrier between publishing and looking
 * at the device's wish for a doorbell, and between arming and looking at the
 * used index; the device has the mirror of each.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "vring.h"

#define LOAD(p)		__atomic_load_n(&(p), __ATOMIC_RELAXED)
#define STORE(p, v)	__atomic_store_n(&(p), v, __ATOMIC_RELAXED)

static u16 *used_event(const struct vq *q)
{
	return &q->avail->ring[q->size];
}

static u16 *avail_event(const struct vq *q)
{
	return (u16 *)&q->used->ring[q->size];
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	must(fd >= 0, "eventfd: %m");
	return fd;
}

/**
 * vq_init() - make an empty queue in the lowest region
 * @q:         to be filled
 * @mem:       guest memory
 * @size:      power of two up to 32768
 * @event_idx: whether VIRTIO_F_EVENT_IDX is going to be negotiated
 */
void vq_init(struct vq *q, struct gmem *mem, unsigned int size, bool event_idx)
{
	memset(q, 0, sizeof(*q));
	q->mem = mem;
	q->size = size;
	q->event_idx = event_idx;
	q->desc_gpa = gmem_alloc(mem, GMEM_LOW, 16 * size, 16);
	q->avail_gpa = gmem_alloc(mem, GMEM_LOW, 6 + 2 * size, 2);
	q->used_gpa = gmem_alloc(mem, GMEM_LOW, 6 + 8 * size, 4);
	q->desc = gmem_va(mem, q->desc_gpa);
	q->avail = gmem_va(mem, q->avail_gpa);
	q->used = gmem_va(mem, q->used_gpa);
	q->kick_fd = new_eventfd();
	q->call_fd = new_eventfd();
	q->err_fd = new_eventfd();
	q->next = calloc(size, sizeof(*q->next));
	q->cookies = calloc(size, sizeof(*q->cookies));
	q->tables = calloc(size, sizeof(*q->tables));
	must(q->next && q->cookies && q->tables, "out of memory");
	vq_reset(q, 0);
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
	free(q->next);
	free(q->cookies);
	free(q->tables);
	memset(q, 0, sizeof(*q));
}

/**
 * vq_reset() - empty the queue, as a driver does before it enables it again
 * @q:    queue the device is not looking at
 * @base: index to begin at
 */
void vq_reset(struct vq *q, u16 base)
{
	unsigned int i;

	memset(q->desc, 0, 16 * q->size);
	memset(q->avail, 0, 6 + 2 * q->size);
	memset(q->used, 0, 6 + 8 * q->size);
	memset(q->cookies, 0, q->size * sizeof(*q->cookies));
	for (i = 0; i < q->size; i++)
		q->next[i] = i + 1;
	q->free_head = 0;
	q->num_free = q->size;
	q->avail_idx = base;
	q->published = base;
	q->used_idx = base;
	q->avail->idx = base;
	q->used->idx = base;
}

/**
 * vq_table() - the indirect table that belongs to a head
 * @q:    queue
 * @head: descriptor index
 *
 * Return: guest address of %VQ_TABLE_MAX entries.
 */
u64 vq_table(struct vq *q, u16 head)
{
	if (!q->tables[head])
		q->tables[head] = gmem_alloc(q->mem, GMEM_HIGH,
					     VQ_TABLE_MAX * 16, 16);
	return q->tables[head];
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

/* Take one free descriptor. */
static u16 take_desc(struct vq *q)
{
	u16 i = q->free_head;

	q->free_head = q->next[i];
	q->num_free--;
	return i;
}

/**
 * vq_add() - link a buffer into descriptors and put it into the next slot
 * @q:      queue
 * @bufs:   segments, readable ones first unless the test means otherwise
 * @n:      number of segments
 * @shape:  how to lay them out; NULL: direct descriptors
 * @cookie: given back by vq_get_used(), not NULL
 *
 * The device sees it at the next vq_publish().
 *
 * Return: its head, or -ENOSPC when descriptors are short.
 */
int vq_add(struct vq *q, const struct vq_buf *bufs, unsigned int n,
	   const struct vq_shape *shape, void *cookie)
{
	bool indirect = shape && shape->indirect;
	unsigned int direct = indirect ? shape->direct : n;
	unsigned int slots = direct + indirect;
	u16 head = q->free_head;
	u16 at = head;
	unsigned int i;

	must(direct <= n && slots, "shape wants %u direct of %u segments", direct, n);
	if (q->num_free < slots)
		return -ENOSPC;
	for (i = 0; i < slots; i++) {
		struct vring_desc d = { .flags = VRING_DESC_F_INDIRECT };

		at = take_desc(q);
		if (i < direct) {
			d.addr = bufs[i].gpa;
			d.len = bufs[i].len;
			d.flags = bufs[i].write ? VRING_DESC_F_WRITE : 0;
		} else {
			must(n - direct <= VQ_TABLE_MAX, "%u segments for one table", n - direct);
			d.addr = vq_table(q, head);
			d.len = 16 * (n - direct);
			d.flags |= shape->table_flag;
			fill_table(q, d.addr, bufs + direct, n - direct, shape->shuffle);
		}
		if (i + 1 < slots) {
			d.flags |= VRING_DESC_F_NEXT;
			d.next = q->free_head;
		}
		q->desc[at] = d;
	}
	q->next[at] = q->size;	/* end of chain in our own copy */
	q->cookies[head] = cookie;
	vq_offer(q, head);
	return head;
}

/**
 * vq_offer() - put a head into the next available slot, whatever it is
 * @q:    queue
 * @head: descriptor index, possibly nonsense
 */
void vq_offer(struct vq *q, u16 head)
{
	STORE(q->avail->ring[q->avail_idx % q->size], head);
	q->avail_idx++;
}

/**
 * vq_publish() - let the device see what was added
 * @q: queue
 */
void vq_publish(struct vq *q)
{
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
}

/**
 * vq_wants_kick() - whether the device asked for a doorbell
 * @q:   queue
 * @old: available index before
 * @new: available index now
 *
 * Return: true when the driver has to kick (2.7.10, 2.7.13.4).
 */
bool vq_wants_kick(const struct vq *q, u16 old, u16 new)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (q->event_idx)
		return vring_need_event(LOAD(*avail_event(q)), new, old);
	return !(LOAD(q->used->flags) & VRING_USED_F_NO_NOTIFY);
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
	u16 old = q->published;

	vq_publish(q);
	q->published = q->avail_idx;
	if (vq_wants_kick(q, old, q->avail_idx))
		vq_kick_always(q);
}

/**
 * vq_used_idx() - what the device has published
 * @q: queue
 *
 * Return: used index.
 */
u16 vq_used_idx(const struct vq *q)
{
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
}

static void free_chain(struct vq *q, u16 head)
{
	u16 i = head, next;

	for (;;) {
		next = q->next[i];
		q->num_free++;
		if (next == q->size)
			break;
		i = next;
	}
	q->next[i] = q->free_head;
	q->free_head = head;
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
	struct vring_used_elem *e = &q->used->ring[q->used_idx % q->size];
	u16 ahead = vq_used_idx(q) - q->used_idx;

	must(ahead <= q->size, "used index ran %u ahead in a queue of %u", ahead, q->size);
	if (!ahead)
		return false;
	u->id = LOAD(e->id);
	u->len = LOAD(e->len);
	must(u->id < q->size, "CORE-024: used id %u in a queue of %u", u->id, q->size);
	must(q->cookies[u->id], "CORE-024: used id %u is not outstanding", u->id);
	u->cookie = q->cookies[u->id];
	q->cookies[u->id] = NULL;
	free_chain(q, u->id);
	q->used_idx++;
	return true;
}

/**
 * vq_arm() - ask to be notified of the next used buffer
 * @q: queue
 */
void vq_arm(struct vq *q)
{
	if (q->event_idx)
		STORE(*used_event(q), q->used_idx);
	else
		STORE(q->avail->flags, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/**
 * vq_disarm() - ask not to be notified
 * @q: queue
 */
void vq_disarm(struct vq *q)
{
	if (q->event_idx)
		STORE(*used_event(q), (u16)(q->used_idx - 1));
	else
		STORE(q->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/**
 * eventfd_take() - read and clear an eventfd
 * @fd: non-blocking eventfd
 *
 * Return: its count, 0 when it was not signalled.
 */
u64 eventfd_take(int fd)
{
	u64 n = 0;

	if (read(fd, &n, 8) == 8)
		return n;
	must(errno == EAGAIN, "read eventfd: %m");
	return 0;
}

/**
 * eventfd_wait() - wait for an eventfd to be signalled; does not clear it
 * @fd:       eventfd
 * @limit_ms: longest wait
 *
 * Return: whether it was.
 */
bool eventfd_wait(int fd, int limit_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, limit_ms);
	} while (r < 0 && errno == EINTR);
	must(r >= 0, "poll: %m");
	return r == 1;
}

/**
 * vq_wait_used_ms() - wait for used buffers as a driver does
 * @q:        queue
 * @u:        results
 * @n:        how many to wait for
 * @limit_ms: longest silence before giving up
 *
 * Return: how many came, less than @n when nothing came for @limit_ms.
 */
unsigned int vq_wait_used_ms(struct vq *q, struct vq_used *u, unsigned int n,
			     int limit_ms)
{
	unsigned int got = 0;

	while (got < n) {
		if (vq_get_used(q, &u[got])) {
			got++;
			continue;
		}
		vq_arm(q);
		if (vq_used_idx(q) != q->used_idx)
			continue;
		if (!eventfd_wait(q->call_fd, limit_ms))
			break;
		eventfd_take(q->call_fd);
	}
	return got;
}

/**
 * vq_wait_used() - vq_wait_used_ms() with the limit every wait has
 * @q: queue
 * @u: results
 * @n: how many to wait for
 *
 * Return: how many came.
 */
unsigned int vq_wait_used(struct vq *q, struct vq_used *u, unsigned int n)
{
	return vq_wait_used_ms(q, u, n, LIMIT_MS);
}
