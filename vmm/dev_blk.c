// SPDX-License-Identifier: GPL-2.0
/*
 * dev_blk.c - the virtio-blk device: features, configuration space, and the
 * backend behind it.
 *
 * The device is the same whoever processes its queues, so that backend=kernel
 * and backend=user differ in one word. A queue that a backend finds broken
 * arrives here as an eventfd and becomes DEVICE_NEEDS_RESET.
 *
 * Created on the main thread before the sandbox; device operations run with
 * vm_lock() held, the event loop's callback takes it.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dev_blk.h"
#include "event.h"
#include "loop.h"
#include "util.h"
#include "vring_stats.h"

/* Mass storage, SCSI: what other virtio-blk functions show. */
#define CLASS_CODE	0x010000

/* Sectors of one range, 2 GiB: what a driver asks for at once stays bounded. */
#define RANGE_SECTORS_MAX	(1u << 22)

/* Of a ring's descriptors, header and status take one each. */
#define SEGS_OVERHEAD	2

static struct dev_blk *to_blk(struct virtio_dev *vdev)
{
	return container_of(vdev, struct dev_blk, vdev);
}

/*
 * A write may be volatile when it completes only if the driver can flush, and
 * did not ask for anything else (5.2.6.2).
 */
static bool writeback(struct dev_blk *blk)
{
	if (!virtio_has(&blk->vdev, VIRTIO_BLK_F_FLUSH))
		return false;
	if (virtio_has(&blk->vdev, VIRTIO_BLK_F_CONFIG_WCE))
		return blk->config.wce;
	return blk->setup.writeback;
}

static void features_ok(struct virtio_dev *vdev)
{
	struct dev_blk *blk = to_blk(vdev);

	if (!virtio_has(vdev, VIRTIO_BLK_F_FLUSH))
		blk->config.wce = 0;
}

static int start(struct virtio_dev *vdev)
{
	struct dev_blk *blk = to_blk(vdev);
	int ret;

	vm_wait_begin(blk->vm, blk->name, blk->opt->path);
	ret = blk->backend->ops->start(blk->backend, virtio_features(vdev),
				       writeback(blk));
	vm_wait_end(blk->vm);
	return ret;
}

static void reset(struct virtio_dev *vdev)
{
	struct dev_blk *blk = to_blk(vdev);

	blk->config.wce = blk->setup.writeback;
}

static int queue_start(struct virtio_dev *vdev, struct virtio_queue *vq)
{
	struct dev_blk *blk = to_blk(vdev);

	return blk->backend->ops->queue_start(blk->backend, vq);
}

static void queue_stop(struct virtio_dev *vdev, struct virtio_queue *vq)
{
	struct dev_blk *blk = to_blk(vdev);

	vm_wait_begin(blk->vm, blk->name, blk->opt->path);
	blk->backend->ops->queue_stop(blk->backend, vq);
	vm_wait_end(blk->vm);
}

/* The one field a driver may write is writeback, and 0 and 1 all it may be. */
static void config_write(struct virtio_dev *vdev, size_t off, const void *data,
			 size_t len)
{
	struct dev_blk *blk = to_blk(vdev);
	uint8_t wce = *(const uint8_t *)data;
	int ret;

	if (off != offsetof(struct virtio_blk_config, wce) || len != 1)
		return;
	if (!virtio_has(vdev, VIRTIO_BLK_F_CONFIG_WCE) ||
	    !virtio_has(vdev, VIRTIO_BLK_F_FLUSH))
		return;
	if (wce > 1 || wce == blk->config.wce)
		return;
	blk->config.wce = wce;
	if (!vdev->started)
		return;
	vm_wait_begin(blk->vm, blk->name, blk->opt->path);
	ret = blk->backend->ops->set_writeback(blk->backend, writeback(blk));
	vm_wait_end(blk->vm);
	if (ret)
		virtio_error(vdev, "the write cache mode could not be changed");
}

static const struct virtio_ops virtio_ops = {
	.features_ok = features_ok,
	.start = start,
	.reset = reset,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.config_write = config_write,
};

static void broken(struct dev_blk *blk, unsigned int index)
{
	char why[64];

	snprintf(why, sizeof(why), "queue %u is malformed", index);
	virtio_error(&blk->vdev, why);
}

static void err_event(void *opaque, int fd, uint32_t events)
{
	struct dev_blk *blk = opaque;
	struct kvhost_vring_stats st;
	unsigned int i;

	vm_lock(blk->vm);
	event_clear(fd);
	for (i = 0; i < blk->vdev.nqueues; i++) {
		if (!blk->vdev.queues[i].live ||
		    blk->backend->ops->stats(blk->backend, i, &st))
			continue;
		/* A queue that was reset meanwhile is broken no more. */
		if (st.state == KVHOST_VRING_BROKEN)
			broken(blk, i);
	}
	dev_blk_tell_error(blk);
	vm_unlock(blk->vm);
}

