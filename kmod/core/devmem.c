// SPDX-License-Identifier: GPL-2.0
/*
 * devmem.c - a device's guest memory: the table in force and how it is reached.
 *
 * In user mode the workers borrow the owner's address space, and what a request
 * needs is pinned for its time. In registered mode every table is pinned when
 * it is set, charged to the owner's locked-memory limit. While one table takes
 * the place of another both are pinned, and the larger of them is charged.
 *
 * A table is replaced only while nothing is in flight. Rings of registered
 * memory go with their table, and are mapped again from the new one.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include "core.h"

static int dev_check_map(struct kvh_dev *dev, const struct kvh_memmap *map)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < dev->nvqs; i++) {
		ret = kvh_vq_lock(&dev->vqs[i]);
		if (ret)
			return ret;
		if (dev->vqs[i].state != KVH_VQ_STOPPED)
			ret = kvh_vq_check(&dev->vqs[i], map);
		mutex_unlock(&dev->vqs[i].lock);
	}
	return ret;
}

static unsigned long map_pages(const struct kvh_memmap *map)
{
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < map->nr; i++)
		n += kvh_regmem_pages(&map->region[i]);
	return n;
}

/* Have the owner charged for @pages in all. Return: 0 or -ENOMEM */
static int dev_charge(struct kvh_dev *dev, unsigned long pages)
{
	int ret = 0;

	if (pages > dev->locked)
		ret = kvh_memlock_charge(dev, pages - dev->locked);
	else if (pages < dev->locked)
		kvh_memlock_uncharge(dev, dev->locked - pages);
	if (!ret)
		dev->locked = pages;
	return ret;
}

/* Charge and pin a table that shall be the device's. */
static int dev_register(struct kvh_dev *dev, struct kvh_memmap *map)
{
	unsigned long before = dev->locked;
	int ret;

	if (map->unusable)
		return -EFAULT;
	ret = dev_charge(dev, max(before, map_pages(map)));
	if (ret)
		return ret;
	ret = kvh_regmem_pin(map);
	if (ret)
		dev_charge(dev, before);
	return ret;
}

/*
 * Give a queue its table. A ring that lay in registered memory, or shall, is
 * mapped anew; should that fail, the worker tries again and breaks the queue.
 */
static void vq_set_map(struct kvh_vq *vq, struct kvh_memmap *map)
{
	bool anew;

	mutex_lock(&vq->lock);
	anew = vq->mapped && (map->registered || (vq->env.map && vq->env.map->registered));
	if (anew)
		kvh_vq_unmap(vq);
	vq->env.map = map;
	if (anew)
		kvh_vq_map(vq);
	mutex_unlock(&vq->lock);
}

static void dev_free_map(struct kvh_memmap *map)
{
	if (map)
		kvh_regmem_unpin(map);
	kvfree(map);
}

/**
 * kvh_dev_set_map() - use another region table
 * @dev: device
 * @map: table; the device's on success
 *
 * On return nothing in flight uses the old table.
 *
 * Context: Process context of the owner, device lock held. Waits for the
 * backend.
 * Return: 0, -EFAULT if the ring of a running queue is not in @map, or -EINTR
 * if the caller is being killed; in registered mode also -ENOMEM beyond the
 * locked-memory limit and as kvh_regmem_pin()
 */
int kvh_dev_set_map(struct kvh_dev *dev, struct kvh_memmap *map)
{
	unsigned long before = dev->locked;
	unsigned int i;
	int ret;

	lockdep_assert_held(&dev->lock);
	kvh_memlock_caller(dev);
	ret = dev_check_map(dev, map);
	if (!ret && dev->registered)
		ret = dev_register(dev, map);
	if (ret)
		return ret;
	ret = kvh_dev_hold(dev);
	if (ret) {
		kvh_regmem_unpin(map);
		dev_charge(dev, before);
		return ret;
	}
	swap(dev->map, map);
	for (i = 0; i < dev->nvqs; i++)
		vq_set_map(&dev->vqs[i], dev->map);
	kvh_dev_resume(dev);
	dev_free_map(map);
	dev_charge(dev, dev->registered ? map_pages(dev->map) : 0);
	return 0;
}

static struct kvh_memmap *map_copy(const struct kvh_memmap *map)
{
	struct kvh_memmap *copy = kvh_memmap_alloc(map->nr);
	unsigned int i;

	if (!copy)
		return NULL;
	copy->nr = map->nr;
	copy->unusable = map->unusable;
	for (i = 0; i < map->nr; i++) {
		copy->region[i] = map->region[i];
		copy->region[i].reg = NULL;
	}
	return copy;
}

/**
 * kvh_dev_set_mem_mode() - how guest memory shall be reached
 * @dev:        device with an owner
 * @registered: pin all of it
 *
 * A table that is in force is pinned or let go of at once, later ones when they
 * are set. On failure nothing has changed.
 *
 * Context: Process context of the owner, device lock held. Waits for the
 * backend.
 * Return: 0, -ENOMEM, or as kvh_dev_set_map()
 */
int kvh_dev_set_mem_mode(struct kvh_dev *dev, bool registered)
{
	struct kvh_memmap *copy;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (dev->registered == registered)
		return 0;
	if (!dev->map) {
		dev->registered = registered;
		return 0;
	}
	copy = map_copy(dev->map);
	if (!copy)
		return -ENOMEM;
	dev->registered = registered;
	ret = kvh_dev_set_map(dev, copy);
	if (ret) {
		dev->registered = !registered;
		kvfree(copy);
	}
	return ret;
}

/**
 * kvh_dev_forget_map() - let go of all guest memory; user mode again
 * @dev: device, its queues stopped and reset
 *
 * Context: Process context, device lock held.
 */
void kvh_dev_forget_map(struct kvh_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	dev_free_map(dev->map);
	dev->map = NULL;
	dev->registered = false;
	if (dev->mm)
		dev_charge(dev, 0);
}
