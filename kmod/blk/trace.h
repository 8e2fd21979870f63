/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - tracepoints of kvhost_blk: kvhost:kvh_blk_*.
 *
 * The queue is named as in the core's events, see core/trace.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvhost

#if !defined(KVH_BLK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KVH_BLK_TRACE_H

#include <linux/tracepoint.h>
#include <linux/virtio_blk.h>
#include "blk.h"

#define kvh_blk_show_type(type)						\
	__print_symbolic(type,						\
			 { VIRTIO_BLK_T_IN, "in" },			\
			 { VIRTIO_BLK_T_OUT, "out" },			\
			 { VIRTIO_BLK_T_FLUSH, "flush" },		\
			 { VIRTIO_BLK_T_GET_ID, "get_id" },		\
			 { VIRTIO_BLK_T_DISCARD, "discard" },		\
			 { VIRTIO_BLK_T_WRITE_ZEROES, "write_zeroes" },	\
			 { VIRTIO_BLK_T_SECURE_ERASE, "secure_erase" })

TRACE_EVENT(kvh_blk_start,
	TP_PROTO(const struct blk_req *req, const struct kvh_blk_hdr *hdr),
	TP_ARGS(req, hdr),
	TP_STRUCT__entry(
		__field(int, owner)
		__field(u32, dev)
		__field(u32, queue)
		__field(u32, type)
		__field(u64, sector)
		__field(u64, len)
	),
	TP_fast_assign(
		struct kvh_vq_id id;

		kvh_vq_id(req->bq->vq, &id);
		__entry->owner = id.owner;
		__entry->dev = id.dev;
		__entry->queue = id.queue;
		__entry->type = le32_to_cpu(hdr->type);
		__entry->sector = le64_to_cpu(hdr->sector);
		__entry->len = blk_req_payload(req);
	),
	TP_printk("owner=%d dev=%u queue=%u type=%s sector=%llu len=%llu", __entry->owner,
		  __entry->dev, __entry->queue, kvh_blk_show_type(__entry->type),
		  __entry->sector, __entry->len)
);

TRACE_EVENT(kvh_blk_complete,
	TP_PROTO(const struct blk_req *req, u8 status),
	TP_ARGS(req, status),
	TP_STRUCT__entry(
		__field(int, owner)
		__field(u32, dev)
		__field(u32, queue)
		__field(u32, type)
		__field(u64, sector)
		__field(u64, len)
		__field(u64, latency)
		__field(int, error)
		__field(u32, status)
	),
	TP_fast_assign(
		struct kvh_vq_id id;

		kvh_vq_id(req->bq->vq, &id);
		__entry->owner = id.owner;
		__entry->dev = id.dev;
		__entry->queue = id.queue;
		__entry->type = req->ask.type;
		__entry->sector = req->ask.sector;
		__entry->len = blk_req_payload(req);
		__entry->latency = blk_stats_latency(req);
		__entry->error = req->error;
		__entry->status = status;
	),
	TP_printk("owner=%d dev=%u queue=%u type=%s sector=%llu len=%llu latency=%llu error=%d status=%u",
		  __entry->owner, __entry->dev, __entry->queue,
		  kvh_blk_show_type(__entry->type), __entry->sector, __entry->len,
		  __entry->latency, __entry->error, __entry->status)
);

#endif /* KVH_BLK_TRACE_H */

/* From the directory that kmod/Kbuild puts on the include path for trace.c. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH blk
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
