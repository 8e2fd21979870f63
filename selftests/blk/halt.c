// SPDX-License-Identifier: GPL-2.0
/*
 * KVHOST_BLK_STOP_ON_ERROR: a queue stops before it answers what the disk failed.
 *
 *	queue 0..1 --> null_blk with bad blocks, or a file on a tmpfs that is full
 *
 * Both disks can be broken and mended at will, so that a request that is tried
 * again succeeds. A resize is looked at here, too: the same disks, larger.
 */
#include <linux/falloc.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <linux/virtio_config.h>
#include "disk.h"
#include "lib/proc.h"

#define QUEUES	2u
#define LEN	4096u
#define LIMIT	20000

/* Requests behind one that failed: more than the core takes at a time. */
#define BEHIND	100u

/* Where the null_blk has its bad blocks, and the file nothing yet. */
#define BAD	1024u

#define NULLB	"kvh_halt"
#define MNT	"/dev/shm/kvhost-halt"

static const char *nullb;
static pid_t maker;

enum kind { NULL_BLK, TMPFS };

FIXTURE(halt) {
	struct kvhost k;
	struct kvhost_opts o;
	struct blkreq r[4];
	int fd;
};

FIXTURE_VARIANT(halt) {
	enum kind kind;
	int error;
	bool packed;
};

FIXTURE_VARIANT_ADD(halt, null_blk) {
	.kind = NULL_BLK, .error = -EIO
};

FIXTURE_VARIANT_ADD(halt, full_tmpfs) {
	.kind = TMPFS, .error = -ENOSPC, .packed = true
};

static void disk_break(enum kind kind, bool broken)
{
	int ret;

	if (kind == NULL_BLK)
		ret = __run("echo %c%u-%u >/sys/kernel/config/nullb/" NULLB "/badblocks",
			    broken ? '+' : '-', BAD, BAD + 7);
	else
		ret = __run("mount -o remount,size=%s " MNT, broken ? "4k" : "80m");
	must(!ret, "the disk could not be %s", broken ? "broken" : "mended");
}

FIXTURE_SETUP(halt)
{
	unsigned int i;

	if (variant->kind == TMPFS)
		must(!__run("rm -f " MNT "/disk; truncate -s 64M " MNT "/disk"), "no file");
	self->fd = backing_open(variant->kind == NULL_BLK ? nullb : MNT "/disk", O_RDWR);
	self->o = (struct kvhost_opts) {
		.fd = self->fd, .queues = QUEUES, .packed = variant->packed,
		.flags = KVHOST_BLK_STOP_ON_ERROR,
	};
	kvhost_start(&self->k, &self->o);
	for (i = 0; i < ARRAY_SIZE(self->r); i++)
		blkreq_init(&self->r[i], &self->k.mem, GMEM_LOW, LEN);
	/* One page of the file is there already, and the tmpfs full with it. */
	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r[0], &self->k.q[0], VIRTIO_BLK_T_OUT, 0, LEN));
	disk_break(variant->kind, true);
}

FIXTURE_TEARDOWN(halt)
{
	disk_break(variant->kind, false);
	kvhost_close(&self->k);
	close(self->fd);
}

static void send(struct _test_data_halt *self, unsigned int i, unsigned int q, u64 sector)
{
	struct blkreq *r = &self->r[i];

	blkreq_set(r, VIRTIO_BLK_T_OUT, sector, LEN);
	blk_pattern(gmem_va(r->mem, r->data), LEN, sector, i);
	must(blkreq_submit(r, &self->k.q[q], NULL) >= 0, "ring full");
}

static struct kvhost_blk_error error_of(struct kvhost *k)
{
	struct kvhost_blk_error e = { .size = sizeof(e) };

	KVHOST_IOCTL(k, KVHOST_BLK_GET_ERROR, &e);
	return e;
}

static void resume(struct kvhost *k, u32 action)
{
	KVHOST_IOCTL(k, KVHOST_BLK_RESUME, &action);
}

