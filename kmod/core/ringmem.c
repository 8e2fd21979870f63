// SPDX-License-Identifier: GPL-2.0
/*
 * ringmem.c - ring parts of a queue, pinned and mapped into the kernel.
 *
 * A part is pinned for as long as its queue runs, charged to the owner's
 * locked-memory limit, and reached by plain loads and stores. What the device
 * only reads is mapped read-only, so that a store to a descriptor or to the
 * avail ring cannot happen (2.7.5.1, 2.7.6). Registered memory is pinned and
 * charged already, so its pages are only mapped.
 *
 * The device may write to a part that lies in a shared mapping of a file on
 * disk, but its pages must not stay pinned (see longpin.c). Such a part is
 * brief: the worker maps it for one turn, as a direct read from disk would.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "core.h"

/**
 * kvh_ringplace_init() - begin to collect the pages of a ring part
 * @place: what to fill
 * @len:   bytes of the part, not 0
 *
 * Context: Process context.
 * Return: 0 or -ENOMEM
 */
int kvh_ringplace_init(struct kvh_ringplace *place, size_t len)
{
	*place = (struct kvh_ringplace){ .max = DIV_ROUND_UP(len, PAGE_SIZE) + 1 };
	place->at = kmalloc_array(place->max, sizeof(*place->at), GFP_KERNEL);
	return place->at ? 0 : -ENOMEM;
}

/**
 * kvh_ringplace_add() - append a run of the owner's memory
 * @place: place
 * @uaddr: where the run begins
 * @len:   bytes, not 0
 *
 * Runs that do not touch have to meet at page borders: the kernel maps pages.
 *
 * Context: Any.
 * Return: 0, or -EFAULT if the run cannot follow the one before
 */
int kvh_ringplace_add(struct kvh_ringplace *place, u64 uaddr, u64 len)
{
	u64 page = ALIGN_DOWN(uaddr, PAGE_SIZE);

	if (!place->nr)
		place->off = offset_in_page(uaddr);
	else if (uaddr == place->end)
		page = ALIGN(uaddr, PAGE_SIZE);
	else if (!PAGE_ALIGNED(uaddr) || !PAGE_ALIGNED(place->end))
		return -EFAULT;
	for (; page < uaddr + len; page += PAGE_SIZE) {
		if (place->nr == place->max)
			return -EFAULT;
		place->at[place->nr++] = page;
	}
	place->end = uaddr + len;
	return 0;
}

/**
 * kvh_ringplace_free() - undo kvh_ringplace_init()
 * @place: place
 *
 * Context: Any.
 */
void kvh_ringplace_free(struct kvh_ringplace *place)
{
	kfree(place->at);
}

static int ringmem_pin_brief(unsigned long start, unsigned int nr, struct page **pages)
{
	int got = pin_user_pages_fast(start, nr, FOLL_WRITE, pages);

	if (got == nr)
		return 0;
	if (got > 0)
		unpin_user_pages(pages, got);
	return got < 0 ? got : -EFAULT;
}

/* Pin @nr pages that follow each other in the owner's memory. */
static int ringmem_pin_run(struct kvh_ringmem *rm, unsigned long start, unsigned int nr,
			   struct page **pages)
{
	int ret;

	/*
	 * Ask for write access even to what is only read: a page never written
	 * yet would otherwise be pinned as the shared zero page, and the
	 * driver's later store would go to another one. Memory that is truly
	 * read-only falls back.
	 */
	ret = kvh_longpin(start, nr, true, pages);
	if (ret && !rm->dirty)
		return kvh_longpin(start, nr, false, pages);
	if (ret != -EFAULT && ret != -EOPNOTSUPP)
		return ret;
	rm->brief = true;
	return ringmem_pin_brief(start, nr, pages);
}

static int ringmem_pin(struct kvh_ringmem *rm, const struct kvh_ringplace *place)
{
	unsigned int done, n;
	int ret = 0;

	for (done = 0; done < rm->nr; done += n) {
		for (n = 1; done + n < rm->nr; n++)
			if (place->at[done + n] != place->at[done] + n * PAGE_SIZE)
				break;
		ret = ringmem_pin_run(rm, place->at[done], n, rm->pages + done);
		if (ret)
			break;
	}
	if (ret)
		unpin_user_pages(rm->pages, done);
	return ret;
}

