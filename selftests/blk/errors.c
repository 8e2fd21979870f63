// SPDX-License-Identifier: GPL-2.0
/*
 * Disks that fail: every request comes back exactly once, with IOERR when and
 * only when the disk could not do it, and nothing stays behind.
 *
 *	2 queues x 32 random requests --> dm (linear, error, flakey) --> null_blk
 *	                              '-> null_blk with bad blocks, or pulled out
 *	                              '-> file: truncated, on a full or failing disk
 */
#include <linux/falloc.h>
#include "disk.h"
#include "lib/dm.h"
#include "lib/load.h"

#define MB		4u
#define SECTORS		((u64)MB << 11)
#define QUEUES		2u
#define DEPTH		32u
#define LEN_MAX		16384u
#define UNIT		40u

/* Bad sectors: not cut at a page, and no more than null_blk keeps in one piece. */
#define BAD_FIRST	3003u
#define BAD_LAST	3490u

/* Of a single test; dmsetup is slow in an emulator. */
#define LIMIT_S		120

#define NULLB		"kvh_errors"
#define NULLB_BAD	"kvh_errors_bad"
#define NULLB_PULL	"kvh_errors_pull"
#define DM		"kvh_errors"
#define DM_FS		"kvh_errors_fs"

static const char *nullb, *nullb_bad, *dm, *dm_file, *tmpfs, *ext4, *full_tmpfs, *full_ext4;

/* A device with requests, on whatever disk. */
struct rig {
	struct kvhost k;
	struct load l;
	struct leak before;
	int fd;
};

static void rig_start(struct rig *g, const char *path, int flags, const struct kvhost_opts *ring)
{
	struct kvhost_opts o = *ring;

	leak_snapshot(&g->before);
	g->fd = backing_open(path, flags);
	o.fd = g->fd;
	o.queues = QUEUES;
	kvhost_start(&g->k, &o);
	load_init(&g->l, &g->k, DEPTH, LEN_MAX);
}

/* Whether the host has counted every failure, as the disk's, and nothing is in flight. */
static bool all_counted(struct rig *g)
{
	u64 ioerr = 0, disk = 0, refused = 0;
	unsigned int i, j, busy = 0;

	for (i = 0; i < QUEUES; i++) {
		struct kvhost_blk_queue_stats b = { .index = i, .size = sizeof(b) };
		struct kvhost_vring_stats st;

		kvhost_stats(&g->k, i, &st);
		busy += st.in_flight || st.state != KVHOST_VRING_RUNNING;
		KVHOST_IOCTL(&g->k, KVHOST_BLK_GET_QUEUE_STATS, &b);
		ioerr += b.ioerr;
		refused += b.refused;
		for (j = 0; j < KVHOST_BLK_ERR_NR; j++)
			disk += b.disk_errors[j];
	}
	if (!busy && !refused && ioerr == g->l.failed && disk == g->l.failed)
		return true;
	fprintf(stderr, "# %u failed; counted %llu, %llu of the disk, %llu refused; %u busy\n",
		g->l.failed, ioerr, disk, refused, busy);
	return false;
}

/* Return: whether all is counted and nothing is left. */
static bool rig_end(struct rig *g)
{
	bool good = all_counted(g);
	struct leak after;

	load_free(&g->l);
	kvhost_close(&g->k);
	close(g->fd);
	return leak_wait_clean(&g->before, &after) && good;
}

static const struct load_opts mixed = {
	.total = 400, .sectors = SECTORS, .unit = UNIT, .len_max = LEN_MAX, .reads = 50,
};

static bool overlaps(const struct blkreq *r, u64 first, u64 last)
{
	return r->sector <= last && r->sector + r->len / 512 > first;
}

static enum load_expect bad_sectors(void *arg, const struct blkreq *r)
{
	return overlaps(r, BAD_FIRST, BAD_LAST) ? LOAD_IOERR : LOAD_OK;
}

static enum load_expect all_fail(void *arg, const struct blkreq *r)
{
	return LOAD_IOERR;
}

static enum load_expect writes_fail(void *arg, const struct blkreq *r)
{
	return r->out ? LOAD_IOERR : LOAD_OK;
}

static enum load_expect either(void *arg, const struct blkreq *r)
{
	return LOAD_EITHER;
}

static void table_linear(void)
{
	dm_load(DM, "0 %llu linear %s 0", SECTORS, nullb);
}

