// SPDX-License-Identifier: GPL-2.0
/*
 * stats.c - counters of queues, by ioctl and in debugfs.
 *
 * Counters are single words written by one thread at a time; readers take no
 * lock and see each word whole, not all of them at one instant.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "core.h"

static struct dentry *stats_root;

/**
 * kvh_stats_fill() - copy a queue's counters
 * @vq:  queue
 * @out: result; @index and @size are left alone
 *
 * Context: Any.
 */
void kvh_stats_fill(struct kvh_vq *vq, struct kvhost_vring_stats *out)
{
	const struct kvh_vq_stats *s = &vq->stats;
	unsigned int i;

	BUILD_BUG_ON(KVH_FAULT_NR > KVHOST_FAULTS_MAX);
	BUILD_BUG_ON(KVHOST_VRING_BROKEN != (int)KVH_VQ_BROKEN ||
		     KVHOST_VRING_RUNNING != (int)KVH_VQ_RUNNING);
	out->state = READ_ONCE(vq->state);
	out->in_flight = READ_ONCE(vq->in_flight);
	out->kicks = atomic64_read(&s->kicks);
	out->polls = READ_ONCE(s->polls);
	out->chains = READ_ONCE(s->chains);
	out->bytes_read = READ_ONCE(s->bytes_read);
	out->bytes_written = READ_ONCE(s->bytes_written);
	out->signals = READ_ONCE(s->signals);
	out->signals_suppressed = READ_ONCE(s->signals_suppressed);
	out->broken = READ_ONCE(s->broken);
	for (i = 0; i < KVH_FAULT_NR; i++)
		out->faults[i] = READ_ONCE(s->faults[i]);
}

static const char * const state_names[] = {
	[KVH_VQ_STOPPED] = "stopped",
	[KVH_VQ_RUNNING] = "running",
	[KVH_VQ_BROKEN] = "broken",
};

static void stats_show_vq(struct seq_file *m, struct kvh_vq *vq)
{
	struct kvhost_vring_stats s = { };
	unsigned int i;

	kvh_stats_fill(vq, &s);
	if (s.state == KVHOST_VRING_STOPPED && !s.kicks && !s.chains)
		return;
	seq_printf(m, "queue %u state %s in_flight %u kicks %llu polls %llu chains %llu",
		   vq->index, state_names[s.state], s.in_flight, s.kicks, s.polls, s.chains);
	seq_printf(m, " bytes_read %llu bytes_written %llu signals %llu signals_suppressed %llu",
		   s.bytes_read, s.bytes_written, s.signals, s.signals_suppressed);
	seq_printf(m, " broken %llu", s.broken);
	for (i = 0; i < KVH_FAULT_NR; i++)
		if (s.faults[i])
			seq_printf(m, " fault:%s %llu", kvh_ring_fault_name(i), s.faults[i]);
	seq_putc(m, '\n');
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct kvh_dev *dev = m->private;
	unsigned int i;

	seq_printf(m, "device %s owner %d\n", dev->backend->name, dev->pid);
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

	snprintf(name, sizeof(name), "%s-%d-%u", dev->backend->name, dev->pid,
		 (unsigned int)atomic_inc_return(&serial));
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
