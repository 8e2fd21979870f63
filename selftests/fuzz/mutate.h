/* SPDX-License-Identifier: GPL-2.0 */
/* What libFuzzer calls and what it lends, by names of our own style. */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include "kvh_env.h"

int fuzz_input(const u8 *data, size_t bytes) __asm__("LLVMFuzzerTestOneInput");
size_t fuzz_mutate(u8 *data, size_t bytes, size_t max, unsigned int seed)
	__asm__("LLVMFuzzerCustomMutator");
size_t fuzz_mutate_bytes(u8 *data, size_t bytes, size_t max)
	__asm__("LLVMFuzzerMutate");

#endif /* FUZZ_MUTATE_H */
