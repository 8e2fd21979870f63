// SPDX-License-Identifier: GPL-2.0
/*
 * vq.c - a queue's set-up and life: stopped, running, broken.
 *
 * Starting maps the ring and hands it to the worker. Stopping first makes the
 * queue quiet (quiesce.c), then unmaps. So no ioctl returns, and nothing is
 * freed, before the worker is done with what it would use.
 * Callers hold the device lock; kvh_vq_break() is the worker's.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include "core.h"
#include "trace.h"

#define DESC_ALIGN	16

/**
 * kvh_vq_init() - prepare a queue of a device being opened
 * @vq:    zeroed memory
 * @dev:   its device
 * @index: its number
 *
 * Context: Process context.
 */
void kvh_vq_init(struct kvh_vq *vq, struct kvh_dev *dev, unsigned int index)
{
	mutex_init(&vq->lock);
	init_waitqueue_head(&vq->idle);
	init_waitqueue_head(&vq->rest);
	vq->dev = dev;
	vq->index = index;
	vq->size = 1;
	vq->work.fn = kvh_vq_work;
	kvh_kick_init(vq);
}

/**
 * kvh_vq_reset() - forget all set-up, as VHOST_RESET_OWNER and release do
 * @vq: queue, stopped
 *
 * Counters stay: they speak of the queue since the device was opened.
 *
 * Context: Process context, device lock held.
 */
void kvh_vq_reset(struct kvh_vq *vq)
{
	mutex_lock(&vq->lock);
	kvh_kick_clear(vq);
	kvh_eventfd_swap(&vq->call, VHOST_FILE_UNBIND);
	kvh_eventfd_swap(&vq->err, VHOST_FILE_UNBIND);
	vq->log_ctx = NULL;
	vq->log_base = 0;
	vq->features = 0;
	vq->size = 1;
	vq->base = 0;
	vq->base_set = false;
	vq->addr_set = false;
	memset(&vq->addr, 0, sizeof(vq->addr));
	vq->busyloop = 0;
	vq->env = (struct kvh_env){ };
	vq->miss.state = KVH_MISS_NONE;
	mutex_unlock(&vq->lock);
}

static bool vq_part_ok(u64 uaddr, size_t len)
{
	return access_ok((void __user *)(unsigned long)uaddr, len);
}

/**
 * kvh_vq_access() - check that the addresses of a queue's set-up are the owner's
 * @vq:  queue
 * @map: table, may be NULL
 *
 * Ring addresses need not lie in the table. Nothing is read or translated.
 *
 * Context: Device or queue lock held.
 * Return: 0; -EFAULT without a table, for a region or ring part outside user
 * memory, and as kvh_dirty_check()
 */
int kvh_vq_access(const struct kvh_vq *vq, const struct kvh_memmap *map)
{
	const struct vhost_vring_addr *a = &vq->addr;
	enum kvh_ring_layout layout = kvh_vq_layout(vq);

	if (!map || map->unusable)
		return -EFAULT;
	/* I/O virtual addresses are checked when they are translated. */
	if (!vq->env.iotlb &&
	    (!vq_part_ok(a->desc_user_addr, kvh_ring_desc_bytes(layout, vq->size)) ||
	     !vq_part_ok(a->avail_user_addr, kvh_ring_driver_bytes(layout, vq->size)) ||
	     !vq_part_ok(a->used_user_addr, kvh_ring_device_bytes(layout, vq->size))))
		return -EFAULT;
	return kvh_dirty_check(vq, map, a, vq->log_base, vq->features);
}

/**
 * kvh_vq_check() - could the queue start with its set-up and a region table?
 * @vq:  queue
 * @map: table, may be NULL
 *
 * Context: Queue lock held.
 * Return: 0; -EINVAL if size or addresses are not set, do not suit the
 * layout (2.7, 2.8.10.1: alignment; powers of two for split rings) or
 * VIRTIO_F_VERSION_1 was not acknowledged; -EFAULT as kvh_vq_access()
 */
