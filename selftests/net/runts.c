// SPDX-License-Identifier: GPL-2.0
/*
 * Filters of the owner trim what a tap or a packet socket gives to any length, with
 * a VLAN tag beside the frame and without. A guest gets frames that have an Ethernet
 * header, whole; the others are dropped and counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include "kselftest_harness.h"
#include "pair.h"

#define TAG		4u
#define TRIM_MAX	16u

/* EtherType of frames that are not trimmed: each tells that those before have passed. */
#define ETHERTYPE_WHOLE	0x88b6

FIXTURE(runts) {
	struct pair p;
	int vlan;
};

FIXTURE_VARIANT(runts) {
	struct pair_opts o;
};

FIXTURE_VARIANT_ADD(runts, packet_socket) { .o = { .packet = true, .mergeable = true } };
FIXTURE_VARIANT_ADD(runts, packet_socket_packed_registered) {
	.o = { .packet = true, .packed = true, .registered = true }
};

FIXTURE_VARIANT_ADD(runts, tap) { .o = { .mergeable = true } };
FIXTURE_VARIANT_ADD(runts, tap_packed_registered) { .o = { .packed = true, .registered = true } };
FIXTURE_VARIANT_ADD(runts, tap_no_hdr) { .o = { .no_hdr = true } };

FIXTURE_SETUP(runts)
{
	char add[128];

	pair_start(&self->p, &variant->o);
	snprintf(add, sizeof(add), "ip link add link %s name tagged0 type vlan id 5",
		 self->p.dev);
	must(!system(add), "no VLAN device");
	dev_up("tagged0", 1500);
	self->vlan = packet_open("tagged0");
}

FIXTURE_TEARDOWN(runts)
{
	close(self->vlan);
	pair_stop(&self->p);
}

/* Have frames trimmed to @len bytes before the backend gets them. */
static void trim(const struct pair *p, u32 len)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_WHOLE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, FRAME_MAX),
		BPF_STMT(BPF_RET | BPF_K, len),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(code), .filter = code };

	if (p->o.packet)
		must(!setsockopt(p->back, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)),
		     "SO_ATTACH_FILTER: %m");
	else
		must(!ioctl(p->back, TUNATTACHFILTER, &prog), "TUNATTACHFILTER: %m");
}

/* What the guest shall see of @frame: @len bytes, with a tag if it was sent with one. */
static u32 expected(u8 *to, const u8 *frame, u32 len, bool tagged)
{
	static const u8 tag[TAG] = { 0x81, 0, 0, 5 };

	if (!tagged) {
		memcpy(to, frame, len);
		return len;
	}
	memcpy(to, frame, 12);
	memcpy(to + 12, tag, TAG);
	memcpy(to + 12 + TAG, frame + 12, len - 12);
	return len + TAG;
}

TEST_F(runts, K1_K18_only_frames_with_an_ethernet_header)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX], want[FRAME_MAX];
	struct kvhost_net_queue_stats st;
	u32 cut, tagged, n, nbufs, runts = 0;

	pair_offer(&self->p, self->p.buf, 2048, 128);
	for (cut = 0; cut <= TRIM_MAX; cut++) {
		trim(&self->p, cut);
		for (tagged = 0; tagged < 2; tagged++) {
			int from = tagged ? self->vlan : self->p.peer;

			frame_fill(out, 100, cut);
			packet_send(from, out, 100);
			if (cut >= ETH_HLEN) {
				n = expected(want, out, cut, tagged);
				ASSERT_EQ(pair_take(&self->p, in, &nbufs), n + HDR);
				ASSERT_EQ(memcmp(in + HDR, want, n), 0);
			} else if (cut) {
				runts++;
			}
			/* This one fills the private buffer with bytes that nobody may see. */
			frame_fill(out, 1000, cut);
			out[13] = ETHERTYPE_WHOLE & 0xff;
			packet_send(from, out, 1000);
			n = expected(want, out, 1000, tagged);
			ASSERT_EQ(pair_take(&self->p, in, &nbufs), n + HDR) {
				TH_LOG("trimmed to %u, %stagged", cut, tagged ? "" : "un");
			}
			ASSERT_EQ(memcmp(in + HDR, want, n), 0);
			net_stats(&self->p.k, RX, &st);
			ASSERT_EQ(st.drops[KVHOST_NET_DROP_RUNT], runts);
		}
	}
	EXPECT_EQ(st.drops[KVHOST_NET_DROP_BACKEND], 0);
	EXPECT_EQ(st.drops[KVHOST_NET_DROP_TOO_LONG], 0);
}

static bool socket_has_header(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), len = HDR;
	bool has = !setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR_SZ, &len, sizeof(len));

	close(fd);
	return has;
}

/* The header that a packet socket makes is of the frame without the tag. */
TEST(K1_offsets_are_of_the_frame_with_its_tag)
{
	static const struct pair_opts o = {
		.packet = true, .socket_hdr = true, .mergeable = true
	};
	const struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 34,
		.csum_offset = 16,
	};
	static u8 out[FRAME_MAX], in[FRAME_MAX], want[FRAME_MAX];
	struct virtio_net_hdr got;
	u32 len, tagged, nbufs;
	struct pair p;
	int fd[2], i, one = 1;

	if (!socket_has_header())
		SKIP(return, "packet sockets have no header of 12 bytes before Linux 6.5");
	pair_start(&p, &o);
	must(!system("ip link add link veth1 name tagged0 type vlan id 5"), "no VLAN device");
	dev_up("tagged0", 1500);
	fd[0] = packet_open("veth1");
	fd[1] = packet_open("tagged0");
	pair_offer(&p, p.buf, 2048, 2);
	memcpy(out, &h, sizeof(h));
	len = frame_tcp(out + sizeof(h), 500, 1);
	for (tagged = 0; tagged < 2; tagged++) {
		i = fd[tagged];
		must(!setsockopt(i, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)),
		     "PACKET_VNET_HDR: %m");
		packet_send(i, out, sizeof(h) + len);
		ASSERT_EQ(pair_take(&p, in, &nbufs), HDR + len + (tagged ? TAG : 0));
		memcpy(&got, in, sizeof(got));
		EXPECT_EQ(got.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		EXPECT_EQ(got.csum_start, 34 + (tagged ? TAG : 0));
		EXPECT_EQ(got.csum_offset, 16);
		expected(want, out + sizeof(h), len, tagged);
		EXPECT_EQ(memcmp(in + HDR, want, 50), 0);
	}
	close(fd[0]);
	close(fd[1]);
	pair_stop(&p);
}

TEST_HARNESS_MAIN
