// SPDX-License-Identifier: GPL-2.0
/*
 * memlock.c - what is pinned for long is charged to the owner.
 *
 * Rings are mapped by ioctls of the owner, but also by workers, when their
 * addresses are translated at last; a kernel thread has no limit and every
 * capability. So the limit held against is that of the process that became the
 * owner, as it is now, and whether it is exempt is what it was at its last call
 * that had something pinned.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include "core.h"

/**
 * kvh_memlock_caller() - the owner calls: may it go beyond its limit?
 * @dev: device
 *
 * Context: Process context of the owner, device lock held.
 */
void kvh_memlock_caller(struct kvh_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	WRITE_ONCE(dev->unlimited, capable(CAP_IPC_LOCK));
}

/**
 * kvh_memlock_charge() - charge the owner for pages
 * @dev:   device with an owner
 * @pages: how many
 *
 * Context: Process context, workers included. May sleep.
 * Return: 0, or -ENOMEM beyond the locked-memory limit
 */
int kvh_memlock_charge(struct kvh_dev *dev, unsigned long pages)
{
	int ret;

	mmap_write_lock(dev->mm);
	ret = __account_locked_vm(dev->mm, pages, true, dev->task, READ_ONCE(dev->unlimited));
	mmap_write_unlock(dev->mm);
	return ret;
}

/**
 * kvh_memlock_uncharge() - undo kvh_memlock_charge()
 * @dev:   device with an owner
 * @pages: how many
 *
 * Context: Process context, workers included. May sleep.
 */
void kvh_memlock_uncharge(struct kvh_dev *dev, unsigned long pages)
{
	mmap_write_lock(dev->mm);
	__account_locked_vm(dev->mm, pages, false, dev->task, true);
	mmap_write_unlock(dev->mm);
}
