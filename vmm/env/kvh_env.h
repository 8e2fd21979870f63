/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kvh_env.h - what the ring code may use of its surroundings: the VMM's.
 *
 * The counterpart of kmod/env/kvh_env.h, which says what each name promises.
 * Guest RAM is mapped into this process for as long as it lives, so a ring
 * access is a plain load or store. x86-64 only, hence little-endian.
 */
#ifndef KVH_ENV_H
#define KVH_ENV_H

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/cdefs.h>	/* __always_inline */

#include "memory.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "guest words are read as they lie: a little-endian host is needed"
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define noinline	__attribute_noinline__

/**
 * struct kvh_env - who takes buffers
 * @mem: guest memory indirect tables are read from
 */
struct kvh_env {
	const struct guest_memory *mem;
};

static inline int kvh_env_read_guest(struct kvh_env *env, u64 addr, void *dst,
				     u32 len)
{
	const void *src = memory_at(env->mem, addr, len);

	if (unlikely(!src))
		return -EFAULT;
	memcpy(dst, src, len);
	return 0;
}

static __always_inline u16 kvh_fetch16(const void *p)
{
	return __atomic_load_n((const u16 *)p, __ATOMIC_RELAXED);
}

static __always_inline u16 kvh_fetch16_acquire(const void *p)
{
	return __atomic_load_n((const u16 *)p, __ATOMIC_ACQUIRE);
}

static __always_inline u32 kvh_fetch32(const void *p)
{
	return __atomic_load_n((const u32 *)p, __ATOMIC_RELAXED);
}

static __always_inline u64 kvh_fetch64(const void *p)
{
	return __atomic_load_n((const u64 *)p, __ATOMIC_RELAXED);
}

static __always_inline u64 kvh_fetch64_acquire(const void *p)
{
	return __atomic_load_n((const u64 *)p, __ATOMIC_ACQUIRE);
}

static __always_inline void kvh_store16(void *p, u16 v)
{
	__atomic_store_n((u16 *)p, v, __ATOMIC_RELAXED);
}

static __always_inline void kvh_store16_release(void *p, u16 v)
{
	__atomic_store_n((u16 *)p, v, __ATOMIC_RELEASE);
}

static __always_inline void kvh_store32(void *p, u32 v)
{
	__atomic_store_n((u32 *)p, v, __ATOMIC_RELAXED);
}

static __always_inline void kvh_store64(void *p, u64 v)
{
	__atomic_store_n((u64 *)p, v, __ATOMIC_RELAXED);
}

static __always_inline void kvh_store64_release(void *p, u64 v)
{
	__atomic_store_n((u64 *)p, v, __ATOMIC_RELEASE);
}

/* A full barrier: seq_cst fences order a store before a later load. */
static __always_inline void kvh_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static __always_inline u64 kvh_private_le64(const __le64 *p)
{
	return *p;
}

static __always_inline u32 kvh_private_le32(const __le32 *p)
{
	return *p;
}

static __always_inline u64 kvh_private_once64(const u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static __always_inline size_t kvh_index_nospec(size_t index, u32 mask)
{
	/* The compiler knows what was checked, and must not use it. */
	__asm__("" : "+r"(index));
	return index & mask;
}

#endif
