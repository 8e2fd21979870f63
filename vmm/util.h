/* SPDX-License-Identifier: GPL-2.0 */
/*
 * util.h - messages, whole reads and writes, clocks.
 */
#ifndef KVHOST_UTIL_H
#define KVHOST_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define NSEC_PER_SEC		1000000000ULL
#define NSEC_PER_MSEC		1000000ULL

/* @a is a power of two. */
static inline uint64_t align_up(uint64_t x, uint64_t a)
{
	return (x + a - 1) & ~(a - 1);
}

/* One line on stderr, "kvhost: " before and a newline after; any thread. */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* From now on a message waits for its reader only briefly; before other threads start. */
void log_bounded(void);

/*
 * A second description of @fd, a terminal or a pipe, that does not wait for its
 * reader; -1 if there can be none. The first one is shared with other processes.
 */
int reopen_nonblocking(int fd);

/* Move all @len bytes or fail with -errno; a short file is -ENODATA. */
int read_at(int fd, void *buf, size_t len, off_t off);
int write_all(int fd, const void *buf, size_t len);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

#endif
