// SPDX-License-Identifier: GPL-2.0
/*
 * The device node as a file, and as the channel of IOTLB messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "kselftest.h"
#include "table.h"

#define KERNEL_ADDR	0xffff888000000000ull

/* A pointer to nothing, which the compiler must not know for one. */
void *nowhere = (void *)8;

static const char *result(long r)
{
	static char text[24];

	if (r < 0)
		return strerrorname_np(errno);
	snprintf(text, sizeof(text), "%ld", r);
	return text;
}

static int set_flags(struct side *s, int flags)
{
	return fcntl(s->p.k.fd, F_SETFL, flags);
}

/* Reads without waiting, into less than a message, just one, more, and nowhere. */
static void ask_read(struct side *s, const struct row *row, struct answer *a)
{
	static const unsigned int sizes[] = {
		0, 1, sizeof(struct vhost_msg) - 1, sizeof(struct vhost_msg), 4096,
	};
	char buf[4096];
	unsigned int i;

	set_flags(s, O_NONBLOCK);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		say(a, "%s ", result(read(s->p.k.fd, buf, sizes[i])));
	say(a, "%s", result(read(s->p.k.fd, nowhere, 4096)));
}

/* A read that would wait for ever: there is nothing to come. */
static void ask_read_waiting(struct side *s, const struct row *row, struct answer *a)
{
	char buf[4096];

	say(a, "%s", result(read(s->p.k.fd, buf, sizeof(buf))));
}

static void ask_poll(struct side *s, const struct row *row, struct answer *a)
{
	struct pollfd p = { s->p.k.fd, ~0, 0 };

	say(a, "%d, %#x", poll(&p, 1, 0), p.revents);
}

static void ask_seek(struct side *s, const struct row *row, struct answer *a)
{
	int whence;

	for (whence = SEEK_SET; whence <= SEEK_HOLE + 1; whence++)
		say(a, "%s ", result(lseek(s->p.k.fd, 4096, whence)));
	say(a, "%s", result(lseek(s->p.k.fd, -1, SEEK_SET)));
}

static void ask_mmap(struct side *s, const struct row *row, struct answer *a)
{
	static const int flags[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE };
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags[i], s->p.k.fd, 0);
		say(a, "%s ", p == MAP_FAILED ? result(-1) : "mapped");
	}
}

/* All that may be asked of any file. */
static void ask_file(struct side *s, const struct row *row, struct answer *a)
{
	char buf[128] = { };
	struct iovec v[2] = { { buf, 64 }, { buf + 64, 64 } };
	int fd = s->p.k.fd, n = 0, on = 1;
	struct stat st;

	set_flags(s, O_NONBLOCK);
	say(a, "%s ", result(pread(fd, buf, sizeof(buf), 8)));
	say(a, "%s ", result(pwrite(fd, buf, sizeof(buf), 8)));
	say(a, "%s ", result(readv(fd, v, 2)));
	say(a, "%s ", result(writev(fd, v, 2)));
	say(a, "%s ", result(fsync(fd)));
	say(a, "%s ", result(ftruncate(fd, 0)));
	say(a, "%s ", result(fallocate(fd, 0, 0, 4096)));
	say(a, "%s ", result(flock(fd, LOCK_EX | LOCK_NB)));
	say(a, "%s ", result(set_flags(s, O_ASYNC)));
	say(a, "%s ", result(set_flags(s, O_DIRECT)));
	say(a, "%s ", result(set_flags(s, O_APPEND)));
	say(a, "%s ", result(ioctl(fd, FIONREAD, &n)));
	say(a, "%s ", result(ioctl(fd, FIONBIO, &on)));
	say(a, "%s ", result(fstat(fd, &st)));
	say(a, "%#o %u", st.st_mode & S_IFMT, st.st_size ? 1 : 0);
}

/* What is told apart by an argument of the message rows. */
enum {
	M_V1 = 1, M_V2 = 2, M_NONE = 0, M_OTHER = 77,
};

/**
 * struct message - a message to be written
 * @name:  of the row
 * @type:  of the message
 * @len:   bytes of the write; 0: all
 * @m:     what it says; @m.uaddr is added to an address of ours, unless it is
 *         one of the kernel
 * @asid:  address space, in version 2
 */
struct message {
	const char *name;
	u32 type;
	u32 len;
	struct vhost_iotlb_msg m;
	u32 asid;
};

