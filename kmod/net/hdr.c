// SPDX-License-Identifier: GPL-2.0
/*
 * hdr.c - what a guest says about a frame it sends, held against the frame.
 *
 * Works on a private copy, once, before the frame enters the host's network
 * stack. Hints that are wrong are put right, so that nobody further down
 * depends on them; what would be acted on is refused. Offloads the guest did
 * not negotiate are its loss alone: the kernel does them in software.
 */
#include <linux/if_ether.h>
#include <linux/minmax.h>
#include <linux/virtio_byteorder.h>
#include "net.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4	5
#endif

/* What the kernel keeps for itself in the place of a segment size. */
#define GSO_SIZE_RESERVED	0xffff

static int check_gso(struct virtio_net_hdr_v1 *hdr)
{
	if (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		hdr->gso_size = 0;
		return 0;
	}
	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
			return -EINVAL;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case VIRTIO_NET_HDR_GSO_UDP:
		/* Old guests of QEMU use the last; the kernel makes the fragments. */
		break;
	default:
		return -EINVAL;
	}
	if (!hdr->gso_size || __virtio16_to_cpu(true, hdr->gso_size) == GSO_SIZE_RESERVED)
		return -EINVAL;
	return 0;
}

/**
 * net_hdr_check() - check and tidy the header of a frame to be sent
 * @hdr: private copy
 * @len: bytes of the frame, the header not counted
 *
 * Context: Any.
 * Return: 0, or -EINVAL if the frame has to be dropped
 */
int net_hdr_check(struct virtio_net_hdr_v1 *hdr, u32 len)
{
	u32 hdr_len = min_t(u32, __virtio16_to_cpu(true, hdr->hdr_len), len);
	u32 start, end;

	/* The others are the device's to set. */
	hdr->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (hdr->flags) {
		start = __virtio16_to_cpu(true, hdr->csum_start);
		end = start + __virtio16_to_cpu(true, hdr->csum_offset) + sizeof(__sum16);
		if (end > len || start < ETH_HLEN)
			return -EINVAL;
		hdr_len = max(hdr_len, end);
	} else {
		hdr->csum_start = 0;
		hdr->csum_offset = 0;
	}
	if (hdr_len > U16_MAX)
		return -EINVAL;
	hdr->hdr_len = __cpu_to_virtio16(true, hdr_len < ETH_HLEN ? 0 : hdr_len);
	hdr->num_buffers = 0;
	return check_gso(hdr);
}
