// SPDX-License-Identifier: GPL-2.0
/*
 * serve.c - one turn of a queue: reap, take, serve, publish, notify.
 *
 * Runs in the queue's worker. The order at the end of a turn is what keeps
 * both sides live: completions are published and the driver is interrupted
 * first, then doorbells are asked for again, then the ring is looked at once
 * more, because a driver that saw no need to ring in between would otherwise
 * wait for ever.
 */
#include "core.h"
#include "trace.h"

/* The device area was written: all of it, for it is small and migrations are rare. */
static void vq_mark_device(struct kvh_vq *vq)
{
	size_t len = kvh_ring_device_bytes(vq->ring.layout, vq->size);

	if (likely(!kvh_dirty_ring_on(vq)))
		return;
	if (vq->env.iotlb)
		kvh_dirty_mark_iova(vq, vq->addr.used_user_addr, len);
	else if (vq->addr.flags & BIT(VHOST_VRING_F_LOG))
		kvh_dirty_mark_gpa(vq, vq->addr.log_guest_addr, len);
}

/*
 * Used entries were written; those of a packed ring go where descriptors are. A
 * packed ring outside all regions is no guest memory and needs no mark.
 */
static void vq_mark_used(struct kvh_vq *vq)
{
	size_t len = kvh_ring_desc_bytes(vq->ring.layout, vq->size);

	if (vq->ring.layout != KVH_RING_PACKED)
		vq_mark_device(vq);
	else if (vq->env.iotlb)
		kvh_dirty_mark_iova(vq, vq->addr.desc_user_addr, len);
	else
		kvh_dirty_mark_user(vq, vq->addr.desc_user_addr, len);
}

/*
 * Does the driver want to hear of what was published? With the first virtio's
 * NOTIFY_ON_EMPTY it does in any case when nothing is left to take: seen behind
 * the barrier of kvh_ring_need_signal(), which has asked the driver itself.
 */
static bool vq_need_signal(struct kvh_vq *vq)
{
	return kvh_ring_need_signal(&vq->ring) ||
	       (kvh_vq_has_feature(vq, VIRTIO_F_NOTIFY_ON_EMPTY) &&
		!kvh_ring_has_avail(&vq->ring));
}

/* Make completions visible and interrupt the driver if it wants to be. */
static void vq_flush(struct kvh_vq *vq)
{
	unsigned int n = vq->unflushed;

	if (!n)
		return;
	kvh_poll_flushed(vq, n);
	vq->unflushed = 0;
	if (!kvh_ring_publish(&vq->ring))
		return;
	kvh_pool_of(vq)->shown++;
	if (kvh_dirty_ring_on(vq))
		vq_mark_used(vq);
	if (vq_need_signal(vq)) {
		kvh_vq_signal(vq, n);
	} else {
		vq->stats.signals_suppressed++;
		trace_kvh_vq_suppress(vq, n);
	}
}

static bool vq_may_take(const struct kvh_vq *vq)
{
	return vq->state == KVH_VQ_RUNNING && !READ_ONCE(vq->hold);
}

/*
 * Complete what has finished. Completions are gathered, so that one store and
 * one interrupt stand for many; how many, poll.c knows.
 */
static void vq_reap(struct kvh_vq *vq)
{
	unsigned int before = vq->in_flight;

	vq->dev->backend->reap(vq);
	/* What has ended may be all that the backend waited for. */
	if (vq->in_flight != before)
		vq->parked = false;
	if (vq->unflushed >= kvh_poll_limit(vq) || !vq_may_take(vq))
		vq_flush(vq);
}

/*
 * Reap and serve until there is nothing left to do or the turn is over.
 * Return: true if it is over with work left.
 */
