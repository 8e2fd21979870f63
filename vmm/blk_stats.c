// SPDX-License-Identifier: GPL-2.0
/*
 * blk_stats.c - the counters of a disk as text, for `kvhost stat`.
 *
 * The same lines as the module's debugfs file, from the same table of names, so
 * that whoever owns a VM can see what root sees of it.
 */
#include <stdio.h>
#include <unistd.h>
#include <kvhost_counters.h>

#include "blk_backend.h"
#include "util.h"
#include "vring_stats.h"

static const struct kvhost_counter blk_counters[] = KVHOST_BLK_COUNTERS;

static void print_queue(FILE *out, struct blk_backend *backend, unsigned int index)
{
	struct kvhost_blk_queue_stats blk;
	struct kvhost_vring_stats ring;

	if (backend->ops->stats(backend, index, &ring))
		return;
	vring_stats_line(out, &ring);
	if (backend->ops->requests && !backend->ops->requests(backend, index, &blk))
		vring_stats_counters(out, blk_counters, ARRAY_SIZE(blk_counters), &blk);
	fputc('\n', out);
}

/**
 * blk_stats_print() - print the counters of all queues of a disk
 * @out:     stream
 * @name:    of the disk
 * @backend: who processes its queues
 * @queues:  how many
 *
 * Context: vm_lock() held.
 */
void blk_stats_print(FILE *out, const char *name, struct blk_backend *backend,
		     unsigned int queues)
{
	fprintf(out, "device %s owner %d\n", name, (int)getpid());
	for (unsigned int i = 0; i < queues; i++)
		print_queue(out, backend, i);
}
