// SPDX-License-Identifier: GPL-2.0
/*
 * vqmap.c - a queue's ring in memory: finding, mapping and letting go of it.
 *
 * Without a device IOTLB the ring is mapped from start to stop. With one its
 * addresses are I/O virtual: the worker maps it once the owner has told what
 * they mean, and the owner's message unmaps it when that changes. The position
 * survives.
 */
#include <linux/overflow.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include "core.h"

/**
 * kvh_vq_layout() - split or packed, as negotiated
 * @vq: queue
 *
 * Context: Queue lock held.
 * Return: the layout
 */
enum kvh_ring_layout kvh_vq_layout(const struct kvh_vq *vq)
{
	return vq->features & BIT_ULL(VIRTIO_F_RING_PACKED) ? KVH_RING_PACKED : KVH_RING_SPLIT;
}

static void vq_unmap(struct kvh_vq *vq)
{
	kvh_ringmem_unmap(&vq->device, vq->dev);
	kvh_ringmem_unmap(&vq->driver, vq->dev);
	kvh_ringmem_unmap(&vq->desc, vq->dev);
}

/* Where a ring part lies in the owner's memory. */
static int vq_part_find(struct kvh_vq *vq, u64 addr, size_t len, bool write,
			struct kvh_ringplace *place)
{
	u64 uaddr = addr, run = len, off;
	int ret = 0;

	/* A part that wraps would be missed when one end of it changes. */
	if (check_add_overflow(addr, (u64)len - 1, &off))
		return -EFAULT;
	for (off = 0; !ret && off < len; off += run) {
		if (vq->env.iotlb)
			ret = kvh_iotlb_find(vq, addr + off, len - off, write, &uaddr, &run);
		if (!ret)
			ret = kvh_ringplace_add(place, uaddr, run);
	}
	return ret;
}

static int vq_map_part(struct kvh_vq *vq, struct kvh_ringmem *rm, u64 addr, size_t len,
		       bool write)
{
	struct kvh_ringplace place;
	int ret = kvh_ringplace_init(&place, len);

	if (!ret)
		ret = vq_part_find(vq, addr, len, write, &place);
	if (!ret)
		ret = kvh_ringmem_map(rm, vq->dev, &vq->env, &place, write);
	kvh_ringplace_free(&place);
	return ret;
}

static int vq_map_parts(struct kvh_vq *vq)
{
	enum kvh_ring_layout layout = kvh_vq_layout(vq);
	int ret;

	/* A packed ring's descriptors are overwritten as they are used (2.8.6). */
	ret = vq_map_part(vq, &vq->desc, vq->addr.desc_user_addr,
			  kvh_ring_desc_bytes(layout, vq->size), layout == KVH_RING_PACKED);
	if (!ret)
		ret = vq_map_part(vq, &vq->driver, vq->addr.avail_user_addr,
				  kvh_ring_driver_bytes(layout, vq->size), false);
	if (!ret)
		ret = vq_map_part(vq, &vq->device, vq->addr.used_user_addr,
				  kvh_ring_device_bytes(layout, vq->size), true);
	if (ret)
		vq_unmap(vq);
	return ret;
}

static int vq_ring_init(struct kvh_vq *vq)
{
	struct kvh_ring_config cfg = {
		.layout = kvh_vq_layout(vq),
		.size = vq->size,
		.event_idx = vq->features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX),
		.indirect = vq->features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC),
		.in_order = vq->features & BIT_ULL(VIRTIO_F_IN_ORDER),
		.desc = vq->desc.ptr,
		.driver = vq->driver.ptr,
		.device = vq->device.ptr,
		.table = vq->table,
		.order = vq->order,
	};
	int ret;

	if (vq->in_flight) {
		kvh_ring_move(&vq->ring, &cfg);
		return 0;
	}
	ret = kvh_ring_init(&vq->ring, &cfg);
	return ret || !vq->base_set ? ret : kvh_ring_set_base(&vq->ring, vq->base);
}

/**
 * kvh_vq_map() - map the ring and take it up where it was left
 * @vq: queue, not mapped
 *
 * Context: Process context of the owner or worker, queue lock held.
 * Return: 0; -EAGAIN if a translation is missing; -EPERM, -EFAULT, -ENOMEM if
 * the memory cannot be had; -EINVAL, -EPROTO for a ring or position that makes
 * no sense
 */
int kvh_vq_map(struct kvh_vq *vq)
{
	int ret = vq_map_parts(vq);

	lockdep_assert_held(&vq->lock);
	if (ret)
		return ret;
	ret = vq_ring_init(vq);
	if (ret) {
		vq_unmap(vq);
		return ret;
	}
	/* The first turn asks for doorbells. */
	vq->kick_on = false;
	vq->mapped = true;
	return 0;
}

/**
 * kvh_vq_unmap() - let go of the ring, remembering the position
 * @vq: queue with nothing in flight but what is kept; nothing to do if it is not
 *      mapped
 *
 * Context: Process context, queue lock held.
 */
void kvh_vq_unmap(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	if (!vq->mapped)
		return;
	vq->base = kvh_ring_base(&vq->ring);
	vq->base_set = true;
	vq->mapped = false;
	vq_unmap(vq);
}

/**
 * kvh_vq_map_late() - map a running queue's ring as soon as it can be translated
 * @vq: queue, not mapped
 *
 * Context: Worker, queue lock held.
 * Return: 0; -EAGAIN to be tried again when the owner has answered; any other
 * error has broken the queue
 */
int kvh_vq_map_late(struct kvh_vq *vq)
{
	int ret = -EBADMSG;

	if (vq->state == KVH_VQ_RUNNING)
		ret = kvh_vq_map(vq);
	if (ret && ret != -EAGAIN)
		kvh_vq_break(vq, KVH_FAULT_NONE);
	return ret;
}

/**
 * kvh_vq_unmap_brief() - let go of a ring that may be mapped for one turn only
 * @vq: queue at the end of a turn
 *
 * A ring with chains in flight stays mapped, because completing them needs it.
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_unmap_brief(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	if (unlikely(vq->desc.brief || vq->device.brief) && !vq->in_flight)
		kvh_vq_unmap(vq);
}

/**
 * kvh_vq_ring_touches() - tell whether a range of I/O virtual addresses holds a
 * part of the ring
 * @vq:    queue with a device IOTLB, its size being set
 * @first: first address
 * @last:  last address
 *
 * Context: Queue lock held.
 * Return: true if so
 */
bool kvh_vq_ring_touches(const struct kvh_vq *vq, u64 first, u64 last)
{
	enum kvh_ring_layout layout = kvh_vq_layout(vq);
	const struct vhost_vring_addr *a = &vq->addr;
	const struct kvh_seg parts[] = {
		{ a->desc_user_addr, kvh_ring_desc_bytes(layout, vq->size) },
		{ a->avail_user_addr, kvh_ring_driver_bytes(layout, vq->size) },
		{ a->used_user_addr, kvh_ring_device_bytes(layout, vq->size) },
	};

	return kvh_segs_touch(parts, ARRAY_SIZE(parts), first, last);
}
