/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver in a few hundred lines, for split and packed rings alike.
 *
 * Written from the specification alone and sharing nothing with the ring code
 * but the types, so that the two check each other. It is smaller than the
 * driver library of the device tests on purpose: no guest memory, eventfds or
 * waiting, but raw access to every word, a driver thread that TSan can follow,
 * and IN_ORDER. Where ring memory comes from is the caller's business.
 */
#ifndef DRV_H
#define DRV_H

#include "kvh_env.h"

/* Entries an indirect table may have. */
#define DRV_TABLE_MAX	1100u

/**
 * struct drv_seg - one segment of a buffer
 * @addr:  guest address
 * @len:   bytes
 * @write: the device may write it
 */
struct drv_seg {
	u64 addr;
	u32 len;
	bool write;
};

/**
 * struct drv_how - how a buffer is laid into descriptors
 * @indirect: use an indirect table
 * @direct:   with @indirect, segments before the table (split)
 * @shuffle:  link the table's entries in descending order (split)
 * @ref_flags: flags to add to the descriptor that refers to the table
 * @junk:     flags to add to each entry of the table (packed)
 */
struct drv_how {
	bool indirect;
	unsigned int direct;
	bool shuffle;
	u16 ref_flags;
	u16 junk;
};

/**
 * struct drv - a virtqueue seen from its driver
 * @packed:    layout
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @in_order:  VIRTIO_F_IN_ORDER was negotiated
 * @size:      number of descriptors
 * @desc:      descriptor table or ring
 * @driver:    avail ring or driver event structure
 * @device:    used ring or device event structure
 * @tables:    DRV_TABLE_MAX descriptors per id, for indirect tables
 * @table_gpa: guest address of @tables
 * @avail:     next avail index (split) or slot (packed)
 * @wrap:      wrap counter of @avail (packed)
 * @shown:     avail index the device was shown (split)
 * @added:     entries (split) or slots (packed) added since the last publish
 * @kicked:    the same, published since the last drv_need_kick()
 * @held:      a first head waits for publish (packed)
 * @held_slot: where it goes
 * @held_word: what goes there
 * @used:      next used index (split) or slot (packed)
 * @used_wrap: wrap counter of @used (packed)
 * @n_free:    free descriptors or slots
 * @free:      stack of free descriptors (split) or IDs (packed)
 * @free_top:  its height
 * @next_id:   next descriptor (split) or ID (packed) with IN_ORDER
 * @descs:     by id: descriptors or slots the buffer takes; 0: not outstanding
 * @next:      links of a buffer's descriptors (split)
 * @fifo:      ids in the order of being offered
 * @fifo_head: oldest
 * @fifo_len:  how many
 * @batch:     buffers that remain of a used entry that named several
 * @batch_id:  the id it named
 * @batch_len: the length it named
 */
struct drv {
	bool packed;
	bool event_idx;
	bool in_order;
	u32 size;
	u8 *desc;
	u8 *driver;
	u8 *device;
	u8 *tables;
	u64 table_gpa;
	u16 avail;
	bool wrap;
	u16 shown;
	u32 added;
	u32 kicked;
	bool held;
	u16 held_slot;
	u64 held_word;
	u16 used;
	bool used_wrap;
	u32 n_free;
	u16 *free;
	u32 free_top;
	u32 next_id;
	u32 *descs;
	u16 *next;
	u16 *fifo;
	u32 fifo_head;
	u32 fifo_len;
	u32 batch;
	u16 batch_id;
	u32 batch_len;
};

/**
 * struct drv_used - a buffer the device gave back
 * @id:      which
 * @len:     bytes written; meaningless if @skipped
 * @write:   the used descriptor had WRITE set (packed)
 * @skipped: the used entry named a later buffer; this one counts as full
 * @bogus:   the used entry named a buffer that is not outstanding
 */
struct drv_used {
	u16 id;
	u32 len;
	bool write;
	bool skipped;
	bool bogus;
};

void drv_init(struct drv *d);
void drv_free(struct drv *d);
void drv_seek(struct drv *d, u16 avail, bool wrap);

int drv_add(struct drv *d, const struct drv_seg *segs, unsigned int n,
	    const struct drv_how *how);
void drv_publish(struct drv *d);
bool drv_need_kick(struct drv *d);

bool drv_peek_used(struct drv *d);
bool drv_get_used(struct drv *d, struct drv_used *u);
void drv_arm(struct drv *d);
void drv_arm_after(struct drv *d, u32 n);
void drv_disarm(struct drv *d);

/* Raw access, for hostile drivers and exact checks. */
void drv_put_desc(struct drv *d, u32 i, u64 addr, u32 len, u16 flags, u16 x);
void drv_put_entry(struct drv *d, u32 id, u32 i, u64 addr, u32 len, u16 flags,
		   u16 x);
void drv_put_head(struct drv *d, u16 at, u16 head);
void drv_put_avail_idx(struct drv *d, u16 idx);
void drv_put_event(struct drv *d, u16 flags, u16 event);
u64 drv_desc_word(const struct drv *d, u32 i);
u16 drv_used_flags(const struct drv *d);
u16 drv_used_idx(const struct drv *d);
u16 drv_avail_event(const struct drv *d);
u64 drv_used_elem(const struct drv *d, u16 at);
u32 drv_device_event(const struct drv *d);
u64 drv_table_gpa(const struct drv *d, u32 id);

#endif /* DRV_H */
