// SPDX-License-Identifier: GPL-2.0
/*
 * pci.c - one flat PCI bus: slots, configuration space, INTx lines.
 *
 * Configuration mechanism #1 at 0xcf8/0xcfc, one function per slot, the host
 * bridge in slot 0. A write changes the bits the function's mask allows; then
 * BARs, INTx and MSI-X are brought in line, and last the function is told.
 *
 * Everything runs with vm_lock() held or before the VM runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "irq.h"
#include "memory.h"
#include "msix.h"
#include "pci_priv.h"
#include "util.h"

#define HOST_BRIDGE_VENDOR	0x1b36
#define HOST_BRIDGE_DEVICE	0x0008

#define CAPS_START		0x40

/* --- INTx ------------------------------------------------------------ */

static void intx_update(struct pci_dev *dev)
{
	struct pci_slot *slot = pci_slot_of(dev);
	unsigned int *line = &dev->bus->lines[(dev->devfn >> 3) % IRQ_PCI_LINES];
	unsigned int gsi = IRQ_PCI_FIRST + (dev->devfn >> 3) % IRQ_PCI_LINES;
	bool drive = slot->intx && !(pci_command(dev) & PCI_COMMAND_INTX_DISABLE);

	if (slot->intx)
		dev->cfg[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	else
		dev->cfg[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
	if (drive == slot->intx_driven)
		return;
	slot->intx_driven = drive;
	if (drive && !(*line)++)
		irq_line(dev->bus->irq, gsi, true);
	if (!drive && !--*line)
		irq_line(dev->bus->irq, gsi, false);
}

/**
 * pci_intx_set() - drive a function's interrupt line
 * @dev:   the function
 * @level: asserted or not
 *
 * Context: vm_lock() held.
 */
void pci_intx_set(struct pci_dev *dev, bool level)
{
	struct pci_slot *slot = pci_slot_of(dev);

	if (slot->intx == level)
		return;
	slot->intx = level;
	intx_update(dev);
}

/* --- configuration space --------------------------------------------- */

static struct pci_dev *config_target(const struct pci_bus *bus, unsigned int *off)
{
	uint32_t a = bus->config_address;

	if (!(a & 0x80000000) || (a >> 16 & 0xff) || (a >> 8 & 7) || (a >> 11 & 31) >= bus->nr)
		return NULL;
	*off += a & 0xfc;
	return bus->slots[a >> 11 & 31].dev;
}

static uint32_t config_data_read(void *opaque, unsigned int off, unsigned int len)
{
	struct pci_dev *dev = config_target(opaque, &off);
	uint32_t val = 0;

	if (!dev)
		return ~0U;
	if (dev->ops->cfg_read)
		dev->ops->cfg_read(dev, off, len);
	memcpy(&val, dev->cfg + off, len);
	return val;
}

static void config_data_write(void *opaque, unsigned int off, unsigned int len, uint32_t val)
{
	struct pci_dev *dev = config_target(opaque, &off);

	if (!dev)
		return;
	for (unsigned int i = 0; i < len; i++) {
		uint8_t mask = dev->cfg_mask[off + i];
		uint8_t byte = (uint8_t)(val >> (8 * i));

		dev->cfg[off + i] = (uint8_t)((dev->cfg[off + i] & ~mask) | (byte & mask));
	}
	if (off <= PCI_COMMAND + 1U || (off >= PCI_BASE_ADDRESS_0 && off < PCI_CARDBUS_CIS)) {
		pci_bars_update(dev);
		intx_update(dev);
	}
	if (dev->msix)
		msix_control_changed(dev);
	if (dev->ops->cfg_write)
		dev->ops->cfg_write(dev, off, len);
}

static uint32_t config_address_read(void *opaque, unsigned int off, unsigned int len)
{
	struct pci_bus *bus = opaque;

	return bus->config_address >> (8 * off);
}

static void config_address_write(void *opaque, unsigned int off, unsigned int len, uint32_t val)
{
	struct pci_bus *bus = opaque;

	/* The register takes whole words only (PCI 3.0, 3.2.2.3.2). */
	if (len == 4)
		bus->config_address = val & 0x80fffffc;
}

/**
 * pci_cap_add() - append a capability
 * @dev:  on the bus
 * @id:   PCI_CAP_ID_*
 * @body: what follows the two header bytes
 * @len:  its length
 *
 * Return: the capability's offset, or -ENOSPC.
 */
int pci_cap_add(struct pci_dev *dev, uint8_t id, const void *body, unsigned int len)
{
	struct pci_slot *slot = pci_slot_of(dev);
	unsigned int off = slot->cap_end;

	if (off + 2 + len > sizeof(dev->cfg))
		return -ENOSPC;
	dev->cfg[off] = id;
	memcpy(dev->cfg + off + 2, body, len);
	if (slot->cap_last)
		dev->cfg[slot->cap_last + PCI_CAP_LIST_NEXT] = (uint8_t)off;
	else
		dev->cfg[PCI_CAPABILITY_LIST] = (uint8_t)off;
	dev->cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	slot->cap_last = off;
	slot->cap_end = (unsigned int)align_up(off + 2 + len, 4);
	return (int)off;
}

/**
 * pci_dev_add() - put a function on the bus
 * @bus: the bus
 * @dev: with @ops and the identification in @cfg set; lives as long as the bus
 *
 * Return: 0, or -ENOSPC when all slots are taken.
 */
int pci_dev_add(struct pci_bus *bus, struct pci_dev *dev)
{
	if (bus->nr == PCI_SLOTS)
		return -ENOSPC;
	dev->bus = bus;
	dev->devfn = bus->nr << 3;
	bus->slots[bus->nr++] = (struct pci_slot){ .dev = dev, .cap_end = CAPS_START };
	dev->cfg_mask[PCI_COMMAND] |= PCI_COMMAND_MASTER;
	dev->cfg_mask[PCI_COMMAND + 1] |= PCI_COMMAND_INTX_DISABLE >> 8;
	dev->cfg_mask[PCI_CACHE_LINE_SIZE] = 0xff;
	dev->cfg_mask[PCI_LATENCY_TIMER] = 0xff;
	dev->cfg_mask[PCI_INTERRUPT_LINE] = 0xff;
	if (dev->cfg[PCI_INTERRUPT_PIN])
		dev->cfg[PCI_INTERRUPT_LINE] =
			IRQ_PCI_FIRST + (dev->devfn >> 3) % IRQ_PCI_LINES;
	return 0;
}

/**
 * pci_dev_del() - take a function off the bus for good
 * @dev: on the bus, or refused by it; may be freed afterwards
 *
 * Context: the VM does not run, or is not running yet.
 */
void pci_dev_del(struct pci_dev *dev)
{
	struct pci_slot *slot;

	if (!dev->bus)
		return;
	slot = pci_slot_of(dev);
	while (slot->doorbells) {
		const struct pci_doorbell *d = slot->doorbells;

		pci_ioeventfd_del(dev, d->bar, d->off, d->len, d->match, d->datamatch, d->fd);
	}
	if (dev->msix)
		msix_destroy(dev);
	slot->dev = NULL;
}

/* --- the bus --------------------------------------------------------- */

static const struct pci_ops bridge_ops = { 0 };

/**
 * pci_bus_create() - make a bus with a host bridge
 * @bus:   set on success
 * @vm_fd: KVM's VM, for ioeventfds
 * @irq:   the interrupt controllers
 * @ports: claims 0xcf8..0xcff here
 * @mem64: start of the window for 64-bit BARs
 *
 * Return: 0, -ENOMEM, or -ENOSPC.
 */
int pci_bus_create(struct pci_bus **bus, int vm_fd, struct irq *irq, struct bus *ports,
		   uint64_t mem64)
{
	struct pci_bus *b = calloc(1, sizeof(*b));
	uint8_t *cfg;
	int err;

	if (!b)
		return -ENOMEM;
	b->vm_fd = vm_fd;
	b->irq = irq;
	b->mem32 = MEMORY_PCI32_START;
	b->mem64 = mem64;
	b->mem64_start = mem64;
	b->mem64_end = mem64 + MEMORY_PCI64_SIZE;
	b->io = PCI_IO_START;
	b->bridge.name = "host bridge";
	b->bridge.ops = &bridge_ops;
	cfg = b->bridge.cfg;
	pci_put32(cfg + PCI_VENDOR_ID, HOST_BRIDGE_DEVICE << 16 | HOST_BRIDGE_VENDOR);
	pci_put32(cfg + PCI_CLASS_REVISION, 0x06000000);
	err = pci_dev_add(b, &b->bridge);
	if (!err)
		err = bus_add(ports, 0xcf8, 4, config_address_read, config_address_write, b);
	if (!err)
		err = bus_add(ports, 0xcfc, 4, config_data_read, config_data_write, b);
	if (err) {
		free(b);
		return err;
	}
	*bus = b;
	return 0;
}

/**
 * pci_bus_destroy() - free the bus
 * @bus: or NULL; devices have stopped, and are freed by their owners afterwards
 */
void pci_bus_destroy(struct pci_bus *bus)
{
	if (!bus)
		return;
	for (unsigned int s = 0; s < bus->nr; s++) {
		if (bus->slots[s].dev)
			pci_dev_del(bus->slots[s].dev);
	}
	free(bus);
}

/**
 * pci_bus_seal() - remember the power-on state of all functions
 * @bus: all devices are on it
 */
void pci_bus_seal(struct pci_bus *bus)
{
	for (unsigned int s = 0; s < bus->nr; s++)
		memcpy(bus->slots[s].power_on, bus->slots[s].dev->cfg,
		       sizeof(bus->slots[s].power_on));
}

/**
 * pci_bus_reset() - machine reset
 * @bus: sealed
 *
 * Context: vCPUs stand still, vm_lock() held.
 */
void pci_bus_reset(struct pci_bus *bus)
{
	bus->config_address = 0;
	for (unsigned int s = 0; s < bus->nr; s++) {
		struct pci_dev *dev = bus->slots[s].dev;

		memcpy(dev->cfg, bus->slots[s].power_on, sizeof(dev->cfg));
		pci_bars_update(dev);
		if (dev->msix)
			msix_reset(dev);
		if (dev->ops->reset)
			dev->ops->reset(dev);
		pci_intx_set(dev, false);
		intx_update(dev);
	}
}

/**
 * pci_irq() - the interrupt controllers behind the bus
 * @bus: the bus
 *
 * Return: as given to pci_bus_create().
 */
struct irq *pci_irq(struct pci_bus *bus)
{
	return bus->irq;
}
