/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dev_blk.h - what the files of the virtio-blk device share.
 */
#ifndef KVHOST_DEV_BLK_H
#define KVHOST_DEV_BLK_H

#include <linux/virtio_blk.h>
#include <stdio.h>

#include "blk_backend.h"
#include "disk.h"
#include "options.h"
#include "virtio_pci.h"
#include "vm.h"

/**
 * struct dev_blk - one disk
 * @vdev:    the device
 * @pci:     its transport
 * @vm:      the machine
 * @hook:    registered with @vm
 * @opt:     how it was asked for
 * @disk:    the file behind it
 * @setup:   what @backend was created from
 * @backend: who processes the queues
 * @config:  configuration space
 * @limits:  how fast it may be used at present
 * @told:    number of the error of the disk that was talked about last
 * @told_at: when that was, now_ns()
 * @name:    for messages
 * @err_fd:  eventfd @backend raises when a queue breaks
 */
struct dev_blk {
	struct virtio_dev vdev;
	struct virtio_pci pci;
	struct vm *vm;
	struct vm_hook hook;
	const struct disk_options *opt;
	struct disk disk;
	struct blk_setup setup;
	struct blk_backend *backend;
	struct virtio_blk_config config;
	struct disk_limits limits;
	uint64_t told;
	uint64_t told_at;
	char name[16];
	int err_fd;
};

/* blk_control.c */
int dev_blk_command(void *opaque, const char *verb, char *arg, FILE *out);
int dev_blk_limit(struct dev_blk *blk, const struct disk_limits *limits);
void dev_blk_tell_error(struct dev_blk *blk);
void dev_blk_print_limits(const struct dev_blk *blk, FILE *out);

#endif
