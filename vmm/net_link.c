// SPDX-License-Identifier: GPL-2.0
/*
 * net_link.c - what is asked of interfaces by name, with the ioctls of a socket.
 *
 * Main thread, before the sandbox, which has no sockets.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_port.h"

static int ask(unsigned long cmd, const char *ifname, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", ifname);
	if (ioctl(fd, cmd, ifr) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/**
 * net_link_flags() - read an interface's IFF_* flags
 * @ifname: its name
 * @flags:  filled in
 *
 * Return: 0, or -errno; -ENODEV if there is none of that name.
 */
int net_link_flags(const char *ifname, unsigned int *flags)
{
	struct ifreq ifr = { };
	int ret = ask(SIOCGIFFLAGS, ifname, &ifr);

	*flags = (unsigned short)ifr.ifr_flags;
	return ret;
}

/**
 * net_link_up() - switch an interface on
 * @ifname: its name
 *
 * Return: 0 or -errno.
 */
int net_link_up(const char *ifname)
{
	struct ifreq ifr = { };
	int ret = ask(SIOCGIFFLAGS, ifname, &ifr);

	ifr.ifr_flags |= IFF_UP;
	return ret ? ret : ask(SIOCSIFFLAGS, ifname, &ifr);
}

/**
 * net_link_mtu() - read the largest packet of an interface
 * @ifname: its name
 * @mtu:    filled in
 *
 * Return: 0 or -errno.
 */
int net_link_mtu(const char *ifname, unsigned int *mtu)
{
	struct ifreq ifr = { };
	int ret = ask(SIOCGIFMTU, ifname, &ifr);

	*mtu = ifr.ifr_mtu;
	return ret;
}

/**
 * net_link_set_mtu() - set the largest packet of an interface
 * @ifname: its name
 * @mtu:    bytes
 *
 * Return: 0 or -errno.
 */
int net_link_set_mtu(const char *ifname, unsigned int mtu)
{
	struct ifreq ifr = { .ifr_mtu = (int)mtu };

	return ask(SIOCSIFMTU, ifname, &ifr);
}

/**
 * net_link_mac() - read the address of an interface
 * @ifname: its name
 * @mac:    filled in
 *
 * Return: 0 or -errno.
 */
int net_link_mac(const char *ifname, uint8_t *mac)
{
	struct ifreq ifr = { };
	int ret = ask(SIOCGIFHWADDR, ifname, &ifr);

	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return ret;
}

/**
 * net_link_enslave() - make an interface a port of a bridge
 * @bridge: name of the bridge
 * @ifname: name of the interface
 *
 * Return: 0 or -errno.
 */
int net_link_enslave(const char *bridge, const char *ifname)
{
	struct ifreq ifr = { .ifr_ifindex = (int)if_nametoindex(ifname) };

	return ask(SIOCBRADDIF, bridge, &ifr);
}

/**
 * net_link_is_bridge() - is an interface a bridge
 * @ifname: its name
 *
 * Return: true if it is.
 */
bool net_link_is_bridge(const char *ifname)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", ifname);
	return !access(path, F_OK);
}