/* Have queue 0 stop. */
static void stop_it(struct _test_data_halt *self)
{
	send(self, 0, 0, BAD);
	must(eventfd_wait(self->k.q[0].err_fd, LIMIT), "no error was told");
	eventfd_take(self->k.q[0].err_fd);
}

TEST_F(halt, stops_before_it_answers_and_tries_again)
{
	struct kvhost_vring_stats st;
	struct kvhost_blk_error e;
	struct vq_used u[2];
	u8 *buf;

	stop_it(self);
	e = error_of(&self->k);
	EXPECT_EQ(1, e.held);
	EXPECT_EQ(0, e.queue);
	EXPECT_EQ(VIRTIO_BLK_T_OUT, e.type);
	EXPECT_EQ(variant->error, e.error);
	EXPECT_EQ(BAD, e.sector);
	EXPECT_EQ(LEN, e.bytes);
	EXPECT_EQ(1, e.count);
	/* nothing more is taken from this queue, and the other runs on */
	send(self, 1, 0, 0);
	send(self, 2, 1, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r[2], &self->k.q[1]));
	kvhost_stats(&self->k, 0, &st);
	EXPECT_EQ(1, st.in_flight);
	EXPECT_EQ(0, vq_used_ready(&self->k.q[0]));
	/* tried again while it is still broken, it stops again */
	resume(&self->k, KVHOST_BLK_RETRY);
	EXPECT_TRUE(eventfd_wait(self->k.q[0].err_fd, LIMIT));
	e = error_of(&self->k);
	EXPECT_EQ(1, e.held);
	EXPECT_EQ(2, e.count);
	/* what came behind it may have got through meanwhile */
	EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&self->r[0]));
	disk_break(variant->kind, false);
	resume(&self->k, KVHOST_BLK_RETRY);
	ASSERT_EQ(2, vq_wait_used(&self->k.q[0], u, 2));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r[0]));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r[1]));
	EXPECT_EQ(0, error_of(&self->k).held);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&self->r[3], &self->k.q[0], VIRTIO_BLK_T_FLUSH, 0, 0));
	ASSERT_EQ(0, posix_memalign((void **)&buf, 4096, LEN));
	ASSERT_EQ(LEN, pread(self->fd, buf, LEN, BAD * 512));
	EXPECT_TRUE(blk_is_pattern(buf, LEN, BAD, 0));
	free(buf);
}

TEST_F(halt, reports_if_the_owner_says_so)
{
	struct vq_used u[2];

	stop_it(self);
	send(self, 1, 0, 0);
	resume(&self->k, KVHOST_BLK_REPORT);
	ASSERT_EQ(2, vq_wait_used(&self->k.q[0], u, 2));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_status(&self->r[0]));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r[1]));
	/* nothing held: nothing to do */
	resume(&self->k, KVHOST_BLK_RETRY);
	EXPECT_EQ(-EINVAL, __kvhost_ioctl(self->k.fd, KVHOST_BLK_RESUME, &(u32) { 2 }));
}

/* A queue that stops waits for nobody. */
TEST_F(halt, a_queue_that_stops_answers_what_is_held)
{
	stop_it(self);
	kvhost_enable(&self->k, 0, 0);
	EXPECT_EQ(1, vq_used_ready(&self->k.q[0]));
	EXPECT_EQ(0, error_of(&self->k).held);
	kvhost_enable(&self->k, 0, 1);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_wait(&self->r[0], &self->k.q[0]));
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  blk_do(&self->r[1], &self->k.q[0], VIRTIO_BLK_T_OUT, 0, LEN));
}

static void log_all(struct kvhost *k, bool on)
{
	const u64 bit = 1ull << VHOST_F_LOG_ALL;

	k->features = (k->features & ~bit) | (on ? bit : 0);
	KVHOST_IOCTL(k, VHOST_SET_FEATURES, &k->features);
}