int kvh_vq_check(const struct kvh_vq *vq, const struct kvh_memmap *map)
{
	const struct vhost_vring_addr *a = &vq->addr;
	enum kvh_ring_layout layout = kvh_vq_layout(vq);
	u64 driver_align = layout == KVH_RING_PACKED ? 4 : VRING_AVAIL_ALIGN_SIZE;

	if (!(vq->features & BIT_ULL(VIRTIO_F_VERSION_1)))
		return -EINVAL;
	if (!vq->addr_set || !kvh_ring_desc_bytes(layout, vq->size))
		return -EINVAL;
	if (!IS_ALIGNED(a->desc_user_addr, DESC_ALIGN) ||
	    !IS_ALIGNED(a->avail_user_addr, driver_align) ||
	    !IS_ALIGNED(a->used_user_addr, VRING_USED_ALIGN_SIZE))
		return -EINVAL;
	return kvh_vq_access(vq, map);
}

static void vq_free_scratch(struct kvh_vq *vq)
{
	kvfree(vq->table);
	kvfree(vq->order);
	kvfree(vq->chains);
	kvfree(vq->segs);
	vq->table = NULL;
	vq->order = NULL;
	vq->chains = NULL;
	vq->segs = NULL;
}

static int vq_alloc_scratch(struct kvh_vq *vq)
{
	/* Zeroed: what the processor reads ahead of a check is no old kernel memory. */
	vq->table = kvcalloc(KVH_CHAIN_SEGS_MAX, sizeof(struct vring_desc),
			     GFP_KERNEL_ACCOUNT);
	vq->order = kvcalloc(vq->size, sizeof(*vq->order), GFP_KERNEL_ACCOUNT);
	vq->chains = kvmalloc_array(KVH_BATCH, sizeof(*vq->chains), GFP_KERNEL_ACCOUNT);
	vq->segs = kvmalloc_array(KVH_VQ_SEGS, sizeof(*vq->segs), GFP_KERNEL_ACCOUNT);
	if (vq->table && vq->order && vq->chains && vq->segs)
		return 0;
	vq_free_scratch(vq);
	return -ENOMEM;
}

static int vq_start_locked(struct kvh_vq *vq)
{
	const struct kvh_backend *b = vq->dev->backend;
	int ret;

	lockdep_assert_held(&vq->lock);
	ret = kvh_vq_check(vq, vq->env.map);
	if (ret)
		return ret;
	ret = kvh_stats_alloc(vq);
	if (!ret)
		ret = vq_alloc_scratch(vq);
	if (ret)
		return ret;
	ret = b->start(vq);
	if (ret)
		goto err_scratch;
	/* With an IOTLB the worker maps the ring, waiting for translations. */
	if (!vq->env.iotlb) {
		ret = kvh_vq_map(vq);
		if (ret)
			goto err_stop;
	}
	vq->in_flight = 0;
	vq->kept = 0;
	vq->unflushed = 0;
	kvh_poll_reset(vq);
	WRITE_ONCE(vq->hold, KVH_HOLD_NONE);
	WRITE_ONCE(vq->state, KVH_VQ_RUNNING);
	trace_kvh_vq_start(vq);
	return 0;

err_stop:
	b->stop(vq);
err_scratch:
	vq_free_scratch(vq);
	return ret;
}

/**
 * kvh_vq_start() - map the ring and begin to serve it
 * @vq: queue; nothing to do unless stopped
 *
 * Context: Process context of the owner, device lock held.
 * Return: 0; see kvh_vq_check() for -EINVAL and -EFAULT; -ENOMEM, also for the
 * locked-memory limit; -EPROTO if the used index in memory cannot belong to
 * the ring position set
 */
