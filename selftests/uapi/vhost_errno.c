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
 * One result per call; a line of diagnosis per state in which they differ.
 * Where we mean to differ, the row says what we answer and why.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_config.h>
#include "kselftest.h"
#include "lib/kvhost.h"

enum state { FRESH, OWNED, READY, RUNNING, FOREIGN, STATES };

static const char *const state_names[] = {
	"fresh", "owned", "ready", "running", "foreign",
};

enum fd_kind {
	FD_EVENTFD, FD_PIPE, FD_SOCKET, FD_DIR, FD_FILE, FD_CLOSED, FD_SELF,
	FD_MINUS1, FD_MINUS2, FD_HUGE, FD_KINDS,
};

/* Index of a queue, in terms of how many the device has. */
enum idx { IDX_0, IDX_LAST, IDX_N, IDX_N1, IDX_31, IDX_MAX };

enum arg { ARG_NULL, ARG_BAD, ARG_U64, ARG_STATE, ARG_FILE, ARG_ADDR, ARG_MEM, ARG_FD };

/* What is wrong with ring addresses or with a memory table. */
enum tweak {
	T_NONE, T_AVAIL_ODD, T_USED_ODD, T_USED_2, T_LOG_ODD, T_FLAGS,
	T_FLAGS_LOG, T_OUTSIDE, T_NULL, T_KERNEL, T_TOP,
	T_PADDING, T_64, T_65535, T_ZERO, T_OVERLAP, T_WRAP, T_KERNEL_VA, T_UA_WRAP,
	T_SIZE_0, T_SHORT,
};

/**
 * struct call - one row of the table
 * @name: what is asked
 * @req:  ioctl
 * @arg:  kind of argument
 * @idx:  which queue
 * @v:    value: number, enum fd_kind or enum tweak
 * @ours: where we mean to differ: our answer in all states we differ in
 * @why:  and the reason
 */
struct call {
	const char *name;
	unsigned long req;
	enum arg arg;
	enum idx idx;
	u64 v;
	int ours;
	const char *why;
};

#define V1		(1ull << VIRTIO_F_VERSION_1)

#define BAD(r)		{ #r " bad pointer", r, ARG_BAD, IDX_0, 0, 0, NULL }
#define STATE(r, i, n)	{ #r " index " #i " num " #n, r, ARG_STATE, i, n, 0, NULL }
#define FILE_(r, i, f)	{ #r " index " #i " " #f, r, ARG_FILE, i, f, 0, NULL }
#define ADDR(t)		{ "VHOST_SET_VRING_ADDR " #t, VHOST_SET_VRING_ADDR, ARG_ADDR, \
			  IDX_0, t, 0, NULL }
#define RUNNING_ADDR(t)	{ "VHOST_SET_VRING_ADDR " #t, VHOST_SET_VRING_ADDR, ARG_ADDR, \
			  IDX_0, t, -EBUSY, "a running ring is pinned where it is" }
#define MEM(t)		{ "VHOST_SET_MEM_TABLE " #t, VHOST_SET_MEM_TABLE, ARG_MEM, \
			  IDX_0, t, 0, NULL }
#define LOGFD(f)	{ "VHOST_SET_LOG_FD " #f, VHOST_SET_LOG_FD, ARG_FD, IDX_0, f, 0, NULL }
#define DIFF(n, r, a, v, e, w)	{ n, r, a, IDX_0, v, e, w }
#define U64(r, n)	{ #r " " #n, r, ARG_U64, IDX_0, n, 0, NULL }
#define INDICES(r, n)	STATE(r, IDX_LAST, n), STATE(r, IDX_N, n), STATE(r, IDX_N1, n), \
			STATE(r, IDX_31, n), STATE(r, IDX_MAX, n)
