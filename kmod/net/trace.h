/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - tracepoints of kvhost_net: kvhost:kvh_net_*.
 *
 * The queue is named as in the core's events, see core/trace.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvhost

#if !defined(KVH_NET_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KVH_NET_TRACE_H

#include <linux/tracepoint.h>
#include "net.h"

#define kvh_net_show_drop(reason)					\
	__print_symbolic(reason,					\
			 { KVHOST_NET_DROP_RUNT, "runt" },		\
			 { KVHOST_NET_DROP_TOO_LONG, "too_long" },	\
			 { KVHOST_NET_DROP_HEADER, "header" },		\
			 { KVHOST_NET_DROP_MEMORY, "memory" },		\
			 { KVHOST_NET_DROP_BACKEND, "backend" })

TRACE_EVENT(kvh_net_tx,
	TP_PROTO(const struct net_queue *nq, unsigned int frames),
	TP_ARGS(nq, frames),
	TP_STRUCT__entry(
		__field(int, owner)
		__field(u32, dev)
		__field(u32, queue)
		__field(u32, frames)
	),
	TP_fast_assign(
		struct kvh_vq_id id;

		kvh_vq_id(nq->vq, &id);
		__entry->owner = id.owner;
		__entry->dev = id.dev;
		__entry->queue = id.queue;
		__entry->frames = frames;
	),
	TP_printk("owner=%d dev=%u queue=%u frames=%u", __entry->owner, __entry->dev,
		  __entry->queue, __entry->frames)
);

TRACE_EVENT(kvh_net_rx,
	TP_PROTO(const struct net_queue *nq, u32 len, unsigned int buffers),
	TP_ARGS(nq, len, buffers),
	TP_STRUCT__entry(
		__field(int, owner)
		__field(u32, dev)
		__field(u32, queue)
		__field(u32, len)
		__field(u32, buffers)
	),
	TP_fast_assign(
		struct kvh_vq_id id;

		kvh_vq_id(nq->vq, &id);
		__entry->owner = id.owner;
		__entry->dev = id.dev;
		__entry->queue = id.queue;
		__entry->len = len;
		__entry->buffers = buffers;
	),
	TP_printk("owner=%d dev=%u queue=%u len=%u buffers=%u", __entry->owner,
		  __entry->dev, __entry->queue, __entry->len, __entry->buffers)
);

TRACE_EVENT(kvh_net_drop,
	TP_PROTO(const struct net_queue *nq, unsigned int reason, u32 len),
	TP_ARGS(nq, reason, len),
	TP_STRUCT__entry(
		__field(int, owner)
		__field(u32, dev)
		__field(u32, queue)
		__field(u32, reason)
		__field(u32, len)
	),
	TP_fast_assign(
		struct kvh_vq_id id;

		kvh_vq_id(nq->vq, &id);
		__entry->owner = id.owner;
		__entry->dev = id.dev;
		__entry->queue = id.queue;
		__entry->reason = reason;
		__entry->len = len;
	),
	TP_printk("owner=%d dev=%u queue=%u reason=%s len=%u", __entry->owner,
		  __entry->dev, __entry->queue, kvh_net_show_drop(__entry->reason),
		  __entry->len)
);

#endif /* KVH_NET_TRACE_H */

/* From the directory that kmod/Kbuild puts on the include path for trace.c. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH net
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
