/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ring.h - the device side of a virtqueue, split or packed.
 *
 * Pure ring code: no lock, no allocation, no log line, no system call. It is
 * compiled unchanged into the kernel modules, into the VMM's userspace
 * backends and into the unit tests and fuzzers; whatever it needs from its
 * surroundings comes through "kvh_env.h", of which each build has its own.
 *
 * Rules every function here keeps:
 *  - A ring is used by one thread at a time; the caller serialises.
 *  - A guest word is fetched once, into private memory, and only the copy is
 *    checked and used. The device's own positions live in struct kvh_ring
 *    and are never read back from the guest.
 *  - A fault is sticky: after a negative return the ring refuses further
 *    takes until kvh_ring_init(), and @fault says what was wrong.
 *
 * Life of a buffer: kvh_ring_take() -> the backend works -> kvh_ring_complete()
 * (in any order) -> kvh_ring_publish() -> kvh_ring_need_signal(). A buffer
 * the backend cannot use now goes back with kvh_ring_untake().
 */
#ifndef KVH_RING_H
#define KVH_RING_H

#include "kvh_env.h"

/* Largest queue the specification allows (2.7, 2.8.10.1). */
#define KVH_RING_SIZE_MAX	32768u

/*
 * Most segments a chain may have, direct and indirect together, and most
 * entries an indirect table may have. The cap 2.7.4.1 and 2.8.18 allow.
 */
#define KVH_CHAIN_SEGS_MAX	1024u

/** enum kvh_ring_layout - how the ring lies in memory */
enum kvh_ring_layout {
	/** @KVH_RING_SPLIT: descriptor table, avail ring, used ring (2.7) */
	KVH_RING_SPLIT,
	/** @KVH_RING_PACKED: one descriptor ring, two event structures (2.8) */
	KVH_RING_PACKED,
};

/**
 * enum kvh_ring_fault - what a malformed ring or chain was found to be
 *
 * Values up to %KVH_FAULT_RING_LAST speak of the ring itself (no chain can be
 * named), the others of one chain. The order is ABI: counters are indexed by
 * it, so new values go before %KVH_FAULT_NR only.
 */
enum kvh_ring_fault {
	/** @KVH_FAULT_NONE: nothing wrong so far */
	KVH_FAULT_NONE,
	/** @KVH_FAULT_AVAIL_JUMP: more buffers offered than the queue holds */
	KVH_FAULT_AVAIL_JUMP,
	/** @KVH_FAULT_HEAD_RANGE: head index at or beyond the queue size */
	KVH_FAULT_HEAD_RANGE,
	/** @KVH_FAULT_RING_LAST: last fault of the ring itself */
	KVH_FAULT_RING_LAST = KVH_FAULT_HEAD_RANGE,
	/** @KVH_FAULT_NEXT_RANGE: next points beyond its table */
	KVH_FAULT_NEXT_RANGE,
	/** @KVH_FAULT_LOOP: more descriptors linked than the table has */
	KVH_FAULT_LOOP,
	/** @KVH_FAULT_TOO_LONG: more than %KVH_CHAIN_SEGS_MAX segments */
	KVH_FAULT_TOO_LONG,
	/** @KVH_FAULT_ZERO_LEN: a segment of no bytes */
	KVH_FAULT_ZERO_LEN,
	/** @KVH_FAULT_ADDR_WRAP: a segment that runs past 2^64 */
	KVH_FAULT_ADDR_WRAP,
	/** @KVH_FAULT_TOTAL_LEN: readable or writable bytes exceed 2^32 - 1 */
	KVH_FAULT_TOTAL_LEN,
	/** @KVH_FAULT_ORDER: a readable segment after a writable one */
	KVH_FAULT_ORDER,
	/** @KVH_FAULT_INDIRECT_OFF: indirect without the feature negotiated */
	KVH_FAULT_INDIRECT_OFF,
	/** @KVH_FAULT_INDIRECT_NEST: an indirect table within a table */
	KVH_FAULT_INDIRECT_NEST,
	/** @KVH_FAULT_INDIRECT_NEXT: INDIRECT and NEXT in one descriptor */
	KVH_FAULT_INDIRECT_NEXT,
	/** @KVH_FAULT_INDIRECT_LEN: table empty, ragged or above the cap */
	KVH_FAULT_INDIRECT_LEN,
	/** @KVH_FAULT_INDIRECT_READ: table not (wholly) in guest memory */
	KVH_FAULT_INDIRECT_READ,
	/** @KVH_FAULT_PARTIAL: packed list that leaves the available slots */
	KVH_FAULT_PARTIAL,
	/** @KVH_FAULT_ID_RANGE: packed buffer ID at or beyond the queue size */
	KVH_FAULT_ID_RANGE,
	/** @KVH_FAULT_NR: number of faults */
	KVH_FAULT_NR,
};

