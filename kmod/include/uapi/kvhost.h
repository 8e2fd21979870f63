/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kvhost.h - what /dev/kvhost-blk and /dev/kvhost-net understand beyond
 * <linux/vhost.h>.
 *
 * Every structure has fixed-width fields, no pointers and no hidden padding;
 * reserved fields and unknown flag bits must be zero, or the call fails with
 * EINVAL. Structures that start with @size grow at their end: a caller states
 * the size it was built with, a longer structure from a newer caller is
 * accepted as long as what this kernel does not know is zero (else E2BIG).
 */
#ifndef _UAPI_KVHOST_H
#define _UAPI_KVHOST_H

#include <linux/const.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/vhost.h>

/* Served on every kernel; headers before 6.5 do not know them. */
#ifndef VHOST_NEW_WORKER
struct vhost_worker_state {
	unsigned int worker_id;
};

struct vhost_vring_worker {
	unsigned int index;
	unsigned int worker_id;
};

#define VHOST_NEW_WORKER	_IOR(VHOST_VIRTIO, 0x8, struct vhost_worker_state)
#define VHOST_FREE_WORKER	_IOW(VHOST_VIRTIO, 0x9, struct vhost_worker_state)
#define VHOST_ATTACH_VRING_WORKER _IOW(VHOST_VIRTIO, 0x15, struct vhost_vring_worker)
#define VHOST_GET_VRING_WORKER	_IOWR(VHOST_VIRTIO, 0x16, struct vhost_vring_worker)
#endif

#define KVHOST_IOCTL_TYPE	0xB7

/* Most virtqueues a device node serves. */
#define KVHOST_BLK_QUEUES_MAX	64

/**
 * KVHOST_SET_VRING_ENABLE - start (num = 1) or stop (num = 0) one queue
 *
 * Starting pins and maps the ring and begins to serve it; the device needs a
 * backend and the queue its size and addresses. Stopping returns once every
 * request taken from the queue is completed and published, and forgets that
 * the queue was broken. Both are no-ops on a queue already in that state.
 */
#define KVHOST_SET_VRING_ENABLE	_IOW(KVHOST_IOCTL_TYPE, 0x01, struct vhost_vring_state)

/* struct kvhost_vring_stats.state */
#define KVHOST_VRING_STOPPED	0
#define KVHOST_VRING_RUNNING	1
#define KVHOST_VRING_BROKEN	2

/* Upper bound of fault kinds; index with the values of enum kvh_ring_fault. */
#define KVHOST_FAULTS_MAX	32

/**
 * struct kvhost_vring_stats - counters of one queue since it was created
 * @index:            in: which queue
 * @size:             in: sizeof(struct kvhost_vring_stats) of the caller
 * @state:            KVHOST_VRING_*
 * @in_flight:        chains taken and not completed
 * @kicks:            doorbells received from the guest
 * @polls:            times the worker looked at the ring without a doorbell
 * @chains:           buffers taken from the ring
 * @bytes_read:       bytes taken out of guest memory
 * @bytes_written:    bytes put into guest memory
 * @signals:          call eventfd signalled
 * @signals_suppressed: completions published that the driver wanted silent
 * @broken:           times the queue was marked broken
 * @faults:           malformed rings and chains by kind
 * @pins:             pages pinned for the time of a request; none of registered
 *                    memory
 * @windows:          times guest memory was opened for user access; none of
 *                    registered memory. What a socket copies by itself counts
 *                    once for each piece of the guest's buffers
 * @misses:           I/O virtual addresses the owner was asked to translate
 */
struct kvhost_vring_stats {
	__u32 index;
	__u32 size;
	__u32 state;
	__u32 in_flight;
	__u64 kicks;
	__u64 polls;
	__u64 chains;
	__u64 bytes_read;
	__u64 bytes_written;
	__u64 signals;
	__u64 signals_suppressed;
	__u64 broken;
	__u64 faults[KVHOST_FAULTS_MAX];
	__u64 pins;
	__u64 windows;
	__u64 misses;
};

#define KVHOST_GET_VRING_STATS	_IOWR(KVHOST_IOCTL_TYPE, 0x02, struct kvhost_vring_stats)

/**
 * KVHOST_SET_MEM_MODE - how guest memory is reached
 *
 * KVHOST_MEM_USER, the default: through the owner's address space; what a
 * request needs is pinned for its time, so memory can be overcommitted, swapped
 * and ballooned. KVHOST_MEM_REGISTERED: all regions of VHOST_SET_MEM_TABLE are
 * pinned when they are set, charged to the owner's locked-memory limit, and
 * reached directly; a request pins nothing. Changes a table in force too.
 */
