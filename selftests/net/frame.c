// SPDX-License-Identifier: GPL-2.0
/*
 * Frames of an EtherType of their own, so that nothing else is taken for them,
 * each a function of length and number.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include "frame.h"

/**
 * frame_fill() - make a frame
 * @frame: result
 * @len:   bytes, at least 14
 * @seq:   its number, found in it if there is room
 */
void frame_fill(u8 *frame, u32 len, u32 seq)
{
	u32 x = seq * 2654435761u + len, i;

	for (i = 0; i < len; i++) {
		x = x * 1103515245 + 12345;
		frame[i] = x >> 16;
	}
	memset(frame, 0x02, 12);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	if (len >= FRAME_SEQ + 4)
		memcpy(frame + FRAME_SEQ, &seq, 4);
}

/**
 * frame_seq() - number of a frame
 * @frame: made by frame_fill(), of 18 bytes at least
 *
 * Return: the number.
 */
u32 frame_seq(const u8 *frame)
{
	u32 seq;

	memcpy(&seq, frame + FRAME_SEQ, 4);
	return seq;
}

/**
 * frame_tcp() - make a frame that is TCP over IPv4, its checksum left to do
 * @frame:   result
 * @payload: bytes of payload
 * @seq:     number, by which the payload is told
 *
 * Return: its length, headers of 54 bytes included.
 */
u32 frame_tcp(u8 *frame, u32 payload, u32 seq)
{
	static const u8 head[54] = {
		2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0x08, 0x00,
		0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1,
		0x12, 0x34, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0,
	};
	u32 len = sizeof(head) + payload, sum = 0, i;
	u16 total = htons(len - 14);

	frame_fill(frame, len, seq);
	memcpy(frame, head, sizeof(head));
	memcpy(frame + 16, &total, 2);
	for (i = 14; i < 34; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	frame[24] = ~sum >> 8;
	frame[25] = ~sum;
	return len;
}

/**
 * packet_open() - a packet socket on a device
 * @dev: its name
 *
 * Return: descriptor; receives every frame that comes in by the device.
 */
int packet_open(const char *dev)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), size = 32 << 20, one = 1;

	must(fd >= 0, "packet socket: %m");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	must(!setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)),
	     "PACKET_IGNORE_OUTGOING: %m");
	a.sll_ifindex = if_nametoindex(dev);
	must(a.sll_ifindex, "%s: %m", dev);
	must(!bind(fd, (void *)&a, sizeof(a)), "bind to %s: %m", dev);
	return fd;
}

/**
 * packet_send() - send a frame out by the device
 * @fd:    packet socket
 * @frame: frame
 * @len:   its bytes
 */
void packet_send(int fd, const u8 *frame, u32 len)
{
	int r;

	do {
		r = send(fd, frame, len, 0);
	} while (r < 0 && (errno == ENOBUFS || errno == EINTR));
	must(r == len, "send %u bytes: %d %m", len, r);
}

/**
 * packet_recv() - take the next frame that came in
 * @fd:       packet socket
 * @frame:    result, of FRAME_MAX bytes
 * @limit_ms: longest wait
 *
 * Return: its length, 0 if none came.
 */
int packet_recv(int fd, u8 *frame, int limit_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, limit_ms);
	} while (r < 0 && errno == EINTR);
	if (!r)
		return 0;
	r = recv(fd, frame, FRAME_MAX, MSG_DONTWAIT);
	must(r > 0, "recv: %m");
	return r;
}

/**
 * packet_flush() - forget what has come in
 * @fd: packet socket
 */
void packet_flush(int fd)
{
	char c;

	while (recv(fd, &c, 1, MSG_DONTWAIT) >= 0)
		;
}
