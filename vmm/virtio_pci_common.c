// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_pci_common.c - the common configuration structure (4.1.4.3).
 *
 * One table names every field. Reads may have any width and alignment and see
 * the bytes of the fields they cover. Writes act only on exactly one field, or
 * on one half of a 64-bit one; all others are dropped (HD-032). Fields of a
 * queue that does not exist read as zero and drop writes (HD-034).
 *
 * Called from virtio_pci.c with vm_lock() held.
 */
#include <endian.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "util.h"
#include "virtio_pci.h"

enum field {
	FIELD_OFFERED_SELECT,
	FIELD_OFFERED,
	FIELD_ACCEPT_SELECT,
	FIELD_ACCEPT,
	FIELD_CONFIG_VECTOR,
	FIELD_NUM_QUEUES,
	FIELD_STATUS,
	FIELD_GENERATION,
	FIELD_QUEUE_SELECT,
	FIELD_QUEUE_SIZE,
	FIELD_QUEUE_VECTOR,
	FIELD_QUEUE_ENABLE,
	FIELD_QUEUE_NOTIFY_OFF,
	FIELD_QUEUE_DESC,
	FIELD_QUEUE_DRIVER,
	FIELD_QUEUE_DEVICE,
	FIELD_QUEUE_RESET,
	FIELD_NR,
};

static const struct {
	uint8_t off;
	uint8_t len;
} layout[FIELD_NR] = {
	[FIELD_OFFERED_SELECT]	 = { 0x00, 4 },
	[FIELD_OFFERED]		 = { 0x04, 4 },
	[FIELD_ACCEPT_SELECT]	 = { 0x08, 4 },
	[FIELD_ACCEPT]		 = { 0x0c, 4 },
	[FIELD_CONFIG_VECTOR]	 = { 0x10, 2 },
	[FIELD_NUM_QUEUES]	 = { 0x12, 2 },
	[FIELD_STATUS]		 = { 0x14, 1 },
	[FIELD_GENERATION]	 = { 0x15, 1 },
	[FIELD_QUEUE_SELECT]	 = { 0x16, 2 },
	[FIELD_QUEUE_SIZE]	 = { 0x18, 2 },
	[FIELD_QUEUE_VECTOR]	 = { 0x1a, 2 },
	[FIELD_QUEUE_ENABLE]	 = { 0x1c, 2 },
	[FIELD_QUEUE_NOTIFY_OFF] = { 0x1e, 2 },
	[FIELD_QUEUE_DESC]	 = { 0x20, 8 },
	[FIELD_QUEUE_DRIVER]	 = { 0x28, 8 },
	[FIELD_QUEUE_DEVICE]	 = { 0x30, 8 },
	[FIELD_QUEUE_RESET]	 = { 0x3a, 2 },
};

static struct virtio_queue *selected(struct virtio_pci *p)
{
	if (p->queue_select >= p->vdev->nqueues)
		return NULL;
	return &p->vdev->queues[p->queue_select];
}

static uint64_t queue_field_get(struct virtio_pci *p, enum field field)
{
	struct virtio_queue *vq = selected(p);

	if (!vq)
		return field == FIELD_QUEUE_VECTOR ? VIRTIO_MSI_NO_VECTOR : 0;
	switch (field) {
	case FIELD_QUEUE_SIZE:
		return vq->size;
	case FIELD_QUEUE_VECTOR:
		return p->queue_irqs[vq->index].vector;
	case FIELD_QUEUE_ENABLE:
		return vq->enabled;
	case FIELD_QUEUE_NOTIFY_OFF:
		return vq->index;
	case FIELD_QUEUE_DESC:
		return vq->desc;
	case FIELD_QUEUE_DRIVER:
		return vq->driver;
	case FIELD_QUEUE_DEVICE:
		return vq->device;
	default:
		/* queue_reset: a reset is over before its write returns. */
		return 0;
	}
}

static uint64_t field_get(struct virtio_pci *p, enum field field)
{
	switch (field) {
	case FIELD_OFFERED_SELECT:
		return p->offered_select;
	case FIELD_OFFERED:
		return virtio_offered_word(p->vdev, p->offered_select);
	case FIELD_ACCEPT_SELECT:
		return p->accept_select;
	case FIELD_ACCEPT:
		return virtio_accepted_word(p->vdev, p->accept_select);
	case FIELD_CONFIG_VECTOR:
		return p->config_irq.vector;
	case FIELD_NUM_QUEUES:
		return p->vdev->nqueues;
	case FIELD_STATUS:
		return p->vdev->status;
	case FIELD_GENERATION:
		return virtio_generation(p->vdev);
	case FIELD_QUEUE_SELECT:
		return p->queue_select;
	default:
		return queue_field_get(p, field);
	}
}

