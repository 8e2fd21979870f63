// SPDX-License-Identifier: GPL-2.0
/*
 * dev_net.c - the virtio-net device: features, configuration space, the host's
 * side and the backend behind it.
 *
 * The device is the same whoever processes its queues, so that backend=kernel
 * and backend=user differ in one word. Queues 2n and 2n + 1 are the backend's;
 * the one behind the last pair, or behind the first without MQ, is the control
 * queue and the device's own.
 *
 * Created on the main thread before the sandbox; device operations run with
 * vm_lock() held, the event loop's callback takes it.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "dev_net.h"
#include "event.h"
#include "loop.h"
#include "util.h"
#include "vring_stats.h"

/* Network, Ethernet. */
#define CLASS_CODE	0x020000

/* The fields behind belong to RSS, which is not offered. */
#define CONFIG_BYTES	offsetof(struct virtio_net_config, rss_max_key_size)

#define SPEED_UNKNOWN	0xffffffffu
#define DUPLEX_FULL	0x01
#define DUPLEX_UNKNOWN	0xff

static struct dev_net *to_net(struct virtio_dev *vdev)
{
	return container_of(vdev, struct dev_net, vdev);
}

/**
 * dev_net_set_pairs() - receive from and transmit to that many queue pairs
 * @net:   the device
 * @pairs: 1 to those the port has
 *
 * Return: 0 or -errno of the interface.
 */
int dev_net_set_pairs(struct dev_net *net, unsigned int pairs)
{
	const struct net_backend_ops *ops = net->backend->ops;
	int ret;

	/* The port may have queues that are not served, but not the reverse. */
	if (ops->set_pairs && pairs < net->pairs)
		ops->set_pairs(net->backend, pairs);
	ret = net_port_set_pairs(&net->port, pairs);
	net->pairs = net->port.active;
	if (ops->set_pairs)
		ops->set_pairs(net->backend, net->pairs);
	return ret;
}

/**
 * dev_net_set_offloads() - switch offloads of receive on and off
 * @net:      the device
 * @offloads: a subset of what was negotiated
 *
 * Return: 0 or -errno of the interface.
 */
int dev_net_set_offloads(struct dev_net *net, uint64_t offloads)
{
	int ret = net_port_set_offloads(&net->port,
					net_features_sound(offloads));

	if (!ret)
		net->offloads = offloads;
	return ret;
}

/**
 * dev_net_set_filter() - let a filter that was changed take effect
 * @net: the device
 */
void dev_net_set_filter(struct dev_net *net)
{
	const struct net_backend_ops *ops = net->backend->ops;

	if (ops->set_filter)
		ops->set_filter(net->backend, &net->filter);
	else
		net_port_set_filter(&net->port, &net->filter);
}

/**
 * dev_net_set_mac() - change the device's address
 * @net: the device
 * @mac: the address
 *
 * Return: 0 or -errno of the interface.
 */
int dev_net_set_mac(struct dev_net *net, const uint8_t *mac)
{
	int ret = net_port_set_mac(&net->port, mac);

	if (ret)
		return ret;
	memcpy(net->config.mac, mac, NET_ADDR_BYTES);
	memcpy(net->filter.mac, mac, NET_ADDR_BYTES);
	/* The driver knows: no interrupt. */
	net->vdev.changed = true;
	dev_net_set_filter(net);
	return 0;
}

static void features_ok(struct virtio_dev *vdev)
{
	struct dev_net *net = to_net(vdev);

	net->features = net_features_sound(virtio_features(vdev));
}

static int start(struct virtio_dev *vdev)
{
	struct dev_net *net = to_net(vdev);
	int ret;

	net->filter.on = net->features & NET_BIT(CTRL_RX);
	net->filter.vlan_on = net->features & NET_BIT(CTRL_VLAN);
	dev_net_set_filter(net);
	ret = dev_net_set_offloads(net, net->features & NET_GUEST_OFFLOADS);
	return ret ? ret : net->backend->ops->start(net->backend, net->features);
}

static void reset(struct virtio_dev *vdev)
{
	struct dev_net *net = to_net(vdev);

	net_filter_reset(&net->filter, net->mac);
	dev_net_set_filter(net);
	if (memcmp(net->config.mac, net->mac, NET_ADDR_BYTES))
		dev_net_set_mac(net, net->mac);
	dev_net_set_pairs(net, 1);
	dev_net_set_offloads(net, 0);
	net->config.status &= ~htole16(VIRTIO_NET_S_ANNOUNCE);
	net->features = 0;
}

