// SPDX-License-Identifier: GPL-2.0
/*
 * VHOST_NET_SET_BACKEND of kvhost-net answers as that of this kernel's own
 * vhost-net does: every kind of descriptor (CVE-2020-10942), every state of the
 * device, every index, on both nodes side by side.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <linux/if_ether.h>
#include "kselftest.h"
#include "pair.h"

enum state { FRESH, OWNED, FEATURES, RINGS, RUNNING, BROKEN_RING, STATES };

static const char *const state_names[] = {
	"fresh", "owned", "features", "rings", "running", "no ring address",
};

static const char *const nodes[] = { "/dev/vhost-net", KVHOST_NET_NODE };

static struct gmem mem;
static struct vq q[2];
static int tap;

/* A file of each kind there is; what they are called; -1 and such at the end. */
static struct {
	const char *name;
	int fd;
} kinds[24];
static unsigned int nr_kinds;

static void add_kind(const char *name, int fd)
{
	kinds[nr_kinds].name = name;
	kinds[nr_kinds++].fd = fd;
}

static void make_kinds(void)
{
	int p[2];

	must(!pipe(p), "pipe: %m");
	add_kind("pipe", p[0]);
	close(p[1]);
	add_kind("closed", p[1]);
	add_kind("eventfd", eventfd(0, 0));
	add_kind("file", memfd_create("file", 0));
	add_kind("directory", open("/", O_RDONLY | O_DIRECTORY));
	add_kind("O_PATH", open("/", O_PATH));
	add_kind("unix stream", socket(AF_UNIX, SOCK_STREAM, 0));
	add_kind("udp", socket(AF_INET, SOCK_DGRAM, 0));
	add_kind("raw ip", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	add_kind("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	add_kind("packet dgram", socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_LOOP)));
	add_kind("packet raw", socket(AF_PACKET, SOCK_RAW, htons(ETH_P_LOOP)));
	add_kind("vhost-net", open(nodes[0], O_RDWR));
	add_kind("kvhost-net", open(nodes[1], O_RDWR));
	add_kind("tun without device", open("/dev/net/tun", O_RDWR));
	add_kind("tap", tap);
	add_kind("-1", -1);
	add_kind("-2", -2);
	add_kind("huge", 0x7fffffff);
}

static void ring(int fd, unsigned int i, bool address)
{
	struct vhost_vring_state s = { i, q[i].size };
	struct vhost_vring_file f = { i, q[i].kick_fd };
	struct vhost_vring_addr a = {
		.index = i,
		.desc_user_addr = (unsigned long)q[i].desc,
		.avail_user_addr = (unsigned long)q[i].avail,
		.used_user_addr = (unsigned long)q[i].used,
	};

	vq_reset(&q[i], 0);
	kvhost_ioctl(fd, VHOST_SET_VRING_NUM, &s, "VHOST_SET_VRING_NUM");
	s.num = 0;
	kvhost_ioctl(fd, VHOST_SET_VRING_BASE, &s, "VHOST_SET_VRING_BASE");
	if (address)
		kvhost_ioctl(fd, VHOST_SET_VRING_ADDR, &a, "VHOST_SET_VRING_ADDR");
	kvhost_ioctl(fd, VHOST_SET_VRING_KICK, &f, "VHOST_SET_VRING_KICK");
}

static int bring_to(const char *node, enum state to)
{
	int fd = open(node, O_RDWR | O_CLOEXEC), i;
	u64 features = 1ull << VIRTIO_F_VERSION_1;
	struct vhost_memory *t = gmem_table(&mem);

	must(fd >= 0, "%s: %m", node);
	if (to >= OWNED)
		kvhost_ioctl(fd, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	if (to >= FEATURES) {
		kvhost_ioctl(fd, VHOST_SET_FEATURES, &features, "VHOST_SET_FEATURES");
		kvhost_ioctl(fd, VHOST_SET_MEM_TABLE, t, "VHOST_SET_MEM_TABLE");
	}
	for (i = 0; to >= RINGS && i < 2; i++)
		ring(fd, i, to != BROKEN_RING);
	for (i = 0; to == RUNNING && i < 2; i++)
		net_backend(fd, i, tap);
	free(t);
	return fd;
}

static const char *name_of(int err)
{
	return err ? strerrorname_np(-err) : "0";
}

static int ask(const char *node, enum state in, unsigned int index, int back)
{
	int fd = bring_to(node, in), r = __net_backend(fd, index, back);

	close(fd);
	return r;
}

/* Every state with this kind of descriptor and index. */
static bool compare(unsigned int index, int back)
{
	enum state in;
	bool ok = true;
	int a, b;

	for (in = FRESH; in < STATES; in++) {
		a = ask(nodes[0], in, index, back);
		b = ask(nodes[1], in, index, back);
		if (a == b)
			continue;
		ksft_print_msg("%s: vhost-net %s, kvhost-net %s\n", state_names[in], name_of(a),
			       name_of(b));
		ok = false;
	}
	return ok;
}

static bool compare_pointer(void)
{
	int a = bring_to(nodes[0], RINGS), b = bring_to(nodes[1], RINGS);
	bool same = __kvhost_ioctl(a, VHOST_NET_SET_BACKEND, (void *)8) ==
		    __kvhost_ioctl(b, VHOST_NET_SET_BACKEND, (void *)8);

	close(a);
	close(b);
	return same;
}

/*
 * Who acknowledges just what this kernel's vhost-net offers, in whatever state, gets
 * the same answer: all of it, what suits a driver of the first virtio, nothing.
 */
static bool compare_features(void)
{
	u64 theirs, ours, masks[] = { ~0ull, 0xffffffff, 0 };
	int fd[2], i, r[2];
	bool same = true;
	enum state in;

	for (in = FRESH; in < RUNNING; in++) {
		for (i = 0; i < 2; i++)
			fd[i] = bring_to(nodes[i], in);
		kvhost_ioctl(fd[0], VHOST_GET_FEATURES, &theirs, "VHOST_GET_FEATURES");
		kvhost_ioctl(fd[1], VHOST_GET_FEATURES, &ours, "VHOST_GET_FEATURES");
		if (theirs & ~ours) {
			ksft_print_msg("vhost-net offers %#llx, kvhost-net %#llx\n", theirs, ours);
			same = false;
		}
		for (i = 0; i < ARRAY_SIZE(masks); i++) {
			u64 take = theirs & masks[i];

			r[0] = __kvhost_ioctl(fd[0], VHOST_SET_FEATURES, &take);
			r[1] = __kvhost_ioctl(fd[1], VHOST_SET_FEATURES, &take);
			if (r[0] == r[1])
				continue;
			ksft_print_msg("%s, features %#llx: vhost-net %s, kvhost-net %s\n",
				       state_names[in], take, name_of(r[0]), name_of(r[1]));
			same = false;
		}
		close(fd[0]);
		close(fd[1]);
	}
	return same;
}

/* Starting and stopping is VHOST_NET_SET_BACKEND's alone. */
static bool enable_unknown(void)
{
	struct vhost_vring_state s = { 0, 1 };
	int fd = bring_to(nodes[1], RINGS);
	int r = __kvhost_ioctl(fd, KVHOST_SET_VRING_ENABLE, &s);

	close(fd);
	return r == -ENOTTY;
}

int main(void)
{
	static const unsigned int indices[] = { 2, 3, 0x80000000, 0xffffffff };
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
	make_kinds();
	ksft_set_plan(nr_kinds + ARRAY_SIZE(indices) + 3);
	/* The queues take turns, for closing a device takes its time. */
	for (i = 0; i < nr_kinds; i++)
		ksft_test_result(compare(i & 1, kinds[i].fd), "as vhost-net: queue %u, %s\n",
				 i & 1, kinds[i].name);
	for (i = 0; i < ARRAY_SIZE(indices); i++)
		ksft_test_result(compare(indices[i], tap), "as vhost-net: queue %#x\n", indices[i]);
	ksft_test_result(compare_pointer(), "as vhost-net: a bad pointer\n");
	ksft_test_result(compare_features(), "as vhost-net: its features\n");
	ksft_test_result(enable_unknown(), "KVHOST_SET_VRING_ENABLE is unknown\n");
	ksft_finished();
}
