// SPDX-License-Identifier: GPL-2.0
/*
 * A front end of the vhost-user protocol, as much as it takes to hand one ring to
 * librte_vhost: one memory region, two rings, no reply but to a request for one.
 */
#include <linux/vhost.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"
#include "vhost_user.h"

/* Requests, as docs/interop/vhost-user.rst of QEMU numbers them. */
enum {
	SET_FEATURES = 2, SET_OWNER = 3, SET_MEM_TABLE = 5, SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9, SET_VRING_BASE = 10, SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
};

#define VERSION 1u

struct region {
	uint64_t gpa;
	uint64_t size;
	uint64_t uaddr;
	uint64_t offset;
};

struct msg {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
	union {
		uint64_t u64;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct {
			uint32_t nr;
			uint32_t padding;
			struct region region;
		} mem;
	} u;
} __attribute__((packed));

static void tell(int sock, struct msg *m, uint32_t request, uint32_t size, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { m, 12 + size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	m->request = request;
	m->flags = VERSION;
	m->size = size;
	if (fd >= 0) {
		struct cmsghdr *c;

		h.msg_control = control;
		h.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	if (sendmsg(sock, &h, 0) != (ssize_t)(12 + size))
		bench_fail("vhost-user", "cannot send request", request);
}

static void tell_vring(int sock, uint32_t i, const struct bench_mem *mem, bool packed)
{
	struct msg m = { 0 };
	int fd;

	m.u.state = (struct vhost_vring_state){ i, BENCH_SIZE };
	tell(sock, &m, SET_VRING_NUM, sizeof(m.u.state), -1);
	m.u.state = (struct vhost_vring_state){ i, packed ? 0x8000 : 0 };
	tell(sock, &m, SET_VRING_BASE, sizeof(m.u.state), -1);
	m.u.addr = (struct vhost_vring_addr){
		.index = i,
		.desc_user_addr = (uintptr_t)mem->desc,
		.avail_user_addr = (uintptr_t)mem->driver,
		.used_user_addr = (uintptr_t)mem->device,
	};
	tell(sock, &m, SET_VRING_ADDR, sizeof(m.u.addr), -1);
	fd = eventfd(0, EFD_NONBLOCK);
	m.u.u64 = i;
	tell(sock, &m, SET_VRING_CALL, sizeof(m.u.u64), fd);
	close(fd);
	fd = eventfd(0, EFD_NONBLOCK);
	m.u.u64 = i;
	tell(sock, &m, SET_VRING_KICK, sizeof(m.u.u64), fd);
	close(fd);
}

int vhost_user_connect(const char *path, uint64_t features,
		       const struct bench_mem *queue,
		       const struct bench_mem *other, bool packed)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);
	struct msg m = { 0 };

	strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to, sizeof(to)))
		bench_fail("vhost-user", "cannot connect", 0);
	tell(sock, &m, SET_OWNER, 0, -1);
	m.u.u64 = features;
	tell(sock, &m, SET_FEATURES, sizeof(m.u.u64), -1);
	m.u.mem.nr = 1;
	m.u.mem.padding = 0;
	m.u.mem.region = (struct region){
		.gpa = (uintptr_t)bench_arena,
		.size = BENCH_ARENA,
		.uaddr = (uintptr_t)bench_arena,
	};
	tell(sock, &m, SET_MEM_TABLE, sizeof(m.u.mem), bench_arena_fd);
	tell_vring(sock, 0, other, packed);
	tell_vring(sock, 1, queue, packed);
	return sock;
}
