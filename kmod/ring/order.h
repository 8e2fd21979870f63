/* SPDX-License-Identifier: GPL-2.0 */
/* order.h - IN_ORDER: buffers go back as they came; private to kmod/ring. */
#ifndef KVH_ORDER_H
#define KVH_ORDER_H

#include "ring.h"

void kvh_order_complete(struct kvh_ring *r, const struct kvh_chain *chains,
			unsigned int n);
void kvh_order_flush(struct kvh_ring *r);

#endif /* KVH_ORDER_H */
