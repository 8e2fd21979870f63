// SPDX-License-Identifier: GPL-2.0
/*
 * loop.c - an event loop, served by one thread.
 *
 * epoll with a table of watches by fd, a sorted list of timers served by the
 * epoll timeout, and a list of posted work announced through an eventfd.
 * @lock guards the watches and the work list only; no callback runs under it.
 * A watch carries a generation: an event that was fetched before its fd was
 * deleted and added again is dropped.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop.h"
#include "util.h"

#define EVENTS_PER_TURN	32

struct watch {
	loop_fd_fn fn;
	void *opaque;
	uint32_t generation;
};

struct loop {
	int epoll_fd;
	int wake_fd;
	bool stop;		/* atomic */

	pthread_mutex_t lock;	/* guards what follows, up to @timers */
	struct watch *watches;	/* indexed by fd */
	int nr_watches;
	uint32_t generation;
	struct loop_work *work;
	struct loop_work **work_tail;

	struct loop_timer *timers;	/* that thread only, soonest first */
};

static void wake(struct loop *loop)
{
	uint64_t one = 1;

	/* Fails only when the counter is full, and then the loop is awake anyway. */
	(void)!write(loop->wake_fd, &one, sizeof(one));
}

static void drain_wake(void *opaque, int fd, uint32_t events)
{
	uint64_t n;

	(void)opaque;
	(void)events;
	(void)!read(fd, &n, sizeof(n));
}

/**
 * loop_create() - make an event loop
 * @loop: set on success
 *
 * Return: 0, -ENOMEM, or the errno of epoll_create1() or eventfd().
 */
int loop_create(struct loop **loop)
{
	struct loop *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	l->work_tail = &l->work;
	l->wake_fd = -1;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		goto fail;
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		goto fail;
	err = loop_add(l, l->wake_fd, EPOLLIN, drain_wake, NULL);
	if (err) {
		loop_destroy(l);
		return err;
	}
	*loop = l;
	return 0;
fail:
	err = -errno;
	loop_destroy(l);
	return err;
}

/**
 * loop_destroy() - free an event loop
 * @loop: not running; may be NULL. Watched fds stay open, posted work is forgotten
 */
void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	free(loop->watches);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

static int watches_grow(struct loop *loop, int fd)
{
	int nr = loop->nr_watches ? loop->nr_watches : 64;
	struct watch *w;

	if (fd < loop->nr_watches)
		return 0;
	while (nr <= fd)
		nr *= 2;
	w = realloc(loop->watches, (size_t)nr * sizeof(*w));
	if (!w)
		return -ENOMEM;
	memset(w + loop->nr_watches, 0, (size_t)(nr - loop->nr_watches) * sizeof(*w));
	loop->watches = w;
	loop->nr_watches = nr;
	return 0;
}

static struct epoll_event event_of(int fd, uint32_t generation, uint32_t events)
{
	return (struct epoll_event){
		.events = events,
		.data.u64 = (uint64_t)generation << 32 | (uint32_t)fd,
	};
}

/**
 * loop_add() - call @fn whenever @fd is ready
 * @loop:   the loop
 * @fd:     not watched yet
 * @events: EPOLLIN, EPOLLOUT
 * @fn:     callback
 * @opaque: its argument
 *
 * Context: any thread.
 * Return: 0, -EEXIST when watched already, -EPERM when @fd cannot be polled
 * (a regular file), -ENOMEM, or another errno of epoll_ctl().
 */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *opaque)
{
	struct epoll_event ev;
	int err;

	pthread_mutex_lock(&loop->lock);
	err = watches_grow(loop, fd);
	if (!err && loop->watches[fd].fn)
		err = -EEXIST;
	if (!err) {
		ev = event_of(fd, ++loop->generation, events);
		if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
			err = -errno;
	}
	if (!err)
		loop->watches[fd] = (struct watch){
			.fn = fn, .opaque = opaque, .generation = loop->generation,
		};
	pthread_mutex_unlock(&loop->lock);
	return err;
}

/**
 * loop_mod() - change what a watch waits for
 * @loop:   the loop
 * @fd:     watched
 * @events: EPOLLIN, EPOLLOUT, or 0 to be told of errors only
 *
 * Context: any thread.
 * Return: 0, -ENOENT when not watched, or another errno of epoll_ctl().
 */
int loop_mod(struct loop *loop, int fd, uint32_t events)
{
	struct epoll_event ev;
	int err = 0;

	pthread_mutex_lock(&loop->lock);
	if (fd >= loop->nr_watches || !loop->watches[fd].fn) {
		err = -ENOENT;
	} else {
		ev = event_of(fd, loop->watches[fd].generation, events);
		if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &ev) < 0)
			err = -errno;
	}
	pthread_mutex_unlock(&loop->lock);
	return err;
}

/**
 * loop_del() - stop watching
 * @loop: the loop
 * @fd:   watched, still open
 *
 * Context: any thread; only on the thread of the loop is it certain that no
 * callback for @fd is running when this returns.
 * Return: 0, -ENOENT when not watched, or another errno of epoll_ctl().
 */
