// SPDX-License-Identifier: GPL-2.0
/*
 * file.c - requests to a regular file.
 *
 * A file opened for direct I/O gets an asynchronous kiocb from the worker, as
 * long as that does not have to wait for a lock or for blocks to be allocated.
 * Buffered I/O has no asynchronous form: reads that the page cache can answer
 * are done at once. All else goes to the disk's work queue, so that the worker
 * never waits for the medium. All of it is done with the credentials of whoever
 * set the backend, not with those of a kernel thread.
 */
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/ioprio.h>
#include <linux/uio.h>
#include <linux/virtio_blk.h>
#include "blk.h"

static bool is_write(const struct blk_req *req)
{
	return req->ask.type == VIRTIO_BLK_T_OUT;
}

static void iocb_prepare(struct blk_req *req)
{
	req->iocb = (struct kiocb){
		.ki_filp = req->disk->file,
		.ki_pos = req->disk->start + (req->ask.sector << SECTOR_SHIFT) + req->moved,
		.ki_flags = req->disk->iocb_flags,
		.ki_ioprio = get_current_ioprio(),
	};
	if (is_write(req))
		req->iocb.ki_flags |= IOCB_WRITE;
	if (req->durable)
		req->iocb.ki_flags |= IOCB_DSYNC;
}

static ssize_t rw_once(struct blk_req *req, struct iov_iter *iter)
{
	const struct cred *old = override_creds(req->disk->cred);
	struct file *file = req->disk->file;
	ssize_t ret;

	ret = is_write(req) ? file->f_op->write_iter(&req->iocb, iter) :
			      file->f_op->read_iter(&req->iocb, iter);
	revert_creds(old);
	return ret;
}

/* What is left of the payload. */
static void iter_prepare(struct blk_req *req, struct iov_iter *iter)
{
	iov_iter_bvec(iter, is_write(req) ? ITER_SOURCE : ITER_DEST, req->pin.bv,
		      req->pin.nr, req->ask.len);
	iov_iter_advance(iter, req->moved);
}

static void rw_work(struct work_struct *work)
{
	struct blk_req *req = container_of(work, struct blk_req, work);
	struct mem_cgroup *memcg = blk_charge_begin(&req->disk->owner);
	struct iov_iter iter;
	ssize_t ret;

	/* A file may move less than it was asked to; nothing at all is an error. */
	do {
		iocb_prepare(req);
		iter_prepare(req, &iter);
		if (is_write(req))
			file_start_write(req->disk->file);
		ret = rw_once(req, &iter);
		if (is_write(req))
			file_end_write(req->disk->file);
		if (ret > 0)
			req->moved += ret;
	} while (ret > 0 && req->moved < req->ask.len);
	blk_charge_end(memcg);
	if (req->moved < req->ask.len)
		blk_req_error(req, ret < 0 ? ret : -EIO);
	blk_req_done(req);
}

/**
 * blk_file_sync() - make a file's completed writes durable
 * @disk: disk that is a file
 *
 * The page cache drops what could not be written back, and fsync() tells each
 * open file once. The guest, though, may ask on several queues, or again: what
 * was lost stays lost, so every flush from then on fails.
 *
 * Context: Process context. May sleep.
 * Return: 0 or -errno
 */
int blk_file_sync(const struct blk_disk *disk)
{
	int ret = vfs_fsync(disk->file, 1);

	return ret ? ret : errseq_check(&disk->file->f_mapping->wb_err, disk->wb_err);
}

static void flush_work_fn(struct work_struct *work)
{
	struct blk_req *req = container_of(work, struct blk_req, work);
	struct mem_cgroup *memcg = blk_charge_begin(&req->disk->owner);
	const struct cred *old = override_creds(req->disk->cred);
	int ret = blk_file_sync(req->disk);

	revert_creds(old);
	blk_charge_end(memcg);
	if (ret)
		blk_req_error(req, ret);
	blk_req_done(req);
}

/* May be called from interrupt context. */
static void direct_end(struct kiocb *iocb, long ret)
{
	struct blk_req *req = container_of(iocb, struct blk_req, iocb);

	if (is_write(req))
		kiocb_end_write(iocb);
	/* The rest, or all of it, has to be waited for. */
	if ((ret > 0 && ret < req->ask.len) ||
	    (ret == -EAGAIN && (iocb->ki_flags & IOCB_NOWAIT))) {
		req->moved = max(ret, 0L);
		blk_defer(req, rw_work);
		return;
	}
	if (ret != req->ask.len)
		blk_req_error(req, ret < 0 ? ret : -EIO);
	blk_req_done(req);
}

/* As kiocb_start_write(), but for waiting while the file system is frozen. */
static bool direct_start_write(struct blk_req *req)
{
	struct super_block *sb = file_inode(req->disk->file)->i_sb;

	if (!sb_start_write_trylock(sb))
		return false;
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	return true;
}

static void direct_rw(struct blk_req *req)
{
	struct iov_iter iter;
	ssize_t ret;

	if (is_write(req) && !direct_start_write(req)) {
		blk_defer(req, rw_work);
		return;
	}
	iocb_prepare(req);
	req->iocb.ki_complete = direct_end;
	if (req->disk->file->f_mode & FMODE_NOWAIT)
		req->iocb.ki_flags |= IOCB_NOWAIT;
	iter_prepare(req, &iter);
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
	if (ret > 0)
		req->moved = ret;
	return ret == req->ask.len;
}

/**
 * blk_file_rw() - read or write a request's payload
 * @req: request, its payload mapped
 *
 * Context: Worker.
 */
void blk_file_rw(struct blk_req *req)
{
	if (req->disk->iocb_flags & IOCB_DIRECT)
		direct_rw(req);
	else if (!is_write(req) && cached_read(req))
		blk_req_done(req);
	else
		blk_defer(req, rw_work);
}

/**
 * blk_file_flush() - make completed writes durable
 * @req: request
 *
 * Context: Worker.
 */
void blk_file_flush(struct blk_req *req)
{
	blk_defer(req, flush_work_fn);
}
