// SPDX-License-Identifier: GPL-2.0
/*
 * Serves a file by the FUSE protocol, see fuse.h. One process, one request at a
 * time, and the data in its memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fuse.h"
#include "vring.h"

#define FILE_INO	2u
#define WRITE_MAX	131072u

/* What the server works on. */
struct serve {
	int fd;
	u8 *data;
	u64 size;
	struct fuse_shared *s;
	struct fuse_in_header *in;
};

static void reply(const struct serve *v, int error, const void *arg, size_t len)
{
	struct fuse_out_header h = {
		.len = sizeof(h) + len, .error = error, .unique = v->in->unique,
	};
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)arg, len } };

	/* An answer to a request that was given up meanwhile is refused. */
	if (writev(v->fd, iov, len ? 2 : 1) < 0 && errno != ENOENT)
		_exit(1);
}

static struct fuse_attr attr_of(const struct serve *v, u64 ino)
{
	bool file = ino == FILE_INO;

	return (struct fuse_attr) {
		.ino = ino, .nlink = 1, .blksize = 4096, .size = file ? v->size : 0,
		.mode = file ? S_IFREG | 0600 : S_IFDIR | 0700,
	};
}

static void init(const struct serve *v, const struct fuse_init_in *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead, .max_write = WRITE_MAX,
		.flags = in->flags & (FUSE_ASYNC_READ | FUSE_BIG_WRITES),
		.max_background = 1024, .congestion_threshold = 1024,
	};

	reply(v, 0, &out, sizeof(out));
}

static void lookup(const struct serve *v)
{
	struct fuse_entry_out out = { .nodeid = FILE_INO, .attr = attr_of(v, FILE_INO),
				      .entry_valid = 3600, .attr_valid = 3600 };

	reply(v, 0, &out, sizeof(out));
}

static void getattr(const struct serve *v)
{
	struct fuse_attr_out out = { .attr = attr_of(v, v->in->nodeid), .attr_valid = 3600 };

	reply(v, 0, &out, sizeof(out));
}

static void do_read(const struct serve *v, const struct fuse_read_in *in)
{
	u64 n = in->offset < v->size ? v->size - in->offset : 0;

	reply(v, 0, v->data + in->offset, n < in->size ? n : in->size);
}

static void do_write(const struct serve *v, const struct fuse_write_in *in)
{
	struct fuse_write_out out = { .size = in->size };

	if (in->offset + in->size > v->size) {
		reply(v, -ENOSPC, NULL, 0);
		return;
	}
	memcpy(v->data + in->offset, in + 1, in->size);
	v->s->written += in->size;
	reply(v, 0, &out, sizeof(out));
}

static void answer(struct serve *v)
{
	const void *arg = v->in + 1;
	struct fuse_open_out open = { };

	switch (v->in->opcode) {
	case FUSE_INIT:
		init(v, arg);
		break;
	case FUSE_LOOKUP:
		lookup(v);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		getattr(v);
		break;
	case FUSE_OPEN:
		reply(v, 0, &open, sizeof(open));
		break;
	case FUSE_READ:
		do_read(v, arg);
		break;
	case FUSE_WRITE:
		do_write(v, arg);
		break;
	case FUSE_FSYNC:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		reply(v, 0, NULL, 0);
		break;
	case FUSE_FALLOCATE:
		v->s->fallocate++;
		reply(v, -EOPNOTSUPP, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(v, -ENOSYS, NULL, 0);
	}
}

static bool may_be_held(u32 opcode)
{
	return opcode == FUSE_READ || opcode == FUSE_WRITE || opcode == FUSE_FSYNC;
}

static _Noreturn void serve(struct serve *v)
{
	static u8 buf[WRITE_MAX + 8192] __attribute__((aligned(16)));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	v->in = (void *)buf;
	for (;;) {
		if (read(v->fd, buf, sizeof(buf)) < 0) {
			/* ENODEV: it was unmounted */
			if (errno == ENODEV)
				_exit(0);
			continue;
		}
		if (__atomic_load_n(&v->s->hold, __ATOMIC_RELAXED) && may_be_held(v->in->opcode))
			__atomic_add_fetch(&v->s->held, 1, __ATOMIC_RELAXED);
		else
			answer(v);
	}
}

/**
 * fuse_start() - mount a file system of one file and serve it
 * @f:    to be filled
 * @name: unique among all tests that may run
 * @mb:   size of the file in MiB
 *
 * The server ends with the thread that called. Return: false when this machine
 * cannot.
 */
bool fuse_start(struct fuse *f, const char *name, unsigned int mb)
{
	struct serve v = { .size = (u64)mb << 20 };
	char opts[96];

	*f = (struct fuse) { };
	f->s = mmap(NULL, sizeof(*f->s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	v.data = mmap(NULL, v.size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(f->s != MAP_FAILED && v.data != MAP_FAILED, "mmap: %m");
	v.s = f->s;
	__run("modprobe -q fuse");
	v.fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (v.fd < 0)
		return false;
	snprintf(f->dir, sizeof(f->dir), "/dev/shm/kvhost-fuse-%s", name);
	snprintf(f->path, sizeof(f->path), "%s/disk", f->dir);
	snprintf(opts, sizeof(opts), "fd=%d,rootmode=40700,user_id=0,group_id=0", v.fd);
	must(!mkdir(f->dir, 0700) || errno == EEXIST, "mkdir %s: %m", f->dir);
	must(!mount("kvhost", f->dir, "fuse", 0, opts), "mount fuse: %m");
	f->server = fork();
	must(f->server >= 0, "fork: %m");
	if (!f->server)
		serve(&v);
	close(v.fd);
	munmap(v.data, v.size);
	return true;
}

/**
 * fuse_stop() - end the server; what it has not answered fails
 * @f: from fuse_start()
 */
void fuse_stop(struct fuse *f)
{
	kill(f->server, SIGKILL);
	waitpid(f->server, NULL, 0);
	umount2(f->dir, MNT_DETACH);
	rmdir(f->dir);
	munmap(f->s, sizeof(*f->s));
}

/**
 * fuse_hold() - leave reads, writes and flushes unanswered from now on, or not
 * @f:    from fuse_start()
 * @hold: whether
 */
void fuse_hold(struct fuse *f, bool hold)
{
	__atomic_store_n(&f->s->hold, hold, __ATOMIC_RELAXED);
}

/**
 * fuse_wait_held() - wait until requests have come that are not answered
 * @f: from fuse_start()
 * @n: how many
 *
 * Return: whether they came within the limit every wait has.
 */
bool fuse_wait_held(const struct fuse *f, unsigned int n)
{
	const u64 end = now_ms() + LIMIT_MS;

	while (__atomic_load_n(&f->s->held, __ATOMIC_RELAXED) < n) {
		if (now_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}
