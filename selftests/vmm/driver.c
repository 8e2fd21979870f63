// SPDX-License-Identifier: GPL-2.0
/*
 * driver.c - what every driver does before its first request: initialisation by
 * registers in the order of 3.1.1.
 */
#include "driver.h"

void driver_vm(struct guest_memory *mem, struct gmem *gmem, const struct options *opts)
{
	bus_reset();
	mem->nr = 1;
	mem->regions[0].gpa = GMEM_LOW_GPA;
	mem->regions[0].size = GMEM_REGION_SIZE;
	mem->regions[0].hva = gmem_va(gmem, GMEM_LOW_GPA);
	bus.mem = mem;
	bus.cpus = 1;
	bus.options = opts;
}

uint64_t driver_offered(void)
{
	uint64_t low;

	bus_write(bus.pci, OFFERED_SELECT, 0, 4);
	low = bus_read(bus.pci, OFFERED, 4);
	bus_write(bus.pci, OFFERED_SELECT, 1, 4);
	return low | bus_read(bus.pci, OFFERED, 4) << 32;
}

void driver_negotiate(uint64_t features)
{
	bus_write(bus.pci, STATUS, 0, 1);
	bus_write(bus.pci, STATUS, S_ACK, 1);
	bus_write(bus.pci, STATUS, S_DRIVER, 1);
	bus_write(bus.pci, ACCEPT_SELECT, 0, 4);
	bus_write(bus.pci, ACCEPT, (uint32_t)features, 4);
	bus_write(bus.pci, ACCEPT_SELECT, 1, 4);
	bus_write(bus.pci, ACCEPT, features >> 32, 4);
	bus_write(bus.pci, STATUS, S_FEATURES, 1);
}

void driver_ring(unsigned int queue, struct vq *q, unsigned int size)
{
	vq_reset(q, vq_fresh_base(q));
	bus_write(bus.pci, QUEUE_SELECT, queue, 2);
	bus_write(bus.pci, Q_SIZE, size, 2);
	bus_write(bus.pci, Q_DESC, q->desc_gpa, 8);
	bus_write(bus.pci, Q_DRIVER, q->avail_gpa, 8);
	bus_write(bus.pci, Q_DEVICE, q->used_gpa, 8);
	bus_write(bus.pci, Q_ENABLE, 1, 2);
}
