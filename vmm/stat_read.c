// SPDX-License-Identifier: GPL-2.0
/*
 * stat_read.c - counters of queues, read from text.
 *
 * debugfs and the control socket speak the same language: a line
 * "device NAME owner PID", then for each queue "queue N" and pairs of a name and
 * a value. Names are those of kvhost_counters.h; one that is not known here is
 * a newer module's and left out.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "control.h"
#include "ring.h"
#include "stat.h"
#include "util.h"

#define DEBUGFS	"/sys/kernel/debug"
#define FILES	DEBUGFS "/kvhost"

static const struct kvhost_counter ring_counters[] = KVHOST_VRING_COUNTERS;
static const struct kvhost_counter blk_counters[] = KVHOST_BLK_COUNTERS;

#define BLANKS "\n "

#define ROWS	(ARRAY_SIZE(ring_counters) + ARRAY_SIZE(blk_counters))

/**
 * stat_row_next() - walk over all counters there are
 * @row: the one before, or NULL
 *
 * Return: the next one, or NULL after the last.
 */
const struct stat_row *stat_row_next(const struct stat_row *row)
{
	static struct stat_row rows[ROWS + 1];
	unsigned int i;

	if (!rows[0].counter.name) {
		for (i = 0; i < ROWS; i++) {
			rows[i].blk = i >= ARRAY_SIZE(ring_counters);
			rows[i].counter = rows[i].blk ?
				blk_counters[i - ARRAY_SIZE(ring_counters)] : ring_counters[i];
		}
	}
	row = row ? row + 1 : rows;
	return row->counter.name ? row : NULL;
}

/**
 * stat_row_value() - where a queue has a counter
 * @q:   queue
 * @row: counter
 *
 * Return: the value, or the first bucket of a histogram.
 */
uint64_t *stat_row_value(struct stat_queue *q, const struct stat_row *row)
{
	void *base = row->blk ? (void *)&q->blk : (void *)&q->ring;

	return (uint64_t *)((char *)base + row->counter.off);
}

/* "BUCKET:NUMBER,..." or "-" */
static void parse_histogram(uint64_t *v, unsigned int nr, const char *text)
{
	unsigned long bucket;
	char *end;

	while (isdigit((unsigned char)*text)) {
		bucket = strtoul(text, &end, 10);
		if (*end != ':' || bucket >= nr)
			return;
		v[bucket] = strtoull(end + 1, &end, 10);
		text = end + (*end == ',');
	}
}

static void parse_fault(struct stat_queue *q, const char *name, const char *value)
{
	unsigned int i;

	for (i = 0; i < KVH_FAULT_NR && i < KVHOST_FAULTS_MAX; i++)
		if (!strcmp(kvh_ring_fault_name(i), name))
			q->ring.faults[i] = strtoull(value, NULL, 10);
}

static void parse_pair(struct stat_queue *q, const char *name, const char *value)
{
	const struct stat_row *row;

	if (!strcmp(name, "state")) {
		snprintf(q->state, sizeof(q->state), "%s", value);
	} else if (!strcmp(name, "in_flight")) {
		q->ring.in_flight = (uint32_t)strtoul(value, NULL, 10);
	} else if (!strncmp(name, "fault:", 6)) {
		parse_fault(q, name + 6, value);
	} else {
		for (row = stat_row_next(NULL); row; row = stat_row_next(row)) {
			if (strcmp(row->counter.name, name))
				continue;
			q->has_blk |= row->blk;
			if (row->counter.nr > 1)
				parse_histogram(stat_row_value(q, row), row->counter.nr, value);
			else
				*stat_row_value(q, row) = strtoull(value, NULL, 10);
		}
	}
}

static void *grow(void *array, unsigned int nr, size_t size)
{
	void *bigger = reallocarray(array, nr + 1, size);

	if (bigger)
		memset((char *)bigger + nr * size, 0, size);
	return bigger;
}

static int add_queue(struct stat_device *dev, char *rest)
{
	char *save = NULL, *name, *value;
	struct stat_queue *q;

	q = grow(dev->queue, dev->nr, sizeof(*q));
	if (!q)
		return -ENOMEM;
	dev->queue = q;
	q += dev->nr++;
	q->index = (unsigned int)strtoul(strtok_r(rest, BLANKS, &save) ?: "", NULL, 10);
	while ((name = strtok_r(NULL, BLANKS, &save))) {
		value = strtok_r(NULL, BLANKS, &save);
		if (value)
			parse_pair(q, name, value);
	}
	return 0;
}

