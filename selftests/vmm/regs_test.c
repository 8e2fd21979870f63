// SPDX-License-Identifier: GPL-2.0
/*
 * regs_test.c - the registers of a virtio function, as a guest drives them.
 *
 *	test --bus_read/bus_write--> virtio_pci.c --> virtio.c --> device type below
 *
 * Ids name rows of the conformance list (PCI, VMM, BLK) and of the list of
 * hostile drivers (HD).
 */
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "event.h"
#include "util.h"
#include <kselftest_harness.h>

#define QUEUES		4
#define QUEUE_SIZE	256
#define CONFIG_BYTES	60

#define F_DEVICE	9
#define FEATURES	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_RESET) | \
			 VIRTIO_BIT(VIRTIO_F_RING_PACKED) | VIRTIO_BIT(F_DEVICE))

static struct calls {
	int features_ok;
	int start;
	int reset;
	int queue_start;
	int queue_stop;
	int start_error;
} calls;

static void type_features_ok(struct virtio_dev *vdev)
{
	calls.features_ok++;
}

static int type_start(struct virtio_dev *vdev)
{
	calls.start++;
	return calls.start_error;
}

static void type_reset(struct virtio_dev *vdev)
{
	calls.reset++;
}

static int type_queue_start(struct virtio_dev *vdev, struct virtio_queue *vq)
{
	calls.queue_start++;
	return 0;
}

static void type_queue_stop(struct virtio_dev *vdev, struct virtio_queue *vq)
{
	calls.queue_stop++;
}

static void type_config_write(struct virtio_dev *vdev, size_t off, const void *data, size_t len)
{
	memcpy((char *)vdev->config + off, data, len);
}

static const struct virtio_ops type_ops = {
	.features_ok = type_features_ok,
	.start = type_start,
	.reset = type_reset,
	.queue_start = type_queue_start,
	.queue_stop = type_queue_stop,
	.config_write = type_config_write,
};

FIXTURE(regs) {
	struct guest_memory mem;
	struct virtio_dev vdev;
	struct virtio_pci pci;
	uint8_t config[CONFIG_BYTES];
};

FIXTURE_SETUP(regs)
{
	memset(&calls, 0, sizeof(calls));
	bus_reset();
	ASSERT_EQ(0, memory_create(&self->mem, 16 << 20));
	for (int i = 0; i < CONFIG_BYTES; i++)
		self->config[i] = i + 1;
	self->vdev.ops = &type_ops;
	self->vdev.name = "test";
	self->vdev.id = 2;
	self->vdev.mem = &self->mem;
	self->vdev.offered = FEATURES;
	self->vdev.config = self->config;
	self->vdev.config_len = CONFIG_BYTES;
	ASSERT_EQ(0, virtio_init(&self->vdev, QUEUES, QUEUE_SIZE));
	ASSERT_EQ(0, virtio_pci_create(&self->pci, NULL, &self->vdev, 0x010000));
}

FIXTURE_TEARDOWN(regs)
{
	virtio_reset(&self->vdev);
	virtio_pci_destroy(&self->pci);
	virtio_destroy(&self->vdev);
	memory_destroy(&self->mem);
}

#define RD(off, len)		bus_read(&self->pci, off, len)
#define WR(off, val, len)	bus_write(&self->pci, off, val, len)

static void accept_features(struct virtio_pci *p, uint64_t features)
{
	bus_write(p, ACCEPT_SELECT, 0, 4);
	bus_write(p, ACCEPT, (uint32_t)features, 4);
	bus_write(p, ACCEPT_SELECT, 1, 4);
	bus_write(p, ACCEPT, features >> 32, 4);
}

static void negotiate(struct virtio_pci *p, uint64_t features)
{
	bus_write(p, STATUS, S_ACK, 1);
	bus_write(p, STATUS, S_DRIVER, 1);
	accept_features(p, features);
	bus_write(p, STATUS, S_FEATURES, 1);
}

