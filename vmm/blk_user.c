// SPDX-License-Identifier: GPL-2.0
/*
 * blk_user.c - queues processed by a thread of this process over io_uring.
 *
 * One I/O thread and one io_uring per disk. The thread sleeps in a single
 * system call that submits what it prepared and waits for whatever comes
 * first: I/O that ended, a doorbell, a command. Doorbells and commands are
 * reads of eventfds in the same io_uring, so nothing is polled.
 *
 * vCPU threads hand it one command at a time, under vm_lock(), and wait for
 * the answer; the thread itself never takes vm_lock(), and tells of a broken
 * queue by an eventfd.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blk_user.h"
#include "disk.h"
#include "event.h"
#include "options.h"
#include "sandbox.h"
#include "util.h"
#include "virtio.h"

#define SUBMIT_ENTRIES	256u
#define COMPLETE_MAX	65536u

/* Seconds after which a command that waits for the disk is talked about. */
#define PATIENCE	30

static struct blk_user *to_user(struct blk_backend *backend)
{
	return container_of(backend, struct blk_user, base);
}

/* --- I/O thread --- */

/**
 * blk_user_sqe() - an empty submission entry
 * @u:   the disk
 * @ptr: what the completion is for
 * @tag: USER_TAG_*
 *
 * Context: I/O thread.
 * Return: the entry, or NULL if the kernel takes no more.
 */
struct io_uring_sqe *blk_user_sqe(struct blk_user *u, void *ptr,
				  unsigned int tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->uring);

	if (!sqe) {
		io_uring_submit(&u->uring);
		sqe = io_uring_get_sqe(&u->uring);
	}
	if (!sqe)
		return NULL;
	/* The prep functions of liburing leave the user data alone. */
	io_uring_sqe_set_data64(sqe, (uintptr_t)ptr | tag);
	return sqe;
}

/* Return: true if commands are listened to; else try again before sleeping. */
static bool arm_control(struct blk_user *u)
{
	struct io_uring_sqe *sqe;

	if (u->armed)
		return true;
	sqe = blk_user_sqe(u, u, USER_TAG_CONTROL);
	if (!sqe)
		return false;
	io_uring_prep_read(sqe, USER_FILE_CONTROL, &u->control,
			   sizeof(u->control), 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	u->armed = true;
	return true;
}

static void ranges_done(struct blk_user *u)
{
	struct blk_request *req = blk_range_take_done(&u->ranger), *next;

	for (; req; req = next) {
		next = req->next;
		user_queue_completed(req, req->result);
	}
}

static void answer(struct blk_user *u)
{
	pthread_mutex_lock(&u->lock);
	u->command = USER_NONE;
	pthread_cond_signal(&u->done);
	pthread_mutex_unlock(&u->lock);
}

/* Carries out a command, or comes back later while requests are in flight. */
static void obey(struct blk_user *u)
{
	struct user_queue *q;
	enum user_command command;
	unsigned int i;

	pthread_mutex_lock(&u->lock);
	command = u->command;
	q = u->command_queue;
	pthread_mutex_unlock(&u->lock);

	switch (command) {
	case USER_NONE:
	case USER_CREATE:
		return;
	case USER_START:
		user_queue_start(q);
		break;
	case USER_STOP:
		q->running = false;
		user_halt_resume(q, KVHOST_BLK_REPORT);
		user_queue_flush(q);
		blk_range_stop(&u->ranger, q->ring.in_flight ? q : NULL);
		if (q->ring.in_flight)
			return;
		break;
	case USER_LIMIT:
		user_limit_set(u, u->command_limits);
		break;
	case USER_RESUME:
		for (i = 0; i < u->nqueues; i++)
			user_halt_resume(&u->queues[i], u->command_action);
		break;
	case USER_QUIT:
		u->quit = true;
		break;
	}
	answer(u);
}

static void dispatch(struct blk_user *u, uint64_t data, int res)
{
	void *ptr = (void *)(uintptr_t)(data & ~(uint64_t)USER_TAG_MASK);

	switch (data & USER_TAG_MASK) {
	case USER_TAG_REQUEST:
		user_queue_completed(ptr, res);
		break;
	case USER_TAG_KICK:
		user_queue_kicked(ptr, res);
		break;
	case USER_TAG_CONTROL:
		u->armed = false;
		ranges_done(u);
		break;
	case USER_TAG_LIMIT:
		user_limit_passed(u);
		break;
	}
}

static void reap(struct blk_user *u)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&u->uring, head, cqe) {
		dispatch(u, cqe->user_data, cqe->res);
		n++;
	}
	io_uring_cq_advance(&u->uring, n);
}

