// SPDX-License-Identifier: GPL-2.0
/*
 * net_command.c - the commands of the control queue, and those of `kvhost ctl`.
 *
 * One table names each command, the feature it belongs to and the length of its
 * data. What is not in the table, was not negotiated, or has other data is
 * answered with ERR and changes nothing (NET-079, HD-046).
 *
 * Everything runs with vm_lock() held.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "dev_net.h"
#include "util.h"

/* VLAN ids a tag may have; 4095 is reserved. */
#define VLAN_MAX	4094

static uint16_t le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static bool set_mode(struct dev_net *net, bool *mode, uint8_t on)
{
	if (on > 1)
		return false;
	*mode = on;
	dev_net_set_filter(net);
	return true;
}

static bool rx_promisc(struct dev_net *net, const uint8_t *d, size_t len)
{
	return set_mode(net, &net->filter.promisc, *d);
}

static bool rx_allmulti(struct dev_net *net, const uint8_t *d, size_t len)
{
	return set_mode(net, &net->filter.allmulti, *d);
}

static bool rx_alluni(struct dev_net *net, const uint8_t *d, size_t len)
{
	return set_mode(net, &net->filter.alluni, *d);
}

static bool rx_nomulti(struct dev_net *net, const uint8_t *d, size_t len)
{
	return set_mode(net, &net->filter.nomulti, *d);
}

static bool rx_nouni(struct dev_net *net, const uint8_t *d, size_t len)
{
	return set_mode(net, &net->filter.nouni, *d);
}

static bool rx_nobcast(struct dev_net *net, const uint8_t *d, size_t len)
{
	return set_mode(net, &net->filter.nobcast, *d);
}

/* One table of addresses at @d; returns its end, or NULL. */
static const uint8_t *read_addrs(struct net_addrs *to, const uint8_t *d,
				 const uint8_t *end)
{
	uint32_t n;

	if (end - d < 4)
		return NULL;
	n = le32(d);
	d += 4;
	if ((size_t)(end - d) / NET_ADDR_BYTES < n)
		return NULL;
	to->overflow = n > NET_FILTER_ADDRS_MAX;
	to->nr = to->overflow ? 0 : n;
	memcpy(to->addr, d, to->nr * NET_ADDR_BYTES);
	return d + (size_t)n * NET_ADDR_BYTES;
}

static bool mac_table(struct dev_net *net, const uint8_t *d, size_t len)
{
	struct net_addrs uni, multi;
	const uint8_t *end = d + len;

	d = read_addrs(&uni, d, end);
	if (d)
		d = read_addrs(&multi, d, end);
	if (d != end)
		return false;
	net->filter.uni = uni;
	net->filter.multi = multi;
	dev_net_set_filter(net);
	return true;
}

static bool mac_addr(struct dev_net *net, const uint8_t *d, size_t len)
{
	return !(d[0] & 1) && !dev_net_set_mac(net, d);
}

static bool set_vlan(struct dev_net *net, unsigned int id, bool on)
{
	uint8_t bit = 1 << id % 8;

	if (id > VLAN_MAX)
		return false;
	if (on)
		net->filter.vlans[id / 8] |= bit;
	else
		net->filter.vlans[id / 8] &= ~bit;
	dev_net_set_filter(net);
	return true;
}

static bool vlan_add(struct dev_net *net, const uint8_t *d, size_t len)
{
	return set_vlan(net, le16(d), true);
}

static bool vlan_del(struct dev_net *net, const uint8_t *d, size_t len)
{
	return set_vlan(net, le16(d), false);
}

static bool announce_ack(struct dev_net *net, const uint8_t *d, size_t len)
{
	net->config.status &= ~htole16(VIRTIO_NET_S_ANNOUNCE);
	net->vdev.changed = true;
	return true;
}

/* HD-047: pairs that are not there, or have queues that do not run. */
static bool mq_pairs(struct dev_net *net, const uint8_t *d, size_t len)
{
	unsigned int i, pairs = le16(d);

	if (!pairs || pairs > net->opt->queues)
		return false;
	for (i = 0; i < 2 * pairs; i++) {
		if (!net->vdev.queues[i].enabled)
			return false;
	}
	return !dev_net_set_pairs(net, pairs);
}

