// SPDX-License-Identifier: GPL-2.0
/*
 * net_stream.c - packets over the socket of passt.
 *
 * A byte stream in which each frame has its length before it, 32 bits,
 * big-endian. What the socket takes or gives in part is kept here, so that the
 * rest of the backend sees whole packets with a virtio header, as of a tap.
 *
 * I/O thread, or whoever else holds the backend's lock.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "net_user.h"

#define LENGTH_BYTES	4

/* Receives more; 0, -EAGAIN, or -EPIPE when passt is gone. */
static int fill(struct net_stream *s, int fd)
{
	ssize_t n;

	memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
	s->in_len -= s->in_at;
	s->in_at = 0;
	n = recv(fd, s->in + s->in_len, sizeof(s->in) - s->in_len, MSG_DONTWAIT);
	if (n > 0) {
		s->in_len += n;
		return 0;
	}
	return n && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -EPIPE;
}

/**
 * net_stream_read() - receive one packet
 * @s:      the stream
 * @fd:     its socket
 * @packet: filled in, an empty virtio header first
 * @room:   bytes of @packet
 *
 * Return: bytes, header included; -EAGAIN; -EPIPE if passt is gone or sends
 * what is no frame.
 */
ssize_t net_stream_read(struct net_stream *s, int fd, uint8_t *packet, size_t room)
{
	uint32_t len = 0;
	int ret;

	for (;;) {
		size_t have = s->in_len - s->in_at;

		if (have >= LENGTH_BYTES) {
			memcpy(&len, s->in + s->in_at, LENGTH_BYTES);
			len = be32toh(len);
			if (len > room - NET_HDR_BYTES)
				return -EPIPE;
			if (have - LENGTH_BYTES >= len)
				break;
		}
		ret = fill(s, fd);
		if (ret)
			return ret;
	}
	memset(packet, 0, NET_HDR_BYTES);
	memcpy(packet + NET_HDR_BYTES, s->in + s->in_at + LENGTH_BYTES, len);
	s->in_at += LENGTH_BYTES + len;
	return NET_HDR_BYTES + len;
}

/**
 * net_stream_flush() - send what is left of a frame
 * @s:  the stream
 * @fd: its socket
 *
 * Return: 0 if nothing is left; -EAGAIN; -EPIPE if passt is gone.
 */
int net_stream_flush(struct net_stream *s, int fd)
{
	ssize_t n;

	while (s->out_at < s->out_len) {
		n = send(fd, s->out + s->out_at, s->out_len - s->out_at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? -EAGAIN :
								   -EPIPE;
		s->out_at += n;
	}
	return 0;
}

/**
 * net_stream_write() - send one packet, whole as far as the caller can see
 * @s:    the stream
 * @fd:   its socket
 * @iov:  the packet; the first entry is its virtio header
 * @niov: entries of @iov
 * @len:  bytes, header included, at most NET_PACKET_MAX
 *
 * Return: @len; -EAGAIN if nothing was sent; -EPIPE if passt is gone.
 */
ssize_t net_stream_write(struct net_stream *s, int fd, const struct iovec *iov,
			 unsigned int niov, size_t len)
{
	uint32_t frame = htobe32(len - NET_HDR_BYTES);
	unsigned int i;
	int ret = net_stream_flush(s, fd);

	if (ret)
		return ret;
	memcpy(s->out, &frame, LENGTH_BYTES);
	s->out_len = LENGTH_BYTES;
	for (i = 1; i < niov; i++) {
		memcpy(s->out + s->out_len, iov[i].iov_base, iov[i].iov_len);
		s->out_len += iov[i].iov_len;
	}
	s->out_at = 0;
	ret = net_stream_flush(s, fd);
	return ret == -EPIPE ? ret : (ssize_t)len;
}
