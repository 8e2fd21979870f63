/* SPDX-License-Identifier: GPL-2.0 */
/*
 * event.h - an eventfd as a flag: raised by anyone, cleared by its reader.
 */
#ifndef KVHOST_EVENT_H
#define KVHOST_EVENT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Return: the descriptor, or -errno. */
static inline int event_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* Cannot fail in a way that matters: a full counter is raised already. */
static inline void event_raise(int fd)
{
	if (eventfd_write(fd, 1))
		return;
}

/* Return: true if it was raised. */
static inline bool event_clear(int fd)
{
	eventfd_t n;

	return !eventfd_read(fd, &n);
}

#endif
