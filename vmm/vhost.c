// SPDX-License-Identifier: GPL-2.0
/*
 * vhost.c - the protocol of an in-kernel device: one function per step.
 *
 * The only file that knows what a vhost descriptor is. A step that fails is
 * reported here, with the node, the step, and what mends it where that is
 * known; callers only hand the error on.
 *
 * Called on the main thread at set-up, afterwards with vm_lock() held.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memory.h"
#include "util.h"
#include "vhost.h"
#include "virtio.h"

/* A guest can make steps fail as often as it likes. */
static bool may_complain(struct vhost *vh)
{
	uint64_t now = now_ns();

	if (vh->last && now - vh->last < NSEC_PER_SEC)
		return false;
	vh->last = now;
	return true;
}

static int step(struct vhost *vh, unsigned long cmd, void *arg,
		const char *what)
{
	const char *hint = "";
	char other[64];
	int err;

	if (!ioctl(vh->fd, cmd, arg))
		return 0;
	err = errno;
	if (err == ENOTTY) {
		snprintf(other, sizeof(other), "; is it the node of %s?", vh->module);
		hint = other;
	}
	if (err == ENOMEM && cmd == VHOST_SET_MEM_TABLE)
		hint = "; raise the locked-memory limit (ulimit -l) or use registered=off";
	if (may_complain(vh))
		log_error("%s: %s refused to %s: %s%s", vh->name, vh->node,
			  what, strerror(err), hint);
	return -err;
}

static int vring_step(struct vhost *vh, unsigned long cmd, void *arg,
		      const char *what, unsigned int index)
{
	const char *hint = "";
	int err;

	if (!ioctl(vh->fd, cmd, arg))
		return 0;
	err = errno;
	if (err == ENOMEM)
		hint = "; raise the locked-memory limit (ulimit -l)";
	if (may_complain(vh))
		log_error("%s: %s refused to %s queue %u: %s%s", vh->name,
			  vh->node, what, index, strerror(err), hint);
	return -err;
}

static void complain_open(const struct vhost *vh, int err)
{
	char load[64];
	const char *hint = "";

	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		snprintf(load, sizeof(load),
			 "; load the %s module, or use backend=user", vh->module);
		hint = load;
		break;
	case EACCES:
	case EPERM:
		hint = "; run as root or open up the node's permissions";
		break;
	}
	log_error("%s: cannot open %s: %s%s", vh->name, vh->node,
		  strerror(err), hint);
}

/**
 * vhost_open() - open a device node
 * @vh:     filled in
 * @node:   path, for as long as @vh lives
 * @module: whose node it should be, for as long as @vh lives
 * @name:   who uses it, for as long as @vh lives
 *
 * Return: 0 or -errno of open().
 */
int vhost_open(struct vhost *vh, const char *node, const char *module,
	       const char *name)
{
	int err;

	vh->node = node;
	vh->module = module;
	vh->name = name;
	vh->last = 0;
	vh->fd = open(node, O_RDWR | O_CLOEXEC);
	if (vh->fd >= 0)
		return 0;
	err = errno;
	complain_open(vh, err);
	return -err;
}

/**
 * vhost_close() - close the node; the kernel stops what still runs
 * @vh: from vhost_open()
 */
void vhost_close(struct vhost *vh)
{
	if (vh->fd >= 0)
		close(vh->fd);
	vh->fd = -1;
}

/**
 * vhost_set_owner() - become the process whose memory the device works on
 * @vh: from vhost_open()
 *
 * Return: 0; -ENOTTY if the node is none of vhost; other -errno of the kernel.
 */
int vhost_set_owner(struct vhost *vh)
{
	return step(vh, VHOST_SET_OWNER, NULL,
		    "take this process as its owner");
}

