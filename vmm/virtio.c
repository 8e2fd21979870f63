// SPDX-License-Identifier: GPL-2.0
/*
 * virtio.c - what every virtio device does, whatever its type and transport:
 * the status state machine, feature negotiation, queue registers, the
 * configuration space.
 *
 * Invariants: a live queue is enabled, and an enabled queue's size and
 * addresses were checked and cannot change; no queue is live unless DRIVER_OK
 * is set and neither FAILED nor DEVICE_NEEDS_RESET was when it started.
 *
 * Everything runs with vm_lock() held, on a vCPU thread (register access) or
 * on the main thread (errors reported by a backend, machine reset).
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "memory.h"
#include "ring.h"
#include "util.h"
#include "virtio.h"

/* What a driver may set; the rest is the device's own or reserved. */
#define STATUS_DRIVER_BITS						\
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |		\
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK |	\
	 VIRTIO_CONFIG_S_FAILED)

#define STATUS_DEAD							\
	(VIRTIO_CONFIG_S_FAILED | VIRTIO_CONFIG_S_NEEDS_RESET)

static void queue_defaults(struct virtio_queue *vq)
{
	vq->size = vq->size_max;
	vq->desc = 0;
	vq->driver = 0;
	vq->device = 0;
	vq->enabled = false;
}

/**
 * virtio_init() - create the queues of a device
 * @vdev:       constant group filled in, but for @queues and @nqueues
 * @nqueues:    number of queues
 * @queue_size: largest size of each
 *
 * Context: main thread, before the VM runs.
 * Return: 0, -ENOMEM, or -EMFILE and -ENFILE from eventfd().
 */
int virtio_init(struct virtio_dev *vdev, unsigned int nqueues,
		uint16_t queue_size)
{
	unsigned int i;

	vdev->queues = calloc(nqueues, sizeof(*vdev->queues));
	if (!vdev->queues)
		return -ENOMEM;
	vdev->nqueues = nqueues;
	for (i = 0; i < nqueues; i++) {
		vdev->queues[i].kick_fd = -1;
		vdev->queues[i].call_fd = -1;
	}
	for (i = 0; i < nqueues; i++) {
		struct virtio_queue *vq = &vdev->queues[i];

		vq->index = i;
		vq->size_max = queue_size;
		queue_defaults(vq);
		vq->kick_fd = event_open();
		vq->call_fd = vq->kick_fd < 0 ? vq->kick_fd : event_open();
		if (vq->call_fd < 0) {
			int err = vq->call_fd;

			virtio_destroy(vdev);
			return err;
		}
	}
	return 0;
}

/**
 * virtio_destroy() - undo virtio_init()
 * @vdev: device none of whose queues is live
 *
 * Context: main thread, when the VM no longer runs.
 */
void virtio_destroy(struct virtio_dev *vdev)
{
	unsigned int i;

	for (i = 0; i < vdev->nqueues; i++) {
		if (vdev->queues[i].kick_fd >= 0)
			close(vdev->queues[i].kick_fd);
		if (vdev->queues[i].call_fd >= 0)
			close(vdev->queues[i].call_fd);
	}
	free(vdev->queues);
	vdev->queues = NULL;
	vdev->nqueues = 0;
}

/**
 * virtio_offered_word() - 32 of the offered feature bits
 * @vdev:   device
 * @select: which 32
 *
 * Return: the bits; 0 beyond what is defined.
 */
uint32_t virtio_offered_word(const struct virtio_dev *vdev, uint32_t select)
{
	return select < 2 ? vdev->offered >> (32 * select) : 0;
}

/**
 * virtio_accepted_word() - 32 of the feature bits the driver wrote
 * @vdev:   device
 * @select: which 32
 *
 * Return: the bits; 0 beyond what is defined.
 */
uint32_t virtio_accepted_word(const struct virtio_dev *vdev, uint32_t select)
{
	return select < VIRTIO_FEATURE_WORDS ? vdev->accepted[select] : 0;
}

/**
 * virtio_accept_word() - the driver writes 32 feature bits
 * @vdev:   device
 * @select: which 32
 * @val:    the bits
 *
 * Features are frozen once FEATURES_OK was accepted.
 */
