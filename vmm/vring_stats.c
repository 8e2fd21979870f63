// SPDX-License-Identifier: GPL-2.0
/*
 * vring_stats.c - the counters of a virtqueue as text: lines for `kvhost ctl
 * SOCKET status`, and the words of the module's debugfs file for `kvhost stat`.
 */
#include <stdio.h>

#include "ring.h"
#include "util.h"
#include "vring_stats.h"

static const struct kvhost_counter ring_counters[] = KVHOST_VRING_COUNTERS;

static const char *state_name(uint32_t state)
{
	static const char *const states[] = { "stopped", "running", "broken" };

	return state < ARRAY_SIZE(states) ? states[state] : "?";
}

/**
 * vring_stats_status() - print counters as "key=value" lines
 * @out: stream
 * @st:  the counters
 */
void vring_stats_status(FILE *out, const struct kvhost_vring_stats *st)
{
	unsigned int i, q = st->index;

	fprintf(out, "queue%u.state=%s\n", q, state_name(st->state));
	fprintf(out, "queue%u.in_flight=%u\n", q, st->in_flight);
	fprintf(out, "queue%u.kicks=%llu\n", q, st->kicks);
	fprintf(out, "queue%u.polls=%llu\n", q, st->polls);
	fprintf(out, "queue%u.chains=%llu\n", q, st->chains);
	fprintf(out, "queue%u.bytes_read=%llu\n", q, st->bytes_read);
	fprintf(out, "queue%u.bytes_written=%llu\n", q, st->bytes_written);
	fprintf(out, "queue%u.signals=%llu\n", q, st->signals);
	fprintf(out, "queue%u.signals_suppressed=%llu\n", q,
		st->signals_suppressed);
	fprintf(out, "queue%u.broken=%llu\n", q, st->broken);
	for (i = 1; i < KVH_FAULT_NR && i < KVHOST_FAULTS_MAX; i++) {
		if (st->faults[i])
			fprintf(out, "queue%u.fault.%s=%llu\n", q,
				kvh_ring_fault_name(i), st->faults[i]);
	}
}

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

/**
 * vring_stats_counters() - print " name value" for each counter of a table
 * @out:   stream
 * @c:     the table
 * @nr:    its entries
 * @stats: the structure the table describes
 */
void vring_stats_counters(FILE *out, const struct kvhost_counter *c, size_t nr,
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

/**
 * vring_stats_line() - print a queue as the module's debugfs file does
 * @out: stream; the line is not ended
 * @st:  the counters
 */
void vring_stats_line(FILE *out, const struct kvhost_vring_stats *st)
{
	fprintf(out, "queue %u state %s in_flight %u", st->index, state_name(st->state),
		st->in_flight);
	vring_stats_counters(out, ring_counters, ARRAY_SIZE(ring_counters), st);
	for (unsigned int i = 0; i < KVH_FAULT_NR && i < KVHOST_FAULTS_MAX; i++)
		if (st->faults[i])
			fprintf(out, " fault:%s %llu", kvh_ring_fault_name(i), st->faults[i]);
}
