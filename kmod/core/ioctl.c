// SPDX-License-Identifier: GPL-2.0
/*
 * ioctl.c - the control plane: <linux/vhost.h> to the letter, and ours.
 *
 * One table: a command, who may call it, what serves it. Commands that name a
 * queue get it looked up and locked for them. As in vhost, an unknown command
 * is answered by the queue path: owner first, then the index, then ENOTTY.
 */
#include <linux/nospec.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>
#include "core.h"

/* Which ioctl answers the dev lock holder; queue ioctls hold the queue lock too. */
struct dev_ioctl {
	unsigned int cmd;
	bool needs_owner;
	long (*fn)(struct kvh_dev *dev, void __user *argp);
};

struct vq_ioctl {
	unsigned int cmd;
	long (*fn)(struct kvh_vq *vq, void __user *argp);
};

#define BACKEND_FEATURES	BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2)

static long put_u64(void __user *argp, u64 value)
{
	return copy_to_user(argp, &value, sizeof(value)) ? -EFAULT : 0;
}

static long dev_get_features(struct kvh_dev *dev, void __user *argp)
{
	return put_u64(argp, kvh_features_offered(dev));
}

static long dev_set_features(struct kvh_dev *dev, void __user *argp)
{
	u64 features;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	return kvh_dev_set_features(dev, features);
}

static long dev_get_backend_features(struct kvh_dev *dev, void __user *argp)
{
	return put_u64(argp, BACKEND_FEATURES);
}

static long dev_set_backend_features(struct kvh_dev *dev, void __user *argp)
{
	u64 features;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	if (features & ~BACKEND_FEATURES)
		return -EOPNOTSUPP;
	dev->backend_features = features;
	return 0;
}

static long dev_set_owner(struct kvh_dev *dev, void __user *argp)
{
	return kvh_dev_set_owner(dev);
}

/* As in vhost, the next owner finds a memory table without regions. */
static long dev_reset_owner(struct kvh_dev *dev, void __user *argp)
{
	struct kvh_memmap *none = kvh_memmap_alloc(0);
	int ret;

	if (!none)
		return -ENOMEM;
	ret = kvh_dev_reset(dev);
	if (!ret)
		ret = kvh_dev_set_map(dev, none);
	if (ret)
		kvfree(none);
	return ret;
}

static long dev_set_mem_table(struct kvh_dev *dev, void __user *argp)
{
	struct kvh_memmap *map = kvh_memmap_from_user(argp);
	int ret;

	if (IS_ERR(map))
		return PTR_ERR(map);
	ret = kvh_dev_set_map(dev, map);
	if (ret)
		kvfree(map);
	return ret;
}

static long dev_set_log_base(struct kvh_dev *dev, void __user *argp)
{
	u64 base;

	if (copy_from_user(&base, argp, sizeof(base)))
		return -EFAULT;
	if (base != (unsigned long)base)
		return -EFAULT;
	return kvh_dev_set_log_base(dev, base);
}

static long dev_set_log_fd(struct kvh_dev *dev, void __user *argp)
{
	int fd;

	if (get_user(fd, (int __user *)argp))
		return -EFAULT;
	return kvh_dev_set_log_fd(dev, fd);
}

static long dev_set_mem_mode(struct kvh_dev *dev, void __user *argp)
{
	u32 mode;

	if (get_user(mode, (u32 __user *)argp))
		return -EFAULT;
	if (mode != KVHOST_MEM_USER && mode != KVHOST_MEM_REGISTERED)
		return -EINVAL;
	return kvh_dev_set_mem_mode(dev, mode == KVHOST_MEM_REGISTERED);
}

/* Start or stop a queue; takes the queue lock itself, for it may wait. */
static long dev_set_vring_enable(struct kvh_dev *dev, void __user *argp)
{
	struct vhost_vring_state s;
	struct kvh_vq *vq;
	int ret;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (s.index >= dev->nvqs)
		return -ENOBUFS;
	if (!dev->backend->ready)
		return -ENOIOCTLCMD;
	if (s.num > 1)
		return -EINVAL;
	vq = kvh_dev_vq(dev, s.index);
	if (!s.num)
		return kvh_vq_stop(vq);
	ret = dev->backend->ready(dev);
	return ret ? ret : kvh_vq_run(vq);
}

static long vq_set_num(struct kvh_vq *vq, void __user *argp)
{
	bool packed = vq->features & BIT_ULL(VIRTIO_F_RING_PACKED);
	struct vhost_vring_state s;

	if (vq->state != KVH_VQ_STOPPED)
		return -EBUSY;
	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (!kvh_ring_desc_bytes(packed ? KVH_RING_PACKED : KVH_RING_SPLIT, s.num))
		return -EINVAL;
	vq->size = s.num;
	return 0;
}

static long vq_set_addr(struct kvh_vq *vq, void __user *argp)
{
	struct vhost_vring_addr a;

	if (copy_from_user(&a, argp, sizeof(a)))
		return -EFAULT;
	return kvh_vq_set_addr(vq, &a);
}

