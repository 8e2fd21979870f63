// SPDX-License-Identifier: GPL-2.0
/*
 * blk_range.c - requests that name ranges instead of carrying data: discard,
 * write zeroes, secure erase (5.2.6), for the userspace backend.
 *
 * What they ask for takes its time and cannot be had from every io_uring: a block
 * device discards there from Linux 6.12 on only. So a thread of its own makes
 * the system calls, one request after the other, and reads and writes go on
 * beside it. It does what kmod/blk/range.c does in a work queue.
 *
 * A request is the thread's from blk_range_submit() until
 * blk_range_take_done(); both are called by the I/O thread of blk_user.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blk_backend.h"
#include "blk_range.h"
#include "blk_request.h"
#include "disk.h"
#include "event.h"
#include "util.h"

static bool is_device(const struct disk *disk)
{
	struct stat st;

	return !fstat(disk->fd, &st) && S_ISBLK(st.st_mode);
}

/*
 * Does the device know this ioctl? It is asked for a range that is not made of
 * sectors, which one that does refuses as such.
 */
static bool device_has(const struct disk *disk, unsigned long request)
{
	uint64_t range[2] = { 1, 1 };

	return ioctl(disk->fd, request, range) && errno == EINVAL;
}

/* The unit a device discards in, of its own queue or that of the whole disk. */
static uint32_t device_granularity(const struct disk *disk)
{
	static const char *const where[] = { "queue", "../queue" };
	unsigned int i, bytes = 0;
	char path[96];
	struct stat st;
	FILE *f;

	if (fstat(disk->fd, &st))
		return 0;
	for (i = 0; !bytes && i < ARRAY_SIZE(where); i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/discard_granularity",
			 major(st.st_rdev), minor(st.st_rdev), where[i]);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%u", &bytes) != 1)
			bytes = 0;
		fclose(f);
	}
	return bytes;
}

/**
 * blk_range_probe() - find out which of these requests a disk can serve
 * @base: @serves, @ranges_max and @discard_granularity are filled in
 * @disk: the disk
 *
 * A file whose file system cannot answers UNSUPP later.
 *
 * Context: main thread, before the sandbox.
 */
void blk_range_probe(struct blk_backend *base, const struct disk *disk)
{
	base->ranges_max = KVHOST_BLK_RANGES_MAX;
	base->serves = 0;
	if (disk->readonly)
		return;
	base->serves = KVHOST_BLK_WRITE_ZEROES;
	if (!is_device(disk)) {
		base->serves |= KVHOST_BLK_DISCARD;
		return;
	}
	base->discard_granularity = device_granularity(disk);
	if (device_has(disk, BLKDISCARD))
		base->serves |= KVHOST_BLK_DISCARD;
	if (device_has(disk, BLKSECDISCARD))
		base->serves |= KVHOST_BLK_SECURE_ERASE;
}

static int zero(const struct disk *disk, uint64_t pos, uint64_t bytes, bool unmap)
{
	int mode = FALLOC_FL_KEEP_SIZE;

	if (unmap && !fallocate(disk->fd, mode | FALLOC_FL_PUNCH_HOLE, pos, bytes))
		return 0;
	/* A device that cannot unmap gets zeroes written by its kernel. */
	if (unmap && (errno != EOPNOTSUPP || !is_device(disk)))
		return -errno;
	return fallocate(disk->fd, mode | FALLOC_FL_ZERO_RANGE, pos, bytes) ? -errno : 0;
}

static int carry_out(const struct disk *disk, uint32_t type, const struct kvh_blk_range *r)
{
	uint64_t range[2] = { disk->offset + r->sector * DISK_SECTOR, r->bytes };

	if (type == VIRTIO_BLK_T_WRITE_ZEROES)
		return zero(disk, range[0], range[1], r->unmap);
	if (type == VIRTIO_BLK_T_SECURE_ERASE)
		return ioctl(disk->fd, BLKSECDISCARD, range) ? -errno : 0;
	if (is_device(disk))
		return ioctl(disk->fd, BLKDISCARD, range) ? -errno : 0;
	return zero(disk, range[0], range[1], true);
}

static int carry_out_all(const struct disk *disk, const struct blk_request *req)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < req->nr_ranges; i++)
		ret = carry_out(disk, req->type, &req->ranges[i]);
	if (!ret && req->durable && fdatasync(disk->fd))
		ret = -errno;
	return ret;
}

/* Return: the next request, or NULL if there will be none. */
static struct blk_request *await_request(struct blk_ranger *r)
{
	struct blk_request *req;

	pthread_mutex_lock(&r->lock);
	while (!r->todo && !r->quit)
		pthread_cond_wait(&r->wake, &r->lock);
	req = r->todo;
	if (req) {
		r->todo = req->next;
		if (!r->todo)
			r->last = &r->todo;
	}
	pthread_mutex_unlock(&r->lock);
	return req;
}

static void *range_thread(void *arg)
{
	struct blk_ranger *r = arg;
	struct blk_request *req;

	while ((req = await_request(r))) {
		req->result = carry_out_all(r->disk, req);
		pthread_mutex_lock(&r->lock);
		req->next = r->done;
		r->done = req;
		pthread_mutex_unlock(&r->lock);
		event_raise(r->done_fd);
	}
	return NULL;
}

/**
 * blk_range_submit() - carry a request out
 * @r:   the thread
 * @req: its ranges are checked
 *
 * Context: I/O thread.
 */
void blk_range_submit(struct blk_ranger *r, struct blk_request *req)
{
	pthread_mutex_lock(&r->lock);
	req->next = NULL;
	*r->last = req;
	r->last = &req->next;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

/**
 * blk_range_take_done() - the requests that have ended
 * @r: the thread
 *
 * Context: I/O thread, after @r->done_fd was raised.
 * Return: a list by blk_request.next, each with its result, or NULL.
 */
struct blk_request *blk_range_take_done(struct blk_ranger *r)
{
	struct blk_request *req;

	pthread_mutex_lock(&r->lock);
	req = r->done;
	r->done = NULL;
	pthread_mutex_unlock(&r->lock);
	return req;
}

/**
 * blk_range_create() - start the thread
 * @r:    filled in
 * @disk: what it works on
 * @name: of the disk, for messages
 * @done_fd: eventfd to raise when a request has ended
 *
 * Context: main thread, before the sandbox.
 * Return: 0, or -errno of pthread_create() after one line on stderr.
 */
int blk_range_create(struct blk_ranger *r, const struct disk *disk, const char *name,
		     int done_fd)
{
	char title[16];
	int ret;

	*r = (struct blk_ranger) { .disk = disk, .done_fd = done_fd };
	r->last = &r->todo;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	ret = pthread_create(&r->thread, NULL, range_thread, r);
	if (ret) {
		log_error("%s: no thread for discards: %s", name, strerror(ret));
		return -ret;
	}
	r->started = true;
	snprintf(title, sizeof(title), "range-%.9s", name);
	pthread_setname_np(r->thread, title);
	return 0;
}

/**
 * blk_range_destroy() - end the thread
 * @r: from blk_range_create(), also if that failed; nothing is in flight
 */
void blk_range_destroy(struct blk_ranger *r)
{
	if (r->started) {
		pthread_mutex_lock(&r->lock);
		r->quit = true;
		pthread_cond_signal(&r->wake);
		pthread_mutex_unlock(&r->lock);
		pthread_join(r->thread, NULL);
	}
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->wake);
}
