/* SPDX-License-Identifier: GPL-2.0 */
/* split.h - the split layout's half of ring.c; private to kmod/ring. */
#ifndef KVH_SPLIT_H
#define KVH_SPLIT_H

#include "ring.h"

int kvh_split_set_base(struct kvh_ring *r, u32 base);
int kvh_split_take(struct kvh_ring *r, struct kvh_env *env,
		   struct kvh_chain *chains, unsigned int max_chains,
		   struct kvh_seg *segs, unsigned int max_segs);
void kvh_split_untake(struct kvh_ring *r, unsigned int n);
void kvh_split_complete(struct kvh_ring *r, const struct kvh_chain *chains,
			unsigned int n);
void kvh_split_used(struct kvh_ring *r, u16 id, u32 written, u32 n);
bool kvh_split_publish(struct kvh_ring *r);
bool kvh_split_need_signal(struct kvh_ring *r);
void kvh_split_disable_kick(struct kvh_ring *r);
bool kvh_split_enable_kick(struct kvh_ring *r);
bool kvh_split_has_avail(const struct kvh_ring *r);

#endif /* KVH_SPLIT_H */
