// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest can take of its host: pages pinned by requests that wait for a
 * slow disk, and the time of whoever has to do with a disk that never answers.
 *
 *	queue 0, 1 --> kvhost --> dm: first half linear, second half delayed
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <linux/fs.h>
#include "disk.h"
#include "lib/dm.h"
#include "lib/load.h"
#include "lib/proc.h"

#define MB		8u
#define SECTORS		((u64)MB << 11)
#define HALF		(SECTORS / 2)
#define DM		"kvh_bounds"
#define LIMIT_S		120

/* As in kmod/blk/budget.h: pages of each queue's own, and of all queues of a device. */
#define SHARE_PAGES	256u
#define POOL_PAGES	16384u

/* Enough queues that a bound of each would be far above that of the device. */
#define MANY		8u

/* Requests that would pin many times that: each of its own 64 pages. */
#define FLOOD		160u
#define FLOOD_LEN	(256u << 10)

/* So long that it is for ever, until the device is suspended. */
#define DEAD_MS		3600000u

/* A disk whose zeroes the kernel writes, so much at a time, each time so long. */
#define LARGE_MB	8192u
#define LARGE_STEP_MB	32u
#define LARGE_DELAY_MS	100u

#define QUEUES		2u
#define DEAD_DEPTH	64u

static const char *nullb, *dm, *large, *frozen;

static void table(unsigned int ms)
{
	dm_load(DM, "0 %llu linear %s 0;%llu %llu delay %s %llu %u", HALF, nullb, HALF, HALF,
		nullb, HALF, ms);
}

static void start_many(struct kvhost *k, const char *path, unsigned int queues,
		       unsigned int size)
{
	struct kvhost_opts o = { .fd = backing_open(path, O_RDWR), .queues = queues, .size = size };

	kvhost_start(k, &o);
	close(o.fd);
}

static void start_on(struct kvhost *k, const char *path, unsigned int size)
{
	start_many(k, path, QUEUES, size);
}

static void start(struct kvhost *k, unsigned int size)
{
	start_on(k, dm, size);
}

/* Requests to where the disk is slow, as many as there are. */
static void flood(struct kvhost *k, unsigned int i, struct blkreq *r, unsigned int n, u32 len)
{
	const struct vq_shape indirect = { .indirect = true };
	unsigned int j;

	for (j = 0; j < n; j++) {
		blkreq_set(&r[j], VIRTIO_BLK_T_IN, HALF, len);
		must(blkreq_submit(&r[j], &k->q[i], &indirect) >= 0, "ring full");
	}
}

FIXTURE(bounds) {
};

FIXTURE_SETUP(bounds)
{
}

FIXTURE_TEARDOWN(bounds)
{
}

/* Wait until no more pages are being pinned. Return: how many are beyond @base. */
static long pins_at_rest(long base)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	const u64 end = now_ms() + LIMIT_MS;
	unsigned int same = 0;
	long now, last = -1;

	for (; same < 30 && now_ms() < end; last = now) {
		nanosleep(&pause, NULL);
		now = leak_pins() - base;
		same = now && now == last ? same + 1 : 0;
	}
	must(same == 30, "pages are still being pinned after %d ms", LIMIT_MS);
	return last;
}

TEST_F_TIMEOUT(bounds, K8_a_device_pins_no_more_than_its_budget, LIMIT_S)
{
	static struct blkreq r[MANY][FLOOD], live;
	const long bound = POOL_PAGES + MANY * SHARE_PAGES;
	struct leak before, after;
	struct vq_used u[FLOOD];
	struct kvhost k;
	unsigned int i, j;
	long base, most;

	table(DEAD_MS);
	leak_snapshot(&before);
	start_many(&k, dm, MANY, 1024);
	blkreq_init(&live, &k.mem, GMEM_HIGH, FLOOD_LEN);
	for (i = 0; i < MANY; i++) {
		blkreq_init(&r[i][0], &k.mem, GMEM_MID, FLOOD_LEN);
		for (j = 1; j < FLOOD; j++) {
			/* All read into the same memory: pins are counted all the same. */
			blkreq_init(&r[i][j], &k.mem, GMEM_LOW, 0);
			r[i][j].data = r[i][0].data;
		}
	}
	base = leak_pins();
	for (i = 0; i < MANY - 1; i++)
		flood(&k, i, r[i], FLOOD, FLOOD_LEN);
	most = pins_at_rest(base);
	TH_LOG("%ld pages are pinned, %ld are allowed", most, bound);
	EXPECT_LE(most, bound);
	/* Else the flood was none. */
	EXPECT_LT(bound / 2, most);
	/* A queue with nothing in use gets on, whatever the others have. */
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&live, &k.q[MANY - 1], VIRTIO_BLK_T_IN, 0, FLOOD_LEN));
	flood(&k, MANY - 1, r[MANY - 1], FLOOD, FLOOD_LEN);
	EXPECT_LE(pins_at_rest(base), bound);
	table(0);
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(FLOOD, vq_wait_used(&k.q[i], u, FLOOD));
	kvhost_close(&k);
	EXPECT_TRUE(leak_wait_clean(&before, &after));
}

