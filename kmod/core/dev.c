// SPDX-License-Identifier: GPL-2.0
/*
 * dev.c - an open device: its owner and its queues together.
 *
 * A device belongs to the address space that called VHOST_SET_OWNER. It keeps
 * that alive, so that the workers can use it, until VHOST_RESET_OWNER or the
 * last close (end.c), wherever that happens.
 */
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include "core.h"

/**
 * kvh_dev_check_owner() - is the caller the owner?
 * @dev: device
 *
 * Context: Process context, device lock held.
 * Return: 0, or -EPERM if it is another process's or nobody's
 */
int kvh_dev_check_owner(const struct kvh_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	return dev->mm == current->mm ? 0 : -EPERM;
}
EXPORT_SYMBOL_GPL(kvh_dev_check_owner);

/**
 * kvh_dev_set_owner() - make the caller the owner
 * @dev: device
 *
 * Context: Process context, device lock held.
 * Return: 0, -EBUSY if there is an owner, -EINVAL for a caller without an
 * address space
 */
int kvh_dev_set_owner(struct kvh_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	if (dev->mm)
		return -EBUSY;
	WRITE_ONCE(dev->mm, get_task_mm(current));
	if (!dev->mm)
		return -EINVAL;
	dev->task = get_task_struct(current->group_leader);
	dev->pid = task_tgid_nr(current);
	kvh_stats_dev_add(dev);
	return 0;
}

/**
 * kvh_dev_stop_queues() - stop every queue
 * @dev: device
 *
 * Context: Process context, device lock held. Waits for the backend.
 * Return: 0, or -EINTR if the caller is being killed
 */
int kvh_dev_stop_queues(struct kvh_dev *dev)
{
	unsigned int i;
	int ret = 0;

	lockdep_assert_held(&dev->lock);
	for (i = 0; !ret && i < dev->nvqs; i++)
		ret = kvh_vq_stop(&dev->vqs[i]);
	return ret;
}
EXPORT_SYMBOL_GPL(kvh_dev_stop_queues);

/**
 * kvh_dev_hold() - let nothing be in flight until kvh_dev_resume()
 * @dev: device
 *
 * Context: Process context, device lock held. Waits for the backend.
 * Return: 0, or -EINTR if the caller is being killed, with no queue held
 */
int kvh_dev_hold(struct kvh_dev *dev)
{
	unsigned int i;
	int ret = 0;

	lockdep_assert_held(&dev->lock);
	for (i = 0; !ret && i < dev->nvqs; i++)
		ret = kvh_vq_hold(&dev->vqs[i]);
	if (ret)
		kvh_dev_resume(dev);
	return ret;
}
EXPORT_SYMBOL_GPL(kvh_dev_hold);

/**
 * kvh_dev_resume() - serve again after kvh_dev_hold()
 * @dev: device
 *
 * Context: Process context, device lock held.
 */
void kvh_dev_resume(struct kvh_dev *dev)
{
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	for (i = 0; i < dev->nvqs; i++)
		kvh_vq_resume(&dev->vqs[i]);
}
EXPORT_SYMBOL_GPL(kvh_dev_resume);

/**
 * kvh_dev_clear() - give the device back the state it had when opened
 * @dev: device, its queues stopped
 *
 * Ends the workers, then drops every file and the owner's address space.
 *
 * Context: Process context, device lock held.
 */
void kvh_dev_clear(struct kvh_dev *dev)
{
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	dev->backend->detach(dev);
	kvh_stats_dev_remove(dev);
	/* Doorbells go first, so that nothing is queued to a worker that ends. */
	for (i = 0; i < dev->nvqs; i++)
		kvh_vq_reset(&dev->vqs[i]);
	/* Also waits for who has just finished the last request and wakes its queue. */
	kvh_pool_clear(dev);
	kvh_eventfd_swap(&dev->log_ctx, VHOST_FILE_UNBIND);
	kvh_dev_forget_map(dev);
	dev->log_base = 0;
	dev->features = 0;
	dev->backend_features = 0;
	dev->kthreads = false;
	kvh_iotlb_enable(dev, false);
	if (dev->mm) {
		mmput(dev->mm);
		put_task_struct(dev->task);
	}
	WRITE_ONCE(dev->mm, NULL);
	dev->task = NULL;
}

