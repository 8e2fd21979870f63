// SPDX-License-Identifier: GPL-2.0
/*
 * Makes and removes the disks of backing.h.
 *
 * A machine that cannot give one (no null_blk, no loop device) is reported by
 * a NULL path, for the test to skip; a half-made one is taken apart at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "backing.h"

#define NULLB_DIR	"/sys/kernel/config/nullb"
#define BACKING_MAX	16

struct backing {
	char undo[4 * BACKING_PATH];
	char path[BACKING_PATH];
};

static struct backing made[BACKING_MAX];
static unsigned int n_made;
static unsigned int first_made;	/* those below are another process's */
static pid_t maker;

/**
 * __run() - run a shell command quietly
 * @fmt: the command
 *
 * Return: its exit code.
 */
int __run(const char *fmt, ...)
{
	char cmd[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, args);
	va_end(args);
	fflush(stdout);
	return system(cmd);
}

/**
 * backing_undo() - remove everything this process made, last made first
 *
 * Called at exit(); a test that makes a disk in a harness child calls it.
 */
void backing_undo(void)
{
	if (getpid() != maker)
		return;
	while (n_made > first_made)
		if (__run("{ %s; } >/dev/null 2>&1", made[--n_made].undo))
			fprintf(stderr, "# could not remove %s\n", made[n_made].path);
}

static struct backing *new_backing(void)
{
	must(n_made < BACKING_MAX, "more than %d backings", BACKING_MAX);
	if (maker != getpid()) {
		maker = getpid();
		first_made = n_made;
		atexit(backing_undo);
	}
	return &made[n_made];
}

/**
 * backing_add() - have something removed that was made by other means
 * @path: of the disk
 * @undo: shell command
 *
 * Return: a copy of @path that lasts as long as the disk.
 */
const char *backing_add(const char *path, const char *undo)
{
	struct backing *b = new_backing();

	snprintf(b->path, sizeof(b->path), "%s", path);
	snprintf(b->undo, sizeof(b->undo), "%s", undo);
	n_made++;
	return b->path;
}

static bool put(const char *dir, const char *attr, unsigned long value)
{
	char path[2 * BACKING_PATH];
	int fd, n;

	snprintf(path, sizeof(path), "%s/%s", dir, attr);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = dprintf(fd, "%lu", value);
	close(fd);
	return n > 0;
}

/*
 * Find the node of a null_blk device. Newer kernels name the disk as the
 * directory, older ones by number. devtmpfs makes the node a moment later.
 */
static bool nullb_path(char *path, const char *dir, const char *name)
{
	char attr[2 * BACKING_PATH];
	const struct timespec pause = { .tv_nsec = 10000000 };
	unsigned int index = 0;
	int tries;
	FILE *f;

	snprintf(attr, sizeof(attr), "%s/index", dir);
	f = fopen(attr, "re");
	if (!f)
		return false;
	if (fscanf(f, "%u", &index) != 1)
		index = 0;
	fclose(f);
	for (tries = 0; tries < 500; tries++) {
		snprintf(path, BACKING_PATH, "/dev/%s", name);
		if (!access(path, F_OK))
			return true;
		snprintf(attr, sizeof(attr), "/sys/block/%s", name);
		if (access(attr, F_OK)) {
			snprintf(path, BACKING_PATH, "/dev/nullb%u", index);
			if (!access(path, F_OK))
				return true;
		}
		nanosleep(&pause, NULL);
	}
	return false;
}

/**
 * backing_nullb() - make a null_blk device
 * @name: of its configfs directory, unique among all tests that may run
 * @o:    what it shall be like
 *
 * Return: path of the block device, NULL when this machine cannot.
 */
const char *backing_nullb(const char *name, const struct nullb_opts *o)
{
	struct backing *b = new_backing();
	char dir[BACKING_PATH];
	bool ok;

	if (access(NULLB_DIR, F_OK))
		__run("{ modprobe null_blk nr_devices=0; %s; } >/dev/null 2>&1",
		      "mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config");
	snprintf(dir, sizeof(dir), NULLB_DIR "/%s", name);
	if (mkdir(dir, 0755) && errno != EEXIST)
		return NULL;
	snprintf(b->undo, sizeof(b->undo), "echo 0 >%s/power; rmdir %s", dir, dir);
	put(dir, "power", 0);
	ok = put(dir, "size", o->mb) &&
	     put(dir, "blocksize", o->bs ? o->bs : 512) &&
	     put(dir, "memory_backed", o->memory) &&
	     put(dir, "discard", o->memory) &&
	     put(dir, "irqmode", o->delay_ns ? 2 : 0) &&
	     put(dir, "completion_nsec", o->delay_ns) &&
	     put(dir, "submit_queues", 2) &&
	     (!o->depth || put(dir, "hw_queue_depth", o->depth)) &&
	     put(dir, "cache_size", o->cache_mb) &&
	     put(dir, "power", 1);
	n_made++;
	if (ok && nullb_path(b->path, dir, name))
		return b->path;
	backing_undo();
	return NULL;
}

