/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pci_priv.h - the bus from inside: pci.c and pci_bar.c.
 */
#ifndef KVHOST_PCI_PRIV_H
#define KVHOST_PCI_PRIV_H

#include <linux/pci_regs.h>
#include <string.h>

#include "irq.h"
#include "pci_bus.h"

struct pci_doorbell {
	int bar;
	uint64_t off;
	unsigned int len;
	bool match;
	uint64_t datamatch;
	int fd;
	bool bound;
	uint64_t addr;		/* while @bound */
	struct pci_doorbell *next;
};

struct pci_slot {
	struct pci_dev *dev;
	uint8_t power_on[256];
	unsigned int cap_last;	/* offset of the last capability, 0: none */
	unsigned int cap_end;
	bool intx;		/* what the device wants */
	bool intx_driven;	/* what the line sees */
	struct pci_doorbell *doorbells;
};

/**
 * struct pci_bus - the bus
 * @vm_fd:  KVM's VM
 * @irq:    the interrupt controllers
 * @slots:  functions in the order they were added
 * @nr:     slots in use
 * @config_address: the register at 0xcf8
 * @mem32:  next free address for a 32-bit BAR
 * @mem64:  next free address for a 64-bit BAR
 * @mem64_start: window for 64-bit BARs
 * @mem64_end:   its end
 * @io:     next free port for an I/O BAR
 * @lines:  how many functions assert each INTx line
 * @bridge: slot 0
 */
struct pci_bus {
	int vm_fd;
	struct irq *irq;
	struct pci_slot slots[PCI_SLOTS];
	unsigned int nr;
	uint32_t config_address;
	uint64_t mem32;
	uint64_t mem64;
	uint64_t mem64_start;
	uint64_t mem64_end;
	uint64_t io;
	unsigned int lines[IRQ_PCI_LINES];
	struct pci_dev bridge;
};

static inline uint32_t pci_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void pci_put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline uint16_t pci_command(const struct pci_dev *dev)
{
	return (uint16_t)(dev->cfg[PCI_COMMAND] | dev->cfg[PCI_COMMAND + 1] << 8);
}

static inline struct pci_slot *pci_slot_of(struct pci_dev *dev)
{
	return &dev->bus->slots[dev->devfn >> 3];
}

/* Make BARs and doorbells follow configuration space. */
void pci_bars_update(struct pci_dev *dev);

#endif
