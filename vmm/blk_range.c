// SPDX-License-Identifier: GPL-2.0
/*
 * blk_range.c - requests that name ranges instead of carrying data: discard,
 * write zeroes, secure erase (5.2.6), for the userspace backend.
 *
 * What they ask for takes its time and cannot be had from every io_uring: a block
 * device discards there from Linux 6.12 on only. So a thread of its own makes
 * the system calls, one request after the other, and reads and writes go on
 * beside it. It does what kmod/blk/range.c does: each range in steps, because no
 * system call for a range can be ended early.
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
#include "blk_step.h"
#include "disk.h"
#include "event.h"
#include "sandbox.h"
#include "util.h"

/* Zeroes written at a time. */
#define ZERO_BYTES	65536u

/*
 * Longest that a queue which is to stop waits for its ranges, besides the step that
 * goes on; as RANGE_GRACE of kmod/blk/range.c.
 */
#define STOP_GRACE_NS	5000000000ull

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

static int punch(const struct disk *disk, uint64_t pos, uint64_t bytes)
{
	return fallocate(disk->fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
			 pos, bytes) ? -errno : 0;
}

/* Can the file system punch holes? Behind the end there is nothing to lose. */
static bool file_punches(const struct disk *disk)
{
	struct stat st;

	return !fstat(disk->fd, &st) &&
	       !punch(disk, (st.st_size + ZERO_BYTES - 1) / ZERO_BYTES * ZERO_BYTES, ZERO_BYTES);
}

/**
 * blk_range_probe() - find out which of these requests a disk can serve
 * @base: @serves, @ranges_max and @discard_granularity are filled in
 * @disk: the disk
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
	if (!disk->device) {
		if (file_punches(disk))
			base->serves |= KVHOST_BLK_DISCARD;
		return;
	}
	base->discard_granularity = device_granularity(disk);
	if (device_has(disk, BLKDISCARD))
		base->serves |= KVHOST_BLK_DISCARD;
	if (device_has(disk, BLKSECDISCARD))
		base->serves |= KVHOST_BLK_SECURE_ERASE;
}

static int write_zeroes(const struct disk *disk, uint64_t pos, uint64_t bytes)
{
	/* Aligned for direct I/O. */
	static const uint8_t zeroes[ZERO_BYTES] __attribute__((aligned(4096)));
	ssize_t n;

	for (; bytes; pos += n, bytes -= n) {
		n = pwrite(disk->fd, zeroes, bytes < ZERO_BYTES ? bytes : ZERO_BYTES, pos);
		if (n <= 0)
			return n ? -errno : -EIO;
	}
	return 0;
}

/*
 * A file system may lack the first two. A device that cannot unmap refuses the
 * first, and has its kernel write zeroes for the second.
 */
static int zero(const struct disk *disk, uint64_t pos, uint64_t bytes, bool unmap)
{
	int ret = unmap ? punch(disk, pos, bytes) : -EOPNOTSUPP;

	if (ret == -EOPNOTSUPP)
		ret = fallocate(disk->fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE,
				pos, bytes) ? -errno : 0;
	return ret == -EOPNOTSUPP ? write_zeroes(disk, pos, bytes) : ret;
}

static int carry_out(const struct disk *disk, uint32_t type, uint64_t pos, uint64_t bytes,
		     bool unmap)
{
	uint64_t range[2] = { pos, bytes };

	if (type == VIRTIO_BLK_T_WRITE_ZEROES)
		return zero(disk, pos, bytes, unmap);
	if (type == VIRTIO_BLK_T_SECURE_ERASE)
		return ioctl(disk->fd, BLKSECDISCARD, range) ? -errno : 0;
	if (disk->device)
		return ioctl(disk->fd, BLKDISCARD, range) ? -errno : 0;
	return punch(disk, pos, bytes);
}

/* Has the queue of a request waited long enough for it to stop? */
static bool is_cut(const struct blk_ranger *r, const struct blk_request *req)
{
	/* Pairs with the store in blk_range_stop(). */
	return __atomic_load_n(&r->stopping, __ATOMIC_ACQUIRE) == req->owner &&
	       now_ns() > __atomic_load_n(&r->stop_at, __ATOMIC_RELAXED) + STOP_GRACE_NS;
}

static int carry_out_steps(struct blk_ranger *r, const struct blk_request *req,
			   const struct kvh_blk_range *range)
{
	uint64_t pos = r->disk->offset + range->sector * DISK_SECTOR;
	uint64_t end = pos + range->bytes, to, begun;
	int ret = 0;

	/* Steps that grew while holes were punched are too long for writing. */
	if (!range->unmap)
		r->step = KVH_STEP_FIRST;
	for (; !ret && pos < end; pos = to) {
		if (is_cut(r, req))
			return -EINTR;
		to = kvh_step_end(pos, end, r->step, r->granularity, 0);
		begun = now_ns();
		ret = carry_out(r->disk, req->type, pos, to - pos, range->unmap);
		r->step = kvh_step_next(r->step, now_ns() - begun);
	}
	return ret;
}

static int carry_out_all(struct blk_ranger *r, struct blk_request *req)
{
	unsigned int i;
	int ret = 0;

	req->unsynced = false;
	r->step = KVH_STEP_FIRST;
	for (i = 0; !ret && i < req->nr_ranges; i++)
		ret = carry_out_steps(r, req, &req->ranges[i]);
	/* A discard is advice. */
	if (ret == -EINTR && req->type == VIRTIO_BLK_T_DISCARD)
		return 0;
	if (!ret && req->durable && fdatasync(r->disk->fd)) {
		ret = -errno;
		req->unsynced = true;
	}
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
		req->result = carry_out_all(r, req);
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
 * blk_range_stop() - a queue waits for its requests, to stop
 * @r:     the thread
 * @owner: as blk_request.owner of the queue's requests; NULL: it has stopped
 *
 * A range that takes longer than 5 s from the first call on ends early. A discard
 * has succeeded then, all else has failed with -EINTR.
 *
 * Context: I/O thread.
 */
void blk_range_stop(struct blk_ranger *r, const void *owner)
{
	if (r->stopping == owner)
		return;
	__atomic_store_n(&r->stop_at, now_ns(), __ATOMIC_RELAXED);
	/* Pairs with the load in is_cut(). */
	__atomic_store_n(&r->stopping, owner, __ATOMIC_RELEASE);
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
 * @granularity: bytes the disk gives up together, 0 if not known
 * @name: of the disk, for messages
 * @done_fd: eventfd to raise when a request has ended
 *
 * Context: main thread, before the sandbox.
 * Return: 0, or -errno of pthread_create() after one line on stderr.
 */
int blk_range_create(struct blk_ranger *r, const struct disk *disk, uint32_t granularity,
		     const char *name, int done_fd)
{
	char title[16];
	int ret;

	*r = (struct blk_ranger) {
		.disk = disk, .granularity = granularity, .done_fd = done_fd,
	};
	r->last = &r->todo;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	ret = sandbox_thread_create(&r->thread, SANDBOX_RANGE, range_thread, r);
	if (ret) {
		log_error("%s: no thread for discards: %s", name, strerror(-ret));
		return ret;
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
		sandbox_thread_join(r->thread);
	}
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->wake);
}
