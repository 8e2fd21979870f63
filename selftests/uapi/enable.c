// SPDX-License-Identifier: GPL-2.0
/*
 * KVHOST_SET_VRING_ENABLE: what a queue needs before it may run, what may not
 * change while it runs, and what stopping gives back.
 *
 *	stopped --- enable(1): all set up? pin, map ---> running
 *	   ^                                               |
 *	   +------- enable(0): drain, unmap ---------------+
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <linux/capability.h>
#include <linux/virtio_config.h>
#include "node.h"

FIXTURE(enable) {
	struct kvhost k;
	struct kvhost_opts o;
};

FIXTURE_SETUP(enable)
{
	self->o = (struct kvhost_opts) { .fd = node_disk(), .queues = 2 };
	kvhost_prepare(&self->k, &self->o);
}

FIXTURE_TEARDOWN(enable)
{
	kvhost_close(&self->k);
	close(self->o.fd);
}

static int set_state(struct kvhost *k, unsigned long req, u32 index, u32 num)
{
	struct vhost_vring_state s = { .index = index, .num = num };

	return __kvhost_ioctl(k->fd, req, &s);
}

static int stats(struct kvhost *k, u32 index, u32 size)
{
	struct kvhost_vring_stats st = { .index = index, .size = size };

	return __kvhost_ioctl(k->fd, KVHOST_GET_VRING_STATS, &st);
}

TEST_F(enable, queue_index_is_checked)
{
	static const u32 bad[] = {
		KVHOST_BLK_QUEUES_MAX, KVHOST_BLK_QUEUES_MAX + 1, 255, 65536, 0x80000000,
		0xffffffff,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-ENOBUFS, __kvhost_enable(&self->k, bad[i], 1));
		EXPECT_EQ(-ENOBUFS, __kvhost_enable(&self->k, bad[i], 0));
		EXPECT_EQ(-ENOBUFS, stats(&self->k, bad[i], sizeof(struct kvhost_vring_stats)));
	}
	EXPECT_EQ(0, __kvhost_enable(&self->k, KVHOST_BLK_QUEUES_MAX - 1, 0));
	EXPECT_EQ(0, stats(&self->k, KVHOST_BLK_QUEUES_MAX - 1,
			   sizeof(struct kvhost_vring_stats)));
}

TEST_F(enable, anything_but_0_and_1_is_EINVAL)
{
	EXPECT_EQ(-EINVAL, __kvhost_enable(&self->k, 0, 2));
	EXPECT_EQ(-EINVAL, __kvhost_enable(&self->k, 0, 0xffffffff));
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 1));
	EXPECT_EQ(-EINVAL, __kvhost_enable(&self->k, 0, 2));
	EXPECT_TRUE(node_works(&self->k, 0));
}

TEST_F(enable, bad_pointers_are_EFAULT)
{
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, KVHOST_SET_VRING_ENABLE, (void *)8));
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, KVHOST_GET_VRING_STATS, (void *)8));
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, KVHOST_SET_VRING_ENABLE, NULL));
	EXPECT_EQ(-EFAULT, __kvhost_ioctl(self->k.fd, KVHOST_GET_VRING_STATS,
					  (void *)0xffff888000000000ul));
}

TEST_F(enable, twice_is_no_error_and_no_effect)
{
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 0));
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 1));
	EXPECT_TRUE(node_works(&self->k, 0));
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 1));
	EXPECT_TRUE(node_works(&self->k, 0));
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 0));
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 0));
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 1));
	EXPECT_TRUE(node_works(&self->k, 0));
}

TEST_F(enable, CORE_007_sizes_are_powers_of_two_up_to_32768)
{
	static const u32 bad[] = { 0, 3, 6, 63, 65, 100, 32767, 32769, 65535, 65536, 0x80000000 };
	unsigned int i;
	u32 size;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, set_state(&self->k, VHOST_SET_VRING_NUM, 0, bad[i])) {
			TH_LOG("size %u", bad[i]);
		}
	}
	for (size = 1; size <= 32768; size *= 2)
		EXPECT_EQ(0, set_state(&self->k, VHOST_SET_VRING_NUM, 0, size));
}

TEST_F(enable, without_a_backend_is_ENODEV)
{
	struct kvhost_opts none = { .fd = -1 };

	kvhost_backend(&self->k, &none);
	EXPECT_EQ(-ENODEV, __kvhost_enable(&self->k, 0, 1));
	kvhost_backend(&self->k, &self->o);
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 1));
	EXPECT_TRUE(node_works(&self->k, 0));
}

/* A device on which exactly one step of the set-up is left out. */
static int enable_without(struct kvhost_opts *o, const char *step)
{
	u64 features = strcmp(step, "VERSION_1") ? 1ull << VIRTIO_F_VERSION_1 : 0;
	struct vhost_vring_state num = { .index = 0, .num = 64 };
	struct vhost_vring_addr a;
	struct kvhost k;
	int r;

	kvhost_open(&k);
	KVHOST_IOCTL(&k, VHOST_SET_OWNER, NULL);
	KVHOST_IOCTL(&k, VHOST_SET_FEATURES, &features);
	if (strcmp(step, "memory table"))
		kvhost_set_mem(&k);
	k.queues = 1;
	vq_init(&k.q[0], &k.mem, 64, 0);
	if (strcmp(step, "size"))
		KVHOST_IOCTL(&k, VHOST_SET_VRING_NUM, &num);
	kvhost_vring_addr(&k, 0, &a);
	if (strcmp(step, "addresses"))
		KVHOST_IOCTL(&k, VHOST_SET_VRING_ADDR, &a);
	kvhost_backend(&k, o);
	r = __kvhost_enable(&k, 0, 1);
	kvhost_close(&k);
	return r;
}

