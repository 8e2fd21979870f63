// SPDX-License-Identifier: GPL-2.0
/*
 * disk_test.c - V8: who may open a disk together with whom.
 *
 * Two disks of one process exclude each other like those of two, because the
 * locks belong to the open file. QEMU is played by its locks, byte by byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "options.h"
#include "util.h"
#include <kselftest_harness.h>

#define MB		(1u << 20)
#define DISK_BYTES	(8 * MB)

/* QEMU: bytes that tell a permission is used, and that it is not shared. */
#define DOES		100
#define FORBIDS		200
#define P_READ		0x1
#define P_WRITE		0x2
#define P_UNCHANGED	0x4
#define P_RESIZE	0x8
#define P_ALL		0xf

/* A guest's disk, the same with share-rw=on, a read-only one, and qemu-img info. */
struct qemu {
	unsigned int perm;
	unsigned int shared;
};

static const struct qemu qemu_writes = { P_READ | P_WRITE | P_RESIZE, P_READ | P_UNCHANGED };
static const struct qemu qemu_shares = { P_READ | P_WRITE, P_ALL };
static const struct qemu qemu_reads = { P_READ, P_READ | P_UNCHANGED };
static const struct qemu qemu_looks = { P_READ, P_ALL };

struct user {
	bool readonly;
	bool share;
	unsigned int offset;
	unsigned int length;
};

/* Opens and locks it once, without the patience of disk_open(). */
static int use(struct disk *disk, const char *path, const struct user *user)
{
	const struct disk_options opt = {
		.readonly = user->readonly,
		.share = user->share,
		.offset = user->offset * MB,
		.length = user->length * MB,
	};

	*disk = (struct disk) {
		.fd = open(path, user->readonly ? O_RDONLY : O_RDWR),
		.readonly = user->readonly,
	};
	return disk_lock(disk, &opt);
}

static int lock(int fd, int cmd, short type, unsigned int byte)
{
	struct flock l = { .l_type = type, .l_start = byte, .l_len = 1 };
	int ret = fcntl(fd, cmd, &l);

	return cmd == F_OFD_GETLK && !ret ? l.l_type != F_UNLCK : ret;
}

/*
 * What QEMU does when it opens an image: a shared lock on each byte, then a look
 * for the counterparts. Return: a descriptor, or -EBUSY if QEMU would refuse.
 */
static int qemu_open(const char *path, const struct qemu *q)
{
	int fd = open(path, q->perm & P_WRITE ? O_RDWR : O_RDONLY);
	bool busy = false;

	for (unsigned int i = 0; i < 4; i++) {
		if (q->perm & (1 << i))
			busy |= lock(fd, F_OFD_SETLK, F_RDLCK, DOES + i) < 0;
		if (!(q->shared & (1 << i)))
			busy |= lock(fd, F_OFD_SETLK, F_RDLCK, FORBIDS + i) < 0;
	}
	for (unsigned int i = 0; i < 4; i++) {
		if (q->perm & (1 << i))
			busy |= lock(fd, F_OFD_GETLK, F_WRLCK, FORBIDS + i);
		if (!(q->shared & (1 << i)))
			busy |= lock(fd, F_OFD_GETLK, F_WRLCK, DOES + i);
	}
	if (!busy)
		return fd;
	close(fd);
	return -EBUSY;
}

static const struct user writer = { };
static const struct user reader = { .readonly = true };
static const struct user sharer = { .share = true };
static const struct user onlooker = { .readonly = true, .share = true };
static const struct user low = { .length = 4 };
static const struct user high = { .offset = 4 };
static const struct user middle = { .offset = 2, .length = 4 };
static const struct user low_reader = { .readonly = true, .length = 4 };

FIXTURE(disk) {
	char path[64];
	struct disk a;
	struct disk b;
};

