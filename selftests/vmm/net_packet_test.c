// SPDX-License-Identifier: GPL-2.0
/*
 * net_packet_test.c - packets through the rings of a network device with
 * backend=user.
 *
 * Once with split and once with packed rings. Ids name rows of the conformance
 * list (NET, VMM) and of the list of hostile drivers (HD).
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "util.h"
#include "vm.h"
#include "net_fixture.h"

/* NET-005, HD-045: a large packet over many buffers, and what has no room */
TEST_F(net, mergeable)
{
	const u32 len = 1514;
	struct vq_used used;
	unsigned int n = 0, at = 0;

	self->rig.opt->mtu = 9000;
	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS | NET_BIT(MRG_RXBUF), 3);
	rig_add_buffers(&self->rig, 2, 600);
	rig_inject(&self->rig, own, len);
	usleep(QUIET_MS * 1000);
	/* Two are not enough: it waits for the third. */
	EXPECT_FALSE(vq_has_used(&self->rig.q[0]));
	rig_add_buffers(&self->rig, 2, 600);
	rig_fill_packet(self->rig.packet, own, len);
	while (at < HDR + len && rig_wait_used(&self->rig.q[0], &used)) {
		u8 *p = used.cookie;

		if (!n++) {
			EXPECT_EQ(3, p[10] | p[11] << 8);
			p[10] = 0;
		}
		EXPECT_EQ(0, memcmp(p, self->rig.packet + at, used.len));
		at += used.len;
	}
	EXPECT_EQ(3, n);
	EXPECT_EQ(HDR + len, at);
	/* Larger than the MTU: dropped, and the next one is not. */
	rig_add_buffers(&self->rig, 20, 600);
	rig_inject(&self->rig, own, 9015);
	rig_inject(&self->rig, own, 61);
	EXPECT_TRUE(rig_received(&self->rig, own, 61));
}

/* HD-045, NET-071: without mergeable buffers one has to do; its header is defined */
TEST_F(net, single_buffers)
{
	static const u8 header[HDR] = { [10] = 1 };
	struct vq_used used;

	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS, 3);
	rig_add_buffers(&self->rig, 4, 200);
	rig_inject(&self->rig, own, 200 - HDR + 1);
	rig_inject(&self->rig, own, 200 - HDR);
	ASSERT_TRUE(rig_wait_used(&self->rig.q[0], &used));
	EXPECT_EQ(200, used.len);
	EXPECT_EQ(0, memcmp(used.cookie, header, HDR));
	EXPECT_EQ(S_OK, bus_read(bus.pci, STATUS, 1));
}

/* HD-045: what is no receive buffer breaks the queue, and a reset cures it */
TEST_F(net, bad_buffers)
{
	const struct vq_buf bad[] = {
		{ self->rig.buf, HDR - 1, true }, { self->rig.buf, 100, false },
		{ GMEM_HOLE_GPA, 100, true },
	};

	ASSERT_EQ(0, rig_create(&self->rig));
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		rig_bring_up(&self->rig, F_ALWAYS, 3);
		ASSERT_LE(0, vq_add(&self->rig.q[0], &bad[i], 1, NULL, self));
		vq_publish(&self->rig.q[0]);
		rig_kick(0);
		for (int ms = 0; ms < LIMIT; ms++) {
			bus_pump();
			if (bus_read(bus.pci, STATUS, 1) & S_NEEDS_RESET)
				break;
			usleep(1000);
		}
		EXPECT_TRUE(bus_read(bus.pci, STATUS, 1) & S_NEEDS_RESET);
	}
	rig_bring_up(&self->rig, F_ALWAYS, 3);
	rig_add_buffers(&self->rig, 4, BUF_BYTES);
	rig_inject(&self->rig, own, 60);
	EXPECT_TRUE(rig_received(&self->rig, own, 60));
}

/* Sends a packet of @len bytes, header included; true if it arrives as it is. */
static bool sends(struct net_rig *rig, const struct virtio_net_hdr_v1 *hdr, u32 len)
{
	struct vq_buf bufs[] = {
		{ rig->buf, 5, false }, { rig->buf + 5, HDR - 5, false },
		{ rig->buf + HDR, len > HDR ? len - HDR : 0, false },
	};
	u8 *p = gmem_va(&rig->gmem, rig->buf), got[BUF_BYTES];
	struct pollfd pfd = { .fd = port.fd[0], .events = POLLIN };
	struct vq_used used;
	ssize_t n = -1;

	rig_fill_packet(p, broadcast, BUF_BYTES - HDR);
	memcpy(p, hdr, HDR);
	if (len <= HDR)
		bufs[1].len = len - 5;
	must(vq_add(&rig->q[1], bufs, len > HDR ? 3 : 2, NULL, p) >= 0, "queue full");
	vq_publish(&rig->q[1]);
	rig_kick(1);
	must(rig_wait_used(&rig->q[1], &used), "the buffer does not come back");
	must(!used.len, "written: %u", used.len);
	if (poll(&pfd, 1, 0) == 1)
		n = read(port.fd[0], got, sizeof(got));
	return n == len && !memcmp(got + HDR, p + HDR, len - HDR) &&
	       got[0] == (hdr->flags & 1) && got[1] == hdr->gso_type && !got[10];
}

