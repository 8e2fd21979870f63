// SPDX-License-Identifier: GPL-2.0
/*
 * fault.c - a host that cannot write its page cache back.
 *
 * Stands between the userspace backend and the kernel, by the linker's --wrap.
 * The kernel tells an open file once that cached writes were lost, through the
 * first call that makes data durable. So does this.
 */
#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <unistd.h>

#include "fault.h"

#define ENTRIES_MAX	4096

struct fault fault;

static int take(void)
{
	return __atomic_exchange_n(&fault.sync, 0, __ATOMIC_ACQ_REL);
}

static bool syncs(const struct io_uring_sqe *sqe)
{
	bool write = sqe->opcode == IORING_OP_WRITE || sqe->opcode == IORING_OP_WRITEV;

	return sqe->opcode == IORING_OP_FSYNC || (write && (sqe->rw_flags & RWF_DSYNC));
}

/* The entry that is going to fail, of those about to be submitted; 0: none. */
static uint64_t victim(struct io_uring *ring)
{
	struct io_uring_sq *sq = &ring->sq;

	if (!__atomic_load_n(&fault.sync, __ATOMIC_ACQUIRE))
		return 0;
	for (unsigned int i = sq->sqe_head; i != sq->sqe_tail; i++)
		if (syncs(&sq->sqes[i & *sq->kring_mask]))
			return sq->sqes[i & *sq->kring_mask].user_data;
	return 0;
}

/* A test has one request under way at a time: the victim ends in this call or a later one. */
static void strike(struct io_uring *ring, uint64_t found)
{
	static __thread uint64_t pending;
	struct io_uring_cqe *cqe;
	unsigned int head;

	if (found)
		pending = found;
	if (!pending)
		return;
	io_uring_for_each_cqe(ring, head, cqe) {
		if (cqe->user_data != pending)
			continue;
		cqe->res = take();
		pending = 0;
		return;
	}
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int wait)
{
	uint64_t found = victim(ring);
	int ret = __real_io_uring_submit_and_wait(ring, wait);

	strike(ring, found);
	return ret;
}

int __wrap_io_uring_submit_and_get_events(struct io_uring *ring)
{
	uint64_t found = victim(ring);
	int ret = __real_io_uring_submit_and_get_events(ring);

	strike(ring, found);
	return ret;
}

int __wrap_fdatasync(int fd)
{
	int err = take();

	if (!err)
		return __real_fdatasync(fd);
	errno = -err;
	return -1;
}
