// SPDX-License-Identifier: GPL-2.0
/*
 * iotlb.c - translation for guests behind a virtual IOMMU.
 *
 * With VIRTIO_F_ACCESS_PLATFORM every address a driver gives is an I/O virtual
 * one. The owner feeds us mappings to its own memory and takes them away again;
 * what is missing is asked for, and the queue waits. Each queue waits for one
 * address at a time, so misses need no memory. Mappings change only while all
 * queues are held, so a translation in use stays true until the turn ends, and
 * once an invalidation has returned nothing in flight uses what it took away.
 */
#include <linux/overflow.h>
#include <linux/uaccess.h>
#include <linux/vhost_iotlb.h>
#include "core.h"

/* Mappings kept at most; the oldest gives way, to be asked for again. */
#define IOTLB_ENTRIES_MAX	2048u

/**
 * kvh_iotlb_enable() - begin or end translating
 * @dev: device, its queues stopped
 * @on:  whether to translate; nothing is known then, even if it did so before
 *
 * Context: Process context, device lock held.
 * Return: 0 or -ENOMEM
 */
int kvh_iotlb_enable(struct kvh_dev *dev, bool on)
{
	struct vhost_iotlb *iotlb = NULL;
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	if (!on && !dev->iotlb)
		return 0;
	if (on) {
		iotlb = vhost_iotlb_alloc(IOTLB_ENTRIES_MAX, VHOST_IOTLB_FLAG_RETIRE);
		if (!iotlb)
			return -ENOMEM;
	}
	swap(dev->iotlb, iotlb);
	for (i = 0; i < dev->nvqs; i++) {
		mutex_lock(&dev->vqs[i].lock);
		dev->vqs[i].env.iotlb = dev->iotlb;
		mutex_unlock(&dev->vqs[i].lock);
	}
	vhost_iotlb_free(iotlb);
	/* Readers waiting for misses learn that there will be none. */
	wake_up_interruptible_all(&dev->miss_wait);
	return 0;
}