static void set_rings(struct virtio_pci *p, unsigned int queue)
{
	uint64_t at = 0x10000 * (queue + 1);

	bus_write(p, QUEUE_SELECT, queue, 2);
	bus_write(p, Q_DESC, at, 8);
	bus_write(p, Q_DRIVER, at + 0x4000, 8);
	bus_write(p, Q_DEVICE, at + 0x8000, 8);
}

static void enable(struct virtio_pci *p, unsigned int queue)
{
	set_rings(p, queue);
	bus_write(p, Q_ENABLE, 1, 2);
}

/* PCI-002, 003, 005, 006, 007 */
TEST_F(regs, identity)
{
	EXPECT_EQ(0x1af4, bus_cfg_read(&self->pci, 0x00, 2));
	EXPECT_EQ(0x1042, bus_cfg_read(&self->pci, 0x02, 2));
	EXPECT_LE(1, bus_cfg_read(&self->pci, 0x08, 1));
	EXPECT_LE(0x40, bus_cfg_read(&self->pci, 0x2e, 2));
}

/* PCI-011, 014, 015, 031..035, 040, 046, 047, 054: the capability list */
TEST_F(regs, capabilities)
{
	int seen[6] = { 0 };
	unsigned int off = 0x40;
	uint32_t stride;

	while (self->pci.dev.cfg[off] == 9) {
		struct virtio_pci_cap cap;

		memcpy(&cap, self->pci.dev.cfg + off, sizeof(cap));
		ASSERT_LE(1, cap.cfg_type);
		ASSERT_GE(5, cap.cfg_type);
		seen[cap.cfg_type]++;
		EXPECT_EQ(0, cap.offset % 4);
		EXPECT_LE(sizeof(cap), cap.cap_len);
		EXPECT_GE(cap.cap_next, off + cap.cap_len);
		if (cap.cfg_type != VIRTIO_PCI_CAP_PCI_CFG) {
			EXPECT_LE(cap.offset + cap.length,
				  self->pci.dev.bar[cap.bar].size);
		}
		if (cap.cfg_type == VIRTIO_PCI_CAP_NOTIFY_CFG) {
			memcpy(&stride, self->pci.dev.cfg + off + sizeof(cap), 4);
			EXPECT_EQ(sizeof(cap) + 4, cap.cap_len);
			EXPECT_EQ(0, stride & 1);
			for (int q = 0; q < QUEUES; q++) {
				WR(QUEUE_SELECT, q, 2);
				EXPECT_LE(RD(Q_NOTIFY_OFF, 2) * stride + 2, cap.length);
			}
		}
		off = cap.cap_next;
	}
	for (int type = 1; type <= 5; type++)
		EXPECT_LE(1, seen[type]);
}

/* VMM-001, 026; PCI-016: selects beyond the defined words read 0 */
TEST_F(regs, offered_features)
{
	static const uint32_t beyond[] = { 2, 3, 255, 0xffffffff };

	EXPECT_EQ(0, RD(STATUS, 1));
	WR(OFFERED_SELECT, 0, 4);
	EXPECT_EQ((uint32_t)FEATURES, RD(OFFERED, 4));
	WR(OFFERED_SELECT, 1, 4);
	EXPECT_EQ(FEATURES >> 32, RD(OFFERED, 4));
	for (unsigned int i = 0; i < ARRAY_SIZE(beyond); i++) {
		WR(OFFERED_SELECT, beyond[i], 4);
		EXPECT_EQ(0, RD(OFFERED, 4));
	}
}

