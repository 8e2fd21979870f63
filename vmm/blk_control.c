// SPDX-License-Identifier: GPL-2.0
/*
 * blk_control.c - what `kvhost ctl` can do to a running disk.
 *
 * The verbs are one table. All of it runs on the main thread with vm_lock() held.
 */
#include <errno.h>
#include <string.h>

#include "dev_blk.h"
#include "util.h"

/**
 * dev_blk_limit() - let a disk be used no faster than that
 * @blk:    the disk, with a backend
 * @limits: the limits
 *
 * Return: 0, or -errno of the backend.
 */
int dev_blk_limit(struct dev_blk *blk, const struct disk_limits *limits)
{
	int ret = blk->backend->ops->set_limits(blk->backend, limits);

	if (!ret)
		blk->limits = *limits;
	return ret;
}

/**
 * dev_blk_print_limits() - part of the disk's status
 * @blk: the disk
 * @out: stream
 */
void dev_blk_print_limits(const struct dev_blk *blk, FILE *out)
{
	const struct disk_limits *l = &blk->limits;

	fprintf(out, "limits=iops=%llu,iops_burst=%llu,bps=%llu,bps_burst=%llu\n",
		(unsigned long long)l->iops,
		(unsigned long long)l->iops_burst,
		(unsigned long long)l->bps, (unsigned long long)l->bps_burst);
}

static int do_limit(struct dev_blk *blk, char *arg, FILE *out)
{
	struct disk_limits limits;
	int ret;

	if (options_parse_limits(&limits, arg)) {
		fputs("error: write KEY=VALUE,... with iops, iops_burst, bps, bps_burst\n",
		      out);
		return -EINVAL;
	}
	ret = dev_blk_limit(blk, &limits);
	if (ret)
		fprintf(out, "error: %s: the limits were refused: %s\n",
			blk->name, strerror(-ret));
	return ret;
}

static const struct {
	const char *verb;
	int (*run)(struct dev_blk *blk, char *arg, FILE *out);
} verbs[] = {
	{ "limit", do_limit },
};

/**
 * dev_blk_command() - vm_hook.command of a disk
 * @opaque: the disk
 * @verb:   what to do
 * @arg:    what was typed behind the disk's name
 * @out:    answer
 *
 * Return: 0, or -errno after a line "error: ..." on @out.
 */
int dev_blk_command(void *opaque, const char *verb, char *arg, FILE *out)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].verb, verb))
			return verbs[i].run(opaque, arg, out);
	fprintf(out, "error: a disk does not know '%s'\n", verb);
	return -EINVAL;
}
