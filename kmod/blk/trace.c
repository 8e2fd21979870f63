// SPDX-License-Identifier: GPL-2.0
/*
 * trace.c - the body of the tracepoints that trace.h declares.
 *
 * What an event stores of a request is worked out here and in stats.c, only
 * while the event is enabled.
 */
#include <linux/types.h>
#include "blk.h"
#include "stats.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