static void dead_requests(struct kvhost *k, struct blkreq *r)
{
	unsigned int j;

	for (j = 0; j < DEAD_DEPTH; j++)
		blkreq_init(&r[j], &k->mem, GMEM_LOW, 4096);
	flood(k, 0, r, DEAD_DEPTH, 4096);
}

/* Wait until all of them are with the disk. */
static bool all_in_flight(struct kvhost *k, unsigned int n)
{
	const u64 end = now_ms() + LIMIT_MS;
	struct kvhost_vring_stats st;

	do {
		kvhost_stats(k, 0, &st);
		if (st.in_flight == n)
			return true;
	} while (now_ms() < end);
	return false;
}

TEST_F_TIMEOUT(bounds, requests_that_are_never_answered_hold_up_no_others, LIMIT_S)
{
	struct load_opts o = { .total = 300, .sectors = HALF, .unit = 16, .len_max = 4096,
			       .reads = 50 };
	struct blkreq dead[DEAD_DEPTH], good;
	struct kvhost k, other;
	struct vq_used u;
	struct load l;
	unsigned int i;

	table(DEAD_MS);
	start(&k, 128);
	dead_requests(&k, dead);
	ASSERT_TRUE(all_in_flight(&k, DEAD_DEPTH));
	/* behind them in the same queue */
	blkreq_init(&good, &k.mem, GMEM_LOW, 4096);
	blkreq_set(&good, VIRTIO_BLK_T_IN, 0, 4096);
	ASSERT_LE(0, blkreq_submit(&good, &k.q[0], NULL));
	ASSERT_EQ(1, vq_wait_used(&k.q[0], &u, 1));
	EXPECT_EQ((void *)&good, u.cookie);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&good));
	/* in another queue */
	blkreq_set(&good, VIRTIO_BLK_T_IN, 0, 4096);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&good, &k.q[1], VIRTIO_BLK_T_IN, 0, 4096));
	/* on another device */
	start(&other, 128);
	load_init(&l, &other, 32, 4096);
	EXPECT_TRUE(load_run(&l, &o));
	load_free(&l);
	kvhost_close(&other);
	/* and when the disk answers after all, nothing was lost */
	dm_suspend(DM);
	dm_resume(DM);
	for (i = 0; i < DEAD_DEPTH; i++)
		ASSERT_EQ(1, vq_wait_used(&k.q[0], &u, 1));
	kvhost_close(&k);
}

/* All of the disk, which takes long. */
static void zero_all(struct kvhost *k, struct blkreq *r)
{
	struct virtio_blk_discard_write_zeroes seg = { .num_sectors = LARGE_MB << 11 };

	blkreq_init(r, &k->mem, GMEM_LOW, sizeof(seg));
	blkreq_set(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(seg));
	r->out = true;
	gmem_write(r->mem, r->data, &seg, sizeof(seg));
	must(blkreq_submit(r, &k->q[0], NULL) >= 0, "ring full");
}

enum victim { WAITS, WAITS_IN_IOCTL, ZEROES };

/* Have requests in flight, say so, and wait: for them in an ioctl, or just so. */
static _Noreturn void victim(int ready, enum victim kind)
{
	static struct blkreq r[DEAD_DEPTH];
	struct kvhost k;

	start_on(&k, kind == ZEROES ? large : dm, 128);
	if (kind == ZEROES)
		zero_all(&k, r);
	else
		dead_requests(&k, r);
	must(all_in_flight(&k, kind == ZEROES ? 1 : DEAD_DEPTH),
	     "not all requests are in flight");
	must(write(ready, "", 1) == 1, "pipe: %m");
	if (kind == WAITS_IN_IOCTL)
		__kvhost_enable(&k, 0, 0);
	for (;;)
		pause();
}

/* Return: a victim at work. */
static pid_t start_victim(enum victim kind)
{
	int p[2];
	pid_t pid;
	char c;

	must(!pipe2(p, O_CLOEXEC), "pipe: %m");
	pid = fork();
	must(pid >= 0, "fork: %m");
	if (!pid)
		victim(p[1], kind);
	close(p[1]);
	must(read(p[0], &c, 1) == 1, "the victim did not come up");
	close(p[0]);
	return pid;
}