static int create_uring(struct blk_user *u)
{
	uint64_t entries = (uint64_t)u->setup->opt->queue_size * u->nqueues;
	unsigned int i, nfds = USER_FILE_KICK + u->nqueues;
	int *fds = calloc(nfds, sizeof(*fds));
	int ret;

	if (!fds)
		return -ENOMEM;
	fds[USER_FILE_DISK] = u->setup->disk->fd;
	fds[USER_FILE_CONTROL] = u->control_fd;
	for (i = 0; i < u->nqueues; i++)
		fds[USER_FILE_KICK + i] = u->setup->vqs[i].kick_fd;
	/* Room for every request, doorbell and command. */
	entries += u->nqueues + 1;
	if (entries < 2 * SUBMIT_ENTRIES)
		entries = 2 * SUBMIT_ENTRIES;
	ret = user_ring_create(&u->uring, fds, nfds, SUBMIT_ENTRIES,
			       entries < COMPLETE_MAX ? entries : COMPLETE_MAX);
	if (ret)
		log_error("%s: no io_uring for backend=user: %s%s",
			  u->setup->name, strerror(-ret),
			  ret == -EINVAL || ret == -ENOSYS ?
			  "; it takes Linux 6.1 or newer" : "");
	free(fds);
	return ret;
}

static void *io_thread(void *arg)
{
	struct blk_user *u = arg;
	bool more = false;
	unsigned int i;
	int ret;

	/* An io_uring with a single issuer is made by the one that issues. */
	u->error = create_uring(u);
	answer(u);
	if (u->error)
		return NULL;
	while (!u->quit) {
		if (!arm_control(u) || more)
			ret = io_uring_submit_and_get_events(&u->uring);
		else
			ret = io_uring_submit_and_wait(&u->uring, 1);
		if (ret < 0 && ret != -EINTR && ret != -EAGAIN &&
		    ret != -EBUSY)
			log_warn("%s: io_uring: %s", u->setup->name,
				 strerror(-ret));
		reap(u);
		/* Before the queues: what a command completes is to be shown. */
		obey(u);
		more = false;
		for (i = 0; i < u->nqueues; i++) {
			struct user_queue *q =
				&u->queues[(u->first + i) % u->nqueues];

			user_queue_flush(q);
			if (user_queue_wants_turn(q))
				user_queue_serve(q);
			more |= user_queue_wants_turn(q);
		}
	}
	return NULL;
}

/* --- vCPU threads, vm_lock() held --- */

static void await(struct blk_user *u)
{
	struct timespec limit;

	pthread_mutex_lock(&u->lock);
	while (u->command != USER_NONE) {
		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_sec += PATIENCE;
		/* Guest memory is the disk's until it answers: no giving up. */
		if (pthread_cond_timedwait(&u->done, &u->lock, &limit) ==
		    ETIMEDOUT)
			log_warn("%s: still waiting for I/O on '%s' to end",
				 u->setup->name, u->setup->disk->path);
	}
	pthread_mutex_unlock(&u->lock);
}

static void command(struct blk_user *u, enum user_command cmd,
		    struct user_queue *q)
{
	pthread_mutex_lock(&u->lock);
	u->command = cmd;
	u->command_queue = q;
	pthread_mutex_unlock(&u->lock);
	event_raise(u->control_fd);
	await(u);
}

static int set_writeback(struct blk_backend *backend, bool writeback)
{
	__atomic_store_n(&to_user(backend)->writeback, writeback,
			 __ATOMIC_RELAXED);
	return 0;
}

static int set_limits(struct blk_backend *backend,
		      const struct disk_limits *limits)
{
	struct blk_user *u = to_user(backend);

	u->command_limits = limits;
	command(u, USER_LIMIT, NULL);
	return 0;
}

static int error(struct blk_backend *backend, struct kvhost_blk_error *err)
{
	struct blk_user *u = to_user(backend);

	pthread_mutex_lock(&u->lock);
	*err = u->failed;
	pthread_mutex_unlock(&u->lock);
	return 0;
}

static int resume(struct blk_backend *backend, uint32_t action)
{
	struct blk_user *u = to_user(backend);

	u->command_action = action;
	command(u, USER_RESUME, NULL);
	return 0;
}

static int resize(struct blk_backend *backend)
{
	struct blk_user *u = to_user(backend);

	backend->capacity = u->setup->disk->bytes / DISK_SECTOR;
	/* Pairs with the one load in on_disk(). */
	__atomic_store_n(&u->parse.limits.capacity, backend->capacity,
			 __ATOMIC_RELAXED);
	return 0;
}

static int start(struct blk_backend *backend, uint64_t features,
		 bool writeback)
{
	to_user(backend)->features = features;
	return set_writeback(backend, writeback);
}

static int queue_start(struct blk_backend *backend,
		       const struct virtio_queue *vq)
{
	struct blk_user *u = to_user(backend);
	struct user_queue *q = &u->queues[vq->index];
	int ret = user_queue_prepare(q, u->features, vq);

	if (!ret)
		command(u, USER_START, q);
	return ret;
}

static void queue_stop(struct blk_backend *backend,
		       const struct virtio_queue *vq)
{
	struct blk_user *u = to_user(backend);
	struct user_queue *q = &u->queues[vq->index];

	command(u, USER_STOP, q);
	user_queue_release(q);
}

