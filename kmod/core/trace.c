// SPDX-License-Identifier: GPL-2.0
/*
 * trace.c - the body of the tracepoints that trace.h declares.
 *
 * Nothing else belongs here: the macro makes every tracepoint of every header
 * included after it. Disabled, a tracepoint is a jump that is not taken.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