static bool vq_rounds(struct kvh_vq *vq)
{
	unsigned int flight;
	int before;

	for (vq->budget = KVH_TURN_CHAINS;;) {
		vq_reap(vq);
		if (!vq_may_take(vq))
			break;
		if (vq->parked || !kvh_ring_has_avail(&vq->ring)) {
			bool more = vq->unflushed && kvh_poll_gather(vq);

			if (!more) {
				vq_flush(vq);
				more = kvh_poll_idle(vq);
			}
			if (!more)
				break;
			vq->parked = false;
			continue;
		}
		if (vq->kick_on) {
			kvh_ring_disable_kick(&vq->ring);
			vq->kick_on = false;
			vq_mark_device(vq);
		}
		before = vq->budget;
		vq->dev->backend->serve(vq);
		flight = vq->in_flight;
		/*
		 * Whatever came of it: requests that finished in the backend's
		 * own context have woken nobody. What they held may be what the
		 * next chain lacked.
		 */
		vq_reap(vq);
		if (vq->budget <= 0)
			break;
		if (!vq->parked && vq->budget == before && vq->in_flight == flight &&
		    vq_may_take(vq))
			break;
	}
	/* Whatever ended the turn, nothing completed stays unseen. */
	vq_flush(vq);
	return vq->budget <= 0;
}

/*
 * Map the ring of a queue whose translations were not known. The owner may be
 * changing what the addresses mean. A queue that stops ends what it keeps, with
 * the ring or without. Return: true if it is mapped
 */
static bool vq_turn_maps(struct kvh_vq *vq)
{
	if (!kvh_vq_stopping(vq))
		return vq_may_take(vq) && !kvh_vq_map_late(vq);
	if (!vq->kept)
		return false;
	if (!kvh_vq_map(vq))
		return true;
	vq->dev->backend->reap(vq);
	return false;
}

/* Return: true if the queue wants another turn without a doorbell. */
static bool vq_turn(struct kvh_vq *vq)
{
	bool again;

	if (unlikely(!vq->mapped) && !vq_turn_maps(vq))
		return false;
	kvh_poll_woken(vq);
	vq->parked = false;
	if (vq_rounds(vq))
		return true;
	if (!vq_may_take(vq) || vq->kick_on)
		return false;
	if (vq->parked) {
		/* There are buffers: a doorbell would tell nothing. */
		kvh_poll_sleeps(vq);
		return false;
	}
	vq->kick_on = true;
	again = kvh_ring_enable_kick(&vq->ring);
	vq_mark_device(vq);
	if (again) {
		vq->stats.polls++;
		trace_kvh_vq_poll(vq);
		return true;
	}
	kvh_poll_sleeps(vq);
	return false;
}

/*
 * Registered memory needs no address space, but the dirty log is the owner's,
 * and so is a ring outside registered memory that has to be mapped.
 */
static bool vq_needs_mm(const struct kvh_vq *vq)
{
	return !kvh_env_registered(&vq->env) || !vq->mapped || kvh_dirty_ring_on(vq);
}

static bool vq_turn_in_mm(struct kvh_worker *w, struct kvh_vq *vq)
{
	u64 before = vq->stats.chains;
	bool again;

	kvh_worker_use_mm(w, vq_needs_mm(vq));
	again = vq_turn(vq);
	kvh_vq_unmap_brief(vq);
	w->chains += vq->stats.chains - before;
	return again;
}

/* The worker was killed: end what was begun, begin nothing. */
static void vq_turn_last(struct kvh_worker *w, struct kvh_vq *vq)
{
	/* Chains that are kept end without the ring, too. */
	if (!vq->mapped && !vq->kept)
		return;
	kvh_worker_use_mm(w, vq_needs_mm(vq));
	vq->dev->backend->reap(vq);
	vq_flush(vq);
	kvh_vq_unmap_brief(vq);
}

static bool vq_paused(const struct kvh_vq *vq)
{
	return READ_ONCE(vq->hold) == KVH_HOLD_PAUSE;
}

/* False in a worker the queue has been taken from: its new one shall look. */
static bool vq_is_mine(const struct kvh_worker *w, const struct kvh_vq *vq)
{
	return rcu_access_pointer(vq->worker) == w;
}

/**
 * kvh_vq_work() - the worker's entry: give a queue its turn
 * @w:    the worker
 * @work: kvh_vq.work
 *
 * A queue that was attached to another worker while its work was queued here
 * is passed on. kvh_vq.worker changes under kvh_vq.lock, so no two workers
 * ever serve a queue at once, and the turn stays with its worker to the end.
 *
 * Context: Worker.
 */
