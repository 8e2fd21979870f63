/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memory.h - guest RAM: where it lies and how the process reaches it.
 *
 * Constant from memory_create() until the VM is torn down, so any thread may
 * read it without a lock.
 */
#ifndef KVHOST_MEMORY_H
#define KVHOST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define MEMORY_REGIONS_MAX 2

/* Guest-physical layout; the table in Documentation/vmm.md is this one. */
#define MEMORY_HOLE_START	0xc0000000ULL	/* RAM ends here, and goes on ... */
#define MEMORY_HOLE_END		0x100000000ULL	/* ... here */
#define MEMORY_PCI32_START	0xc0000000ULL	/* 32-bit BARs */
#define MEMORY_PCI32_END	0xfe000000ULL
#define MEMORY_PCI64_SIZE	0x400000000ULL	/* 64-bit BARs, above RAM */

/**
 * struct mem_region - one stretch of guest RAM
 * @gpa:  guest-physical start, page aligned
 * @size: bytes, page aligned
 * @hva:  where this process has it mapped
 */
struct mem_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *hva;
};

/**
 * struct guest_memory - all guest RAM, sorted by address
 * @nr:      regions in use
 * @regions: the regions; hand these to VHOST_SET_MEM_TABLE
 */
struct guest_memory {
	unsigned int nr;
	struct mem_region regions[MEMORY_REGIONS_MAX];
};

int memory_create(struct guest_memory *mem, uint64_t bytes);
void memory_destroy(struct guest_memory *mem);
int memory_register(const struct guest_memory *mem, int vm_fd);
/* The process address of [@gpa, @gpa + @len), or NULL unless all of it lies in one region. */
void *memory_at(const struct guest_memory *mem, uint64_t gpa, uint64_t len);
/* First address above all RAM and the 32-bit hole. */
uint64_t memory_end(const struct guest_memory *mem);

#endif
