// SPDX-License-Identifier: GPL-2.0
/*
 * file.c - requests to a regular file.
 *
 * A file opened for direct I/O gets an asynchronous kiocb from the worker, as
 * long as that does not have to wait for a lock or for blocks to be allocated.
 * Buffered I/O has no asynchronous form: reads that the page cache can answer
 * are done at once. All else is deferred, so that the worker never waits for the
 * medium. So is all I/O on a file that does not know IOCB_NOWAIT.
 *
 * The I/O has the credentials of the process that set the backend, not those of a
 * kernel thread. Each transfer passes rw_verify_area(), because permissions may
 * have been revoked since the file was opened.
 */
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/ioprio.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/virtio_blk.h>
#include "blk.h"

/* Pages of zeroes written at a time: 1 MiB, and as many bio_vecs as fit one page. */
#define ZERO_PAGES	256

static bool is_write(const struct blk_req *req)
{
	return req->ask.type == VIRTIO_BLK_T_OUT;
}

/* Does a call on the file return at once if it is asked to? */
static bool file_can_nowait(const struct blk_disk *disk)
{
	return disk->file->f_mode & FMODE_NOWAIT;
}

static void iocb_prepare(struct blk_req *req, int flags)
{
	req->iocb = (struct kiocb){
		.ki_filp = req->disk->file,
		.ki_pos = req->disk->start + (req->ask.sector << SECTOR_SHIFT) +
			  req->at + req->moved,
		.ki_flags = req->disk->iocb_flags | flags,
		.ki_ioprio = get_current_ioprio(),
	};
	if (is_write(req))
		req->iocb.ki_flags |= IOCB_WRITE;
	if (req->durable)
		req->iocb.ki_flags |= IOCB_DSYNC;
}

/*
 * kiocb_start_write(), which waits while the file system is frozen; with
 * IOCB_NOWAIT -EAGAIN then. kiocb_end_write() undoes it in any context.
 */
static int start_write(struct kiocb *iocb)
{
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	if (!(iocb->ki_flags & IOCB_NOWAIT)) {
		kiocb_start_write(iocb);
		return 0;
	}
	if (!sb_start_write_trylock(sb))
		return -EAGAIN;
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	return 0;
}

/*
 * Read or write. vfs_iocb_iter_write() does not serve: on newer kernels it waits
 * for a frozen file system even with IOCB_NOWAIT, on older ones it does not guard
 * against freezing at all. Events for inotify follow in blk_file_finish().
 */
static ssize_t file_rw(struct kiocb *iocb, struct iov_iter *iter)
{
	struct file *file = iocb->ki_filp;
	bool write = iocb->ki_flags & IOCB_WRITE;
	ssize_t ret;

	ret = rw_verify_area(write ? WRITE : READ, file, &iocb->ki_pos, iov_iter_count(iter));
	if (ret)
		return ret;
	if (!write)
		return file->f_op->read_iter(iocb, iter);
	ret = start_write(iocb);
	if (ret)
		return ret;
	ret = file->f_op->write_iter(iocb, iter);
	if (ret != -EIOCBQUEUED)
		kiocb_end_write(iocb);
	return ret;
}

/* What is left of the payload. */
static void iter_prepare(struct blk_req *req, struct iov_iter *iter)
{
	iov_iter_bvec(iter, is_write(req) ? ITER_SOURCE : ITER_DEST, req->pin.bv,
		      req->pin.nr, req->len);
	iov_iter_advance(iter, req->moved);
}

