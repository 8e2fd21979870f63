// SPDX-License-Identifier: GPL-2.0
/*
 * blk_user_halt.c - stop a queue at an error of the disk (error=stop).
 *
 * As kvhost_blk does it: a request that the disk fails is kept, its queue takes
 * nothing more, and the main thread is told. It is issued again, or answered, when
 * `kvhost ctl` says so; it is answered when the queue is to stop. Only reads,
 * writes and flushes stop a queue here.
 *
 * Called by the I/O thread.
 */
#include <errno.h>
#include <string.h>

#include "blk_user.h"
#include "disk.h"
#include "event.h"
#include "options.h"
#include "util.h"

static bool failed(const struct blk_request *req, int res)
{
	if (res == -EINTR || res == -EAGAIN || res == -EOPNOTSUPP)
		return false;
	if (req->op == BLK_FLUSH)
		return res < 0;
	return res <= 0 && (req->op == BLK_READ || req->op == BLK_WRITE);
}

static uint32_t type_of(const struct blk_request *req)
{
	if (req->op == BLK_READ)
		return VIRTIO_BLK_T_IN;
	return req->op == BLK_WRITE ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_FLUSH;
}

static void note(struct user_queue *q, const struct blk_request *req, int res)
{
	struct blk_user *u = q->user;
	struct kvhost_blk_error *f = &u->failed;
	uint64_t pos = req->pos + req->left - req->bytes;

	pthread_mutex_lock(&u->lock);
	if (!f->held) {
		f->queue = q - u->queues;
		f->type = type_of(req);
		f->error = res ? res : -EIO;
		f->sector = req->bytes ?
			    (pos - u->setup->disk->offset) / DISK_SECTOR : 0;
		f->bytes = req->bytes;
	}
	f->held++;
	f->count++;
	pthread_mutex_unlock(&u->lock);
}

/**
 * user_halt_keep() - is a piece of I/O that ended one to stop at?
 * @q:   its queue
 * @req: its request
 * @res: bytes, or -errno
 *
 * Return: true if it is; then the request is kept here.
 */
bool user_halt_keep(struct user_queue *q, struct blk_request *req, int res)
{
	if (!failed(req, res) || !q->running ||
	    q->user->setup->opt->error != DISK_ERROR_STOP)
		return false;
	note(q, req, res);
	req->next = q->held;
	q->held = req;
	event_raise(q->user->setup->err_fd);
	return true;
}

/**
 * user_halt_resume() - go on with what a queue keeps
 * @q:      the queue
 * @action: KVHOST_BLK_RETRY or KVHOST_BLK_REPORT
 */
void user_halt_resume(struct user_queue *q, uint32_t action)
{
	struct blk_request *req = q->held, *next, *first = NULL;
	struct blk_user *u = q->user;
	unsigned int n = 0;

	q->held = NULL;
	q->work = true;
	/* In the order in which they failed. */
	for (; req; req = next, n++) {
		next = req->next;
		req->next = first;
		first = req;
	}
	pthread_mutex_lock(&u->lock);
	u->failed.held -= n;
	pthread_mutex_unlock(&u->lock);
	for (req = first; req; req = next) {
		next = req->next;
		if (action == KVHOST_BLK_REPORT)
			blk_request_done(req, -EIO);
		user_queue_retry(q, req);
	}
}

/* Return: true if the end of @req told how it went to make data durable. */
static bool synced(const struct blk_request *req)
{
	switch (req->op) {
	case BLK_FLUSH:
		return true;
	case BLK_WRITE:
		return req->durable;
	case BLK_RANGES:
		return req->unsynced;
	default:
		return false;
	}
}

/**
 * user_halt_note_lost() - remember that the host lost writes of the guest
 * @u:   the disk
 * @req: a request that ended
 * @res: bytes, or -errno
 *
 * The page cache drops what it cannot write back, and an open file is told once.
 * The guest may ask again, or on another queue: from then on every flush fails,
 * until the VM ends. Direct I/O to a device does not go through the page cache.
 */
void user_halt_note_lost(struct blk_user *u, const struct blk_request *req,
			 int res)
{
	const struct disk *disk = u->setup->disk;

	if (res >= 0 || res == -EINTR || res == -EAGAIN || res == -EOPNOTSUPP)
		return;
	if (u->lost || !synced(req) || (disk->direct && disk->device))
		return;
	u->lost = res;
	log_warn("%s: '%s' lost data that was written to it: %s; every flush fails until the VM is started anew",
		 u->setup->name, disk->path, strerror(-res));
}
