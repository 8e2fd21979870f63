// SPDX-License-Identifier: GPL-2.0
/*
 * vqmap.c - a queue's ring in memory: finding, mapping and letting go of it.
 *
 * Without a device IOTLB the ring is mapped from start to stop. With one its
 * addresses are I/O virtual: the worker maps it once the owner has told what
 * they mean, and it is unmapped when that changes. The position survives.
 */
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

/* Where a ring part lies in the owner; with an IOTLB, if it is contiguous there. */
static int vq_part_uaddr(struct kvh_vq *vq, u64 addr, size_t len, bool write, u64 *uaddr)
{
	u64 next, run, off;
	int ret;

	*uaddr = addr;
	if (!vq->env.iotlb)
		return 0;
	for (off = 0; off < len; off += run) {
		ret = kvh_iotlb_find(vq, addr + off, len - off, write, &next, &run);
		if (ret)
			return ret;
		if (!off)
			*uaddr = next;
		else if (next != *uaddr + off)
			return -EFAULT;
	}
	return 0;
}

static int vq_map_part(struct kvh_vq *vq, struct kvh_ringmem *rm, u64 addr, size_t len,
		       bool write)
{
	u64 uaddr;
	int ret = vq_part_uaddr(vq, addr, len, write, &uaddr);

	if (ret)
		return ret;
	return kvh_env_registered(&vq->env) ?
	       kvh_ringmem_map_registered(rm, &vq->env, uaddr, len, write) :
	       kvh_ringmem_map(rm, vq->dev, uaddr, len, write);
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
	int ret = kvh_ring_init(&vq->ring, &cfg);

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
 * @vq: queue with nothing in flight; nothing to do if it is not mapped
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

static bool vq_part_moved(struct kvh_vq *vq, const struct kvh_ringmem *rm, u64 addr,
			  size_t len)
{
	u64 uaddr;

	return vq_part_uaddr(vq, addr, len, rm->dirty, &uaddr) || uaddr != rm->uaddr;
}

/**
 * kvh_vq_recheck_map() - unmap the ring if its translation is not what it was
 * @vq: queue, held
 *
 * Context: Process context, device lock held.
 */
void kvh_vq_recheck_map(struct kvh_vq *vq)
{
	enum kvh_ring_layout layout = kvh_vq_layout(vq);

	lockdep_assert_held(&vq->dev->lock);
	mutex_lock(&vq->lock);
	if (vq->mapped &&
	    (vq_part_moved(vq, &vq->desc, vq->addr.desc_user_addr,
			   kvh_ring_desc_bytes(layout, vq->size)) ||
	     vq_part_moved(vq, &vq->driver, vq->addr.avail_user_addr,
			   kvh_ring_driver_bytes(layout, vq->size)) ||
	     vq_part_moved(vq, &vq->device, vq->addr.used_user_addr,
			   kvh_ring_device_bytes(layout, vq->size))))
		kvh_vq_unmap(vq);
	mutex_unlock(&vq->lock);
}