/* VMM-006, 027; PCI-017; HD-003: what may not be accepted does not stick */
TEST_F(regs, features_refused)
{
	static const uint64_t bad[] = {
		0, FEATURES & ~VIRTIO_BIT(VIRTIO_F_VERSION_1),
		FEATURES | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX),
		FEATURES | VIRTIO_BIT(63),
	};

	WR(STATUS, S_ACK, 1);
	WR(STATUS, S_DRIVER, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		accept_features(&self->pci, bad[i]);
		WR(STATUS, S_FEATURES, 1);
		EXPECT_EQ(S_DRIVER, RD(STATUS, 1));
	}
	accept_features(&self->pci, FEATURES);
	WR(ACCEPT_SELECT, 2, 4);
	WR(ACCEPT, 1, 4);
	WR(STATUS, S_FEATURES, 1);
	EXPECT_EQ(S_DRIVER, RD(STATUS, 1));
	WR(ACCEPT, 0, 4);
	WR(STATUS, S_FEATURES, 1);
	EXPECT_EQ(S_FEATURES, RD(STATUS, 1));
	EXPECT_EQ(1, calls.features_ok);
}

/* VMM-005, 008: every subset with VERSION_1 is accepted, again and again */
TEST_F(regs, features_subsets)
{
	for (int round = 0; round < 64; round++) {
		uint64_t features = VIRTIO_BIT(VIRTIO_F_VERSION_1);

		features |= round & 1 ? VIRTIO_BIT(VIRTIO_F_RING_RESET) : 0;
		features |= round & 2 ? VIRTIO_BIT(VIRTIO_F_RING_PACKED) : 0;
		features |= round & 4 ? VIRTIO_BIT(F_DEVICE) : 0;
		negotiate(&self->pci, features);
		ASSERT_EQ(S_FEATURES, RD(STATUS, 1));
		WR(STATUS, 0, 1);
		ASSERT_EQ(0, RD(STATUS, 1));
	}
}

/* VMM-009: frozen once FEATURES_OK is accepted */
TEST_F(regs, features_frozen)
{
	negotiate(&self->pci, FEATURES);
	accept_features(&self->pci, VIRTIO_BIT(VIRTIO_F_VERSION_1));
	EXPECT_EQ(FEATURES, virtio_features(&self->vdev));
	WR(STATUS, S_OK, 1);
	accept_features(&self->pci, 0);
	EXPECT_EQ(FEATURES, virtio_features(&self->vdev));
}

/* HD-001, HD-030: bits come in order, and never go without a reset */
TEST_F(regs, status_order)
{
	WR(STATUS, VIRTIO_CONFIG_S_DRIVER_OK, 1);
	EXPECT_EQ(0, RD(STATUS, 1));
	WR(STATUS, VIRTIO_CONFIG_S_DRIVER, 1);
	EXPECT_EQ(0, RD(STATUS, 1));
	WR(STATUS, S_ACK, 1);
	accept_features(&self->pci, FEATURES);
	WR(STATUS, S_ACK | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK, 1);
	EXPECT_EQ(S_ACK, RD(STATUS, 1));
	WR(STATUS, S_DRIVER, 1);
	WR(STATUS, S_ACK, 1);
	EXPECT_EQ(S_DRIVER, RD(STATUS, 1));
	WR(STATUS, S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK, 1);
	EXPECT_EQ(S_DRIVER, RD(STATUS, 1));
	EXPECT_EQ(0, calls.start);
	WR(STATUS, S_FEATURES | 0x30, 1);
	EXPECT_EQ(S_FEATURES, RD(STATUS, 1));
	WR(STATUS, S_OK, 1);
	EXPECT_EQ(S_OK, RD(STATUS, 1));
	EXPECT_EQ(1, calls.start);
	WR(STATUS, S_OK, 1);
	EXPECT_EQ(1, calls.start);
}

/* HD-002: FAILED stops, a reset recovers */
TEST_F(regs, status_failed)
{
	negotiate(&self->pci, FEATURES);
	enable(&self->pci, 0);
	WR(STATUS, S_OK, 1);
	EXPECT_EQ(1, calls.queue_start);
	WR(STATUS, S_OK | S_FAILED, 1);
	EXPECT_EQ(S_OK | S_FAILED, RD(STATUS, 1));
	EXPECT_EQ(1, calls.queue_stop);
	enable(&self->pci, 1);
	EXPECT_EQ(0, RD(Q_ENABLE, 2));
	WR(STATUS, 0, 1);
	EXPECT_EQ(0, RD(STATUS, 1));
	negotiate(&self->pci, FEATURES);
	EXPECT_EQ(S_FEATURES, RD(STATUS, 1));
}

