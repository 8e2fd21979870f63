// SPDX-License-Identifier: GPL-2.0
/*
 * Nothing is lost by asking often: every call that takes a reference, right or
 * wrong, is made many times, and files, pages, threads and kernel memory are
 * counted before and after (CVE-2015-6252, CVE-2019-14818).
 */
#include <glob.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include "node.h"

/* Kernel memory may grow by this much without a leak: per-CPU caches, others' slabs. */
#define SLACK_KB	1000

FIXTURE(leaks) {
	struct kvhost_opts o;
	struct leak before;
	long kb;
};

/* Have the slabs give back what is free, and KASAN what it keeps from being used again. */
static void shrink_slabs(void)
{
	size_t i;
	glob_t g;
	int fd;

	if (glob("/sys/kernel/slab/*/shrink", GLOB_NOSORT, NULL, &g))
		return;
	for (i = 0; i < g.gl_pathc; i++) {
		fd = open(g.gl_pathv[i], O_WRONLY | O_CLOEXEC);
		must(fd < 0 || write(fd, "1", 1) == 1, "%s: %m", g.gl_pathv[i]);
		close(fd);
	}
	globfree(&g);
}

/* What the kernel uses for itself now; it is freed late, by RCU or by KASAN. */
static long kernel_kb(void)
{
	char key[64];
	long kb, sum = 0;
	FILE *f;

	shrink_slabs();
	f = fopen("/proc/meminfo", "re");
	must(f, "/proc/meminfo: %m");
	while (fscanf(f, "%63s %ld%*[^\n]", key, &kb) == 2)
		if (!strcmp(key, "SUnreclaim:") || !strcmp(key, "VmallocUsed:") ||
		    !strcmp(key, "Percpu:") || !strcmp(key, "KernelStack:"))
			sum += kb;
	fclose(f);
	return sum;
}

FIXTURE_SETUP(leaks)
{
	struct kvhost k;

	self->o = (struct kvhost_opts) { .fd = node_disk(), .queues = 2 };
	/* once for whatever the kernel allocates once */
	kvhost_start(&k, &self->o);
	kvhost_close(&k);
	leak_snapshot(&self->before);
	self->kb = kernel_kb();
}

FIXTURE_TEARDOWN(leaks)
{
	struct leak after;
	long grown;
	int left;

	EXPECT_TRUE(leak_wait_clean(&self->before, &after));
	for (left = LIMIT_MS; left > 0; left -= 500) {
		grown = kernel_kb() - self->kb;
		if (grown <= SLACK_KB)
			break;
		usleep(500000);
	}
	TH_LOG("kernel memory grew by %ld kB", grown);
	EXPECT_GE(SLACK_KB, grown);
	close(self->o.fd);
}

static long eventfd_number(int fd)
{
	char path[64], line[128];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	must(f, "%s: %m", path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "eventfd-id: %ld", &n) == 1)
			break;
	fclose(f);
	must(n >= 0, "%s tells no eventfd-id", path);
	return n;
}

/*
 * The kernel gives an eventfd the lowest free number, and takes it back with
 * the last reference, its own included. So the highest number of a few fresh
 * ones, which fill the gaps, tells how many there are.
 */
static long highest_eventfd_number(void)
{
	long n, highest = 0;
	unsigned int i;
	int fds[40];

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC);
		n = eventfd_number(fds[i]);
		highest = n > highest ? n : highest;
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	return highest;
}

TEST_F_TIMEOUT(leaks, CVE_2015_6252_eventfds_that_were_replaced_are_gone, 120)
{
	static const unsigned long reqs[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
	};
	struct kvhost k;
	unsigned int i;
	long before;

	before = highest_eventfd_number();
	kvhost_start(&k, &self->o);
	for (i = 0; i < 400; i++) {
		struct vhost_vring_file f = { .index = i & 1, .fd = eventfd(0, EFD_CLOEXEC) };

		ASSERT_LE(0, f.fd);
		ASSERT_EQ(0, __kvhost_ioctl(k.fd, reqs[i % 3], &f));
		ASSERT_EQ(0, __kvhost_ioctl(k.fd, VHOST_SET_LOG_FD, &f.fd));
		close(f.fd);
	}
	kvhost_close(&k);
	/* a few may be other programs' */
	EXPECT_GE(before + 20, highest_eventfd_number());
}

