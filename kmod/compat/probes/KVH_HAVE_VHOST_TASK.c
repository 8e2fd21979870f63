// SPDX-License-Identifier: GPL-2.0
/* Are there threads of a process for vhost, that tell of their death? */
#include <linux/types.h>
#include <linux/sched/vhost_task.h>

#ifndef CONFIG_VHOST_TASK
#error "kernel/vhost_task.c is not built"
#endif

struct vhost_task *probe(bool (*fn)(void *data), void (*killed)(void *data), void *data)
{
	return vhost_task_create(fn, killed, data, "name");
}
