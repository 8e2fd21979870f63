/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stat.h - `kvhost stat`: counters of queues as numbers, and their printing.
 */
#ifndef KVHOST_STAT_H
#define KVHOST_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <kvhost.h>
#include <kvhost_counters.h>

/**
 * struct stat_queue - one queue at one moment
 * @index:   its number
 * @state:   as it was printed
 * @ring:    counters of the ring
 * @blk:     counters of the requests
 * @has_blk: @blk is known
 */
struct stat_queue {
	unsigned int index;
	char state[16];
	struct kvhost_vring_stats ring;
	struct kvhost_blk_queue_stats blk;
	bool has_blk;
};

/**
 * struct stat_device - one device
 * @name:  of its debugfs file, or the VM's name for the disk
 * @owner: process it belongs to
 * @nr:    number of @queue
 * @queue: its queues, but those that were never used
 */
struct stat_device {
	char name[48];
	int owner;
	unsigned int nr;
	struct stat_queue *queue;
};

/**
 * struct stat_set - all that was read at a time
 * @at:  when, now_ns()
 * @nr:  number of @dev
 * @dev: the devices
 */
struct stat_set {
	uint64_t at;
	unsigned int nr;
	struct stat_device *dev;
};

/**
 * struct stat_row - a counter that can be looked up by its name
 * @counter: name and place
 * @blk:     the place is in stat_queue.blk, else in stat_queue.ring
 */
struct stat_row {
	struct kvhost_counter counter;
	bool blk;
};

/* stat_read.c */
const struct stat_row *stat_row_next(const struct stat_row *row);
uint64_t *stat_row_value(struct stat_queue *q, const struct stat_row *row);
int stat_read(struct stat_set *set, const char *what);
void stat_free(struct stat_set *set);

/* stat_print.c */
void stat_print_table(const struct stat_set *now, const struct stat_set *before);
int stat_print_json(const struct stat_set *now, const struct stat_set *before);

/* stat.c: `kvhost stat`; returns the exit status */
int stat_command(int argc, char **argv);

#endif
