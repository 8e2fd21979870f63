// SPDX-License-Identifier: GPL-2.0
/*
 * Brings up a kvhost-net device in vhost-net's order of calls: what QEMU does.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include "kselftest.h"
#include "pair.h"

static void __attribute__((constructor)) node_required(void)
{
	if (!access(KVHOST_NET_NODE, F_OK))
		return;
	printf("Bail out! %s is missing: load kvhost_net first\n", KVHOST_NET_NODE);
	exit(KSFT_FAIL);
}

/**
 * own_netns() - enter a network namespace of our own, where nobody else sends
 */
void own_netns(void)
{
	int fd;

	must(!unshare(CLONE_NEWNET), "unshare: %m");
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);
	if (fd < 0)
		return;
	must(write(fd, "1", 1) == 1, "disable_ipv6: %m");
	close(fd);
}

/**
 * dev_up() - set a network device up
 * @dev: its name
 * @mtu: its MTU
 */
void dev_up(const char *dev, int mtu)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { };

	strcpy(r.ifr_name, dev);
	r.ifr_mtu = mtu;
	must(!ioctl(s, SIOCSIFMTU, &r), "%s: mtu %d: %m", dev, mtu);
	must(!ioctl(s, SIOCGIFFLAGS, &r), "%s: %m", dev);
	r.ifr_flags |= IFF_UP | IFF_PROMISC;
	must(!ioctl(s, SIOCSIFFLAGS, &r), "%s: up: %m", dev);
	close(s);
}

/* Have a tap, or a macvtap, speak as the options say. */
static void tap_set_up(int fd, const char *dev, const struct pair_opts *o)
{
	unsigned long off = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int len = o->hdr_sz ? o->hdr_sz : (int)HDR;

	strcpy(r.ifr_name, dev);
	if (!o->no_hdr)
		r.ifr_flags |= IFF_VNET_HDR;
	must(!ioctl(fd, TUNSETIFF, &r), "TUNSETIFF %s: %m", dev);
	if (!o->no_hdr) {
		must(!ioctl(fd, TUNSETVNETHDRSZ, &len), "TUNSETVNETHDRSZ: %m");
		must(!ioctl(fd, TUNSETOFFLOAD, off), "TUNSETOFFLOAD: %m");
	}
	if (o->sndbuf)
		must(!ioctl(fd, TUNSETSNDBUF, &o->sndbuf), "TUNSETSNDBUF: %m");
}

/**
 * tap_open() - make a tap
 * @dev: its name
 * @o:   options
 *
 * Return: its descriptor; the tap is up.
 */
int tap_open(const char *dev, const struct pair_opts *o)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	must(fd >= 0, "/dev/net/tun: %m");
	tap_set_up(fd, dev, o);
	dev_up(dev, 65521);
	return fd;
}

/* Two ends of a veth, on one of which the backend is. */
static void make_veth(struct pair *p)
{
	must(!system("ip link add veth0 type veth peer name veth1"), "no veth");
	dev_up("veth0", 65521);
	dev_up("veth1", 65521);
	strcpy(p->dev, "veth1");
}

static int packet_back(struct pair *p)
{
	int fd, len = HDR;

	make_veth(p);
	fd = packet_open("veth0");
	if (p->o.socket_hdr)
		must(!setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR_SZ, &len, sizeof(len)),
		     "PACKET_VNET_HDR_SZ: %m");
	return fd;
}

