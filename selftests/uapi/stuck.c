// SPDX-License-Identifier: GPL-2.0
/*
 * A worker waits for a page that its owner has to provide, and the owner is
 * killed in the middle of a call: it dies, whatever the call was.
 *
 *	request --> header in a page of userfaultfd's --> worker waits, queue locked
 *	call    --> waits for the worker
 *	SIGKILL --> the call gives up, the process ends, the page is provided
 *
 * The descriptor that would provide the page is closed when the process ends,
 * so a call that cannot be killed waits for itself.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/userfaultfd.h>
#include "node.h"

/* Longest a process may take to die, twice what it waits for its device to end. */
#define DEATH_MS	20000

/* Let userfaultfd provide, which it never does, the page at @va. */
static int take_page(void *va)
{
	struct uffdio_register reg = {
		.range = { .start = (unsigned long)va, .len = 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return fd;
	must(!ioctl(fd, UFFDIO_API, &api), "UFFDIO_API: %m");
	must(!ioctl(fd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER: %m");
	must(!madvise(va, 4096, MADV_DONTNEED), "MADV_DONTNEED: %m");
	return fd;
}

static int set_backend(struct kvhost *k)
{
	return __kvhost_backend(k, &(struct kvhost_opts) { .fd = node_disk() });
}

static int drop_backend(struct kvhost *k)
{
	return __kvhost_backend(k, &(struct kvhost_opts) { .fd = -1 });
}

static int set_mem_table(struct kvhost *k)
{
	return __kvhost_ioctl(k->fd, VHOST_SET_MEM_TABLE, gmem_table(&k->mem));
}

static int set_mem_mode(struct kvhost *k)
{
	return __kvhost_mem_mode(k, KVHOST_MEM_REGISTERED);
}

static int reset_owner(struct kvhost *k)
{
	return __kvhost_ioctl(k->fd, VHOST_RESET_OWNER, NULL);
}

static int set_features(struct kvhost *k)
{
	u64 f = k->features | 1ull << VHOST_F_LOG_ALL;

	return __kvhost_ioctl(k->fd, VHOST_SET_FEATURES, &f);
}

static int set_log_base(struct kvhost *k)
{
	u64 base = (unsigned long)k->mem.regions[GMEM_HIGH].va;

	return __kvhost_ioctl(k->fd, VHOST_SET_LOG_BASE, &base);
}

static int set_log_fd(struct kvhost *k)
{
	return __kvhost_ioctl(k->fd, VHOST_SET_LOG_FD, &k->q[1].err_fd);
}

static int set_call(struct kvhost *k)
{
	struct vhost_vring_file f = { .index = 0, .fd = k->q[0].call_fd };

	return __kvhost_ioctl(k->fd, VHOST_SET_VRING_CALL, &f);
}

static int get_base(struct kvhost *k)
{
	struct vhost_vring_state s = { .index = 0 };

	return __kvhost_ioctl(k->fd, VHOST_GET_VRING_BASE, &s);
}

static int attach(struct kvhost *k)
{
	struct vhost_vring_worker w = { .index = 1 };

	KVHOST_IOCTL(k, VHOST_GET_VRING_WORKER, &w);
	w.index = 0;
	return __kvhost_ioctl(k->fd, VHOST_ATTACH_VRING_WORKER, &w);
}

static int stop(struct kvhost *k)
{
	return __kvhost_enable(k, 0, 0);
}

FIXTURE(stuck) {
};

FIXTURE_VARIANT(stuck) {
	int (*call)(struct kvhost *k);
};

FIXTURE_VARIANT_ADD(stuck, set_backend) { .call = set_backend };
FIXTURE_VARIANT_ADD(stuck, drop_backend) { .call = drop_backend };
FIXTURE_VARIANT_ADD(stuck, set_mem_table) { .call = set_mem_table };
FIXTURE_VARIANT_ADD(stuck, set_mem_mode) { .call = set_mem_mode };
FIXTURE_VARIANT_ADD(stuck, reset_owner) { .call = reset_owner };
FIXTURE_VARIANT_ADD(stuck, set_features) { .call = set_features };
FIXTURE_VARIANT_ADD(stuck, set_log_base) { .call = set_log_base };
FIXTURE_VARIANT_ADD(stuck, set_log_fd) { .call = set_log_fd };
FIXTURE_VARIANT_ADD(stuck, set_call) { .call = set_call };
FIXTURE_VARIANT_ADD(stuck, get_base) { .call = get_base };
FIXTURE_VARIANT_ADD(stuck, attach) { .call = attach };
FIXTURE_VARIANT_ADD(stuck, stop) { .call = stop };

FIXTURE_SETUP(stuck)
{
}

FIXTURE_TEARDOWN(stuck)
{
}

enum { WAITS = 'w', NO_UFFD = 'u' };

/* Have the worker wait for a header. Return: false if this kernel has no userfaultfd */
static bool wait_for_header(struct kvhost *k, struct blkreq *r)
{
	u64 page = gmem_alloc(&k->mem, GMEM_LOW, 4096, 4096);
	struct pollfd p = { .fd = take_page(gmem_va(&k->mem, page)), .events = POLLIN };

	if (p.fd < 0)
		return false;
	r->hdr = page;
	must(blkreq_submit(r, &k->q[0], NULL) >= 0, "ring full");
	must(poll(&p, 1, LIMIT_MS) == 1, "the worker did not come to the header");
	return true;
}

/* Tell on @ready how it went, and make the call. */
static _Noreturn void owner(int ready, int (*call)(struct kvhost *k))
{
	struct kvhost_opts o = { .fd = node_disk(), .queues = 2 };
	struct kvhost k;
	struct blkreq r;
	char what;

	kvhost_start(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, 512);
	blkreq_set(&r, VIRTIO_BLK_T_IN, 0, 512);
	what = wait_for_header(&k, &r) ? WAITS : NO_UFFD;
	must(write(ready, &what, 1) == 1, "pipe: %m");
	if (what == WAITS)
		call(&k);
	pause();
	_exit(1);
}

/* Wait until the owner is in its call, or through with it. */
static bool is_calling(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	char path[64];
	long nr = -1;
	FILE *f;
	int left;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (left = LIMIT_MS; left > 0; left -= 10) {
		f = fopen(path, "re");
		must(f, "%s: %m", path);
		if (fscanf(f, "%ld", &nr) != 1)
			nr = -1;
		fclose(f);
		if (nr == SYS_ioctl || nr == SYS_pause)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool dies(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int st, left;

	for (left = DEATH_MS; left > 0; left -= 10) {
		if (waitpid(pid, &st, WNOHANG) == pid)
			return WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
		nanosleep(&pause, NULL);
	}
	return false;
}

TEST_F_TIMEOUT(stuck, a_killed_owner_dies, 60)
{
	struct leak before, after;
	int p[2];
	pid_t pid;
	char c;

	leak_snapshot(&before);
	ASSERT_EQ(0, pipe2(p, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		owner(p[1], variant->call);
	close(p[1]);
	ASSERT_EQ(1, read(p[0], &c, 1));
	close(p[0]);
	EXPECT_TRUE(is_calling(pid));
	kill(pid, SIGKILL);
	ASSERT_TRUE(dies(pid));
	if (c == NO_UFFD)
		SKIP(return, "this kernel has no userfaultfd");
	EXPECT_TRUE(leak_wait_clean(&before, &after));
}

TEST_HARNESS_MAIN
