// SPDX-License-Identifier: GPL-2.0
/*
 * pin.c - a byte range of a chain as pinned pages, for I/O without a copy.
 *
 * Pins live from the start of a request to its completion, both in the
 * queue's worker. What one request pins is bounded by its caller; what a
 * queue pins, by its size times that. Registered memory is pinned already: a
 * range of it is only looked up.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include "core.h"

#define PIN_STEP	16u

/*
 * Pin user range [@uaddr, @uaddr + @len) and append it to @pin, in which
 * pin_prepare() has counted it: neither segments nor regions change meanwhile.
 */
static int pin_run(struct kvh_pin *pin, u64 uaddr, u64 len)
{
	unsigned int flags = pin->write ? FOLL_WRITE : 0;
	struct page *pages[PIN_STEP];
	int i, got, want;

	while (len) {
		want = min_t(u64, PIN_STEP, DIV_ROUND_UP(offset_in_page(uaddr) + len, PAGE_SIZE));
		got = pin_user_pages_fast(uaddr & PAGE_MASK, want, flags, pages);
		if (got <= 0)
			return got ? got : -EFAULT;
		for (i = 0; i < got; i++) {
			struct bio_vec *bv = &pin->bv[pin->nr++];

			bv->bv_page = pages[i];
			bv->bv_offset = offset_in_page(uaddr);
			bv->bv_len = min_t(u64, len, PAGE_SIZE - bv->bv_offset);
			uaddr += bv->bv_len;
			len -= bv->bv_len;
			pin->bytes += bv->bv_len;
		}
	}
	return 0;
}

/* Append a part of one segment of registered memory, run by run. */
static int pin_borrow(struct kvh_pin *pin, struct kvh_vq *vq, u64 gpa, u64 len)
{
	struct bio_vec *bv;
	u64 uaddr, run;
	int ret;

	for (; len; gpa += run, len -= run) {
		bv = &pin->bv[pin->nr];
		ret = kvh_env_page(&vq->env, gpa, len, pin->write, &bv->bv_page, &uaddr, &run);
		if (ret)
			return ret;
		bv->bv_offset = offset_in_page(uaddr);
		bv->bv_len = run;
		pin->nr++;
		pin->bytes += run;
	}
	return 0;
}

/* Pin the part of one segment, region by region. */
static int pin_seg(struct kvh_pin *pin, struct kvh_vq *vq, u64 gpa, u64 len)
{
	unsigned int before = pin->nr;
	u64 uaddr, run;
	int ret;

	if (pin->borrowed)
		return pin_borrow(pin, vq, gpa, len);
	for (; len; gpa += run, len -= run) {
		ret = kvh_env_uaddr(&vq->env, gpa, len, pin->write, &uaddr, &run);
		if (!ret)
			ret = pin_run(pin, uaddr, run);
		if (ret)
			return ret;
	}
	vq->stats.pins += pin->nr - before;
	return 0;
}

/* Entries a part of one segment needs: pages region by region, or runs of them. */
static int pin_count_seg(struct kvh_vq *vq, u64 gpa, u64 len, bool write, size_t *pages)
{
	bool registered = kvh_env_registered(&vq->env);
	struct page *page;
	u64 uaddr, run;
	int ret;

	for (; len; gpa += run, len -= run) {
		if (registered)
			ret = kvh_env_page(&vq->env, gpa, len, write, &page, &uaddr, &run);
		else
			ret = kvh_env_uaddr(&vq->env, gpa, len, write, &uaddr, &run);
		if (ret)
			return ret;
		*pages += registered ? 1 : DIV_ROUND_UP(offset_in_page(uaddr) + run, PAGE_SIZE);
	}
	return 0;
}

/*
 * Make room for every page, and for the segments if they have to be marked dirty or
 * compared with what an IOTLB message changes.
 */
static int pin_prepare(struct kvh_pin *pin, struct kvh_vq *vq, const struct kvh_seg *segs,
		       unsigned int n, u64 off, size_t len, bool write)
{
	size_t left = len, pages = 0;
	unsigned int i;
	u64 run;
	int ret;

	memset(pin, 0, offsetof(struct kvh_pin, small));
	pin->bv = pin->small;
	pin->write = write;
	pin->borrowed = kvh_env_registered(&vq->env);
	for (i = 0; i < n && left; i++, left -= run, off = 0) {
		run = min_t(u64, left, segs[i].len - off);
		ret = pin_count_seg(vq, segs[i].addr + off, run, write, &pages);
		if (ret)
			return ret;
	}
	if (left)
		return -EFAULT;
	if (pages > KVH_PIN_INLINE) {
		pin->bv = kvmalloc_array(pages, sizeof(*pin->bv), GFP_KERNEL_ACCOUNT);
		if (!pin->bv)
			return -ENOMEM;
	}
	if ((write && kvh_dirty_on(vq)) || vq->env.iotlb) {
		pin->segs = kvmalloc_array(n, sizeof(*segs), GFP_KERNEL_ACCOUNT);
		if (!pin->segs)
			return -ENOMEM;
	}
	return 0;
}

static void pin_drop(struct kvh_pin *pin)
{
	unsigned int i;

	for (i = 0; !pin->borrowed && i < pin->nr; i++)
		unpin_user_pages_dirty_lock(&pin->bv[i].bv_page, 1, pin->write);
	if (pin->bv != pin->small)
		kvfree(pin->bv);
	kvfree(pin->segs);
}

/**
 * kvh_pin_get() - pin a byte range of a chain's segments
 * @pin:   what to fill; needs no initialisation
 * @vq:    queue
 * @segs:  first segment
 * @n:     number of segments
 * @off:   bytes to skip
 * @len:   bytes to pin, not 0
 * @write: the pages will be written to
 *
 * Context: Worker, queue lock held. May sleep and fault pages in.
 * Return: 0, or -EFAULT if the range is not in guest memory or the memory
 * does not allow the access, -ENOMEM; on failure nothing stays pinned
 */
int kvh_pin_get(struct kvh_pin *pin, struct kvh_vq *vq, const struct kvh_seg *segs,
		unsigned int n, u64 off, size_t len, bool write)
{
	size_t left = len;
	u64 run;
	int ret;

	lockdep_assert_held(&vq->lock);
	for (; n && off >= segs->len; segs++, n--)
		off -= segs->len;
	ret = pin_prepare(pin, vq, segs, n, off, len, write);
	for (; !ret && n && left; segs++, n--) {
		run = min_t(u64, left, segs->len - off);
		ret = pin_seg(pin, vq, segs->addr + off, run);
		if (pin->segs)
			pin->segs[pin->nsegs++] = (struct kvh_seg){ segs->addr + off, run };
		left -= run;
		off = 0;
	}
	if (ret)
		pin_drop(pin);
	return ret;
}
EXPORT_SYMBOL_GPL(kvh_pin_get);

/**
 * kvh_pin_put() - release a range, marking it dirty if it was for writing
 * @pin: filled by kvh_pin_get()
 * @vq:  the same queue
 *
 * Context: Worker, queue lock held. May sleep.
 */
void kvh_pin_put(struct kvh_pin *pin, struct kvh_vq *vq)
{
	unsigned int i;

	lockdep_assert_held(&vq->lock);
	for (i = 0; pin->write && i < pin->nsegs; i++)
		kvh_dirty_mark(vq, pin->segs[i].addr, pin->segs[i].len);
	pin_drop(pin);
}
EXPORT_SYMBOL_GPL(kvh_pin_put);
