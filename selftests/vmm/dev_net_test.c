// SPDX-License-Identifier: GPL-2.0
/*
 * dev_net_test.c - a whole network device: options, features, configuration
 * space, the control queue, and packets through its rings.
 *
 *	test --registers--> virtio_pci.c --> dev_net.c --> net_control.c
 *	     --rings, doorbell-------------> net_user.c --> socket (port.c) --> test
 *
 * Once with split and once with packed rings. Ids name rows of the conformance
 * list (NET, VMM) and of the list of hostile drivers (HD).
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus.h"
#include "memory.h"
#include "net_features.h"
#include "net_port.h"
#include "options.h"
#include "options_value.h"
#include "port.h"
#include "util.h"
#include "vm.h"
#include "lib/vring.h"
#include <kselftest_harness.h>

#define QUEUE_SIZE	64
#define QUEUES_MAX	5
#define BUF_BYTES	2048
#define PACKET_BYTES	(NET_HDR_BYTES + 65536)
#define LIMIT		5000
#define QUIET_MS	20

#define STATUS		0x14
#define DEVICE		0x2000
#define NOTIFY		0x3000

#define S_FEATURES	0xb
#define S_OK		0xf
#define S_NEEDS_RESET	0x40

#define HDR		NET_HDR_BYTES
#define F_RING		(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_RESET))
#define F_ALWAYS	(F_RING | NET_BIT(MAC) | NET_BIT(STATUS) | NET_BIT(MTU) |	\
			 NET_BIT(SPEED_DUPLEX) | NET_BIT(CTRL_VQ) |			\
			 NET_BIT(CTRL_MAC_ADDR) | NET_BIT(GUEST_ANNOUNCE))
#define F_FILTER	(NET_BIT(CTRL_RX) | NET_BIT(CTRL_VLAN) | NET_BIT(CTRL_RX_EXTRA))
#define F_CSUM		(NET_BIT(CSUM) | NET_BIT(GUEST_CSUM) | NET_BIT(CTRL_GUEST_OFFLOADS))
#define F_TSO		(NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6) | NET_BIT(HOST_ECN) |	\
			 NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6) | NET_BIT(GUEST_ECN))
#define F_USO		(NET_BIT(HOST_USO) | NET_BIT(GUEST_USO4) | NET_BIT(GUEST_USO6))

static const u8 own[6] = { 0x52, 0x54, 0, 1, 2, 3 };
static const u8 foreign[6] = { 0x52, 0x54, 0, 9, 9, 9 };
static const u8 group[6] = { 0x01, 0, 0x5e, 1, 2, 3 };
static const u8 broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

FIXTURE(net) {
	struct options opts;
	struct net_options *opt;
	struct guest_memory mem;
	struct gmem gmem;
	struct vq q[QUEUES_MAX];
	u64 buf;
	u64 control;
	u8 packet[PACKET_BYTES];
	unsigned int next;
};

FIXTURE_VARIANT(net) {
	bool packed;
};

FIXTURE_VARIANT_ADD(net, split) {
	.packed = false,
};

FIXTURE_VARIANT_ADD(net, packed) {
	.packed = true,
};

FIXTURE_SETUP(net)
{
	bus_reset();
	memset(&port, 0, sizeof(port));
	port.mtu = 1500;
	port.uso = true;
	gmem_init(&self->gmem);
	self->mem.nr = 1;
	self->mem.regions[0].gpa = GMEM_LOW_GPA;
	self->mem.regions[0].size = GMEM_REGION_SIZE;
	self->mem.regions[0].hva = gmem_va(&self->gmem, GMEM_LOW_GPA);
	bus.mem = &self->mem;
	bus.cpus = 1;
	bus.options = &self->opts;
	self->opt = &self->opts.nets[0];
	*self->opt = (struct net_options) {
		.tap = "tap",
		.backend = NET_BACKEND_USER,
		.queues = 1,
		.queue_size = QUEUE_SIZE,
		.packed = variant->packed,
		.indirect = true,
		.event_idx = true,
		.mrg_rxbuf = true,
		.csum = true,
		.tso = true,
		.uso = true,
		.node = "/nonexistent/node",
	};
	memcpy(self->opt->mac, own, 6);
	for (int i = 0; i < QUEUES_MAX; i++)
		vq_init(&self->q[i], &self->gmem, QUEUE_SIZE,
			variant->packed ? VQ_PACKED : 0);
	self->buf = gmem_alloc(&self->gmem, GMEM_LOW, QUEUE_SIZE * BUF_BYTES, 4096);
	self->control = gmem_alloc(&self->gmem, GMEM_LOW, 8192, 4096);
}

FIXTURE_TEARDOWN(net)
{
	if (bus.hook)
		bus.hook->stop(bus.hook->opaque);
	for (int i = 0; i < QUEUES_MAX; i++)
		vq_free(&self->q[i]);
	gmem_free(&self->gmem);
}

static u64 offered(void)
{
	u64 low;

	bus_write(bus.pci, 0x00, 0, 4);
	low = bus_read(bus.pci, 0x04, 4);
	bus_write(bus.pci, 0x00, 1, 4);
	return low | bus_read(bus.pci, 0x04, 4) << 32;
}

/* Brings the device up with @features and its first @queues rings. */
static void bring_up(struct _test_data_net *self, u64 features, unsigned int queues)
{
	if (self->opt->packed)
		features |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	self->next = 0;
	bus_write(bus.pci, STATUS, 0, 1);
	bus_write(bus.pci, STATUS, 3, 1);
	bus_write(bus.pci, 0x08, 0, 4);
	bus_write(bus.pci, 0x0c, (u32)features, 4);
	bus_write(bus.pci, 0x08, 1, 4);
	bus_write(bus.pci, 0x0c, features >> 32, 4);
	bus_write(bus.pci, STATUS, S_FEATURES, 1);
	for (unsigned int i = 0; i < queues; i++) {
		struct vq *q = &self->q[i];

		vq_reset(q, vq_fresh_base(q));
		bus_write(bus.pci, 0x16, i, 2);
		bus_write(bus.pci, 0x18, QUEUE_SIZE, 2);
		bus_write(bus.pci, 0x20, q->desc_gpa, 8);
		bus_write(bus.pci, 0x28, q->avail_gpa, 8);
		bus_write(bus.pci, 0x30, q->used_gpa, 8);
		bus_write(bus.pci, 0x1c, 1, 2);
	}
	bus_write(bus.pci, STATUS, S_OK, 1);
}

