// SPDX-License-Identifier: GPL-2.0
/*
 * ringmem.c - ring parts of a queue, pinned and mapped into the kernel.
 *
 * A part is pinned for as long as its queue runs, charged to the owner's
 * locked-memory limit, and reached by plain loads and stores. What the device
 * only reads is mapped read-only, so that a store to a descriptor or to the
 * avail ring cannot happen (2.7.5.1, 2.7.6).
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
 * @uaddr: address in the caller's memory
 * @len:   bytes, not 0
 * @write: the device writes to it
 *
 * Context: Process context of the owner. May sleep.
 * Return: 0; -EFAULT if the memory is not there or may not be pinned, -ENOMEM
 * also when the locked-memory limit is reached, or what pinning fails with
 */
int kvh_ringmem_map(struct kvh_ringmem *rm, u64 uaddr, size_t len, bool write)
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
	ret = account_locked_vm(current->mm, rm->nr, true);
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
	account_locked_vm(current->mm, rm->nr, false);
err_free:
	kvfree(rm->pages);
	memset(rm, 0, sizeof(*rm));
	return ret;
}

/**
 * kvh_ringmem_unmap() - undo kvh_ringmem_map(); nothing to do for an empty one
 * @rm: ring part
 * @mm: the owner's address space
 *
 * Context: Process context, the queue not using @rm. May sleep.
 */
void kvh_ringmem_unmap(struct kvh_ringmem *rm, struct mm_struct *mm)
{
	if (!rm->ptr)
		return;
	vunmap((void *)((unsigned long)rm->ptr & PAGE_MASK));
	unpin_user_pages_dirty_lock(rm->pages, rm->nr, rm->dirty);
	account_locked_vm(mm, rm->nr, false);
	kvfree(rm->pages);
	memset(rm, 0, sizeof(*rm));
}
