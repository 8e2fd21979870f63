/* SPDX-License-Identifier: GPL-2.0 */
/* Overlay: page_frag_cache_drain(). */
#ifndef KVH_COMPAT_SKBUFF_H
#define KVH_COMPAT_SKBUFF_H

#include_next <linux/skbuff.h>

#ifndef KVH_HAVE_PAGE_FRAG_CACHE_DRAIN
static inline void kvh_compat_page_frag_cache_drain(struct page_frag_cache *nc)
{
	if (nc->va)
		__page_frag_cache_drain(virt_to_head_page(nc->va), nc->pagecnt_bias);
	nc->va = NULL;
}

#define page_frag_cache_drain(nc)	kvh_compat_page_frag_cache_drain(nc)
#endif

#endif