static bool wait_used(struct vq *q, struct vq_used *used)
{
	for (int ms = 0; ms < LIMIT; ms++) {
		bus_pump();
		if (vq_get_used(q, used))
			return true;
		usleep(1000);
	}
	return false;
}

static void kick(unsigned int queue)
{
	bus_write(bus.pci, NOTIFY + 4 * queue, 0, 2);
}

/* One command of the control queue; its answer, or -1 if there is none. */
static int command(struct _test_data_net *self, unsigned int queue, u8 class, u8 cmd,
		   const void *data, u32 len)
{
	struct vq *q = &self->q[queue];
	u8 *p = gmem_va(&self->gmem, self->control);
	struct vq_buf bufs[] = {
		{ self->control, 2, false },
		{ self->control + 2, len, false },
		{ self->control + 8000, 1, true },
	};
	struct vq_used used;

	p[0] = class;
	p[1] = cmd;
	if (len)
		memcpy(p + 2, data, len);
	else
		bufs[1] = bufs[2];
	p[8000] = 0xee;
	must(vq_add(q, bufs, len ? 3 : 2, NULL, p) >= 0, "control queue full");
	vq_publish(q);
	kick(queue);
	if (!wait_used(q, &used) || used.len != 1)
		return -1;
	return p[8000];
}

