// SPDX-License-Identifier: GPL-2.0
/*
 * dev_blk_test.c - a whole disk: options, features, configuration space,
 * requests through its registers and rings, and what a broken queue becomes.
 *
 *	test --registers--> virtio_pci.c --> dev_blk.c --> blk_user.c --> image file
 *	     --rings, doorbell-----------------------------^
 *
 * Ids name rows of the conformance list (BLK, VMM) and of the list of hostile
 * drivers (HD).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver.h"
#include "event.h"
#include "util.h"
#include "vm.h"
#include "lib/blkreq.h"
#include <kselftest_harness.h>

#define DISK_BYTES	(8u << 20)
#define SECTORS		(DISK_BYTES / 512)
#define QUEUE_SIZE	64

#define WCE		(DEVICE + offsetof(struct virtio_blk_config, wce))

#define F(bit)		VIRTIO_BIT(VIRTIO_##bit)
#define F_ALWAYS	(F(F_VERSION_1) | F(F_RING_RESET) | F(BLK_F_SEG_MAX) |	\
			 F(BLK_F_BLK_SIZE) | F(BLK_F_FLUSH) | F(BLK_F_TOPOLOGY) |	\
			 F(BLK_F_CONFIG_WCE))
#define F_RANGES	(F(BLK_F_DISCARD) | F(BLK_F_WRITE_ZEROES))

FIXTURE(disk) {
	char path[64];
	struct options opts;
	struct disk_options *opt;
	struct guest_memory mem;
	struct gmem gmem;
	struct vq q;
	struct blkreq req;
};

FIXTURE_SETUP(disk)
{
	int fd;

	strcpy(self->path, "dev_blk_test.XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, DISK_BYTES));
	close(fd);
	gmem_init(&self->gmem);
	driver_vm(&self->mem, &self->gmem, &self->opts);
	self->opt = &self->opts.disks[0];
	*self->opt = (struct disk_options) {
		.path = self->path,
		.backend = DISK_BACKEND_USER,
		.serial = "abc",
		.queue_size = QUEUE_SIZE,
		.indirect = true,
		.event_idx = true,
		.node = "/nonexistent/node",
	};
	vq_init(&self->q, &self->gmem, QUEUE_SIZE, 0);
	blkreq_init(&self->req, &self->gmem, GMEM_LOW, 65536);
}

FIXTURE_TEARDOWN(disk)
{
	if (bus.hook)
		bus.hook->stop(bus.hook->opaque);
	unlink(self->path);
	vq_free(&self->q);
	gmem_free(&self->gmem);
}

static int create(struct disk_options *opt)
{
	return dev_blk_create(NULL, opt);
}

/* Brings the device up with the rings of @q as queue 0. */
static void bring_up(struct vq *q, uint64_t features)
{
	driver_negotiate(features);
	driver_ring(0, q, QUEUE_SIZE);
	bus_write(bus.pci, STATUS, S_OK, 1);
}

/* One request, its completion taken from the used ring: interrupts are the bus's. */
static u8 request(struct blkreq *r, struct vq *q, u32 type, u64 sector, u32 len)
{
	struct vq_buf bufs[3];
	struct vq_used used;

	blkreq_set(r, type, sector, len);
	must(vq_add(q, bufs, blkreq_plain(r, bufs), NULL, r) >= 0, "queue full");
	vq_publish(q);
	bus_write(bus.pci, NOTIFY, 0, 2);
	for (int ms = 0; !vq_get_used(q, &used); ms++) {
		must(ms < LIMIT_MS, "no answer");
		usleep(1000);
	}
	return blkreq_status(r);
}

/* BLK-001, 002, 005, 042; VMM-004, 007: what is offered follows the options */
TEST_F(disk, features)
{
	ASSERT_EQ(0, create(self->opt));
	EXPECT_EQ(F_ALWAYS | F_RANGES | F(RING_F_INDIRECT_DESC) | F(RING_F_EVENT_IDX),
		  driver_offered());
}

