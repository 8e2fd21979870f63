/* SPDX-License-Identifier: GPL-2.0 */
/*
 * patience.h - when does it pay to let the driver finish first? See patience.c,
 * which knows no kernel but its types.
 */
#ifndef KVH_PATIENCE_H
#define KVH_PATIENCE_H

#include <linux/minmax.h>
#include <linux/types.h>

/**
 * struct kvh_span - what a worker did in some time
 * @ns:     how long that was, the waiting included
 * @chains: chains taken
 * @shown:  times that it showed a driver what is done
 */
struct kvh_span {
	u64 ns;
	u64 chains;
	u64 shown;
};

/**
 * struct kvh_patience - which way serves a worker's drivers better; zero to begin with
 * @now:     the span at present
 * @usual:   the last ones of the way that is usual
 * @eager:   the last ones seen of being eager, a whole span at least, if any
 * @seen:    the last time it was asked, ns of a clock
 * @next:    when the other way is to be tried
 * @wait:    ns from the last trial to the next, if nothing changes
 * @cost:    ns that the last trial took
 * @patient: the way that is usual
 * @trial:   at present it is the other one
 */
struct kvh_patience {
	struct kvh_span now;
	struct kvh_span usual;
	struct kvh_span eager;
	u64 seen;
	u64 next;
	u64 wait;
	u64 cost;
	bool patient;
	bool trial;
};

bool kvh_patience_ask(struct kvh_patience *p, u64 clock, unsigned int chains, unsigned int shown);

#endif
