/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the ring code may use of its surroundings: the tests'.
 *
 * The counterpart of the seam in kmod/env, which says what each name promises.
 * After every access to guest memory it is the guest's turn: kvh_turn, when
 * set, may note the access and rewrite memory before the ring code goes on.
 * With KVH_ENV_PLAIN defined there are no turns, for measuring and fuzzing.
 */
#ifndef KVH_ENV_H
#define KVH_ENV_H

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/cdefs.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "guest words are read as they lie: a little-endian host is needed"
#endif

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define noinline	__attribute_noinline__

struct kvh_env;

#ifdef KVH_ENV_FLAT
/* Guest addresses are the process's own. */
static __always_inline int kvh_env_read_guest(struct kvh_env *env, u64 addr,
					      void *dst, u32 len)
{
	const u8 *src = (const u8 *)(unsigned long)addr;
	u32 i;

	(void)env;
	for (i = 0; i < len; i += 16)
		__builtin_memcpy((u8 *)dst + i, src + i, 16);
	return 0;
}
#else
int kvh_env_read_guest(struct kvh_env *env, u64 addr, void *dst, u32 len);
#endif

#ifdef KVH_ENV_PLAIN
static __always_inline void kvh_env_turn(const void *p, u32 bytes, bool store)
{
	(void)p;
	(void)bytes;
	(void)store;
}
#else
/* What a guest does when it is its turn; NULL: nothing. */
extern void (*kvh_turn)(const void *p, u32 bytes, bool store);

static __always_inline void kvh_env_turn(const void *p, u32 bytes, bool store)
{
	if (kvh_turn)
		kvh_turn(p, bytes, store);
}
#endif

static __always_inline u16 kvh_fetch16(const void *p)
{
	u16 v = __atomic_load_n((const u16 *)p, __ATOMIC_RELAXED);

	kvh_env_turn(p, sizeof(v), false);
	return v;
}

static __always_inline u16 kvh_fetch16_acquire(const void *p)
{
	u16 v = __atomic_load_n((const u16 *)p, __ATOMIC_ACQUIRE);

	kvh_env_turn(p, sizeof(v), false);
	return v;
}

static __always_inline u32 kvh_fetch32(const void *p)
{
	u32 v = __atomic_load_n((const u32 *)p, __ATOMIC_RELAXED);

	kvh_env_turn(p, sizeof(v), false);
	return v;
}

static __always_inline u64 kvh_fetch64(const void *p)
{
	u64 v = __atomic_load_n((const u64 *)p, __ATOMIC_RELAXED);

	kvh_env_turn(p, sizeof(v), false);
	return v;
}

static __always_inline u64 kvh_fetch64_acquire(const void *p)
{
	u64 v = __atomic_load_n((const u64 *)p, __ATOMIC_ACQUIRE);

	kvh_env_turn(p, sizeof(v), false);
	return v;
}

static __always_inline void kvh_store16(void *p, u16 v)
{
	__atomic_store_n((u16 *)p, v, __ATOMIC_RELAXED);
	kvh_env_turn(p, sizeof(v), true);
}

static __always_inline void kvh_store16_release(void *p, u16 v)
{
	__atomic_store_n((u16 *)p, v, __ATOMIC_RELEASE);
	kvh_env_turn(p, sizeof(v), true);
}

static __always_inline void kvh_store32(void *p, u32 v)
{
	__atomic_store_n((u32 *)p, v, __ATOMIC_RELAXED);
	kvh_env_turn(p, sizeof(v), true);
}

static __always_inline void kvh_store64(void *p, u64 v)
{
	__atomic_store_n((u64 *)p, v, __ATOMIC_RELAXED);
	kvh_env_turn(p, sizeof(v), true);
}

static __always_inline void kvh_store64_release(void *p, u64 v)
{
	__atomic_store_n((u64 *)p, v, __ATOMIC_RELEASE);
	kvh_env_turn(p, sizeof(v), true);
}

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

#endif /* KVH_ENV_H */
