// SPDX-License-Identifier: GPL-2.0
/*
 * Patience (kmod/core/patience.c): the way that serves a driver better is found,
 * kept, and left when it does not any more; to find out costs little.
 *
 * No thread and no clock: a driver is what it costs to serve it in either way.
 */
#include <stdlib.h>
#include <string.h>
#include <linux/minmax.h>
#include <kselftest_harness.h>
#include "patience.h"

#define US	1000ull
#define MS	(1000 * US)
#define SECOND	(1000 * MS)

/*
 * A driver, served in one way: so many chains are shown at once, each takes so long. The
 * worker asks after each time that it shows some, or after so many.
 */
struct way {
	unsigned int chains;
	u64 ns;
	unsigned int shows;
};

struct driver {
	struct way eager, patient;
	/* of a hundred, by chance, how much a time is off at most */
	unsigned int noise;
};

/* As counted of null_blk and of a tap, on one CPU: instructions for ns. */
static const struct driver one_by_one = { .eager = { 1, 36 * US }, .patient = { 1, 49 * US } };
static const struct driver deep = { .eager = { 1, 28 * US }, .patient = { 32, 24 * US } };
static const struct driver stream = { .eager = { 1, 155 * US }, .patient = { 6, 120 * US } };
static const struct driver spinner = { .eager = { 30, 5 * US }, .patient = { 256, 18 * US } };

FIXTURE(patience) {
	struct kvh_patience p;
	u64 clock;
	bool patient;
	unsigned int seed;
	unsigned int changes;
};

FIXTURE_SETUP(patience)
{
	memset(&self->p, 0, sizeof(self->p));
	self->clock = SECOND;
	self->patient = false;
	self->seed = 1;
	self->changes = 0;
}

FIXTURE_TEARDOWN(patience)
{
}

/* From one time the worker asks to the next. */
static void cycle(struct _test_data_patience *self, const struct driver *d)
{
	const struct way *way = self->patient ? &d->patient : &d->eager;
	unsigned int shows = max(way->shows, 1u), chains = way->chains * shows;
	u64 ns = way->ns * chains;
	bool before = self->patient;

	if (d->noise)
		ns += ns * (rand_r(&self->seed) % (2 * d->noise + 1)) / 100 -
		      ns * d->noise / 100;
	self->clock += ns;
	self->patient = kvh_patience_ask(&self->p, self->clock, chains, shows);
	self->changes += self->patient != before;
}

/* Serve a driver for so long. Return: how much of the time patiently, in percent */
static unsigned int serve(struct _test_data_patience *self, const struct driver *d, u64 ns)
{
	u64 begun = self->clock, patient = 0, last;

	while (self->clock < begun + ns) {
		bool way = self->patient;

		last = self->clock;
		cycle(self, d);
		if (way)
			patient += self->clock - last;
	}
	return 100 * patient / (self->clock - begun);
}

TEST_F(patience, a_driver_that_waits_for_each_answer_is_served_eagerly)
{
	serve(self, &one_by_one, 100 * MS);
	EXPECT_GE(2, serve(self, &one_by_one, 5 * SECOND));
	/* It is found out by trials. */
	EXPECT_LT(0, self->changes);
}

TEST_F(patience, a_driver_with_many_requests_is_served_patiently)
{
	serve(self, &deep, 100 * MS);
	EXPECT_LE(97, serve(self, &deep, 5 * SECOND));
}

TEST_F(patience, a_stream_of_long_frames_is_served_patiently)
{
	serve(self, &stream, SECOND);
	EXPECT_LE(97, serve(self, &stream, 5 * SECOND));
}

TEST_F(patience, a_driver_that_spins_on_a_full_ring_is_served_eagerly)
{
	serve(self, &spinner, 100 * MS);
	EXPECT_GE(2, serve(self, &spinner, 5 * SECOND));
}

TEST_F(patience, what_is_faster_by_chance_but_batches_nothing_is_left_alone)
{
	const struct driver light = {
		.eager = { 1, 500 * US }, .patient = { 1, 500 * US }, .noise = 60
	};
	const struct driver busy = { .eager = { 1, 40 * US }, .patient = { 1, 30 * US } };

	EXPECT_GE(12, serve(self, &light, 20 * SECOND));
	EXPECT_GE(5, serve(self, &busy, 5 * SECOND));
}

TEST_F(patience, what_batches_but_is_no_faster_is_left_alone)
{
	const struct driver d = { .eager = { 1, 30 * US }, .patient = { 8, 30 * US } };

	EXPECT_GE(5, serve(self, &d, 5 * SECOND));
}