FIXTURE_SETUP(disk)
{
	int fd;

	strcpy(self->path, "disk_test.XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, DISK_BYTES));
	close(fd);
}

FIXTURE_TEARDOWN(disk)
{
	unlink(self->path);
}

TEST_F(disk, V8_who_excludes_whom)
{
	static const struct {
		const char *name;
		const struct user *a, *b;
		bool fits;
	} pairs[] = {
		{ "two writers", &writer, &writer, false },
		{ "writer, reader", &writer, &reader, false },
		{ "two readers", &reader, &reader, true },
		{ "writer, range", &writer, &low, false },
		{ "writer, read-only range", &writer, &low_reader, false },
		{ "ranges that lie apart", &low, &high, true },
		{ "ranges that overlap", &low, &middle, false },
		{ "to the end, overlapping", &high, &middle, false },
		{ "one range twice", &low, &low, false },
		{ "range, its reader", &low, &low_reader, false },
		{ "range, reader of another", &high, &low_reader, true },
		{ "read-only range twice", &low_reader, &low_reader, true },
		{ "reader, range", &reader, &low, false },
		{ "reader, read-only range", &reader, &low_reader, true },
		{ "two that share", &sharer, &sharer, true },
		{ "one that shares, writer", &sharer, &writer, false },
		{ "one that shares, reader", &sharer, &reader, false },
		{ "one that shares, range", &sharer, &low, false },
		{ "onlooker, writer", &onlooker, &writer, true },
		{ "onlooker, range", &onlooker, &low, true },
	};

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(pairs); i++) {
		const struct user *a = pairs[i / 2].a, *b = pairs[i / 2].b;
		int ret;

		/* In either order. */
		ASSERT_EQ(0, use(&self->a, self->path, i % 2 ? b : a));
		ret = use(&self->b, self->path, i % 2 ? a : b);
		EXPECT_EQ(pairs[i / 2].fits ? 0 : -EBUSY, ret) {
			TH_LOG("%s%s", pairs[i / 2].name, i % 2 ? ", the other way round" : "");
		}
		disk_close(&self->b);
		/* One that was refused has left nothing behind. */
		disk_close(&self->a);
		ASSERT_EQ(0, use(&self->b, self->path, &writer));
		disk_close(&self->b);
	}
}

TEST_F(disk, V8_qemu_and_kvhost_refuse_each_other)
{
	static const struct {
		const char *name;
		const struct user *user;
		const struct qemu *qemu;
		bool fits;
		bool unseen;
	} pairs[] = {
		{ "writer, QEMU writes", &writer, &qemu_writes, false, false },
		{ "writer, QEMU reads", &writer, &qemu_reads, false, false },
		{ "writer, QEMU share-rw", &writer, &qemu_shares, false, false },
		{ "writer, qemu-img info -U", &writer, &qemu_looks, true, false },
		{ "reader, QEMU writes", &reader, &qemu_writes, false, false },
		{ "reader, QEMU reads", &reader, &qemu_reads, true, false },
		{ "range, QEMU writes", &low, &qemu_writes, false, false },
		{ "range, QEMU reads", &low, &qemu_reads, false, false },
		{ "read-only range, QEMU reads", &low_reader, &qemu_reads, true, false },
		/* Documented: bytes without ranges cannot tell this one. */
		{ "read-only range, QEMU writes", &low_reader, &qemu_writes, false, true },
		{ "one that shares, QEMU share-rw", &sharer, &qemu_shares, true, false },
		{ "one that shares, QEMU writes", &sharer, &qemu_writes, false, false },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(pairs); i++) {
		int fd = qemu_open(self->path, pairs[i].qemu);

		ASSERT_LE(0, fd);
		EXPECT_EQ(pairs[i].fits ? 0 : -EBUSY, use(&self->a, self->path, pairs[i].user)) {
			TH_LOG("%s, QEMU first", pairs[i].name);
		}
		disk_close(&self->a);
		close(fd);
		ASSERT_EQ(0, use(&self->a, self->path, pairs[i].user));
		fd = qemu_open(self->path, pairs[i].qemu);
		EXPECT_EQ(pairs[i].fits || pairs[i].unseen, fd >= 0) {
			TH_LOG("%s, QEMU last", pairs[i].name);
		}
		if (fd >= 0)
			close(fd);
		disk_close(&self->a);
	}
}

/* A VM that was killed keeps its disk until the last request has ended. */
TEST_F(disk, V8_waits_a_moment_for_one_that_ends)
{
	struct disk_options opt = { .path = self->path };
	int fd = qemu_open(self->path, &qemu_writes);
	pid_t pid = fork();

	/* The child holds the open file as well, and lets go a moment after us. */
	if (!pid) {
		usleep(200000);
		_exit(0);
	}
	close(fd);
	EXPECT_EQ(0, disk_open(&self->a, &opt));
	EXPECT_EQ(-EBUSY, disk_open(&self->b, &opt));
	opt.readonly = true;
	EXPECT_EQ(-EBUSY, disk_open(&self->b, &opt));
	disk_close(&self->a);
	EXPECT_EQ(0, disk_open(&self->a, &opt));
	EXPECT_EQ(0, disk_open(&self->b, &opt));
	disk_close(&self->a);
	disk_close(&self->b);
	waitpid(pid, NULL, 0);
}

TEST_HARNESS_MAIN