static unsigned int control_index(const struct dev_net *net)
{
	return net->features & NET_BIT(MQ) ? 2 * net->opt->queues : 2;
}

static int queue_start(struct virtio_dev *vdev, struct virtio_queue *vq)
{
	struct dev_net *net = to_net(vdev);

	if (vq->index < control_index(net))
		return net->backend->ops->queue_start(net->backend, vq);
	if (vq->index == control_index(net) &&
	    net->features & NET_BIT(CTRL_VQ))
		return net_control_start(net, vq);
	return 0;
}

static void queue_stop(struct virtio_dev *vdev, struct virtio_queue *vq)
{
	struct dev_net *net = to_net(vdev);

	vm_wait_begin(net->vm, net->name, net->port.ifname);
	if (vq->index < control_index(net))
		net->backend->ops->queue_stop(net->backend, vq);
	else if (vq->index == control_index(net))
		net_control_stop(net);
	vm_wait_end(net->vm);
}

static const struct virtio_ops virtio_ops = {
	.features_ok = features_ok,
	.start = start,
	.reset = reset,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
};

/* Counters of queue @index as they stand; what is not a backend's queue has its own. */
static int stats(struct dev_net *net, unsigned int index,
		 struct kvhost_vring_stats *st)
{
	if (index < control_index(net) && index < 2 * net->opt->queues)
		return net->backend->ops->stats(net->backend, index, st);
	if (index != control_index(net))
		return -ENOENT;
	*st = net->control.ring.stats;
	st->index = index;
	return 0;
}

static void port_gone(struct dev_net *net)
{
	uint16_t up = htole16(VIRTIO_NET_S_LINK_UP);

	if (!__atomic_exchange_n(&net->setup.gone, false, __ATOMIC_ACQUIRE) ||
	    !(net->config.status & up))
		return;
	log_warn("%s: %s is gone, the guest is cut off", net->name,
		 net->port.ifname);
	net->config.status &= ~up;
	virtio_config_changed(&net->vdev);
}

static void err_event(void *opaque, int fd, uint32_t events)
{
	struct dev_net *net = opaque;
	struct kvhost_vring_stats st;
	unsigned int i;
	char why[64];

	vm_lock(net->vm);
	event_clear(fd);
	port_gone(net);
	for (i = 0; i < net->vdev.nqueues; i++) {
		if (!net->vdev.queues[i].live || stats(net, i, &st))
			continue;
		/* A queue that was reset meanwhile is broken no more. */
		if (st.state != KVHOST_VRING_BROKEN)
			continue;
		snprintf(why, sizeof(why), "queue %u is malformed", i);
		virtio_error(&net->vdev, why);
	}
	vm_unlock(net->vm);
}

static void print_mac(FILE *out, const char *key, const uint8_t *mac)
{
	fprintf(out, "%s=%02x:%02x:%02x:%02x:%02x:%02x\n", key, mac[0], mac[1],
		mac[2], mac[3], mac[4], mac[5]);
}

static void print_status(void *opaque, FILE *out)
{
	struct dev_net *net = opaque;
	const struct net_filter *f = &net->filter;
	struct kvhost_vring_stats st;
	unsigned int i;

	fprintf(out, "interface=%s\n", net->port.ifname);
	fprintf(out, "backend=%s\n",
		net->opt->backend == NET_BACKEND_KERNEL ? "kernel" : "user");
	print_mac(out, "mac", net->config.mac);
	fprintf(out, "mtu=%u\n", net->port.mtu);
	fprintf(out, "link=%s\n",
		net->config.status & htole16(VIRTIO_NET_S_LINK_UP) ? "up" : "down");
	fprintf(out, "pairs=%u/%u\n", net->pairs, net->opt->queues);
	fprintf(out, "offloads=0x%" PRIx64 "\n", net->offloads);
	fprintf(out, "filter=%s,promisc=%d,allmulti=%d,unicast=%u,multicast=%u\n",
		f->on ? "on" : "off", f->promisc, f->allmulti, f->uni.nr,
		f->multi.nr);
	fprintf(out, "commands=%" PRIu64 "\nrefused_commands=%" PRIu64 "\n",
		net->control.commands, net->control.errors);
	if (net->backend->ops->status)
		net->backend->ops->status(net->backend, out);
	fprintf(out, "device_status=0x%02x\n", net->vdev.status);
	fprintf(out, "driver_features=0x%016" PRIx64 "\n",
		virtio_features(&net->vdev));
	for (i = 0; i < net->vdev.nqueues; i++) {
		if (!stats(net, i, &st))
			vring_stats_status(out, &st);
	}
}

