// SPDX-License-Identifier: GPL-2.0
/*
 * stats.c - what kvhost_blk counts per queue.
 *
 * Everything here is called by the queue's worker with the queue lock held, so
 * counters are plain words; the core reads them without a lock. The clock is
 * read once for each batch taken and once for each batch answered
 * (blk_queue.now), so a latency reaches from taking a request off the ring to
 * the turn that answers it.
 */
#include <linux/blkdev.h>
#include <linux/log2.h>
#include <linux/virtio_blk.h>
#include "blk.h"
#include "stats.h"
#include "trace.h"

static unsigned int kind_of(u32 type)
{
	switch (type) {
	case VIRTIO_BLK_T_IN:
		return KVHOST_BLK_REQ_IN;
	case VIRTIO_BLK_T_OUT:
		return KVHOST_BLK_REQ_OUT;
	case VIRTIO_BLK_T_FLUSH:
		return KVHOST_BLK_REQ_FLUSH;
	case VIRTIO_BLK_T_GET_ID:
		return KVHOST_BLK_REQ_GET_ID;
	case VIRTIO_BLK_T_DISCARD:
		return KVHOST_BLK_REQ_DISCARD;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return KVHOST_BLK_REQ_WRITE_ZEROES;
	case VIRTIO_BLK_T_SECURE_ERASE:
		return KVHOST_BLK_REQ_SECURE_ERASE;
	default:
		return KVHOST_BLK_REQ_OTHER;
	}
}

static unsigned int latency_class(unsigned int kind)
{
	return min_t(unsigned int, kind, KVHOST_BLK_LAT_OTHER);
}

/**
 * blk_stats_latency() - time since a request was taken off the ring
 * @req: request that is being answered
 *
 * Context: Worker, queue lock held.
 * Return: nanoseconds
 */
u64 blk_stats_latency(const struct blk_req *req)
{
	/* Clocks of two processors may differ a little. */
	return max_t(s64, req->bq->now - req->taken, 0);
}

/**
 * blk_req_payload() - what a request has between header and status
 * @req: request with room for both
 *
 * Context: Worker, queue lock held.
 * Return: bytes, in either direction
 */
u64 blk_req_payload(const struct blk_req *req)
{
	return req->chain.read_len - sizeof(struct virtio_blk_outhdr) +
	       req->chain.write_len - 1;
}

static void count_latency(const struct blk_req *req, unsigned int class)
{
	struct kvhost_blk_queue_stats *s = req->bq->stats;
	u64 ns = blk_stats_latency(req);

	s->latency_ns[class] += ns;
	s->latency[class][min(ilog2(ns | 1), KVHOST_BLK_LAT_BUCKETS - 1)]++;
}

/* Return: bytes a request was about */
static u64 bytes_of(const struct blk_req *req)
{
	unsigned int i;
	u64 bytes = 0;

	if (!req->ask.nr_ranges)
		return req->ask.len;
	for (i = 0; i < req->ask.nr_ranges; i++)
		bytes += req->ranges[i].bytes;
	return bytes;
}

static unsigned int disk_error(int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
		return KVHOST_BLK_ERR_NOSPC;
	case -ETIMEDOUT:
	case -ETIME:
		return KVHOST_BLK_ERR_TIMEDOUT;
	case -ENOLINK:
	case -ENODEV:
		return KVHOST_BLK_ERR_GONE;
	case -ENODATA:
	case -EILSEQ:
	case -EBADMSG:
		return KVHOST_BLK_ERR_MEDIUM;
	case -EOPNOTSUPP:
		return KVHOST_BLK_ERR_NOTSUPP;
	case -ENOMEM:
		return KVHOST_BLK_ERR_NOMEM;
	default:
		return KVHOST_BLK_ERR_IO;
	}
}

static void count_error(const struct blk_req *req, u8 status)
{
	struct kvhost_blk_queue_stats *s = req->bq->stats;

	if (status == VIRTIO_BLK_S_UNSUPP)
		s->unsupp++;
	else
		s->ioerr++;
	if (req->refused)
		s->refused++;
	else if (req->error != -EFAULT)
		s->disk_errors[disk_error(req->error)]++;
}

/**
 * blk_stats_started() - requests were started
 * @bq: queue
 *
 * Context: Worker, queue lock held.
 */
void blk_stats_started(struct blk_queue *bq)
{
	struct kvhost_blk_queue_stats *s = bq->stats;
	u64 busy = kvh_vq_size(bq->vq) - bq->nr_free;

	s->batches++;
	if (s->in_flight_max < busy)
		s->in_flight_max = busy;
}

/**
 * blk_stats_answered() - a request is about to be given back
 * @req:    request, its ranges still there
 * @status: what the driver is told
 *
 * Context: Worker, queue lock held.
 */
void blk_stats_answered(const struct blk_req *req, u8 status)
{
	struct kvhost_blk_queue_stats *s = req->bq->stats;
	unsigned int kind = kind_of(req->ask.type);

	trace_kvh_blk_complete(req, status);
	s->requests[kind]++;
	count_latency(req, latency_class(kind));
	if (req->bounced)
		s->bounced++;
	if (status == VIRTIO_BLK_S_OK)
		s->bytes[kind] += bytes_of(req);
	else
		count_error(req, status);
}
