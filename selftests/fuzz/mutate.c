// SPDX-License-Identifier: GPL-2.0
/*
 * Mutates programs record by record, for libFuzzer.
 *
 * Half of the time a record is inserted, removed, moved or given values that
 * mean something to a ring; the other half is left to libFuzzer, which knows
 * from comparisons what the code was looking for.
 */
#include <stdlib.h>
#include <string.h>

#include "mutate.h"
#include "prog.h"

#define REC sizeof(struct fuzz_rec)

static unsigned int state;

static u32 pick(u32 n)
{
	return rand_r(&state) % n;
}

static u16 flags(void)
{
	static const u16 known[] = { 0, 1, 2, 3, 4, 5, 6, 7, 0x80, 0x8000,
				     0x8080, 0x82, 0x84, 0x8001, 0xffff };

	return known[pick(sizeof(known) / sizeof(*known))];
}

static u16 word(void)
{
	static const u16 known[] = { 0, 1, 2, 31, 32, 33, 0x7fff, 0x8000, 0xffff };

	return pick(2) ? pick(40) : known[pick(sizeof(known) / sizeof(*known))];
}

static u32 length(void)
{
	static const u32 known[] = { 0, 1, 15, 16, 32, 160, 1024, 1040, 16384,
				     16400, 0x7fffffff, 0x80000000, 0xffffffff };

	return known[pick(sizeof(known) / sizeof(*known))];
}

static struct fuzz_rec sensible(void)
{
	struct fuzz_rec r = {
		.op = pick(FUZZ_OPS),
		.a = pick(40),
		.b = flags(),
		.c = length(),
		.addr = FUZZ_GUEST_GPA + 16 * pick(4),
		.high = pick(8) ? 0 : 0xffff,
		.x = word(),
	};

	switch (r.op) {
	case FUZZ_HEAD:
	case FUZZ_TAKE:
		r.b = pick(4) ? pick(64) : 2047;
		break;
	case FUZZ_WORD:
	case FUZZ_LATER:
		r.b = pick(280);
		r.c = pick(2) ? flags() : word();
		break;
	case FUZZ_EVENT:
		r.b = pick(4);
		r.c = word();
		break;
	case FUZZ_RESTORE:
		r.c = word() | (u32)word() << 16;
		break;
	}
	return r;
}

size_t fuzz_mutate(u8 *data, size_t bytes, size_t max, unsigned int seed)
{
	size_t n = bytes / REC;
	struct fuzz_rec r;
	u8 *at;

	state = seed;
	if (pick(2) || n < 2 || (n + 1) * REC > max)
		return fuzz_mutate_bytes(data, bytes, max);
	at = data + REC * (1 + pick(n - 1));
	r = sensible();
	switch (pick(4)) {
	case 0:	/* insert */
		memmove(at + REC, at, data + n * REC - at);
		memcpy(at, &r, REC);
		return (n + 1) * REC;
	case 1:	/* remove */
		memmove(at, at + REC, data + n * REC - at - REC);
		return (n - 1) * REC;
	case 2:	/* replace */
		memcpy(at, &r, REC);
		return n * REC;
	default: /* repeat */
		memcpy(&r, data + REC * (1 + pick(n - 1)), REC);
		memmove(at + REC, at, data + n * REC - at);
		memcpy(at, &r, REC);
		return (n + 1) * REC;
	}
}
