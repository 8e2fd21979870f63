// SPDX-License-Identifier: GPL-2.0
/*
 * msg.c - the device node as a channel of IOTLB messages.
 *
 * read() gives misses, write() takes mappings and invalidations, poll() tells
 * when there is something to read: the protocol of vhost, in both versions.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uio.h>
#include "core.h"

/**
 * kvh_dev_write_iter() - take one message
 * @iocb: the open node
 * @from: a struct vhost_msg or vhost_msg_v2
 *
 * As in vhost, the caller need not be the owner, but addresses are the owner's.
 *
 * Context: Process context.
 * Return: bytes of the whole structure, as in vhost even if fewer were written;
 * -EINVAL for a message cut short, of unknown version, or an empty mapping;
 * -EFAULT for any other that cannot be obeyed; -EINTR
 */
ssize_t kvh_dev_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct kvh_dev *dev = iocb->ki_filp->private_data;
	struct vhost_iotlb_msg msg;
	size_t skip, size;
	u32 type;
	int ret;

	if (copy_from_iter(&type, sizeof(type), from) != sizeof(type))
		return -EINVAL;
	switch (type) {
	case VHOST_IOTLB_MSG:
		skip = offsetof(struct vhost_msg, iotlb);
		size = sizeof(struct vhost_msg);
		break;
	case VHOST_IOTLB_MSG_V2:
		skip = offsetof(struct vhost_msg_v2, iotlb);
		size = sizeof(struct vhost_msg_v2);
		break;
	default:
		return -EINVAL;
	}
	iov_iter_advance(from, skip - sizeof(type));
	if (copy_from_iter(&msg, sizeof(msg), from) != sizeof(msg))
		return -EINVAL;

	if (msg.type == VHOST_IOTLB_UPDATE && !msg.size)
		return -EINVAL;

	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	ret = kvh_iotlb_message(dev, &msg);
	mutex_unlock(&dev->lock);
	if (ret)
		return ret == -EINTR ? ret : -EFAULT;
	return size;
}

/* Copy a miss out, in the version of the protocol that was agreed on. */
static ssize_t msg_copy(struct kvh_dev *dev, const struct vhost_iotlb_msg *miss,
			struct iov_iter *to)
{
	struct vhost_msg_v2 v2 = { .type = VHOST_IOTLB_MSG_V2 };
	struct vhost_msg v1;

	if (dev->backend_features & BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2)) {
		v2.iotlb = *miss;
		return copy_to_iter(&v2, sizeof(v2), to) == sizeof(v2) ?
		       (ssize_t)sizeof(v2) : -EFAULT;
	}
	/* There is a hole behind the type. */
	memset(&v1, 0, sizeof(v1));
	v1.type = VHOST_IOTLB_MSG;
	v1.iotlb = *miss;
	return copy_to_iter(&v1, sizeof(v1), to) == sizeof(v1) ? (ssize_t)sizeof(v1) : -EFAULT;
}

/**
 * kvh_dev_read_iter() - give one miss
 * @iocb: the open node
 * @to:   room for a struct vhost_msg or vhost_msg_v2
 *
 * Context: Process context. Waits for a miss unless the node is non-blocking.
 * Return: bytes of the message, 0 if there is no room for one; -EAGAIN,
 * -ERESTARTSYS; -EBADFD if no misses can come; -EFAULT
 */
ssize_t kvh_dev_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct kvh_dev *dev = file->private_data;
	struct vhost_iotlb_msg miss;
	bool found;
	int ret;

	if (iov_iter_count(to) < sizeof(struct vhost_msg))
		return 0;
	found = kvh_iotlb_next_miss(dev, &miss);
	if (!found && (file->f_flags & O_NONBLOCK))
		return -EAGAIN;
	if (!found) {
		ret = wait_event_interruptible(dev->miss_wait,
					       (found = kvh_iotlb_next_miss(dev, &miss)) ||
					       !READ_ONCE(dev->iotlb));
		if (ret)
			return ret;
	}
	return found ? msg_copy(dev, &miss, to) : -EBADFD;
}

/**
 * kvh_dev_poll() - is there a miss to read?
 * @file: the open node
 * @wait: poll table
 *
 * Context: Process context.
 * Return: EPOLLIN | EPOLLRDNORM if there is, else 0
 */
__poll_t kvh_dev_poll(struct file *file, struct poll_table_struct *wait)
{
	struct kvh_dev *dev = file->private_data;

	poll_wait(file, &dev->miss_wait, wait);
	return kvh_iotlb_has_miss(dev) ? EPOLLIN | EPOLLRDNORM : 0;
}
