// SPDX-License-Identifier: GPL-2.0
/*
 * Nanoseconds or instructions of a ring's device side, per buffer.
 *
 *   bench time    for each case the fastest and the median of many laps
 *   bench count   the same cases once each, for callgrind to count
 *
 * A lap is a ring full of buffers. The driver lays them out before the clock
 * starts, so that the device alone is measured. Implementations take turns
 * (A B C A B C), so that a disturbance falls on all of them.
 */
#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "bench.h"

#define ROUNDS		301u
#define LAPS_PER_ROUND	8u
#define COUNT_LAPS	4u

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t third;
	uint16_t fourth;
};

/**
 * struct driver - one ring and who lays it out
 * @mem:      ring memory
 * @impl:     whose device side is measured on it
 * @descs:    descriptors per buffer
 * @indirect: they are in a table
 * @avail:    avail index (split)
 * @wrap:     wrap counter (packed)
 * @arena_used: what was in use of the arena before
 */
struct driver {
	struct bench_mem mem;
	const struct bench_impl *impl;
	unsigned int descs;
	bool indirect;
	uint16_t avail;
	bool wrap;
	size_t arena_used;
};

/* What a buffer's segment has: enough for a packet of a network device. */
#define SEG_BYTES	16u

unsigned char *bench_arena;
int bench_arena_fd;

static size_t arena_used;
static struct desc (*tables)[BENCH_DESCS_MAX];
static unsigned char *payload;

