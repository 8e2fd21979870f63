// SPDX-License-Identifier: GPL-2.0
/*
 * KVHOST_BLK_GET_QUEUE_STATS: every request is counted once, under what it
 * asked for, how it was answered and how long it took; counters can be read at
 * any time, whatever the queue and the rest of the device are doing.
 */
#include <pthread.h>
#include <stdatomic.h>
#include "kvhost_counters.h"
#include "disk.h"
#include "lib/proc.h"

#define LEN		4096u
#define AREA		65536u
#define DELAY_NS	1000000000ul	/* long enough to be looked at */
#define DEBUGFS		"/sys/kernel/debug/kvhost"

static const char *late_disk, *small_file;

static const struct kvhost_counter counters[] = KVHOST_BLK_COUNTERS;

static void blk_stats(struct kvhost *k, unsigned int i, struct kvhost_blk_queue_stats *st)
{
	memset(st, 0xff, sizeof(*st));
	st->index = i;
	st->size = sizeof(*st);
	KVHOST_IOCTL(k, KVHOST_BLK_GET_QUEUE_STATS, st);
}

static u64 sum(const __u64 *v, unsigned int n)
{
	u64 s = 0;

	while (n--)
		s += *v++;
	return s;
}

static u64 all_requests(const struct kvhost_blk_queue_stats *st)
{
	return sum(st->requests, KVHOST_BLK_REQ_NR);
}

static u64 all_latencies(const struct kvhost_blk_queue_stats *st)
{
	return sum(&st->latency[0][0], KVHOST_BLK_LAT_NR * KVHOST_BLK_LAT_BUCKETS);
}

static u64 in_class(const struct kvhost_blk_queue_stats *st, unsigned int class)
{
	return sum(st->latency[class], KVHOST_BLK_LAT_BUCKETS);
}

FIXTURE(stats) {
	struct kvhost k;
	struct blkreq r;
	struct vq *q;
	int fd;
};

FIXTURE_VARIANT(stats) {
	enum disk disk;
	bool packed;
};

FIXTURE_VARIANT_ADD(stats, null_blk) { .disk = DISK_NULLB };
FIXTURE_VARIANT_ADD(stats, null_blk_packed) { .disk = DISK_NULLB, .packed = true };
FIXTURE_VARIANT_ADD(stats, file) { .disk = DISK_TMPFS };

FIXTURE_SETUP(stats)
{
	struct kvhost_opts o = { .packed = variant->packed, .queues = 2, .serial = "abc" };

	self->fd = backing_open(disk_paths[variant->disk], O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, AREA);
	self->q = &self->k.q[0];
}

FIXTURE_TEARDOWN(stats)
{
	kvhost_close(&self->k);
	close(self->fd);
}

/* A request with one range of @sectors. */
static u8 do_range(struct blkreq *r, struct vq *q, u32 type, u64 sector, u32 sectors)
{
	struct virtio_blk_discard_write_zeroes seg = {
		.sector = sector, .num_sectors = sectors,
		.flags = type == VIRTIO_BLK_T_WRITE_ZEROES ?
			 VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0,
	};

	blkreq_set(r, type, 0, sizeof(seg));
	r->out = true;
	memcpy(gmem_va(r->mem, r->data), &seg, sizeof(seg));
	must(blkreq_submit(r, q, NULL) >= 0, "no descriptors");
	return blkreq_wait(r, q);
}

static void do_times(struct blkreq *r, struct vq *q, unsigned int times, u32 type, u64 sector,
		     u32 len)
{
	while (times--)
		blk_do(r, q, type, sector, len);
}

/* Another number of each type, so that no two can be mistaken for each other. */
static void some_of_each(struct blkreq *r, struct vq *q)
{
	unsigned int i;

	do_times(r, q, 9, VIRTIO_BLK_T_IN, 8, LEN);
	do_times(r, q, 7, VIRTIO_BLK_T_OUT, 16, 2 * LEN);
	do_times(r, q, 5, VIRTIO_BLK_T_FLUSH, 0, 0);
	do_times(r, q, 4, VIRTIO_BLK_T_GET_ID, 0, 20);
	for (i = 0; i < 3; i++)
		do_range(r, q, VIRTIO_BLK_T_DISCARD, 1024, 64);
	for (i = 0; i < 2; i++)
		do_range(r, q, VIRTIO_BLK_T_WRITE_ZEROES, 2048, 128);
	/* Refused: beyond the end, of no whole sectors, not possible, unknown. */
	do_times(r, q, 6, VIRTIO_BLK_T_IN, DISK_SECTORS, LEN);
	do_times(r, q, 1, VIRTIO_BLK_T_OUT, 0, 100);
	do_range(r, q, VIRTIO_BLK_T_SECURE_ERASE, 0, 8);
	do_times(r, q, 11, 77, 0, LEN);
}

