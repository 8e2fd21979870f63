// SPDX-License-Identifier: GPL-2.0
/*
 * net_port.c - the host's side of a network device: an interface, or passt.
 *
 * What cannot work is refused when the port is opened, with a line that says how
 * to mend it. A tap of `bridge=` is not persistent: it goes with its last file
 * descriptor, however this process ends.
 *
 * Opened on the main thread before the sandbox, afterwards with vm_lock() held.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net_features.h"
#include "net_filter.h"
#include "net_port.h"
#include "util.h"
#include "virtio.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

/* What passt can take; the guest's packets are as large as they get. */
#define PASST_MTU	65520

static int open_failed(const struct net_port *port, const char *node, int err)
{
	const char *hint = "";

	if (err == EPERM || err == EACCES)
		hint = "; let this account read and write it, or run as root";
	if (err == ENOENT || err == ENODEV)
		hint = "; load the tun module";
	log_error("--net: cannot open '%s' for '%s': %s%s", node, port->ifname, strerror(err),
		  hint);
	return -err;
}

/* An interface that is there, or that bridge= is about to make. */
static int attach_failed(const struct net_port *port, int err)
{
	const char *hint = "";

	switch (err) {
	case EPERM:
	case EACCES:
		hint = "; make the interface your own (ip tuntap ... user NAME), or run as root";
		break;
	case EBUSY:
		hint = "; another process has it";
		break;
	case EINVAL:
		hint = "; with queues=1 it must not be multi_queue, with more it must be";
		break;
	}
	if (strchr(port->ifname, '%'))
		log_error("--net bridge: cannot make a tap: %s; run as root, or use tap=",
			  strerror(err));
	else
		log_error("--net: cannot attach to '%s': %s%s", port->ifname, strerror(err), hint);
	return -err;
}

/* One more queue of the interface. */
static int open_queue(struct net_port *port, const char *node, bool multi)
{
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
			     (multi ? IFF_MULTI_QUEUE : 0),
	};
	int fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int hdr = NET_HDR_BYTES;

	if (fd < 0)
		return open_failed(port, node, errno);
	port->fds[port->nfds++] = fd;
	memcpy(ifr.ifr_name, port->ifname, sizeof(ifr.ifr_name));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return attach_failed(port, errno);
	/* A template became a name. */
	if (port->kind == NET_PORT_TAP)
		memcpy(port->ifname, ifr.ifr_name, sizeof(port->ifname));
	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr) < 0)
		return attach_failed(port, errno);
	return 0;
}

static int open_queues(struct net_port *port, const char *node,
		       unsigned int queues)
{
	int ret = 0;

	while (!ret && port->nfds < queues)
		ret = open_queue(port, node, queues > 1);
	port->active = port->nfds;
	if (ret)
		return ret;
	/* There is no other way to ask for it. */
	port->uso = !ioctl(port->fds[0], TUNSETOFFLOAD,
			   TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6);
	return net_port_set_offloads(port, 0);
}

static int exists(struct net_port *port, const char *key, const char *name,
		  const char *hint)
{
	snprintf(port->ifname, sizeof(port->ifname), "%s", name);
	if (if_nametoindex(name))
		return 0;
	log_error("--net %s: there is no interface '%s'; %s", key, name, hint);
	return -ENODEV;
}

static int open_tap(struct net_port *port, const struct net_options *opt)
{
	int ret = exists(port, "tap", opt->tap,
			 "`tools/net up` makes one, as does `ip tuntap add NAME mode tap`");

	return ret ? ret : open_queues(port, "/dev/net/tun", opt->queues);
}

static int open_macvtap(struct net_port *port, const struct net_options *opt)
{
	char node[32];
	int ret;

	port->kind = NET_PORT_MACVTAP;
	ret = exists(port, "macvtap", opt->macvtap,
		     "`ip link add link DEVICE name NAME type macvtap` makes one");
	if (ret)
		return ret;
	snprintf(node, sizeof(node), "/dev/tap%u",
		 if_nametoindex(opt->macvtap));
	if (access(node, F_OK)) {
		log_error("--net macvtap: '%s' has no device node %s; it is no macvtap",
			  opt->macvtap, node);
		return -ENODEV;
	}
	net_link_mac(opt->macvtap, port->mac);
	return open_queues(port, node, opt->queues);
}

