/* SPDX-License-Identifier: GPL-2.0 */
/*
 * driver.h - the registers of the function on the bus of bus.h, and what every
 * driver does with them before its first request.
 */
#ifndef SELFTESTS_VMM_DRIVER_H
#define SELFTESTS_VMM_DRIVER_H

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdint.h>

#include "bus.h"
#include "memory.h"
#include "options.h"
#include "lib/gmem.h"
#include "lib/vring.h"

/* Common configuration structure, and what follows it in BAR 0. */
#define OFFERED_SELECT	0x00
#define OFFERED		0x04
#define ACCEPT_SELECT	0x08
#define ACCEPT		0x0c
#define CONFIG_VECTOR	0x10
#define NUM_QUEUES	0x12
#define STATUS		0x14
#define GENERATION	0x15
#define QUEUE_SELECT	0x16
#define Q_SIZE		0x18
#define Q_VECTOR	0x1a
#define Q_ENABLE	0x1c
#define Q_NOTIFY_OFF	0x1e
#define Q_DESC		0x20
#define Q_DRIVER	0x28
#define Q_DEVICE	0x30
#define Q_RESET		0x3a
#define ISR		0x1000
#define DEVICE		0x2000
#define NOTIFY		0x3000
#define BAR_END		0x4000

#define S_ACK		VIRTIO_CONFIG_S_ACKNOWLEDGE
#define S_DRIVER	(S_ACK | VIRTIO_CONFIG_S_DRIVER)
#define S_FEATURES	(S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define S_OK		(S_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK)
#define S_NEEDS_RESET	VIRTIO_CONFIG_S_NEEDS_RESET
#define S_FAILED	VIRTIO_CONFIG_S_FAILED

/* Begins with an empty bus in a VM of one vCPU with this memory and these options. */
void driver_vm(struct guest_memory *mem, struct gmem *gmem, const struct options *opts);
uint64_t driver_offered(void);
/* Resets the device and negotiates: status bits 3.1.1 up to FEATURES_OK. */
void driver_negotiate(uint64_t features);
/* Hands over the ring of a queue, empty. */
void driver_ring(unsigned int queue, struct vq *q, unsigned int size);

#endif
