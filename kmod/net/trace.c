// SPDX-License-Identifier: GPL-2.0
/*
 * trace.c - the body of the tracepoints that trace.h declares.
 *
 * What an event stores of its queue is asked of the core only while the event
 * is enabled.
 */
#include <linux/types.h>
#include "net.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