/* Other calls change what a request that goes on will use: it is held until then. */
TEST_F(halt, K10_calls_that_drain_the_queue_leave_what_is_held)
{
	static u8 log[1 << 20] __attribute__((aligned(4096)));
	u64 base = (unsigned long)log;
	int fd = eventfd(0, 0);
	unsigned int how;
	u8 *buf;

	ASSERT_EQ(0, posix_memalign((void **)&buf, 4096, LEN));
	KVHOST_IOCTL(&self->k, VHOST_SET_LOG_BASE, &base);
	for (how = 0; how < 8; how++) {
		stop_it(self);
		if (how == 0)
			kvhost_set_mem(&self->k);
		else if (how == 1)
			kvhost_backend(&self->k, &self->o);
		else if (how == 2)
			log_all(&self->k, true);
		else if (how == 3)
			KVHOST_IOCTL(&self->k, VHOST_SET_LOG_BASE, &base);
		else if (how == 4)
			KVHOST_IOCTL(&self->k, VHOST_SET_LOG_FD, &fd);
		else if (how == 5)
			log_all(&self->k, false);
		else if (how == 6)
			__kvhost_mem_mode(&self->k, KVHOST_MEM_REGISTERED);
		else
			__kvhost_mem_mode(&self->k, KVHOST_MEM_USER);
		EXPECT_EQ(1, error_of(&self->k).held) {
			TH_LOG("call %u", how);
		}
		EXPECT_EQ(0, vq_used_ready(&self->k.q[0]));
		EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&self->r[0]));
		disk_break(variant->kind, false);
		resume(&self->k, KVHOST_BLK_RETRY);
		EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r[0], &self->k.q[0]));
		ASSERT_EQ(VIRTIO_BLK_S_OK,
			  blk_do(&self->r[3], &self->k.q[0], VIRTIO_BLK_T_FLUSH, 0, 0));
		ASSERT_EQ(LEN, pread(self->fd, buf, LEN, BAD * 512));
		EXPECT_TRUE(blk_is_pattern(buf, LEN, BAD, 0));
		if (variant->kind == TMPFS)
			ASSERT_EQ(0, fallocate(self->fd,
					       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					       BAD * 512, LEN));
		disk_break(variant->kind, true);
	}
	free(buf);
	close(fd);
}

static void iotlb(struct kvhost *k, u8 type)
{
	unsigned int i;

	for (i = 0; i < GMEM_REGIONS; i++) {
		const struct gmem_region *r = &k->mem.regions[i];
		struct vhost_msg m = { .type = VHOST_IOTLB_MSG };

		m.iotlb = (struct vhost_iotlb_msg) {
			.iova = r->gpa, .size = r->size, .uaddr = (unsigned long)r->va,
			.perm = VHOST_ACCESS_RW, .type = type,
		};
		must(write(k->fd, &m, sizeof(m)) == sizeof(m), "IOTLB message: %m");
	}
}

/* Start the queues behind a virtual IOMMU that maps guest memory one to one. */
static void start_translated(struct _test_data_halt *self)
{
	struct kvhost *k = &self->k;
	unsigned int i;

	kvhost_close(k);
	kvhost_prepare(k, &self->o);
	k->features |= 1ull << VIRTIO_F_ACCESS_PLATFORM;
	KVHOST_IOCTL(k, VHOST_SET_FEATURES, &k->features);
	for (i = 0; i < QUEUES; i++) {
		struct vhost_vring_addr a = {
			.index = i,
			.desc_user_addr = k->q[i].desc_gpa,
			.avail_user_addr = k->q[i].avail_gpa,
			.used_user_addr = k->q[i].used_gpa,
		};

		KVHOST_IOCTL(k, VHOST_SET_VRING_ADDR, &a);
		kvhost_enable(k, i, 1);
	}
	iotlb(k, VHOST_IOTLB_UPDATE);
	blkreq_init(&self->r[0], &k->mem, GMEM_LOW, LEN);
	blkreq_init(&self->r[1], &k->mem, GMEM_LOW, LEN);
}

