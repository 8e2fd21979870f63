// SPDX-License-Identifier: GPL-2.0
/*
 * Drives /dev/kvhost-blk: one function per step of the vhost protocol, in the
 * order a VMM takes them, and the whole way in kvhost_start().
 *
 * Pairs as in base.h: foo() must succeed, __foo() returns 0 or -errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include "kvhost.h"

/**
 * __kvhost_ioctl() - ioctl() with the kernel's return convention
 * @fd:  device
 * @req: request
 * @arg: its argument
 *
 * Return: 0 or -errno.
 */
int __kvhost_ioctl(int fd, unsigned long req, void *arg)
{
	return ioctl(fd, req, arg) < 0 ? -errno : 0;
}

/**
 * kvhost_ioctl() - ioctl() that has to succeed
 * @fd:   device
 * @req:  request
 * @arg:  its argument
 * @name: of the request, for the message
 */
void kvhost_ioctl(int fd, unsigned long req, void *arg, const char *name)
{
	int r = __kvhost_ioctl(fd, req, arg);

	must(!r, "%s: %s", name, strerror(-r));
}

/**
 * kvhost_open() - open the node and map guest memory; nothing else
 * @k: to be filled
 */
void kvhost_open(struct kvhost *k)
{
	memset(k, 0, sizeof(*k));
	k->fd = open(KVHOST_BLK_NODE, O_RDWR | O_CLOEXEC);
	must(k->fd >= 0, "%s: %m; is kvhost_blk loaded?", KVHOST_BLK_NODE);
	gmem_init(&k->mem);
}

/**
 * kvhost_close() - close the device, then give up rings and guest memory
 * @k: device
 */
void kvhost_close(struct kvhost *k)
{
	unsigned int i;

	close(k->fd);
	for (i = 0; i < k->queues; i++)
		vq_free(&k->q[i]);
	gmem_free(&k->mem);
}

/**
 * kvhost_set_mem() - tell the device all of guest memory
 * @k: owned device
 */
void kvhost_set_mem(struct kvhost *k)
{
	struct vhost_memory *t = gmem_table(&k->mem);

	KVHOST_IOCTL(k, VHOST_SET_MEM_TABLE, t);
	free(t);
}

/**
 * __kvhost_mem_mode() - how the device shall reach guest memory
 * @k:    owned device
 * @mode: KVHOST_MEM_*
 *
 * Return: 0 or -errno.
 */
int __kvhost_mem_mode(struct kvhost *k, u32 mode)
{
	return __kvhost_ioctl(k->fd, KVHOST_SET_MEM_MODE, &mode);
}

/**
 * kvhost_vring_addr() - the true ring addresses of a queue
 * @k: device
 * @i: queue
 * @a: result
 */
void kvhost_vring_addr(struct kvhost *k, unsigned int i, struct vhost_vring_addr *a)
{
	*a = (struct vhost_vring_addr) {
		.index = i,
		.desc_user_addr = (unsigned long)k->q[i].desc,
		.avail_user_addr = (unsigned long)k->q[i].avail,
		.used_user_addr = (unsigned long)k->q[i].used,
	};
}

/**
 * kvhost_ring_setup() - tell the device one queue: size, place, eventfds
 * @k:    device with memory table
 * @i:    queue, initialised
 * @base: position to begin at, as from vq_base()
 */
void kvhost_ring_setup(struct kvhost *k, unsigned int i, u32 base)
{
	struct vq *q = &k->q[i];
	struct vhost_vring_state s = { .index = i, .num = q->size };
	struct vhost_vring_file f = { .index = i };
	struct vhost_vring_addr a;

	KVHOST_IOCTL(k, VHOST_SET_VRING_NUM, &s);
	s.num = base;
	KVHOST_IOCTL(k, VHOST_SET_VRING_BASE, &s);
	kvhost_vring_addr(k, i, &a);
	KVHOST_IOCTL(k, VHOST_SET_VRING_ADDR, &a);
	f.fd = q->kick_fd;
	KVHOST_IOCTL(k, VHOST_SET_VRING_KICK, &f);
	f.fd = q->call_fd;
	KVHOST_IOCTL(k, VHOST_SET_VRING_CALL, &f);
	f.fd = q->err_fd;
	KVHOST_IOCTL(k, VHOST_SET_VRING_ERR, &f);
}

