// SPDX-License-Identifier: GPL-2.0
/* Does eventfd_signal() take the context alone? */
#include <linux/eventfd.h>

void probe(struct eventfd_ctx *ctx)
{
	eventfd_signal(ctx);
}
