// SPDX-License-Identifier: GPL-2.0
/*
 * tx.c - frames from the guest's buffers into the socket.
 *
 * Frames that fit a page are copied, header and all, into a fragment laid out
 * as the tap wants it, gathered, and handed over as one batch. All others
 * (segmentation offload, jumbo frames; everything for a packet socket or a tap
 * whose send buffer is limited) go one by one, after what was gathered, so that
 * the order stays. Headers are checked in a private copy, which is what the
 * socket gets. A frame nobody can send is dropped, counted and given back: the
 * guest is not told, as a network card would not tell.
 */
#include <linux/if_tun.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/sock.h>
#include "net.h"
#include "stats.h"
#include "trace.h"

/* What the stack wants before a frame. */
#define TX_HEADROOM	(NET_IP_ALIGN + NET_SKB_PAD)

/* And behind it. */
#define TX_TAILROOM	SKB_DATA_ALIGN(sizeof(struct skb_shared_info))

/**
 * net_tx_start() - what a transmit queue needs to run
 * @nq: queue
 *
 * Context: Process context, device and queue lock held.
 * Return: 0 or -ENOMEM
 */
int net_tx_start(struct net_queue *nq)
{
	struct net_tx *tx = &nq->tx;

	tx->nr = 0;
	tx->bytes = 0;
	tx->xdp = kvcalloc(NET_BATCH, sizeof(*tx->xdp), GFP_KERNEL_ACCOUNT);
	tx->bv = kvmalloc_array(NET_BVECS, sizeof(*tx->bv), GFP_KERNEL_ACCOUNT);
	if (tx->xdp && tx->bv)
		return 0;
	net_tx_stop(nq);
	return -ENOMEM;
}

/**
 * net_tx_stop() - undo net_tx_start()
 * @nq: queue
 *
 * Context: Process context, device and queue lock held.
 */
void net_tx_stop(struct net_queue *nq)
{
	struct net_tx *tx = &nq->tx;

	page_frag_cache_drain(&tx->frags);
	tx->frags = (struct page_frag_cache){ };
	kvfree(tx->xdp);
	kvfree(tx->bv);
	tx->xdp = NULL;
	tx->bv = NULL;
}

/* Hand over what was gathered. The tap frees every frame unless it refuses them all. */
static void tx_flush(struct net_queue *nq)
{
	struct net_tx *tx = &nq->tx;
	struct socket *sock = nq->sock.sock;
	struct tun_msg_ctl ctl = {
		.type = TUN_MSG_PTR,
		.num = tx->nr,
		.ptr = tx->xdp,
	};
	struct msghdr msg = {
		.msg_flags = MSG_DONTWAIT,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};
	unsigned int i;

	if (!tx->nr)
		return;
	trace_kvh_net_tx(nq, tx->nr);
	nq->stats->batches++;
	if (unlikely(sock->ops->sendmsg(sock, &msg, 0) < 0)) {
		for (i = 0; i < tx->nr; i++) {
			net_stats_drop(nq, KVHOST_NET_DROP_BACKEND,
				       tx->xdp[i].data_end - tx->xdp[i].data);
			page_frag_free(tx->xdp[i].data);
		}
	} else {
		/* An XDP program may have changed the lengths: they were added up before. */
		nq->stats->packets += tx->nr;
		nq->stats->bytes += tx->bytes;
	}
	tx->nr = 0;
	tx->bytes = 0;
}

/*
 * Room before the frame: the tap's own header, ours, and what the stack wants. The
 * tap's XDP flag changes at any time, so a frame asks for this only once.
 */
static u32 tx_pad(const struct net_queue *nq)
{
	u32 headroom = sock_flag(nq->sock.sock->sk, SOCK_XDP) ? XDP_PACKET_HEADROOM : 0;

	BUILD_BUG_ON(SKB_DATA_ALIGN(TX_HEADROOM + NET_HDR_LEN) <
		     sizeof(struct tun_xdp_hdr) + NET_HDR_LEN);
	return SKB_DATA_ALIGN(TX_HEADROOM + headroom + NET_HDR_LEN);
}

/*
 * Functions that send return 0 or what a frame is dropped for, negative: -EINVAL
 * its header, -ENOMEM, -EIO the socket. But -EAGAIN: not now; -EFAULT: the
 * guest's buffers cannot be read.
 */

