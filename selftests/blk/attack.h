/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Malformed rings and chains, and what has to come of them.
 *
 * Each row is one attack on queue 0 of a device with two queues. Required of
 * every one: the queue is marked broken once, the error eventfd is signalled,
 * the counter of that fault goes up, queue 1 goes on working, and stopping and
 * starting the queue revives it.
 */
#ifndef SELFTESTS_BLK_ATTACK_H
#define SELFTESTS_BLK_ATTACK_H

#include "lib/blkreq.h"
#include "lib/kvhost.h"

/* Nothing wrong with the ring or the chain: it is the request in it. */
#define FAULT_REQUEST	FAULT_NONE

/**
 * struct attack - the device under test: queue 0 is attacked, queue 1 looks on
 * @k:     device
 * @r:     a read of 512 bytes to be bent
 * @other: the request of queue 1
 */
struct attack {
	struct kvhost k;
	struct blkreq r;
	struct blkreq other;
};

struct scene;

/**
 * struct row - a malformed chain and what has to come of it
 * @name:        the promise
 * @play:        makes the malformed chain out of a good request
 * @fault:       the counter that goes up
 * @no_indirect: on a device without VIRTIO_F_INDIRECT_DESC
 * @or_ioerr:    an answer of IOERR is as good as a broken queue
 */
struct row {
	const char *name;
	void (*play)(struct scene *s);
	unsigned int fault;
	bool no_indirect;
	bool or_ioerr;
};

/**
 * struct stage - what rows are tried on
 * @ring: what to ask of the device
 * @lay:  puts a row's chain into queue 0, bypassing the library's book-keeping,
 *        and leaves publishing it to the caller
 */
struct stage {
	struct kvhost_opts ring;
	void (*lay)(struct attack *a, const struct row *row);
};

void attack_all(const struct stage *s, const struct row *rows, unsigned int n);

#endif /* SELFTESTS_BLK_ATTACK_H */
