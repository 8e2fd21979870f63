// SPDX-License-Identifier: GPL-2.0
/*
 * blk_kernel.c - queues processed by the kvhost_blk module.
 *
 * This process only sets up: after queue_start() a doorbell goes from KVM to
 * the module and an interrupt from the module to KVM without it.
 *
 * Created on the main thread; everything else runs with vm_lock() held.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "blk_backend.h"
#include "disk.h"
#include "options.h"
#include "util.h"
#include "vhost.h"
#include "virtio.h"

/**
 * struct blk_kernel - a disk served by the module
 * @base:      as dev_blk.c sees it
 * @vh:        the device node
 * @setup:     what it was created from
 * @packed:    the driver chose packed rings
 * @writeback: what the module was told last
 */
struct blk_kernel {
	struct blk_backend base;
	struct vhost vh;
	const struct blk_setup *setup;
	bool packed;
	bool writeback;
};

/* Where a fresh ring begins: packed, at slot 0 with both wrap counters set. */
#define BASE_SPLIT	0u
#define BASE_PACKED	0x80008000u

static struct blk_kernel *to_kernel(struct blk_backend *backend)
{
	return container_of(backend, struct blk_kernel, base);
}

static int set_backend(struct blk_kernel *k, bool writeback)
{
	const struct disk *disk = k->setup->disk;
	const char *serial = k->setup->opt->serial;
	uint64_t length = k->setup->opt->length;
	struct kvhost_blk_backend b = {
		.fd = disk->fd,
		.flags = (disk->readonly ? KVHOST_BLK_RDONLY : 0) |
			 (writeback ? 0 : KVHOST_BLK_WRITETHROUGH) |
			 (k->setup->opt->error == DISK_ERROR_STOP ?
			  KVHOST_BLK_STOP_ON_ERROR : 0),
		.offset = disk->offset,
		/* Less, if the file became shorter: the kernel wants it all. */
		.length = length < disk->bytes ? length : disk->bytes,
	};
	int ret;

	memcpy(b.serial, serial, strnlen(serial, sizeof(b.serial)));
	ret = vhost_blk_set_backend(&k->vh, &b);
	if (!ret)
		k->writeback = writeback;
	return ret;
}

static int start(struct blk_backend *backend, uint64_t features,
		 bool writeback)
{
	struct blk_kernel *k = to_kernel(backend);
	int ret = vhost_set_features(&k->vh, features & backend->features);

	k->packed = features & VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	if (!ret && writeback != k->writeback)
		ret = set_backend(k, writeback);
	return ret;
}

static int set_writeback(struct blk_backend *backend, bool writeback)
{
	struct blk_kernel *k = to_kernel(backend);

	return writeback == k->writeback ? 0 : set_backend(k, writeback);
}

static int set_limits(struct blk_backend *backend,
		      const struct disk_limits *limits)
{
	struct kvhost_blk_limits l = {
		.iops = limits->iops,
		.iops_burst = limits->iops_burst,
		.bytes = limits->bps,
		.bytes_burst = limits->bps_burst,
	};

	return vhost_blk_set_limits(&to_kernel(backend)->vh, &l);
}

static int error(struct blk_backend *backend, struct kvhost_blk_error *err)
{
	return vhost_blk_get_error(&to_kernel(backend)->vh, err);
}

static int resume(struct blk_backend *backend, uint32_t action)
{
	return vhost_blk_resume(&to_kernel(backend)->vh, action);
}

static int resize(struct blk_backend *backend)
{
	struct blk_kernel *k = to_kernel(backend);
	uint64_t sectors = k->setup->disk->bytes / DISK_SECTOR;
	struct kvhost_blk_config config;
	int ret = vhost_blk_resize(&k->vh);

	if (!ret)
		ret = vhost_blk_get_config(&k->vh, &config);
	/* As long again as it was before it became shorter. */
	if (!ret && config.capacity < sectors)
		ret = set_backend(k, k->writeback);
	if (!ret)
		ret = vhost_blk_get_config(&k->vh, &config);
	if (!ret)
		backend->capacity = config.capacity;
	return ret;
}

