/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kvhost-blk device as a VMM would hold it: the open node, guest memory and
 * the queues in it. kvhost_start() goes the whole way from open() to running
 * queues; tests of single steps call those steps themselves.
 */
#ifndef SELFTESTS_KVHOST_H
#define SELFTESTS_KVHOST_H

#include <linux/vhost.h>
#include "../../kmod/include/uapi/kvhost.h"
#include "vring.h"

#define KVHOST_BLK_NODE	"/dev/kvhost-blk"

/* Names of ring faults, as in kmod/ring/ring.h; an index into stats.faults. */
enum {
	FAULT_NONE,
	FAULT_AVAIL_JUMP,
	FAULT_HEAD_RANGE,
	FAULT_NEXT_RANGE,
	FAULT_LOOP,
	FAULT_TOO_LONG,
	FAULT_ZERO_LEN,
	FAULT_ADDR_WRAP,
	FAULT_TOTAL_LEN,
	FAULT_ORDER,
	FAULT_INDIRECT_OFF,
	FAULT_INDIRECT_NEST,
	FAULT_INDIRECT_NEXT,
	FAULT_INDIRECT_LEN,
	FAULT_INDIRECT_READ,
	FAULT_PARTIAL,
	FAULT_ID_RANGE,
};

/**
 * struct kvhost_opts - what kvhost_start() sets up; zero means the default
 * @fd:        backend; needed
 * @flags:     KVHOST_BLK_*
 * @offset:    start of the disk in @fd
 * @length:    its length; 0: all there is
 * @serial:    what GET_ID answers
 * @queues:    how many; default 1
 * @size:      descriptors per queue; default 64
 * @no_event:  without VIRTIO_F_EVENT_IDX
 * @no_flush:  without VIRTIO_BLK_F_FLUSH
 * @no_indirect: without VIRTIO_F_INDIRECT_DESC
 * @packed:    with VIRTIO_F_RING_PACKED
 * @in_order:  with VIRTIO_F_IN_ORDER
 * @workers:   threads that share the queues; default one per queue
 * @registered: in registered memory; so is everything if the environment has
 *             KVHOST_REGISTERED
 * @base:      position the queues begin at, as for vq_reset(); 0: fresh ones
 */
struct kvhost_opts {
	int fd;
	u64 flags;
	u64 offset;
	u64 length;
	const char *serial;
	unsigned int queues;
	unsigned int size;
	bool no_event;
	bool no_flush;
	bool no_indirect;
	bool packed;
	bool in_order;
	unsigned int workers;
	bool registered;
	u32 base;
};

/**
 * struct kvhost - a device and its driver in one
 * @fd:       open device node
 * @features: acknowledged
 * @mem:      guest memory
 * @queues:   number of @q in use
 * @q:        queues
 */
struct kvhost {
	int fd;
	u64 features;
	struct gmem mem;
	unsigned int queues;
	struct vq q[KVHOST_BLK_QUEUES_MAX];
};

int __kvhost_ioctl(int fd, unsigned long req, void *arg);
void kvhost_ioctl(int fd, unsigned long req, void *arg, const char *name);
#define KVHOST_IOCTL(k, req, arg)	kvhost_ioctl((k)->fd, req, arg, #req)

void kvhost_open(struct kvhost *k);
void kvhost_close(struct kvhost *k);
void kvhost_set_mem(struct kvhost *k);
int __kvhost_mem_mode(struct kvhost *k, u32 mode);
void kvhost_vring_addr(struct kvhost *k, unsigned int i, struct vhost_vring_addr *a);
void kvhost_ring_setup(struct kvhost *k, unsigned int i, u32 base);
void kvhost_renew(struct kvhost *k, unsigned int i, unsigned int size);
int __kvhost_backend(struct kvhost *k, const struct kvhost_opts *o);
void kvhost_backend(struct kvhost *k, const struct kvhost_opts *o);
int __kvhost_enable(struct kvhost *k, unsigned int i, unsigned int on);
void kvhost_enable(struct kvhost *k, unsigned int i, unsigned int on);
void kvhost_prepare(struct kvhost *k, const struct kvhost_opts *o);
void kvhost_start(struct kvhost *k, const struct kvhost_opts *o);
void kvhost_revive(struct kvhost *k, unsigned int i);
void kvhost_stats(struct kvhost *k, unsigned int i, struct kvhost_vring_stats *st);
bool kvhost_wait_state(struct kvhost *k, unsigned int i, u32 state);
bool kvhost_wait_idle(struct kvhost *k, unsigned int i);

#endif /* SELFTESTS_KVHOST_H */
