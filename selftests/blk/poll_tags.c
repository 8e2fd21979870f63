// SPDX-License-Identifier: GPL-2.0
/*
 * KVHOST_BLK_POLL on a disk that takes fewer requests at a time than a queue has:
 * the worker must not wait for one of them to end that only it can end.
 *
 *	queue, 32 requests --> null_blk with a poll queue of 3 tags
 */
#include <linux/vhost.h>
#include "disk.h"
#include "lib/load.h"

#define MB	8u
#define SECTORS	((u64)MB << 11)
#define DEPTH	32u
#define LEN_MAX	16384u
#define POLL_US	1000u
#define TOTAL	800u

static const char *few;

FIXTURE(poll_tags) {
	struct kvhost k;
	struct load l;
	struct leak before;
	int fd;
};

FIXTURE_SETUP(poll_tags)
{
	struct vhost_vring_state s = { .index = 0, .num = POLL_US };
	struct kvhost_opts o = { .size = 128, .flags = KVHOST_BLK_POLL };

	srandom(getpid());
	leak_snapshot(&self->before);
	self->fd = backing_open(few, O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	KVHOST_IOCTL(&self->k, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s);
	load_init(&self->l, &self->k, DEPTH, LEN_MAX);
}

FIXTURE_TEARDOWN(poll_tags)
{
	struct leak after;

	load_free(&self->l);
	kvhost_close(&self->k);
	close(self->fd);
	EXPECT_TRUE(leak_wait_clean(&self->before, &after));
}

TEST_F_TIMEOUT(poll_tags, the_worker_does_not_wait_for_what_it_has_to_ask_for, 60)
{
	struct kvhost_blk_queue_stats b = { .size = sizeof(b) };
	const struct load_opts o = {
		.total = TOTAL, .sectors = SECTORS, .unit = 8, .len_max = LEN_MAX, .reads = 60,
	};

	EXPECT_TRUE(load_run(&self->l, &o));
	KVHOST_IOCTL(&self->k, KVHOST_BLK_GET_QUEUE_STATS, &b);
	TH_LOG("%llu of %u were polled for", b.polled, TOTAL);
	EXPECT_EQ(TOTAL, b.requests[KVHOST_BLK_REQ_IN] + b.requests[KVHOST_BLK_REQ_OUT]);
	EXPECT_EQ(0, b.ioerr);
}

static void __attribute__((constructor)) make(void)
{
	struct nullb_opts o = { .mb = MB, .memory = true, .depth = 3 };
	int fd;

	disk_make("poll_tags", 0);
	few = backing_nullb("kvh_poll_tags", &o);
	if (!few) {
		printf("1..0 # SKIP this machine lacks null_blk\n");
		exit(KSFT_SKIP);
	}
	fd = backing_open(few, O_RDWR);
	load_fill(fd, SECTORS);
	close(fd);
}

TEST_HARNESS_MAIN
