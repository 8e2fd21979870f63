// SPDX-License-Identifier: GPL-2.0
/*
 * What memory rings and packets may lie in: kinds of mapping, with what access,
 * and how the memory table covers them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kselftest.h"
#include "table.h"

/* Where the piece of memory in question is for the guest, and its bytes. */
#define PIECE_GPA	(1ull << 40)
#define PIECE		(2u << 20)

/* Parts of a queue's ring lie this far apart, and queues 16 times as far. */
#define PART		4096u

enum kind {
	ANONYMOUS, SHARED, MEMFD, MEMFD_PRIVATE, HUGE_PAGES, TMPFS, EXT4, EXT4_PRIVATE, XFS, ZERO,
	READ_ONLY, WRITE_ONLY, NO_ACCESS, UNMAPPED,
};

/* How the table covers the piece. */
enum cover { ALL, NONE, ADJOINING, CUT, REVERSED, OVERLAP, TWICE };

/* Parts of the ring that lie in the piece; the others do not. */
enum { DESC = 1, AVAIL = 2, USED = 4, RINGS_ = 7 };

#define WHAT(kind, cover, parts)	((kind) | (cover) << 8 | (parts) << 16)
#define KIND_OF(v)			((v) & 0xff)
#define COVER_OF(v)			((v) >> 8 & 0xff)
#define PARTS_OF(v)			((v) >> 16)

static char root[32];

/**
 * struct piece - the memory in question
 * @driver: where the driver writes it
 * @device: where the device is told it is; may be the same
 */
struct piece {
	u8 *driver;
	u8 *device;
};

static int open_file(const char *fs)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%d", root, fs, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0, "%s: %m", path);
	must(!unlink(path) && !ftruncate(fd, PIECE), "%s: %m", path);
	return fd;
}

static u8 *map(int fd, int prot, int flags)
{
	u8 *p = mmap(NULL, PIECE, prot, flags, fd, 0);

	must(p != MAP_FAILED, "mmap: %m");
	return p;
}

static void map_piece(struct piece *p, enum kind kind)
{
	int fd = -1, rw = PROT_READ | PROT_WRITE, flags = MAP_SHARED;

	switch (kind) {
	case ANONYMOUS:
		flags = MAP_PRIVATE | MAP_ANONYMOUS;
		break;
	case SHARED:
		flags = MAP_SHARED | MAP_ANONYMOUS;
		break;
	case HUGE_PAGES:
		flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
		break;
	case ZERO:
		fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
		flags = MAP_PRIVATE;
		break;
	case TMPFS:
		fd = open_file("tmpfs");
		break;
	case EXT4:
	case EXT4_PRIVATE:
		fd = open_file("ext4");
		flags = kind == EXT4 ? MAP_SHARED : MAP_PRIVATE;
		break;
	case XFS:
		fd = open_file("xfs");
		break;
	default:
		fd = memfd_create("piece", MFD_CLOEXEC);
		must(fd >= 0 && !ftruncate(fd, PIECE), "memfd: %m");
		flags = kind == MEMFD_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
		break;
	}
	p->driver = map(fd, rw, flags);
	p->device = p->driver;
	if (kind == READ_ONLY)
		p->device = map(fd, PROT_READ, MAP_SHARED);
	if (kind == WRITE_ONLY)
		p->device = map(fd, PROT_WRITE, MAP_SHARED);
	if (kind == NO_ACCESS || kind == UNMAPPED)
		p->device = map(fd, PROT_NONE, MAP_SHARED);
	if (kind == UNMAPPED)
		munmap(p->device, PIECE);
	if (fd >= 0)
		close(fd);
}

static void unmap_piece(struct piece *p, enum kind kind)
{
	if (p->device != p->driver && kind != UNMAPPED)
		munmap(p->device, PIECE);
	munmap(p->driver, PIECE);
}

