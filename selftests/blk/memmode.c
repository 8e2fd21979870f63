// SPDX-License-Identifier: GPL-2.0
/*
 * Registered guest memory: what it costs, what it saves, and that it goes.
 *
 *	user mode:       request --> its pages pinned --> I/O --> unpinned
 *	registered mode: SET_MEM_TABLE --> all pinned; request --> I/O
 *
 * That every kind of request works in it is registered.sh's matter.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>
#include "disk.h"

#define LEN	16384u
#define MEM_KB	(GMEM_REGIONS * GMEM_REGION_SIZE / 1024)
#define PIN_PAGES (GMEM_REGIONS * GMEM_REGION_SIZE / 4096)

FIXTURE(memmode) {
	struct kvhost_opts o;
	struct kvhost k;
	struct blkreq r;
	struct leak before;
};

FIXTURE_VARIANT(memmode) {
	struct kvhost_opts ring;
	enum disk disk;
	int flags;
};

FIXTURE_VARIANT_ADD(memmode, split_device) { .disk = DISK_NULLB, .flags = O_RDWR };
FIXTURE_VARIANT_ADD(memmode, packed_file_direct) {
	.ring = { .packed = true }, .disk = DISK_EXT4, .flags = O_RDWR | O_DIRECT
};

FIXTURE_SETUP(memmode)
{
	leak_snapshot(&self->before);
	self->o = variant->ring;
	self->o.registered = true;
	self->o.fd = backing_open(disk_paths[variant->disk], variant->flags);
	kvhost_start(&self->k, &self->o);
	blkreq_init(&self->r, &self->k.mem, GMEM_MID, LEN);
}

FIXTURE_TEARDOWN(memmode)
{
	struct leak after;

	kvhost_close(&self->k);
	close(self->o.fd);
	EXPECT_TRUE(leak_wait_clean(&self->before, &after));
}

/* KiB of locked memory we are charged for. */
static long charged_kb(void)
{
	char line[128];
	long kb = -1;
	FILE *f;

	f = fopen("/proc/self/status", "re");
	must(f, "/proc/self/status: %m");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %ld", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

static u64 pins(struct kvhost *k)
{
	struct kvhost_vring_stats st;

	kvhost_stats(k, 0, &st);
	return st.pins;
}

/* Write and read back. Return: whether it is the same. */
static bool works(struct kvhost *k, struct blkreq *r, u32 seed)
{
	u8 *data = gmem_va(r->mem, r->data);

	blk_pattern(data, LEN, 0, seed);
	if (blk_do(r, &k->q[0], VIRTIO_BLK_T_OUT, 64, LEN) != VIRTIO_BLK_S_OK)
		return false;
	memset(data, 0, LEN);
	return blk_do(r, &k->q[0], VIRTIO_BLK_T_IN, 64, LEN) == VIRTIO_BLK_S_OK &&
	       blk_is_pattern(data, LEN, 0, seed);
}

TEST_F(memmode, a_request_pins_nothing)
{
	unsigned int i;

	for (i = 0; i < 50; i++)
		ASSERT_TRUE(works(&self->k, &self->r, i));
	EXPECT_EQ(0, pins(&self->k));
	/* and in user mode each its pages: the counter is alive */
	ASSERT_EQ(0, __kvhost_mem_mode(&self->k, KVHOST_MEM_USER));
	ASSERT_TRUE(works(&self->k, &self->r, 77));
	EXPECT_LE(2 * LEN / 4096, pins(&self->k));
	EXPECT_GE(2 * (LEN / 4096 + 1), pins(&self->k));
}

TEST_F(memmode, all_of_guest_memory_is_charged_until_it_goes)
{
	struct leak now;

	EXPECT_EQ(MEM_KB, charged_kb());
	leak_snapshot(&now);
	EXPECT_LE(PIN_PAGES, now.pins - self->before.pins);
	ASSERT_EQ(0, __kvhost_mem_mode(&self->k, KVHOST_MEM_USER));
	/* what is left is the ring */
	EXPECT_GT(64, charged_kb());
	EXPECT_LT(0, charged_kb());
	ASSERT_EQ(0, __kvhost_mem_mode(&self->k, KVHOST_MEM_REGISTERED));
	EXPECT_EQ(MEM_KB, charged_kb());
	ASSERT_EQ(0, __kvhost_mem_mode(&self->k, KVHOST_MEM_REGISTERED));
	EXPECT_EQ(MEM_KB, charged_kb());
	KVHOST_IOCTL(&self->k, VHOST_RESET_OWNER, NULL);
	EXPECT_EQ(0, charged_kb());
	leak_snapshot(&now);
	EXPECT_EQ(self->before.pins, now.pins);
}

TEST_F(memmode, mode_and_table_change_while_requests_are_in_flight)
{
	static const u32 modes[] = { KVHOST_MEM_USER, KVHOST_MEM_REGISTERED };
	struct vq_used u[2];
	unsigned int i;
	struct blkreq r[2];

	for (i = 0; i < 2; i++)
		blkreq_init(&r[i], &self->k.mem, GMEM_LOW, LEN);
	ASSERT_TRUE(works(&self->k, &self->r, 1));
	for (i = 0; i < 60; i++) {
		blkreq_set(&r[0], VIRTIO_BLK_T_IN, 64, LEN);
		blkreq_set(&r[1], VIRTIO_BLK_T_IN, 64, LEN);
		ASSERT_LE(0, blkreq_submit(&r[0], &self->k.q[0], NULL));
		ASSERT_LE(0, blkreq_submit(&r[1], &self->k.q[0], NULL));
		if (i % 3 == 2)
			kvhost_set_mem(&self->k);
		else
			ASSERT_EQ(0, __kvhost_mem_mode(&self->k, modes[i & 1]));
		ASSERT_EQ(2, vq_wait_used(&self->k.q[0], u, 2));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&r[0]));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&r[1]));
		EXPECT_TRUE(blk_is_pattern(gmem_va(r[1].mem, r[1].data), LEN, 0, 1));
	}
}

