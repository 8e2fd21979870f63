/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ring_state.h - what a virtqueue remembers between two calls.
 *
 * Included by ring.h alone. Callers may read @fault and @in_flight; all else
 * belongs to kmod/ring.
 */
#ifndef KVH_RING_STATE_H
#define KVH_RING_STATE_H

/** enum kvh_ring_kick - what the driver was last told about kicks */
enum kvh_ring_kick {
	/** @KVH_KICK_UNKNOWN: nothing yet; memory may hold anything */
	KVH_KICK_UNKNOWN,
	/** @KVH_KICK_ON: to kick */
	KVH_KICK_ON,
	/** @KVH_KICK_OFF: not to kick */
	KVH_KICK_OFF,
};

/**
 * struct kvh_ring - the device side of one virtqueue
 *
 * Constant after kvh_ring_init():
 * @layout:     split or packed
 * @event_idx:  VIRTIO_F_EVENT_IDX was negotiated
 * @indirect:   VIRTIO_F_INDIRECT_DESC was negotiated
 * @in_order:   VIRTIO_F_IN_ORDER was negotiated
 * @size:       number of descriptors
 * @desc:       descriptor table, read only, or ring; guest memory
 * @driver:     avail ring or driver event structure, guest memory, read only
 * @device:     used ring or device event structure, guest memory
 * @table:      private copy of the indirect table being walked
 * @order:      re-sequencing table of IN_ORDER, @size places
 *
 * Written by the one thread that uses the ring:
 * @avail:      next buffer to take: avail index (split), slot (packed)
 * @seen:       first buffer not looked at: avail index as last fetched (split)
 * @ahead:      slots from @avail on that are known to be available (packed)
 * @used:       where the next used entry goes: used index (split), slot (packed)
 * @published:  used index the driver can see (split)
 * @avail_wrap: wrap counter that goes with @avail (packed)
 * @used_wrap:  wrap counter that goes with @used (packed)
 * @stalled:    buffers from @avail on were put back, or cannot be read yet; none
 *              was taken since
 * @signal_due: the next kvh_ring_need_signal() answers yes, come what may
 * @fault_told: a caller was told of @fault
 * @held_slot:  first slot of the batch being completed (packed)
 * @held_word:  what goes there (packed)
 * @kick:       what the driver was last told about kicks
 * @fault:      what was found wrong, sticky
 * @in_flight:  buffers taken, neither completed nor put back
 * @slots_out:  slots taken and not yet given back as used (packed)
 * @unpublished: slots from @held_slot on that the next publish shows (packed)
 * @unsignalled: entries (split) or slots (packed) published since the last
 *              kvh_ring_need_signal()
 * @seq_next:   sequence number of the next buffer to take (packed; in a split
 *              ring it is @avail)
 *
 * The same, for IN_ORDER:
 * @seq_used:   sequence number of the first buffer not completed
 * @order_used: its place in @order
 * @parked:     buffers behind it that are completed, and wait in @order
 * @run_slots:  slots of completed buffers for which the next used entry stands
 * @run_id:     id of the last of them
 * @run_written: bytes written into it
 * @run_full:   its whole writable part was, so it may be skipped over
 */
struct kvh_ring {
	enum kvh_ring_layout layout;
	bool event_idx;
	bool indirect;
	bool in_order;
	u32 size;
	u8 *desc;
	const u8 *driver;
	u8 *device;
	__le64 *table;
	struct kvh_order *order;

	u16 avail;
	u16 seen;
	u16 used;
	u16 published;
	bool avail_wrap;
	bool used_wrap;
	bool stalled;
	bool signal_due;
	bool fault_told;
	u16 held_slot;
	u64 held_word;
	enum kvh_ring_kick kick;
	enum kvh_ring_fault fault;
	u32 in_flight;
	u32 ahead;
	u32 slots_out;
	u32 unpublished;
	u32 unsignalled;
	u16 seq_next;

	u16 seq_used;
	u16 order_used;
	u32 parked;
	u32 run_slots;
	u16 run_id;
	bool run_full;
	u32 run_written;
};

#endif /* KVH_RING_STATE_H */
