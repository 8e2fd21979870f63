// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints kvhost:*: each happens as often as its counter counts, and
 * says the truth about the request it stands for.
 *
 * Events are recorded in a trace instance of our own, enabled before and
 * disabled after the I/O, never while it runs.
 */
#include <ctype.h>
#include <sys/stat.h>
#include "disk.h"

#define TRACEFS	"/sys/kernel/tracing"
#define LEN	4096u

#define EVENTS_MAX	4096

/**
 * struct event - one line of the trace
 * @name: of the event
 * @args: what follows it
 */
struct event {
	char name[32];
	char args[224];
};

FIXTURE(trace) {
	struct kvhost k;
	struct blkreq r;
	struct vq *q;
	char dir[96];
	struct event *ev;
	unsigned int n;
	int fd;
};

/* Fixture data of the harness cannot be reached from a function but by pointer. */
static bool put(const char *dir, const char *attr, const char *value)
{
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, attr);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, value, strlen(value));
	close(fd);
	return n == (ssize_t)strlen(value);
}

/* "  task-pid [cpu] flags time: event: arguments" */
static bool parse_line(const char *line, struct event *e)
{
	const char *at = strstr(line, ": kvh_");

	return *line != '#' && at &&
	       sscanf(at, ": %31[a-z_]: %223[^\n]", e->name, e->args) == 2;
}

static unsigned int read_trace(const char *dir, struct event *ev, unsigned int max)
{
	char path[256], line[512];
	unsigned int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", dir);
	f = fopen(path, "re");
	must(f, "%s: %m", path);
	while (n < max && fgets(line, sizeof(line), f))
		n += parse_line(line, &ev[n]);
	fclose(f);
	return n;
}

static const char *value_at(const struct event *e, const char *field)
{
	char key[40];
	const char *at;

	snprintf(key, sizeof(key), "%s=", field);
	at = strstr(e->args, key);
	must(at, "%s has no %s: %s", e->name, field, e->args);
	return at + strlen(key);
}

static long long value(const struct event *e, const char *field)
{
	return strtoll(value_at(e, field), NULL, 0);
}

static bool says(const struct event *e, const char *field, const char *word)
{
	const char *at = value_at(e, field);

	return !strncmp(at, word, strlen(word)) && !isalnum(at[strlen(word)]);
}

static bool ours(const struct event *e)
{
	return value(e, "owner") == getpid() && value(e, "queue") == 0 && value(e, "dev") > 0;
}

static unsigned int count(const struct event *ev, unsigned int n, const char *name)
{
	unsigned int c = 0;

	for (; n; n--, ev++)
		c += !strcmp(ev->name, name);
	return c;
}

/* Sum of a field over all events of a name. */
static u64 total(const struct event *ev, unsigned int n, const char *name, const char *field)
{
	u64 sum = 0;

	for (; n; n--, ev++)
		if (!strcmp(ev->name, name))
			sum += value(ev, field);
	return sum;
}

/* The @nth event of a name. */
static const struct event *find(const struct event *ev, unsigned int n, const char *name,
				unsigned int nth)
{
	for (; n; n--, ev++)
		if (!strcmp(ev->name, name) && !nth--)
			return ev;
	return NULL;
}

FIXTURE_SETUP(trace)
{
	struct kvhost_opts o = { };

	if (access(TRACEFS "/instances", F_OK))
		SKIP(return, "no tracefs in " TRACEFS);
	self->ev = calloc(EVENTS_MAX, sizeof(*self->ev));
	snprintf(self->dir, sizeof(self->dir), TRACEFS "/instances/kvhost-test-%d", getpid());
	ASSERT_EQ(0, mkdir(self->dir, 0700));
	ASSERT_TRUE(put(self->dir, "events/kvhost/enable", "1"));
	self->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, 65536);
	self->q = &self->k.q[0];
}

FIXTURE_TEARDOWN(trace)
{
	if (!self->dir[0])
		return;
	kvhost_close(&self->k);
	close(self->fd);
	put(self->dir, "events/kvhost/enable", "0");
	rmdir(self->dir);
	free(self->ev);
}

static void finish(struct _test_data_trace *self)
{
	/* Nothing of the queue happens after this. */
	kvhost_enable(&self->k, 0, 0);
	put(self->dir, "tracing_on", "0");
	self->n = read_trace(self->dir, self->ev, EVENTS_MAX);
}

TEST_F(trace, each_event_happens_as_often_as_it_is_counted)
{
	struct kvhost_vring_stats st;
	unsigned int i;

	for (i = 0; i < 20; i++)
		blk_do(&self->r, self->q, i & 1, 8 * i, LEN);
	finish(self);
	kvhost_stats(&self->k, 0, &st);
	ASSERT_LT(0, self->n);
	ASSERT_GT(EVENTS_MAX, self->n);
	for (i = 0; i < self->n; i++)
		EXPECT_TRUE(ours(&self->ev[i])) {
			TH_LOG("%s: %s", self->ev[i].name, self->ev[i].args);
		}
	EXPECT_EQ(1, count(self->ev, self->n, "kvh_vq_start"));
	EXPECT_EQ(1, count(self->ev, self->n, "kvh_vq_stop"));
	EXPECT_EQ(st.kicks, count(self->ev, self->n, "kvh_vq_kick"));
	EXPECT_EQ(st.polls, count(self->ev, self->n, "kvh_vq_poll"));
	EXPECT_EQ(20, st.chains);
	EXPECT_EQ(20, total(self->ev, self->n, "kvh_vq_take", "chains"));
	EXPECT_LE(1, st.signals);
	EXPECT_EQ(st.signals, count(self->ev, self->n, "kvh_vq_signal"));
	EXPECT_EQ(st.signals_suppressed, count(self->ev, self->n, "kvh_vq_suppress"));
	EXPECT_EQ(20, total(self->ev, self->n, "kvh_vq_signal", "chains") +
		      total(self->ev, self->n, "kvh_vq_suppress", "chains"));
	EXPECT_EQ(20, count(self->ev, self->n, "kvh_blk_start"));
	EXPECT_EQ(20, count(self->ev, self->n, "kvh_blk_complete"));
	EXPECT_EQ(0, count(self->ev, self->n, "kvh_vq_broken"));
}

