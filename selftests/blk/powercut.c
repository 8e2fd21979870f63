// SPDX-License-Identifier: GPL-2.0
/*
 * The test host loses power: what a flush, or a write in write-through mode,
 * had been acknowledged for is on the medium, at each moment that is tried.
 *
 *	writer --> kvhost --> (file on ext4 -->) dm log-writes --> null_blk
 *	                                              '-> log: null_blk
 *
 * Each round writes and zeroes slots, has them made durable, and marks the log
 * once that is acknowledged; more writes are in flight meanwhile. Afterwards
 * the log is replayed up to each mark onto a third disk, which then is what a
 * power cut at that moment would have left. Each sector names the write it
 * belongs to: none may be older than the last one that was made durable.
 */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include "disk.h"
#include "lib/dm.h"
#include "lib/logwrites.h"

#define SLOT		8192u
#define SLOTS		256u
#define FILE_BYTES	(SLOTS * SLOT)
#define DISK_MIB	16u
#define ROUNDS		3u
#define COVERED		24u
#define EXTRA		8u
#define REQS		(COVERED + EXTRA + 1)
#define SECTORS_PER_SLOT (SLOT / 512)

#define DM		"kvh_powercut"
#define LIVE		"/dev/shm/kvhost-powercut-live"
#define AFTER		"/dev/shm/kvhost-powercut-after"

static const char *data_disk, *log_disk, *after_disk;

/**
 * struct slot - what is known of a slot
 * @latest: generation of the last write submitted
 * @zeroed: generation of the last one that wrote zeroes, 0: none
 * @done:   generation of the last one acknowledged
 * @busy:   one is in flight
 */
struct slot {
	u32 latest;
	u32 zeroed;
	u32 done;
	bool busy;
};

/* A moment at which the power may have been cut. */
struct moment {
	char mark[16];
	u32 need[SLOTS];
	struct slot slots[SLOTS];
};

FIXTURE(powercut) {
	struct kvhost k;
	struct blkreq r[REQS];
	unsigned int slot_of[REQS];
	struct slot slots[SLOTS];
	struct moment moments[ROUNDS];
	u32 generation;
	bool zeroing;
	int fd;
};

enum medium { DEVICE, FILE_BUFFERED, FILE_DIRECT };

FIXTURE_VARIANT(powercut) {
	enum medium medium;
	bool writethrough;
	bool no_flush;
};

FIXTURE_VARIANT_ADD(powercut, device_writeback) { .medium = DEVICE };
FIXTURE_VARIANT_ADD(powercut, device_writethrough) {
	.medium = DEVICE, .writethrough = true
};

FIXTURE_VARIANT_ADD(powercut, device_driver_without_flush) {
	.medium = DEVICE, .no_flush = true
};

FIXTURE_VARIANT_ADD(powercut, file_buffered_writeback) { .medium = FILE_BUFFERED };
FIXTURE_VARIANT_ADD(powercut, file_buffered_writethrough) {
	.medium = FILE_BUFFERED, .writethrough = true
};

FIXTURE_VARIANT_ADD(powercut, file_direct_writeback) { .medium = FILE_DIRECT };
FIXTURE_VARIANT_ADD(powercut, file_direct_writethrough) {
	.medium = FILE_DIRECT, .writethrough = true
};

static void make_disk(struct _test_data_powercut *self,
		      const struct _fixture_variant_powercut *v)
{
	int fd = backing_open(data_disk, O_RDWR);
	const char *path = LIVE "/disk";
	u64 range[2] = { 0, DISK_MIB << 20 };

	/* Nothing of an earlier test shall be there to be found. */
	must(!ioctl(fd, BLKDISCARD, range), "BLKDISCARD: %m");
	close(fd);
	must(dm_make(DM, "0 %u log-writes %s %s", DISK_MIB << 11, data_disk, log_disk),
	     "cannot make the dm device");
	if (v->medium == DEVICE)
		path = "/dev/mapper/" DM;
	else
		must(!__run("mkfs.ext4 -q /dev/mapper/" DM " && mkdir -p " LIVE " "
			    AFTER " && mount /dev/mapper/" DM " " LIVE
			    " && truncate -s %u %s", FILE_BYTES, path),
		     "cannot make the file");
	self->fd = backing_open(path, O_RDWR | (v->medium == FILE_DIRECT ? O_DIRECT : 0));
	/* The file itself is not what is tested. */
	must(!fsync(self->fd), "fsync: %m");
}