static void print_status(void *opaque, FILE *out)
{
	struct dev_blk *blk = opaque;
	struct kvhost_vring_stats st;
	unsigned int i;

	fprintf(out, "path=%s\n", blk->opt->path);
	fprintf(out, "backend=%s\n",
		blk->opt->backend == DISK_BACKEND_KERNEL ? "kernel" : "user");
	fprintf(out, "sectors=%" PRIu64 "\n", blk->backend->capacity);
	dev_blk_print_limits(blk, out);
	fprintf(out, "device_status=0x%02x\n", blk->vdev.status);
	fprintf(out, "driver_features=0x%016" PRIx64 "\n",
		virtio_features(&blk->vdev));
	for (i = 0; i < blk->vdev.nqueues; i++) {
		if (!blk->backend->ops->stats(blk->backend, i, &st))
			vring_stats_status(out, &st);
	}
}

static void print_stats(void *opaque, FILE *out)
{
	struct dev_blk *blk = opaque;

	blk_stats_print(out, blk->name, blk->backend, blk->vdev.nqueues);
}

static void destroy(struct dev_blk *blk)
{
	virtio_pci_destroy(&blk->pci);
	if (blk->err_fd >= 0) {
		loop_del(vm_loop(blk->vm), blk->err_fd);
		close(blk->err_fd);
	}
	if (blk->backend)
		blk->backend->ops->destroy(blk->backend);
	virtio_destroy(&blk->vdev);
	disk_close(&blk->disk);
	free(blk);
}

static void stop(void *opaque)
{
	struct dev_blk *blk = opaque;

	virtio_reset(&blk->vdev);
	destroy(blk);
}

/* Fields of what is not offered stay 0. */
static void fill_ranges(struct virtio_blk_config *c, const struct blk_backend *b)
{
	uint32_t unit = b->discard_granularity;

	if (unit < b->logical || unit % b->logical)
		unit = b->logical;
	unit /= DISK_SECTOR;
	if (b->serves & KVHOST_BLK_DISCARD) {
		c->max_discard_sectors = htole32(RANGE_SECTORS_MAX);
		c->max_discard_seg = htole32(b->ranges_max);
		c->discard_sector_alignment = htole32(unit);
	}
	if (b->serves & KVHOST_BLK_WRITE_ZEROES) {
		c->max_write_zeroes_sectors = htole32(RANGE_SECTORS_MAX);
		c->max_write_zeroes_seg = htole32(b->ranges_max);
		c->write_zeroes_may_unmap = !!(b->serves & KVHOST_BLK_DISCARD);
	}
	if (b->serves & KVHOST_BLK_SECURE_ERASE) {
		c->max_secure_erase_sectors = htole32(RANGE_SECTORS_MAX);
		c->max_secure_erase_seg = htole32(b->ranges_max);
		c->secure_erase_sector_alignment = htole32(unit);
	}
}

static void fill_config(struct dev_blk *blk)
{
	const struct blk_backend *b = blk->backend;
	struct virtio_blk_config *c = &blk->config;
	uint32_t size = blk->opt->queue_size, segs = b->seg_max;
	uint32_t per_phys = b->physical / b->logical;

	if (segs > size - SEGS_OVERHEAD)
		segs = size - SEGS_OVERHEAD;
	c->capacity = htole64(b->capacity);
	c->seg_max = htole32(segs ? segs : 1);
	c->blk_size = htole32(b->logical);
	c->min_io_size = htole16(per_phys ? per_phys : 1);
	while (per_phys > 1) {
		c->physical_block_exp++;
		per_phys /= 2;
	}
	c->wce = blk->setup.writeback;
	c->num_queues = htole16(blk->setup.queues);
	fill_ranges(c, b);
}

static uint64_t offered(const struct dev_blk *blk)
{
	const struct disk_options *opt = blk->opt;
	uint64_t device = VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) |
			  VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) |
			  VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) |
			  VIRTIO_BIT(VIRTIO_BLK_F_TOPOLOGY) |
			  VIRTIO_BIT(VIRTIO_BLK_F_CONFIG_WCE);
	uint64_t ring = VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			VIRTIO_BIT(VIRTIO_F_RING_RESET);

	if (blk->backend->serves & KVHOST_BLK_DISCARD)
		device |= VIRTIO_BIT(VIRTIO_BLK_F_DISCARD);
	if (blk->backend->serves & KVHOST_BLK_WRITE_ZEROES)
		device |= VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	if (blk->backend->serves & KVHOST_BLK_SECURE_ERASE)
		device |= VIRTIO_BIT(VIRTIO_BLK_F_SECURE_ERASE);
	if (opt->readonly)
		device |= VIRTIO_BIT(VIRTIO_BLK_F_RO);
	if (blk->setup.queues > 1)
		device |= VIRTIO_BIT(VIRTIO_BLK_F_MQ);
	if (opt->indirect)
		ring |= VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	if (opt->event_idx)
		ring |= VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
	if (opt->packed)
		ring |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	if (opt->in_order)
		ring |= VIRTIO_BIT(VIRTIO_F_IN_ORDER);
	return device | (ring & blk->backend->features);
}

