// SPDX-License-Identifier: GPL-2.0
/*
 * One file, every way there is to change and read it, against a copy in memory.
 *
 * usage: fsmix FILE SEED OPERATIONS
 *
 * Buffered, direct and mapped I/O, truncation both ways, allocation, holes,
 * zeroing and syncing, of random ranges; every read is compared. fsx of
 * xfstests does the same and is in no Debian package. At the end the caches
 * are dropped, all is read once more from the disk, and the last line is
 * "FSMIX <checksum> <file>", for whoever looks at the file from elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE_MAX_BYTES	(512u << 10)
#define OP_MAX		(64u << 10)
#define DIRECT		512u

static unsigned char *model, *buf;
static size_t size;
static int fd, dfd;
static const char *path;
static unsigned int op;

static void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *fmt, ...)
{
	va_list args;

	printf("fsmix: %s operation %u: ", path, op);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	exit(1);
}

/* A random range of the file as far as it may ever grow. */
static void pick(size_t *off, size_t *len, size_t unit)
{
	*off = random() % (SIZE_MAX_BYTES / unit) * unit;
	*len = (random() % (OP_MAX / unit) + 1) * unit;
	if (*len > SIZE_MAX_BYTES - *off)
		*len = SIZE_MAX_BYTES - *off;
}

static void fill(size_t len)
{
	unsigned int seed = random();
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = seed += 0x9d;
}

static void op_write(int to, size_t unit)
{
	size_t off, len;

	pick(&off, &len, unit);
	fill(len);
	if (pwrite(to, buf, len, off) != (ssize_t)len)
		fail("write of %zu at %zu: %s", len, off, strerror(errno));
	memcpy(model + off, buf, len);
	if (off + len > size)
		size = off + len;
}

static void op_read(int from, size_t unit)
{
	size_t off, len, want;
	ssize_t got;

	pick(&off, &len, unit);
	want = off >= size ? 0 : off + len > size ? size - off : len;
	got = pread(from, buf, len, off);
	if (got != (ssize_t)want)
		fail("read of %zu at %zu of %zu gives %zd: %s", len, off, size, got,
		     strerror(errno));
	if (memcmp(buf, model + off, want))
		fail("read of %zu at %zu gives other data", len, off);
}

static void op_map(int write)
{
	size_t off, len;
	unsigned char *p;

	pick(&off, &len, 4096);
	if (off + len > size)
		return;
	p = mmap(NULL, len, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd, off);
	if (p == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	if (memcmp(p, model + off, len))
		fail("mapping of %zu at %zu shows other data", len, off);
	if (write) {
		fill(len);
		memcpy(p, buf, len);
		memcpy(model + off, buf, len);
	}
	munmap(p, len);
}

static void op_truncate(void)
{
	size_t to = random() % SIZE_MAX_BYTES;

	if (ftruncate(fd, to))
		fail("truncate to %zu: %s", to, strerror(errno));
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

static void op_fallocate(int mode)
{
	size_t off, len;

	pick(&off, &len, random() & 1 ? 4096 : 1);
	if (fallocate(fd, mode, off, len)) {
		if (errno == EOPNOTSUPP)
			return;
		fail("fallocate mode %d of %zu at %zu: %s", mode, len, off, strerror(errno));
	}
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		memset(model + off, 0, len);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && off + len > size)
		size = off + len;
}

static void op_sync(void)
{
	if (random() & 1 ? fsync(fd) : fdatasync(fd))
		fail("sync: %s", strerror(errno));
}

static void one(void)
{
	switch (random() % 16) {
	case 0 ... 2:
		return op_write(fd, 1);
	case 3 ... 5:
		return op_write(dfd, DIRECT);
	case 6:
		return op_read(fd, 1);
	case 7 ... 8:
		return op_read(dfd, DIRECT);
	case 9:
		return op_map(0);
	case 10:
		return op_map(1);
	case 11:
		return op_truncate();
	case 12:
		return op_fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
	case 13:
		return op_fallocate(FALLOC_FL_ZERO_RANGE);
	case 14:
		return op_fallocate(random() & 1 ? FALLOC_FL_KEEP_SIZE : 0);
	default:
		return op_sync();
	}
}

/* All of the file, as the disk has it. */
static void check_all(void)
{
	size_t got = 0;
	ssize_t n;

	if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		fail("syncing: %s", strerror(errno));
	while ((n = pread(fd, buf, OP_MAX, got)) > 0) {
		if (got + n > size || memcmp(buf, model + got, n))
			fail("at %zu the disk has other data", got);
		got += n;
	}
	if (got != size)
		fail("the file has %zu bytes instead of %zu", got, size);
}

static unsigned long checksum(void)
{
	unsigned long sum = size;
	size_t i;

	for (i = 0; i < size; i++)
		sum = (sum ^ model[i]) * 0x100000001b3ul;
	return sum;
}

/* fsmix --sum FILE: the same last line, from what is in the file. */
static void take(const char *file)
{
	ssize_t n;

	fd = open(file, O_RDONLY);
	while (fd >= 0 && (n = read(fd, model + size, SIZE_MAX_BYTES - size)) > 0)
		size += n;
}

int main(int argc, char **argv)
{
	unsigned int n;

	model = calloc(1, SIZE_MAX_BYTES + OP_MAX);
	buf = aligned_alloc(4096, OP_MAX);
	path = argc > 2 && !strcmp(argv[1], "--sum") ? argv[2] : argv[1];
	if (!model || !buf || (argc != 4 && path == argv[1])) {
		fprintf(stderr, "usage: fsmix FILE SEED OPERATIONS, or fsmix --sum FILE\n");
		return 2;
	}
	if (path == argv[2]) {
		take(path);
	} else {
		srandom(atoi(argv[2]));
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
		dfd = open(path, O_RDWR | O_DIRECT);
		if (fd < 0 || dfd < 0)
			fail("open: %s", strerror(errno));
		n = atoi(argv[3]);
		for (op = 1; op <= n; op++)
			one();
		check_all();
	}
	printf("FSMIX %016lx %s\n", checksum(), strrchr(path, '/') + 1);
	return 0;
}