/* VMM-002, 003, 017: an error asks for a reset, and says so if there is a driver */
TEST_F(regs, needs_reset)
{
	bus_msix(&self->pci, false);
	virtio_error(&self->vdev, "an error before DRIVER_OK");
	bus_pump();
	EXPECT_EQ(S_NEEDS_RESET, RD(STATUS, 1));
	EXPECT_FALSE(bus.intx);
	WR(STATUS, 0, 1);
	negotiate(&self->pci, FEATURES);
	WR(STATUS, S_OK, 1);
	EXPECT_EQ(0, RD(ISR, 1));
	virtio_error(&self->vdev, "an error after it");
	bus_pump();
	EXPECT_EQ(S_OK | S_NEEDS_RESET, RD(STATUS, 1));
	EXPECT_TRUE(bus.intx);
	EXPECT_EQ(2, RD(ISR, 1));
	EXPECT_FALSE(bus.intx);
	/* A second one before the reset tells nothing new. */
	virtio_error(&self->vdev, "another");
	bus_pump();
	EXPECT_EQ(0, RD(ISR, 1));
	WR(STATUS, 0, 1);
	EXPECT_EQ(0, RD(STATUS, 1));
}

/* A device type that cannot start shows in the status, not in silence. */
TEST_F(regs, start_fails)
{
	calls.start_error = -5;
	negotiate(&self->pci, FEATURES);
	enable(&self->pci, 0);
	WR(STATUS, S_OK, 1);
	EXPECT_EQ(S_OK | S_NEEDS_RESET, RD(STATUS, 1));
	EXPECT_EQ(0, calls.queue_start);
}

/* PCI-028, 030; HD-035 */
TEST_F(regs, queue_size)
{
	static const uint16_t bad[] = { 0, 3, 6, 100, 512, 32768, 65535 };

	negotiate(&self->pci, FEATURES & ~VIRTIO_BIT(VIRTIO_F_RING_PACKED));
	WR(QUEUE_SELECT, 0, 2);
	EXPECT_EQ(QUEUE_SIZE, RD(Q_SIZE, 2));
	WR(Q_SIZE, 64, 2);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		WR(Q_SIZE, bad[i], 2);
		EXPECT_EQ(64, RD(Q_SIZE, 2));
	}
	WR(STATUS, 0, 1);
	EXPECT_EQ(QUEUE_SIZE, RD(Q_SIZE, 2));
	negotiate(&self->pci, FEATURES);
	WR(Q_SIZE, 100, 2);
	EXPECT_EQ(100, RD(Q_SIZE, 2));
}

/* HD-007, HD-035, HD-036: only rings in RAM, and only by writing 1 */
TEST_F(regs, queue_enable_refused)
{
	static const struct {
		unsigned int reg;
		uint64_t val;
	} bad[] = {
		{ Q_DESC, 0 }, { Q_DRIVER, 0 }, { Q_DEVICE, 0 },
		{ Q_DESC, 0x10008 }, { Q_DRIVER, 0x14001 }, { Q_DEVICE, 0x18002 },
		{ Q_DESC, 16 << 20 }, { Q_DESC, (16 << 20) - 16 },
		{ Q_DEVICE, 0xfffffffffffffffc }, { Q_DRIVER, 1ULL << 40 },
	};

	set_rings(&self->pci, 0);
	WR(Q_ENABLE, 1, 2);
	EXPECT_EQ(0, RD(Q_ENABLE, 2));
	negotiate(&self->pci, FEATURES & ~VIRTIO_BIT(VIRTIO_F_RING_PACKED));
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		set_rings(&self->pci, 0);
		WR(bad[i].reg, bad[i].val, 8);
		WR(Q_ENABLE, 1, 2);
		EXPECT_EQ(0, RD(Q_ENABLE, 2)) {
			TH_LOG("register %#x = %#llx", bad[i].reg,
			       (unsigned long long)bad[i].val);
		}
	}
	set_rings(&self->pci, 0);
	WR(Q_ENABLE, 2, 2);
	EXPECT_EQ(0, RD(Q_ENABLE, 2));
	WR(Q_ENABLE, 1, 4);
	EXPECT_EQ(0, RD(Q_ENABLE, 2));
	WR(Q_ENABLE, 1, 2);
	EXPECT_EQ(1, RD(Q_ENABLE, 2));
	WR(Q_ENABLE, 0, 2);
	EXPECT_EQ(1, RD(Q_ENABLE, 2));
	EXPECT_EQ(0, calls.queue_start);
}