TEST_F(stats, each_request_is_counted_once_under_what_it_was)
{
	bool bdev = variant->disk == DISK_NULLB;
	struct kvhost_blk_queue_stats st, other;

	some_of_each(&self->r, self->q);
	blk_stats(&self->k, 0, &st);
	EXPECT_EQ(0, st.index);
	EXPECT_EQ(sizeof(st), st.size);
	EXPECT_EQ(15, st.requests[KVHOST_BLK_REQ_IN]);
	EXPECT_EQ(8, st.requests[KVHOST_BLK_REQ_OUT]);
	EXPECT_EQ(5, st.requests[KVHOST_BLK_REQ_FLUSH]);
	EXPECT_EQ(4, st.requests[KVHOST_BLK_REQ_GET_ID]);
	EXPECT_EQ(3, st.requests[KVHOST_BLK_REQ_DISCARD]);
	EXPECT_EQ(2, st.requests[KVHOST_BLK_REQ_WRITE_ZEROES]);
	EXPECT_EQ(1, st.requests[KVHOST_BLK_REQ_SECURE_ERASE]);
	EXPECT_EQ(11, st.requests[KVHOST_BLK_REQ_OTHER]);
	EXPECT_EQ(9 * LEN, st.bytes[KVHOST_BLK_REQ_IN]);
	EXPECT_EQ(7 * 2 * LEN, st.bytes[KVHOST_BLK_REQ_OUT]);
	EXPECT_EQ(3 * 64 * 512, st.bytes[KVHOST_BLK_REQ_DISCARD]);
	EXPECT_EQ(2 * 128 * 512, st.bytes[KVHOST_BLK_REQ_WRITE_ZEROES]);
	EXPECT_EQ(0, st.bytes[KVHOST_BLK_REQ_SECURE_ERASE]);
	EXPECT_EQ(6 + 1, st.ioerr);
	EXPECT_EQ(1 + 11, st.unsupp);
	EXPECT_EQ(6 + 1 + 1 + 11, st.refused);
	EXPECT_EQ(0, sum(st.disk_errors, KVHOST_BLK_ERR_NR));
	EXPECT_EQ(0, st.dropped);
	EXPECT_EQ(1, st.in_flight_max);
	EXPECT_EQ(49, st.batches);
	EXPECT_EQ(bdev ? 9 + 7 + 5 : 0, st.bios);
	EXPECT_EQ(0, st.reserved1);
	EXPECT_EQ(0, st.bounced);
	EXPECT_EQ(0, st.reserved2);
	/* And nothing of it on the queue next door. */
	blk_stats(&self->k, 1, &other);
	EXPECT_EQ(1, other.index);
	EXPECT_EQ(0, all_requests(&other) + other.batches + other.bios + all_latencies(&other));
}

TEST_F(stats, the_histogram_holds_every_request)
{
	struct kvhost_blk_queue_stats st;
	unsigned int class, i;
	u64 least, most;

	some_of_each(&self->r, self->q);
	blk_stats(&self->k, 0, &st);
	EXPECT_EQ(all_requests(&st), all_latencies(&st));
	EXPECT_EQ(15, in_class(&st, KVHOST_BLK_LAT_READ));
	EXPECT_EQ(8, in_class(&st, KVHOST_BLK_LAT_WRITE));
	EXPECT_EQ(5, in_class(&st, KVHOST_BLK_LAT_FLUSH));
	EXPECT_EQ(4 + 3 + 2 + 1 + 11, in_class(&st, KVHOST_BLK_LAT_OTHER));
	/* The sum lies between the lower and the upper bounds of the buckets. */
	for (class = 0; class < KVHOST_BLK_LAT_NR; class++) {
		least = 0;
		most = 0;
		for (i = 0; i < KVHOST_BLK_LAT_BUCKETS; i++) {
			least += i ? st.latency[class][i] << i : 0;
			most += st.latency[class][i] << (i + 1);
		}
		EXPECT_LE(least, st.latency_ns[class]);
		EXPECT_GT(most, st.latency_ns[class]);
	}
}

