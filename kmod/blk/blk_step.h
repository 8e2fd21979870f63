/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blk_step.h - how much of a long range to work on at a time; shared by
 * kvhost_blk and the VMM's userspace backend.
 *
 * A range may be as large as the disk, and one call for all of it cannot be
 * ended. So ranges are done in steps, and between two steps somebody asks
 * whether the work is still wanted. A step grows while the disk is quick,
 * because every step costs the disk a command.
 */
#ifndef KVH_BLK_STEP_H
#define KVH_BLK_STEP_H

#include "kvh_env.h"

/*
 * Bytes of the first step, the smallest and the largest one. The first is small
 * enough for a disk that has to write it, at 100 MB/s a third of a second. The
 * largest is what the kernel puts into one discard bio.
 */
#define KVH_STEP_FIRST		((u64)32 << 20)
#define KVH_STEP_MIN		((u64)1 << 20)
#define KVH_STEP_MAX		((u64)4 << 30)

/* A step that took less, in ns, doubles the next one; one that took more halves it. */
#define KVH_STEP_QUICK_NS	50000000ull
#define KVH_STEP_SLOW_NS	200000000ull

/**
 * kvh_step_next() - adapt the size of a step to the disk
 * @step: bytes of the last step
 * @ns:   how long it took
 *
 * Return: bytes of the next step
 */
static inline u64 kvh_step_next(u64 step, u64 ns)
{
	if (ns < KVH_STEP_QUICK_NS && step < KVH_STEP_MAX)
		return step * 2;
	if (ns > KVH_STEP_SLOW_NS && step > KVH_STEP_MIN)
		return step / 2;
	return step;
}

/**
 * kvh_step_end() - find where a step ends
 * @pos:     its first byte
 * @end:     end of the range, above @pos
 * @step:    bytes wanted
 * @granule: bytes the disk gives up together, 0 if not known
 * @base:    byte 0 of the disk, counted from the start of a granule
 *
 * A step ends at the end of a granule. A disk keeps a granule of which each of
 * two requests names a part.
 *
 * Return: the first byte behind the step, at most @end
 */
static inline u64 kvh_step_end(u64 pos, u64 end, u64 step, u64 granule, u64 base)
{
	u64 at, part;

	if (end - pos <= step)
		return end;
	at = pos + step;
	part = granule ? (base + at) % granule : 0;
	if (part < at - pos)
		return at - part;
	return granule - part < end - at ? at - part + granule : end;
}

#endif /* KVH_BLK_STEP_H */