#define RUN(class, cmd, ...) ({							\
	u8 _d[] = { __VA_ARGS__ };						\
	command(self, 2, VIRTIO_NET_CTRL_##class,				\
		VIRTIO_NET_CTRL_##class##_##cmd, _d, sizeof(_d)); })

/* Adds @n receive buffers of @len bytes. */
static void add_buffers(struct _test_data_net *self, unsigned int n, u32 len)
{
	for (unsigned int i = 0; i < n; i++) {
		u64 gpa = self->buf + (self->next++ % QUEUE_SIZE) * BUF_BYTES;
		struct vq_buf b = { gpa, len, true };

		memset(gmem_va(&self->gmem, gpa), 0xaa, BUF_BYTES);
		must(vq_add(&self->q[0], &b, 1, NULL, gmem_va(&self->gmem, gpa)) >= 0,
		     "receive queue full");
	}
	vq_publish(&self->q[0]);
	kick(0);
}

/* A packet of @len bytes behind the header, to @to. */
static void fill_packet(u8 *p, const u8 *to, u32 len)
{
	memset(p, 0, HDR);
	for (u32 i = 0; i < len; i++)
		p[HDR + i] = i * 7;
	memcpy(p + HDR, to, 6);
	p[HDR + 12] = 0x08;
	p[HDR + 13] = 0;
}

static void inject(struct _test_data_net *self, const u8 *to, u32 len)
{
	fill_packet(self->packet, to, len);
	must(write(port.fd[0], self->packet, HDR + len) == HDR + len, "socket full");
}

/* Is the next packet received one of @len bytes to @to, in a single buffer? */
static bool received(struct _test_data_net *self, const u8 *to, u32 len)
{
	struct vq_used used;
	u8 *p;

	if (!wait_used(&self->q[0], &used) || used.len != HDR + len)
		return false;
	p = used.cookie;
	fill_packet(self->packet, to, len);
	return !memcmp(p + HDR, self->packet + HDR, len) && p[10] == 1 && !p[11];
}

/* Are two packets to @to received, and nothing else? */
static bool passes(struct _test_data_net *self, const u8 *to)
{
	struct vq_used used;

	inject(self, to, 100);
	must(write(port.fd[0], self->packet, HDR + 60) == HDR + 60, "socket full");
	if (!wait_used(&self->q[0], &used) || used.len != HDR + 100 ||
	    !wait_used(&self->q[0], &used) || used.len != HDR + 60)
		return false;
	add_buffers(self, 2, BUF_BYTES);
	return true;
}

static int create(struct _test_data_net *self)
{
	if (bus.hook)
		bus.hook->stop(bus.hook->opaque);
	bus_reset();
	bus.mem = &self->mem;
	bus.cpus = 1;
	bus.options = &self->opts;
	return dev_net_create(NULL, self->opt);
}

/* NET-017..019, VMM-004: what is offered follows the options */
TEST_F(net, features)
{
	const u64 packed = variant->packed ? VIRTIO_BIT(VIRTIO_F_RING_PACKED) : 0;
	const u64 rings = VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			  VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | packed;

	ASSERT_EQ(0, create(self));
	EXPECT_EQ(F_ALWAYS | rings | F_FILTER | F_CSUM | F_TSO | F_USO | NET_BIT(MRG_RXBUF),
		  offered());
	self->opt->queues = 2;
	self->opt->tso = false;
	self->opt->mrg_rxbuf = false;
	self->opt->in_order = true;
	self->opt->indirect = false;
	self->opt->event_idx = false;
	port.kind = NET_PORT_MACVTAP;
	port.uso = false;
	ASSERT_EQ(0, create(self));
	EXPECT_EQ(F_ALWAYS | packed | VIRTIO_BIT(VIRTIO_F_IN_ORDER) | NET_BIT(CTRL_VLAN) |
		  F_CSUM | NET_BIT(MQ), offered());
	EXPECT_EQ(5, bus_read(bus.pci, 0x12, 2));
	/* passt computes no checksums for others. */
	self->opt->queues = 1;
	port.kind = NET_PORT_PASST;
	ASSERT_EQ(0, create(self));
	EXPECT_EQ(0, offered() & (NET_GUEST_OFFLOADS | NET_HOST_OFFLOADS));
}

/* NET-001, 002, 010, 011, 015, 016: the fields, and nobody writes them */
TEST_F(net, config)
{
	struct virtio_net_config c, after;

	self->opt->queues = 2;
	self->opt->mtu = 9000;
	self->opt->speed = 25000;
	ASSERT_EQ(0, create(self));
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
	self->opt->speed = 0;
	ASSERT_EQ(0, create(self));
	EXPECT_EQ(0xffffffff, bus_read(bus.pci, DEVICE + offsetof(typeof(c), speed), 4));
	EXPECT_EQ(0xff, bus_read(bus.pci, DEVICE + offsetof(typeof(c), duplex), 1));
}

/* NET-079, HD-046: any class, command and length gets one answer */
TEST_F(net, unknown_commands)
{
	u8 data[64] = { };

	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS | F_FILTER | F_CSUM, 3);
	for (unsigned int i = 0; i < 65536; i += i < 0x800 ? 1 : 37) {
		u8 class = i >> 8, cmd = i;
		/* The one command without data. */
		bool known = class == VIRTIO_NET_CTRL_ANNOUNCE && !cmd;

		ASSERT_EQ(known ? VIRTIO_NET_OK : VIRTIO_NET_ERR,
			  command(self, 2, class, cmd, data, 0));
	}
	for (u8 class = 0; class < 7; class++) {
		for (u8 cmd = 0; cmd < 7; cmd++) {
			unsigned int good = 0;

			for (u32 len = 1; len <= sizeof(data); len++)
				good += command(self, 2, class, cmd, data, len) == VIRTIO_NET_OK;
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
	ASSERT_EQ(0, create(self));
	bring_up(self, F_RING | NET_BIT(CTRL_VQ), 3);
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
	struct vq_buf b = { self->control, 2, false };

	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS, 3);
	ASSERT_LE(0, vq_add(&self->q[2], &b, 1, NULL, &b));
	vq_publish(&self->q[2]);
	kick(2);
	for (int ms = 0; ms < LIMIT && !(bus_read(bus.pci, STATUS, 1) & S_NEEDS_RESET); ms++) {
		bus_pump();
		usleep(1000);
	}
	EXPECT_TRUE(bus_read(bus.pci, STATUS, 1) & S_NEEDS_RESET);
	bring_up(self, F_ALWAYS | F_FILTER, 3);
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, PROMISC, 1));
}