TEST_F(stats, stopping_a_queue_keeps_its_counters)
{
	struct kvhost_blk_queue_stats before, st;

	do_times(&self->r, self->q, 3, VIRTIO_BLK_T_IN, 8, LEN);
	blk_stats(&self->k, 0, &before);
	kvhost_enable(&self->k, 0, 0);
	blk_stats(&self->k, 0, &st);
	EXPECT_EQ(0, memcmp(&before, &st, sizeof(st)));
	kvhost_revive(&self->k, 0);
	do_times(&self->r, self->q, 2, VIRTIO_BLK_T_IN, 8, LEN);
	blk_stats(&self->k, 0, &st);
	EXPECT_EQ(5, st.requests[KVHOST_BLK_REQ_IN]);
	EXPECT_EQ(5, in_class(&st, KVHOST_BLK_LAT_READ));
}

/* A chain that ends in the header: nothing to answer on, and the queue breaks. */
TEST_F(stats, a_broken_queue_can_be_read)
{
	struct kvhost_blk_queue_stats st;
	struct vq_buf hdr;
	unsigned int i;

	do_times(&self->r, self->q, 2, VIRTIO_BLK_T_IN, 8, LEN);
	blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, LEN);
	hdr = (struct vq_buf) { self->r.hdr, BLK_HDR, false };
	ASSERT_LE(0, vq_add(self->q, &hdr, 1, NULL, &self->r));
	vq_kick(self->q);
	ASSERT_TRUE(kvhost_wait_state(&self->k, 0, KVHOST_VRING_BROKEN));
	ASSERT_TRUE(kvhost_wait_idle(&self->k, 0));
	for (i = 0; i < 3; i++) {
		blk_stats(&self->k, 0, &st);
		EXPECT_EQ(1, st.dropped);
		EXPECT_EQ(2, all_requests(&st));
		EXPECT_EQ(2, all_latencies(&st));
		EXPECT_EQ(0, st.ioerr + st.unsupp + st.refused);
	}
}

/* Whether a histogram on a line has a bucket with so many. */
static bool shown_bucket(const char *line, const char *name, unsigned int bucket, u64 n)
{
	char key[64], values[1024];
	const char *at;

	snprintf(key, sizeof(key), " %s ", name);
	at = strstr(line, key);
	if (!at || sscanf(at + strlen(key), "%1022s", values + 1) != 1)
		return false;
	values[0] = ',';
	strcat(values, ",");
	snprintf(key, sizeof(key), ",%u:%llu,", bucket, n);
	return strstr(values, key);
}

/* The value of a counter on a line of "name value" pairs, or -1. */
static long long shown(const char *line, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), " %s ", name);
	at = strstr(line, key);
	return at ? atoll(at + strlen(key)) : -1;
}

/* The line of queue 0 in the only file of this process. */
static bool debugfs_line(char *line, size_t size)
{
	char cmd[128];
	FILE *f;
	bool ok;

	snprintf(cmd, sizeof(cmd), "cat " DEBUGFS "/blk-%d-* | grep '^queue 0 '", getpid());
	f = popen(cmd, "re");
	ok = f && fgets(line, size, f);
	if (f)
		pclose(f);
	return ok;
}

TEST_F(stats, debugfs_shows_the_same_under_the_documented_names)
{
	struct kvhost_blk_queue_stats st;
	char line[8192];
	unsigned int i, b;
	const u64 *v;

	some_of_each(&self->r, self->q);
	ASSERT_TRUE(debugfs_line(line, sizeof(line)));
	blk_stats(&self->k, 0, &st);
	EXPECT_NE(NULL, strstr(line, " state running "));
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		v = (const void *)&st + counters[i].off;
		if (counters[i].nr == 1) {
			EXPECT_EQ(*v, shown(line, counters[i].name)) {
				TH_LOG("%s", counters[i].name);
			}
			continue;
		}
		for (b = 0; b < counters[i].nr; b++) {
			EXPECT_EQ(v[b] != 0, shown_bucket(line, counters[i].name, b, v[b])) {
				TH_LOG("%s bucket %u: %llu", counters[i].name, b, v[b]);
			}
		}
	}
}

