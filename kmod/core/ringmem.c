// SPDX-License-Identifier: GPL-2.0
/*
 * ringmem.c - ring parts of a queue, pinned and mapped into the kernel.
 *
 * A part is pinned for as long as its queue runs, charged to the owner's
 * locked-memory limit, and reached by plain loads and stores. What the device
 * only reads is mapped read-only, so that a store to a descriptor or to the
 * avail ring cannot happen (2.7.5.1, 2.7.6). Registered memory is pinned and
 * charged already, so its pages are only mapped.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "core.h"

static int ringmem_pin(struct kvh_ringmem *rm, unsigned long start, bool write)
{
	int got;

	/*
	 * Ask for write access even to what is only read: a page never written
	 * yet would otherwise be pinned as the shared zero page, and the
	 * driver's later store would go to another one. Memory that is truly
	 * read-only falls back.
	 */
	got = pin_user_pages_fast(start, rm->nr, FOLL_WRITE | FOLL_LONGTERM, rm->pages);
	if (got != rm->nr && !write) {
		if (got > 0)
			unpin_user_pages(rm->pages, got);
		got = pin_user_pages_fast(start, rm->nr, FOLL_LONGTERM, rm->pages);
	}
	if (got == rm->nr)
		return 0;
	if (got > 0)
		unpin_user_pages(rm->pages, got);
	return got < 0 ? got : -EFAULT;
}

/**
 * kvh_ringmem_map() - pin and map one ring part
 * @rm:    what to fill
 * @dev:   device whose owner is charged
 * @uaddr: address in the owner's memory
 * @len:   bytes, not 0
 * @write: the device writes to it
 *
 * Context: Process context of the owner, or worker with the owner's address
 * space in use. May sleep.
 * Return: 0; -EFAULT if the memory is not there or may not be pinned, -ENOMEM
 * also when the locked-memory limit is reached, or what pinning fails with
 */
int kvh_ringmem_map(struct kvh_ringmem *rm, struct kvh_dev *dev, u64 uaddr, size_t len,
		    bool write)
{
	unsigned int off = offset_in_page(uaddr);
	void *va;
	int ret;

	memset(rm, 0, sizeof(*rm));
	rm->nr = DIV_ROUND_UP(off + len, PAGE_SIZE);
	rm->uaddr = uaddr;
	rm->dirty = write;
	rm->pages = kvmalloc_array(rm->nr, sizeof(*rm->pages), GFP_KERNEL);
	if (!rm->pages)
		return -ENOMEM;
	ret = kvh_memlock_charge(dev, rm->nr);
	if (ret)
		goto err_free;
	ret = ringmem_pin(rm, uaddr & PAGE_MASK, write);
	if (ret)
		goto err_account;
	va = vmap(rm->pages, rm->nr, VM_MAP, write ? PAGE_KERNEL : PAGE_KERNEL_RO);
	if (!va) {
		ret = -ENOMEM;
		goto err_unpin;
	}
	rm->ptr = va + off;
	return 0;

err_unpin:
	unpin_user_pages(rm->pages, rm->nr);
err_account:
	kvh_memlock_uncharge(dev, rm->nr);
err_free:
	kvfree(rm->pages);
	memset(rm, 0, sizeof(*rm));
	return ret;
}

static int ringmem_collect(struct page **pages, unsigned int nr, struct kvh_env *env, u64 uaddr)
{
	unsigned int i;
	u64 run;

	for (i = 0; i < nr; i++) {
		pages[i] = kvh_env_user_page(env, uaddr, &run);
		if (!pages[i])
			return -EFAULT;
		uaddr = ALIGN_DOWN(uaddr, PAGE_SIZE) + PAGE_SIZE;
	}
	return 0;
}

/**
 * kvh_ringmem_map_registered() - map one ring part of registered memory
 * @rm:    what to fill
 * @env:   the memory; outlives the mapping
 * @uaddr: address in the owner's memory
 * @len:   bytes, not 0
 * @write: the device writes to it
 *
 * Context: Process context, queue lock held. May sleep.
 * Return: 0; -EFAULT if the part is not wholly in one region; -ENOMEM
 */
int kvh_ringmem_map_registered(struct kvh_ringmem *rm, struct kvh_env *env, u64 uaddr,
			       size_t len, bool write)
{
	unsigned int off = offset_in_page(uaddr);
	struct page **pages;
	void *va = NULL;
	int ret;

	memset(rm, 0, sizeof(*rm));
	if (!kvh_memmap_has_user_range(env->map, uaddr, len))
		return -EFAULT;
	rm->nr = DIV_ROUND_UP(off + len, PAGE_SIZE);
	rm->uaddr = uaddr;
	rm->dirty = write;
	pages = kvmalloc_array(rm->nr, sizeof(*pages), GFP_KERNEL);
	ret = pages ? ringmem_collect(pages, rm->nr, env, uaddr) : -ENOMEM;
	if (!ret)
		va = vmap(pages, rm->nr, VM_MAP, write ? PAGE_KERNEL : PAGE_KERNEL_RO);
	kvfree(pages);
	if (!va)
		return ret ? ret : -ENOMEM;
	rm->ptr = va + off;
	return 0;
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
		kvh_memlock_uncharge(dev, rm->nr);
		kvfree(rm->pages);
	}
	memset(rm, 0, sizeof(*rm));
}