/**
 * backing_nullb_pull() - take a null_blk device out, as somebody pulls a disk
 * @name: as given to backing_nullb()
 */
void backing_nullb_pull(const char *name)
{
	char dir[BACKING_PATH];

	snprintf(dir, sizeof(dir), NULLB_DIR "/%s", name);
	must(put(dir, "power", 0), "cannot switch off %s: %m", dir);
}

/**
 * backing_tmpfs() - make a regular file on tmpfs
 * @mb: size in MiB
 *
 * Return: its path, NULL when this machine has no /dev/shm.
 */
const char *backing_tmpfs(unsigned int mb)
{
	struct backing *b = new_backing();
	int fd;

	snprintf(b->path, sizeof(b->path), "/dev/shm/kvhost-test-%d-%u", getpid(), n_made);
	snprintf(b->undo, sizeof(b->undo), "rm -f %s", b->path);
	fd = open(b->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	must(!ftruncate(fd, (off_t)mb << 20), "ftruncate %s: %m", b->path);
	close(fd);
	n_made++;
	return b->path;
}

/**
 * backing_ext4() - make a regular file on ext4, which has direct I/O
 * @mb: size of the file in MiB
 *
 * Return: its path, NULL when this machine cannot.
 */
const char *backing_ext4(unsigned int mb)
{
	return backing_full_ext4(mb, mb + mb / 4 + 8);
}

/**
 * backing_full_ext4() - make a sparse file on an ext4 of any size
 * @mb:    size of the file in MiB
 * @fs_mb: size of the file system in MiB
 *
 * Return: its path, NULL when this machine cannot.
 */
const char *backing_full_ext4(unsigned int mb, unsigned int fs_mb)
{
	struct backing *b = new_backing();
	char base[BACKING_PATH / 2];

	snprintf(base, sizeof(base), "/dev/shm/kvhost-ext4-%d-%u", getpid(), n_made);
	snprintf(b->path, sizeof(b->path), "%s/disk", base);
	snprintf(b->undo, sizeof(b->undo), "umount %s; rmdir %s; rm -f %s.img",
		 base, base, base);
	if (__run("{ mkdir %s && truncate -s %uM %s.img; } 2>/dev/null",
		  base, fs_mb, base) ||
	    __run("modprobe -q loop; mkfs.ext4 -q -O ^has_journal %s.img >/dev/null 2>&1",
		  base) ||
	    __run("{ mount -o loop %s.img %s && truncate -s %uM %s; } 2>/dev/null",
		  base, base, mb, b->path)) {
		__run("{ %s; } >/dev/null 2>&1", b->undo);
		return NULL;
	}
	n_made++;
	return b->path;
}

/**
 * backing_full() - make a sparse file on a tmpfs that has not room for all of it
 * @room_mb: size of the file system in MiB
 * @mb:      size of the file in MiB
 *
 * Return: its path, NULL when this machine cannot.
 */
const char *backing_full(unsigned int room_mb, unsigned int mb)
{
	struct backing *b = new_backing();
	char base[BACKING_PATH / 2];

	snprintf(base, sizeof(base), "/dev/shm/kvhost-full-%d", getpid());
	snprintf(b->path, sizeof(b->path), "%s/disk", base);
	snprintf(b->undo, sizeof(b->undo), "umount %s; rmdir %s", base, base);
	if (__run("{ mkdir %s && mount -t tmpfs -o size=%uM none %s && truncate -s %uM %s; } %s",
		  base, room_mb, base, mb, b->path, "2>/dev/null")) {
		__run("{ %s; } >/dev/null 2>&1", b->undo);
		return NULL;
	}
	n_made++;
	return b->path;
}

/**
 * backing_open() - open a disk
 * @path:  as returned by backing_*()
 * @flags: for open()
 *
 * Return: file descriptor.
 */
int backing_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	must(fd >= 0, "open %s: %m", path);
	return fd;
}
