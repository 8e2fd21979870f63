/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net.h - what the files of kvhost_net share.
 *
 * A queue's struct net_queue lives as long as its device. Its socket changes
 * only while the queue is stopped or held, both under the device lock, so the
 * worker uses it without a lock of its own. Everything the worker touches is
 * protected by the lock of its queue in the core.
 */
#ifndef KVH_NET_H
#define KVH_NET_H

#include <linux/if_vlan.h>
#include <linux/mm_types.h>
#include <linux/poll.h>
#include <linux/virtio_net.h>
#include <net/xdp.h>
#include <uapi/kvhost.h>
#include <kvhost.h>

struct net_stock;
struct ptr_ring;
struct socket;

/* The queues of a device, numbered as vhost-net has them. */
#define NET_RX		0u
#define NET_TX		1u
#define NET_QUEUES	2u

/* With VIRTIO_F_VERSION_1, without which no queue starts, it is this one. */
#define NET_HDR_LEN	sizeof(struct virtio_net_hdr_v1)

/* Longest frame: 64 KiB of a segmentation offload below a tagged Ethernet header. */
#define NET_FRAME_MAX	(65536u + VLAN_ETH_HLEN + VLAN_HLEN)

/* Frames handed over at once. */
#define NET_BATCH	64u

/* Bytes and frames one call of kvh_backend.serve moves, so that others get their turn. */
#define NET_SERVE_BYTES	(512u * 1024)
#define NET_SERVE_FRAMES 256u

/* Frames up to this length, header included, are copied rather than pinned. */
#define NET_COPY_MAX	2048u

/* Pieces of guest memory that one frame is received into at most without a pin. */
#define NET_IOVS	256u

/**
 * struct net_sock - the other end: a tap, a macvtap or a packet socket
 * @file: what was given by its descriptor; NULL: none
 * @sock: its socket
 * @ring: where a tap keeps what it has to say; NULL for a packet socket
 */
struct net_sock {
	struct file *file;
	struct socket *sock;
	struct ptr_ring *ring;
};

/**
 * struct net_wait - a queue that waits for its socket
 * @vq:     queue to wake
 * @events: EPOLL*, any of which wakes it
 * @armed:  it waits; cleared by whoever wakes it
 * @table:  for vfs_poll()
 * @entry:  ours on @head
 * @head:   the socket's wait queue, NULL if we are not on it
 */
struct net_wait {
	struct kvh_vq *vq;
	__poll_t events;
	bool armed;
	poll_table table;
	wait_queue_entry_t entry;
	wait_queue_head_t *head;
};

/**
 * struct net_tx - what a transmit queue has while it runs
 * @xdp:   frames built for the tap and not handed over yet
 * @nr:    how many
 * @bytes: their bytes, headers not counted
 * @frags: where they are built
 * @bv:    a frame that is sent from where it lies, its header before it
 */
struct net_tx {
	struct xdp_buff *xdp;
	unsigned int nr;
	u64 bytes;
	struct page_frag_cache frags;
	struct bio_vec *bv;
};

/**
 * struct net_rx - what a receive queue has while it runs
 * @frames:  taken from the tap's ring and not delivered yet
 * @at:      the first of them
 * @end:     behind the last
 * @idle:    waits for frames, having had buffers
 * @stock:   buffers of the guest, taken and not filled yet; none between two
 *           calls of kvh_backend.serve
 * @iov:     where a frame is put that is not copied twice
 */
struct net_rx {
	void *frames[NET_BATCH];
	unsigned int at;
	unsigned int end;
	bool idle;
	struct net_stock *stock;
	struct iovec *iov;
};

/**
 * struct net_queue - one queue
 * @vq:    the core's
 * @sock:  its other end
 * @wait:  waits for @sock
 * @own_hdr: VHOST_NET_F_VIRTIO_NET_HDR: the socket knows no header, it is made here
 * @mergeable: VIRTIO_NET_F_MRG_RXBUF
 * @hdr:   header of a frame that is not copied
 * @buf:   a frame that is; belongs to @sock
 * @buf_len: bytes of @buf
 * @stats: counters
 * @tx:    of the transmit queue
 * @rx:    of the receive queue
 */
struct net_queue {
	struct kvh_vq *vq;
	struct net_sock sock;
	struct net_wait wait;
	bool own_hdr;
	bool mergeable;
	struct virtio_net_hdr_v1 hdr;
	void *buf;
	size_t buf_len;
	struct kvhost_net_queue_stats *stats;
	struct net_tx tx;
	struct net_rx rx;
};

/* Entries of net_tx.bv: the header, two partial pages a segment, whole pages. */
#define NET_BVECS	(1 + 2 * KVH_CHAIN_SEGS_MAX + NET_FRAME_MAX / PAGE_SIZE + 1)

/**
 * struct net_dev - one open device
 * @q: its queues
 */
struct net_dev {
	struct net_queue q[NET_QUEUES];
};

static inline struct net_queue *net_queue_of(const struct kvh_vq *vq)
{
	struct net_dev *net = kvh_dev_private(kvh_vq_dev(vq));

	return &net->q[kvh_vq_index(vq)];
}

/* backend.c */
int net_sock_get(struct net_sock *s, int fd);
void net_sock_put(struct net_sock *s);
bool net_sock_is_tap(const struct net_sock *s);
bool net_sock_has_frame(const struct net_sock *s);

/* wait.c */
void net_wait_init(struct net_wait *w, struct kvh_vq *vq, __poll_t events);
int net_wait_add(struct net_wait *w, struct file *file);
void net_wait_remove(struct net_wait *w);
void net_wait_arm(struct net_wait *w);
bool net_wait_arm_poll(struct net_wait *w, struct file *file);

/* hdr.c */
int net_hdr_check(struct virtio_net_hdr_v1 *hdr, u32 len);

/* tx.c */
int net_tx_start(struct net_queue *nq);
void net_tx_stop(struct net_queue *nq);
void net_tx_serve(struct net_queue *nq);

/* rx.c */
int net_rx_start(struct net_queue *nq);
void net_rx_stop(struct net_queue *nq);
void net_rx_serve(struct net_queue *nq);
bool net_rx_pending(const struct net_queue *nq);
void net_rx_give_back(struct net_queue *nq);

/* stock.c */
struct net_stock *net_stock_new(void);
void net_stock_free(struct net_stock *st);
int net_stock_take(struct net_stock *st, struct kvh_vq *vq, unsigned int want);
void net_stock_return(struct net_stock *st, struct kvh_vq *vq);
unsigned int net_stock_reach(const struct net_stock *st, u32 len, unsigned int *nsegs);
const struct kvh_seg *net_stock_segs(const struct net_stock *st);
u64 net_stock_bytes(const struct net_stock *st);
unsigned int net_stock_count(const struct net_stock *st);
u32 net_stock_first(const struct net_stock *st);
void net_stock_complete(struct net_stock *st, struct kvh_vq *vq, unsigned int n, u32 len);

#endif /* KVH_NET_H */
