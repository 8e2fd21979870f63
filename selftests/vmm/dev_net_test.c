// SPDX-License-Identifier: GPL-2.0
/*
 * dev_net_test.c - a network device: options, features, configuration
 * space, the control queue and what it makes of receive.
 *
 * Once with split and once with packed rings. Ids name rows of the conformance
 * list (NET, VMM) and of the list of hostile drivers (HD).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options_value.h"
#include "util.h"
#include "vm.h"
#include "net_fixture.h"

#define RUN(class, cmd, ...) ({							\
	u8 _d[] = { __VA_ARGS__ };						\
	rig_command(&self->rig, 2, VIRTIO_NET_CTRL_##class,				\
		VIRTIO_NET_CTRL_##class##_##cmd, _d, sizeof(_d)); })

/* Are two packets to @to received, and nothing else? */
static bool passes(struct net_rig *rig, const u8 *to)
{
	struct vq_used used;

	rig_inject(rig, to, 100);
	must(write(port.fd[0], rig->packet, HDR + 60) == HDR + 60, "socket full");
	if (!rig_wait_used(&rig->q[0], &used) || used.len != HDR + 100 ||
	    !rig_wait_used(&rig->q[0], &used) || used.len != HDR + 60)
		return false;
	rig_add_buffers(rig, 2, BUF_BYTES);
	return true;
}

/* NET-017..019, VMM-004: what is offered follows the options */
TEST_F(net, features)
{
	const u64 packed = variant->packed ? VIRTIO_BIT(VIRTIO_F_RING_PACKED) : 0;
	const u64 rings = VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			  VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | packed;

	ASSERT_EQ(0, rig_create(&self->rig));
	EXPECT_EQ(F_ALWAYS | rings | F_FILTER | F_CSUM | F_TSO | F_USO | NET_BIT(MRG_RXBUF),
		  driver_offered());
	self->rig.opt->queues = 2;
	self->rig.opt->tso = false;
	self->rig.opt->mrg_rxbuf = false;
	self->rig.opt->in_order = true;
	self->rig.opt->indirect = false;
	self->rig.opt->event_idx = false;
	port.kind = NET_PORT_MACVTAP;
	port.uso = false;
	ASSERT_EQ(0, rig_create(&self->rig));
	EXPECT_EQ(F_ALWAYS | packed | VIRTIO_BIT(VIRTIO_F_IN_ORDER) | NET_BIT(CTRL_VLAN) |
		  F_CSUM | NET_BIT(MQ), driver_offered());
	EXPECT_EQ(5, bus_read(bus.pci, NUM_QUEUES, 2));
	/* passt computes no checksums for others. */
	self->rig.opt->queues = 1;
	port.kind = NET_PORT_PASST;
	ASSERT_EQ(0, rig_create(&self->rig));
	EXPECT_EQ(0, driver_offered() & (NET_GUEST_OFFLOADS | NET_HOST_OFFLOADS));
}

/* NET-001, 002, 010, 011, 015, 016: the fields, and nobody writes them */
TEST_F(net, config)
{
	struct virtio_net_config c, after;

	self->rig.opt->queues = 2;
	self->rig.opt->mtu = 9000;
	self->rig.opt->speed = 25000;
	ASSERT_EQ(0, rig_create(&self->rig));
	for (unsigned int round = 0; round < 2; round++) {
		memset(&after, 0, sizeof(after));
		for (unsigned int i = 0; i < offsetof(typeof(c), rss_max_key_size); i++) {
			((u8 *)&after)[i] = bus_read(bus.pci, DEVICE + i, 1);
			bus_write(bus.pci, DEVICE + i, 0x5a, 1);
		}
		if (!round)
			c = after;
	}
	EXPECT_EQ(0, memcmp(&c, &after, sizeof(c)));
	EXPECT_EQ(0, memcmp(c.mac, own, 6));
	EXPECT_EQ(VIRTIO_NET_S_LINK_UP, c.status);
	EXPECT_EQ(2, c.max_virtqueue_pairs);
	EXPECT_EQ(9000, c.mtu);
	EXPECT_EQ(25000, c.speed);
	EXPECT_EQ(1, c.duplex);
	self->rig.opt->speed = 0;
	ASSERT_EQ(0, rig_create(&self->rig));
	EXPECT_EQ(0xffffffff, bus_read(bus.pci, DEVICE + offsetof(typeof(c), speed), 4));
	EXPECT_EQ(0xff, bus_read(bus.pci, DEVICE + offsetof(typeof(c), duplex), 1));
}

