// SPDX-License-Identifier: GPL-2.0
/*
 * worker_budget.c - how many kernel threads a user may have as workers.
 *
 * fork() bounds a vhost task by RLIMIT_NPROC and pids.max. A kernel thread is
 * outside both, and what charges RLIMIT_NPROC is not exported. So workers are
 * counted by user here, and that number and the user's processes together are
 * held against the caller's limit, by the rule of fork(). fork() itself does not
 * see workers.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>
#include "core.h"

/*
 * Workers of a user whose RLIMIT_NPROC is higher still: 64 devices with all the
 * workers a block device may have.
 */
#define BUDGET_MAX	8192ul

static DEFINE_MUTEX(budget_lock);	/* budget_users */
static DEFINE_XARRAY(budget_users);	/* number of workers, by user */

static unsigned long budget_used(kuid_t user)
{
	void *entry = xa_load(&budget_users, __kuid_val(user));

	return entry ? xa_to_value(entry) : 0;
}

static int budget_set(kuid_t user, unsigned long n)
{
	if (n)
		return xa_err(xa_store(&budget_users, __kuid_val(user), xa_mk_value(n),
				       GFP_KERNEL));
	xa_erase(&budget_users, __kuid_val(user));
	return 0;
}

/* As in fork(): limits bind neither the first user nor the privileged. */
static bool budget_binds(kuid_t user)
{
	return !uid_eq(user, GLOBAL_ROOT_UID) && !capable(CAP_SYS_RESOURCE) &&
	       !capable(CAP_SYS_ADMIN);
}

/* Does the caller's limit leave room for one more beside @workers? */
static bool budget_has_room(unsigned long workers)
{
	unsigned long processes = get_rlimit_value(current_ucounts(), UCOUNT_RLIMIT_NPROC);

	return workers < BUDGET_MAX && processes + workers < rlimit(RLIMIT_NPROC);
}

/**
 * kvh_budget_take() - account for a kernel thread of the caller
 * @user: result: the user, for kvh_budget_put()
 *
 * Context: Process context of the owner. May sleep.
 * Return: 0, -EAGAIN beyond the limits, or -ENOMEM
 */
int kvh_budget_take(kuid_t *user)
{
	unsigned long used;
	int ret = -EAGAIN;

	*user = current_uid();
	mutex_lock(&budget_lock);
	used = budget_used(*user);
	if (budget_has_room(used) || !budget_binds(*user))
		ret = budget_set(*user, used + 1);
	mutex_unlock(&budget_lock);
	return ret;
}

/**
 * kvh_budget_put() - undo kvh_budget_take()
 * @user: as it gave
 *
 * Context: Process context. May sleep.
 */
void kvh_budget_put(kuid_t user)
{
	mutex_lock(&budget_lock);
	/* The entry is there, so nothing is allocated. */
	budget_set(user, budget_used(user) - 1);
	mutex_unlock(&budget_lock);
}
