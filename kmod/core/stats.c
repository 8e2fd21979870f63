// SPDX-License-Identifier: GPL-2.0
/*
 * stats.c - counters of queues, by ioctl and in debugfs.
 *
 * Counters are single words written by one thread at a time; readers take no
 * lock and see each word whole, not all of them at one instant. So a queue that
 * is busy, drained, broken or stuck can be looked at, and does not notice.
 *
 * The core has its own set, a backend may have another; what each counter is
 * called is in uapi/kvhost_counters.h.
 */
#include <linux/debugfs.h>
#include <linux/nospec.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "core.h"

/* What every structure of counters begins with. */
struct stats_head {
	u32 index;
	u32 size;
};

static struct dentry *stats_root;

static const struct kvhost_counter vring_counters[] = KVHOST_VRING_COUNTERS;

static void stats_fill(struct kvh_vq *vq, struct kvhost_vring_stats *out)
{
	const struct kvh_vq_stats *s = &vq->stats;
	unsigned int i;

	BUILD_BUG_ON(KVH_FAULT_NR > KVHOST_FAULTS_MAX);
	BUILD_BUG_ON(KVHOST_VRING_BROKEN != (int)KVH_VQ_BROKEN ||
		     KVHOST_VRING_RUNNING != (int)KVH_VQ_RUNNING);
	out->state = READ_ONCE(vq->state);
	out->in_flight = READ_ONCE(vq->in_flight);
	out->kicks = atomic64_read(&vq->kicks);
	out->polls = READ_ONCE(s->polls);
	out->chains = READ_ONCE(s->chains);
	out->bytes_read = READ_ONCE(s->bytes_read);
	out->bytes_written = READ_ONCE(s->bytes_written);
	out->signals = READ_ONCE(s->signals);
	out->signals_suppressed = READ_ONCE(s->signals_suppressed);
	out->broken = READ_ONCE(s->broken);
	for (i = 0; i < KVH_FAULT_NR; i++)
		out->faults[i] = READ_ONCE(s->faults[i]);
	out->pins = READ_ONCE(s->pins);
	out->windows = READ_ONCE(s->windows);
	out->misses = READ_ONCE(s->misses);
}

/**
 * kvh_stats_alloc() - see to it that a queue has its backend's counters
 * @vq: queue
 *
 * Context: Process context, queue lock held.
 * Return: 0 or -ENOMEM
 */
int kvh_stats_alloc(struct kvh_vq *vq)
{
	size_t size = vq->dev->backend->stats_size;
	void *stats;

	lockdep_assert_held(&vq->lock);
	if (vq->backend_stats || !size)
		return 0;
	stats = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!stats)
		return -ENOMEM;
	/* Pairs with smp_load_acquire() in stats_of_backend(). */
	smp_store_release(&vq->backend_stats, stats);
	return 0;
}

/**
 * kvh_stats_free() - undo kvh_stats_alloc()
 * @vq: queue of a device that nobody can reach any more
 *
 * Context: Process context.
 */
void kvh_stats_free(struct kvh_vq *vq)
{
	kfree(vq->backend_stats);
}

/**
 * kvh_vq_stats() - the backend's counters of a queue
 * @vq: queue
 *
 * Context: From the queue's start on. Written by the worker alone.
 * Return: zeroed memory of kvh_backend.stats_size bytes, the same one until the
 * device is closed
 */
void *kvh_vq_stats(const struct kvh_vq *vq)
{
	return vq->backend_stats;
}
EXPORT_SYMBOL_GPL(kvh_vq_stats);

/* NULL for a queue that was never started. */
static const void *stats_of_backend(const struct kvh_vq *vq)
{
	/* Pairs with smp_store_release() in kvh_stats_alloc(). */
	return smp_load_acquire(&vq->backend_stats);
}

static long put_stats(void __user *argp, struct stats_head *stats, u32 index, size_t size,
		      u32 room)
{
	stats->index = index;
	stats->size = size;
	return copy_to_user(argp, stats, min_t(size_t, room, size)) ? -EFAULT : 0;
}

static long put_vring_stats(struct kvh_vq *vq, void __user *argp, u32 room)
{
	struct kvhost_vring_stats s = { };

	stats_fill(vq, &s);
	return put_stats(argp, (struct stats_head *)&s, vq->index, sizeof(s), room);
}

static long put_backend_stats(struct kvh_vq *vq, void __user *argp, u32 room)
{
	size_t i, size = vq->dev->backend->stats_size;
	const u64 *from = stats_of_backend(vq);
	u64 *copy = kzalloc(size, GFP_KERNEL);
	long ret;

	if (!copy)
		return -ENOMEM;
	for (i = sizeof(struct stats_head) / sizeof(u64); from && i < size / sizeof(u64); i++)
		copy[i] = READ_ONCE(from[i]);
	ret = put_stats(argp, (struct stats_head *)copy, vq->index, size, room);
	kfree(copy);
	return ret;
}

/* Whatever size of the structure the caller was built with. */
static bool is_command(unsigned int cmd, unsigned int which)
{
	return !((cmd ^ which) & ~IOCSIZE_MASK);
}