/* NET-079, HD-046: any class, command and length gets one answer */
TEST_F(net, unknown_commands)
{
	u8 data[64] = { };

	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS | F_FILTER | F_CSUM, 3);
	for (unsigned int i = 0; i < 65536; i += i < 0x800 ? 1 : 37) {
		u8 class = i >> 8, cmd = i;
		/* The one command without data. */
		bool known = class == VIRTIO_NET_CTRL_ANNOUNCE && !cmd;

		ASSERT_EQ(known ? VIRTIO_NET_OK : VIRTIO_NET_ERR,
			  rig_command(&self->rig, 2, class, cmd, data, 0));
	}
	for (u8 class = 0; class < 7; class++) {
		for (u8 cmd = 0; cmd < 7; cmd++) {
			unsigned int good = 0;

			for (u32 len = 1; len <= sizeof(data); len++)
				good += !rig_command(&self->rig, 2, class, cmd, data, len);
			/* The table of no addresses and those with data of one length. */
			ASSERT_GE(1, good);
			ASSERT_TRUE(!good || class == VIRTIO_NET_CTRL_RX ||
				    class == VIRTIO_NET_CTRL_MAC ||
				    class == VIRTIO_NET_CTRL_VLAN ||
				    class == VIRTIO_NET_CTRL_GUEST_OFFLOADS);
		}
	}
	EXPECT_EQ(S_OK, bus_read(bus.pci, STATUS, 1));
}

/* HD-046: a feature that was not negotiated has no commands */
TEST_F(net, commands_of_features)
{
	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_RING | NET_BIT(CTRL_VQ), 3);
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(RX, PROMISC, 1));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(RX, NOMULTI, 1));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(VLAN, ADD, 1, 0));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(MAC, ADDR_SET, 2, 0, 0, 0, 0, 1));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(MQ, VQ_PAIRS_SET, 1, 0));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(GUEST_OFFLOADS, SET, 0, 0, 0, 0, 0, 0, 0, 0));
}

/* HD-046: without room for the answer the queue is broken */
TEST_F(net, no_answer)
{
	struct vq_buf b = { self->rig.control, 2, false };

	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS, 3);
	ASSERT_LE(0, vq_add(&self->rig.q[2], &b, 1, NULL, &b));
	vq_publish(&self->rig.q[2]);
	rig_kick(2);
	for (int ms = 0; ms < LIMIT && !(bus_read(bus.pci, STATUS, 1) & S_NEEDS_RESET); ms++) {
		bus_pump();
		usleep(1000);
	}
	EXPECT_TRUE(bus_read(bus.pci, STATUS, 1) & S_NEEDS_RESET);
	rig_bring_up(&self->rig, F_ALWAYS | F_FILTER, 3);
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, PROMISC, 1));
}

/* NET-080..088, 092: receive modes and addresses, in effect when they are answered */
TEST_F(net, receive_modes)
{
	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS | F_FILTER, 3);
	rig_add_buffers(&self->rig, QUEUE_SIZE, BUF_BYTES);
	EXPECT_TRUE(passes(&self->rig, own));
	EXPECT_TRUE(passes(&self->rig, broadcast));
	rig_fill_packet(self->rig.packet, own, 60);
	rig_inject(&self->rig, foreign, 100);
	rig_inject(&self->rig, group, 100);
	rig_inject(&self->rig, own, 80);
	EXPECT_TRUE(rig_received(&self->rig, own, 80));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(RX, PROMISC, 2));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, ALLMULTI, 1));
	EXPECT_TRUE(passes(&self->rig, group));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, ALLUNI, 1));
	EXPECT_TRUE(passes(&self->rig, foreign));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, NOMULTI, 1));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, NOUNI, 1));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, NOBCAST, 1));
	rig_inject(&self->rig, group, 100);
	rig_inject(&self->rig, own, 100);
	rig_inject(&self->rig, broadcast, 100);
	usleep(QUIET_MS * 1000);
	EXPECT_FALSE(vq_has_used(&self->rig.q[0]));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, PROMISC, 1));
	EXPECT_TRUE(passes(&self->rig, foreign));
	EXPECT_TRUE(passes(&self->rig, group));
	/* NET-089: a reset forgets all that. */
	rig_bring_up(&self->rig, F_ALWAYS | F_FILTER, 3);
	rig_add_buffers(&self->rig, 8, BUF_BYTES);
	rig_inject(&self->rig, foreign, 100);
	rig_inject(&self->rig, own, 90);
	EXPECT_TRUE(rig_received(&self->rig, own, 90));
}

