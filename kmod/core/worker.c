// SPDX-License-Identifier: GPL-2.0
/*
 * worker.c - the work of a worker: queueing it, running it, waiting within it.
 *
 * Work is queued from any context, wake-up callbacks included. Work that is
 * queued again while it is on the list runs once. worker_task.c has the threads.
 */
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <uapi/linux/sched/types.h>
#include "core.h"

/**
 * kvh_worker_use_mm() - have or not have the owner's address space
 * @w:   the worker that calls
 * @use: whether it is needed
 *
 * Context: Worker.
 */
void kvh_worker_use_mm(struct kvh_worker *w, bool use)
{
	if (likely(w->has_mm == use) || !w->borrows)
		return;
	w->has_mm = use;
	if (use)
		kthread_use_mm(w->mm);
	else
		kthread_unuse_mm(w->mm);
}

/*
 * Be woken patiently or eagerly. A policy that somebody else has given the thread is
 * left alone, SCHED_BATCH too.
 */
static void worker_set_patient(struct kvh_worker *w, bool patient)
{
	struct sched_attr attr = { .size = sizeof(attr) };

	if (likely(w->patient == patient))
		return;
	w->patient = patient;
	if (READ_ONCE(current->policy) != (w->batch ? SCHED_BATCH : SCHED_NORMAL)) {
		w->batch = false;
		return;
	}
	if (w->batch == patient)
		return;
	w->batch = patient;
	attr.sched_policy = patient ? SCHED_BATCH : SCHED_NORMAL;
	attr.sched_nice = task_nice(current);
	sched_setattr_nocheck(current, &attr);
}

/* What was queued has been run. */
static void worker_consider(struct kvh_worker *w)
{
	unsigned int chains = w->chains, shown = w->shown;

	w->chains = 0;
	w->shown = 0;
	/* Another thread that stands in keeps its own policy. */
	if (likely(!w->dead))
		worker_set_patient(w, kvh_patience_ask(&w->patience, local_clock(), chains,
						       shown));
}

/**
 * kvh_worker_run() - run what is queued
 * @w: worker
 *
 * Context: The worker's thread, in any task state; after its end, the one task
 * that stands in for it.
 * Return: true if there was something, and the task state is TASK_RUNNING
 */
bool kvh_worker_run(struct kvh_worker *w)
{
	struct llist_node *node = llist_del_all(&w->list);
	struct kvh_work *work, *next;

	if (!node)
		return false;
	__set_current_state(TASK_RUNNING);
	node = llist_reverse_order(node);
	llist_for_each_entry_safe(work, next, node, node) {
		w->rest = work->node.next;
		clear_bit(0, &work->queued);
		/*
		 * What was stored before kvh_worker_queue() found the bit set must be
		 * seen by fn. Pairs with test_and_set_bit() there.
		 */
		smp_mb__after_atomic();
		work->fn(w, work);
		cond_resched();
	}
	worker_consider(w);
	return true;
}

static void worker_wake(struct kvh_worker *w)
{
	struct task_struct *task;

	/* Pairs with worker_killed(). */
	if (unlikely(READ_ONCE(w->dead))) {
		queue_work(system_unbound_wq, &w->stand_in);
		return;
	}
	/* A thread that has not begun looks at the list when it does. */
	task = READ_ONCE(w->task);
	if (likely(task))
		wake_up_process(task);
}

/**
 * kvh_worker_queue() - have a worker run @work soon
 * @w:    worker
 * @work: what to run; stays the caller's
 *
 * Context: Any, interrupts and wake-up callbacks included.
 */
void kvh_worker_queue(struct kvh_worker *w, struct kvh_work *work)
{
	/* Pairs with the barrier in kvh_worker_nap_begin(). */
	if (test_and_set_bit(0, &work->queued)) {
		if (unlikely(READ_ONCE(w->napping)))
			worker_wake(w);
		return;
	}
	/* A full barrier: pairs with worker_begin() and worker_killed(). */
	llist_add(&work->node, &w->list);
	worker_wake(w);
}

/**
 * kvh_worker_nap_begin() - the worker is about to sleep within a turn
 * @w: the worker that calls
 *
 * Work that was queued while the turn went on stays queued, so that what comes
 * now is no news for kvh_worker_queue(); it wakes the worker all the same. The
 * caller looks whether there is something to do, then sleeps.
 *
 * Context: Worker.
 */
void kvh_worker_nap_begin(struct kvh_worker *w)
{
	WRITE_ONCE(w->napping, true);
	/*
	 * Either the look that follows sees what was stored before
	 * kvh_worker_queue(), or that sees @napping and a task to wake. Pairs with
	 * test_and_set_bit() there.
	 */
	set_current_state(TASK_INTERRUPTIBLE);
}

/**
 * kvh_worker_nap_end() - it has slept, or not
 * @w: the worker that calls
 *
 * Context: Worker.
 */
void kvh_worker_nap_end(struct kvh_worker *w)
{
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(w->napping, false);
}

/**
 * kvh_worker_wanted() - does anybody but @work wait for the worker?
 * @w:    the worker that calls
 * @work: what the worker runs at present
 *
 * Context: Worker. New work can arrive right after a look.
 * Return: true if other work was queued, be it in the batch the worker has
 * begun, or if the thread has a signal to take: it is frozen, stopped or killed
 */
bool kvh_worker_wanted(const struct kvh_worker *w, const struct kvh_work *work)
{
	const struct llist_node *node = READ_ONCE(w->list.first);

	return w->rest || (node && (node != &work->node || node->next)) ||
	       signal_pending(current);
}
