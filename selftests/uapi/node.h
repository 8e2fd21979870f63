/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the harness tests of this folder share: a disk in memory, and the check
 * that there is a device node to test at all.
 */
#ifndef SELFTESTS_UAPI_NODE_H
#define SELFTESTS_UAPI_NODE_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "lib/backing.h"
#include "lib/blkreq.h"
#include "lib/kvhost.h"
#include "lib/leak.h"

#define DISK_BYTES	(4u << 20)

static inline int node_disk(void)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	must(fd >= 0 && !ftruncate(fd, DISK_BYTES), "memfd: %m");
	return fd;
}

static inline bool node_works(struct kvhost *k, unsigned int i)
{
	struct blkreq r;

	blkreq_init(&r, &k->mem, GMEM_LOW, 512);
	return blk_do(&r, &k->q[i], VIRTIO_BLK_T_IN, 0, 512) == VIRTIO_BLK_S_OK;
}

static void __attribute__((constructor)) node_required(void)
{
	if (!access(KVHOST_BLK_NODE, F_OK))
		return;
	printf("Bail out! %s is missing: load kvhost_blk first\n", KVHOST_BLK_NODE);
	exit(KSFT_FAIL);
}

#endif /* SELFTESTS_UAPI_NODE_H */
