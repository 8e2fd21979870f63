// SPDX-License-Identifier: GPL-2.0
/*
 * I/O is the owner's: charged to its blk-cgroup (io.stat), and throttled there
 * (io.max), whether a worker submits it or a work queue does.
 *
 *	/sys/fs/cgroup/kvhost-PID: this process --> null_blk, a file on ext4
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include "disk.h"

#define ROOT	"/sys/fs/cgroup"
#define LEN	4096u
#define N	64u

FIXTURE(cgroup) {
	struct kvhost k;
	struct blkreq r;
	char dir[64];
	char dev[32];
	int fd;
};

FIXTURE_VARIANT(cgroup) {
	enum disk disk;
	int flags;
};

FIXTURE_VARIANT_ADD(cgroup, device) { .disk = DISK_NULLB };
FIXTURE_VARIANT_ADD(cgroup, file_direct) { .disk = DISK_EXT4, .flags = O_DIRECT };
FIXTURE_VARIANT_ADD(cgroup, file_buffered) { .disk = DISK_EXT4 };

/* Write @text to a file of a cgroup. Return: 0 or -errno */
static int put(const char *dir, const char *file, const char *text)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -errno;
	close(fd);
	return ret;
}

/* What io.stat of our cgroup says of our disk: bytes read, or written. */
static u64 charged(struct _test_data_cgroup *self, const char *what)
{
	char path[128], line[512], *at;
	u64 n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/io.stat", self->dir);
	f = fopen(path, "re");
	must(f, "%s: %m", path);
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, what);
		if (!strncmp(line, self->dev, strlen(self->dev)) && at)
			n = strtoull(at + strlen(what), NULL, 10);
	}
	fclose(f);
	return n;
}

FIXTURE_SETUP(cgroup)
{
	struct kvhost_opts o = { };
	struct stat st;

	snprintf(self->dir, sizeof(self->dir), ROOT "/kvhost-%d", getpid());
	self->fd = backing_open(disk_paths[variant->disk], O_RDWR | variant->flags);
	ASSERT_EQ(0, fstat(self->fd, &st));
	if (!S_ISBLK(st.st_mode))
		st.st_rdev = st.st_dev;
	snprintf(self->dev, sizeof(self->dev), "%u:%u ", major(st.st_rdev), minor(st.st_rdev));
	ASSERT_EQ(0, mkdir(self->dir, 0755));
	ASSERT_EQ(0, put(self->dir, "cgroup.procs", "0"));
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, LEN);
}

FIXTURE_TEARDOWN(cgroup)
{
	kvhost_close(&self->k);
	close(self->fd);
	put(ROOT, "cgroup.procs", "0");
	/* Threads of ours take a moment to be gone. */
	for (int ms = 0; rmdir(self->dir) && ms < 5000; ms++)
		usleep(1000);
}

static void requests(struct _test_data_cgroup *self, u32 type)
{
	for (unsigned int i = 0; i < N; i++)
		must(blk_do(&self->r, &self->k.q[0], type, i * (LEN / 512), LEN) ==
		     VIRTIO_BLK_S_OK, "request %u of type %u failed", i, type);
}

TEST_F(cgroup, reads_and_writes_are_charged_to_the_owner)
{
	requests(self, VIRTIO_BLK_T_OUT);
	ASSERT_EQ(VIRTIO_BLK_S_OK,
		  blk_do(&self->r, &self->k.q[0], VIRTIO_BLK_T_FLUSH, 0, 0));
	TH_LOG("%llu bytes written of %u", (unsigned long long)charged(self, "wbytes="), N * LEN);
	/* Dirty pages are written back in the name of the group that made the file. */
	if (variant->disk == DISK_NULLB || variant->flags & O_DIRECT)
		EXPECT_LE(N * LEN, charged(self, "wbytes="));
	/* A file system has its own to read and write; a device has not. */
	if (variant->disk == DISK_NULLB)
		EXPECT_EQ(N * LEN, charged(self, "wbytes="));
	must(!posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");
	requests(self, VIRTIO_BLK_T_IN);
	EXPECT_LE(N * LEN, charged(self, "rbytes="));
	if (variant->disk == DISK_NULLB)
		EXPECT_EQ(N * LEN, charged(self, "rbytes="));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

TEST_F(cgroup, io_max_of_the_owner_holds)
{
	char limit[64];
	double start;
	int ret;

	if (variant->disk == DISK_EXT4 && !(variant->flags & O_DIRECT))
		SKIP(return, "the page cache has it all");
	requests(self, VIRTIO_BLK_T_OUT);
	snprintf(limit, sizeof(limit), "%sriops=40", self->dev);
	ret = put(self->dir, "io.max", limit);
	if (ret == -ENOENT)
		SKIP(return, "this kernel has no io.max");
	ASSERT_EQ(0, ret);
	start = now();
	requests(self, VIRTIO_BLK_T_IN);
	TH_LOG("%u reads took %.2f s", N, now() - start);
	/* 1.6 s are due; the first slice may be given away */
	EXPECT_LT(1.0, now() - start);
	EXPECT_GT(10.0, now() - start);
}

static void __attribute__((constructor)) make(void)
{
	disk_make("cgroup", 1 << DISK_NULLB | 1 << DISK_EXT4);
	if (put(ROOT, "cgroup.subtree_control", "+io +memory")) {
		printf("1..0 # SKIP no cgroup2 with io and memory at " ROOT "\n");
		exit(KSFT_SKIP);
	}
}

TEST_HARNESS_MAIN