/* Ask the owner for a mapping, unless that was done already. */
static void iotlb_miss(struct kvh_vq *vq, u64 iova, u8 perm)
{
	struct kvh_dev *dev = vq->dev;
	struct kvh_miss *miss = &vq->miss;

	spin_lock(&dev->miss_lock);
	if (miss->state == KVH_MISS_NONE || miss->iova != iova || miss->perm != perm) {
		miss->iova = iova;
		miss->perm = perm;
		miss->state = KVH_MISS_QUEUED;
		vq->stats.misses++;
	}
	spin_unlock(&dev->miss_lock);
	wake_up_interruptible_poll(&dev->miss_wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * kvh_iotlb_find() - translate the beginning of an I/O virtual range
 * @vq:    queue that asks
 * @iova:  I/O virtual address
 * @len:   bytes wanted, not 0
 * @write: for writing
 * @uaddr: result: user address of @iova
 * @run:   result: bytes of the range that follow contiguously, 1 to @len
 *
 * Context: Queue lock held.
 * Return: 0; -EAGAIN if there is no mapping yet: the owner has been asked, and
 * the queue is woken when it answers; -EPERM if the mapping forbids it
 */
int kvh_iotlb_find(struct kvh_vq *vq, u64 iova, u64 len, bool write, u64 *uaddr, u64 *run)
{
	u8 perm = write ? VHOST_ACCESS_WO : VHOST_ACCESS_RO;
	struct vhost_iotlb_map *map;

	lockdep_assert_held(&vq->lock);
	map = vhost_iotlb_itree_first(vq->env.iotlb, iova, iova);
	if (!map) {
		iotlb_miss(vq, iova, perm);
		return -EAGAIN;
	}
	if (!(map->perm & perm))
		return -EPERM;
	*uaddr = map->addr + (iova - map->start);
	*run = min(len, map->last - iova + 1);
	return 0;
}

/* The owner answered, or changed things: whoever waits looks again when resumed. */
static void iotlb_forget_misses(struct kvh_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nvqs; i++) {
		spin_lock(&dev->miss_lock);
		dev->vqs[i].miss.state = KVH_MISS_NONE;
		spin_unlock(&dev->miss_lock);
	}
}

static int iotlb_update(struct kvh_dev *dev, const struct vhost_iotlb_msg *msg)
{
	u64 last;

	if (check_add_overflow(msg->iova, msg->size - 1, &last))
		return -EFAULT;
	if (!(msg->perm & VHOST_ACCESS_RW) || msg->uaddr != (unsigned long)msg->uaddr ||
	    !access_ok((void __user *)(unsigned long)msg->uaddr, msg->size))
		return -EFAULT;
	/* A new mapping takes the place of what it covers. */
	vhost_iotlb_del_range(dev->iotlb, msg->iova, last);
	return vhost_iotlb_add_range(dev->iotlb, msg->iova, last, msg->uaddr,
				     msg->perm & VHOST_ACCESS_RW);
}

static void iotlb_invalidate(struct kvh_dev *dev, const struct vhost_iotlb_msg *msg)
{
	u64 last;

	if (!msg->size || check_add_overflow(msg->iova, msg->size - 1, &last))
		last = U64_MAX;
	vhost_iotlb_del_range(dev->iotlb, msg->iova, last);
}

/**
 * kvh_iotlb_message() - a message of the owner
 * @dev: device
 * @msg: the message, a private copy
 *
 * Context: Process context of the owner, device lock held. Waits for the
 * backend.
 * Return: 0; -EFAULT if nothing is translated, or for a mapping that wraps or
 * is no user memory; -EINVAL for an unknown message or an empty mapping;
 * -ENOMEM; -EINTR if the caller is being killed
 */
int kvh_iotlb_message(struct kvh_dev *dev, const struct vhost_iotlb_msg *msg)
{
	unsigned int i;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (msg->type != VHOST_IOTLB_UPDATE && msg->type != VHOST_IOTLB_INVALIDATE)
		return -EINVAL;
	if (msg->type == VHOST_IOTLB_UPDATE && !msg->size)
		return -EINVAL;
	if (!dev->iotlb)
		return -EFAULT;

	ret = kvh_dev_hold(dev);
	if (ret)
		return ret;
	if (msg->type == VHOST_IOTLB_UPDATE)
		ret = iotlb_update(dev, msg);
	else
		iotlb_invalidate(dev, msg);
	/* A ring that is no longer mapped as it was is found anew when next used. */
	for (i = 0; i < dev->nvqs; i++)
		kvh_vq_recheck_map(&dev->vqs[i]);
	iotlb_forget_misses(dev);
	kvh_dev_resume(dev);
	return ret;
}

/**
 * kvh_iotlb_next_miss() - the next address a queue waits for
 * @dev: device
 * @msg: result: a VHOST_IOTLB_MISS
 *
 * Context: Process context.
 * Return: true if there was one; it is not reported again
 */
bool kvh_iotlb_next_miss(struct kvh_dev *dev, struct vhost_iotlb_msg *msg)
{
	bool found = false;
	unsigned int i;

	spin_lock(&dev->miss_lock);
	for (i = 0; !found && i < dev->nvqs; i++) {
		struct kvh_miss *miss = &dev->vqs[i].miss;

		if (miss->state != KVH_MISS_QUEUED)
			continue;
		miss->state = KVH_MISS_TOLD;
		memset(msg, 0, sizeof(*msg));
		msg->type = VHOST_IOTLB_MISS;
		msg->iova = miss->iova;
		msg->perm = miss->perm;
		found = true;
	}
	spin_unlock(&dev->miss_lock);
	return found;
}

/**
 * kvh_iotlb_has_miss() - would kvh_iotlb_next_miss() find one?
 * @dev: device
 *
 * Context: Process context.
 * Return: true if it would
 */
bool kvh_iotlb_has_miss(struct kvh_dev *dev)
{
	bool found = false;
	unsigned int i;

	spin_lock(&dev->miss_lock);
	for (i = 0; !found && i < dev->nvqs; i++)
		found = dev->vqs[i].miss.state == KVH_MISS_QUEUED;
	spin_unlock(&dev->miss_lock);
	return found;
}