static bool offloads_set(struct dev_net *net, const uint8_t *d, size_t len)
{
	uint64_t want = le32(d) | (uint64_t)le32(d + 4) << 32;

	if (want & ~(net->features & NET_GUEST_OFFLOADS))
		return false;
	return !dev_net_set_offloads(net, want);
}

#define ANY_LENGTH	SIZE_MAX

static const struct {
	uint8_t class;
	uint8_t cmd;
	uint8_t feature;
	size_t len;
	bool (*run)(struct dev_net *net, const uint8_t *data, size_t len);
} commands[] = {
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC,
	  VIRTIO_NET_F_CTRL_RX, 1, rx_promisc },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI,
	  VIRTIO_NET_F_CTRL_RX, 1, rx_allmulti },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLUNI,
	  VIRTIO_NET_F_CTRL_RX_EXTRA, 1, rx_alluni },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOMULTI,
	  VIRTIO_NET_F_CTRL_RX_EXTRA, 1, rx_nomulti },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI,
	  VIRTIO_NET_F_CTRL_RX_EXTRA, 1, rx_nouni },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST,
	  VIRTIO_NET_F_CTRL_RX_EXTRA, 1, rx_nobcast },
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
	  VIRTIO_NET_F_CTRL_RX, ANY_LENGTH, mac_table },
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET,
	  VIRTIO_NET_F_CTRL_MAC_ADDR, NET_ADDR_BYTES, mac_addr },
	{ VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD,
	  VIRTIO_NET_F_CTRL_VLAN, 2, vlan_add },
	{ VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL,
	  VIRTIO_NET_F_CTRL_VLAN, 2, vlan_del },
	{ VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK,
	  VIRTIO_NET_F_GUEST_ANNOUNCE, 0, announce_ack },
	{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
	  VIRTIO_NET_F_MQ, 2, mq_pairs },
	{ VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
	  VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, 8, offloads_set },
};

/**
 * net_command_run() - carry out a command of the driver
 * @net:  the device
 * @data: class, command, and what goes with it; private memory
 * @len:  bytes
 *
 * Return: true if it was carried out.
 */
bool net_command_run(struct dev_net *net, const uint8_t *data, size_t len)
{
	unsigned int i;

	if (len < 2)
		return false;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].class != data[0] || commands[i].cmd != data[1])
			continue;
		if (!(net->features & VIRTIO_BIT(commands[i].feature)))
			return false;
		if (commands[i].len != ANY_LENGTH && commands[i].len != len - 2)
			return false;
		return commands[i].run(net, data + 2, len - 2);
	}
	return false;
}

/* --- `kvhost ctl`, main thread --- */

static int do_link(struct dev_net *net, char *arg, FILE *out)
{
	uint16_t up = htole16(VIRTIO_NET_S_LINK_UP);
	uint16_t was = net->config.status;

	if (!strcmp(arg, "up")) {
		net->config.status |= up;
	} else if (!strcmp(arg, "down")) {
		net->config.status &= ~up;
	} else {
		fputs("error: write `link NET up` or `link NET down`\n", out);
		return -EINVAL;
	}
	if (net->config.status != was)
		virtio_config_changed(&net->vdev);
	return 0;
}

static int do_announce(struct dev_net *net, char *arg, FILE *out)
{
	if (!(net->features & NET_BIT(GUEST_ANNOUNCE))) {
		fputs("error: the guest's driver cannot announce itself\n", out);
		return -EOPNOTSUPP;
	}
	net->config.status |= htole16(VIRTIO_NET_S_ANNOUNCE);
	virtio_config_changed(&net->vdev);
	return 0;
}

static const struct {
	const char *verb;
	int (*run)(struct dev_net *net, char *arg, FILE *out);
} verbs[] = {
	{ "link", do_link },
	{ "announce", do_announce },
};

/**
 * dev_net_command() - vm_hook.command of a network device
 * @opaque: the device
 * @verb:   what to do
 * @arg:    what was typed behind the device's name
 * @out:    answer
 *
 * Return: 0, or -errno after a line "error: ..." on @out.
 */
int dev_net_command(void *opaque, const char *verb, char *arg, FILE *out)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].verb, verb))
			return verbs[i].run(opaque, arg, out);
	fprintf(out, "error: a network device does not know '%s'\n", verb);
	return -EINVAL;
}
