// SPDX-License-Identifier: GPL-2.0
/*
 * rx.c - frames from the socket into the guest's buffers.
 *
 * A tap's frames are taken from its ring in batches and handed back to the tap
 * one by one, with the place to put them: it makes the header. Short frames pass
 * through a private buffer, so that guest memory is opened once for each; longer
 * ones go straight to the guest's buffers.
 *
 * Without frames the queue is parked: doorbells stay off, the socket wakes it.
 * Without buffers it asks for doorbells, and frames wait in the socket. A frame
 * that fits nowhere is dropped and counted, it holds up nobody.
 *
 * A socket's word is checked like a guest's. A filter may trim a frame to any
 * length, a device of layer 3 gives frames without an Ethernet header, and a tap
 * may announce more bytes than it copies.
 */
#include <linux/if_tun.h>
#include <linux/net.h>
#include <linux/ptr_ring.h>
#include <linux/skb_array.h>
#include <linux/uio.h>
#include <linux/virtio_byteorder.h>
#include <net/sock.h>
#include "net.h"
#include "stats.h"
#include "trace.h"

/**
 * struct rx_frame - the frame at hand
 * @held: bytes in the socket, neither header nor tag counted
 * @len:  bytes for the guest, header not counted, tag counted; valid if @held is
 *        no more than %NET_FRAME_MAX
 * @tagged: a packet socket keeps the VLAN tag beside the frame
 * @proto: the tag's protocol
 * @tci:  the tag
 */
struct rx_frame {
	u32 held;
	u32 len;
	bool tagged;
	__be16 proto;
	u16 tci;
};

/**
 * net_rx_start() - what a receive queue needs to run
 * @nq: queue
 *
 * Context: Process context, device and queue lock held.
 * Return: 0 or -ENOMEM
 */
int net_rx_start(struct net_queue *nq)
{
	nq->rx.idle = false;
	nq->rx.stock = net_stock_new();
	nq->rx.iov = kvmalloc_array(NET_IOVS, sizeof(*nq->rx.iov), GFP_KERNEL_ACCOUNT);
	if (nq->rx.stock && nq->rx.iov)
		return 0;
	net_rx_stop(nq);
	return -ENOMEM;
}

/**
 * net_rx_stop() - undo net_rx_start()
 * @nq: queue
 *
 * Context: Process context, device and queue lock held.
 */
void net_rx_stop(struct net_queue *nq)
{
	net_stock_free(nq->rx.stock);
	kvfree(nq->rx.iov);
	nq->rx.stock = NULL;
	nq->rx.iov = NULL;
}

/**
 * net_rx_give_back() - put frames not delivered back into the tap's ring
 * @nq: queue, stopped or held
 *
 * Context: Process context, device lock held.
 */
void net_rx_give_back(struct net_queue *nq)
{
	struct net_rx *rx = &nq->rx;

	if (rx->at != rx->end)
		ptr_ring_unconsume(nq->sock.ring, rx->frames + rx->at, rx->end - rx->at,
				   tun_ptr_free);
	rx->at = 0;
	rx->end = 0;
}

static bool peek_ring(struct net_queue *nq, struct rx_frame *f)
{
	struct net_rx *rx = &nq->rx;
	void *ptr;

	if (rx->at == rx->end) {
		rx->at = 0;
		rx->end = ptr_ring_consume_batched(nq->sock.ring, rx->frames, NET_BATCH);
		if (!rx->end)
			return false;
		nq->stats->batches++;
	}
	ptr = rx->frames[rx->at];
	if (tun_is_xdp_frame(ptr)) {
		f->held = tun_ptr_to_xdp(ptr)->len;
		f->len = f->held;
	} else {
		f->held = ((struct sk_buff *)ptr)->len;
		f->len = __skb_array_len_with_tag(ptr);
	}
	f->tagged = false;
	return true;
}

