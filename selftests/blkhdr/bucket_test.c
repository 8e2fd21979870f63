// SPDX-License-Identifier: GPL-2.0
/*
 * Token buckets (kmod/ring/bucket.h) and the steps of long ranges
 * (kmod/blk/blk_step.h), both with a clock that the test makes up.
 */
#include <stdlib.h>
#include "kselftest_harness.h"
#include "../../kmod/ring/bucket.h"
#include "blk_step.h"

#define NS_PER_S	1000000000ull
#define SECONDS		60u
#define BYTES		4096u

FIXTURE(bucket) {
	struct kvh_limits l;
	u64 now;
	u64 done;
};

FIXTURE_VARIANT(bucket) {
	u64 rate;
	u64 burst;
	u64 late_ns;
};

FIXTURE_VARIANT_ADD(bucket, prompt) { .rate = 100, .burst = 1 };
FIXTURE_VARIANT_ADD(bucket, a_little_late) { .rate = 100, .burst = 1, .late_ns = 4000000 };
FIXTURE_VARIANT_ADD(bucket, later_than_a_period) {
	.rate = 100, .burst = 1, .late_ns = 19000000 };
FIXTURE_VARIANT_ADD(bucket, slow) { .rate = 3, .burst = 1, .late_ns = 19000000 };
FIXTURE_VARIANT_ADD(bucket, fast) { .rate = 20000, .burst = 1, .late_ns = 4000000 };
FIXTURE_VARIANT_ADD(bucket, two) { .rate = 500, .burst = 2, .late_ns = 4000000 };
FIXTURE_VARIANT_ADD(bucket, of_a_tenth) { .rate = 500, .late_ns = 19000000 };

FIXTURE_SETUP(bucket)
{
	self->now = 12345678901ull;
	srandom(1);
}

FIXTURE_TEARDOWN(bucket)
{
}

static void set(struct _test_data_bucket *self, u64 iops, u64 bps, u64 burst)
{
	kvh_bucket_set(&self->l.ops, iops, burst, self->now);
	kvh_bucket_set(&self->l.bytes, bps, bps ? burst * BYTES : 0, self->now);
}

/* Pass all that may pass now; @waited: the first request has waited. */
static void pass(struct _test_data_bucket *self, bool waited)
{
	while (kvh_limits_take(&self->l, BYTES, self->now, waited)) {
		self->done++;
		waited = false;
		/* the next is tried a moment later */
		self->now += 1000;
	}
}

/*
 * Requests that always wait, and are tried up to @late_ns after they fit. Return:
 * whether they never had more than a rate and its burst let through.
 */
static bool flood(struct _test_data_bucket *self, u64 rate, u64 burst, u64 late_ns)
{
	u64 begun = self->now;
	bool within = true;

	pass(self, false);
	self->done = 0;
	while (self->now < begun + SECONDS * NS_PER_S) {
		self->now += kvh_limits_wait(&self->l, BYTES);
		if (late_ns)
			self->now += random() % late_ns;
		pass(self, true);
		within &= self->done <= rate * (self->now - begun + KVH_BUCKET_LATE_NS) / NS_PER_S +
					burst;
	}
	return within;
}

static bool near(u64 got, u64 want)
{
	return 20 * got >= 19 * want && 20 * got <= 21 * want;
}

TEST_F(bucket, K33_the_rate_is_kept_by_a_waiter_that_comes_late)
{
	set(self, variant->rate, 0, variant->burst);
	EXPECT_TRUE(flood(self, variant->rate, self->l.ops.burst, variant->late_ns));
	TH_LOG("%.1f requests a second of %u", (double)self->done / SECONDS,
	       (unsigned int)variant->rate);
	EXPECT_TRUE(near(self->done, SECONDS * variant->rate));
}

TEST_F(bucket, K33_the_rate_in_bytes_is_kept_by_a_waiter_that_comes_late)
{
	set(self, 0, variant->rate * BYTES, variant->burst);
	EXPECT_TRUE(flood(self, variant->rate, self->l.bytes.burst / BYTES + 1, variant->late_ns));
	EXPECT_TRUE(near(self->done, SECONDS * variant->rate));
}

TEST_F(bucket, a_rest_brings_the_burst_and_no_more)
{
	unsigned int i;

	set(self, variant->rate, 0, variant->burst);
	flood(self, variant->rate, variant->burst, variant->late_ns);
	for (i = 0; i < 3; i++) {
		self->now += SECONDS * NS_PER_S;
		self->done = 0;
		pass(self, false);
		/* one microsecond of refill for each that passed */
		EXPECT_LE(self->l.ops.burst, self->done);
		EXPECT_GE(self->l.ops.burst + variant->rate / 10000 + 1, self->done);
	}
}

TEST(bucket_without_a_rate_or_with_the_largest_passes_all)
{
	struct kvh_limits l;
	unsigned int i;

	kvh_bucket_set(&l.ops, 0, 0, 0);
	kvh_bucket_set(&l.bytes, ~0ull, KVH_BUCKET_BURST_MAX, 0);
	for (i = 1; i < 1000; i++) {
		EXPECT_TRUE(kvh_limits_take(&l, KVH_BUCKET_BURST_MAX, i * NS_PER_S, i & 1));
		EXPECT_EQ(0, kvh_bucket_wait(&l.ops, 1));
	}
}

TEST(K6_steps_cover_a_range_and_end_with_granules)
{
	static const u64 granules[] = { 0, 512, 4096, 3 * 65536, 64 << 20, 3ull << 30 };
	unsigned int i, j;

	for (i = 0; i < sizeof(granules) / sizeof(*granules); i++)
		for (j = 0; j < 200; j++) {
			u64 base = random() % 9999 * 512, pos = random() % 9999 * 512;
			u64 end = pos + (1 + random() % 99999) * (512ull << j % 8), to;
			u64 step = KVH_STEP_FIRST;

			for (; pos < end; pos = to) {
				to = kvh_step_end(pos, end, step, granules[i], base);
				ASSERT_LT(pos, to);
				ASSERT_GE(end, to);
				if (granules[i] && to < end)
					ASSERT_EQ(0, (base + to) % granules[i]);
				if (granules[i] < step)
					ASSERT_GE(step, to - pos);
				step = kvh_step_next(step, random() % (2 * KVH_STEP_SLOW_NS));
				ASSERT_LE(KVH_STEP_MIN, step);
				ASSERT_GE(KVH_STEP_MAX, step);
			}
		}
}

TEST(K6_steps_of_a_slow_disk_become_short)
{
	u64 step = KVH_STEP_FIRST;

	while (step < KVH_STEP_MAX)
		step = kvh_step_next(step, KVH_STEP_QUICK_NS - 1);
	EXPECT_EQ(step, kvh_step_next(step, KVH_STEP_QUICK_NS));
	while (step > KVH_STEP_MIN) {
		ASSERT_EQ(step / 2, kvh_step_next(step, KVH_STEP_SLOW_NS + 1));
		step /= 2;
	}
	EXPECT_EQ(step, kvh_step_next(step, ~0ull));
}

TEST_HARNESS_MAIN