/* HD-033: what a live queue runs on cannot be changed under it */
TEST_F(regs, queue_latched)
{
	negotiate(&self->pci, FEATURES);
	enable(&self->pci, 0);
	WR(STATUS, S_OK, 1);
	WR(Q_SIZE, 16, 2);
	WR(Q_DESC, 0x90000, 8);
	WR(Q_DRIVER, 0x94000, 4);
	WR(Q_DEVICE + 4, 1, 4);
	EXPECT_EQ(QUEUE_SIZE, RD(Q_SIZE, 2));
	EXPECT_EQ(0x10000, RD(Q_DESC, 8));
	EXPECT_EQ(0x14000, RD(Q_DRIVER, 8));
	EXPECT_EQ(0x18000, RD(Q_DEVICE, 8));
	EXPECT_EQ(QUEUE_SIZE, self->vdev.queues[0].size);
	WR(Q_ENABLE, 1, 2);
	EXPECT_EQ(1, calls.queue_start);
}

/* PCI-022..026; CORE-061: only when negotiated */
TEST_F(regs, queue_reset)
{
	negotiate(&self->pci, VIRTIO_BIT(VIRTIO_F_VERSION_1));
	enable(&self->pci, 1);
	WR(STATUS, S_OK, 1);
	WR(Q_RESET, 1, 2);
	EXPECT_EQ(1, RD(Q_ENABLE, 2));
	EXPECT_EQ(0, calls.queue_stop);
	WR(STATUS, 0, 1);
	EXPECT_EQ(1, calls.queue_stop);

	negotiate(&self->pci, FEATURES);
	enable(&self->pci, 0);
	enable(&self->pci, 1);
	WR(Q_SIZE, 64, 2);
	WR(STATUS, S_OK, 1);
	EXPECT_EQ(3, calls.queue_start);
	WR(Q_RESET, 1, 2);
	EXPECT_EQ(2, calls.queue_stop);
	EXPECT_EQ(0, RD(Q_RESET, 2));
	EXPECT_EQ(0, RD(Q_ENABLE, 2));
	EXPECT_EQ(QUEUE_SIZE, RD(Q_SIZE, 2));
	EXPECT_EQ(0, RD(Q_DESC, 8));
	EXPECT_TRUE(self->vdev.queues[0].live);
	enable(&self->pci, 1);
	EXPECT_EQ(1, RD(Q_ENABLE, 2));
	EXPECT_EQ(4, calls.queue_start);
}

/* PCI-027; HD-034 */
TEST_F(regs, queue_select_beyond)
{
	negotiate(&self->pci, FEATURES);
	for (unsigned int q = QUEUES; q <= 65535; q++) {
		set_rings(&self->pci, q);
		WR(Q_SIZE, 64, 2);
		WR(Q_VECTOR, 1, 2);
		WR(Q_ENABLE, 1, 2);
		WR(Q_RESET, 1, 2);
		ASSERT_EQ(0, RD(Q_SIZE, 2));
		ASSERT_EQ(0, RD(Q_ENABLE, 2));
		ASSERT_EQ(VIRTIO_MSI_NO_VECTOR, RD(Q_VECTOR, 2));
		ASSERT_EQ(0, RD(Q_DESC, 8));
	}
	for (unsigned int q = 0; q < QUEUES; q++)
		EXPECT_EQ(0, self->vdev.queues[q].desc);
}