/* Whether a killed process is gone within the limit every wait has. */
static bool wait_gone(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	const u64 end = now_ms() + LIMIT_MS;
	int st;

	while (!waitpid(pid, &st, WNOHANG)) {
		if (now_ms() > end)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/*
 * The dead process's device cannot end before its disk has answered: the pages
 * are the disk's to write. But nobody has to wait for it, and the module stays.
 */
TEST_F_TIMEOUT(bounds, an_owner_can_be_killed_while_its_disk_never_answers, LIMIT_S)
{
	struct leak before, meanwhile, after;
	struct kvhost other;
	struct blkreq r;
	unsigned int i;
	pid_t pid[2];

	table(DEAD_MS);
	leak_snapshot(&before);
	for (i = 0; i < 2; i++)
		pid[i] = start_victim(i ? WAITS_IN_IOCTL : WAITS);
	EXPECT_TRUE(wait_blocked(pid[1]));
	for (i = 0; i < 2; i++)
		kill(pid[i], SIGKILL);
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(wait_gone(pid[i])) {
			TH_LOG("killed %s an ioctl", i ? "in" : "outside");
		}
	}
	leak_snapshot(&meanwhile);
	EXPECT_EQ(2, meanwhile.refs - before.refs);
	EXPECT_NE(0, __run("rmmod kvhost_blk 2>/dev/null"));
	start(&other, 64);
	blkreq_init(&r, &other.mem, GMEM_LOW, 4096);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &other.q[1], VIRTIO_BLK_T_OUT, 0, 4096));
	kvhost_close(&other);
	dm_suspend(DM);
	dm_resume(DM);
	EXPECT_TRUE(leak_wait_clean(&before, &after));
}

TEST_F_TIMEOUT(bounds, zeroing_a_large_disk_ends_with_its_owner, LIMIT_S)
{
	struct leak before, after;
	pid_t pid;
	u64 from;

	leak_snapshot(&before);
	pid = start_victim(ZEROES);
	kill(pid, SIGKILL);
	from = now_ms();
	EXPECT_TRUE(wait_gone(pid));
	EXPECT_TRUE(leak_wait_clean(&before, &after));
	/* All of it takes that long twice over. */
	EXPECT_GT(LARGE_MB / LARGE_STEP_MB * LARGE_DELAY_MS / 2, now_ms() - from);
}

/* A frozen file system holds up who writes to it, and nobody else. */
TEST_F_TIMEOUT(bounds, a_frozen_file_system_holds_up_no_reads, LIMIT_S)
{
	struct blkreq out, in;
	struct vq_used u[2];
	unsigned int n;
	struct kvhost k;
	int fd;

	fd = backing_open(frozen, O_RDWR | O_DIRECT);
	kvhost_start(&k, &(struct kvhost_opts) { .fd = fd });
	blkreq_init(&out, &k.mem, GMEM_LOW, 4096);
	blkreq_init(&in, &k.mem, GMEM_LOW, 4096);
	ASSERT_EQ(VIRTIO_BLK_S_OK, blk_do(&out, &k.q[0], VIRTIO_BLK_T_OUT, 0, 4096));
	ASSERT_EQ(0, ioctl(fd, FIFREEZE, 0));
	blkreq_set(&out, VIRTIO_BLK_T_OUT, 0, 4096);
	blkreq_set(&in, VIRTIO_BLK_T_IN, 64, 4096);
	EXPECT_LE(0, blkreq_submit(&out, &k.q[0], NULL));
	EXPECT_LE(0, blkreq_submit(&in, &k.q[0], NULL));
	n = vq_wait_used(&k.q[0], u, 1);
	EXPECT_EQ(1, n);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&in));
	EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&out));
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));
	EXPECT_EQ(2 - n, vq_wait_used(&k.q[0], u, 2 - n));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&out));
	kvhost_close(&k);
	close(fd);
}

static void __attribute__((constructor)) make(void)
{
	struct nullb_opts n = { .mb = MB, .memory = true }, slow = {
		.mb = LARGE_MB, .delay_ns = LARGE_DELAY_MS * 1000000ul,
	};
	int fd;

	disk_make("bounds", 0);
	nullb = backing_nullb("kvh_bounds", &n);
	large = backing_nullb("kvh_bounds_large", &slow);
	frozen = backing_ext4(MB);
	if (nullb && large && frozen)
		dm = dm_make(DM, "0 %llu linear %s 0;%llu %llu delay %s %llu 0", HALF, nullb, HALF,
			     HALF, nullb, HALF);
	if (!dm) {
		printf("1..0 # SKIP %s\n",
		       "this machine lacks null_blk, dm-delay or ext4 in a loop device");
		exit(KSFT_SKIP);
	}
	fd = backing_open(nullb, O_RDWR);
	load_fill(fd, SECTORS);
	close(fd);
}

TEST_HARNESS_MAIN
