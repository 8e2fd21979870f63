// SPDX-License-Identifier: GPL-2.0
/*
 * util.c - messages, whole reads and writes, clocks.
 *
 * Everything here may be called from any thread. A message is put together
 * first and leaves in one write, so lines of two threads do not mix.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

/* Longest a message waits for its reader, milliseconds; then it is cut off. */
#define LOG_WAIT_MS	100

static int log_fd = STDERR_FILENO;

/* Write as much as the reader takes in time. */
static void log_write(const char *line, size_t len)
{
	struct pollfd p = { .fd = log_fd, .events = POLLOUT };
	ssize_t n;

	while (len) {
		n = write(log_fd, line, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno != EAGAIN || poll(&p, 1, LOG_WAIT_MS) != 1))
			return;
		if (n > 0) {
			line += n;
			len -= (size_t)n;
		}
	}
}

static void __attribute__((format(printf, 2, 0)))
log_line(const char *prefix, const char *fmt, va_list ap)
{
	char line[1024];
	int n, m;

	n = snprintf(line, sizeof(line), "kvhost: %s", prefix);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	log_write(line, (size_t)n);
}

/**
 * log_bounded() - let no message wait for its reader longer than LOG_WAIT_MS
 *
 * Context: before any other thread is started.
 */
void log_bounded(void)
{
	int fd = reopen_nonblocking(STDERR_FILENO);

	if (fd >= 0)
		log_fd = fd;
}

/**
 * log_error() - say what went wrong, in one line on stderr
 * @fmt: printf format without a newline
 */
void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("", fmt, ap);
	va_end(ap);
}

/**
 * log_warn() - say what is odd but does not stop us, in one line on stderr
 * @fmt: printf format without a newline
 */
void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("warning: ", fmt, ap);
	va_end(ap);
}

/**
 * reopen_nonblocking() - a description of our own of a terminal or a pipe
 * @fd: descriptor that other processes share
 *
 * O_NONBLOCK belongs to a description, so setting it on @fd would change @fd for
 * everybody. A regular file stays as it is: two descriptions have two positions.
 *
 * Return: a descriptor, or -1 if @fd is something else or cannot be opened anew.
 */
int reopen_nonblocking(int fd)
{
	char path[32];
	struct stat st;

	if (fstat(fd, &st) || !(S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd))))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/**
 * read_at() - read exactly @len bytes
 * @fd:  file
 * @buf: where to
 * @len: bytes
 * @off: offset in the file
 *
 * Return: 0, -ENODATA when the file ends before, or the errno of pread().
 */
int read_at(int fd, void *buf, size_t len, off_t off)
{
	uint8_t *p = buf;
	ssize_t n;

	while (len) {
		n = pread(fd, p, len, off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		p += n;
		len -= (size_t)n;
		off += n;
	}
	return 0;
}

/**
 * write_all() - write exactly @len bytes
 * @fd:  file, pipe or socket
 * @buf: what
 * @len: bytes
 *
 * Return: 0, or the errno of write(), -EAGAIN included on a non-blocking fd.
 */
int write_all(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/**
 * now_ns() - the time since some fixed point
 *
 * Return: nanoseconds of CLOCK_MONOTONIC.
 */
uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}
