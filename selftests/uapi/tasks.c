// SPDX-License-Identifier: GPL-2.0
/*
 * A worker lives as its owner does: frozen, moved and bounded with it; and what
 * was in flight when the owner died is still completed.
 *
 *	this process: driver  ==  same memory and files  ==  a process: owner
 *	queue --> worker, a thread of the owner --> null_blk
 *
 * Where the kernel has no vhost tasks workers are kernel threads, as those of its
 * own vhost are, and some of this is not so.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "lib/proc.h"
#include "node.h"

#define ROOT	"/sys/fs/cgroup"
#define LEN	512u

/* So slow that an owner that is killed leaves its requests in flight. */
#define SLOW_NS	300000000ul

static const char *slow_disk;

FIXTURE(tasks) {
	struct leak before;
	struct kvhost k;
	struct kvhost_opts o;
	struct blkreq r;
	pid_t owner;
	int ready;
	bool exec;
	char dir[64];
	void *stack;
};

FIXTURE_VARIANT(tasks) {
	struct kvhost_opts ring;
};

FIXTURE_VARIANT_ADD(tasks, user) { .ring = { .queues = 1 } };
FIXTURE_VARIANT_ADD(tasks, registered_packed) {
	.ring = { .queues = 1, .registered = true, .packed = true }
};

/* Has our memory, errno included: it makes the device, then only system calls. */
static int owner_main(void *arg)
{
	struct _test_data_tasks *self = arg;

	kvhost_start(&self->k, &self->o);
	__atomic_store_n(&self->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&self->exec, __ATOMIC_ACQUIRE))
		syscall(SYS_nanosleep, &(struct timespec) { .tv_nsec = 1000000 }, NULL);
	syscall(SYS_execve, "/bin/sleep", (char *const []) { "sleep", "1000", NULL }, NULL);
	syscall(SYS_exit, 1);
	return 1;
}

static void pause_ms(unsigned int ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000l };

	nanosleep(&t, NULL);
}

#define WAIT_FOR(condition)						\
({									\
	const u64 end = now_ms() + LIMIT_MS;				\
	bool ok;							\
									\
	while (!(ok = (condition)) && now_ms() < end)			\
		pause_ms(5);						\
	ok;								\
})

FIXTURE_SETUP(tasks)
{
	leak_snapshot(&self->before);
	self->o = variant->ring;
	self->o.fd = backing_open(slow_disk, O_RDWR);
	self->stack = malloc(1 << 18);
	must(self->stack, "malloc");
	self->owner = clone(owner_main, self->stack + (1 << 18), CLONE_VM | CLONE_FILES | SIGCHLD,
			    self);
	must(self->owner > 0, "clone: %m");
	must(WAIT_FOR(__atomic_load_n(&self->ready, __ATOMIC_ACQUIRE)), "no device");
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, LEN);
	snprintf(self->dir, sizeof(self->dir), ROOT "/kvhost-tasks-%d", getpid());
}

static void owner_end(struct _test_data_tasks *self)
{
	if (!self->owner)
		return;
	kill(self->owner, SIGKILL);
	must(waitpid(self->owner, NULL, 0) == self->owner, "waitpid: %m");
	self->owner = 0;
}

FIXTURE_TEARDOWN(tasks)
{
	struct leak after;

	owner_end(self);
	kvhost_close(&self->k);
	close(self->o.fd);
	EXPECT_TRUE(leak_wait_clean(&self->before, &after));
	if (!access(self->dir, F_OK))
		EXPECT_TRUE(WAIT_FOR(!rmdir(self->dir)));
	free(self->stack);
}

static void note(const struct worker *w, void *arg)
{
	struct worker *found = arg;

	if (w->owner == found->owner)
		*found = *w;
}

/* The worker, 0: there is none (any more). */
static pid_t worker_of(pid_t owner)
{
	struct worker w = { .owner = owner };

	each_worker(note, &w);
	return w.tid;
}