/* The ring of a running queue lies in new pages at another address of ours. */
TEST_F(memmode, a_table_that_moves_takes_effect)
{
	struct gmem_region *mid = &self->k.mem.regions[GMEM_MID];
	u8 *old = mid->va;

	ASSERT_TRUE(works(&self->k, &self->r, 5));
	mid->va = mmap(NULL, mid->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mid->va);
	kvhost_set_mem(&self->k);
	EXPECT_EQ(MEM_KB, charged_kb());
	memset(old, 0x5c, mid->used);
	EXPECT_TRUE(works(&self->k, &self->r, 6));
	EXPECT_EQ(0x5c, old[self->r.data - mid->gpa]);
	munmap(mid->va, mid->size);
	mid->va = old;
}

/* A range over a seam of physical memory, and one that is huge where it can be. */
TEST_F(memmode, pages_are_found_wherever_they_lie)
{
	struct gmem_region *mid = &self->k.mem.regions[GMEM_MID];
	unsigned int i;
	u8 *huge;

	huge = mmap(NULL, 2 * mid->size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, huge);
	/* 2 MiB less a page, so that chunks are cut at both ends */
	mid->va = (u8 *)(((unsigned long)huge + (2 << 20)) & ~((2ul << 20) - 1)) + 4096;
	madvise(mid->va - 4096, mid->size + 4096, MADV_HUGEPAGE);
	kvhost_set_mem(&self->k);
	for (i = 0; i < mid->size / LEN - 1; i += 97) {
		self->r.data = mid->gpa + i * (u64)LEN + 1536;
		ASSERT_TRUE(works(&self->k, &self->r, i)) {
			TH_LOG("at %u", i);
		}
	}
	kvhost_close(&self->k);
	munmap(huge, 2 * mid->size);
	kvhost_start(&self->k, &self->o);
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { };

	must(!syscall(SYS_capset, &h, d), "capset: %m");
}

TEST_F(memmode, beyond_the_locked_memory_limit_is_ENOMEM)
{
	struct rlimit tight = { MEM_KB * 1024 - 4096, MEM_KB * 1024 };
	struct leak now;

	ASSERT_EQ(0, __kvhost_mem_mode(&self->k, KVHOST_MEM_USER));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &tight));
	leak_snapshot(&now);
	drop_capabilities();
	EXPECT_EQ(-ENOMEM, __kvhost_mem_mode(&self->k, KVHOST_MEM_REGISTERED));
	EXPECT_GT(64, charged_kb());
	EXPECT_TRUE(works(&self->k, &self->r, 1));
	EXPECT_LT(0, pins(&self->k));
	/* the limit is what it may have in all, the ring is in it */
	tight.rlim_cur = tight.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &tight));
	kvhost_enable(&self->k, 0, 0);
	EXPECT_EQ(0, __kvhost_mem_mode(&self->k, KVHOST_MEM_REGISTERED));
	/* a table of the same size takes the place of the old one within it */
	kvhost_set_mem(&self->k);
	kvhost_enable(&self->k, 0, 1);
	EXPECT_TRUE(works(&self->k, &self->r, 2));
	EXPECT_EQ(MEM_KB, charged_kb());
}

