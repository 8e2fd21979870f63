// SPDX-License-Identifier: GPL-2.0
/*
 * memory_test.c - where guest RAM lies in the process.
 *
 * KVM uses large pages for a slot only if its guest address and its address here
 * agree modulo their size; 6.1 gives them up for the whole slot otherwise.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <kselftest_harness.h>
#include "memory.h"

#define MIB	(1ull << 20)
#define GIB	(1ull << 30)

FIXTURE(memory) {
	struct guest_memory mem;
};

FIXTURE_VARIANT(memory) {
	uint64_t bytes;
	uint64_t align;
};

FIXTURE_VARIANT_ADD(memory, small) { .bytes = 64 * MIB, .align = 2 * MIB };
FIXTURE_VARIANT_ADD(memory, odd) { .bytes = 515 * MIB, .align = 2 * MIB };
FIXTURE_VARIANT_ADD(memory, one_gib) { .bytes = GIB, .align = GIB };
FIXTURE_VARIANT_ADD(memory, above_the_hole) { .bytes = 3 * GIB + 65 * MIB, .align = 2 * MIB };
FIXTURE_VARIANT_ADD(memory, large) { .bytes = 8 * GIB, .align = GIB };

FIXTURE_SETUP(memory)
{
	void *odd = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* The kernel hands addresses out downwards: the next one is odd, too. */
	ASSERT_NE(MAP_FAILED, odd);
	ASSERT_EQ(0, memory_create(&self->mem, variant->bytes));
}

FIXTURE_TEARDOWN(memory)
{
	memory_destroy(&self->mem);
}

TEST_F(memory, V2_addresses_agree_modulo_a_large_page)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < self->mem.nr; i++) {
		const struct mem_region *r = &self->mem.regions[i];

		EXPECT_EQ(r->gpa % variant->align, (uintptr_t)r->hva % variant->align);
		/* Both ends are there, and what lies beyond them is not ours. */
		r->hva[0] = 1;
		r->hva[r->size - 1] = 1;
		bytes += r->size;
	}
	EXPECT_EQ(variant->bytes, bytes);
}

TEST_HARNESS_MAIN
