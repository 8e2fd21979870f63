// SPDX-License-Identifier: GPL-2.0
/*
 * regmem.c - registered guest memory: regions pinned once, found by number.
 *
 * A region of user memory is pinned for as long as its table is in force, so
 * that its pages can be reached through the kernel's own mapping, from any
 * context, without the owner's address space. Pages are kept by chunks of 512,
 * aligned as huge pages are: a chunk that is contiguous in physical memory is
 * one word, any other has an array of its own. That is 4 KiB for each GiB of
 * huge pages and 2 MiB for each GiB of small ones; a look-up is two loads.
 *
 * Built and freed by ioctls; read by workers with the queue lock held.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "core.h"

#define CHUNK_SHIFT	9
#define CHUNK_PAGES	BIT(CHUNK_SHIFT)

/* In a chunk's word: it is contiguous, and this is its first page. */
#define CHUNK_CONTIG	BIT(0)

/**
 * struct kvh_regmem - the pages of one region; constant once built
 * @first: number of the first page in the owner's address space
 * @nr:    pages
 * @done:  chunks pinned, all of them once built
 * @chunk: by chunk: its first page and %CHUNK_CONTIG, or an array of its pages
 */
struct kvh_regmem {
	unsigned long first;
	unsigned long nr;
	unsigned long done;
	unsigned long chunk[];
};

/* The pages of a chunk that are the region's: the first, and how many. */
static unsigned long chunk_first(const struct kvh_regmem *rm, unsigned long i)
{
	return max(rm->first, ((rm->first >> CHUNK_SHIFT) + i) << CHUNK_SHIFT);
}

static unsigned long chunk_nr(const struct kvh_regmem *rm, unsigned long i)
{
	unsigned long end = ((rm->first >> CHUNK_SHIFT) + i + 1) << CHUNK_SHIFT;

	return min(rm->first + rm->nr, end) - chunk_first(rm, i);
}

static unsigned long chunks_of(unsigned long first, unsigned long nr)
{
	return ((first + nr - 1) >> CHUNK_SHIFT) - (first >> CHUNK_SHIFT) + 1;
}

/**
 * kvh_regmem_pages() - how many pages a region has
 * @r: region
 *
 * Context: Any.
 * Return: pages it touches
 */
unsigned long kvh_regmem_pages(const struct kvh_region *r)
{
	return ((r->uaddr + r->size - 1) >> PAGE_SHIFT) - (r->uaddr >> PAGE_SHIFT) + 1;
}

static bool contiguous(struct page **pages, unsigned long n)
{
	unsigned long i;

	for (i = 1; i < n; i++)
		if (page_to_pfn(pages[i]) != page_to_pfn(pages[0]) + i)
			return false;
	return true;
}

/* Pin chunk @i and keep its pages, in @pages itself if they are scattered. */
static int chunk_take(struct kvh_regmem *rm, unsigned long i, struct page ***pages)
{
	int ret;

	if (fatal_signal_pending(current))
		return -EINTR;
	if (!*pages)
		*pages = kmalloc_array(CHUNK_PAGES, sizeof(**pages), GFP_KERNEL_ACCOUNT);
	if (!*pages)
		return -ENOMEM;
	ret = kvh_longpin(chunk_first(rm, i) << PAGE_SHIFT, chunk_nr(rm, i), true, *pages);
	if (ret)
		return ret;
	if (contiguous(*pages, chunk_nr(rm, i))) {
		rm->chunk[i] = (unsigned long)(*pages)[0] | CHUNK_CONTIG;
	} else {
		rm->chunk[i] = (unsigned long)*pages;
		*pages = NULL;
	}
	rm->done++;
	return 0;
}

static void chunk_drop(struct kvh_regmem *rm, unsigned long i)
{
	unsigned long word = rm->chunk[i], n = chunk_nr(rm, i);
	struct page **pages = (struct page **)word;

	if (word & CHUNK_CONTIG) {
		unpin_user_page_range_dirty_lock((struct page *)(word & ~CHUNK_CONTIG), n, true);
		return;
	}
	unpin_user_pages_dirty_lock(pages, n, true);
	kfree(pages);
}

static void regmem_drop(struct kvh_regmem *rm)
{
	unsigned long i;

	if (!rm)
		return;
	for (i = 0; i < rm->done; i++) {
		chunk_drop(rm, i);
		cond_resched();
	}
	kvfree(rm);
}

static int regmem_take(struct kvh_region *r)
{
	unsigned long first = r->uaddr >> PAGE_SHIFT, nr = kvh_regmem_pages(r), i;
	unsigned long chunks = chunks_of(first, nr);
	struct page **pages = NULL;
	int ret = 0;

	/* With five levels of page tables a region may be of any size: no warning. */
	r->reg = kvzalloc(struct_size(r->reg, chunk, chunks), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!r->reg)
		return -ENOMEM;
	r->reg->first = first;
	r->reg->nr = nr;
	for (i = 0; !ret && i < chunks; i++) {
		ret = chunk_take(r->reg, i, &pages);
		cond_resched();
	}
	kfree(pages);
	return ret;
}

/**
 * kvh_regmem_unpin() - let go of all pages of a table
 * @map: table that nothing uses any more, registered or not
 *
 * Context: Process context. May sleep.
 */
void kvh_regmem_unpin(struct kvh_memmap *map)
{
	unsigned int i;

	for (i = 0; i < map->nr; i++) {
		regmem_drop(map->region[i].reg);
		map->region[i].reg = NULL;
	}
	map->registered = false;
}

/**
 * kvh_regmem_pin() - pin all memory of a table
 * @map: table not in use yet
 *
 * The caller has charged the pages to the owner.
 *
 * Context: Process context of the owner. May sleep.
 * Return: 0; -EFAULT for memory that is not there, cannot be written or is a
 * shared mapping of a file on disk; -ENOMEM; -EINTR if the caller is being
 * killed. On failure nothing stays pinned
 */
int kvh_regmem_pin(struct kvh_memmap *map)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < map->nr; i++)
		ret = regmem_take(&map->region[i]);
	if (ret)
		kvh_regmem_unpin(map);
	else
		map->registered = true;
	return ret;
}

/**
 * kvh_regmem_page() - the page behind a user address of a registered region
 * @r:     region
 * @uaddr: address within it
 * @run:   result: bytes from @uaddr on that are contiguous in physical memory;
 *         may go beyond the region, by less than a page
 *
 * Context: Any.
 * Return: the page that holds @uaddr; those of @run follow it
 */
struct page *kvh_regmem_page(const struct kvh_region *r, u64 uaddr, u64 *run)
{
	const struct kvh_regmem *rm = r->reg;
	unsigned long number = uaddr >> PAGE_SHIFT;
	unsigned long i = (number >> CHUNK_SHIFT) - (rm->first >> CHUNK_SHIFT);
	unsigned long word = rm->chunk[i], off = number - chunk_first(rm, i);

	if (word & CHUNK_CONTIG) {
		*run = ((chunk_nr(rm, i) - off) << PAGE_SHIFT) - offset_in_page(uaddr);
		return (struct page *)(word & ~CHUNK_CONTIG) + off;
	}
	*run = PAGE_SIZE - offset_in_page(uaddr);
	return ((struct page **)word)[off];
}
