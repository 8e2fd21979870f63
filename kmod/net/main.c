// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - the module kvhost_net: /dev/kvhost-net, a queue pair for each file.
 *
 * A front end of vhost-net finds what it knows: VHOST_NET_SET_BACKEND starts
 * and stops a queue. A backend is replaced while the core holds the queue with
 * nothing in flight, so the worker needs no lock for it.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <net/sock.h>
#include "net.h"

static unsigned int tx_linger_us = 50;
module_param(tx_linger_us, uint, 0644);
MODULE_PARM_DESC(tx_linger_us, "Microseconds to wait for the next frame to send, 0 is off");

static unsigned long long features;
module_param(features, ullong, 0644);
MODULE_PARM_DESC(features, "Feature bits that devices offer at most, 0 is all there are");

static int net_open(struct kvh_dev *dev)
{
	struct net_dev *net = kzalloc(sizeof(*net), GFP_KERNEL_ACCOUNT);
	u64 most = READ_ONCE(features);
	unsigned int i;

	if (!net)
		return -ENOMEM;
	for (i = 0; i < NET_QUEUES; i++) {
		struct net_queue *nq = &net->q[i];

		nq->vq = kvh_dev_vq(dev, i);
		net_wait_init(&nq->wait, nq->vq, i == NET_RX ? EPOLLIN : EPOLLOUT);
	}
	kvh_dev_set_private(dev, net);
	/* Guests that are to move to a host with vhost-net have to do without the rest. */
	if (most)
		kvh_features_limit(dev, most);
	return 0;
}

static void net_release(struct kvh_dev *dev)
{
	kfree(kvh_dev_private(dev));
}

/**
 * struct net_end - a socket with the buffer it needs
 * @sock: socket
 * @buf:  as net_queue.buf
 * @buf_len: as net_queue.buf_len
 */
struct net_end {
	struct net_sock sock;
	void *buf;
	size_t buf_len;
};

static void end_close(struct net_end *end)
{
	net_sock_put(&end->sock);
	kvfree(end->buf);
	*end = (struct net_end){ };
}

static int end_open(struct net_end *end, int fd)
{
	int ret = net_sock_get(&end->sock, fd);

	if (ret)
		return ret;
	/* What comes from a packet socket may need a tag put in. */
	end->buf_len = end->sock.ring ? NET_COPY_MAX : NET_HDR_LEN + NET_FRAME_MAX;
	end->buf = kvmalloc(end->buf_len, GFP_KERNEL_ACCOUNT);
	if (end->buf)
		return 0;
	end_close(end);
	return -ENOMEM;
}

/* Put @end behind a queue that is stopped or held; what was there comes back in it. */
static void queue_swap(struct net_queue *nq, struct net_end *end)
{
	net_wait_remove(&nq->wait);
	net_rx_give_back(nq);
	swap(nq->sock, end->sock);
	swap(nq->buf, end->buf);
	swap(nq->buf_len, end->buf_len);
}

/* As queue_swap(), and wait for the socket; on failure nothing has changed. */
static int queue_exchange(struct net_queue *nq, struct net_end *end)
{
	int ret;

	queue_swap(nq, end);
	ret = net_wait_add(&nq->wait, nq->sock.file);
	if (!ret)
		return 0;
	queue_swap(nq, end);
	/* A socket that has lost its device meanwhile says so when it is used. */
	if (nq->sock.file)
		net_wait_add(&nq->wait, nq->sock.file);
	return ret;
}

/* A backend for a queue without one: it starts. */
static int queue_begin(struct net_queue *nq, struct net_end *end)
{
	int ret;

	/* As in vhost-net, which finds that it cannot write to a ring at NULL. */
	if (!kvh_vq_has_addr(nq->vq))
		return -EFAULT;
	ret = queue_exchange(nq, end);
	if (ret)
		return ret;
	ret = kvh_vq_run(nq->vq);
	if (ret)
		queue_swap(nq, end);
	return ret;
}

/* Another backend for a queue that runs. */
static int queue_replace(struct net_queue *nq, struct net_end *end)
{
	int ret = kvh_vq_hold(nq->vq);

	if (ret)
		return ret;
	ret = queue_exchange(nq, end);
	kvh_vq_resume(nq->vq);
	return ret;
}

static int queue_end(struct net_queue *nq)
{
	struct net_end end = { };
	int ret = kvh_vq_stop(nq->vq);

	if (ret)
		return ret;
	queue_swap(nq, &end);
	end_close(&end);
	return 0;
}

