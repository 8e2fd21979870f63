// SPDX-License-Identifier: GPL-2.0
/*
 * Where rings and dirty log may lie: any address of the owner will do, and what
 * does not is refused as this kernel's own vhost-net refuses it.
 *
 *	               +--------- table ---------+
 *	ring outside   | ring across two regions |   ring in a file on disk
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "lib/backing.h"
#include "lib/leak.h"
#include "pair.h"

#define VHOST_NET_NODE	"/dev/vhost-net"
#define RING_SIZE	256u

enum place {
	INSIDE,
	OUTSIDE,	/* of all regions of the table */
	ACROSS,		/* two regions that touch, also in our memory */
	TMPFS,		/* a shared mapping of a file in memory */
	DISK,		/* a shared mapping of a file on ext4 */
	DISK_OUTSIDE,
};

static const char *disk_path;

FIXTURE(places) {
	struct pair p;
};

FIXTURE_VARIANT(places) {
	enum place place;
	bool packed;
	bool registered;
};

FIXTURE_VARIANT_ADD(places, inside) { .place = INSIDE };
FIXTURE_VARIANT_ADD(places, outside) { .place = OUTSIDE };
FIXTURE_VARIANT_ADD(places, outside_packed) { .place = OUTSIDE, .packed = true };
FIXTURE_VARIANT_ADD(places, outside_registered) { .place = OUTSIDE, .registered = true };
FIXTURE_VARIANT_ADD(places, outside_packed_registered) {
	.place = OUTSIDE, .packed = true, .registered = true
};

FIXTURE_VARIANT_ADD(places, across) { .place = ACROSS };
FIXTURE_VARIANT_ADD(places, across_packed) { .place = ACROSS, .packed = true };
FIXTURE_VARIANT_ADD(places, across_registered) { .place = ACROSS, .registered = true };
FIXTURE_VARIANT_ADD(places, tmpfs) { .place = TMPFS };
FIXTURE_VARIANT_ADD(places, tmpfs_registered) { .place = TMPFS, .registered = true };
FIXTURE_VARIANT_ADD(places, disk) { .place = DISK };
FIXTURE_VARIANT_ADD(places, disk_packed) { .place = DISK, .packed = true };
FIXTURE_VARIANT_ADD(places, disk_registered) { .place = DISK_OUTSIDE, .registered = true };