TEST_F(disk, features_of_options)
{
	self->opt->packed = true;
	self->opt->in_order = true;
	self->opt->indirect = false;
	self->opt->event_idx = false;
	self->opt->readonly = true;
	self->opt->queues = 4;
	ASSERT_EQ(0, create(self->opt));
	EXPECT_EQ(F_ALWAYS | F(F_RING_PACKED) | F(F_IN_ORDER) | F(BLK_F_RO) | F(BLK_F_MQ),
		  driver_offered());
	EXPECT_EQ(4, bus_read(bus.pci, NUM_QUEUES, 2));
}

/* BLK-004, 017, 018: fields that are there, and zeroes in the rest */
TEST_F(disk, config)
{
	struct virtio_blk_config c;
	uint8_t *raw = (uint8_t *)&c;

	bus.cpus = 3;
	ASSERT_EQ(0, create(self->opt));
	for (unsigned int i = 0; i < sizeof(c); i++)
		raw[i] = bus_read(bus.pci, DEVICE + i, 1);
	EXPECT_EQ(SECTORS, c.capacity);
	EXPECT_EQ(QUEUE_SIZE - 2, c.seg_max);
	EXPECT_EQ(512, c.blk_size);
	EXPECT_EQ(1u << c.physical_block_exp, c.min_io_size);
	EXPECT_EQ(3, c.num_queues);
	EXPECT_EQ(1, c.wce);
	EXPECT_EQ(0, c.size_max);
	EXPECT_EQ(0, c.unused);
	EXPECT_EQ(0, c.unused1[0] | c.unused1[1] | c.unused1[2]);
	EXPECT_EQ(1u << 22, c.max_discard_sectors);
	EXPECT_EQ(32, c.max_discard_seg);
	EXPECT_EQ(1, c.discard_sector_alignment);
	EXPECT_EQ(1u << 22, c.max_write_zeroes_sectors);
	EXPECT_EQ(32, c.max_write_zeroes_seg);
	/* BLK-034: a file can give blocks up. */
	EXPECT_EQ(1, c.write_zeroes_may_unmap);
	EXPECT_EQ(0, c.max_secure_erase_sectors);
}

/* A part of a file: requests cannot leave it. */
TEST_F(disk, offset_and_length)
{
	self->opt->offset = 1 << 20;
	self->opt->length = 1 << 20;
	ASSERT_EQ(0, create(self->opt));
	EXPECT_EQ(2048, bus_read(bus.pci, DEVICE, 8));
	bring_up(&self->q, F_ALWAYS);
	blk_pattern(gmem_va(&self->gmem, self->req.data), 4096, 0, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  request(&self->req, &self->q, VIRTIO_BLK_T_OUT, 2040, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  request(&self->req, &self->q, VIRTIO_BLK_T_OUT, 2041, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->req, &self->q, VIRTIO_BLK_T_FLUSH, 0, 0));
	{
		int fd = open(self->path, O_RDONLY);
		u8 buf[4096];

		ASSERT_EQ(4096, pread(fd, buf, 4096, (1 << 20) + 2040 * 512));
		EXPECT_TRUE(blk_is_pattern(buf, 4096, 0, 1));
		close(fd);
	}
}

/* HD-049, BLK-003: the writeback byte, and who may write what to it when */
TEST_F(disk, writeback)
{
	ASSERT_EQ(0, create(self->opt));
	bus_write(bus.pci, WCE, 0, 1);
	EXPECT_EQ(1, bus_read(bus.pci, WCE, 1));
	driver_negotiate(F_ALWAYS);
	bus_write(bus.pci, WCE, 2, 1);
	bus_write(bus.pci, WCE, 0, 2);
	bus_write(bus.pci, WCE - 3, 0, 4);
	EXPECT_EQ(1, bus_read(bus.pci, WCE, 1));
	bus_write(bus.pci, WCE, 0, 1);
	EXPECT_EQ(0, bus_read(bus.pci, WCE, 1));
	bus_write(bus.pci, STATUS, 0, 1);
	EXPECT_EQ(1, bus_read(bus.pci, WCE, 1));

	driver_negotiate(F_ALWAYS & ~F(BLK_F_CONFIG_WCE));
	bus_write(bus.pci, WCE, 0, 1);
	EXPECT_EQ(1, bus_read(bus.pci, WCE, 1));
	driver_negotiate(F_ALWAYS & ~F(BLK_F_FLUSH));
	EXPECT_EQ(0, bus_read(bus.pci, WCE, 1));
	bus_write(bus.pci, WCE, 1, 1);
	EXPECT_EQ(0, bus_read(bus.pci, WCE, 1));
	/* No other field can be written. */
	bus_write(bus.pci, DEVICE, 1, 8);
	EXPECT_EQ(SECTORS, bus_read(bus.pci, DEVICE, 8));
}

TEST_F(disk, writethrough_option)
{
	self->opt->cache = DISK_CACHE_WRITETHROUGH;
	ASSERT_EQ(0, create(self->opt));
	EXPECT_EQ(0, bus_read(bus.pci, WCE, 1));
	bring_up(&self->q, F_ALWAYS);
	bus_write(bus.pci, WCE, 1, 1);
	EXPECT_EQ(1, bus_read(bus.pci, WCE, 1));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->req, &self->q, VIRTIO_BLK_T_OUT, 0, 4096));
	EXPECT_EQ(S_OK, bus_read(bus.pci, STATUS, 1));
}

