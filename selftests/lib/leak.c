// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what the kernel says about threads, pins, files and module references.
 *
 * The figures are the whole system's, so a test that compares them runs with
 * no other test beside it. Files come and go by themselves (a daemon opens
 * one); a few more than before are therefore no leak, but tests that look for
 * a leak of files repeat what they suspect often enough to tell.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "leak.h"
#include "proc.h"

/* The count of files is inexact by some dozens on each CPU; daemons add theirs. */
#define FILES_SLACK	160

static void count_one(const struct worker *w, void *arg)
{
	long *n = arg;

	(*n)++;
}

static long count_threads(void)
{
	long n = 0;

	each_worker(count_one, &n);
	return n;
}

static long vm_counter(const char *name)
{
	char key[64];
	long value;
	FILE *f;

	f = fopen("/proc/vmstat", "re");
	must(f, "/proc/vmstat: %m");
	while (fscanf(f, "%63s %ld", key, &value) == 2)
		if (!strcmp(key, name)) {
			fclose(f);
			return value;
		}
	fclose(f);
	die("/proc/vmstat has no %s", name);
}

/* The counters are kept per CPU; reading this file adds them up. */
static void refresh_vmstat(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	char c;

	must(fd >= 0, "/proc/sys/vm/stat_refresh: %m");
	if (read(fd, &c, 1) < 0)
		die("/proc/sys/vm/stat_refresh: %m");
	close(fd);
}

static long first_number(const char *path)
{
	long n = -1;
	FILE *f;

	f = fopen(path, "re");
	must(f, "%s: %m", path);
	must(fscanf(f, "%ld", &n) == 1, "%s holds no number", path);
	fclose(f);
	return n;
}

/* A module that is not loaded has none. */
static long module_refs(const char *path)
{
	return access(path, F_OK) ? 0 : first_number(path);
}

/**
 * leak_pins() - pages pinned and not released, of the whole system
 *
 * Return: how many.
 */
long leak_pins(void)
{
	refresh_vmstat();
	return vm_counter("nr_foll_pin_acquired") - vm_counter("nr_foll_pin_released");
}

/**
 * leak_snapshot() - note what there is now
 * @l: result
 */
void leak_snapshot(struct leak *l)
{
	l->threads = count_threads();
	l->pins = leak_pins();
	l->files = first_number("/proc/sys/fs/file-nr");
	l->refs = module_refs("/sys/module/kvhost_blk/refcnt") +
		  module_refs("/sys/module/kvhost_net/refcnt");
}

/**
 * leak_wait_clean() - wait until nothing more than before is there
 * @before: snapshot from before the device was opened
 * @after:  result: the last look, for the message
 *
 * What a dead process held is dropped by work the kernel defers, so this looks
 * again until the limit.
 *
 * Return: false if something is still there.
 */
bool leak_wait_clean(const struct leak *before, struct leak *after)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int left;

	for (left = LIMIT_MS / 10; left > 0; left--) {
		leak_snapshot(after);
		if (after->threads <= before->threads && after->pins <= before->pins &&
		    after->refs <= before->refs &&
		    after->files <= before->files + FILES_SLACK)
			return true;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "# left: %ld threads, %ld pins, %ld files, %ld module references\n",
		after->threads - before->threads, after->pins - before->pins,
		after->files - before->files, after->refs - before->refs);
	return false;
}

/**
 * leak_slab() - objects in use in a slab cache
 * @cache: its name
 *
 * Return: how many, -1 when the cache is not listed under this name.
 */
long leak_slab(const char *cache)
{
	char line[256], name[64];
	long active = -1, n;
	FILE *f;

	f = fopen("/proc/slabinfo", "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", name, &n) == 2 && !strcmp(name, cache))
			active = n;
	fclose(f);
	return active;
}
