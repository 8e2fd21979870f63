// SPDX-License-Identifier: GPL-2.0
/*
 * Frames fare with kvhost-net as with this kernel's own vhost-net, side by side:
 * segmentation offloads of every kind, and taps whose header has not the length it
 * should have. On demand, kvhost-net offers just what vhost-net offers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/if_tun.h>
#include "kselftest_harness.h"
#include "pair.h"

#define CSUM	VIRTIO_NET_HDR_F_NEEDS_CSUM
#define TCP4	VIRTIO_NET_HDR_GSO_TCPV4
#define UFO	VIRTIO_NET_HDR_GSO_UDP
#define ECN	VIRTIO_NET_HDR_GSO_ECN
#define USO	5

#define UDP_PORT	7000
#define UDP_HDR		42u

static const char *const nodes[] = { VHOST_NET_NODE, KVHOST_NET_NODE };

/**
 * struct seen - frames that came out
 * @n:   how many
 * @len: bytes of each
 * @sum: of their bytes
 */
struct seen {
	u32 n;
	u32 len[512];
	u64 sum;
};

static void see(struct seen *s, const u8 *frame, u32 len)
{
	u32 i;

	must(s->n < ARRAY_SIZE(s->len), "too many frames");
	s->len[s->n++] = len;
	for (i = 0; i < len; i++)
		s->sum = s->sum * 31 + frame[i];
}

static bool same(const struct seen *a, const struct seen *b)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		const struct seen *s = i ? b : a;

		printf("# %s: %u frames, the first of %u bytes, sum %llx\n", nodes[i], s->n,
		       s->n ? s->len[0] : 0, s->sum);
	}
	return a->n == b->n && a->sum == b->sum &&
	       !memcmp(a->len, b->len, a->n * sizeof(a->len[0]));
}

static bool vhost_net_missing(void)
{
	return access(VHOST_NET_NODE, F_OK) && system("modprobe vhost_net 2>/dev/null");
}

/* See what has come out, up to a frame that passes in any case. */
static void see_all(struct pair *p, struct seen *s)
{
	static u8 last[60], in[FRAME_MAX];
	int len;

	frame_fill(last, sizeof(last), 0xffff);
	must(pair_send(p, NULL, last, sizeof(last), 0), "a plain frame is not sent");
	for (;;) {
		len = packet_recv(p->peer, in, LIMIT_MS);
		must(len, "a plain frame does not come");
		if (len == sizeof(last) && !memcmp(in, last, len))
			return;
		see(s, in, len);
	}
}

