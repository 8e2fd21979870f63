// SPDX-License-Identifier: GPL-2.0
/*
 * Brings a device to a state, in the order in which QEMU makes the calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <netinet/in.h>
#include <linux/if_ether.h>
#include "side.h"

const char *const state_names[STATES] = {
	[OPENED] = "opened", [OWNED] = "owned", [FEATURES] = "features", [TABLE] = "table",
	[RINGS] = "rings", [RUNNING] = "running", [STOPPED] = "stopped", [RESET] = "reset",
	[FOREIGN] = "foreign", [ORPHAN] = "orphan",
};

const char *const fd_names[FD_KINDS] = {
	[FD_TAP] = "a tap", [FD_TAP_2] = "another tap", [FD_PACKET] = "a packet socket",
	[FD_PACKET_DGRAM] = "a packet socket without headers",
	[FD_TUN_NEW] = "a tun file without device", [FD_EVENTFD] = "an eventfd",
	[FD_PIPE] = "a pipe", [FD_FILE] = "a file", [FD_DIR] = "a directory",
	[FD_PATH] = "an O_PATH file", [FD_UNIX] = "a unix socket", [FD_UDP] = "a UDP socket",
	[FD_RAW_IP] = "a raw IP socket", [FD_NETLINK] = "a netlink socket",
	[FD_VHOST] = "a vhost-net file", [FD_KVHOST] = "a kvhost-net file",
	[FD_SELF] = "the device itself", [FD_CLOSED] = "a closed file", [FD_MINUS1] = "-1",
	[FD_MINUS2] = "-2", [FD_HUGE] = "2^31 - 1",
};

static void open_fds(struct side *s)
{
	static const struct pair_opts none;
	int p[2];

	must(!pipe(p), "pipe: %m");
	s->fds[FD_TAP] = s->p.back;
	s->fds[FD_TAP_2] = tap_open("tap1", &none);
	s->fds[FD_PACKET] = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_LOOP));
	s->fds[FD_PACKET_DGRAM] = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_LOOP));
	s->fds[FD_TUN_NEW] = open("/dev/net/tun", O_RDWR);
	s->fds[FD_EVENTFD] = eventfd(0, 0);
	s->fds[FD_PIPE] = p[0];
	s->fds[FD_FILE] = memfd_create("file", 0);
	s->fds[FD_DIR] = open("/", O_RDONLY | O_DIRECTORY);
	s->fds[FD_PATH] = open("/", O_PATH);
	s->fds[FD_UNIX] = socket(AF_UNIX, SOCK_STREAM, 0);
	s->fds[FD_UDP] = socket(AF_INET, SOCK_DGRAM, 0);
	s->fds[FD_RAW_IP] = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	s->fds[FD_NETLINK] = socket(AF_NETLINK, SOCK_RAW, 0);
	s->fds[FD_VHOST] = open(VHOST_NET_NODE, O_RDWR);
	s->fds[FD_KVHOST] = open(KVHOST_NET_NODE, O_RDWR);
	/* A number that nothing opened later gets. */
	s->fds[FD_CLOSED] = fcntl(p[1], F_DUPFD, 900);
	s->fds[FD_MINUS1] = -1;
	s->fds[FD_MINUS2] = -2;
	s->fds[FD_HUGE] = 0x7fffffff;
	close(s->fds[FD_CLOSED]);
	close(p[1]);
}

/**
 * side_init() - all but the device, in a network namespace of its own
 * @s:    to be filled
 * @node: path of the node
 */
void side_init(struct side *s, const char *node)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->node = node;
	own_netns();
	s->p.back = tap_open("tap0", &s->p.o);
	s->p.peer = packet_open("tap0");
	s->p.k.fd = -1;
	gmem_init(&s->p.k.mem);
	s->p.buf = gmem_alloc(&s->p.k.mem, GMEM_MID, 1 << 20, 4096);
	s->p.k.queues = 2;
	for (i = 0; i < 2; i++)
		vq_init(&s->p.k.q[i], &s->p.k.mem, 64, 0);
	open_fds(s);
}

