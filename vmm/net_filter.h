/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net_filter.h - which packets a driver wants to receive.
 */
#ifndef KVHOST_NET_FILTER_H
#define KVHOST_NET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_ADDR_BYTES		6
#define NET_FILTER_ADDRS_MAX	64
#define NET_VLANS		4096

/* Bytes of a frame the filter looks at: addresses, type, VLAN tag. */
#define NET_FILTER_BYTES	18

/**
 * struct net_addrs - one of the two address tables
 * @nr:       addresses in @addr
 * @overflow: the driver named more than fit, so all are let through
 * @addr:     the addresses
 */
struct net_addrs {
	unsigned int nr;
	bool overflow;
	uint8_t addr[NET_FILTER_ADDRS_MAX][NET_ADDR_BYTES];
};

/**
 * struct net_filter - what a driver asked for
 * @on:       CTRL_RX was negotiated: addresses are looked at
 * @vlan_on:  CTRL_VLAN was negotiated: tags are looked at
 * @mac:      address of the device
 * @promisc:  everything
 * @allmulti: all multicast
 * @alluni:   all unicast
 * @nomulti:  no multicast but broadcast
 * @nouni:    no unicast
 * @nobcast:  no broadcast
 * @uni:      more unicast addresses
 * @multi:    multicast addresses
 * @vlans:    a bit for each tag that is let through
 */
struct net_filter {
	bool on;
	bool vlan_on;
	uint8_t mac[NET_ADDR_BYTES];
	bool promisc;
	bool allmulti;
	bool alluni;
	bool nomulti;
	bool nouni;
	bool nobcast;
	struct net_addrs uni;
	struct net_addrs multi;
	uint8_t vlans[NET_VLANS / 8];
};

void net_filter_reset(struct net_filter *f, const uint8_t *mac);
bool net_filter_pass(const struct net_filter *f, const uint8_t *frame);

#endif
