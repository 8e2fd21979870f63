// SPDX-License-Identifier: GPL-2.0
/* libFuzzer target: a split ring between a hostile driver and its device. */
#include "mutate.h"
#include "prog.h"

int fuzz_input(const u8 *data, size_t bytes)
{
	fuzz_ring(false, data, bytes);
	return 0;
}
