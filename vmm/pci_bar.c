// SPDX-License-Identifier: GPL-2.0
/*
 * pci_bar.c - base address registers and the doorbells inside them.
 *
 * BARs get an address when they are added, as firmware would have done; the
 * guest may move them, and doorbells (ioeventfds) follow. A BAR that the guest
 * places outside the windows decodes nothing; a doorbell that KVM refuses,
 * because two BARs overlap, takes the slow path through bar_write(). Neither
 * costs the VM anything else.
 *
 * Everything runs with vm_lock() held or before the VM runs.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "memory.h"
#include "msix.h"
#include "pci_priv.h"
#include "util.h"

/* --- doorbells ------------------------------------------------------- */

static int ioeventfd(struct pci_dev *dev, const struct pci_doorbell *d, uint64_t addr,
		     unsigned int flags)
{
	struct kvm_ioeventfd k = {
		.addr = addr,
		.len = d->len,
		.fd = d->fd,
		.datamatch = d->datamatch,
		.flags = flags,
	};

	if (d->match)
		k.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
	if (dev->bar[d->bar].is_io)
		k.flags |= KVM_IOEVENTFD_FLAG_PIO;
	return ioctl(dev->bus->vm_fd, KVM_IOEVENTFD, &k) < 0 ? -errno : 0;
}

static void doorbell_update(struct pci_dev *dev, struct pci_doorbell *d)
{
	bool want = dev->bar[d->bar].enabled;
	uint64_t addr = dev->bar[d->bar].addr + d->off;

	if (d->bound && (!want || addr != d->addr)) {
		ioeventfd(dev, d, d->addr, KVM_IOEVENTFD_FLAG_DEASSIGN);
		d->bound = false;
	}
	if (want && !d->bound) {
		/* Refused where two BARs overlap: bar_write() serves it then. */
		d->bound = !ioeventfd(dev, d, addr, 0);
		d->addr = addr;
	}
}

/**
 * pci_ioeventfd_add() - bind an eventfd to a guest store
 * @dev:       the function
 * @bar:       which BAR
 * @off:       offset in it
 * @len:       bytes of the store, 0: any
 * @match:     compare the value
 * @datamatch: with this
 * @fd:        eventfd, open until pci_ioeventfd_del()
 *
 * Context: vm_lock() held, or before the VM runs.
 * Return: 0, -ENOMEM, or -EINVAL when it is not inside the BAR.
 */
int pci_ioeventfd_add(struct pci_dev *dev, int bar, uint64_t off, unsigned int len, bool match,
		      uint64_t datamatch, int fd)
{
	struct pci_slot *slot = pci_slot_of(dev);
	struct pci_doorbell *d;

	if (bar < 0 || bar >= PCI_BARS || off >= dev->bar[bar].size ||
	    len > dev->bar[bar].size - off)
		return -EINVAL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct pci_doorbell){ .bar = bar, .off = off, .len = len, .match = match,
				.datamatch = datamatch, .fd = fd, .next = slot->doorbells };
	slot->doorbells = d;
	doorbell_update(dev, d);
	return 0;
}

/**
 * pci_ioeventfd_del() - undo pci_ioeventfd_add()
 * @dev:       as added
 * @bar:       as added
 * @off:       as added
 * @len:       as added
 * @match:     as added
 * @datamatch: as added
 * @fd:        as added
 *
 * Context: vm_lock() held, or when the VM does not run.
 * Return: 0 or -ENOENT.
 */
int pci_ioeventfd_del(struct pci_dev *dev, int bar, uint64_t off, unsigned int len, bool match,
		      uint64_t datamatch, int fd)
{
	struct pci_doorbell **p, *d;

	for (p = &pci_slot_of(dev)->doorbells; (d = *p); p = &d->next) {
		if (d->bar != bar || d->off != off || d->len != len || d->match != match ||
		    d->datamatch != datamatch || d->fd != fd)
			continue;
		if (d->bound)
			ioeventfd(dev, d, d->addr, KVM_IOEVENTFD_FLAG_DEASSIGN);
		*p = d->next;
		free(d);
		return 0;
	}
	return -ENOENT;
}

/* --- BARs ------------------------------------------------------------ */

static bool in_window(const struct pci_bus *bus, uint64_t addr, uint64_t size, bool io)
{
	uint64_t end;

	if (__builtin_add_overflow(addr, size, &end))
		return false;
	if (io)
		return addr >= 0x1000 && end <= PCI_IO_END;
	return (addr >= MEMORY_PCI32_START && end <= MEMORY_PCI32_END) ||
	       (addr >= bus->mem64_start && end <= bus->mem64_end);
}

/**
 * pci_bars_update() - follow configuration space
 * @dev: the function; its command register or a BAR may have changed
 *
 * Context: vm_lock() held, or before the VM runs.
 */
void pci_bars_update(struct pci_dev *dev)
{
	struct pci_doorbell *d;

	for (int i = 0; i < PCI_BARS; i++) {
		const uint8_t *reg = dev->cfg + PCI_BASE_ADDRESS_0 + 4 * i;
		uint64_t addr = pci_get32(reg);
		bool on = pci_command(dev) & PCI_COMMAND_MEMORY;

		if (!dev->bar[i].size)
			continue;
		if (dev->bar[i].is_io) {
			addr &= 0xffff & PCI_BASE_ADDRESS_IO_MASK;
			on = pci_command(dev) & PCI_COMMAND_IO;
		} else {
			addr &= ~0xfULL;
		}
		if (dev->bar[i].is64)
			addr |= (uint64_t)pci_get32(reg + 4) << 32;
		dev->bar[i].addr = addr;
		dev->bar[i].enabled = on && in_window(dev->bus, addr, dev->bar[i].size,
						      dev->bar[i].is_io);
	}
	for (d = pci_slot_of(dev)->doorbells; d; d = d->next)
		doorbell_update(dev, d);
}

