// SPDX-License-Identifier: GPL-2.0
/*
 * notify.c - eventfds: the doorbell in, interrupts and errors out.
 *
 * The doorbell is not read but watched: our wait-queue entry is called in the
 * context of whoever signals the eventfd (KVM's ioeventfd: the vCPU thread,
 * in atomic context) and only queues work.
 */
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include "core.h"
#include "trace.h"

static int kick_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct kvh_vq *vq = container_of(wait, struct kvh_vq, kick.wait);

	if (key_to_poll(key) & EPOLLIN) {
		atomic64_inc(&vq->kicks);
		trace_kvh_vq_kick(vq);
		kvh_vq_wake(vq);
	}
	return 0;
}

static void kick_queue(struct file *file, wait_queue_head_t *wqh, poll_table *table)
{
	struct kvh_kick *kick = container_of(table, struct kvh_kick, table);

	kick->wqh = wqh;
	add_wait_queue(wqh, &kick->wait);
}

/**
 * kvh_kick_init() - prepare a queue's doorbell
 * @vq: queue
 *
 * Context: Process context, before the queue is reachable.
 */
void kvh_kick_init(struct kvh_vq *vq)
{
	init_waitqueue_func_entry(&vq->kick.wait, kick_wakeup);
	init_poll_funcptr(&vq->kick.table, kick_queue);
}

/**
 * kvh_kick_clear() - stop watching the doorbell; on return no callback runs
 * @vq: queue
 *
 * Context: Process context, queue lock held.
 */
void kvh_kick_clear(struct kvh_vq *vq)
{
	struct kvh_kick *kick = &vq->kick;

	lockdep_assert_held(&vq->lock);
	if (kick->wqh) {
		remove_wait_queue(kick->wqh, &kick->wait);
		kick->wqh = NULL;
	}
	if (kick->file) {
		fput(kick->file);
		kick->file = NULL;
	}
}

/**
 * kvh_kick_set() - watch another doorbell
 * @vq: queue; it has a worker
 * @fd: eventfd, or VHOST_FILE_UNBIND for none
 *
 * On failure the old doorbell stays in force.
 *
 * Context: Process context, queue lock held.
 * Return: 0, -EBADF for a bad descriptor, -EINVAL for one that is no eventfd
 */
int kvh_kick_set(struct kvh_vq *vq, int fd)
{
	struct kvh_kick *kick = &vq->kick;
	struct file *file = NULL;

	lockdep_assert_held(&vq->lock);
	if (fd != VHOST_FILE_UNBIND) {
		file = eventfd_fget(fd);
		if (IS_ERR(file))
			return PTR_ERR(file);
	}
	kvh_kick_clear(vq);
	kick->file = file;
	if (file && vfs_poll(file, &kick->table) & EPOLLIN)
		kvh_vq_wake(vq);
	return 0;
}

/**
 * kvh_eventfd_swap() - put another eventfd in a slot
 * @slot: where the context is kept, NULL inside for none
 * @fd:   eventfd, or VHOST_FILE_UNBIND for none
 *
 * On failure the old one stays in force.
 *
 * Context: Process context; the caller holds the lock of @slot.
 * Return: 0, -EBADF for a bad descriptor, -EINVAL for one that is no eventfd
 */
int kvh_eventfd_swap(struct eventfd_ctx **slot, int fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	swap(*slot, ctx);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

/**
 * kvh_vq_signal() - interrupt the driver
 * @vq: queue
 * @chains: how many were published just before
 *
 * Context: Worker, queue lock held.
 */
void kvh_vq_signal(struct kvh_vq *vq, unsigned int chains)
{
	lockdep_assert_held(&vq->lock);
	if (!vq->call)
		return;
	vq->stats.signals++;
	trace_kvh_vq_signal(vq, chains);
	eventfd_signal(vq->call);
}

/**
 * kvh_vq_wake() - have the queue's worker look at it
 * @vq: queue; without a worker there is nothing to do
 *
 * Context: Any, interrupts included. Whoever is neither the worker nor holds a
 * lock of the queue is within an RCU read-side section, which keeps @vq.
 */
void kvh_vq_wake(struct kvh_vq *vq)
{
	struct kvh_worker *worker;

	/* Keeps the worker: see kvh_pool_free(). */
	rcu_read_lock();
	worker = rcu_dereference(vq->worker);
	if (likely(worker))
		kvh_worker_queue(worker, &vq->work);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(kvh_vq_wake);