/* NET-080..088, 092: receive modes and addresses, in effect when they are answered */
TEST_F(net, receive_modes)
{
	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS | F_FILTER, 3);
	add_buffers(self, QUEUE_SIZE, BUF_BYTES);
	EXPECT_TRUE(passes(self, own));
	EXPECT_TRUE(passes(self, broadcast));
	fill_packet(self->packet, own, 60);
	inject(self, foreign, 100);
	inject(self, group, 100);
	inject(self, own, 80);
	EXPECT_TRUE(received(self, own, 80));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(RX, PROMISC, 2));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, ALLMULTI, 1));
	EXPECT_TRUE(passes(self, group));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, ALLUNI, 1));
	EXPECT_TRUE(passes(self, foreign));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, NOMULTI, 1));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, NOUNI, 1));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, NOBCAST, 1));
	inject(self, group, 100);
	inject(self, own, 100);
	inject(self, broadcast, 100);
	usleep(QUIET_MS * 1000);
	EXPECT_FALSE(vq_has_used(&self->q[0]));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, PROMISC, 1));
	EXPECT_TRUE(passes(self, foreign));
	EXPECT_TRUE(passes(self, group));
	/* NET-089: a reset forgets all that. */
	bring_up(self, F_ALWAYS | F_FILTER, 3);
	add_buffers(self, 8, BUF_BYTES);
	inject(self, foreign, 100);
	inject(self, own, 90);
	EXPECT_TRUE(received(self, own, 90));
}

