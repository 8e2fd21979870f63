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
#include "ring.h"
#include "util.h"

static const struct kvhost_counter ring_counters[] = KVHOST_VRING_COUNTERS;
static const struct kvhost_counter blk_counters[] = KVHOST_BLK_COUNTERS;

static void print_histogram(FILE *out, const uint64_t *v, unsigned int nr)
{
	char sep = ' ';

	for (unsigned int i = 0; i < nr; i++) {
		if (!v[i])
			continue;
		fprintf(out, "%c%u:%llu", sep, i, (unsigned long long)v[i]);
		sep = ',';
	}
	if (sep == ' ')
		fputs(" -", out);
}

static void print_counters(FILE *out, const struct kvhost_counter *c, size_t nr,
			   const void *stats)
{
	for (; nr; nr--, c++) {
		const uint64_t *v = (const uint64_t *)((const char *)stats + c->off);

		fprintf(out, " %s", c->name);
		if (c->nr > 1)
			print_histogram(out, v, c->nr);
		else
			fprintf(out, " %llu", (unsigned long long)*v);
	}
}

static void print_queue(FILE *out, struct blk_backend *backend, unsigned int index)
{
	static const char *const states[] = { "stopped", "running", "broken" };
	struct kvhost_blk_queue_stats blk;
	struct kvhost_vring_stats ring;

	if (backend->ops->stats(backend, index, &ring))
		return;
	fprintf(out, "queue %u state %s in_flight %u", index,
		ring.state < ARRAY_SIZE(states) ? states[ring.state] : "?", ring.in_flight);
	print_counters(out, ring_counters, ARRAY_SIZE(ring_counters), &ring);
	for (unsigned int i = 0; i < KVH_FAULT_NR && i < KVHOST_FAULTS_MAX; i++)
		if (ring.faults[i])
			fprintf(out, " fault:%s %llu", kvh_ring_fault_name(i), ring.faults[i]);
	if (backend->ops->requests && !backend->ops->requests(backend, index, &blk))
		print_counters(out, blk_counters, ARRAY_SIZE(blk_counters), &blk);
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
