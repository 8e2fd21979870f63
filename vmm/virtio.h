/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio.h - a virtio device without its transport and without its backend.
 */
#ifndef KVHOST_VIRTIO_H
#define KVHOST_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Feature words a driver can select; what lies beyond reads as zero. */
#define VIRTIO_FEATURE_WORDS	4

#define VIRTIO_BIT(n)		(1ULL << (n))

struct guest_memory;
struct virtio_dev;

/**
 * struct virtio_queue - the registers of one queue, and its doorbells
 * @index:    position in the device
 * @size_max: largest size the driver may choose
 * @size:     size chosen by the driver
 * @desc:     guest address of the descriptor area
 * @driver:   guest address of the driver area
 * @device:   guest address of the device area
 * @enabled:  queue_enable; the five fields above cannot change while it is set
 * @live:     the backend serves the queue
 * @kick_fd:  eventfd the guest's doorbell writes, constant
 * @call_fd:  eventfd a used-buffer notification is raised by, constant
 *
 * Protected by vm_lock(); a backend reads a live queue without it.
 */
struct virtio_queue {
	uint16_t index;
	uint16_t size_max;
	uint16_t size;
	uint64_t desc;
	uint64_t driver;
	uint64_t device;
	bool enabled;
	bool live;
	int kick_fd;
	int call_fd;
};

/**
 * struct virtio_ops - what a device type implements
 * @features_ok:  the driver's features were accepted
 * @start:        DRIVER_OK was written; comes before the first @queue_start
 * @reset:        the device is being reset; comes after the last @queue_stop
 * @queue_start:  serve a queue from now on
 * @queue_stop:   stop serving it; on return nothing of the queue is in flight
 * @config_write: the driver stored @len bytes at @off, which lie within the
 *                configuration space; optional
 *
 * All run under vm_lock(). @start and @queue_start
 * return 0 or -errno, which the driver sees as DEVICE_NEEDS_RESET.
 */
struct virtio_ops {
	void (*features_ok)(struct virtio_dev *vdev);
	int (*start)(struct virtio_dev *vdev);
	void (*reset)(struct virtio_dev *vdev);
	int (*queue_start)(struct virtio_dev *vdev, struct virtio_queue *vq);
	void (*queue_stop)(struct virtio_dev *vdev, struct virtio_queue *vq);
	void (*config_write)(struct virtio_dev *vdev, size_t off,
			     const void *data, size_t len);
};

/**
 * struct virtio_dev - embed it in a device type
 * @ops:        the device type; this group is constant after set-up
 * @name:       for messages
 * @id:         device ID of the specification, chapter 5
 * @mem:        guest memory
 * @offered:    features offered
 * @queues:     @nqueues queues
 * @nqueues:    number of queues
 * @config_len: bytes of configuration space
 * @notify:     transport: raise a configuration change notification
 * @notify_arg: for @notify
 * @config:     configuration space, little-endian
 * @accepted:   words the driver wrote, unoffered bits included
 * @status:     device status
 * @generation: of the configuration space
 * @changed:    it was changed since the driver last read @generation
 * @started:    ops->start was called
 * @last_error: when virtio_error() last wrote a line, to bound their rate
 *
 * Protected by vm_lock() from @config on.
 */
struct virtio_dev {
	const struct virtio_ops *ops;
	const char *name;
	uint16_t id;
	const struct guest_memory *mem;
	uint64_t offered;
	struct virtio_queue *queues;
	unsigned int nqueues;
	size_t config_len;
	void (*notify)(void *arg);
	void *notify_arg;

	void *config;
	uint32_t accepted[VIRTIO_FEATURE_WORDS];
	uint8_t status;
	uint8_t generation;
	bool changed;
	bool started;
	uint64_t last_error;
};

int virtio_init(struct virtio_dev *vdev, unsigned int nqueues,
		uint16_t queue_size);
void virtio_destroy(struct virtio_dev *vdev);

/* Registers, for the transport. */
uint32_t virtio_offered_word(const struct virtio_dev *vdev, uint32_t select);
uint32_t virtio_accepted_word(const struct virtio_dev *vdev, uint32_t select);
void virtio_accept_word(struct virtio_dev *vdev, uint32_t select, uint32_t val);
void virtio_set_status(struct virtio_dev *vdev, uint8_t val);
void virtio_reset(struct virtio_dev *vdev);
uint8_t virtio_generation(struct virtio_dev *vdev);
void virtio_config_read(struct virtio_dev *vdev, uint64_t off, void *data,
			size_t len);
void virtio_config_write(struct virtio_dev *vdev, uint64_t off,
			 const void *data, size_t len);
void virtio_queue_set_size(struct virtio_dev *vdev, struct virtio_queue *vq,
			   uint16_t size);
void virtio_queue_enable(struct virtio_dev *vdev, struct virtio_queue *vq);
void virtio_queue_reset(struct virtio_dev *vdev, struct virtio_queue *vq);

/* For device types. */
uint64_t virtio_features(const struct virtio_dev *vdev);
bool virtio_has(const struct virtio_dev *vdev, unsigned int bit);
void virtio_config_changed(struct virtio_dev *vdev);
void virtio_error(struct virtio_dev *vdev, const char *why);

#endif