TEST_F(enable, a_step_left_out_is_refused)
{
	EXPECT_EQ(-EINVAL, enable_without(&self->o, "VERSION_1"));
	EXPECT_EQ(-EINVAL, enable_without(&self->o, "addresses"));
	EXPECT_EQ(-EFAULT, enable_without(&self->o, "memory table"));
	EXPECT_EQ(0, enable_without(&self->o, "nothing"));
	/* As in vhost, a ring has one descriptor unless more are asked for. */
	EXPECT_EQ(0, enable_without(&self->o, "size"));
}

static int enable_at(struct kvhost *k, struct vhost_vring_addr *a)
{
	int r = __kvhost_ioctl(k->fd, VHOST_SET_VRING_ADDR, a);

	if (!r)
		r = __kvhost_enable(k, 0, 1);
	if (!r)
		kvhost_enable(k, 0, 0);
	return r;
}

TEST_F(enable, HD_007_misaligned_rings_are_EINVAL)
{
	struct vhost_vring_addr a;
	unsigned int off;

	for (off = 1; off < 16; off++) {
		kvhost_vring_addr(&self->k, 0, &a);
		a.desc_user_addr += off;
		EXPECT_EQ(-EINVAL, enable_at(&self->k, &a)) {
			TH_LOG("descriptors at offset %u", off);
		}
	}
	kvhost_vring_addr(&self->k, 0, &a);
	a.avail_user_addr += 1;
	EXPECT_EQ(-EINVAL, enable_at(&self->k, &a));
	for (off = 1; off < 4; off++) {
		kvhost_vring_addr(&self->k, 0, &a);
		a.used_user_addr += off;
		EXPECT_EQ(-EINVAL, enable_at(&self->k, &a));
	}
	kvhost_vring_addr(&self->k, 0, &a);
	EXPECT_EQ(0, enable_at(&self->k, &a));
}

/* K25: the rings are the owner's memory, whether or not that is guest memory. */
TEST_F(enable, HD_007_rings_outside_user_memory_are_EFAULT)
{
	const size_t bytes[] = { 16 * 64, 6 + 2 * 64, 6 + 8 * 64 };
	const struct gmem_region *low = &self->k.mem.regions[GMEM_LOW];
	u64 end = (unsigned long)low->va + low->size;
	struct vhost_vring_addr a;
	unsigned int part;
	u64 fits, outside;

	outside = (unsigned long)mmap(NULL, 65536, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (part = 0; part < 3; part++) {
		u64 *at = part == 0 ? &a.desc_user_addr :
			  part == 1 ? &a.avail_user_addr : &a.used_user_addr;
		const u64 bad[] = {
			0, 4096, (unsigned long)low->va - 16, end, end - 16,
			end - (bytes[part] & ~15ul) + 16, 0xffff888000000000ull, ~15ull,
			1ull << 63, 0x7ffffffff000ull,
		};
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			kvhost_vring_addr(&self->k, 0, &a);
			*at = bad[i];
			EXPECT_EQ(-EFAULT, enable_at(&self->k, &a)) {
				TH_LOG("part %u at %#llx", part, bad[i]);
			}
		}
		/* up to the very end is inside */
		fits = (end - bytes[part]) & ~15ull;
		kvhost_vring_addr(&self->k, 0, &a);
		*at = fits;
		EXPECT_EQ(0, enable_at(&self->k, &a));
		*at = outside;
		EXPECT_EQ(0, enable_at(&self->k, &a));
	}
}