static int open_bridge(struct net_port *port, const struct net_options *opt)
{
	int ret = exists(port, "bridge", opt->bridge,
			 "`ip link add NAME type bridge` makes one");

	if (ret)
		return ret;
	if (!net_link_is_bridge(opt->bridge)) {
		log_error("--net bridge: '%s' is no bridge; use tap= for a tap",
			  opt->bridge);
		return -EINVAL;
	}
	snprintf(port->ifname, sizeof(port->ifname), "kvh%%d");
	ret = open_queues(port, "/dev/net/tun", opt->queues);
	if (ret)
		return ret;
	ret = net_link_enslave(opt->bridge, port->ifname);
	if (!ret)
		ret = net_link_up(port->ifname);
	if (ret)
		log_error("--net bridge: cannot add '%s' to '%s': %s",
			  port->ifname, opt->bridge, strerror(-ret));
	return ret;
}

static int settle_mtu(struct net_port *port, unsigned int want)
{
	int ret = net_link_mtu(port->ifname, &port->mtu);

	if (!ret && want && want != port->mtu) {
		ret = net_link_set_mtu(port->ifname, want);
		port->mtu = want;
	}
	if (ret)
		log_error("--net mtu: cannot set '%u' on '%s': %s; `ip link set %s mtu %u` as root",
			  want, port->ifname, strerror(-ret), port->ifname,
			  want);
	return ret;
}

static int settle(struct net_port *port, const struct net_options *opt)
{
	struct tun_filter all = { };
	unsigned int flags;
	int ret = settle_mtu(port, opt->mtu);

	if (ret)
		return ret;
	/* Whoever had the tap before may have left one. */
	if (port->kind == NET_PORT_TAP)
		ioctl(port->fds[0], TUNSETTXFILTER, &all);
	if (!net_link_flags(port->ifname, &flags) && !(flags & IFF_UP))
		log_warn("--net: '%s' is down, so nothing gets through; `ip link set %s up`",
			 port->ifname, port->ifname);
	return 0;
}

static int open_passt(struct net_port *port, const struct net_options *opt)
{
	int fd;

	port->kind = NET_PORT_PASST;
	snprintf(port->ifname, sizeof(port->ifname), "passt");
	fd = net_passt_start();
	if (fd < 0)
		return fd;
	port->fds[port->nfds++] = fd;
	port->active = 1;
	port->mtu = opt->mtu ? opt->mtu : PASST_MTU;
	return 0;
}

/**
 * net_port_open() - open what --net names
 * @port: filled in; net_port_close() it on failure as well
 * @opt:  the option
 *
 * Return: 0, -ENODEV or -EINVAL for what is no such interface, or -errno.
 */
int net_port_open(struct net_port *port, const struct net_options *opt)
{
	int ret;

	memset(port, 0, sizeof(*port));
	if (opt->user)
		return open_passt(port, opt);
	if (opt->macvtap)
		ret = open_macvtap(port, opt);
	else if (opt->bridge)
		ret = open_bridge(port, opt);
	else
		ret = open_tap(port, opt);
	return ret ? ret : settle(port, opt);
}

/**
 * net_port_close() - close it; an interface of our own goes with it
 * @port: the port
 */
void net_port_close(struct net_port *port)
{
	struct tun_filter all = { };

	if (port->kind == NET_PORT_TAP && port->nfds)
		ioctl(port->fds[0], TUNSETTXFILTER, &all);
	while (port->nfds)
		close(port->fds[--port->nfds]);
}

/**
 * net_port_set_offloads() - say what the driver can take
 * @port:     the port
 * @features: the NET_GUEST_OFFLOADS that are on
 *
 * Return: 0 or -errno of the interface.
 */