/* NET-089..092: the tables, and more addresses than they hold */
TEST_F(net, address_tables)
{
	u8 d[8 + 200 * 6] = { 1, 0, 0, 0, 0x52, 0x54, 0, 9, 9, 9, 1, 0, 0, 0, 1, 0, 0x5e, 1, 2, 3 };

	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS | F_FILTER, 3);
	rig_add_buffers(&self->rig, QUEUE_SIZE, BUF_BYTES);
	EXPECT_EQ(VIRTIO_NET_OK, rig_command(&self->rig, 2, 1, 0, d, 20));
	EXPECT_TRUE(passes(&self->rig, foreign));
	EXPECT_TRUE(passes(&self->rig, group));
	/* A count that is not that of the addresses. */
	for (u32 len = 1; len < 24; len++)
		if (len != 20)
			EXPECT_EQ(VIRTIO_NET_ERR, rig_command(&self->rig, 2, 1, 0, d, len));
	d[3] = 0x80;
	EXPECT_EQ(VIRTIO_NET_ERR, rig_command(&self->rig, 2, 1, 0, d, 20));
	EXPECT_TRUE(passes(&self->rig, foreign));
	memset(d, 0, sizeof(d));
	EXPECT_EQ(VIRTIO_NET_OK, rig_command(&self->rig, 2, 1, 0, d, 8));
	rig_inject(&self->rig, foreign, 100);
	rig_inject(&self->rig, own, 90);
	EXPECT_TRUE(rig_received(&self->rig, own, 90));
	d[0] = 200;
	EXPECT_EQ(VIRTIO_NET_OK, rig_command(&self->rig, 2, 1, 0, d, 8 + 200 * 6));
	EXPECT_TRUE(passes(&self->rig, foreign));
	/* NET-091: the new address counts, and is read, at once. */
	d[0] = 0;
	EXPECT_EQ(VIRTIO_NET_OK, rig_command(&self->rig, 2, 1, 0, d, 8));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(MAC, ADDR_SET, 3, 0, 0, 0, 0, 1));
	EXPECT_EQ(VIRTIO_NET_OK, rig_command(&self->rig, 2, 1, 1, foreign, 6));
	EXPECT_EQ(foreign[5], bus_read(bus.pci, DEVICE + 5, 1));
	EXPECT_EQ(0, memcmp(port.mac, foreign, 6));
	rig_inject(&self->rig, own, 90);
	EXPECT_TRUE(passes(&self->rig, foreign));
	bus_write(bus.pci, STATUS, 0, 1);
	EXPECT_EQ(own[5], bus_read(bus.pci, DEVICE + 5, 1));
}

static void tag(struct net_rig *rig, u16 id)
{
	rig_fill_packet(rig->packet, own, 100);
	rig->packet[HDR + 12] = 0x81;
	rig->packet[HDR + 14] = 0xe0 | id >> 8;
	rig->packet[HDR + 15] = id;
	must(write(port.fd[0], rig->packet, HDR + 100) == HDR + 100, "socket full");
}

