// SPDX-License-Identifier: GPL-2.0
/*
 * blk_ring_test.c - V1: what code that has taken over the I/O thread of a
 * userspace backend can do with its io_uring.
 *
 * The ring is the one of the backend, created by the same function. The tests
 * fill submission entries by hand, as such code would.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "blk_user.h"
#include "util.h"
#include <kselftest_harness.h>

/* Opcodes that liburing's header of the machine may not know. */
#define OPS_MAX		128u

FIXTURE(ring) {
	struct io_uring ring;
	char path[64];
	int fds[3];
	int other;
	char byte;
};

FIXTURE_SETUP(ring)
{
	strcpy(self->path, "blk_ring_test.XXXXXX");
	self->fds[USER_FILE_DISK] = mkstemp(self->path);
	ASSERT_LE(0, self->fds[USER_FILE_DISK]);
	unlink(self->path);
	self->fds[USER_FILE_CONTROL] = eventfd(0, EFD_NONBLOCK);
	self->fds[USER_FILE_KICK] = eventfd(0, EFD_NONBLOCK);
	self->other = open("/dev/zero", O_RDWR);
	ASSERT_EQ(0, user_ring_create(&self->ring, self->fds, 3, 8, 16));
}

FIXTURE_TEARDOWN(ring)
{
	io_uring_queue_exit(&self->ring);
	for (int i = 0; i < 3; i++)
		close(self->fds[i]);
	close(self->other);
	unlink(self->path);
}

/* Submits one entry; returns its result. */
static int submit(struct io_uring *ring, const struct io_uring_sqe *from)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int res;

	*sqe = *from;
	if (io_uring_submit(ring) != 1 || io_uring_wait_cqe(ring, &cqe))
		return -EIO;
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

#define SUBMIT(...) \
	submit(&self->ring, &(struct io_uring_sqe) { __VA_ARGS__ })

TEST_F(ring, V1_opens_no_file)
{
	struct open_how how = { .flags = O_CREAT | O_WRONLY, .mode = 0600 };

	EXPECT_EQ(-EACCES, SUBMIT(.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
				  .addr = (uintptr_t)self->path, .len = 0600,
				  .open_flags = O_CREAT | O_WRONLY));
	EXPECT_EQ(-EACCES, SUBMIT(.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
				  .addr = (uintptr_t)self->path, .len = 0600,
				  .open_flags = O_CREAT | O_WRONLY,
				  .flags = IOSQE_FIXED_FILE));
	EXPECT_EQ(-EACCES, SUBMIT(.opcode = IORING_OP_OPENAT2, .fd = AT_FDCWD,
				  .addr = (uintptr_t)self->path, .len = sizeof(how),
				  .off = (uintptr_t)&how));
	EXPECT_NE(0, access(self->path, F_OK));
}

TEST_F(ring, V1_makes_no_socket)
{
	EXPECT_EQ(-EACCES, SUBMIT(.opcode = IORING_OP_SOCKET, .fd = AF_INET,
				  .off = SOCK_STREAM));
	EXPECT_EQ(-EACCES, SUBMIT(.opcode = IORING_OP_SOCKET, .fd = AF_INET,
				  .off = SOCK_STREAM, .flags = IOSQE_FIXED_FILE));
}

/* What the backend does not submit is refused, whatever the flags. */
TEST_F(ring, V1_six_opcodes)
{
	static const uint8_t used[] = {
		IORING_OP_READ, IORING_OP_READV, IORING_OP_WRITE, IORING_OP_WRITEV,
		IORING_OP_FSYNC, IORING_OP_TIMEOUT,
	};

	for (unsigned int op = 0; op < OPS_MAX; op++) {
		int ret;

		if (memchr(used, op, sizeof(used)))
			continue;
		for (unsigned int flags = 0; flags <= IOSQE_FIXED_FILE; flags++) {
			ret = SUBMIT(.opcode = op, .flags = flags);
			/* An opcode that the kernel does not know is EINVAL. */
			EXPECT_TRUE(ret == -EACCES || ret == -EINVAL) {
				TH_LOG("opcode %u answers %d", op, ret);
			}
		}
	}
}

/* A descriptor of the process cannot be named, nor a file that is not the backend's. */
TEST_F(ring, V1_only_its_own_files)
{
	const struct iovec iov = { &self->byte, 1 };
	const uint8_t ops[] = { IORING_OP_READ, IORING_OP_WRITE };

	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(-EACCES, SUBMIT(.opcode = ops[i], .fd = self->other,
					  .addr = (uintptr_t)&self->byte, .len = 1));
		EXPECT_EQ(-EBADF, SUBMIT(.opcode = ops[i], .fd = 3,
					 .addr = (uintptr_t)&self->byte, .len = 1,
					 .flags = IOSQE_FIXED_FILE));
	}
	EXPECT_EQ(-EACCES, SUBMIT(.opcode = IORING_OP_READV, .fd = self->other,
				  .addr = (uintptr_t)&iov, .len = 1));
	EXPECT_EQ(-EACCES, SUBMIT(.opcode = IORING_OP_FSYNC, .fd = self->other));
	/* Linked and asynchronous entries are more than the backend needs. */
	EXPECT_EQ(-EACCES, SUBMIT(.opcode = IORING_OP_READ, .fd = USER_FILE_DISK,
				  .addr = (uintptr_t)&self->byte, .len = 1,
				  .flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK));
}

TEST_F(ring, V1_nothing_is_registered_any_more)
{
	struct io_uring_restriction open_up = {
		.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_OPENAT,
	};
	int fd = self->ring.ring_fd;

	EXPECT_GT(0, io_uring_register_files_update(&self->ring, 0, &self->other, 1));
	EXPECT_EQ(-EACCES, io_uring_unregister_files(&self->ring));
	EXPECT_EQ(-EACCES, io_uring_register_personality(&self->ring));
	EXPECT_GT(0, io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, &open_up, 1));
	EXPECT_GT(0, io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
}

/* And what the backend does submit works. */
TEST_F(ring, serves_a_disk)
{
	struct __kernel_timespec soon = { .tv_nsec = 1 };
	uint64_t kicks = 0;

	self->byte = 'x';
	EXPECT_EQ(1, SUBMIT(.opcode = IORING_OP_WRITE, .fd = USER_FILE_DISK,
			    .addr = (uintptr_t)&self->byte, .len = 1,
			    .flags = IOSQE_FIXED_FILE));
	EXPECT_EQ(0, SUBMIT(.opcode = IORING_OP_FSYNC, .fd = USER_FILE_DISK,
			    .flags = IOSQE_FIXED_FILE));
	EXPECT_EQ(-ETIME, SUBMIT(.opcode = IORING_OP_TIMEOUT, .addr = (uintptr_t)&soon,
				 .len = 1, .flags = IOSQE_FIXED_FILE));
	eventfd_write(self->fds[USER_FILE_KICK], 3);
	EXPECT_EQ(8, SUBMIT(.opcode = IORING_OP_READ, .fd = USER_FILE_KICK,
			    .addr = (uintptr_t)&kicks, .len = sizeof(kicks),
			    .flags = IOSQE_FIXED_FILE));
	EXPECT_EQ(3, kicks);
}

TEST_HARNESS_MAIN
