/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames: made, sent into a tap and taken out of it by a packet socket.
 */
#ifndef SELFTESTS_NET_FRAME_H
#define SELFTESTS_NET_FRAME_H

#include "lib/base.h"

#define FRAME_MAX	66000u

/* Where a numbered frame has its number: behind the Ethernet header. */
#define FRAME_SEQ	14u

void frame_fill(u8 *frame, u32 len, u32 seq);
u32 frame_seq(const u8 *frame);
u32 frame_tcp(u8 *frame, u32 payload, u32 seq);
int packet_open(const char *dev);
void packet_send(int fd, const u8 *frame, u32 len);
int packet_recv(int fd, u8 *frame, int limit_ms);
void packet_flush(int fd);

#endif /* SELFTESTS_NET_FRAME_H */
