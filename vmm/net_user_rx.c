// SPDX-License-Identifier: GPL-2.0
/*
 * net_user_rx.c - a receive queue of the userspace backend.
 *
 * Buffers are taken ahead and held, enough for the largest packet if the driver
 * has added that many; a packet is read from the tap straight into them. The last
 * place of the read is private memory: what lies there did not fit, so the packet
 * waits for more buffers, if mergeable ones were negotiated and more can come, or
 * is dropped. Nothing is read while no buffer is held, so the port holds the rest
 * and nothing spins (HD-045); doorbells are on only then.
 *
 * I/O thread, the backend's lock held.
 */
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#include "memory.h"
#include "net_features.h"
#include "net_user.h"
#include "util.h"

/* Where struct virtio_net_hdr_v1 has num_buffers and gso_type. */
#define HDR_BUFFERS	offsetof(struct virtio_net_hdr_v1, num_buffers)
#define HDR_GSO		offsetof(struct virtio_net_hdr_v1, gso_type)

#define TAG_BYTES	4

/* Buffers taken at a time. */
#define TAKE		16u

static const struct iovec *pieces(const struct net_rx *rx)
{
	return rx->iov + rx->iov_first;
}

/* Copies between @buf and bytes [@off, @off + @len) of the buffers held. */
static void copy(const struct net_rx *rx, size_t off, void *buf, size_t len,
		 bool to_guest)
{
	const struct iovec *v = pieces(rx);

	for (; len; v++) {
		size_t part = v->iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part -= off;
		if (part > len)
			part = len;
		if (to_guest)
			memcpy((uint8_t *)v->iov_base + off, buf, part);
		else
			memcpy(buf, (uint8_t *)v->iov_base + off, part);
		buf = (uint8_t *)buf + part;
		len -= part;
		off = 0;
	}
}

/* Room at the end of both tables for a batch and a longest chain. */
static void compact(struct net_rx *rx)
{
	if (rx->first >= NET_HELD_MAX) {
		memmove(rx->held, rx->held + rx->first,
			rx->nr * sizeof(rx->held[0]));
		rx->first = 0;
	}
	if (rx->iov_first >= NET_IOV_MAX) {
		memmove(rx->iov, rx->iov + rx->iov_first,
			rx->niov * sizeof(rx->iov[0]));
		rx->iov_first = 0;
	}
}

/* Returns 0, -ENOSPC if it has to wait, -EPROTO if it is no receive buffer. */
static int hold(struct net_user *u, struct net_rx *rx,
		const struct kvh_chain *chain)
{
	const struct kvh_seg *seg = u->segs + chain->first;
	struct iovec *v = rx->iov + rx->iov_first + rx->niov;
	unsigned int i;

	if (chain->n_read || chain->write_len < NET_HDR_BYTES ||
	    chain->n_write >= NET_IOV_MAX)
		return -EPROTO;
	if (rx->niov + chain->n_write >= NET_IOV_MAX)
		return -ENOSPC;
	for (i = 0; i < chain->n_write; i++) {
		v[i].iov_base = memory_at(u->env.mem, seg[i].addr, seg[i].len);
		v[i].iov_len = seg[i].len;
		if (!v[i].iov_base)
			return -EPROTO;
	}
	rx->held[rx->first + rx->nr++] = (struct net_held) {
		.chain = *chain,
		.niov = chain->n_write,
	};
	rx->niov += chain->n_write;
	rx->room += chain->write_len;
	return 0;
}

/* Takes buffers until the largest packet fits, or there are no more. */
static void top_up(struct net_user *u, struct net_rx *rx)
{
	int i, n, ret;

	rx->full = false;
	while (rx->room < NET_PACKET_MAX) {
		rx->full = rx->nr + TAKE > NET_HELD_MAX;
		if (rx->full)
			return;
		compact(rx);
		n = net_ring_take(&rx->ring, &u->env, u->setup->err_fd,
				  u->chains, TAKE, u->segs,
				  ARRAY_SIZE(u->segs));
		if (n <= 0)
			return;
		for (i = 0; i < n; i++) {
			ret = hold(u, rx, &u->chains[i]);
			if (!ret)
				continue;
			if (ret == -EPROTO)
				net_ring_break(&rx->ring, u->setup->err_fd,
					       KVH_FAULT_NONE);
			kvh_ring_untake(&rx->ring.ring, &u->chains[i], n - i);
			rx->full = true;
			return;
		}
	}
}

/* Gives the buffers of a packet of @len bytes to the driver. */
static void use(struct net_rx *rx, size_t len)
{
	do {
		struct net_held *h = &rx->held[rx->first++];
		size_t part = h->chain.write_len;

		rx->nr--;
		rx->room -= part;
		rx->iov_first += h->niov;
		rx->niov -= h->niov;
		if (part > len)
			part = len;
		h->chain.written = part;
		len -= part;
		net_ring_complete(&rx->ring, &h->chain);
	} while (len);
}

static unsigned int buffers_of(const struct net_rx *rx, size_t len)
{
	unsigned int n = 0;

	while (len) {
		size_t part = rx->held[rx->first + n++].chain.write_len;

		len -= part < len ? part : len;
	}
	return n;
}