static void region(struct vhost_memory *t, u64 gpa, void *va, u64 size)
{
	t->regions[t->nregions++] = (struct vhost_memory_region) {
		.guest_phys_addr = gpa, .userspace_addr = (unsigned long)va, .memory_size = size,
	};
}

/* Tell the device all of guest memory, and what it is to know of the piece. */
static int set_table(struct side *s, const struct piece *p, enum cover cover)
{
	struct vhost_memory *good = gmem_table(&s->p.k.mem);
	size_t size = sizeof(*good) + 8 * sizeof(good->regions[0]);
	struct vhost_memory *t = calloc(1, size);
	/* In the middle of the first ring part, of each of them, and of a packet. */
	const u32 half = PART + 20;
	int r;

	must(t, "out of memory");
	memcpy(t, good, sizeof(*t) + GMEM_REGIONS * sizeof(t->regions[0]));
	switch (cover) {
	case ALL:
		region(t, PIECE_GPA, p->device, PIECE);
		break;
	case ADJOINING:
		region(t, PIECE_GPA, p->device, half);
		region(t, PIECE_GPA + half, p->device + half, PIECE - half);
		break;
	case REVERSED:
		region(t, PIECE_GPA + half, p->device, PIECE - half);
		region(t, PIECE_GPA, p->device + PIECE - half, half);
		break;
	/* Where two overlap: the one that begins first, or else was given first, counts. */
	case OVERLAP:
		region(t, PIECE_GPA + PART / 2, p->device + PIECE / 2, PIECE / 4);
		region(t, PIECE_GPA, p->device, PIECE);
		break;
	case TWICE:
		region(t, PIECE_GPA, p->device, PIECE);
		region(t, PIECE_GPA, p->device + PIECE / 2, PIECE / 2);
		break;
	case CUT:
		region(t, PIECE_GPA, p->device, half);
		break;
	default:
		break;
	}
	r = side_call(s, VHOST_SET_MEM_TABLE, t);
	free(good);
	free(t);
	return r;
}

/* Move parts of a ring into the piece. */
static int move_ring(struct side *s, unsigned int i, const struct piece *p, unsigned int parts)
{
	const u32 at = i * 16 * PART;
	struct vhost_vring_addr a;
	struct vq *q = &s->p.k.q[i];

	side_addr(s, i, &a);
	if (parts & DESC) {
		q->desc = (void *)(p->driver + at);
		a.desc_user_addr = (unsigned long)p->device + at;
	}
	/* Across the place where adjoining regions meet. */
	if (parts & AVAIL) {
		q->avail = (void *)(p->driver + at + PART);
		a.avail_user_addr = (unsigned long)p->device + at + PART;
	}
	if (parts & USED) {
		q->used = (void *)(p->driver + at + 2 * PART);
		a.used_user_addr = (unsigned long)p->device + at + 2 * PART;
	}
	vq_reset(q, 0);
	return side_call(s, VHOST_SET_VRING_ADDR, &a);
}

static void move_back(struct side *s, unsigned int i)
{
	struct vq *q = &s->p.k.q[i];

	q->desc = gmem_va(q->mem, q->desc_gpa);
	q->avail = gmem_va(q->mem, q->avail_gpa);
	q->used = gmem_va(q->mem, q->used_gpa);
}

static void start_in(struct side *s, const struct row *row, struct answer *a, bool carry)
{
	struct piece p;
	unsigned int i;

	map_piece(&p, KIND_OF(row->v));
	say(a, "%s,", error_name(set_table(s, &p, COVER_OF(row->v))));
	for (i = 0; i < 2; i++) {
		say(a, " %s", error_name(move_ring(s, i, &p, PARTS_OF(row->v))));
		say(a, " %s", error_name(side_backend(s, i, s->p.back)));
	}
	if (carry)
		say(a, " %s", pair_works(&s->p) ? "carries" : "is mute");
	side_backend(s, 0, -1);
	side_backend(s, 1, -1);
	unmap_piece(&p, KIND_OF(row->v));
	move_back(s, 0);
	move_back(s, 1);
}

