/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kvhost-net device with its driver, a tap behind it, and a packet socket on
 * that tap: what the guest sends is read from the socket, what is written to
 * the socket the guest receives. All in a network namespace of its own.
 */
#ifndef SELFTESTS_NET_PAIR_H
#define SELFTESTS_NET_PAIR_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include "lib/kvhost.h"
#include "frame.h"

#define KVHOST_NET_NODE	"/dev/kvhost-net"
#define VHOST_NET_NODE	"/dev/vhost-net"

#define RX	0u
#define TX	1u
#define HDR	12u

/* What buffers to receive into are filled with before. */
#define POISON	0xa5

/**
 * struct pair_opts - how a pair is made; zero means the default
 * @size:      descriptors of each queue; default 256
 * @mergeable: with VIRTIO_NET_F_MRG_RXBUF
 * @no_hdr:    the tap knows no header: VHOST_NET_F_VIRTIO_NET_HDR
 * @packet:    a packet socket on one end of a veth is the backend, not a tap
 * @socket_hdr: with @packet: the socket makes the header, PACKET_VNET_HDR_SZ
 * @macvtap:   a macvtap on one end of a veth is the backend
 * @hdr_sz:    bytes of the tap's header; default HDR
 * @sndbuf:    limit of the tap's send buffer
 * @packed:    with VIRTIO_F_RING_PACKED
 * @in_order:  with VIRTIO_F_IN_ORDER
 * @no_event:  without VIRTIO_F_EVENT_IDX
 * @on_empty:  with VIRTIO_F_NOTIFY_ON_EMPTY
 * @indirect:  buffers are laid into indirect tables
 * @registered: in registered memory
 * @busyloop:  microseconds
 * @node:      device node; default KVHOST_NET_NODE
 */
struct pair_opts {
	unsigned int size;
	bool mergeable;
	bool no_hdr;
	bool packet;
	bool socket_hdr;
	bool macvtap;
	int hdr_sz;
	int sndbuf;
	bool packed;
	bool in_order;
	bool no_event;
	bool on_empty;
	bool indirect;
	bool registered;
	unsigned int busyloop;
	const char *node;
};

/**
 * struct pair - the whole of it
 * @k:    device; queues RX and TX
 * @o:    how it was made
 * @back: backend
 * @peer: packet socket on the other side
 * @dev:  name of the device @peer is on
 * @buf:  a page-aligned place of guest memory for frames, 2 MiB
 */
struct pair {
	struct kvhost k;
	struct pair_opts o;
	int back;
	int peer;
	char dev[16];
	u64 buf;
};

/* Of kernel 6.5, see <linux/if_packet.h>. */
#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ	24
#endif

void own_netns(void);
int tap_open(const char *dev, const struct pair_opts *o);
void dev_up(const char *dev, int mtu);
int __net_backend(int fd, unsigned int index, int back);
void net_backend(int fd, unsigned int index, int back);
void pair_device(struct pair *p, const struct pair_opts *o);
void pair_prepare(struct pair *p, const struct pair_opts *o);
void pair_start(struct pair *p, const struct pair_opts *o);
void pair_stop(struct pair *p);
void net_stats(struct kvhost *k, unsigned int i, struct kvhost_net_queue_stats *s);

int pair_add(struct pair *p, unsigned int q, const struct vq_buf *b, unsigned int n,
	     void *cookie);
void pair_put(struct pair *p, u64 at, const void *hdr, const u8 *frame, u32 len);
bool pair_send(struct pair *p, const void *hdr, const u8 *frame, u32 len, u32 seg);
bool pair_works(struct pair *p);
void pair_offer(struct pair *p, u64 at, u32 each, u32 n);
u32 pair_take(struct pair *p, u8 *to, u32 *nbufs);

#endif /* SELFTESTS_NET_PAIR_H */