TEST_F(patience, a_worker_that_never_runs_out_of_work_is_judged_by_what_it_shows)
{
	const struct driver few = {
		.eager = { 3, 28 * US, 85 }, .patient = { 32, 24 * US, 8 }
	};
	const struct driver many = {
		.eager = { 24, 28 * US, 10 }, .patient = { 32, 24 * US, 8 }
	};

	serve(self, &few, 100 * MS);
	EXPECT_LE(90, serve(self, &few, 5 * SECOND));
	serve(self, &many, SECOND);
	EXPECT_GE(10, serve(self, &many, 5 * SECOND));
}

TEST_F(patience, it_follows_a_driver_that_changes)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		serve(self, &one_by_one, SECOND + i * 77 * MS);
		EXPECT_FALSE(self->p.patient);
		serve(self, &deep, 200 * MS);
		EXPECT_TRUE(self->p.patient);
		serve(self, &deep, SECOND);
		serve(self, &one_by_one, 200 * MS);
		EXPECT_FALSE(self->p.patient);
	}
}

TEST_F(patience, it_is_found_out_in_spite_of_noise)
{
	struct driver d = deep, o = one_by_one;

	d.noise = 20;
	o.noise = 20;
	serve(self, &d, 300 * MS);
	EXPECT_LE(70, serve(self, &d, 5 * SECOND));
	serve(self, &o, 300 * MS);
	EXPECT_GE(10, serve(self, &o, 5 * SECOND));
}

TEST_F(patience, who_never_sleeps_on_the_cpu_ends_it)
{
	/* Each rest, the worker waits for the other's time to be up. */
	const struct driver hog = { .eager = { 1, 28 * US }, .patient = { 32, 400 * US } };
	const struct driver hogs = { .eager = { 1, 28 * US }, .patient = { 32, 2 * MS } };

	serve(self, &deep, SECOND);
	ASSERT_TRUE(self->p.patient);
	serve(self, &hog, SECOND);
	EXPECT_GE(12, serve(self, &hog, 5 * SECOND));
	serve(self, &deep, SECOND);
	ASSERT_TRUE(self->p.patient);
	serve(self, &hogs, SECOND);
	EXPECT_GE(12, serve(self, &hogs, 5 * SECOND));
}

TEST_F(patience, long_rounds_of_work_are_no_pauses)
{
	const struct driver d = { .eager = { 1, 60 * US }, .patient = { 256, 52 * US } };

	serve(self, &d, 300 * MS);
	EXPECT_LE(95, serve(self, &d, 5 * SECOND));
}

TEST_F(patience, doorbells_for_nothing_are_no_trials)
{
	const struct driver empty = { .eager = { 0, 0 }, .patient = { 0, 0 } };
	unsigned int i, patient = 0;

	/* A chain each second, and much ado about nothing. */
	for (i = 0; i < 100000; i++) {
		self->clock += 5 * MS;
		cycle(self, i % 200 ? &empty : &one_by_one);
		patient += self->patient;
	}
	EXPECT_EQ(0, patient);
	/* Nor is patience kept for them. */
	serve(self, &deep, SECOND);
	ASSERT_TRUE(self->p.patient);
	for (i = 0; i < 100; i++) {
		self->clock += 5 * MS;
		cycle(self, &empty);
	}
	EXPECT_FALSE(self->patient);
}

TEST_F(patience, a_clock_that_goes_back_is_no_pause)
{
	unsigned int i;

	serve(self, &deep, SECOND);
	for (i = 0; i < 20; i++) {
		self->clock -= 2 * MS;
		cycle(self, &deep);
		ASSERT_TRUE(self->p.patient);
	}
}

TEST_F(patience, a_pause_ends_it)
{
	serve(self, &deep, SECOND);
	ASSERT_TRUE(self->p.patient);
	self->clock += 11 * MS;
	cycle(self, &deep);
	EXPECT_FALSE(self->patient);
}

TEST_F(patience, after_a_pause_it_comes_back_soon)
{
	unsigned int i, patient = 0;

	serve(self, &deep, SECOND);
	for (i = 0; i < 20; i++) {
		self->clock += 15 * MS;
		patient += serve(self, &deep, 300 * MS);
	}
	EXPECT_LE(60 * 20, patient);
}

TEST_F(patience, a_gap_in_a_trial_is_not_the_pace_of_a_driver)
{
	unsigned int i;

	serve(self, &deep, SECOND);
	for (i = 0; i < 20; i++) {
		while (!self->p.trial || !self->p.patient)
			cycle(self, &deep);
		self->clock += 5 * MS;
		cycle(self, &deep);
		EXPECT_GE(40 * US, self->p.eager.ns / self->p.eager.chains);
	}
}

TEST_HARNESS_MAIN
