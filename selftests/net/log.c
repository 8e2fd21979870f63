// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log's set-up: each call is answered as this kernel's own vhost-net
 * answers it, in whatever order, on queues that run and queues that do not.
 *
 *	K21: LOG_ALL, VHOST_VRING_F_LOG, a bitmap or none, a bitmap that cannot be
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kselftest.h"
#include "pair.h"

#define LOG_ALL		(1ull << VHOST_F_LOG_ALL)
#define PLATFORM	(1ull << VIRTIO_F_ACCESS_PLATFORM)
#define NOWHERE		0xffff800000000000ull

static const char *const nodes[] = { "/dev/vhost-net", KVHOST_NET_NODE };

static struct gmem mem;
static struct vq q[2];
static int tap;

/* One step: a call and its argument. */
enum call { END, FEATURES, BASE, ADDR, TABLE, MAP, START, STOP };

struct step {
	enum call call;
	u64 arg;
};

/* What ADDR adds to the ring's true addresses. */
#define F_LOG		1ull
#define FAR		2ull	/* a used ring logged where no bitmap reaches */

#define STEPS		8

static const struct row {
	const char *name;
	struct step steps[STEPS];
} rows[] = {
	{ "LOG_ALL, no bitmap, start", { { FEATURES, LOG_ALL }, { START, 0 } } },
	{ "start, LOG_ALL, no bitmap", { { START, 0 }, { FEATURES, LOG_ALL } } },
	{ "bitmap nowhere, stopped", { { BASE, NOWHERE } } },
	{ "bitmap at ~0, stopped", { { BASE, ~0ull } } },
	{ "bitmap nowhere, start", { { BASE, NOWHERE }, { START, 0 } } },
	{ "bitmap nowhere, LOG_ALL, start",
	  { { BASE, NOWHERE }, { FEATURES, LOG_ALL }, { START, 0 } } },
	{ "LOG_ALL, bitmap nowhere, start",
	  { { FEATURES, LOG_ALL }, { BASE, NOWHERE }, { START, 0 } } },
	{ "bitmap nowhere, start, LOG_ALL",
	  { { BASE, NOWHERE }, { START, 0 }, { FEATURES, LOG_ALL } } },
	{ "start, bitmap nowhere, LOG_ALL",
	  { { START, 0 }, { BASE, NOWHERE }, { FEATURES, LOG_ALL } } },
	{ "LOG_ALL, start, bitmap nowhere",
	  { { FEATURES, LOG_ALL }, { START, 0 }, { BASE, NOWHERE } } },
	{ "F_LOG, bitmap nowhere, start", { { ADDR, F_LOG }, { BASE, NOWHERE }, { START, 0 } } },
	{ "F_LOG, start, bitmap nowhere", { { ADDR, F_LOG }, { START, 0 }, { BASE, NOWHERE } } },
	{ "bitmap nowhere, start, F_LOG", { { BASE, NOWHERE }, { START, 0 }, { ADDR, F_LOG } } },
	{ "F_LOG far away, start", { { ADDR, F_LOG | FAR }, { START, 0 } } },
	{ "start, F_LOG far away", { { START, 0 }, { ADDR, F_LOG | FAR } } },
	{ "start, far away without F_LOG", { { START, 0 }, { ADDR, FAR } } },
	{ "LOG_ALL, start, far table", { { FEATURES, LOG_ALL }, { START, 0 }, { TABLE, 1 } } },
	{ "start, far table, LOG_ALL", { { START, 0 }, { TABLE, 1 }, { FEATURES, LOG_ALL } } },
	{ "LOG_ALL, start, stop", { { FEATURES, LOG_ALL }, { START, 0 }, { STOP, 0 } } },
	{ "bitmap nowhere, LOG_ALL, stop",
	  { { BASE, NOWHERE }, { FEATURES, LOG_ALL }, { STOP, 0 } } },
	{ "IOTLB, LOG_ALL, bitmap nowhere, start",
	  { { FEATURES, LOG_ALL | PLATFORM }, { ADDR, F_LOG | FAR }, { BASE, NOWHERE },
	    { START, 0 } } },
	{ "IOTLB, F_LOG far away, start",
	  { { FEATURES, PLATFORM }, { ADDR, F_LOG | FAR }, { START, 0 } } },
	{ "IOTLB, LOG_ALL, no bitmap, start", { { FEATURES, LOG_ALL | PLATFORM }, { START, 0 } } },
	{ "IOTLB with the ring, F_LOG far away, start",
	  { { FEATURES, PLATFORM }, { ADDR, F_LOG | FAR }, { MAP, 0 }, { START, 0 } } },
	{ "IOTLB with the ring, LOG_ALL, bitmap nowhere, start",
	  { { FEATURES, LOG_ALL | PLATFORM }, { ADDR, 0 }, { MAP, 0 }, { BASE, NOWHERE },
	    { START, 0 } } },
};