#define KVHOST_SET_MEM_MODE	_IOW(KVHOST_IOCTL_TYPE, 0x08, __u32)
#define KVHOST_MEM_USER		0
#define KVHOST_MEM_REGISTERED	1

/* struct kvhost_blk_backend.flags */
#define KVHOST_BLK_RDONLY	_BITULL(0)	/* writes answer IOERR */
#define KVHOST_BLK_WRITETHROUGH	_BITULL(1)	/* a write is durable when used */
#define KVHOST_BLK_STOP_ON_ERROR _BITULL(2)	/* see struct kvhost_blk_error */
/* Bit 3 is reserved: it asked for polled I/O, which is gone. A set bit is EINVAL. */

/* Most ranges of one DISCARD, WRITE_ZEROES or SECURE_ERASE request. */
#define KVHOST_BLK_RANGES_MAX	32

/* struct kvhost_blk_config.serves */
#define KVHOST_BLK_DISCARD	_BITULL(0)
#define KVHOST_BLK_WRITE_ZEROES	_BITULL(1)
#define KVHOST_BLK_SECURE_ERASE	_BITULL(2)

#define KVHOST_BLK_SERIAL_BYTES	20

/**
 * struct kvhost_blk_backend - the disk behind a kvhost-blk device
 * @size:     sizeof(struct kvhost_blk_backend) of the caller
 * @fd:       block device or regular file, or -1 to detach and stop all queues
 * @flags:    KVHOST_BLK_*
 * @offset:   where the disk begins, in bytes; multiple of the block size
 * @length:   length of the disk in bytes; 0: up to the end of @fd
 * @serial:   what GET_ID answers, zero padded, not terminated when full
 * @reserved: zero
 *
 * Set on a device with a backend, the old one is drained first and running
 * queues go on with the new one.
 */
struct kvhost_blk_backend {
	__u32 size;
	__s32 fd;
	__u64 flags;
	__u64 offset;
	__u64 length;
	__u8 serial[KVHOST_BLK_SERIAL_BYTES];
	__u8 reserved[4];
};

#define KVHOST_BLK_SET_BACKEND	_IOW(KVHOST_IOCTL_TYPE, 0x40, struct kvhost_blk_backend)

/**
 * struct kvhost_blk_config - what the backend offers, for a VMM's config space
 * @size:               in: sizeof(struct kvhost_blk_config) of the caller
 * @flags:              KVHOST_BLK_* in force
 * @capacity:           in 512-byte sectors
 * @logical_block_size: smallest unit of I/O in bytes
 * @physical_block_size: unit of efficient I/O in bytes
 * @serves:             KVHOST_BLK_DISCARD and the like: what the disk can do
 * @discard_granularity: bytes that are deallocated together, 0 if not known
 * @ranges_max:         most ranges of one request
 * @seg_max:            most data segments of one request
 * @reserved:           zero
 */
struct kvhost_blk_config {
	__u32 size;
	__u32 seg_max;
	__u64 flags;
	__u64 capacity;
	__u32 logical_block_size;
	__u32 physical_block_size;
	__u64 serves;
	__u32 discard_granularity;
	__u32 ranges_max;
	__u64 reserved[2];
};

#define KVHOST_BLK_GET_CONFIG	_IOWR(KVHOST_IOCTL_TYPE, 0x41, struct kvhost_blk_config)

/**
 * struct kvhost_blk_limits - how fast a device may use its disk
 * @size:        sizeof(struct kvhost_blk_limits) of the caller
 * @flags:       zero
 * @iops:        requests per second, of whatever type; 0: any number
 * @iops_burst:  requests that may begin at once after a rest, at most 2^32;
 *               0: a tenth of @iops
 * @bytes:       payload bytes per second; 0: any number
 * @bytes_burst: likewise in bytes; 0: a tenth of @bytes
 * @reserved:    zero
 *
 * All queues of the device share the limits. What is beyond them stays in the
 * ring until there is room again. In any stretch of t seconds at most
 * @iops * t + @iops_burst requests begin; likewise bytes, but that a request
 * larger than @bytes_burst is let through in one piece and paid for afterwards.
 * The ranges of a DISCARD or WRITE_ZEROES are no payload.
 *
 * KVHOST_BLK_SET_LIMITS may be called at any time and replaces all limits;
 * they end with the backend. KVHOST_BLK_GET_LIMITS gives those in force, the
 * bursts they imply included.
 */