static const struct bench_impl *const impls[] = {
	&bench_vringh, &bench_split, &bench_packed, &bench_split_in_order,
	&bench_packed_in_order,
#ifdef WITH_LIBRTE
	&bench_librte_split, &bench_librte_packed,
#endif
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define N_IMPLS		ARRAY_SIZE(impls)

void bench_fail(const char *who, const char *what, long value)
{
	fprintf(stderr, "ring_bench: %s: %s (%ld)\n", who, what, value);
	exit(1);
}

void *bench_pages(unsigned long bytes)
{
	void *p = bench_arena + arena_used;

	arena_used += (bytes + 4095) & ~4095ul;
	if (arena_used > BENCH_ARENA)
		bench_fail("memory", "the arena is full, bytes", arena_used);
	return memset(p, 0, bytes);
}

static void make_arena(void)
{
	bench_arena_fd = memfd_create("ring_bench", MFD_CLOEXEC);
	if (bench_arena_fd < 0 || ftruncate(bench_arena_fd, BENCH_ARENA))
		bench_fail("memory", "cannot make a file of bytes", BENCH_ARENA);
	bench_arena = mmap(NULL, BENCH_ARENA, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, bench_arena_fd, 0);
	if (bench_arena == MAP_FAILED)
		bench_fail("memory", "cannot map bytes", BENCH_ARENA);
	tables = bench_pages(BENCH_SIZE * sizeof(*tables));
	payload = bench_pages(BENCH_SIZE * BENCH_DESCS_MAX * SEG_BYTES);
}

static unsigned int slots_of(const struct driver *d)
{
	return d->indirect ? 1 : d->descs;
}

static unsigned int buffers_of(const struct driver *d)
{
	return BENCH_SIZE / slots_of(d);
}

/* Half of a buffer's segments are readable, the rest writable if they may. */
static void put(struct desc *at, const struct driver *d, unsigned int i,
		unsigned int k, unsigned int next, bool table)
{
	bool last = k + 1 == d->descs, packed = d->impl->packed;
	uint16_t flags = k >= (d->descs + 1) / 2 && !d->impl->readable ? 2 : 0;

	if (!last && !(packed && table))
		flags |= 1;
	if (packed && !table)
		flags |= d->wrap ? 0x80 : 0x8000;
	at->addr = (uintptr_t)payload + SEG_BYTES * (i * BENCH_DESCS_MAX + k);
	at->len = SEG_BYTES;
	at->third = packed ? i : flags;
	at->fourth = packed ? flags : next;
}

static void put_table(struct driver *d, struct desc *at, unsigned int i)
{
	bool packed = d->impl->packed;
	uint16_t flags = 4 | (packed ? (d->wrap ? 0x80 : 0x8000) : 0);
	unsigned int k;

	for (k = 0; k < d->descs; k++)
		put(&tables[i][k], d, i, k, k + 1, true);
	at->addr = (uintptr_t)tables[i];
	at->len = 16 * d->descs;
	at->third = packed ? i : flags;
	at->fourth = packed ? flags : 0;
}

/* A ring full of buffers, made available. */
static void fill(struct driver *d)
{
	struct desc *desc = d->mem.desc;
	uint16_t *avail = d->mem.driver;
	unsigned int slots = slots_of(d), i, k;

	for (i = 0; i < buffers_of(d); i++) {
		struct desc *at = desc + i * slots;

		if (d->indirect)
			put_table(d, at, i);
		for (k = 0; k < d->descs && !d->indirect; k++)
			put(at + k, d, i, k, i * slots + k + 1, false);
		if (!d->impl->packed)
			avail[2 + (d->avail + i) % BENCH_SIZE] = i * slots;
	}
	if (d->impl->packed) {
		d->wrap = !d->wrap;
	} else {
		d->avail += buffers_of(d);
		__atomic_store_n(&avail[1], d->avail, __ATOMIC_RELEASE);
	}
}

static void begin(struct driver *d, const struct bench_impl *impl,
		  unsigned int descs, bool indirect)
{
	memset(d, 0, sizeof(*d));
	d->arena_used = arena_used;
	d->impl = impl;
	d->descs = descs;
	d->indirect = indirect;
	d->wrap = true;
	d->mem.desc = bench_pages(16 * BENCH_SIZE);
	d->mem.driver = bench_pages(6 + 2 * BENCH_SIZE);
	d->mem.device = bench_pages(6 + 8 * BENCH_SIZE);
	impl->start(&d->mem, indirect);
	fill(d);
	impl->lap(buffers_of(d), 64);
}

static void end(struct driver *d)
{
	if (d->impl->stop)
		d->impl->stop();
	arena_used = d->arena_used;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static double round_of(struct driver *d, unsigned int batch)
{
	double ns = 0, from;
	unsigned int i;

	for (i = 0; i < LAPS_PER_ROUND; i++) {
		fill(d);
		from = now();
		d->impl->lap(buffers_of(d), batch);
		ns += now() - from;
	}
	return ns / (LAPS_PER_ROUND * buffers_of(d));
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void time_case(unsigned int batch, unsigned int descs, bool indirect)
{
	static double ns[N_IMPLS][ROUNDS];
	unsigned int i, k;

	for (k = 0; k < ROUNDS; k++)
		for (i = 0; i < N_IMPLS; i++) {
			struct driver d;

			begin(&d, impls[i], descs, indirect);
			ns[i][k] = round_of(&d, batch);
			end(&d);
		}
	for (i = 0; i < N_IMPLS; i++) {
		qsort(ns[i], ROUNDS, sizeof(ns[i][0]), order);
		printf("time\t%s\t%u\t%u\t%s\t%.2f\t%.2f\n", impls[i]->name,
		       batch, descs, indirect ? "indirect" : "direct",
		       ns[i][0], ns[i][ROUNDS / 2]);
	}
	fflush(stdout);
}

/* Each dump of callgrind holds one case; its label says which. */
static void count_case(unsigned int batch, unsigned int descs, bool indirect)
{
	unsigned int i, k;

	for (i = 0; i < N_IMPLS; i++) {
		struct driver d;
		char label[128];

		begin(&d, impls[i], descs, indirect);
		CALLGRIND_ZERO_STATS;
		for (k = 0; k < COUNT_LAPS; k++) {
			fill(&d);
			CALLGRIND_TOGGLE_COLLECT;
			d.impl->lap(buffers_of(&d), batch);
			CALLGRIND_TOGGLE_COLLECT;
		}
		snprintf(label, sizeof(label), "%s|%u|%u|%s|%u", impls[i]->name,
			 batch, descs, indirect ? "indirect" : "direct",
			 COUNT_LAPS * buffers_of(&d));
		CALLGRIND_DUMP_STATS_AT(label);
		end(&d);
	}
}

int main(int argc, char **argv)
{
	static const unsigned int batches[] = { 1, 8, 64 }, many[] = { 1, 2, 8 };
	bool count = argc == 2 && !strcmp(argv[1], "count");
	unsigned int b, n, indirect;

	if (!count && (argc != 2 || strcmp(argv[1], "time")))
		bench_fail("usage", "bench time, or bench count in callgrind",
			   argc);
	make_arena();
	for (indirect = 0; indirect < 2; indirect++)
		for (n = 0; n < 3; n++)
			for (b = 0; b < 3; b++)
				(count ? count_case : time_case)
					(batches[b], many[n], indirect);
	return 0;
}
