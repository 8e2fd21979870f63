/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dev_net.h - what the files of the virtio-net device share.
 */
#ifndef KVHOST_DEV_NET_H
#define KVHOST_DEV_NET_H

#include <stdio.h>

#include "net_backend.h"
#include "net_features.h"
#include "net_filter.h"
#include "net_port.h"
#include "net_ring.h"
#include "virtio_pci.h"
#include "vm.h"

/**
 * struct net_control - the control queue
 * @ring:     the queue
 * @live:     it is served
 * @commands: commands answered with OK
 * @errors:   commands answered with ERR
 */
struct net_control {
	struct net_ring ring;
	bool live;
	uint64_t commands;
	uint64_t errors;
};

/**
 * struct dev_net - one network device
 * @vdev:     the device
 * @pci:      its transport
 * @vm:       the machine
 * @hook:     registered with @vm
 * @opt:      how it was asked for
 * @port:     the host's side
 * @setup:    what @backend was created from
 * @backend:  who processes receive and transmit queues
 * @config:   configuration space
 * @mac:      address the device was made with
 * @features: what was negotiated and goes together, once it was
 * @offloads: those of NET_GUEST_OFFLOADS that are on
 * @filter:   what the driver wants to receive
 * @pairs:    queue pairs in use
 * @control:  the control queue
 * @name:     for messages
 * @err_fd:   eventfd @backend and @control raise when a queue breaks
 */
struct dev_net {
	struct virtio_dev vdev;
	struct virtio_pci pci;
	struct vm *vm;
	struct vm_hook hook;
	const struct net_options *opt;
	struct net_port port;
	struct net_setup setup;
	struct net_backend *backend;
	struct virtio_net_config config;
	uint8_t mac[NET_ADDR_BYTES];
	uint64_t features;
	uint64_t offloads;
	struct net_filter filter;
	unsigned int pairs;
	struct net_control control;
	char name[16];
	int err_fd;
};

/* dev_net.c: carry out what the driver asked for. Return 0 or -errno. */
int dev_net_set_pairs(struct dev_net *net, unsigned int pairs);
int dev_net_set_offloads(struct dev_net *net, uint64_t offloads);
int dev_net_set_mac(struct dev_net *net, const uint8_t *mac);
void dev_net_set_filter(struct dev_net *net);

/* net_control.c */
int net_control_start(struct dev_net *net, const struct virtio_queue *vq);
void net_control_stop(struct dev_net *net);

/* net_command.c */
bool net_command_run(struct dev_net *net, const uint8_t *data, size_t len);
int dev_net_command(void *opaque, const char *verb, char *arg, FILE *out);

#endif
