/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vhost.h - the protocol of an in-kernel device: one function per step.
 */
#ifndef KVHOST_VHOST_H
#define KVHOST_VHOST_H

#include <stdbool.h>
#include <stdint.h>
#include <kvhost.h>

struct guest_memory;
struct virtio_queue;

/**
 * struct vhost - an open device node
 * @fd:   the node
 * @node: its path, for messages
 * @module: whose node it should be, for messages
 * @name: who uses it, for messages
 * @last: when a line was last written, to bound their rate
 */
struct vhost {
	int fd;
	const char *node;
	const char *module;
	const char *name;
	uint64_t last;
};

/* Each writes a line on stderr when it fails, at most one a second. */
int vhost_open(struct vhost *vh, const char *node, const char *module,
	       const char *name);
void vhost_close(struct vhost *vh);
int vhost_set_owner(struct vhost *vh);
int vhost_get_features(struct vhost *vh, uint64_t *features);
int vhost_set_features(struct vhost *vh, uint64_t features);
int vhost_set_memory(struct vhost *vh, const struct guest_memory *mem);
int vhost_set_vring_num(struct vhost *vh, const struct virtio_queue *vq);
int vhost_set_vring_base(struct vhost *vh, const struct virtio_queue *vq,
			 uint32_t base);
int vhost_set_vring_addr(struct vhost *vh, const struct virtio_queue *vq,
			 const struct guest_memory *mem);
int vhost_set_vring_kick(struct vhost *vh, const struct virtio_queue *vq);
int vhost_set_vring_call(struct vhost *vh, const struct virtio_queue *vq);
int vhost_set_vring_err(struct vhost *vh, const struct virtio_queue *vq,
			int fd);
int vhost_set_vring_busyloop(struct vhost *vh, const struct virtio_queue *vq,
			     unsigned int us);
int vhost_set_mem_mode(struct vhost *vh, bool registered);
int vhost_new_worker(struct vhost *vh, unsigned int *id);
int vhost_attach_vring_worker(struct vhost *vh, unsigned int index,
			      unsigned int id);
int vhost_enable_vring(struct vhost *vh, const struct virtio_queue *vq,
		       int enable);
int vhost_get_vring_stats(struct vhost *vh, unsigned int index,
			  struct kvhost_vring_stats *stats);
bool vhost_counts(struct vhost *vh);
int vhost_net_set_backend(struct vhost *vh, const struct virtio_queue *vq,
			  int fd);
int vhost_blk_get_queue_stats(struct vhost *vh, unsigned int index,
			      struct kvhost_blk_queue_stats *stats);
int vhost_blk_set_backend(struct vhost *vh, struct kvhost_blk_backend *backend);
int vhost_blk_set_limits(struct vhost *vh, struct kvhost_blk_limits *limits);
int vhost_blk_get_error(struct vhost *vh, struct kvhost_blk_error *error);
int vhost_blk_resume(struct vhost *vh, uint32_t action);
int vhost_blk_resize(struct vhost *vh);
int vhost_blk_get_config(struct vhost *vh, struct kvhost_blk_config *config);

#endif