/* NET-089..092: the tables, and more addresses than they hold */
TEST_F(net, address_tables)
{
	u8 d[8 + 200 * 6] = { 1, 0, 0, 0, 0x52, 0x54, 0, 9, 9, 9, 1, 0, 0, 0, 1, 0, 0x5e, 1, 2, 3 };

	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS | F_FILTER, 3);
	add_buffers(self, QUEUE_SIZE, BUF_BYTES);
	EXPECT_EQ(VIRTIO_NET_OK, command(self, 2, 1, 0, d, 20));
	EXPECT_TRUE(passes(self, foreign));
	EXPECT_TRUE(passes(self, group));
	/* A count that is not that of the addresses. */
	for (u32 len = 1; len < 24; len++)
		if (len != 20)
			EXPECT_EQ(VIRTIO_NET_ERR, command(self, 2, 1, 0, d, len));
	d[3] = 0x80;
	EXPECT_EQ(VIRTIO_NET_ERR, command(self, 2, 1, 0, d, 20));
	EXPECT_TRUE(passes(self, foreign));
	memset(d, 0, sizeof(d));
	EXPECT_EQ(VIRTIO_NET_OK, command(self, 2, 1, 0, d, 8));
	inject(self, foreign, 100);
	inject(self, own, 90);
	EXPECT_TRUE(received(self, own, 90));
	d[0] = 200;
	EXPECT_EQ(VIRTIO_NET_OK, command(self, 2, 1, 0, d, 8 + 200 * 6));
	EXPECT_TRUE(passes(self, foreign));
	/* NET-091: the new address counts, and is read, at once. */
	d[0] = 0;
	EXPECT_EQ(VIRTIO_NET_OK, command(self, 2, 1, 0, d, 8));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(MAC, ADDR_SET, 3, 0, 0, 0, 0, 1));
	EXPECT_EQ(VIRTIO_NET_OK, command(self, 2, 1, 1, foreign, 6));
	EXPECT_EQ(foreign[5], bus_read(bus.pci, DEVICE + 5, 1));
	EXPECT_EQ(0, memcmp(port.mac, foreign, 6));
	inject(self, own, 90);
	EXPECT_TRUE(passes(self, foreign));
	bus_write(bus.pci, STATUS, 0, 1);
	EXPECT_EQ(own[5], bus_read(bus.pci, DEVICE + 5, 1));
}

static void tag(struct _test_data_net *self, u16 id)
{
	fill_packet(self->packet, own, 100);
	self->packet[HDR + 12] = 0x81;
	self->packet[HDR + 14] = 0xe0 | id >> 8;
	self->packet[HDR + 15] = id;
	must(write(port.fd[0], self->packet, HDR + 100) == HDR + 100, "socket full");
}

/* NET-093..095: tags */
TEST_F(net, vlans)
{
	struct vq_used used;

	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS, 3);
	add_buffers(self, 8, BUF_BYTES);
	tag(self, 77);
	ASSERT_TRUE(wait_used(&self->q[0], &used));
	EXPECT_EQ(HDR + 100, used.len);

	bring_up(self, F_ALWAYS | F_FILTER, 3);
	add_buffers(self, 8, BUF_BYTES);
	EXPECT_EQ(VIRTIO_NET_OK, RUN(VLAN, ADD, 0xfe, 0x0f));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(VLAN, ADD, 0xff, 0x0f));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(VLAN, ADD, 0xff, 0xff));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(VLAN, ADD, 1));
	tag(self, 77);
	tag(self, 4094);
	inject(self, own, 60);
	ASSERT_TRUE(wait_used(&self->q[0], &used));
	EXPECT_EQ(HDR + 100, used.len);
	EXPECT_EQ(0xfe, ((u8 *)used.cookie)[HDR + 15]);
	EXPECT_TRUE(received(self, own, 60));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(VLAN, DEL, 0xfe, 0x0f));
	tag(self, 4094);
	inject(self, own, 70);
	EXPECT_TRUE(received(self, own, 70));
}

