/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kvhost.h - what a backend (kvhost_blk, kvhost_net) sees of the core.
 *
 * A backend never touches a ring, a log, a counter or an eventfd. It is called
 * with a queue to serve, asks for batches of validated chains, moves bytes or
 * pins pages, and completes the chains or puts them back; the core publishes,
 * notifies, logs and counts.
 *
 * Contexts: every function here is called from the queue's worker, with the
 * queue's mutex held and the owner's address space in use, unless its
 * kernel-doc says otherwise.
 */
#ifndef _KVHOST_H
#define _KVHOST_H

#include <linux/bvec.h>
#include <linux/module.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <uapi/kvhost_counters.h>
#include "../ring/ring.h"

struct kvh_dev;
struct kvh_vq;

/* Chains a backend gets at most from one kvh_vq_take(). */
#define KVH_BATCH	64u

/**
 * struct kvh_backend - one kind of device
 * @name:     short name; the node is /dev/kvhost-@name
 * @owner:    module that implements it
 * @nvqs:     number of queues of each device
 * @features: device feature bits it serves beyond those of the core
 * @open:     a device node was opened; may set its private data.
 *            Process context. Return: 0 or -errno
 * @release:  undo @open; every queue is stopped. Process context.
 * @ioctl:    a request neither vhost nor the core knows. Process context,
 *            device lock held; asks kvh_dev_check_owner() itself. Return:
 *            -ENOIOCTLCMD if not known
 * @detach:   drop the backing object; every queue is stopped and drained.
 *            Process context, device lock held.
 * @ready:    may a queue start? Process context, device lock held.
 *            Return: 0 or the -errno that KVHOST_SET_VRING_ENABLE gives. NULL:
 *            that call is unknown, the backend itself starts its queues
 * @start:    make a queue's private state, its size being known. Process
 *            context, device and queue lock held. Return: 0 or -errno
 * @stop:     undo @start; nothing is in flight. Same context.
 * @serve:    take and start chains until kvh_vq_take() gives none
 * @reap:     complete whatever has finished since the last call
 * @pending:  is there anything for @reap? Worker, queue lock held.
 * @touches:  does something in flight hold guest memory in [first, last], by I/O
 *            virtual addresses? Process context, queue lock held, queue paused. NULL:
 *            nothing outlasts @serve
 * @linger:   longest time, in microseconds, to wait for more with doorbells off where
 *            the owner allows none. Worker, queue lock held. NULL: not to wait
 * @gathers:  completions may be held while the driver adds more, even if the owner allows
 *            no time, where that was found to pay; not with @linger
 * @counters: names of the counters each queue has beyond those of the core
 * @nr_counters: rows of @counters
 * @stats_size: bytes of the structure they are in: u32 index, u32 size, then
 *            nothing but u64; the queue's is kvh_vq_stats()
 * @stats_cmd: the ioctl that reads it
 */
struct kvh_backend {
	const char *name;
	struct module *owner;
	unsigned int nvqs;
	u64 features;
	int (*open)(struct kvh_dev *dev);
	void (*release)(struct kvh_dev *dev);
	long (*ioctl)(struct kvh_dev *dev, unsigned int cmd, void __user *argp);
	void (*detach)(struct kvh_dev *dev);
	int (*ready)(struct kvh_dev *dev);
	int (*start)(struct kvh_vq *vq);
	void (*stop)(struct kvh_vq *vq);
	void (*serve)(struct kvh_vq *vq);
	void (*reap)(struct kvh_vq *vq);
	bool (*pending)(struct kvh_vq *vq);
	bool (*touches)(struct kvh_vq *vq, u64 first, u64 last);
	unsigned int (*linger)(const struct kvh_vq *vq);
	bool gathers;
	const struct kvhost_counter *counters;
	unsigned int nr_counters;
	size_t stats_size;
	unsigned int stats_cmd;
};

/* A backend's node: register at module init, unregister at exit. */
struct kvh_node;
struct kvh_node *kvh_node_register(const struct kvh_backend *backend);
void kvh_node_unregister(struct kvh_node *node);

/* The device. */
bool kvh_dev_ending(const struct kvh_dev *dev);
void kvh_dev_set_private(struct kvh_dev *dev, void *private);
void *kvh_dev_private(const struct kvh_dev *dev);
int kvh_dev_check_owner(const struct kvh_dev *dev);
u64 kvh_dev_features(const struct kvh_dev *dev);
void kvh_features_limit(struct kvh_dev *dev, u64 most);
int kvh_dev_hold(struct kvh_dev *dev);
void kvh_dev_resume(struct kvh_dev *dev);
int kvh_dev_stop_queues(struct kvh_dev *dev);
struct kvh_vq *kvh_dev_vq(struct kvh_dev *dev, unsigned int index);

/**
 * struct kvh_vq_id - which queue, for tracepoints
 * @owner: process that owns the device
 * @dev:   number of the device, as in the name of its debugfs file
 * @queue: number of the queue
 */
struct kvh_vq_id {
	pid_t owner;
	u32 dev;
	u32 queue;
};

