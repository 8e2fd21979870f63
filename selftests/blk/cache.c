// SPDX-License-Identifier: GPL-2.0
/*
 * When a write is durable: in write-through mode and for a driver that did not
 * negotiate FLUSH as soon as it is used, else after a FLUSH (5.2.6.2).
 *
 * The disk is a loop device, which has a write cache but no FUA, so that its
 * queue flushes once after each write that has to be durable, and counts that.
 */
#include <stdio.h>
#include "disk.h"

#define WRITES	20u
#define FILE_OF_LOOP	"/dev/shm/kvh-cache"

static const char *disk_path;
static char queue_dir[128];

/* Flushes the disk has done. */
static unsigned long flushes(void)
{
	unsigned long n = 0;
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/stat", queue_dir);
	f = fopen(path, "re");
	must(f, "cannot open %s", path);
	must(fscanf(f, "%*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %lu", &n) == 1,
	     "%s has no such counter", path);
	fclose(f);
	return n;
}

FIXTURE(cache) {
	struct kvhost k;
	struct blkreq r;
	int fd;
};

FIXTURE_VARIANT(cache) {
	u64 flags;
	bool no_flush;
	/* Every write is flushed. */
	bool durable;
};

FIXTURE_VARIANT_ADD(cache, writeback) {
	.durable = false,
};

FIXTURE_VARIANT_ADD(cache, writethrough) {
	.flags = KVHOST_BLK_WRITETHROUGH,
	.durable = true,
};

FIXTURE_VARIANT_ADD(cache, without_flush) {
	.no_flush = true,
	.durable = true,
};

FIXTURE_SETUP(cache)
{
	struct kvhost_opts o = { .flags = variant->flags, .no_flush = variant->no_flush };

	self->fd = backing_open(disk_path, O_RDWR);
	ASSERT_LE(0, self->fd);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, 65536);
}

FIXTURE_TEARDOWN(cache)
{
	kvhost_close(&self->k);
	close(self->fd);
}

/* Flushes that @WRITES requests of a type cost. */
static unsigned long cost(struct _test_data_cache *self, u32 type, u32 len)
{
	unsigned long before = flushes();

	for (unsigned int i = 0; i < WRITES; i++)
		must(blk_do(&self->r, &self->k.q[0], type, 8 * i, len) == VIRTIO_BLK_S_OK,
		     "a request of type %u failed", type);
	return flushes() - before;
}

TEST_F(cache, BLK_037_BLK_038_writes_are_flushed_where_they_have_to_be)
{
	EXPECT_EQ(variant->durable ? WRITES : 0, cost(self, VIRTIO_BLK_T_OUT, 4096));
	EXPECT_EQ(0, cost(self, VIRTIO_BLK_T_IN, 4096));
}

TEST_F(cache, BLK_039_a_flush_reaches_the_disk)
{
	EXPECT_EQ(WRITES, cost(self, VIRTIO_BLK_T_FLUSH, 0));
}

/* CONFIG_WCE: what a VMM does when its driver writes the writeback field. */
TEST_F(cache, BLK_038_the_mode_is_switched_while_the_queue_runs)
{
	struct kvhost_blk_backend b = { .size = sizeof(b), .fd = self->fd };

	for (int i = 0; i < 6; i++) {
		b.flags = i & 1 ? 0 : KVHOST_BLK_WRITETHROUGH;
		KVHOST_IOCTL(&self->k, KVHOST_BLK_SET_BACKEND, &b);
		EXPECT_EQ(b.flags || variant->no_flush ? WRITES : 0,
			  cost(self, VIRTIO_BLK_T_OUT, 4096));
	}
}

static void __attribute__((constructor)) make(void)
{
	char path[BACKING_PATH] = "", undo[2 * BACKING_PATH];
	FILE *f;

	f = popen("modprobe loop; truncate -s 64M " FILE_OF_LOOP
		  " && losetup -f --show " FILE_OF_LOOP, "r");
	must(f && fscanf(f, "%80s", path) == 1 && !pclose(f), "no loop device");
	snprintf(undo, sizeof(undo), "losetup -d %s; rm " FILE_OF_LOOP, path);
	disk_path = backing_add(path, undo);
	snprintf(queue_dir, sizeof(queue_dir), "/sys/block/%s", strrchr(path, '/') + 1);
}

TEST_HARNESS_MAIN