int kvh_vq_start(struct kvh_vq *vq)
{
	int ret = 0;

	lockdep_assert_held(&vq->dev->lock);
	/* Only under the device lock does a queue start or stop. */
	if (vq->state == KVH_VQ_STOPPED) {
		kvh_memlock_caller(vq->dev);
		mutex_lock(&vq->lock);
		ret = vq_start_locked(vq);
		mutex_unlock(&vq->lock);
	}
	/* The driver may have rung before: look without a doorbell. */
	if (!ret)
		kvh_vq_wake(vq);
	return ret;
}

/**
 * kvh_vq_unload() - let go of the ring
 * @vq: queue, quiet; nothing to do if stopped
 *
 * Context: Process context, device lock held.
 */
void kvh_vq_unload(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->dev->lock);
	if (vq->state == KVH_VQ_STOPPED)
		return;
	mutex_lock(&vq->lock);
	WRITE_ONCE(vq->state, KVH_VQ_STOPPED);
	trace_kvh_vq_stop(vq);
	WRITE_ONCE(vq->hold, KVH_HOLD_NONE);
	vq->dev->backend->stop(vq);
	kvh_vq_unmap(vq);
	kvh_iotlb_clear_miss(vq);
	vq_free_scratch(vq);
	mutex_unlock(&vq->lock);
}

/**
 * kvh_vq_stop() - complete what is in flight, then let go of the ring
 * @vq: queue; nothing to do if stopped
 *
 * Context: Process context, device lock held. Waits for the backend.
 * Return: 0, or -EINTR if the caller is being killed
 */
int kvh_vq_stop(struct kvh_vq *vq)
{
	int ret = kvh_vq_quiesce(vq, KVH_HOLD_STOP);

	if (!ret)
		kvh_vq_unload(vq);
	return ret;
}
EXPORT_SYMBOL_GPL(kvh_vq_stop);

/**
 * kvh_vq_base() - ring position in the encoding of VHOST_GET_VRING_BASE
 * @vq: queue
 *
 * Context: Queue lock held.
 * Return: split: next avail index; packed: avail in the lower, used in the
 * upper 16 bits, each with its wrap counter in the top bit
 */
u32 kvh_vq_base(const struct kvh_vq *vq)
{
	return vq->mapped ? kvh_ring_base(&vq->ring) : vq->base;
}

/* The ring may move while the queue runs: only the logging of it may change. */
static int vq_set_addr_live(struct kvh_vq *vq, const struct vhost_vring_addr *a)
{
	const struct vhost_vring_addr *old = &vq->addr;

	if (a->desc_user_addr != old->desc_user_addr ||
	    a->avail_user_addr != old->avail_user_addr ||
	    a->used_user_addr != old->used_user_addr)
		return -EBUSY;
	return 0;
}

/**
 * kvh_vq_set_addr() - where the ring lies; VHOST_SET_VRING_ADDR
 * @vq:   queue
 * @addr: addresses in the owner's memory, checked when the queue starts
 *
 * Context: Process context, queue lock held.
 * Return: 0; -EOPNOTSUPP for unknown flags; -EINVAL for misalignment, and of a
 * running queue for a used ring that cannot be logged; -EBUSY for a ring that
 * moves while the queue runs
 */
