// SPDX-License-Identifier: GPL-2.0
/*
 * backend.c - the socket behind a queue, found by its descriptor.
 *
 * The descriptor is looked up once, and all that is asked later is asked of the
 * file it gave: whoever puts another file behind the descriptor meanwhile
 * changes nothing. The file keeps socket and ring.
 */
#include <linux/file.h>
#include <linux/if_packet.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/net.h>
#include <linux/ptr_ring.h>
#include <net/sock.h>
#include "net.h"

static struct socket *packet_socket(struct file *file)
{
	struct socket *sock = sock_from_file(file);

	if (!sock || sock->sk->sk_type != SOCK_RAW || sock->sk->sk_family != AF_PACKET)
		return NULL;
	return sock;
}

/**
 * net_sock_get() - take hold of a backend
 * @s:  result
 * @fd: descriptor of a tap, a macvtap or ipvtap, or a packet socket of SOCK_RAW
 *
 * Context: Process context of the owner.
 * Return: 0, or -ENOTSOCK for anything else
 */
int net_sock_get(struct net_sock *s, int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return -ENOTSOCK;
	*s = (struct net_sock){ .file = file, .sock = packet_socket(file) };
	if (s->sock)
		return 0;
	s->sock = tun_get_socket(file);
	if (!IS_ERR(s->sock)) {
		s->ring = tun_get_tx_ring(file);
	} else {
		s->sock = tap_get_socket(file);
		if (!IS_ERR(s->sock))
			s->ring = tap_get_ptr_ring(file);
	}
	if (!IS_ERR(s->sock) && !IS_ERR(s->ring))
		return 0;
	*s = (struct net_sock){ };
	fput(file);
	return -ENOTSOCK;
}

/**
 * net_sock_put() - let go of a backend
 * @s: may be none; is none afterwards
 *
 * Context: Process context.
 */
void net_sock_put(struct net_sock *s)
{
	if (s->file)
		fput(s->file);
	*s = (struct net_sock){ };
}

/**
 * net_sock_is_tap() - does the backend take batches of ready-made frames?
 * @s: backend
 *
 * Not from a tap with a limited send buffer: batches are not charged to it.
 *
 * Context: Any.
 * Return: true if so
 */
bool net_sock_is_tap(const struct net_sock *s)
{
	return s->ring && READ_ONCE(s->sock->sk->sk_sndbuf) == INT_MAX;
}

/**
 * net_sock_has_frame() - has the backend something to deliver?
 * @s: backend
 *
 * Context: Worker.
 * Return: true if so
 */
bool net_sock_has_frame(const struct net_sock *s)
{
	bool empty;

	if (!s->ring)
		return !skb_queue_empty_lockless(&s->sock->sk->sk_receive_queue);
	/* Against a change of the ring's size. */
	spin_lock(&s->ring->consumer_lock);
	empty = __ptr_ring_empty(s->ring);
	spin_unlock(&s->ring->consumer_lock);
	return !empty;
}