static void print_stats(void *opaque, FILE *out)
{
	struct dev_net *net = opaque;
	struct kvhost_vring_stats st;
	unsigned int i;

	fprintf(out, "device %s owner %d\n", net->name, (int)getpid());
	for (i = 0; i < net->vdev.nqueues; i++) {
		if (stats(net, i, &st))
			continue;
		vring_stats_line(out, &st);
		fputc('\n', out);
	}
}

static void destroy(struct dev_net *net)
{
	virtio_pci_destroy(&net->pci);
	if (net->err_fd >= 0) {
		loop_del(vm_loop(net->vm), net->err_fd);
		close(net->err_fd);
	}
	if (net->backend)
		net->backend->ops->destroy(net->backend);
	virtio_destroy(&net->vdev);
	net_port_close(&net->port);
	free(net);
}

static void stop(void *opaque)
{
	struct dev_net *net = opaque;

	virtio_reset(&net->vdev);
	destroy(net);
}

static uint64_t offered_offloads(const struct dev_net *net)
{
	const struct net_options *opt = net->opt;
	uint64_t f = 0;

	/* passt wants whole packets with right checksums. */
	if (net->port.kind == NET_PORT_PASST || !opt->csum)
		return 0;
	f |= NET_BIT(CSUM) | NET_BIT(GUEST_CSUM) | NET_BIT(CTRL_GUEST_OFFLOADS);
	if (opt->tso)
		f |= NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6) |
		     NET_BIT(HOST_ECN) | NET_BIT(GUEST_TSO4) |
		     NET_BIT(GUEST_TSO6) | NET_BIT(GUEST_ECN);
	if (opt->uso && net->port.uso)
		f |= NET_BIT(HOST_USO) | NET_BIT(GUEST_USO4) |
		     NET_BIT(GUEST_USO6);
	return f;
}

/* What the control queue is for: as far as somebody can do it. */
static uint64_t offered_control(const struct dev_net *net)
{
	uint64_t f = NET_BIT(CTRL_VQ) | NET_BIT(CTRL_MAC_ADDR) |
		     NET_BIT(GUEST_ANNOUNCE);

	if (net->opt->queues > 1)
		f |= NET_BIT(MQ);
	/* A macvtap lets through what its own address and groups say. */
	if (net->port.kind != NET_PORT_MACVTAP)
		f |= NET_BIT(CTRL_RX);
	if (net->backend->ops->set_filter)
		f |= NET_BIT(CTRL_VLAN);
	if (net->backend->ops->set_filter &&
	    net->port.kind != NET_PORT_MACVTAP)
		f |= NET_BIT(CTRL_RX_EXTRA);
	return f;
}

static uint64_t offered(const struct dev_net *net)
{
	const struct net_options *opt = net->opt;
	uint64_t device = NET_BIT(MAC) | NET_BIT(STATUS) | NET_BIT(MTU) |
			  NET_BIT(SPEED_DUPLEX);
	uint64_t ring = VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			VIRTIO_BIT(VIRTIO_F_RING_RESET);

	if (opt->mrg_rxbuf)
		ring |= NET_BIT(MRG_RXBUF);
	if (opt->indirect)
		ring |= VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	if (opt->event_idx)
		ring |= VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
	if (opt->packed)
		ring |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	if (opt->in_order)
		ring |= VIRTIO_BIT(VIRTIO_F_IN_ORDER);
	return device | offered_offloads(net) | offered_control(net) |
	       (ring & net->backend->features);
}

/* A feature the user asked for by name must not go missing silently. */
static int check_features(const struct dev_net *net)
{
	const struct net_options *opt = net->opt;
	uint64_t have = net->backend->features;
	const char *missing = NULL;

	if (!(have & VIRTIO_BIT(VIRTIO_F_VERSION_1)))
		missing = "virtio 1.0";
	else if (opt->packed && !(have & VIRTIO_BIT(VIRTIO_F_RING_PACKED)))
		missing = "packed=on";
	else if (opt->in_order && !(have & VIRTIO_BIT(VIRTIO_F_IN_ORDER)))
		missing = "in_order=on";
	if (!missing)
		return 0;
	log_error("--net: backend=%s does not serve %s%s%s",
		  opt->backend == NET_BACKEND_KERNEL ? "kernel" : "user", missing,
		  opt->backend == NET_BACKEND_KERNEL ? " by way of " : "",
		  opt->backend == NET_BACKEND_KERNEL ? opt->node : "");
	return -EINVAL;
}

