/* SPDX-License-Identifier: GPL-2.0 */
/*
 * loop.h - an event loop: file descriptors, timers, and work posted by other
 * threads.
 *
 * A VM has two. Every callback runs on the thread of its loop and holds no lock; one
 * that touches a device takes vm_lock() itself, and belongs to the device thread.
 * No callback of the main thread may block.
 */
#ifndef KVHOST_LOOP_H
#define KVHOST_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* @events: the EPOLL* bits that are set. */
typedef void (*loop_fd_fn)(void *opaque, int fd, uint32_t events);
typedef void (*loop_fn)(void *opaque);

/**
 * struct loop_work - a callback another thread asks for; embed and set @fn, @opaque
 * @fn:     run on the thread of the loop; may free the work, or post it to a loop
 * @opaque: its argument
 * @next:   private
 * @queued: private; posting work that is still queued does nothing, so one
 *          run answers any number of posts made before it
 */
struct loop_work {
	loop_fn fn;
	void *opaque;
	struct loop_work *next;
	bool queued;
};

/**
 * struct loop_timer - a one-shot timer; embed and set @fn, @opaque
 * @fn:     run on the thread of the loop at expiry; may arm the timer again
 * @opaque: its argument
 * @expires: private, CLOCK_MONOTONIC nanoseconds; 0 when not armed
 * @next:   private
 */
struct loop_timer {
	loop_fn fn;
	void *opaque;
	uint64_t expires;
	struct loop_timer *next;
};

int loop_create(struct loop **loop);
void loop_destroy(struct loop *loop);
/* Serve events until loop_stop(). */
int loop_run(struct loop *loop);
/* Make loop_run() return; any thread. */
void loop_stop(struct loop *loop);

/*
 * Watch @fd for @events (EPOLLIN, EPOLLOUT; level triggered). One watch per fd.
 * Any thread. loop_del() called on the thread of the loop is exact; called elsewhere,
 * one callback may still be running when it returns.
 */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *opaque);
int loop_mod(struct loop *loop, int fd, uint32_t events);
int loop_del(struct loop *loop, int fd);

/* Any thread. */
void loop_post(struct loop *loop, struct loop_work *work);

/* Thread of the loop, or any before there is one. Arming an armed timer moves it. */
void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t ns_from_now);
void loop_timer_disarm(struct loop *loop, struct loop_timer *timer);

#endif