static const struct {
	u32 type;
	u64 sector;
	u32 len;
	const char *name;
	int status;
	int error;
} asked[] = {
	{ VIRTIO_BLK_T_IN, 8, LEN, "in", VIRTIO_BLK_S_OK, 0 },
	{ VIRTIO_BLK_T_OUT, 4096, 2 * LEN, "out", VIRTIO_BLK_S_OK, 0 },
	{ VIRTIO_BLK_T_FLUSH, 0, 0, "flush", VIRTIO_BLK_S_OK, 0 },
	{ VIRTIO_BLK_T_GET_ID, 0, 20, "get_id", VIRTIO_BLK_S_OK, 0 },
	{ VIRTIO_BLK_T_IN, DISK_SECTORS, LEN, "in", VIRTIO_BLK_S_IOERR, -EINVAL },
	{ 0x4d, 17, 0, "0x4d", VIRTIO_BLK_S_UNSUPP, -EOPNOTSUPP },
};

TEST_F(trace, events_tell_what_was_asked_and_answered)
{
	struct kvhost_blk_queue_stats st = { .size = sizeof(st) };
	const struct event *s, *c;
	u64 latency = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(asked); i++)
		blk_do(&self->r, self->q, asked[i].type, asked[i].sector, asked[i].len);
	finish(self);
	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		s = find(self->ev, self->n, "kvh_blk_start", i);
		c = find(self->ev, self->n, "kvh_blk_complete", i);
		ASSERT_TRUE(s && c);
		EXPECT_TRUE(says(s, "type", asked[i].name) && says(c, "type", asked[i].name)) {
			TH_LOG("%s: %s", asked[i].name, c->args);
		}
		EXPECT_EQ(asked[i].sector, value(s, "sector"));
		EXPECT_EQ(asked[i].sector, value(c, "sector"));
		EXPECT_EQ(asked[i].len, value(s, "len"));
		EXPECT_EQ(asked[i].len, value(c, "len"));
		EXPECT_EQ(asked[i].status, value(c, "status"));
		EXPECT_EQ(asked[i].error, value(c, "error"));
		latency += value(c, "latency");
	}
	KVHOST_IOCTL(&self->k, KVHOST_BLK_GET_QUEUE_STATS, &st);
	EXPECT_LT(0, latency);
	EXPECT_EQ(latency, st.latency_ns[0] + st.latency_ns[1] + st.latency_ns[2] +
			   st.latency_ns[3]);
}

TEST_F(trace, a_broken_queue_says_why)
{
	const struct event *e;
	struct vq_buf hdr;

	blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, LEN);
	hdr = (struct vq_buf) { self->r.hdr, 0, false };
	ASSERT_LE(0, vq_add(self->q, &hdr, 1, NULL, &self->r));
	vq_kick(self->q);
	ASSERT_TRUE(kvhost_wait_state(&self->k, 0, KVHOST_VRING_BROKEN));
	finish(self);
	EXPECT_EQ(1, count(self->ev, self->n, "kvh_vq_broken"));
	e = find(self->ev, self->n, "kvh_vq_broken", 0);
	ASSERT_NE(NULL, e);
	EXPECT_TRUE(ours(e));
	EXPECT_EQ(FAULT_ZERO_LEN, value(e, "fault"));
	EXPECT_TRUE(says(e, "name", "zero-len")) {
		TH_LOG("%s", e->args);
	}
}

/* What cannot begin is not read from the ring over and over. */
TEST_F(trace, K20_chains_that_have_to_wait_are_read_once_more_at_most)
{
	struct kvhost_blk_limits l = { .size = sizeof(l), .iops = 200, .iops_burst = 1 };
	static struct blkreq r[32];
	struct vq_used u[32];
	unsigned int i;

	KVHOST_IOCTL(&self->k, KVHOST_BLK_SET_LIMITS, &l);
	for (i = 0; i < ARRAY_SIZE(r); i++) {
		blkreq_init(&r[i], &self->k.mem, GMEM_LOW, 512);
		blkreq_set(&r[i], VIRTIO_BLK_T_IN, 0, 512);
		ASSERT_LE(0, blkreq_submit(&r[i], self->q,
					   &(struct vq_shape) { .indirect = true }));
	}
	ASSERT_EQ(ARRAY_SIZE(r), vq_wait_used(self->q, u, ARRAY_SIZE(r)));
	finish(self);
	EXPECT_EQ(ARRAY_SIZE(r), count(self->ev, self->n, "kvh_blk_start"));
	EXPECT_GE(ARRAY_SIZE(r), total(self->ev, self->n, "kvh_vq_untake", "chains"));
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("trace", 1 << DISK_NULLB);
}

TEST_HARNESS_MAIN
