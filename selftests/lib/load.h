/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random reads and writes that keep every queue of a device busy, and know
 * what each of them has to come to.
 *
 * The disk holds blk_pattern() of one seed all over, and writes write just
 * that, so a read that succeeds has one right answer whatever was done before.
 */
#ifndef SELFTESTS_LOAD_H
#define SELFTESTS_LOAD_H

#include "blkreq.h"
#include "kvhost.h"

#define LOAD_SEED	11

/* What a request has to come to. */
enum load_expect {
	LOAD_OK,
	LOAD_IOERR,
	LOAD_EITHER,
};

/**
 * struct load_opts - what load_run() does
 * @total:   requests in all
 * @sectors: the range they are spread over
 * @unit:    sectors each request begins at a multiple of
 * @len_max: most bytes of a request, a multiple of 512
 * @reads:   percent of reads
 * @expect:  what a request has to come to; NULL: LOAD_OK
 * @step:    called after each completion with the number so far; may be NULL
 * @arg:     for @expect and @step
 */
struct load_opts {
	unsigned int total;
	u64 sectors;
	u32 unit;
	u32 len_max;
	unsigned int reads;
	enum load_expect (*expect)(void *arg, const struct blkreq *r);
	void (*step)(void *arg, unsigned int done);
	void *arg;
};

/**
 * struct load - requests of a device, and what became of them
 * @k:     device, started
 * @depth: requests of each queue
 * @r:     the requests, @depth of each queue in turn
 * @idle:  stack of those that are not in flight, by queue
 * @n_idle: its height, by queue
 * @ok:    requests answered OK in the last run
 * @ioerr: requests answered IOERR in the last run
 * @failed: requests answered IOERR in all runs
 * @wrong: requests that came to what they should not
 */
struct load {
	struct kvhost *k;
	unsigned int depth;
	struct blkreq *r;
	struct blkreq **idle;
	unsigned int *n_idle;
	unsigned int ok;
	unsigned int ioerr;
	unsigned int failed;
	unsigned int wrong;
};

void load_init(struct load *l, struct kvhost *k, unsigned int depth, u32 len_max);
void load_free(struct load *l);
bool load_run(struct load *l, const struct load_opts *o);
void load_fill(int fd, u64 sectors);

#endif /* SELFTESTS_LOAD_H */
