// SPDX-License-Identifier: GPL-2.0
/*
 * quiesce.c - bring a queue to rest, and let it go on.
 *
 * A queue that is drained takes nothing more. It is quiet when nothing is in
 * flight and no turn runs that began before. Later turns find @hold set and do
 * nothing, so a quiet queue stays quiet and its lock is never held for long.
 * The worker wakes kvh_vq.idle when that may have become true. Only the worker
 * takes the queue lock without the device lock, which callers here hold.
 */
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include "core.h"

/**
 * kvh_vq_drain() - forbid taking; kvh_vq_quiet() tells when the queue is at rest
 * @vq: queue
 *
 * Context: Process context, device lock held.
 */
void kvh_vq_drain(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->dev->lock);
	WRITE_ONCE(vq->hold, KVH_HOLD_DRAIN);
	/* The turn that follows ends what waits for a decision of the owner. */
	kvh_vq_wake(vq);
}

/**
 * kvh_vq_quiet() - is a queue at rest?
 * @vq: queue, drained or stopped
 *
 * Context: Process context, device lock held. Does not sleep.
 * Return: true if nothing is in flight and no turn runs, which stays so until
 * kvh_vq_resume()
 */
bool kvh_vq_quiet(struct kvh_vq *vq)
{
	bool quiet;

	lockdep_assert_held(&vq->dev->lock);
	if (vq->state == KVH_VQ_STOPPED)
		return true;
	/* A turn that holds the lock ends in a wake-up of @idle. */
	if (READ_ONCE(vq->in_flight) || !mutex_trylock(&vq->lock))
		return false;
	quiet = !vq->in_flight;
	mutex_unlock(&vq->lock);
	return quiet;
}

/**
 * kvh_vq_hold() - let nothing be in flight until kvh_vq_resume()
 * @vq: queue; nothing to do if stopped
 *
 * An owner that is being killed gives up: it may itself have to provide what
 * the queue waits for.
 *
 * Context: Process context, device lock held. Waits for the backend.
 * Return: 0, or -EINTR if the caller is being killed, with the queue not held
 */
int kvh_vq_hold(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->dev->lock);
	if (vq->state == KVH_VQ_STOPPED)
		return 0;
	kvh_vq_drain(vq);
	if (!wait_event_killable(vq->idle, kvh_vq_quiet(vq)))
		return 0;
	kvh_vq_resume(vq);
	return -EINTR;
}
EXPORT_SYMBOL_GPL(kvh_vq_hold);

/**
 * kvh_vq_resume() - serve again after kvh_vq_hold()
 * @vq: queue
 *
 * Context: Process context, device lock held.
 */
void kvh_vq_resume(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->dev->lock);
	if (vq->state == KVH_VQ_STOPPED)
		return;
	WRITE_ONCE(vq->hold, KVH_HOLD_NONE);
	kvh_vq_wake(vq);
}
EXPORT_SYMBOL_GPL(kvh_vq_resume);

/**
 * kvh_vq_held() - does somebody wait for nothing to be in flight?
 * @vq: queue
 *
 * From then on nothing may wait for a decision of the owner. It is so too when the
 * worker's thread was killed with the owner. The queue's worker gets a turn after it
 * has become so.
 *
 * Context: Worker, queue lock held; else any, lockless, while a chain of the
 * queue is in flight.
 * Return: true if so
 */
bool kvh_vq_held(const struct kvh_vq *vq)
{
	const struct kvh_worker *worker;
	bool held = READ_ONCE(vq->hold) == KVH_HOLD_DRAIN;

	rcu_read_lock();
	worker = rcu_dereference(vq->worker);
	held |= worker && READ_ONCE(worker->dead);
	rcu_read_unlock();
	return held;
}
EXPORT_SYMBOL_GPL(kvh_vq_held);