int kvh_vq_set_addr(struct kvh_vq *vq, const struct vhost_vring_addr *addr)
{
	int ret;

	lockdep_assert_held(&vq->lock);
	if (addr->flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (!IS_ALIGNED(addr->avail_user_addr, VRING_AVAIL_ALIGN_SIZE) ||
	    !IS_ALIGNED(addr->used_user_addr, VRING_USED_ALIGN_SIZE) ||
	    !IS_ALIGNED(addr->log_guest_addr, VRING_USED_ALIGN_SIZE))
		return -EINVAL;
	if (vq->state != KVH_VQ_STOPPED) {
		ret = vq_set_addr_live(vq, addr);
		if (ret)
			return ret;
		if (kvh_dirty_check(vq, vq->env.map, addr, vq->log_base, vq->features))
			return -EINVAL;
	}
	vq->addr = *addr;
	vq->addr_set = true;
	return 0;
}

/**
 * kvh_vq_break() - the ring or a chain is malformed: take nothing more
 * @vq:    queue
 * @fault: what was wrong; %KVH_FAULT_NONE if it was no matter of the ring
 *
 * Nothing is logged: the guest decides how often this happens.
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_break(struct kvh_vq *vq, enum kvh_ring_fault fault)
{
	lockdep_assert_held(&vq->lock);
	if (vq->state != KVH_VQ_RUNNING)
		return;
	WRITE_ONCE(vq->state, KVH_VQ_BROKEN);
	vq->stats.broken++;
	vq->stats.faults[fault]++;
	trace_kvh_vq_broken(vq, fault);
	kvh_vq_signal_error(vq);
}

/**
 * kvh_vq_malformed() - a chain the ring could read makes no sense to the backend
 * @vq: queue
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_malformed(struct kvh_vq *vq)
{
	kvh_vq_break(vq, KVH_FAULT_NONE);
}
EXPORT_SYMBOL_GPL(kvh_vq_malformed);

/**
 * kvh_vq_set_private() - keep the backend's state of a queue
 * @vq:      queue
 * @private: what kvh_vq_private() shall return
 *
 * Context: Queue lock held.
 */
void kvh_vq_set_private(struct kvh_vq *vq, void *private)
{
	vq->private = private;
}
EXPORT_SYMBOL_GPL(kvh_vq_set_private);

/**
 * kvh_vq_private() - the backend's state of a queue
 * @vq: queue
 *
 * Context: Between start and stop of the queue.
 * Return: what was set by kvh_vq_set_private()
 */
void *kvh_vq_private(const struct kvh_vq *vq)
{
	return vq->private;
}
EXPORT_SYMBOL_GPL(kvh_vq_private);

/**
 * kvh_vq_dev() - the device of a queue
 * @vq: queue
 *
 * Context: Any.
 * Return: the device
 */
struct kvh_dev *kvh_vq_dev(const struct kvh_vq *vq)
{
	return vq->dev;
}
EXPORT_SYMBOL_GPL(kvh_vq_dev);

/**
 * kvh_vq_index() - number of a queue
 * @vq: queue
 *
 * Context: Any.
 * Return: its index on the device
 */
unsigned int kvh_vq_index(const struct kvh_vq *vq)
{
	return vq->index;
}
EXPORT_SYMBOL_GPL(kvh_vq_index);

/**
 * kvh_vq_signal_error() - tell the owner that a queue needs it
 * @vq: queue
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_signal_error(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	if (vq->err)
		eventfd_signal(vq->err);
}
EXPORT_SYMBOL_GPL(kvh_vq_signal_error);

/**
 * kvh_vq_size() - number of descriptors of a queue
 * @vq: queue
 *
 * Context: Queue lock held.
 * Return: the size; no more chains than that are ever in flight
 */
unsigned int kvh_vq_size(const struct kvh_vq *vq)
{
	return vq->size;
}
EXPORT_SYMBOL_GPL(kvh_vq_size);

/**
 * kvh_vq_has_feature() - was a feature acknowledged?
 * @vq:  queue
 * @bit: number of the feature bit
 *
 * Context: Queue lock held.
 * Return: true if it was
 */
bool kvh_vq_has_feature(const struct kvh_vq *vq, unsigned int bit)
{
	return vq->features & BIT_ULL(bit);
}
EXPORT_SYMBOL_GPL(kvh_vq_has_feature);

/**
 * kvh_vq_id() - which queue is this?
 * @vq: queue
 * @id: result
 *
 * Context: Any.
 */
void kvh_vq_id(const struct kvh_vq *vq, struct kvh_vq_id *id)
{
	id->owner = vq->dev->pid;
	id->dev = vq->dev->id;
	id->queue = vq->index;
}
EXPORT_SYMBOL_GPL(kvh_vq_id);
