// SPDX-License-Identifier: GPL-2.0
/*
 * blk_user_ring.c - an io_uring that can do no more than a disk needs.
 *
 * The system call filter does not see what an io_uring is asked for, and an
 * io_uring opens files and makes sockets as well as it reads and writes. So the
 * ring is born disabled. It is given its files, is restricted to them and to the
 * six opcodes of the backend, and only then is enabled. No later call lifts that.
 */
#include <errno.h>

#include "blk_user.h"
#include "util.h"

/* Everything that a file of this backend submits. */
static const uint8_t ring_opcodes[] = {
	IORING_OP_READ, IORING_OP_READV, IORING_OP_WRITE, IORING_OP_WRITEV,
	IORING_OP_FSYNC, IORING_OP_TIMEOUT,
};

/*
 * liburing 2.3 exports no function for this and for enabling.
 * Registering anything else is refused as well, because nothing of it is listed.
 */
static int ring_restrict(struct io_uring *ring)
{
	struct io_uring_restriction res[ARRAY_SIZE(ring_opcodes) + 1] = { 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ring_opcodes); i++) {
		res[i].opcode = IORING_RESTRICTION_SQE_OP;
		res[i].sqe_op = ring_opcodes[i];
	}
	/* Required of every entry: no descriptor of the process can be named. */
	res[i].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	res[i].sqe_flags = IOSQE_FIXED_FILE;
	return io_uring_register(ring->ring_fd, IORING_REGISTER_RESTRICTIONS,
				 res, ARRAY_SIZE(res));
}

/**
 * user_ring_create() - create a ring that serves some files and nothing else
 * @ring:    filled in; its ring_fd is -1 after an error
 * @fds:     the files; an entry of the ring names one by its place here
 * @nfds:    how many
 * @entries: of the submission queue
 * @cqes:    of the completion queue
 *
 * Context: the thread that will submit.
 * Return: 0; -EINVAL or -ENOSYS before Linux 6.1; -EPERM where the host forbids
 * io_uring; other -errno of io_uring_setup() and io_uring_register().
 */
int user_ring_create(struct io_uring *ring, const int *fds, unsigned int nfds,
		     unsigned int entries, unsigned int cqes)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED,
		.cq_entries = cqes,
	};
	int ret = io_uring_queue_init_params(entries, ring, &params);

	if (ret) {
		ring->ring_fd = -1;
		return ret;
	}
	ret = io_uring_register_files(ring, fds, nfds);
	if (!ret)
		ret = ring_restrict(ring);
	/* Makes this thread the single issuer, too. */
	if (!ret)
		ret = io_uring_register(ring->ring_fd,
					IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	if (ret) {
		io_uring_queue_exit(ring);
		ring->ring_fd = -1;
	}
	return ret;
}
