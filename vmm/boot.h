/* SPDX-License-Identifier: GPL-2.0 */
/*
 * boot.h - the kernel to boot: its files, and how they get into guest RAM.
 */
#ifndef KVHOST_BOOT_H
#define KVHOST_BOOT_H

#include <stdint.h>

struct boot;
struct guest_memory;
struct options;
struct vcpu_boot;

/* Open and check the files; one line on stderr and -errno when they are not good. */
int boot_open(struct boot **boot, const struct options *opt);
void boot_close(struct boot *boot);
/* Write everything into RAM, at start and again after each reset. */
int boot_load(struct boot *boot, const struct guest_memory *mem, uint64_t rsdp,
	      struct vcpu_boot *entry);

#endif
