// SPDX-License-Identifier: GPL-2.0
/*
 * disk_lock.c - keep others from a disk that a guest writes to.
 *
 * QEMU and its tools lock two sets of bytes of an image, each byte with a shared
 * lock of the open file: one tells what the holder does, one tells what nobody else may
 * do. The holder then looks whether anybody else holds the counterpart. The same
 * bytes are used here, so that either side refuses what the other has open:
 *
 *			 tells		forbids		looks for
 *	whole, writes	 read, write	write, resize	forbidden write; write, resize
 *	whole, reads	 read		write, resize	write, resize
 *	range, writes	 read, write	-		forbidden write
 *	range, reads	 read		-		write together with forbidden write
 *	share=on	 as it does	-		forbidden write, if it writes
 *
 * Those bytes know no ranges. So each disk locks its own range as well, far beyond
 * the end of any file: exclusively if it writes, unless share=on; not at all if it
 * reads with share=on. Whole images are the range that everything overlaps.
 *
 * The locks belong to the open file. The kernel backend holds the file until the last
 * request has ended, and so are the locks.
 */
#include <errno.h>
#include <fcntl.h>

#include "disk.h"
#include "options.h"

/* Where QEMU's two sets begin, and the places of its permissions in both. */
#define LOCK_DOES	100
#define LOCK_FORBIDS	200
#define PERM_READ	0
#define PERM_WRITE	1
#define PERM_RESIZE	3

/* Where ours begin: offset 0 of the file. */
#define LOCK_RANGE	((off_t)1 << 62)

/* Return: 0, -EBUSY if somebody else holds a lock, or another -errno. */
static int lock_set(const struct disk *disk, short type, off_t start, off_t len)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = len,
	};

	if (!fcntl(disk->fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static int lock_byte(const struct disk *disk, unsigned int byte)
{
	return lock_set(disk, F_RDLCK, byte, 1);
}

/* Does anybody else hold the byte? */
static bool lock_held(const struct disk *disk, unsigned int byte)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	return !fcntl(disk->fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

static int lock_take(const struct disk *disk, const struct disk_options *opt, bool whole)
{
	short range = disk->readonly || opt->share ? F_RDLCK : F_WRLCK;
	int ret = lock_byte(disk, LOCK_DOES + PERM_READ);

	if (!ret && !disk->readonly)
		ret = lock_byte(disk, LOCK_DOES + PERM_WRITE);
	if (!ret && whole)
		ret = lock_byte(disk, LOCK_FORBIDS + PERM_WRITE);
	if (!ret && whole)
		ret = lock_byte(disk, LOCK_FORBIDS + PERM_RESIZE);
	/* Length 0: all there is and will be. */
	if (!ret && !(disk->readonly && opt->share))
		ret = lock_set(disk, range, LOCK_RANGE + opt->offset, opt->length);
	return ret;
}

static bool lock_conflicts(const struct disk *disk, const struct disk_options *opt, bool whole)
{
	bool forbidden = lock_held(disk, LOCK_FORBIDS + PERM_WRITE);
	bool written = lock_held(disk, LOCK_DOES + PERM_WRITE);

	if (whole)
		return written || lock_held(disk, LOCK_DOES + PERM_RESIZE) ||
		       (!disk->readonly && forbidden);
	if (!disk->readonly)
		return forbidden;
	return !opt->share && written && forbidden;
}

/**
 * disk_lock() - say what a disk's file is used for, unless somebody objects
 * @disk: open, its @fd, @readonly and @offset filled in
 * @opt:  the option
 *
 * Context: main thread, before the sandbox.
 * Return: 0; -EBUSY if another program, or another disk of this one, uses the file
 * in a way that excludes this; another -errno, such as -ENOLCK, if the file system
 * has no locks.
 */
int disk_lock(const struct disk *disk, const struct disk_options *opt)
{
	bool whole = !opt->offset && !opt->length && !opt->share;
	int ret;

	if (opt->offset > (uint64_t)LOCK_RANGE - 1 || opt->length > (uint64_t)LOCK_RANGE - 1)
		return -EOVERFLOW;
	ret = lock_take(disk, opt, whole);
	if (!ret && lock_conflicts(disk, opt, whole))
		ret = -EBUSY;
	/* Both of two that begin at the same time may find the other. */
	if (ret)
		lock_set(disk, F_UNLCK, 0, 0);
	return ret;
}