static int place(uint64_t *next, uint64_t end, uint64_t size, uint64_t *addr)
{
	uint64_t at = align_up(*next, size);

	if (at > end || end - at < size)
		return -ENOSPC;
	*addr = at;
	*next = at + size;
	return 0;
}

/**
 * pci_bar_add() - give a function a BAR
 * @dev:  on the bus; dev->bar[@bar].is64 or .is_io may be set
 * @bar:  0..5
 * @size: bytes, a power of two; at least 16 (memory) or 4 (ports)
 *
 * Return: 0, -EINVAL for a bad @bar or @size, -EBUSY when the BAR is taken,
 * -ENOSPC when the window is full.
 */
int pci_bar_add(struct pci_dev *dev, int bar, uint64_t size)
{
	struct pci_bus *bus = dev->bus;
	uint8_t *reg = dev->cfg + PCI_BASE_ADDRESS_0 + 4 * bar;
	uint8_t *mask = dev->cfg_mask + PCI_BASE_ADDRESS_0 + 4 * bar;
	uint32_t type = 0;
	uint64_t addr;
	int err;

	if (bar < 0 || bar >= PCI_BARS || size < 4 || size & (size - 1))
		return -EINVAL;
	if (dev->bar[bar].is64 && (bar == PCI_BARS - 1 || dev->bar[bar].is_io))
		return -EINVAL;
	if (dev->bar[bar].size || (bar && dev->bar[bar - 1].is64))
		return -EBUSY;
	if (dev->bar[bar].is_io) {
		type = PCI_BASE_ADDRESS_SPACE_IO;
		err = place(&bus->io, PCI_IO_END, size, &addr);
	} else if (dev->bar[bar].is64) {
		type = PCI_BASE_ADDRESS_MEM_TYPE_64;
		err = place(&bus->mem64, bus->mem64_end, size < 16 ? 16 : size, &addr);
	} else {
		err = place(&bus->mem32, MEMORY_PCI32_END, size < 16 ? 16 : size, &addr);
	}
	if (err)
		return err;
	dev->bar[bar].size = size;
	pci_put32(reg, (uint32_t)addr | type);
	pci_put32(mask, (uint32_t)~(size - 1));
	if (dev->bar[bar].is64) {
		pci_put32(reg + 4, (uint32_t)(addr >> 32));
		pci_put32(mask + 4, (uint32_t)(~(size - 1) >> 32));
	}
	dev->cfg_mask[PCI_COMMAND] |= dev->bar[bar].is_io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	pci_bars_update(dev);
	return 0;
}

static struct pci_dev *find_bar(struct pci_bus *bus, bool io, uint64_t addr, unsigned int len,
				int *bar)
{
	for (unsigned int s = 0; s < bus->nr; s++) {
		struct pci_dev *dev = bus->slots[s].dev;

		for (int i = 0; i < PCI_BARS; i++) {
			if (!dev->bar[i].enabled || dev->bar[i].is_io != io ||
			    addr < dev->bar[i].addr ||
			    addr - dev->bar[i].addr >= dev->bar[i].size ||
			    len > dev->bar[i].size - (addr - dev->bar[i].addr))
				continue;
			*bar = i;
			return dev;
		}
	}
	return NULL;
}

/**
 * pci_bus_read() - the guest reads an address that may be a BAR's
 * @bus:  the bus
 * @io:   port or memory
 * @addr: address
 * @data: where to
 * @len:  1, 2, 4 or 8
 *
 * Context: vm_lock() held.
 * Return: false when no enabled BAR holds all of it.
 */
bool pci_bus_read(struct pci_bus *bus, bool io, uint64_t addr, void *data, unsigned int len)
{
	struct pci_dev *dev;
	uint64_t off;
	int bar;

	dev = find_bar(bus, io, addr, len, &bar);
	if (!dev)
		return false;
	off = addr - dev->bar[bar].addr;
	if (dev->msix && msix_bar(dev) == bar)
		msix_bar_read(dev, off, data, len);
	else
		dev->ops->bar_read(dev, bar, off, data, len);
	return true;
}

/**
 * pci_bus_write() - the guest writes an address that may be a BAR's
 * @bus:  the bus
 * @io:   port or memory
 * @addr: address
 * @data: the value
 * @len:  1, 2, 4 or 8
 *
 * Context: vm_lock() held.
 * Return: false when no enabled BAR holds all of it.
 */
bool pci_bus_write(struct pci_bus *bus, bool io, uint64_t addr, const void *data,
		   unsigned int len)
{
	struct pci_dev *dev;
	uint64_t off;
	int bar;

	dev = find_bar(bus, io, addr, len, &bar);
	if (!dev)
		return false;
	off = addr - dev->bar[bar].addr;
	if (dev->msix && msix_bar(dev) == bar)
		msix_bar_write(dev, off, data, len);
	else
		dev->ops->bar_write(dev, bar, off, data, len);
	return true;
}