/* PCI-020, 021, 065; VMM-011 */
TEST_F(regs, reset)
{
	bus_msix(&self->pci, true);
	negotiate(&self->pci, FEATURES);
	for (unsigned int q = 0; q < QUEUES; q++) {
		enable(&self->pci, q);
		WR(Q_VECTOR, q, 2);
		EXPECT_EQ(1, bus.bound[q]);
	}
	WR(CONFIG_VECTOR, QUEUES, 2);
	WR(STATUS, S_OK, 1);
	WR(STATUS, 0, 1);
	EXPECT_EQ(0, RD(STATUS, 1));
	EXPECT_EQ(QUEUES, calls.queue_stop);
	EXPECT_EQ(VIRTIO_MSI_NO_VECTOR, RD(CONFIG_VECTOR, 2));
	for (unsigned int q = 0; q < QUEUES; q++) {
		WR(QUEUE_SELECT, q, 2);
		EXPECT_EQ(0, RD(Q_ENABLE, 2));
		EXPECT_EQ(VIRTIO_MSI_NO_VECTOR, RD(Q_VECTOR, 2));
		EXPECT_EQ(0, RD(Q_DESC, 8));
		EXPECT_EQ(0, bus.bound[q]);
	}
	EXPECT_EQ(0, bus.bound[QUEUES]);
}

