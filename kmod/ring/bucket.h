/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bucket.h - how fast a disk may be used: two token buckets, of requests and of
 * bytes; shared by kvhost_blk and the VMM's userspace backend.
 *
 * A bucket of rate R and burst B lets through at most R * t + B units in any
 * stretch of t seconds. A request larger than B passes when the bucket is full
 * and leaves a debt, so that every size passes in the end. What is spent is kept
 * in units of 1e-9, which makes a nanosecond of refill exactly the rate, and
 * nothing is ever rounded. Time is given by the caller, and so is the locking.
 */
#ifndef KVH_BUCKET_H
#define KVH_BUCKET_H

#include "kvh_env.h"

#define KVH_BUCKET_UNIT		1000000000ull

/* Largest burst and largest single cost, so that no product overflows. */
#define KVH_BUCKET_BURST_MAX	((u64)1 << 32)

/* Without a burst of its own a bucket holds what this part of a second brings. */
#define KVH_BUCKET_BURST_PART	10u

/* Who has to wait does not come back for less than this part of a second brings. */
#define KVH_BUCKET_GATHER_PART	1000u

/**
 * struct kvh_bucket - one limit
 * @rate:  units per second; 0: no limit
 * @burst: units that may pass at once after a rest, 1..%KVH_BUCKET_BURST_MAX
 * @spent: 1e-9 units missing from a full bucket; may exceed it, which is debt
 * @at:    when @spent was true, ns
 */
struct kvh_bucket {
	u64 rate;
	u64 burst;
	u64 spent;
	u64 at;
};

/**
 * struct kvh_limits - the limits of one disk
 * @ops:   requests
 * @bytes: payload bytes
 */
struct kvh_limits {
	struct kvh_bucket ops;
	struct kvh_bucket bytes;
};

/**
 * kvh_bucket_set() - begin with a full bucket
 * @b:     bucket
 * @rate:  units per second; 0: no limit
 * @burst: units, at most %KVH_BUCKET_BURST_MAX; 0: a tenth of a second's worth
 * @now:   ns of a clock that never goes back
 */
static inline void kvh_bucket_set(struct kvh_bucket *b, u64 rate, u64 burst, u64 now)
{
	if (!burst)
		burst = rate / KVH_BUCKET_BURST_PART;
	if (burst > KVH_BUCKET_BURST_MAX)
		burst = KVH_BUCKET_BURST_MAX;
	b->rate = rate;
	b->burst = burst ? burst : 1;
	b->spent = 0;
	b->at = now;
}

/* What came in since the last look. The product is at most b->spent. */
static inline void kvh_bucket_refill(struct kvh_bucket *b, u64 now)
{
	u64 past;

	if (now <= b->at)
		return;
	past = now - b->at;
	b->at = now;
	if (!b->rate || past > b->spent / b->rate)
		b->spent = 0;
	else
		b->spent -= past * b->rate;
}

/* Nanoseconds until @n units fit; a bucket without a rate is always full. */
static inline u64 kvh_bucket_wait(const struct kvh_bucket *b, u64 n)
{
	u64 over;

	if (!b->rate)
		return 0;
	over = b->spent + (n < b->burst ? n : b->burst) * KVH_BUCKET_UNIT;
	if (over <= b->burst * KVH_BUCKET_UNIT)
		return 0;
	over -= b->burst * KVH_BUCKET_UNIT;
	return over / b->rate + !!(over % b->rate);
}

static inline void kvh_bucket_spend(struct kvh_bucket *b, u64 n)
{
	if (b->rate)
		b->spent += n * KVH_BUCKET_UNIT;
}

/* Worth waking up for: @n units, or more if they come in by the dozen. */
static inline u64 kvh_bucket_gather(const struct kvh_bucket *b, u64 n)
{
	u64 some = b->rate / KVH_BUCKET_GATHER_PART;

	return n > some ? n : some;
}

/**
 * kvh_limits_on() - is anything limited?
 * @l: limits
 *
 * Return: true if a request may have to wait
 */
static inline bool kvh_limits_on(const struct kvh_limits *l)
{
	return l->ops.rate || l->bytes.rate;
}

/**
 * kvh_limits_take() - let a request of @bytes bytes pass, if it may
 * @l:     limits
 * @bytes: its payload, at most %KVH_BUCKET_BURST_MAX
 * @now:   ns
 *
 * Return: true if it passes, and is accounted for
 */
static inline bool kvh_limits_take(struct kvh_limits *l, u64 bytes, u64 now)
{
	kvh_bucket_refill(&l->ops, now);
	kvh_bucket_refill(&l->bytes, now);
	if (kvh_bucket_wait(&l->ops, 1) || kvh_bucket_wait(&l->bytes, bytes))
		return false;
	kvh_bucket_spend(&l->ops, 1);
	kvh_bucket_spend(&l->bytes, bytes);
	return true;
}

/**
 * kvh_limits_wait() - when it is worth trying again
 * @l:     limits, as kvh_limits_take() left them
 * @bytes: the payload that did not pass
 *
 * Return: ns from the time given to kvh_limits_take()
 */
static inline u64 kvh_limits_wait(const struct kvh_limits *l, u64 bytes)
{
	u64 a = kvh_bucket_wait(&l->ops, kvh_bucket_gather(&l->ops, 1));
	u64 b = kvh_bucket_wait(&l->bytes, kvh_bucket_gather(&l->bytes, bytes));

	return a > b ? a : b;
}

#endif /* KVH_BUCKET_H */