/* NET-093..095: tags */
TEST_F(net, vlans)
{
	struct vq_used used;

	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS, 3);
	rig_add_buffers(&self->rig, 8, BUF_BYTES);
	tag(&self->rig, 77);
	ASSERT_TRUE(rig_wait_used(&self->rig.q[0], &used));
	EXPECT_EQ(HDR + 100, used.len);

	rig_bring_up(&self->rig, F_ALWAYS | F_FILTER, 3);
	rig_add_buffers(&self->rig, 8, BUF_BYTES);
	EXPECT_EQ(VIRTIO_NET_OK, RUN(VLAN, ADD, 0xfe, 0x0f));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(VLAN, ADD, 0xff, 0x0f));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(VLAN, ADD, 0xff, 0xff));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(VLAN, ADD, 1));
	tag(&self->rig, 77);
	tag(&self->rig, 4094);
	rig_inject(&self->rig, own, 60);
	ASSERT_TRUE(rig_wait_used(&self->rig.q[0], &used));
	EXPECT_EQ(HDR + 100, used.len);
	EXPECT_EQ(0xfe, ((u8 *)used.cookie)[HDR + 15]);
	EXPECT_TRUE(rig_received(&self->rig, own, 60));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(VLAN, DEL, 0xfe, 0x0f));
	tag(&self->rig, 4094);
	rig_inject(&self->rig, own, 70);
	EXPECT_TRUE(rig_received(&self->rig, own, 70));
}

/* HD-047, NET-097..101: queue pairs, and where the control queue is */
TEST_F(net, pairs)
{
	self->rig.opt->queues = 2;
	ASSERT_EQ(0, rig_create(&self->rig));
	EXPECT_EQ(1, port.pairs);
	rig_bring_up(&self->rig, F_ALWAYS | NET_BIT(MQ), 5);
	EXPECT_EQ(VIRTIO_NET_ERR, rig_command(&self->rig, 4, 4, 0, "\0", 2));
	EXPECT_EQ(VIRTIO_NET_ERR, rig_command(&self->rig, 4, 4, 0, "\3", 2));
	EXPECT_EQ(VIRTIO_NET_ERR, rig_command(&self->rig, 4, 4, 0, "\377\377", 2));
	EXPECT_EQ(VIRTIO_NET_OK, rig_command(&self->rig, 4, 4, 0, "\2", 2));
	EXPECT_EQ(2, port.pairs);
	EXPECT_EQ(VIRTIO_NET_OK, rig_command(&self->rig, 4, 4, 0, "\1", 2));
	EXPECT_EQ(1, port.pairs);
	EXPECT_EQ(VIRTIO_NET_OK, rig_command(&self->rig, 4, 4, 0, "\2", 2));
	bus_write(bus.pci, QUEUE_SELECT, 3, 2);
	bus_write(bus.pci, Q_RESET, 1, 2);
	/* A queue of the second pair is in reset. */
	EXPECT_EQ(VIRTIO_NET_ERR, rig_command(&self->rig, 4, 4, 0, "\2", 2));
	bus_write(bus.pci, STATUS, 0, 1);
	EXPECT_EQ(1, port.pairs);
	/* Without MQ it is behind the first pair. */
	rig_bring_up(&self->rig, F_ALWAYS | F_FILTER, 3);
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, PROMISC, 1));
}

/* NET-110, NET-017: offloads of receive reach the interface, as negotiated */
TEST_F(net, offloads)
{
	ASSERT_EQ(0, rig_create(&self->rig));
	rig_bring_up(&self->rig, F_ALWAYS | F_CSUM | NET_BIT(GUEST_TSO4), 3);
	EXPECT_EQ(NET_BIT(GUEST_CSUM) | NET_BIT(GUEST_TSO4), port.offloads);
	EXPECT_EQ(VIRTIO_NET_OK, RUN(GUEST_OFFLOADS, SET, 2, 0, 0, 0, 0, 0, 0, 0));
	EXPECT_EQ(NET_BIT(GUEST_CSUM), port.offloads);
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(GUEST_OFFLOADS, SET, 2, 1, 0, 0, 0, 0, 0, 0));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(GUEST_OFFLOADS, SET, 2, 0, 0, 0, 0, 0, 0, 1));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(GUEST_OFFLOADS, SET, 0x80, 0, 0, 0, 0, 0, 0, 0));
	EXPECT_EQ(0, port.offloads);
	bus_write(bus.pci, STATUS, 0, 1);
	/* Segments without checksums: none of them. */
	rig_bring_up(&self->rig, F_ALWAYS | NET_BIT(GUEST_TSO4) | NET_BIT(CTRL_GUEST_OFFLOADS), 3);
	EXPECT_EQ(0, port.offloads);
}

