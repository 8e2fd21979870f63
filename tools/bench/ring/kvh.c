// SPDX-License-Identifier: GPL-2.0
/*
 * The ring code of this project as ring_bench runs it.
 *
 * A lap is take, complete and publish for each batch: what a backend does that
 * has nothing to do.
 */
#include <string.h>

#include "bench.h"
#include "ring.h"

#define BATCH_MAX 64u

static struct kvh_ring ring;
static __le64 table[2 * KVH_CHAIN_SEGS_MAX];
static struct kvh_order order[BENCH_SIZE];
static struct kvh_chain chains[BATCH_MAX];
static struct kvh_seg segs[KVH_CHAIN_SEGS_MAX];

static void start(const struct bench_mem *mem, bool indirect,
		  enum kvh_ring_layout layout, bool in_order)
{
	struct kvh_ring_config cfg = {
		.layout = layout,
		.size = BENCH_SIZE,
		.indirect = indirect,
		.in_order = in_order,
		.desc = mem->desc,
		.driver = mem->driver,
		.device = mem->device,
		.table = table,
		.order = order,
	};

	if (kvh_ring_init(&ring, &cfg))
		bench_fail("kvh", "the ring was refused", 0);
}

static void lap(unsigned int n, unsigned int batch)
{
	int i;

	while (n) {
		int got = kvh_ring_take(&ring, NULL, chains,
					batch < n ? batch : n, segs,
					KVH_CHAIN_SEGS_MAX);

		if (got <= 0)
			bench_fail("kvh", "no buffer taken", got);
		for (i = 0; i < got; i++)
			chains[i].written = chains[i].write_len;
		kvh_ring_complete(&ring, chains, got);
		if (!kvh_ring_publish(&ring))
			bench_fail("kvh", "nothing published", 0);
		n -= got;
	}
}

static void start_split(const struct bench_mem *mem, bool indirect)
{
	start(mem, indirect, KVH_RING_SPLIT, false);
}

static void start_split_in_order(const struct bench_mem *mem, bool indirect)
{
	start(mem, indirect, KVH_RING_SPLIT, true);
}

static void start_packed(const struct bench_mem *mem, bool indirect)
{
	start(mem, indirect, KVH_RING_PACKED, false);
}

static void start_packed_in_order(const struct bench_mem *mem, bool indirect)
{
	start(mem, indirect, KVH_RING_PACKED, true);
}

const struct bench_impl bench_split = {
	.name = "split",
	.start = start_split,
	.lap = lap,
};

const struct bench_impl bench_split_in_order = {
	.name = "split in-order",
	.start = start_split_in_order,
	.lap = lap,
};

const struct bench_impl bench_packed = {
	.name = "packed",
	.packed = true,
	.start = start_packed,
	.lap = lap,
};

const struct bench_impl bench_packed_in_order = {
	.name = "packed in-order",
	.packed = true,
	.start = start_packed_in_order,
	.lap = lap,
};