/*
 * Copy a frame into a fragment and add it to those gathered. Return: as functions
 * that send; -ENOSPC if it does not fit a page
 */
static int tx_gather(struct net_queue *nq, const struct kvh_chain *c)
{
	struct net_tx *tx = &nq->tx;
	u32 pad = tx_pad(nq), len = c->read_len - NET_HDR_LEN;
	u32 buflen = SKB_DATA_ALIGN(pad + len) + TX_TAILROOM;
	struct virtio_net_hdr_v1 *hdr;
	struct tun_xdp_hdr *xh;
	int ret = 0;
	void *buf;

	if (buflen > PAGE_SIZE)
		return -ENOSPC;
	buf = page_frag_alloc(&tx->frags, buflen, GFP_KERNEL | __GFP_NOWARN);
	if (unlikely(!buf))
		return -ENOMEM;
	hdr = buf + pad - NET_HDR_LEN;
	if (unlikely(kvh_vq_read(nq->vq, kvh_vq_segs(nq->vq, c), c->n_read, 0, hdr, c->read_len)))
		ret = -EFAULT;
	else if (!nq->own_hdr)
		ret = net_hdr_check(hdr, len);
	if (unlikely(ret)) {
		page_frag_free(buf);
		return ret;
	}
	xh = buf;
	xh->buflen = buflen;
	if (nq->own_hdr)
		memset(&xh->gso, 0, sizeof(xh->gso));
	else
		memcpy(&xh->gso, hdr, sizeof(xh->gso));
	xdp_init_buff(&tx->xdp[tx->nr], buflen, NULL);
	xdp_prepare_buff(&tx->xdp[tx->nr], buf, pad, len, true);
	tx->nr++;
	tx->bytes += len;
	return 0;
}

/* What a socket says, in our terms. */
static int tx_result(int ret)
{
	switch (ret) {
	case -EAGAIN:
		return ret;
	case -ENOMEM:
	case -ENOBUFS:
		return -ENOMEM;
	case -EINVAL:
		return -EINVAL;
	default:
		return ret < 0 ? -EIO : 0;
	}
}

static int tx_send(struct net_queue *nq, struct msghdr *msg)
{
	struct socket *sock = nq->sock.sock;

	msg->msg_flags = MSG_DONTWAIT;
	return tx_result(sock->ops->sendmsg(sock, msg, iov_iter_count(&msg->msg_iter)));
}

/* Send a frame through the private buffer. */
static int tx_copy(struct net_queue *nq, const struct kvh_chain *c)
{
	size_t off = nq->own_hdr ? NET_HDR_LEN : 0;
	struct kvec kv = { nq->buf + off, c->read_len - off };
	struct msghdr msg = { };
	int ret;

	if (kvh_vq_read(nq->vq, kvh_vq_segs(nq->vq, c), c->n_read, 0, nq->buf, c->read_len))
		return -EFAULT;
	ret = nq->own_hdr ? 0 : net_hdr_check(nq->buf, c->read_len - NET_HDR_LEN);
	if (ret)
		return ret;
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &kv, 1, kv.iov_len);
	return tx_send(nq, &msg);
}

/* Copy the header out of a pinned frame. Return: entries of the pin used up by it */
static unsigned int tx_pinned_hdr(struct net_queue *nq, struct kvh_pin *pin)
{
	unsigned int i, run, done = 0;

	BUILD_BUG_ON(IS_ENABLED(CONFIG_HIGHMEM));
	for (i = 0;; i++) {
		struct bio_vec *bv = &pin->bv[i];

		run = min_t(unsigned int, NET_HDR_LEN - done, bv->bv_len);
		memcpy((u8 *)&nq->hdr + done, page_address(bv->bv_page) + bv->bv_offset, run);
		done += run;
		if (run == bv->bv_len)
			continue;
		bv->bv_offset += run;
		bv->bv_len -= run;
		return i;
	}
}