TEST_F_TIMEOUT(leaks, CVE_2015_6252_setting_eventfds_again_and_again, 120)
{
	static const unsigned long reqs[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
	};
	int fds[] = { eventfd(0, 0), eventfd(0, 0), -1, self->o.fd, 0x7ffffff };
	struct kvhost k;
	unsigned int i, j;

	kvhost_start(&k, &self->o);
	for (i = 0; i < 2000; i++) {
		struct vhost_vring_file f = { .index = i & 1, .fd = fds[i % 5] };

		for (j = 0; j < ARRAY_SIZE(reqs); j++)
			ASSERT_EQ(i % 5 < 3, !__kvhost_ioctl(k.fd, reqs[j], &f));
		ASSERT_EQ(i % 5 < 3, !__kvhost_ioctl(k.fd, VHOST_SET_LOG_FD, &f.fd));
	}
	close(fds[0]);
	close(fds[1]);
	kvhost_close(&k);
}

/* CVE-2026-97993: a bad descriptor leaves the old one in force. */
TEST_F(leaks, CVE_2026_97993_a_bad_eventfd_leaves_the_old_one_in_force)
{
	struct vhost_vring_file f = { .index = 0, .fd = self->o.fd };
	struct kvhost k;
	unsigned int i;

	kvhost_start(&k, &self->o);
	for (i = 0; i < 50; i++) {
		EXPECT_EQ(-EINVAL, __kvhost_ioctl(k.fd, VHOST_SET_VRING_CALL, &f));
		EXPECT_EQ(-EINVAL, __kvhost_ioctl(k.fd, VHOST_SET_VRING_KICK, &f));
		EXPECT_EQ(-EINVAL, __kvhost_ioctl(k.fd, VHOST_SET_VRING_ERR, &f));
		ASSERT_TRUE(node_works(&k, 0));
	}
	kvhost_close(&k);
}

TEST_F_TIMEOUT(leaks, opening_and_closing, 120)
{
	struct kvhost k;
	unsigned int i;
	int fd;

	for (i = 0; i < 150; i++) {
		fd = open(KVHOST_BLK_NODE, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, i % 4 ? 0 : __kvhost_ioctl(fd, VHOST_SET_OWNER, NULL));
		close(fd);
	}
	for (i = 0; i < 30; i++) {
		kvhost_start(&k, &self->o);
		ASSERT_TRUE(!(i & 1) || node_works(&k, 1));
		kvhost_close(&k);
	}
}

TEST_F_TIMEOUT(leaks, starting_and_stopping_queues, 120)
{
	struct kvhost k;
	unsigned int i;

	kvhost_start(&k, &self->o);
	for (i = 0; i < 500; i++) {
		kvhost_enable(&k, i & 1, 0);
		ASSERT_EQ(-ENOBUFS, __kvhost_enable(&k, 64, 1));
		kvhost_enable(&k, i & 1, 1);
	}
	ASSERT_TRUE(node_works(&k, 0));
	kvhost_close(&k);
}

TEST_F_TIMEOUT(leaks, changing_backend_memory_and_owner, 120)
{
	struct vhost_memory *bad;
	struct kvhost_opts other = { .fd = node_disk() };
	struct kvhost k;
	unsigned int i;

	kvhost_start(&k, &self->o);
	bad = gmem_table(&k.mem);
	bad->regions[1].guest_phys_addr = ~0ull - 100;
	for (i = 0; i < 1000; i++) {
		kvhost_backend(&k, i & 1 ? &self->o : &other);
		kvhost_set_mem(&k);
		ASSERT_NE(0, __kvhost_ioctl(k.fd, VHOST_SET_MEM_TABLE, bad));
		ASSERT_NE(0, __kvhost_backend(&k, &(struct kvhost_opts) { .fd = k.fd }));
		ASSERT_NE(0, __kvhost_backend(&k, &(struct kvhost_opts) {
			.fd = other.fd, .offset = 1 }));
	}
	free(bad);
	for (i = 0; i < 50; i++) {
		KVHOST_IOCTL(&k, VHOST_RESET_OWNER, NULL);
		KVHOST_IOCTL(&k, VHOST_SET_OWNER, NULL);
		kvhost_set_mem(&k);
		kvhost_backend(&k, &other);
	}
	kvhost_close(&k);
	close(other.fd);
}

TEST_F_TIMEOUT(leaks, CVE_2022_26354_broken_queues, 120)
{
	struct blkreq r;
	struct kvhost k;
	unsigned int i;

	kvhost_start(&k, &self->o);
	blkreq_init(&r, &k.mem, GMEM_LOW, 512);
	for (i = 0; i < 300; i++) {
		blkreq_set(&r, VIRTIO_BLK_T_IN, 0, 512);
		ASSERT_LE(0, blkreq_submit(&r, &k.q[0], NULL));
		vq_offer(&k.q[0], 0xffff);
		vq_publish(&k.q[0]);
		vq_kick_always(&k.q[0]);
		ASSERT_TRUE(kvhost_wait_state(&k, 0, KVHOST_VRING_BROKEN));
		kvhost_revive(&k, 0);
	}
	ASSERT_TRUE(node_works(&k, 0));
	kvhost_close(&k);
}

TEST_HARNESS_MAIN
