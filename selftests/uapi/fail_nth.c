// SPDX-License-Identifier: GPL-2.0
/*
 * A call that is refused memory, or access to its argument, changes nothing:
 * it says so, and the same call made again succeeds. A request whose worker is
 * refused either is answered all the same.
 *
 * Every failure point of every call is tried, one at a time. The kernel has to
 * be one that fails on purpose (tools/testhost/debug-kernel).
 */
#include <sys/eventfd.h>
#include "lib/fault.h"
#include "node.h"

static void __attribute__((constructor)) faults_required(void)
{
	if (fault_possible())
		return;
	puts("1..0 # SKIP no fault injection: use the kernel of tools/testhost/debug-kernel");
	exit(KSFT_SKIP);
}

/* The arguments of all calls; a step names one by its offset. */
struct args {
	u64 features;
	u64 features_out;
	u64 log_base;
	int log_fd;
	u32 registered;
	u32 user;
	struct vhost_vring_worker own_worker;
	struct vhost_vring_worker attach;
	struct vhost_vring_state num;
	struct vhost_vring_state base;
	struct vhost_vring_state base_out;
	struct vhost_vring_state on;
	struct vhost_vring_state off;
	struct vhost_vring_addr addr;
	struct vhost_vring_file kick;
	struct vhost_vring_file call;
	struct vhost_vring_file err;
	struct kvhost_blk_backend backend;
	struct kvhost_blk_limits limits;
	struct kvhost_blk_config config;
	struct kvhost_vring_stats vring_stats;
	struct kvhost_blk_queue_stats blk_stats;
	struct vhost_memory *table;
};

/**
 * struct step - a call, and the one that takes it back
 * @name:     for messages
 * @req:      request
 * @arg:      offset of its argument
 * @undo:     request that takes it back, 0: none
 * @undo_arg: offset of that argument
 */
struct step {
	const char *name;
	unsigned long req;
	size_t arg;
	unsigned long undo;
	size_t undo_arg;
};

#define ARG(member)	offsetof(struct args, member)
#define STEP(req, member)	{ #req, req, ARG(member), 0, 0 }
#define PAIR(req, member, undo, back)	{ #req, req, ARG(member), undo, ARG(back) }

/* From an owner to a running queue; nothing is taken back but by a later step. */
static const struct step set_up[] = {
	PAIR(VHOST_SET_OWNER, user, VHOST_RESET_OWNER, user),
	STEP(VHOST_GET_FEATURES, features_out),
	STEP(VHOST_SET_FEATURES, features),
	STEP(VHOST_SET_MEM_TABLE, table),
	PAIR(KVHOST_SET_MEM_MODE, registered, KVHOST_SET_MEM_MODE, user),
	STEP(VHOST_SET_MEM_TABLE, table),
	STEP(KVHOST_SET_MEM_MODE, user),
	PAIR(VHOST_NEW_WORKER, attach.worker_id, VHOST_FREE_WORKER, attach.worker_id),
	STEP(VHOST_GET_VRING_WORKER, own_worker),
	STEP(VHOST_ATTACH_VRING_WORKER, attach),
	STEP(VHOST_SET_VRING_NUM, num),
	STEP(VHOST_SET_VRING_BASE, base),
	STEP(VHOST_SET_VRING_ADDR, addr),
	STEP(VHOST_SET_VRING_KICK, kick),
	STEP(VHOST_SET_VRING_CALL, call),
	STEP(VHOST_SET_VRING_ERR, err),
	STEP(VHOST_SET_LOG_BASE, log_base),
	STEP(VHOST_SET_LOG_FD, log_fd),
	STEP(KVHOST_BLK_SET_BACKEND, backend),
	STEP(KVHOST_BLK_SET_LIMITS, limits),
	STEP(KVHOST_BLK_GET_CONFIG, config),
	{ "KVHOST_BLK_RESIZE", KVHOST_BLK_RESIZE, 0, 0, 0 },
	PAIR(KVHOST_SET_VRING_ENABLE, on, KVHOST_SET_VRING_ENABLE, off),
	STEP(KVHOST_GET_VRING_STATS, vring_stats),
	STEP(KVHOST_BLK_GET_QUEUE_STATS, blk_stats),
	STEP(VHOST_SET_MEM_TABLE, table),
	PAIR(KVHOST_SET_MEM_MODE, registered, KVHOST_SET_MEM_MODE, user),
	STEP(KVHOST_SET_MEM_MODE, user),
};