/**
 * vhost_get_features() - what the kernel device can do
 * @vh:       from vhost_open()
 * @features: filled in
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_get_features(struct vhost *vh, uint64_t *features)
{
	return step(vh, VHOST_GET_FEATURES, features, "tell its features");
}

/**
 * vhost_set_features() - what driver and device agreed on
 * @vh:       from vhost_open()
 * @features: a subset of vhost_get_features()
 *
 * Return: 0; -EOPNOTSUPP for a feature not offered; -EBUSY while a queue runs.
 */
int vhost_set_features(struct vhost *vh, uint64_t features)
{
	return step(vh, VHOST_SET_FEATURES, &features,
		    "take the negotiated features");
}

/**
 * vhost_set_memory() - tell where guest RAM is
 * @vh:  from vhost_open()
 * @mem: guest RAM
 *
 * Return: 0; -ENOMEM; other -errno of the kernel.
 */
int vhost_set_memory(struct vhost *vh, const struct guest_memory *mem)
{
	struct vhost_memory *table;
	unsigned int i;
	int ret;

	table = calloc(1, sizeof(*table) + mem->nr * sizeof(table->regions[0]));
	if (!table)
		return -ENOMEM;
	table->nregions = mem->nr;
	for (i = 0; i < mem->nr; i++) {
		table->regions[i].guest_phys_addr = mem->regions[i].gpa;
		table->regions[i].memory_size = mem->regions[i].size;
		table->regions[i].userspace_addr =
			(uintptr_t)mem->regions[i].hva;
	}
	ret = step(vh, VHOST_SET_MEM_TABLE, table, "take the guest's memory");
	free(table);
	return ret;
}

/**
 * vhost_set_vring_num() - tell a queue's size
 * @vh: from vhost_open()
 * @vq: the queue
 *
 * Return: 0; -EBUSY while it runs; -EINVAL for a size the layout cannot have.
 */
int vhost_set_vring_num(struct vhost *vh, const struct virtio_queue *vq)
{
	struct vhost_vring_state s = { .index = vq->index, .num = vq->size };

	return vring_step(vh, VHOST_SET_VRING_NUM, &s, "set the size of",
			  vq->index);
}

/**
 * vhost_set_vring_base() - tell where in the ring to begin
 * @vh:   from vhost_open()
 * @vq:   the queue
 * @base: position, in the kernel's encoding
 *
 * Return: 0; -EBUSY while it runs; -EINVAL for no position of this layout.
 */
int vhost_set_vring_base(struct vhost *vh, const struct virtio_queue *vq,
			 uint32_t base)
{
	struct vhost_vring_state s = { .index = vq->index, .num = base };

	return vring_step(vh, VHOST_SET_VRING_BASE, &s, "set the position of",
			  vq->index);
}

/**
 * vhost_set_vring_addr() - tell where a queue's rings are
 * @vh:  from vhost_open()
 * @vq:  an enabled queue, so its addresses were checked
 * @mem: guest RAM they lie in
 *
 * Return: 0; -EFAULT if they do not lie in @mem; other -errno of the kernel.
 */
int vhost_set_vring_addr(struct vhost *vh, const struct virtio_queue *vq,
			 const struct guest_memory *mem)
{
	struct vhost_vring_addr a = {
		.index = vq->index,
		.desc_user_addr = (uintptr_t)memory_at(mem, vq->desc, 1),
		.avail_user_addr = (uintptr_t)memory_at(mem, vq->driver, 1),
		.used_user_addr = (uintptr_t)memory_at(mem, vq->device, 1),
	};

	if (!a.desc_user_addr || !a.avail_user_addr || !a.used_user_addr)
		return -EFAULT;
	return vring_step(vh, VHOST_SET_VRING_ADDR, &a,
			  "take the ring addresses of", vq->index);
}

static int set_file(struct vhost *vh, unsigned long cmd, unsigned int index,
		    int fd, const char *what)
{
	struct vhost_vring_file f = { .index = index, .fd = fd };

	return vring_step(vh, cmd, &f, what, index);
}

