// SPDX-License-Identifier: GPL-2.0
/*
 * charge.c - I/O that is done in a work queue counts as its owner's.
 *
 * The workers live in the owner's cgroups, so the bios they submit are charged
 * and throttled there. A kernel work queue lives in the root cgroup. Deferred work
 * borrows two cgroups of the process that set the backend: that of block I/O, and
 * that of the page cache of buffered writes. Write-back of dirty pages is charged
 * by the second.
 *
 * CPU time cannot be borrowed, and threads in the owner's cgroups do not serve. A
 * thread of the owner (a vhost task) is interrupted in its file I/O when the owner
 * is frozen or stopped, and the guest would see an error. A kernel thread inside a
 * cgroup keeps the cgroup from being frozen.
 */
#include <linux/blkdev.h>
#include <linux/cgroup.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include "blk.h"

/**
 * blk_owner_get() - remember whose I/O a disk's is
 * @owner: filled in
 *
 * Context: Process context of the owner.
 */
void blk_owner_get(struct blk_owner *owner)
{
#ifdef CONFIG_BLK_CGROUP
	owner->css = task_get_css(current, io_cgrp_id);
#endif
	owner->memcg = get_mem_cgroup_from_mm(current->mm);
}

/**
 * blk_owner_put() - undo blk_owner_get()
 * @owner: owner
 *
 * Context: Process context.
 */
void blk_owner_put(struct blk_owner *owner)
{
#ifdef CONFIG_BLK_CGROUP
	css_put(owner->css);
#endif
	mem_cgroup_put(owner->memcg);
}

/**
 * blk_charge_begin() - do I/O on the owner's account from here on
 * @owner: owner
 *
 * Context: Work queue.
 * Return: for blk_charge_end()
 */
struct mem_cgroup *blk_charge_begin(const struct blk_owner *owner)
{
#ifdef CONFIG_BLK_CGROUP
	kthread_associate_blkcg(owner->css);
#endif
	return set_active_memcg(owner->memcg);
}

/**
 * blk_charge_end() - undo blk_charge_begin()
 * @old: what it returned
 *
 * Context: Work queue.
 */
void blk_charge_end(struct mem_cgroup *old)
{
	set_active_memcg(old);
#ifdef CONFIG_BLK_CGROUP
	kthread_associate_blkcg(NULL);
#endif
}
