/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vring_stats.h - the counters of a virtqueue as text.
 */
#ifndef KVHOST_VRING_STATS_H
#define KVHOST_VRING_STATS_H

#include <stddef.h>
#include <stdio.h>
#include <kvhost.h>
#include <kvhost_counters.h>

void vring_stats_status(FILE *out, const struct kvhost_vring_stats *st);
void vring_stats_line(FILE *out, const struct kvhost_vring_stats *st);
void vring_stats_counters(FILE *out, const struct kvhost_counter *c, size_t nr,
			  const void *stats);

#endif
