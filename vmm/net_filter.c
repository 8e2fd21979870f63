// SPDX-License-Identifier: GPL-2.0
/*
 * net_filter.c - which packets a driver wants to receive (5.1.6.5.1 to 5.1.6.5.3).
 *
 * Pure: the control queue writes a filter, the userspace backend asks its own
 * copy. What no feature was negotiated for is not filtered.
 */
#include <string.h>

#include "net_filter.h"

#define TYPE_AT		12
#define TAG_AT		14

/**
 * net_filter_reset() - as after a device reset: empty tables, no mode
 * @f:   the filter
 * @mac: address of the device
 */
void net_filter_reset(struct net_filter *f, const uint8_t *mac)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->mac, mac, sizeof(f->mac));
}

static bool listed(const struct net_addrs *table, const uint8_t *addr)
{
	unsigned int i;

	if (table->overflow)
		return true;
	for (i = 0; i < table->nr; i++) {
		if (!memcmp(table->addr[i], addr, NET_ADDR_BYTES))
			return true;
	}
	return false;
}

static bool address_wanted(const struct net_filter *f, const uint8_t *addr)
{
	static const uint8_t broadcast[NET_ADDR_BYTES] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};

	if (f->promisc)
		return true;
	if (!memcmp(addr, broadcast, NET_ADDR_BYTES))
		return !f->nobcast;
	if (addr[0] & 1)
		return !f->nomulti &&
		       (f->allmulti || listed(&f->multi, addr));
	return !f->nouni &&
	       (f->alluni || !memcmp(addr, f->mac, NET_ADDR_BYTES) ||
		listed(&f->uni, addr));
}

static bool tag_wanted(const struct net_filter *f, const uint8_t *frame)
{
	unsigned int id;

	if (frame[TYPE_AT] != 0x81 || frame[TYPE_AT + 1] != 0x00)
		return true;
	id = (frame[TAG_AT] & 0x0f) << 8 | frame[TAG_AT + 1];
	return f->vlans[id / 8] & 1 << id % 8;
}

/**
 * net_filter_pass() - is a packet to be received
 * @f:     the filter
 * @frame: the first NET_FILTER_BYTES of it
 *
 * Return: true if it is.
 */
bool net_filter_pass(const struct net_filter *f, const uint8_t *frame)
{
	if (f->on && !address_wanted(f, frame))
		return false;
	return !f->vlan_on || tag_wanted(f, frame);
}