TEST_F(enable, rings_the_owner_itself_cannot_reach_are_EFAULT)
{
	u8 *va = self->k.mem.regions[GMEM_LOW].va + (8 << 20);
	struct vhost_vring_addr a;

	ASSERT_EQ(0, mprotect(va, 4096, PROT_READ));
	ASSERT_EQ(0, mprotect(va + 4096, 4096, PROT_NONE));
	ASSERT_EQ(0, munmap(va + 8192, 4096));
	kvhost_vring_addr(&self->k, 0, &a);
	a.used_user_addr = (unsigned long)va;
	EXPECT_EQ(-EFAULT, enable_at(&self->k, &a));
	a.used_user_addr = (unsigned long)va + 4096;
	EXPECT_EQ(-EFAULT, enable_at(&self->k, &a));
	a.used_user_addr = (unsigned long)va + 8192;
	EXPECT_EQ(-EFAULT, enable_at(&self->k, &a));
	kvhost_vring_addr(&self->k, 0, &a);
	a.desc_user_addr = (unsigned long)va + 8192;
	EXPECT_EQ(-EFAULT, enable_at(&self->k, &a));
	kvhost_vring_addr(&self->k, 0, &a);
	EXPECT_EQ(0, enable_at(&self->k, &a));
}

TEST_F(enable, a_running_queue_keeps_its_setup)
{
	u64 features = self->k.features & ~(1ull << VIRTIO_RING_F_EVENT_IDX);
	struct vhost_vring_addr a;

	kvhost_enable(&self->k, 0, 1);
	EXPECT_EQ(-EBUSY, set_state(&self->k, VHOST_SET_VRING_NUM, 0, 32));
	EXPECT_EQ(-EBUSY, set_state(&self->k, VHOST_SET_VRING_BASE, 0, 5));
	EXPECT_EQ(-EBUSY, __kvhost_ioctl(self->k.fd, VHOST_SET_FEATURES, &features));
	kvhost_vring_addr(&self->k, 0, &a);
	a.used_user_addr += 4096;
	EXPECT_EQ(-EBUSY, __kvhost_ioctl(self->k.fd, VHOST_SET_VRING_ADDR, &a));
	EXPECT_TRUE(node_works(&self->k, 0));
	/* the queue that does not run is free */
	EXPECT_EQ(0, set_state(&self->k, VHOST_SET_VRING_NUM, 1, 32));
	kvhost_enable(&self->k, 0, 0);
	EXPECT_EQ(0, set_state(&self->k, VHOST_SET_VRING_NUM, 0, 32));
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, VHOST_SET_FEATURES, &features));
}

TEST_F(enable, GET_VRING_BASE_tells_how_far_the_queue_got)
{
	struct vhost_vring_state s = { .index = 0 };
	unsigned int i;

	kvhost_enable(&self->k, 0, 1);
	for (i = 0; i < 5; i++)
		ASSERT_TRUE(node_works(&self->k, 0));
	KVHOST_IOCTL(&self->k, VHOST_GET_VRING_BASE, &s);
	EXPECT_EQ(5, s.num);
	kvhost_enable(&self->k, 0, 0);
	KVHOST_IOCTL(&self->k, VHOST_GET_VRING_BASE, &s);
	EXPECT_EQ(5, s.num);
	kvhost_enable(&self->k, 0, 1);
	EXPECT_TRUE(node_works(&self->k, 0));
	kvhost_enable(&self->k, 0, 0);
	KVHOST_IOCTL(&self->k, VHOST_GET_VRING_BASE, &s);
	EXPECT_EQ(6, s.num);
	s.num = 65535;
	KVHOST_IOCTL(&self->k, VHOST_SET_VRING_BASE, &s);
	s.num = 0;
	KVHOST_IOCTL(&self->k, VHOST_GET_VRING_BASE, &s);
	EXPECT_EQ(65535, s.num);
}