TEST(requests_of_a_batch_are_counted)
{
	struct kvhost_opts o = { .fd = backing_open(disk_paths[DISK_NULLB], O_RDWR) };
	struct kvhost_blk_queue_stats st;
	struct blkreq r[8];
	struct vq_used u[8];
	struct vq_buf bufs[3];
	struct kvhost k;
	unsigned int i;

	kvhost_start(&k, &o);
	for (i = 0; i < ARRAY_SIZE(r); i++) {
		blkreq_init(&r[i], &k.mem, GMEM_LOW, LEN);
		/* Six in a row, and two that touch none. */
		blkreq_set(&r[i], VIRTIO_BLK_T_IN, i < 6 ? 8 * i : 1000 * i, LEN);
		ASSERT_LE(0, vq_add(&k.q[0], bufs, blkreq_plain(&r[i], bufs), NULL, &r[i]));
	}
	vq_kick(&k.q[0]);
	ASSERT_EQ(8, vq_wait_used(&k.q[0], u, 8));
	blk_stats(&k, 0, &st);
	EXPECT_EQ(8, st.requests[KVHOST_BLK_REQ_IN]);
	EXPECT_EQ(1, st.batches);
	EXPECT_EQ(8, st.in_flight_max);
	EXPECT_EQ(8, st.bios);
	kvhost_close(&k);
	close(o.fd);
}

/* Payload cut where no sector ends goes through pages of our own. */
TEST(copied_payload_is_counted)
{
	struct kvhost_opts o = { .fd = backing_open(disk_paths[DISK_NULLB], O_RDWR) };
	struct kvhost_blk_queue_stats st;
	struct vq_buf bufs[4];
	struct vq_used u;
	struct kvhost k;
	struct blkreq r;

	kvhost_start(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, LEN);
	blkreq_set(&r, VIRTIO_BLK_T_IN, 0, LEN);
	bufs[0] = (struct vq_buf) { r.hdr, BLK_HDR, false };
	bufs[1] = (struct vq_buf) { r.data, 100, true };
	bufs[2] = (struct vq_buf) { r.data + 100, LEN - 100, true };
	bufs[3] = (struct vq_buf) { r.status, 1, true };
	ASSERT_LE(0, vq_add(&k.q[0], bufs, 4, NULL, &r));
	vq_kick(&k.q[0]);
	ASSERT_EQ(1, vq_wait_used(&k.q[0], &u, 1));
	blk_stats(&k, 0, &st);
	EXPECT_EQ(1, st.bounced);
	EXPECT_EQ(1, st.requests[KVHOST_BLK_REQ_IN]);
	EXPECT_EQ(LEN, st.bytes[KVHOST_BLK_REQ_IN]);
	kvhost_close(&k);
	close(o.fd);
}

TEST(what_the_disk_fails_is_told_from_what_was_refused)
{
	struct kvhost_opts o = { .fd = backing_open(disk_paths[DISK_NULLB], O_RDWR) };
	struct kvhost_blk_queue_stats st;
	struct kvhost k;
	struct blkreq r;

	ASSERT_EQ(0, __run("echo +5000-5007 >/sys/kernel/config/nullb/kvh_stats/badblocks"));
	kvhost_start(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, LEN);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, 5000, LEN));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &k.q[0], VIRTIO_BLK_T_OUT, 5000, LEN));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, DISK_SECTORS, LEN));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, 5008, LEN));
	blk_stats(&k, 0, &st);
	EXPECT_EQ(3, st.ioerr);
	EXPECT_EQ(1, st.refused);
	EXPECT_EQ(2, st.disk_errors[KVHOST_BLK_ERR_IO]);
	EXPECT_EQ(2, sum(st.disk_errors, KVHOST_BLK_ERR_NR));
	EXPECT_EQ(LEN, st.bytes[KVHOST_BLK_REQ_IN]);
	EXPECT_EQ(0, st.bytes[KVHOST_BLK_REQ_OUT]);
	kvhost_close(&k);
	close(o.fd);
	EXPECT_EQ(0, __run("echo -5000-5007 >/sys/kernel/config/nullb/kvh_stats/badblocks"));
}

