// SPDX-License-Identifier: GPL-2.0
/*
 * quiesce.c - bring a queue to rest, and let it go on.
 *
 * A queue that is drained takes nothing more. It is quiet when nothing is in
 * flight and no turn runs that began before. Later turns find @hold set and do
 * nothing, so a quiet queue stays quiet and its lock is never held for long.
 * The worker wakes kvh_vq.idle or kvh_vq.rest when that may have become true. Only
 * the worker takes the queue lock without the device lock, which callers here hold.
 */
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include "core.h"

/**
 * kvh_vq_drain() - forbid taking; kvh_vq_quiet() tells when the queue is at rest
 * @vq:   queue
 * @hold: %KVH_HOLD_DRAIN, or %KVH_HOLD_STOP to end what the backend keeps too
 *
 * Context: Process context, device lock held.
 */
void kvh_vq_drain(struct kvh_vq *vq, enum kvh_hold hold)
{
	lockdep_assert_held(&vq->dev->lock);
	WRITE_ONCE(vq->hold, hold);
	/* The turn that follows ends what waits for a decision of the owner. */
	kvh_vq_wake(vq);
}

/* Chains that may stay in flight. */
static unsigned int vq_may_keep(const struct kvh_vq *vq)
{
	return vq->hold == KVH_HOLD_STOP ? 0 : READ_ONCE(vq->kept);
}

/**
 * kvh_vq_quiet() - is a queue at rest?
 * @vq: queue, drained or stopped
 *
 * Context: Process context, device lock held. Does not sleep.
 * Return: true if nothing is in flight but what may be kept, and no turn runs, which
 * stays so until kvh_vq_resume()
 */
bool kvh_vq_quiet(struct kvh_vq *vq)
{
	bool quiet;

	lockdep_assert_held(&vq->dev->lock);
	if (vq->state == KVH_VQ_STOPPED)
		return true;
	/* A turn that holds the lock ends in a wake-up of @idle. */
	if (READ_ONCE(vq->in_flight) > vq_may_keep(vq) || !mutex_trylock(&vq->lock))
		return false;
	quiet = vq->in_flight == vq_may_keep(vq);
	mutex_unlock(&vq->lock);
	return quiet;
}

/**
 * kvh_vq_quiesce() - bring a queue to rest until kvh_vq_resume()
 * @vq:   queue; nothing to do if stopped
 * @hold: as for kvh_vq_drain()
 *
 * An owner that is being killed gives up: it may itself have to provide what
 * the queue waits for.
 *
 * Context: Process context, device lock held. Waits for the backend.
 * Return: 0, or -EINTR if the caller is being killed, with the queue not held
 */
int kvh_vq_quiesce(struct kvh_vq *vq, enum kvh_hold hold)
{
	wait_queue_head_t *wait = hold == KVH_HOLD_STOP ? &vq->idle : &vq->rest;

	lockdep_assert_held(&vq->dev->lock);
	if (vq->state == KVH_VQ_STOPPED)
		return 0;
	kvh_vq_drain(vq, hold);
	if (!wait_event_killable(*wait, kvh_vq_quiet(vq)))
		return 0;
	kvh_vq_resume(vq);
	return -EINTR;
}

/**
 * kvh_vq_hold() - let nothing be in flight until kvh_vq_resume()
 * @vq: queue; nothing to do if stopped
 *
 * Chains that the backend keeps stay: they refer to no memory.
 *
 * Context: Process context, device lock held. Waits for the backend.
 * Return: 0, or -EINTR if the caller is being killed, with the queue not held
 */
int kvh_vq_hold(struct kvh_vq *vq)
{
	return kvh_vq_quiesce(vq, KVH_HOLD_DRAIN);
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
 * kvh_vq_worker_dead() - was the worker's thread killed with the owner?
 * @vq: queue
 *
 * Nobody decides about the queue any more, so nothing new may begin for it.
 *
 * Context: Any, lockless.
 * Return: true if so
 */
bool kvh_vq_worker_dead(const struct kvh_vq *vq)
{
	const struct kvh_worker *worker;
	bool dead;

	rcu_read_lock();
	worker = rcu_dereference(vq->worker);
	dead = worker && READ_ONCE(worker->dead);
	rcu_read_unlock();
	return dead;
}
EXPORT_SYMBOL_GPL(kvh_vq_worker_dead);

/**
 * kvh_vq_held() - does the owner wait for chains in flight?
 * @vq: queue
 *
 * It waits for all of them, or for all but those that are kept. From then on no
 * chain that is kept may go on, unless the queue is stopping.
 * It is so too when the worker's thread was killed with the owner.
 *
 * Context: Worker, queue lock held; else any, lockless, while a chain of the
 * queue is in flight.
 * Return: true if so
 */
bool kvh_vq_held(const struct kvh_vq *vq)
{
	return READ_ONCE(vq->hold) >= KVH_HOLD_DRAIN || kvh_vq_worker_dead(vq);
}
EXPORT_SYMBOL_GPL(kvh_vq_held);

/**
 * kvh_vq_stopping() - does the owner wait for every chain?
 * @vq: queue
 *
 * From then on no chain may be kept. The queue's worker gets a turn after it has
 * become so.
 *
 * Context: Worker, queue lock held.
 * Return: true if so
 */
bool kvh_vq_stopping(const struct kvh_vq *vq)
{
	return READ_ONCE(vq->hold) == KVH_HOLD_STOP || kvh_vq_worker_dead(vq);
}
EXPORT_SYMBOL_GPL(kvh_vq_stopping);