/* HD-047, NET-097..101: queue pairs, and where the control queue is */
TEST_F(net, pairs)
{
	self->opt->queues = 2;
	ASSERT_EQ(0, create(self));
	EXPECT_EQ(1, port.pairs);
	bring_up(self, F_ALWAYS | NET_BIT(MQ), 5);
	EXPECT_EQ(VIRTIO_NET_ERR, command(self, 4, 4, 0, "\0", 2));
	EXPECT_EQ(VIRTIO_NET_ERR, command(self, 4, 4, 0, "\3", 2));
	EXPECT_EQ(VIRTIO_NET_ERR, command(self, 4, 4, 0, "\377\377", 2));
	EXPECT_EQ(VIRTIO_NET_OK, command(self, 4, 4, 0, "\2", 2));
	EXPECT_EQ(2, port.pairs);
	EXPECT_EQ(VIRTIO_NET_OK, command(self, 4, 4, 0, "\1", 2));
	EXPECT_EQ(1, port.pairs);
	EXPECT_EQ(VIRTIO_NET_OK, command(self, 4, 4, 0, "\2", 2));
	bus_write(bus.pci, 0x16, 3, 2);
	bus_write(bus.pci, 0x3a, 1, 2);
	/* A queue of the second pair is in reset. */
	EXPECT_EQ(VIRTIO_NET_ERR, command(self, 4, 4, 0, "\2", 2));
	bus_write(bus.pci, STATUS, 0, 1);
	EXPECT_EQ(1, port.pairs);
	/* Without MQ it is behind the first pair. */
	bring_up(self, F_ALWAYS | F_FILTER, 3);
	EXPECT_EQ(VIRTIO_NET_OK, RUN(RX, PROMISC, 1));
}

/* NET-110, NET-017: offloads of receive reach the interface, as negotiated */
TEST_F(net, offloads)
{
	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS | F_CSUM | NET_BIT(GUEST_TSO4), 3);
	EXPECT_EQ(NET_BIT(GUEST_CSUM) | NET_BIT(GUEST_TSO4), port.offloads);
	EXPECT_EQ(VIRTIO_NET_OK, RUN(GUEST_OFFLOADS, SET, 2, 0, 0, 0, 0, 0, 0, 0));
	EXPECT_EQ(NET_BIT(GUEST_CSUM), port.offloads);
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(GUEST_OFFLOADS, SET, 2, 1, 0, 0, 0, 0, 0, 0));
	EXPECT_EQ(VIRTIO_NET_ERR, RUN(GUEST_OFFLOADS, SET, 2, 0, 0, 0, 0, 0, 0, 1));
	EXPECT_EQ(VIRTIO_NET_OK, RUN(GUEST_OFFLOADS, SET, 0x80, 0, 0, 0, 0, 0, 0, 0));
	EXPECT_EQ(0, port.offloads);
	bus_write(bus.pci, STATUS, 0, 1);
	/* Segments without checksums: none of them. */
	bring_up(self, F_ALWAYS | NET_BIT(GUEST_TSO4) | NET_BIT(CTRL_GUEST_OFFLOADS), 3);
	EXPECT_EQ(0, port.offloads);
}

/* NET-016, NET-096: link and announcement, from `kvhost ctl` to the driver and back */
TEST_F(net, link_and_announce)
{
	char *text = NULL, arg[] = "down", bad[] = "sideways", none[] = "";
	size_t len;
	FILE *out = open_memstream(&text, &len);
	u8 generation;

	ASSERT_EQ(0, create(self));
	EXPECT_EQ(-EOPNOTSUPP, bus.hook->command(bus.hook->opaque, "announce", none, out));
	bring_up(self, F_ALWAYS, 3);
	generation = bus_read(bus.pci, 0x15, 1);
	EXPECT_EQ(0, bus.hook->command(bus.hook->opaque, "link", arg, out));
	EXPECT_EQ(0, bus_read(bus.pci, DEVICE + 6, 2));
	EXPECT_NE(generation, bus_read(bus.pci, 0x15, 1));
	bus_pump();
	EXPECT_EQ(2, bus_read(bus.pci, 0x1000, 1) & 2);
	EXPECT_EQ(-EINVAL, bus.hook->command(bus.hook->opaque, "link", bad, out));
	EXPECT_EQ(-EINVAL, bus.hook->command(bus.hook->opaque, "limit", none, out));
	EXPECT_EQ(0, bus.hook->command(bus.hook->opaque, "announce", none, out));
	EXPECT_EQ(VIRTIO_NET_S_ANNOUNCE, bus_read(bus.pci, DEVICE + 6, 2));
	EXPECT_EQ(VIRTIO_NET_OK, command(self, 2, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0));
	EXPECT_EQ(0, bus_read(bus.pci, DEVICE + 6, 2));
	fclose(out);
	free(text);
}