static const struct step tear_down[] = {
	PAIR(KVHOST_SET_VRING_ENABLE, off, KVHOST_SET_VRING_ENABLE, on),
	STEP(VHOST_GET_VRING_BASE, base_out),
	PAIR(VHOST_RESET_OWNER, user, VHOST_SET_OWNER, user),
};

FIXTURE(fail_nth) {
	struct kvhost k;
	struct leak before;
	struct args a;
	const struct step *step;
	int disk;
};

static int make_call(struct _test_data_fail_nth *d, unsigned long req, size_t arg)
{
	void *p = (u8 *)&d->a + arg;

	/* The only argument of no fixed size stands behind a pointer. */
	return __kvhost_ioctl(d->k.fd, req, arg == ARG(table) ? (void *)d->a.table : p);
}

static int call_step(void *arg)
{
	struct _test_data_fail_nth *d = arg;

	return make_call(d, d->step->req, d->step->arg);
}

static int undo_step(void *arg)
{
	struct _test_data_fail_nth *d = arg;

	return d->step->undo ? make_call(d, d->step->undo, d->step->undo_arg) : 0;
}

static unsigned int each_step(struct _test_data_fail_nth *d, const struct step *s, unsigned int n)
{
	struct fault_call c = { .call = call_step, .undo = undo_step };
	unsigned int i, faults = 0;

	for (i = 0; i < n; i++) {
		d->step = &s[i];
		c.name = s[i].name;
		faults += fault_each(&c, d);
	}
	return faults;
}

static int call_open(void *arg)
{
	struct _test_data_fail_nth *d = arg;

	d->k.fd = open(KVHOST_BLK_NODE, O_RDWR | O_CLOEXEC);
	return d->k.fd < 0 ? -errno : 0;
}

static int call_close(void *arg)
{
	struct _test_data_fail_nth *d = arg;

	close(d->k.fd);
	return 0;
}

static void fill_args(struct _test_data_fail_nth *d)
{
	struct vq *q = &d->k.q[0];

	d->a = (struct args) {
		.features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX,
		.log_base = (unsigned long)d->k.mem.regions[GMEM_HIGH].va,
		.log_fd = d->k.q[1].err_fd,
		.registered = KVHOST_MEM_REGISTERED,
		.user = KVHOST_MEM_USER,
		.own_worker = { .index = 1 },
		.num = { 0, q->size },
		.base = { 0, vq_base(q) },
		.on = { 0, 1 },
		.off = { 0, 0 },
		.kick = { 0, q->kick_fd },
		.call = { 0, q->call_fd },
		.err = { 0, q->err_fd },
		.backend = { .size = sizeof(d->a.backend), .fd = d->disk },
		.limits = { .size = sizeof(d->a.limits) },
		.config = { .size = sizeof(d->a.config) },
		.vring_stats = { .size = sizeof(d->a.vring_stats) },
		.blk_stats = { .size = sizeof(d->a.blk_stats) },
		.table = gmem_table(&d->k.mem),
	};
	kvhost_vring_addr(&d->k, 0, &d->a.addr);
}

FIXTURE_SETUP(fail_nth)
{
	unsigned int i;

	self->disk = node_disk();
	leak_snapshot(&self->before);
	gmem_init(&self->k.mem);
	self->k.queues = 2;
	for (i = 0; i < self->k.queues; i++)
		vq_init(&self->k.q[i], &self->k.mem, 64, VQ_EVENT_IDX);
	fill_args(self);
}

FIXTURE_TEARDOWN(fail_nth)
{
	struct leak after;

	kvhost_close(&self->k);
	free(self->a.table);
	EXPECT_TRUE(leak_wait_clean(&self->before, &after));
	close(self->disk);
}