/**
 * side_call() - an ioctl
 * @s:   opened device
 * @req: request
 * @arg: its argument
 *
 * Return: what it returned, or -errno.
 */
int side_call(struct side *s, unsigned long req, void *arg)
{
	int r = ioctl(s->p.k.fd, req, arg);

	return r < 0 ? -errno : r;
}

/**
 * side_backend() - VHOST_NET_SET_BACKEND
 * @s:     opened device
 * @index: queue
 * @fd:    backend, or -1
 *
 * Return: 0 or -errno.
 */
int side_backend(struct side *s, unsigned int index, int fd)
{
	return __net_backend(s->p.k.fd, index, fd);
}

/**
 * side_addr() - true addresses of a ring
 * @s:     device
 * @index: queue; one out of range gets those of the first
 * @a:     result
 */
void side_addr(struct side *s, unsigned int index, struct vhost_vring_addr *a)
{
	kvhost_vring_addr(&s->p.k, index < 2 ? index : 0, a);
	a->index = index;
}

/* Packets that nobody took. */
static void drain_tap(struct side *s)
{
	char buf[128];

	while (read(s->p.back, buf, sizeof(buf)) > 0)
		;
}

static void step(struct side *s, enum state to)
{
	u64 features = 1ull << VIRTIO_F_VERSION_1;
	struct kvhost *k = &s->p.k;
	unsigned int i;

	switch (to) {
	case OWNED:
		KVHOST_IOCTL(k, VHOST_SET_OWNER, NULL);
		break;
	case FEATURES:
		KVHOST_IOCTL(k, VHOST_SET_FEATURES, &features);
		break;
	case TABLE:
		kvhost_set_mem(k);
		break;
	case RINGS:
		for (i = 0; i < 2; i++)
			kvhost_ring_setup(k, i, 0);
		break;
	case RUNNING:
		for (i = 0; i < 2; i++)
			net_backend(k->fd, i, s->p.back);
		break;
	case STOPPED:
		for (i = 0; i < 2; i++)
			net_backend(k->fd, i, -1);
		break;
	default:
		break;
	}
}

static void steps(struct side *s, enum state last)
{
	enum state to;

	for (to = OWNED; to <= last; to++)
		step(s, to);
}

/**
 * side_prepare() - all but the backends, of a device that is owned
 * @s: device
 */
void side_prepare(struct side *s)
{
	enum state to;

	for (to = FEATURES; to <= RINGS; to++)
		step(s, to);
}

/**
 * side_start() - become the owner of an opened device, and start its queues
 * @s: device
 */
void side_start(struct side *s)
{
	steps(s, RUNNING);
}

/**
 * side_bring() - open the device and bring it to a state
 * @s:  device, not opened
 * @to: state
 *
 * The rings are empty and fresh.
 */
void side_bring(struct side *s, enum state to)
{
	unsigned int i;
	pid_t pid;
	int st;

	drain_tap(s);
	for (i = 0; i < 2; i++)
		vq_reset(&s->p.k.q[i], 0);
	s->p.k.fd = open(s->node, O_RDWR | O_CLOEXEC);
	must(s->p.k.fd >= 0, "%s: %m", s->node);
	s->fds[FD_SELF] = s->p.k.fd;
	switch (to) {
	case RESET:
		steps(s, RUNNING);
		KVHOST_IOCTL(&s->p.k, VHOST_RESET_OWNER, NULL);
		KVHOST_IOCTL(&s->p.k, VHOST_SET_OWNER, NULL);
		break;
	case FOREIGN:
		steps(s, RUNNING);
		break;
	case ORPHAN:
		pid = fork();
		must(pid >= 0, "fork: %m");
		if (!pid) {
			steps(s, RUNNING);
			_exit(0);
		}
		must(waitpid(pid, &st, 0) == pid && !st, "the owner failed");
		break;
	default:
		steps(s, to);
		break;
	}
}

/**
 * side_close() - close the device
 * @s: device
 */
void side_close(struct side *s)
{
	close(s->p.k.fd);
	s->p.k.fd = -1;
}
