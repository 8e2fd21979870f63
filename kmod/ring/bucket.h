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
 *
 * A request that waits is tried again a little after it fits: a timer and a
 * thread take their time. With a small burst the bucket is full by then, and the
 * rate would fall short by that time in each period. So for a request that has
 * waited the bucket goes on filling beyond B, for %KVH_BUCKET_LATE_NS; the bound
 * becomes R * (t + %KVH_BUCKET_LATE_NS) + B. After a rest B is still all there is.
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

/*
 * A request that was tried this much too late, in ns, costs no rate. A thread on a
 * busy host comes some milliseconds late. Raising it lets more pass at once when
 * the thread was held up.
 */
#define KVH_BUCKET_LATE_NS	20000000ull

/* From this rate on the units of that time do not grow, so that no product overflows. */
#define KVH_BUCKET_LATE_RATE	(KVH_BUCKET_BURST_MAX * KVH_BUCKET_UNIT / KVH_BUCKET_LATE_NS)

/**
 * struct kvh_bucket - one limit
 * @rate:  units per second; 0: no limit
 * @burst: units that may pass at once after a rest, 1..%KVH_BUCKET_BURST_MAX
 * @spent: 1e-9 units missing from @burst and what lateness may add to it; may exceed
 *         both, which is debt
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

/* What lateness may add to the burst, 1e-9 units. */
static inline u64 kvh_bucket_late(const struct kvh_bucket *b)
{
	return (b->rate < KVH_BUCKET_LATE_RATE ? b->rate : KVH_BUCKET_LATE_RATE) *
	       KVH_BUCKET_LATE_NS;
}

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
	b->spent = kvh_bucket_late(b);
	b->at = now;
}

/*
 * What came in since the last look; @waited: for a request that has waited for it.
 * What lateness added is there for those that are tried right behind that request,
 * and lost soon. The product is at most b->spent.
 */
static inline void kvh_bucket_refill(struct kvh_bucket *b, u64 now, bool waited)
{
	u64 late = kvh_bucket_late(b), full = waited ? 0 : late, past;

	if (now <= b->at)
		return;
	past = now - b->at;
	if (b->spent < full) {
		if (past < KVH_BUCKET_LATE_NS)
			return;
		b->spent = full;
	} else if (!b->rate || past > (b->spent - full) / b->rate) {
		b->spent = full;
	} else {
		b->spent -= past * b->rate;
	}
	b->at = now;
}

/* Nanoseconds until @n units fit; a bucket without a rate is always full. */
static inline u64 kvh_bucket_wait(const struct kvh_bucket *b, u64 n)
{
	u64 over, all = b->burst * KVH_BUCKET_UNIT + kvh_bucket_late(b);

	if (!b->rate)
		return 0;
	over = b->spent + (n < b->burst ? n : b->burst) * KVH_BUCKET_UNIT;
	if (over <= all)
		return 0;
	over -= all;
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
 * @waited: it did not pass earlier, and has waited as long as kvh_limits_wait() said
 *
 * Return: true if it passes, and is accounted for
 */
static inline bool kvh_limits_take(struct kvh_limits *l, u64 bytes, u64 now, bool waited)
{
	kvh_bucket_refill(&l->ops, now, waited);
	kvh_bucket_refill(&l->bytes, now, waited);
	if (kvh_bucket_wait(&l->ops, 1) || kvh_bucket_wait(&l->bytes, bytes))
		return false;
	kvh_bucket_spend(&l->ops, 1);
	kvh_bucket_spend(&l->bytes, bytes);
	return true;
}

/* How many requests of @n units fit, at most @max. */
static inline u64 kvh_bucket_room(const struct kvh_bucket *b, u64 n, u64 max)
{
	u64 all = b->burst * KVH_BUCKET_UNIT + kvh_bucket_late(b), fit;

	if (!b->rate)
		return max;
	/* A larger one than the burst fits if nothing is spent. */
	if (kvh_bucket_wait(b, n))
		return 0;
	fit = n ? (all - b->spent) / KVH_BUCKET_UNIT / n : max;
	return fit < 1 ? 1 : fit < max ? fit : max;
}

/**
 * kvh_limits_room() - how many requests of @bytes bytes would pass now
 * @l:     limits
 * @bytes: payload of each
 * @now:   ns
 * @waited: as for kvh_limits_take()
 * @max:   most that are asked for
 *
 * Return: how many, at most @max; none is accounted for
 */
static inline u64 kvh_limits_room(struct kvh_limits *l, u64 bytes, u64 now, bool waited,
				  u64 max)
{
	kvh_bucket_refill(&l->ops, now, waited);
	kvh_bucket_refill(&l->bytes, now, waited);
	max = kvh_bucket_room(&l->ops, 1, max);
	return max ? kvh_bucket_room(&l->bytes, bytes, max) : 0;
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