TEST(a_full_file_system_has_a_counter_of_its_own)
{
	struct kvhost_opts o = { .fd = backing_open(small_file, O_RDWR) };
	struct kvhost_blk_queue_stats st;
	unsigned int i, failed = 0;
	struct kvhost k;
	struct blkreq r;

	kvhost_start(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, AREA);
	/* 2 MiB into 1 MiB. */
	for (i = 0; i < 32; i++)
		failed += blk_do(&r, &k.q[0], VIRTIO_BLK_T_OUT, i * (AREA / 512), AREA) ==
			  VIRTIO_BLK_S_IOERR;
	EXPECT_LE(16, failed);
	EXPECT_GT(32, failed);
	blk_stats(&k, 0, &st);
	EXPECT_EQ(failed, st.ioerr);
	EXPECT_EQ(failed, st.disk_errors[KVHOST_BLK_ERR_NOSPC]);
	EXPECT_EQ(0, st.refused);
	EXPECT_EQ((u64)(32 - failed) * AREA, st.bytes[KVHOST_BLK_REQ_OUT]);
	kvhost_close(&k);
	close(o.fd);
}

/* What takes a second is seen to be with the disk, and found in the right bucket. */
TEST(a_busy_queue_can_be_read)
{
	struct kvhost_opts o = { .fd = backing_open(late_disk, O_RDWR) };
	struct kvhost_blk_queue_stats st;
	struct kvhost_vring_stats core;
	struct vq_buf bufs[3];
	struct vq_used u[4];
	struct blkreq r[4];
	struct kvhost k;
	unsigned int i;
	int left;

	kvhost_start(&k, &o);
	for (i = 0; i < ARRAY_SIZE(r); i++) {
		blkreq_init(&r[i], &k.mem, GMEM_LOW, LEN);
		blkreq_set(&r[i], VIRTIO_BLK_T_IN, 1000 * i, LEN);
		ASSERT_LE(0, vq_add(&k.q[0], bufs, blkreq_plain(&r[i], bufs), NULL, &r[i]));
	}
	vq_kick(&k.q[0]);
	for (left = LIMIT_MS; left > 0; left--) {
		blk_stats(&k, 0, &st);
		if (st.in_flight_max == 4)
			break;
		usleep(1000);
	}
	EXPECT_EQ(4, st.in_flight_max);
	EXPECT_EQ(0, all_requests(&st));
	EXPECT_EQ(0, all_latencies(&st));
	kvhost_stats(&k, 0, &core);
	EXPECT_EQ(4, core.in_flight);
	ASSERT_EQ(4, vq_wait_used(&k.q[0], u, 4));
	blk_stats(&k, 0, &st);
	EXPECT_EQ(4, st.requests[KVHOST_BLK_REQ_IN]);
	EXPECT_LE(4 * DELAY_NS, st.latency_ns[KVHOST_BLK_LAT_READ]);
	/* A second and more: 2^29 ns is half a second. */
	EXPECT_EQ(4, sum(&st.latency[KVHOST_BLK_LAT_READ][29], KVHOST_BLK_LAT_BUCKETS - 29));
	kvhost_close(&k);
	close(o.fd);
}

struct stopper {
	struct kvhost *k;
	atomic_int tid;
	atomic_bool stopped;
};

static void *stop_queue(void *arg)
{
	struct stopper *s = arg;

	s->tid = gettid();
	kvhost_enable(s->k, 0, 0);
	s->stopped = true;
	return NULL;
}

/*
 * Stop queue 0 with a request in flight, and read its counters meanwhile. Return: how
 * often that was done before the disk answered, 0 as well if the call was not caught
 * waiting for it, with the device's lock.
 */