FIXTURE(errors) {
	struct rig g;
};

FIXTURE_VARIANT(errors) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(errors, split) { .ring = { .size = 128 } };
FIXTURE_VARIANT_ADD(errors, packed) { .ring = { .size = 100, .packed = true } };

FIXTURE_SETUP(errors)
{
	srandom(getpid());
}

FIXTURE_TEARDOWN(errors)
{
}

TEST_F_TIMEOUT(errors, sectors_that_fail_are_IOERR_and_no_others, LIMIT_S)
{
	struct load_opts o = mixed;

	dm_load(DM, "0 %u linear %s 0;%u %u error;%u %llu linear %s %u", BAD_FIRST, nullb,
		BAD_FIRST, BAD_LAST - BAD_FIRST + 1, BAD_LAST + 1, SECTORS - BAD_LAST - 1,
		nullb, BAD_LAST + 1);
	rig_start(&self->g, dm, O_RDWR, &variant->ring);
	o.expect = bad_sectors;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_LT(0, self->g.l.ok);
	EXPECT_LT(0, self->g.l.ioerr);
	EXPECT_TRUE(rig_end(&self->g));
}

static void break_and_mend(void *arg, unsigned int done)
{
	if (done == mixed.total / 3)
		dm_load(DM, "0 %llu error", SECTORS);
	else if (done == 2 * mixed.total / 3)
		table_linear();
}

TEST_F_TIMEOUT(errors, a_disk_that_fails_for_a_while_works_again_afterwards, LIMIT_S)
{
	struct load_opts o = mixed;

	table_linear();
	rig_start(&self->g, dm, O_RDWR, &variant->ring);
	EXPECT_TRUE(load_run(&self->g.l, &o));
	o.step = break_and_mend;
	o.expect = either;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_LT(0, self->g.l.ok);
	EXPECT_LT(0, self->g.l.ioerr);
	o.step = NULL;
	o.expect = NULL;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_TRUE(rig_end(&self->g));
}

static u8 flush(struct rig *g)
{
	u8 status = blk_do(&g->l.r[0], &g->k.q[0], VIRTIO_BLK_T_FLUSH, 0, 0);

	g->l.failed += status == VIRTIO_BLK_S_IOERR;
	return status;
}

static u8 zero_bad_sectors(struct rig *g)
{
	struct virtio_blk_discard_write_zeroes seg = {
		.sector = BAD_FIRST, .num_sectors = 8,
	};
	struct blkreq *r = &g->l.r[0];

	blkreq_set(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(seg));
	r->out = true;
	gmem_write(r->mem, r->data, &seg, sizeof(seg));
	must(blkreq_submit(r, &g->k.q[0], NULL) >= 0, "queue full");
	g->l.failed += blkreq_wait(r, &g->k.q[0]) == VIRTIO_BLK_S_IOERR;
	return blkreq_status(r);
}

/* dm-flakey, in its bad time from the start: reads go on. */
TEST_F_TIMEOUT(errors, writes_flushes_and_zeroing_fail_where_only_reads_work, LIMIT_S)
{
	struct load_opts o = mixed;

	dm_load(DM, "0 %llu flakey %s 0 0 3600 1 error_writes", SECTORS, nullb);
	rig_start(&self->g, dm, O_RDWR, &variant->ring);
	o.expect = writes_fail;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_LT(0, self->g.l.ok);
	EXPECT_LT(0, self->g.l.ioerr);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, flush(&self->g));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, zero_bad_sectors(&self->g));
	table_linear();
	EXPECT_EQ(VIRTIO_BLK_S_OK, flush(&self->g));
	EXPECT_TRUE(rig_end(&self->g));
}

/* Requests are apart from each other: the block layer fails what it merged as one. */
TEST_F_TIMEOUT(errors, bad_blocks_are_IOERR_and_no_others, LIMIT_S)
{
	struct load_opts o = mixed;

	rig_start(&self->g, nullb_bad, O_RDWR, &variant->ring);
	o.expect = bad_sectors;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_LT(0, self->g.l.ok);
	EXPECT_LT(0, self->g.l.ioerr);
	EXPECT_TRUE(rig_end(&self->g));
}

static void pull(void *arg, unsigned int done)
{
	if (done == mixed.total / 2)
		backing_nullb_pull(NULLB_PULL);
}