TEST_F(halt, K10_what_is_held_outlives_its_translation_and_that_of_the_ring)
{
	start_translated(self);
	stop_it(self);
	iotlb(&self->k, VHOST_IOTLB_INVALIDATE);
	EXPECT_EQ(1, error_of(&self->k).held);
	iotlb(&self->k, VHOST_IOTLB_UPDATE);
	EXPECT_EQ(1, error_of(&self->k).held);
	EXPECT_EQ(0, vq_used_ready(&self->k.q[0]));
	disk_break(variant->kind, false);
	resume(&self->k, KVHOST_BLK_RETRY);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r[0], &self->k.q[0]));
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  blk_do(&self->r[1], &self->k.q[0], VIRTIO_BLK_T_OUT, 0, LEN));
}

/* There is nowhere to answer to: the queue stops all the same. */
TEST_F(halt, K10_a_queue_without_its_translations_stops)
{
	start_translated(self);
	stop_it(self);
	iotlb(&self->k, VHOST_IOTLB_INVALIDATE);
	kvhost_enable(&self->k, 0, 0);
	EXPECT_EQ(0, error_of(&self->k).held);
	EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&self->r[0]));
}

/* A disk that took the place of another one is asked whether it has such blocks. */
TEST_F(halt, K10_what_is_held_is_checked_against_a_disk_that_is_new)
{
	stop_it(self);
	self->o.length = BAD * 512;
	kvhost_backend(&self->k, &self->o);
	EXPECT_EQ(1, error_of(&self->k).held);
	disk_break(variant->kind, false);
	resume(&self->k, KVHOST_BLK_RETRY);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_wait(&self->r[0], &self->k.q[0]));
	EXPECT_EQ(0, error_of(&self->k).held);
}

/* What may last for days takes no pages from the kernel's hands. */
TEST_F(halt, K11_what_is_held_pins_nothing)
{
	long before = leak_pins();

	stop_it(self);
	EXPECT_EQ(before, leak_pins());
	EXPECT_EQ(1, error_of(&self->k).held);
	disk_break(variant->kind, false);
	resume(&self->k, KVHOST_BLK_RETRY);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r[0], &self->k.q[0]));
}

/* Another thread for the queue is no reason to give up what it holds. */
TEST_F(halt, a_queue_that_moves_to_another_worker_holds_on)
{
	struct vhost_vring_worker w[2] = { };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct vhost_worker_state s;

		KVHOST_IOCTL(&self->k, VHOST_NEW_WORKER, &s);
		w[i].worker_id = s.worker_id;
	}
	stop_it(self);
	send(self, 1, 0, 0);
	for (i = 0; i < 3000; i++) {
		/* The worker is just looking what there is. */
		vq_kick_always(&self->k.q[0]);
		KVHOST_IOCTL(&self->k, VHOST_ATTACH_VRING_WORKER, &w[i & 1]);
	}
	EXPECT_EQ(1, error_of(&self->k).held);
	EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&self->r[0]));
	EXPECT_EQ(0, vq_used_ready(&self->k.q[0]));
}

/* However much waits behind it, a queue that is stopped costs no processor. */
TEST_F(halt, a_stopped_queue_with_more_than_a_batch_behind_it_sleeps)
{
	const struct vq_shape indirect = { .indirect = true };
	static struct vq_used u[BEHIND + 1];
	static struct blkreq r[BEHIND];
	unsigned int i;

	kvhost_close(&self->k);
	self->o.size = 256;
	kvhost_start(&self->k, &self->o);
	blkreq_init(&self->r[0], &self->k.mem, GMEM_LOW, LEN);
	stop_it(self);
	for (i = 0; i < BEHIND; i++) {
		blkreq_init(&r[i], &self->k.mem, GMEM_LOW, 512);
		blkreq_set(&r[i], VIRTIO_BLK_T_IN, 0, 512);
		ASSERT_LE(0, blkreq_submit(&r[i], &self->k.q[0], &indirect));
	}
	EXPECT_TRUE(wait_workers_rest(300));
	resume(&self->k, KVHOST_BLK_REPORT);
	EXPECT_EQ(BEHIND + 1, vq_wait_used(&self->k.q[0], u, BEHIND + 1));
}