void kvh_vq_work(struct kvh_worker *w, struct kvh_work *work)
{
	struct kvh_vq *vq = container_of(work, struct kvh_vq, work);
	bool again = false;

	/* Do not wait for a lock that another worker may hold for long. */
	if (!vq_is_mine(w, vq)) {
		kvh_vq_wake(vq);
		return;
	}
	mutex_lock(&vq->lock);
	if (!vq_is_mine(w, vq))
		again = true;
	else if (vq->state == KVH_VQ_STOPPED || vq_paused(vq))
		again = false;
	else if (unlikely(w->dead))
		vq_turn_last(w, vq);
	else
		again = vq_turn_in_mm(w, vq);
	/* kvh_dev_unpause() makes up for a turn left out or cut short. */
	if (unlikely(vq_paused(vq)))
		vq->owed = true;
	mutex_unlock(&vq->lock);
	/* A wake-up of @idle says that the queue is empty: see end.c. */
	if (!READ_ONCE(vq->in_flight))
		wake_up(&vq->idle);
	if (unlikely(READ_ONCE(vq->hold) == KVH_HOLD_DRAIN))
		wake_up(&vq->rest);
	if (again)
		kvh_vq_wake(vq);
}

/* Is every segment's translation known? The first that is not is asked for. */
static bool chain_translatable(struct kvh_vq *vq, const struct kvh_chain *c)
{
	const struct kvh_seg *seg = kvh_vq_segs(vq, c);
	unsigned int i;
	u64 uaddr, run, off;

	for (i = 0; i < c->n_read + c->n_write; i++, seg++)
		for (off = 0; off < seg->len; off += run) {
			int ret = kvh_iotlb_find(vq, seg->addr + off, seg->len - off,
						 i >= c->n_read, &uaddr, &run);

			if (ret == -EAGAIN)
				return false;
			/* What is forbidden is the backend's to report. */
			if (ret)
				break;
		}
	return true;
}

/* Put back what waits for a translation. Return: number of chains left */
static int vq_translatable(struct kvh_vq *vq, int n)
{
	int ok = 0;

	while (ok < n && chain_translatable(vq, &vq->chains[ok]))
		ok++;
	kvh_ring_untake(&vq->ring, &vq->chains[ok], n - ok);
	/* The answer wakes the queue; until then a doorbell would tell nothing. */
	if (!ok && n)
		vq->parked = true;
	return ok;
}

/* Take up to @max chains, whatever the budget. */
static int vq_take(struct kvh_vq *vq, const struct kvh_chain **chains, unsigned int max)
{
	int i, n;

	if (!vq_may_take(vq))
		return 0;
	n = kvh_ring_take(&vq->ring, &vq->env, vq->chains, min(max, KVH_BATCH), vq->segs,
			  KVH_VQ_SEGS);
	if (unlikely(n == -EAGAIN)) {
		vq->parked = true;
		return 0;
	}
	if (unlikely(n < 0)) {
		kvh_vq_break(vq, vq->ring.fault);
		return 0;
	}
	if (unlikely(vq->env.iotlb))
		n = vq_translatable(vq, n);
	for (i = 0; i < n; i++)
		vq->stats.bytes_read += vq->chains[i].read_len;
	vq->stats.chains += n;
	vq->budget -= n;
	WRITE_ONCE(vq->in_flight, vq->in_flight + n);
	if (n)
		trace_kvh_vq_take(vq, n);
	*chains = vq->chains;
	return n;
}

/**
 * kvh_vq_take_max() - take the next batch of chains from the ring
 * @vq:     queue
 * @chains: result: the chains, at most %KVH_BATCH, valid until the next call
 * @max:    how many are wanted at most
 *
 * A malformed ring or chain breaks the queue. Chains before it are still
 * delivered; what was delivered must be completed or put back.
 *
 * Context: Worker, queue lock held, from kvh_backend.serve.
 * Return: number of chains, 0 if there are none or the turn is over
 */
int kvh_vq_take_max(struct kvh_vq *vq, const struct kvh_chain **chains, unsigned int max)
{
	lockdep_assert_held(&vq->lock);
	return vq->budget > 0 ? vq_take(vq, chains, min_t(unsigned int, vq->budget, max)) : 0;
}
EXPORT_SYMBOL_GPL(kvh_vq_take_max);

/**
 * kvh_vq_take_more() - take chains to end what was begun, the turn being over or not
 * @vq:     queue
 * @chains: result: as for kvh_vq_take_max()
 * @max:    how many are wanted at most
 *
 * Context: Worker, queue lock held, from kvh_backend.serve.
 * Return: number of chains, 0 if there are none
 */
