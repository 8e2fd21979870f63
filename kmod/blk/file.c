// SPDX-License-Identifier: GPL-2.0
/*
 * file.c - requests to a regular file.
 *
 * A file opened for direct I/O gets an asynchronous kiocb from the worker.
 * Buffered I/O has no asynchronous form: reads that the page cache can answer
 * are done at once, all else goes to a work queue, so that the worker never
 * waits for a disk.
 */
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/ioprio.h>
#include <linux/uio.h>
#include <linux/virtio_blk.h>
#include "blk.h"

static struct workqueue_struct *file_wq;

/**
 * blk_file_init() - make the work queue for what may block
 *
 * Context: Module init.
 * Return: 0 or -ENOMEM
 */
int blk_file_init(void)
{
	file_wq = alloc_workqueue("kvhost_blk", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return file_wq ? 0 : -ENOMEM;
}

/**
 * blk_file_exit() - undo blk_file_init()
 *
 * Context: Module exit.
 */
void blk_file_exit(void)
{
	destroy_workqueue(file_wq);
}

static bool is_write(const struct blk_req *req)
{
	return req->type == VIRTIO_BLK_T_OUT;
}

static void iocb_prepare(struct blk_req *req)
{
	struct file *file = req->disk->file;

	req->iocb = (struct kiocb){
		.ki_filp = file,
		.ki_pos = req->disk->start + (req->sector << SECTOR_SHIFT),
		.ki_flags = iocb_flags(file),
		.ki_ioprio = get_current_ioprio(),
	};
	if (req->durable)
		req->iocb.ki_flags |= IOCB_DSYNC;
}

/* A transfer ended with @ret bytes or an error; a short one is an error. */
static void rw_result(struct blk_req *req, ssize_t ret)
{
	if (ret != req->len)
		blk_req_error(req, ret < 0 ? ret : -EIO);
}

static ssize_t rw_once(struct blk_req *req, struct iov_iter *iter)
{
	struct file *file = req->disk->file;

	return is_write(req) ? file->f_op->write_iter(&req->iocb, iter) :
			       file->f_op->read_iter(&req->iocb, iter);
}

static void iter_prepare(struct blk_req *req, struct iov_iter *iter)
{
	iov_iter_bvec(iter, is_write(req) ? ITER_SOURCE : ITER_DEST, req->pin.bv,
		      req->pin.nr, req->len);
}

/* Go on until all is transferred: a signal-free context may still be cut short. */
static void rw_blocking(struct blk_req *req, struct iov_iter *iter)
{
	ssize_t ret;

	do {
		ret = rw_once(req, iter);
	} while (ret > 0 && iov_iter_count(iter));
	rw_result(req, ret < 0 ? ret : req->len - iov_iter_count(iter));
}

static void rw_work(struct work_struct *work)
{
	struct blk_req *req = container_of(work, struct blk_req, work);
	struct file *file = req->disk->file;
	struct iov_iter iter;

	iocb_prepare(req);
	iter_prepare(req, &iter);
	if (is_write(req))
		file_start_write(file);
	rw_blocking(req, &iter);
	if (is_write(req))
		file_end_write(file);
	blk_req_done(req);
}

static void flush_work_fn(struct work_struct *work)
{
	struct blk_req *req = container_of(work, struct blk_req, work);
	int ret = vfs_fsync(req->disk->file, 1);

	if (ret)
		blk_req_error(req, ret);
	blk_req_done(req);
}

static void defer(struct blk_req *req, work_func_t fn)
{
	INIT_WORK(&req->work, fn);
	queue_work(file_wq, &req->work);
}

static void direct_end(struct kiocb *iocb, long ret)
{
	struct blk_req *req = container_of(iocb, struct blk_req, iocb);

	if (is_write(req))
		kiocb_end_write(iocb);
	rw_result(req, ret);
	blk_req_done(req);
}

static void direct_rw(struct blk_req *req)
{
	struct iov_iter iter;
	ssize_t ret;

	iocb_prepare(req);
	req->iocb.ki_complete = direct_end;
	iter_prepare(req, &iter);
	if (is_write(req))
		kiocb_start_write(&req->iocb);
	ret = rw_once(req, &iter);
	if (ret != -EIOCBQUEUED)
		direct_end(&req->iocb, ret);
}

/* Return: true if the page cache had it all. */
static bool cached_read(struct blk_req *req)
{
	struct iov_iter iter;
	ssize_t ret;

	if (!(req->disk->file->f_mode & FMODE_NOWAIT))
		return false;
	iocb_prepare(req);
	req->iocb.ki_flags |= IOCB_NOWAIT;
	iter_prepare(req, &iter);
	ret = rw_once(req, &iter);
	return ret == req->len;
}

/**
 * blk_file_rw() - read or write a request's payload
 * @req: request, its payload mapped
 *
 * Context: Worker.
 */
void blk_file_rw(struct blk_req *req)
{
	if (req->disk->file->f_flags & O_DIRECT)
		direct_rw(req);
	else if (!is_write(req) && cached_read(req))
		blk_req_done(req);
	else
		defer(req, rw_work);
}

/**
 * blk_file_flush() - make completed writes durable
 * @req: request
 *
 * Context: Worker.
 */
void blk_file_flush(struct blk_req *req)
{
	defer(req, flush_work_fn);
}
