/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest memory a test plays with.
 *
 *	guest physical			       backed by
 *	0x00100000  +----------------------+
 *	            | GMEM_LOW             |   anonymous memory
 *	0x02100000  +----------------------+   next in guest space, but
 *	            | GMEM_MID             |   a shared memfd elsewhere in ours
 *	0x04100000  +----------------------+
 *	               hole
 *	0x100000000 +----------------------+
 *	            | GMEM_HIGH            |   anonymous memory
 *	0x102000000 +----------------------+
 *
 * Each region has an unmapped guard page on either side in our own address
 * space, so that whoever computes an address one byte off faults.
 */
#ifndef SELFTESTS_GMEM_H
#define SELFTESTS_GMEM_H

#include "base.h"

enum {
	GMEM_LOW,
	GMEM_MID,
	GMEM_HIGH,
	GMEM_REGIONS,
};

#define GMEM_REGION_SIZE	0x2000000ull
#define GMEM_LOW_GPA		0x100000ull
#define GMEM_MID_GPA		(GMEM_LOW_GPA + GMEM_REGION_SIZE)
#define GMEM_HOLE_GPA		(GMEM_MID_GPA + GMEM_REGION_SIZE)
#define GMEM_HIGH_GPA		0x100000000ull

struct vhost_memory;

/**
 * struct gmem_region - one piece of guest memory
 * @gpa:   guest physical address of its first byte
 * @size:  in bytes, whole pages
 * @va:    where it is mapped here
 * @used:  bytes handed out by gmem_alloc()
 */
struct gmem_region {
	u64 gpa;
	size_t size;
	u8 *va;
	size_t used;
};

/**
 * struct gmem - all of guest memory
 * @regions: by GMEM_LOW ...
 */
struct gmem {
	struct gmem_region regions[GMEM_REGIONS];
};

void gmem_init(struct gmem *m);
void gmem_free(struct gmem *m);
u64 gmem_alloc(struct gmem *m, unsigned int region, size_t size, size_t align);
void *gmem_va(const struct gmem *m, u64 gpa);
void gmem_write(const struct gmem *m, u64 gpa, const void *src, size_t len);
void gmem_read(const struct gmem *m, u64 gpa, void *dst, size_t len);
void gmem_fill(const struct gmem *m, u64 gpa, u8 byte, size_t len);
struct vhost_memory *gmem_table(const struct gmem *m);

#endif /* SELFTESTS_GMEM_H */
