// SPDX-License-Identifier: GPL-2.0
/*
 * end.c - the last close of a device.
 *
 * The task that closes ends the device itself. A task's fput() runs before the
 * task returns to user space or ends, so everything the device held is free when
 * close() or wait() returns. A kernel thread's fput() waits for a shared work
 * item of the kernel.
 *
 * First all queues are drained, for a limited time: a dying process may hold
 * what its requests wait for, the other end of a FUSE file or of a userfaultfd.
 * After that the device is left to a work queue. Each queue reports when it is
 * quiet, and only the last report queues the work. So the work never waits for a
 * device, and any number of stuck devices leaves the work queue to others.
 */
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "core.h"

/* Longest a close waits for the queues, in jiffies. */
#define END_TIMEOUT		(10 * HZ)

/* The same while another device that the process closed is still not quiet. */
#define END_TIMEOUT_NEXT	(HZ / 10)

static struct workqueue_struct *end_wq;

static DEFINE_SPINLOCK(end_lock);	/* end_left */
static LIST_HEAD(end_left);

/* Nothing waits in here for the guest's memory or its disk. */
static void end_device(struct kvh_dev *dev)
{
	const struct kvh_backend *backend = dev->backend;
	unsigned int i;

	mutex_lock(&dev->lock);
	for (i = 0; i < dev->nvqs; i++)
		kvh_vq_unload(&dev->vqs[i]);
	kvh_dev_clear(dev);
	mutex_unlock(&dev->lock);
	backend->release(dev);
	for (i = 0; i < dev->nvqs; i++)
		kvh_stats_free(&dev->vqs[i]);
	kvfree(dev->vqs);
	kfree(dev);
	module_put(backend->owner);
}

static void end_work(struct work_struct *work)
{
	struct kvh_dev *dev = container_of(work, struct kvh_dev, end.work);

	spin_lock(&end_lock);
	list_del(&dev->end.left);
	spin_unlock(&end_lock);
	put_pid(dev->end.closer);
	end_device(dev);
}

static void end_put(struct kvh_dev *dev)
{
	if (atomic_dec_and_test(&dev->end.busy))
		queue_work(end_wq, &dev->end.work);
}

/*
 * A turn of a drained queue has left nothing in flight. The device cannot go
 * before this worker has returned: kvh_pool_clear() waits for the worker.
 */
static int end_idle(wait_queue_entry_t *watch, unsigned int mode, int sync, void *key)
{
	struct kvh_vq *vq = container_of(watch, struct kvh_vq, watch);

	list_del_init(&watch->entry);
	end_put(vq->dev);
	return 0;
}

/* Have a drained queue reported once, when it is quiet. */
static void end_watch(struct kvh_vq *vq)
{
	bool unreported;

	atomic_inc(&vq->dev->end.busy);
	init_waitqueue_func_entry(&vq->watch, end_idle);
	add_wait_queue(&vq->idle, &vq->watch);
	if (!kvh_vq_quiet(vq))
		return;
	/* It may have become so before it was watched. */
	spin_lock_irq(&vq->idle.lock);
	unreported = !list_empty(&vq->watch.entry);
	list_del_init(&vq->watch.entry);
	spin_unlock_irq(&vq->idle.lock);
	if (unreported)
		end_put(vq->dev);
}

/* Leave the device to the work queue, once end_put() is called. */
static void end_leave(struct kvh_dev *dev)
{
	unsigned int i;

	dev->end.closer = get_pid(task_tgid(current));
	spin_lock(&end_lock);
	list_add(&dev->end.left, &end_left);
	spin_unlock(&end_lock);
	atomic_set(&dev->end.busy, 1);
	for (i = 0; i < dev->nvqs; i++)
		end_watch(&dev->vqs[i]);
}

/* Jiffies that a close may wait. */
static long end_patience(void)
{
	long patience = END_TIMEOUT;
	struct kvh_dev *dev;

	/* Files that kernel threads close are closed one after the other. */
	if (current->flags & PF_KTHREAD)
		return 0;
	spin_lock(&end_lock);
	list_for_each_entry(dev, &end_left, end.left)
		if (dev->end.closer == task_tgid(current))
			patience = END_TIMEOUT_NEXT;
	spin_unlock(&end_lock);
	return patience;
}

/* Return: true if all queues are quiet */
static bool end_drain(struct kvh_dev *dev)
{
	long left = end_patience();
	unsigned int i;

	for (i = 0; i < dev->nvqs; i++)
		kvh_vq_drain(&dev->vqs[i], KVH_HOLD_STOP);
	for (i = 0; left && i < dev->nvqs; i++)
		left = wait_event_timeout(dev->vqs[i].idle, kvh_vq_quiet(&dev->vqs[i]), left);
	return left;
}

/**
 * kvh_dev_release() - the last close of a device node
 * @inode: of the node
 * @file:  the open node
 *
 * Context: Process context. Waits for the backend, but not for ever.
 * Return: 0
 */
int kvh_dev_release(struct inode *inode, struct file *file)
{
	struct kvh_dev *dev = file->private_data;
	bool quiet;

	WRITE_ONCE(dev->ending, true);
	mutex_lock(&dev->lock);
	quiet = end_drain(dev);
	if (!quiet)
		end_leave(dev);
	mutex_unlock(&dev->lock);
	if (quiet)
		end_device(dev);
	else
		end_put(dev);
	return 0;
}

/**
 * kvh_end_init() - prepare a device being opened for its end
 * @dev: device
 *
 * Context: Process context.
 */
void kvh_end_init(struct kvh_dev *dev)
{
	INIT_WORK(&dev->end.work, end_work);
}

/**
 * kvh_dev_ending() - has the last close come?
 * @dev: device
 *
 * Nobody waits any more for what the device does: steps that take long stop.
 *
 * Context: Any, lockless.
 * Return: true if so
 */
bool kvh_dev_ending(const struct kvh_dev *dev)
{
	return READ_ONCE(dev->ending);
}
EXPORT_SYMBOL_GPL(kvh_dev_ending);

/**
 * kvh_end_setup() - make what ending devices needs
 *
 * Context: Module init.
 * Return: 0 or -ENOMEM
 */
int kvh_end_setup(void)
{
	end_wq = alloc_workqueue("kvhost", WQ_UNBOUND, 0);
	return end_wq ? 0 : -ENOMEM;
}

/**
 * kvh_end_teardown() - undo kvh_end_setup(); waits for devices that are ending
 *
 * Context: Module exit.
 */
void kvh_end_teardown(void)
{
	destroy_workqueue(end_wq);
}