static unsigned int reads_of_a_drain(struct kvhost *k, struct blkreq *r)
{
	struct stopper s = { .k = k };
	struct kvhost_blk_queue_stats st;
	struct kvhost_vring_stats core;
	unsigned int reads = 0;
	char line[8192];
	pthread_t t;

	blkreq_set(r, VIRTIO_BLK_T_IN, 0, LEN);
	must(blkreq_submit(r, &k->q[0], NULL) >= 0, "ring full");
	do
		kvhost_stats(k, 0, &core);
	while (!core.in_flight && !vq_has_used(&k->q[0]));
	must(!pthread_create(&t, NULL, stop_queue, &s), "pthread_create");
	while (!s.tid)
		sched_yield();
	if (core.in_flight && wait_blocked(s.tid))
		for (; reads < 20; reads++) {
			blk_stats(k, 0, &st);
			kvhost_stats(k, 0, &core);
			if (vq_has_used(&k->q[0]))
				break;
		}
	must(s.stopped || debugfs_line(line, sizeof(line)), "debugfs has no line of the queue");
	must(!pthread_join(t, NULL), "pthread_join");
	kvhost_enable(k, 0, 1);
	must(blkreq_wait(r, &k->q[0]) == VIRTIO_BLK_S_OK, "the request failed");
	return reads;
}

/* Whoever drains a queue holds the device's lock; counters are read all the same. */
TEST(a_device_that_drains_can_be_read)
{
	struct kvhost_opts o = { .fd = backing_open(late_disk, O_RDWR) };
	unsigned int reads = 0, tries;
	struct kvhost k;
	struct blkreq r;

	kvhost_start(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, LEN);
	/* A slow machine may be too late now and then. */
	for (tries = 0; !reads && tries < 5; tries++)
		reads = reads_of_a_drain(&k, &r);
	EXPECT_LE(1, reads);
	kvhost_close(&k);
	close(o.fd);
}

TEST(reading_has_its_rules)
{
	struct kvhost_blk_queue_stats st = { .size = sizeof(st) };
	struct {
		struct kvhost_blk_queue_stats st;
		u64 newer[4];
	} longer = { .st.size = sizeof(longer), .newer = { 1, 2, 3, 4 } };
	struct kvhost_opts o = { .fd = backing_open(disk_paths[DISK_NULLB], O_RDWR) };
	const unsigned long grown = _IOC(_IOC_READ | _IOC_WRITE, KVHOST_IOCTL_TYPE,
					 _IOC_NR(KVHOST_BLK_GET_QUEUE_STATS), sizeof(longer));
	struct kvhost k;
	int fd;

	fd = open(KVHOST_BLK_NODE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, __kvhost_ioctl(fd, KVHOST_BLK_GET_QUEUE_STATS, &st));
	close(fd);
	kvhost_prepare(&k, &o);
	/* Not started yet: nothing was counted. */
	blk_stats(&k, 0, &st);
	EXPECT_EQ(sizeof(st), st.size);
	EXPECT_EQ(0, all_requests(&st) + all_latencies(&st) + st.batches);
	st.index = KVHOST_BLK_QUEUES_MAX;
	EXPECT_EQ(-ENOBUFS, __kvhost_ioctl(k.fd, KVHOST_BLK_GET_QUEUE_STATS, &st));
	st.index = 0;
	st.size = 4;
	EXPECT_EQ(-EINVAL, __kvhost_ioctl(k.fd, KVHOST_BLK_GET_QUEUE_STATS, &st));
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(k.fd, KVHOST_BLK_GET_QUEUE_STATS, NULL));
	/* An older caller gets what it has room for, a newer one what there is. */
	st.size = 16;
	st.requests[1] = 12345;
	EXPECT_EQ(0, __kvhost_ioctl(k.fd, KVHOST_BLK_GET_QUEUE_STATS, &st));
	EXPECT_EQ(sizeof(st), st.size);
	EXPECT_EQ(12345, st.requests[1]);
	EXPECT_EQ(0, __kvhost_ioctl(k.fd, grown, &longer));
	EXPECT_EQ(sizeof(st), longer.st.size);
	EXPECT_EQ(4, longer.newer[3]);
	kvhost_close(&k);
	close(o.fd);
}

static void __attribute__((constructor)) make_disks(void)
{
	struct nullb_opts late = { .mb = DISK_MB, .delay_ns = DELAY_NS };

	disk_make("stats", 1 << DISK_NULLB | 1 << DISK_TMPFS);
	late_disk = backing_nullb("kvh_stats_late", &late);
	small_file = backing_full(1, 4);
	if (!late_disk || !small_file) {
		printf("1..0 # SKIP this machine cannot make a slow disk or a full one\n");
		exit(KSFT_SKIP);
	}
}

TEST_HARNESS_MAIN
