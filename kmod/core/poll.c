// SPDX-License-Identifier: GPL-2.0
/*
 * poll.c - what a worker does with a queue that has run empty: wait a little.
 *
 * Two waits, each within the time the owner allows (BUSYLOOP_TIMEOUT; zero, the
 * default, is neither, but for what is said of patience and of the backend):
 *
 * kvh_poll_gather()  completions are not shown to the driver yet. A driver with
 *	many requests under way goes on adding while they are held, so that one
 *	store and one interrupt stand for many, and it has no reason to ring.
 *	How many to hold follows from the driver's depth: every now and then all
 *	completions are held until it adds no more, for then all it has is here.
 *	Half of that is a batch: the driver works on one half while we work on
 *	the other, and it never waits for what is held. A driver with one request
 *	at a time is found out by the same trial, made ever more rarely.
 *	While a worker is patient (patience.c) it also naps where the owner allows
 *	no time or too little, for less than it takes a driver to come who is shown
 *	each completion: doorbells and interrupts of a guest that makes requests by
 *	the dozen may take most of its time, though the worker has a CPU to itself.
 *
 * kvh_poll_idle()  nothing is held. The worker stays, without doorbells, as
 *	long as that has paid of late. Where the owner allows no time the backend
 *	may (kvh_backend.linger): a driver that makes buffers available faster than
 *	it can ring for them is worth some microseconds.
 *
 * A worker that has its CPU to itself spins. With others about (vCPUs: spinning
 * would keep away the very work waited for) it naps, asleep on a timer, doorbells
 * still off, and only for a driver that is known to be busy. A nap saves the
 * driver its doorbells and delays what it has made available meanwhile: good
 * for a stream, bad for a driver that waits for an answer to each request. Where
 * the owner allows no time naps are therefore judged by what they bring, and
 * after one that brought too little the next ones are left out.
 *
 * Everything here runs in the queue's worker with the queue lock held.
 */
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/stat.h>
#include "core.h"
#include "trace.h"

/* Shortest spin worth the trouble. */
#define SPIN_MIN_NS	((u64)4 * NSEC_PER_USEC)

/* Batches between two trials of the driver's depth. */
#define TRIAL_MIN	16u
#define TRIAL_NORMAL	256u
#define TRIAL_MAX	1024u

/* Chains that make a nap worth the delay. */
#define NAP_CHAINS	3u

/* Most waits left out between two naps. */
#define NAP_EVERY_MAX	256u

/* Completions are held no longer because the worker is patient, if its timers are in time. */
#define PATIENT_MAX_NS	((u64)4 * NSEC_PER_MSEC)

/* Who takes longer for a request has nothing to gain by one interrupt less. */
#define PATIENT_PACE_NS	((u64)NSEC_PER_MSEC)

/* Late by as much is not late. */
#define NAP_SLACK_NS	((u64)2 * NSEC_PER_USEC)

static u64 wait_max(const struct kvh_vq *vq)
{
	return (u64)min(vq->busyloop, KVH_POLL_MAX_US) * NSEC_PER_USEC;
}

/* Has it been found to pay, or is it tried, to hold completions longer than the owner asks for? */
static bool patient(const struct kvh_vq *vq)
{
	return vq->dev->backend->gathers && kvh_pool_of(vq)->batch;
}

/* Longest wait with nothing held. */
static u64 idle_max(const struct kvh_vq *vq)
{
	unsigned int (*linger)(const struct kvh_vq *vq) = vq->dev->backend->linger;

	if (vq->busyloop)
		return wait_max(vq);
	return linger ? (u64)min(linger(vq), KVH_POLL_MAX_US) * NSEC_PER_USEC : 0;
}

static bool has_work(struct kvh_vq *vq)
{
	return (!vq->parked && kvh_ring_has_avail(&vq->ring)) || vq->dev->backend->pending(vq);
}

/* Does something else need this worker or an end of the turn? */
static bool wanted_elsewhere(struct kvh_vq *vq)
{
	return READ_ONCE(vq->hold) || kvh_worker_wanted(kvh_pool_of(vq), &vq->work);
}

static bool may_spin(void)
{
	return single_task_running() && !need_resched();
}

/* Spin while the CPU is ours. Return: true if there is work. */
static bool spin(struct kvh_vq *vq, u64 end)
{
	do {
		if (has_work(vq))
			return true;
		cpu_relax();
	} while (may_spin() && !wanted_elsewhere(vq) && local_clock() < end);
	return false;
}

