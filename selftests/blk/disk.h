/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of this folder share: the harness, the device library, and
 * the disks, made once before the harness forks the first test.
 */
#ifndef SELFTESTS_BLK_DISK_H
#define SELFTESTS_BLK_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "lib/backing.h"
#include "lib/blkreq.h"
#include "lib/kvhost.h"
#include "lib/leak.h"

#define DISK_MB		64u
#define DISK_SECTORS	((u64)DISK_MB << 11)

/* Delay of a slow disk: long enough to be caught in flight. */
#define SLOW_NS		20000000ul

enum disk { DISK_NULLB, DISK_SLOW, DISK_TMPFS, DISK_EXT4, DISKS };

static const char *disk_paths[DISKS];

static const char *const disk_names[] = {
	[DISK_NULLB] = "a null_blk device",
	[DISK_SLOW] = "a null_blk device with a delay",
	[DISK_TMPFS] = "a file on tmpfs",
	[DISK_EXT4] = "a file on ext4 in a loop device",
};

/**
 * disk_make() - make the disks a test program uses; exits if it cannot run
 * @name: of the test program, to keep its null_blk devices apart
 * @want: bit mask of enum disk
 */
static inline void disk_make(const char *name, unsigned int want)
{
	struct nullb_opts o = { .mb = DISK_MB, .memory = true };
	char nullb[32];
	unsigned int i;

	if (access(KVHOST_BLK_NODE, F_OK)) {
		printf("Bail out! %s is missing: load kvhost_blk first\n", KVHOST_BLK_NODE);
		exit(KSFT_FAIL);
	}
	snprintf(nullb, sizeof(nullb), "kvh_%s", name);
	if (want & 1 << DISK_NULLB)
		disk_paths[DISK_NULLB] = backing_nullb(nullb, &o);
	strcat(nullb, "_slow");
	o.delay_ns = SLOW_NS;
	if (want & 1 << DISK_SLOW)
		disk_paths[DISK_SLOW] = backing_nullb(nullb, &o);
	if (want & 1 << DISK_TMPFS)
		disk_paths[DISK_TMPFS] = backing_tmpfs(DISK_MB);
	if (want & 1 << DISK_EXT4)
		disk_paths[DISK_EXT4] = backing_ext4(DISK_MB);
	for (i = 0; i < DISKS; i++)
		if (want & 1 << i && !disk_paths[i]) {
			printf("1..0 # SKIP this machine cannot make %s\n", disk_names[i]);
			exit(KSFT_SKIP);
		}
}

/* Bytes at the start of @buf that are no longer poison. */
static inline u32 disk_written(const u8 *buf, u32 len)
{
	u32 n = len;

	while (n && buf[n - 1] == BLK_POISON)
		n--;
	return n;
}

#endif /* SELFTESTS_BLK_DISK_H */
