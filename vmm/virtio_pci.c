// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_pci.c - a virtio device as a PCI function, modern interface only.
 *
 * One memory BAR holds the common, ISR, device and notification structures, a
 * page each; another one MSI-X; an I/O BAR holds the doorbells once more. They
 * are offered in that way because KVM need not decode an instruction to see
 * which port was written; the memory BAR is for guests without port I/O.
 *
 * A doorbell is an ioeventfd straight into the queue's kick eventfd, so a store
 * that gets as far as bar_write() is one that KVM did not match. Each queue has
 * an address of its own and KVM is told to look at neither width nor value: that
 * is the fastest path it has, and the value a guest writes can then select
 * nothing (HD-039).
 *
 * Everything but creation runs with vm_lock() held.
 */
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "util.h"
#include "virtio_pci.h"
#include "vm.h"

#define VIRTIO_PCI_VENDOR	0x1af4
#define VIRTIO_PCI_DEVICE_BASE	0x1040

#define BAR_VIRTIO		0
#define BAR_MSIX		2
#define BAR_PORTS		4

/* Layout of BAR_VIRTIO; the notification structure is last. */
#define STRUCT_BYTES		0x1000
#define OFF_COMMON		0x0000
#define OFF_ISR			0x1000
#define OFF_DEVICE		0x2000
#define OFF_NOTIFY		0x3000
#define BAR_BYTES		0x4000

/* Bytes between two doorbells. */
#define NOTIFY_STRIDE		4

static struct virtio_pci *to_virtio_pci(struct pci_dev *dev)
{
	return container_of(dev, struct virtio_pci, dev);
}

static void bar_read(struct pci_dev *dev, int bar, uint64_t off, void *data,
		     unsigned int len)
{
	struct virtio_pci *p = to_virtio_pci(dev);

	memset(data, 0, len);
	if (bar != BAR_VIRTIO)
		return;
	switch (off & ~(STRUCT_BYTES - 1ULL)) {
	case OFF_COMMON:
		virtio_pci_common_read(p, off, data, len);
		break;
	case OFF_ISR:
		if (off == OFF_ISR)
			*(uint8_t *)data = virtio_pci_isr_read(p);
		break;
	case OFF_DEVICE:
		virtio_config_read(p->vdev, off - OFF_DEVICE, data, len);
		break;
	}
}

static void doorbell(struct virtio_pci *p, uint64_t off)
{
	unsigned int index = off / NOTIFY_STRIDE;

	if (off % NOTIFY_STRIDE || index >= p->vdev->nqueues)
		return;
	event_raise(p->vdev->queues[index].kick_fd);
}

static void bar_write(struct pci_dev *dev, int bar, uint64_t off,
		      const void *data, unsigned int len)
{
	struct virtio_pci *p = to_virtio_pci(dev);

	if (bar == BAR_PORTS)
		doorbell(p, off);
	if (bar != BAR_VIRTIO)
		return;
	switch (off & ~(STRUCT_BYTES - 1ULL)) {
	case OFF_COMMON:
		virtio_pci_common_write(p, off, data, len);
		break;
	case OFF_DEVICE:
		virtio_config_write(p->vdev, off - OFF_DEVICE, data, len);
		break;
	case OFF_NOTIFY:
		doorbell(p, off - OFF_NOTIFY);
		break;
	}
}

/*
 * The PCI_CFG window: bytes of the BAR through configuration space. Only the
 * structures' own BAR is behind it, so a window cannot lead to itself, and a
 * window the driver set up wrongly does nothing (HD-037).
 */
static bool window_hit(struct virtio_pci *p, unsigned int off,
		       unsigned int len, uint32_t *bar_off, uint32_t *bar_len)
{
	unsigned int data = p->cfg_cap + sizeof(struct virtio_pci_cap);
	struct virtio_pci_cap cap;

	if (off >= data + 4 || off + len <= data)
		return false;
	memcpy(&cap, &p->dev.cfg[p->cfg_cap], sizeof(cap));
	*bar_off = le32toh(cap.offset);
	*bar_len = le32toh(cap.length);
	if (cap.bar != BAR_VIRTIO)
		return false;
	if (*bar_len != 1 && *bar_len != 2 && *bar_len != 4)
		return false;
	return *bar_off % *bar_len == 0 && *bar_off <= BAR_BYTES - *bar_len;
}