void virtio_accept_word(struct virtio_dev *vdev, uint32_t select, uint32_t val)
{
	if (select < VIRTIO_FEATURE_WORDS &&
	    !(vdev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		vdev->accepted[select] = val;
}

/**
 * virtio_features() - the features the driver accepted
 * @vdev: device
 *
 * Return: accepted bits; a subset of the offered ones once FEATURES_OK is set.
 */
uint64_t virtio_features(const struct virtio_dev *vdev)
{
	return vdev->accepted[0] | (uint64_t)vdev->accepted[1] << 32;
}

/**
 * virtio_has() - was a feature negotiated
 * @vdev: device
 * @bit:  number of the feature
 *
 * Return: true after FEATURES_OK with the bit set.
 */
bool virtio_has(const struct virtio_dev *vdev, unsigned int bit)
{
	return (vdev->status & VIRTIO_CONFIG_S_FEATURES_OK) &&
	       (virtio_features(vdev) & VIRTIO_BIT(bit));
}

static bool features_valid(const struct virtio_dev *vdev)
{
	uint64_t accepted = virtio_features(vdev);
	unsigned int i;

	for (i = 2; i < VIRTIO_FEATURE_WORDS; i++) {
		if (vdev->accepted[i])
			return false;
	}
	if (accepted & ~vdev->offered)
		return false;
	return accepted & VIRTIO_BIT(VIRTIO_F_VERSION_1);
}

static void stop_queues(struct virtio_dev *vdev)
{
	unsigned int i;

	for (i = 0; i < vdev->nqueues; i++) {
		if (!vdev->queues[i].live)
			continue;
		vdev->ops->queue_stop(vdev, &vdev->queues[i]);
		vdev->queues[i].live = false;
	}
}

static void start_queue(struct virtio_dev *vdev, struct virtio_queue *vq)
{
	int ret = vdev->ops->queue_start(vdev, vq);

	if (ret) {
		virtio_error(vdev, strerror(-ret));
		return;
	}
	vq->live = true;
	/* Buffers offered before the start count, kick or no kick. */
	event_raise(vq->kick_fd);
}

static void start_device(struct virtio_dev *vdev)
{
	unsigned int i;
	int ret = vdev->ops->start(vdev);

	vdev->started = true;
	if (ret) {
		virtio_error(vdev, strerror(-ret));
		return;
	}
	for (i = 0; i < vdev->nqueues; i++) {
		if (vdev->queues[i].enabled)
			start_queue(vdev, &vdev->queues[i]);
	}
}

/**
 * virtio_reset() - device reset
 * @vdev: device
 *
 * On return the status is 0, no queue is live and nothing is in flight.
 */
void virtio_reset(struct virtio_dev *vdev)
{
	unsigned int i;

	stop_queues(vdev);
	vdev->ops->reset(vdev);
	vdev->started = false;
	for (i = 0; i < vdev->nqueues; i++) {
		queue_defaults(&vdev->queues[i]);
		event_clear(vdev->queues[i].kick_fd);
		event_clear(vdev->queues[i].call_fd);
	}
	memset(vdev->accepted, 0, sizeof(vdev->accepted));
	vdev->status = 0;
}

/* Each step needs the one before it; a step taken too early is dropped. */
static uint8_t status_steps(struct virtio_dev *vdev, uint8_t want)
{
	static const uint8_t steps[] = {
		VIRTIO_CONFIG_S_ACKNOWLEDGE, VIRTIO_CONFIG_S_DRIVER,
		VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_DRIVER_OK,
	};
	uint8_t status = vdev->status;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		if (status & steps[i])
			continue;
		if (!(want & steps[i]))
			break;
		if (steps[i] == VIRTIO_CONFIG_S_FEATURES_OK &&
		    !features_valid(vdev))
			break;
		status |= steps[i];
	}
	return status;
}

/**
 * virtio_set_status() - the driver writes device_status
 * @vdev: device
 * @val:  what it wrote
 *
 * Zero resets. A write that would clear a bit is refused (HD-001), except that
 * DEVICE_NEEDS_RESET, which the driver may not know of, is not looked at.
 */
void virtio_set_status(struct virtio_dev *vdev, uint8_t val)
{
	uint8_t old = vdev->status;

	if (!val) {
		virtio_reset(vdev);
		return;
	}
	if ((old & STATUS_DRIVER_BITS) & ~val)
		return;
	if (val & VIRTIO_CONFIG_S_FAILED) {
		vdev->status |= VIRTIO_CONFIG_S_FAILED;
		stop_queues(vdev);
		return;
	}
	if (old & STATUS_DEAD)
		return;
	vdev->status = status_steps(vdev, val);
	if (vdev->status & ~old & VIRTIO_CONFIG_S_FEATURES_OK)
		vdev->ops->features_ok(vdev);
	if (vdev->status & ~old & VIRTIO_CONFIG_S_DRIVER_OK)
		start_device(vdev);
}

/**
 * virtio_generation() - the driver reads config_generation
 * @vdev: device
 *
 * The count moves on when it is read after a change, not with each change, so
 * that 256 changes between two reads are not taken for none (PCI-019).
 *
 * Return: the generation.
 */
uint8_t virtio_generation(struct virtio_dev *vdev)
{
	if (vdev->changed) {
		vdev->generation++;
		vdev->changed = false;
	}
	return vdev->generation;
}

/**
 * virtio_config_read() - the driver reads its configuration space
 * @vdev: device
 * @off:  where
 * @data: filled; bytes beyond the end of the space read as zero
 * @len:  how much
 */
void virtio_config_read(struct virtio_dev *vdev, uint64_t off, void *data,
			size_t len)
{
	size_t n = 0;

	if (off < vdev->config_len)
		n = vdev->config_len - off;
	if (n > len)
		n = len;
	memset(data, 0, len);
	memcpy(data, (char *)vdev->config + (n ? off : 0), n);
}

/**
 * virtio_config_write() - the driver writes to its configuration space
 * @vdev: device
 * @off:  where
 * @data: what
 * @len:  how much; a write that runs past the end is dropped
 */
void virtio_config_write(struct virtio_dev *vdev, uint64_t off,
			 const void *data, size_t len)
{
	if (off > vdev->config_len || len > vdev->config_len - off)
		return;
	if (vdev->ops->config_write)
		vdev->ops->config_write(vdev, off, data, len);
}

static bool size_valid(const struct virtio_dev *vdev,
		       const struct virtio_queue *vq, uint16_t size)
{
	bool packed = virtio_features(vdev) & VIRTIO_BIT(VIRTIO_F_RING_PACKED);

	if (!size || size > vq->size_max)
		return false;
	return packed || !(size & (size - 1));
}

/**
 * virtio_queue_set_size() - the driver writes queue_size
 * @vdev: device
 * @vq:   selected queue
 * @size: what it wrote; an invalid size leaves the register as it was
 */
void virtio_queue_set_size(struct virtio_dev *vdev, struct virtio_queue *vq,
			   uint16_t size)
{
	if (!vq->enabled && size_valid(vdev, vq, size))
		vq->size = size;
}

static bool area_valid(const struct virtio_dev *vdev, uint64_t addr,
		       size_t len, unsigned int align)
{
	return addr && !(addr % align) && memory_at(vdev->mem, addr, len);
}

static bool queue_valid(const struct virtio_dev *vdev,
			const struct virtio_queue *vq)
{
	bool packed = virtio_has(vdev, VIRTIO_F_RING_PACKED);
	enum kvh_ring_layout layout = packed ? KVH_RING_PACKED : KVH_RING_SPLIT;

	return size_valid(vdev, vq, vq->size) &&
	       area_valid(vdev, vq->desc,
			  kvh_ring_desc_bytes(layout, vq->size), 16) &&
	       area_valid(vdev, vq->driver,
			  kvh_ring_driver_bytes(layout, vq->size),
			  packed ? 4 : 2) &&
	       area_valid(vdev, vq->device,
			  kvh_ring_device_bytes(layout, vq->size), 4);
}

/**
 * virtio_queue_enable() - the driver writes 1 to queue_enable
 * @vdev: device
 * @vq:   selected queue
 *
 * Refused, so that the register goes on reading 0, before FEATURES_OK and when
 * size or addresses are not those of rings in guest RAM (HD-007, HD-035). A
 * queue enabled after DRIVER_OK starts at once.
 */
void virtio_queue_enable(struct virtio_dev *vdev, struct virtio_queue *vq)
{
	if (vq->enabled || (vdev->status & STATUS_DEAD))
		return;
	if (!(vdev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	if (!queue_valid(vdev, vq))
		return;
	vq->enabled = true;
	if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		start_queue(vdev, vq);
}

/**
 * virtio_queue_reset() - the driver writes 1 to queue_reset
 * @vdev: device
 * @vq:   selected queue
 *
 * Without RING_RESET negotiated nothing happens. On return the queue is
 * disabled, its registers have their defaults and nothing of it is in flight.
 */
void virtio_queue_reset(struct virtio_dev *vdev, struct virtio_queue *vq)
{
	if (!vq->enabled || !virtio_has(vdev, VIRTIO_F_RING_RESET))
		return;
	if (vq->live)
		vdev->ops->queue_stop(vdev, vq);
	vq->live = false;
	queue_defaults(vq);
	event_clear(vq->kick_fd);
	event_clear(vq->call_fd);
}

/**
 * virtio_config_changed() - the device changed its configuration space
 * @vdev: device
 */
void virtio_config_changed(struct virtio_dev *vdev)
{
	vdev->changed = true;
	if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		vdev->notify(vdev->notify_arg);
}

/**
 * virtio_error() - only a reset helps: raise DEVICE_NEEDS_RESET
 * @vdev: device
 * @why:  for the one line on stderr; at most one line a second is written, as
 *        a guest can provoke them
 */
void virtio_error(struct virtio_dev *vdev, const char *why)
{
	uint64_t now = now_ns();

	if (vdev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	vdev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (!vdev->last_error || now - vdev->last_error > NSEC_PER_SEC) {
		vdev->last_error = now;
		log_warn("%s: the guest must reset the device: %s",
			 vdev->name, why);
	}
	if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		vdev->notify(vdev->notify_arg);
}