static long vq_set_base(struct kvh_vq *vq, void __user *argp)
{
	struct vhost_vring_state s;

	if (vq->state != KVH_VQ_STOPPED)
		return -EBUSY;
	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (!(vq->features & BIT_ULL(VIRTIO_F_RING_PACKED)) && s.num > 0xffff)
		return -EINVAL;
	vq->base = s.num;
	vq->base_set = true;
	return 0;
}

static long vq_put_state(struct kvh_vq *vq, void __user *argp, u32 num)
{
	struct vhost_vring_state s = { .index = vq->index, .num = num };

	return copy_to_user(argp, &s, sizeof(s)) ? -EFAULT : 0;
}

static long vq_get_base(struct kvh_vq *vq, void __user *argp)
{
	return vq_put_state(vq, argp, kvh_vq_base(vq));
}

static long vq_get_file(void __user *argp, int *fd)
{
	struct vhost_vring_file f;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	*fd = f.fd;
	return 0;
}

static long vq_set_kick(struct kvh_vq *vq, void __user *argp)
{
	int fd;
	long ret = vq_get_file(argp, &fd);

	return ret ? ret : kvh_kick_set(vq, fd);
}

static long vq_set_call(struct kvh_vq *vq, void __user *argp)
{
	int fd;
	long ret = vq_get_file(argp, &fd);

	return ret ? ret : kvh_eventfd_swap(&vq->call, fd);
}

static long vq_set_err(struct kvh_vq *vq, void __user *argp)
{
	int fd;
	long ret = vq_get_file(argp, &fd);

	return ret ? ret : kvh_eventfd_swap(&vq->err, fd);
}

static long vq_set_busyloop(struct kvh_vq *vq, void __user *argp)
{
	struct vhost_vring_state s;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	vq->busyloop = s.num;
	return 0;
}

static long vq_get_busyloop(struct kvh_vq *vq, void __user *argp)
{
	return vq_put_state(vq, argp, vq->busyloop);
}

/* As vhost has it for the commands about workers. */
static int worker_check_owner(const struct kvh_dev *dev)
{
	return dev->mm ? kvh_dev_check_owner(dev) : -EINVAL;
}

static long dev_new_worker(struct kvh_dev *dev, void __user *argp)
{
	struct vhost_worker_state s;
	int ret = worker_check_owner(dev);

	if (!ret)
		ret = kvh_pool_new(dev, &s.worker_id);
	if (ret)
		return ret;
	if (!copy_to_user(argp, &s, sizeof(s)))
		return 0;
	/* Nobody knows of it. */
	kvh_pool_free(dev, s.worker_id);
	return -EFAULT;
}

static long dev_free_worker(struct kvh_dev *dev, void __user *argp)
{
	struct vhost_worker_state s;
	int ret = worker_check_owner(dev);

	if (ret)
		return ret;
	return copy_from_user(&s, argp, sizeof(s)) ? -EFAULT : kvh_pool_free(dev, s.worker_id);
}

/* Attaching waits for the queue's turn to end, so it takes the queue lock itself. */
static long dev_attach_vring_worker(struct kvh_dev *dev, void __user *argp)
{
	struct vhost_vring_worker w;
	int ret = worker_check_owner(dev);

	if (ret)
		return ret;
	if (get_user(w.index, (u32 __user *)argp))
		return -EFAULT;
	if (w.index >= dev->nvqs)
		return -ENOBUFS;
	if (copy_from_user(&w, argp, sizeof(w)))
		return -EFAULT;
	/* Fetched anew, so checked anew. */
	if (w.index >= dev->nvqs)
		return -ENOBUFS;
	return kvh_pool_attach(&dev->vqs[array_index_nospec(w.index, dev->nvqs)], w.worker_id);
}

static long dev_get_vring_worker(struct kvh_dev *dev, void __user *argp)
{
	struct vhost_vring_worker w;
	struct kvh_vq *vq;
	int ret = worker_check_owner(dev);

	if (ret)
		return ret;
	if (get_user(w.index, (u32 __user *)argp))
		return -EFAULT;
	if (w.index >= dev->nvqs)
		return -ENOBUFS;
	vq = &dev->vqs[array_index_nospec(w.index, dev->nvqs)];
	ret = kvh_pool_need(vq);
	if (ret)
		return ret;
	w.worker_id = kvh_pool_of(vq)->id;
	return copy_to_user(argp, &w, sizeof(w)) ? -EFAULT : 0;
}

#if IS_ENABLED(CONFIG_VHOST_ENABLE_FORK_OWNER_CONTROL)
/* Kinds of worker: a thread of the owner, or the kernel's. */
static long dev_set_fork_from_owner(struct kvh_dev *dev, void __user *argp)
{
	u8 fork;

	if (dev->mm)
		return -EBUSY;
	if (get_user(fork, (u8 __user *)argp))
		return -EFAULT;
	if (fork != VHOST_FORK_OWNER_TASK && fork != VHOST_FORK_OWNER_KTHREAD)
		return -EINVAL;
	dev->kthreads = fork == VHOST_FORK_OWNER_KTHREAD;
	return 0;
}

