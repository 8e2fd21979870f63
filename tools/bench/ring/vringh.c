// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's vringh as ring_bench runs it, from linux-source and with the
 * userspace headers of its tools/virtio.
 *
 * The _kern variant is the one without user access or address translation, and
 * thereby the fastest. It has no batches: each buffer is taken and completed by
 * itself, whatever the batch.
 */
#include <linux/virtio.h>
#include <linux/vringh.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/uaccess.h>
#include <string.h>

#include "bench.h"

/* The headers of tools/virtio declare these for their own tests. */
void *__kmalloc_fake, *__kfree_ignore_start, *__kfree_ignore_end;
void *__user_addr_min, *__user_addr_max;

static struct vringh vrh;

static void start(const struct bench_mem *mem, bool indirect)
{
	u64 features = 1ULL << VIRTIO_F_VERSION_1;

	if (indirect)
		features |= 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	if (vringh_init_kern(&vrh, features, BENCH_SIZE, true, mem->desc,
			     mem->driver, mem->device))
		bench_fail("vringh", "the ring was refused", 0);
}

static void lap(unsigned int n, unsigned int batch)
{
	struct kvec rvec[BENCH_DESCS_MAX], wvec[BENCH_DESCS_MAX];
	struct vringh_kiov riov, wiov;
	unsigned int i;

	vringh_kiov_init(&riov, rvec, BENCH_DESCS_MAX);
	vringh_kiov_init(&wiov, wvec, BENCH_DESCS_MAX);
	while (n) {
		for (i = 0; i < batch && n; i++, n--) {
			u16 head;
			int got = vringh_getdesc_kern(&vrh, &riov, &wiov, &head,
						      GFP_KERNEL);

			if (got <= 0)
				bench_fail("vringh", "no buffer taken", got);
			if (vringh_complete_kern(&vrh, head, 0))
				bench_fail("vringh", "not completed", head);
		}
	}
}

const struct bench_impl bench_vringh = {
	.name = "vringh",
	.start = start,
	.lap = lap,
};
