/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - tracepoints of the core: kvhost:kvh_vq_*.
 *
 * Every event names its queue as owner (the process), dev (the number in the
 * name of the device's debugfs file) and queue. Documentation/tracing.md says
 * when each is emitted; what it lists is relied on by scripts, so fields are
 * added, not renamed.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvhost

#if !defined(KVH_CORE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KVH_CORE_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>
#include "core.h"

DECLARE_EVENT_CLASS(kvh_vq,
	TP_PROTO(const struct kvh_vq *vq),
	TP_ARGS(vq),
	TP_STRUCT__entry(
		__field(int, owner)
		__field(u32, dev)
		__field(u32, queue)
	),
	TP_fast_assign(
		__entry->owner = vq->dev->pid;
		__entry->dev = vq->dev->id;
		__entry->queue = vq->index;
	),
	TP_printk("owner=%d dev=%u queue=%u", __entry->owner, __entry->dev, __entry->queue)
);

DEFINE_EVENT(kvh_vq, kvh_vq_kick,
	TP_PROTO(const struct kvh_vq *vq),
	TP_ARGS(vq)
);

DEFINE_EVENT(kvh_vq, kvh_vq_poll,
	TP_PROTO(const struct kvh_vq *vq),
	TP_ARGS(vq)
);

DEFINE_EVENT(kvh_vq, kvh_vq_stop,
	TP_PROTO(const struct kvh_vq *vq),
	TP_ARGS(vq)
);

DECLARE_EVENT_CLASS(kvh_vq_chains,
	TP_PROTO(const struct kvh_vq *vq, unsigned int chains),
	TP_ARGS(vq, chains),
	TP_STRUCT__entry(
		__field(int, owner)
		__field(u32, dev)
		__field(u32, queue)
		__field(u32, chains)
	),
	TP_fast_assign(
		__entry->owner = vq->dev->pid;
		__entry->dev = vq->dev->id;
		__entry->queue = vq->index;
		__entry->chains = chains;
	),
	TP_printk("owner=%d dev=%u queue=%u chains=%u", __entry->owner, __entry->dev,
		  __entry->queue, __entry->chains)
);

DEFINE_EVENT(kvh_vq_chains, kvh_vq_take,
	TP_PROTO(const struct kvh_vq *vq, unsigned int chains),
	TP_ARGS(vq, chains)
);

DEFINE_EVENT(kvh_vq_chains, kvh_vq_untake,
	TP_PROTO(const struct kvh_vq *vq, unsigned int chains),
	TP_ARGS(vq, chains)
);

DEFINE_EVENT(kvh_vq_chains, kvh_vq_signal,
	TP_PROTO(const struct kvh_vq *vq, unsigned int chains),
	TP_ARGS(vq, chains)
);

DEFINE_EVENT(kvh_vq_chains, kvh_vq_suppress,
	TP_PROTO(const struct kvh_vq *vq, unsigned int chains),
	TP_ARGS(vq, chains)
);

TRACE_EVENT(kvh_vq_start,
	TP_PROTO(const struct kvh_vq *vq),
	TP_ARGS(vq),
	TP_STRUCT__entry(
		__field(int, owner)
		__field(u32, dev)
		__field(u32, queue)
		__field(u32, size)
		__field(u64, features)
	),
	TP_fast_assign(
		__entry->owner = vq->dev->pid;
		__entry->dev = vq->dev->id;
		__entry->queue = vq->index;
		__entry->size = vq->size;
		__entry->features = vq->features;
	),
	TP_printk("owner=%d dev=%u queue=%u size=%u features=%#llx", __entry->owner,
		  __entry->dev, __entry->queue, __entry->size, __entry->features)
);

#define KVH_FAULT_NAME_LEN	24

TRACE_EVENT(kvh_vq_broken,
	TP_PROTO(const struct kvh_vq *vq, enum kvh_ring_fault fault),
	TP_ARGS(vq, fault),
	TP_STRUCT__entry(
		__field(int, owner)
		__field(u32, dev)
		__field(u32, queue)
		__field(u32, fault)
		__array(char, name, KVH_FAULT_NAME_LEN)
	),
	TP_fast_assign(
		__entry->owner = vq->dev->pid;
		__entry->dev = vq->dev->id;
		__entry->queue = vq->index;
		__entry->fault = fault;
		strscpy(__entry->name, kvh_ring_fault_name(fault), KVH_FAULT_NAME_LEN);
	),
	TP_printk("owner=%d dev=%u queue=%u fault=%u name=%s", __entry->owner, __entry->dev,
		  __entry->queue, __entry->fault, __entry->name)
);

#endif /* KVH_CORE_TRACE_H */

/* From the directory that kmod/Kbuild puts on the include path for trace.c. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH core
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