int kvh_vq_take_more(struct kvh_vq *vq, const struct kvh_chain **chains, unsigned int max)
{
	lockdep_assert_held(&vq->lock);
	return vq_take(vq, chains, max);
}
EXPORT_SYMBOL_GPL(kvh_vq_take_more);

/**
 * kvh_vq_yield() - end the turn, to go on in the next
 * @vq: queue
 *
 * Context: Worker, queue lock held, last in kvh_backend.serve.
 */
void kvh_vq_yield(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	vq->budget = 0;
}
EXPORT_SYMBOL_GPL(kvh_vq_yield);

/**
 * kvh_vq_park() - wait for an event of the backend, not for buffers
 * @vq: queue
 *
 * Ends the turn as soon as what is completed has been shown, and leaves
 * doorbells off, even if the ring has buffers to take. Whatever the backend
 * waits for calls kvh_vq_wake(); kvh_backend.pending tells of it meanwhile.
 *
 * Context: Worker, queue lock held, from kvh_backend.serve.
 */
void kvh_vq_park(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	vq->parked = true;
}
EXPORT_SYMBOL_GPL(kvh_vq_park);

/**
 * kvh_vq_untake() - put the last chains back, to be taken again later
 * @vq:     queue
 * @chains: the last @n of the last kvh_vq_take(), in the order taken
 * @n:      how many
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_untake(struct kvh_vq *vq, const struct kvh_chain *chains, unsigned int n)
{
	unsigned int i;

	lockdep_assert_held(&vq->lock);
	if (!n)
		return;
	kvh_ring_untake(&vq->ring, chains, n);
	trace_kvh_vq_untake(vq, n);
	for (i = 0; i < n; i++)
		vq->stats.bytes_read -= chains[i].read_len;
	vq->stats.chains -= n;
	vq->budget += n;
	WRITE_ONCE(vq->in_flight, vq->in_flight - n);
}
EXPORT_SYMBOL_GPL(kvh_vq_untake);

/**
 * kvh_vq_segs() - the segments of a chain
 * @vq:    queue
 * @chain: from the last kvh_vq_take()
 *
 * Context: Worker, queue lock held.
 * Return: its readable segments, the writable ones right behind
 */
const struct kvh_seg *kvh_vq_segs(const struct kvh_vq *vq, const struct kvh_chain *chain)
{
	return vq->segs + chain->first;
}
EXPORT_SYMBOL_GPL(kvh_vq_segs);

/**
 * kvh_vq_complete() - a chain is done; the driver learns of it soon
 * @vq:    queue
 * @chain: a chain taken, with @written set; may be a copy
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_complete(struct kvh_vq *vq, const struct kvh_chain *chain)
{
	lockdep_assert_held(&vq->lock);
	if (unlikely(!vq->mapped)) {
		kvh_vq_drop(vq, chain);
		return;
	}
	kvh_ring_complete(&vq->ring, chain, 1);
	vq->stats.bytes_written += chain->written;
	vq->unflushed++;
	WRITE_ONCE(vq->in_flight, vq->in_flight - 1);
}
EXPORT_SYMBOL_GPL(kvh_vq_complete);

/**
 * kvh_vq_keep() - hold a chain back for longer than the device may wait
 * @vq: queue, not stopping
 *
 * The backend refers to no memory of the chain until kvh_vq_unkeep(), so tables and
 * translations may change meanwhile. The chain stays in flight.
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_keep(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	WRITE_ONCE(vq->kept, vq->kept + 1);
}
EXPORT_SYMBOL_GPL(kvh_vq_keep);

/**
 * kvh_vq_unkeep() - go on with a chain that was kept
 * @vq: queue, not held unless it is stopping
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_unkeep(struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	WRITE_ONCE(vq->kept, vq->kept - 1);
}
EXPORT_SYMBOL_GPL(kvh_vq_unkeep);

/**
 * kvh_vq_drop() - forget a chain of a queue that is broken
 * @vq:    queue
 * @chain: a chain taken; may be a copy
 *
 * The driver is not told, for there is nothing true to tell: a used buffer
 * without a status would pass for a good one.
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_drop(struct kvh_vq *vq, const struct kvh_chain *chain)
{
	lockdep_assert_held(&vq->lock);
	WRITE_ONCE(vq->in_flight, vq->in_flight - 1);
}
EXPORT_SYMBOL_GPL(kvh_vq_drop);
