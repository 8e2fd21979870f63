// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_pci_irq.c - which event of a virtio function interrupts the guest
 * where.
 *
 * Every event is an eventfd that the backend, in this process or in the
 * kernel, writes. With MSI-X on, KVM turns it into the vector the driver
 * chose, without this process; with MSI-X off, the main loop reads it, sets
 * the ISR bit and raises INTx. An event without a vector leads nowhere.
 *
 * Everything runs with vm_lock() held; the loop's callback takes it.
 */
#include <errno.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "event.h"
#include "loop.h"
#include "util.h"
#include "virtio_pci.h"
#include "vm.h"

#define ISR_QUEUE	0x1
#define ISR_CONFIG	0x2

static void intx_event(void *opaque, int fd, uint32_t events)
{
	struct virtio_pci_irq *irq = opaque;
	struct virtio_pci *p = irq->pci;

	vm_lock(p->vm);
	/* The route may have changed while this call was on its way. */
	if (irq->route == VIRTIO_PCI_INTX && event_clear(fd)) {
		p->isr |= irq->isr;
		pci_intx_set(&p->dev, true);
	}
	vm_unlock(p->vm);
}

static int route_set(struct virtio_pci_irq *irq, int route)
{
	struct virtio_pci *p = irq->pci;
	int ret = 0;

	if (irq->route == route)
		return 0;
	if (irq->route == VIRTIO_PCI_INTX)
		loop_del(vm_loop(p->vm), irq->fd);
	else if (irq->route >= 0)
		pci_msix_unbind(&p->dev, irq->route, irq->fd);
	irq->route = VIRTIO_PCI_NOWHERE;

	if (route == VIRTIO_PCI_INTX)
		ret = loop_add(vm_loop(p->vm), irq->fd, EPOLLIN, intx_event,
			       irq);
	else if (route >= 0)
		ret = pci_msix_bind(&p->dev, route, irq->fd);
	if (!ret)
		irq->route = route;
	return ret;
}

static int irq_sync(struct virtio_pci_irq *irq)
{
	if (!pci_msix_enabled(&irq->pci->dev))
		return route_set(irq, VIRTIO_PCI_INTX);
	if (irq->vector == VIRTIO_MSI_NO_VECTOR)
		return route_set(irq, VIRTIO_PCI_NOWHERE);
	return route_set(irq, irq->vector);
}

/**
 * virtio_pci_irq_map() - the driver writes a vector register
 * @irq:    the event
 * @vector: what it wrote; a vector the function does not have, and one that
 *          cannot be bound, reads back as NO_VECTOR (PCI-067)
 */
void virtio_pci_irq_map(struct virtio_pci_irq *irq, uint16_t vector)
{
	if (vector >= pci_msix_vectors(&irq->pci->dev))
		vector = VIRTIO_MSI_NO_VECTOR;
	irq->vector = vector;
	if (irq_sync(irq))
		irq->vector = VIRTIO_MSI_NO_VECTOR;
}

/**
 * virtio_pci_irq_sync() - MSI-X may have been switched on or off
 * @p: the function
 */
void virtio_pci_irq_sync(struct virtio_pci *p)
{
	bool msix = pci_msix_enabled(&p->dev);
	unsigned int i;

	irq_sync(&p->config_irq);
	for (i = 0; i < p->vdev->nqueues; i++)
		irq_sync(&p->queue_irqs[i]);
	pci_intx_set(&p->dev, !msix && p->isr);
}

/**
 * virtio_pci_irq_reset() - unmap every event and clear the ISR
 * @p: the function
 */
void virtio_pci_irq_reset(struct virtio_pci *p)
{
	unsigned int i;

	p->config_irq.vector = VIRTIO_MSI_NO_VECTOR;
	for (i = 0; i < p->vdev->nqueues; i++)
		p->queue_irqs[i].vector = VIRTIO_MSI_NO_VECTOR;
	event_clear(p->config_irq.fd);
	p->isr = 0;
	virtio_pci_irq_sync(p);
}

/**
 * virtio_pci_irq_config() - notify the driver of a configuration change
 * @p: the function
 */
void virtio_pci_irq_config(struct virtio_pci *p)
{
	/* The bit comes first, with MSI-X as well (PCI-041). */
	p->isr |= ISR_CONFIG;
	event_raise(p->config_irq.fd);
}

/**
 * virtio_pci_isr_read() - the driver reads the ISR register
 * @p: the function
 *
 * Return: the bits that were set; they are clear now, and the line is low.
 */
uint8_t virtio_pci_isr_read(struct virtio_pci *p)
{
	uint8_t isr = p->isr;

	p->isr = 0;
	pci_intx_set(&p->dev, false);
	return isr;
}

static void irq_init(struct virtio_pci *p, struct virtio_pci_irq *irq, int fd,
		     uint8_t isr)
{
	irq->pci = p;
	irq->fd = fd;
	irq->isr = isr;
	irq->vector = VIRTIO_MSI_NO_VECTOR;
	irq->route = VIRTIO_PCI_NOWHERE;
}

/**
 * virtio_pci_irq_create() - set up the events of a function
 * @p: the function, its MSI-X capability included
 *
 * Context: main thread, before the VM runs.
 * Return: 0, -ENOMEM, or -errno of eventfd() or loop_add().
 */
int virtio_pci_irq_create(struct virtio_pci *p)
{
	unsigned int i;
	int fd, ret;

	p->queue_irqs = calloc(p->vdev->nqueues, sizeof(*p->queue_irqs));
	if (!p->queue_irqs)
		return -ENOMEM;
	fd = event_open();
	if (fd < 0) {
		free(p->queue_irqs);
		p->queue_irqs = NULL;
		return fd;
	}
	irq_init(p, &p->config_irq, fd, ISR_CONFIG);
	for (i = 0; i < p->vdev->nqueues; i++)
		irq_init(p, &p->queue_irqs[i], p->vdev->queues[i].call_fd,
			 ISR_QUEUE);

	ret = irq_sync(&p->config_irq);
	for (i = 0; i < p->vdev->nqueues && !ret; i++)
		ret = irq_sync(&p->queue_irqs[i]);
	if (ret)
		virtio_pci_irq_destroy(p);
	return ret;
}

/**
 * virtio_pci_irq_destroy() - undo virtio_pci_irq_create()
 * @p: the function; no backend writes its call eventfds any more
 *
 * Context: main thread, when the VM no longer runs.
 */
void virtio_pci_irq_destroy(struct virtio_pci *p)
{
	unsigned int i;

	if (!p->queue_irqs)
		return;
	route_set(&p->config_irq, VIRTIO_PCI_NOWHERE);
	for (i = 0; i < p->vdev->nqueues; i++)
		route_set(&p->queue_irqs[i], VIRTIO_PCI_NOWHERE);
	close(p->config_irq.fd);
	free(p->queue_irqs);
	p->queue_irqs = NULL;
}