static int queue_start(struct blk_backend *backend,
		       const struct virtio_queue *vq)
{
	struct blk_kernel *k = to_kernel(backend);
	uint32_t base = k->packed ? BASE_PACKED : BASE_SPLIT;
	int ret;

	ret = vhost_set_vring_num(&k->vh, vq);
	if (!ret)
		ret = vhost_set_vring_base(&k->vh, vq, base);
	if (!ret)
		ret = vhost_set_vring_addr(&k->vh, vq, k->setup->mem);
	if (!ret)
		ret = vhost_set_vring_kick(&k->vh, vq);
	if (!ret)
		ret = vhost_set_vring_call(&k->vh, vq);
	if (!ret)
		ret = vhost_set_vring_err(&k->vh, vq, k->setup->err_fd);
	if (!ret)
		ret = vhost_set_vring_busyloop(&k->vh, vq, k->setup->opt->poll);
	if (!ret)
		ret = vhost_enable_vring(&k->vh, vq, 1);
	return ret;
}

static void queue_stop(struct blk_backend *backend,
		       const struct virtio_queue *vq)
{
	vhost_enable_vring(&to_kernel(backend)->vh, vq, 0);
}

static int stats(struct blk_backend *backend, unsigned int index,
		 struct kvhost_vring_stats *st)
{
	return vhost_get_vring_stats(&to_kernel(backend)->vh, index, st);
}

static int requests(struct blk_backend *backend, unsigned int index,
		    struct kvhost_blk_queue_stats *st)
{
	return vhost_blk_get_queue_stats(&to_kernel(backend)->vh, index, st);
}

static void destroy(struct blk_backend *backend)
{
	struct blk_kernel *k = to_kernel(backend);

	vhost_close(&k->vh);
	free(k);
}

static const struct blk_backend_ops ops = {
	.start = start,
	.set_writeback = set_writeback,
	.set_limits = set_limits,
	.error = error,
	.resume = resume,
	.resize = resize,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.stats = stats,
	.requests = requests,
	.destroy = destroy,
};

/* Queue i goes to worker i modulo their number. Without the option: one each. */
static int share_workers(struct blk_kernel *k)
{
	unsigned int n = k->setup->opt->workers, ids[KVHOST_BLK_QUEUES_MAX];
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < n; i++)
		ret = vhost_new_worker(&k->vh, &ids[i]);
	for (i = 0; !ret && n && i < k->setup->queues; i++)
		ret = vhost_attach_vring_worker(&k->vh, i, ids[i % n]);
	return ret;
}

static int set_up(struct blk_kernel *k)
{
	struct blk_backend *base = &k->base;
	struct kvhost_blk_config config;
	int ret;

	ret = vhost_set_owner(&k->vh);
	if (!ret)
		ret = vhost_get_features(&k->vh, &base->features);
	if (!ret)
		ret = share_workers(k);
	if (!ret && k->setup->opt->registered)
		ret = vhost_set_mem_mode(&k->vh, true);
	if (!ret)
		ret = vhost_set_memory(&k->vh, k->setup->mem);
	if (!ret)
		ret = set_backend(k, k->setup->writeback);
	if (!ret)
		ret = vhost_blk_get_config(&k->vh, &config);
	if (ret)
		return ret;
	base->capacity = config.capacity;
	base->logical = config.logical_block_size;
	base->physical = config.physical_block_size;
	base->seg_max = config.seg_max;
	base->ranges_max = config.ranges_max;
	base->discard_granularity = config.discard_granularity;
	if (!k->setup->disk->readonly)
		base->serves = config.serves;
	return 0;
}

/**
 * blk_kernel_create() - have the module serve a disk
 * @backend: filled in
 * @setup:   what disk, and whose memory
 *
 * Return: 0, -EINVAL for more queues than the module has, -ENOMEM, or -errno of
 * the module.
 */
int blk_kernel_create(struct blk_backend **backend,
		      const struct blk_setup *setup)
{
	struct blk_kernel *k;
	int ret;

	if (setup->queues > KVHOST_BLK_QUEUES_MAX) {
		log_error("%s: %u queues are more than the %u of backend=kernel",
			  setup->name, setup->queues, KVHOST_BLK_QUEUES_MAX);
		return -EINVAL;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->base.ops = &ops;
	k->setup = setup;
	ret = vhost_open(&k->vh, setup->opt->node, "kvhost_blk",
			 setup->name);
	if (!ret)
		ret = set_up(k);
	if (ret) {
		destroy(&k->base);
		return ret;
	}
	*backend = &k->base;
	return 0;
}
