/* SPDX-License-Identifier: GPL-2.0 */
/* Overlay: KVH_VHOST_TASKS says whether vhost tasks can be made. */
#ifndef KVH_COMPAT_VHOST_TASK_H
#define KVH_COMPAT_VHOST_TASK_H

#include <linux/types.h>

#ifdef KVH_HAVE_VHOST_TASK
#include_next <linux/sched/vhost_task.h>

#define KVH_VHOST_TASKS	1
#else
#include <linux/err.h>
#include <linux/errno.h>

#define KVH_VHOST_TASKS	0

struct vhost_task;

static inline struct vhost_task *vhost_task_create(bool (*fn)(void *data),
						   void (*killed)(void *data), void *arg,
						   const char *name)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void vhost_task_start(struct vhost_task *vtsk)
{
}

static inline void vhost_task_stop(struct vhost_task *vtsk)
{
}
#endif

#endif