static bool wait_needs_reset(void)
{
	for (int ms = 0; ms < 5000; ms++) {
		bus_pump();
		if (bus_read(bus.pci, STATUS, 1) & S_NEEDS_RESET)
			return true;
		usleep(1000);
	}
	return false;
}

/* VMM-002, 003: a broken queue becomes DEVICE_NEEDS_RESET, and a reset cures it */
TEST_F(disk, needs_reset)
{
	ASSERT_EQ(0, create(self->opt));
	for (int round = 0; round < 5; round++) {
		bring_up(&self->q, F_ALWAYS);
		ASSERT_EQ(S_OK, bus_read(bus.pci, STATUS, 1));
		EXPECT_EQ(VIRTIO_BLK_S_OK,
			  request(&self->req, &self->q, VIRTIO_BLK_T_IN, 0, 4096));
		bus_read(bus.pci, ISR, 1);
		vq_offer(&self->q, QUEUE_SIZE);
		vq_publish(&self->q);
		bus_write(bus.pci, NOTIFY, 0, 2);
		ASSERT_TRUE(wait_needs_reset());
		bus_pump();
		EXPECT_TRUE(bus.intx);
		EXPECT_EQ(2, bus_read(bus.pci, ISR, 1) & 2);
		bus_write(bus.pci, STATUS, 0, 1);
		EXPECT_EQ(0, bus_read(bus.pci, STATUS, 1));
	}
}

/* The counters and the state of a disk as `kvhost ctl` shows them. */
TEST_F(disk, status_text)
{
	char *text = NULL;
	size_t len;
	FILE *out;

	ASSERT_EQ(0, create(self->opt));
	bring_up(&self->q, F_ALWAYS);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->req, &self->q, VIRTIO_BLK_T_IN, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(&self->req, &self->q, 99, 0, 0));
	out = open_memstream(&text, &len);
	bus.hook->status(bus.hook->opaque, out);
	fclose(out);
	EXPECT_NE(NULL, strstr(text, "backend=user\n"));
	EXPECT_NE(NULL, strstr(text, "queue0.state=running\n"));
	EXPECT_NE(NULL, strstr(text, "queue0.chains=2\n"));
	EXPECT_NE(NULL, strstr(text, "queue0.bytes_written=4098\n"));
	free(text);
}

/* `kvhost ctl VERB disk0 ARG`; its answer, for the test to look at. */
static const char *ctl(const char *verb, const char *arg)
{
	static char answer[512];
	FILE *out = fmemopen(answer, sizeof(answer), "w");
	char copy[32];

	memset(answer, 0, sizeof(answer));
	strcpy(copy, arg);
	bus.hook->command(bus.hook->opaque, verb, copy, out);
	fclose(out);
	return answer;
}

static bool status_has(const char *line)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	bool has;

	bus.hook->status(bus.hook->opaque, out);
	fclose(out);
	has = strstr(text, line);
	free(text);
	return has;
}

static bool wait_status(const char *line)
{
	for (int ms = 0; ms < LIMIT_MS; ms++) {
		bus_pump();
		if (status_has(line))
			return true;
		usleep(1000);
	}
	return false;
}

