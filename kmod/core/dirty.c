// SPDX-License-Identifier: GPL-2.0
/*
 * dirty.c - the dirty log of live migration.
 *
 * The owner gives a bitmap in its memory, one bit for each 4 KiB page of guest
 * physical memory (VHOST_SET_LOG_BASE), and asks for it to be kept by
 * negotiating VHOST_F_LOG_ALL, and of the used ring by VHOST_VRING_F_LOG. A
 * write that cannot be marked breaks the queue. Marks are made in the worker, after the data
 * is in place and before the completion becomes visible.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/uaccess.h>
#include "core.h"

#define DIRTY_PAGE_SHIFT	12

/* Bytes of guest memory that one byte of the bitmap stands for. */
#define PAGE_BITS	(8ull << DIRTY_PAGE_SHIFT)

/* Bitmap bytes that vhost checks for @len bytes of guest memory. */
static u64 log_bytes(u64 len)
{
	return (len + PAGE_BITS - 1) >> (DIRTY_PAGE_SHIFT + 3);
}

static bool log_reaches(u64 base, u64 gpa, u64 len)
{
	u64 at;

	return !check_add_overflow(base, gpa >> (DIRTY_PAGE_SHIFT + 3), &at) &&
	       access_ok((void __user *)(unsigned long)at, log_bytes(len));
}

/**
 * kvh_dirty_check() - check that what a queue writes can be marked
 * @vq:       queue, its size and IOTLB being set
 * @map:      guest memory
 * @addr:     ring addresses, with %VHOST_VRING_F_LOG and log_guest_addr
 * @base:     user address of the bitmap
 * @features: acknowledged feature bits
 *
 * Checks addresses alone, as vhost does. A bitmap that is not there is found
 * at the first mark, which breaks the queue.
 *
 * Context: Device or queue lock held.
 * Return: 0, or -EFAULT if a part of the bitmap would not be a user address
 */
int kvh_dirty_check(const struct kvh_vq *vq, const struct kvh_memmap *map,
		    const struct vhost_vring_addr *addr, u64 base, u64 features)
{
	unsigned int i;

	if (features & BIT_ULL(VHOST_F_LOG_ALL))
		for (i = 0; i < map->nr; i++)
			if (!log_reaches(base, map->region[i].gpa, map->region[i].size))
				return -EFAULT;
	if ((addr->flags & BIT(VHOST_VRING_F_LOG)) && !vq->env.iotlb &&
	    !log_reaches(base, addr->log_guest_addr,
			 kvh_ring_device_bytes(kvh_vq_layout(vq), vq->size)))
		return -EFAULT;
	return 0;
}

/*
 * Get hold of the bitmap's page at @uaddr. Whoever stands in for a dead worker has
 * page faults disabled, which pinning does not heed.
 */
static struct page *dirty_page_get(u64 uaddr)
{
	struct page *page;
	int n;

	if (pagefault_disabled())
		n = get_user_pages_fast_only(uaddr & PAGE_MASK, 1, FOLL_WRITE, &page);
	else
		n = pin_user_pages_fast(uaddr & PAGE_MASK, 1, FOLL_WRITE, &page);
	return n == 1 ? page : NULL;
}

static void dirty_page_put(struct page *page)
{
	if (pagefault_disabled()) {
		set_page_dirty_lock(page);
		put_page(page);
	} else {
		unpin_user_pages_dirty_lock(&page, 1, true);
	}
}

/* Set bits [@first, @last] of the bitmap; they lie in one page of it. */
static int dirty_set(u64 base, u64 first, u64 last)
{
	u64 uaddr = base + first / 8;
	struct page *page;
	void *va;
	u64 bit;

	page = dirty_page_get(uaddr);
	if (!page)
		return -EFAULT;
	va = kmap_local_page(page);
	for (bit = first; bit <= last; bit++)
		set_bit((offset_in_page(base + bit / 8) * 8) + bit % 8, va);
	kunmap_local(va);
	dirty_page_put(page);
	return 0;
}

/*
 * Something written could not be marked. Migrating without the mark would lose it,
 * so the queue breaks. Without LOG_ALL nobody migrates, and the bitmap may be gone.
 */
