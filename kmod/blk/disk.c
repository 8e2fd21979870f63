// SPDX-License-Identifier: GPL-2.0
/*
 * disk.c - what stands behind a device: a range of a block device or file.
 *
 * The descriptor is looked up once, and everything known of the disk is
 * measured then, so that requests are checked against sizes of our own.
 */
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include "blk.h"

/* Requests that are worked on at a time where they may block. */
#define DISK_WORKERS	64

static int disk_check_mode(const struct blk_disk *disk)
{
	const struct file *file = disk->file;

	if (!(file->f_mode & FMODE_READ))
		return -EACCES;
	if (disk->flags & KVHOST_BLK_RDONLY)
		return 0;
	if (!(file->f_mode & FMODE_WRITE) || (disk->bdev && bdev_read_only(disk->bdev)))
		return -EACCES;
	if (IS_SWAPFILE(file->f_mapping->host))
		return -ETXTBSY;
	/* Appending would put every write at the end. */
	return file->f_flags & O_APPEND ? -EINVAL : 0;
}

static void disk_measure_bdev(struct blk_disk *disk)
{
	struct block_device *bdev = disk->bdev;

	disk->limits.lbs = bdev_logical_block_size(bdev);
	disk->pbs = bdev_physical_block_size(bdev);
	disk->mem_align = bdev_dma_alignment(bdev) | 3;
	disk->limits.discard = bdev_max_discard_sectors(bdev);
	disk->discard_granularity = bdev_discard_granularity(bdev);
	disk->limits.erase = bdev_max_secure_erase_sectors(bdev);
	/* Where the device cannot, the kernel writes zeroes. */
	disk->limits.zeroes = true;
}

static void disk_measure_file(struct blk_disk *disk)
{
	struct inode *inode = file_inode(disk->file);

	disk->limits.lbs = SECTOR_SIZE;
	/* Taken once: whoever shares the open file may change its flags. */
	disk->iocb_flags = iocb_flags(disk->file) & ~IOCB_APPEND;
	if (disk->iocb_flags & IOCB_DIRECT) {
		if (inode->i_sb->s_bdev)
			disk->limits.lbs = bdev_logical_block_size(inode->i_sb->s_bdev);
		disk->mem_align = disk->limits.lbs - 1;
	}
	disk->pbs = max_t(u32, disk->limits.lbs, PAGE_SIZE);
	/* Where the file system cannot, zeroes are written. */
	disk->limits.zeroes = true;
	/* What went wrong before is told by the first fsync, and only by that. */
	errseq_check_and_advance(&disk->file->f_mapping->wb_err, &disk->wb_err);
}

/*
 * No file system tells whether it can punch holes, so one is tried behind the end
 * of the file, where there is nothing to lose.
 */
static void disk_try_ranges(struct blk_disk *disk)
{
	loff_t end = round_up(i_size_read(file_inode(disk->file)), PAGE_SIZE);

	if (disk->flags & KVHOST_BLK_RDONLY) {
		disk->limits.discard = false;
		disk->limits.zeroes = false;
		disk->limits.erase = false;
		return;
	}
	if (disk->bdev)
		return;
	disk->limits.discard = !vfs_fallocate(disk->file,
					      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					      end, PAGE_SIZE);
}

/*
 * A file that stores what it is given. Those of /proc, /sys and the like act on
 * it instead, and judge the caller while they do.
 */
static bool is_storage(const struct file *file)
{
	struct inode *inode = file_inode(file);

	return S_ISREG(inode->i_mode) && !(inode->i_sb->s_iflags & SB_I_NODEV) &&
	       file->f_op->read_iter && file->f_op->write_iter && file->f_op->fsync;
}

static u64 disk_size(const struct blk_disk *disk)
{
	return disk->bdev ? (u64)bdev_nr_sectors(disk->bdev) << SECTOR_SHIFT :
			    (u64)i_size_read(file_inode(disk->file));
}

