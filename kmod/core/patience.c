// SPDX-License-Identifier: GPL-2.0
/*
 * patience.c - when does it pay to let the driver finish first?
 *
 * A doorbell wakes a worker. Where no CPU is free the worker takes the one of the
 * vCPU that rang, which had more to say: it serves one request, interrupts the
 * guest for that, and is woken for the next. A patient worker is SCHED_BATCH: who
 * wakes it goes on until it sleeps or its time is up, and leaves a ring full of
 * requests, for one interrupt. A driver that waits for each answer gains nothing
 * by that, one that spins on a full ring loses, and what else runs on the CPU may
 * be somebody who never sleeps.
 *
 * Where a CPU is free the worker answers each request before the vCPU has made the
 * next, and the guest spends its time on doorbells and interrupts. A patient worker
 * holds completions while more requests come (poll.c), for one interrupt again.
 *
 * So both ways are tried, and the one is kept that takes less time for the same
 * number of chains. To be patient has to be clearly better: faster by a sixteenth, and
 * showing the driver twice as many chains at once, for to be faster alone may be chance.
 * A trial has four spans, but ends where there is no hope after one, or as soon as it
 * has taken clearly longer than the usual way takes for one. Trials have a sixty-fourth
 * of the time, a sixteenth where nothing stays as it was found. A pause ends patience.
 */
#include "patience.h"

#define MSEC		((u64)1000000)

/* Chains that make a span. */
#define SPAN		64u

/* Spans before a trial is decided, but for what is without hope after the first. */
#define TRIAL		(4 * SPAN)

/* The last spans count, the older the less. */
#define USUAL		(4 * SPAN)

/* Who takes no more than a few chains in so long has paused. */
#define PAUSE		(10 * MSEC)
#define PAUSE_CHAINS	32u

/* A span that is not full by then will tell nothing. */
#define SPAN_MAX	(100 * MSEC)

/* Time between trials, and how many times that of the last trial. */
#define WAIT_MIN	(10 * MSEC)
#define WAIT_MAX	(1000 * MSEC)
#define WAIT_SHARE	64u
#define WAIT_ANEW	16u

/* Does @a take a @part (1/16 .. 32/16) of the time of @b for a chain, or less? */
static bool takes(const struct kvh_span *a, const struct kvh_span *b, unsigned int part)
{
	return a->ns * b->chains * 16 <= b->ns * a->chains * part;
}

/* Twice as many chains are shown at once. */
static bool batches(const struct kvh_span *patient, const struct kvh_span *eager)
{
	return patient->chains * eager->shown > 2 * patient->shown * eager->chains;
}

/* The one way and the other, while one of them is tried. */
static bool better_patient(const struct kvh_patience *p)
{
	const struct kvh_span *patient = p->patient ? &p->usual : &p->now;
	const struct kvh_span *eager = p->patient ? &p->now : &p->usual;

	return takes(patient, eager, 15) && batches(patient, eager);
}

static void begin(struct kvh_patience *p)
{
	p->now = (struct kvh_span){ };
}

/* The next trial comes so many times later than the last one did. */
static void put_off(struct kvh_patience *p, u64 clock, unsigned int times)
{
	p->wait = min(times * p->wait, max(WAIT_MAX, WAIT_SHARE * p->cost));
	p->next = clock + p->wait;
}

/* What was found out may not be true any more. */
static void doubt(struct kvh_patience *p, u64 clock)
{
	p->wait = max(WAIT_MIN, WAIT_ANEW * p->cost);
	p->next = min(p->next, clock + p->wait);
}

static void forget(struct kvh_patience *p, u64 clock)
{
	p->usual = (struct kvh_span){ };
	doubt(p, clock);
}

static void trial_end(struct kvh_patience *p, u64 clock, bool won)
{
	p->cost = min(p->now.ns, 4 * SPAN_MAX);
	if (p->patient && p->now.chains >= SPAN)
		p->eager = p->now;
	if (won) {
		p->patient = !p->patient;
		forget(p, clock);
		p->usual = p->now;
	}
	/* What was lost may have been bad luck, sooner than what was won was good luck. */
	put_off(p, clock, won ? 4 : 2);
	p->trial = false;
	begin(p);
}

/* Is there no hope for the trial, a span into it? */
static bool hopeless(const struct kvh_patience *p)
{
	if (p->patient)
		return better_patient(p);
	return !takes(&p->now, &p->usual, 18) || !batches(&p->now, &p->usual);
}

/* Has it taken longer already than a span usually does? */
static bool late(const struct kvh_patience *p)
{
	return p->now.ns * p->usual.chains * 16 > p->usual.ns * SPAN * 18;
}

static void trial_ask(struct kvh_patience *p, u64 clock)
{
	if (p->now.chains >= TRIAL)
		trial_end(p, clock, better_patient(p) != p->patient);
	else if (p->now.chains >= SPAN ? hopeless(p) : late(p))
		trial_end(p, clock, false);
}

/* A span of the usual way has ended. */
static void usual_span(struct kvh_patience *p, u64 clock)
{
	if (!takes(&p->now, &p->usual, 18) || !takes(&p->usual, &p->now, 18))
		doubt(p, clock);
	if (p->usual.chains >= USUAL) {
		p->usual.ns /= 2;
		p->usual.chains /= 2;
		p->usual.shown /= 2;
	}
	p->usual.ns += p->now.ns;
	p->usual.chains += p->now.chains;
	p->usual.shown += p->now.shown;
	if (!p->patient)
		p->eager = p->usual;
	p->trial = clock >= p->next;
	begin(p);
}

/*
 * Either the driver has next to nothing to do, and comes back as another; or patience
 * takes too long.
 */
static void pause(struct kvh_patience *p, u64 clock)
{
	if (p->trial && !p->patient) {
		trial_end(p, clock, false);
		return;
	}
	if (p->patient)
		/* Most of it is the driver's own, as a rule. */
		p->cost = min(p->now.ns, PAUSE / 2);
	p->patient = false;
	p->trial = false;
	forget(p, clock);
	begin(p);
}

/**
 * kvh_patience_ask() - which way from now on?
 * @p:      what is known
 * @clock:  ns; a clock that goes back a little does no harm
 * @chains: chains taken since it was asked last
 * @shown:  times that completions were shown to a driver meanwhile
 *
 * Context: Worker.
 * Return: true to be patient, false to be eager
 */
bool kvh_patience_ask(struct kvh_patience *p, u64 clock, unsigned int chains, unsigned int shown)
{
	u64 ns = clock > p->seen ? clock - p->seen : 0;

	p->seen = clock;
	p->now.ns += ns;
	p->now.chains += chains;
	p->now.shown += shown;
	if (ns > max(PAUSE, chains * (PAUSE / PAUSE_CHAINS)) ||
	    (p->now.chains < SPAN && p->now.ns > SPAN_MAX))
		pause(p, clock);
	else if (p->trial)
		trial_ask(p, clock);
	else if (p->now.chains >= SPAN)
		usual_span(p, clock);
	return p->patient != p->trial;
}