/* Every failure point of every call from open() to a running queue and back. */
TEST_F_TIMEOUT(fail_nth, a_call_that_fails_changes_nothing_and_can_be_made_again, 600)
{
	static const struct fault_call opening = { "open", call_open, call_close };
	unsigned int faults = fault_each(&opening, self);

	faults += each_step(self, set_up, ARRAY_SIZE(set_up));
	EXPECT_TRUE(node_works(&self->k, 0));
	faults += each_step(self, tear_down, ARRAY_SIZE(tear_down));
	TH_LOG("%u faults", faults);
	EXPECT_LT(100u, faults);
}

FIXTURE(worker) {
	struct kvhost k;
	struct kvhost_opts o;
	struct leak before;
	pid_t workers[FAULT_WORKERS];
};

static unsigned int arm_workers(struct _test_data_worker *d, unsigned int n)
{
	unsigned int i, found = fault_find_workers(d->workers);

	for (i = 0; i < found; i++)
		fault_arm(d->workers[i], n);
	return found;
}

/* Whether a worker has failed since. */
static bool disarm_workers(struct _test_data_worker *d, unsigned int found)
{
	bool failed = false;

	while (found--)
		failed |= fault_disarm(d->workers[found]);
	return failed;
}

/*
 * Send a request whose worker fails at its @n-th point; it is answered, or its
 * queue breaks because the worker could not read it.
 */
static bool request_fails_at(struct _test_data_worker *d, unsigned int n, u32 type, u32 len)
{
	struct kvhost_vring_stats st;
	struct blkreq r;
	unsigned int found;
	struct vq_used u;
	bool failed;
	int left;

	/* Its memory is the same each time. */
	d->k.mem.regions[GMEM_MID].used = 0;
	blkreq_init(&r, &d->k.mem, GMEM_MID, len ? len : 512);
	blkreq_set(&r, type, 8, len);
	found = arm_workers(d, n);
	must(found, "there is no worker");
	must(blkreq_submit(&r, &d->k.q[0], NULL) >= 0, "the ring is full");
	for (left = LIMIT_MS; left > 0; left -= 100) {
		if (vq_wait_used_ms(&d->k.q[0], &u, 1, 100))
			break;
		kvhost_stats(&d->k, 0, &st);
		if (st.state != KVHOST_VRING_RUNNING)
			break;
	}
	must(left > 0, "fault %u: the request is not answered", n);
	failed = disarm_workers(d, found);
	kvhost_stats(&d->k, 0, &st);
	if (st.state != KVHOST_VRING_RUNNING)
		kvhost_revive(&d->k, 0);
	return failed;
}

FIXTURE_VARIANT(worker) {
	u32 type;
	u32 len;
	bool registered;
};

FIXTURE_VARIANT_ADD(worker, read) { VIRTIO_BLK_T_IN, 4096 };
FIXTURE_VARIANT_ADD(worker, read_large) { VIRTIO_BLK_T_IN, 1 << 20 };
FIXTURE_VARIANT_ADD(worker, read_bounced) { VIRTIO_BLK_T_IN, 512 };
FIXTURE_VARIANT_ADD(worker, write) { VIRTIO_BLK_T_OUT, 4096 };
FIXTURE_VARIANT_ADD(worker, flush) { VIRTIO_BLK_T_FLUSH, 0 };
FIXTURE_VARIANT_ADD(worker, get_id) { VIRTIO_BLK_T_GET_ID, 20 };
FIXTURE_VARIANT_ADD(worker, read_registered) { VIRTIO_BLK_T_IN, 1 << 16, true };

FIXTURE_SETUP(worker)
{
	self->o = (struct kvhost_opts) { .fd = node_disk(), .registered = variant->registered };
	leak_snapshot(&self->before);
	kvhost_start(&self->k, &self->o);
}

FIXTURE_TEARDOWN(worker)
{
	struct leak after;

	kvhost_close(&self->k);
	EXPECT_TRUE(leak_wait_clean(&self->before, &after));
	close(self->o.fd);
}

TEST_F_TIMEOUT(worker, a_request_whose_worker_fails_is_answered, 600)
{
	unsigned int n;

	for (n = 1; n < FAULT_MOST; n++)
		if (!request_fails_at(self, n, variant->type, variant->len))
			break;
	TH_LOG("%u faults", n - 1);
	EXPECT_GT(FAULT_MOST, n);
	EXPECT_LT(1u, n);
	EXPECT_TRUE(node_works(&self->k, 0));
}

TEST_HARNESS_MAIN