/*
 * Time to wait for the next request with completions held, where that was found to
 * pay: less than it takes to come if they are not. Who makes one now and then, whatever
 * is held, is not waited for, nor is who has nothing to gain by it.
 */
static u64 patient_step(const struct kvh_vq *vq)
{
	const struct kvh_span *eager = &kvh_pool_of(vq)->patience.eager;
	u64 pace;

	if (!patient(vq) || !eager->chains)
		return 0;
	pace = div64_u64(eager->ns, eager->chains);
	return pace > PATIENT_PACE_NS ? 0 : pace / 4 * 3;
}

/* Leave the CPU to others, until there is work or the time is up. */
static void nap(struct kvh_vq *vq, u64 ns)
{
	struct kvh_worker *worker = kvh_pool_of(vq);
	ktime_t t = ns_to_ktime(ns);

	kvh_worker_nap_begin(worker);
	if (!has_work(vq) && !wanted_elsewhere(vq))
		schedule_hrtimeout_range(&t, NAP_SLACK_NS, HRTIMER_MODE_REL);
	kvh_worker_nap_end(worker);
	vq->nap.chains = vq->stats.chains;
	vq->nap.judged = false;
}

/* What came of the last nap, now that all of it has been served? */
static void nap_judge(struct kvh_vq *vq)
{
	struct kvh_nap *nap = &vq->nap;

	nap->judged = true;
	if (vq->stats.chains - nap->chains >= NAP_CHAINS)
		nap->every = 0;
	else
		nap->every = min(2 * nap->every + 1, NAP_EVERY_MAX);
	nap->left = nap->every;
}

/* Is it time for a nap, of a queue the owner allows no time? */
static bool nap_pays(struct kvh_vq *vq)
{
	struct kvh_nap *nap = &vq->nap;

	if (!nap->judged)
		nap_judge(vq);
	if (!nap->left)
		return true;
	nap->left--;
	return false;
}

/* Be asleep for a while, if that pays. Return: true if there is work. */
static bool wait_patiently(struct kvh_vq *vq)
{
	u64 now = local_clock(), step = patient_step(vq), end = now + step;

	if (!step || end > vq->gather.since + PATIENT_MAX_NS)
		return false;
	/* A doorbell for what has been found before ends a nap too. */
	for (; now < end && !wanted_elsewhere(vq); now = local_clock()) {
		nap(vq, end - now);
		if (has_work(vq))
			return true;
	}
	return false;
}

/* Wait until @end, spinning or asleep. Return: true if there is work. */
static bool wait_for_work(struct kvh_vq *vq, u64 end)
{
	u64 now;

	while (!wanted_elsewhere(vq)) {
		if (may_spin()) {
			if (spin(vq, end))
				return true;
		} else {
			now = local_clock();
			if (now < end)
				nap(vq, end - now);
			if (has_work(vq))
				return true;
		}
		if (local_clock() >= end)
			break;
	}
	return false;
}

/**
 * kvh_poll_reset() - forget what is known of the driver
 * @vq: queue, about to start
 *
 * Context: Process context, queue lock held.
 */
void kvh_poll_reset(struct kvh_vq *vq)
{
	vq->gather = (struct kvh_gather){ .target = 1, .every = TRIAL_MIN, .left = TRIAL_MIN };
	vq->gather_else = vq->gather;
	vq->nap = (struct kvh_nap){ .judged = true };
	vq->spin_ns = 0;
	vq->slept_at = 0;
}

static bool may_gather(struct kvh_vq *vq)
{
	return vq->busyloop || patient_step(vq);
}

/**
 * kvh_poll_limit() - completions to hold before the driver is shown them
 * @vq: queue
 *
 * Context: Worker, queue lock held.
 * Return: how many, at least 1
 */
unsigned int kvh_poll_limit(struct kvh_vq *vq)
{
	const struct kvh_gather *g = &vq->gather;

	if (!may_gather(vq) || (g->left && g->target == 1))
		return KVH_FLUSH_CHAINS;
	return g->left ? g->target : KVH_TRIAL_CHAINS;
}

/* A trial has ended with @held completions. */
static void trial_done(struct kvh_gather *g, unsigned int held)
{
	g->target = clamp(held / 2, 1u, KVH_FLUSH_CHAINS);
	g->every = held > 1 ? TRIAL_NORMAL : min(2 * g->every, TRIAL_MAX);
	g->left = g->every;
}