/* NET-005, HD-045: a large packet over many buffers, and what has no room */
TEST_F(net, mergeable)
{
	const u32 len = 1514;
	struct vq_used used;
	unsigned int n = 0, at = 0;

	self->opt->mtu = 9000;
	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS | NET_BIT(MRG_RXBUF), 3);
	add_buffers(self, 2, 600);
	inject(self, own, len);
	usleep(QUIET_MS * 1000);
	/* Two are not enough: it waits for the third. */
	EXPECT_FALSE(vq_has_used(&self->q[0]));
	add_buffers(self, 2, 600);
	fill_packet(self->packet, own, len);
	while (at < HDR + len && wait_used(&self->q[0], &used)) {
		u8 *p = used.cookie;

		if (!n++) {
			EXPECT_EQ(3, p[10] | p[11] << 8);
			p[10] = 0;
		}
		EXPECT_EQ(0, memcmp(p, self->packet + at, used.len));
		at += used.len;
	}
	EXPECT_EQ(3, n);
	EXPECT_EQ(HDR + len, at);
	/* Larger than the MTU: dropped, and the next one is not. */
	add_buffers(self, 20, 600);
	inject(self, own, 9015);
	inject(self, own, 61);
	EXPECT_TRUE(received(self, own, 61));
}

/* HD-045, NET-071: without mergeable buffers one has to do; its header is defined */
TEST_F(net, single_buffers)
{
	static const u8 header[HDR] = { [10] = 1 };
	struct vq_used used;

	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS, 3);
	add_buffers(self, 4, 200);
	inject(self, own, 200 - HDR + 1);
	inject(self, own, 200 - HDR);
	ASSERT_TRUE(wait_used(&self->q[0], &used));
	EXPECT_EQ(200, used.len);
	EXPECT_EQ(0, memcmp(used.cookie, header, HDR));
	EXPECT_EQ(S_OK, bus_read(bus.pci, STATUS, 1));
}

/* HD-045: what is no receive buffer breaks the queue, and a reset cures it */
TEST_F(net, bad_buffers)
{
	const struct vq_buf bad[] = {
		{ self->buf, HDR - 1, true }, { self->buf, 100, false },
		{ GMEM_HOLE_GPA, 100, true },
	};

	ASSERT_EQ(0, create(self));
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		bring_up(self, F_ALWAYS, 3);
		ASSERT_LE(0, vq_add(&self->q[0], &bad[i], 1, NULL, self));
		vq_publish(&self->q[0]);
		kick(0);
		for (int ms = 0; ms < LIMIT; ms++) {
			bus_pump();
			if (bus_read(bus.pci, STATUS, 1) & S_NEEDS_RESET)
				break;
			usleep(1000);
		}
		EXPECT_TRUE(bus_read(bus.pci, STATUS, 1) & S_NEEDS_RESET);
	}
	bring_up(self, F_ALWAYS, 3);
	add_buffers(self, 4, BUF_BYTES);
	inject(self, own, 60);
	EXPECT_TRUE(received(self, own, 60));
}

