/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fault.h - a host that cannot write its page cache back, between the userspace
 * backend and the kernel.
 */
#ifndef SELFTESTS_VMM_FAULT_H
#define SELFTESTS_VMM_FAULT_H

/**
 * struct fault - what goes wrong; atomic, because the I/O threads use it
 * @sync: -errno that the next call that makes data durable answers, once
 */
extern struct fault {
	int sync;
} fault;

/* The linker's: what is really there, and what stands before it. */
struct io_uring;
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned int wait);
int __real_io_uring_submit_and_get_events(struct io_uring *ring);
int __real_fdatasync(int fd);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int wait);
int __wrap_io_uring_submit_and_get_events(struct io_uring *ring);
int __wrap_fdatasync(int fd);

#endif