static void dirty_lost(struct kvh_vq *vq)
{
	if (kvh_dirty_on(vq))
		kvh_vq_break(vq, KVH_FAULT_NONE);
}

/**
 * kvh_dirty_mark_gpa() - mark guest memory by its guest physical address
 * @vq:  queue
 * @gpa: guest physical address
 * @len: bytes, not 0
 *
 * A bitmap that cannot be reached breaks the queue.
 *
 * Context: Worker, queue lock held, owner's address space in use.
 */
void kvh_dirty_mark_gpa(struct kvh_vq *vq, u64 gpa, u64 len)
{
	u64 bit = gpa >> DIRTY_PAGE_SHIFT, end, stop;

	lockdep_assert_held(&vq->lock);
	end = (gpa + len - 1) >> DIRTY_PAGE_SHIFT;
	for (; bit <= end; bit = stop + 1) {
		/* Bits left in the bitmap's page that holds @bit. */
		stop = bit + (PAGE_SIZE - offset_in_page(vq->log_base + bit / 8)) * 8 - bit % 8 - 1;
		stop = min(stop, end);
		if (dirty_set(vq->log_base, bit, stop)) {
			dirty_lost(vq);
			return;
		}
	}
	if (vq->log_ctx)
		eventfd_signal(vq->log_ctx);
}

/* How far regions that touch hold what follows @at. Return: first byte that none does */
static u64 held_up_to(const struct kvh_memmap *map, u64 at, u64 end)
{
	unsigned int i = 0;

	while (i < map->nr && at < end) {
		const struct kvh_region *r = &map->region[i++];

		if (at >= r->uaddr && at - r->uaddr < r->size) {
			at = r->uaddr + r->size;
			i = 0;
		}
	}
	return at;
}

/**
 * kvh_dirty_mark_user() - mark guest memory by its user address
 * @vq:    queue
 * @uaddr: user address
 * @len:   bytes, not 0
 *
 * Several regions may have a user address: all of them are marked.
 *
 * Context: Worker, queue lock held, owner's address space in use.
 * Return: true if every byte lies in a region
 */
bool kvh_dirty_mark_user(struct kvh_vq *vq, u64 uaddr, u64 len)
{
	const struct kvh_memmap *map = vq->env.map;
	unsigned int i;

	for (i = 0; i < map->nr; i++) {
		const struct kvh_region *r = &map->region[i];
		u64 from = max(uaddr, r->uaddr);
		u64 to = min(uaddr + len, r->uaddr + r->size);

		if (from < to)
			kvh_dirty_mark_gpa(vq, r->gpa + (from - r->uaddr), to - from);
	}
	return held_up_to(map, uaddr, uaddr + len) >= uaddr + len;
}

/**
 * kvh_dirty_mark_iova() - mark guest memory by its I/O virtual address
 * @vq:   queue with a device IOTLB
 * @iova: address
 * @len:  bytes
 *
 * Memory that lies in no region has no bit in the bitmap: the queue breaks.
 *
 * Context: Worker, queue lock held, owner's address space in use.
 */
void kvh_dirty_mark_iova(struct kvh_vq *vq, u64 iova, u64 len)
{
	u64 uaddr, run;

	/* Mappings stay while requests that use them are in flight. */
	for (; len; iova += run, len -= run) {
		if (kvh_iotlb_find(vq, iova, len, true, &uaddr, &run) ||
		    !kvh_dirty_mark_user(vq, uaddr, run)) {
			dirty_lost(vq);
			return;
		}
	}
}

/**
 * kvh_dirty_mark() - mark guest memory by the driver's address, if it is logged
 * @vq:   queue
 * @addr: address as the driver gave it
 * @len:  bytes
 *
 * Context: Worker, queue lock held, owner's address space in use.
 */
void kvh_dirty_mark(struct kvh_vq *vq, u64 addr, u64 len)
{
	if (!kvh_dirty_on(vq) || !len)
		return;
	if (vq->env.iotlb)
		kvh_dirty_mark_iova(vq, addr, len);
	else
		kvh_dirty_mark_gpa(vq, addr, len);
}
