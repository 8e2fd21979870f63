/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In what /dev/kvhost-net differs from /dev/vhost-net on purpose: a name, and
 * the reason. Documentation/uapi.md has the same list, which lint compares.
 */
#ifndef SELFTESTS_VHOST_DIFFERENCES_H
#define SELFTESTS_VHOST_DIFFERENCES_H

enum difference {
	D_NONE,
	D_MORE_FEATURES,
	D_NO_LEGACY,
	D_FEATURES_RUNNING,
	D_RING_MOVES,
	D_RING_ALIGNMENT,
	D_RING_MEMORY,
	D_USED_INDEX,
	D_EMPTY_SEGMENT,
	D_MALFORMED,
	D_WRONG_CHECKSUM,
	D_BUFFER_COUNT,
	D_THREAD_LIMITS,
	DIFFERENCES,
};

static const char *const differences[DIFFERENCES] = {
	[D_MORE_FEATURES] =
		"more_features: Packed rings and IN_ORDER are offered everywhere, RING_RESET on 6.1 as well",
	[D_NO_LEGACY] =
		"no_legacy: A queue starts only with VIRTIO_F_VERSION_1: legacy is out of scope",
	[D_FEATURES_RUNNING] =
		"features_running: Rings and packets are laid out by features, so a running queue keeps its own",
	[D_RING_MOVES] =
		"ring_moves: A running ring is pinned: it moves only while its queue is stopped",
	[D_RING_ALIGNMENT] =
		"ring_alignment: Descriptors are loaded in whole words: a misaligned table is refused at the start",
	[D_RING_MEMORY] =
		"ring_memory: A ring is pinned at the start, so memory that cannot be read is found out then",
	[D_USED_INDEX] =
		"used_index: A used index that cannot belong to the ring position is refused at the start",
	[D_EMPTY_SEGMENT] =
		"empty_segment: A descriptor of no bytes breaks its queue, as it does under QEMU",
	[D_MALFORMED] =
		"malformed: A buffer that makes no sense breaks its queue; vhost-net leaves it out",
	[D_WRONG_CHECKSUM] =
		"wrong_checksum: A packet with a checksum beyond its end, or in front of its data, is dropped",
	[D_BUFFER_COUNT] =
		"buffer_count: The header counts one buffer without MRG_RXBUF, as vhost-net does since 6.14",
	[D_THREAD_LIMITS] =
		"thread_limits: A worker is made, and held against limits on threads, when its queue starts",
};

#endif /* SELFTESTS_VHOST_DIFFERENCES_H */
