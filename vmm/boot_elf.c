// SPDX-License-Identifier: GPL-2.0
/*
 * boot_elf.c - an uncompressed kernel, vmlinux.
 *
 * What a bzImage unpacks itself to, entered at its 64-bit entry point. It spares
 * the guest the decompression, which is most of a boot where processors are
 * slow. boot.c calls this; every number of the file is checked before use.
 */
#include <errno.h>
#include <string.h>

#include "boot_elf.h"
#include "memory.h"
#include "util.h"

/**
 * boot_elf_probe() - tell an ELF file from others
 * @fd: file
 *
 * Return: true if it begins with ELF's magic.
 */
bool boot_elf_probe(int fd)
{
	char magic[SELFMAG];

	return !read_at(fd, magic, sizeof(magic), 0) && !memcmp(magic, ELFMAG, SELFMAG);
}

static const char *add_segment(struct boot_elf *elf, const Elf64_Phdr *ph, uint64_t size)
{
	uint64_t end;

	if (ph->p_type != PT_LOAD || !ph->p_memsz)
		return NULL;
	if (elf->nr == BOOT_ELF_SEGMENTS)
		return "it has too many segments";
	if (ph->p_filesz > ph->p_memsz || ph->p_offset > size ||
	    ph->p_filesz > size - ph->p_offset ||
	    __builtin_add_overflow(ph->p_paddr, ph->p_memsz, &end))
		return "a segment lies outside the file";
	if (!elf->nr || ph->p_paddr < elf->start)
		elf->start = ph->p_paddr;
	if (end > elf->end)
		elf->end = end;
	elf->segments[elf->nr++] = *ph;
	return NULL;
}

/**
 * boot_elf_open() - read and check the headers
 * @elf:  filled in
 * @fd:   file
 * @size: its length
 *
 * Return: NULL, or in words what is wrong.
 */
const char *boot_elf_open(struct boot_elf *elf, int fd, uint64_t size)
{
	const char *wrong = NULL;
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	memset(elf, 0, sizeof(*elf));
	if (read_at(fd, &eh, sizeof(eh), 0))
		return "the file is too short";
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
	    eh.e_type != ET_EXEC || eh.e_phentsize != sizeof(ph))
		return "it is no x86-64 executable";
	for (unsigned int i = 0; !wrong && i < eh.e_phnum; i++) {
		if (eh.e_phoff > size ||
		    read_at(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff + i * sizeof(ph))))
			return "the file is cut short";
		wrong = add_segment(elf, &ph, size);
	}
	if (wrong)
		return wrong;
	elf->entry = eh.e_entry;
	/* A kernel names its physical entry point; programs have none this low. */
	if (elf->entry < elf->start || elf->entry >= elf->end)
		return "its entry point lies outside its segments";
	return NULL;
}

/**
 * boot_elf_load() - write all segments into RAM
 * @elf: from boot_elf_open()
 * @fd:  the same file
 * @mem: guest RAM
 *
 * Return: 0, -EFAULT when a segment lies outside RAM, or the errno of pread().
 */
int boot_elf_load(const struct boot_elf *elf, int fd, const struct guest_memory *mem)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < elf->nr; i++) {
		const Elf64_Phdr *ph = &elf->segments[i];
		uint8_t *to = memory_at(mem, ph->p_paddr, ph->p_memsz);

		if (!to)
			return -EFAULT;
		err = read_at(fd, to, ph->p_filesz, (off_t)ph->p_offset);
		memset(to + ph->p_filesz, 0, ph->p_memsz - ph->p_filesz);
	}
	return err;
}
