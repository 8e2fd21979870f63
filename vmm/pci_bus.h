/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pci_bus.h - the PCI bus as the VM sees it; devices use pci.h.
 */
#ifndef KVHOST_PCI_BUS_H
#define KVHOST_PCI_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

struct bus;
struct irq;

#define PCI_SLOTS	32

/* Where BARs are placed, and what the ACPI tables say of it. */
#define PCI_IO_START	0xc000U
#define PCI_IO_END	0x10000U

/* @mem64: start of the window for 64-bit BARs, MEMORY_PCI64_SIZE bytes long. */
int pci_bus_create(struct pci_bus **bus, int vm_fd, struct irq *irq, struct bus *ports,
		   uint64_t mem64);
void pci_bus_destroy(struct pci_bus *bus);
/* Remember configuration space as it is now for pci_bus_reset(). */
void pci_bus_seal(struct pci_bus *bus);
void pci_bus_reset(struct pci_bus *bus);
struct irq *pci_irq(struct pci_bus *bus);

/* An access to a BAR; false when no enabled BAR holds all of it. vm_lock() held. */
bool pci_bus_read(struct pci_bus *bus, bool io, uint64_t addr, void *data, unsigned int len);
bool pci_bus_write(struct pci_bus *bus, bool io, uint64_t addr, const void *data,
		   unsigned int len);

#endif
