/* SPDX-License-Identifier: GPL-2.0 */
/* packed.h - the packed layout's half of ring.c; private to kmod/ring. */
#ifndef KVH_PACKED_H
#define KVH_PACKED_H

#include "ring.h"

int kvh_packed_set_base(struct kvh_ring *r, u32 base);
u32 kvh_packed_base(const struct kvh_ring *r);
int kvh_packed_take(struct kvh_ring *r, struct kvh_env *env,
		    struct kvh_chain *chains, unsigned int max_chains,
		    struct kvh_seg *segs, unsigned int max_segs);
void kvh_packed_untake(struct kvh_ring *r, const struct kvh_chain *chains,
		       unsigned int n);
void kvh_packed_complete(struct kvh_ring *r, const struct kvh_chain *chains,
			 unsigned int n);
void kvh_packed_used(struct kvh_ring *r, u16 id, u32 written, u32 slots);
bool kvh_packed_publish(struct kvh_ring *r);
bool kvh_packed_need_signal(struct kvh_ring *r);
void kvh_packed_disable_kick(struct kvh_ring *r);
bool kvh_packed_enable_kick(struct kvh_ring *r);
bool kvh_packed_has_avail(const struct kvh_ring *r);

#endif /* KVH_PACKED_H */