/* The queue. */
void kvh_vq_set_private(struct kvh_vq *vq, void *private);
void *kvh_vq_private(const struct kvh_vq *vq);
void *kvh_vq_stats(const struct kvh_vq *vq);
struct kvh_dev *kvh_vq_dev(const struct kvh_vq *vq);
unsigned int kvh_vq_index(const struct kvh_vq *vq);
unsigned int kvh_vq_size(const struct kvh_vq *vq);
bool kvh_vq_has_feature(const struct kvh_vq *vq, unsigned int bit);
void kvh_vq_id(const struct kvh_vq *vq, struct kvh_vq_id *id);
bool kvh_vq_has_addr(struct kvh_vq *vq);
bool kvh_vq_has_memory(const struct kvh_vq *vq);
int kvh_vq_run(struct kvh_vq *vq);
int kvh_vq_stop(struct kvh_vq *vq);
int kvh_vq_hold(struct kvh_vq *vq);
void kvh_vq_resume(struct kvh_vq *vq);
int kvh_vq_take_max(struct kvh_vq *vq, const struct kvh_chain **chains, unsigned int max);
int kvh_vq_take_more(struct kvh_vq *vq, const struct kvh_chain **chains, unsigned int max);
void kvh_vq_untake(struct kvh_vq *vq, const struct kvh_chain *chains, unsigned int n);
const struct kvh_seg *kvh_vq_segs(const struct kvh_vq *vq, const struct kvh_chain *chain);
void kvh_vq_complete(struct kvh_vq *vq, const struct kvh_chain *chain);
void kvh_vq_keep(struct kvh_vq *vq);
void kvh_vq_unkeep(struct kvh_vq *vq);
void kvh_vq_drop(struct kvh_vq *vq, const struct kvh_chain *chain);
bool kvh_vq_held(const struct kvh_vq *vq);
bool kvh_vq_stopping(const struct kvh_vq *vq);
bool kvh_vq_worker_dead(const struct kvh_vq *vq);
void kvh_vq_signal_error(struct kvh_vq *vq);
void kvh_vq_malformed(struct kvh_vq *vq);
void kvh_vq_wake(struct kvh_vq *vq);
void kvh_vq_park(struct kvh_vq *vq);
void kvh_vq_yield(struct kvh_vq *vq);

/**
 * kvh_vq_take() - kvh_vq_take_max() of as many as a batch holds
 * @vq:     queue
 * @chains: result: the chains, at most %KVH_BATCH, valid until the next call
 *
 * Context: Worker, queue lock held, from kvh_backend.serve.
 * Return: number of chains, 0 if there are none or the turn is over
 */
static inline int kvh_vq_take(struct kvh_vq *vq, const struct kvh_chain **chains)
{
	return kvh_vq_take_max(vq, chains, KVH_BATCH);
}

/* Guest memory, by guest address; bounds are those of the region table. */
int kvh_vq_read(struct kvh_vq *vq, const struct kvh_seg *segs, unsigned int n,
		u64 off, void *dst, size_t len);
int kvh_vq_write(struct kvh_vq *vq, const struct kvh_seg *segs, unsigned int n,
		 u64 off, const void *src, size_t len);

/* Entries of a pin kept inside struct kvh_pin, without an allocation. */
#define KVH_PIN_INLINE	4u

/**
 * struct kvh_pin - a byte range of a chain, pinned for the device to reach
 * @bv:     the range in order; an entry is (part of) a page, or of registered
 *          memory a run of pages that are contiguous
 * @nr:     entries of @bv
 * @bytes:  length of the range
 * @write:  the device writes into it
 * @borrowed: it is registered memory, pinned for longer
 * @segs:   while the dirty log is on, or with a device IOTLB: a copy of the segments
 * @nsegs:  entries of @segs
 * @small:  where @bv points for short ranges
 */
struct kvh_pin {
	struct bio_vec *bv;
	unsigned int nr;
	size_t bytes;
	bool write;
	bool borrowed;
	struct kvh_seg *segs;
	unsigned int nsegs;
	struct bio_vec small[KVH_PIN_INLINE];
};

int kvh_pin_get(struct kvh_pin *pin, struct kvh_vq *vq, const struct kvh_seg *segs,
		unsigned int n, u64 off, size_t len, bool write);
void kvh_pin_put(struct kvh_pin *pin, struct kvh_vq *vq);

/* Whether one of @n segments has a byte in [@first, @last]. */
static inline bool kvh_segs_touch(const struct kvh_seg *segs, unsigned int n, u64 first,
				  u64 last)
{
	for (; n; n--, segs++)
		if (segs->len && segs->addr <= last && segs->addr + (segs->len - 1) >= first)
			return true;
	return false;
}

/* Guest memory by the owner's addresses, for a copy that somebody else makes. */
int kvh_iov_get(struct kvh_vq *vq, const struct kvh_seg *segs, unsigned int n, u64 off,
		size_t len, bool write, struct iovec *iov, unsigned int max);
void kvh_iov_written(struct kvh_vq *vq, const struct kvh_seg *segs, unsigned int n, u64 off,
		     size_t len);

#endif /* _KVHOST_H */
