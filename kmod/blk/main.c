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

static int blk_open(struct kvh_dev *dev)
{
	struct blk_dev *bd = kzalloc(sizeof(*bd), GFP_KERNEL_ACCOUNT);

	if (!bd)
		return -ENOMEM;
	blk_limit_init(&bd->limit);
	blk_halt_init(&bd->halt);
	blk_budget_init(&bd->budget);
	kvh_dev_set_private(dev, bd);
	return 0;
}

static void blk_release(struct kvh_dev *dev)
{
	struct blk_dev *bd = kvh_dev_private(dev);

	blk_limit_exit(&bd->limit);
	kfree(bd);
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
	blk_halt_forget(&bd->halt);
	blk_limit_set(&bd->limit, &(struct kvhost_blk_limits){ });
}

#define BLK_FLAGS	(KVHOST_BLK_RDONLY | KVHOST_BLK_WRITETHROUGH | \
			 KVHOST_BLK_STOP_ON_ERROR)

static int arg_size(const void __user *argp, u32 *size)
{
	if (get_user(*size, (const u32 __user *)argp))
		return -EFAULT;
	return *size < sizeof(*size) ? -EINVAL : 0;
}

/* Copy an argument that begins with its size and grows at its end. */
static int arg_copy(void *arg, size_t known, const void __user *argp)
{
	u32 size;
	int ret = arg_size(argp, &size);

	if (ret)
		return ret;
	if (size < known)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(arg, known, argp, size);
}

static long blk_set_backend(struct kvh_dev *dev, void __user *argp)
{
	struct blk_dev *bd = kvh_dev_private(dev);
	struct kvhost_blk_backend b;
	struct blk_disk *disk;
	int ret;

	ret = arg_copy(&b, sizeof(b), argp);
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
		/* The same open file, in another mode: what it has lost stays lost. */
		if (bd->disk && bd->disk->file == disk->file)
			disk->wb_err = bd->disk->wb_err;
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
	int ret = arg_size(argp, &size);

	if (ret)
		return ret;
	if (!bd->disk)
		return -ENODEV;
	/* Header and status take a descriptor each. */
	c.seg_max = KVH_CHAIN_SEGS_MAX - 2;
	c.flags = bd->disk->flags;
	c.capacity = bd->disk->limits.capacity;
	c.logical_block_size = bd->disk->limits.lbs;
	c.physical_block_size = bd->disk->pbs;
	c.serves = (bd->disk->limits.discard ? KVHOST_BLK_DISCARD : 0) |
		   (bd->disk->limits.zeroes ? KVHOST_BLK_WRITE_ZEROES : 0) |
		   (bd->disk->limits.erase ? KVHOST_BLK_SECURE_ERASE : 0);
	c.discard_granularity = bd->disk->discard_granularity;
	c.ranges_max = KVHOST_BLK_RANGES_MAX;
	return copy_to_user(argp, &c, min_t(size_t, size, sizeof(c))) ? -EFAULT : 0;
}

static long blk_set_limits(struct kvh_dev *dev, const void __user *argp)
{
	struct blk_dev *bd = kvh_dev_private(dev);
	struct kvhost_blk_limits set;
	int ret = arg_copy(&set, sizeof(set), argp);

	if (ret)
		return ret;
	if (set.flags || memchr_inv(set.reserved, 0, sizeof(set.reserved)))
		return -EINVAL;
	return blk_limit_set(&bd->limit, &set);
}

static long blk_get_limits(struct kvh_dev *dev, void __user *argp)
{
	struct blk_dev *bd = kvh_dev_private(dev);
	struct kvhost_blk_limits get = { .size = sizeof(get) };
	u32 size;
	int ret = arg_size(argp, &size);

	if (ret)
		return ret;
	blk_limit_get(&bd->limit, &get);
	return copy_to_user(argp, &get, min_t(size_t, size, sizeof(get))) ? -EFAULT : 0;
}

static long blk_get_error(struct kvh_dev *dev, void __user *argp)
{
	struct blk_dev *bd = kvh_dev_private(dev);
	struct kvhost_blk_error get = { .size = sizeof(get) };
	u32 size;
	int ret = arg_size(argp, &size);

	if (ret)
		return ret;
	blk_halt_get(&bd->halt, &get);
	return copy_to_user(argp, &get, min_t(size_t, size, sizeof(get))) ? -EFAULT : 0;
}

static long blk_resume(struct kvh_dev *dev, const void __user *argp)
{
	struct blk_dev *bd = kvh_dev_private(dev);
	u32 action;

	if (get_user(action, (const u32 __user *)argp))
		return -EFAULT;
	if (action > KVHOST_BLK_REPORT)
		return -EINVAL;
	blk_halt_resume(&bd->halt, action);
	return 0;
}

static long blk_resize(struct kvh_dev *dev)
{
	struct blk_dev *bd = kvh_dev_private(dev);

	if (!bd->disk)
		return -ENODEV;
	blk_disk_resize(bd->disk);
	return 0;
}

static long blk_ioctl(struct kvh_dev *dev, unsigned int cmd, void __user *argp)
{
	int ret = kvh_dev_check_owner(dev);

	if (ret)
		return ret;
	switch (cmd) {
	case KVHOST_BLK_SET_BACKEND:
		return blk_set_backend(dev, argp);
	case KVHOST_BLK_GET_CONFIG:
		return blk_get_config(dev, argp);
	case KVHOST_BLK_SET_LIMITS:
		return blk_set_limits(dev, argp);
	case KVHOST_BLK_GET_LIMITS:
		return blk_get_limits(dev, argp);
	case KVHOST_BLK_GET_ERROR:
		return blk_get_error(dev, argp);
	case KVHOST_BLK_RESUME:
		return blk_resume(dev, argp);
	case KVHOST_BLK_RESIZE:
		return blk_resize(dev);
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
	.touches = blk_queue_touches,
	.gathers = true,
	.counters = blk_counters,
	.nr_counters = ARRAY_SIZE(blk_counters),
	.stats_size = sizeof(struct kvhost_blk_queue_stats),
	.stats_cmd = KVHOST_BLK_GET_QUEUE_STATS,
};

static struct kvh_node *blk_node;

static int __init kvhost_blk_init(void)
{
	blk_node = kvh_node_register(&blk_backend);
	return PTR_ERR_OR_ZERO(blk_node);
}

static void __exit kvhost_blk_exit(void)
{
	kvh_node_unregister(blk_node);
}

module_init(kvhost_blk_init);
module_exit(kvhost_blk_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("In-kernel virtio backend: block devices");