/* PCI-061..067, 071; HD-038: any event to any vector, none to what is not there */
TEST_F(regs, vectors)
{
	static const uint16_t bad[] = { QUEUES + 1, 0x7ff, 0x800, 0xfffe };

	EXPECT_EQ(QUEUES + 1, bus.vectors);
	bus_msix(&self->pci, true);
	WR(QUEUE_SELECT, 0, 2);
	for (unsigned int v = 0; v <= QUEUES; v++) {
		WR(Q_VECTOR, v, 2);
		WR(CONFIG_VECTOR, v, 2);
		EXPECT_EQ(v, RD(Q_VECTOR, 2));
		EXPECT_EQ(v, RD(CONFIG_VECTOR, 2));
		for (unsigned int other = 0; other <= QUEUES; other++)
			EXPECT_EQ(other == v ? 2 : 0, bus.bound[other]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		WR(Q_VECTOR, 1, 2);
		WR(Q_VECTOR, bad[i], 2);
		EXPECT_EQ(VIRTIO_MSI_NO_VECTOR, RD(Q_VECTOR, 2));
		EXPECT_EQ(0, bus.bound[1]);
	}
	WR(CONFIG_VECTOR, VIRTIO_MSI_NO_VECTOR, 2);
	for (unsigned int v = 0; v <= QUEUES; v++)
		EXPECT_EQ(0, bus.bound[v]);
}

/* PCI-041..045: INTx and the ISR, and both ways between INTx and MSI-X */
TEST_F(regs, intx)
{
	WR(QUEUE_SELECT, 0, 2);
	event_raise(self->vdev.queues[0].call_fd);
	EXPECT_FALSE(bus.intx);
	bus_pump();
	EXPECT_TRUE(bus.intx);
	EXPECT_EQ(1, RD(ISR, 1));
	EXPECT_FALSE(bus.intx);
	EXPECT_EQ(0, RD(ISR, 1));

	bus_msix(&self->pci, true);
	event_raise(self->vdev.queues[0].call_fd);
	bus_pump();
	EXPECT_FALSE(bus.intx);
	EXPECT_EQ(0, RD(ISR, 1));
	/* Nobody was told of that one; going back, it is still there. */
	bus_msix(&self->pci, false);
	bus_pump();
	EXPECT_TRUE(bus.intx);
	EXPECT_EQ(1, RD(ISR, 1));
}

/* PCI-019: no number of changes looks like none */
TEST_F(regs, generation)
{
	static const unsigned int changes[] = { 1, 255, 256, 257, 65536 };
	uint8_t before = RD(GENERATION, 1);

	EXPECT_EQ(before, RD(GENERATION, 1));
	for (unsigned int i = 0; i < ARRAY_SIZE(changes); i++) {
		for (unsigned int n = 0; n < changes[i]; n++)
			virtio_config_changed(&self->vdev);
		EXPECT_NE(before, RD(GENERATION, 1));
		before = RD(GENERATION, 1);
	}
}

/* VMM-012, HD-005: readable before FEATURES_OK, at any width, and bounded */
TEST_F(regs, device_config)
{
	for (unsigned int len = 1; len <= 8; len *= 2) {
		for (unsigned int off = 0; off + len <= STATUS + 0xff0; off++) {
			uint64_t want = 0;

			for (unsigned int b = 0; b < len; b++) {
				if (off + b < CONFIG_BYTES)
					want |= (uint64_t)(off + b + 1) << (8 * b);
			}
			ASSERT_EQ(want, RD(DEVICE + off, len));
		}
	}
	/* Over the end: nothing at all is written. */
	WR(DEVICE + CONFIG_BYTES - 2, ~0ULL, 4);
	WR(DEVICE + CONFIG_BYTES, ~0ULL, 8);
	WR(DEVICE + 0xff8, ~0ULL, 8);
	EXPECT_EQ(CONFIG_BYTES, self->config[CONFIG_BYTES - 1]);
	EXPECT_EQ(CONFIG_BYTES - 1, self->config[CONFIG_BYTES - 2]);
}

/* PCI-008, 009; HD-032: reads by bytes, writes by whole fields only */
TEST_F(regs, widths)
{
	uint64_t want, got;

	negotiate(&self->pci, FEATURES);
	set_rings(&self->pci, 3);
	for (unsigned int off = 0; off < 0x38; off += 8) {
		want = RD(off, 8);
		got = 0;
		for (unsigned int b = 0; b < 8; b++)
			got |= RD(off + b, 1) << (8 * b);
		EXPECT_EQ(want, got);
	}
	WR(Q_DESC + 4, 0x12, 4);
	WR(Q_DESC, 0x345670, 4);
	EXPECT_EQ(0x1200345670ULL, RD(Q_DESC, 8));
	WR(Q_DESC + 2, 0xffff, 2);
	WR(Q_DESC + 2, 0xffffffff, 4);
	WR(Q_DESC + 1, 0xff, 1);
	EXPECT_EQ(0x1200345670ULL, RD(Q_DESC, 8));
	WR(STATUS, 0, 2);
	WR(STATUS, 0, 4);
	WR(STATUS - 2, 0, 4);
	EXPECT_EQ(S_FEATURES, RD(STATUS, 1));
	WR(NUM_QUEUES, 9, 2);
	EXPECT_EQ(QUEUES, RD(NUM_QUEUES, 2));
	EXPECT_EQ(0, RD(0x38, 8) & 0xffff);
	EXPECT_EQ(0, RD(0x800, 8));
}

static void window(struct virtio_pci *p, uint8_t bar, uint32_t off, uint32_t len)
{
	bus_cfg_write(p, p->cfg_cap + 4, bar, 1);
	bus_cfg_write(p, p->cfg_cap + 8, off, 4);
	bus_cfg_write(p, p->cfg_cap + 12, len, 4);
}

/* PCI-055, 056: all of a device's life through the configuration window */
TEST_F(regs, window)
{
	struct virtio_pci *p = &self->pci;
	unsigned int data = p->cfg_cap + 16;

	window(p, 0, STATUS, 1);
	bus_cfg_write(p, data, S_ACK, 1);
	bus_cfg_write(p, data, S_DRIVER, 1);
	EXPECT_EQ(S_DRIVER, bus_cfg_read(p, data, 1));
	window(p, 0, ACCEPT_SELECT, 4);
	bus_cfg_write(p, data, 1, 4);
	window(p, 0, ACCEPT, 4);
	bus_cfg_write(p, data, 1, 4);
	window(p, 0, STATUS, 1);
	bus_cfg_write(p, data, S_FEATURES, 1);
	EXPECT_EQ(S_FEATURES, RD(STATUS, 1));
	window(p, 0, Q_SIZE, 2);
	EXPECT_EQ(QUEUE_SIZE, bus_cfg_read(p, data, 2));
	bus_cfg_write(p, data, 32, 2);
	EXPECT_EQ(32, RD(Q_SIZE, 2));
}

/* HD-037: a window set up wrongly does nothing */
TEST_F(regs, window_bad)
{
	static const struct {
		uint8_t bar;
		uint32_t off, len;
	} bad[] = {
		{ 1, STATUS, 1 }, { 2, STATUS, 1 }, { 5, STATUS, 1 }, { 6, STATUS, 1 },
		{ 255, STATUS, 1 }, { 0, STATUS, 0 }, { 0, STATUS, 3 }, { 0, STATUS, 5 },
		{ 0, STATUS, 8 }, { 0, STATUS, 0xffffffff }, { 0, BAR_END, 1 },
		{ 0, BAR_END - 2, 4 }, { 0, 0xfffffffc, 4 }, { 0, 0xffffffff, 1 },
		{ 0, 1, 2 }, { 0, STATUS + 2, 4 },
	};
	struct virtio_pci *p = &self->pci;
	unsigned int data = p->cfg_cap + 16;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		window(p, bad[i].bar, bad[i].off, bad[i].len);
		bus_cfg_write(p, data, S_ACK, 4);
		bus_cfg_read(p, data, 4);
		EXPECT_EQ(0, RD(STATUS, 1));
	}
}

