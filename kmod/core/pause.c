// SPDX-License-Identifier: GPL-2.0
/*
 * pause.c - keep the workers of a device away from its queues for a moment.
 *
 * For changes that only the worker's own look-ups could notice. Nothing is
 * drained: chains in flight stay so, and the backend's contexts go on. A queue
 * whose worker missed nothing meanwhile costs no wake-up.
 */
#include "core.h"

static void vq_unpause(struct kvh_vq *vq)
{
	bool owed;

	mutex_lock(&vq->lock);
	/* A queue that had to be drained meanwhile has always missed something. */
	owed = vq->owed || vq->hold == KVH_HOLD_DRAIN;
	vq->owed = false;
	WRITE_ONCE(vq->hold, KVH_HOLD_NONE);
	mutex_unlock(&vq->lock);
	if (owed)
		kvh_vq_wake(vq);
}

/**
 * kvh_dev_pause_abort() - kvh_dev_unpause() for a caller that is being killed
 * @dev: device, paused
 *
 * It waits for no lock of a queue: a worker may hold one while it waits for memory
 * that only the caller's process can provide.
 *
 * Context: Process context, device lock held.
 */
void kvh_dev_pause_abort(struct kvh_dev *dev)
{
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	for (i = 0; i < dev->nvqs; i++) {
		if (dev->vqs[i].state == KVH_VQ_STOPPED)
			continue;
		WRITE_ONCE(dev->vqs[i].hold, KVH_HOLD_NONE);
		kvh_vq_wake(&dev->vqs[i]);
	}
}

/* Wait until no turn of the queue goes on. Return: 0, or -EINTR */
static int vq_await_turn(struct kvh_vq *vq)
{
	if (!mutex_trylock(&vq->lock)) {
		/* Ends a timed wait; pairs with kvh_worker_nap_begin(). */
		kvh_vq_wake(vq);
		if (mutex_lock_killable(&vq->lock))
			return -EINTR;
	}
	mutex_unlock(&vq->lock);
	return 0;
}

/**
 * kvh_dev_pause() - end every turn, and let none begin until kvh_dev_unpause()
 * @dev: device
 *
 * On return no worker reads what belongs to the device, and queue locks are
 * held by nobody for long. A queue may be drained on top by kvh_vq_hold().
 *
 * Context: Process context, device lock held. Waits for turns to end, which may
 * wait for memory of the owner.
 * Return: 0, or -EINTR if the caller is being killed, with no queue paused
 */
int kvh_dev_pause(struct kvh_dev *dev)
{
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	for (i = 0; i < dev->nvqs; i++)
		if (dev->vqs[i].state != KVH_VQ_STOPPED)
			WRITE_ONCE(dev->vqs[i].hold, KVH_HOLD_PAUSE);
	for (i = 0; i < dev->nvqs; i++) {
		if (dev->vqs[i].state == KVH_VQ_STOPPED)
			continue;
		/* A turn that began before the store above is over after this. */
		if (vq_await_turn(&dev->vqs[i])) {
			kvh_dev_pause_abort(dev);
			return -EINTR;
		}
	}
	return 0;
}

/**
 * kvh_dev_unpause() - let turns begin again; queues that missed one get it
 * @dev: device, paused
 *
 * Context: Process context, device lock held.
 */
void kvh_dev_unpause(struct kvh_dev *dev)
{
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	for (i = 0; i < dev->nvqs; i++)
		if (dev->vqs[i].state != KVH_VQ_STOPPED)
			vq_unpause(&dev->vqs[i]);
}
