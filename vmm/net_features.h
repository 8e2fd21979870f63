/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net_features.h - feature bits of a network device that <linux/virtio_net.h>
 * of older systems does not have, and which of them go together.
 */
#ifndef KVHOST_NET_FEATURES_H
#define KVHOST_NET_FEATURES_H

#include <linux/virtio_net.h>

#include "virtio.h"

#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4	54
#define VIRTIO_NET_F_GUEST_USO6	55
#define VIRTIO_NET_F_HOST_USO	56
#endif

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4	5
#endif

#define NET_BIT(name)	VIRTIO_BIT(VIRTIO_NET_F_##name)

/* What a driver can be told to take, and may switch on and off (5.1.6.5.8). */
#define NET_GUEST_GSO							\
	(NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6) | NET_BIT(GUEST_ECN) | \
	 NET_BIT(GUEST_USO4) | NET_BIT(GUEST_USO6))
#define NET_GUEST_OFFLOADS	(NET_BIT(GUEST_CSUM) | NET_GUEST_GSO)

/* What a driver may hand over (5.1.3.1). */
#define NET_HOST_GSO							\
	(NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6) | NET_BIT(HOST_ECN) |	\
	 NET_BIT(HOST_USO))
#define NET_HOST_OFFLOADS	(NET_BIT(CSUM) | NET_HOST_GSO)

/* What is done by way of the control queue. */
#define NET_CTRL							\
	(NET_BIT(CTRL_RX) | NET_BIT(CTRL_VLAN) | NET_BIT(CTRL_RX_EXTRA) | \
	 NET_BIT(GUEST_ANNOUNCE) | NET_BIT(MQ) | NET_BIT(CTRL_MAC_ADDR) | \
	 NET_BIT(CTRL_GUEST_OFFLOADS))

/**
 * net_features_sound() - leave out what lacks another feature (5.1.3.1)
 * @f: features a driver accepted
 *
 * Return: those that can be used.
 */
static inline uint64_t net_features_sound(uint64_t f)
{
	if (!(f & NET_BIT(CSUM)))
		f &= ~NET_HOST_GSO;
	if (!(f & (NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6))))
		f &= ~NET_BIT(HOST_ECN);
	if (!(f & NET_BIT(GUEST_CSUM)))
		f &= ~NET_GUEST_GSO;
	if (!(f & (NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6))))
		f &= ~NET_BIT(GUEST_ECN);
	if (!(f & NET_BIT(CTRL_VQ)))
		f &= ~NET_CTRL;
	return f;
}

#endif
