/* SPDX-License-Identifier: GPL-2.0 */
/*
 * port.h - the host's side of a network device as sockets that a test holds the
 * other end of, in place of taps.
 */
#ifndef SELFTESTS_VMM_PORT_H
#define SELFTESTS_VMM_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "net_filter.h"
#include "options.h"

/**
 * struct port - what the device under test did to its interface
 * @fd:       the other end of each queue, a packet a message
 * @kind:     kind of interface; set by the test, likewise @uso and @mtu
 * @uso:      it segments UDP
 * @mtu:      its largest packet
 * @mac:      last address set
 * @offloads: features that are on
 * @pairs:    queues attached
 * @filter:   last filter given to the interface
 * @filters:  how often
 */
extern struct port {
	int fd[OPTIONS_NET_PAIRS_MAX];
	int kind;
	bool uso;
	unsigned int mtu;
	uint8_t mac[6];
	uint64_t offloads;
	unsigned int pairs;
	struct net_filter filter;
	unsigned int filters;
} port;

#endif
