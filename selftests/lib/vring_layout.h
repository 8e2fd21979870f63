/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What vring.c asks of a ring layout, and what it lends the layouts.
 */
#ifndef SELFTESTS_VRING_LAYOUT_H
#define SELFTESTS_VRING_LAYOUT_H

#include "vring.h"

#define LOAD(p)		__atomic_load_n(&(p), __ATOMIC_RELAXED)
#define STORE(p, v)	__atomic_store_n(&(p), v, __ATOMIC_RELAXED)
#define FENCE()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

/**
 * struct vq_layout - a ring layout
 * @reset:      empty the ring memory and begin at a position
 * @add:        lay a buffer into free descriptors, which suffice; gives its id
 * @publish:    show the device what was added
 * @wants_kick: whether the device asked for a doorbell for what is fresh
 * @peek:       the next used entry; false: there is none
 * @step:       go on behind a used entry for so many buffers in so many slots
 * @arm:        ask to be notified of the used entry @n after the next
 * @disarm:     ask not to be notified
 */
struct vq_layout {
	void (*reset)(struct vq *q, u32 base);
	u16 (*add)(struct vq *q, const struct vq_buf *bufs, unsigned int n,
		   const struct vq_shape *shape);
	void (*publish)(struct vq *q);
	bool (*wants_kick)(const struct vq *q);
	bool (*peek)(const struct vq *q, u32 *id, u32 *len);
	void (*step)(struct vq *q, unsigned int buffers, unsigned int slots);
	void (*arm)(struct vq *q, unsigned int n);
	void (*disarm)(struct vq *q);
};

extern const struct vq_layout vq_split;
extern const struct vq_layout vq_packed;

u16 vq_take_id(struct vq *q);

#endif /* SELFTESTS_VRING_LAYOUT_H */
