// SPDX-License-Identifier: GPL-2.0
/*
 * kvhost-blk answers the common vhost ioctls as vhost-net of this kernel does.
 *
 * A table of calls, most of them wrong, is made on a fresh /dev/vhost-net and
 * a fresh /dev/kvhost-blk in each of five states, and the errors are compared:
 *
 *	fresh    just opened
 *	owned    VHOST_SET_OWNER done
 *	ready    features, memory table and ring 0 set, no backend
 *	running  a backend is there and serves ring 0
 *	foreign  as ready, but the call comes from another process
 *
 * One result per call of vhost_calls.h; a line of diagnosis per state in which
 * they differ.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include "kselftest.h"
#include "vhost_calls.h"

static const char *const state_names[] = {
	"fresh", "owned", "ready", "running", "foreign",
};

/**
 * struct side - one of the two devices compared
 * @node: its path
 * @nvqs: queues it has
 * @fd:   open node
 * @fds:  one of each kind
 * @q:    ring 0
 * @disk: backend
 */
struct side {
	const char *node;
	u32 nvqs;
	int fd;
	int fds[FD_KINDS];
	struct vq q;
	int disk;
};

static struct side sides[2] = {
	{ .node = "/dev/vhost-net", .nvqs = 2 },
	{ .node = KVHOST_BLK_NODE, .nvqs = KVHOST_BLK_QUEUES_MAX },
};

/* Processes that share the rows, and what they found: vhost-net's, ours. */
#define HELPERS	8u
struct answers {
	short errors[STATES][2];
};

static struct gmem mem;
static struct vhost_memory *table;

static u32 index_of(const struct side *s, enum idx which)
{
	switch (which) {
	case IDX_LAST:
		return s->nvqs - 1;
	case IDX_N:
		return s->nvqs;
	case IDX_N1:
		return s->nvqs + 1;
	case IDX_31:
		return 0x80000000;
	case IDX_MAX:
		return 0xffffffff;
	default:
		return 0;
	}
}

static void make_fds(struct side *s)
{
	int p[2];

	must(!pipe(p), "pipe: %m");
	s->fds[FD_EVENTFD] = eventfd(0, 0);
	s->fds[FD_PIPE] = p[0];
	s->fds[FD_SOCKET] = socket(AF_UNIX, SOCK_STREAM, 0);
	s->fds[FD_DIR] = open("/", O_RDONLY | O_DIRECTORY);
	s->fds[FD_FILE] = memfd_create("file", 0);
	s->fds[FD_CLOSED] = dup(p[1]);
	s->fds[FD_MINUS1] = -1;
	s->fds[FD_MINUS2] = -2;
	s->fds[FD_HUGE] = 0x7fffffff;
	close(s->fds[FD_CLOSED]);
}

static void tweak_addr(struct side *s, enum idx which, enum tweak t, struct vhost_vring_addr *a)
{
	*a = (struct vhost_vring_addr) {
		.index = index_of(s, which),
		.desc_user_addr = (unsigned long)s->q.desc,
		.avail_user_addr = (unsigned long)s->q.avail,
		.used_user_addr = (unsigned long)s->q.used,
	};
	a->avail_user_addr += t == T_AVAIL_ODD;
	a->used_user_addr += t == T_USED_ODD ? 1 : t == T_USED_2 ? 2 : 0;
	a->log_guest_addr += t == T_LOG_ODD ? 1 : 0;
	a->flags = t == T_FLAGS ? 0x80 : t == T_FLAGS_LOG ? 1 << VHOST_VRING_F_LOG : 0;
	if (t == T_OUTSIDE)
		a->used_user_addr = (unsigned long)calls & ~3ul;
	if (t == T_NULL)
		a->desc_user_addr = 0;
	if (t == T_KERNEL)
		a->desc_user_addr = 0xffff888000000000ull;
	if (t == T_TOP)
		a->avail_user_addr = ~1ull;
}

