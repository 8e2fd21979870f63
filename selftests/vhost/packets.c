// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of packets and buffers, well formed and not.
 *
 * The answer has what the device gave back, what reached the other side, and the
 * ring position left behind. Nothing is waited for that need not come: each buffer
 * in question is followed by a good one, and the device either uses that too or
 * signals an error. After an error the answer has only whether the device has gone
 * past the buffer, because vhost-net goes on at a moment of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kselftest.h"
#include "table.h"

#define SEGS_MAX	70u
#define NOWHERE		(1ull << 45)

/* How the buffer in question is made of what there is of the packet. */
enum shape {
	WHOLE, HEADER_APART, BYTES, TAIL_APART, EMPTY_FIRST, EMPTY_LAST,
	WRONG_WAY, MIXED, OUTSIDE, HALF_OUTSIDE, SHAPES,
};

/**
 * struct packet - a packet and the buffer it is sent from, or received into
 * @name:  of the row
 * @len:   bytes after the header
 * @room:  bytes of each receive buffer; 0: a lot
 * @count: receive buffers; 0: one
 * @used:  how many of them are used, with the one that follows; 0: all
 * @after: bytes of the good packet that follows it; 0: 77
 * @shape: of the buffer
 * @hdr:   header; what it says of lengths and offsets
 * @counted: the header's count of buffers is part of the answer in any case
 * @differs: as struct row
 * @on:    as struct row
 * @tcp:   the packet is TCP over IPv4, its checksum left to do
 * @features: acknowledged beyond VIRTIO_F_VERSION_1
 */
struct packet {
	const char *name;
	u32 len;
	u32 room;
	u32 count;
	u32 used;
	u32 after;
	enum shape shape;
	struct virtio_net_hdr_v1 hdr;
	bool tcp;
	bool counted;
	enum difference differs;
	enum kernels on;
	u64 features;
};

#define CSUM		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM
#define GSO(t)		.gso_type = VIRTIO_NET_HDR_GSO_ ## t
#define SEND(n, l, ...)	{ .name = "send: " n, .len = l, ##__VA_ARGS__ }
#define HEADER(n, ...)	{ .name = "send, header: " n, .len = 1500, .tcp = true, \
			  .hdr = { __VA_ARGS__ } }
#define TAKE(n, l, ...)	{ .name = "receive: " n, .len = l, ##__VA_ARGS__ }
#define MRG		.features = 1ull << VIRTIO_NET_F_MRG_RXBUF

static const struct packet sent[] = {
	SEND("60 bytes", 60), SEND("14 bytes", 14), SEND("13 bytes", 13), SEND("1 byte", 1),
	SEND("the header alone", 0), SEND("1514 bytes", 1514), SEND("9000 bytes", 9000),
	SEND("65535 bytes", 65535),
	SEND("header apart", 60, .shape = HEADER_APART),
	SEND("in single bytes", 50, .shape = BYTES),
	SEND("last byte apart", 60, .shape = TAIL_APART),
	SEND("behind an empty segment", 60, .shape = EMPTY_FIRST, .differs = D_EMPTY_SEGMENT),
	SEND("before an empty segment", 60, .shape = EMPTY_LAST, .differs = D_EMPTY_SEGMENT),
	SEND("from a buffer to be written", 60, .shape = WRONG_WAY,
	     .differs = D_MALFORMED),
	SEND("with a segment to be written", 60, .shape = MIXED,
	     .differs = D_MALFORMED),
	SEND("outside memory", 60, .shape = OUTSIDE),
	SEND("half of it outside memory", 60, .shape = HALF_OUTSIDE),

	HEADER("checksum", CSUM, .csum_start = 34, .csum_offset = 16),
	HEADER("checksum at the end", CSUM, .csum_start = 1498),
	HEADER("checksum across the end", CSUM, .csum_start = 1499),
	{ .name = "send, header: checksum beyond the end", .len = 1500, .differs = D_WRONG_CHECKSUM,
	  .hdr = { CSUM, .csum_start = 2000, .csum_offset = 16 } },
	{ .name = "send, header: checksum in front", .len = 1500, .differs = D_WRONG_CHECKSUM,
	  .on = K_NO_RING_RESET, .hdr = { CSUM, .csum_start = 4, .csum_offset = 2 } },
	HEADER("TSO4", CSUM, GSO(TCPV4), .gso_size = 500, .hdr_len = 54, .csum_start = 34,
	       .csum_offset = 16),
	HEADER("TSO4, no size", CSUM, GSO(TCPV4), .hdr_len = 54, .csum_start = 34,
	       .csum_offset = 16),
	HEADER("TSO4, no checksum", GSO(TCPV4), .gso_size = 500, .hdr_len = 54),
	HEADER("TSO6", CSUM, GSO(TCPV6), .gso_size = 500, .hdr_len = 74, .csum_start = 54,
	       .csum_offset = 16),
	HEADER("USO", CSUM, .gso_type = 5, .gso_size = 500, .hdr_len = 42, .csum_start = 34,
	       .csum_offset = 6),
	HEADER("ECN alone", GSO(ECN)), HEADER("unknown segmentation", .gso_type = 2, .gso_size = 9),
	HEADER("unknown flags", .flags = 0xf0), HEADER("valid data", .flags = 2),
	HEADER("long header", .hdr_len = 9000), HEADER("a count of buffers", .num_buffers = 7),
};