struct kvhost_blk_limits {
	__u32 size;
	__u32 flags;
	__u64 iops;
	__u64 iops_burst;
	__u64 bytes;
	__u64 bytes_burst;
	__u64 reserved[2];
};

#define KVHOST_BLK_SET_LIMITS	_IOW(KVHOST_IOCTL_TYPE, 0x42, struct kvhost_blk_limits)
#define KVHOST_BLK_GET_LIMITS	_IOWR(KVHOST_IOCTL_TYPE, 0x43, struct kvhost_blk_limits)

/**
 * struct kvhost_blk_error - an error of the disk that stopped a queue
 * @size:   in: sizeof(struct kvhost_blk_error) of the caller
 * @held:   requests that failed and wait for KVHOST_BLK_RESUME; if 0, the rest
 *          speaks of the last time there were any
 * @queue:  queue of the first of them
 * @type:   its VIRTIO_BLK_T_*
 * @error:  its -errno
 * @flags:  zero
 * @sector: its first sector, of requests that have one
 * @bytes:  its payload in bytes
 * @count:  errors that stopped a queue since the device was opened
 *
 * With KVHOST_BLK_STOP_ON_ERROR a request the disk failed is not answered. Its
 * queue takes nothing more, and its error eventfd is signalled; other queues run
 * until they meet an error of their own. A request that was malformed, or asked
 * for what the disk does not have, is answered as always.
 *
 * Requests stay held while backend, memory table, dirty log and translations
 * change. Stopping the queue, detaching the backend and the end of the owner do
 * not wait for a decision: the requests held are answered IOERR then.
 */
struct kvhost_blk_error {
	__u32 size;
	__u32 held;
	__u32 queue;
	__u32 type;
	__s32 error;
	__u32 flags;
	__u64 sector;
	__u64 bytes;
	__u64 count;
};

#define KVHOST_BLK_GET_ERROR	_IOWR(KVHOST_IOCTL_TYPE, 0x44, struct kvhost_blk_error)

/* Argument of KVHOST_BLK_RESUME: what becomes of requests that are held. */
#define KVHOST_BLK_RETRY	0	/* the disk is asked again */
#define KVHOST_BLK_REPORT	1	/* the guest gets IOERR */

#define KVHOST_BLK_RESUME	_IOW(KVHOST_IOCTL_TYPE, 0x45, __u32)

/**
 * KVHOST_BLK_RESIZE - look again how large the disk is
 *
 * KVHOST_BLK_GET_CONFIG tells then. Requests go on meanwhile; what lies beyond a
 * new end answers IOERR. A length that was given is kept as far as there is so
 * much.
 */
#define KVHOST_BLK_RESIZE	_IO(KVHOST_IOCTL_TYPE, 0x46)

/* struct kvhost_blk_queue_stats.requests and .bytes: index by what was asked for */
#define KVHOST_BLK_REQ_IN		0
#define KVHOST_BLK_REQ_OUT		1
#define KVHOST_BLK_REQ_FLUSH		2
#define KVHOST_BLK_REQ_GET_ID		3
#define KVHOST_BLK_REQ_DISCARD		4
#define KVHOST_BLK_REQ_WRITE_ZEROES	5
#define KVHOST_BLK_REQ_SECURE_ERASE	6
#define KVHOST_BLK_REQ_OTHER		7
#define KVHOST_BLK_REQ_NR		8

/* struct kvhost_blk_queue_stats.disk_errors: index by what the disk said */
#define KVHOST_BLK_ERR_IO		0	/* EIO and what has no line of its own */
#define KVHOST_BLK_ERR_NOSPC		1	/* ENOSPC, EDQUOT */
#define KVHOST_BLK_ERR_TIMEDOUT		2	/* ETIMEDOUT, ETIME */
#define KVHOST_BLK_ERR_GONE		3	/* ENOLINK, ENODEV */
#define KVHOST_BLK_ERR_MEDIUM		4	/* ENODATA, EILSEQ, EBADMSG */
#define KVHOST_BLK_ERR_NOTSUPP		5	/* EOPNOTSUPP, answered UNSUPP */
#define KVHOST_BLK_ERR_NOMEM		6	/* ENOMEM */
#define KVHOST_BLK_ERR_NR		7