/* Have the region of the rings be a shared mapping of a file. */
static void low_in_file(struct gmem *mem, const char *path)
{
	struct gmem_region *low = &mem->regions[GMEM_LOW];
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : memfd_create("low", MFD_CLOEXEC);

	must(fd >= 0, "%s: %m", path ? path : "memfd");
	must(!ftruncate(fd, low->size), "ftruncate: %m");
	must(mmap(low->va, low->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
	     low->va, "mmap: %m");
	close(fd);
}

static void set_table(struct pair *p, enum place place)
{
	struct vhost_memory *t = gmem_table(&p->k.mem);
	u64 half = p->k.q[RX].desc_gpa - GMEM_LOW_GPA + RING_SIZE * 8;

	t = realloc(t, sizeof(*t) + (GMEM_REGIONS + 1) * sizeof(t->regions[0]));
	must(t, "out of memory");
	if (place == OUTSIDE || place == DISK_OUTSIDE)
		t->regions[GMEM_LOW] = t->regions[--t->nregions];
	if (place == ACROSS) {
		struct vhost_memory_region *low = &t->regions[GMEM_LOW];

		t->regions[t->nregions++] = (struct vhost_memory_region) {
			.guest_phys_addr = low->guest_phys_addr + half,
			.memory_size = low->memory_size - half,
			.userspace_addr = low->userspace_addr + half,
		};
		low->memory_size = half;
	}
	KVHOST_IOCTL(&p->k, VHOST_SET_MEM_TABLE, t);
	free(t);
}

/* Everything but the backend, with a tap at hand. */
static void prepare(struct pair *p, const char *node, enum place place, bool packed,
		    bool registered)
{
	unsigned int i;

	memset(p, 0, sizeof(*p));
	own_netns();
	strcpy(p->dev, "tap0");
	p->back = tap_open(p->dev, &p->o);
	p->peer = packet_open(p->dev);
	p->k.fd = open(node, O_RDWR | O_CLOEXEC);
	must(p->k.fd >= 0, "%s: %m", node);
	gmem_init(&p->k.mem);
	if (place == TMPFS)
		low_in_file(&p->k.mem, NULL);
	if (place == DISK || place == DISK_OUTSIDE)
		low_in_file(&p->k.mem, disk_path);
	p->buf = gmem_alloc(&p->k.mem, GMEM_MID, 2 << 20, 4096);
	KVHOST_IOCTL(&p->k, VHOST_SET_OWNER, NULL);
	p->k.features = 1ull << VIRTIO_F_VERSION_1 | (u64)packed << VIRTIO_F_RING_PACKED;
	KVHOST_IOCTL(&p->k, VHOST_SET_FEATURES, &p->k.features);
	if (registered)
		must(!__kvhost_mem_mode(&p->k, KVHOST_MEM_REGISTERED), "KVHOST_SET_MEM_MODE");
	p->k.queues = 2;
	for (i = 0; i < 2; i++)
		vq_init(&p->k.q[i], &p->k.mem, RING_SIZE, packed ? VQ_PACKED : 0);
	set_table(p, place);
	for (i = 0; i < 2; i++)
		kvhost_ring_setup(&p->k, i, vq_base(&p->k.q[i]));
}

static void start(struct pair *p)
{
	net_backend(p->k.fd, RX, p->back);
	net_backend(p->k.fd, TX, p->back);
}

FIXTURE_SETUP(places)
{
	if (!variant->packed && !variant->registered) {
		struct pair theirs;

		prepare(&theirs, VHOST_NET_NODE, variant->place, false, false);
		start(&theirs);
		must(pair_works(&theirs), "vhost-net does not work");
		pair_stop(&theirs);
	}
	prepare(&self->p, KVHOST_NET_NODE, variant->place, variant->packed,
		variant->registered);
}

FIXTURE_TEARDOWN(places)
{
	pair_stop(&self->p);
}

TEST_F(places, K25_a_ring_may_lie_anywhere_in_the_owners_memory)
{
	unsigned int i;

	start(&self->p);
	/* More than once around. */
	for (i = 0; i < 2 * RING_SIZE + 10; i++)
		ASSERT_TRUE(pair_works(&self->p));
}

TEST_F(places, K25_a_table_without_the_ring_may_be_set_while_it_runs)
{
	struct vhost_memory *t = gmem_table(&self->p.k.mem);

	start(&self->p);
	ASSERT_TRUE(pair_works(&self->p));
	t->regions[GMEM_LOW] = t->regions[--t->nregions];
	EXPECT_EQ(0, __kvhost_ioctl(self->p.k.fd, VHOST_SET_MEM_TABLE, t));
	EXPECT_TRUE(pair_works(&self->p));
	free(t);
}

/* A file system must hear of every write: nothing stays pinned. */
TEST_F(places, K13_a_ring_on_disk_is_pinned_for_a_turn_only)
{
	struct leak before, after;
	int left = LIMIT_MS;

	if (variant->place != DISK && variant->place != DISK_OUTSIDE)
		return;
	leak_snapshot(&before);
	start(&self->p);
	EXPECT_TRUE(pair_works(&self->p));
	do {
		usleep(1000);
		leak_snapshot(&after);
	} while (after.pins != before.pins && left--);
	EXPECT_EQ(before.pins, after.pins);
	EXPECT_TRUE(pair_works(&self->p));
}

static void __attribute__((constructor)) make_disk(void)
{
	if (access(VHOST_NET_NODE, F_OK))
		__run("modprobe -q vhost_net");
	disk_path = backing_ext4((GMEM_REGION_SIZE >> 20) + 1);
	if (access(VHOST_NET_NODE, F_OK) || !disk_path) {
		printf("1..0 # SKIP no %s to compare with, or no ext4 in a loop device\n",
		       VHOST_NET_NODE);
		exit(KSFT_SKIP);
	}
}

TEST_HARNESS_MAIN