static void ask_start(struct side *s, const struct row *row, struct answer *a)
{
	start_in(s, row, a, false);
}

static void ask_carry(struct side *s, const struct row *row, struct answer *a)
{
	start_in(s, row, a, true);
}

/* Send a packet that lies in the piece. */
static void say_sent(struct side *s, const struct piece *p, struct answer *a)
{
	struct vq_buf b = { PIECE_GPA + PART, HDR + 60, false };
	struct vq *q = &s->p.k.q[TX];
	u8 out[60], in[FRAME_MAX];
	struct vq_used u;

	frame_fill(out, sizeof(out), 0x77);
	memset(p->driver + PART, 0, HDR);
	memcpy(p->driver + PART + HDR, out, sizeof(out));
	packet_flush(s->p.peer);
	must(vq_add(q, &b, 1, NULL, s) >= 0, "transmit ring full");
	vq_kick(q);
	if (vq_wait_used(q, &u, 1) != 1)
		say(a, " lost");
	else if (packet_recv(s->p.peer, in, LIMIT_MS) != sizeof(out) ||
		 memcmp(in, out, sizeof(out)))
		say(a, " wrong");
	else
		say(a, " sent");
}

/* Receive one into it. */
static void say_received(struct side *s, const struct piece *p, struct answer *a)
{
	struct vq_buf b = { PIECE_GPA + PART, 2048, true };
	struct vq *q = &s->p.k.q[RX];
	struct vq_used u;
	u8 out[60];

	frame_fill(out, sizeof(out), 0x78);
	must(vq_add(q, &b, 1, NULL, s) >= 0, "receive ring full");
	vq_kick(q);
	packet_send(s->p.peer, out, sizeof(out));
	if (vq_wait_used(q, &u, 1) != 1)
		say(a, " lost");
	else
		say(a, " %u %s", u.len,
		    memcmp(p->driver + PART + HDR, out, sizeof(out)) ? "wrong" : "received");
}

static void ask_packets(struct side *s, const struct row *row, struct answer *a)
{
	enum kind kind = KIND_OF(row->v);
	struct piece p;
	unsigned int i;

	map_piece(&p, kind);
	say(a, "%s,", error_name(set_table(s, &p, COVER_OF(row->v))));
	for (i = 0; i < 2; i++)
		say(a, " %s", error_name(side_backend(s, i, s->p.back)));
	say_sent(s, &p, a);
	if (kind != READ_ONLY)
		say_received(s, &p, a);
	side_backend(s, 0, -1);
	side_backend(s, 1, -1);
	unmap_piece(&p, kind);
}

#define UNREADABLE	.differs = D_RING_MEMORY
#define START(k, c, p, ...)	{ .name = "rings, " #k ", " #c ", " #p, .ask = ask_start, \
			  .v = WHAT(k, c, p), .states = IN(RINGS), ##__VA_ARGS__ }
#define CARRY(k, c, p)	{ .name = "rings, " #k ", " #c ", " #p ", packets", .ask = ask_carry, \
			  .v = WHAT(k, c, p), .states = IN(RINGS) | IN(STOPPED) }
#define PACKETS(k, c)	{ .name = "packets, " #k ", " #c, .ask = ask_packets, \
			  .v = WHAT(k, c, 0), .states = IN(RINGS) }

