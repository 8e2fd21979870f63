// SPDX-License-Identifier: GPL-2.0
/*
 * net_rig.c - a network device on a bus, its driver and its wire.
 *
 *	test --registers--> virtio_pci.c --> dev_net.c --> net_control.c
 *	     --rings, doorbell-------------> net_user.c --> socket (port.c) --> test
 *
 * Used by one thread; the device has its I/O thread beside it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net_rig.h"
#include "util.h"
#include "vm.h"

const u8 own[6] = { 0x52, 0x54, 0, 1, 2, 3 };
const u8 foreign[6] = { 0x52, 0x54, 0, 9, 9, 9 };
const u8 group[6] = { 0x01, 0, 0x5e, 1, 2, 3 };
const u8 broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

void rig_init(struct net_rig *rig, bool packed)
{
	memset(&port, 0, sizeof(port));
	port.mtu = 1500;
	port.uso = true;
	gmem_init(&rig->gmem);
	driver_vm(&rig->mem, &rig->gmem, &rig->opts);
	rig->opt = &rig->opts.nets[0];
	*rig->opt = (struct net_options) {
		.tap = "tap",
		.backend = NET_BACKEND_USER,
		.queues = 1,
		.queue_size = QUEUE_SIZE,
		.packed = packed,
		.indirect = true,
		.event_idx = true,
		.mrg_rxbuf = true,
		.csum = true,
		.tso = true,
		.uso = true,
		.node = "/nonexistent/node",
	};
	memcpy(rig->opt->mac, own, 6);
	for (int i = 0; i < QUEUES_MAX; i++)
		vq_init(&rig->q[i], &rig->gmem, QUEUE_SIZE,
			packed ? VQ_PACKED : 0);
	rig->buf = gmem_alloc(&rig->gmem, GMEM_LOW, QUEUE_SIZE * BUF_BYTES, 4096);
	rig->control = gmem_alloc(&rig->gmem, GMEM_LOW, 8192, 4096);
}

void rig_free(struct net_rig *rig)
{
	if (bus.hook)
		bus.hook->stop(bus.hook->opaque);
	for (int i = 0; i < QUEUES_MAX; i++)
		vq_free(&rig->q[i]);
	gmem_free(&rig->gmem);
}

/* Brings the device up with @features and its first @queues rings. */
void rig_bring_up(struct net_rig *rig, u64 features, unsigned int queues)
{
	if (rig->opt->packed)
		features |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	rig->next = 0;
	driver_negotiate(features);
	for (unsigned int i = 0; i < queues; i++)
		driver_ring(i, &rig->q[i], QUEUE_SIZE);
	bus_write(bus.pci, STATUS, S_OK, 1);
}

bool rig_wait_used(struct vq *q, struct vq_used *used)
{
	for (int ms = 0; ms < LIMIT; ms++) {
		bus_pump();
		if (vq_get_used(q, used))
			return true;
		usleep(1000);
	}
	return false;
}

void rig_kick(unsigned int queue)
{
	bus_write(bus.pci, NOTIFY + 4 * queue, 0, 2);
}

/* One command of the control queue; its answer, or -1 if there is none. */
int rig_command(struct net_rig *rig, unsigned int queue, u8 class, u8 cmd, const void *data,
		u32 len)
{
	struct vq *q = &rig->q[queue];
	u8 *p = gmem_va(&rig->gmem, rig->control);
	struct vq_buf bufs[] = {
		{ rig->control, 2, false },
		{ rig->control + 2, len, false },
		{ rig->control + 8000, 1, true },
	};
	struct vq_used used;

	p[0] = class;
	p[1] = cmd;
	if (len)
		memcpy(p + 2, data, len);
	else
		bufs[1] = bufs[2];
	p[8000] = 0xee;
	must(vq_add(q, bufs, len ? 3 : 2, NULL, p) >= 0, "control queue full");
	vq_publish(q);
	rig_kick(queue);
	if (!rig_wait_used(q, &used) || used.len != 1)
		return -1;
	return p[8000];
}

/* Adds @n receive buffers of @len bytes. */
void rig_add_buffers(struct net_rig *rig, unsigned int n, u32 len)
{
	for (unsigned int i = 0; i < n; i++) {
		u64 gpa = rig->buf + (rig->next++ % QUEUE_SIZE) * BUF_BYTES;
		struct vq_buf b = { gpa, len, true };

		memset(gmem_va(&rig->gmem, gpa), 0xaa, BUF_BYTES);
		must(vq_add(&rig->q[0], &b, 1, NULL, gmem_va(&rig->gmem, gpa)) >= 0,
		     "receive queue full");
	}
	vq_publish(&rig->q[0]);
	rig_kick(0);
}

/* A packet of @len bytes behind the header, to @to. */
void rig_fill_packet(u8 *p, const u8 *to, u32 len)
{
	memset(p, 0, HDR);
	for (u32 i = 0; i < len; i++)
		p[HDR + i] = i * 7;
	memcpy(p + HDR, to, 6);
	p[HDR + 12] = 0x08;
	p[HDR + 13] = 0;
}

void rig_inject(struct net_rig *rig, const u8 *to, u32 len)
{
	rig_fill_packet(rig->packet, to, len);
	must(write(port.fd[0], rig->packet, HDR + len) == HDR + len, "socket full");
}

/* Is the next packet received one of @len bytes to @to, in a single buffer? */
bool rig_received(struct net_rig *rig, const u8 *to, u32 len)
{
	struct vq_used used;
	u8 *p;

	if (!rig_wait_used(&rig->q[0], &used) || used.len != HDR + len)
		return false;
	p = used.cookie;
	rig_fill_packet(rig->packet, to, len);
	return !memcmp(p + HDR, rig->packet + HDR, len) && p[10] == 1 && !p[11];
}

int rig_create(struct net_rig *rig)
{
	if (bus.hook)
		bus.hook->stop(bus.hook->opaque);
	driver_vm(&rig->mem, &rig->gmem, &rig->opts);
	return dev_net_create(NULL, rig->opt);
}