TEST_F(halt, the_next_owner_is_told_nothing_of_the_last_ones_error)
{
	struct kvhost_blk_error e;

	stop_it(self);
	KVHOST_IOCTL(&self->k, VHOST_RESET_OWNER, NULL);
	KVHOST_IOCTL(&self->k, VHOST_SET_OWNER, NULL);
	e = error_of(&self->k);
	EXPECT_EQ(0, e.held);
	EXPECT_EQ(0, e.error);
	EXPECT_EQ(0, e.sector);
	EXPECT_EQ(0, e.bytes);
	EXPECT_EQ(1, e.count);
}

TEST_F(halt, the_guests_own_mistakes_stop_nothing)
{
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  blk_do(&self->r[0], &self->k.q[0], VIRTIO_BLK_T_IN, 1ull << 40, LEN));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, blk_do(&self->r[0], &self->k.q[0], 77, 0, 0));
	EXPECT_EQ(0, error_of(&self->k).count);
	EXPECT_EQ(0, eventfd_take(self->k.q[0].err_fd));
}

TEST_F(halt, without_the_flag_errors_are_answered)
{
	self->o.flags = 0;
	kvhost_backend(&self->k, &self->o);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  blk_do(&self->r[0], &self->k.q[0], VIRTIO_BLK_T_OUT, BAD, LEN));
	EXPECT_EQ(0, error_of(&self->k).count);
}

TEST_F(halt, the_owner_can_be_killed_while_requests_are_held)
{
	struct leak before, after;
	int p[2], st;
	pid_t pid;
	char c;

	kvhost_close(&self->k);
	leak_snapshot(&before);
	ASSERT_EQ(0, pipe(p));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		kvhost_start(&self->k, &self->o);
		blkreq_init(&self->r[0], &self->k.mem, GMEM_LOW, LEN);
		stop_it(self);
		must(write(p[1], "", 1) == 1, "pipe: %m");
		for (;;)
			pause();
	}
	close(p[1]);
	EXPECT_EQ(1, read(p[0], &c, 1));
	close(p[0]);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &st, 0));
	EXPECT_TRUE(leak_wait_clean(&before, &after));
	kvhost_start(&self->k, &self->o);
}

static u64 capacity(struct kvhost *k)
{
	struct kvhost_blk_config c = { .size = sizeof(c) };

	KVHOST_IOCTL(k, KVHOST_BLK_RESIZE, NULL);
	KVHOST_IOCTL(k, KVHOST_BLK_GET_CONFIG, &c);
	return c.capacity;
}

/* A file and a loop device on it grow and shrink under requests in flight. */
FIXTURE(resize) {
	struct kvhost k;
	struct blkreq r;
	char loop[64];
	int file;
	int fd;
};

FIXTURE_VARIANT(resize) {
	bool loop;
	u64 offset;
	u64 length;
};

FIXTURE_VARIANT_ADD(resize, file) { };
FIXTURE_VARIANT_ADD(resize, loop) { .loop = true };
FIXTURE_VARIANT_ADD(resize, part_of_a_file) { .offset = 1 << 20, .length = 6 << 20 };

