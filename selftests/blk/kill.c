// SPDX-License-Identifier: GPL-2.0
/*
 * kill -9 of the owner during I/O, at random moments, leaves nothing behind
 * (CVE-2022-50738, CVE-2024-42135): no thread, no pinned page, no open file,
 * no module reference, and a disk that still works.
 *
 * The victim is a child that keeps every queue full. It reports its first
 * completion through a pipe; a random delay later it is killed.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "disk.h"

#define QUEUES	4u
#define DEPTH	16u
#define LEN	16384u

/* Have another worker serve a busy queue. */
static void move(struct kvhost *k, unsigned int i, u32 id)
{
	struct vhost_vring_worker w = { .index = i, .worker_id = id };

	KVHOST_IOCTL(k, VHOST_ATTACH_VRING_WORKER, &w);
}

/* What the victim runs on. */
struct scene {
	unsigned int workers;
	bool packed;
	bool registered;
};

/* Keep all queues busy for ever; report the first completion on @ready. */
static _Noreturn void victim(int fd, int ready, const struct scene *s)
{
	static struct blkreq r[QUEUES][DEPTH];
	struct kvhost_opts o = { .fd = fd, .queues = QUEUES, .size = 64,
		.workers = s->workers, .packed = s->packed, .registered = s->registered };
	struct kvhost k;
	unsigned int i, j, n = 0;
	struct vq_used u;

	kvhost_start(&k, &o);
	for (i = 0; i < QUEUES; i++)
		for (j = 0; j < DEPTH; j++) {
			blkreq_init(&r[i][j], &k.mem, j % GMEM_REGIONS, LEN);
			blkreq_set(&r[i][j], j & 1, random() % 4096, LEN);
			must(blkreq_submit(&r[i][j], &k.q[i], NULL) >= 0, "ring full");
		}
	for (;; i = (i + 1) % QUEUES) {
		i %= QUEUES;
		while (vq_get_used(&k.q[i], &u)) {
			struct blkreq *q = u.cookie;

			must(blkreq_status(q) == VIRTIO_BLK_S_OK, "status %u",
			     blkreq_status(q));
			if (!n++)
				must(write(ready, "", 1) == 1, "pipe: %m");
			blkreq_set(q, random() & 1, random() % 4096, LEN);
			must(blkreq_submit(q, &k.q[i], NULL) >= 0, "ring full");
			if (s->workers)
				move(&k, i, n % s->workers);
		}
	}
}

/* Start a victim and kill it once it is at work. Return: whether it ever was. */
static bool kill_one(int fd, const struct scene *s)
{
	struct timespec delay = { .tv_nsec = random() % 60000000 };
	int p[2], st;
	pid_t pid;
	char c;
	bool ok;

	must(!pipe2(p, O_CLOEXEC), "pipe: %m");
	pid = fork();
	must(pid >= 0, "fork: %m");
	if (!pid)
		victim(fd, p[1], s);
	close(p[1]);
	ok = read(p[0], &c, 1) == 1;
	if (ok)
		nanosleep(&delay, NULL);
	kill(pid, SIGKILL);
	must(waitpid(pid, &st, 0) == pid, "waitpid: %m");
	close(p[0]);
	return ok && WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
}

FIXTURE(kill_owner) {
	int fd;
};

FIXTURE_VARIANT(kill_owner) {
	enum disk disk;
	int flags;
	unsigned int times;
	struct scene scene;
};

FIXTURE_VARIANT_ADD(kill_owner, slow_null_blk) {
	.disk = DISK_SLOW, .flags = O_RDWR, .times = 20
};

FIXTURE_VARIANT_ADD(kill_owner, null_blk) {
	.disk = DISK_NULLB, .flags = O_RDWR, .times = 10
};

FIXTURE_VARIANT_ADD(kill_owner, moving_between_two_workers) {
	.disk = DISK_SLOW, .flags = O_RDWR, .times = 10, .scene = { .workers = 2 }
};

FIXTURE_VARIANT_ADD(kill_owner, slow_null_blk_on_packed_rings) {
	.disk = DISK_SLOW, .flags = O_RDWR, .times = 10, .scene = { .packed = true }
};

FIXTURE_VARIANT_ADD(kill_owner, ext4_direct_on_packed_rings) {
	.disk = DISK_EXT4, .flags = O_RDWR | O_DIRECT, .times = 5, .scene = { .packed = true }
};

FIXTURE_VARIANT_ADD(kill_owner, registered_memory) {
	.disk = DISK_SLOW, .flags = O_RDWR, .times = 6, .scene = { .registered = true }
};

FIXTURE_VARIANT_ADD(kill_owner, tmpfs) {
	.disk = DISK_TMPFS, .flags = O_RDWR, .times = 10
};

FIXTURE_VARIANT_ADD(kill_owner, ext4_direct) {
	.disk = DISK_EXT4, .flags = O_RDWR | O_DIRECT, .times = 10
};

FIXTURE_SETUP(kill_owner)
{
	self->fd = backing_open(disk_paths[variant->disk], variant->flags);
}

FIXTURE_TEARDOWN(kill_owner)
{
	close(self->fd);
}

TEST_F_TIMEOUT(kill_owner, leaves_no_thread_page_or_file, 180)
{
	struct kvhost_opts o = { .fd = self->fd };
	struct leak before, after;
	struct kvhost k;
	struct blkreq r;
	unsigned int i;

	srandom(time(NULL));
	leak_snapshot(&before);
	for (i = 0; i < variant->times; i++) {
		ASSERT_TRUE(kill_one(self->fd, &variant->scene));
		ASSERT_TRUE(leak_wait_clean(&before, &after)) {
			TH_LOG("after kill %u", i + 1);
		}
	}
	kvhost_start(&k, &o);
	blkreq_init(&r, &k.mem, GMEM_LOW, 4096);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &k.q[0], VIRTIO_BLK_T_IN, 0, 4096));
	kvhost_close(&k);
	EXPECT_TRUE(leak_wait_clean(&before, &after));
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("kill", 1 << DISK_NULLB | 1 << DISK_SLOW | 1 << DISK_TMPFS | 1 << DISK_EXT4);
}

TEST_HARNESS_MAIN
