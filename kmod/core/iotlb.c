// SPDX-License-Identifier: GPL-2.0
/*
 * iotlb.c - translation for guests behind a virtual IOMMU.
 *
 * With VIRTIO_F_ACCESS_PLATFORM every address a driver gives is an I/O virtual
 * one. The owner feeds us mappings to its own memory and takes them away again;
 * what is missing is asked for, and the queue waits. Each queue waits for one
 * address at a time, so misses need no memory.
 *
 * Mappings change only while all queues are paused, so a translation in use stays
 * true until the turn ends. A queue is drained, and its ring unmapped, only if
 * that uses what a message changes. Once an invalidation has returned nothing in
 * flight uses what it took away.
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
		iotlb = vhost_iotlb_alloc(IOTLB_ENTRIES_MAX, 0);
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

/**
 * kvh_iotlb_clear_miss() - a queue waits for nothing any more
 * @vq: queue that stops
 *
 * Context: Process context, device lock held.
 */
void kvh_iotlb_clear_miss(struct kvh_vq *vq)
{
	spin_lock(&vq->dev->miss_lock);
	vq->miss.state = KVH_MISS_NONE;
	spin_unlock(&vq->dev->miss_lock);
}

/* Wake the queues that wait for an address in [@first, @last]. */
static void iotlb_wake_waiters(struct kvh_dev *dev, u64 first, u64 last)
{
	unsigned int i;
	bool waits;

	for (i = 0; i < dev->nvqs; i++) {
		struct kvh_miss *miss = &dev->vqs[i].miss;

		spin_lock(&dev->miss_lock);
		waits = miss->state != KVH_MISS_NONE && miss->iova >= first && miss->iova <= last;
		if (waits)
			miss->state = KVH_MISS_NONE;
		spin_unlock(&dev->miss_lock);
		if (waits)
			kvh_vq_wake(&dev->vqs[i]);
	}
}

/* Does [@first, @last] mean what a message says already? */
static bool iotlb_knows(struct kvh_dev *dev, const struct vhost_iotlb_msg *msg, u64 last)
{
	struct vhost_iotlb_map *map = vhost_iotlb_itree_first(dev->iotlb, msg->iova, last);

	return map && map->start <= msg->iova && map->last >= last &&
	       map->addr + (msg->iova - map->start) == msg->uaddr &&
	       map->perm == (msg->perm & VHOST_ACCESS_RW);
}

/* Let nothing of a queue depend on what [@first, @last] means. Return: 0 or -EINTR */
static int vq_let_go(struct kvh_vq *vq, u64 first, u64 last)
{
	bool (*touches)(struct kvh_vq *vq, u64 first, u64 last) = vq->dev->backend->touches;
	bool ring, busy;
	int ret = 0;

	mutex_lock(&vq->lock);
	ring = vq->mapped && kvh_vq_ring_touches(vq, first, last);
	busy = vq->in_flight && (ring || (touches && touches(vq, first, last)));
	mutex_unlock(&vq->lock);
	if (busy)
		ret = kvh_vq_hold(vq);
	if (ret || (!ring && !busy))
		return ret;
	mutex_lock(&vq->lock);
	if (busy) {
		/* Drained queues may have turns, in which what is kept is answered. */
		WRITE_ONCE(vq->hold, KVH_HOLD_PAUSE);
		vq->owed = true;
	}
	/* The worker looks for the ring anew when it next has work. */
	if (ring)
		kvh_vq_unmap(vq);
	mutex_unlock(&vq->lock);
	return 0;
}

/*
 * Drop every mapping that has an address in [@first, @last], once what is in flight
 * has let go of it. A mapping goes as a whole. Return: 0 or -EINTR
 */
static int iotlb_drop(struct kvh_dev *dev, u64 first, u64 last)
{
	struct vhost_iotlb_map *map;
	u64 lo = U64_MAX, hi = 0;
	unsigned int i;
	int ret;

	for (map = vhost_iotlb_itree_first(dev->iotlb, first, last); map;
	     map = vhost_iotlb_itree_next(map, first, last)) {
		lo = min(lo, map->start);
		hi = max(hi, map->last);
	}
	if (lo > hi)
		return 0;
	for (i = 0; i < dev->nvqs; i++) {
		if (dev->vqs[i].state == KVH_VQ_STOPPED)
			continue;
		ret = vq_let_go(&dev->vqs[i], lo, hi);
		if (ret)
			return ret;
	}
	vhost_iotlb_del_range(dev->iotlb, first, last);
	return 0;
}

