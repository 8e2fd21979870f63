/* SPDX-License-Identifier: GPL-2.0 */
/* Overlay: eventfd_signal() always adds one and returns nothing. */
#ifndef KVH_COMPAT_EVENTFD_H
#define KVH_COMPAT_EVENTFD_H

#include_next <linux/eventfd.h>

#ifndef KVH_HAVE_EVENTFD_SIGNAL_PLAIN
static inline void kvh_compat_eventfd_signal(struct eventfd_ctx *ctx)
{
	eventfd_signal(ctx, 1);
}

#define eventfd_signal(ctx)	kvh_compat_eventfd_signal(ctx)
#endif

#endif