#define UPDATE(...)	{ .type = VHOST_IOTLB_UPDATE, __VA_ARGS__ }
#define INVALIDATE(...)	{ .type = VHOST_IOTLB_INVALIDATE, __VA_ARGS__ }
#define RW		.perm = VHOST_ACCESS_RW
#define V1_HEAD		(offsetof(struct vhost_msg, iotlb) + sizeof(struct vhost_iotlb_msg))
#define V2_HEAD		(offsetof(struct vhost_msg_v2, iotlb) + sizeof(struct vhost_iotlb_msg))

#define MSG(n, t, l, ...) { .name = n, .type = t, .len = l, .m = __VA_ARGS__ }

static const struct message messages[] = {
	MSG("v1 update", M_V1, 0, UPDATE(.iova = 4096, .size = 4096, RW)),
	MSG("v2 update", M_V2, 0, UPDATE(.iova = 4096, .size = 4096, RW)),
	MSG("v1 update, just what is read", M_V1, V1_HEAD, UPDATE(.size = 4096, RW)),
	MSG("v1 update, one byte less", M_V1, V1_HEAD - 1, UPDATE(.size = 4096, RW)),
	MSG("v2 update, just what is read", M_V2, V2_HEAD, UPDATE(.size = 4096, RW)),
	MSG("v2 update, one byte less", M_V2, V2_HEAD - 1, UPDATE(.size = 4096, RW)),
	MSG("v1 update, three bytes", M_V1, 3, UPDATE(.size = 4096, RW)),
	MSG("v1 update, the type alone", M_V1, 4, UPDATE(.size = 4096, RW)),
	MSG("v2 update, the type alone", M_V2, 4, UPDATE(.size = 4096, RW)),
	MSG("v1 update, much more", M_V1, 256, UPDATE(.size = 4096, RW)),
	MSG("v2 update, much more", M_V2, 256, UPDATE(.size = 4096, RW)),
	MSG("v2 update, another address space", M_V2, 0, UPDATE(.size = 4096, RW), .asid = 1),
	MSG("v2 invalidate, another address space", M_V2, 0, INVALIDATE(.size = 4096), .asid = 9),
	MSG("update of nothing", M_V2, 0, UPDATE(.iova = 4096, RW)),
	MSG("update of nothing at 0", M_V2, 0, UPDATE(RW)),
	MSG("update that wraps", M_V2, 0, UPDATE(.iova = ~0ull, .size = 2, RW)),
	MSG("update to the last byte", M_V2, 0, UPDATE(.iova = ~0ull, .size = 1, RW)),
	MSG("update of everything", M_V2, 0, UPDATE(.size = ~0ull, RW)),
	MSG("update of an odd range", M_V2, 0, UPDATE(.iova = 3, .size = 5, .uaddr = 1, RW)),
	MSG("update to the kernel", M_V2, 0, UPDATE(.size = 4096, .uaddr = KERNEL_ADDR, RW)),
	MSG("update beyond the top", M_V2, 0, UPDATE(.size = 8192, .uaddr = ~4095ull, RW)),
	MSG("update to the kernel, no access", M_V2, 0,
	    UPDATE(.size = 4096, .uaddr = KERNEL_ADDR)),
	MSG("update, no access", M_V2, 0, UPDATE(.size = 4096)),
	MSG("update, only unknown access", M_V2, 0, UPDATE(.size = 4096, .perm = 0x80)),
	MSG("update beyond the top, no access", M_V2, 0, UPDATE(.size = 8192, .uaddr = ~4095ull)),
	MSG("update, read", M_V2, 0, UPDATE(.size = 4096, .perm = VHOST_ACCESS_RO)),
	MSG("update, write", M_V2, 0, UPDATE(.size = 4096, .perm = VHOST_ACCESS_WO)),
	MSG("update, unknown access", M_V2, 0, UPDATE(.size = 4096, .perm = 0xff)),
	MSG("invalidate", M_V2, 0, INVALIDATE(.size = 4096)),
	MSG("v1 invalidate", M_V1, 0, INVALIDATE(.size = 4096)),
	MSG("invalidate nothing", M_V2, 0, INVALIDATE(.iova = 4096)),
	MSG("invalidate nothing at 0", M_V2, 0, INVALIDATE(.iova = 0)),
	MSG("invalidate what wraps", M_V2, 0, INVALIDATE(.iova = ~0ull, .size = 2)),
	MSG("invalidate everything", M_V2, 0, INVALIDATE(.size = ~0ull)),
	MSG("miss", M_V2, 0, { .type = VHOST_IOTLB_MISS, .size = 4096 }),
	MSG("access failure", M_V2, 0, { .type = VHOST_IOTLB_ACCESS_FAIL, .size = 4096 }),
	MSG("batch begin", M_V2, 0, { .type = VHOST_IOTLB_BATCH_BEGIN }),
	MSG("batch end", M_V2, 0, { .type = VHOST_IOTLB_BATCH_END }),
	MSG("no type", M_V2, 0, { .type = 0, .size = 4096 }),
	MSG("unknown type", M_V2, 0, { .type = 200, .size = 4096 }),
	MSG("version 0", M_NONE, 0, UPDATE(.size = 4096, RW)),
	MSG("unknown version", M_OTHER, 0, UPDATE(.size = 4096, RW)),
};