static bool is_task_of(pid_t tid, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
	return !access(path, F_OK);
}

/* Has this kernel threads for vhost that are their owner's? */
static bool has_tasks(void)
{
	return !__run("grep -q ' vhost_task_create$' /proc/kallsyms");
}

#define NO_TASKS	"this kernel has no vhost tasks: take one from 6.4 on"

static u64 chains(struct _test_data_tasks *self)
{
	struct kvhost_vring_stats st;

	kvhost_stats(&self->k, 0, &st);
	return st.chains;
}

static u64 in_flight(struct _test_data_tasks *self)
{
	struct kvhost_vring_stats st;

	kvhost_stats(&self->k, 0, &st);
	return st.in_flight;
}

static void submit(struct _test_data_tasks *self)
{
	blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, LEN);
	must(blkreq_submit(&self->r, &self->k.q[0], NULL) >= 0, "ring full");
}

/* Wait for the request. Return: whether it came, and was good */
static bool collect(struct _test_data_tasks *self)
{
	struct vq_used u;

	return vq_wait_used(&self->k.q[0], &u, 1) == 1 &&
	       blkreq_status(u.cookie) == VIRTIO_BLK_S_OK;
}

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

/* A control group with the owner in it alone. */
static int put_owner(struct _test_data_tasks *self)
{
	char pid[16];

	if (mkdir(self->dir, 0755) && errno != EEXIST)
		return -errno;
	snprintf(pid, sizeof(pid), "%d", self->owner);
	return put(self->dir, "cgroup.procs", pid);
}

static bool is_frozen(struct _test_data_tasks *self)
{
	char path[128], line[64];
	bool frozen = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.events", self->dir);
	f = fopen(path, "re");
	must(f, "%s: %m", path);
	while (fgets(line, sizeof(line), f))
		frozen |= !strcmp(line, "frozen 1\n");
	fclose(f);
	return frozen;
}

TEST_F(tasks, K24_a_frozen_owner_is_served_when_it_is_thawed)
{
	u64 before;

	if (!has_tasks())
		SKIP(return, NO_TASKS);
	if (put_owner(self))
		SKIP(return, "no unified cgroup tree at " ROOT " to make a group in");
	submit(self);
	ASSERT_TRUE(collect(self));
	ASSERT_EQ(0, put(self->dir, "cgroup.freeze", "1"));
	EXPECT_TRUE(WAIT_FOR(is_frozen(self)));
	before = chains(self);
	submit(self);
	/* Nothing tells that a request is not taken; an earlier one took less. */
	pause_ms(2 * SLOW_NS / 1000000);
	EXPECT_EQ(before, chains(self));
	ASSERT_EQ(0, put(self->dir, "cgroup.freeze", "0"));
	EXPECT_TRUE(collect(self));
}

/* Another process of the same address space can change a queue of a frozen owner. */
TEST_F(tasks, K24_an_owner_frozen_with_a_request_in_flight_is_frozen)
{
	if (!has_tasks())
		SKIP(return, NO_TASKS);
	if (put_owner(self))
		SKIP(return, "no unified cgroup tree at " ROOT " to make a group in");
	submit(self);
	EXPECT_TRUE(WAIT_FOR(in_flight(self)));
	ASSERT_EQ(0, put(self->dir, "cgroup.freeze", "1"));
	EXPECT_TRUE(WAIT_FOR(is_frozen(self)));
	ASSERT_EQ(0, put(self->dir, "cgroup.freeze", "0"));
	EXPECT_TRUE(collect(self));
	EXPECT_TRUE(WAIT_FOR(!in_flight(self)));
}

static void cgroup_of(pid_t tid, char *line, size_t len)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", tid);
	f = fopen(path, "re");
	must(f && fgets(line, len, f), "%s: %m", path);
	fclose(f);
}

