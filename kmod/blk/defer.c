// SPDX-License-Identifier: GPL-2.0
/*
 * defer.c - go on with a request where it may block.
 *
 * The worker never waits for a disk: what may block is handed to the work queue of
 * the disk. There it runs with the credentials of the process that set the
 * backend, and on the account of that process.
 */
#include <linux/cred.h>
#include "blk.h"

/*
 * Once the owner is gone nobody hears of the request, and a write that was never
 * answered may be lost. So work that has not begun then is left undone.
 */
static void defer_work(struct work_struct *work)
{
	struct blk_req *req = container_of(work, struct blk_req, work);
	struct mem_cgroup *memcg = blk_charge_begin(&req->disk->owner);
	const struct cred *old = override_creds(req->disk->cred);
	int ret = blk_req_orphaned(req) ? -EINTR : req->deferred(req);

	revert_creds(old);
	blk_charge_end(memcg);
	/* The request may be gone already, and its disk with it. */
	if (ret == -EIOCBQUEUED)
		return;
	if (ret)
		blk_req_error(req, ret);
	blk_req_done(req);
}

/**
 * blk_defer() - go on with a request where it may block
 * @req: request
 * @fn:  the work; returns 0, -errno, or -EIOCBQUEUED if something else will call
 *       blk_req_done()
 *
 * Context: Any, interrupts included.
 */
void blk_defer(struct blk_req *req, int (*fn)(struct blk_req *req))
{
	req->deferred = fn;
	INIT_WORK(&req->work, defer_work);
	queue_work(req->disk->wq, &req->work);
}
