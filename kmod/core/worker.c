// SPDX-License-Identifier: GPL-2.0
/*
 * worker.c - the kernel threads that serve queues.
 *
 * A worker joins its owner's cgroups, so that time, memory and I/O are charged
 * where they belong, and borrows its address space as long as guest memory is
 * reached by user access. Work is queued from any context, wake-up callbacks
 * included; a work item queued again while on the list runs once.
 */
#include <linux/cgroup.h>
#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
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
	if (likely(w->has_mm == use))
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
	worker_set_patient(w, kvh_patience_ask(&w->patience, local_clock(), chains, shown));
}

static int worker_main(void *data)
{
	struct kvh_worker *w = data;
	struct llist_node *node;
	struct kvh_work *work, *next;
	struct mem_cgroup *memcg, *old;

	/* What is allocated for a request is charged to the owner. */
	memcg = get_mem_cgroup_from_mm(w->mm);
	old = set_active_memcg(memcg);
	for (;;) {
		/* Pairs with wake_up_process() in kvh_worker_queue(). */
		set_current_state(TASK_INTERRUPTIBLE);
		node = llist_del_all(&w->list);
		if (!node) {
			if (kthread_should_stop())
				break;
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		node = llist_reverse_order(node);
		llist_for_each_entry_safe(work, next, node, node) {
			clear_bit(0, &work->queued);
			/*
			 * What was stored before kvh_worker_queue() found the
			 * bit set must be seen by fn. Pairs with
			 * test_and_set_bit() there.
			 */
			smp_mb__after_atomic();
			work->fn(work);
			cond_resched();
		}
		worker_consider(w);
	}
	__set_current_state(TASK_RUNNING);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	kvh_worker_use_mm(w, false);
	return 0;
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
			wake_up_process(w->task);
		return;
	}
	llist_add(&work->node, &w->list);
	wake_up_process(w->task);
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
 * @w:    worker
 * @work: what the worker runs at present
 *
 * Context: Any, lockless: true may be old, false may be too.
 * Return: true if something else was queued
 */
bool kvh_worker_wanted(const struct kvh_worker *w, const struct kvh_work *work)
{
	const struct llist_node *node = READ_ONCE(w->list.first);

	return node && (node != &work->node || node->next);
}

/* Outlives whoever waits for it: a waiter that is killed leaves it to the worker. */
struct worker_sync {
	struct kvh_work work;
	struct kref ref;
	struct completion done;
	struct task_struct *join;
	int ret;
};

static void sync_free(struct kref *ref)
{
	kfree(container_of(ref, struct worker_sync, ref));
}

static void sync_fn(struct kvh_work *work)
{
	struct worker_sync *s = container_of(work, struct worker_sync, work);

	if (s->join)
		s->ret = cgroup_attach_task_all(s->join, current);
	complete(&s->done);
	kref_put(&s->ref, sync_free);
}

static struct worker_sync *sync_queue(struct kvh_worker *w, struct task_struct *join)
{
	struct worker_sync *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->work.fn = sync_fn;
	s->join = join;
	kref_init(&s->ref);
	kref_get(&s->ref);
	init_completion(&s->done);
	kvh_worker_queue(w, &s->work);
	return s;
}

/**
 * kvh_worker_flush() - wait until all work queued before this call has run
 * @w: worker
 *
 * Context: Process context, no queue lock held.
 * Return: 0, -ENOMEM, or -EINTR if the caller is being killed
 */
int kvh_worker_flush(struct kvh_worker *w)
{
	struct worker_sync *s = sync_queue(w, NULL);
	int ret;

	if (!s)
		return -ENOMEM;
	ret = wait_for_completion_killable(&s->done);
	kref_put(&s->ref, sync_free);
	return ret ? -EINTR : 0;
}

/* A worker that is new has nothing else to do, so this does not take long. */
static int worker_join_cgroups(struct kvh_worker *w, struct task_struct *task)
{
	struct worker_sync *s = sync_queue(w, task);
	int ret;

	if (!s)
		return -ENOMEM;
	wait_for_completion(&s->done);
	ret = s->ret;
	kref_put(&s->ref, sync_free);
	return ret;
}

/**
 * kvh_worker_create() - start a worker in the caller's cgroups
 * @mm:   address space to borrow; the caller keeps it alive
 * @name: name of the thread
 *
 * Context: Process context of the owner.
 * Return: the worker or an ERR_PTR: -ENOMEM, or what creating a thread or
 * joining the cgroups fails with
 */
struct kvh_worker *kvh_worker_create(struct mm_struct *mm, const char *name)
{
	struct kvh_worker *w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!w)
		return ERR_PTR(-ENOMEM);
	w->mm = mm;
	init_llist_head(&w->list);
	w->task = kthread_create(worker_main, w, "%s", name);
	if (IS_ERR(w->task)) {
		ret = PTR_ERR(w->task);
		kfree(w);
		return ERR_PTR(ret);
	}
	wake_up_process(w->task);

	ret = worker_join_cgroups(w, current);
	if (ret) {
		kvh_worker_destroy(w);
		return ERR_PTR(ret);
	}
	return w;
}

/**
 * kvh_worker_destroy() - run what is queued, then end the thread
 * @w: worker; nothing queues work to it any more
 *
 * Context: Process context, no queue lock held.
 */
void kvh_worker_destroy(struct kvh_worker *w)
{
	kthread_stop(w->task);
	kfree(w);
}
