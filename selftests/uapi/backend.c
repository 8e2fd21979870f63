// SPDX-License-Identifier: GPL-2.0
/*
 * KVHOST_BLK_SET_BACKEND and KVHOST_BLK_GET_CONFIG: which descriptors are a
 * disk, which arguments make sense, and the rules of structures that grow.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include "node.h"

FIXTURE(backend) {
	struct kvhost k;
	struct kvhost_opts o;
};

FIXTURE_SETUP(backend)
{
	self->o = (struct kvhost_opts) { .fd = node_disk() };
	kvhost_prepare(&self->k, &self->o);
}

FIXTURE_TEARDOWN(backend)
{
	kvhost_close(&self->k);
	close(self->o.fd);
}

static int set_fd(struct kvhost *k, int fd, u64 flags)
{
	return __kvhost_backend(k, &(struct kvhost_opts) { .fd = fd, .flags = flags });
}

static int tmp_file(int flags)
{
	char path[] = "/dev/shm/kvhost-backend-XXXXXX";
	int fd = mkstemp(path), again;

	must(fd >= 0 && !ftruncate(fd, DISK_BYTES), "%s: %m", path);
	again = open(path, flags | O_CLOEXEC);
	must(again >= 0, "%s: %m", path);
	unlink(path);
	close(fd);
	return again;
}

/* CVE-2020-10942: whatever is not a disk is refused, and refused as that. */
TEST_F(backend, descriptors_that_are_no_disk)
{
	int p[2], s[2], bad, empty;

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, p[0], KVHOST_BLK_RDONLY));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, p[1], 0));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, s[0], 0));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, eventfd(0, 0), 0));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, epoll_create1(0), 0));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, open("/", O_RDONLY | O_DIRECTORY),
				  KVHOST_BLK_RDONLY));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, open("/dev/null", O_RDWR), 0));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, open("/dev/zero", O_RDWR), 0));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, self->k.fd, 0));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, open("/proc/self/maps", O_RDONLY),
				  KVHOST_BLK_RDONLY));
	empty = memfd_create("empty", 0);
	EXPECT_EQ(-EINVAL, set_fd(&self->k, empty, 0));
	ASSERT_EQ(0, ftruncate(empty, 511));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, empty, 0));
	bad = dup(p[0]);
	close(bad);
	EXPECT_EQ(-EBADF, set_fd(&self->k, bad, 0));
	EXPECT_EQ(-EBADF, set_fd(&self->k, -2, 0));
	EXPECT_EQ(-EBADF, set_fd(&self->k, 0x7fffffff, 0));
	EXPECT_EQ(-EBADF, set_fd(&self->k, tmp_file(O_PATH), 0));
	/* and the disk there was is still in place */
	kvhost_enable(&self->k, 0, 1);
	EXPECT_TRUE(node_works(&self->k, 0));
}

TEST_F(backend, a_descriptor_must_be_open_for_what_the_disk_does)
{
	EXPECT_EQ(-EACCES, set_fd(&self->k, tmp_file(O_RDONLY), 0));
	EXPECT_EQ(-EACCES, set_fd(&self->k, tmp_file(O_WRONLY), 0));
	EXPECT_EQ(-EACCES, set_fd(&self->k, tmp_file(O_WRONLY), KVHOST_BLK_RDONLY));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, tmp_file(O_RDWR | O_APPEND), 0));
	EXPECT_EQ(0, set_fd(&self->k, tmp_file(O_RDONLY), KVHOST_BLK_RDONLY));
	EXPECT_EQ(0, set_fd(&self->k, tmp_file(O_RDWR), KVHOST_BLK_RDONLY));
	EXPECT_EQ(0, set_fd(&self->k, tmp_file(O_RDWR), 0));
}

TEST_F(backend, unknown_flags_and_reserved_bytes_are_EINVAL)
{
	const u64 known = KVHOST_BLK_RDONLY | KVHOST_BLK_WRITETHROUGH |
			  KVHOST_BLK_STOP_ON_ERROR;
	struct kvhost_blk_backend b;
	unsigned int bit, i;

	for (bit = 0; bit < 64; bit++) {
		if (!(known >> bit & 1))
			EXPECT_EQ(-EINVAL, set_fd(&self->k, self->o.fd, 1ull << bit));
	}
	for (i = 0; i < sizeof(b.reserved); i++) {
		b = (struct kvhost_blk_backend) { .size = sizeof(b), .fd = self->o.fd };
		b.reserved[i] = 1;
		EXPECT_EQ(-EINVAL, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, &b));
		b.fd = -1;
		EXPECT_EQ(-EINVAL, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, &b)) {
			TH_LOG("reserved byte %u set while detaching", i);
		}
	}
	EXPECT_EQ(-EINVAL, set_fd(&self->k, -1, 1ull << 40));
	EXPECT_EQ(0, set_fd(&self->k, self->o.fd, KVHOST_BLK_WRITETHROUGH));
}

