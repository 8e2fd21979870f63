// SPDX-License-Identifier: GPL-2.0
/*
 * warn.c - a module that warns when told to
 *
 * For the test of the test host: loading it plainly taints the kernel as any
 * out-of-tree module does, which must pass; with warn=1 it warns as well, which
 * must not.
 */
#include <linux/module.h>

static bool warn;
module_param(warn, bool, 0444);
MODULE_PARM_DESC(warn, "warn while loading");

static int __init warn_init(void)
{
	WARN(warn, "the test host has to notice this\n");
	return 0;
}

static void __exit warn_exit(void)
{
}

module_init(warn_init);
module_exit(warn_exit);
MODULE_DESCRIPTION("Warns when told to");
MODULE_LICENSE("GPL");