static int add_device(struct stat_set *set, const char *name, const char *rest)
{
	const char *owner = strstr(rest, " owner ");
	struct stat_device *dev;

	dev = grow(set->dev, set->nr, sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	set->dev = dev;
	dev += set->nr++;
	dev->owner = owner ? atoi(owner + strlen(" owner ")) : 0;
	if (name)
		snprintf(dev->name, sizeof(dev->name), "%s", name);
	else
		snprintf(dev->name, sizeof(dev->name), "%.*s", (int)strcspn(rest, BLANKS), rest);
	return 0;
}

/**
 * struct source - what the lines belong to
 * @set:  where they go
 * @name: of the device, NULL to take the one in the text
 */
struct source {
	struct stat_set *set;
	const char *name;
};

static int take_line(void *opaque, char *line)
{
	struct source *src = opaque;

	if (!strncmp(line, "device ", 7))
		return add_device(src->set, src->name, line + 7);
	if (!strncmp(line, "queue ", 6) && src->set->nr)
		return add_queue(&src->set->dev[src->set->nr - 1], line + 6);
	return 0;
}

/* A device may be closed just when its file is read: then it is not there. */
static int read_file(struct stat_set *set, const char *name)
{
	struct source src = { .set = set, .name = name };
	char path[sizeof(FILES) + 257], *line = NULL;
	size_t room = 0;
	int err = 0;
	FILE *f;

	snprintf(path, sizeof(path), FILES "/%s", name);
	f = fopen(path, "re");
	if (!f) {
		err = -errno;
		if (err == -ENOENT)
			return 0;
		log_error("stat: cannot read %s: %s", path, strerror(-err));
		return err;
	}
	while (!err && getline(&line, &room, f) > 0)
		err = take_line(&src, line);
	free(line);
	fclose(f);
	return err;
}

/* Why can the directory not be read, and what is to be done about it? */
static int no_debugfs(int err)
{
	struct statfs fs;

	if (err == EACCES || err == EPERM)
		log_error("stat: %s is for root; or name the control socket of a VM of yours",
			  FILES);
	else if (statfs(DEBUGFS, &fs) || fs.f_type != DEBUGFS_MAGIC)
		log_error("stat: debugfs is not mounted; `mount -t debugfs none %s` mounts it",
			  DEBUGFS);
	else
		log_error("stat: %s is missing: load the modules, `modprobe kvhost_blk`", FILES);
	return -err;
}

/* "blk-PID-NUMBER": is it the process's? */
static bool belongs_to(const char *name, const char *pid)
{
	const char *at = strchr(name, '-');
	size_t len = strlen(pid);

	return at && !strncmp(at + 1, pid, len) && at[1 + len] == '-';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

/* All devices, or those of process @pid. */
static int read_debugfs(struct stat_set *set, const char *pid)
{
	struct dirent **found;
	int i, n, err = 0;

	n = scandir(FILES, &found, NULL, by_name);
	if (n < 0)
		return no_debugfs(errno);
	for (i = 0; i < n; i++) {
		if (!err && found[i]->d_name[0] != '.' &&
		    (!pid || belongs_to(found[i]->d_name, pid)))
			err = read_file(set, found[i]->d_name);
		free(found[i]);
	}
	free(found);
	if (!err && pid && !set->nr) {
		log_error("stat: process %s has no device; `kvhost stat` shows those there are",
			  pid);
		err = -ENOENT;
	}
	return err;
}

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

/**
 * stat_read() - read the counters
 * @set:  filled in; stat_free() it
 * @what: "all", the number of a process, or the path of a control socket
 *
 * Return: 0, or -errno after one line on stderr, with nothing to be freed.
 */
int stat_read(struct stat_set *set, const char *what)
{
	struct source src = { .set = set };
	int err;

	*set = (struct stat_set){ .at = now_ns() };
	if (!strcmp(what, "all"))
		err = read_debugfs(set, NULL);
	else if (is_number(what))
		err = read_debugfs(set, what);
	else
		err = control_ask(what, "stats", take_line, &src);
	if (err)
		stat_free(set);
	return err;
}

/**
 * stat_free() - free what stat_read() made
 * @set: from stat_read()
 */
void stat_free(struct stat_set *set)
{
	for (unsigned int i = 0; i < set->nr; i++)
		free(set->dev[i].queue);
	free(set->dev);
	*set = (struct stat_set){ };
}
