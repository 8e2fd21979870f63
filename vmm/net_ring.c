// SPDX-License-Identifier: GPL-2.0
/*
 * net_ring.c - a virtqueue of a network device that this process serves: the
 * control queue, and all of them with backend=user.
 *
 * Set-up, counters and notification around the ring code. Whoever owns the
 * queue serialises: vm_lock() for the control queue, the lock of the userspace
 * backend for the others.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "memory.h"
#include "net_ring.h"
#include "virtio.h"

/**
 * net_ring_open() - begin to serve a queue
 * @r:        closed, its counters go on
 * @mem:      guest RAM
 * @features: what was negotiated
 * @vq:       registers of an enabled queue, so they were checked
 *
 * Return: 0, -ENOMEM, or -EINVAL for rings the ring code does not accept.
 */
int net_ring_open(struct net_ring *r, const struct guest_memory *mem,
		  uint64_t features, const struct virtio_queue *vq)
{
	bool packed = features & VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	struct kvh_ring_config cfg = {
		.layout = packed ? KVH_RING_PACKED : KVH_RING_SPLIT,
		.size = vq->size,
		.event_idx = features & VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX),
		.indirect = features & VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC),
		.in_order = features & VIRTIO_BIT(VIRTIO_F_IN_ORDER),
	};
	int ret = -ENOMEM;

	cfg.desc = memory_at(mem, vq->desc,
			     kvh_ring_desc_bytes(cfg.layout, cfg.size));
	cfg.driver = memory_at(mem, vq->driver,
			       kvh_ring_driver_bytes(cfg.layout, cfg.size));
	cfg.device = memory_at(mem, vq->device,
			       kvh_ring_device_bytes(cfg.layout, cfg.size));
	r->table = calloc(KVH_CHAIN_SEGS_MAX, 16);
	if (cfg.in_order)
		r->order = calloc(cfg.size, sizeof(*r->order));
	cfg.table = r->table;
	cfg.order = r->order;
	if (r->table && (r->order || !cfg.in_order))
		ret = kvh_ring_init(&r->ring, &cfg);
	if (ret) {
		net_ring_close(r);
		return ret;
	}
	r->kick_fd = vq->kick_fd;
	r->call_fd = vq->call_fd;
	r->broken = false;
	r->unpublished = 0;
	r->stats.index = vq->index;
	r->stats.size = sizeof(r->stats);
	r->stats.state = KVHOST_VRING_RUNNING;
	return 0;
}

/**
 * net_ring_close() - undo net_ring_open()
 * @r: the queue; what was taken of it is forgotten
 */
void net_ring_close(struct net_ring *r)
{
	free(r->table);
	free(r->order);
	r->table = NULL;
	r->order = NULL;
	r->stats.state = KVHOST_VRING_STOPPED;
	r->stats.in_flight = 0;
}

/**
 * net_ring_break() - serve the queue no more: it holds something malformed
 * @r:      the queue
 * @err_fd: eventfd that tells the device
 * @fault:  what is wrong, or KVH_FAULT_NONE if the ring is well-formed
 */
void net_ring_break(struct net_ring *r, int err_fd, enum kvh_ring_fault fault)
{
	if (r->broken)
		return;
	r->broken = true;
	r->stats.broken++;
	r->stats.faults[fault]++;
	r->stats.state = KVHOST_VRING_BROKEN;
	event_raise(err_fd);
}

/**
 * net_ring_take() - take what the driver made available
 * @r:          the queue
 * @env:        the seam of the ring code
 * @err_fd:     eventfd that tells the device of a broken queue
 * @chains:     filled in
 * @max_chains: entries of @chains
 * @segs:       filled in
 * @max_segs:   entries of @segs, at least KVH_CHAIN_SEGS_MAX
 *
 * Return: how many chains, or -EPROTO for a broken queue.
 */
int net_ring_take(struct net_ring *r, struct kvh_env *env, int err_fd,
		  struct kvh_chain *chains, unsigned int max_chains,
		  struct kvh_seg *segs, unsigned int max_segs)
{
	int n;

	if (r->broken)
		return -EPROTO;
	n = kvh_ring_take(&r->ring, env, chains, max_chains, segs, max_segs);
	if (n >= 0)
		return n;
	net_ring_break(r, err_fd, r->ring.fault);
	return -EPROTO;
}

/**
 * net_ring_complete() - give one buffer back
 * @r:     the queue
 * @chain: the buffer, @chain->written filled in
 */
void net_ring_complete(struct net_ring *r, const struct kvh_chain *chain)
{
	r->stats.chains++;
	r->stats.bytes_read += chain->read_len;
	r->stats.bytes_written += chain->written;
	kvh_ring_complete(&r->ring, chain, 1);
	r->unpublished++;
}

/**
 * net_ring_flush() - show the driver what was completed, signal it once
 * @r: the queue
 */
void net_ring_flush(struct net_ring *r)
{
	r->stats.in_flight = r->ring.in_flight;
	if (!r->unpublished)
		return;
	r->unpublished = 0;
	if (!kvh_ring_publish(&r->ring))
		return;
	if (kvh_ring_need_signal(&r->ring)) {
		event_raise(r->call_fd);
		r->stats.signals++;
	} else {
		r->stats.signals_suppressed++;
	}
}
