// SPDX-License-Identifier: GPL-2.0
/* Is there page_frag_cache_drain()? */
#include <linux/gfp.h>
#include <linux/mm_types.h>

void probe(struct page_frag_cache *nc)
{
	page_frag_cache_drain(nc);
}
