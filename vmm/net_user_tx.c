// SPDX-License-Identifier: GPL-2.0
/*
 * net_user_tx.c - a transmit queue of the userspace backend.
 *
 * A packet's virtio header is copied out of guest RAM once, checked, and the copy
 * handed on; the payload goes to the port from guest RAM itself. What is
 * malformed or refused is dropped and counted, and its buffer returned (HD-043,
 * HD-044). Doorbells are off while the queue is served; before the thread sleeps
 * they are turned on and the ring is looked at once more.
 *
 * I/O thread, the backend's lock held.
 */
#include <errno.h>
#include <string.h>

#include "memory.h"
#include "net_features.h"
#include "net_user.h"
#include "util.h"

#define ETH_HEADER	14

/* May a driver with these features ask for that? Clears what it may not say. */
static bool header_good(uint64_t features, struct virtio_net_hdr_v1 *hdr)
{
	uint64_t need = 0;

	hdr->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->num_buffers = 0;
	if (hdr->flags)
		need |= NET_BIT(CSUM);
	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN)
		need |= NET_BIT(HOST_ECN);
	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		if (hdr->gso_type)
			return false;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		need |= NET_BIT(HOST_TSO4);
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		need |= NET_BIT(HOST_TSO6);
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		need |= NET_BIT(HOST_USO);
		break;
	default:
		return false;
	}
	return (features & need) == need;
}

/*
 * Collects a packet: @hdr is its header, u->iov[1] and those behind it the rest.
 * Returns how many entries of u->iov, or 0 for what is no packet.
 */
static unsigned int collect(struct net_user *u, const struct kvh_chain *chain,
			    struct virtio_net_hdr_v1 *hdr)
{
	const struct kvh_seg *seg = u->segs + chain->first;
	unsigned int i, n = 1;
	size_t head = 0;

	for (i = 0; i < chain->n_read; i++) {
		uint8_t *p = memory_at(u->env.mem, seg[i].addr, seg[i].len);
		size_t part = 0;

		if (!p)
			return 0;
		if (head < NET_HDR_BYTES) {
			part = NET_HDR_BYTES - head;
			if (part > seg[i].len)
				part = seg[i].len;
			memcpy((uint8_t *)hdr + head, p, part);
			head += part;
		}
		if (part == seg[i].len)
			continue;
		if (n == NET_IOV_MAX)
			return 0;
		u->iov[n++] = (struct iovec) {
			.iov_base = p + part,
			.iov_len = seg[i].len - part,
		};
	}
	u->iov[0] = (struct iovec) {
		.iov_base = hdr,
		.iov_len = NET_HDR_BYTES,
	};
	return n;
}

static ssize_t send_packet(struct net_user *u, struct net_user_pair *p,
			   unsigned int niov, size_t len)
{
	ssize_t n;

	if (u->stream)
		return net_stream_write(u->stream, p->fd, u->iov, niov, len);
	do {
		n = writev(p->fd, u->iov, (int)niov);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Sends or drops one packet. Returns false if the port takes none now. */
static bool transmit(struct net_user *u, struct net_user_pair *p,
		     const struct kvh_chain *chain)
{
	struct virtio_net_hdr_v1 hdr;
	unsigned int niov;
	ssize_t n = -EINVAL;

	if (!p->gone && chain->read_len >= NET_HDR_BYTES + ETH_HEADER &&
	    chain->read_len <= NET_PACKET_MAX) {
		niov = collect(u, chain, &hdr);
		if (niov && header_good(u->features, &hdr))
			n = send_packet(u, p, niov, chain->read_len);
	}
	if (n == -EAGAIN)
		return false;
	if (n == -EPIPE || n == -EBADFD)
		net_user_gone(u, p, (int)-n);
	if (n < 0)
		p->tx.dropped++;
	return true;
}

/* Returns how many were sent or dropped; stops where the port takes no more. */
static int send_batch(struct net_user *u, struct net_user_pair *p,
		      unsigned int budget)
{
	struct net_tx *tx = &p->tx;
	int i, n;

	n = net_ring_take(&tx->ring, &u->env, u->setup->err_fd, u->chains,
			  budget < NET_BATCH ? budget : NET_BATCH, u->segs,
			  ARRAY_SIZE(u->segs));
	for (i = 0; i < n; i++) {
		if (!transmit(u, p, &u->chains[i])) {
			kvh_ring_untake(&tx->ring.ring, &u->chains[i], n - i);
			tx->blocked = true;
			return i;
		}
		u->chains[i].written = 0;
		net_ring_complete(&tx->ring, &u->chains[i]);
	}
	return n;
}

/**
 * net_tx_serve() - transmit what the driver made available
 * @u: the device
 * @p: the pair
 *
 * Return: true if there is more to do at once.
 */
bool net_tx_serve(struct net_user *u, struct net_user_pair *p)
{
	struct net_tx *tx = &p->tx;
	unsigned int budget = NET_TURN;
	int n = 0;

	if (!tx->running || !tx->work || tx->blocked || tx->ring.broken)
		return false;
	tx->work = false;
	kvh_ring_disable_kick(&tx->ring.ring);
	while (budget && !tx->blocked) {
		n = send_batch(u, p, budget);
		if (n <= 0)
			break;
		budget -= n;
	}
	net_ring_flush(&tx->ring);
	if (tx->ring.broken)
		return false;
	/* The port becomes writable; doorbells would not help. */
	if (tx->blocked) {
		tx->work = true;
		return false;
	}
	if (!budget || kvh_ring_enable_kick(&tx->ring.ring)) {
		tx->ring.stats.polls++;
		tx->work = true;
	}
	return tx->work;
}
