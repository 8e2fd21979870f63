/* SPDX-License-Identifier: GPL-2.0 */
/* Handing a ring to a process that speaks vhost-user. */
#ifndef RING_BENCH_VHOST_USER_H
#define RING_BENCH_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>

struct bench_mem;

/*
 * Connects to @path, and offers @queue as queue 1 and @other as queue 0. Returns
 * the socket, whose closing takes them back.
 */
int vhost_user_connect(const char *path, uint64_t features,
		       const struct bench_mem *queue,
		       const struct bench_mem *other, bool packed);

#endif /* RING_BENCH_VHOST_USER_H */
