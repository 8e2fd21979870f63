// SPDX-License-Identifier: GPL-2.0
/*
 * run.c - what a backend needs that starts its queues by itself.
 *
 * Stopping is vq.c's, holding and resuming quiesce.c's. Callers hold the device lock.
 */
#include "core.h"

/**
 * kvh_vq_has_addr() - has the owner said where the ring is?
 * @vq: queue
 *
 * Context: Process context, device lock held.
 * Return: true if so; whether there is a ring, kvh_vq_run() finds out
 */
bool kvh_vq_has_addr(const struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->dev->lock);
	return vq->addr_set;
}
EXPORT_SYMBOL_GPL(kvh_vq_has_addr);

/**
 * kvh_vq_has_memory() - is it known what addresses of a queue mean?
 * @vq: queue
 *
 * Context: Process context, device lock held.
 * Return: true if there is a memory table, or a device IOTLB to be filled
 */
bool kvh_vq_has_memory(const struct kvh_vq *vq)
{
	lockdep_assert_held(&vq->dev->lock);
	if (vq->env.map && vq->env.map->unusable)
		return false;
	return vq->env.iotlb || vq->env.map;
}
EXPORT_SYMBOL_GPL(kvh_vq_has_memory);

/**
 * kvh_vq_run() - start a queue, with a worker of its own if it has none
 * @vq: queue of a device with an owner; nothing to do unless stopped
 *
 * Context: Process context of the owner, device lock held.
 * Return: 0, or as kvh_pool_need() and kvh_vq_start()
 */
int kvh_vq_run(struct kvh_vq *vq)
{
	int ret = kvh_pool_need(vq);

	return ret ? ret : kvh_vq_start(vq);
}
EXPORT_SYMBOL_GPL(kvh_vq_run);