TEST_F_TIMEOUT(errors, a_disk_pulled_out_under_load_gives_IOERR_for_ever, LIMIT_S)
{
	struct nullb_opts n = { .mb = MB, .delay_ns = 1000000, .memory = true };
	struct load_opts o = mixed;
	const char *path;

	path = backing_nullb(NULLB_PULL, &n);
	ASSERT_NE(NULL, path);
	self->g.fd = backing_open(path, O_RDWR);
	load_fill(self->g.fd, SECTORS);
	close(self->g.fd);
	rig_start(&self->g, path, O_RDWR, &variant->ring);
	o.step = pull;
	o.expect = either;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_LT(0, self->g.l.ok);
	EXPECT_LT(0, self->g.l.ioerr);
	o.step = NULL;
	o.expect = all_fail;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	/* and the device takes another disk */
	table_linear();
	close(self->g.fd);
	self->g.fd = backing_open(dm, O_RDWR);
	kvhost_backend(&self->g.k, &(struct kvhost_opts) { .fd = self->g.fd });
	o.expect = NULL;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_TRUE(rig_end(&self->g));
	backing_undo();
}

/*
 * Buffered writes are used when they are in the host's cache. That they never
 * came out of it is the flush's to say, and every later flush's: what the
 * cache dropped does not come back.
 */
TEST_F_TIMEOUT(errors, a_flush_tells_that_cached_writes_were_lost, LIMIT_S)
{
	struct load_opts o = mixed;
	unsigned int i;

	dm_load(DM_FS, "0 %llu linear %s %llu", 4 * SECTORS, nullb, SECTORS);
	rig_start(&self->g, dm_file, O_RDWR, &variant->ring);
	EXPECT_EQ(VIRTIO_BLK_S_OK, flush(&self->g));
	o.reads = 0;
	o.expect = either;
	dm_load(DM_FS, "0 %llu flakey %s %llu 0 3600 1 error_writes", 4 * SECTORS, nullb,
		SECTORS);
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_LT(0, self->g.l.ok);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, flush(&self->g)) {
			TH_LOG("flush %u", i + 1);
		}
	}
	dm_load(DM_FS, "0 %llu linear %s %llu", 4 * SECTORS, nullb, SECTORS);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, flush(&self->g));
	/* V7: a change of the cache mode sets the same open file again. */
	kvhost_backend(&self->g.k, &(struct kvhost_opts) { .fd = self->g.fd });
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, flush(&self->g));
	EXPECT_TRUE(rig_end(&self->g));
}

FIXTURE(file_errors) {
	struct rig g;
	const char *path;
	const char *full;
	int flags;
};

FIXTURE_VARIANT(file_errors) {
	enum disk disk;
	bool direct;
};

FIXTURE_VARIANT_ADD(file_errors, tmpfs) { .disk = DISK_TMPFS };
FIXTURE_VARIANT_ADD(file_errors, ext4_buffered) { .disk = DISK_EXT4 };
FIXTURE_VARIANT_ADD(file_errors, ext4_direct) { .disk = DISK_EXT4, .direct = true };

FIXTURE_SETUP(file_errors)
{
	srandom(getpid());
	self->path = variant->disk == DISK_EXT4 ? ext4 : tmpfs;
	self->full = variant->disk == DISK_EXT4 ? full_ext4 : full_tmpfs;
	self->flags = O_RDWR | (variant->direct ? O_DIRECT : 0);
}

FIXTURE_TEARDOWN(file_errors)
{
}

static enum load_expect beyond_end(void *arg, const struct blkreq *r)
{
	return overlaps(r, BAD_FIRST, ~0ull) ? LOAD_IOERR : LOAD_OK;
}

static void cut(void *arg, unsigned int done)
{
	int *fd = arg;

	if (done == mixed.total / 2)
		must(!ftruncate(*fd, BAD_FIRST * 512), "ftruncate: %m");
}

TEST_F_TIMEOUT(file_errors, what_was_truncated_under_us_reads_as_IOERR, LIMIT_S)
{
	struct load_opts o = mixed;
	int fd = backing_open(self->path, O_RDWR);

	load_fill(fd, SECTORS);
	rig_start(&self->g, self->path, self->flags, &(struct kvhost_opts) { .size = 128 });
	o.reads = 100;
	o.step = cut;
	o.arg = &fd;
	o.expect = either;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	o.step = NULL;
	o.expect = beyond_end;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_LT(0, self->g.l.ok);
	EXPECT_LT(0, self->g.l.ioerr);
	/* and is there again when the file is */
	load_fill(fd, SECTORS);
	o.expect = NULL;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	close(fd);
	EXPECT_TRUE(rig_end(&self->g));
}