static void cfg_read(struct pci_dev *dev, unsigned int off, unsigned int len)
{
	struct virtio_pci *p = to_virtio_pci(dev);
	uint32_t bar_off, bar_len;

	if (window_hit(p, off, len, &bar_off, &bar_len))
		bar_read(dev, BAR_VIRTIO, bar_off,
			 &dev->cfg[p->cfg_cap + sizeof(struct virtio_pci_cap)],
			 bar_len);
}

static void cfg_write(struct pci_dev *dev, unsigned int off, unsigned int len)
{
	struct virtio_pci *p = to_virtio_pci(dev);
	uint32_t bar_off, bar_len;

	if (window_hit(p, off, len, &bar_off, &bar_len))
		bar_write(dev, BAR_VIRTIO, bar_off,
			  &dev->cfg[p->cfg_cap + sizeof(struct virtio_pci_cap)],
			  bar_len);
	virtio_pci_irq_sync(p);
}

static void reset(struct pci_dev *dev)
{
	struct virtio_pci *p = to_virtio_pci(dev);
	uint8_t zero = 0;

	virtio_pci_common_write(p, VIRTIO_PCI_COMMON_STATUS, &zero, 1);
}

static const struct pci_ops ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.cfg_read = cfg_read,
	.cfg_write = cfg_write,
	.reset = reset,
};

static void put16(uint8_t *cfg, unsigned int off, uint16_t val)
{
	val = htole16(val);
	memcpy(cfg + off, &val, sizeof(val));
}

static void fill_header(struct virtio_pci *p, uint32_t class_code)
{
	uint8_t *cfg = p->dev.cfg;
	uint16_t id = VIRTIO_PCI_DEVICE_BASE + p->vdev->id;

	put16(cfg, PCI_VENDOR_ID, VIRTIO_PCI_VENDOR);
	put16(cfg, PCI_DEVICE_ID, id);
	cfg[PCI_REVISION_ID] = 1;
	cfg[PCI_CLASS_PROG] = class_code;
	cfg[PCI_CLASS_DEVICE] = class_code >> 8;
	cfg[PCI_CLASS_DEVICE + 1] = class_code >> 16;
	put16(cfg, PCI_SUBSYSTEM_VENDOR_ID, VIRTIO_PCI_VENDOR);
	put16(cfg, PCI_SUBSYSTEM_ID, id);
	cfg[PCI_INTERRUPT_PIN] = 1;
}

static int add_cap(struct virtio_pci *p, uint8_t type, int bar, uint32_t off,
		   uint32_t len, uint32_t extra, unsigned int extra_len)
{
	struct {
		struct virtio_pci_cap cap;
		uint32_t extra;
	} c = {
		.cap.cap_len = sizeof(c.cap) + extra_len,
		.cap.cfg_type = type,
		.cap.bar = bar,
		.cap.offset = htole32(off),
		.cap.length = htole32(len),
		.extra = htole32(extra),
	};

	return pci_cap_add(&p->dev, PCI_CAP_ID_VNDR, &c.cap.cap_len,
			   c.cap.cap_len - offsetof(struct virtio_pci_cap,
						    cap_len));
}

