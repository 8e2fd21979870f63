/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kvhost_counters.h - the names of the counters, for whoever prints them.
 *
 * One table for each structure of kvhost.h that holds counters. debugfs, the
 * control socket and `kvhost stat` know a counter by the name it has here; a
 * new one is a member there and a row here.
 */
#ifndef _UAPI_KVHOST_COUNTERS_H
#define _UAPI_KVHOST_COUNTERS_H

#include <linux/types.h>

/**
 * struct kvhost_counter - one counter, or a histogram
 * @name: what it is called
 * @off:  where it is in its structure
 * @nr:   1, or the buckets of a histogram: that many __u64
 */
struct kvhost_counter {
	const char *name;
	__u16 off;
	__u16 nr;
};

#define KVHOST_COUNTER(type, name, member) \
	{ name, __builtin_offsetof(struct type, member), 1 }
#define KVHOST_HISTOGRAM(type, name, member, nr) \
	{ name, __builtin_offsetof(struct type, member), nr }

/* struct kvhost_vring_stats, its fault kinds excepted */
#define KVHOST_VRING_COUNTERS { \
	KVHOST_COUNTER(kvhost_vring_stats, "kicks", kicks), \
	KVHOST_COUNTER(kvhost_vring_stats, "polls", polls), \
	KVHOST_COUNTER(kvhost_vring_stats, "chains", chains), \
	KVHOST_COUNTER(kvhost_vring_stats, "bytes_read", bytes_read), \
	KVHOST_COUNTER(kvhost_vring_stats, "bytes_written", bytes_written), \
	KVHOST_COUNTER(kvhost_vring_stats, "signals", signals), \
	KVHOST_COUNTER(kvhost_vring_stats, "signals_suppressed", signals_suppressed), \
	KVHOST_COUNTER(kvhost_vring_stats, "broken", broken), \
	KVHOST_COUNTER(kvhost_vring_stats, "pins", pins), \
	KVHOST_COUNTER(kvhost_vring_stats, "windows", windows), \
	KVHOST_COUNTER(kvhost_vring_stats, "misses", misses), \
}

#define KVHOST_BLK_COUNTER(name, member) \
	KVHOST_COUNTER(kvhost_blk_queue_stats, name, member)
#define KVHOST_BLK_HISTOGRAM(name, member) \
	KVHOST_HISTOGRAM(kvhost_blk_queue_stats, name, member, KVHOST_BLK_LAT_BUCKETS)