TEST_F(memmode, memory_that_cannot_be_pinned_is_EFAULT)
{
	struct vhost_memory *t = gmem_table(&self->k.mem);
	void *hole = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct leak before, after;

	ASSERT_NE(MAP_FAILED, hole);
	t->nregions = GMEM_REGIONS + 1;
	t = realloc(t, sizeof(*t) + t->nregions * sizeof(t->regions[0]));
	t->regions[GMEM_REGIONS] = (struct vhost_memory_region) {
		.guest_phys_addr = 1ull << 40, .memory_size = 8192,
		.userspace_addr = (unsigned long)hole,
	};
	leak_snapshot(&before);
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, VHOST_SET_MEM_TABLE, t));
	leak_snapshot(&after);
	EXPECT_EQ(before.pins, after.pins);
	EXPECT_EQ(MEM_KB, charged_kb());
	EXPECT_TRUE(works(&self->k, &self->r, 3));
	free(t);
}

/* A region in the place of one of the table's, mapped from a file. */
static int set_file_region(struct kvhost *k, const char *path, int flags)
{
	struct vhost_memory *t = gmem_table(&k->mem);
	int fd = path ? backing_open(path, O_RDWR) : memfd_create("file", MFD_CLOEXEC), r;
	void *va;

	must(path || !ftruncate(fd, 1 << 20), "ftruncate: %m");
	va = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, flags, fd, 0);
	must(va != MAP_FAILED, "mmap: %m");
	t->regions[GMEM_HIGH].memory_size = 1 << 20;
	t->regions[GMEM_HIGH].userspace_addr = (unsigned long)va;
	r = __kvhost_ioctl(k->fd, VHOST_SET_MEM_TABLE, t);
	free(t);
	close(fd);
	return r;
}

TEST_F(memmode, K13_a_shared_file_on_disk_cannot_be_registered)
{
	const char *file = disk_paths[DISK_EXT4];
	struct leak before, after;

	kvhost_enable(&self->k, 0, 0);
	leak_snapshot(&before);
	EXPECT_EQ(-EFAULT, set_file_region(&self->k, file, MAP_SHARED));
	leak_snapshot(&after);
	EXPECT_EQ(before.pins, after.pins);
	EXPECT_EQ(0, set_file_region(&self->k, file, MAP_PRIVATE));
	EXPECT_EQ(0, set_file_region(&self->k, NULL, MAP_SHARED));
}

/* As much as an address space of five levels has: no reason for a warning. */
TEST_F(memmode, a_region_larger_than_any_memory_is_refused)
{
	struct vhost_memory *t = gmem_table(&self->k.mem);
	int ret;

	t->nregions = 1;
	t->regions[0] = (struct vhost_memory_region) {
		.memory_size = 1ull << 55, .userspace_addr = 4096,
	};
	kvhost_enable(&self->k, 0, 0);
	ret = __kvhost_ioctl(self->k.fd, VHOST_SET_MEM_TABLE, t);
	/* With four levels it is no address. */
	EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
	kvhost_enable(&self->k, 0, 1);
	EXPECT_EQ(MEM_KB, charged_kb());
	EXPECT_TRUE(works(&self->k, &self->r, 4));
	free(t);
}

TEST_F(memmode, wrong_arguments)
{
	pid_t pid;
	int st;

	EXPECT_EQ(-EINVAL, __kvhost_mem_mode(&self->k, 2));
	EXPECT_EQ(-EINVAL, __kvhost_mem_mode(&self->k, 0xffffffff));
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, KVHOST_SET_MEM_MODE, (void *)8));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(-__kvhost_mem_mode(&self->k, KVHOST_MEM_USER));
	ASSERT_EQ(pid, waitpid(pid, &st, 0));
	EXPECT_EQ(EPERM, WEXITSTATUS(st));
	EXPECT_EQ(MEM_KB, charged_kb());
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("memmode", 1 << DISK_NULLB | 1 << DISK_EXT4);
}

TEST_HARNESS_MAIN
