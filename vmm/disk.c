// SPDX-License-Identifier: GPL-2.0
/*
 * disk.c - the file or block device behind a disk, opened and checked.
 *
 * What cannot work is refused here with a line that says how to mend it, so
 * that a backend can count on a readable (and, unless read-only, writable)
 * range of whole blocks. Called on the main thread before the sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "options.h"
#include "util.h"

#define BLOCK_MAX	65536u

/* A VM that was just killed lets go of its disks a moment after its end. */
#define BUSY_TRIES	40
#define BUSY_NS		(50 * NSEC_PER_MSEC)

static void complain_busy(const struct disk *disk, const struct disk_options *opt)
{
	const char *what = "in use by another VM or disk";
	const char *mend = "add readonly=on to all of them";
	const char *other = ", or share=on if its file system allows several hosts";

	if (disk->device) {
		what = "mounted, in use by another VM, or part of another device (see `lsblk`)";
		mend = "add readonly=on";
	} else if (disk->readonly) {
		what = "written to by another VM or disk";
		mend = "add share=on to read what changes meanwhile";
		other = "";
	} else if (opt->offset || opt->length) {
		what = "in use, in that part, by another VM or disk";
		mend = "choose an offset= and length= that do not overlap";
	}
	log_error("--disk path: '%s' is %s; end that, or %s%s", disk->path, what, mend, other);
}

static int open_failed(const struct disk *disk, int err)
{
	const char *hint = "";

	switch (err) {
	case ENOENT:
		hint = "; create an image with `truncate -s 1G FILE`";
		if (!strncmp(disk->path, "/dev/", 5))
			hint = "; `lsblk` lists the block devices";
		break;
	case EACCES:
	case EROFS:
	case EPERM:
		if (access(disk->path, R_OK))
			hint = "; let this account read it, or run as root";
		else if (!disk->readonly)
			hint = "; make it writable, or add readonly=on";
		break;
	}
	log_error("--disk path: cannot open '%s': %s%s", disk->path,
		  strerror(err), hint);
	return -err;
}

static int check_kind(struct disk *disk, struct stat *st)
{
	const char *kind = "something else";

	if (stat(disk->path, st))
		return open_failed(disk, errno);
	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		kind = "a directory";
	else if (S_ISCHR(st->st_mode))
		kind = "a character device";
	log_error("--disk path: '%s' is %s; name a block device or a raw image file",
		  disk->path, kind);
	return -EINVAL;
}

/* Not every file system that opens a file with O_DIRECT serves one sector. */
static bool direct_works(int fd, uint32_t align)
{
	void *buf;
	bool ok;

	if (posix_memalign(&buf, align, align))
		return false;
	ok = pread(fd, buf, align, align) >= 0 || errno != EINVAL;
	free(buf);
	return ok;
}

static int open_file(struct disk *disk, const struct disk_options *opt)
{
	int flags = O_CLOEXEC | (disk->readonly ? O_RDONLY : O_RDWR);

	/* Refused while it is mounted or claimed otherwise, and the reverse. */
	if (disk->device && !disk->readonly && !opt->share)
		flags |= O_EXCL;
	disk->fd = -1;
	if (opt->direct)
		disk->fd = open(disk->path, flags | O_DIRECT);
	if (disk->fd < 0 && (!opt->direct || errno == EINVAL))
		disk->fd = open(disk->path, flags);
	return disk->fd < 0 ? -errno : 0;
}

static int lock_file(struct disk *disk, const struct disk_options *opt)
{
	int ret = disk_lock(disk, opt);

	if (!ret || ret == -EBUSY)
		return ret;
	log_warn("--disk path: '%s' cannot be locked: %s; nothing keeps another VM from it",
		 disk->path, strerror(-ret));
	return 0;
}

/* Opens the file that nobody else may use in a way that excludes this. */
static int claim(struct disk *disk, const struct disk_options *opt)
{
	const struct timespec pause = { .tv_nsec = BUSY_NS };
	unsigned int tries;
	int ret;

	for (tries = 0;; tries++) {
		ret = open_file(disk, opt);
		if (!ret)
			ret = lock_file(disk, opt);
		if (ret != -EBUSY || tries == BUSY_TRIES)
			break;
		disk_close(disk);
		nanosleep(&pause, NULL);
	}
	if (ret == -EBUSY)
		complain_busy(disk, opt);
	else if (ret)
		open_failed(disk, -ret);
	if (ret)
		disk_close(disk);
	return ret;
}

