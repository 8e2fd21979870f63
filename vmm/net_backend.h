/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net_backend.h - who processes the queues of a virtio-net device: a module of
 * the kernel (net_kernel.c) or a thread of this process (net_user.c). The
 * control queue is the device's own.
 */
#ifndef KVHOST_NET_BACKEND_H
#define KVHOST_NET_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <kvhost.h>

struct guest_memory;
struct net_backend;
struct net_filter;
struct net_options;
struct net_port;
struct virtio_queue;

/**
 * struct net_backend_ops - what a backend does, all under vm_lock()
 * @start:       the driver is ready: @features were negotiated and go together
 * @queue_start: serve a queue: 2n receives, 2n + 1 transmits for queue n of the port
 * @queue_stop:  stop; on return nothing of it is in flight
 * @set_pairs:   serve the first @pairs pairs alone; NULL: that is the port's matter
 * @set_filter:  receive only what passes; NULL: cannot
 * @stats:       read the counters of a queue; NULL: nobody counts
 * @status:      print more "key=value" lines; NULL: none
 * @destroy:     free; no queue is served
 *
 * Functions that return int return 0 or -errno.
 */
struct net_backend_ops {
	int (*start)(struct net_backend *backend, uint64_t features);
	int (*queue_start)(struct net_backend *backend,
			   const struct virtio_queue *vq);
	void (*queue_stop)(struct net_backend *backend,
			   const struct virtio_queue *vq);
	void (*set_pairs)(struct net_backend *backend, unsigned int pairs);
	void (*set_filter)(struct net_backend *backend,
			   const struct net_filter *filter);
	int (*stats)(struct net_backend *backend, unsigned int index,
		     struct kvhost_vring_stats *stats);
	void (*status)(struct net_backend *backend, FILE *out);
	void (*destroy)(struct net_backend *backend);
};

/**
 * struct net_backend - what every backend has; constant after creation
 * @ops:      its functions
 * @features: virtio features it can serve
 */
struct net_backend {
	const struct net_backend_ops *ops;
	uint64_t features;
};

/**
 * struct net_setup - what a backend is created from; outlives it
 * @name:   for messages
 * @port:   the host's side
 * @opt:    the device's options
 * @mem:    guest RAM
 * @err_fd: eventfd to raise when a queue breaks or the port is gone
 * @gone:   the port is gone; set by the backend, atomic
 */
struct net_setup {
	const char *name;
	const struct net_port *port;
	const struct net_options *opt;
	const struct guest_memory *mem;
	int err_fd;
	bool gone;
};

/* Both write one line on stderr when they fail. */
int net_kernel_create(struct net_backend **backend, struct net_setup *setup);
int net_user_create(struct net_backend **backend, struct net_setup *setup);

#endif
