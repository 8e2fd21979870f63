/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bus.h - a PCI bus, an event loop and a VM lock that a test can look into, in
 * place of those of the VMM.
 */
#ifndef SELFTESTS_VMM_BUS_H
#define SELFTESTS_VMM_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio_pci.h"

struct guest_memory;
struct options;
struct vm_hook;

#define BUS_VECTORS	16

/**
 * struct bus - what the function under test did to its surroundings
 * @msix:    MSI-X is on; set by the test
 * @vectors: vectors the function asked for
 * @bound:   eventfds bound to each vector
 * @intx:    level of the INTx line
 * @doorbells: ioeventfds registered
 * @pci:     the function, once it is on the bus
 * @hook:    what the device asked the VM to be told
 * @mem:     guest RAM of the VM; set by the test
 * @cpus:    its vCPUs; set by the test
 * @options: its options; set by the test
 */
extern struct bus {
	bool msix;
	unsigned int vectors;
	int bound[BUS_VECTORS];
	bool intx;
	unsigned int doorbells;
	struct virtio_pci *pci;
	struct vm_hook *hook;
	const struct guest_memory *mem;
	unsigned int cpus;
	const struct options *options;
} bus;

void bus_reset(void);
/* Runs the callbacks of watched descriptors that are readable. */
void bus_pump(void);

/* Accesses of a guest to BAR 0 and to configuration space. */
uint64_t bus_read(struct virtio_pci *p, uint64_t off, unsigned int len);
void bus_write(struct virtio_pci *p, uint64_t off, uint64_t val, unsigned int len);
uint32_t bus_cfg_read(struct virtio_pci *p, unsigned int off, unsigned int len);
void bus_cfg_write(struct virtio_pci *p, unsigned int off, uint32_t val, unsigned int len);
void bus_msix(struct virtio_pci *p, bool on);

#endif