FIXTURE_SETUP(powercut)
{
	struct kvhost_opts o = {
		.flags = variant->writethrough ? KVHOST_BLK_WRITETHROUGH : 0,
		.no_flush = variant->no_flush,
		.length = FILE_BYTES,
		.size = 128,
	};
	unsigned int i;

	srandom(getpid());
	make_disk(self, variant);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	for (i = 0; i < REQS; i++)
		blkreq_init(&self->r[i], &self->k.mem, i % GMEM_REGIONS, SLOT);
}

FIXTURE_TEARDOWN(powercut)
{
	backing_undo();
}

/* A sector says which write it is of; the rest belongs to that and its place. */
static void make_sector(u8 *buf, u64 sector, u32 generation)
{
	blk_pattern(buf, 512, sector * 512, generation);
	memcpy(buf, &generation, sizeof(generation));
}

static void begin(struct _test_data_powercut *self, unsigned int i)
{
	struct blkreq *r = &self->r[i];
	bool zero = self->zeroing && random() % 8 == 0;
	unsigned int n, j;
	struct slot *s;

	do {
		n = random() % SLOTS;
		s = &self->slots[n];
	} while (s->busy);
	s->busy = true;
	s->latest = ++self->generation;
	self->slot_of[i] = n;
	if (zero) {
		struct virtio_blk_discard_write_zeroes seg = {
			.sector = n * SECTORS_PER_SLOT, .num_sectors = SECTORS_PER_SLOT,
			.flags = random() & 1 ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0,
		};

		s->zeroed = s->latest;
		blkreq_set(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(seg));
		r->out = true;
		gmem_write(r->mem, r->data, &seg, sizeof(seg));
	} else {
		blkreq_set(r, VIRTIO_BLK_T_OUT, n * SECTORS_PER_SLOT, SLOT);
		for (j = 0; j < SECTORS_PER_SLOT; j++)
			make_sector((u8 *)gmem_va(r->mem, r->data) + 512 * j,
				    r->sector + j, s->latest);
	}
	must(blkreq_submit(r, &self->k.q[0], NULL) >= 0, "ring full");
}

/* Take back buffers until @until is among them, or, it being NULL, @n of them. */
static void collect(struct _test_data_powercut *self, const struct blkreq *until,
		    unsigned int n)
{
	struct vq_used u;
	struct slot *s;

	while (until || n--) {
		struct blkreq *r;

		must(vq_wait_used(&self->k.q[0], &u, 1), "a request was lost");
		r = u.cookie;
		must(blkreq_status(r) == VIRTIO_BLK_S_OK, "request type %u: status %u",
		     r->type, blkreq_status(r));
		if (r == until)
			return;
		s = &self->slots[self->slot_of[r - self->r]];
		s->done = s->latest;
		s->busy = false;
	}
}

static void one_round(struct _test_data_powercut *self, struct moment *m, unsigned int round,
		      bool flush)
{
	struct blkreq *f = &self->r[REQS - 1];
	unsigned int i;

	/* Without a flush request zeroing is flushed by itself, and all else with it. */
	self->zeroing = round & 1;
	for (i = 0; i < COVERED; i++)
		begin(self, i);
	collect(self, NULL, COVERED);
	for (i = 0; i < SLOTS; i++)
		m->need[i] = self->slots[i].done;
	for (; i < SLOTS + EXTRA; i++)
		begin(self, COVERED + i - SLOTS);
	if (flush) {
		blkreq_set(f, VIRTIO_BLK_T_FLUSH, 0, 0);
		must(blkreq_submit(f, &self->k.q[0], NULL) >= 0, "ring full");
		collect(self, f, 0);
	}
	memcpy(m->slots, self->slots, sizeof(m->slots));
	snprintf(m->mark, sizeof(m->mark), "round%u", round);
	dm_mark(DM, m->mark);
	collect(self, NULL, self->k.q[0].num_out);
}

