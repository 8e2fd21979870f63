// SPDX-License-Identifier: GPL-2.0
/*
 * blk_control.c - what `kvhost ctl` can do to a running disk.
 *
 * The verbs are one table. All of it runs with vm_lock() held, and may wait
 * for the disk.
 */
#include <endian.h>
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

static const char *type_name(uint32_t type)
{
	switch (type) {
	case VIRTIO_BLK_T_IN:
		return "a read";
	case VIRTIO_BLK_T_OUT:
		return "a write";
	case VIRTIO_BLK_T_FLUSH:
		return "a flush";
	default:
		return "a request";
	}
}

/**
 * dev_blk_tell_error() - say that the disk failed something and a queue stopped
 * @blk: the disk
 *
 * Nothing more is said of what fails before that is resumed. A guest that resets its
 * disk gets out of it too, so there is no more than a line a second.
 */
void dev_blk_tell_error(struct dev_blk *blk)
{
	struct kvhost_blk_error err;
	uint64_t now = now_ns();

	if (blk->opt->error != DISK_ERROR_STOP ||
	    blk->backend->ops->error(blk->backend, &err) || !err.held)
		return;
	/* Those held are the latest: what was told of is one of them still. */
	if (err.count - err.held < blk->told)
		return;
	if (blk->told && now - blk->told_at < NSEC_PER_SEC)
		return;
	blk->told = err.count;
	blk->told_at = now;
	log_warn("%s: %s of %llu bytes at sector %llu of '%s' failed: %s; queue %u stands still until `kvhost ctl SOCKET resume %s`",
		 blk->name, type_name(err.type), err.bytes, err.sector,
		 blk->opt->path, strerror(-err.error), err.queue, blk->name);
}

static void print_error(const struct dev_blk *blk, FILE *out)
{
	struct kvhost_blk_error err;

	if (blk->opt->error != DISK_ERROR_STOP ||
	    blk->backend->ops->error(blk->backend, &err))
		return;
	fprintf(out, "errors=%llu\nheld=%u\n", err.count, err.held);
	if (err.held)
		fprintf(out, "error=%s of %llu bytes at sector %llu in queue %u: %s\n",
			type_name(err.type), err.bytes, err.sector, err.queue,
			strerror(-err.error));
}

/**
 * dev_blk_print_limits() - limits and errors, for the disk's status
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
	print_error(blk, out);
}

static int do_resume(struct dev_blk *blk, char *arg, FILE *out)
{
	struct kvhost_blk_error err = { 0 };
	uint32_t action = KVHOST_BLK_RETRY;
	int ret;

	if (!strcmp(arg, "report")) {
		action = KVHOST_BLK_REPORT;
	} else if (*arg && strcmp(arg, "retry")) {
		fprintf(out, "error: '%s' is neither retry nor report\n", arg);
		return -EINVAL;
	}
	if (blk->opt->error != DISK_ERROR_STOP) {
		fprintf(out, "error: %s answers errors at once; with error=stop they would wait\n",
			blk->name);
		return -EINVAL;
	}
	ret = blk->backend->ops->error(blk->backend, &err);
	if (!ret && !err.held) {
		fprintf(out, "error: %s: nothing waits to be resumed; errors so far: %llu\n",
			blk->name, err.count);
		return -EINVAL;
	}
	if (!ret)
		ret = blk->backend->ops->resume(blk->backend, action);
	if (ret)
		fprintf(out, "error: %s: %s\n", blk->name, strerror(-ret));
	return ret;
}

static int do_resize(struct dev_blk *blk, char *arg, FILE *out)
{
	int ret;

	if (*arg) {
		fprintf(out, "error: `resize` takes no size; change that of '%s' first\n",
			blk->opt->path);
		return -EINVAL;
	}
	ret = disk_resize(&blk->disk, blk->opt);
	if (!ret)
		ret = blk->backend->ops->resize(blk->backend);
	if (ret) {
		fprintf(out, "error: %s: the size of '%s' is not known: %s\n",
			blk->name, blk->opt->path, strerror(-ret));
		return ret;
	}
	if (blk->config.capacity != htole64(blk->backend->capacity)) {
		blk->config.capacity = htole64(blk->backend->capacity);
		virtio_config_changed(&blk->vdev);
	}
	fprintf(out, "sectors=%llu\n",
		(unsigned long long)blk->backend->capacity);
	return 0;
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
	{ "resize", do_resize },
	{ "resume", do_resume },
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
	struct dev_blk *blk = opaque;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].verb, verb))
			continue;
		vm_wait_begin(blk->vm, blk->name, blk->opt->path);
		ret = verbs[i].run(blk, arg, out);
		vm_wait_end(blk->vm);
		return ret;
	}
	fprintf(out, "error: a disk does not know '%s'\n", verb);
	return -EINVAL;
}