static int add_caps(struct virtio_pci *p)
{
	struct virtio_dev *vdev = p->vdev;
	uint32_t doorbells = vdev->nqueues * NOTIFY_STRIDE;
	uint8_t *mask;
	int ret;

	ret = add_cap(p, VIRTIO_PCI_CAP_COMMON_CFG, BAR_VIRTIO, OFF_COMMON,
		      VIRTIO_PCI_COMMON_BYTES, 0, 0);
	/* The better of two of a kind comes first (4.1.4.2). */
	if (ret >= 0)
		ret = add_cap(p, VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_PORTS, 0,
			      doorbells, NOTIFY_STRIDE, 4);
	if (ret >= 0)
		ret = add_cap(p, VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_VIRTIO,
			      OFF_NOTIFY, doorbells, NOTIFY_STRIDE, 4);
	if (ret >= 0)
		ret = add_cap(p, VIRTIO_PCI_CAP_ISR_CFG, BAR_VIRTIO, OFF_ISR,
			      1, 0, 0);
	if (ret >= 0)
		ret = add_cap(p, VIRTIO_PCI_CAP_DEVICE_CFG, BAR_VIRTIO,
			      OFF_DEVICE, vdev->config_len, 0, 0);
	if (ret >= 0)
		ret = add_cap(p, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0, 0, 4);
	if (ret < 0)
		return ret;
	p->cfg_cap = ret;
	mask = p->dev.cfg_mask + p->cfg_cap;
	mask[VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(mask + VIRTIO_PCI_CAP_OFFSET, 0xff, 12);
	return 0;
}

static int add_bars(struct virtio_pci *p)
{
	uint64_t ports = NOTIFY_STRIDE;
	int ret;

	while (ports < p->vdev->nqueues * NOTIFY_STRIDE)
		ports *= 2;
	ret = pci_bar_add(&p->dev, BAR_VIRTIO, BAR_BYTES);
	if (!ret)
		ret = pci_msix_init(&p->dev, BAR_MSIX, p->vdev->nqueues + 1);
	if (ret)
		return ret;
	p->dev.bar[BAR_PORTS].is_io = true;
	return pci_bar_add(&p->dev, BAR_PORTS, ports);
}

static void config_notify(void *arg)
{
	virtio_pci_irq_config(arg);
}

static int add_doorbells(struct virtio_pci *p)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < p->vdev->nqueues && !ret; i++) {
		uint64_t off = i * NOTIFY_STRIDE;
		int fd = p->vdev->queues[i].kick_fd;

		ret = pci_ioeventfd_add(&p->dev, BAR_PORTS, off, 0, false, 0,
					fd);
		if (!ret)
			ret = pci_ioeventfd_add(&p->dev, BAR_VIRTIO,
						OFF_NOTIFY + off, 0, false, 0,
						fd);
	}
	return ret;
}

/**
 * virtio_pci_create() - put a virtio device on the VM's PCI bus
 * @p:          zeroed
 * @vm:         the VM
 * @vdev:       the device, after virtio_init()
 * @class_code: PCI class, subclass and programming interface, 24 bits
 *
 * Context: main thread, before the VM runs. On failure as well, the caller
 * ends with virtio_pci_destroy().
 * Return: 0, -ENOMEM, -ENOSPC when the bus or a capability list is full, or
 * -errno of eventfd() or KVM.
 */
int virtio_pci_create(struct virtio_pci *p, struct vm *vm,
		      struct virtio_dev *vdev, uint32_t class_code)
{
	int ret;

	p->vm = vm;
	p->vdev = vdev;
	p->dev.ops = &ops;
	p->dev.name = vdev->name;
	vdev->notify = config_notify;
	vdev->notify_arg = p;
	fill_header(p, class_code);

	ret = pci_dev_add(vm_pci(vm), &p->dev);
	if (ret) {
		p->vdev = NULL;
		return ret;
	}
	ret = add_bars(p);
	if (!ret)
		ret = add_caps(p);
	if (ret)
		return ret;
	ret = virtio_pci_irq_create(p);
	return ret ? ret : add_doorbells(p);
}

/**
 * virtio_pci_destroy() - undo virtio_pci_create(), or what it got done
 * @p: the function, no vCPU running any more
 *
 * Context: main thread, when the VM no longer runs.
 */
void virtio_pci_destroy(struct virtio_pci *p)
{
	if (!p->vdev)
		return;
	virtio_pci_irq_destroy(p);
	pci_dev_del(&p->dev);
}