/* NET-016, NET-096: link and announcement, from `kvhost ctl` to the driver and back */
TEST_F(net, link_and_announce)
{
	char *text = NULL, arg[] = "down", bad[] = "sideways", none[] = "";
	size_t len;
	FILE *out = open_memstream(&text, &len);
	u8 generation;

	ASSERT_EQ(0, rig_create(&self->rig));
	EXPECT_EQ(-EOPNOTSUPP, bus.hook->command(bus.hook->opaque, "announce", none, out));
	rig_bring_up(&self->rig, F_ALWAYS, 3);
	generation = bus_read(bus.pci, GENERATION, 1);
	EXPECT_EQ(0, bus.hook->command(bus.hook->opaque, "link", arg, out));
	EXPECT_EQ(0, bus_read(bus.pci, DEVICE + 6, 2));
	EXPECT_NE(generation, bus_read(bus.pci, GENERATION, 1));
	bus_pump();
	EXPECT_EQ(2, bus_read(bus.pci, ISR, 1) & 2);
	EXPECT_EQ(-EINVAL, bus.hook->command(bus.hook->opaque, "link", bad, out));
	EXPECT_EQ(-EINVAL, bus.hook->command(bus.hook->opaque, "limit", none, out));
	EXPECT_EQ(0, bus.hook->command(bus.hook->opaque, "announce", none, out));
	EXPECT_EQ(VIRTIO_NET_S_ANNOUNCE, bus_read(bus.pci, DEVICE + 6, 2));
	EXPECT_EQ(VIRTIO_NET_OK, rig_command(&self->rig, 2, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0));
	EXPECT_EQ(0, bus_read(bus.pci, DEVICE + 6, 2));
	fclose(out);
	free(text);
}

/* What cannot be a network is refused, and leaves nothing behind. */
TEST_F(net, refused)
{
	self->rig.opt->tap = "refused";
	EXPECT_EQ(-ENODEV, rig_create(&self->rig));
	self->rig.opt->tap = "tap";
	self->rig.opt->backend = NET_BACKEND_KERNEL;
	EXPECT_EQ(-ENOENT, rig_create(&self->rig));
	self->rig.opt->node = "/dev/null";
	EXPECT_EQ(-ENOTTY, rig_create(&self->rig));
	EXPECT_EQ(NULL, bus.hook);
}

static int parse(struct net_options *net, const char *text)
{
	static char copy[256];

	memset(net, 0, sizeof(*net));
	strcpy(copy, text);
	return options_parse_net(net, copy);
}

/* The keys of --net, NET-002, and how they go together. */
TEST(options)
{
	static const char *const bad[] = {
		"", "backend=user", "tap=a,bridge=b", "tap=a,user", "user,backend=kernel",
		"user,queues=2", "user=on", "tap", "tap=a,tap=b", "tap=a,queues=0",
		"tap=a,queues=17", "tap=a,mtu=67", "tap=a,mtu=65536", "tap=a,mac=52:54:00",
		"tap=a,mac=53:54:00:00:00:01", "tap=a,mac=00:00:00:00:00:00",
		"tap=a,mac=52:54:00:00:00:01x", "tap=a,queue_size=100", "tap=a,speed=-1",
		"tap=a,packed=yes", "tap=sixteen-bytes-xx", "tpa=a",
	};
	struct net_options net;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, parse(&net, bad[i]));
	ASSERT_EQ(0, parse(&net, "user"));
	EXPECT_EQ(NET_BACKEND_USER, net.backend);
	ASSERT_EQ(0, parse(&net, "tap=t0,mac=52:54:00:0a:Bb:01,mtu=68,csum=off"));
	EXPECT_EQ(NET_BACKEND_KERNEL, net.backend);
	EXPECT_EQ(0, memcmp(net.mac, "\x52\x54\0\x0a\xbb\x01", 6));
	EXPECT_FALSE(net.tso || net.uso);
	EXPECT_EQ(1, net.queues);
	EXPECT_EQ(0, strcmp(net.node, "/dev/kvhost-net"));
	ASSERT_EQ(0, parse(&net, "bridge=br0,mtu=65535,queues=16,queue_size=100,packed=on"));
	EXPECT_EQ(65535, net.mtu);
}

TEST_HARNESS_MAIN
