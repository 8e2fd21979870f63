// SPDX-License-Identifier: GPL-2.0
/*
 * worker_task.c - the threads behind workers: how they begin and end.
 *
 * Where the kernel has vhost tasks (Linux 6.4), a worker is one: a thread of its
 * owner. It has the owner's cgroups, limits, affinity and nice value for good,
 * and is frozen, stopped and killed with it. Elsewhere, and where the owner asks
 * for it, a worker is a kernel thread that joins the owner's cgroups once and
 * borrows its address space. Each is what vhost of the same kernel does.
 *
 * A vhost task dies when its owner dies or calls execve(). It then takes no more
 * work. Requests in flight still have to be completed and their pages released,
 * so a kernel work item stands in for the thread: kvh_worker_queue() queues that
 * instead, and it runs the same list. A queue begins nothing there. Nor does it
 * wait for the owner's memory: an access that would fault fails.
 *
 *	worker_begin() --> kvh_worker_run() ... --> vhost_task_stop()
 *	                                     \----> worker_killed() --> worker_stand_in()
 */
#include <linux/cgroup.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/sched/vhost_task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "core.h"

/* Run what is queued in a task without the owner's memory control group. */
static bool worker_run_charged(struct kvh_worker *w)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(w->mm);
	struct mem_cgroup *old = set_active_memcg(memcg);
	bool ran = kvh_worker_run(w);

	set_active_memcg(old);
	mem_cgroup_put(memcg);
	return ran;
}

static void worker_stand_in(struct work_struct *work)
{
	struct kvh_worker *w = container_of(work, struct kvh_worker, stand_in);

	pagefault_disable();
	worker_run_charged(w);
	pagefault_enable();
	kvh_worker_use_mm(w, false);
}

/* First call in a vhost task. */
static void worker_begin(struct kvh_worker *w)
{
	/*
	 * kvh_worker_queue() sees the task and wakes it, or kvh_worker_run() sees
	 * what was queued. Pairs with llist_add() there.
	 */
	smp_store_mb(w->task, get_task_struct(current));
}

/* Called again and again, in TASK_INTERRUPTIBLE; asleep after false. */
static bool worker_fn(void *data)
{
	struct kvh_worker *w = data;

	if (unlikely(!w->task))
		worker_begin(w);
	return kvh_worker_run(w);
}

/* Last call in a vhost task, if it was killed. */
static void worker_killed(void *data)
{
	struct kvh_worker *w = data;
	struct kvh_dev *dev = w->dev;
	unsigned int i;

	w->borrows = true;
	w->has_mm = false;
	/*
	 * kvh_worker_queue() sees @dead and queues the work item, or it is queued
	 * below. Pairs with llist_add() there.
	 */
	smp_store_mb(w->dead, true);
	/* Nothing waits for a decision of the owner any more: see kvh_vq_stopping(). */
	for (i = 0; i < dev->nvqs; i++)
		if (rcu_access_pointer(dev->vqs[i].worker) == w)
			kvh_worker_queue(w, &dev->vqs[i].work);
	queue_work(system_unbound_wq, &w->stand_in);
}

static int worker_start_task(struct kvh_worker *w, const char *name)
{
	w->vtsk = vhost_task_create(worker_fn, worker_killed, w, name);
	/* NULL on some of the kernels that have it. */
	if (IS_ERR_OR_NULL(w->vtsk))
		return w->vtsk ? PTR_ERR(w->vtsk) : -ENOMEM;
	w->has_mm = true;
	vhost_task_start(w->vtsk);
	return 0;
}

static void worker_stop_task(struct kvh_worker *w)
{
	vhost_task_stop(w->vtsk);
	flush_work(&w->stand_in);
	/* A vhost task ends with work queued. No queue is @w's: it is passed on. */
	w->dead = true;
	while (kvh_worker_run(w))
		;
	if (w->task)
		put_task_struct(w->task);
}

/* What a kernel thread is told by who makes it. */
struct worker_birth {
	struct kvh_worker *w;
	struct task_struct *owner;
	struct completion joined;
	int ret;
};

static int worker_kthread(void *data)
{
	struct worker_birth *birth = data;
	struct kvh_worker *w = birth->w;
	struct mem_cgroup *memcg, *old;

	birth->ret = cgroup_attach_task_all(birth->owner, current);
	complete(&birth->joined);
	/* What is allocated for a request is charged to the owner. */
	memcg = get_mem_cgroup_from_mm(w->mm);
	old = set_active_memcg(memcg);
	for (;;) {
		/* Pairs with wake_up_process() in kvh_worker_queue(). */
		set_current_state(TASK_INTERRUPTIBLE);
		if (kvh_worker_run(w))
			continue;
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	kvh_worker_use_mm(w, false);
	return 0;
}

static int worker_make_kthread(struct kvh_worker *w, const char *name)
{
	struct worker_birth birth = { .w = w, .owner = current };

	init_completion(&birth.joined);
	w->task = kthread_create(worker_kthread, &birth, "%s", name);
	if (IS_ERR(w->task))
		return PTR_ERR(w->task);
	wake_up_process(w->task);
	/* It waits for locks of the kernel alone. */
	wait_for_completion(&birth.joined);
	if (birth.ret)
		kthread_stop(w->task);
	return birth.ret;
}

static int worker_start_kthread(struct kvh_worker *w, const char *name)
{
	int ret = kvh_budget_take(&w->user);

	if (ret)
		return ret;
	w->borrows = true;
	ret = worker_make_kthread(w, name);
	if (ret)
		kvh_budget_put(w->user);
	return ret;
}

static void worker_stop_kthread(struct kvh_worker *w)
{
	kthread_stop(w->task);
	kvh_budget_put(w->user);
}

/**
 * kvh_worker_create() - start a worker in the caller's cgroups
 * @dev:  device of the caller's address space
 * @name: name of the thread
 *
 * Context: Process context of the owner.
 * Return: the worker or an ERR_PTR: -ENOMEM; -EAGAIN beyond RLIMIT_NPROC or
 * pids.max; -ERESTARTNOINTR for a pending signal; others as creating a thread or
 * joining the cgroups
 */
struct kvh_worker *kvh_worker_create(struct kvh_dev *dev, const char *name)
{
	struct kvh_worker *w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!w)
		return ERR_PTR(-ENOMEM);
	w->dev = dev;
	w->mm = dev->mm;
	init_llist_head(&w->list);
	INIT_WORK(&w->stand_in, worker_stand_in);
	if (KVH_VHOST_TASKS && !dev->kthreads)
		ret = worker_start_task(w, name);
	else
		ret = worker_start_kthread(w, name);
	if (ret) {
		kfree(w);
		return ERR_PTR(ret);
	}
	return w;
}

/**
 * kvh_worker_destroy() - run what is queued, then end the thread
 * @w: worker of no queue; nothing queues work to it any more
 *
 * Context: Process context, no queue lock held. Waits for a thread that its
 * owner has frozen or stopped.
 */
void kvh_worker_destroy(struct kvh_worker *w)
{
	if (w->vtsk)
		worker_stop_task(w);
	else
		worker_stop_kthread(w);
	kfree(w);
}
