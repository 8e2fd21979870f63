// SPDX-License-Identifier: GPL-2.0
/*
 * The commands about workers answer as vhost has them: VHOST_NEW_WORKER,
 * VHOST_FREE_WORKER, VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER.
 *
 * A list of steps, most of them wrong, with what vhost answers. Where this
 * kernel has a device that knows the commands (vhost-scsi from 6.5 on), the
 * same list is also put to that, so that the list itself is checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest.h"
#include "lib/base.h"
#include "lib/kvhost.h"

/* Who asks, and how far the device has come. */
enum who { FRESH, OWNER, OTHER };

/* Worker numbers a step may name. */
enum id { ID_FIRST, ID_SECOND, ID_OF_QUEUE_1, ID_UNKNOWN, ID_HIGHEST, IDS };

enum arg { GOOD, BAD_POINTER, CUT_SHORT };

/**
 * struct step - one call
 * @name:  what it is about
 * @req:   ioctl
 * @index: queue
 * @id:    worker it names; for VHOST_NEW_WORKER where the answer is kept
 * @who:   see above
 * @arg:   how the argument is given
 * @want:  0 or -errno
 */
struct step {
	const char *name;
	unsigned long req;
	u32 index;
	enum id id;
	enum who who;
	enum arg arg;
	int want;
};

#define NEW	VHOST_NEW_WORKER
#define FREE	VHOST_FREE_WORKER
#define ATTACH	VHOST_ATTACH_VRING_WORKER
#define GET	VHOST_GET_VRING_WORKER
#define FAR	100000u

static const struct step steps[] = {
	{ "new worker without an owner", NEW, 0, ID_FIRST, FRESH, GOOD, -EINVAL },
	{ "free worker without an owner", FREE, 0, ID_FIRST, FRESH, GOOD, -EINVAL },
	{ "attach without an owner", ATTACH, 0, ID_FIRST, FRESH, GOOD, -EINVAL },
	{ "get worker without an owner", GET, 0, ID_FIRST, FRESH, GOOD, -EINVAL },
	{ "no owner goes before a bad pointer", NEW, 0, ID_FIRST, FRESH, BAD_POINTER, -EINVAL },
	{ "no owner goes before a bad index", GET, FAR, ID_FIRST, FRESH, GOOD, -EINVAL },
	{ "new worker by another process", NEW, 0, ID_FIRST, OTHER, GOOD, -EPERM },
	{ "free worker by another process", FREE, 0, ID_FIRST, OTHER, GOOD, -EPERM },
	{ "attach by another process", ATTACH, 0, ID_FIRST, OTHER, GOOD, -EPERM },
	{ "get worker by another process", GET, 0, ID_FIRST, OTHER, GOOD, -EPERM },
	{ "new worker", NEW, 0, ID_FIRST, OWNER, GOOD, 0 },
	{ "another new worker", NEW, 0, ID_SECOND, OWNER, GOOD, 0 },
	{ "new worker to a bad pointer", NEW, 0, ID_SECOND, OWNER, BAD_POINTER, -EFAULT },
	{ "free worker, bad pointer", FREE, 0, ID_FIRST, OWNER, BAD_POINTER, -EFAULT },
	{ "attach, bad pointer", ATTACH, 0, ID_FIRST, OWNER, BAD_POINTER, -EFAULT },
	{ "attach, only the index is readable", ATTACH, 0, ID_FIRST, OWNER, CUT_SHORT, -EFAULT },
	{ "attach, bad index, nothing behind", ATTACH, FAR, ID_FIRST, OWNER, CUT_SHORT, -ENOBUFS },
	{ "get worker, bad pointer", GET, 0, ID_FIRST, OWNER, BAD_POINTER, -EFAULT },
	{ "get worker, no room for the answer", GET, 0, ID_FIRST, OWNER, CUT_SHORT, -EFAULT },
	{ "attach, index too high", ATTACH, FAR, ID_FIRST, OWNER, GOOD, -ENOBUFS },
	{ "attach, index 2^32 - 1", ATTACH, ~0u, ID_FIRST, OWNER, GOOD, -ENOBUFS },
	{ "get worker, index 2^31", GET, 1u << 31, ID_FIRST, OWNER, GOOD, -ENOBUFS },
	{ "bad index goes before a bad worker", ATTACH, FAR, ID_UNKNOWN, OWNER, GOOD, -ENOBUFS },
	{ "attach to an unknown worker", ATTACH, 0, ID_UNKNOWN, OWNER, GOOD, -ENODEV },
	{ "attach to worker 2^32 - 1", ATTACH, 0, ID_HIGHEST, OWNER, GOOD, -ENODEV },
	{ "free an unknown worker", FREE, 0, ID_UNKNOWN, OWNER, GOOD, -ENODEV },
	{ "free worker 2^32 - 1", FREE, 0, ID_HIGHEST, OWNER, GOOD, -ENODEV },
	{ "every queue has a worker", GET, 1, ID_OF_QUEUE_1, OWNER, GOOD, 0 },
	{ "its worker cannot be freed", FREE, 0, ID_OF_QUEUE_1, OWNER, GOOD, -EBUSY },
	{ "attach", ATTACH, 0, ID_FIRST, OWNER, GOOD, 0 },
	{ "attach to the same again", ATTACH, 0, ID_FIRST, OWNER, GOOD, 0 },
	{ "get what was attached", GET, 0, ID_FIRST, OWNER, GOOD, 0 },
	{ "free one in use", FREE, 0, ID_FIRST, OWNER, GOOD, -EBUSY },
	{ "attach a second queue", ATTACH, 1, ID_FIRST, OWNER, GOOD, 0 },
	{ "move the first on", ATTACH, 0, ID_SECOND, OWNER, GOOD, 0 },
	{ "free one still in use by the second", FREE, 0, ID_FIRST, OWNER, GOOD, -EBUSY },
	{ "move the second on", ATTACH, 1, ID_SECOND, OWNER, GOOD, 0 },
	{ "free one no longer in use", FREE, 0, ID_FIRST, OWNER, GOOD, 0 },
	{ "free it again", FREE, 0, ID_FIRST, OWNER, GOOD, -ENODEV },
	{ "attach to one freed", ATTACH, 0, ID_FIRST, OWNER, GOOD, -ENODEV },
	{ "the queue is where it was", GET, 0, ID_SECOND, OWNER, GOOD, 0 },
};