static enum load_expect note_written(void *arg, const struct blkreq *r)
{
	bool *written = arg;

	if (r->out && blkreq_status(r) == VIRTIO_BLK_S_OK)
		memset(written + r->sector, 1, r->len / 512);
	return LOAD_EITHER;
}

/* Return: number of sectors that were acknowledged and are not on the disk. */
static unsigned int count_lost(int fd, const bool *written)
{
	unsigned int lost = 0;
	u8 buf[512];
	u64 s;

	for (s = 0; s < SECTORS; s++) {
		if (!written[s])
			continue;
		must(pread(fd, buf, 512, s * 512) == 512, "pread: %m");
		lost += !blk_is_pattern(buf, 512, s * 512, LOAD_SEED);
	}
	return lost;
}

TEST_F_TIMEOUT(file_errors, a_full_file_system_is_IOERR_until_there_is_room, LIMIT_S)
{
	static bool written[SECTORS];
	struct load_opts o = mixed;
	int fd = backing_open(self->full, O_RDWR);

	rig_start(&self->g, self->full, self->flags, &(struct kvhost_opts) { .size = 128 });
	/* Nearly all of the file, which is twice what there is room for. */
	o.total = 800;
	o.unit = 8;
	o.reads = 0;
	o.expect = note_written;
	o.arg = written;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	EXPECT_LT(0, self->g.l.ok);
	EXPECT_LT(0, self->g.l.ioerr);
	EXPECT_EQ(VIRTIO_BLK_S_OK, flush(&self->g));
	EXPECT_EQ(0, count_lost(fd, written));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			       SECTORS * 512));
	o.total = 8;
	o.expect = NULL;
	EXPECT_TRUE(load_run(&self->g.l, &o));
	close(fd);
	EXPECT_TRUE(rig_end(&self->g));
}

/* A file on ext4 on a dm device whose writes can be made to fail. */
static const char *make_dm_file(void)
{
	static char path[BACKING_PATH];
	const char *dir = "/dev/shm/kvhost-errors-fs";
	char undo[2 * BACKING_PATH];

	snprintf(undo, sizeof(undo), "umount %s; rmdir %s", dir, dir);
	snprintf(path, sizeof(path), "%s/disk", dir);
	if (!dm_make(DM_FS, "0 %llu linear %s %llu", 4 * SECTORS, nullb, SECTORS) ||
	    __run("mkdir -p %s && mkfs.ext4 -q -O ^has_journal -m 0 /dev/mapper/" DM_FS
		  " && mount /dev/mapper/" DM_FS " %s", dir, dir))
		return NULL;
	backing_add(path, undo);
	return __run("dd if=/dev/zero of=%s bs=1M count=%u conv=fsync 2>/dev/null", path, MB) ?
	       NULL : path;
}

static void fill(const char *path)
{
	int fd = backing_open(path, O_RDWR);

	load_fill(fd, SECTORS);
	close(fd);
}

static void __attribute__((constructor)) make(void)
{
	struct nullb_opts n = { .mb = 5 * MB, .cache_mb = 1, .memory = true };

	disk_make("errors", 0);
	nullb = backing_nullb(NULLB, &n);
	n.mb = MB;
	n.cache_mb = 0;
	nullb_bad = backing_nullb(NULLB_BAD, &n);
	tmpfs = backing_tmpfs(MB);
	ext4 = backing_ext4(MB);
	full_tmpfs = backing_full(1, MB);
	full_ext4 = backing_full_ext4(MB, 2);
	if (nullb) {
		dm_file = make_dm_file();
		dm = dm_make(DM, "0 %llu linear %s 0", SECTORS, nullb);
	}
	if (!nullb || !nullb_bad || !tmpfs || !ext4 || !full_tmpfs || !full_ext4 || !dm ||
	    !dm_file) {
		printf("1..0 # SKIP this machine lacks null_blk, device-mapper, loop or ext4\n");
		exit(KSFT_SKIP);
	}
	fill(dm);
	fill(nullb_bad);
	must(!__run("echo +%u-%u >/sys/kernel/config/nullb/" NULLB_BAD "/badblocks", BAD_FIRST,
		    BAD_LAST), "cannot set bad blocks");
}

TEST_HARNESS_MAIN