static int ringmem_vmap(struct kvh_ringmem *rm, struct page **pages, unsigned int off)
{
	void *va = vmap(pages, rm->nr, VM_MAP, rm->dirty ? PAGE_KERNEL : PAGE_KERNEL_RO);

	if (!va)
		return -ENOMEM;
	rm->ptr = va + off;
	return 0;
}

/* As kvh_ringmem_map(), with pins of its own. */
static int ringmem_map_pinned(struct kvh_ringmem *rm, struct kvh_dev *dev,
			      const struct kvh_ringplace *place)
{
	int ret;

	rm->pages = kvmalloc_array(rm->nr, sizeof(*rm->pages), GFP_KERNEL);
	if (!rm->pages)
		return -ENOMEM;
	ret = ringmem_pin(rm, place);
	if (ret)
		goto err_free;
	/* What is pinned for a turn is not locked. */
	if (!rm->brief)
		ret = kvh_memlock_charge(dev, rm->nr);
	if (ret)
		goto err_unpin;
	ret = ringmem_vmap(rm, rm->pages, place->off);
	if (!ret)
		return 0;
	if (!rm->brief)
		kvh_memlock_uncharge(dev, rm->nr);
err_unpin:
	unpin_user_pages(rm->pages, rm->nr);
err_free:
	kvfree(rm->pages);
	return ret;
}

/* As kvh_ringmem_map(), of registered memory; -EFAULT if not all of it is. */
static int ringmem_map_registered(struct kvh_ringmem *rm, struct kvh_env *env,
				  const struct kvh_ringplace *place)
{
	struct page **pages = kvmalloc_array(rm->nr, sizeof(*pages), GFP_KERNEL);
	unsigned int i;
	int ret = 0;
	u64 run;

	if (!pages)
		return -ENOMEM;
	for (i = 0; !ret && i < rm->nr; i++) {
		pages[i] = kvh_env_user_page(env, place->at[i] + (i ? 0 : place->off), &run);
		ret = pages[i] ? 0 : -EFAULT;
	}
	if (!ret)
		ret = ringmem_vmap(rm, pages, place->off);
	kvfree(pages);
	return ret;
}

/**
 * kvh_ringmem_map() - map one ring part, pinning it unless it is registered
 * @rm:    what to fill
 * @dev:   device whose owner is charged
 * @env:   guest memory; outlives the mapping if it is registered
 * @place: the part's pages
 * @write: the device writes to it
 *
 * Context: Process context of the owner, or worker with the owner's address
 * space in use; queue lock held. May sleep.
 * Return: 0; -EFAULT if the memory is not there, -ENOMEM also when the
 * locked-memory limit is reached, or what pinning fails with
 */
int kvh_ringmem_map(struct kvh_ringmem *rm, struct kvh_dev *dev, struct kvh_env *env,
		    const struct kvh_ringplace *place, bool write)
{
	int ret = -EFAULT;

	*rm = (struct kvh_ringmem){ .nr = place->nr, .dirty = write };
	if (kvh_env_registered(env))
		ret = ringmem_map_registered(rm, env, place);
	if (ret == -EFAULT)
		ret = ringmem_map_pinned(rm, dev, place);
	if (ret)
		*rm = (struct kvh_ringmem){ };
	return ret;
}

/**
 * kvh_ringmem_unmap() - undo kvh_ringmem_map(); nothing to do for an empty one
 * @rm:  ring part
 * @dev: device whose owner was charged
 *
 * Context: Process context, the queue not using @rm. May sleep.
 */
void kvh_ringmem_unmap(struct kvh_ringmem *rm, struct kvh_dev *dev)
{
	if (!rm->ptr)
		return;
	vunmap((void *)((unsigned long)rm->ptr & PAGE_MASK));
	if (rm->pages) {
		unpin_user_pages_dirty_lock(rm->pages, rm->nr, rm->dirty);
		if (!rm->brief)
			kvh_memlock_uncharge(dev, rm->nr);
		kvfree(rm->pages);
	}
	*rm = (struct kvh_ringmem){ };
}