/**
 * kvh_dev_reset() - VHOST_RESET_OWNER
 * @dev: device
 *
 * Context: Process context, device lock held. Waits for the backend.
 * Return: 0, or -EINTR if the caller is being killed, with some queues stopped
 */
int kvh_dev_reset(struct kvh_dev *dev)
{
	int ret = kvh_dev_stop_queues(dev);

	if (!ret)
		kvh_dev_clear(dev);
	return ret;
}

static bool dev_running(const struct kvh_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nvqs; i++)
		if (dev->vqs[i].state != KVH_VQ_STOPPED)
			return true;
	return false;
}

/* Could every running queue mark what it writes? Return: 0, -EFAULT or -EINTR */
static int dev_check_log(struct kvh_dev *dev, u64 base, u64 features)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < dev->nvqs; i++) {
		struct kvh_vq *vq = &dev->vqs[i];

		ret = kvh_vq_lock(vq);
		if (ret)
			return ret;
		if (vq->state != KVH_VQ_STOPPED)
			ret = kvh_dirty_check(vq, vq->env.map, &vq->addr, base, features);
		mutex_unlock(&vq->lock);
	}
	return ret;
}

/**
 * kvh_dev_set_features() - acknowledge features
 * @dev:      device
 * @features: feature bits
 *
 * While a queue runs, only VHOST_F_LOG_ALL may change.
 *
 * Context: Process context, device lock held.
 * Return: 0; -EOPNOTSUPP for a bit not offered, -EINVAL for one whose
 * prerequisite is missing, -EBUSY for a change that needs stopped queues,
 * -EFAULT if a running queue's writes could not be logged, -ENOMEM, -EINTR if
 * the caller is being killed
 */
int kvh_dev_set_features(struct kvh_dev *dev, u64 features)
{
	unsigned int i;
	int ret;

	lockdep_assert_held(&dev->lock);
	ret = kvh_features_check(dev, features);
	if (ret)
		return ret;
	if (((features ^ dev->features) & ~BIT_ULL(VHOST_F_LOG_ALL)) && dev_running(dev))
		return -EBUSY;
	ret = dev_check_log(dev, dev->log_base, features);
	if (ret)
		return ret;
	/* What is in flight was begun without a mind to the log. */
	ret = kvh_dev_hold(dev);
	if (ret)
		return ret;
	/* While its queues are stopped an owner need not tell what it unmaps. */
	if (!dev_running(dev))
		ret = kvh_iotlb_enable(dev, features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM));
	if (ret)
		goto out;
	dev->features = features;
	for (i = 0; i < dev->nvqs; i++) {
		mutex_lock(&dev->vqs[i].lock);
		dev->vqs[i].features = features;
		mutex_unlock(&dev->vqs[i].lock);
	}
out:
	kvh_dev_resume(dev);
	return ret;
}

/**
 * kvh_dev_set_log_base() - where the dirty bitmap is
 * @dev:  device
 * @base: user address
 *
 * On return nothing in flight uses the old one.
 *
 * Context: Process context, device lock held. Waits for the backend.
 * Return: 0; -EFAULT if the bitmap of what a running queue logs would not lie
 * in user memory; -EINTR if the caller is being killed
 */
int kvh_dev_set_log_base(struct kvh_dev *dev, u64 base)
{
	unsigned int i;
	int ret;

	lockdep_assert_held(&dev->lock);
	ret = dev_check_log(dev, base, dev->features);
	if (!ret)
		ret = kvh_dev_hold(dev);
	if (ret)
		return ret;
	dev->log_base = base;
	for (i = 0; i < dev->nvqs; i++) {
		mutex_lock(&dev->vqs[i].lock);
		dev->vqs[i].log_base = base;
		mutex_unlock(&dev->vqs[i].lock);
	}
	kvh_dev_resume(dev);
	return 0;
}

/**
 * kvh_dev_set_log_fd() - eventfd to signal when the dirty bitmap changed
 * @dev: device
 * @fd:  eventfd, or VHOST_FILE_UNBIND
 *
 * Context: Process context, device lock held. Waits for the backend.
 * Return: 0, -EBADF or -EINVAL as kvh_eventfd_swap(), or -EINTR if the caller is
 * being killed
 */