static int disk_measure(struct blk_disk *disk, const struct kvhost_blk_backend *b)
{
	u64 size, end;

	if (S_ISBLK(file_inode(disk->file)->i_mode)) {
		disk->bdev = I_BDEV(disk->file->f_mapping->host);
		if (bdev_is_zoned(disk->bdev))
			return -EINVAL;
		disk_measure_bdev(disk);
	} else if (is_storage(disk->file)) {
		disk_measure_file(disk);
	} else {
		return -EINVAL;
	}
	if (!IS_ALIGNED(b->offset, disk->limits.lbs) || !IS_ALIGNED(b->length, disk->limits.lbs))
		return -EINVAL;
	size = disk_size(disk);
	if (check_add_overflow(b->offset, b->length, &end) || end > size || b->offset > size)
		return -EINVAL;
	disk->start = b->offset;
	disk->length = b->length;
	disk->limits.capacity = (b->length ? b->length : size - b->offset) >> SECTOR_SHIFT;
	return disk->limits.capacity ? 0 : -EINVAL;
}

/* What blocks there holds up this disk alone. */
static int disk_make_own(struct blk_disk *disk)
{
	disk->wq = alloc_workqueue("kvhost-disk", WQ_UNBOUND, DISK_WORKERS);
	if (disk->bdev)
		disk->bios = blk_bios_make();
	return disk->wq && (disk->bios || !disk->bdev) ? 0 : -ENOMEM;
}

static void disk_free_own(struct blk_disk *disk)
{
	if (disk->wq)
		destroy_workqueue(disk->wq);
	blk_bios_free(disk->bios);
}

/*
 * Bios pass the device's page cache by: what others left there is written out
 * before we begin, and forgotten when we begin and end, so that neither side
 * reads what the other has overwritten.
 */
static int disk_sync_cache(struct blk_disk *disk)
{
	int ret = 0;

	if (disk->bdev) {
		ret = sync_blockdev(disk->bdev);
		invalidate_bdev(disk->bdev);
	}
	return ret;
}

/**
 * blk_disk_open() - build a disk from KVHOST_BLK_SET_BACKEND's argument
 * @b: the argument, a private copy, its flags and reserved bytes checked
 *
 * Context: Process context of the owner. May sleep.
 * Return: the disk or an ERR_PTR: -EBADF for a bad descriptor; -EACCES for one
 * not open for reading, or for writing unless KVHOST_BLK_RDONLY, or a device
 * that is read-only; -ETXTBSY for active swap; -EINVAL for one that is neither
 * block device nor regular file, is zoned, is open for appending, or for
 * @offset and @length misaligned or beyond the end; -ENOMEM; or an error of
 * writing out cached data
 */
struct blk_disk *blk_disk_open(const struct kvhost_blk_backend *b)
{
	struct blk_disk *disk;
	int ret;

	disk = kzalloc(sizeof(*disk), GFP_KERNEL_ACCOUNT);
	if (!disk)
		return ERR_PTR(-ENOMEM);
	disk->flags = b->flags;
	disk->limits.readonly = b->flags & KVHOST_BLK_RDONLY;
	disk->limits.ranges_max = KVHOST_BLK_RANGES_MAX;
	memcpy(disk->serial, b->serial, sizeof(disk->serial));
	disk->file = fget(b->fd);
	if (!disk->file) {
		ret = -EBADF;
		goto err_free;
	}
	ret = disk_measure(disk, b);
	if (!ret)
		ret = disk_check_mode(disk);
	if (!ret)
		ret = disk_make_own(disk);
	if (!ret)
		ret = disk_sync_cache(disk);
	if (ret)
		goto err_put;
	disk_try_ranges(disk);
	disk->cred = get_current_cred();
	blk_owner_get(&disk->owner);
	return disk;

err_put:
	disk_free_own(disk);
	fput(disk->file);
err_free:
	kfree(disk);
	return ERR_PTR(ret);
}

/**
 * blk_disk_close() - let go of a disk nothing uses any more
 * @disk: disk, or NULL
 *
 * Context: Process context. May sleep.
 */
void blk_disk_close(struct blk_disk *disk)
{
	if (!disk)
		return;
	if (disk->bdev)
		invalidate_bdev(disk->bdev);
	disk_free_own(disk);
	blk_owner_put(&disk->owner);
	put_cred(disk->cred);
	fput(disk->file);
	kfree(disk);
}

/**
 * blk_disk_resize() - look again how large a disk is
 * @disk: disk; requests may be in flight and be checked meanwhile
 *
 * Context: Process context, device lock held.
 */
void blk_disk_resize(struct blk_disk *disk)
{
	u64 size = disk_size(disk), bytes;

	bytes = size - min(size, disk->start);
	if (disk->length)
		bytes = min(bytes, disk->length);
	/* Pairs with the one load in on_disk(). */
	WRITE_ONCE(disk->limits.capacity, bytes >> SECTOR_SHIFT);
}
