/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The short integer names and the failure exit of the test library.
 *
 * Library functions come in pairs where a test may want to see the error:
 * foo() must succeed and ends the test otherwise, __foo() returns -errno.
 */
#ifndef SELFTESTS_BASE_H
#define SELFTESTS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;

/*
 * Longest any single wait of the tests lasts. An emulated host is slow and
 * shared, so this is generous; a test that runs into it has failed.
 */
#define LIMIT_MS	20000

#define die(...)	__die(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void __die(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define must(cond, ...)				\
	do {					\
		if (!(cond))			\
			die(__VA_ARGS__);	\
	} while (0)

#endif /* SELFTESTS_BASE_H */