/**
 * kvh_poll_flushed() - completions are about to be shown to the driver
 * @vq:   queue
 * @held: how many
 *
 * Context: Worker, queue lock held.
 */
void kvh_poll_flushed(struct kvh_vq *vq, unsigned int held)
{
	struct kvh_gather *g = &vq->gather;

	g->since = 0;
	if (g->left)
		g->left--;
	else if (held >= KVH_TRIAL_CHAINS)
		trial_done(g, held);
}

/**
 * kvh_poll_gather() - hold completions a little longer?
 * @vq: queue with completions not shown yet, and nothing to take or reap
 *
 * Context: Worker, queue lock held. May sleep.
 * Return: true if there is more to do first, false to show them now
 */
bool kvh_poll_gather(struct kvh_vq *vq)
{
	struct kvh_gather *g = &vq->gather;
	u64 most = wait_max(vq);

	lockdep_assert_held(&vq->lock);
	if (!may_gather(vq) || (g->left && g->target == 1))
		return false;
	if (!g->since)
		g->since = local_clock();
	if (wait_for_work(vq, g->since + most) || wait_patiently(vq))
		return true;
	if (local_clock() < g->since + most || wanted_elsewhere(vq))
		return false;
	/* The driver adds no more: this is all it has. */
	if (!g->left) {
		trial_done(g, vq->unflushed);
	} else {
		g->target = max(vq->unflushed / 2, 1u);
		g->every = TRIAL_MIN;
		g->left = min(g->left, TRIAL_MIN);
	}
	return false;
}

/* The work came after @idle_ns: would spinning as long as allowed have seen it? */
static void adapt_spin(struct kvh_vq *vq, u64 idle_ns)
{
	u64 most = idle_max(vq);

	if (idle_ns < most)
		vq->spin_ns = clamp_t(u64, 2 * vq->spin_ns, min(most, SPIN_MIN_NS), most);
	else
		vq->spin_ns = vq->spin_ns > SPIN_MIN_NS ? vq->spin_ns / 2 : 0;
}

/* What was found out is true of one way to serve a driver; the patient one is tried at once. */
static void gather_switch(struct kvh_vq *vq)
{
	swap(vq->gather, vq->gather_else);
	vq->gather.patient = patient(vq);
	if (vq->gather.patient)
		vq->gather.left = 0;
}

/**
 * kvh_poll_woken() - the worker has come back to a queue
 * @vq: queue
 *
 * Had the worker spun as long as the owner allows, would it have seen the work
 * that woke it? Then it spins longer next time, else less: a queue that is used
 * now and then soon costs no spinning at all.
 *
 * A worker that has become patient, or eager, goes by what was found out as such.
 *
 * Context: Worker, queue lock held.
 */
void kvh_poll_woken(struct kvh_vq *vq)
{
	u64 idle;

	if (unlikely(vq->gather.patient != patient(vq)))
		gather_switch(vq);
	if (!vq->slept_at)
		return;
	idle = local_clock() - vq->slept_at;
	vq->slept_at = 0;
	adapt_spin(vq, idle);
}

/**
 * kvh_poll_sleeps() - the worker leaves a queue, doorbells are on
 * @vq: queue
 *
 * Context: Worker, queue lock held.
 */
void kvh_poll_sleeps(struct kvh_vq *vq)
{
	if (!vq->slept_at && idle_max(vq))
		vq->slept_at = local_clock();
}

/**
 * kvh_poll_idle() - wait for new work where it pays, doorbells being off
 * @vq: queue without anything to take, reap or show
 *
 * Context: Worker, queue lock held. May sleep.
 * Return: true if there is work
 */
bool kvh_poll_idle(struct kvh_vq *vq)
{
	bool busy = vq->busyloop && vq->gather.target > 1;
	u64 most = idle_max(vq);
	u64 wait = busy ? most : min(vq->spin_ns, most);
	u64 begun;
	bool found;

	lockdep_assert_held(&vq->lock);
	if (!wait)
		return false;
	/* Only a busy driver is worth a timer. */
	if (!vq->busyloop)
		busy = nap_pays(vq);
	if (wanted_elsewhere(vq) || (!busy && !may_spin()))
		return false;
	begun = local_clock();
	found = busy ? wait_for_work(vq, begun + wait) : spin(vq, begun + wait);
	if (found) {
		vq->stats.polls++;
		trace_kvh_vq_poll(vq);
	} else {
		vq->slept_at = begun;
	}
	return found;
}
