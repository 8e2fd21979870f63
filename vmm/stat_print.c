// SPDX-License-Identifier: GPL-2.0
/*
 * stat_print.c - counters of queues as a table or as JSON.
 *
 * The table is for people: a line a queue, rates if there is an earlier reading
 * to compare with, else sums. JSON is for programs: every counter as it stands,
 * by the name it has everywhere else.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "ring.h"
#include "stat.h"
#include "util.h"

static struct stat_queue *find_queue(const struct stat_set *set, const char *dev,
				     unsigned int index)
{
	for (unsigned int i = 0; i < set->nr; i++)
		for (unsigned int j = 0; j < set->dev[i].nr; j++)
			if (!strcmp(set->dev[i].name, dev) &&
			    set->dev[i].queue[j].index == index)
				return &set->dev[i].queue[j];
	return NULL;
}

/* What happened between two readings. */
static struct stat_queue difference(const struct stat_queue *now, struct stat_queue *before)
{
	struct stat_queue d = *now, from = *before;
	const struct stat_row *row;

	for (row = stat_row_next(NULL); row; row = stat_row_next(row)) {
		uint64_t *to = stat_row_value(&d, row), *old = stat_row_value(&from, row);

		for (unsigned int i = 0; i < row->counter.nr; i++)
			to[i] -= old[i];
	}
	return d;
}

static uint64_t latency_bucket(const struct kvhost_blk_queue_stats *b, unsigned int i)
{
	uint64_t n = 0;

	for (unsigned int class = 0; class < KVHOST_BLK_LAT_NR; class++)
		n += b->latency[class][i];
	return n;
}

/* Microseconds that @share of all requests stayed below; buckets are powers of two. */
static double percentile(const struct kvhost_blk_queue_stats *b, double share)
{
	uint64_t all = 0, seen = 0;
	unsigned int i;

	for (i = 0; i < KVHOST_BLK_LAT_BUCKETS; i++)
		all += latency_bucket(b, i);
	for (i = 0; all && i < KVHOST_BLK_LAT_BUCKETS; i++) {
		seen += latency_bucket(b, i);
		if ((double)seen >= share * (double)all)
			return (double)(2ULL << i) / 1000;
	}
	return 0;
}

static uint64_t requests(const struct kvhost_blk_queue_stats *b)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < KVHOST_BLK_REQ_NR; i++)
		n += b->requests[i];
	return n;
}

static double mean_us(const struct kvhost_blk_queue_stats *b)
{
	uint64_t ns = 0, n = requests(b);

	for (unsigned int class = 0; class < KVHOST_BLK_LAT_NR; class++)
		ns += b->latency_ns[class];
	return n ? (double)ns / (double)n / 1000 : 0;
}

static double ratio(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 0;
}

/* @d: what to show, @seconds: the time it took, or 1 for sums. */
static void print_queue(const char *dev, const struct stat_queue *d, double seconds)
{
	const struct kvhost_blk_queue_stats *b = &d->blk;
	uint64_t in = b->requests[KVHOST_BLK_REQ_IN], out = b->requests[KVHOST_BLK_REQ_OUT];

	printf("%-18s %3u %-7s %5u", dev, d->index, d->state, d->ring.in_flight);
	if (!d->has_blk) {
		printf(" %10.0f\n", (double)d->ring.chains / seconds);
		return;
	}
	printf(" %10.0f %10.0f %10.0f %9.1f %9.1f", (double)in / seconds, (double)out / seconds,
	       (double)(requests(b) - in - out) / seconds,
	       (double)b->bytes[KVHOST_BLK_REQ_IN] / 1e6 / seconds,
	       (double)b->bytes[KVHOST_BLK_REQ_OUT] / 1e6 / seconds);
	printf(" %9.1f %9.1f %9.1f %7.1f %6llu\n", mean_us(b), percentile(b, 0.5),
	       percentile(b, 0.99), ratio(d->ring.chains, d->ring.signals),
	       b->ioerr + b->unsupp);
}

