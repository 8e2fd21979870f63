/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net_rig.h - a network device on the bus of bus.h with a driver and, in place of
 * its interface, the sockets of port.h.
 */
#ifndef SELFTESTS_VMM_NET_RIG_H
#define SELFTESTS_VMM_NET_RIG_H

#include "driver.h"
#include "net_features.h"
#include "net_port.h"
#include "port.h"

#define QUEUE_SIZE	64
#define QUEUES_MAX	5
#define BUF_BYTES	2048
#define PACKET_BYTES	(NET_HDR_BYTES + 65536)
#define LIMIT		5000
#define QUIET_MS	20

#define HDR		NET_HDR_BYTES
#define F_RING		(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_RESET))
#define F_ALWAYS	(F_RING | NET_BIT(MAC) | NET_BIT(STATUS) | NET_BIT(MTU) |	\
			 NET_BIT(SPEED_DUPLEX) | NET_BIT(CTRL_VQ) |			\
			 NET_BIT(CTRL_MAC_ADDR) | NET_BIT(GUEST_ANNOUNCE))
#define F_FILTER	(NET_BIT(CTRL_RX) | NET_BIT(CTRL_VLAN) | NET_BIT(CTRL_RX_EXTRA))
#define F_CSUM		(NET_BIT(CSUM) | NET_BIT(GUEST_CSUM) | NET_BIT(CTRL_GUEST_OFFLOADS))
#define F_TSO		(NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6) | NET_BIT(HOST_ECN) |	\
			 NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6) | NET_BIT(GUEST_ECN))
#define F_USO		(NET_BIT(HOST_USO) | NET_BIT(GUEST_USO4) | NET_BIT(GUEST_USO6))

extern const u8 own[6];
extern const u8 foreign[6];
extern const u8 group[6];
extern const u8 broadcast[6];

/**
 * struct net_rig - device, driver and wire
 * @opts:    options of the VM
 * @opt:     those of the device; tests change them before rig_create()
 * @mem:     guest RAM as the VMM sees it
 * @gmem:    as the driver sees it
 * @q:       the driver's rings, by queue
 * @buf:     QUEUE_SIZE buffers of BUF_BYTES
 * @control: room for a command
 * @packet:  scratch
 * @next:    receive buffers added so far
 */
struct net_rig {
	struct options opts;
	struct net_options *opt;
	struct guest_memory mem;
	struct gmem gmem;
	struct vq q[QUEUES_MAX];
	u64 buf;
	u64 control;
	u8 packet[PACKET_BYTES];
	unsigned int next;
};

void rig_init(struct net_rig *rig, bool packed);
void rig_free(struct net_rig *rig);
int rig_create(struct net_rig *rig);
void rig_bring_up(struct net_rig *rig, u64 features, unsigned int queues);
void rig_kick(unsigned int queue);
bool rig_wait_used(struct vq *q, struct vq_used *used);
int rig_command(struct net_rig *rig, unsigned int queue, u8 class, u8 cmd, const void *data,
		u32 len);
void rig_add_buffers(struct net_rig *rig, unsigned int n, u32 len);
void rig_fill_packet(u8 *p, const u8 *to, u32 len);
void rig_inject(struct net_rig *rig, const u8 *to, u32 len);
bool rig_received(struct net_rig *rig, const u8 *to, u32 len);

#endif