static int macvtap_back(struct pair *p)
{
	char node[32];
	int fd;

	make_veth(p);
	must(!system("ip link add link veth0 name mv0 type macvtap mode passthru"), "no macvtap");
	dev_up("mv0", 65521);
	snprintf(node, sizeof(node), "/dev/tap%u", if_nametoindex("mv0"));
	fd = open(node, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	must(fd >= 0, "%s: %m", node);
	tap_set_up(fd, "mv0", &p->o);
	return fd;
}

/**
 * __net_backend() - VHOST_NET_SET_BACKEND
 * @fd:    device
 * @index: queue
 * @back:  backend, or -1
 *
 * Return: 0 or -errno.
 */
int __net_backend(int fd, unsigned int index, int back)
{
	struct vhost_vring_file f = { .index = index, .fd = back };

	return __kvhost_ioctl(fd, VHOST_NET_SET_BACKEND, &f);
}

/**
 * net_backend() - __net_backend() that has to succeed
 * @fd:    device
 * @index: queue
 * @back:  backend, or -1
 */
void net_backend(int fd, unsigned int index, int back)
{
	int r = __net_backend(fd, index, back);

	must(!r, "VHOST_NET_SET_BACKEND queue %u to %d: %s", index, back, strerror(-r));
}

static u64 features_of(const struct pair_opts *o)
{
	return 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC |
	       (u64)!o->no_event << VIRTIO_RING_F_EVENT_IDX |
	       (u64)o->on_empty << VIRTIO_F_NOTIFY_ON_EMPTY |
	       (u64)o->packed << VIRTIO_F_RING_PACKED |
	       (u64)o->in_order << VIRTIO_F_IN_ORDER |
	       (u64)o->mergeable << VIRTIO_NET_F_MRG_RXBUF |
	       (u64)(o->no_hdr || (o->packet && !o->socket_hdr)) << VHOST_NET_F_VIRTIO_NET_HDR;
}

static void pair_rings(struct pair *p)
{
	const struct pair_opts *o = &p->o;
	unsigned int i, f = (o->no_event ? 0 : VQ_EVENT_IDX) | (o->packed ? VQ_PACKED : 0) |
			    (o->in_order ? VQ_IN_ORDER : 0);
	struct vhost_vring_state s;

	p->k.queues = 2;
	for (i = 0; i < 2; i++) {
		vq_init(&p->k.q[i], &p->k.mem, o->size ? o->size : 256, f);
		kvhost_ring_setup(&p->k, i, vq_base(&p->k.q[i]));
		s = (struct vhost_vring_state) { i, o->busyloop };
		KVHOST_IOCTL(&p->k, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s);
	}
}

/**
 * pair_device() - everything but the backend
 * @p: result
 * @o: options
 */
void pair_device(struct pair *p, const struct pair_opts *o)
{
	const char *node = o->node ? o->node : KVHOST_NET_NODE;

	memset(p, 0, sizeof(*p));
	p->o = *o;
	p->back = -1;
	p->peer = -1;
	p->k.fd = open(node, O_RDWR | O_CLOEXEC);
	must(p->k.fd >= 0, "%s: %m", node);
	gmem_init(&p->k.mem);
	p->buf = gmem_alloc(&p->k.mem, GMEM_MID, 2 << 20, 4096);
	KVHOST_IOCTL(&p->k, VHOST_SET_OWNER, NULL);
	p->k.features = features_of(o);
	KVHOST_IOCTL(&p->k, VHOST_SET_FEATURES, &p->k.features);
	if (o->registered)
		must(!__kvhost_mem_mode(&p->k, KVHOST_MEM_REGISTERED), "KVHOST_SET_MEM_MODE");
	kvhost_set_mem(&p->k);
	pair_rings(p);
}

/**
 * pair_prepare() - everything but setting the backend
 * @p: result
 * @o: options
 */
void pair_prepare(struct pair *p, const struct pair_opts *o)
{
	own_netns();
	pair_device(p, o);
	strcpy(p->dev, "tap0");
	p->back = o->packet ? packet_back(p) : o->macvtap ? macvtap_back(p) :
						tap_open(p->dev, o);
	p->peer = packet_open(p->dev);
}

/**
 * pair_start() - from nothing to running queues
 * @p: result
 * @o: options
 */
void pair_start(struct pair *p, const struct pair_opts *o)
{
	pair_prepare(p, o);
	net_backend(p->k.fd, RX, p->back);
	net_backend(p->k.fd, TX, p->back);
}

/**
 * pair_stop() - undo pair_start()
 * @p: pair
 */
void pair_stop(struct pair *p)
{
	kvhost_close(&p->k);
	close(p->back);
	close(p->peer);
}

/**
 * net_stats() - counters of a queue's frames
 * @k: device
 * @i: queue
 * @s: result
 */
void net_stats(struct kvhost *k, unsigned int i, struct kvhost_net_queue_stats *s)
{
	memset(s, 0, sizeof(*s));
	s->index = i;
	s->size = sizeof(*s);
	KVHOST_IOCTL(k, KVHOST_NET_GET_QUEUE_STATS, s);
}

/**
 * pair_add() - offer a buffer, laid out as the pair was asked to
 * @p:      pair
 * @q:      queue
 * @b:      segments
 * @n:      how many
 * @cookie: given back with it
 *
 * Return: its ID or -ENOSPC.
 */
int pair_add(struct pair *p, unsigned int q, const struct vq_buf *b, unsigned int n,
	     void *cookie)
{
	static const struct vq_shape table = { .indirect = true };

	return vq_add(&p->k.q[q], b, n, p->o.indirect ? &table : NULL, cookie);
}

/**
 * pair_put() - write a frame with its header into guest memory
 * @p:     pair
 * @at:    guest address
 * @hdr:   HDR bytes, NULL for zeroes
 * @frame: frame
 * @len:   its bytes
 */
void pair_put(struct pair *p, u64 at, const void *hdr, const u8 *frame, u32 len)
{
	static const u8 zero[HDR];

	gmem_write(&p->k.mem, at, hdr ? hdr : zero, HDR);
	gmem_write(&p->k.mem, at + HDR, frame, len);
}

/**
 * pair_send() - send a frame and wait until the device is done with it
 * @p:     pair
 * @hdr:   HDR bytes, NULL for zeroes
 * @frame: frame
 * @len:   its bytes
 * @seg:   bytes of each segment of the buffer; 0: all in one
 *
 * Return: whether the buffer came back, with nothing written.
 */
bool pair_send(struct pair *p, const void *hdr, const u8 *frame, u32 len, u32 seg)
{
	u32 total = len + HDR, off, n = 0;
	struct vq_buf b[1024];
	struct vq_used u;

	if (!seg)
		seg = total;
	pair_put(p, p->buf, hdr, frame, len);
	for (off = 0; off < total; off += seg)
		b[n++] = (struct vq_buf) { p->buf + off, seg < total - off ? seg : total - off,
					   false };
	must(pair_add(p, TX, b, n, p) >= 0, "transmit ring full");
	vq_kick(&p->k.q[TX]);
	return vq_wait_used(&p->k.q[TX], &u, 1) == 1 && !u.len;
}

/**
 * pair_works() - does a frame go through either way?
 * @p: pair with empty rings
 *
 * Return: true if so.
 */
bool pair_works(struct pair *p)
{
	struct vq_buf b = { p->buf + 4096, 2048, true };
	static u8 out[60], in[FRAME_MAX];
	struct vq_used u;

	packet_flush(p->peer);
	frame_fill(out, sizeof(out), 0x77);
	if (!pair_send(p, NULL, out, sizeof(out), 0) ||
	    packet_recv(p->peer, in, LIMIT_MS) != sizeof(out) ||
	    memcmp(in, out, sizeof(out)))
		return false;
	must(pair_add(p, RX, &b, 1, p) >= 0, "receive ring full");
	vq_kick(&p->k.q[RX]);
	packet_send(p->peer, out, sizeof(out));
	if (vq_wait_used(&p->k.q[RX], &u, 1) != 1 || u.len != HDR + sizeof(out))
		return false;
	gmem_read(&p->k.mem, b.gpa + HDR, in, sizeof(out));
	return !memcmp(in, out, sizeof(out));
}

/**
 * pair_offer() - offer buffers to receive into, poisoned
 * @p:    pair
 * @at:   guest address of the first; the others lie behind it
 * @each: bytes of each
 * @n:    how many
 */
void pair_offer(struct pair *p, u64 at, u32 each, u32 n)
{
	u32 i;

	gmem_fill(&p->k.mem, at, POISON, (size_t)each * n);
	for (i = 0; i < n; i++) {
		struct vq_buf b = { at + (u64)i * each, each, true };

		must(pair_add(p, RX, &b, 1, gmem_va(&p->k.mem, b.gpa)) >= 0, "ring full");
	}
	vq_kick(&p->k.q[RX]);
}

/**
 * pair_take() - take a frame that may fill several buffers
 * @p:     pair
 * @to:    result, of FRAME_MAX bytes: header and frame
 * @nbufs: result: how many buffers it filled
 *
 * Return: its length with its header, 0 if none came.
 */
u32 pair_take(struct pair *p, u8 *to, u32 *nbufs)
{
	struct virtio_net_hdr_v1 h;
	struct vq_used u;
	u32 len = 0, want;

	for (*nbufs = 0, want = 1; *nbufs < want; (*nbufs)++) {
		if (vq_wait_used(&p->k.q[RX], &u, 1) != 1)
			return 0;
		must(len + u.len <= FRAME_MAX, "more than a frame");
		memcpy(to + len, u.cookie, u.len);
		len += u.len;
		if (len >= sizeof(h) && want <= *nbufs + 1) {
			memcpy(&h, to, sizeof(h));
			want = h.num_buffers;
		} else if (len < sizeof(h)) {
			want = *nbufs + 2;
		}
	}
	return len;
}