static int stats(struct blk_backend *backend, unsigned int index,
		 struct kvhost_vring_stats *st)
{
	const struct kvhost_vring_stats *from =
		&to_user(backend)->queues[index].stats;
	unsigned int i;

	*st = (struct kvhost_vring_stats) {
		.index = index,
		.size = sizeof(*st),
		.state = __atomic_load_n(&from->state, __ATOMIC_RELAXED),
		.in_flight = __atomic_load_n(&from->in_flight,
					     __ATOMIC_RELAXED),
	};
	/* From @kicks on there are 64-bit counters only. */
	for (i = 0; i < (sizeof(*st) - offsetof(typeof(*st), kicks)) / 8; i++)
		(&st->kicks)[i] = __atomic_load_n(&(&from->kicks)[i],
						  __ATOMIC_RELAXED);
	return 0;
}

static void destroy(struct blk_backend *backend)
{
	struct blk_user *u = to_user(backend);

	if (u->started) {
		if (!u->error)
			command(u, USER_QUIT, NULL);
		sandbox_thread_join(u->thread);
	}
	blk_range_destroy(&u->ranger);
	if (u->uring.ring_fd >= 0)
		io_uring_queue_exit(&u->uring);
	if (u->control_fd >= 0)
		close(u->control_fd);
	pthread_mutex_destroy(&u->lock);
	pthread_cond_destroy(&u->done);
	free(u);
}

static const struct blk_backend_ops ops = {
	.start = start,
	.set_writeback = set_writeback,
	.set_limits = set_limits,
	.error = error,
	.resume = resume,
	.resize = resize,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.stats = stats,
	.destroy = destroy,
};

static int create_thread(struct blk_user *u)
{
	char name[16];
	int ret;

	u->command = USER_CREATE;
	ret = sandbox_thread_create(&u->thread, SANDBOX_DISK, io_thread, u);
	if (ret) {
		log_error("%s: no I/O thread: %s", u->setup->name,
			  strerror(-ret));
		return ret;
	}
	u->started = true;
	snprintf(name, sizeof(name), "io-%.12s", u->setup->name);
	pthread_setname_np(u->thread, name);
	await(u);
	return u->error;
}

static void describe(struct blk_user *u)
{
	const struct disk *disk = u->setup->disk;

	u->base.ops = &ops;
	u->base.features = VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			   VIRTIO_BIT(VIRTIO_F_RING_RESET) |
			   VIRTIO_BIT(VIRTIO_F_RING_PACKED) |
			   VIRTIO_BIT(VIRTIO_F_IN_ORDER) |
			   VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			   VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
	u->base.capacity = disk->bytes / DISK_SECTOR;
	u->base.logical = disk->logical;
	u->base.physical = disk->physical;
	u->base.seg_max = KVH_CHAIN_SEGS_MAX - 2;
	blk_range_probe(&u->base, disk);
	u->parse.limits = (struct kvh_blk_limits) {
		.capacity = u->base.capacity,
		.lbs = disk->logical,
		.readonly = disk->readonly,
		.ranges_max = u->base.ranges_max,
		.discard = u->base.serves & KVHOST_BLK_DISCARD,
		.zeroes = u->base.serves & KVHOST_BLK_WRITE_ZEROES,
		.erase = u->base.serves & KVHOST_BLK_SECURE_ERASE,
	};
}

/**
 * blk_user_create() - serve a disk from a thread of this process
 * @backend: filled in
 * @setup:   what disk, and whose memory
 *
 * Context: main thread, before the sandbox.
 * Return: 0, -ENOMEM, or -errno of io_uring, eventfd() or pthread_create().
 */
int blk_user_create(struct blk_backend **backend,
		    const struct blk_setup *setup)
{
	const char *serial = setup->opt->serial;
	struct blk_user *u;
	unsigned int i;
	int ret;

	u = calloc(1, sizeof(*u) + setup->queues * sizeof(u->queues[0]));
	if (!u)
		return -ENOMEM;
	u->setup = setup;
	u->uring.ring_fd = -1;
	u->env.mem = setup->mem;
	u->parse.disk = setup->disk;
	u->parse.mem = setup->mem;
	memcpy(u->parse.serial, serial,
	       strnlen(serial, sizeof(u->parse.serial)));
	u->nqueues = setup->queues;
	for (i = 0; i < u->nqueues; i++)
		u->queues[i].user = u;
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->done, NULL);
	describe(u);
	u->control_fd = event_open();
	ret = blk_range_create(&u->ranger, setup->disk, u->base.discard_granularity,
			       setup->name, u->control_fd);
	if (!ret)
		ret = u->control_fd < 0 ? u->control_fd : create_thread(u);
	if (ret) {
		destroy(&u->base);
		return ret;
	}
	*backend = &u->base;
	return 0;
}
