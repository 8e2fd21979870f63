// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for used buffers and for eventfds, never without a limit.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>
#include "vring.h"

/**
 * now_ms() - the time, for limits
 *
 * Return: milliseconds since some moment.
 */
u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/**
 * eventfd_take() - read and clear an eventfd
 * @fd: non-blocking eventfd
 *
 * Return: its count, 0 when it was not signalled.
 */
u64 eventfd_take(int fd)
{
	u64 n = 0;

	if (read(fd, &n, 8) == 8)
		return n;
	must(errno == EAGAIN, "read eventfd: %m");
	return 0;
}

/**
 * eventfd_wait() - wait for an eventfd to be signalled; does not clear it
 * @fd:       eventfd
 * @limit_ms: longest wait
 *
 * Return: whether it was.
 */
bool eventfd_wait(int fd, int limit_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, limit_ms);
	} while (r < 0 && errno == EINTR);
	must(r >= 0, "poll: %m");
	return r == 1;
}

/**
 * vq_wait_used_ms() - wait for used buffers as a driver does
 * @q:        queue
 * @u:        results
 * @n:        how many to wait for
 * @limit_ms: longest silence before giving up
 *
 * Return: how many came, less than @n when nothing came for @limit_ms.
 */
unsigned int vq_wait_used_ms(struct vq *q, struct vq_used *u, unsigned int n,
			     int limit_ms)
{
	unsigned int got = 0;

	while (got < n) {
		if (vq_get_used(q, &u[got])) {
			got++;
			continue;
		}
		vq_arm(q);
		if (vq_has_used(q))
			continue;
		if (!eventfd_wait(q->call_fd, limit_ms))
			break;
		eventfd_take(q->call_fd);
	}
	return got;
}

/**
 * vq_wait_used() - vq_wait_used_ms() with the limit every wait has
 * @q: queue
 * @u: results
 * @n: how many to wait for
 *
 * Return: how many came.
 */
unsigned int vq_wait_used(struct vq *q, struct vq_used *u, unsigned int n)
{
	return vq_wait_used_ms(q, u, n, LIMIT_MS);
}

/**
 * vq_spin_used() - wait for used buffers by looking, so that notifications play no part
 * @q: queue
 * @n: how many to wait for
 *
 * Return: whether they came within the limit every wait has.
 */
bool vq_spin_used(const struct vq *q, unsigned int n)
{
	const u64 end = now_ms() + LIMIT_MS;

	while (vq_used_ready(q) < n) {
		sched_yield();
		if (now_ms() > end)
			return false;
	}
	return true;
}
