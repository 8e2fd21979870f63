/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio_pci.h - the modern virtio-pci transport: registers, doorbells and
 * interrupts of one struct virtio_dev.
 */
#ifndef KVHOST_VIRTIO_PCI_H
#define KVHOST_VIRTIO_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"
#include "virtio.h"

struct vm;

/**
 * struct virtio_pci_irq - one event that can interrupt the guest
 * @pci:    the function it belongs to
 * @fd:     eventfd that raises it
 * @isr:    its bit of the ISR register
 * @vector: what the vector register reads
 * @route:  where @fd leads now: a vector, %VIRTIO_PCI_NOWHERE or
 *          %VIRTIO_PCI_INTX
 */
struct virtio_pci_irq {
	struct virtio_pci *pci;
	int fd;
	uint8_t isr;
	uint16_t vector;
	int route;
};

#define VIRTIO_PCI_NOWHERE	(-1)
#define VIRTIO_PCI_INTX		(-2)

/**
 * struct virtio_pci - one virtio function on the PCI bus
 * @dev:            the function
 * @vdev:           the device behind it
 * @vm:             the machine
 * @cfg_cap:        offset of the PCI_CFG capability
 * @config_irq:     configuration change
 * @queue_irqs:     used buffer notification of each queue
 * @offered_select: device_feature_select
 * @accept_select:  driver_feature_select
 * @queue_select:   queue_select
 * @isr:            ISR register
 *
 * Protected by vm_lock().
 */
struct virtio_pci {
	struct pci_dev dev;
	struct virtio_dev *vdev;
	struct vm *vm;
	int cfg_cap;
	struct virtio_pci_irq config_irq;
	struct virtio_pci_irq *queue_irqs;
	uint32_t offered_select;
	uint32_t accept_select;
	uint16_t queue_select;
	uint8_t isr;
};

int virtio_pci_create(struct virtio_pci *p, struct vm *vm,
		      struct virtio_dev *vdev, uint32_t class_code);
void virtio_pci_destroy(struct virtio_pci *p);

/* virtio_pci_common.c: the common configuration structure. */
#define VIRTIO_PCI_COMMON_BYTES	0x40

void virtio_pci_common_read(struct virtio_pci *p, uint64_t off, void *data,
			    unsigned int len);
void virtio_pci_common_write(struct virtio_pci *p, uint64_t off,
			     const void *data, unsigned int len);

/* virtio_pci_irq.c: which event interrupts where. */
int virtio_pci_irq_create(struct virtio_pci *p);
void virtio_pci_irq_destroy(struct virtio_pci *p);
void virtio_pci_irq_map(struct virtio_pci_irq *irq, uint16_t vector);
void virtio_pci_irq_sync(struct virtio_pci *p);
void virtio_pci_irq_reset(struct virtio_pci *p);
void virtio_pci_irq_config(struct virtio_pci *p);
uint8_t virtio_pci_isr_read(struct virtio_pci *p);

#endif