static void submit(struct blkreq *r, struct vq *q, u32 type, u64 sector, u32 len)
{
	struct vq_buf bufs[3];

	blkreq_set(r, type, sector, len);
	must(vq_add(q, bufs, blkreq_plain(r, bufs), NULL, r) >= 0, "queue full");
	vq_publish(q);
	bus_write(bus.pci, NOTIFY, 0, 2);
}

/* Wait until @n requests are used. */
static void take_back(struct vq *q, unsigned int n)
{
	struct vq_used used;

	for (int ms = 0; n; ms++) {
		must(ms < LIMIT_MS, "%u requests are not answered", n);
		if (vq_get_used(q, &used))
			n--;
		else
			usleep(1000);
	}
}

/*
 * A file cut short fails what lies behind its end. With error=stop the driver
 * waits until it is long again, or is told if the owner says so.
 */
TEST_F(disk, stops_at_an_error)
{
	struct blkreq other;

	self->opt->error = DISK_ERROR_STOP;
	ASSERT_EQ(0, create(self->opt));
	bring_up(&self->q, F_ALWAYS);
	blkreq_init(&other, &self->gmem, GMEM_LOW, 4096);
	EXPECT_NE(NULL, strstr(ctl("resume", ""), "error: disk0: nothing waits"));
	ASSERT_EQ(0, truncate(self->path, 4096));
	submit(&self->req, &self->q, VIRTIO_BLK_T_IN, 64, 4096);
	ASSERT_TRUE(wait_status("held=1\nerror=a read of 4096 bytes at sector 64 in queue 0: "));
	/* Nothing more is taken, be the disk able to do it or not. */
	submit(&other, &self->q, VIRTIO_BLK_T_IN, 0, 4096);
	EXPECT_STREQ("", ctl("resume", "retry"));
	ASSERT_TRUE(wait_status("errors=2\nheld=1\n"));
	EXPECT_NE(NULL, strstr(ctl("resume", "never"), "error: 'never' is neither"));
	EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&self->req));
	ASSERT_EQ(0, truncate(self->path, DISK_BYTES));
	EXPECT_STREQ("", ctl("resume", ""));
	take_back(&self->q, 2);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->req));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&other));
	ASSERT_EQ(0, truncate(self->path, 4096));
	submit(&self->req, &self->q, VIRTIO_BLK_T_IN, 64, 4096);
	ASSERT_TRUE(wait_status("errors=3\nheld=1\n"));
	EXPECT_STREQ("", ctl("resume", "report"));
	take_back(&self->q, 1);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_status(&self->req));
	EXPECT_TRUE(status_has("held=0\n"));
}

/* A reset waits for no decision, and the next error stops the queue anew. */
TEST_F(disk, a_reset_ends_a_stop)
{
	self->opt->error = DISK_ERROR_STOP;
	ASSERT_EQ(0, create(self->opt));
	ASSERT_EQ(0, truncate(self->path, 4096));
	for (int round = 1; round < 4; round++) {
		char want[32];

		bring_up(&self->q, F_ALWAYS);
		submit(&self->req, &self->q, VIRTIO_BLK_T_IN, 64, 4096);
		snprintf(want, sizeof(want), "errors=%d\nheld=1\n", round);
		ASSERT_TRUE(wait_status(want));
		bus_write(bus.pci, STATUS, 0, 1);
		EXPECT_TRUE(status_has("held=0\n"));
	}
	EXPECT_NE(NULL, strstr(ctl("resume", ""), "errors so far: 3"));
}

/* Nor does the end of the VM. */
TEST_F(disk, a_stopped_disk_can_be_taken_away)
{
	self->opt->error = DISK_ERROR_STOP;
	ASSERT_EQ(0, create(self->opt));
	ASSERT_EQ(0, truncate(self->path, 4096));
	bring_up(&self->q, F_ALWAYS);
	submit(&self->req, &self->q, VIRTIO_BLK_T_IN, 64, 4096);
	ASSERT_TRUE(wait_status("held=1\n"));
	bus.hook->stop(bus.hook->opaque);
	bus.hook = NULL;
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_status(&self->req));
}