/**
 * struct kvh_seg - one contiguous piece of a buffer
 * @addr: guest address, 64-bit, as the driver wrote it; checked not to wrap
 * @len:  bytes, at least 1
 */
struct kvh_seg {
	u64 addr;
	u32 len;
};

/**
 * struct kvh_chain - one buffer the driver made available
 * @id:        what a used element names: head index (split), buffer ID (packed)
 * @seq:       position in the order of taking, modulo 2^16; owned by the ring
 * @first:     index of its first segment in the caller's segment array
 * @slots:     ring slots it takes (packed); 1 in a split ring
 * @n_read:    device-readable segments, at segs[first ...]
 * @n_write:   device-writable segments, right behind the readable ones
 * @read_len:  bytes in the readable segments
 * @write_len: bytes in the writable segments
 * @written:   set by the backend before completion: bytes written, counted
 *             from the first writable byte, never above @write_len
 */
struct kvh_chain {
	u16 id;
	u16 seq;
	u32 first;
	u32 slots;
	u32 n_read;
	u32 n_write;
	u32 read_len;
	u32 write_len;
	u32 written;
};

/**
 * struct kvh_order - one place of the re-sequencing table of IN_ORDER
 * @id:        as in struct kvh_chain
 * @slots:     as in struct kvh_chain
 * @done:      completed by the backend, not yet handed to the driver
 * @full:      its whole writable part was written, so it may be skipped over
 * @written:   bytes written
 */
struct kvh_order {
	u16 id;
	u16 slots;
	u8 done;
	u8 full;
	u32 written;
};

/**
 * struct kvh_ring_config - what kvh_ring_init() makes a ring from
 * @layout:    split or packed
 * @size:      number of descriptors
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @indirect:  VIRTIO_F_INDIRECT_DESC was negotiated
 * @in_order:  VIRTIO_F_IN_ORDER was negotiated; needs @order
 * @desc:      descriptor table or ring, kvh_ring_desc_bytes() long
 * @driver:    avail ring or driver event structure, kvh_ring_driver_bytes()
 * @device:    used ring or device event structure, kvh_ring_device_bytes()
 * @table:     private scratch for %KVH_CHAIN_SEGS_MAX raw descriptors (16 bytes
 *             each) into which an indirect table is copied; needed with @indirect
 * @order:     @size entries of private memory; needed with @in_order
 *
 * All pointers outlive the ring. @driver is only ever read, and so is the @desc
 * of a split ring; used entries of a packed ring go to @desc.
 */
struct kvh_ring_config {
	enum kvh_ring_layout layout;
	u32 size;
	bool event_idx;
	bool indirect;
	bool in_order;
	void *desc;
	const void *driver;
	void *device;
	void *table;
	struct kvh_order *order;
};

/* struct kvh_ring itself, opaque to callers but for @fault and @in_flight. */
#include "ring_state.h"

/* Bytes each ring part takes, event words included; 0 for an invalid size. */
size_t kvh_ring_desc_bytes(enum kvh_ring_layout layout, u32 size);
size_t kvh_ring_driver_bytes(enum kvh_ring_layout layout, u32 size);
size_t kvh_ring_device_bytes(enum kvh_ring_layout layout, u32 size);

int kvh_ring_init(struct kvh_ring *r, const struct kvh_ring_config *cfg);
int kvh_ring_set_base(struct kvh_ring *r, u32 base);
void kvh_ring_move(struct kvh_ring *r, const struct kvh_ring_config *cfg);
u32 kvh_ring_base(const struct kvh_ring *r);

int kvh_ring_take(struct kvh_ring *r, struct kvh_env *env,
		  struct kvh_chain *chains, unsigned int max_chains,
		  struct kvh_seg *segs, unsigned int max_segs);
void kvh_ring_untake(struct kvh_ring *r, const struct kvh_chain *chains,
		     unsigned int n);
void kvh_ring_complete(struct kvh_ring *r, const struct kvh_chain *chains,
		       unsigned int n);
bool kvh_ring_publish(struct kvh_ring *r);
bool kvh_ring_need_signal(struct kvh_ring *r);
void kvh_ring_disable_kick(struct kvh_ring *r);
bool kvh_ring_enable_kick(struct kvh_ring *r);
bool kvh_ring_has_avail(struct kvh_ring *r);
const char *kvh_ring_fault_name(enum kvh_ring_fault fault);

#endif /* KVH_RING_H */
