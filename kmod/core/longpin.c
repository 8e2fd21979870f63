// SPDX-License-Identifier: GPL-2.0
/*
 * longpin.c - pin pages of the owner's memory for longer than a request.
 *
 * A file system has to hear of every write to a page of its file, or it loses
 * the write at a crash and may find a state it has no name for. A long-term pin
 * writes without a word. Newer kernels therefore refuse to pin a shared mapping
 * of a file for long; this file does the same on every kernel.
 */
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include "core.h"

/* Most pages pinned by one call. */
#define LONGPIN_STEP	512ul

/*
 * Anonymous memory, tmpfs, memfd, hugetlbfs and device memory are written back
 * by nobody. The pin keeps the page from becoming another's.
 */
static bool longpin_allowed(struct page *page)
{
	struct folio *folio = page_folio(page);

	return !READ_ONCE(folio->mapping) || folio_test_anon(folio) ||
	       folio_test_swapbacked(folio) || PageHuge(page) || is_zone_device_page(page);
}

static bool longpin_all_allowed(struct page **pages, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		if (!longpin_allowed(pages[i]))
			return false;
	return true;
}

/**
 * kvh_longpin() - pin whole pages until unpin_user_pages()
 * @start: user address of the first page
 * @nr:    pages, not 0
 * @write: they will be written to
 * @pages: result
 *
 * Context: Process context with the owner's address space in use. May sleep.
 * Return: 0; -EFAULT for memory that is not there or does not allow the access,
 * and with @write for a shared mapping of a file; or what pinning fails with.
 * On failure nothing stays pinned
 */
int kvh_longpin(unsigned long start, unsigned long nr, bool write, struct page **pages)
{
	unsigned int flags = FOLL_LONGTERM | (write ? FOLL_WRITE : 0);
	unsigned long done;
	int got = 0;

	for (done = 0; done < nr; done += got) {
		got = pin_user_pages_fast(start + (done << PAGE_SHIFT),
					  min(nr - done, LONGPIN_STEP), flags, pages + done);
		if (got <= 0)
			break;
	}
	if (done == nr && (!write || longpin_all_allowed(pages, nr)))
		return 0;
	unpin_user_pages(pages, done);
	return done < nr && got ? got : -EFAULT;
}