TEST_F(disk, without_the_option_errors_are_told)
{
	ASSERT_EQ(0, create(self->opt));
	bring_up(&self->q, F_ALWAYS);
	ASSERT_EQ(0, truncate(self->path, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  request(&self->req, &self->q, VIRTIO_BLK_T_IN, 64, 4096));
	EXPECT_FALSE(status_has("held="));
	EXPECT_NE(NULL, strstr(ctl("resume", ""), "error=stop"));
}

/* The file becomes larger, then shorter: @more and @less sectors are left of it then. */
static void resize(struct _test_data_disk *self, struct __test_metadata *_metadata,
		   uint64_t more, uint64_t less)
{
	uint64_t before, sectors;

	ASSERT_EQ(0, create(self->opt));
	bring_up(&self->q, F_ALWAYS);
	before = bus_read(bus.pci, DEVICE, 8);
	bus_read(bus.pci, ISR, 1);
	ctl("resize", "");
	EXPECT_EQ(0, bus_read(bus.pci, ISR, 1) & 2);
	EXPECT_NE(NULL, strstr(ctl("resize", "1G"), "error: `resize` takes no size"));
	for (int round = 0; round < 3; round++) {
		sectors = round == 1 ? less : more;
		ASSERT_EQ(0, truncate(self->path, round == 1 ? 4 << 20 : 2 * DISK_BYTES));
		EXPECT_EQ(sectors, strtoull(ctl("resize", "") + strlen("sectors="), NULL, 10));
		/* ISR: the configuration changed, and only if it did */
		EXPECT_EQ(sectors == before ? 0 : 2, bus_read(bus.pci, ISR, 1) & 2);
		EXPECT_EQ(sectors, bus_read(bus.pci, DEVICE, 8));
		EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->req, &self->q, VIRTIO_BLK_T_OUT,
						   sectors - 8, 4096));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->req, &self->q, VIRTIO_BLK_T_OUT,
						      sectors - 7, 4096));
		bus_read(bus.pci, ISR, 1);
		before = sectors;
	}
}

/* BLK-025, BLK-026: a new size is told once, and is what requests are held against */
TEST_F(disk, resize)
{
	resize(self, _metadata, 2 * SECTORS, (4 << 20) / 512);
}

TEST_F(disk, resize_with_a_length)
{
	self->opt->offset = 1 << 20;
	self->opt->length = 6 << 20;
	resize(self, _metadata, (6 << 20) / 512, (3 << 20) / 512);
}

/* What cannot be a disk is refused, and leaves nothing behind. */
TEST_F(disk, refused)
{
	int fd;

	self->opt->path = "/nonexistent/image";
	EXPECT_EQ(-ENOENT, create(self->opt));
	self->opt->path = "/";
	EXPECT_EQ(-EINVAL, create(self->opt));
	self->opt->path = "/dev/zero";
	EXPECT_EQ(-EINVAL, create(self->opt));
	self->opt->path = self->path;
	self->opt->offset = 100;
	EXPECT_EQ(-EINVAL, create(self->opt));
	self->opt->offset = DISK_BYTES;
	EXPECT_EQ(-EINVAL, create(self->opt));
	self->opt->offset = 0;
	self->opt->length = 513;
	EXPECT_EQ(-EINVAL, create(self->opt));
	self->opt->length = DISK_BYTES + 512;
	EXPECT_EQ(-EINVAL, create(self->opt));
	self->opt->length = 512;
	self->opt->offset = DISK_BYTES - 512;
	EXPECT_EQ(0, create(self->opt));
	bus.hook->stop(bus.hook->opaque);
	bus.hook = NULL;

	self->opt->offset = 0;
	self->opt->length = 0;
	ASSERT_EQ(0, truncate(self->path, DISK_BYTES + 1));
	EXPECT_EQ(-EINVAL, create(self->opt));
	ASSERT_EQ(0, truncate(self->path, 0));
	EXPECT_EQ(-EINVAL, create(self->opt));
	ASSERT_EQ(0, truncate(self->path, DISK_BYTES));
	self->opt->backend = DISK_BACKEND_KERNEL;
	EXPECT_EQ(-ENOENT, create(self->opt));
	self->opt->node = "/dev/null";
	EXPECT_EQ(-ENOTTY, create(self->opt));
	/* Nothing was leaked on the way: the lowest descriptor is free again. */
	fd = open("/dev/null", O_RDONLY);
	EXPECT_GT(16, fd);
	close(fd);
}

TEST_HARNESS_MAIN
