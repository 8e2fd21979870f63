// SPDX-License-Identifier: GPL-2.0
/*
 * Who may speak to a device: its owner is an address space, not a descriptor.
 *
 *	owner --- fork, SCM_RIGHTS ---> other process: EPERM, whatever it asks
 *	owner exits, the other holds the last descriptor: nothing keeps running
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "lib/proc.h"
#include "node.h"

#define GROUP	"/sys/fs/cgroup/kvhost-test"

FIXTURE(owner) {
	struct kvhost k;
	struct kvhost_opts o;
};

FIXTURE_SETUP(owner)
{
	self->o = (struct kvhost_opts) { .fd = node_disk(), .queues = 2 };
	kvhost_start(&self->k, &self->o);
}

FIXTURE_TEARDOWN(owner)
{
	kvhost_close(&self->k);
	close(self->o.fd);
}

/* Every ioctl that only the owner may call, with a harmless argument. */
static int ask(int fd, unsigned int which)
{
	static u64 arg[64];
	struct kvhost_vring_stats *st = (void *)arg;
	static const unsigned long reqs[] = {
		VHOST_SET_MEM_TABLE, VHOST_SET_LOG_BASE, VHOST_SET_LOG_FD,
		VHOST_SET_VRING_NUM, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_BASE,
		VHOST_GET_VRING_BASE, VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
		VHOST_GET_VRING_BUSYLOOP_TIMEOUT, VHOST_RESET_OWNER,
		KVHOST_SET_VRING_ENABLE, KVHOST_GET_VRING_STATS, KVHOST_BLK_SET_BACKEND,
		KVHOST_BLK_GET_CONFIG,
	};

	if (which >= ARRAY_SIZE(reqs))
		return 1;
	memset(arg, 0, sizeof(arg));
	if (reqs[which] == KVHOST_GET_VRING_STATS)
		st->size = sizeof(*st);
	return __kvhost_ioctl(fd, reqs[which], arg);
}

/* Run @fn in a child. Return: its exit status. */
static int in_child(int (*fn)(int fd), int fd)
{
	pid_t pid;
	int st;

	pid = fork();
	must(pid >= 0, "fork: %m");
	if (!pid)
		_exit(fn(fd));
	must(waitpid(pid, &st, 0) == pid, "waitpid: %m");
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static int all_are_eperm(int fd)
{
	unsigned int i;
	int r;

	for (i = 0; (r = ask(fd, i)) != 1; i++)
		if (r != -EPERM) {
			fprintf(stderr, "# ioctl %u of the list: %s\n", i, strerror(-r));
			return 1;
		}
	return __kvhost_ioctl(fd, VHOST_SET_OWNER, NULL) == -EBUSY ? 0 : 2;
}

TEST_F(owner, another_process_is_told_EPERM)
{
	EXPECT_EQ(0, in_child(all_are_eperm, self->k.fd));
	EXPECT_TRUE(node_works(&self->k, 0));
}

static int all_are_eperm_unowned(int fd)
{
	unsigned int i;
	int r;

	for (i = 0; (r = ask(fd, i)) != 1; i++)
		if (r != -EPERM)
			return 1;
	return 0;
}

TEST_F(owner, without_an_owner_everything_is_EPERM)
{
	int fd = open(KVHOST_BLK_NODE, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, all_are_eperm_unowned(fd));
	close(fd);
}

TEST_F(owner, owning_twice_is_EBUSY)
{
	EXPECT_EQ(-EBUSY, __kvhost_ioctl(self->k.fd, VHOST_SET_OWNER, NULL));
	EXPECT_TRUE(node_works(&self->k, 0));
}

static int take_over(int fd)
{
	return __kvhost_ioctl(fd, VHOST_SET_OWNER, NULL) ? 1 : 0;
}

TEST_F(owner, after_RESET_OWNER_another_process_may_own)
{
	ASSERT_EQ(0, __kvhost_ioctl(self->k.fd, VHOST_RESET_OWNER, NULL));
	EXPECT_EQ(0, in_child(take_over, self->k.fd));
	EXPECT_EQ(-EPERM, __kvhost_ioctl(self->k.fd, VHOST_RESET_OWNER, NULL));
}

static void *from_thread(void *arg)
{
	struct kvhost *k = arg;

	return __kvhost_enable(k, 1, 0) || __kvhost_enable(k, 1, 1) ? arg : NULL;
}

TEST_F(owner, a_thread_of_the_owner_is_the_owner)
{
	pthread_t t;
	void *r;

	ASSERT_EQ(0, pthread_create(&t, NULL, from_thread, &self->k));
	ASSERT_EQ(0, pthread_join(t, &r));
	EXPECT_EQ(NULL, r);
}

static void send_fds(int sock, const int *fds, unsigned int n)
{
	char control[CMSG_SPACE(4 * sizeof(int))] = { };
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	must(sendmsg(sock, &m, 0) == 1, "sendmsg: %m");
}

static void receive_fds(int sock, int *fds, unsigned int n)
{
	char control[CMSG_SPACE(4 * sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	must(recvmsg(sock, &m, 0) == 1 && CMSG_FIRSTHDR(&m), "recvmsg: %m");
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), n * sizeof(int));
}

/* Own a device, use it, hand device and doorbell over @sock, and die. */
static int own_and_die(int sock)
{
	struct kvhost_opts o = { .fd = node_disk(), .queues = 2 };
	struct kvhost k;

	kvhost_start(&k, &o);
	if (!node_works(&k, 0))
		return 1;
	send_fds(sock, (int[]) { k.fd, k.q[0].kick_fd, k.q[0].call_fd }, 3);
	return 0;
}

/* fix 5.16.12: stop must not ask for the owner when the last close is elsewhere. */
TEST_F(owner, the_owner_dies_and_the_last_close_is_elsewhere)
{
	struct leak before, after;
	int s[2], fds[3], i;
	u64 one = 1;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	leak_snapshot(&before);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, in_child(own_and_die, s[0]));
		receive_fds(s[1], fds, 3);
		ASSERT_EQ(8, write(fds[1], &one, 8));
		EXPECT_EQ(-EPERM, ask(fds[0], 0));
		EXPECT_EQ(-EPERM, ask(fds[0], 13));
		EXPECT_EQ(-EBUSY, __kvhost_ioctl(fds[0], VHOST_SET_OWNER, NULL));
		ASSERT_EQ(8, write(fds[1], &one, 8));
		close(fds[0]);
		close(fds[1]);
		close(fds[2]);
	}
	EXPECT_TRUE(leak_wait_clean(&before, &after));
	close(s[0]);
	close(s[1]);
}

