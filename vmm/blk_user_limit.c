// SPDX-License-Identifier: GPL-2.0
/*
 * blk_user_limit.c - hold chains back that are beyond the disk's limits.
 *
 * The buckets are those of kvhost_blk. A queue whose next chain does not fit
 * leaves it in the ring; one timeout in the io_uring wakes all queues that wait,
 * and which of them is served first changes from one time to the next.
 *
 * Called by the I/O thread.
 */
#include <linux/virtio_blk.h>

#include "blk_user.h"
#include "options.h"
#include "util.h"

#define NS_PER_S	1000000000ULL

/*
 * Longest wait at a time: other limits, or another queue's smaller request, may
 * make it shorter than it was when it began.
 */
#define WAIT_MAX_NS	(NS_PER_S / 10)

/* Header and status are no payload. */
static uint64_t payload(const struct kvh_chain *c)
{
	uint64_t n = (uint64_t)c->read_len + c->write_len;
	uint64_t frame = sizeof(struct virtio_blk_outhdr) + 1;

	if (n < frame)
		return 0;
	/* Not more than a bucket can count; both directions may come close to 4 GiB. */
	return n - frame < KVH_BUCKET_BURST_MAX ? n - frame : KVH_BUCKET_BURST_MAX;
}

static void arm(struct user_queue *q, uint64_t ns)
{
	struct blk_user *u = q->user;
	struct io_uring_sqe *sqe;

	if (u->waiting)
		return;
	sqe = blk_user_sqe(u, u, USER_TAG_LIMIT);
	if (!sqe) {
		q->work = true;
		return;
	}
	u->wait.tv_sec = 0;
	u->wait.tv_nsec = ns < WAIT_MAX_NS ? ns : WAIT_MAX_NS;
	io_uring_prep_timeout(sqe, &u->wait, 0, 0);
	/* Has no file; the ring asks it of every entry. */
	sqe->flags |= IOSQE_FIXED_FILE;
	u->waiting = true;
}

/**
 * user_limit_take() - may a chain begin now?
 * @q:     its queue
 * @chain: the chain
 *
 * Return: true if it may; else the queue works again when it is time.
 */
bool user_limit_take(struct user_queue *q, const struct kvh_chain *chain)
{
	struct kvh_limits *l = &q->user->limits;
	bool waited = q->waited;
	uint64_t bytes;

	q->waited = false;
	if (!kvh_limits_on(l))
		return true;
	bytes = payload(chain);
	if (kvh_limits_take(l, bytes, now_ns(), waited))
		return true;
	q->limited = true;
	arm(q, kvh_limits_wait(l, bytes));
	return false;
}

static void wake_all(struct blk_user *u)
{
	unsigned int i;

	for (i = 0; i < u->nqueues; i++)
		u->queues[i].work |= u->queues[i].limited;
}

/**
 * user_limit_passed() - the time a queue had to wait is over
 * @u: the disk
 */
void user_limit_passed(struct blk_user *u)
{
	u->waiting = false;
	u->first = (u->first + 1) % u->nqueues;
	wake_all(u);
}

/**
 * user_limit_set() - begin with other limits
 * @u:      the disk
 * @limits: the limits
 */
void user_limit_set(struct blk_user *u, const struct disk_limits *limits)
{
	uint64_t now = now_ns();

	kvh_bucket_set(&u->limits.ops, limits->iops, limits->iops_burst, now);
	kvh_bucket_set(&u->limits.bytes, limits->bps, limits->bps_burst, now);
	wake_all(u);
}