static const struct row rows[] = {
	CARRY(ANONYMOUS, ALL, RINGS_), CARRY(SHARED, ALL, RINGS_), CARRY(MEMFD, ALL, RINGS_),
	CARRY(MEMFD_PRIVATE, ALL, RINGS_), CARRY(HUGE_PAGES, ALL, RINGS_),
	CARRY(TMPFS, ALL, RINGS_), CARRY(EXT4, ALL, RINGS_), CARRY(EXT4_PRIVATE, ALL, RINGS_),
	CARRY(XFS, ALL, RINGS_), CARRY(ZERO, ALL, RINGS_), CARRY(EXT4, ALL, DESC),
	CARRY(EXT4, ALL, AVAIL), CARRY(EXT4, ALL, USED), CARRY(READ_ONLY, ALL, DESC),
	CARRY(READ_ONLY, ALL, AVAIL), CARRY(READ_ONLY, ALL, DESC | AVAIL),
	CARRY(WRITE_ONLY, ALL, RINGS_), CARRY(ANONYMOUS, NONE, RINGS_),
	CARRY(ANONYMOUS, ADJOINING, RINGS_), CARRY(ANONYMOUS, REVERSED, RINGS_),
	CARRY(ANONYMOUS, CUT, RINGS_), CARRY(MEMFD, NONE, RINGS_), CARRY(EXT4, NONE, RINGS_),
	CARRY(HUGE_PAGES, NONE, RINGS_), CARRY(ANONYMOUS, NONE, DESC),
	CARRY(ANONYMOUS, NONE, AVAIL), CARRY(ANONYMOUS, NONE, USED),

	START(READ_ONLY, ALL, USED), START(READ_ONLY, ALL, RINGS_),
	START(NO_ACCESS, ALL, DESC, UNREADABLE), START(NO_ACCESS, ALL, AVAIL, UNREADABLE),
	START(NO_ACCESS, ALL, USED), START(NO_ACCESS, NONE, RINGS_),
	START(UNMAPPED, ALL, DESC, UNREADABLE), START(UNMAPPED, ALL, AVAIL, UNREADABLE),
	START(UNMAPPED, ALL, USED), START(UNMAPPED, NONE, RINGS_),

	PACKETS(ANONYMOUS, ALL), PACKETS(SHARED, ALL), PACKETS(MEMFD, ALL),
	PACKETS(HUGE_PAGES, ALL), PACKETS(TMPFS, ALL), PACKETS(EXT4, ALL),
	PACKETS(EXT4_PRIVATE, ALL), PACKETS(XFS, ALL), PACKETS(ZERO, ALL), PACKETS(READ_ONLY, ALL),
	PACKETS(WRITE_ONLY, ALL), PACKETS(ANONYMOUS, ADJOINING), PACKETS(ANONYMOUS, OVERLAP),
	PACKETS(ANONYMOUS, TWICE),
};

static void mount_at(const char *fs, const char *how)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "mkdir %1$s/%2$s && { %3$s; } >/dev/null 2>&1", root, fs, how);
	must(!system(cmd), "no %s to map files of: %s", fs, how);
}

static void mount_image(const char *fs, const char *mkfs)
{
	char how[200];

	snprintf(how, sizeof(how),
		 "cd %1$s && truncate -s 400M %2$s.img && %3$s %2$s.img && mount -o loop %2$s.img %2$s",
		 root, fs, mkfs);
	mount_at(fs, how);
}

static unsigned int huge_pages_before;

static void set_huge_pages(unsigned int n)
{
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "r+");

	must(f && fscanf(f, "%u", &huge_pages_before) == 1, "nr_hugepages: %m");
	rewind(f);
	must(fprintf(f, "%u", n) > 0 && !fclose(f), "nr_hugepages: %m");
}

static void leave_nothing(void)
{
	set_huge_pages(huge_pages_before);
	umount2(root, MNT_DETACH);
	rmdir(root);
}

int main(void)
{
	must(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
	     "no mounts of our own: %m");
	strcpy(root, "/tmp/kvhost-memory.XXXXXX");
	must(mkdtemp(root) && !mount("none", root, "tmpfs", 0, NULL), "%s: %m", root);
	mount_at("tmpfs", "true");
	must(system("modprobe -q loop") >= 0, "modprobe loop: %m");
	mount_image("ext4", "mkfs.ext4 -q");
	mount_image("xfs", "mkfs.xfs -q");
	set_huge_pages(32);
	atexit(leave_nothing);
	table_run(rows, ARRAY_SIZE(rows));
}
