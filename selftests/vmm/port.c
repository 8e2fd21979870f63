// SPDX-License-Identifier: GPL-2.0
/*
 * port.c - the host's side of a network device as sockets.
 *
 * Stands in for vmm/net_port.c: a message of a SEQPACKET socket is a packet with
 * its virtio header, as of a tap; a stream socket stands for passt. Used by the
 * thread of the test, but for the sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_port.h"
#include "port.h"

struct port port;

int net_port_open(struct net_port *p, const struct net_options *opt)
{
	int type = port.kind == NET_PORT_PASST ? SOCK_STREAM : SOCK_SEQPACKET;
	int bytes = 1 << 20, fds[2];

	memset(p, 0, sizeof(*p));
	if (opt->tap && !strcmp(opt->tap, "refused"))
		return -ENODEV;
	p->kind = port.kind;
	strcpy(p->ifname, "socket");
	while (p->nfds < opt->queues) {
		if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
			return -errno;
		setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		port.fd[p->nfds] = fds[1];
		p->fds[p->nfds++] = fds[0];
	}
	p->mtu = opt->mtu ? opt->mtu : port.mtu;
	p->uso = port.uso;
	p->active = p->nfds;
	return 0;
}

void net_port_close(struct net_port *p)
{
	while (p->nfds) {
		close(p->fds[--p->nfds]);
		close(port.fd[p->nfds]);
	}
}

int net_port_set_offloads(struct net_port *p, uint64_t features)
{
	port.offloads = features;
	return 0;
}

int net_port_set_pairs(struct net_port *p, unsigned int pairs)
{
	port.pairs = pairs;
	p->active = pairs;
	return 0;
}

int net_port_set_mac(struct net_port *p, const uint8_t *mac)
{
	memcpy(port.mac, mac, sizeof(port.mac));
	return 0;
}

void net_port_set_filter(struct net_port *p, const struct net_filter *filter)
{
	port.filter = *filter;
	port.filters++;
}