/* Turn a frame of TCP into one of UDP, its checksum left to do. */
static u32 frame_udp(u8 *frame, u32 payload, u32 seq)
{
	u32 len = frame_tcp(frame, payload + UDP_HDR - 54, seq), sum = 0, i;
	u16 port = htons(UDP_PORT), udp_len = htons(len - 34);

	frame[23] = IPPROTO_UDP;
	memset(frame + 24, 0, 2);
	for (i = 14; i < 34; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	frame[24] = ~sum >> 8;
	frame[25] = ~sum;
	memcpy(frame + 36, &port, 2);
	memcpy(frame + 38, &udp_len, 2);
	/* Of the pseudo header, as a driver leaves it. */
	sum = IPPROTO_UDP + len - 34;
	for (i = 26; i < 34; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	frame[40] = sum >> 8;
	frame[41] = sum;
	return len;
}

FIXTURE(offload) { };

FIXTURE_VARIANT(offload) {
	struct pair_opts o;
};

FIXTURE_VARIANT_ADD(offload, tap) { .o = { .mergeable = true } };
FIXTURE_VARIANT_ADD(offload, limited_sndbuf) { .o = { .sndbuf = 1 << 20 } };
FIXTURE_VARIANT_ADD(offload, macvtap) { .o = { .macvtap = true } };

FIXTURE_SETUP(offload)
{
	if (vhost_net_missing())
		SKIP(return, "no /dev/vhost-net to compare with: modprobe vhost_net");
}

FIXTURE_TEARDOWN(offload)
{
}

static const struct virtio_net_hdr offloads[] = {
	{ .flags = CSUM, .gso_type = UFO, .gso_size = 1480, .hdr_len = 42, .csum_start = 34,
	  .csum_offset = 6 },
	{ .gso_type = UFO, .gso_size = 1480, .hdr_len = 42 },
	{ .flags = CSUM, .gso_type = UFO | ECN, .gso_size = 1480, .hdr_len = 42,
	  .csum_start = 34, .csum_offset = 6 },
	{ .flags = CSUM, .gso_type = USO, .gso_size = 1472, .hdr_len = 42, .csum_start = 34,
	  .csum_offset = 6 },
	{ .flags = CSUM, .gso_type = TCP4, .gso_size = 1448, .hdr_len = 54, .csum_start = 34,
	  .csum_offset = 16 },
	{ .flags = CSUM, .gso_type = TCP4 | ECN, .gso_size = 1448, .hdr_len = 54,
	  .csum_start = 34, .csum_offset = 16 },
};

/* Frames that fit a page, go in batches to a tap, and do not. */
static const u32 payloads[] = { 100, 3000, 20000, 60000 };

static void send_offloads(const struct pair_opts *o, const char *node, struct seen *s)
{
	struct pair_opts mine = *o;
	static u8 out[FRAME_MAX];
	u8 hdr[HDR] = { };
	struct pair p;
	u32 i, j, len;

	mine.node = node;
	memset(s, 0, sizeof(*s));
	pair_start(&p, &mine);
	for (i = 0; i < ARRAY_SIZE(offloads); i++)
		for (j = 0; j < ARRAY_SIZE(payloads); j++) {
			if ((offloads[i].gso_type & ~ECN) == TCP4)
				len = frame_tcp(out, payloads[j], i);
			else
				len = frame_udp(out, payloads[j], i);
			memcpy(hdr, &offloads[i], sizeof(offloads[i]));
			must(pair_send(&p, hdr, out, len, 0), "offload %u is not used", i);
			see_all(&p, s);
			/* Tell apart which of them came. */
			s->sum = s->sum * 31 + s->n;
		}
	pair_stop(&p);
}

TEST_F(offload, K26_as_with_vhost_net)
{
	struct seen seen[2];
	u32 i;

	for (i = 0; i < 2; i++)
		send_offloads(&variant->o, nodes[i], &seen[i]);
	EXPECT_LT(ARRAY_SIZE(payloads), seen[0].n);
	EXPECT_TRUE(same(&seen[0], &seen[1]));
}

/* An old guest's datagram arrives at a socket of the host. */
TEST(K26_a_datagram_in_one_piece_reaches_a_socket)
{
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(UDP_PORT) };
	struct timeval limit = { .tv_sec = LIMIT_MS / 1000 };
	u32 i, len, size = 1 << 20;
	u8 hdr[HDR] = { };
	struct pair p;
	int s;

	pair_start(&p, &(struct pair_opts){ });
	must(!system("ip link set tap0 address 02:02:02:02:02:02"), "no address");
	must(!system("ip addr add 10.9.0.1/24 dev tap0"), "no address");
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(s >= 0 && !bind(s, (void *)&a, sizeof(a)), "UDP: %m");
	must(!setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), "SO_RCVTIMEO: %m");
	must(!setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), "SO_RCVBUF: %m");
	memcpy(hdr, &offloads[0], sizeof(offloads[0]));
	for (i = 0; i < ARRAY_SIZE(payloads); i++) {
		len = frame_udp(out, payloads[i], i);
		ASSERT_TRUE(pair_send(&p, hdr, out, len, 0));
		ASSERT_EQ(recv(s, in, sizeof(in), 0), payloads[i]);
		EXPECT_EQ(memcmp(in, out + UDP_HDR, payloads[i]), 0);
	}
	close(s);
	pair_stop(&p);
}

FIXTURE(header_size) { };

FIXTURE_VARIANT(header_size) {
	int size;
};

FIXTURE_VARIANT_ADD(header_size, 10) { .size = 10 };
FIXTURE_VARIANT_ADD(header_size, 12) { .size = 12 };
FIXTURE_VARIANT_ADD(header_size, 24) { .size = 24 };

FIXTURE_SETUP(header_size)
{
	if (vhost_net_missing())
		SKIP(return, "no /dev/vhost-net to compare with: modprobe vhost_net");
}

FIXTURE_TEARDOWN(header_size)
{
}

static const u32 lengths[] = { 60, 1514, 9014, 60000 };

/* Frames that the tap has handed over. */
static u64 tap_packets(void)
{
	FILE *f = fopen("/proc/self/net/dev", "re");
	unsigned long long n = 0;
	char line[512], *at;
	bool found = false;

	must(f, "/proc/self/net/dev: %m");
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, "tap0:");
		if (at)
			found = sscanf(at + 5, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
				       &n) == 1;
	}
	must(found, "no tap0");
	fclose(f);
	return n;
}

static void wait_tap_packets(u64 n)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	int left = LIMIT_MS;

	while (tap_packets() < n) {
		must(left--, "%llu frames of %llu", tap_packets(), n);
		nanosleep(&ms, NULL);
	}
}

static void header_set(struct pair *p, int size)
{
	must(!ioctl(p->back, TUNSETVNETHDRSZ, &size), "TUNSETVNETHDRSZ: %m");
}