TEST_F(enable, a_memory_table_that_cannot_be_is_refused_and_the_old_one_stays)
{
	struct vhost_memory *t = gmem_table(&self->k.mem);

	kvhost_enable(&self->k, 0, 1);
	/* As in vhost, where two overlap the one that begins first counts. */
	t->regions[t->nregions - 1] = t->regions[1];
	t->regions[t->nregions - 1].guest_phys_addr += 4096;
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, VHOST_SET_MEM_TABLE, t));
	EXPECT_TRUE(node_works(&self->k, 0));
	t->nregions = 1;			/* less, but with the ring */
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, VHOST_SET_MEM_TABLE, t));
	EXPECT_TRUE(node_works(&self->k, 0));
	free(t);
}

TEST_F(enable, features_that_do_not_fit_together_are_refused)
{
	u64 offered, f, bit;

	KVHOST_IOCTL(&self->k, VHOST_GET_FEATURES, &offered);
	EXPECT_NE(0, offered & 1ull << VIRTIO_F_VERSION_1);
	EXPECT_NE(0, offered & 1ull << VIRTIO_BLK_F_FLUSH) {
		TH_LOG("BLK-001: FLUSH is always offered");
	}
	for (bit = 0; bit < 64; bit++) {
		if (offered & 1ull << bit)
			continue;
		f = 1ull << VIRTIO_F_VERSION_1 | 1ull << bit;
		EXPECT_EQ(-EOPNOTSUPP, __kvhost_ioctl(self->k.fd, VHOST_SET_FEATURES, &f));
	}
	for (bit = 33; bit <= 40; bit++) {
		f = 1ull << bit;
		if (offered & f && (bit == VIRTIO_F_RING_PACKED || bit == VIRTIO_F_IN_ORDER))
			EXPECT_EQ(-EINVAL,
				  __kvhost_ioctl(self->k.fd, VHOST_SET_FEATURES, &f));
	}
	/* what was refused has changed nothing */
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 1));
	EXPECT_TRUE(node_works(&self->k, 0));
}

/* Memory charged as locked or pinned; kernels differ in which they use. */
static long charged_kb(void)
{
	char line[128];
	long kb = 0;
	FILE *f;

	f = fopen("/proc/self/status", "re");
	must(f, "/proc/self/status: %m");
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmLck:", 6) || !strncmp(line, "VmPin:", 6))
			kb += atol(line + 6);
	fclose(f);
	return kb;
}

TEST_F(enable, ring_pages_are_charged_to_the_owner_while_the_queue_runs)
{
	long before = charged_kb();

	kvhost_enable(&self->k, 0, 1);
	EXPECT_LT(before, charged_kb());
	kvhost_enable(&self->k, 1, 1);
	kvhost_enable(&self->k, 0, 0);
	EXPECT_LT(before, charged_kb());
	kvhost_enable(&self->k, 1, 0);
	EXPECT_EQ(before, charged_kb());
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { };

	must(!syscall(SYS_capset, &h, d), "capset: %m");
}

TEST_F(enable, the_locked_memory_limit_is_kept)
{
	struct rlimit none = { 0, 0 };
	long before = charged_kb();

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	drop_capabilities();
	EXPECT_EQ(-ENOMEM, __kvhost_enable(&self->k, 0, 1));
	EXPECT_EQ(before, charged_kb());
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 0));
}

TEST_F(enable, stats_structs_of_other_sizes)
{
	struct {
		struct kvhost_vring_stats st;
		u8 more[64];
	} s;
	unsigned int i;

	EXPECT_EQ(-EINVAL, stats(&self->k, 0, 0));
	EXPECT_EQ(-EINVAL, stats(&self->k, 0, 7));
	/* a longer struct is served as far as we know it */
	memset(&s, 0, sizeof(s));
	s.st.size = sizeof(s);
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, KVHOST_GET_VRING_STATS, &s));
	for (i = 0; i < sizeof(s.more); i++)
		ASSERT_EQ(0, s.more[i]);
	/* a shorter one is not overrun */
	memset(&s, BLK_POISON, sizeof(s));
	s.st.index = 0;
	s.st.size = 24;
	EXPECT_EQ(0, __kvhost_ioctl(self->k.fd, KVHOST_GET_VRING_STATS, &s));
	for (i = 24; i < sizeof(s); i++)
		ASSERT_EQ(BLK_POISON, ((u8 *)&s)[i]);
}

TEST_HARNESS_MAIN