static long dev_get_fork_from_owner(struct kvh_dev *dev, void __user *argp)
{
	u8 fork = dev->kthreads ? VHOST_FORK_OWNER_KTHREAD : VHOST_FORK_OWNER_TASK;

	return put_user(fork, (u8 __user *)argp);
}
#endif

static const struct dev_ioctl dev_ioctls[] = {
	{ VHOST_GET_FEATURES, false, dev_get_features },
	{ VHOST_SET_FEATURES, false, dev_set_features },
	{ VHOST_GET_BACKEND_FEATURES, false, dev_get_backend_features },
	{ VHOST_SET_BACKEND_FEATURES, false, dev_set_backend_features },
	{ VHOST_SET_OWNER, false, dev_set_owner },
	{ VHOST_RESET_OWNER, true, dev_reset_owner },
#if IS_ENABLED(CONFIG_VHOST_ENABLE_FORK_OWNER_CONTROL)
	{ VHOST_SET_FORK_FROM_OWNER, false, dev_set_fork_from_owner },
	{ VHOST_GET_FORK_FROM_OWNER, false, dev_get_fork_from_owner },
#endif
	{ VHOST_SET_MEM_TABLE, true, dev_set_mem_table },
	{ VHOST_SET_LOG_BASE, true, dev_set_log_base },
	{ VHOST_SET_LOG_FD, true, dev_set_log_fd },
	{ VHOST_NEW_WORKER, false, dev_new_worker },
	{ VHOST_FREE_WORKER, false, dev_free_worker },
	{ VHOST_ATTACH_VRING_WORKER, false, dev_attach_vring_worker },
	{ VHOST_GET_VRING_WORKER, false, dev_get_vring_worker },
	{ KVHOST_SET_VRING_ENABLE, true, dev_set_vring_enable },
	{ KVHOST_SET_MEM_MODE, true, dev_set_mem_mode },
};

static const struct vq_ioctl vq_ioctls[] = {
	{ VHOST_SET_VRING_NUM, vq_set_num },
	{ VHOST_SET_VRING_ADDR, vq_set_addr },
	{ VHOST_SET_VRING_BASE, vq_set_base },
	{ VHOST_GET_VRING_BASE, vq_get_base },
	{ VHOST_SET_VRING_KICK, vq_set_kick },
	{ VHOST_SET_VRING_CALL, vq_set_call },
	{ VHOST_SET_VRING_ERR, vq_set_err },
	{ VHOST_SET_VRING_BUSYLOOP_TIMEOUT, vq_set_busyloop },
	{ VHOST_GET_VRING_BUSYLOOP_TIMEOUT, vq_get_busyloop },
};

static long vq_dispatch(struct kvh_dev *dev, unsigned int cmd, void __user *argp)
{
	struct kvh_vq *vq;
	unsigned int i;
	long ret = -ENOIOCTLCMD;
	u32 index;

	if (get_user(index, (u32 __user *)argp))
		return -EFAULT;
	if (index >= dev->nvqs)
		return -ENOBUFS;
	vq = &dev->vqs[array_index_nospec(index, dev->nvqs)];

	for (i = 0; i < ARRAY_SIZE(vq_ioctls); i++) {
		if (vq_ioctls[i].cmd != cmd)
			continue;
		ret = kvh_vq_lock(vq);
		if (ret)
			return ret;
		ret = vq_ioctls[i].fn(vq, argp);
		mutex_unlock(&vq->lock);
		break;
	}
	return ret;
}

static long dev_dispatch(struct kvh_dev *dev, unsigned int cmd, void __user *argp)
{
	unsigned int i;
	long ret;

	lockdep_assert_held(&dev->lock);
	for (i = 0; i < ARRAY_SIZE(dev_ioctls); i++) {
		if (dev_ioctls[i].cmd != cmd)
			continue;
		ret = dev_ioctls[i].needs_owner ? kvh_dev_check_owner(dev) : 0;
		return ret ? ret : dev_ioctls[i].fn(dev, argp);
	}
	/* The backend looks at the owner itself: vhost-net reads its argument first. */
	ret = dev->backend->ioctl(dev, cmd, argp);
	if (ret != -ENOIOCTLCMD)
		return ret;
	ret = kvh_dev_check_owner(dev);
	return ret ? ret : vq_dispatch(dev, cmd, argp);
}

/**
 * kvh_dev_ioctl() - entry of every ioctl on a device node
 * @file: the open node
 * @cmd:  command
 * @arg:  its argument
 *
 * Context: Process context.
 * Return: 0 or -errno, for each command as Documentation/uapi.md says
 */
long kvh_dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct kvh_dev *dev = file->private_data;
	long ret;

	ret = kvh_stats_ioctl(dev, cmd, (void __user *)arg);
	if (ret != -ENOIOCTLCMD)
		return ret;
	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	ret = dev_dispatch(dev, cmd, (void __user *)arg);
	mutex_unlock(&dev->lock);
	return ret;
}