/**
 * kvh_stats_ioctl() - read a queue's counters, if that is what is asked for
 * @dev:  device
 * @cmd:  command
 * @argp: its argument
 *
 * Context: Process context, no lock held: a device whose lock somebody holds
 * while it drains can be looked at.
 * Return: 0; -ENOIOCTLCMD for another command; -EPERM if the caller is not the
 * owner; -EFAULT; -ENOBUFS for a bad index; -EINVAL for a bad size; -ENOMEM
 */
long kvh_stats_ioctl(struct kvh_dev *dev, unsigned int cmd, void __user *argp)
{
	bool own = is_command(cmd, KVHOST_GET_VRING_STATS);
	struct stats_head head;
	struct kvh_vq *vq;

	if (!own && (!dev->backend->stats_size || !is_command(cmd, dev->backend->stats_cmd)))
		return -ENOIOCTLCMD;
	if (READ_ONCE(dev->mm) != current->mm)
		return -EPERM;
	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (head.index >= dev->nvqs)
		return -ENOBUFS;
	if (head.size < sizeof(head))
		return -EINVAL;
	vq = &dev->vqs[array_index_nospec(head.index, dev->nvqs)];
	return own ? put_vring_stats(vq, argp, head.size) :
		     put_backend_stats(vq, argp, head.size);
}

static const char * const state_names[] = {
	[KVH_VQ_STOPPED] = "stopped",
	[KVH_VQ_RUNNING] = "running",
	[KVH_VQ_BROKEN] = "broken",
};

/* A histogram is shown as BUCKET:NUMBER, those that are zero left out. */
static void show_histogram(struct seq_file *m, const u64 *v, unsigned int nr)
{
	char sep = ' ';
	unsigned int i;
	u64 n;

	for (i = 0; i < nr; i++) {
		n = READ_ONCE(v[i]);
		if (!n)
			continue;
		seq_printf(m, "%c%u:%llu", sep, i, n);
		sep = ',';
	}
	if (sep == ' ')
		seq_puts(m, " -");
}

static void show_counters(struct seq_file *m, const struct kvhost_counter *c, unsigned int nr,
			  const void *stats)
{
	const struct kvhost_counter *end = c + nr;

	for (; c < end; c++) {
		const u64 *v = stats + c->off;

		seq_printf(m, " %s", c->name);
		if (c->nr > 1)
			show_histogram(m, v, c->nr);
		else
			seq_printf(m, " %llu", READ_ONCE(*v));
	}
}

static void stats_show_vq(struct seq_file *m, struct kvh_vq *vq)
{
	const struct kvh_backend *backend = vq->dev->backend;
	const void *more = stats_of_backend(vq);
	struct kvhost_vring_stats s = { };
	unsigned int i;

	stats_fill(vq, &s);
	if (s.state == KVHOST_VRING_STOPPED && !s.kicks && !s.chains)
		return;
	seq_printf(m, "queue %u state %s in_flight %u", vq->index, state_names[s.state],
		   s.in_flight);
	show_counters(m, vring_counters, ARRAY_SIZE(vring_counters), &s);
	for (i = 0; i < KVH_FAULT_NR; i++)
		if (s.faults[i])
			seq_printf(m, " fault:%s %llu", kvh_ring_fault_name(i), s.faults[i]);
	if (more)
		show_counters(m, backend->counters, backend->nr_counters, more);
	seq_putc(m, '\n');
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct kvh_dev *dev = m->private;
	unsigned int i;

	seq_printf(m, "device %s owner %d features %#llx\n", dev->backend->name, dev->pid,
		   READ_ONCE(dev->features));
	for (i = 0; i < dev->nvqs; i++)
		stats_show_vq(m, &dev->vqs[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/**
 * kvh_stats_dev_add() - show a device's counters in debugfs
 * @dev: device, its owner being known
 *
 * Context: Process context, device lock held.
 */
void kvh_stats_dev_add(struct kvh_dev *dev)
{
	static atomic_t serial = ATOMIC_INIT(0);
	char name[48];

	dev->id = atomic_inc_return(&serial);
	snprintf(name, sizeof(name), "%s-%d-%u", dev->backend->name, dev->pid, dev->id);
	dev->debugfs = debugfs_create_file(name, 0400, stats_root, dev, &stats_fops);
}

/**
 * kvh_stats_dev_remove() - undo kvh_stats_dev_add(); no reader is left on return
 * @dev: device
 *
 * Context: Process context, device lock held.
 */
void kvh_stats_dev_remove(struct kvh_dev *dev)
{
	debugfs_remove(dev->debugfs);
	dev->debugfs = NULL;
}

/**
 * kvh_stats_init() - make the debugfs directory
 *
 * A kernel without debugfs is not an error.
 *
 * Context: Module init.
 */
void kvh_stats_init(void)
{
	stats_root = debugfs_create_dir("kvhost", NULL);
}

/**
 * kvh_stats_exit() - undo kvh_stats_init()
 *
 * Context: Module exit.
 */
void kvh_stats_exit(void)
{
	debugfs_remove(stats_root);
	stats_root = NULL;
}
