// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - the module kvhost: the core that backends share.
 *
 * It has no device node of its own; kvhost_blk and kvhost_net bring theirs.
 */
#include <linux/module.h>
#include "core.h"

static int __init kvhost_init(void)
{
	int ret = kvh_end_setup();

	if (ret)
		return ret;
	kvh_stats_init();
	return 0;
}

static void __exit kvhost_exit(void)
{
	kvh_stats_exit();
	kvh_end_teardown();
}

module_init(kvhost_init);
module_exit(kvhost_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("In-kernel virtio backend: core");