/* A table for row @t, or a pointer to one that ends in unmapped memory. */
static void *tweak_table(enum tweak t)
{
	static struct vhost_memory *m;
	struct vhost_memory_region *r;
	static u8 *end;
	unsigned int i;

	if (!m) {
		m = calloc(1, sizeof(*m) + 65536 * sizeof(m->regions[0]));
		end = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(m && end != MAP_FAILED, "out of memory");
		munmap(end + 4096, 4096);
	}
	memcpy(m, table, sizeof(*m) + GMEM_REGIONS * sizeof(m->regions[0]));
	r = &m->regions[1];
	switch (t) {
	case T_PADDING:
		m->padding = 1;
		break;
	case T_64:
	case T_65535:
		m->nregions = t == T_64 ? 64 : 65535;
		for (i = GMEM_REGIONS; i < m->nregions; i++)
			m->regions[i] = (struct vhost_memory_region) {
				.guest_phys_addr = 1ull << 40 | (u64)i << 12,
				.memory_size = 4096,
				.userspace_addr = (unsigned long)mem.regions[0].va,
			};
		break;
	case T_ZERO:
		m->nregions = 0;
		break;
	case T_SIZE_0:
		r->memory_size = 0;
		break;
	case T_OVERLAP:
		r->guest_phys_addr -= 4096;
		break;
	case T_WRAP:
		r->guest_phys_addr = ~0ull - 4095;
		r->memory_size = 8192;
		break;
	case T_KERNEL_VA:
		r->userspace_addr = 0xffff888000000000ull;
		break;
	case T_UA_WRAP:
		r->userspace_addr = ~0ull - 4095;
		r->memory_size = 8192;
		break;
	case T_SHORT:
		return memcpy(end + 4096 - sizeof(*m) - 8, m, sizeof(*m));
	default:
		break;
	}
	return m;
}

/* Make the call of a row. Return: 0 or -errno. */
static int make_call(struct side *s, const struct call *c)
{
	struct vhost_vring_state st = { .index = index_of(s, c->idx), .num = c->v };
	struct vhost_vring_file f = { .index = index_of(s, c->idx) };
	struct vhost_vring_addr a;
	u64 v = c->v;

	switch (c->arg) {
	case ARG_NULL:
		return __kvhost_ioctl(s->fd, c->req, NULL);
	case ARG_BAD:
		return __kvhost_ioctl(s->fd, c->req, (void *)8);
	case ARG_U64:
		return __kvhost_ioctl(s->fd, c->req, &v);
	case ARG_STATE:
		return __kvhost_ioctl(s->fd, c->req, &st);
	case ARG_FILE:
		f.fd = s->fds[c->v];
		return __kvhost_ioctl(s->fd, c->req, &f);
	case ARG_ADDR:
		tweak_addr(s, c->idx, c->v, &a);
		return __kvhost_ioctl(s->fd, c->req, &a);
	case ARG_MEM:
		return __kvhost_ioctl(s->fd, c->req, tweak_table(c->v));
	case ARG_FD:
		return __kvhost_ioctl(s->fd, c->req, &s->fds[c->v]);
	}
	return -EDOM;
}

static void set_backend(struct side *s)
{
	if (s == &sides[0]) {
		struct vhost_vring_file f = { .index = 0, .fd = s->disk };

		kvhost_ioctl(s->fd, VHOST_NET_SET_BACKEND, &f, "VHOST_NET_SET_BACKEND");
	} else {
		struct kvhost_blk_backend b = { .size = sizeof(b), .fd = s->disk };
		struct vhost_vring_state on = { .index = 0, .num = 1 };

		kvhost_ioctl(s->fd, KVHOST_BLK_SET_BACKEND, &b, "KVHOST_BLK_SET_BACKEND");
		kvhost_ioctl(s->fd, KVHOST_SET_VRING_ENABLE, &on, "KVHOST_SET_VRING_ENABLE");
	}
}