/* struct kvhost_blk_queue_stats */
#define KVHOST_BLK_COUNTERS { \
	KVHOST_BLK_COUNTER("in", requests[KVHOST_BLK_REQ_IN]), \
	KVHOST_BLK_COUNTER("out", requests[KVHOST_BLK_REQ_OUT]), \
	KVHOST_BLK_COUNTER("flush", requests[KVHOST_BLK_REQ_FLUSH]), \
	KVHOST_BLK_COUNTER("get_id", requests[KVHOST_BLK_REQ_GET_ID]), \
	KVHOST_BLK_COUNTER("discard", requests[KVHOST_BLK_REQ_DISCARD]), \
	KVHOST_BLK_COUNTER("write_zeroes", requests[KVHOST_BLK_REQ_WRITE_ZEROES]), \
	KVHOST_BLK_COUNTER("secure_erase", requests[KVHOST_BLK_REQ_SECURE_ERASE]), \
	KVHOST_BLK_COUNTER("other", requests[KVHOST_BLK_REQ_OTHER]), \
	KVHOST_BLK_COUNTER("in_bytes", bytes[KVHOST_BLK_REQ_IN]), \
	KVHOST_BLK_COUNTER("out_bytes", bytes[KVHOST_BLK_REQ_OUT]), \
	KVHOST_BLK_COUNTER("discard_bytes", bytes[KVHOST_BLK_REQ_DISCARD]), \
	KVHOST_BLK_COUNTER("write_zeroes_bytes", bytes[KVHOST_BLK_REQ_WRITE_ZEROES]), \
	KVHOST_BLK_COUNTER("secure_erase_bytes", bytes[KVHOST_BLK_REQ_SECURE_ERASE]), \
	KVHOST_BLK_COUNTER("ioerr", ioerr), \
	KVHOST_BLK_COUNTER("unsupp", unsupp), \
	KVHOST_BLK_COUNTER("refused", refused), \
	KVHOST_BLK_COUNTER("disk_io", disk_errors[KVHOST_BLK_ERR_IO]), \
	KVHOST_BLK_COUNTER("disk_nospc", disk_errors[KVHOST_BLK_ERR_NOSPC]), \
	KVHOST_BLK_COUNTER("disk_timedout", disk_errors[KVHOST_BLK_ERR_TIMEDOUT]), \
	KVHOST_BLK_COUNTER("disk_gone", disk_errors[KVHOST_BLK_ERR_GONE]), \
	KVHOST_BLK_COUNTER("disk_medium", disk_errors[KVHOST_BLK_ERR_MEDIUM]), \
	KVHOST_BLK_COUNTER("disk_notsupp", disk_errors[KVHOST_BLK_ERR_NOTSUPP]), \
	KVHOST_BLK_COUNTER("disk_nomem", disk_errors[KVHOST_BLK_ERR_NOMEM]), \
	KVHOST_BLK_COUNTER("dropped", dropped), \
	KVHOST_BLK_COUNTER("in_flight_max", in_flight_max), \
	KVHOST_BLK_COUNTER("batches", batches), \
	KVHOST_BLK_COUNTER("bios", bios), \
	KVHOST_BLK_COUNTER("bounced", bounced), \
	KVHOST_BLK_COUNTER("read_ns", latency_ns[KVHOST_BLK_LAT_READ]), \
	KVHOST_BLK_COUNTER("write_ns", latency_ns[KVHOST_BLK_LAT_WRITE]), \
	KVHOST_BLK_COUNTER("flush_ns", latency_ns[KVHOST_BLK_LAT_FLUSH]), \
	KVHOST_BLK_COUNTER("other_ns", latency_ns[KVHOST_BLK_LAT_OTHER]), \
	KVHOST_BLK_HISTOGRAM("read_latency", latency[KVHOST_BLK_LAT_READ]), \
	KVHOST_BLK_HISTOGRAM("write_latency", latency[KVHOST_BLK_LAT_WRITE]), \
	KVHOST_BLK_HISTOGRAM("flush_latency", latency[KVHOST_BLK_LAT_FLUSH]), \
	KVHOST_BLK_HISTOGRAM("other_latency", latency[KVHOST_BLK_LAT_OTHER]), \
}

#define KVHOST_NET_COUNTER(name, member) \
	KVHOST_COUNTER(kvhost_net_queue_stats, name, member)

/* struct kvhost_net_queue_stats */
#define KVHOST_NET_COUNTERS { \
	KVHOST_NET_COUNTER("packets", packets), \
	KVHOST_NET_COUNTER("bytes", bytes), \
	KVHOST_NET_COUNTER("batches", batches), \
	KVHOST_NET_COUNTER("alone", alone), \
	KVHOST_NET_COUNTER("drop_runt", drops[KVHOST_NET_DROP_RUNT]), \
	KVHOST_NET_COUNTER("drop_too_long", drops[KVHOST_NET_DROP_TOO_LONG]), \
	KVHOST_NET_COUNTER("drop_header", drops[KVHOST_NET_DROP_HEADER]), \
	KVHOST_NET_COUNTER("drop_memory", drops[KVHOST_NET_DROP_MEMORY]), \
	KVHOST_NET_COUNTER("drop_backend", drops[KVHOST_NET_DROP_BACKEND]), \
	KVHOST_NET_COUNTER("starved", starved), \
}

#endif /* _UAPI_KVHOST_COUNTERS_H */
