// SPDX-License-Identifier: GPL-2.0
/*
 * K6, K16: discarding or zeroing terabytes takes hours, and ends early when nobody
 * waits for it any more: the owner is gone, or a drain waits for the queue.
 *
 *	discard --> null_blk of 4 TiB that remembers, so that it walks every sector
 *	zeroes  --> null_blk of 4 TiB that cannot zero, so that zeroes are written
 *	zeroes  --> loop device on tmpfs, which offers to zero and then refuses
 */
#include <signal.h>
#include <sys/wait.h>
#include "disk.h"

#define TIB_MB		(1u << 20)
#define RANGES		4u
#define RANGE_SECTORS	(1u << 31)	/* 1 TiB */
#define SMALL		"/dev/shm/kvhost-ranges-long"

enum { REMEMBERS, WRITES, REFUSES, LONG_DISKS };

static const char *paths[LONG_DISKS];

FIXTURE(ranges_long) {
	struct leak before;
	int fd;
};

FIXTURE_VARIANT(ranges_long) {
	int disk;
	u32 type;
	u8 drained;
};

FIXTURE_VARIANT_ADD(ranges_long, discard) {
	.disk = REMEMBERS, .type = VIRTIO_BLK_T_DISCARD, .drained = VIRTIO_BLK_S_OK
};

FIXTURE_VARIANT_ADD(ranges_long, zeroes) {
	.disk = WRITES, .type = VIRTIO_BLK_T_WRITE_ZEROES, .drained = VIRTIO_BLK_S_IOERR
};

FIXTURE_SETUP(ranges_long)
{
	leak_snapshot(&self->before);
	self->fd = backing_open(paths[variant->disk], O_RDWR);
}

FIXTURE_TEARDOWN(ranges_long)
{
	close(self->fd);
}

/* Ask for all of the disk. */
static void begin(struct kvhost *k, struct blkreq *r, int fd, u32 type)
{
	struct virtio_blk_discard_write_zeroes seg[RANGES];
	struct kvhost_opts o = { .fd = fd };
	struct kvhost_vring_stats st = { };
	unsigned int i;

	kvhost_start(k, &o);
	blkreq_init(r, &k->mem, GMEM_LOW, sizeof(seg));
	for (i = 0; i < RANGES; i++)
		seg[i] = (struct virtio_blk_discard_write_zeroes) {
			.sector = (u64)i * RANGE_SECTORS, .num_sectors = RANGE_SECTORS,
		};
	blkreq_set(r, type, 0, sizeof(seg));
	r->out = true;
	memcpy(gmem_va(r->mem, r->data), seg, sizeof(seg));
	must(blkreq_submit(r, &k->q[0], NULL) >= 0, "no descriptors");
	for (i = 0; i < LIMIT_MS && !st.in_flight; i++) {
		usleep(1000);
		kvhost_stats(k, 0, &st);
	}
	must(st.in_flight == 1, "the request has not begun, or has ended");
}

TEST_F_TIMEOUT(ranges_long, K6_end_with_the_owner, 120)
{
	struct leak after;
	struct blkreq r;
	struct kvhost k;
	int p[2], st;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe2(p, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		begin(&k, &r, self->fd, variant->type);
		must(write(p[1], "", 1) == 1, "pipe: %m");
		for (;;)
			pause();
	}
	close(p[1]);
	ASSERT_EQ(1, read(p[0], &c, 1));
	close(p[0]);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &st, 0));
	EXPECT_TRUE(leak_wait_clean(&self->before, &after));
}

TEST_F_TIMEOUT(ranges_long, K6_end_when_the_queue_is_drained, 120)
{
	struct blkreq r;
	struct kvhost k;

	begin(&k, &r, self->fd, variant->type);
	kvhost_enable(&k, 0, 0);
	EXPECT_EQ(variant->drained, blkreq_wait(&r, &k.q[0]));
	kvhost_close(&k);
}

/*
 * The file system has room for 16 MiB of the 4 TiB, so writing has an error early
 * on. Written in one step, the rest would be tried all the same.
 */
TEST(K16_zeroes_that_a_device_refuses_are_written_in_steps)
{
	int fd = backing_open(paths[REFUSES], O_RDWR);
	struct blkreq r;
	struct kvhost k;

	begin(&k, &r, fd, VIRTIO_BLK_T_WRITE_ZEROES);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_wait(&r, &k.q[0]));
	kvhost_close(&k);
	close(fd);
}

/* Return: a loop device of 4 TiB on a tmpfs of 16 MiB, NULL if it cannot be made. */
static const char *make_refusing(void)
{
	char path[64] = "", undo[160];
	FILE *f;

	if (__run("modprobe -q loop; { mkdir " SMALL " && mount -t tmpfs -o size=16M none " SMALL
		  " && truncate -s 4T " SMALL "/disk; } 2>/dev/null"))
		return NULL;
	backing_add(SMALL, "umount " SMALL "; rmdir " SMALL);
	f = popen("losetup -f --show " SMALL "/disk", "r");
	if (!f || fscanf(f, "%63s", path) != 1)
		path[0] = 0;
	if (f)
		pclose(f);
	snprintf(undo, sizeof(undo), "losetup -d %s", path);
	return path[0] ? backing_add(path, undo) : NULL;
}

static void __attribute__((constructor)) make_disks(void)
{
	const struct nullb_opts remembers = { .mb = RANGES * TIB_MB, .memory = true };
	const struct nullb_opts writes = { .mb = RANGES * TIB_MB, .delay_ns = 1000000 };
	unsigned int i;

	disk_make("ranges_long", 0);
	paths[REMEMBERS] = backing_nullb("kvh_long_memory", &remembers);
	paths[WRITES] = backing_nullb("kvh_long_delay", &writes);
	paths[REFUSES] = make_refusing();
	for (i = 0; i < LONG_DISKS; i++)
		if (!paths[i]) {
			printf("1..0 # SKIP this machine cannot make %s\n",
			       i == REFUSES ? "a loop device on tmpfs" : "null_blk of 4 TiB");
			exit(KSFT_SKIP);
		}
}

TEST_HARNESS_MAIN