TEST_F(tasks, K24_a_worker_moves_with_its_owner)
{
	char ours[256], theirs[256], pid[16];
	pid_t tid = worker_of(self->owner);

	if (!has_tasks())
		SKIP(return, NO_TASKS);
	if (put_owner(self))
		SKIP(return, "no unified cgroup tree at " ROOT " to make a group in");
	EXPECT_TRUE(is_task_of(tid, self->owner));
	cgroup_of(self->owner, ours, sizeof(ours));
	cgroup_of(tid, theirs, sizeof(theirs));
	EXPECT_STREQ(ours, theirs);
	snprintf(pid, sizeof(pid), "%d", self->owner);
	ASSERT_EQ(0, put(ROOT, "cgroup.procs", pid));
	EXPECT_EQ(0, rmdir(self->dir));
	submit(self);
	EXPECT_TRUE(collect(self));
}

/* The owner is gone at once, its request completes all the same. */
TEST_F(tasks, K24_a_request_outlives_its_owner)
{
	u64 before;

	submit(self);
	ASSERT_TRUE(WAIT_FOR(in_flight(self)));
	owner_end(self);
	EXPECT_TRUE(collect(self));
	EXPECT_TRUE(WAIT_FOR(!in_flight(self)));
	before = chains(self);
	submit(self);
	if (!has_tasks()) {
		/* As vhost of such a kernel. */
		EXPECT_TRUE(collect(self));
		return;
	}
	pause_ms(2 * SLOW_NS / 1000000);
	EXPECT_EQ(before, chains(self));
}

/* Many times, at any moment: what is left is ended by the last close. */
TEST_F(tasks, K24_a_queue_stops_though_its_owner_was_killed)
{
	submit(self);
	ASSERT_TRUE(WAIT_FOR(in_flight(self)));
	owner_end(self);
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 0));
	EXPECT_TRUE(collect(self));
	EXPECT_EQ(0, in_flight(self));
}

static unsigned int threads_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	must(!stat(path, &st), "%s: %m", path);
	return st.st_nlink - 2;
}

static bool is_sleep(pid_t pid)
{
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	must(f, "%s: %m", path);
	if (fscanf(f, "%31s", comm) != 1)
		comm[0] = 0;
	fclose(f);
	return !strcmp(comm, "sleep");
}

TEST_F(tasks, K24_an_owner_that_executes_another_program_leaves_its_workers)
{
	u64 before;

	submit(self);
	ASSERT_TRUE(WAIT_FOR(in_flight(self)));
	__atomic_store_n(&self->exec, true, __ATOMIC_RELEASE);
	EXPECT_TRUE(WAIT_FOR(is_sleep(self->owner)));
	EXPECT_EQ(1, threads_of(self->owner));
	EXPECT_TRUE(collect(self));
	EXPECT_TRUE(WAIT_FOR(!in_flight(self)));
	before = chains(self);
	submit(self);
	if (!has_tasks()) {
		EXPECT_TRUE(collect(self));
		return;
	}
	pause_ms(2 * SLOW_NS / 1000000);
	EXPECT_EQ(before, chains(self));
}

/* This process has the owner's memory, so it may give the queue another worker. */
TEST_F(tasks, K24_a_queue_whose_worker_was_killed_gets_another)
{
	struct vhost_vring_worker w = { };
	struct vhost_worker_state n;

	KVHOST_IOCTL(&self->k, VHOST_GET_VRING_WORKER, &w);
	owner_end(self);
	n.worker_id = w.worker_id;
	if (has_tasks())
		EXPECT_EQ(-EBUSY, __kvhost_ioctl(self->k.fd, VHOST_FREE_WORKER, &n));
	submit(self);
	KVHOST_IOCTL(&self->k, VHOST_NEW_WORKER, &n);
	w.worker_id = n.worker_id;
	KVHOST_IOCTL(&self->k, VHOST_ATTACH_VRING_WORKER, &w);
	EXPECT_TRUE(collect(self));
}

