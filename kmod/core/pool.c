// SPDX-License-Identifier: GPL-2.0
/*
 * pool.c - the workers of a device, and which queue is served by which.
 *
 * A queue that needs a thread and was attached to none gets one of its own.
 * VHOST_NEW_WORKER makes more, which any number of queues may share. A queue
 * can be moved while it runs: its pointer changes under its lock, so between
 * two turns; work for it that is already queued on the old worker is passed on
 * there (kvh_vq_work()), so no doorbell and no completion is lost. A worker is
 * freed only after a grace period, for kvh_vq_wake() takes no lock.
 *
 * Callers hold the device lock.
 */
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "core.h"

/* Workers a device may have: one a queue, and as many to move them to. */
#define POOL_PER_QUEUE	2u

/**
 * kvh_pool_init() - begin without workers
 * @dev: device being opened
 *
 * Context: Process context.
 */
void kvh_pool_init(struct kvh_dev *dev)
{
	xa_init_flags(&dev->workers, XA_FLAGS_ALLOC);
}

/**
 * kvh_pool_of() - the worker of a queue
 * @vq: queue
 *
 * Context: Queue lock or device lock held.
 * Return: the worker, NULL if it has none
 */
struct kvh_worker *kvh_pool_of(const struct kvh_vq *vq)
{
	return rcu_dereference_protected(vq->worker, lockdep_is_held(&vq->lock) ||
					 lockdep_is_held(&vq->dev->lock));
}

/* Make a worker named after the queue it is for, or after its own number. */
static struct kvh_worker *pool_create(struct kvh_dev *dev, const struct kvh_vq *vq)
{
	struct kvh_worker *worker;
	char name[TASK_COMM_LEN];
	u32 id;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (dev->nr_workers >= POOL_PER_QUEUE * dev->nvqs)
		return ERR_PTR(-ENOMEM);
	ret = xa_alloc(&dev->workers, &id, NULL, xa_limit_32b, GFP_KERNEL_ACCOUNT);
	if (ret)
		return ERR_PTR(ret);
	snprintf(name, sizeof(name), vq ? "kvhost-%d.%u" : "kvhost-%d.w%u", dev->pid,
		 vq ? vq->index : id);
	worker = kvh_worker_create(dev, name);
	if (IS_ERR(worker)) {
		xa_erase(&dev->workers, id);
		return worker;
	}
	worker->id = id;
	/* The slot is there, so this allocates nothing. */
	xa_store(&dev->workers, id, worker, GFP_KERNEL_ACCOUNT);
	dev->nr_workers++;
	return worker;
}

/* Have @worker serve @vq from its next turn on. Return: 0 or -EINTR */
static int pool_set(struct kvh_vq *vq, struct kvh_worker *worker)
{
	struct kvh_worker *old = kvh_pool_of(vq);
	int ret;

	lockdep_assert_held(&vq->dev->lock);
	ret = kvh_vq_lock(vq);
	if (ret)
		return ret;
	rcu_assign_pointer(vq->worker, worker);
	mutex_unlock(&vq->lock);
	/* A doorbell may have gone to the old worker. */
	kvh_vq_wake(vq);
	worker->attached++;
	if (old)
		old->attached--;
	return 0;
}

/**
 * kvh_pool_need() - see to it that a queue has a worker
 * @vq: queue of a device with an owner
 *
 * Context: Process context of the owner, device lock held.
 * Return: 0, -EINTR if the caller is being killed, or as kvh_worker_create()
 */
int kvh_pool_need(struct kvh_vq *vq)
{
	struct kvh_worker *worker;

	lockdep_assert_held(&vq->dev->lock);
	if (kvh_pool_of(vq))
		return 0;
	worker = pool_create(vq->dev, vq);
	if (IS_ERR(worker))
		return PTR_ERR(worker);
	return pool_set(vq, worker);
}

/**
 * kvh_pool_new() - make a worker that serves no queue yet
 * @dev: device with an owner
 * @id:  result: its number
 *
 * Context: Process context of the owner, device lock held.
 * Return: 0; -ERESTARTNOINTR for a pending signal; -ENOMEM whatever else it
 * failed for, as vhost has it
 */
int kvh_pool_new(struct kvh_dev *dev, u32 *id)
{
	struct kvh_worker *worker = pool_create(dev, NULL);

	if (IS_ERR(worker))
		return PTR_ERR(worker) == -ERESTARTNOINTR ? -ERESTARTNOINTR : -ENOMEM;
	*id = worker->id;
	return 0;
}

static void pool_destroy(struct kvh_dev *dev, struct kvh_worker *worker)
{
	xa_erase(&dev->workers, worker->id);
	dev->nr_workers--;
	kvh_worker_destroy(worker);
}

/**
 * kvh_pool_free() - end a worker that serves no queue
 * @dev: device with an owner
 * @id:  number of the worker
 *
 * Context: Process context of the owner, device lock held.
 * Return: 0; -ENODEV if there is none of this number, -EBUSY if it serves a
 * queue or its thread was killed; the worker stays then
 */
int kvh_pool_free(struct kvh_dev *dev, u32 id)
{
	struct kvh_worker *worker = xa_load(&dev->workers, id);

	lockdep_assert_held(&dev->lock);
	if (!worker)
		return -ENODEV;
	/* As vhost, which keeps one that was killed. */
	if (worker->attached || READ_ONCE(worker->dead))
		return -EBUSY;
	/* Pairs with rcu_read_lock() in kvh_vq_wake(): nobody queues any more. */
	synchronize_rcu();
	pool_destroy(dev, worker);
	return 0;
}

/**
 * kvh_pool_attach() - have a worker serve a queue, running or not
 * @vq: queue of a device with an owner
 * @id: number of the worker
 *
 * On return the old worker does not serve the queue any more.
 *
 * Context: Process context of the owner, device lock held. Waits for the
 * queue's turn to end.
 * Return: 0; -ENODEV if there is no worker of this number, -EINTR if the
 * caller is being killed
 */
int kvh_pool_attach(struct kvh_vq *vq, u32 id)
{
	struct kvh_worker *worker = xa_load(&vq->dev->workers, id);

	lockdep_assert_held(&vq->dev->lock);
	if (!worker)
		return -ENODEV;
	return worker == kvh_pool_of(vq) ? 0 : pool_set(vq, worker);
}

/**
 * kvh_pool_clear() - take all queues from their workers and end these
 * @dev: device, its queues stopped and their doorbells gone
 *
 * Context: Process context, device lock held.
 */
void kvh_pool_clear(struct kvh_dev *dev)
{
	struct kvh_worker *worker;
	unsigned long id;
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	for (i = 0; i < dev->nvqs; i++) {
		mutex_lock(&dev->vqs[i].lock);
		RCU_INIT_POINTER(dev->vqs[i].worker, NULL);
		mutex_unlock(&dev->vqs[i].lock);
	}
	/* Pairs with rcu_read_lock() in kvh_vq_wake(). */
	synchronize_rcu();
	xa_for_each(&dev->workers, id, worker)
		pool_destroy(dev, worker);
}