static void bring_to(struct side *s, enum state to)
{
	struct vhost_vring_state st = { .index = 0, .num = s->q.size };
	struct vhost_vring_file f = { .index = 0, .fd = s->q.kick_fd };
	struct vhost_vring_addr a;
	u64 features = V1;

	s->fd = open(s->node, O_RDWR | O_CLOEXEC);
	must(s->fd >= 0, "%s: %m", s->node);
	s->fds[FD_SELF] = s->fd;
	if (to == FRESH)
		return;
	kvhost_ioctl(s->fd, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	if (to == OWNED)
		return;
	vq_reset(&s->q, 0);
	kvhost_ioctl(s->fd, VHOST_SET_FEATURES, &features, "VHOST_SET_FEATURES");
	kvhost_ioctl(s->fd, VHOST_SET_MEM_TABLE, table, "VHOST_SET_MEM_TABLE");
	kvhost_ioctl(s->fd, VHOST_SET_VRING_NUM, &st, "VHOST_SET_VRING_NUM");
	tweak_addr(s, IDX_0, T_NONE, &a);
	kvhost_ioctl(s->fd, VHOST_SET_VRING_ADDR, &a, "VHOST_SET_VRING_ADDR");
	kvhost_ioctl(s->fd, VHOST_SET_VRING_KICK, &f, "VHOST_SET_VRING_KICK");
	if (to == RUNNING)
		set_backend(s);
}

static int in_child(struct side *s, const struct call *c)
{
	pid_t pid;
	int st;

	fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork: %m");
	if (!pid)
		_exit(-make_call(s, c));
	must(waitpid(pid, &st, 0) == pid && WIFEXITED(st), "child was killed");
	return -WEXITSTATUS(st);
}

static const char *name_of(int err)
{
	return err ? strerrorname_np(-err) : "0";
}

/* Make a call on both sides in one state; the answers go to @r. */
static void make_both(const struct call *c, enum state in, short *r)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct side *s = &sides[i];

		bring_to(s, in);
		r[i] = in == FOREIGN ? in_child(s, c) : make_call(s, c);
		close(s->fd);
	}
}

static bool compare(const struct call *c, enum state in, const short *r)
{
	if (r[0] == r[1] || (c->why && r[1] == c->ours))
		return true;
	ksft_print_msg("%s: vhost-net %s, kvhost-blk %s\n", state_names[in],
		       name_of(r[0]), name_of(r[1]));
	return false;
}

static int packet_socket(void)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_LOOP),
		.sll_ifindex = if_nametoindex("lo"),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_LOOP));

	must(fd >= 0, "packet socket: %m");
	must(!bind(fd, (void *)&a, sizeof(a)), "bind to lo: %m");
	return fd;
}

static void prepare(void)
{
	int i;

	gmem_init(&mem);
	table = gmem_table(&mem);
	sides[0].disk = packet_socket();
	sides[1].disk = memfd_create("disk", 0);
	must(!ftruncate(sides[1].disk, 1 << 20), "ftruncate: %m");
	for (i = 0; i < 2; i++) {
		make_fds(&sides[i]);
		vq_init(&sides[i].q, &mem, 64, 0);
	}
}

/* Do every HELPERS-th row; most of the time is spent waiting in close(). */
static _Noreturn void helper(unsigned int first, struct answers *answers)
{
	enum state state;
	unsigned int i;

	prepare();
	for (i = first; i < ARRAY_SIZE(calls); i += HELPERS)
		for (state = FRESH; state < STATES; state++)
			make_both(&calls[i], state, answers[i].errors[state]);
	_exit(0);
}

static void make_all(struct answers *answers)
{
	unsigned int i;
	int st;

	for (i = 0; i < HELPERS; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork: %m");
		if (!pid)
			helper(i, answers);
	}
	for (i = 0; i < HELPERS; i++)
		must(wait(&st) > 0 && !st, "a helper failed");
}

int main(void)
{
	struct answers *answers;
	enum state state;
	unsigned int i;
	bool ok;

	ksft_print_header();
	if (access(sides[0].node, F_OK) && system("modprobe vhost_net 2>/dev/null"))
		ksft_exit_skip("no /dev/vhost-net to compare with\n");
	if (access(sides[1].node, F_OK))
		ksft_exit_fail_msg("%s is missing: load kvhost_blk first\n", sides[1].node);
	answers = mmap(NULL, ARRAY_SIZE(calls) * sizeof(*answers), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(answers != MAP_FAILED, "out of memory");
	ksft_set_plan(ARRAY_SIZE(calls));
	fflush(stdout);
	make_all(answers);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ok = true;
		for (state = FRESH; state < STATES; state++)
			ok &= compare(&calls[i], state, answers[i].errors[state]);
		ksft_test_result(ok, "as vhost-net: %s\n", calls[i].name);
	}
	ksft_finished();
}
