/* SPDX-License-Identifier: GPL-2.0 */
/*
 * options.h - the command line of `kvhost run`, parsed and checked.
 *
 * Tables in options.c and options_net.c name every option and every key; the
 * help, the parser and the suggestions for misspelt names all read them.
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
#define OPTIONS_NETS_MAX	8
#define OPTIONS_DEVICES_MAX	31	/* slots of the PCI bus but the host bridge's */
#define OPTIONS_NET_PAIRS_MAX	16

enum disk_backend {
	DISK_BACKEND_KERNEL,
	DISK_BACKEND_USER,
};

enum net_backend_kind {
	NET_BACKEND_KERNEL,
	NET_BACKEND_USER,
};

enum disk_cache {
	DISK_CACHE_WRITEBACK,
	DISK_CACHE_WRITETHROUGH,
};

enum disk_error {
	DISK_ERROR_REPORT,
	DISK_ERROR_STOP,
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
 * @share:      others may use @path at the same time
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
 * @error:      what becomes of a request the disk fails
 * @limits:     how fast it may be used at first
 * @workers:    threads of the kernel backend that the queues share; 0: one each
 * @registered: the kernel backend pins all guest RAM
 * @node:       device node of the kernel backend; never NULL
 */
struct disk_options {
	const char *path;
	enum disk_backend backend;
	bool readonly;
	bool share;
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
	enum disk_error error;
	struct disk_limits limits;
	unsigned int workers;
	bool registered;
	const char *node;
};

/**
 * struct net_options - one --net; exactly one of the first four is set
 * @tap:        an existing tap interface, or NULL
 * @macvtap:    an existing macvtap or ipvtap interface, or NULL
 * @bridge:     a bridge that gets a tap for the time of the run, or NULL
 * @user:       passt
 * @backend:    who processes the queues
 * @queues:     queue pairs
 * @queue_size: descriptors per virtqueue
 * @mac:        address; all zero when not given
 * @mtu:        what the guest is told; 0: what the interface has
 * @speed:      what the guest is told, Mbit/s; 0: unknown
 * @packed:     offer the packed ring
 * @in_order:   offer IN_ORDER
 * @indirect:   offer indirect descriptors
 * @event_idx:  offer EVENT_IDX
 * @mrg_rxbuf:  offer mergeable receive buffers
 * @csum:       offer checksum offload
 * @tso:        offer TCP segmentation offload; needs @csum
 * @uso:        offer UDP segmentation offload; needs @csum
 * @poll:       longest spin of the kernel backend for new work, microseconds
 * @registered: the kernel backend pins all guest RAM
 * @node:       device node of the kernel backend; never NULL
 */
struct net_options {
	const char *tap;
	const char *macvtap;
	const char *bridge;
	bool user;
	enum net_backend_kind backend;
	unsigned int queues;
	unsigned int queue_size;
	uint8_t mac[6];
	unsigned int mtu;
	unsigned int speed;
	bool packed;
	bool in_order;
	bool indirect;
	bool event_idx;
	bool mrg_rxbuf;
	bool csum;
	bool tso;
	bool uso;
	unsigned int poll;
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
 * @nets:        in order of appearance
 * @net_text:    private: what the strings of @nets point into
 * @nr_nets:     entries of @nets
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
	struct net_options nets[OPTIONS_NETS_MAX];
	char *net_text[OPTIONS_NETS_MAX];
	unsigned int nr_nets;
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