int kvh_dev_set_log_fd(struct kvh_dev *dev, int fd)
{
	struct eventfd_ctx *ctx = NULL;
	unsigned int i;
	int ret;

	lockdep_assert_held(&dev->lock);
	ret = kvh_eventfd_swap(&ctx, fd);
	if (ret)
		return ret;
	/* A worker may wait for memory of ours with its queue's lock held. */
	ret = kvh_dev_hold(dev);
	if (ret) {
		kvh_eventfd_swap(&ctx, VHOST_FILE_UNBIND);
		return ret;
	}
	swap(dev->log_ctx, ctx);
	for (i = 0; i < dev->nvqs; i++) {
		mutex_lock(&dev->vqs[i].lock);
		dev->vqs[i].log_ctx = dev->log_ctx;
		mutex_unlock(&dev->vqs[i].lock);
	}
	kvh_dev_resume(dev);
	/* No queue holds the old one any more. */
	return kvh_eventfd_swap(&ctx, VHOST_FILE_UNBIND);
}

static int dev_open(struct inode *inode, struct file *file)
{
	const struct kvh_backend *backend = kvh_node_get(kvh_node_of(file));
	struct kvh_dev *dev;
	unsigned int i;
	int ret = -ENOMEM;

	/* An open device pins the core by its file operations, the backend so: */
	if (!try_module_get(backend->owner))
		return -ENODEV;
	dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	if (!dev)
		goto err_module;
	/* A power of two is aligned to its size, or to a page, so queues to cache lines. */
	dev->vqs = kvzalloc(roundup_pow_of_two(array_size(backend->nvqs, sizeof(*dev->vqs))),
			    GFP_KERNEL_ACCOUNT);
	if (!dev->vqs)
		goto err_free;
	mutex_init(&dev->lock);
	kvh_pool_init(dev);
	spin_lock_init(&dev->miss_lock);
	init_waitqueue_head(&dev->miss_wait);
	kvh_end_init(dev);
	dev->backend = backend;
	dev->nvqs = backend->nvqs;
	for (i = 0; i < dev->nvqs; i++)
		kvh_vq_init(&dev->vqs[i], dev, i);
	ret = backend->open(dev);
	if (ret)
		goto err_free;
	file->private_data = dev;
	return 0;

err_free:
	kvfree(dev->vqs);
	kfree(dev);
err_module:
	module_put(backend->owner);
	return ret;
}

/** kvh_dev_fops - file operations of every node */
const struct file_operations kvh_dev_fops = {
	.owner = THIS_MODULE,
	.open = dev_open,
	.release = kvh_dev_release,
	.read_iter = kvh_dev_read_iter,
	.write_iter = kvh_dev_write_iter,
	.poll = kvh_dev_poll,
	.unlocked_ioctl = kvh_dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/**
 * kvh_dev_set_private() - keep the backend's state of a device
 * @dev:     device
 * @private: what kvh_dev_private() shall return
 *
 * Context: kvh_backend.open.
 */
void kvh_dev_set_private(struct kvh_dev *dev, void *private)
{
	dev->private = private;
}
EXPORT_SYMBOL_GPL(kvh_dev_set_private);

/**
 * kvh_dev_private() - the backend's state of a device
 * @dev: device
 *
 * Context: Any.
 * Return: what was set by kvh_dev_set_private()
 */
void *kvh_dev_private(const struct kvh_dev *dev)
{
	return dev->private;
}
EXPORT_SYMBOL_GPL(kvh_dev_private);

/**
 * kvh_dev_features() - acknowledged features
 * @dev: device
 *
 * Context: Device lock held.
 * Return: feature bits
 */
u64 kvh_dev_features(const struct kvh_dev *dev)
{
	return dev->features;
}
EXPORT_SYMBOL_GPL(kvh_dev_features);

/**
 * kvh_dev_vq() - a queue of a device
 * @dev:   device
 * @index: its number, as the owner gave it
 *
 * Context: Any.
 * Return: the queue, NULL if there is none of this number
 */
struct kvh_vq *kvh_dev_vq(struct kvh_dev *dev, unsigned int index)
{
	if (index >= dev->nvqs)
		return NULL;
	return &dev->vqs[array_index_nospec(index, dev->nvqs)];
}
EXPORT_SYMBOL_GPL(kvh_dev_vq);
