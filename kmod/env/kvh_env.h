/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kvh_env.h - what the ring code may use of its surroundings: the kernel's.
 *
 * kmod/ring includes this file and its own headers, nothing else, and so does
 * kmod/blk/blk_hdr.c, which checks requests. Each build that compiles them puts
 * a file of this name on its include path: the kernel modules this one, the VMM
 * and the unit tests their own. A seam provides:
 *
 *  - the types u8 ... u64, __le64, bool and size_t, the errno constants
 *    EINVAL, EPROTO, EBADMSG, ENOSPC, EAGAIN, EOPNOTSUPP and EROFS, likely(),
 *    unlikely(), noinline and __always_inline;
 *  - the accessors below. A fetch loads a little-endian word of guest memory
 *    exactly once and returns it in host order; a store is its counterpart.
 *    The word is naturally aligned. Acquire and release mean what they mean
 *    for smp_load_acquire() and smp_store_release();
 *  - kvh_mb(), a full barrier between a store and a later load (smp_mb());
 *  - kvh_private_le64() and kvh_private_le32(), which read a little-endian word
 *    of private memory; kvh_private_once64(), which reads a word of private memory
 *    that another thread may change, once;
 *  - kvh_index_nospec(), which keeps an index that the driver chose, and that was
 *    found to be at most @mask, below a power of two also where the processor
 *    goes ahead of the check;
 *  - struct kvh_env, the ring code's unknown, which only travels from the
 *    caller of kvh_ring_take() to kvh_env_read_guest().
 *
 * Ring memory is pinned and mapped while a queue runs, so these are plain
 * loads and stores: no fault, no user-access window.
 */
#ifndef KVH_ENV_H
#define KVH_ENV_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

struct kvh_env;

/**
 * kvh_env_read_guest() - copy guest memory into private memory
 * @env:  who asks, as given to kvh_ring_take()
 * @addr: guest address; @addr + @len does not wrap
 * @dst:  where to
 * @len:  bytes, a multiple of 16 above 0
 *
 * Each byte is read once.
 *
 * Context: That of kvh_ring_take().
 * Return: 0; -EAGAIN if the translation is not known yet (the ring is left as
 * it was, and the buffer is taken again later); any other negative errno if
 * the range is not wholly in guest memory.
 */
int kvh_env_read_guest(struct kvh_env *env, u64 addr, void *dst, u32 len);

static __always_inline u16 kvh_fetch16(const void *p)
{
	return le16_to_cpu(READ_ONCE(*(const __le16 *)p));
}

static __always_inline u16 kvh_fetch16_acquire(const void *p)
{
	/* The caller names the partner. */
	return le16_to_cpu(smp_load_acquire((const __le16 *)p));
}

static __always_inline u32 kvh_fetch32(const void *p)
{
	return le32_to_cpu(READ_ONCE(*(const __le32 *)p));
}

static __always_inline u64 kvh_fetch64(const void *p)
{
	return le64_to_cpu(READ_ONCE(*(const __le64 *)p));
}

static __always_inline u64 kvh_fetch64_acquire(const void *p)
{
	/* The caller names the partner. */
	return le64_to_cpu(smp_load_acquire((const __le64 *)p));
}

static __always_inline void kvh_store16(void *p, u16 v)
{
	WRITE_ONCE(*(__le16 *)p, cpu_to_le16(v));
}

static __always_inline void kvh_store16_release(void *p, u16 v)
{
	/* The caller names the partner. */
	smp_store_release((__le16 *)p, cpu_to_le16(v));
}

static __always_inline void kvh_store32(void *p, u32 v)
{
	WRITE_ONCE(*(__le32 *)p, cpu_to_le32(v));
}

static __always_inline void kvh_store64(void *p, u64 v)
{
	WRITE_ONCE(*(__le64 *)p, cpu_to_le64(v));
}

static __always_inline void kvh_store64_release(void *p, u64 v)
{
	/* The caller names the partner. */
	smp_store_release((__le64 *)p, cpu_to_le64(v));
}

static __always_inline void kvh_mb(void)
{
	/* The caller names the partner. */
	smp_mb();
}

static __always_inline u64 kvh_private_le64(const __le64 *p)
{
	return le64_to_cpu(*p);
}

static __always_inline u32 kvh_private_le32(const __le32 *p)
{
	return le32_to_cpu(*p);
}

static __always_inline u64 kvh_private_once64(const u64 *p)
{
	return READ_ONCE(*p);
}

/* One AND. array_index_nospec() takes three instructions, because it serves any size. */
static __always_inline size_t kvh_index_nospec(size_t index, u32 mask)
{
	/* The compiler knows what was checked, and must not use it. */
	OPTIMIZER_HIDE_VAR(index);
	return index & mask;
}

#endif /* KVH_ENV_H */