/**
 * __kvhost_backend() - put a disk behind the device
 * @k: owned device
 * @o: the disk
 *
 * Return: 0 or -errno.
 */
int __kvhost_backend(struct kvhost *k, const struct kvhost_opts *o)
{
	struct kvhost_blk_backend b = {
		.size = sizeof(b),
		.fd = o->fd,
		.flags = o->flags,
		.offset = o->offset,
		.length = o->length,
	};

	if (o->serial)
		memcpy(b.serial, o->serial, strnlen(o->serial, sizeof(b.serial)));
	return __kvhost_ioctl(k->fd, KVHOST_BLK_SET_BACKEND, &b);
}

/**
 * kvhost_backend() - __kvhost_backend() that has to succeed
 * @k: owned device
 * @o: the disk
 */
void kvhost_backend(struct kvhost *k, const struct kvhost_opts *o)
{
	int r = __kvhost_backend(k, o);

	must(!r, "KVHOST_BLK_SET_BACKEND fd %d: %s", o->fd, strerror(-r));
}

/**
 * __kvhost_enable() - start or stop a queue
 * @k:  device
 * @i:  queue
 * @on: 1 or 0
 *
 * Return: 0 or -errno.
 */
int __kvhost_enable(struct kvhost *k, unsigned int i, unsigned int on)
{
	struct vhost_vring_state s = { .index = i, .num = on };

	return __kvhost_ioctl(k->fd, KVHOST_SET_VRING_ENABLE, &s);
}

/**
 * kvhost_enable() - __kvhost_enable() that has to succeed
 * @k:  device
 * @i:  queue
 * @on: 1 or 0
 */
void kvhost_enable(struct kvhost *k, unsigned int i, unsigned int on)
{
	int r = __kvhost_enable(k, i, on);

	must(!r, "KVHOST_SET_VRING_ENABLE queue %u to %u: %s", i, on, strerror(-r));
}

/* Make @n workers and deal the queues out to them. */
static void share_workers(struct kvhost *k, unsigned int n)
{
	struct vhost_worker_state s[KVHOST_BLK_QUEUES_MAX];
	struct vhost_vring_worker w;
	unsigned int i;

	for (i = 0; i < n; i++)
		KVHOST_IOCTL(k, VHOST_NEW_WORKER, &s[i]);
	for (i = 0; n && i < k->queues; i++) {
		w = (struct vhost_vring_worker) { i, s[i % n].worker_id };
		KVHOST_IOCTL(k, VHOST_ATTACH_VRING_WORKER, &w);
	}
}

/* What the library is to know of the features. */
static unsigned int vq_features(u64 features)
{
	return (features >> VIRTIO_RING_F_EVENT_IDX & 1 ? VQ_EVENT_IDX : 0) |
	       (features >> VIRTIO_F_RING_PACKED & 1 ? VQ_PACKED : 0) |
	       (features >> VIRTIO_F_IN_ORDER & 1 ? VQ_IN_ORDER : 0);
}

/**
 * kvhost_prepare() - everything up to, but without, enabling the queues
 * @k: to be filled
 * @o: what to set up
 */