/**
 * stat_print_table() - print a line a queue
 * @now:    what was read
 * @before: what was read earlier, to show rates; NULL: show sums
 */
void stat_print_table(const struct stat_set *now, const struct stat_set *before)
{
	double seconds = before ? (double)(now->at - before->at) / 1e9 : 1;

	printf("%-18s %3s %-7s %5s %10s %10s %10s %9s %9s %9s %9s %9s %7s %6s\n", "DEVICE", "Q",
	       "STATE", "FLY", before ? "READ/s" : "READ", before ? "WRITE/s" : "WRITE",
	       before ? "OTHER/s" : "OTHER", before ? "R MB/s" : "R MB",
	       before ? "W MB/s" : "W MB", "MEAN us", "P50 us", "P99 us", "IO/INT", "ERRORS");
	for (unsigned int i = 0; i < now->nr; i++) {
		const struct stat_device *dev = &now->dev[i];

		for (unsigned int j = 0; j < dev->nr; j++) {
			struct stat_queue d = dev->queue[j], *old = NULL;

			if (before) {
				old = find_queue(before, dev->name, d.index);
				/* New since then: from the next report on. */
				if (!old)
					continue;
				d = difference(&dev->queue[j], old);
			}
			print_queue(dev->name, &d, seconds);
		}
	}
	if (before)
		putchar('\n');
}

static json_object *histogram(const uint64_t *v, unsigned int nr)
{
	json_object *a = json_object_new_array_ext((int)nr);

	for (unsigned int i = 0; i < nr; i++)
		json_object_array_add(a, json_object_new_uint64(v[i]));
	return a;
}

static json_object *queue_object(struct stat_queue *q)
{
	json_object *o = json_object_new_object(), *faults = json_object_new_object();
	const struct stat_row *row;

	json_object_object_add(o, "queue", json_object_new_int((int)q->index));
	json_object_object_add(o, "state", json_object_new_string(q->state));
	json_object_object_add(o, "in_flight", json_object_new_uint64(q->ring.in_flight));
	for (row = stat_row_next(NULL); row; row = stat_row_next(row)) {
		const uint64_t *v = stat_row_value(q, row);

		if (row->blk && !q->has_blk)
			continue;
		json_object_object_add(o, row->counter.name,
				       row->counter.nr > 1 ? histogram(v, row->counter.nr) :
				       json_object_new_uint64(*v));
	}
	for (unsigned int i = 0; i < KVH_FAULT_NR && i < KVHOST_FAULTS_MAX; i++)
		if (q->ring.faults[i])
			json_object_object_add(faults, kvh_ring_fault_name(i),
					       json_object_new_uint64(q->ring.faults[i]));
	json_object_object_add(o, "faults", faults);
	return o;
}

/**
 * stat_print_json() - print a line with one object
 * @now:    what was read
 * @before: what was read earlier, or NULL; only the time in between is shown
 *
 * Return: 0 or -ENOMEM after one line on stderr.
 */
int stat_print_json(const struct stat_set *now, const struct stat_set *before)
{
	json_object *o = json_object_new_object(), *devices = json_object_new_array();
	const char *text;

	if (before)
		json_object_object_add(o, "seconds", json_object_new_double
				       ((double)(now->at - before->at) / 1e9));
	for (unsigned int i = 0; i < now->nr; i++) {
		json_object *dev = json_object_new_object(), *queues = json_object_new_array();

		json_object_object_add(dev, "name", json_object_new_string(now->dev[i].name));
		json_object_object_add(dev, "owner", json_object_new_int(now->dev[i].owner));
		for (unsigned int j = 0; j < now->dev[i].nr; j++)
			json_object_array_add(queues, queue_object(&now->dev[i].queue[j]));
		json_object_object_add(dev, "queues", queues);
		json_object_array_add(devices, dev);
	}
	json_object_object_add(o, "devices", devices);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	if (text)
		puts(text);
	else
		log_error("stat: out of memory");
	json_object_put(o);
	return text ? 0 : -ENOMEM;
}
