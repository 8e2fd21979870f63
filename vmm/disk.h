/* SPDX-License-Identifier: GPL-2.0 */
/*
 * disk.h - the file or block device behind a disk, opened and checked.
 */
#ifndef KVHOST_DISK_H
#define KVHOST_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define DISK_SECTOR	512u

struct disk_options;

/**
 * struct disk - constant once open but for @bytes, which is the main thread's
 * @fd:       the file
 * @path:     its name, for messages
 * @device:   it is a block device, else a regular file
 * @readonly: @fd cannot write
 * @direct:   @fd bypasses the page cache: offset, length and address of an
 *            access are multiples of @align
 * @align:    see @direct
 * @offset:   where the disk begins in the file, bytes
 * @bytes:    length of the disk, a multiple of @logical
 * @logical:  smallest unit of I/O, bytes
 * @physical: unit of efficient I/O, bytes
 */
struct disk {
	int fd;
	const char *path;
	bool device;
	bool readonly;
	bool direct;
	uint32_t align;
	uint64_t offset;
	uint64_t bytes;
	uint32_t logical;
	uint32_t physical;
};

/* Writes one line on stderr when it fails. */
int disk_open(struct disk *disk, const struct disk_options *opt);
int disk_resize(struct disk *disk, const struct disk_options *opt);
void disk_close(struct disk *disk);

/* disk_lock.c: writes nothing. */
int disk_lock(const struct disk *disk, const struct disk_options *opt);

#endif