/* Send what is pinned, its header checked. */
static int tx_pinned(struct net_queue *nq, struct kvh_pin *pin, u32 len)
{
	unsigned int skip = tx_pinned_hdr(nq, pin);
	struct bio_vec *bv = nq->tx.bv;
	struct msghdr msg = { };
	int ret;

	if (!nq->own_hdr) {
		ret = net_hdr_check(&nq->hdr, len);
		if (ret)
			return ret;
		bv->bv_page = virt_to_page(&nq->hdr);
		bv->bv_offset = offset_in_page(&nq->hdr);
		bv->bv_len = NET_HDR_LEN;
		bv++;
	}
	/* More regions of memory meet within a segment than anybody would have. */
	if (pin->nr >= NET_BVECS)
		return -ENOMEM;
	memcpy(bv, pin->bv + skip, (pin->nr - skip) * sizeof(*bv));
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, nq->tx.bv,
		      bv - nq->tx.bv + pin->nr - skip,
		      (nq->own_hdr ? 0 : NET_HDR_LEN) + len);
	return tx_send(nq, &msg);
}

/* Send a frame from where it lies, behind the copy of its header. */
static int tx_direct(struct net_queue *nq, const struct kvh_chain *c)
{
	struct kvh_pin pin;
	int ret;

	ret = kvh_pin_get(&pin, nq->vq, kvh_vq_segs(nq->vq, c), c->n_read, 0, c->read_len,
			  false);
	if (ret)
		return ret == -ENOMEM ? ret : -EFAULT;
	ret = tx_pinned(nq, &pin, c->read_len - NET_HDR_LEN);
	kvh_pin_put(&pin, nq->vq);
	return ret;
}

/* Send a frame the slow way, after those before it. */
static int tx_alone(struct net_queue *nq, const struct kvh_chain *c)
{
	int ret;

	tx_flush(nq);
	ret = c->read_len <= nq->buf_len ? tx_copy(nq, c) : tx_direct(nq, c);
	if (ret)
		return ret;
	nq->stats->alone++;
	net_stats_frame(nq, c->read_len - NET_HDR_LEN);
	return 0;
}

/* Send or drop one frame. Return: 0, -EAGAIN or -EFAULT */
static int tx_one(struct net_queue *nq, const struct kvh_chain *c)
{
	u32 len = c->read_len;
	int ret;

	if (unlikely(c->n_write))
		return -EFAULT;
	if (unlikely(len < NET_HDR_LEN + ETH_HLEN)) {
		net_stats_drop(nq, KVHOST_NET_DROP_RUNT, len);
		return 0;
	}
	len -= NET_HDR_LEN;
	if (unlikely(len > NET_FRAME_MAX)) {
		net_stats_drop(nq, KVHOST_NET_DROP_TOO_LONG, len);
		return 0;
	}
	ret = net_sock_is_tap(&nq->sock) ? tx_gather(nq, c) : -ENOSPC;
	if (ret == -ENOSPC)
		ret = tx_alone(nq, c);
	switch (ret) {
	case 0:
	case -EAGAIN:
	case -EFAULT:
		return ret;
	case -EINVAL:
		net_stats_drop(nq, KVHOST_NET_DROP_HEADER, len);
		return 0;
	case -ENOMEM:
		net_stats_drop(nq, KVHOST_NET_DROP_MEMORY, len);
		return 0;
	default:
		net_stats_drop(nq, KVHOST_NET_DROP_BACKEND, len);
		return 0;
	}
}

/* The socket takes no more: wait for it to have room. */
static void tx_wait(struct net_queue *nq)
{
	nq->stats->starved++;
	if (net_wait_arm_poll(&nq->wait, nq->sock.file))
		kvh_vq_yield(nq->vq);
	else
		kvh_vq_park(nq->vq);
}

/**
 * net_tx_serve() - send what the driver made available, a batch of it
 * @nq: queue
 *
 * Context: Worker, queue lock held.
 */
void net_tx_serve(struct net_queue *nq)
{
	const struct kvh_chain *chains;
	int i, n, ret = 0;
	u64 bytes = 0;

	WRITE_ONCE(nq->wait.armed, false);
	n = kvh_vq_take_max(nq->vq, &chains, NET_BATCH);
	/* Nothing is gathered then, and @chains was not set. */
	if (!n)
		return;
	for (i = 0; i < n && bytes < NET_SERVE_BYTES; i++) {
		ret = tx_one(nq, &chains[i]);
		if (unlikely(ret))
			break;
		bytes += chains[i].read_len;
		kvh_vq_complete(nq->vq, &chains[i]);
	}
	tx_flush(nq);
	kvh_vq_untake(nq->vq, &chains[i], n - i);
	if (ret == -EAGAIN)
		tx_wait(nq);
	else if (ret)
		kvh_vq_malformed(nq->vq);
	else if (i < n)
		kvh_vq_yield(nq->vq);
}