/* Memory whose last 4 bytes are followed by nothing. */
static u8 *edge;

struct side {
	int fd;
	u32 ids[IDS];
};

static int make(const struct side *s, const struct step *st, u32 *worker)
{
	struct vhost_vring_worker w = { .index = st->index, .worker_id = *worker };
	struct vhost_worker_state n = { .worker_id = *worker };
	bool vring = st->req == ATTACH || st->req == GET;
	void *arg = vring ? (void *)&w : &n;
	int r;

	if (st->arg == BAD_POINTER)
		arg = (void *)8;
	else if (st->arg == CUT_SHORT)
		arg = memcpy(edge, &w, 4);
	r = __kvhost_ioctl(s->fd, st->req, arg);
	*worker = vring ? w.worker_id : n.worker_id;
	return r;
}

static int make_elsewhere(const struct side *s, const struct step *st, u32 *worker)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork: %m");
	if (!pid)
		_exit(-make(s, st, worker));
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "child was killed");
	return -WEXITSTATUS(status);
}

/* Return: whether the answer is as wanted, a number asked for included. */
static bool play(struct side *s, const struct step *st, bool owned, const char *node)
{
	u32 worker = s->ids[st->id];
	bool learns = st->req == NEW || st->id == ID_OF_QUEUE_1;
	int r;

	if (!owned && st->who != FRESH)
		kvhost_ioctl(s->fd, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	r = st->who == OTHER ? make_elsewhere(s, st, &worker) : make(s, st, &worker);
	if (r != st->want) {
		ksft_print_msg("%s: %s: %s instead of %s\n", node, st->name,
			       r ? strerrorname_np(-r) : "0",
			       st->want ? strerrorname_np(-st->want) : "0");
		return false;
	}
	if (r)
		return true;
	if (learns && st->req != FREE) {
		s->ids[st->id] = worker;
		return true;
	}
	if (worker != s->ids[st->id])
		ksft_print_msg("%s: %s: worker %u, not %u\n", node, st->name, worker,
			       s->ids[st->id]);
	return worker == s->ids[st->id];
}

static bool play_all(const char *node, bool *ok)
{
	struct side s = { .ids = { [ID_UNKNOWN] = 77777, [ID_HIGHEST] = ~0u } };
	bool owned = false, all = true;
	unsigned int i;

	s.fd = open(node, O_RDWR | O_CLOEXEC);
	if (s.fd < 0)
		return false;
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		ok[i] = play(&s, &steps[i], owned, node);
		owned |= steps[i].who != FRESH;
		all &= ok[i];
	}
	close(s.fd);
	return all;
}

/* Is there a vhost device here that knows the commands? */
static bool peer_knows(const char *node)
{
	struct vhost_worker_state n;
	int fd, r;

	if (access(node, F_OK) && system("modprobe vhost_scsi 2>/dev/null"))
		return false;
	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	kvhost_ioctl(fd, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	r = __kvhost_ioctl(fd, VHOST_NEW_WORKER, &n);
	close(fd);
	return !r;
}

/* Workers are bounded: a device may have two for each queue. */
static bool bounded(void)
{
	struct vhost_worker_state n;
	unsigned int made = 0;
	int fd, r;

	fd = open(KVHOST_BLK_NODE, O_RDWR | O_CLOEXEC);
	must(fd >= 0, "%s: %m", KVHOST_BLK_NODE);
	kvhost_ioctl(fd, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	while (!(r = __kvhost_ioctl(fd, VHOST_NEW_WORKER, &n)) && made < 1000)
		made++;
	close(fd);
	ksft_print_msg("%u workers, then %s\n", made, r ? strerrorname_np(-r) : "no end");
	return made == 2 * KVHOST_BLK_QUEUES_MAX && r == -ENOMEM;
}

int main(void)
{
	static const char peer[] = "/dev/vhost-scsi";
	bool ok[ARRAY_SIZE(steps)], theirs[ARRAY_SIZE(steps)];
	unsigned int i;

	ksft_print_header();
	if (access(KVHOST_BLK_NODE, F_OK))
		ksft_exit_fail_msg("%s is missing: load kvhost_blk first\n", KVHOST_BLK_NODE);
	edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(edge != MAP_FAILED && !munmap(edge + 4096, 4096), "mmap: %m");
	edge += 4096 - 4;
	ksft_set_plan(ARRAY_SIZE(steps) + 2);
	play_all(KVHOST_BLK_NODE, ok);
	for (i = 0; i < ARRAY_SIZE(steps); i++)
		ksft_test_result(ok[i], "as vhost: %s\n", steps[i].name);
	ksft_test_result(bounded(), "a device has at most two workers a queue\n");
	if (peer_knows(peer))
		ksft_test_result(play_all(peer, theirs), "vhost-scsi answers the list so\n");
	else
		ksft_test_result_skip("no vhost device of this kernel knows workers\n");
	ksft_finished();
}