int net_port_set_offloads(struct net_port *port, uint64_t features)
{
	static const struct {
		unsigned int feature;
		unsigned int flag;
	} map[] = {
		{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM },
		{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
		{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
		{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
		{ VIRTIO_NET_F_GUEST_USO4, TUN_F_USO4 },
		{ VIRTIO_NET_F_GUEST_USO6, TUN_F_USO6 },
	};
	unsigned int flags = 0, i;

	if (port->kind == NET_PORT_PASST)
		return 0;
	for (i = 0; i < ARRAY_SIZE(map); i++) {
		if (features & VIRTIO_BIT(map[i].feature))
			flags |= map[i].flag;
	}
	/* An interface has both kinds of UDP segmentation or none. */
	if ((flags & TUN_F_USO4) == 0 || (flags & TUN_F_USO6) == 0)
		flags &= ~(TUN_F_USO4 | TUN_F_USO6);
	return ioctl(port->fds[0], TUNSETOFFLOAD, flags) < 0 ? -errno : 0;
}

/**
 * net_port_set_pairs() - receive from that many queues
 * @port:  the port
 * @pairs: 1 to @port->nfds
 *
 * Return: 0 or -errno of the interface.
 */
int net_port_set_pairs(struct net_port *port, unsigned int pairs)
{
	struct ifreq ifr = { };
	bool more = pairs > port->active;

	ifr.ifr_flags = more ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
	while (port->active != pairs) {
		unsigned int i = more ? port->active : port->active - 1;

		if (ioctl(port->fds[i], TUNSETQUEUE, &ifr) < 0)
			return -errno;
		port->active = more ? i + 1 : i;
	}
	return 0;
}

/**
 * net_port_set_mac() - the driver chose another address
 * @port: the port
 * @mac:  the address
 *
 * A tap does not care; a macvtap has the address itself. An ipvtap has that of the
 * card, and takes no other.
 *
 * Return: 0 or -errno of the interface.
 */
int net_port_set_mac(struct net_port *port, const uint8_t *mac)
{
	struct ifreq ifr = { };

	if (port->kind != NET_PORT_MACVTAP)
		return 0;
	if (!ioctl(port->fds[0], SIOCGIFHWADDR, &ifr) &&
	    !memcmp(ifr.ifr_hwaddr.sa_data, mac, 6))
		return 0;
	ifr.ifr_hwaddr.sa_family = 1; /* ARPHRD_ETHER */
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	return ioctl(port->fds[0], SIOCSIFHWADDR, &ifr) < 0 ? -errno : 0;
}

static void add(struct tun_filter *to, const uint8_t *addr)
{
	memcpy(to->addr[to->count++], addr, ETH_ALEN);
}

/**
 * net_port_set_filter() - have a tap drop what the driver does not want
 * @port:   the port
 * @filter: the filter
 *
 * The tap compares the first eight addresses and hashes the multicast ones
 * behind them; with more unicast ones than that it lets all through. So it may
 * let through more than was asked for, never less. It knows no VLANs.
 */
void net_port_set_filter(struct net_port *port, const struct net_filter *filter)
{
	static const uint8_t broadcast[ETH_ALEN] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};
	union {
		struct tun_filter f;
		uint8_t room[sizeof(struct tun_filter) +
			     (2 + 2 * NET_FILTER_ADDRS_MAX) * ETH_ALEN];
	} u = { };
	unsigned int i;

	if (port->kind != NET_PORT_TAP)
		return;
	if (filter->on && !filter->promisc && !filter->uni.overflow) {
		if (filter->allmulti || filter->multi.overflow)
			u.f.flags = TUN_FLT_ALLMULTI;
		add(&u.f, filter->mac);
		add(&u.f, broadcast);
		for (i = 0; i < filter->uni.nr; i++)
			add(&u.f, filter->uni.addr[i]);
		for (i = 0; i < filter->multi.nr; i++)
			add(&u.f, filter->multi.addr[i]);
	}
	if (ioctl(port->fds[0], TUNSETTXFILTER, &u.f) < 0)
		log_warn("--net: '%s' does not filter: %s", port->ifname,
			 strerror(errno));
}