/**
 * vhost_set_vring_kick() - hand over the eventfd of a queue's doorbell
 * @vh: from vhost_open()
 * @vq: the queue
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_set_vring_kick(struct vhost *vh, const struct virtio_queue *vq)
{
	return set_file(vh, VHOST_SET_VRING_KICK, vq->index, vq->kick_fd,
			"take the doorbell of");
}

/**
 * vhost_set_vring_call() - hand over the eventfd of a queue's interrupt
 * @vh: from vhost_open()
 * @vq: the queue
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_set_vring_call(struct vhost *vh, const struct virtio_queue *vq)
{
	return set_file(vh, VHOST_SET_VRING_CALL, vq->index, vq->call_fd,
			"take the interrupt of");
}

/**
 * vhost_set_vring_err() - hand over the eventfd a broken queue is reported by
 * @vh: from vhost_open()
 * @vq: the queue
 * @fd: the eventfd; queues may share one
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_set_vring_err(struct vhost *vh, const struct virtio_queue *vq,
			int fd)
{
	return set_file(vh, VHOST_SET_VRING_ERR, vq->index, fd,
			"take the error event of");
}

/**
 * vhost_set_vring_busyloop() - how long a queue may be polled for new work
 * @vh: from vhost_open()
 * @vq: the queue
 * @us: microseconds; 0: not at all
 *
 * Return: 0; -errno of the kernel.
 */
int vhost_set_vring_busyloop(struct vhost *vh, const struct virtio_queue *vq,
			     unsigned int us)
{
	struct vhost_vring_state s = { .index = vq->index, .num = us };

	return vring_step(vh, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s,
			  "set the polling time of", vq->index);
}

/**
 * vhost_set_mem_mode() - how guest RAM shall be reached
 * @vh:         from vhost_open()
 * @registered: pinned when it is told, else pinned for each request
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_set_mem_mode(struct vhost *vh, bool registered)
{
	uint32_t mode = registered ? KVHOST_MEM_REGISTERED : KVHOST_MEM_USER;

	return step(vh, KVHOST_SET_MEM_MODE, &mode,
		    "choose how guest memory is reached");
}

/**
 * vhost_new_worker() - make a thread that queues can share
 * @vh: from vhost_open()
 * @id: filled in: its number
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_new_worker(struct vhost *vh, unsigned int *id)
{
	struct vhost_worker_state s = { 0 };
	int ret = step(vh, VHOST_NEW_WORKER, &s, "make a shared worker");

	*id = s.worker_id;
	return ret;
}

/**
 * vhost_attach_vring_worker() - choose who serves a queue
 * @vh:    from vhost_open()
 * @index: the queue
 * @id:    from vhost_new_worker()
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_attach_vring_worker(struct vhost *vh, unsigned int index,
			      unsigned int id)
{
	struct vhost_vring_worker w = { .index = index, .worker_id = id };

	return vring_step(vh, VHOST_ATTACH_VRING_WORKER, &w,
			  "choose the worker of", index);
}

/**
 * vhost_enable_vring() - start or stop a queue
 * @vh:     from vhost_open()
 * @vq:     the queue
 * @enable: 1 to start, 0 to stop; stopped, nothing of it is in flight
 *
 * Return: 0; -ENOMEM if the locked-memory limit is too low for the rings;
 * other -errno of the kernel.
 */
int vhost_enable_vring(struct vhost *vh, const struct virtio_queue *vq,
		       int enable)
{
	struct vhost_vring_state s = { .index = vq->index, .num = enable };

	return vring_step(vh, KVHOST_SET_VRING_ENABLE, &s,
			  enable ? "start" : "stop", vq->index);
}

