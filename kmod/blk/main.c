// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - the module kvhost_blk: /dev/kvhost-blk and its own ioctls.
 *
 * A device has at most one disk. It is replaced only while the core holds all
 * queues with nothing in flight, so requests carry a plain pointer to it.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/virtio_blk.h>
#include "blk.h"

/* Backend state of a device; disk is under the device lock, stable while a queue runs. */
struct blk_dev {
	struct blk_disk *disk;
};

/**
 * blk_vq_disk() - the disk a queue's requests go to
 * @vq: queue
 *
 * Context: Worker, queue lock held, from kvh_backend.serve.
 * Return: the disk
 */
const struct blk_disk *blk_vq_disk(const struct kvh_vq *vq)
{
	const struct blk_dev *bd = kvh_dev_private(kvh_vq_dev(vq));

	return bd->disk;
}

static int blk_open(struct kvh_dev *dev)
{
	struct blk_dev *bd = kzalloc(sizeof(*bd), GFP_KERNEL_ACCOUNT);

	if (!bd)
		return -ENOMEM;
	kvh_dev_set_private(dev, bd);
	return 0;
}

static void blk_release(struct kvh_dev *dev)
{
	kfree(kvh_dev_private(dev));
}

static int blk_ready(struct kvh_dev *dev)
{
	const struct blk_dev *bd = kvh_dev_private(dev);

	return bd->disk ? 0 : -ENODEV;
}

static void blk_detach(struct kvh_dev *dev)
{
	struct blk_dev *bd = kvh_dev_private(dev);

	blk_disk_close(bd->disk);
	bd->disk = NULL;
}

#define BLK_FLAGS	(KVHOST_BLK_RDONLY | KVHOST_BLK_WRITETHROUGH)

static long blk_set_backend(struct kvh_dev *dev, void __user *argp)
{
	struct blk_dev *bd = kvh_dev_private(dev);
	struct kvhost_blk_backend b;
	struct blk_disk *disk;
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)argp))
		return -EFAULT;
	if (size < sizeof(b))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&b, sizeof(b), argp, size);
	if (ret)
		return ret;
	if ((b.flags & ~BLK_FLAGS) || memchr_inv(b.reserved, 0, sizeof(b.reserved)))
		return -EINVAL;

	if (b.fd == -1) {
		ret = kvh_dev_stop_queues(dev);
		if (!ret)
			blk_detach(dev);
		return ret;
	}
	disk = blk_disk_open(&b);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	ret = kvh_dev_hold(dev);
	if (!ret) {
		swap(bd->disk, disk);
		kvh_dev_resume(dev);
	}
	blk_disk_close(disk);
	return ret;
}

static long blk_get_config(struct kvh_dev *dev, void __user *argp)
{
	const struct blk_dev *bd = kvh_dev_private(dev);
	struct kvhost_blk_config c = { .size = sizeof(c) };
	u32 size;

	if (get_user(size, (u32 __user *)argp))
		return -EFAULT;
	if (size < sizeof(size))
		return -EINVAL;
	if (!bd->disk)
		return -ENODEV;
	/* Header and status take a descriptor each. */
	c.seg_max = KVH_CHAIN_SEGS_MAX - 2;
	c.flags = bd->disk->flags;
	c.capacity = bd->disk->capacity;
	c.logical_block_size = bd->disk->lbs;
	c.physical_block_size = bd->disk->pbs;
	c.serves = (bd->disk->discard ? KVHOST_BLK_DISCARD : 0) |
		   (bd->disk->zeroes ? KVHOST_BLK_WRITE_ZEROES : 0) |
		   (bd->disk->erase ? KVHOST_BLK_SECURE_ERASE : 0);
	c.discard_granularity = bd->disk->discard_granularity;
	c.ranges_max = KVHOST_BLK_RANGES_MAX;
	return copy_to_user(argp, &c, min_t(size_t, size, sizeof(c))) ? -EFAULT : 0;
}

static long blk_ioctl(struct kvh_dev *dev, unsigned int cmd, void __user *argp)
{
	switch (cmd) {
	case KVHOST_BLK_SET_BACKEND:
		return blk_set_backend(dev, argp);
	case KVHOST_BLK_GET_CONFIG:
		return blk_get_config(dev, argp);
	default:
		return -ENOIOCTLCMD;
	}
}

static const struct kvhost_counter blk_counters[] = KVHOST_BLK_COUNTERS;

static const struct kvh_backend blk_backend = {
	.name = "blk",
	.owner = THIS_MODULE,
	.nvqs = KVHOST_BLK_QUEUES_MAX,
	.features = BIT_ULL(VIRTIO_BLK_F_SEG_MAX) | BIT_ULL(VIRTIO_BLK_F_RO) |
		    BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) | BIT_ULL(VIRTIO_BLK_F_FLUSH) |
		    BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) | BIT_ULL(VIRTIO_BLK_F_MQ) |
		    BIT_ULL(VIRTIO_BLK_F_DISCARD) | BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES) |
		    BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE),
	.open = blk_open,
	.release = blk_release,
	.ioctl = blk_ioctl,
	.detach = blk_detach,
	.ready = blk_ready,
	.start = blk_queue_start,
	.stop = blk_queue_stop,
	.serve = blk_queue_serve,
	.reap = blk_queue_reap,
	.pending = blk_queue_pending,
	.counters = blk_counters,
	.nr_counters = ARRAY_SIZE(blk_counters),
	.stats_size = sizeof(struct kvhost_blk_queue_stats),
	.stats_cmd = KVHOST_BLK_GET_QUEUE_STATS,
};

static struct kvh_node *blk_node;

static int __init kvhost_blk_init(void)
{
	int ret;

	ret = blk_bio_init();
	if (ret)
		return ret;
	blk_node = kvh_node_register(&blk_backend);
	if (IS_ERR(blk_node)) {
		blk_bio_exit();
		return PTR_ERR(blk_node);
	}
	return 0;
}

static void __exit kvhost_blk_exit(void)
{
	kvh_node_unregister(blk_node);
	blk_bio_exit();
}

module_init(kvhost_blk_init);
module_exit(kvhost_blk_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("In-kernel virtio backend: block devices");
