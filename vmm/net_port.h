/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net_port.h - the host's side of a network device: an interface, or passt.
 */
#ifndef KVHOST_NET_PORT_H
#define KVHOST_NET_PORT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "options.h"

struct net_filter;

/* The header before each packet, struct virtio_net_hdr_v1, here and in rings. */
#define NET_HDR_BYTES	12

enum net_port_kind {
	NET_PORT_TAP,
	NET_PORT_MACVTAP,
	NET_PORT_PASST,
};

/**
 * struct net_port - where the packets go; protected by vm_lock() once the VM runs
 * @kind:   what it is; this group is constant
 * @ifname: name of the interface, for messages "passt" if there is none
 * @nfds:   queues it has
 * @fds:    its queues, not blocking
 * @mtu:    largest packet
 * @uso:    it segments UDP
 * @mac:    address of a macvtap, else all zero
 * @active: queues that packets are received from, from the first
 */
struct net_port {
	enum net_port_kind kind;
	char ifname[IFNAMSIZ];
	unsigned int nfds;
	int fds[OPTIONS_NET_PAIRS_MAX];
	unsigned int mtu;
	bool uso;
	uint8_t mac[6];
	unsigned int active;
};

/* Each writes one line on stderr when it fails. */
int net_port_open(struct net_port *port, const struct net_options *opt);
void net_port_close(struct net_port *port);
int net_port_set_offloads(struct net_port *port, uint64_t features);
int net_port_set_pairs(struct net_port *port, unsigned int pairs);
int net_port_set_mac(struct net_port *port, const uint8_t *mac);
void net_port_set_filter(struct net_port *port, const struct net_filter *filter);

/* net_link.c: interfaces by name. Return 0 or -errno, and write nothing. */
int net_link_flags(const char *ifname, unsigned int *flags);
int net_link_up(const char *ifname);
int net_link_mtu(const char *ifname, unsigned int *mtu);
int net_link_set_mtu(const char *ifname, unsigned int mtu);
int net_link_mac(const char *ifname, uint8_t *mac);
int net_link_enslave(const char *bridge, const char *ifname);
bool net_link_is_bridge(const char *ifname);

/* net_passt.c: start passt; its socket, or -errno after one line on stderr. */
int net_passt_start(void);

#endif