static int queue_set(struct net_queue *nq, int fd)
{
	struct net_end end;
	int ret = end_open(&end, fd);

	if (ret)
		return ret;
	if (nq->sock.file == end.sock.file)
		ret = 0;
	else
		ret = nq->sock.file ? queue_replace(nq, &end) : queue_begin(nq, &end);
	end_close(&end);
	return ret;
}

static long net_set_backend(struct kvh_dev *dev, const void __user *argp)
{
	struct vhost_vring_file f;
	struct kvh_vq *vq;
	int ret;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	ret = kvh_dev_check_owner(dev);
	if (ret)
		return ret;
	vq = kvh_dev_vq(dev, f.index);
	if (!vq)
		return -ENOBUFS;
	/* As vhost-net, even for -1. */
	if (!kvh_vq_has_memory(vq))
		return -EFAULT;
	return f.fd == VHOST_FILE_UNBIND ? queue_end(net_queue_of(vq)) :
					   queue_set(net_queue_of(vq), f.fd);
}

static long net_ioctl(struct kvh_dev *dev, unsigned int cmd, void __user *argp)
{
	return cmd == VHOST_NET_SET_BACKEND ? net_set_backend(dev, argp) : -ENOIOCTLCMD;
}

static void net_detach(struct kvh_dev *dev)
{
	struct net_dev *net = kvh_dev_private(dev);
	struct net_end end = { };
	unsigned int i;

	for (i = 0; i < NET_QUEUES; i++) {
		queue_swap(&net->q[i], &end);
		end_close(&end);
	}
}

static int net_start(struct kvh_vq *vq)
{
	struct net_queue *nq = net_queue_of(vq);

	nq->stats = kvh_vq_stats(vq);
	nq->own_hdr = kvh_vq_has_feature(vq, VHOST_NET_F_VIRTIO_NET_HDR);
	nq->mergeable = kvh_vq_has_feature(vq, VIRTIO_NET_F_MRG_RXBUF);
	return kvh_vq_index(vq) == NET_RX ? net_rx_start(nq) : net_tx_start(nq);
}

static void net_stop(struct kvh_vq *vq)
{
	struct net_queue *nq = net_queue_of(vq);

	if (kvh_vq_index(vq) == NET_RX)
		net_rx_stop(nq);
	else
		net_tx_stop(nq);
}

static void net_serve(struct kvh_vq *vq)
{
	struct net_queue *nq = net_queue_of(vq);

	if (kvh_vq_index(vq) == NET_RX)
		net_rx_serve(nq);
	else
		net_tx_serve(nq);
}

/* Nothing outlasts a call of net_serve(). */
static void net_reap(struct kvh_vq *vq)
{
}

static bool net_pending(struct kvh_vq *vq)
{
	return kvh_vq_index(vq) == NET_RX && net_rx_pending(net_queue_of(vq));
}

/* A doorbell costs the guest more than making a frame: look once more instead. */
static unsigned int net_linger(const struct kvh_vq *vq)
{
	return kvh_vq_index(vq) == NET_TX ? READ_ONCE(tx_linger_us) : 0;
}

static const struct kvhost_counter net_counters[] = KVHOST_NET_COUNTERS;

/*
 * The last is vhost-net's for drivers of the first virtio: who knows what
 * vhost-net offers may acknowledge just that. ANY_LAYOUT is the bit of the first.
 */
#define NET_FEATURES	(BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR) |	\
			 BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) |	\
			 BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY))

static const struct kvh_backend net_backend = {
	.name = "net",
	.owner = THIS_MODULE,
	.nvqs = NET_QUEUES,
	.features = NET_FEATURES,
	.open = net_open,
	.release = net_release,
	.ioctl = net_ioctl,
	.detach = net_detach,
	.start = net_start,
	.stop = net_stop,
	.serve = net_serve,
	.reap = net_reap,
	.pending = net_pending,
	.linger = net_linger,
	.counters = net_counters,
	.nr_counters = ARRAY_SIZE(net_counters),
	.stats_size = sizeof(struct kvhost_net_queue_stats),
	.stats_cmd = KVHOST_NET_GET_QUEUE_STATS,
};

static struct kvh_node *net_node;

static int __init kvhost_net_init(void)
{
	net_node = kvh_node_register(&net_backend);
	return PTR_ERR_OR_ZERO(net_node);
}

static void __exit kvhost_net_exit(void)
{
	kvh_node_unregister(net_node);
}

module_init(kvhost_net_init);
module_exit(kvhost_net_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("In-kernel virtio backend: network devices");
