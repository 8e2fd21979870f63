/* SPDX-License-Identifier: GPL-2.0 */
/*
 * options.h - the command line of `kvhost run`, parsed and checked.
 *
 * One table in options.c names every option and every disk key; the help, the
 * parser and the suggestions for misspelt names all read that table.
 */
#ifndef KVHOST_OPTIONS_H
#define KVHOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_CPUS_MAX	16
#define OPTIONS_DISKS_MAX	24
#define OPTIONS_QUEUES_MAX	64
#define OPTIONS_SERIAL_BYTES	20

enum disk_backend {
	DISK_BACKEND_KERNEL,
	DISK_BACKEND_USER,
};

enum disk_cache {
	DISK_CACHE_WRITEBACK,
	DISK_CACHE_WRITETHROUGH,
};

/**
 * struct disk_limits - how fast a disk may be used; 0: no limit
 * @iops:       requests per second
 * @iops_burst: requests that may begin at once after a rest; 0: a tenth of @iops
 * @bps:        bytes per second
 * @bps_burst:  likewise in bytes
 */
struct disk_limits {
	uint64_t iops;
	uint64_t iops_burst;
	uint64_t bps;
	uint64_t bps_burst;
};

/**
 * struct disk_options - one --disk
 * @path:       block device or regular file; never NULL
 * @backend:    who processes the queues
 * @readonly:   refuse writes
 * @serial:     what the guest reads as the disk's serial number, at most
 *              OPTIONS_SERIAL_BYTES bytes; never NULL, "" when not given
 * @queues:     virtqueues; 0 when not given: one per vCPU
 * @queue_size: descriptors per virtqueue
 * @cache:      whether a write is durable when it completes
 * @direct:     bypass the page cache (O_DIRECT)
 * @offset:     where the disk starts in @path, bytes
 * @length:     bytes; 0: up to the end of @path
 * @packed:     offer the packed ring
 * @in_order:   offer IN_ORDER
 * @indirect:   offer indirect descriptors
 * @event_idx:  offer EVENT_IDX
 * @poll:       longest spin of the kernel backend for new work, microseconds
 * @poll_queues: the kernel backend uses poll queues of the disk
 * @limits:     how fast it may be used at first
 * @workers:    threads of the kernel backend that the queues share; 0: one each
 * @registered: the kernel backend pins all guest RAM
 * @node:       device node of the kernel backend; never NULL
 */
struct disk_options {
	const char *path;
	enum disk_backend backend;
	bool readonly;
	const char *serial;
	unsigned int queues;
	unsigned int queue_size;
	enum disk_cache cache;
	bool direct;
	uint64_t offset;
	uint64_t length;
	bool packed;
	bool in_order;
	bool indirect;
	bool event_idx;
	unsigned int poll;
	bool poll_queues;
	struct disk_limits limits;
	unsigned int workers;
	bool registered;
	const char *node;
};

enum serial_kind {
	SERIAL_STDIO,
	SERIAL_FILE,
	SERIAL_NONE,
};

/**
 * struct options - everything `kvhost run` was told; strings live as long as argv
 * @kernel:      bzImage; never NULL after a successful parse
 * @initrd:      or NULL
 * @append:      kernel command line of the caller, or NULL
 * @name:        shown in status and thread names
 * @cpus:        1..OPTIONS_CPUS_MAX
 * @memory:      bytes of guest RAM
 * @disks:       in order of appearance
 * @disk_text:   private: what the strings of @disks point into
 * @nr_disks:    entries of @disks
 * @serial:      where COM1 goes
 * @serial_path: for SERIAL_FILE
 * @control:     path of the control socket, or NULL
 * @no_reboot:   a guest reboot ends the run
 * @sandbox:     enter the sandbox before the guest starts
 * @user:        account to become when started as root, or NULL
 */
struct options {
	const char *kernel;
	const char *initrd;
	const char *append;
	const char *name;
	unsigned int cpus;
	uint64_t memory;
	struct disk_options disks[OPTIONS_DISKS_MAX];
	char *disk_text[OPTIONS_DISKS_MAX];
	unsigned int nr_disks;
	enum serial_kind serial;
	const char *serial_path;
	const char *control;
	bool no_reboot;
	bool sandbox;
	const char *user;
};

/* Returns 0, 1 when help was asked for and printed, or -EINVAL after one line on stderr. */
int options_parse(struct options *opt, int argc, char **argv);
/* Read "KEY=VALUE,..." with the keys of limits; cuts @text up. 0, or -EINVAL after one line. */
int options_parse_limits(struct disk_limits *limits, char *text);
void options_free(struct options *opt);
void options_help(FILE *out);
/* The entry of @names (NULL-terminated) closest to @word, or NULL when none is near. */
const char *options_suggest(const char *word, const char *const *names);

#endif
