/* SPDX-License-Identifier: GPL-2.0 */
/* What bench.c measures, each implementation behind the same three calls. */
#ifndef RING_BENCH_H
#define RING_BENCH_H

#include <stdbool.h>

/* Descriptors of the ring, entries of each indirect table. */
#define BENCH_SIZE	256u
#define BENCH_DESCS_MAX	8u

/* Guest memory, shared so that another process could map it too. */
#define BENCH_ARENA	(16u << 20)
extern unsigned char *bench_arena;
extern int bench_arena_fd;

/* Zeroed pages of it, until the implementation under test stops. */
void *bench_pages(unsigned long bytes);

/**
 * struct bench_mem - ring memory, laid out once by the driver
 * @desc:   descriptor table or ring
 * @driver: avail ring or driver event structure
 * @device: used ring or device event structure
 */
struct bench_mem {
	void *desc;
	void *driver;
	void *device;
};

/**
 * struct bench_impl - a device side
 * @name:     as printed
 * @packed:   the layout it wants
 * @start:    begins on fresh ring memory
 * @lap:      takes @n buffers and completes them, @batch at a time
 * @stop:     lets go of the ring memory; may be missing
 * @readable: wants no writable buffers
 */
struct bench_impl {
	const char *name;
	bool packed;
	void (*start)(const struct bench_mem *mem, bool indirect);
	void (*lap)(unsigned int n, unsigned int batch);
	void (*stop)(void);
	bool readable;
};

extern const struct bench_impl bench_split, bench_split_in_order,
	bench_packed, bench_packed_in_order, bench_vringh, bench_librte_split,
	bench_librte_packed;

/* Something went wrong that makes the numbers worthless. */
void bench_fail(const char *who, const char *what, long value);

#endif /* RING_BENCH_H */