/* A table with a region so high that a bitmap for it would be no user memory. */
static int set_table(int fd, bool far)
{
	struct vhost_memory *t = gmem_table(&mem);
	int r;

	if (far)
		t->regions[GMEM_HIGH].guest_phys_addr = 0xfffffffff0000000ull;
	r = __kvhost_ioctl(fd, VHOST_SET_MEM_TABLE, t);
	free(t);
	return r;
}

static int set_addr(int fd, unsigned int i, u64 how)
{
	struct vhost_vring_addr a = {
		.index = i,
		.flags = how & F_LOG ? 1 << VHOST_VRING_F_LOG : 0,
		.desc_user_addr = (unsigned long)q[i].desc,
		.avail_user_addr = (unsigned long)q[i].avail,
		.used_user_addr = (unsigned long)q[i].used,
		.log_guest_addr = how & FAR ? ~3ull : q[i].used_gpa,
	};

	return __kvhost_ioctl(fd, VHOST_SET_VRING_ADDR, &a);
}

static int prepare(const char *node)
{
	u64 features = 1ull << VIRTIO_F_VERSION_1;
	int fd = open(node, O_RDWR | O_CLOEXEC);
	unsigned int i;

	must(fd >= 0, "%s: %m", node);
	kvhost_ioctl(fd, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	kvhost_ioctl(fd, VHOST_SET_FEATURES, &features, "VHOST_SET_FEATURES");
	must(!set_table(fd, false), "VHOST_SET_MEM_TABLE");
	for (i = 0; i < 2; i++) {
		struct vhost_vring_state s = { i, q[i].size };

		vq_reset(&q[i], 0);
		kvhost_ioctl(fd, VHOST_SET_VRING_NUM, &s, "VHOST_SET_VRING_NUM");
		must(!set_addr(fd, i, 0), "VHOST_SET_VRING_ADDR");
	}
	return fd;
}

/* Ring addresses are I/O virtual: let them mean themselves. */
static int map_rings(int fd)
{
	const struct gmem_region *low = &mem.regions[GMEM_LOW];
	struct vhost_msg m = { .type = VHOST_IOTLB_MSG };

	m.iotlb = (struct vhost_iotlb_msg) {
		.iova = (unsigned long)low->va, .size = low->size,
		.uaddr = (unsigned long)low->va, .perm = VHOST_ACCESS_RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	return write(fd, &m, sizeof(m)) == sizeof(m) ? 0 : -errno;
}

static int take(int fd, const struct step *s)
{
	u64 features = 1ull << VIRTIO_F_VERSION_1 | s->arg, base = s->arg;

	switch (s->call) {
	case FEATURES:
		return __kvhost_ioctl(fd, VHOST_SET_FEATURES, &features);
	case BASE:
		return __kvhost_ioctl(fd, VHOST_SET_LOG_BASE, &base);
	case ADDR:
		return set_addr(fd, RX, s->arg);
	case TABLE:
		return set_table(fd, s->arg);
	case MAP:
		return map_rings(fd);
	case START:
		return __net_backend(fd, RX, tap);
	case STOP:
		return __net_backend(fd, RX, -1);
	default:
		die("no such step");
	}
}

static bool compare(const struct row *row)
{
	int fd[2] = { prepare(nodes[0]), prepare(nodes[1]) };
	const struct step *s = row->steps;
	bool same = true;
	int r[2], i;

	for (; s->call; s++) {
		for (i = 0; i < 2; i++)
			r[i] = take(fd[i], s);
		if (r[0] == r[1])
			continue;
		ksft_print_msg("step %d: vhost-net %d, kvhost-net %d\n",
			       (int)(s - row->steps), r[0], r[1]);
		same = false;
	}
	close(fd[0]);
	close(fd[1]);
	return same;
}

int main(void)
{
	static const struct pair_opts none;
	unsigned int i;

	ksft_print_header();
	if (access(nodes[0], F_OK) && system("modprobe vhost_net 2>/dev/null"))
		ksft_exit_skip("no /dev/vhost-net to compare with\n");
	own_netns();
	tap = tap_open("tap0", &none);
	gmem_init(&mem);
	for (i = 0; i < 2; i++)
		vq_init(&q[i], &mem, 64, 0);
	ksft_set_plan(ARRAY_SIZE(rows));
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		ksft_test_result(compare(&rows[i]), "K21 as vhost-net: %s\n", rows[i].name);
	ksft_finished();
}
