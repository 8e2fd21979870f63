// SPDX-License-Identifier: GPL-2.0
/*
 * bus.c - a PCI bus, an event loop and a VM lock that a test can look into.
 *
 * Stands in for vmm/pci.c, vmm/msix.c, vmm/loop.c and vmm/vm.c: the functions
 * of their headers that a virtio device calls, reduced to bookkeeping. Used by
 * one thread.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "bus.h"
#include "loop.h"
#include "util.h"
#include "vm.h"

#define CAPS_START	0x40
#define WATCHES		32

struct bus bus;

static unsigned int cap_end;
static struct {
	int fd;
	loop_fd_fn fn;
	void *opaque;
} watches[WATCHES];

void bus_reset(void)
{
	memset(&bus, 0, sizeof(bus));
	memset(watches, 0, sizeof(watches));
	cap_end = CAPS_START;
}

void bus_pump(void)
{
	for (unsigned int i = 0; i < WATCHES; i++) {
		struct pollfd p = { .fd = watches[i].fd, .events = POLLIN };

		if (watches[i].fn && poll(&p, 1, 0) == 1)
			watches[i].fn(watches[i].opaque, watches[i].fd, POLLIN);
	}
}

uint64_t bus_read(struct virtio_pci *p, uint64_t off, unsigned int len)
{
	uint64_t val = 0;

	p->dev.ops->bar_read(&p->dev, 0, off, &val, len);
	return val;
}

void bus_write(struct virtio_pci *p, uint64_t off, uint64_t val, unsigned int len)
{
	p->dev.ops->bar_write(&p->dev, 0, off, &val, len);
}

uint32_t bus_cfg_read(struct virtio_pci *p, unsigned int off, unsigned int len)
{
	uint32_t val = 0;

	p->dev.ops->cfg_read(&p->dev, off, len);
	memcpy(&val, p->dev.cfg + off, len);
	return val;
}

void bus_cfg_write(struct virtio_pci *p, unsigned int off, uint32_t val, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++) {
		uint8_t mask = p->dev.cfg_mask[off + i];

		p->dev.cfg[off + i] &= ~mask;
		p->dev.cfg[off + i] |= (val >> (8 * i)) & mask;
	}
	p->dev.ops->cfg_write(&p->dev, off, len);
}

void bus_msix(struct virtio_pci *p, bool on)
{
	bus.msix = on;
	p->dev.ops->cfg_write(&p->dev, CAPS_START, 2);
}

/* --- pci.h --- */

int pci_dev_add(struct pci_bus *b, struct pci_dev *dev)
{
	bus.pci = container_of(dev, struct virtio_pci, dev);
	return 0;
}

void pci_dev_del(struct pci_dev *dev)
{
	bus.doorbells = 0;
	bus.pci = NULL;
}

int pci_bar_add(struct pci_dev *dev, int bar, uint64_t size)
{
	dev->bar[bar].size = size;
	return 0;
}

int pci_cap_add(struct pci_dev *dev, uint8_t id, const void *body, unsigned int len)
{
	unsigned int off = cap_end;

	dev->cfg[off] = id;
	memcpy(dev->cfg + off + 2, body, len);
	cap_end = (off + 2 + len + 3) & ~3u;
	dev->cfg[off + 1] = cap_end;
	return off;
}

int pci_msix_init(struct pci_dev *dev, int bar, unsigned int vectors)
{
	bus.vectors = vectors;
	return vectors <= BUS_VECTORS ? 0 : -EINVAL;
}

bool pci_msix_enabled(const struct pci_dev *dev)
{
	return bus.msix;
}

unsigned int pci_msix_vectors(const struct pci_dev *dev)
{
	return bus.vectors;
}

int pci_msix_bind(struct pci_dev *dev, unsigned int vector, int fd)
{
	if (vector >= bus.vectors)
		return -EINVAL;
	bus.bound[vector]++;
	return 0;
}

int pci_msix_unbind(struct pci_dev *dev, unsigned int vector, int fd)
{
	bus.bound[vector]--;
	return 0;
}

void pci_intx_set(struct pci_dev *dev, bool level)
{
	bus.intx = level;
}

int pci_ioeventfd_add(struct pci_dev *dev, int bar, uint64_t off, unsigned int len,
		      bool match, uint64_t datamatch, int fd)
{
	if (off >= dev->bar[bar].size)
		return -EINVAL;
	bus.doorbells++;
	return 0;
}

/* --- loop.h, vm.h --- */

int loop_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *opaque)
{
	for (unsigned int i = 0; i < WATCHES; i++) {
		if (watches[i].fn)
			continue;
		watches[i].fd = fd;
		watches[i].fn = fn;
		watches[i].opaque = opaque;
		return 0;
	}
	return -ENOSPC;
}

int loop_del(struct loop *loop, int fd)
{
	for (unsigned int i = 0; i < WATCHES; i++) {
		if (!watches[i].fn || watches[i].fd != fd)
			continue;
		watches[i].fn = NULL;
		return 0;
	}
	return -ENOENT;
}

struct loop *vm_loop(const struct vm *vm)
{
	return NULL;
}

struct pci_bus *vm_pci(const struct vm *vm)
{
	return NULL;
}

void vm_lock(struct vm *vm)
{
}

void vm_unlock(struct vm *vm)
{
}

void vm_wait_begin(struct vm *vm, const char *name, const char *path)
{
}

void vm_wait_end(struct vm *vm)
{
}

const struct guest_memory *vm_memory(const struct vm *vm)
{
	return bus.mem;
}

unsigned int vm_cpus(const struct vm *vm)
{
	return bus.cpus;
}

const struct options *vm_options(const struct vm *vm)
{
	return bus.options;
}

void vm_hook_add(struct vm *vm, struct vm_hook *hook)
{
	bus.hook = hook;
}
