/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bus.h - who answers at which I/O port.
 */
#ifndef KVHOST_BUS_H
#define KVHOST_BUS_H

#include <stdbool.h>
#include <stdint.h>

struct bus;

/* @off is relative to the range; @len is 1, 2 or 4. Called with vm_lock() held. */
typedef uint32_t (*bus_read_fn)(void *opaque, unsigned int off, unsigned int len);
typedef void (*bus_write_fn)(void *opaque, unsigned int off, unsigned int len, uint32_t val);

int bus_create(struct bus **bus);
void bus_destroy(struct bus *bus);

/*
 * Claim ports [@base, @base + @len), before the VM runs. An access belongs to
 * the range added first that holds all of it.
 */
int bus_add(struct bus *bus, unsigned int base, unsigned int len, bus_read_fn read,
	    bus_write_fn write, void *opaque);

/* False when nobody claims the port. */
bool bus_read(struct bus *bus, unsigned int port, unsigned int len, uint32_t *val);
bool bus_write(struct bus *bus, unsigned int port, unsigned int len, uint32_t val);

#endif