FIXTURE_SETUP(resize)
{
	struct kvhost_opts o = { .offset = variant->offset, .length = variant->length };
	FILE *f;

	must(!__run("rm -f " MNT "/disk; truncate -s 8M " MNT "/disk"), "no file");
	self->file = open(MNT "/disk", O_RDWR);
	if (variant->loop) {
		f = popen("losetup -f --show " MNT "/disk", "r");
		ASSERT_NE(NULL, f);
		ASSERT_EQ(1, fscanf(f, "%63s", self->loop));
		pclose(f);
	}
	self->fd = backing_open(variant->loop ? self->loop : MNT "/disk", O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, LEN);
}

FIXTURE_TEARDOWN(resize)
{
	kvhost_close(&self->k);
	close(self->fd);
	close(self->file);
	if (variant->loop)
		must(!__run("losetup -d %s", self->loop), "losetup -d");
}

static void set_size(struct _test_data_resize *self, bool loop, u64 mb)
{
	must(!ftruncate(self->file, mb << 20), "ftruncate: %m");
	must(!loop || !__run("losetup -c %s", self->loop), "losetup -c");
}

static u8 at(struct _test_data_resize *self, u32 type, u64 sector)
{
	return blk_do(&self->r, &self->k.q[0], type, sector, LEN);
}

TEST_F(resize, is_seen_when_asked_for_and_nothing_is_lost)
{
	u64 whole = (variant->length ? variant->length : 8 << 20) >> 9;
	u64 more = variant->length ? whole : 16 << 11;
	u64 less = (variant->length ? (4 << 20) - variant->offset : 4 << 20) >> 9;
	struct blkreq r[8];
	struct vq_used u[8];
	unsigned int i;

	EXPECT_EQ(VIRTIO_BLK_S_OK, at(self, VIRTIO_BLK_T_OUT, whole - 8));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, at(self, VIRTIO_BLK_T_IN, whole));
	for (i = 0; i < ARRAY_SIZE(r); i++) {
		blkreq_init(&r[i], &self->k.mem, GMEM_LOW, LEN);
		blkreq_set(&r[i], VIRTIO_BLK_T_IN, 8 * i, LEN);
		ASSERT_LE(0, blkreq_submit(&r[i], &self->k.q[0], NULL));
	}
	set_size(self, variant->loop, 16);
	EXPECT_EQ(more, capacity(&self->k));
	ASSERT_EQ(ARRAY_SIZE(u), vq_wait_used(&self->k.q[0], u, ARRAY_SIZE(u)));
	for (i = 0; i < ARRAY_SIZE(r); i++)
		EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&r[i]));
	EXPECT_EQ(VIRTIO_BLK_S_OK, at(self, VIRTIO_BLK_T_OUT, more - 8));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, at(self, VIRTIO_BLK_T_OUT, more));
	set_size(self, variant->loop, 4);
	EXPECT_EQ(less, capacity(&self->k));
	EXPECT_EQ(VIRTIO_BLK_S_OK, at(self, VIRTIO_BLK_T_OUT, less - 8));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, at(self, VIRTIO_BLK_T_OUT, less));
	/* a write beyond the new end would have made the file longer */
	EXPECT_EQ(4 << 20, lseek(self->file, 0, SEEK_END));
	if (variant->loop)
		return;
	set_size(self, false, 0);
	EXPECT_EQ(0, capacity(&self->k));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, at(self, VIRTIO_BLK_T_OUT, 0));
}

static void undo(void)
{
	if (getpid() == maker)
		__run("umount " MNT " && rmdir " MNT);
}

static void __attribute__((constructor)) make_disks(void)
{
	struct nullb_opts o = { .mb = DISK_MB, .memory = true };

	disk_make("halt", 0);
	nullb = backing_nullb(NULLB, &o);
	if (!nullb || __run("modprobe loop; mkdir -p " MNT) ||
	    __run("mount -t tmpfs -o size=80m none " MNT)) {
		printf("1..0 # SKIP this machine cannot make a null_blk and a tmpfs\n");
		exit(KSFT_SKIP);
	}
	maker = getpid();
	atexit(undo);
}

TEST_HARNESS_MAIN