/* HD-043, HD-044, NET-021: what a driver may send */
TEST_F(net, transmit)
{
	struct virtio_net_hdr_v1 h = { };

	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS | NET_BIT(CSUM) | NET_BIT(HOST_TSO4), 3);
	EXPECT_TRUE(sends(&self->rig, &h, HDR + 14));
	EXPECT_TRUE(sends(&self->rig, &h, HDR + 1514));
	EXPECT_FALSE(sends(&self->rig, &h, HDR + 13));
	EXPECT_FALSE(sends(&self->rig, &h, HDR));
	EXPECT_FALSE(sends(&self->rig, &h, HDR - 1));
	h.num_buffers = 7;
	for (unsigned int flags = 0; flags < 256; flags++) {
		h.flags = flags;
		ASSERT_TRUE(sends(&self->rig, &h, HDR + 100));
	}
	for (unsigned int gso = 0; gso < 256; gso++) {
		h.gso_type = gso;
		ASSERT_EQ(gso == 0 || gso == 1, sends(&self->rig, &h, HDR + 100));
	}
	rig_bring_up(&self->rig, F_ALWAYS, 3);
	h.gso_type = 0;
	h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	EXPECT_FALSE(sends(&self->rig, &h, HDR + 100));
	/* NET-018: segmentation without checksums counts as not negotiated. */
	rig_bring_up(&self->rig, F_ALWAYS | NET_BIT(HOST_TSO4), 3);
	h.flags = 0;
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	EXPECT_FALSE(sends(&self->rig, &h, HDR + 100));
	EXPECT_EQ(S_OK, bus_read(bus.pci, STATUS, 1));
}

/* Number @sent of the packets of the next test. */
static void add_numbered(struct net_rig *rig, unsigned int sent)
{
	u64 gpa = rig->buf + (sent % QUEUE_SIZE) * BUF_BYTES;
	struct vq_buf b = { gpa, HDR + 1000, false };
	u8 *p = gmem_va(&rig->gmem, gpa);

	rig_fill_packet(p, broadcast, 1000);
	memcpy(p + HDR + 100, &sent, sizeof(sent));
	must(vq_add(&rig->q[1], &b, 1, NULL, p) >= 0, "no room");
}

/* The port is full again and again: nothing is lost, and all is in order. */
TEST_F(net, full_port)
{
	const unsigned int all = 3000;
	unsigned int sent = 0, got = 0, idle = 0, number;
	struct vq *q = &self->rig.q[1];
	struct vq_used used;
	u8 packet[BUF_BYTES];

	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS, 3);
	while (got < all) {
		while (vq_get_used(q, &used))
			;
		for (; q->num_free && sent < all; sent++)
			add_numbered(&self->rig, sent);
		vq_publish(q);
		rig_kick(1);
		/* Slower than they come. */
		for (int i = 0; i < 16 && got < sent; i++, got++) {
			if (read(port.fd[0], packet, sizeof(packet)) != HDR + 1000)
				break;
			idle = 0;
			memcpy(&number, packet + HDR + 100, sizeof(number));
			ASSERT_EQ(got, number);
		}
		ASSERT_GT(LIMIT, idle++);
		usleep(1000);
	}
	EXPECT_EQ(S_OK, bus_read(bus.pci, STATUS, 1));
}

/* passt: a length before each frame, and its end is a link that is down */
TEST_F(net, stream)
{
	struct virtio_net_hdr_v1 h = { };
	u8 frame[4 + 300] = { 0, 0, 1, 44 }, got[512];
	struct vq_used used;
	struct vq_buf b = { self->rig.buf + 8192, HDR + 300, false };
	ssize_t n = 0;

	port.kind = NET_PORT_PASST;
	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS | NET_BIT(MRG_RXBUF), 3);
	rig_add_buffers(&self->rig, 4, BUF_BYTES);
	rig_fill_packet(self->rig.packet, own, 300);
	memcpy(frame + 4, self->rig.packet + HDR, 300);
	/* In pieces, the first of them half a length, the second half a frame. */
	ASSERT_EQ(2, write(port.fd[0], frame, 2));
	usleep(QUIET_MS * 1000);
	ASSERT_EQ(150, write(port.fd[0], frame + 2, 150));
	usleep(QUIET_MS * 1000);
	ASSERT_EQ(152, write(port.fd[0], frame + 152, 152));
	EXPECT_TRUE(rig_received(&self->rig, own, 300));
	memcpy(gmem_va(&self->rig.gmem, b.gpa), &h, HDR);
	memcpy((u8 *)gmem_va(&self->rig.gmem, b.gpa) + HDR, frame + 4, 300);
	ASSERT_LE(0, vq_add(&self->rig.q[1], &b, 1, NULL, self));
	vq_publish(&self->rig.q[1]);
	rig_kick(1);
	ASSERT_TRUE(rig_wait_used(&self->rig.q[1], &used));
	for (int ms = 0; ms < LIMIT && n < 304; ms++) {
		ssize_t part = read(port.fd[0], got + n, sizeof(got) - n);

		n += part > 0 ? part : 0;
		usleep(1000);
	}
	EXPECT_EQ(304, n);
	EXPECT_EQ(0, memcmp(got, frame, 304));
	/* A length no frame has. */
	ASSERT_EQ(4, write(port.fd[0], "\377\377\377\377", 4));
	for (int ms = 0; ms < LIMIT && bus_read(bus.pci, DEVICE + 6, 2); ms++) {
		bus_pump();
		usleep(1000);
	}
	EXPECT_EQ(0, bus_read(bus.pci, DEVICE + 6, 2));
	EXPECT_EQ(S_OK, bus_read(bus.pci, STATUS, 1));
}

TEST_HARNESS_MAIN