#define FDS(r)		FILE_(r, IDX_0, FD_EVENTFD), FILE_(r, IDX_0, FD_PIPE), \
			FILE_(r, IDX_0, FD_SOCKET), FILE_(r, IDX_0, FD_DIR), \
			FILE_(r, IDX_0, FD_FILE), FILE_(r, IDX_0, FD_CLOSED), \
			FILE_(r, IDX_0, FD_SELF), FILE_(r, IDX_0, FD_MINUS1), \
			FILE_(r, IDX_0, FD_MINUS2), FILE_(r, IDX_0, FD_HUGE), \
			FILE_(r, IDX_LAST, FD_EVENTFD), FILE_(r, IDX_N, FD_EVENTFD), \
			FILE_(r, IDX_31, FD_EVENTFD), FILE_(r, IDX_MAX, FD_EVENTFD)

static const struct call calls[] = {
	{ "VHOST_SET_OWNER", VHOST_SET_OWNER, ARG_NULL, IDX_0, 0, 0, NULL },
	{ "VHOST_RESET_OWNER", VHOST_RESET_OWNER, ARG_NULL, IDX_0, 0, 0, NULL },
	{ "unknown vhost ioctl", _IOW(VHOST_VIRTIO, 0x6e, int), ARG_NULL, IDX_0, 0, 0, NULL },
	{ "ioctl of another driver", TIOCGWINSZ, ARG_NULL, IDX_0, 0, 0, NULL },
	STATE(_IOW(VHOST_VIRTIO, 0x6f, struct vhost_vring_state), IDX_0, 0),

	BAD(VHOST_GET_FEATURES), BAD(VHOST_SET_FEATURES), BAD(VHOST_SET_MEM_TABLE),
	BAD(VHOST_SET_LOG_BASE), BAD(VHOST_SET_LOG_FD), BAD(VHOST_SET_VRING_NUM),
	BAD(VHOST_SET_VRING_ADDR), BAD(VHOST_SET_VRING_BASE), BAD(VHOST_GET_VRING_BASE),
	BAD(VHOST_SET_VRING_KICK), BAD(VHOST_SET_VRING_CALL), BAD(VHOST_SET_VRING_ERR),
	BAD(VHOST_SET_VRING_BUSYLOOP_TIMEOUT), BAD(VHOST_GET_VRING_BUSYLOOP_TIMEOUT),
	BAD(VHOST_GET_BACKEND_FEATURES), BAD(VHOST_SET_BACKEND_FEATURES),

	U64(VHOST_GET_FEATURES, 0), U64(VHOST_SET_FEATURES, V1),
	U64(VHOST_SET_FEATURES, V1 | 1ull << 63), U64(VHOST_SET_FEATURES, ~0ull),
	U64(VHOST_GET_BACKEND_FEATURES, 0), U64(VHOST_SET_BACKEND_FEATURES, 0),
	U64(VHOST_SET_BACKEND_FEATURES, 1ull << 40),

	STATE(VHOST_SET_VRING_NUM, IDX_0, 0), STATE(VHOST_SET_VRING_NUM, IDX_0, 1),
	STATE(VHOST_SET_VRING_NUM, IDX_0, 3), STATE(VHOST_SET_VRING_NUM, IDX_0, 255),
	STATE(VHOST_SET_VRING_NUM, IDX_0, 256), STATE(VHOST_SET_VRING_NUM, IDX_0, 32768),
	STATE(VHOST_SET_VRING_NUM, IDX_0, 65535), STATE(VHOST_SET_VRING_NUM, IDX_0, 65536),
	STATE(VHOST_SET_VRING_NUM, IDX_0, 0x80000000),
	STATE(VHOST_SET_VRING_NUM, IDX_0, 0xffffffff),
	INDICES(VHOST_SET_VRING_NUM, 64),

	STATE(VHOST_SET_VRING_BASE, IDX_0, 0), STATE(VHOST_SET_VRING_BASE, IDX_0, 0xffff),
	STATE(VHOST_SET_VRING_BASE, IDX_0, 0x10000),
	STATE(VHOST_SET_VRING_BASE, IDX_0, 0xffffffff),
	INDICES(VHOST_SET_VRING_BASE, 0),
	STATE(VHOST_GET_VRING_BASE, IDX_0, 0), INDICES(VHOST_GET_VRING_BASE, 0),
	STATE(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, IDX_0, 50),
	STATE(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, IDX_0, 0xffffffff),
	INDICES(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 1),
	STATE(VHOST_GET_VRING_BUSYLOOP_TIMEOUT, IDX_0, 0),
	INDICES(VHOST_GET_VRING_BUSYLOOP_TIMEOUT, 0),
	STATE(VHOST_SET_VRING_ENDIAN, IDX_0, VHOST_VRING_BIG_ENDIAN),
	STATE(VHOST_SET_VRING_ENDIAN, IDX_N, VHOST_VRING_BIG_ENDIAN),
	STATE(VHOST_GET_VRING_ENDIAN, IDX_0, 0),

	FDS(VHOST_SET_VRING_KICK), FDS(VHOST_SET_VRING_CALL), FDS(VHOST_SET_VRING_ERR),
	LOGFD(FD_EVENTFD), LOGFD(FD_PIPE), LOGFD(FD_SOCKET), LOGFD(FD_DIR), LOGFD(FD_FILE),
	LOGFD(FD_CLOSED), LOGFD(FD_SELF), LOGFD(FD_MINUS1), LOGFD(FD_MINUS2), LOGFD(FD_HUGE),
	U64(VHOST_SET_LOG_BASE, 0), U64(VHOST_SET_LOG_BASE, 0x7fff00000000),
	DIFF("VHOST_SET_LOG_BASE ~0", VHOST_SET_LOG_BASE, ARG_U64, ~0ull, -EFAULT,
	     "checked when it is set, not when logging starts"),

	ADDR(T_NONE), ADDR(T_AVAIL_ODD), ADDR(T_USED_ODD), ADDR(T_USED_2), ADDR(T_LOG_ODD),
	ADDR(T_FLAGS), ADDR(T_FLAGS_LOG),
	RUNNING_ADDR(T_OUTSIDE), RUNNING_ADDR(T_NULL), RUNNING_ADDR(T_KERNEL),
	RUNNING_ADDR(T_TOP),
	{ "VHOST_SET_VRING_ADDR index n", VHOST_SET_VRING_ADDR, ARG_ADDR, IDX_N, T_NONE,
	  0, NULL },
	{ "VHOST_SET_VRING_ADDR index 2^32 - 1", VHOST_SET_VRING_ADDR, ARG_ADDR, IDX_MAX,
	  T_NONE, 0, NULL },

	MEM(T_NONE), MEM(T_PADDING), MEM(T_64), MEM(T_65535), MEM(T_SIZE_0), MEM(T_WRAP),
	MEM(T_SHORT),
	DIFF("VHOST_SET_MEM_TABLE without the ring", VHOST_SET_MEM_TABLE, ARG_MEM, T_ZERO,
	     -EFAULT, "a running ring has to lie in guest memory"),
	DIFF("VHOST_SET_MEM_TABLE T_OVERLAP", VHOST_SET_MEM_TABLE, ARG_MEM, T_OVERLAP,
	     -EINVAL, "an address has one meaning"),
	DIFF("VHOST_SET_MEM_TABLE T_KERNEL_VA", VHOST_SET_MEM_TABLE, ARG_MEM, T_KERNEL_VA,
	     -EFAULT, "checked at once, not when a queue starts"),
	DIFF("VHOST_SET_MEM_TABLE T_UA_WRAP", VHOST_SET_MEM_TABLE, ARG_MEM, T_UA_WRAP,
	     -EFAULT, "checked at once, not when a queue starts"),
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
		vq_init(&sides[i].q, &mem, 64, false);
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
