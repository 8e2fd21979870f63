/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The language of the ring fuzzers: what a hostile driver and its device do.
 *
 * An input is a sequence of records of 16 bytes. The first says what the queue
 * is like, each other one is an operation; any bytes are a valid program. The
 * unit tests write the rings they meet down in this language, as seeds.
 */
#ifndef FUZZ_PROG_H
#define FUZZ_PROG_H

#include "kvh_env.h"

/** enum fuzz_op - what a record does */
enum fuzz_op {
	/** @FUZZ_PUSH: offers a descriptor at the driver's position */
	FUZZ_PUSH,
	/** @FUZZ_DESC: writes descriptor @a */
	FUZZ_DESC,
	/** @FUZZ_ENTRY: writes entry @a of the indirect table */
	FUZZ_ENTRY,
	/** @FUZZ_HEAD: offers head @b (split) */
	FUZZ_HEAD,
	/** @FUZZ_WORD: writes @c to half-word @b of ring part @a */
	FUZZ_WORD,
	/** @FUZZ_LATER: the same, @d accesses of the device from now */
	FUZZ_LATER,
	/** @FUZZ_EVENT: driver's event words: flags @b, event @c */
	FUZZ_EVENT,
	/** @FUZZ_TAKE: takes up to @a buffers of @b segments in all */
	FUZZ_TAKE,
	/** @FUZZ_COMPLETE: completes buffer @a of those out, @c bytes written */
	FUZZ_COMPLETE,
	/** @FUZZ_UNTAKE: puts @a of those taken last back */
	FUZZ_UNTAKE,
	/** @FUZZ_PUBLISH: publishes, and asks for the signal */
	FUZZ_PUBLISH,
	/** @FUZZ_KICK: kicks off, on, or a look, by @a */
	FUZZ_KICK,
	/** @FUZZ_RESTORE: set up anew, at position @c if @a is odd */
	FUZZ_RESTORE,
	/** @FUZZ_MISS: the next @a reads of tables find no translation */
	FUZZ_MISS,
	/** @FUZZ_OPS: number of operations */
	FUZZ_OPS,
};

/**
 * struct fuzz_rec - one record
 * @op:   enum fuzz_op, modulo %FUZZ_OPS; in the first record: features
 * @a:    argument; in the first record: size - 1
 * @b:    argument; descriptor flags
 * @c:    argument; descriptor length
 * @addr: descriptor address, lower half
 * @high: upper half, sign-extended: 0 or -1 are the interesting values
 * @x:    next or buffer ID
 */
struct fuzz_rec {
	u8 op;
	u8 a;
	u16 b;
	u32 c;
	u32 addr;
	u16 high;
	u16 x;
};

/* Features in the first record's @op. */
#define FUZZ_EVENT_IDX	1u
#define FUZZ_INDIRECT	2u
#define FUZZ_IN_ORDER	4u

#define FUZZ_SIZE_MAX	32u
#define FUZZ_TABLE	64u
#define FUZZ_GUEST_GPA	0x10000u

void fuzz_ring(bool packed, const u8 *data, size_t bytes);

#endif /* FUZZ_PROG_H */