/* A feature the user asked for by name must not go missing silently. */
static int check_features(const struct dev_blk *blk)
{
	const struct disk_options *opt = blk->opt;
	uint64_t have = blk->backend->features;
	const char *missing = NULL;

	if (!(have & VIRTIO_BIT(VIRTIO_F_VERSION_1)))
		missing = "virtio 1.0";
	else if (opt->packed && !(have & VIRTIO_BIT(VIRTIO_F_RING_PACKED)))
		missing = "packed=on";
	else if (opt->in_order && !(have & VIRTIO_BIT(VIRTIO_F_IN_ORDER)))
		missing = "in_order=on";
	if (!missing)
		return 0;
	log_error("--disk: backend=%s does not serve %s",
		  opt->backend == DISK_BACKEND_KERNEL ? "kernel" : "user",
		  missing);
	return -EINVAL;
}

/* The doorbells of all queues come first: a backend may have to know them. */
static int create_queues(struct dev_blk *blk, unsigned int queues)
{
	int ret = virtio_init(&blk->vdev, queues, blk->opt->queue_size);

	blk->err_fd = ret ? ret : event_open();
	if (blk->err_fd >= 0)
		return 0;
	log_error("%s: no eventfds for %u queues: %s", blk->name, queues,
		  strerror(-blk->err_fd));
	return blk->err_fd;
}

static int create_backend(struct dev_blk *blk)
{
	unsigned int queues = blk->opt->queues ? blk->opt->queues :
			      vm_cpus(blk->vm);
	int ret = create_queues(blk, queues);

	if (ret)
		return ret;
	blk->setup = (struct blk_setup) {
		.name = blk->name,
		.disk = &blk->disk,
		.opt = blk->opt,
		.mem = vm_memory(blk->vm),
		.queues = queues,
		.vqs = blk->vdev.queues,
		.writeback = blk->opt->cache == DISK_CACHE_WRITEBACK,
		.err_fd = blk->err_fd,
	};
	if (blk->opt->backend == DISK_BACKEND_KERNEL)
		ret = blk_kernel_create(&blk->backend, &blk->setup);
	else
		ret = blk_user_create(&blk->backend, &blk->setup);
	if (!ret)
		ret = check_features(blk);
	if (!ret)
		ret = dev_blk_limit(blk, &blk->opt->limits);
	return ret;
}

static int create_device(struct dev_blk *blk)
{
	struct virtio_dev *vdev = &blk->vdev;
	int ret;

	fill_config(blk);
	vdev->ops = &virtio_ops;
	vdev->name = blk->name;
	vdev->id = VIRTIO_ID_BLOCK;
	vdev->mem = vm_memory(blk->vm);
	vdev->offered = offered(blk);
	vdev->config = &blk->config;
	vdev->config_len = sizeof(blk->config);
	ret = virtio_pci_create(&blk->pci, blk->vm, vdev, CLASS_CODE);
	if (!ret)
		ret = loop_add(vm_loop(blk->vm), blk->err_fd, EPOLLIN,
			       err_event, blk);
	if (ret)
		log_error("%s: cannot add '%s' to the PCI bus: %s", blk->name,
			  blk->opt->path, strerror(-ret));
	return ret;
}

/**
 * dev_blk_create() - add a virtio-blk function to the VM
 * @vm:  the VM, its memory, loop and PCI bus ready
 * @opt: what disk; lives as long as @vm
 *
 * Context: main thread, before the sandbox.
 * Return: 0, or -errno after one line on stderr.
 */
int dev_blk_create(struct vm *vm, const struct disk_options *opt)
{
	struct dev_blk *blk = calloc(1, sizeof(*blk));
	int ret;

	if (!blk)
		return -ENOMEM;
	blk->vm = vm;
	blk->opt = opt;
	blk->err_fd = -1;
	snprintf(blk->name, sizeof(blk->name), "disk%u",
		 (unsigned int)(opt - vm_options(vm)->disks) % 100);
	ret = disk_open(&blk->disk, opt);
	if (!ret)
		ret = create_backend(blk);
	if (!ret)
		ret = create_device(blk);
	if (ret) {
		destroy(blk);
		return ret;
	}
	blk->hook = (struct vm_hook) {
		.name = blk->name,
		.stop = stop,
		.status = print_status,
		.stats = print_stats,
		.command = dev_blk_command,
		.opaque = blk,
	};
	vm_hook_add(vm, &blk->hook);
	return 0;
}