#ifndef VHOST_SET_FORK_FROM_OWNER
#define VHOST_SET_FORK_FROM_OWNER	_IOW(VHOST_VIRTIO, 0x84, __u8)
#endif

TEST(K24_an_owner_may_ask_for_kernel_threads)
{
	struct vhost_worker_state n;
	u8 from_owner = 0;
	pid_t tid;
	int fd;

	fd = open(KVHOST_BLK_NODE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	if (__kvhost_ioctl(fd, VHOST_SET_FORK_FROM_OWNER, &from_owner)) {
		close(fd);
		SKIP(return, "vhost of this kernel offers no choice: take one from 6.17 on");
	}
	kvhost_ioctl(fd, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	kvhost_ioctl(fd, VHOST_NEW_WORKER, &n, "VHOST_NEW_WORKER");
	tid = worker_of(getpid());
	EXPECT_LT(0, tid);
	EXPECT_FALSE(is_task_of(tid, getpid()));
	close(fd);
}

/* Make workers as a user who may have @max processes. Return: how many; the last answer */
static unsigned int make_workers(unsigned int max, int *last)
{
	const struct rlimit limit = { max, max };
	struct vhost_worker_state n;
	unsigned int made = 0;
	int fd;

	fd = open(KVHOST_BLK_NODE, O_RDWR | O_CLOEXEC);
	must(fd >= 0, "%s: %m", KVHOST_BLK_NODE);
	must(!setrlimit(RLIMIT_NPROC, &limit), "RLIMIT_NPROC: %m");
	/* A user with no other process. */
	must(!setresuid(64321, 64321, 64321), "setresuid: %m");
	kvhost_ioctl(fd, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	while (!(*last = __kvhost_ioctl(fd, VHOST_NEW_WORKER, &n)) && made < 1000)
		made++;
	return made;
}

#define PROCESSES	11u

/* One process and its workers are as many as its limit says, on any kernel. */
TEST(K7_workers_count_against_the_limit_of_processes)
{
	struct leak before, after;
	int st, last;
	pid_t pid;

	leak_snapshot(&before);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(make_workers(PROCESSES, &last) == PROCESSES - 1 && last == -ENOMEM ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &st, 0));
	EXPECT_EQ(0, st);
	EXPECT_TRUE(leak_wait_clean(&before, &after));
	/* And what it had is given back. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(make_workers(PROCESSES, &last));
	ASSERT_EQ(pid, waitpid(pid, &st, 0));
	EXPECT_EQ(PROCESSES - 1, WEXITSTATUS(st));
	EXPECT_TRUE(leak_wait_clean(&before, &after));
}

TEST_F(tasks, K7_workers_count_against_pids_max)
{
	char text[32];
	struct vhost_worker_state n;
	unsigned int made;

	if (!has_tasks())
		SKIP(return, NO_TASKS);
	put(ROOT, "cgroup.subtree_control", "+pids");
	if (mkdir(self->dir, 0755))
		SKIP(return, "no unified cgroup tree at " ROOT " to make a group in");
	snprintf(text, sizeof(text), "%d", getpid());
	if (put(self->dir, "pids.max", "8"))
		SKIP(return, "no pids controller in " ROOT ": enable it");
	/* Our own new workers are threads of this process. */
	ASSERT_EQ(0, put(self->dir, "cgroup.procs", text));
	for (made = 0; made < 100; made++)
		if (__kvhost_ioctl(self->k.fd, VHOST_NEW_WORKER, &n))
			break;
	ASSERT_EQ(0, put(ROOT, "cgroup.procs", text));
	EXPECT_EQ(7, made);
}

static void __attribute__((constructor)) make_disk(void)
{
	const struct nullb_opts o = { .mb = 8, .delay_ns = SLOW_NS, .memory = true };

	slow_disk = backing_nullb("tasks", &o);
}

TEST_HARNESS_MAIN