static bool peek_packet(struct net_queue *nq, struct rx_frame *f)
{
	struct sk_buff_head *queue = &nq->sock.sock->sk->sk_receive_queue;
	const struct sk_buff *skb;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	skb = skb_peek(queue);
	if (skb) {
		f->held = skb->len;
		f->tagged = skb_vlan_tag_present(skb);
		f->len = f->held + (f->tagged ? VLAN_HLEN : 0);
		f->proto = skb->vlan_proto;
		f->tci = skb_vlan_tag_get(skb);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return skb;
}

static bool rx_peek(struct net_queue *nq, struct rx_frame *f)
{
	return nq->sock.ring ? peek_ring(nq, f) : peek_packet(nq, f);
}

/* Receive the frame at hand. Return: what the socket says of its length */
static int rx_recv(struct net_queue *nq, struct msghdr *msg, size_t len)
{
	struct socket *sock = nq->sock.sock;

	/* The socket frees it whatever comes of it. */
	if (nq->sock.ring)
		msg->msg_control = nq->rx.frames[nq->rx.at++];
	return sock->ops->recvmsg(sock, msg, len, MSG_DONTWAIT | MSG_TRUNC);
}

static void rx_drop(struct net_queue *nq, const struct rx_frame *f, unsigned int reason)
{
	struct msghdr msg = { };

	net_stats_drop(nq, reason, f->held);
	if (nq->sock.ring) {
		tun_ptr_free(nq->rx.frames[nq->rx.at++]);
		return;
	}
	iov_iter_kvec(&msg.msg_iter, ITER_DEST, NULL, 0, 0);
	rx_recv(nq, &msg, 0);
}

/* An offset into a frame that gets a tag before what it points to. */
static void rx_move(__virtio16 *off)
{
	*off = __cpu_to_virtio16(true, __virtio16_to_cpu(true, *off) + VLAN_HLEN);
}

/* Put back into a frame what a packet socket has taken out; rx_one() checked its length. */
static void rx_insert_tag(const struct rx_frame *f, struct virtio_net_hdr_v1 *hdr)
{
	u8 *frame = (u8 *)(hdr + 1);
	struct vlan_ethhdr *vh = (struct vlan_ethhdr *)frame;

	/* The socket's header knows nothing of the tag. */
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		rx_move(&hdr->csum_start);
	if (hdr->hdr_len)
		rx_move(&hdr->hdr_len);
	memmove(frame + 2 * ETH_ALEN + VLAN_HLEN, frame + 2 * ETH_ALEN,
		f->held - 2 * ETH_ALEN);
	vh->h_vlan_proto = f->proto;
	vh->h_vlan_TCI = htons(f->tci);
}

/*
 * Functions that deliver return 0; -ENOMSG if the socket did not give what it
 * had announced; -ENOMEM; any other error is the guest's: its buffers cannot be
 * written. The frame is gone after 0 and -ENOMSG. No error of the socket is taken
 * for the guest's: a socket says -EFAULT of its own frames, too.
 */

static int rx_copy(struct net_queue *nq, const struct rx_frame *f, unsigned int nbufs,
		   unsigned int nsegs)
{
	struct virtio_net_hdr_v1 *hdr = nq->buf;
	size_t off = nq->own_hdr ? NET_HDR_LEN : 0;
	size_t len = NET_HDR_LEN - off + (f->tagged ? f->held : f->len);
	struct kvec kv = { nq->buf + off, len };
	struct msghdr msg = { };

	memset(hdr, 0, sizeof(*hdr));
	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &kv, 1, len);
	/* What it announced and did not copy would be an earlier frame's bytes. */
	if (rx_recv(nq, &msg, len) != len || iov_iter_count(&msg.msg_iter))
		return -ENOMSG;
	if (f->tagged)
		rx_insert_tag(f, hdr);
	hdr->num_buffers = __cpu_to_virtio16(true, nbufs);
	return kvh_vq_write(nq->vq, net_stock_segs(nq->rx.stock), nsegs, 0, nq->buf,
			    NET_HDR_LEN + f->len);
}

/*
 * Receive the frame at hand into the guest's buffers, behind @off bytes. Return: as
 * functions that deliver
 */
static int rx_fill(struct net_queue *nq, unsigned int nsegs, size_t off, size_t len)
{
	const struct kvh_seg *segs = net_stock_segs(nq->rx.stock);
	struct msghdr msg = { };
	struct kvh_pin pin;
	int n, ret;

	n = kvh_iov_get(nq->vq, segs, nsegs, off, len, true, nq->rx.iov, NET_IOVS);
	if (n < 0)
		return n;
	if (n) {
		iov_iter_init(&msg.msg_iter, ITER_DEST, nq->rx.iov, n, len);
		ret = rx_recv(nq, &msg, len);
		kvh_iov_written(nq->vq, segs, nsegs, off, len);
	} else {
		ret = kvh_pin_get(&pin, nq->vq, segs, nsegs, off, len, true);
		if (ret)
			return ret;
		iov_iter_bvec(&msg.msg_iter, ITER_DEST, pin.bv, pin.nr, len);
		ret = rx_recv(nq, &msg, len);
		kvh_pin_put(&pin, nq->vq);
	}
	return ret != len || iov_iter_count(&msg.msg_iter) ? -ENOMSG : 0;
}

static int rx_direct(struct net_queue *nq, const struct rx_frame *f, unsigned int nbufs,
		     unsigned int nsegs)
{
	const struct kvh_seg *segs = net_stock_segs(nq->rx.stock);
	struct virtio_net_hdr_v1 hdr = { .num_buffers = __cpu_to_virtio16(true, nbufs) };
	size_t off = nq->own_hdr ? NET_HDR_LEN : 0;
	size_t len = NET_HDR_LEN + f->len - off;
	int ret = rx_fill(nq, nsegs, off, len);

	if (ret)
		return ret;
	/* Of the socket's header all but the last member is there. */
	if (!off)
		off = offsetof(struct virtio_net_hdr_v1, num_buffers);
	else
		off = 0;
	return kvh_vq_write(nq->vq, segs, nsegs, off, (u8 *)&hdr + off, sizeof(hdr) - off);
}

