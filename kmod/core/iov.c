// SPDX-License-Identifier: GPL-2.0
/*
 * iov.c - a byte range of a chain as the owner's addresses, for others to copy.
 *
 * For whoever can copy to user memory by itself and has much to copy: cheaper
 * than to pin every page of it for the time of a copy. The addresses are good as
 * long as the chain is, in the worker, with the owner's address space in use.
 * Not for registered memory, which is reached without.
 */
#include <linux/uio.h>
#include "core.h"

/* Append one piece. Return: 0, or -ENOSPC if it has no place */
static int iov_add(struct iovec *iov, unsigned int *nr, unsigned int max, u64 uaddr, u64 len)
{
	if (*nr == max)
		return -ENOSPC;
	iov[*nr].iov_base = (void __user *)(unsigned long)uaddr;
	iov[*nr].iov_len = len;
	++*nr;
	return 0;
}

/**
 * kvh_iov_get() - user addresses of a byte range of a chain's segments
 * @vq:    queue
 * @segs:  first segment
 * @n:     number of segments
 * @off:   bytes to skip
 * @len:   bytes wanted, not 0
 * @write: they will be written to; then kvh_iov_written() afterwards
 * @iov:   result
 * @max:   places in @iov
 *
 * Context: Worker, queue lock held, owner's address space in use.
 * Return: entries of @iov; 0 if it has too few, or memory is registered: pin the
 * range instead. -EFAULT if the range is not in guest memory, or with a device
 * IOTLB as kvh_iotlb_find()
 */
int kvh_iov_get(struct kvh_vq *vq, const struct kvh_seg *segs, unsigned int n, u64 off,
		size_t len, bool write, struct iovec *iov, unsigned int max)
{
	unsigned int nr = 0;
	u64 uaddr, run, left;
	int ret;

	lockdep_assert_held(&vq->lock);
	if (kvh_env_registered(&vq->env))
		return 0;
	for (; n && len; segs++, n--) {
		if (off >= segs->len) {
			off -= segs->len;
			continue;
		}
		left = min_t(u64, len, segs->len - off);
		len -= left;
		for (; left; off += run, left -= run) {
			ret = kvh_env_uaddr(&vq->env, segs->addr + off, left, write, &uaddr,
					    &run);
			if (ret)
				return ret;
			if (iov_add(iov, &nr, max, uaddr, run))
				return 0;
		}
		off = 0;
	}
	if (len)
		return -EFAULT;
	vq->stats.windows += nr;
	return nr;
}
EXPORT_SYMBOL_GPL(kvh_iov_get);

/**
 * kvh_iov_written() - a byte range of a chain was written to at its user addresses
 * @vq:   queue
 * @segs: first segment
 * @n:    number of segments
 * @off:  bytes to skip
 * @len:  bytes written at most
 *
 * Context: Worker, queue lock held, owner's address space in use.
 */
void kvh_iov_written(struct kvh_vq *vq, const struct kvh_seg *segs, unsigned int n, u64 off,
		     size_t len)
{
	u64 run;

	lockdep_assert_held(&vq->lock);
	if (likely(!kvh_dirty_on(vq)))
		return;
	for (; n && len; segs++, n--) {
		if (off >= segs->len) {
			off -= segs->len;
			continue;
		}
		run = min_t(u64, len, segs->len - off);
		kvh_dirty_mark(vq, segs->addr + off, run);
		len -= run;
		off = 0;
	}
}
EXPORT_SYMBOL_GPL(kvh_iov_written);