static long send_message(struct side *s, const struct message *t)
{
	union {
		struct vhost_msg v1;
		struct vhost_msg_v2 v2;
		u8 bytes[256];
	} m = { };
	u32 len = t->type == M_V1 ? sizeof(m.v1) : sizeof(m.v2);
	struct vhost_iotlb_msg body = t->m;

	if (body.uaddr < 1ull << 47)
		body.uaddr += (unsigned long)s->p.k.mem.regions[0].va;
	if (t->type == M_V1)
		m.v1.iotlb = body;
	else
		m.v2.iotlb = body;
	if (t->type != M_V1)
		m.v2.asid = t->asid;
	m.v1.type = t->type;
	return write(s->p.k.fd, &m, t->len ? t->len : len);
}

static void say_message(struct side *s, const struct row *row, struct answer *a)
{
	say(a, "%s, ", result(send_message(s, &messages[row->v])));
	say(a, "%s", result(send_message(s, &messages[row->v])));
}

/* Without VIRTIO_F_ACCESS_PLATFORM. */
static void ask_message(struct side *s, const struct row *row, struct answer *a)
{
	say_message(s, row, a);
}

static void translate(struct side *s)
{
	u64 features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM;

	must(!side_call(s, VHOST_SET_FEATURES, &features), "VHOST_SET_FEATURES");
}

static void ask_message_translating(struct side *s, const struct row *row, struct answer *a)
{
	translate(s);
	say_message(s, row, a);
}

static void ask_write(struct side *s, const struct row *row, struct answer *a)
{
	char buf[64] = { };

	say(a, "%s ", result(write(s->p.k.fd, buf, 0)));
	say(a, "%s ", result(write(s->p.k.fd, nowhere, 64)));
	say(a, "%s ", result(write(s->p.k.fd, buf, 64)));
}

/* Reads and polls while nothing is missing, and after translation has ended. */
static void ask_translating(struct side *s, const struct row *row, struct answer *a)
{
	u64 v1 = 1ull << VIRTIO_F_VERSION_1;

	translate(s);
	ask_read(s, row, a);
	ask_poll(s, row, a);
	say(a, "; %s; ", error_name(side_call(s, VHOST_SET_FEATURES, &v1)));
	ask_read(s, row, a);
}

#define OF(n)		{ .name = #n, .ask = ask_ ## n }

static const struct row file_rows[] = {
	OF(read), OF(poll), OF(seek), OF(mmap), OF(file), OF(write), OF(read_waiting),
	{ .name = "translating", .ask = ask_translating,
	  .states = IN(OPENED) | IN(OWNED) | IN(RINGS) | IN(STOPPED) | IN(RESET) },
};

static char names[2][ARRAY_SIZE(messages)][80];
static struct row rows[ARRAY_SIZE(file_rows) + 2 * ARRAY_SIZE(messages)];

int main(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(file_rows); i++)
		rows[n++] = file_rows[i];
	for (i = 0; i < ARRAY_SIZE(messages); i++) {
		snprintf(names[0][i], sizeof(names[0][i]), "message: %s", messages[i].name);
		rows[n++] = (struct row) {
			.name = names[0][i], .ask = ask_message, .v = i,
			.states = IN(OPENED) | IN(OWNED) | IN(RUNNING) | IN(FOREIGN) | IN(ORPHAN),
		};
		snprintf(names[1][i], sizeof(names[1][i]), "message: %s, translating",
			 messages[i].name);
		rows[n++] = (struct row) {
			.name = names[1][i], .ask = ask_message_translating, .v = i,
			.states = IN(OPENED) | IN(OWNED) | IN(RINGS) | IN(STOPPED) | IN(RESET),
		};
	}
	table_run(rows, n);
}
