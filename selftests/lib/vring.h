/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver side of a virtqueue, for tests of the device side.
 *
 * Life of a buffer: vq_add() lays it into descriptors, vq_publish() shows them
 * to the device, vq_kick() rings the doorbell when the device asked for it,
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

/* Entries of the indirect table that belongs to each buffer. */
#define VQ_TABLE_MAX	1024u

/* Position of a packed ring: a slot, and in this bit the wrap counter. */
#define VQ_WRAP		0x8000u

/* What was negotiated for a queue. */
enum {
	VQ_EVENT_IDX = 1,
	VQ_PACKED = 2,
	VQ_IN_ORDER = 4,
};

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
 * @direct:     with @indirect, segments that stay in the ring before it (split)
 * @shuffle:    link table entries in an order other than ascending (split)
 * @junk:       fill what is to be ignored in table entries with ones (packed)
 * @table_flag: flags to set on the descriptor that refers to the table
 */
struct vq_shape {
	bool indirect;
	unsigned int direct;
	bool shuffle;
	bool junk;
	u16 table_flag;
};

/**
 * struct vq_used - a buffer the device gave back
 * @id:      its head (split) or buffer ID (packed)
 * @len:     bytes the device says it has written
 * @skipped: a used entry for a later buffer stood for this one (IN_ORDER), and
 *           @len is all that could be written
 * @cookie:  as given to vq_add()
 */
struct vq_used {
	u32 id;
	u32 len;
	bool skipped;
	void *cookie;
};

/**
 * struct vq_out - a buffer that is with the device
 * @cookie:    as given to vq_add(); NULL: not outstanding
 * @write_len: bytes the device may write
 * @slots:     descriptors it takes in the ring
 */
struct vq_out {
	void *cookie;
	u64 write_len;
	u16 slots;
};

struct vq_layout;

/**
 * struct vq - a virtqueue seen from its driver
 * @layout:    verbs that differ between split and packed
 * @mem:       guest memory it lies in
 * @size:      number of descriptors
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @packed:    VIRTIO_F_RING_PACKED was negotiated
 * @in_order:  VIRTIO_F_IN_ORDER was negotiated
 * @desc_gpa:  descriptor table or ring
 * @avail_gpa: available ring or driver event structure
 * @used_gpa:  used ring or device event structure
 * @desc:      descriptor table, mapped here (split)
 * @ring:      descriptor ring, mapped here (packed)
 * @avail:     available ring, mapped here (split)
 * @driver:    driver event structure, mapped here (packed)
 * @used:      used ring, mapped here (split)
 * @device:    device event structure, mapped here (packed)
 * @kick_fd:   doorbell
 * @call_fd:   completion interrupt
 * @err_fd:    error interrupt
 * @avail_idx: next available index (split) or slot (packed) to write
 * @avail_wrap: wrap counter of @avail_idx (packed)
 * @fresh:     indices or slots added since the last vq_kick()
 * @head_slot: slot of the first buffer not published yet (packed)
 * @head_flags: what makes it available; 0: all is published (packed)
 * @used_idx:  next used index (split) or slot (packed) to read
 * @used_wrap: wrap counter of @used_idx (packed)
 * @num_free:  free descriptors
 * @num_out:   buffers with the device
 * @free:      stack of free descriptors (split) or IDs (packed)
 * @num_ids:   its height
 * @next_id:   next descriptor or ID to take, IN_ORDER
 * @links:     by descriptor: the next one of its buffer, our own copy (split)
 * @out:       by head or ID
 * @order:     heads or IDs as they were offered, a ring (IN_ORDER)
 * @oldest:    where in @order the oldest one is
 * @batch:     buffers still to be taken of the used entry read last
 * @batch_id:  what it named
 * @batch_len: its length
 * @tables:    by head or ID: address of its indirect table, or 0
 * @spare:     tables whose buffers have come back
 * @num_spare: how many
 */
struct vq {
	const struct vq_layout *layout;
	struct gmem *mem;
	unsigned int size;
	bool event_idx;
	bool packed;
	bool in_order;
	u64 desc_gpa;
	u64 avail_gpa;
	u64 used_gpa;
	union {
		struct vring_desc *desc;
		struct vring_packed_desc *ring;
	};
	union {
		struct vring_avail *avail;
		struct vring_packed_desc_event *driver;
	};
	union {
		struct vring_used *used;
		struct vring_packed_desc_event *device;
	};
	int kick_fd;
	int call_fd;
	int err_fd;
	u16 avail_idx;
	bool avail_wrap;
	unsigned int fresh;
	u16 head_slot;
	u16 head_flags;
	u16 used_idx;
	bool used_wrap;
	unsigned int num_free;
	unsigned int num_out;
	u16 *free;
	unsigned int num_ids;
	unsigned int next_id;
	u16 *links;
	struct vq_out *out;
	u16 *order;
	unsigned int oldest;
	unsigned int batch;
	u32 batch_id;
	u32 batch_len;
	u64 *tables;
	u64 *spare;
	unsigned int num_spare;
};

void vq_init(struct vq *q, struct gmem *mem, unsigned int size, unsigned int features);
void vq_free(struct vq *q);
void vq_reset(struct vq *q, u32 base);
u32 vq_base(const struct vq *q);
u32 vq_fresh_base(const struct vq *q);
size_t vq_desc_bytes(const struct vq *q);
size_t vq_driver_bytes(const struct vq *q);
size_t vq_device_bytes(const struct vq *q);

int vq_add(struct vq *q, const struct vq_buf *bufs, unsigned int n,
	   const struct vq_shape *shape, void *cookie);
void vq_offer(struct vq *q, u16 head);
void vq_publish(struct vq *q);
void vq_kick(struct vq *q);
void vq_kick_always(const struct vq *q);
u64 vq_table(struct vq *q, u16 id);

u16 vq_used_idx(const struct vq *q);
bool vq_has_used(const struct vq *q);
unsigned int vq_used_ready(const struct vq *q);
bool vq_get_used(struct vq *q, struct vq_used *u);
void vq_arm(struct vq *q);
void vq_arm_at(struct vq *q, unsigned int n);
void vq_disarm(struct vq *q);
unsigned int vq_wait_used(struct vq *q, struct vq_used *u, unsigned int n);
unsigned int vq_wait_used_ms(struct vq *q, struct vq_used *u, unsigned int n,
			     int limit_ms);
bool vq_spin_used(const struct vq *q, unsigned int n);

u64 now_ms(void);
u64 eventfd_take(int fd);
bool eventfd_wait(int fd, int limit_ms);

#endif /* SELFTESTS_VRING_H */
