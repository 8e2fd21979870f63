/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net_ring.h - a virtqueue of a network device that this process serves.
 */
#ifndef KVHOST_NET_RING_H
#define KVHOST_NET_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"
#include <kvhost.h>

struct guest_memory;
struct virtio_queue;

/**
 * struct net_ring - the ring, and what goes with it
 * @ring:    the virtqueue
 * @table:   scratch for indirect tables
 * @order:   re-sequencing table, or NULL
 * @kick_fd: doorbell
 * @call_fd: interrupt
 * @broken:  malformed, takes nothing until it is opened again
 * @unpublished: chains completed since the last flush
 * @stats:   counters
 */
struct net_ring {
	struct kvh_ring ring;
	void *table;
	struct kvh_order *order;
	int kick_fd;
	int call_fd;
	bool broken;
	unsigned int unpublished;
	struct kvhost_vring_stats stats;
};

int net_ring_open(struct net_ring *r, const struct guest_memory *mem,
		  uint64_t features, const struct virtio_queue *vq);
void net_ring_close(struct net_ring *r);
int net_ring_take(struct net_ring *r, struct kvh_env *env, int err_fd,
		  struct kvh_chain *chains, unsigned int max_chains,
		  struct kvh_seg *segs, unsigned int max_segs);
void net_ring_break(struct net_ring *r, int err_fd, enum kvh_ring_fault fault);
void net_ring_complete(struct net_ring *r, const struct kvh_chain *chain);
void net_ring_flush(struct net_ring *r);

#endif
