// SPDX-License-Identifier: GPL-2.0
/*
 * net_kernel.c - queues processed in the kernel, by the kvhost_net module or any
 * other that speaks vhost-net's ioctls.
 *
 * One device node per queue pair; its queue 0 receives, its queue 1 transmits.
 * This process only sets up: after queue_start() doorbells, packets and
 * interrupts go past it. The kernel is told of ring features alone, offloads are
 * between the driver and the interface.
 *
 * Created on the main thread; everything else runs with vm_lock() held.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "net_backend.h"
#include "net_features.h"
#include "net_port.h"
#include "util.h"
#include "vhost.h"

/* Where a fresh ring begins: packed, at slot 0 with both wrap counters set. */
#define BASE_SPLIT	0u
#define BASE_PACKED	0x80008000u

/**
 * struct net_kernel - a network device served by the kernel
 * @base:   as dev_net.c sees it
 * @setup:  what it was created from
 * @known:  features of the node
 * @base_at: where a fresh ring begins
 * @counts: the node has counters
 * @pairs:  entries of @vh
 * @vh:     the device node, once for each queue pair
 */
struct net_kernel {
	struct net_backend base;
	const struct net_setup *setup;
	uint64_t known;
	uint32_t base_at;
	bool counts;
	unsigned int pairs;
	struct vhost vh[];
};

static struct net_kernel *to_kernel(struct net_backend *backend)
{
	return container_of(backend, struct net_kernel, base);
}

static int start(struct net_backend *backend, uint64_t features)
{
	struct net_kernel *k = to_kernel(backend);
	bool packed = features & VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	unsigned int i;
	int ret = 0;

	k->base_at = packed ? BASE_PACKED : BASE_SPLIT;
	for (i = 0; !ret && i < k->pairs; i++)
		ret = vhost_set_features(&k->vh[i], features & k->known);
	return ret;
}

static int queue_start(struct net_backend *backend,
		       const struct virtio_queue *vq)
{
	struct net_kernel *k = to_kernel(backend);
	struct vhost *vh = &k->vh[vq->index / 2];
	struct virtio_queue q = *vq;
	int ret;

	q.index = vq->index % 2;
	ret = vhost_set_vring_num(vh, &q);
	if (!ret)
		ret = vhost_set_vring_base(vh, &q, k->base_at);
	if (!ret)
		ret = vhost_set_vring_addr(vh, &q, k->setup->mem);
	if (!ret)
		ret = vhost_set_vring_kick(vh, &q);
	if (!ret)
		ret = vhost_set_vring_call(vh, &q);
	/* In-tree vhost-net raises it for a packet that is refused, too. */
	if (!ret && k->counts)
		ret = vhost_set_vring_err(vh, &q, k->setup->err_fd);
	if (!ret)
		ret = vhost_set_vring_busyloop(vh, &q, k->setup->opt->poll);
	if (!ret)
		ret = vhost_net_set_backend(vh, &q,
					    k->setup->port->fds[vq->index / 2]);
	return ret;
}

static void queue_stop(struct net_backend *backend,
		       const struct virtio_queue *vq)
{
	struct virtio_queue q = *vq;

	q.index = vq->index % 2;
	vhost_net_set_backend(&to_kernel(backend)->vh[vq->index / 2], &q, -1);
}

static int stats(struct net_backend *backend, unsigned int index,
		 struct kvhost_vring_stats *st)
{
	struct net_kernel *k = to_kernel(backend);
	int ret;

	if (!k->counts)
		return -EOPNOTSUPP;
	ret = vhost_get_vring_stats(&k->vh[index / 2], index % 2, st);
	st->index = index;
	return ret;
}

static void destroy(struct net_backend *backend)
{
	struct net_kernel *k = to_kernel(backend);

	while (k->pairs)
		vhost_close(&k->vh[--k->pairs]);
	free(k);
}

static const struct net_backend_ops ops = {
	.start = start,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.stats = stats,
	.destroy = destroy,
};

static int open_pair(struct net_kernel *k)
{
	const struct net_setup *setup = k->setup;
	struct vhost *vh = &k->vh[k->pairs];
	int ret = vhost_open(vh, setup->opt->node, "kvhost_net", setup->name);

	if (ret)
		return ret;
	k->pairs++;
	ret = vhost_set_owner(vh);
	if (!ret)
		ret = vhost_get_features(vh, &k->known);
	if (!ret && setup->opt->registered)
		ret = vhost_set_mem_mode(vh, true);
	return ret ? ret : vhost_set_memory(vh, setup->mem);
}

/**
 * net_kernel_create() - have the kernel serve a network device
 * @backend: filled in
 * @setup:   what interface, and whose memory
 *
 * Return: 0, -ENOMEM, or -errno of the kernel.
 */
int net_kernel_create(struct net_backend **backend, struct net_setup *setup)
{
	struct net_kernel *k;
	int ret = 0;

	k = calloc(1, sizeof(*k) + setup->port->nfds * sizeof(k->vh[0]));
	if (!k)
		return -ENOMEM;
	k->base.ops = &ops;
	k->setup = setup;
	while (!ret && k->pairs < setup->port->nfds)
		ret = open_pair(k);
	if (ret) {
		destroy(&k->base);
		return ret;
	}
	/* Stopping and starting one queue is all that a ring reset takes. */
	k->base.features = k->known | VIRTIO_BIT(VIRTIO_F_RING_RESET);
	k->counts = vhost_counts(&k->vh[0]);
	*backend = &k->base;
	return 0;
}
