// SPDX-License-Identifier: GPL-2.0
/*
 * wait.c - a queue that waits for its socket to have frames, or room for them.
 *
 * Our entry stays on the socket's wait queue as long as the socket is the
 * queue's; most wake-ups find that nobody waits and cost one load. Whoever
 * waits arms, then looks at the socket once more: a frame that came in between
 * is seen there, one that comes later wakes.
 */
#include <linux/fs.h>
#include "net.h"

static int wait_wakeup(wait_queue_entry_t *entry, unsigned int mode, int sync, void *key)
{
	struct net_wait *w = container_of(entry, struct net_wait, entry);

	if (key && !(key_to_poll(key) & w->events))
		return 0;
	/* Pairs with smp_mb() in net_wait_arm(): the waker has made its event visible. */
	if (READ_ONCE(w->armed)) {
		WRITE_ONCE(w->armed, false);
		kvh_vq_wake(w->vq);
	}
	return 0;
}

static void wait_queue_proc(struct file *file, wait_queue_head_t *head, poll_table *table)
{
	struct net_wait *w = container_of(table, struct net_wait, table);

	/* A file with a second queue would be none of ours. */
	if (w->head)
		return;
	w->head = head;
	add_wait_queue(head, &w->entry);
}

/**
 * net_wait_init() - prepare to wait
 * @w:      memory that stays where it is
 * @vq:     queue to wake
 * @events: EPOLL* to wait for
 *
 * Context: Process context.
 */
void net_wait_init(struct net_wait *w, struct kvh_vq *vq, __poll_t events)
{
	w->vq = vq;
	w->events = events | EPOLLERR | EPOLLHUP;
	init_waitqueue_func_entry(&w->entry, wait_wakeup);
	init_poll_funcptr(&w->table, wait_queue_proc);
}

/**
 * net_wait_add() - enter a socket's wait queue
 * @w:    not on any
 * @file: the socket's, which the caller keeps until net_wait_remove()
 *
 * Context: Process context, device lock held.
 * Return: 0, or -EINVAL if there is no device behind it (any more)
 */
int net_wait_add(struct net_wait *w, struct file *file)
{
	w->armed = false;
	if (!(vfs_poll(file, &w->table) & EPOLLERR))
		return 0;
	net_wait_remove(w);
	return -EINVAL;
}

/**
 * net_wait_remove() - leave the wait queue; on return no wake-up runs
 * @w: nothing to do if it is on none
 *
 * Context: Process context, device lock held.
 */
void net_wait_remove(struct net_wait *w)
{
	if (w->head)
		remove_wait_queue(w->head, &w->entry);
	w->head = NULL;
}

/**
 * net_wait_arm() - from now on an event wakes the queue, once
 * @w: on a wait queue
 *
 * The caller looks at the socket after that.
 *
 * Context: Worker, queue lock held.
 */
void net_wait_arm(struct net_wait *w)
{
	WRITE_ONCE(w->armed, true);
	/* Pairs with the one of wq_has_sleeper() on the way to wait_wakeup(). */
	smp_mb();
}

/**
 * net_wait_arm_poll() - net_wait_arm(), and a look whether the event is there
 * @w:    on the wait queue of @file
 * @file: the socket's
 *
 * For events that a socket announces only to those who have polled in vain.
 *
 * Context: Worker, queue lock held.
 * Return: true if there is nothing to wait for
 */
bool net_wait_arm_poll(struct net_wait *w, struct file *file)
{
	net_wait_arm(w);
	return vfs_poll(file, NULL) & w->events;
}
