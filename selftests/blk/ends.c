// SPDX-License-Identifier: GPL-2.0
/*
 * How a device ends: what it held is free when close() or wait() returns, and
 * no number of devices that cannot end holds up another.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "disk.h"
#include "lib/busy.h"
#include "lib/dm.h"

#define MB		8u
#define SECTORS		((u64)MB << 11)
#define LIMIT_S		240

/* A disk that does not answer before it is suspended. */
#define DEAD_MS		3600000u

/* More than a work queue of the kernel runs at a time by default, which is 256. */
#define STUCK		300u

#define ROUNDS		30u

static const char *nullb;

/* Two disks that never answer. */
static const char *dead[2];
static const char *const dead_name[2] = { "kvh_ends0", "kvh_ends1" };

FIXTURE(ends) {
};

FIXTURE_SETUP(ends)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		dm_load(dead_name[i], "0 %llu delay %s 0 %u", SECTORS, nullb, DEAD_MS);
}

FIXTURE_TEARDOWN(ends)
{
}

static void wait_in_flight(struct kvhost *k)
{
	const u64 end = now_ms() + LIMIT_MS;
	struct kvhost_vring_stats st;

	do {
		kvhost_stats(k, 0, &st);
		if (st.in_flight)
			return;
	} while (now_ms() < end);
	die("the request does not get to the disk");
}

/* A device with a request that its disk does not answer. */
static void start_stuck(const char *path)
{
	struct kvhost_opts o = { .fd = backing_open(path, O_RDWR) };
	struct kvhost *k = malloc(sizeof(*k));
	struct blkreq r;

	must(k, "out of memory");
	kvhost_start(k, &o);
	close(o.fd);
	blkreq_init(&r, &k->mem, GMEM_LOW, 4096);
	blkreq_set(&r, VIRTIO_BLK_T_IN, 0, 4096);
	must(blkreq_submit(&r, &k->q[0], NULL) >= 0, "ring full");
	wait_in_flight(k);
}

/* Return: a process with @n stuck devices */
static pid_t start_victim(const char *path, unsigned int n)
{
	struct rlimit many = { 8192, 8192 };
	int p[2];
	pid_t pid;
	char c;

	must(!pipe2(p, O_CLOEXEC), "pipe: %m");
	pid = fork();
	must(pid >= 0, "fork: %m");
	if (!pid) {
		must(!setrlimit(RLIMIT_NOFILE, &many), "RLIMIT_NOFILE: %m");
		while (n--)
			start_stuck(path);
		must(write(p[1], "", 1) == 1, "pipe: %m");
		for (;;)
			pause();
	}
	close(p[1]);
	must(read(p[0], &c, 1) == 1, "the owner did not come up");
	close(p[0]);
	return pid;
}

static void kill_victim(pid_t pid)
{
	int st;

	kill(pid, SIGKILL);
	must(waitpid(pid, &st, 0) == pid, "waitpid: %m");
}

static void answer(const char *name)
{
	dm_suspend(name);
	dm_resume(name);
}

TEST_F_TIMEOUT(ends, K3_stuck_devices_hold_up_no_other_end, LIMIT_S)
{
	struct kvhost_opts o = { };
	struct leak before, stuck, after;
	struct kvhost other;
	struct blkreq r;
	pid_t pid;

	leak_snapshot(&before);
	/* One process: its devices share what its close may wait. */
	kill_victim(start_victim(dead[0], STUCK));
	leak_snapshot(&stuck);
	EXPECT_EQ(STUCK, stuck.refs - before.refs);
	/* A device at work ends at once, */
	o.fd = backing_open(nullb, O_RDWR);
	kvhost_start(&other, &o);
	blkreq_init(&r, &other.mem, GMEM_LOW, 4096);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &other.q[0], VIRTIO_BLK_T_OUT, 0, 4096));
	kvhost_close(&other);
	leak_snapshot(&after);
	EXPECT_EQ(stuck.refs, after.refs);
	close(o.fd);
	/* and one that was stuck when its disk answers. */
	pid = start_victim(dead[1], 1);
	kill_victim(pid);
	answer(dead_name[1]);
	EXPECT_TRUE(leak_wait_clean(&stuck, &after));
	answer(dead_name[0]);
	EXPECT_TRUE(leak_wait_clean(&before, &after));
}

FIXTURE(frees) {
	struct busy busy;
};

FIXTURE_VARIANT(frees) {
	enum busy_end end;
	bool expedited;
};

FIXTURE_VARIANT_ADD(frees, exit) { .end = BUSY_EXIT };
FIXTURE_VARIANT_ADD(frees, sigkill) { .end = BUSY_KILL };
FIXTURE_VARIANT_ADD(frees, close) { .end = BUSY_CLOSE };
FIXTURE_VARIANT_ADD(frees, reset_owner) { .end = BUSY_RESET };
FIXTURE_VARIANT_ADD(frees, exit_expedited) { .end = BUSY_EXIT, .expedited = true };
FIXTURE_VARIANT_ADD(frees, sigkill_expedited) { .end = BUSY_KILL, .expedited = true };
FIXTURE_VARIANT_ADD(frees, close_expedited) { .end = BUSY_CLOSE, .expedited = true };
FIXTURE_VARIANT_ADD(frees, reset_owner_expedited) { .end = BUSY_RESET, .expedited = true };

FIXTURE_SETUP(frees)
{
	busy_init(&self->busy, variant->expedited);
}

FIXTURE_TEARDOWN(frees)
{
	busy_exit(&self->busy);
}

/* A device at work whose disk and guest memory are files of the mount. */
static int start_busy(struct busy *b)
{
	static struct kvhost k;
	struct kvhost_opts o = { .fd = busy_file(b, "disk", MB << 20) };
	struct blkreq r;

	kvhost_start(&k, &o);
	close(o.fd);
	busy_map(b, k.mem.regions[GMEM_HIGH].va, GMEM_REGION_SIZE);
	blkreq_init(&r, &k.mem, GMEM_HIGH, 4096);
	must(blk_do(&r, &k.q[0], VIRTIO_BLK_T_OUT, 0, 4096) == VIRTIO_BLK_S_OK, "no disk");
	return k.fd;
}

TEST_F_TIMEOUT(frees, K23_files_are_free_when_the_device_has_ended, LIMIT_S)
{
	unsigned int i, busy = 0;

	for (i = 0; i < ROUNDS; i++)
		busy += busy_round(&self->busy, variant->end, start_busy);
	EXPECT_EQ(0, busy) {
		TH_LOG("busy %u times in %u", busy, ROUNDS);
	}
}

static void __attribute__((constructor)) make(void)
{
	struct nullb_opts n = { .mb = MB, .memory = true };
	unsigned int i;

	disk_make("ends", 0);
	nullb = backing_nullb("kvh_ends", &n);
	for (i = 0; nullb && i < 2; i++)
		dead[i] = dm_make(dead_name[i], "0 %llu delay %s 0 0", SECTORS, nullb);
	if (!nullb || !dead[0] || !dead[1]) {
		printf("1..0 # SKIP %s\n", "this machine lacks null_blk or dm-delay");
		exit(KSFT_SKIP);
	}
}

TEST_HARNESS_MAIN