static const struct packet taken[] = {
	TAKE("60 bytes", 60), TAKE("1514 bytes", 1514), TAKE("9000 bytes", 9000),
	TAKE("too long for the buffer", 100, .room = HDR + 60, .used = 1, .after = 50),
	TAKE("into just enough", 60, .room = HDR + 60),
	TAKE("header apart", 60, .shape = HEADER_APART),
	TAKE("into single bytes", 50, .room = HDR + 50, .shape = BYTES),
	TAKE("behind an empty segment", 60, .shape = EMPTY_FIRST, .differs = D_EMPTY_SEGMENT),
	TAKE("count of buffers", 60, .counted = true, .differs = D_BUFFER_COUNT,
	     .on = K_NO_IN_ORDER),
	TAKE("mergeable, 60 bytes", 60, MRG), TAKE("mergeable, three buffers", 4000, .room = 1500,
						   .count = 3, MRG),
	TAKE("mergeable, three of four", 4000, .room = 1500, .count = 4, MRG),
	TAKE("mergeable, just enough", 60, .room = HDR + 60, MRG),
	TAKE("into a buffer to be read", 60, .shape = WRONG_WAY,
	     .differs = D_MALFORMED),
	TAKE("with a segment to be read", 60, .shape = MIXED,
	     .differs = D_MALFORMED),
	TAKE("outside memory", 60, .shape = OUTSIDE),
};

/* Lay a buffer of @len bytes at @at into segments. Return: how many. */
static unsigned int lay(struct vq_buf *b, enum shape shape, u64 at, u32 len, bool write)
{
	unsigned int n = 0;
	u32 off;

	switch (shape) {
	case HEADER_APART:
		b[n++] = (struct vq_buf) { at, HDR, write };
		b[n++] = (struct vq_buf) { at + HDR, len - HDR, write };
		break;
	case TAIL_APART:
		b[n++] = (struct vq_buf) { at, len - 1, write };
		b[n++] = (struct vq_buf) { at + len - 1, 1, write };
		break;
	case BYTES:
		for (off = 0; off < len; off++)
			b[n++] = (struct vq_buf) { at + off, 1, write };
		break;
	case EMPTY_FIRST:
		b[n++] = (struct vq_buf) { at, 0, write };
		b[n++] = (struct vq_buf) { at, len, write };
		break;
	case EMPTY_LAST:
		b[n++] = (struct vq_buf) { at, len, write };
		b[n++] = (struct vq_buf) { at, 0, write };
		break;
	case WRONG_WAY:
		b[n++] = (struct vq_buf) { at, len, !write };
		break;
	case MIXED:
		b[n++] = (struct vq_buf) { at, len, false };
		b[n++] = (struct vq_buf) { at + len, 64, true };
		break;
	case OUTSIDE:
		b[n++] = (struct vq_buf) { NOWHERE, len, write };
		break;
	case HALF_OUTSIDE:
		b[n++] = (struct vq_buf) { at, HDR + 2, write };
		b[n++] = (struct vq_buf) { NOWHERE, len - HDR - 2, write };
		break;
	default:
		b[n++] = (struct vq_buf) { at, len, write };
		break;
	}
	return n;
}

static void add(struct side *s, unsigned int i, enum shape shape, u64 at, u32 len)
{
	struct vq_buf b[SEGS_MAX];
	unsigned int n = lay(b, shape, at, len, i == RX);

	must(vq_add(&s->p.k.q[i], b, n, NULL, s) >= 0, "ring full");
}

/* Wait until @n buffers are used, or the queue is in error. Return: false if it is. */
static bool say_used(struct side *s, unsigned int i, unsigned int n, struct answer *a)
{
	const u64 end = now_ms() + LIMIT_MS;
	struct vq *q = &s->p.k.q[i];
	bool error = false;
	struct vq_used u;

	while (!error && vq_used_ready(q) < n && now_ms() < end)
		error = eventfd_wait(q->err_fd, 1);
	if (error)
		say(a, "error");
	while (!error && vq_get_used(q, &u))
		say(a, "%u:%u ", u.id, u.len);
	return !error;
}