static int probe_block(struct disk *disk, uint64_t *size)
{
	unsigned int physical;
	int logical;

	if (ioctl(disk->fd, BLKGETSIZE64, size) ||
	    ioctl(disk->fd, BLKSSZGET, &logical) ||
	    ioctl(disk->fd, BLKPBSZGET, &physical)) {
		int err = errno;

		log_error("--disk path: '%s' does not tell its size: %s",
			  disk->path, strerror(err));
		return -err;
	}
	disk->logical = logical;
	disk->physical = physical;
	return 0;
}

static void probe_file(struct disk *disk, const struct stat *st, uint64_t *size)
{
	uint32_t block = st->st_blksize;

	*size = st->st_size;
	disk->logical = DISK_SECTOR;
	disk->physical = DISK_SECTOR;
	if (block > DISK_SECTOR && block <= BLOCK_MAX && !(block & (block - 1)))
		disk->physical = block;
}

static int settle_direct(struct disk *disk, bool wanted)
{
	int flags = fcntl(disk->fd, F_GETFL);

	disk->align = disk->logical;
	disk->direct = flags >= 0 && (flags & O_DIRECT);
	if (disk->direct && !direct_works(disk->fd, disk->align)) {
		if (fcntl(disk->fd, F_SETFL, flags & ~O_DIRECT))
			return open_failed(disk, errno);
		disk->direct = false;
	}
	if (wanted && !disk->direct)
		log_warn("--disk direct: '%s' has no direct I/O in units of %u bytes; continuing with direct=off",
			 disk->path, disk->align);
	return 0;
}

static int check_multiple(const struct disk *disk, const char *what,
			  uint64_t val)
{
	if (!(val % disk->logical))
		return 0;
	log_error("--disk %s: %llu is not a multiple of the block size of '%s', %u bytes",
		  what, (unsigned long long)val, disk->path, disk->logical);
	return -EINVAL;
}

static int check_range(struct disk *disk, const struct disk_options *opt,
		       uint64_t size)
{
	uint64_t length = opt->length ? opt->length : disk->logical;

	if (check_multiple(disk, "offset", opt->offset) ||
	    check_multiple(disk, "length", opt->length))
		return -EINVAL;
	if (opt->offset >= size || length > size - opt->offset) {
		log_error("--disk path: '%s' has %llu bytes; %llu at offset %llu do not fit",
			  disk->path, (unsigned long long)size,
			  (unsigned long long)length,
			  (unsigned long long)opt->offset);
		return -EINVAL;
	}
	disk->offset = opt->offset;
	disk->bytes = opt->length ? opt->length : size - opt->offset;
	if (disk->bytes % disk->logical) {
		log_error("--disk path: '%s' has %llu bytes, no multiple of %u; `truncate -s %%%u`",
			  disk->path, (unsigned long long)size, disk->logical,
			  disk->logical);
		return -EINVAL;
	}
	return 0;
}

/**
 * disk_open() - open what --disk names
 * @disk: filled in
 * @opt:  the option
 *
 * The file is locked as disk_lock.c says until it is closed.
 *
 * Return: 0; -EINVAL for what cannot be a disk; -EBUSY for one that somebody else
 * uses; or -errno of open().
 */
int disk_open(struct disk *disk, const struct disk_options *opt)
{
	struct stat st;
	uint64_t size;
	int ret;

	disk->fd = -1;
	disk->path = opt->path;
	disk->readonly = opt->readonly;
	ret = check_kind(disk, &st);
	disk->device = !ret && S_ISBLK(st.st_mode);
	if (!ret)
		ret = claim(disk, opt);
	if (ret)
		return ret;
	if (disk->device)
		ret = probe_block(disk, &size);
	else
		probe_file(disk, &st, &size);
	if (!ret)
		ret = settle_direct(disk, opt->direct);
	if (!ret)
		ret = check_range(disk, opt, size);
	if (ret)
		disk_close(disk);
	return ret;
}

/**
 * disk_resize() - look again how large the file is
 * @disk: the disk; @disk->bytes may change
 * @opt:  the option
 *
 * Return: 0, or -errno if the size is not told; the old one stays then.
 */
int disk_resize(struct disk *disk, const struct disk_options *opt)
{
	uint64_t size, bytes = 0;
	struct stat st;

	if (fstat(disk->fd, &st))
		return -errno;
	size = st.st_size;
	if (disk->device && ioctl(disk->fd, BLKGETSIZE64, &size))
		return -errno;
	if (size > opt->offset)
		bytes = size - opt->offset;
	if (opt->length && bytes > opt->length)
		bytes = opt->length;
	disk->bytes = bytes - bytes % disk->logical;
	return 0;
}

/**
 * disk_close() - close it
 * @disk: from disk_open(), or one it failed on
 */
void disk_close(struct disk *disk)
{
	if (disk->fd >= 0)
		close(disk->fd);
	disk->fd = -1;
}