TEST_F(owner, the_node_is_for_root_alone)
{
	struct stat st;

	ASSERT_EQ(0, stat(KVHOST_BLK_NODE, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 0777);
	EXPECT_EQ(0, st.st_uid);
}

TEST_F(owner, the_module_stays_while_a_node_is_open)
{
	EXPECT_EQ(-1, syscall(SYS_delete_module, "kvhost_blk", O_NONBLOCK));
	EXPECT_TRUE(errno == EAGAIN || errno == EBUSY) {
		TH_LOG("delete_module: %s", strerror(errno));
	}
	EXPECT_TRUE(node_works(&self->k, 0));
}

static void note_worker(const struct worker *w, void *arg)
{
	if (w->owner == getpid())
		*(pid_t *)arg = w->tid;
}

/* Find a worker of ours and read a file below its /proc directory. */
static bool worker_file(const char *file, char *buf, size_t len)
{
	char path[300];
	pid_t tid = 0;
	bool found;
	FILE *f;

	each_worker(note_worker, &tid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", tid, tid, file);
	/* The folder of a thread of ours. */
	if (access(path, F_OK))
		snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, file);
	f = fopen(path, "re");
	found = f && fgets(buf, len, f);
	if (f)
		fclose(f);
	return found;
}

TEST_F(owner, workers_live_in_the_cgroup_of_the_owner)
{
	char ours[256] = "", theirs[256] = "";
	struct kvhost k;
	FILE *f;
	int r;

	kvhost_close(&self->k);	/* no worker but the ones to come */
	r = __run("mkdir %s && echo %d >%s/cgroup.procs", GROUP, getpid(), GROUP);
	kvhost_start(&k, &self->o);
	f = fopen("/proc/self/cgroup", "re");
	ASSERT_NE(NULL, f);
	EXPECT_NE(NULL, fgets(ours, sizeof(ours), f));
	fclose(f);
	EXPECT_TRUE(worker_file("cgroup", theirs, sizeof(theirs)));
	EXPECT_STREQ(ours, theirs);
	kvhost_close(&k);
	/* two steps: the first shell is in the group itself */
	__run("echo %d >%s/../cgroup.procs", getpid(), GROUP);
	__run("rmdir %s", GROUP);
	kvhost_start(&self->k, &self->o);
	if (r)
		SKIP(return, "no unified cgroup tree to make a group in");
}

TEST_F(owner, workers_take_no_cpu_while_nothing_happens)
{
	char before[256], after[256];
	int left = LIMIT_MS;

	ASSERT_TRUE(node_works(&self->k, 0));
	ASSERT_TRUE(node_works(&self->k, 1));
	ASSERT_TRUE(worker_file("stat", after, sizeof(after)));
	/* Until there is a second in which it has not run: on a slow machine not the first. */
	do {
		strcpy(before, after);
		usleep(1000000);
		ASSERT_TRUE(worker_file("stat", after, sizeof(after)));
		left -= 1000;
	} while (strcmp(before, after) && left > 0);
	EXPECT_STREQ(before, after);
}

TEST_HARNESS_MAIN
