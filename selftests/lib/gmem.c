// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory of the tests: map it, hand it out, reach into it.
 *
 * The layout is drawn in gmem.h. Memory handed out is never taken back one by
 * one: a test lives for one device and gives everything back with gmem_free().
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/vhost.h>
#include "gmem.h"

#define GUARD	4096

/**
 * __die() - end the test as failed, with a reason
 * @file: where, usually __FILE__
 * @line: where, usually __LINE__
 * @fmt:  what was expected and what was seen
 */
void __die(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static u8 *map_region(size_t size, bool shared)
{
	int flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
	int fd = -1;
	u8 *va;

	va = mmap(NULL, size + 2 * GUARD, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(va != MAP_FAILED, "mmap %zu bytes: %m", size);
	if (shared) {
		fd = memfd_create("gmem", MFD_CLOEXEC);
		must(fd >= 0, "memfd_create: %m");
		must(!ftruncate(fd, size), "ftruncate memfd: %m");
	}
	va = mmap(va + GUARD, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	must(va != MAP_FAILED, "mmap guest memory: %m");
	if (fd >= 0)
		close(fd);
	return va;
}

/**
 * gmem_init() - map all regions
 * @m: to be filled
 */
void gmem_init(struct gmem *m)
{
	static const u64 gpa[GMEM_REGIONS] = {
		[GMEM_LOW] = GMEM_LOW_GPA,
		[GMEM_MID] = GMEM_MID_GPA,
		[GMEM_HIGH] = GMEM_HIGH_GPA,
	};
	unsigned int i;

	for (i = 0; i < GMEM_REGIONS; i++)
		m->regions[i] = (struct gmem_region) {
			.gpa = gpa[i],
			.size = GMEM_REGION_SIZE,
			.va = map_region(GMEM_REGION_SIZE, i == GMEM_MID),
		};
}

/**
 * gmem_free() - unmap everything gmem_init() mapped
 * @m: guest memory
 */
void gmem_free(struct gmem *m)
{
	unsigned int i;

	for (i = 0; i < GMEM_REGIONS; i++)
		munmap(m->regions[i].va - GUARD, m->regions[i].size + 2 * GUARD);
	memset(m, 0, sizeof(*m));
}

/**
 * gmem_alloc() - hand out zeroed memory
 * @m:      guest memory
 * @region: GMEM_LOW ...
 * @size:   in bytes
 * @align:  power of two
 *
 * Return: guest physical address.
 */
u64 gmem_alloc(struct gmem *m, unsigned int region, size_t size, size_t align)
{
	struct gmem_region *r = &m->regions[region];
	size_t at = (r->used + align - 1) & ~(align - 1);

	must(at + size <= r->size, "guest region %u full: %zu of %zu used, %zu wanted",
	     region, r->used, r->size, size);
	r->used = at + size;
	return r->gpa + at;
}

static const struct gmem_region *find(const struct gmem *m, u64 gpa)
{
	unsigned int i;

	for (i = 0; i < GMEM_REGIONS; i++)
		if (gpa - m->regions[i].gpa < m->regions[i].size)
			return &m->regions[i];
	die("no guest memory at %#llx", gpa);
}

/**
 * gmem_va() - where a guest address is mapped here
 * @m:   guest memory
 * @gpa: inside a region
 *
 * Return: pointer, good up to the end of the region.
 */
void *gmem_va(const struct gmem *m, u64 gpa)
{
	const struct gmem_region *r = find(m, gpa);

	return r->va + (gpa - r->gpa);
}

/* Bytes from @gpa to the end of its region, at most @len. */
static size_t run(const struct gmem *m, u64 gpa, size_t len)
{
	const struct gmem_region *r = find(m, gpa);
	size_t left = r->size - (gpa - r->gpa);

	return len < left ? len : left;
}

/**
 * gmem_write() - copy into guest memory, across regions that touch
 * @m:   guest memory
 * @gpa: destination
 * @src: source
 * @len: bytes
 */
void gmem_write(const struct gmem *m, u64 gpa, const void *src, size_t len)
{
	const u8 *from = src;
	size_t n;

	for (; len; len -= n, gpa += n, from += n) {
		n = run(m, gpa, len);
		memcpy(gmem_va(m, gpa), from, n);
	}
}

/**
 * gmem_read() - copy out of guest memory, across regions that touch
 * @m:   guest memory
 * @gpa: source
 * @dst: destination
 * @len: bytes
 */
void gmem_read(const struct gmem *m, u64 gpa, void *dst, size_t len)
{
	u8 *to = dst;
	size_t n;

	for (; len; len -= n, gpa += n, to += n) {
		n = run(m, gpa, len);
		memcpy(to, gmem_va(m, gpa), n);
	}
}

/**
 * gmem_fill() - set guest memory to one byte value, across regions that touch
 * @m:    guest memory
 * @gpa:  destination
 * @byte: value
 * @len:  bytes
 */
void gmem_fill(const struct gmem *m, u64 gpa, u8 byte, size_t len)
{
	size_t n;

	for (; len; len -= n, gpa += n) {
		n = run(m, gpa, len);
		memset(gmem_va(m, gpa), byte, n);
	}
}

/**
 * gmem_table() - describe guest memory for VHOST_SET_MEM_TABLE
 * @m: guest memory
 *
 * Return: table to be given to free().
 */
struct vhost_memory *gmem_table(const struct gmem *m)
{
	struct vhost_memory *t;
	unsigned int i;

	t = calloc(1, sizeof(*t) + GMEM_REGIONS * sizeof(t->regions[0]));
	must(t, "out of memory");
	t->nregions = GMEM_REGIONS;
	for (i = 0; i < GMEM_REGIONS; i++) {
		t->regions[i].guest_phys_addr = m->regions[i].gpa;
		t->regions[i].memory_size = m->regions[i].size;
		t->regions[i].userspace_addr = (unsigned long)m->regions[i].va;
	}
	return t;
}