/* May this sector have been left by a power cut at that moment? */
static bool sector_ok(const struct moment *m, const u8 *buf, u64 sector)
{
	unsigned int n = sector / SECTORS_PER_SLOT;
	u8 want[512] = { };
	u32 generation;

	memcpy(&generation, buf, sizeof(generation));
	if (!generation)
		return !memcmp(buf, want, 512) &&
		       (!m->need[n] || m->slots[n].zeroed >= m->need[n]);
	make_sector(want, sector, generation);
	return !memcmp(buf, want, 512) && generation >= m->need[n] &&
	       generation <= m->slots[n].latest;
}

/* Return: number of slots that are older than they may be, or none's. */
static unsigned int count_lost(const struct moment *m, int fd)
{
	static u8 buf[SLOT] __attribute__((aligned(4096)));
	unsigned int n, i, lost = 0;

	for (n = 0; n < SLOTS; n++) {
		must(pread(fd, buf, SLOT, n * SLOT) == SLOT, "reading the remains: %m");
		for (i = 0; i < SECTORS_PER_SLOT; i++)
			if (!sector_ok(m, buf + 512 * i, n * SECTORS_PER_SLOT + i))
				break;
		lost += i < SECTORS_PER_SLOT;
	}
	return lost;
}

/* Look at what a power cut would have left. Return: number of slots lost. */
static unsigned int look(const struct moment *m, enum medium medium)
{
	const char *path = medium == DEVICE ? after_disk : AFTER "/disk";
	int log = backing_open(log_disk, O_RDWR), to = backing_open(after_disk, O_RDWR), fd;
	long entries = logwrites_replay(log, to, m->mark);
	unsigned int lost;

	close(log);
	close(to);
	must(entries > 0, "mark %s is not in the log, or nothing before it", m->mark);
	if (medium != DEVICE)
		must(!mount(after_disk, AFTER, "ext4", 0, NULL), "mounting the remains: %m");
	fd = backing_open(path, O_RDONLY);
	lost = count_lost(m, fd);
	close(fd);
	if (medium != DEVICE)
		must(!umount(AFTER), "umount: %m");
	return lost;
}

TEST_F_TIMEOUT(powercut, nothing_acknowledged_as_durable_is_lost, 180)
{
	bool flush = !variant->writethrough && !variant->no_flush;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		one_round(self, &self->moments[i], i, flush);
	kvhost_close(&self->k);
	EXPECT_EQ(0, count_lost(&self->moments[ROUNDS - 1], self->fd));
	close(self->fd);
	if (variant->medium != DEVICE)
		ASSERT_EQ(0, umount(LIVE));
	dm_remove(DM);
	for (i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(0, look(&self->moments[i], variant->medium)) {
			TH_LOG("power cut at mark %s", self->moments[i].mark);
		}
	}
	if (variant->medium != DEVICE)
		EXPECT_EQ(0, __run("e2fsck -fn %s >/dev/null 2>&1", after_disk));
}

static void __attribute__((constructor)) make(void)
{
	struct nullb_opts n = { .mb = DISK_MIB, .memory = true };

	disk_make("powercut", 0);
	data_disk = backing_nullb("kvh_powercut", &n);
	after_disk = backing_nullb("kvh_powercut_after", &n);
	n.mb = 64;
	log_disk = backing_nullb("kvh_powercut_log", &n);
	if (!data_disk || !log_disk || !after_disk ||
	    !dm_make(DM, "0 8 log-writes %s %s", data_disk, log_disk)) {
		printf("1..0 # SKIP this machine lacks null_blk or dm-log-writes\n");
		exit(KSFT_SKIP);
	}
	dm_remove(DM);
	/* Should a test end in the middle. */
	backing_add("what a test left",
		    "umount " LIVE "; umount " AFTER "; rmdir " LIVE " " AFTER
		    "; dmsetup remove " DM "; dmsetup mknodes; true");
}

TEST_HARNESS_MAIN
