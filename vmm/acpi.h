/* SPDX-License-Identifier: GPL-2.0 */
/*
 * acpi.h - the ACPI tables.
 */
#ifndef KVHOST_ACPI_H
#define KVHOST_ACPI_H

#include <stdint.h>

struct guest_memory;

/* Write all tables into RAM; returns the guest-physical address of the RSDP. */
uint64_t acpi_load(const struct guest_memory *mem, unsigned int cpus, uint64_t mem64);

#endif
