// SPDX-License-Identifier: GPL-2.0
/*
 * Busy polling and held completions: nothing is held for ever, and an idle
 * device wakes nobody (BUSYLOOP_TIMEOUT, kmod/core/poll.c).
 *
 *	driver -- bursts of 1 ... DEPTH requests --> queue --> null_blk
 *
 * "Wakes nobody" is exact: a thread that was not switched to has not run.
 */
#include <sys/ioctl.h>
#include <linux/vhost.h>
#include "disk.h"
#include "lib/proc.h"

#define DEPTH		40u
#define LEN		4096u
#define POLL_US		2000u
#define IDLE_US		1500000u

FIXTURE(idle) {
	struct kvhost k;
	struct blkreq r[DEPTH];
	int fd;
};

FIXTURE_VARIANT(idle) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(idle, split) { .ring = { .size = 128 } };
FIXTURE_VARIANT_ADD(idle, packed) { .ring = { .size = 128, .packed = true } };
FIXTURE_VARIANT_ADD(idle, no_event) { .ring = { .size = 128, .no_event = true } };

FIXTURE_SETUP(idle)
{
	struct vhost_vring_state s = { .index = 0, .num = POLL_US };
	struct kvhost_opts o = variant->ring;
	unsigned int i;

	self->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	must(!ioctl(self->k.fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s),
	     "VHOST_SET_VRING_BUSYLOOP_TIMEOUT %u: %m", POLL_US);
	for (i = 0; i < DEPTH; i++)
		blkreq_init(&self->r[i], &self->k.mem, GMEM_LOW, LEN);
}

FIXTURE_TEARDOWN(idle)
{
	kvhost_close(&self->k);
	close(self->fd);
}

/* Put @n requests into the ring, ringing for each as the device wishes. */
static void submit(struct _test_data_idle *self, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		blkreq_set(&self->r[i], VIRTIO_BLK_T_IN, i * (LEN / 512), LEN);
		must(blkreq_submit(&self->r[i], &self->k.q[0], NULL) >= 0, "ring full");
	}
}

/* Wait for @n. Return: whether all came and were good. */
static bool collect(struct _test_data_idle *self, unsigned int n)
{
	struct vq_used u[DEPTH];
	unsigned int i;

	if (vq_wait_used(&self->k.q[0], u, n) != n)
		return false;
	for (i = 0; i < n; i++)
		if (blkreq_status(u[i].cookie) != VIRTIO_BLK_S_OK)
			return false;
	return true;
}

/* One line of a thread's status: both counts of switches. */
static u64 switches_of(pid_t tid)
{
	char path[64], line[256];
	u64 sum = 0, n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %llu", &n) == 1)
			sum += n;
	fclose(f);
	return sum;
}

struct switches {
	unsigned int workers;
	u64 sum;
};

static void add_switches(const struct worker *w, void *arg)
{
	struct switches *s = arg;

	if (w->owner != getpid())
		return;
	s->workers++;
	s->sum += switches_of(w->tid);
}

/* How often our worker has been switched to; @workers: how many we have. */
static u64 worker_switches(unsigned int *workers)
{
	struct switches s = { };

	each_worker(add_switches, &s);
	*workers = s.workers;
	return s.sum;
}

TEST_F(idle, whatever_is_held_is_shown_in_the_end)
{
	unsigned int n, round;

	/* Deep enough bursts for the worker to hold, then one fewer each time. */
	for (round = 0; round < 4; round++)
		for (n = DEPTH; n; n--) {
			submit(self, n);
			ASSERT_TRUE(collect(self, n))
				TH_LOG("burst of %u, round %u", n, round);
		}
	/* One at a time, across several trials of the depth. */
	for (round = 0; round < 200; round++) {
		submit(self, 1);
		ASSERT_TRUE(collect(self, 1));
	}
}

TEST_F(idle, idle_device_wakes_nobody)
{
	unsigned int i, workers;
	u64 before, after;

	for (i = 0; i < 50; i++) {
		submit(self, DEPTH);
		ASSERT_TRUE(collect(self, DEPTH));
	}
	/* Until it has slept longer than any wait of the worker. */
	for (i = 0, after = 0; i < LIMIT_MS * 10 / POLL_US; i++) {
		before = after;
		usleep(100 * POLL_US);
		after = worker_switches(&workers);
		if (after == before)
			break;
	}
	before = after;
	ASSERT_EQ(workers, 1);
	ASSERT_GT(before, 0);
	usleep(IDLE_US);
	after = worker_switches(&workers);
	EXPECT_EQ(after, before);
	/* And it is still there. */
	submit(self, DEPTH);
	EXPECT_TRUE(collect(self, DEPTH));
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("idle", 1 << DISK_NULLB);
}

TEST_HARNESS_MAIN