/* Larger than the driver was told packets are? Segments are cut later (NET-005). */
static bool oversize(const struct net_user *u, const uint8_t *head, size_t len)
{
	size_t most = u->setup->port->mtu + ETH_HLEN;

	if (!(u->features & NET_BIT(MTU)) ||
	    (head[HDR_GSO] & ~VIRTIO_NET_HDR_GSO_ECN) != VIRTIO_NET_HDR_GSO_NONE)
		return false;
	if (head[NET_HDR_BYTES + 12] == 0x81 && !head[NET_HDR_BYTES + 13])
		most += TAG_BYTES;
	return len - NET_HDR_BYTES > most;
}

/* A whole packet lies in the buffers held: hand it to the driver, or forget it. */
static void deliver(struct net_user *u, struct net_rx *rx, size_t len)
{
	uint8_t head[NET_HDR_BYTES + NET_FILTER_BYTES] = { };
	uint16_t buffers;

	copy(rx, 0, head, len < sizeof(head) ? len : sizeof(head), false);
	if (len < NET_HDR_BYTES + ETH_HLEN || oversize(u, head, len)) {
		rx->dropped++;
		return;
	}
	if (!net_filter_pass(&u->filter, head + NET_HDR_BYTES)) {
		rx->filtered++;
		return;
	}
	buffers = htole16(buffers_of(rx, len));
	copy(rx, HDR_BUFFERS, &buffers, sizeof(buffers), true);
	use(rx, len);
}

/* Bytes a packet may have in the buffers held. */
static size_t capacity(const struct net_user *u, const struct net_rx *rx)
{
	if (u->features & NET_BIT(MRG_RXBUF))
		return rx->room;
	return rx->nr ? rx->held[rx->first].chain.write_len : 0;
}

/* Reads a packet; what does not fit into the buffers held goes to rx->spill. */
static ssize_t read_packet(struct net_user *u, struct net_user_pair *p,
			   size_t cap)
{
	struct net_rx *rx = &p->rx;
	unsigned int n = u->features & NET_BIT(MRG_RXBUF) ? rx->niov :
			 rx->held[rx->first].niov;
	struct iovec *end = rx->iov + rx->iov_first + n, saved = *end;
	ssize_t len;

	rx->in_guest = 0;
	if (u->stream) {
		len = net_stream_read(u->stream, p->fd, rx->spill,
				      sizeof(rx->spill));
		return len;
	}
	*end = (struct iovec) {
		.iov_base = rx->spill,
		.iov_len = sizeof(rx->spill),
	};
	do {
		len = readv(p->fd, pieces(rx), (int)n + 1);
	} while (len < 0 && errno == EINTR);
	*end = saved;
	if (len < 0)
		return -errno;
	rx->in_guest = (size_t)len < cap ? (size_t)len : cap;
	return len;
}

/* Puts the rest of a packet into buffers; false if it has to wait for some. */
static bool settle(struct net_user *u, struct net_rx *rx)
{
	size_t rest = rx->pending - rx->in_guest;

	if (rx->pending > capacity(u, rx)) {
		/* With all descriptors here there is nothing to wait for. */
		if (u->features & NET_BIT(MRG_RXBUF) && !rx->full &&
		    rx->ring.ring.in_flight < rx->ring.ring.size &&
		    rx->niov < rx->ring.ring.size)
			return false;
		rx->dropped++;
	} else {
		copy(rx, rx->in_guest, rx->spill, rest, true);
		deliver(u, rx, rx->pending);
	}
	rx->pending = 0;
	return true;
}

/* No buffers: ask for a doorbell. Returns true if some came meanwhile. */
static bool wait_for_buffers(struct net_rx *rx)
{
	if (kvh_ring_enable_kick(&rx->ring.ring)) {
		rx->ring.stats.polls++;
		return true;
	}
	rx->starved = true;
	return false;
}

/* One packet. Returns false when there is none, or no buffer for it. */
static bool receive(struct net_user *u, struct net_user_pair *p)
{
	struct net_rx *rx = &p->rx;
	ssize_t n;

	top_up(u, rx);
	if (rx->ring.broken)
		return false;
	if (rx->pending)
		return settle(u, rx) || wait_for_buffers(rx);
	if (!rx->nr)
		return wait_for_buffers(rx);
	n = read_packet(u, p, capacity(u, rx));
	if (n == -EAGAIN) {
		rx->readable = false;
		return false;
	}
	if (n < 0) {
		net_user_gone(u, p, (int)-n);
		return false;
	}
	rx->pending = n;
	settle(u, rx);
	return true;
}

/**
 * net_rx_serve() - receive what the port has
 * @u: the device
 * @p: the pair
 *
 * Return: true if there is more to do at once.
 */
bool net_rx_serve(struct net_user *u, struct net_user_pair *p)
{
	struct net_rx *rx = &p->rx;
	unsigned int budget = NET_TURN;
	bool more = true;

	if (!rx->running || !(rx->readable || rx->pending) || rx->starved ||
	    p->gone || rx->ring.broken)
		return false;
	kvh_ring_disable_kick(&rx->ring.ring);
	while (budget-- && more)
		more = receive(u, p);
	net_ring_flush(&rx->ring);
	return more;
}

/**
 * net_rx_start() - serve a queue whose ring is open
 * @rx: the queue
 */
void net_rx_start(struct net_rx *rx)
{
	rx->first = 0;
	rx->nr = 0;
	rx->iov_first = 0;
	rx->niov = 0;
	rx->room = 0;
	rx->pending = 0;
	rx->starved = false;
	rx->readable = true;
	rx->running = true;
}

/**
 * net_rx_stop() - undo net_rx_start(); the buffers held are forgotten
 * @rx: the queue
 */
void net_rx_stop(struct net_rx *rx)
{
	rx->running = false;
}