int loop_del(struct loop *loop, int fd)
{
	int err = 0;

	pthread_mutex_lock(&loop->lock);
	if (fd < 0 || fd >= loop->nr_watches || !loop->watches[fd].fn) {
		err = -ENOENT;
	} else {
		loop->watches[fd] = (struct watch){ 0 };
		if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL) < 0)
			err = -errno;
	}
	pthread_mutex_unlock(&loop->lock);
	return err;
}

/**
 * loop_post() - run work on the thread of the loop soon
 * @loop: the loop
 * @work: with @fn and @opaque set; lives until it has run
 *
 * Context: any thread.
 */
void loop_post(struct loop *loop, struct loop_work *work)
{
	bool first = false;

	pthread_mutex_lock(&loop->lock);
	if (!work->queued) {
		first = !loop->work;
		work->queued = true;
		work->next = NULL;
		*loop->work_tail = work;
		loop->work_tail = &work->next;
	}
	pthread_mutex_unlock(&loop->lock);
	if (first)
		wake(loop);
}

/* Only as much as was queued on entry: work that posts itself again waits for the next turn. */
static void run_work(struct loop *loop)
{
	struct loop_work *w;
	unsigned int n = 0;
	bool more;

	pthread_mutex_lock(&loop->lock);
	for (w = loop->work; w; w = w->next)
		n++;
	while (n-- && loop->work) {
		w = loop->work;
		loop->work = w->next;
		if (!loop->work)
			loop->work_tail = &loop->work;
		w->queued = false;
		pthread_mutex_unlock(&loop->lock);
		w->fn(w->opaque);
		pthread_mutex_lock(&loop->lock);
	}
	more = loop->work;
	pthread_mutex_unlock(&loop->lock);
	if (more)
		wake(loop);
}

/**
 * loop_timer_arm() - call a timer's function later
 * @loop:        the loop
 * @timer:       with @fn and @opaque set; lives until it expired or is disarmed
 * @ns_from_now: delay in nanoseconds
 *
 * Context: thread of the loop, or any before there is one.
 */
void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t ns_from_now)
{
	struct loop_timer **p = &loop->timers;

	loop_timer_disarm(loop, timer);
	timer->expires = now_ns() + ns_from_now;
	while (*p && (*p)->expires <= timer->expires)
		p = &(*p)->next;
	timer->next = *p;
	*p = timer;
}

/**
 * loop_timer_disarm() - forget a timer
 * @loop:  the loop
 * @timer: armed or not
 *
 * Context: thread of the loop, or any before there is one.
 */
void loop_timer_disarm(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer **p;

	for (p = &loop->timers; *p; p = &(*p)->next) {
		if (*p == timer) {
			*p = timer->next;
			break;
		}
	}
	timer->expires = 0;
}

static void run_timers(struct loop *loop)
{
	uint64_t now = now_ns();
	struct loop_timer *t;

	while ((t = loop->timers) && t->expires <= now) {
		loop->timers = t->next;
		t->expires = 0;
		t->fn(t->opaque);
	}
}

static int timeout_ms(const struct loop *loop)
{
	uint64_t now;

	if (!loop->timers)
		return -1;
	now = now_ns();
	if (loop->timers->expires <= now)
		return 0;
	return (int)((loop->timers->expires - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static void run_event(struct loop *loop, const struct epoll_event *ev)
{
	int fd = (int)(uint32_t)ev->data.u64;
	uint32_t generation = (uint32_t)(ev->data.u64 >> 32);
	struct watch w = { 0 };

	pthread_mutex_lock(&loop->lock);
	if (fd < loop->nr_watches && loop->watches[fd].generation == generation)
		w = loop->watches[fd];
	pthread_mutex_unlock(&loop->lock);
	if (w.fn)
		w.fn(w.opaque, fd, ev->events);
}

/**
 * loop_run() - serve events until loop_stop()
 * @loop: the loop
 *
 * Context: thread of the loop, or any before there is one.
 * Return: 0 or the errno of epoll_wait().
 */
int loop_run(struct loop *loop)
{
	struct epoll_event ev[EVENTS_PER_TURN];
	int n;

	while (!__atomic_load_n(&loop->stop, __ATOMIC_ACQUIRE)) {
		n = epoll_wait(loop->epoll_fd, ev, EVENTS_PER_TURN, timeout_ms(loop));
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++)
			run_event(loop, &ev[i]);
		run_timers(loop);
		run_work(loop);
	}
	__atomic_store_n(&loop->stop, false, __ATOMIC_RELAXED);
	return 0;
}

/**
 * loop_stop() - make loop_run() return after its current turn
 * @loop: the loop
 *
 * Context: any thread.
 */
void loop_stop(struct loop *loop)
{
	__atomic_store_n(&loop->stop, true, __ATOMIC_RELEASE);
	wake(loop);
}
