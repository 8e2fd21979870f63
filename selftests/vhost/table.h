/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables of what a front end can observe of /dev/vhost-net and /dev/kvhost-net.
 *
 * A row asks one question of a device in a state, and gets an answer in words:
 * a result, what was read back, what became of a packet. table_run() asks every
 * row of both nodes in each of its states and compares the answers. A row whose
 * answers differ on purpose names a difference of differences.h and the states
 * in which they differ. Any other difference is a failure, and so is a named
 * one that does not show.
 */
#ifndef SELFTESTS_VHOST_TABLE_H
#define SELFTESTS_VHOST_TABLE_H

#include "differences.h"
#include "side.h"

#define ANSWER_MAX	120u

/**
 * struct answer - what a row was told by one node in one state
 * @text: words, compared as they are
 */
struct answer {
	char text[ANSWER_MAX];
};

/* Kernels on which a difference shows, by what their vhost-net serves. */
enum kernels {
	K_ALL,
	K_NO_RING_RESET,
	K_RING_RESET,
	K_NO_IN_ORDER,
};

/* Kind of the argument of an ioctl. */
enum arg {
	ARG_NONE, ARG_U8, ARG_U32, ARG_U64, ARG_STATE, ARG_FILE, ARG_ADDR, ARG_MEM, ARG_FD,
	ARG_WORKER,
};

/**
 * struct row - a question
 * @name:    what is asked
 * @ask:     asks it of a device, and answers
 * @states:  bits of the states it is asked in; 0: all
 * @differs: difference that shows
 * @in:      bits of the states in which it shows
 * @on:      kernels on which it shows
 * @req:     for @ask: ioctl
 * @arg:     for @ask: kind of its argument
 * @index:   for @ask: queue, or INDEX_*
 * @v:       for @ask: a value
 */
struct row {
	const char *name;
	void (*ask)(struct side *s, const struct row *row, struct answer *a);
	u32 states;
	enum difference differs;
	u32 in;
	enum kernels on;
	unsigned long req;
	enum arg arg;
	u32 index;
	u64 v;
};

#define IN(state)	(1u << (state))
#define IN_ALL		((1u << STATES) - 1)

void say(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *error_name(int err);
void table_run(const struct row *rows, unsigned int n);

#endif /* SELFTESTS_VHOST_TABLE_H */