/* Make room for one more mapping. Return: 0 or -EINTR */
static int iotlb_retire(struct kvh_dev *dev)
{
	struct vhost_iotlb_map *oldest;

	if (dev->iotlb->nmaps < IOTLB_ENTRIES_MAX)
		return 0;
	oldest = list_first_entry(&dev->iotlb->list, struct vhost_iotlb_map, link);
	return iotlb_drop(dev, oldest->start, oldest->last);
}

/* A new mapping takes the place of what it covers; the device is paused. */
static int iotlb_replace(struct kvh_dev *dev, const struct vhost_iotlb_msg *msg, u64 last)
{
	int ret = iotlb_drop(dev, msg->iova, last);

	if (!ret)
		ret = iotlb_retire(dev);
	return ret ? ret : vhost_iotlb_add_range(dev->iotlb, msg->iova, last, msg->uaddr,
						 msg->perm & VHOST_ACCESS_RW);
}

/* As in vhost, memory that may not be accessed is not looked at. */
static bool iotlb_memory_ok(const struct vhost_iotlb_msg *msg)
{
	u64 last;

	if (msg->uaddr != (unsigned long)msg->uaddr ||
	    check_add_overflow(msg->uaddr, msg->size - 1, &last))
		return false;
	return !(msg->perm & VHOST_ACCESS_RW) ||
	       access_ok((void __user *)(unsigned long)msg->uaddr, msg->size);
}

/* A caller that was killed in between has resumed queues that it waited for. */
static void iotlb_unpause(struct kvh_dev *dev, int ret)
{
	if (ret == -EINTR)
		kvh_dev_pause_abort(dev);
	else
		kvh_dev_unpause(dev);
}

static int iotlb_update(struct kvh_dev *dev, const struct vhost_iotlb_msg *msg)
{
	int ret = 0;
	u64 last;

	if (check_add_overflow(msg->iova, msg->size - 1, &last))
		return -EFAULT;
	if (!iotlb_memory_ok(msg))
		return -EFAULT;
	if (!iotlb_knows(dev, msg, last)) {
		ret = kvh_dev_pause(dev);
		if (ret)
			return ret;
		ret = iotlb_replace(dev, msg, last);
		iotlb_unpause(dev, ret);
	}
	if (!ret)
		iotlb_wake_waiters(dev, msg->iova, last);
	return ret;
}

static int iotlb_invalidate(struct kvh_dev *dev, const struct vhost_iotlb_msg *msg)
{
	u64 last;
	int ret;

	if (!msg->size || check_add_overflow(msg->iova, msg->size - 1, &last))
		last = U64_MAX;
	if (!vhost_iotlb_itree_first(dev->iotlb, msg->iova, last))
		return 0;
	ret = kvh_dev_pause(dev);
	if (ret)
		return ret;
	ret = iotlb_drop(dev, msg->iova, last);
	iotlb_unpause(dev, ret);
	return ret;
}

/**
 * kvh_iotlb_message() - take a message of the owner
 * @dev: device
 * @msg: the message, a private copy
 *
 * Waits for what is in flight only if that holds memory whose address changes
 * its meaning. On return nothing holds the old meaning.
 *
 * Context: Process context of the owner, device lock held. Waits for turns to
 * end, and for the backend.
 * Return: 0; -EFAULT if nothing is translated, or for a mapping that wraps or
 * is no user memory; -EINVAL for an unknown message or an empty mapping;
 * -ENOMEM; -EINTR if the caller is being killed
 */
int kvh_iotlb_message(struct kvh_dev *dev, const struct vhost_iotlb_msg *msg)
{
	lockdep_assert_held(&dev->lock);
	if (msg->type != VHOST_IOTLB_UPDATE && msg->type != VHOST_IOTLB_INVALIDATE)
		return -EINVAL;
	if (msg->type == VHOST_IOTLB_UPDATE && !msg->size)
		return -EINVAL;
	if (!dev->iotlb)
		return -EFAULT;
	return msg->type == VHOST_IOTLB_UPDATE ? iotlb_update(dev, msg) :
						 iotlb_invalidate(dev, msg);
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