/* Sends a packet of @len bytes, header included; true if it arrives as it is. */
static bool sends(struct _test_data_net *self, const struct virtio_net_hdr_v1 *hdr, u32 len)
{
	struct vq_buf bufs[] = {
		{ self->buf, 5, false }, { self->buf + 5, HDR - 5, false },
		{ self->buf + HDR, len > HDR ? len - HDR : 0, false },
	};
	u8 *p = gmem_va(&self->gmem, self->buf), got[BUF_BYTES];
	struct pollfd pfd = { .fd = port.fd[0], .events = POLLIN };
	struct vq_used used;
	ssize_t n = -1;

	fill_packet(p, broadcast, BUF_BYTES - HDR);
	memcpy(p, hdr, HDR);
	if (len <= HDR)
		bufs[1].len = len - 5;
	must(vq_add(&self->q[1], bufs, len > HDR ? 3 : 2, NULL, p) >= 0, "queue full");
	vq_publish(&self->q[1]);
	kick(1);
	must(wait_used(&self->q[1], &used), "the buffer does not come back");
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

	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS | NET_BIT(CSUM) | NET_BIT(HOST_TSO4), 3);
	EXPECT_TRUE(sends(self, &h, HDR + 14));
	EXPECT_TRUE(sends(self, &h, HDR + 1514));
	EXPECT_FALSE(sends(self, &h, HDR + 13));
	EXPECT_FALSE(sends(self, &h, HDR));
	EXPECT_FALSE(sends(self, &h, HDR - 1));
	h.num_buffers = 7;
	for (unsigned int flags = 0; flags < 256; flags++) {
		h.flags = flags;
		ASSERT_TRUE(sends(self, &h, HDR + 100));
	}
	for (unsigned int gso = 0; gso < 256; gso++) {
		h.gso_type = gso;
		ASSERT_EQ(gso == 0 || gso == 1, sends(self, &h, HDR + 100));
	}
	bring_up(self, F_ALWAYS, 3);
	h.gso_type = 0;
	h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	EXPECT_FALSE(sends(self, &h, HDR + 100));
	/* NET-018: segmentation without checksums counts as not negotiated. */
	bring_up(self, F_ALWAYS | NET_BIT(HOST_TSO4), 3);
	h.flags = 0;
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	EXPECT_FALSE(sends(self, &h, HDR + 100));
	EXPECT_EQ(S_OK, bus_read(bus.pci, STATUS, 1));
}

/* Number @sent of the packets of the next test. */
static void add_numbered(struct _test_data_net *self, unsigned int sent)
{
	u64 gpa = self->buf + (sent % QUEUE_SIZE) * BUF_BYTES;
	struct vq_buf b = { gpa, HDR + 1000, false };
	u8 *p = gmem_va(&self->gmem, gpa);

	fill_packet(p, broadcast, 1000);
	memcpy(p + HDR + 100, &sent, sizeof(sent));
	must(vq_add(&self->q[1], &b, 1, NULL, p) >= 0, "no room");
}

/* The port is full again and again: nothing is lost, and all is in order. */
TEST_F(net, full_port)
{
	const unsigned int all = 3000;
	unsigned int sent = 0, got = 0, idle = 0, number;
	struct vq *q = &self->q[1];
	struct vq_used used;
	u8 packet[BUF_BYTES];

	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS, 3);
	while (got < all) {
		while (vq_get_used(q, &used))
			;
		for (; q->num_free && sent < all; sent++)
			add_numbered(self, sent);
		vq_publish(q);
		kick(1);
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
	struct vq_buf b = { self->buf + 8192, HDR + 300, false };
	ssize_t n = 0;

	port.kind = NET_PORT_PASST;
	ASSERT_EQ(0, create(self));
	bring_up(self, F_ALWAYS | NET_BIT(MRG_RXBUF), 3);
	add_buffers(self, 4, BUF_BYTES);
	fill_packet(self->packet, own, 300);
	memcpy(frame + 4, self->packet + HDR, 300);
	/* In two pieces, the first of them half a length. */
	ASSERT_EQ(2, write(port.fd[0], frame, 2));
	usleep(QUIET_MS * 1000);
	ASSERT_EQ(302, write(port.fd[0], frame + 2, 302));
	EXPECT_TRUE(received(self, own, 300));
	memcpy(gmem_va(&self->gmem, b.gpa), &h, HDR);
	memcpy((u8 *)gmem_va(&self->gmem, b.gpa) + HDR, frame + 4, 300);
	ASSERT_LE(0, vq_add(&self->q[1], &b, 1, NULL, self));
	vq_publish(&self->q[1]);
	kick(1);
	ASSERT_TRUE(wait_used(&self->q[1], &used));
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

/* What cannot be a network is refused, and leaves nothing behind. */
TEST_F(net, refused)
{
	self->opt->tap = "refused";
	EXPECT_EQ(-ENODEV, create(self));
	self->opt->tap = "tap";
	self->opt->backend = NET_BACKEND_KERNEL;
	EXPECT_EQ(-ENOENT, create(self));
	self->opt->node = "/dev/null";
	EXPECT_EQ(-ENOTTY, create(self));
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