void kvhost_prepare(struct kvhost *k, const struct kvhost_opts *o)
{
	unsigned int i;

	kvhost_open(k);
	KVHOST_IOCTL(k, VHOST_SET_OWNER, NULL);
	k->features = 1ull << VIRTIO_F_VERSION_1;
	if (!o->no_flush)
		k->features |= 1ull << VIRTIO_BLK_F_FLUSH;
	if (!o->no_event)
		k->features |= 1ull << VIRTIO_RING_F_EVENT_IDX;
	if (!o->no_indirect)
		k->features |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
	if (o->packed)
		k->features |= 1ull << VIRTIO_F_RING_PACKED;
	if (o->in_order)
		k->features |= 1ull << VIRTIO_F_IN_ORDER;
	KVHOST_IOCTL(k, VHOST_SET_FEATURES, &k->features);
	if (o->registered || getenv("KVHOST_REGISTERED"))
		must(!__kvhost_mem_mode(k, KVHOST_MEM_REGISTERED), "KVHOST_SET_MEM_MODE");
	kvhost_set_mem(k);
	k->queues = o->queues ? o->queues : 1;
	share_workers(k, o->workers);
	for (i = 0; i < k->queues; i++) {
		vq_init(&k->q[i], &k->mem, o->size ? o->size : 64,
			vq_features(k->features));
		if (o->base)
			vq_reset(&k->q[i], o->base);
		kvhost_ring_setup(k, i, o->base ? o->base : vq_base(&k->q[i]));
	}
	kvhost_backend(k, o);
}

/**
 * kvhost_start() - from nothing to running queues
 * @k: to be filled
 * @o: what to set up
 */
void kvhost_start(struct kvhost *k, const struct kvhost_opts *o)
{
	unsigned int i;

	kvhost_prepare(k, o);
	for (i = 0; i < k->queues; i++)
		kvhost_enable(k, i, 1);
}

/**
 * kvhost_revive() - reset one queue and start it again with an empty ring
 * @k: device
 * @i: queue, broken or not
 */
void kvhost_revive(struct kvhost *k, unsigned int i)
{
	struct vhost_vring_state s = { .index = i, .num = vq_fresh_base(&k->q[i]) };

	kvhost_enable(k, i, 0);
	vq_reset(&k->q[i], s.num);
	KVHOST_IOCTL(k, VHOST_SET_VRING_BASE, &s);
	eventfd_take(k->q[i].call_fd);
	eventfd_take(k->q[i].err_fd);
	kvhost_enable(k, i, 1);
}

/**
 * kvhost_renew() - put an empty queue of another size and place behind an index
 * @k:    device
 * @i:    queue, stopped; the caller gives the old one to vq_free()
 * @size: descriptors
 */
void kvhost_renew(struct kvhost *k, unsigned int i, unsigned int size)
{
	vq_init(&k->q[i], &k->mem, size, vq_features(k->features));
	kvhost_ring_setup(k, i, vq_base(&k->q[i]));
}

/**
 * kvhost_stats() - counters of a queue
 * @k:  device
 * @i:  queue
 * @st: result
 */
void kvhost_stats(struct kvhost *k, unsigned int i, struct kvhost_vring_stats *st)
{
	memset(st, 0, sizeof(*st));
	st->index = i;
	st->size = sizeof(*st);
	KVHOST_IOCTL(k, KVHOST_GET_VRING_STATS, st);
}

/* Ask for the counters until @state and @idle hold or the limit is reached. */
static bool wait_stats(struct kvhost *k, unsigned int i, u32 state, bool idle)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct kvhost_vring_stats st;
	int left;

	for (left = LIMIT_MS; left > 0; left--) {
		kvhost_stats(k, i, &st);
		if (idle ? !st.in_flight : st.state == state)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/**
 * kvhost_wait_state() - wait for a queue to be in a state
 * @k:     device
 * @i:     queue
 * @state: KVHOST_VRING_*
 *
 * Return: whether it came to be.
 */
bool kvhost_wait_state(struct kvhost *k, unsigned int i, u32 state)
{
	return wait_stats(k, i, state, false);
}

/**
 * kvhost_wait_idle() - wait for a queue to have nothing in flight
 * @k: device
 * @i: queue
 *
 * Return: whether it came to be.
 */
bool kvhost_wait_idle(struct kvhost *k, unsigned int i)
{
	return wait_stats(k, i, 0, true);
}