/* struct kvhost_blk_queue_stats.latency: classes, and buckets of each */
#define KVHOST_BLK_LAT_READ		0
#define KVHOST_BLK_LAT_WRITE		1
#define KVHOST_BLK_LAT_FLUSH		2
#define KVHOST_BLK_LAT_OTHER		3
#define KVHOST_BLK_LAT_NR		4
#define KVHOST_BLK_LAT_BUCKETS		32

/**
 * struct kvhost_blk_queue_stats - what became of the requests of one queue
 * @index:         in: which queue
 * @size:          in: sizeof(struct kvhost_blk_queue_stats) of the caller
 * @requests:      requests answered, well or ill, by KVHOST_BLK_REQ_*
 * @bytes:         payload of those answered OK; of ranges: what they span
 * @ioerr:         answered IOERR
 * @unsupp:        answered UNSUPP
 * @refused:       of these, answered without asking the disk
 * @disk_errors:   of these, failed by the disk, by KVHOST_BLK_ERR_*
 * @dropped:       not answered: no room for header or status
 * @in_flight_max: most requests there were with the disk at a time
 * @batches:       times requests were started, one plug each
 * @bios:          bios submitted for payload and flushes
 * @reserved1:     0
 * @bounced:       requests whose payload was copied, being cut as no disk takes it
 * @reserved2:     0
 * @latency_ns:    sum of the time from taking to answering, by KVHOST_BLK_LAT_*
 * @latency:       number of requests that took [2^i, 2^(i+1)) ns; the first bucket
 *                 has those below, the last one those above
 *
 * Since the queue was first started; stopping and resetting do not clear them.
 * Grows at its end: a shorter caller gets what it has room for, a longer one
 * finds in @size how much is valid.
 */
struct kvhost_blk_queue_stats {
	__u32 index;
	__u32 size;
	__u64 requests[KVHOST_BLK_REQ_NR];
	__u64 bytes[KVHOST_BLK_REQ_NR];
	__u64 ioerr;
	__u64 unsupp;
	__u64 refused;
	__u64 disk_errors[KVHOST_BLK_ERR_NR];
	__u64 dropped;
	__u64 in_flight_max;
	__u64 batches;
	__u64 bios;
	__u64 reserved1;
	__u64 bounced;
	__u64 reserved2;
	__u64 latency_ns[KVHOST_BLK_LAT_NR];
	__u64 latency[KVHOST_BLK_LAT_NR][KVHOST_BLK_LAT_BUCKETS];
};

#define KVHOST_BLK_GET_QUEUE_STATS \
	_IOWR(KVHOST_IOCTL_TYPE, 0x48, struct kvhost_blk_queue_stats)

/* struct kvhost_net_queue_stats.drops: index by why a frame was dropped */
#define KVHOST_NET_DROP_RUNT		0	/* too short for header and Ethernet header */
#define KVHOST_NET_DROP_TOO_LONG	1	/* above 64 KiB, or for the buffers there are */
#define KVHOST_NET_DROP_HEADER		2	/* the virtio header lies, or was not accepted */
#define KVHOST_NET_DROP_MEMORY		3	/* no memory, or no room in the host's queues */
#define KVHOST_NET_DROP_BACKEND		4	/* tap or socket failed */
#define KVHOST_NET_DROP_NR		5

/**
 * struct kvhost_net_queue_stats - what became of the frames of one queue
 * @index:   in: which queue: 0 receives, 1 sends, seen from the guest
 * @size:    in: sizeof(struct kvhost_net_queue_stats) of the caller
 * @packets: frames delivered to the guest, or handed to tap or socket
 * @bytes:   their bytes, the virtio header not counted
 * @batches: times frames were taken from, or handed to, a tap together
 * @alone:   frames sent one by one: large ones, and all to a packet socket
 * @drops:   frames dropped, by KVHOST_NET_DROP_*
 * @starved: times frames had to wait for the guest's buffers, or for room in
 *           the socket
 *
 * Since the queue was first started; stopping and resetting do not clear them.
 * Grows at its end as struct kvhost_blk_queue_stats does.
 */
struct kvhost_net_queue_stats {
	__u32 index;
	__u32 size;
	__u64 packets;
	__u64 bytes;
	__u64 batches;
	__u64 alone;
	__u64 drops[KVHOST_NET_DROP_NR];
	__u64 starved;
};

#define KVHOST_NET_GET_QUEUE_STATS \
	_IOWR(KVHOST_IOCTL_TYPE, 0x80, struct kvhost_net_queue_stats)

#endif /* _UAPI_KVHOST_H */
