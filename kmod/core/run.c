// SPDX-License-Identifier: GPL-2.0
/*
 * run.c - starting a queue, and locking one that runs.
 *
 * A backend that starts its queues by itself needs the first. Stopping is vq.c's,
 * holding and resuming quiesce.c's. Callers hold the device lock.
 */
#include "core.h"

/* As vhost, which writes to the used ring first: that has to be translated. */
static bool vq_used_known(struct kvh_vq *vq)
{
	u64 uaddr, run;
	bool known;

	mutex_lock(&vq->lock);
	known = !kvh_iotlb_find(vq, vq->addr.used_user_addr, 1, true, &uaddr, &run);
	mutex_unlock(&vq->lock);
	return known;
}

/**
 * kvh_vq_has_addr() - tell whether the owner has said where the ring is
 * @vq: queue, stopped
 *
 * With a device IOTLB the owner also has to have said where the used ring's
 * address leads; it is asked for that.
 *
 * Context: Process context, device lock held.
 * Return: true if so; whether there is a ring, kvh_vq_run() finds out
 */
bool kvh_vq_has_addr(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->dev->lock);
	return vq->addr_set && (!vq->env.iotlb || vq_used_known(vq));
}
EXPORT_SYMBOL_GPL(kvh_vq_has_addr);

/**
 * kvh_vq_has_memory() - tell whether a queue's memory is known and the owner's
 * @vq: queue
 *
 * Context: Process context, device lock held.
 * Return: true if there is a memory table and kvh_vq_access() has no objection; a
 * device IOTLB does not take the table's place
 */
bool kvh_vq_has_memory(const struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->dev->lock);
	return !kvh_vq_access(vq, vq->env.map);
}
EXPORT_SYMBOL_GPL(kvh_vq_has_memory);

/**
 * kvh_vq_run() - start a queue, with a worker of its own if it has none
 * @vq: queue of a device with an owner; nothing to do unless stopped
 *
 * Context: Process context of the owner, device lock held.
 * Return: 0, or as kvh_pool_need() and kvh_vq_start()
 */
int kvh_vq_run(struct kvh_vq *vq)
{
	int ret = kvh_pool_need(vq);

	return ret ? ret : kvh_vq_start(vq);
}
EXPORT_SYMBOL_GPL(kvh_vq_run);

/**
 * kvh_vq_lock() - lock a queue, running or not; its worker lets go at once
 * @vq: queue that nobody holds; unlock it with mutex_unlock()
 *
 * A worker may keep the lock for a pass of %KVH_TURN_CHAINS chains, with a wait
 * before each. So the pass is cut short, and a timed wait ends.
 *
 * Context: Process context, device lock held.
 * Return: 0, or -EINTR if the caller is being killed
 */
int kvh_vq_lock(struct kvh_vq *vq)
{
	int ret;

	lockdep_assert_held(&vq->dev->lock);
	if (mutex_trylock(&vq->lock))
		return 0;
	WRITE_ONCE(vq->hold, KVH_HOLD_TURN);
	/* Pairs with kvh_worker_nap_begin(): the worker sees @hold, or is woken. */
	kvh_vq_wake(vq);
	ret = mutex_lock_killable(&vq->lock);
	WRITE_ONCE(vq->hold, KVH_HOLD_NONE);
	/* The pass may have left something, also if the caller is being killed. */
	kvh_vq_wake(vq);
	return ret ? -EINTR : 0;
}