static bool is_zero(const uint8_t *mac)
{
	static const uint8_t zero[NET_ADDR_BYTES];

	return !memcmp(mac, zero, sizeof(zero));
}

/* A new address in QEMU's range, which no hardware has. */
static int choose_mac(struct dev_net *net)
{
	uint8_t *mac = net->mac;

	memcpy(mac, is_zero(net->opt->mac) ? net->port.mac : net->opt->mac,
	       NET_ADDR_BYTES);
	if (is_zero(mac)) {
		mac[0] = 0x52;
		mac[1] = 0x54;
		if (getrandom(mac + 3, 3, 0) != 3)
			return -EIO;
	}
	return net_port_set_mac(&net->port, mac);
}

static void fill_config(struct dev_net *net)
{
	struct virtio_net_config *c = &net->config;
	uint32_t speed = net->opt->speed;

	memcpy(c->mac, net->mac, NET_ADDR_BYTES);
	c->status = htole16(VIRTIO_NET_S_LINK_UP);
	c->max_virtqueue_pairs = htole16(net->opt->queues);
	c->mtu = htole16(net->port.mtu);
	c->speed = htole32(speed ? speed : SPEED_UNKNOWN);
	c->duplex = speed ? DUPLEX_FULL : DUPLEX_UNKNOWN;
	net_filter_reset(&net->filter, net->mac);
}

static int create_backend(struct dev_net *net)
{
	int ret;

	net->err_fd = event_open();
	if (net->err_fd < 0)
		return net->err_fd;
	net->setup = (struct net_setup) {
		.name = net->name,
		.port = &net->port,
		.opt = net->opt,
		.mem = vm_memory(net->vm),
		.err_fd = net->err_fd,
	};
	if (net->opt->backend == NET_BACKEND_KERNEL)
		ret = net_kernel_create(&net->backend, &net->setup);
	else
		ret = net_user_create(&net->backend, &net->setup);
	return ret ? ret : check_features(net);
}

static int create_device(struct dev_net *net)
{
	struct virtio_dev *vdev = &net->vdev;
	int ret;

	ret = choose_mac(net);
	if (ret) {
		log_error("%s: '%s' does not take its address: %s", net->name,
			  net->port.ifname, strerror(-ret));
		return ret;
	}
	fill_config(net);
	net->pairs = net->port.active;
	vdev->ops = &virtio_ops;
	vdev->name = net->name;
	vdev->id = VIRTIO_ID_NET;
	vdev->mem = vm_memory(net->vm);
	vdev->offered = offered(net);
	vdev->config = &net->config;
	vdev->config_len = CONFIG_BYTES;
	ret = virtio_init(vdev, 2 * net->opt->queues + 1, net->opt->queue_size);
	if (!ret)
		ret = dev_net_set_pairs(net, 1);
	if (!ret)
		ret = virtio_pci_create(&net->pci, net->vm, vdev, CLASS_CODE);
	if (!ret)
		ret = loop_add(vm_loop(net->vm), net->err_fd, EPOLLIN,
			       err_event, net);
	if (ret)
		log_error("%s: cannot add '%s' to the PCI bus: %s", net->name,
			  net->port.ifname, strerror(-ret));
	return ret;
}

/**
 * dev_net_create() - add a virtio-net function to the VM
 * @vm:  the VM, its memory, loop and PCI bus ready
 * @opt: what network; lives as long as @vm
 *
 * Context: main thread, before the sandbox.
 * Return: 0, or -errno after one line on stderr.
 */
int dev_net_create(struct vm *vm, const struct net_options *opt)
{
	struct dev_net *net = calloc(1, sizeof(*net));
	int ret;

	if (!net)
		return -ENOMEM;
	net->vm = vm;
	net->opt = opt;
	net->err_fd = -1;
	snprintf(net->name, sizeof(net->name), "net%u",
		 (unsigned int)(opt - vm_options(vm)->nets) % 100);
	ret = net_port_open(&net->port, opt);
	if (!ret)
		ret = create_backend(net);
	if (!ret)
		ret = create_device(net);
	if (ret) {
		destroy(net);
		return ret;
	}
	net->hook = (struct vm_hook) {
		.name = net->name,
		.stop = stop,
		.status = print_status,
		.stats = print_stats,
		.command = dev_net_command,
		.opaque = net,
	};
	vm_hook_add(vm, &net->hook);
	return 0;
}
