/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blk_request.h - one virtio-blk request of the userspace backend: from a
 * chain of guest memory to a piece of file I/O, and back to a status byte.
 */
#ifndef KVHOST_BLK_REQUEST_H
#define KVHOST_BLK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "blk_hdr.h"
#include "ring.h"

struct disk;
struct guest_memory;

/**
 * enum blk_op - what is left to do for a request
 * @BLK_DONE:  nothing, its status is known
 * @BLK_READ:  read into its data
 * @BLK_WRITE: write its data
 * @BLK_FLUSH: make finished writes durable
 * @BLK_RANGES: do what @type says to @ranges
 */
enum blk_op {
	BLK_DONE,
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,
	BLK_RANGES,
};

/**
 * struct blk_request - keep it zeroed before its first use
 * @chain:    the buffer it came in
 * @op:       what is left to do
 * @status:   VIRTIO_BLK_S_*
 * @retries:  times the I/O was interrupted
 * @status_p: where the status goes, in guest RAM
 * @iov:      data that is left, in guest RAM: @iov_nr entries from @iov_at on
 * @iov_at:   first entry that is left
 * @iov_nr:   entries that are left
 * @iov_room: entries allocated; a small number is kept from one request to the next
 * @bits:     addresses and lengths of @iov or-ed together, for their alignment
 * @pos:      where in the file the rest of the data is
 * @left:     bytes of data that are left
 * @bytes:    bytes of data
 * @filled:   bytes from the start of the writable part that were written
 * @bounce:   aligned copy of @bounce_len bytes of data, or NULL
 * @bounce_len: bytes in @bounce that the I/O under way is about
 * @type:     of BLK_RANGES: VIRTIO_BLK_T_*
 * @ranges:   of BLK_RANGES: the ranges, or NULL
 * @nr_ranges: how many
 * @durable:  of BLK_WRITE and BLK_RANGES: it has to be on the medium when it ends
 * @unsynced: of BLK_RANGES: making it durable is what failed
 * @result:   of BLK_RANGES: 0 or -errno
 * @owner:    for whoever keeps the request
 * @next:     for lists of the owner
 */
struct blk_request {
	struct kvh_chain chain;
	enum blk_op op;
	uint8_t status;
	uint8_t retries;
	uint8_t *status_p;
	struct iovec *iov;
	unsigned int iov_at;
	unsigned int iov_nr;
	unsigned int iov_room;
	uintptr_t bits;
	uint64_t pos;
	size_t left;
	size_t bytes;
	size_t filled;
	void *bounce;
	size_t bounce_len;
	uint32_t type;
	struct kvh_blk_range *ranges;
	unsigned int nr_ranges;
	bool durable;
	bool unsynced;
	int result;
	void *owner;
	struct blk_request *next;
};

/* Largest piece of a request that is copied at a time. */
#define BLK_BOUNCE_BYTES	131072u

/**
 * struct blk_parse - what requests are checked against
 * @limits: what the disk takes
 * @disk:   the disk
 * @mem:    guest RAM
 * @serial: answer to GET_ID, zero padded
 */
struct blk_parse {
	struct kvh_blk_limits limits;
	const struct disk *disk;
	const struct guest_memory *mem;
	uint8_t serial[KVH_BLK_ID_BYTES];
};

int blk_request_parse(struct blk_request *req, const struct blk_parse *parse,
		      const struct kvh_seg *segs);
bool blk_request_unaligned(const struct blk_request *req,
			   const struct disk *disk);
void blk_request_bounce(struct blk_request *req);
void blk_request_done(struct blk_request *req, int res);
void blk_request_finish(struct blk_request *req);
void blk_request_free(struct blk_request *req);

#endif
