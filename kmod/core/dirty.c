// SPDX-License-Identifier: GPL-2.0
/*
 * dirty.c - the dirty log of live migration.
 *
 * The owner gives a bitmap in its memory, one bit for each 4 KiB page of guest
 * physical memory (VHOST_SET_LOG_BASE), and asks for it to be kept by
 * negotiating VHOST_F_LOG_ALL. Marks are made in the worker, after the data
 * is in place and before the completion becomes visible.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include "core.h"

#define DIRTY_PAGE_SHIFT	12

/**
 * kvh_dirty_on() - is the queue's dirty log to be kept?
 * @vq: queue
 *
 * Context: Queue lock held.
 * Return: true if writes into guest memory have to be marked
 */
bool kvh_dirty_on(const struct kvh_vq *vq)
{
	return unlikely(vq->features & BIT_ULL(VHOST_F_LOG_ALL)) && vq->log_base;
}

/* Set bits [@first, @last] of the bitmap; they lie in one page of it. */
static int dirty_set(u64 base, u64 first, u64 last)
{
	u64 uaddr = base + first / 8;
	struct page *page;
	void *va;
	u64 bit;
	int ret;

	ret = pin_user_pages_fast(uaddr & PAGE_MASK, 1, FOLL_WRITE, &page);
	if (ret != 1)
		return -EFAULT;
	va = kmap_local_page(page);
	for (bit = first; bit <= last; bit++)
		set_bit((offset_in_page(base + bit / 8) * 8) + bit % 8, va);
	kunmap_local(va);
	unpin_user_pages_dirty_lock(&page, 1, true);
	return 0;
}

/*
 * A bitmap that cannot be reached breaks the queue: migrating without the mark
 * would lose data.
 */
static void dirty_mark_gpa(struct kvh_vq *vq, u64 gpa, u64 len)
{
	u64 bit = gpa >> DIRTY_PAGE_SHIFT, end, stop;

	end = (gpa + len - 1) >> DIRTY_PAGE_SHIFT;
	for (; bit <= end; bit = stop + 1) {
		/* Bits left in the bitmap's page that holds @bit. */
		stop = bit + (PAGE_SIZE - offset_in_page(vq->log_base + bit / 8)) * 8 - bit % 8 - 1;
		stop = min(stop, end);
		if (dirty_set(vq->log_base, bit, stop)) {
			kvh_vq_break(vq, KVH_FAULT_NONE);
			return;
		}
	}
	if (vq->log_ctx)
		eventfd_signal(vq->log_ctx);
}

/**
 * kvh_dirty_mark() - note that guest memory was written
 * @vq:   queue
 * @addr: address as the driver gave it
 * @len:  bytes
 *
 * Context: Worker, queue lock held, owner's address space in use.
 */
void kvh_dirty_mark(struct kvh_vq *vq, u64 addr, u64 len)
{
	u64 uaddr, run;

	if (!kvh_dirty_on(vq) || !len)
		return;
	if (!vq->env.iotlb) {
		dirty_mark_gpa(vq, addr, len);
		return;
	}
	/* Mappings stay while requests that use them are in flight. */
	for (; len; addr += run, len -= run) {
		if (kvh_iotlb_find(vq, addr, len, true, &uaddr, &run)) {
			kvh_vq_break(vq, KVH_FAULT_NONE);
			return;
		}
		kvh_dirty_mark_user(vq, uaddr, run);
	}
}

/**
 * kvh_dirty_mark_user() - note a write to guest memory known by its user address
 * @vq:    queue
 * @uaddr: user address
 * @len:   bytes; what lies in no region is not guest memory and needs no mark
 *
 * Context: Worker, queue lock held, owner's address space in use.
 */
void kvh_dirty_mark_user(struct kvh_vq *vq, u64 uaddr, u64 len)
{
	const struct kvh_memmap *map = vq->env.map;
	unsigned int i;

	if (!kvh_dirty_on(vq) || !map)
		return;
	for (i = 0; i < map->nr; i++) {
		const struct kvh_region *r = &map->region[i];
		u64 from = max(uaddr, r->uaddr);
		u64 to = min(uaddr + len, r->uaddr + r->size);

		if (from < to)
			dirty_mark_gpa(vq, r->gpa + (from - r->uaddr), to - from);
	}
}