/* Return: 0, or -EBADMSG if the queue cannot go on */
static int rx_deliver(struct net_queue *nq, const struct rx_frame *f)
{
	u32 need = NET_HDR_LEN + f->len;
	unsigned int nsegs, nbufs = net_stock_reach(nq->rx.stock, need, &nsegs);
	int ret;

	ret = need <= nq->buf_len ? rx_copy(nq, f, nbufs, nsegs) :
				    rx_direct(nq, f, nbufs, nsegs);
	switch (ret) {
	case 0:
		net_stock_complete(nq->rx.stock, nq->vq, nbufs, need);
		net_stats_frame(nq, f->len);
		trace_kvh_net_rx(nq, f->len, nbufs);
		return 0;
	case -ENOMSG:
		net_stats_drop(nq, KVHOST_NET_DROP_BACKEND, f->held);
		return 0;
	case -ENOMEM:
		rx_drop(nq, f, KVHOST_NET_DROP_MEMORY);
		return 0;
	default:
		return -EBADMSG;
	}
}

/* How many buffers to take for what is at hand. */
static unsigned int rx_want(const struct net_queue *nq, u32 need)
{
	const struct net_stock *st = nq->rx.stock;
	u32 each = net_stock_first(st);

	/* Most frames fill one. */
	if (!each)
		return max(nq->rx.end - nq->rx.at, 1u);
	return clamp_t(u64, div_u64(need - net_stock_bytes(st), each) + 1, 1, KVH_BATCH);
}

/*
 * Have room for a frame and its header. Return: 0; -EAGAIN if the driver has
 * not given enough yet; -EMSGSIZE if the frame cannot be received into what it
 * gives; -EBADMSG as net_stock_take()
 */
static int rx_room(struct net_queue *nq, u32 need)
{
	struct net_stock *st = nq->rx.stock;
	int n;

	while (net_stock_bytes(st) < need) {
		if (!nq->mergeable && net_stock_first(st))
			break;
		n = net_stock_take(st, nq->vq, rx_want(nq, need));
		if (n < 0)
			return n;
		/* A ring of which all is taken will not get more. */
		if (!n)
			return net_stock_count(st) < kvh_vq_size(nq->vq) ? -EAGAIN : -EMSGSIZE;
	}
	return nq->mergeable || net_stock_first(st) >= need ? 0 : -EMSGSIZE;
}

/* There is no frame. Return: true if one has come meanwhile */
static bool rx_wait(struct net_queue *nq)
{
	net_wait_arm(&nq->wait);
	if (net_sock_has_frame(&nq->sock))
		return true;
	nq->rx.idle = true;
	kvh_vq_park(nq->vq);
	return false;
}

/* Return: false if there is nothing more to do for now */
static bool rx_one(struct net_queue *nq, u64 *bytes)
{
	struct rx_frame f;
	int ret;

	if (!rx_peek(nq, &f))
		return rx_wait(nq);
	/* Before anything is added to a length, or taken from it. */
	if (unlikely(f.held < ETH_HLEN)) {
		rx_drop(nq, &f, KVHOST_NET_DROP_RUNT);
		return true;
	}
	if (unlikely(f.held > NET_FRAME_MAX || f.len > NET_FRAME_MAX)) {
		rx_drop(nq, &f, KVHOST_NET_DROP_TOO_LONG);
		return true;
	}
	ret = rx_room(nq, NET_HDR_LEN + f.len);
	if (!ret)
		ret = rx_deliver(nq, &f);
	switch (ret) {
	case 0:
		*bytes += f.len;
		return true;
	case -EMSGSIZE:
		rx_drop(nq, &f, KVHOST_NET_DROP_TOO_LONG);
		return true;
	case -EAGAIN:
		nq->stats->starved++;
		return false;
	default:
		net_stock_return(nq->rx.stock, nq->vq);
		kvh_vq_malformed(nq->vq);
		return false;
	}
}

/**
 * net_rx_serve() - deliver frames as long as there are both, frames and buffers
 * @nq: queue
 *
 * Context: Worker, queue lock held.
 */
void net_rx_serve(struct net_queue *nq)
{
	unsigned int frames = 0;
	u64 bytes = 0;

	nq->rx.idle = false;
	WRITE_ONCE(nq->wait.armed, false);
	while (frames < NET_SERVE_FRAMES && bytes < NET_SERVE_BYTES && rx_one(nq, &bytes))
		frames++;
	net_stock_return(nq->rx.stock, nq->vq);
	/* Frames that are dropped take no buffers, yet others shall have their turn. */
	if (frames == NET_SERVE_FRAMES || bytes >= NET_SERVE_BYTES)
		kvh_vq_yield(nq->vq);
}

/**
 * net_rx_pending() - has the frame come that the queue waits for?
 * @nq: queue
 *
 * Context: Worker, queue lock held.
 * Return: true if so
 */
bool net_rx_pending(const struct net_queue *nq)
{
	return nq->rx.idle && net_sock_has_frame(&nq->sock);
}
