// SPDX-License-Identifier: GPL-2.0
/*
 * Tries attacks, each on a device of its own. See attack.h for what is required.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest.h"
#include "attack.h"

static bool works(struct attack *a, struct blkreq *r, unsigned int i)
{
	return blk_do(r, &a->k.q[i], VIRTIO_BLK_T_IN, 0, 512) == VIRTIO_BLK_S_OK;
}

/* Where a status byte can be written, was it? Waits for either outcome. */
static bool answered_ioerr(struct attack *a)
{
	struct vq *q = &a->k.q[0];
	struct pollfd p[2] = {
		{ .fd = q->err_fd, .events = POLLIN },
		{ .fd = q->call_fd, .events = POLLIN },
	};

	if (!vq_has_used(q))
		must(poll(p, 2, LIMIT_MS) > 0, "neither used nor broken");
	return vq_has_used(q) &&
	       blkreq_status(&a->r) == VIRTIO_BLK_S_IOERR;
}

/* Queue 0 is broken as it should be. Return: NULL, or what is not so. */
static const char *check_broken(struct attack *a, const struct row *row,
				const struct kvhost_vring_stats *before)
{
	struct vq *q = &a->k.q[0];
	struct kvhost_vring_stats st;
	unsigned int i;

	if (!eventfd_wait(q->err_fd, LIMIT_MS))
		return "the error eventfd stays silent";
	if (!kvhost_wait_state(&a->k, 0, KVHOST_VRING_BROKEN))
		return "the queue is not broken";
	kvhost_stats(&a->k, 0, &st);
	if (st.broken != before->broken + 1)
		return "it was not marked broken exactly once";
	st.faults[row->fault]--;
	for (i = 0; i < KVHOST_FAULTS_MAX; i++)
		if (st.faults[i] != before->faults[i]) {
			printf("# counter of fault %u is wrong\n", i);
			return "the fault was taken for another";
		}
	/* The error is told before the rest of the batch is done. */
	if (!kvhost_wait_idle(&a->k, 0))
		return "something is still in flight";
	if (vq_has_used(q) || blkreq_status(&a->r) != BLK_NO_STATUS)
		return "the chain came back as used";
	return NULL;
}

/* Queue 1 has noticed nothing. Return: NULL, or what is not so. */
static const char *check_other(struct attack *a, u64 broken)
{
	struct kvhost_vring_stats st;

	vq_kick_always(&a->k.q[0]);	/* more kicks do not wake it up */
	if (!works(a, &a->other, 1))
		return "the other queue does not work";
	kvhost_stats(&a->k, 1, &st);
	if (st.state != KVHOST_VRING_RUNNING || st.broken)
		return "the other queue is broken too";
	kvhost_stats(&a->k, 0, &st);
	return st.broken == broken ? NULL : "a kick broke the queue again";
}

static const char *try_row(struct attack *a, const struct row *row,
			   void (*lay)(struct attack *a, const struct row *row))
{
	struct kvhost_vring_stats before;
	const char *err;
	unsigned int i;

	if (!works(a, &a->r, 0))
		return "the queue does not work to begin with";
	kvhost_stats(&a->k, 0, &before);
	blkreq_set(&a->r, VIRTIO_BLK_T_IN, 0, 512);
	lay(a, row);
	vq_arm(&a->k.q[0]);
	vq_publish(&a->k.q[0]);
	vq_kick_always(&a->k.q[0]);
	if (row->or_ioerr && answered_ioerr(a))
		return check_other(a, before.broken);
	err = check_broken(a, row, &before);
	if (!err)
		err = check_other(a, before.broken + 1);
	if (err)
		return err;
	kvhost_revive(&a->k, 0);
	for (i = 0; i < 50; i++)
		if (!works(a, &a->r, 0))
			return "the queue does not revive";
	return eventfd_take(a->k.q[0].err_fd) ? "revived, it reports an error" : NULL;
}

/* Try a row on a device of its own. Return: NULL, or what is not so. */
static const char *attack_row(const struct stage *s, const struct row *row,
			      bool in_order)
{
	struct kvhost_opts o = s->ring;
	struct attack a;
	const char *err;

	o.fd = memfd_create("disk", MFD_CLOEXEC);
	must(o.fd >= 0 && !ftruncate(o.fd, 1 << 20), "memfd: %m");
	o.queues = 2;
	o.no_indirect = row->no_indirect;
	o.in_order = in_order;
	kvhost_start(&a.k, &o);
	blkreq_init(&a.r, &a.k.mem, GMEM_LOW, 4096);
	blkreq_init(&a.other, &a.k.mem, GMEM_LOW, 4096);
	err = try_row(&a, row, s->lay);
	kvhost_close(&a.k);
	close(o.fd);
	return err;
}

/**
 * attack_all() - be a test program that tries rows, out of order and in order
 * @s:    what to try them on
 * @rows: what to try
 * @n:    how many
 */
void attack_all(const struct stage *s, const struct row *rows, unsigned int n)
{
	unsigned int i, in_order;
	const char *err;

	ksft_print_header();
	ksft_set_plan(2 * n);
	for (in_order = 0; in_order < 2; in_order++)
		for (i = 0; i < n; i++) {
			err = attack_row(s, &rows[i], in_order);
			if (err)
				ksft_print_msg("%s\n", err);
			ksft_test_result(!err, "%s breaks its queue alone%s\n",
					 rows[i].name, in_order ? ", in order" : "");
		}
	ksft_finished();
}
