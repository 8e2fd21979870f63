/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver side of a virtqueue, for tests of the device side.
 *
 * Life of a buffer: vq_add() links descriptors, vq_publish() shows them to the
 * device, vq_kick() rings the doorbell when the device asked for it,
 * vq_get_used() takes back what the device has used. vq_wait_used() does the
 * last step as a driver does: arm the notification, look, sleep on the call
 * eventfd. A lost notification therefore shows as a timeout.
 *
 * A hostile driver writes whatever it likes through the pointers of struct vq;
 * the library keeps its own position and never reads it back from the ring.
 */
#ifndef SELFTESTS_VRING_H
#define SELFTESTS_VRING_H

#include <linux/virtio_ring.h>
#include "gmem.h"

/* Entries of the indirect table that belongs to each head. */
#define VQ_TABLE_MAX	1024u

/**
 * struct vq_buf - one segment of a buffer
 * @gpa:   guest address
 * @len:   bytes
 * @write: the device may write it
 */
struct vq_buf {
	u64 gpa;
	u32 len;
	bool write;
};

/**
 * struct vq_shape - how vq_add() lays a buffer into descriptors
 * @indirect:   use an indirect table
 * @direct:     with @indirect, segments that stay in the ring before it
 * @shuffle:    link table entries in an order other than ascending
 * @table_flag: flags to set on the descriptor that refers to the table
 */
struct vq_shape {
	bool indirect;
	unsigned int direct;
	bool shuffle;
	u16 table_flag;
};

/**
 * struct vq_used - a buffer the device gave back
 * @id:     what the used element names
 * @len:    bytes the device says it has written
 * @cookie: as given to vq_add()
 */
struct vq_used {
	u32 id;
	u32 len;
	void *cookie;
};

/**
 * struct vq - a split virtqueue seen from its driver
 * @mem:       guest memory it lies in
 * @size:      number of descriptors
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @desc_gpa:  descriptor table
 * @avail_gpa: available ring
 * @used_gpa:  used ring
 * @desc:      the same, mapped here
 * @avail:     the same, mapped here
 * @used:      the same, mapped here
 * @kick_fd:   doorbell
 * @call_fd:   completion interrupt
 * @err_fd:    error interrupt
 * @avail_idx: next available index to write
 * @published: available index the device was last shown
 * @used_idx:  next used index to read
 * @free_head: first free descriptor
 * @num_free:  free descriptors
 * @next:      links of the free list and of chains, our own copy
 * @cookies:   by head; NULL: head not outstanding
 * @tables:    by head: address of its indirect table, 0 until first used
 */
struct vq {
	struct gmem *mem;
	unsigned int size;
	bool event_idx;
	u64 desc_gpa;
	u64 avail_gpa;
	u64 used_gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	int kick_fd;
	int call_fd;
	int err_fd;
	u16 avail_idx;
	u16 published;
	u16 used_idx;
	u16 free_head;
	unsigned int num_free;
	u16 *next;
	void **cookies;
	u64 *tables;
};

void vq_init(struct vq *q, struct gmem *mem, unsigned int size, bool event_idx);
void vq_free(struct vq *q);
void vq_reset(struct vq *q, u16 base);

int vq_add(struct vq *q, const struct vq_buf *bufs, unsigned int n,
	   const struct vq_shape *shape, void *cookie);
void vq_offer(struct vq *q, u16 head);
void vq_publish(struct vq *q);
bool vq_wants_kick(const struct vq *q, u16 old, u16 new);
void vq_kick(struct vq *q);
void vq_kick_always(const struct vq *q);
u64 vq_table(struct vq *q, u16 head);

u16 vq_used_idx(const struct vq *q);
bool vq_get_used(struct vq *q, struct vq_used *u);
void vq_arm(struct vq *q);
void vq_disarm(struct vq *q);
unsigned int vq_wait_used(struct vq *q, struct vq_used *u, unsigned int n);
unsigned int vq_wait_used_ms(struct vq *q, struct vq_used *u, unsigned int n,
			     int limit_ms);

u64 eventfd_take(int fd);
bool eventfd_wait(int fd, int limit_ms);

#endif /* SELFTESTS_VRING_H */