/* HD-039: each doorbell reaches its own queue, nothing else reaches any */
TEST_F(regs, doorbells)
{
	EXPECT_EQ(2 * QUEUES, bus.doorbells);
	for (unsigned int off = 0; off < 0x1000; off++) {
		bus_write(&self->pci, NOTIFY + off, ~0ULL, 1);
		for (unsigned int q = 0; q < QUEUES; q++)
			ASSERT_EQ(off == 4 * q, event_clear(self->vdev.queues[q].kick_fd));
	}
	for (unsigned int len = 1; len <= 8; len *= 2) {
		bus_write(&self->pci, NOTIFY + 4, 3, len);
		EXPECT_TRUE(event_clear(self->vdev.queues[1].kick_fd));
		EXPECT_FALSE(event_clear(self->vdev.queues[3].kick_fd));
	}
}

/* Register fuzz: any access, any state; afterwards a reset puts it right */
TEST_F(regs, fuzz)
{
	unsigned int seed = 1;

	for (int i = 0; i < 400000; i++) {
		unsigned int len = 1 << (rand_r(&seed) % 4);
		uint64_t off = rand_r(&seed) % (rand_r(&seed) % 2 ? 0x40 : BAR_END);
		uint64_t val = (uint64_t)rand_r(&seed) << 32 ^ rand_r(&seed);

		if (off + len > BAR_END)
			continue;
		if (rand_r(&seed) % 2)
			val &= 0xff;
		if (rand_r(&seed) % 64 == 0) {
			WR(STATUS, 0, 1);
			negotiate(&self->pci, FEATURES);
			enable(&self->pci, rand_r(&seed) % (QUEUES + 1));
			WR(STATUS, S_OK, 1);
		}
		if (rand_r(&seed) % 2)
			WR(off, val, len);
		else
			RD(off, len);
		if (rand_r(&seed) % 64 == 0)
			bus_msix(&self->pci, val & 1);
		if (rand_r(&seed) % 64 == 0)
			bus_pump();
		if (rand_r(&seed) % 256 == 0)
			virtio_config_changed(&self->vdev);
	}
	WR(STATUS, 0, 1);
	EXPECT_EQ(0, RD(STATUS, 1));
	EXPECT_EQ(calls.queue_start, calls.queue_stop);
	EXPECT_LT(100, calls.queue_start);
	negotiate(&self->pci, FEATURES);
	EXPECT_EQ(S_FEATURES, RD(STATUS, 1));
}

TEST_HARNESS_MAIN