/* Both ways; a frame with the right header tells that those before are through. */
static void send_and_receive(const char *node, int size, struct seen *sent, struct seen *got)
{
	const struct pair_opts o = { .node = node, .mergeable = true };
	static u8 out[FRAME_MAX], in[FRAME_MAX];
	u32 i, nbufs, len;
	struct pair p;

	memset(sent, 0, sizeof(*sent));
	memset(got, 0, sizeof(*got));
	pair_start(&p, &o);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		header_set(&p, size);
		frame_fill(out, lengths[i], i);
		must(pair_send(&p, NULL, out, lengths[i], 0), "%u bytes are not used", lengths[i]);
		header_set(&p, HDR);
		see_all(&p, sent);
	}
	pair_offer(&p, p.buf, 66000, 2 * ARRAY_SIZE(lengths));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		u64 before = tap_packets();

		header_set(&p, size);
		frame_fill(out, lengths[i], i);
		packet_send(p.peer, out, lengths[i]);
		wait_tap_packets(before + 1);
		header_set(&p, HDR);
		frame_fill(out, 60, 0xffff);
		packet_send(p.peer, out, 60);
		for (;;) {
			len = pair_take(&p, in, &nbufs);
			must(len > HDR, "a plain frame does not come");
			if (len == HDR + 60 && !memcmp(in + HDR, out, 60))
				break;
			see(got, in, len);
		}
	}
	pair_stop(&p);
}

TEST_F(header_size, as_with_vhost_net)
{
	struct seen sent[2], got[2];
	u32 i;

	for (i = 0; i < 2; i++)
		send_and_receive(nodes[i], variant->size, &sent[i], &got[i]);
	EXPECT_TRUE(same(&sent[0], &sent[1]));
	EXPECT_TRUE(same(&got[0], &got[1]));
	if (variant->size == HDR)
		EXPECT_EQ(got[0].n, ARRAY_SIZE(lengths));
}

static u64 parameter_set(u64 value)
{
	static const char path[] = "/sys/module/kvhost_net/parameters/features";
	FILE *f = fopen(path, "re+");
	unsigned long long was;

	must(f && fscanf(f, "%llu", &was) == 1, "%s: %m", path);
	rewind(f);
	must(fprintf(f, "%#llx", value) > 0 && !fclose(f), "%s: %m", path);
	return was;
}

static u64 offered(int fd)
{
	u64 f;

	kvhost_ioctl(fd, VHOST_GET_FEATURES, &f, "VHOST_GET_FEATURES");
	return f;
}

static int node_open(const char *node)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);

	must(fd >= 0, "%s: %m", node);
	return fd;
}

TEST(K31_offers_no_more_than_it_is_told)
{
	const u64 version_1 = 1ull << VIRTIO_F_VERSION_1;
	u64 was, all, theirs, more, none = 0;
	int before, limited, vhost;
	struct pair p;

	if (vhost_net_missing())
		SKIP(return, "no /dev/vhost-net to compare with: modprobe vhost_net");
	vhost = node_open(VHOST_NET_NODE);
	theirs = offered(vhost);
	close(vhost);
	was = parameter_set(0);
	before = node_open(KVHOST_NET_NODE);
	all = offered(before);
	more = all & ~theirs;
	EXPECT_NE(more, 0);
	EXPECT_EQ(theirs & ~all, 0);

	parameter_set(theirs);
	limited = node_open(KVHOST_NET_NODE);
	EXPECT_EQ(offered(limited), theirs);
	kvhost_ioctl(limited, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	for (; more; more &= more - 1) {
		u64 ask = version_1 | (more & -more);

		EXPECT_EQ(__kvhost_ioctl(limited, VHOST_SET_FEATURES, &ask), -EOPNOTSUPP);
	}
	theirs &= ~(1ull << VHOST_F_LOG_ALL | 1ull << VIRTIO_F_ACCESS_PLATFORM);
	EXPECT_EQ(__kvhost_ioctl(limited, VHOST_SET_FEATURES, &theirs), 0);
	/* A device that is open keeps what it has offered, also after a reset. */
	EXPECT_EQ(offered(before), all);
	pair_start(&p, &(struct pair_opts){ .mergeable = true });
	EXPECT_TRUE(pair_works(&p));
	pair_stop(&p);

	parameter_set(0);
	kvhost_ioctl(limited, VHOST_RESET_OWNER, NULL, "VHOST_RESET_OWNER");
	EXPECT_NE(offered(limited), all);
	close(limited);
	/* Without VERSION_1 no queue starts: it is offered in any case. */
	parameter_set(1ull << VIRTIO_RING_F_EVENT_IDX);
	limited = node_open(KVHOST_NET_NODE);
	EXPECT_EQ(offered(limited), version_1 | 1ull << VIRTIO_RING_F_EVENT_IDX);
	EXPECT_EQ(__kvhost_ioctl(limited, VHOST_SET_FEATURES, &none), 0);
	close(limited);
	close(before);
	parameter_set(was);
}

TEST_HARNESS_MAIN