static void queue_addr_set(struct virtio_queue *vq, uint64_t *addr,
			   uint64_t val)
{
	if (!vq->enabled)
		*addr = val;
}

static void queue_field_set(struct virtio_pci *p, enum field field,
			    uint64_t val)
{
	struct virtio_queue *vq = selected(p);

	if (!vq)
		return;
	switch (field) {
	case FIELD_QUEUE_SIZE:
		virtio_queue_set_size(p->vdev, vq, val);
		break;
	case FIELD_QUEUE_VECTOR:
		/* Stays live: only interrupt routing depends on it. */
		virtio_pci_irq_map(&p->queue_irqs[vq->index], val);
		break;
	case FIELD_QUEUE_ENABLE:
		if (val == 1)
			virtio_queue_enable(p->vdev, vq);
		break;
	case FIELD_QUEUE_DESC:
		queue_addr_set(vq, &vq->desc, val);
		break;
	case FIELD_QUEUE_DRIVER:
		queue_addr_set(vq, &vq->driver, val);
		break;
	case FIELD_QUEUE_DEVICE:
		queue_addr_set(vq, &vq->device, val);
		break;
	case FIELD_QUEUE_RESET:
		if (val == 1)
			virtio_queue_reset(p->vdev, vq);
		break;
	default:
		break;
	}
}

static void status_set(struct virtio_pci *p, uint8_t val)
{
	virtio_set_status(p->vdev, val);
	if (!val) {
		p->offered_select = 0;
		p->accept_select = 0;
		p->queue_select = 0;
		virtio_pci_irq_reset(p);
	}
}

static void field_set(struct virtio_pci *p, enum field field, uint64_t val)
{
	switch (field) {
	case FIELD_OFFERED_SELECT:
		p->offered_select = val;
		break;
	case FIELD_ACCEPT_SELECT:
		p->accept_select = val;
		break;
	case FIELD_ACCEPT:
		virtio_accept_word(p->vdev, p->accept_select, val);
		break;
	case FIELD_CONFIG_VECTOR:
		virtio_pci_irq_map(&p->config_irq, val);
		break;
	case FIELD_STATUS:
		status_set(p, val);
		break;
	case FIELD_QUEUE_SELECT:
		p->queue_select = val;
		break;
	default:
		queue_field_set(p, field, val);
		break;
	}
}

/**
 * virtio_pci_common_read() - the driver reads the structure
 * @p:    the function
 * @off:  where; bytes beyond the fields read as zero
 * @data: filled
 * @len:  how much
 */
void virtio_pci_common_read(struct virtio_pci *p, uint64_t off, void *data,
			    unsigned int len)
{
	uint8_t *out = data;
	enum field f;

	memset(data, 0, len);
	for (f = 0; f < FIELD_NR; f++) {
		uint64_t start = layout[f].off, end = start + layout[f].len;
		uint64_t val, b;

		if (end <= off || start >= off + len)
			continue;
		val = htole64(field_get(p, f));
		for (b = start; b < end; b++) {
			if (b >= off && b < off + len)
				out[b - off] = ((uint8_t *)&val)[b - start];
		}
	}
}

/**
 * virtio_pci_common_write() - the driver writes to the structure
 * @p:    the function
 * @off:  where
 * @data: what
 * @len:  how much, at most 8
 */
void virtio_pci_common_write(struct virtio_pci *p, uint64_t off,
			     const void *data, unsigned int len)
{
	uint64_t val = 0, old;
	enum field f;

	memcpy(&val, data, len);
	val = le64toh(val);
	for (f = 0; f < FIELD_NR; f++) {
		if (layout[f].off == off && layout[f].len == len) {
			field_set(p, f, val);
			return;
		}
		if (layout[f].len != 8 || len != 4)
			continue;
		old = field_get(p, f);
		if (off == layout[f].off)
			field_set(p, f, (old & ~0xffffffffULL) | val);
		else if (off == layout[f].off + 4u)
			field_set(p, f, (old & 0xffffffffULL) | val << 32);
	}
}