/* Bit 3 asked for polled I/O; nothing may take its place. */
TEST_F(backend, K2_K4_K12_polled_io_is_refused)
{
	EXPECT_EQ(-EINVAL, set_fd(&self->k, self->o.fd, 1ull << 3));
	EXPECT_EQ(-EINVAL, set_fd(&self->k, -1, 1ull << 3));
	EXPECT_EQ(0, set_fd(&self->k, self->o.fd, 0));
}

TEST_F(backend, a_structure_that_grows)
{
	struct {
		struct kvhost_blk_backend b;
		u8 more[4096];
	} s = { .b = { .fd = self->o.fd } };
	u32 size;

	for (size = 0; size < sizeof(s.b); size++) {
		s.b.size = size;
		EXPECT_EQ(-EINVAL, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, &s));
	}
	s.b.size = sizeof(s.b);
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, &s));
	s.b.size = sizeof(s.b) + 1;
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, &s));
	s.b.size = sizeof(s.b) + 64;
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, &s));
	s.more[63] = 1;
	EXPECT_EQ(-E2BIG, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, &s));
	s.b.size = sizeof(s.b) + 63;
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, &s));
}

TEST_F(backend, bad_pointers_are_EFAULT)
{
	u8 *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvhost_blk_backend *b;

	ASSERT_NE(MAP_FAILED, end);
	munmap(end + 4096, 4096);
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, NULL));
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, KVHOST_BLK_GET_CONFIG, NULL));
	b = (void *)(end + 4096 - 8);
	b->size = sizeof(*b);
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, KVHOST_BLK_SET_BACKEND, b));
	b->size = sizeof(struct kvhost_blk_config);
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, KVHOST_BLK_GET_CONFIG, b));
}

TEST_F(backend, offset_and_length_must_lie_on_the_disk)
{
	static const struct {
		u64 offset;
		u64 length;
		int want;
	} rows[] = {
		{ 0, 0, 0 },
		{ 0, DISK_BYTES, 0 },
		{ 0, 512, 0 },
		{ DISK_BYTES - 512, 512, 0 },
		{ DISK_BYTES - 512, 0, 0 },
		{ 0, DISK_BYTES + 512, -EINVAL },
		{ 512, DISK_BYTES, -EINVAL },
		{ DISK_BYTES, 0, -EINVAL },
		{ DISK_BYTES, 512, -EINVAL },
		{ DISK_BYTES + 512, 0, -EINVAL },
		{ 1, 512, -EINVAL },
		{ 511, 0, -EINVAL },
		{ 0, 511, -EINVAL },
		{ 0, 513, -EINVAL },
		{ ~0ull - 511, 512, -EINVAL },
		{ ~0ull - 511, 1024, -EINVAL },
		{ 1024, ~0ull - 511, -EINVAL },
		{ 1ull << 63, 512, -EINVAL },
		{ 512, 1ull << 63, -EINVAL },
		{ ~0ull, ~0ull, -EINVAL },
	};
	struct kvhost_blk_config c;
	struct kvhost_opts o;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		o = (struct kvhost_opts) { .fd = self->o.fd, .offset = rows[i].offset,
					   .length = rows[i].length };
		EXPECT_EQ(rows[i].want, __kvhost_backend(&self->k, &o)) {
			TH_LOG("offset %#llx length %#llx", rows[i].offset, rows[i].length);
		}
		if (rows[i].want)
			continue;
		c = (struct kvhost_blk_config) { .size = sizeof(c) };
		KVHOST_IOCTL(&self->k, KVHOST_BLK_GET_CONFIG, &c);
		EXPECT_EQ((rows[i].length ? rows[i].length : DISK_BYTES - rows[i].offset) / 512,
			  c.capacity);
	}
}

TEST_F(backend, config_without_a_backend_is_ENODEV)
{
	struct kvhost_blk_config c = { .size = sizeof(c) };

	ASSERT_EQ(0, set_fd(&self->k, -1, 0));
	EXPECT_EQ(-ENODEV, __kvhost_ioctl(self->k.fd, KVHOST_BLK_GET_CONFIG, &c));
	ASSERT_EQ(0, set_fd(&self->k, -1, 0));
}