/* Deferred: move what is left. A file may move less than it was asked to. */
static int rw_wait(struct blk_req *req)
{
	struct iov_iter iter;
	ssize_t ret;

	while (req->moved < req->len) {
		if (blk_req_orphaned(req))
			return -EINTR;
		iocb_prepare(req, 0);
		iter_prepare(req, &iter);
		ret = file_rw(&req->iocb, &iter);
		/* Nothing at all is an error. */
		if (ret <= 0)
			return ret ? ret : -EIO;
		req->moved += ret;
	}
	return 0;
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

static int flush_wait(struct blk_req *req)
{
	return blk_file_sync(req->disk);
}

/* Direct I/O came to @ret. May be called from interrupt context. */
static void direct_end(struct blk_req *req, long ret)
{
	/* The rest, or all of it, has to be waited for. */
	if ((ret > 0 && ret < req->len) ||
	    (ret == -EAGAIN && (req->iocb.ki_flags & IOCB_NOWAIT))) {
		req->moved = max(ret, 0L);
		blk_defer(req, rw_wait);
		return;
	}
	if (ret != req->len)
		blk_req_error(req, ret < 0 ? ret : -EIO);
	blk_req_done(req);
}

static void direct_complete(struct kiocb *iocb, long ret)
{
	if (iocb->ki_flags & IOCB_WRITE)
		kiocb_end_write(iocb);
	direct_end(container_of(iocb, struct blk_req, iocb), ret);
}

static ssize_t direct_submit(struct blk_req *req, int flags)
{
	struct iov_iter iter;

	iocb_prepare(req, flags);
	req->iocb.ki_complete = direct_complete;
	iter_prepare(req, &iter);
	return file_rw(&req->iocb, &iter);
}

/* Deferred: only the submission may wait, and many may be in flight. */
static int direct_wait(struct blk_req *req)
{
	ssize_t ret = direct_submit(req, 0);

	if (ret <= 0)
		return ret ? ret : -EIO;
	req->moved = ret;
	return rw_wait(req);
}

static void direct_rw(struct blk_req *req)
{
	const struct cred *old;
	ssize_t ret;

	/* Such a call may wait for a server, and the queue's lock is held. */
	if (!file_can_nowait(req->disk)) {
		blk_defer(req, direct_wait);
		return;
	}
	old = override_creds(req->disk->cred);
	ret = direct_submit(req, IOCB_NOWAIT);
	revert_creds(old);
	if (ret != -EIOCBQUEUED)
		direct_end(req, ret);
}

/* Return: true if the page cache had it all. */
static bool cached_read(struct blk_req *req)
{
	const struct cred *old;
	struct iov_iter iter;
	ssize_t ret;

	if (!file_can_nowait(req->disk))
		return false;
	iocb_prepare(req, IOCB_NOWAIT);
	iter_prepare(req, &iter);
	old = override_creds(req->disk->cred);
	ret = file_rw(&req->iocb, &iter);
	revert_creds(old);
	if (ret > 0)
		req->moved = ret;
	return ret == req->len;
}

/**
 * blk_file_rw() - read or write a piece of a request's payload
 * @req: request, the piece mapped
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
		blk_defer(req, rw_wait);
}

/**
 * blk_file_flush() - make completed writes durable
 * @req: request
 *
 * Context: Worker.
 */
void blk_file_flush(struct blk_req *req)
{
	blk_defer(req, flush_wait);
}

/**
 * blk_file_zero() - write zeroes to a file
 * @disk:  disk that is a file
 * @pos:   where in the file, in bytes
 * @bytes: how many; both are multiples of the block size
 *
 * Context: Process context, the disk's credentials in use. May sleep.
 * Return: 0, -ENOMEM, or what writing fails with
 */
int blk_file_zero(const struct blk_disk *disk, u64 pos, u64 bytes)
{
	struct bio_vec *bv = kmalloc_array(ZERO_PAGES, sizeof(*bv), GFP_KERNEL_ACCOUNT);
	struct kiocb iocb;
	struct iov_iter iter;
	ssize_t ret = 1;
	int i;

	if (!bv)
		return -ENOMEM;
	for (i = 0; i < ZERO_PAGES; i++)
		bv[i] = (struct bio_vec){ .bv_page = ZERO_PAGE(0), .bv_len = PAGE_SIZE };
	for (; ret > 0 && bytes; pos += ret, bytes -= ret) {
		init_sync_kiocb(&iocb, disk->file);
		iocb.ki_pos = pos;
		iocb.ki_flags = disk->iocb_flags | IOCB_WRITE;
		iov_iter_bvec(&iter, ITER_SOURCE, bv, ZERO_PAGES,
			      min_t(u64, bytes, ZERO_PAGES * PAGE_SIZE));
		ret = file_rw(&iocb, &iter);
		if (ret <= 0)
			break;
	}
	kfree(bv);
	fsnotify_modify(disk->file);
	if (ret > 0)
		return 0;
	return ret ? ret : -EIO;
}

/**
 * blk_file_finish() - tell inotify of a transfer
 * @req: request that has ended, of a disk that is a file
 *
 * Context: Worker. May sleep, which the end of direct I/O may not.
 */
void blk_file_finish(const struct blk_req *req)
{
	if (req->error)
		return;
	if (is_write(req))
		fsnotify_modify(req->disk->file);
	else if (req->ask.type == VIRTIO_BLK_T_IN)
		fsnotify_access(req->disk->file);
}
