/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net_user.h - what the files of the userspace backend share.
 */
#ifndef KVHOST_NET_USER_H
#define KVHOST_NET_USER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "net_backend.h"
#include "net_filter.h"
#include "net_port.h"
#include "net_ring.h"

/* Packets a queue may move before another one has its turn. */
#define NET_TURN	128u

/* Chains taken at a time. */
#define NET_BATCH	64u

/* What one system call takes (UIO_MAXIOV); one is kept for @spill or a header. */
#define NET_IOV_MAX	1024u

/* Receive buffers that are held ready. */
#define NET_HELD_MAX	256u

/* The largest packet with its header: 64 KiB of IP, Ethernet, two VLAN tags. */
#define NET_PACKET_MAX	(NET_HDR_BYTES + 65535u + 14 + 8)

/**
 * struct net_held - a receive buffer that was taken and not used yet
 * @chain: the buffer
 * @niov:  entries of net_rx.iov it has
 */
struct net_held {
	struct kvh_chain chain;
	unsigned int niov;
};

/**
 * struct net_rx - a receive queue
 * @ring:     the virtqueue
 * @running:  it is served
 * @readable: the port may have a packet
 * @starved:  waits for the driver to add buffers
 * @full:     no more buffers can be held
 * @first:    first buffer in @held; those before are used up
 * @nr:       buffers in @held from @first on
 * @iov_first: first entry of @iov, likewise
 * @niov:     entries of @iov from @iov_first on
 * @room:     bytes of the buffers held
 * @held:     buffers held ready
 * @iov:      their pieces
 * @pending:  bytes of a packet that waits for more buffers, header included
 * @in_guest: its first bytes, which lie in the buffers held
 * @spill:    the rest of it
 * @dropped:  packets that had no buffer they fit into
 * @filtered: packets the driver does not want
 */
struct net_rx {
	struct net_ring ring;
	bool running;
	bool readable;
	bool starved;
	bool full;
	unsigned int first;
	unsigned int nr;
	unsigned int iov_first;
	unsigned int niov;
	size_t room;
	struct net_held held[2 * NET_HELD_MAX];
	struct iovec iov[2 * NET_IOV_MAX];
	size_t pending;
	size_t in_guest;
	uint8_t spill[NET_PACKET_MAX];
	uint64_t dropped;
	uint64_t filtered;
};

/**
 * struct net_tx - a transmit queue
 * @ring:    the virtqueue
 * @running: it is served
 * @work:    look at the ring without waiting for a doorbell
 * @blocked: the port takes no more for the time being
 * @dropped: packets that were malformed or that the port refused
 */
struct net_tx {
	struct net_ring ring;
	bool running;
	bool work;
	bool blocked;
	uint64_t dropped;
};

/**
 * struct net_stream - the socket of passt, each frame behind its length
 * @in:      what was received
 * @in_at:   first byte of it that was not looked at
 * @in_len:  bytes in @in
 * @out:     what is left of a frame that was sent in part
 * @out_at:  first byte of it
 * @out_len: end of it
 */
struct net_stream {
	uint8_t in[2 * NET_PACKET_MAX];
	size_t in_at;
	size_t in_len;
	uint8_t out[NET_PACKET_MAX + 4];
	size_t out_at;
	size_t out_len;
};

/**
 * struct net_user_pair - one queue pair
 * @fd:   its queue of the port
 * @gone: @fd is of no use any more
 * @rx:   what it receives
 * @tx:   what it transmits
 */
struct net_user_pair {
	int fd;
	bool gone;
	struct net_rx rx;
	struct net_tx tx;
};

/**
 * struct net_user - one device and its I/O thread
 * @base:    as dev_net.c sees it; this group is constant while the thread runs
 * @setup:   what it was created from
 * @thread:  the I/O thread
 * @started: @thread exists
 * @control_fd: eventfd that wakes the thread
 * @stream:  the port is passt, else NULL
 * @npairs:  entries of @pair
 * @lock:    protects all that follows; the thread holds it while it is at work
 * @calm:    signalled when nobody else wants @lock any more
 * @want:    threads that want @lock; atomic
 * @quit:    the thread is to end
 * @features: what was negotiated
 * @active:  pairs in use
 * @filter:  what the driver wants to receive
 * @env:     seam of the ring code
 * @chains:  the batch at work
 * @segs:    its segments
 * @iov:     pieces of a packet on its way out
 * @pair:    the queue pairs
 */
struct net_user {
	struct net_backend base;
	struct net_setup *setup;
	pthread_t thread;
	bool started;
	int control_fd;
	struct net_stream *stream;
	unsigned int npairs;

	pthread_mutex_t lock;
	pthread_cond_t calm;
	unsigned int want;
	bool quit;
	uint64_t features;
	unsigned int active;
	struct net_filter filter;
	struct kvh_env env;
	struct kvh_chain chains[NET_BATCH];
	struct kvh_seg segs[2 * KVH_CHAIN_SEGS_MAX];
	struct iovec iov[NET_IOV_MAX];
	struct net_user_pair pair[];
};

/* net_user.c */
void net_user_gone(struct net_user *u, struct net_user_pair *p, int err);

/* net_user_rx.c: true if there is more to do at once. */
bool net_rx_serve(struct net_user *u, struct net_user_pair *p);
void net_rx_start(struct net_rx *rx);
void net_rx_stop(struct net_rx *rx);

/* net_user_tx.c: likewise. */
bool net_tx_serve(struct net_user *u, struct net_user_pair *p);

/* net_stream.c: like readv() of a packet and writev() of one, with its header. */
ssize_t net_stream_read(struct net_stream *s, int fd, uint8_t *packet, size_t room);
ssize_t net_stream_write(struct net_stream *s, int fd, const struct iovec *iov,
			 unsigned int niov, size_t len);
int net_stream_flush(struct net_stream *s, int fd);

#endif
