/* SPDX-License-Identifier: GPL-2.0 */
/*
 * boot_elf.h - an uncompressed kernel, vmlinux.
 */
#ifndef KVHOST_BOOT_ELF_H
#define KVHOST_BOOT_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#define BOOT_ELF_SEGMENTS	16

struct guest_memory;

/**
 * struct boot_elf - where the parts of a vmlinux belong
 * @entry:   64-bit entry point, physical
 * @start:   lowest address
 * @end:     first address above, what it clears for itself included
 * @nr:      entries of @segments
 * @segments: what is to be loaded
 */
struct boot_elf {
	uint64_t entry;
	uint64_t start;
	uint64_t end;
	unsigned int nr;
	Elf64_Phdr segments[BOOT_ELF_SEGMENTS];
};

/* Does the file begin like an ELF file? */
bool boot_elf_probe(int fd);
/* Read the headers; returns NULL, or what is wrong with the file. */
const char *boot_elf_open(struct boot_elf *elf, int fd, uint64_t size);
int boot_elf_load(const struct boot_elf *elf, int fd, const struct guest_memory *mem);

#endif
