// SPDX-License-Identifier: GPL-2.0
/*
 * bus.c - who answers at which I/O port.
 *
 * A dozen ranges, added while the VM is built and constant afterwards, so the
 * look-up needs no lock of its own. vcpu.c asks here first and offers what
 * nobody claims to the I/O BARs of the PCI bus.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "bus.h"

#define RANGES_MAX 16

struct range {
	unsigned int base;
	unsigned int len;
	bus_read_fn read;
	bus_write_fn write;
	void *opaque;
};

struct bus {
	struct range ranges[RANGES_MAX];
	unsigned int nr;
};

/**
 * bus_create() - make an empty port space
 * @bus: set on success
 *
 * Return: 0 or -ENOMEM.
 */
int bus_create(struct bus **bus)
{
	*bus = calloc(1, sizeof(**bus));
	return *bus ? 0 : -ENOMEM;
}

/**
 * bus_destroy() - free a port space
 * @bus: from bus_create(), or NULL
 */
void bus_destroy(struct bus *bus)
{
	free(bus);
}

/**
 * bus_add() - claim ports
 * @bus:    the port space
 * @base:   first port
 * @len:    how many
 * @read:   or NULL: reads as ones
 * @write:  or NULL: ignored
 * @opaque: argument of both
 *
 * Return: 0 or -ENOSPC.
 */
int bus_add(struct bus *bus, unsigned int base, unsigned int len, bus_read_fn read,
	    bus_write_fn write, void *opaque)
{
	if (bus->nr == RANGES_MAX)
		return -ENOSPC;
	bus->ranges[bus->nr++] = (struct range){
		.base = base, .len = len, .read = read, .write = write, .opaque = opaque,
	};
	return 0;
}

static const struct range *find(const struct bus *bus, unsigned int port, unsigned int len)
{
	for (unsigned int i = 0; i < bus->nr; i++) {
		const struct range *r = &bus->ranges[i];

		if (port >= r->base && port + len <= r->base + r->len)
			return r;
	}
	return NULL;
}

/**
 * bus_read() - the guest reads a port
 * @bus:  the port space
 * @port: which
 * @len:  1, 2 or 4
 * @val:  set when somebody answers
 *
 * Return: false when nobody claims the port.
 */
bool bus_read(struct bus *bus, unsigned int port, unsigned int len, uint32_t *val)
{
	const struct range *r = find(bus, port, len);

	if (!r)
		return false;
	*val = r->read ? r->read(r->opaque, port - r->base, len) : ~0U;
	return true;
}

/**
 * bus_write() - the guest writes a port
 * @bus:  the port space
 * @port: which
 * @len:  1, 2 or 4
 * @val:  the value
 *
 * Return: false when nobody claims the port.
 */
bool bus_write(struct bus *bus, unsigned int port, unsigned int len, uint32_t val)
{
	const struct range *r = find(bus, port, len);

	if (!r)
		return false;
	if (r->write)
		r->write(r->opaque, port - r->base, len, val);
	return true;
}