TEST_F(backend, config_structs_of_other_sizes)
{
	struct {
		struct kvhost_blk_config c;
		u8 more[32];
	} s;
	unsigned int i;

	memset(&s, BLK_POISON, sizeof(s));
	s.c.size = 0;
	EXPECT_EQ(-EINVAL, __kvhost_ioctl(self->k.fd, KVHOST_BLK_GET_CONFIG, &s));
	s.c.size = 16;
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, KVHOST_BLK_GET_CONFIG, &s));
	for (i = 16; i < sizeof(s); i++)
		ASSERT_EQ(BLK_POISON, ((u8 *)&s)[i]);
	memset(&s, 0, sizeof(s));
	s.c.size = sizeof(s);
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, KVHOST_BLK_GET_CONFIG, &s));
	EXPECT_EQ(DISK_BYTES / 512, s.c.capacity);
	for (i = 0; i < sizeof(s.more); i++)
		ASSERT_EQ(0, s.more[i]);
	for (i = 0; i < ARRAY_SIZE(s.c.reserved); i++)
		EXPECT_EQ(0, s.c.reserved[i]);
}

TEST_F(backend, config_tells_the_block_sizes_of_a_4096_byte_disk)
{
	struct nullb_opts n = { .mb = 8, .bs = 4096, .memory = true };
	const char *path = backing_nullb("kvh_backend_4k", &n);
	struct kvhost_blk_config c = { .size = sizeof(c) };
	struct kvhost_opts o = { .offset = 512 };
	struct blkreq r;

	if (!path)
		SKIP(return, "this machine has no null_blk");
	o.fd = backing_open(path, O_RDWR);
	EXPECT_EQ(-EINVAL, __kvhost_backend(&self->k, &o));
	o.offset = 4096;
	kvhost_backend(&self->k, &o);
	KVHOST_IOCTL(&self->k, KVHOST_BLK_GET_CONFIG, &c);
	EXPECT_EQ(4096, c.logical_block_size);
	EXPECT_EQ((8 << 11) - 8, c.capacity);
	kvhost_enable(&self->k, 0, 1);
	blkreq_init(&r, &self->k.mem, GMEM_LOW, 8192);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &self->k.q[0], VIRTIO_BLK_T_IN, 0, 4096));
	/* less than a block is an error, not a crash and not the wrong data */
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &self->k.q[0], VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &self->k.q[0], VIRTIO_BLK_T_OUT, 1, 4096));
	ASSERT_EQ(0, set_fd(&self->k, -1, 0));
	close(o.fd);
	backing_undo();
}

/* CVE-2023-1838: the descriptor is looked up once, whatever happens to it. */
struct swapper {
	int fd;
	int disk;
	int other;
	bool stop;
};

static void *swap_fd(void *arg)
{
	struct swapper *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		dup2(s->other, s->fd);
		dup2(s->disk, s->fd);
	}
	return NULL;
}

TEST_F(backend, CVE_2023_1838_a_descriptor_that_changes_under_the_call)
{
	struct swapper s = { .disk = node_disk(), .other = eventfd(0, 0) };
	unsigned int i, good = 0, bad = 0;
	struct leak before, after;
	pthread_t t;
	int r;

	s.fd = dup(s.disk);
	kvhost_enable(&self->k, 0, 1);
	leak_snapshot(&before);
	ASSERT_EQ(0, pthread_create(&t, NULL, swap_fd, &s));
	for (i = 0; i < 20000 && (i < 3000 || !good || !bad); i++) {
		r = set_fd(&self->k, s.fd, 0);
		ASSERT_TRUE(!r || r == -EINVAL);
		good += !r;
		bad += !!r;
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	EXPECT_LT(0, good);
	EXPECT_LT(0, bad);
	EXPECT_EQ(0, set_fd(&self->k, s.disk, 0));
	EXPECT_TRUE(node_works(&self->k, 0));
	EXPECT_TRUE(leak_wait_clean(&before, &after));
}

TEST_F(backend, the_device_keeps_the_disk_its_owner_closed)
{
	int fd = tmp_file(O_RDWR);

	ASSERT_EQ(0, set_fd(&self->k, fd, 0));
	close(fd);
	kvhost_enable(&self->k, 0, 1);
	EXPECT_TRUE(node_works(&self->k, 0));
}

TEST_F(backend, a_file_cut_short_answers_IOERR_not_old_data)
{
	int fd = memfd_create("short", 0);
	struct blkreq r;

	ASSERT_EQ(0, ftruncate(fd, DISK_BYTES));
	ASSERT_EQ(0, set_fd(&self->k, fd, 0));
	kvhost_enable(&self->k, 0, 1);
	blkreq_init(&r, &self->k.mem, GMEM_LOW, 8192);
	ASSERT_EQ(0, ftruncate(fd, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &self->k.q[0], VIRTIO_BLK_T_IN, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &self->k.q[0], VIRTIO_BLK_T_IN, 8, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_do(&r, &self->k.q[0], VIRTIO_BLK_T_IN, 4, 4096));
}

TEST_HARNESS_MAIN