static u32 hash(const u8 *p, u32 len)
{
	u32 h = 2166136261u;

	while (len--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

static void start(struct side *s, const struct packet *p, struct answer *a)
{
	u64 features = 1ull << VIRTIO_F_VERSION_1 | p->features;
	unsigned int i;

	say(a, "%s", error_name(side_call(s, VHOST_SET_FEATURES, &features)));
	for (i = 0; i < 2; i++)
		say(a, " %s", error_name(side_backend(s, i, s->p.back)));
	say(a, "; ");
	packet_flush(s->p.peer);
}

static void say_position(struct side *s, unsigned int i, bool good, struct answer *a)
{
	struct vhost_vring_state st = { .index = i };

	say(a, "; %s", error_name(side_backend(s, i, -1)));
	say(a, " %s", error_name(side_call(s, VHOST_GET_VRING_BASE, &st)));
	if (good)
		say(a, " at %u", st.num);
	else
		say(a, " %s", st.num ? "past it" : "at it");
	eventfd_take(s->p.k.q[i].err_fd);
}

/* What came out at the other side, to the good packet. */
static void say_came(struct side *s, struct answer *a)
{
	static u8 in[FRAME_MAX];
	int len;

	do {
		len = packet_recv(s->p.peer, in, LIMIT_MS);
		say(a, " %d %08x", len, hash(in, len));
	} while (len && len != 77);
}

static void ask_send(struct side *s, const struct row *row, struct answer *a)
{
	const struct packet *p = &sent[row->v];
	static u8 frame[FRAME_MAX];
	u64 good = s->p.buf + (256 << 10);
	bool ok;

	start(s, p, a);
	if (p->tcp)
		frame_tcp(frame, p->len - 54, 0x11);
	else
		frame_fill(frame, p->len, 0x11);
	pair_put(&s->p, s->p.buf, &p->hdr, frame, p->len);
	add(s, TX, p->shape, s->p.buf, p->len + HDR);
	frame_fill(frame, 77, 0x22);
	pair_put(&s->p, good, NULL, frame, 77);
	add(s, TX, WHOLE, good, 77 + HDR);
	vq_kick(&s->p.k.q[TX]);
	ok = say_used(s, TX, 2, a);
	if (ok && vq_used_idx(&s->p.k.q[TX]) == 2)
		say_came(s, a);
	say_position(s, TX, ok, a);
}

static void ask_take(struct side *s, const struct row *row, struct answer *a)
{
	const struct packet *p = &taken[row->v];
	u32 room = p->room ? p->room : 16384, count = p->count ? p->count : 1, i;
	u32 after = p->after ? p->after : 77;
	static u8 frame[FRAME_MAX];
	u8 *first = gmem_va(&s->p.k.mem, s->p.buf);
	bool ok;

	start(s, p, a);
	memset(first, 0xee, 256 << 10);
	for (i = 0; i < count; i++)
		add(s, RX, i ? WHOLE : p->shape, s->p.buf + i * 32768, room);
	add(s, RX, WHOLE, s->p.buf + (512 << 10), 16384);
	vq_kick(&s->p.k.q[RX]);
	frame_fill(frame, p->len, 0x11);
	packet_send(s->p.peer, frame, p->len);
	frame_fill(frame, after, 0x22);
	packet_send(s->p.peer, frame, after);
	ok = say_used(s, RX, p->used ? p->used : count + 1, a);
	/* The count of buffers has a row of its own. */
	if (!(p->features & 1ull << VIRTIO_NET_F_MRG_RXBUF) && !p->counted)
		memset(first + HDR - 2, 0, 2);
	if (ok)
		say(a, " %08x", hash(first, 256 << 10));
	say_position(s, RX, ok, a);
}

static struct row rows[ARRAY_SIZE(sent) + ARRAY_SIZE(taken)];

int main(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(sent); i++)
		rows[n++] = (struct row) {
			.name = sent[i].name, .ask = ask_send, .states = IN(RINGS), .v = i,
			.differs = sent[i].differs, .on = sent[i].on,
		};
	for (i = 0; i < ARRAY_SIZE(taken); i++)
		rows[n++] = (struct row) {
			.name = taken[i].name, .ask = ask_take, .states = IN(RINGS), .v = i,
			.differs = taken[i].differs, .on = taken[i].on,
		};
	table_run(rows, n);
}