/**
 * vhost_get_vring_stats() - read a queue's counters
 * @vh:    from vhost_open()
 * @index: the queue
 * @stats: filled in
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_get_vring_stats(struct vhost *vh, unsigned int index,
			  struct kvhost_vring_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->index = index;
	stats->size = sizeof(*stats);
	return vring_step(vh, KVHOST_GET_VRING_STATS, stats,
			  "tell the counters of", index);
}

/**
 * vhost_counts() - does the node count what its queues do
 * @vh: from vhost_open()
 *
 * In-tree vhost-net does not; a question it does not know is no reason to
 * complain.
 *
 * Return: true if vhost_get_vring_stats() works.
 */
bool vhost_counts(struct vhost *vh)
{
	struct kvhost_vring_stats stats = { .size = sizeof(stats) };

	return !ioctl(vh->fd, KVHOST_GET_VRING_STATS, &stats);
}

/**
 * vhost_net_set_backend() - give a queue its tap, and start it, or stop it
 * @vh: from vhost_open()
 * @vq: the queue: 0 receives, 1 transmits
 * @fd: the tap; -1 stops the queue: on return nothing of it is in flight
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_net_set_backend(struct vhost *vh, const struct virtio_queue *vq,
			  int fd)
{
	return set_file(vh, VHOST_NET_SET_BACKEND, vq->index, fd,
			fd < 0 ? "stop" : "connect the interface to");
}

/**
 * vhost_blk_get_queue_stats() - read what became of a queue's requests
 * @vh:    from vhost_open()
 * @index: the queue
 * @stats: filled in
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_blk_get_queue_stats(struct vhost *vh, unsigned int index,
			      struct kvhost_blk_queue_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->index = index;
	stats->size = sizeof(*stats);
	return vring_step(vh, KVHOST_BLK_GET_QUEUE_STATS, stats,
			  "tell the requests of", index);
}

/**
 * vhost_blk_set_backend() - give a block device its disk
 * @vh:      from vhost_open()
 * @backend: the disk; @backend->size is filled in here
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_blk_set_backend(struct vhost *vh, struct kvhost_blk_backend *backend)
{
	backend->size = sizeof(*backend);
	return step(vh, KVHOST_BLK_SET_BACKEND, backend, "take the disk");
}

/**
 * vhost_blk_get_config() - what the disk turned out to be
 * @vh:     from vhost_open(), with a backend
 * @config: filled in
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_blk_get_config(struct vhost *vh, struct kvhost_blk_config *config)
{
	memset(config, 0, sizeof(*config));
	config->size = sizeof(*config);
	return step(vh, KVHOST_BLK_GET_CONFIG, config,
		    "describe the disk");
}

/**
 * vhost_blk_set_limits() - how fast the disk may be used
 * @vh:     from vhost_open(), with a backend
 * @limits: the limits; @limits->size is filled in here
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_blk_set_limits(struct vhost *vh, struct kvhost_blk_limits *limits)
{
	limits->size = sizeof(*limits);
	return step(vh, KVHOST_BLK_SET_LIMITS, limits, "limit the disk");
}

/**
 * vhost_blk_get_error() - what the disk failed last
 * @vh:    from vhost_open()
 * @error: filled in
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_blk_get_error(struct vhost *vh, struct kvhost_blk_error *error)
{
	memset(error, 0, sizeof(*error));
	error->size = sizeof(*error);
	return step(vh, KVHOST_BLK_GET_ERROR, error, "tell its errors");
}

/**
 * vhost_blk_resume() - go on after errors of the disk
 * @vh:     from vhost_open()
 * @action: KVHOST_BLK_RETRY or KVHOST_BLK_REPORT
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_blk_resume(struct vhost *vh, uint32_t action)
{
	return step(vh, KVHOST_BLK_RESUME, &action, "go on after an error");
}

/**
 * vhost_blk_resize() - have the kernel look how large the disk is
 * @vh: from vhost_open(), with a backend
 *
 * Return: 0 or -errno of the kernel.
 */
int vhost_blk_resize(struct vhost *vh)
{
	return step(vh, KVHOST_BLK_RESIZE, NULL, "look at the disk's size");
}
