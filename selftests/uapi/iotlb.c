// SPDX-License-Identifier: GPL-2.0
/*
 * The device IOTLB: with VIRTIO_F_ACCESS_PLATFORM addresses are I/O virtual,
 * and the owner translates them by messages over read() and write().
 *
 *	queue --miss--> read()  owner  write(UPDATE) --> queue goes on
 *	                               write(INVALIDATE): nothing uses it, then gone
 *
 * Guest memory here is translated by one constant: I/O virtual address =
 * guest physical address, at first unknown to the device.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <linux/capability.h>
#include <linux/virtio_config.h>
#include "node.h"
#include "lib/dm.h"
#include "lib/proc.h"

#define GRAIN	4096ull

/* Mappings that a ring is made of, a descriptor each. */
#define PIECES	1024u

FIXTURE(iotlb) {
	struct kvhost k;
	struct kvhost_opts o;
};

static int message(struct kvhost *k, u8 type, u64 iova, u64 size, void *va, u8 perm)
{
	struct vhost_msg_v2 m = { .type = VHOST_IOTLB_MSG_V2 };

	m.iotlb = (struct vhost_iotlb_msg) {
		.iova = iova, .size = size, .uaddr = (unsigned long)va,
		.perm = perm, .type = type,
	};
	return write(k->fd, &m, sizeof(m)) == sizeof(m) ? 0 : -errno;
}

/* Ring addresses are I/O virtual too. */
static void ring_at_iova(struct kvhost *k, unsigned int i)
{
	struct vhost_vring_addr a = {
		.index = i,
		.desc_user_addr = k->q[i].desc_gpa,
		.avail_user_addr = k->q[i].avail_gpa,
		.used_user_addr = k->q[i].used_gpa,
	};

	KVHOST_IOCTL(k, VHOST_SET_VRING_ADDR, &a);
}

FIXTURE_SETUP(iotlb)
{
	u64 v2 = 1ull << VHOST_BACKEND_F_IOTLB_MSG_V2;

	self->o = (struct kvhost_opts) { .fd = node_disk(), .queues = 2 };
	kvhost_prepare(&self->k, &self->o);
	self->k.features |= 1ull << VIRTIO_F_ACCESS_PLATFORM;
	KVHOST_IOCTL(&self->k, VHOST_SET_FEATURES, &self->k.features);
	KVHOST_IOCTL(&self->k, VHOST_SET_BACKEND_FEATURES, &v2);
	ring_at_iova(&self->k, 0);
	ring_at_iova(&self->k, 1);
}

FIXTURE_TEARDOWN(iotlb)
{
	kvhost_close(&self->k);
	close(self->o.fd);
}

/* Read one miss within the limit: 0, or -errno. */
static int next_miss(struct kvhost *k, struct vhost_iotlb_msg *miss, int limit_ms)
{
	struct pollfd p = { .fd = k->fd, .events = POLLIN };
	struct vhost_msg_v2 m;

	if (poll(&p, 1, limit_ms) != 1)
		return -ETIMEDOUT;
	if (read(k->fd, &m, sizeof(m)) != sizeof(m))
		return -errno;
	*miss = m.iotlb;
	return m.type == VHOST_IOTLB_MSG_V2 && m.iotlb.type == VHOST_IOTLB_MISS ? 0 : -EPROTO;
}

/* Answer misses, a page at a time, until queue 0 has used one buffer. */
static bool serve_until_used(struct kvhost *k, unsigned int *misses)
{
	struct vhost_iotlb_msg miss;
	struct vq_used u;
	u64 page;
	int left;

	for (left = 1000; left; left--) {
		if (vq_get_used(&k->q[0], &u))
			return true;
		if (next_miss(k, &miss, 10))
			continue;
		(*misses)++;
		page = miss.iova & ~(GRAIN - 1);
		if (message(k, VHOST_IOTLB_UPDATE, page, GRAIN, gmem_va(&k->mem, page),
			    VHOST_ACCESS_RW))
			return false;
	}
	return false;
}

static bool read_sector(struct kvhost *k, unsigned int *misses, u8 *status)
{
	struct blkreq r;

	blkreq_init(&r, &k->mem, GMEM_MID, 512);
	blkreq_set(&r, VIRTIO_BLK_T_IN, 0, 512);
	if (blkreq_submit(&r, &k->q[0], NULL) < 0 || !serve_until_used(k, misses))
		return false;
	*status = blkreq_status(&r);
	return true;
}

TEST_F(iotlb, queue_starts_and_asks_for_its_ring)
{
	struct vhost_iotlb_msg miss;

	kvhost_enable(&self->k, 0, 1);
	ASSERT_EQ(0, next_miss(&self->k, &miss, LIMIT_MS));
	EXPECT_EQ(self->k.q[0].desc_gpa, miss.iova);
	EXPECT_EQ(VHOST_ACCESS_RO, miss.perm);
	/* Told once; nothing else is missing until it is answered. */
	EXPECT_EQ(-ETIMEDOUT, next_miss(&self->k, &miss, 50));
}

TEST_F(iotlb, every_address_of_a_request_is_asked_for_and_then_served)
{
	unsigned int misses = 0, again = 0;
	struct kvhost_vring_stats st;
	u8 status = 0xff;

	kvhost_enable(&self->k, 0, 1);
	ASSERT_TRUE(read_sector(&self->k, &misses, &status));
	EXPECT_EQ(VIRTIO_BLK_S_OK, status);
	EXPECT_GE(misses, 2);
	kvhost_stats(&self->k, 0, &st);
	EXPECT_LE(misses, st.misses);
	ASSERT_TRUE(read_sector(&self->k, &again, &status));
	EXPECT_EQ(VIRTIO_BLK_S_OK, status);
	TH_LOG("misses: %u for the first request, %u for the second", misses, again);
}

TEST_F(iotlb, after_an_invalidation_everything_is_asked_for_again)
{
	unsigned int misses = 0, again = 0;
	u8 status = 0xff;

	kvhost_enable(&self->k, 0, 1);
	ASSERT_TRUE(read_sector(&self->k, &misses, &status));
	ASSERT_EQ(0, message(&self->k, VHOST_IOTLB_INVALIDATE, 0, ~0ull, NULL, 0));
	ASSERT_TRUE(read_sector(&self->k, &again, &status));
	EXPECT_EQ(VIRTIO_BLK_S_OK, status);
	EXPECT_GE(again, 2);
}

/* An owner that stops its queues need not tell what is unmapped from then on. */
TEST_F(iotlb, stopped_queues_and_features_anew_forget_all_mappings)
{
	unsigned int misses = 0, again = 0;
	u8 status = 0xff;

	kvhost_enable(&self->k, 0, 1);
	ASSERT_TRUE(read_sector(&self->k, &misses, &status));
	kvhost_enable(&self->k, 0, 0);
	KVHOST_IOCTL(&self->k, VHOST_SET_FEATURES, &self->k.features);
	kvhost_enable(&self->k, 0, 1);
	ASSERT_TRUE(read_sector(&self->k, &again, &status));
	EXPECT_EQ(VIRTIO_BLK_S_OK, status);
	EXPECT_GE(again, 2);
}

TEST_F(iotlb, ring_position_survives_an_invalidation)
{
	struct vhost_vring_state s = { .index = 0 };
	unsigned int misses = 0, i;
	u8 status = 0xff;

	kvhost_enable(&self->k, 0, 1);
	for (i = 0; i < 100; i++) {
		ASSERT_TRUE(read_sector(&self->k, &misses, &status));
		ASSERT_EQ(VIRTIO_BLK_S_OK, status);
		ASSERT_EQ(0, message(&self->k, VHOST_IOTLB_INVALIDATE, 0, 0, NULL, 0));
	}
	KVHOST_IOCTL(&self->k, VHOST_GET_VRING_BASE, &s);
	EXPECT_EQ(100, s.num);
}

TEST_F(iotlb, a_mapping_for_reading_only_is_not_written_through)
{
	struct gmem_region *mid = &self->k.mem.regions[GMEM_MID];
	struct gmem_region *low = &self->k.mem.regions[GMEM_LOW];
	struct blkreq r;
	u8 *data;

	/* Rings, header and status may be written, the data's place not. */
	ASSERT_EQ(0, message(&self->k, VHOST_IOTLB_UPDATE, low->gpa, low->size, low->va,
			     VHOST_ACCESS_RW));
	ASSERT_EQ(0, message(&self->k, VHOST_IOTLB_UPDATE, mid->gpa, mid->size, mid->va,
			     VHOST_ACCESS_RO));
	kvhost_enable(&self->k, 0, 1);
	blkreq_init(&r, &self->k.mem, GMEM_MID, 512);
	blkreq_set(&r, VIRTIO_BLK_T_IN, 0, 512);
	data = gmem_va(&self->k.mem, r.data);
	memset(data, BLK_POISON, 512);
	ASSERT_LE(0, blkreq_submit(&r, &self->k.q[0], NULL));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_wait(&r, &self->k.q[0]));
	EXPECT_EQ(BLK_POISON, data[0]);
	EXPECT_EQ(BLK_POISON, data[511]);
}

TEST_F(iotlb, bad_messages_are_refused)
{
	struct vhost_msg_v2 m = { .type = VHOST_IOTLB_MSG_V2 };
	struct gmem_region *r = &self->k.mem.regions[GMEM_LOW];
	u32 type = 7;

	EXPECT_EQ(-EINVAL, message(&self->k, VHOST_IOTLB_UPDATE, 0, 0, r->va, VHOST_ACCESS_RW));
	EXPECT_EQ(-EFAULT, message(&self->k, VHOST_IOTLB_UPDATE, ~0ull, 2, r->va,
				   VHOST_ACCESS_RW));
	EXPECT_EQ(-EFAULT, message(&self->k, VHOST_IOTLB_UPDATE, 0, 4096, (void *)~0xffful,
				   VHOST_ACCESS_RW));
	EXPECT_EQ(-EFAULT, message(&self->k, VHOST_IOTLB_MISS, 0, 4096, r->va, VHOST_ACCESS_RW));
	EXPECT_EQ(-EFAULT, message(&self->k, 0xff, 0, 4096, r->va, VHOST_ACCESS_RW));
	EXPECT_EQ(-1, write(self->k.fd, &type, sizeof(type)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->k.fd, &m, 12));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(iotlb, memory_is_bounded_whatever_is_mapped)
{
	struct gmem_region *r = &self->k.mem.regions[GMEM_LOW];
	unsigned int misses = 0, i;
	u8 status = 0xff;

	/* CVE-2026-74713: more mappings than are kept; the oldest give way. */
	for (i = 0; i < 20000; i++)
		ASSERT_EQ(0, message(&self->k, VHOST_IOTLB_UPDATE, (1ull << 40) + i * GRAIN,
				     GRAIN, r->va, VHOST_ACCESS_RW));
	kvhost_enable(&self->k, 0, 1);
	ASSERT_TRUE(read_sector(&self->k, &misses, &status));
	EXPECT_EQ(VIRTIO_BLK_S_OK, status);
}

TEST_F(iotlb, messages_need_the_feature)
{
	u64 plain = self->k.features & ~(1ull << VIRTIO_F_ACCESS_PLATFORM);
	struct gmem_region *r = &self->k.mem.regions[GMEM_LOW];
	struct vhost_msg_v2 m;

	KVHOST_IOCTL(&self->k, VHOST_SET_FEATURES, &plain);
	EXPECT_EQ(-EFAULT, message(&self->k, VHOST_IOTLB_UPDATE, 0, 4096, r->va,
				   VHOST_ACCESS_RW));
	EXPECT_EQ(-1, read(self->k.fd, &m, sizeof(m)));
	EXPECT_EQ(EBADFD, errno);
}

static void map_region(struct kvhost *k, unsigned int region)
{
	struct gmem_region *r = &k->mem.regions[region];
	int ret = message(k, VHOST_IOTLB_UPDATE, r->gpa, r->size, r->va, VHOST_ACCESS_RW);

	must(!ret, "VHOST_IOTLB_UPDATE: %s", strerror(-ret));
}

static void map_page(struct kvhost *k, u64 gpa)
{
	u64 page = gpa & ~(GRAIN - 1);
	int ret = message(k, VHOST_IOTLB_UPDATE, page, GRAIN, gmem_va(&k->mem, page),
			  VHOST_ACCESS_RW);

	must(!ret, "VHOST_IOTLB_UPDATE: %s", strerror(-ret));
}

static bool wait_in_flight(struct kvhost *k)
{
	struct kvhost_vring_stats st;
	int left;

	for (left = LIMIT_MS; left; left--) {
		kvhost_stats(k, 0, &st);
		if (st.in_flight)
			return true;
		usleep(1000);
	}
	return false;
}

/*
 * A queue looks for its ring while the owner takes away mappings beside those it
 * looks at. What goes wrong would be for a debug kernel to tell; the window is
 * small, and none has told yet.
 */
TEST_F(iotlb, mappings_go_while_a_queue_looks_for_its_ring)
{
	struct vhost_iotlb_msg miss;
	unsigned int round, i;
	u64 gpa;

	vq_free(&self->k.q[0]);
	kvhost_renew(&self->k, 0, PIECES);
	ring_at_iova(&self->k, 0);
	gpa = self->k.q[0].desc_gpa;
	for (round = 0; round < 6; round++) {
		/* All but the last: it is never found, but for long looked for. */
		for (i = round ? PIECES / 2 : 0; i < PIECES - 1; i++)
			ASSERT_EQ(0, message(&self->k, VHOST_IOTLB_UPDATE, gpa + 16 * i, 16,
					     gmem_va(&self->k.mem, gpa + 16 * i),
					     VHOST_ACCESS_RW));
		kvhost_enable(&self->k, 0, 1);
		ASSERT_EQ(0, next_miss(&self->k, &miss, LIMIT_MS));
		EXPECT_EQ(gpa + 16 * i, miss.iova);
		/* While it looks at the first half the second one goes. */
		ASSERT_EQ(0, message(&self->k, VHOST_IOTLB_INVALIDATE, gpa + 8 * PIECES,
				     8 * PIECES, NULL, 0));
		kvhost_enable(&self->k, 0, 0);
	}
}

/* An address the owner has nothing to say about costs a wait, no processor. */
TEST_F(iotlb, a_table_that_is_not_translated_is_waited_for_asleep)
{
	const struct vq_shape indirect = { .indirect = true };
	struct vhost_iotlb_msg miss;
	struct blkreq r;

	map_region(&self->k, GMEM_LOW);
	kvhost_enable(&self->k, 0, 1);
	blkreq_init(&r, &self->k.mem, GMEM_LOW, 512);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_do(&r, &self->k.q[0], VIRTIO_BLK_T_IN, 0, 512));
	/* Tables lie in the upper memory. */
	blkreq_set(&r, VIRTIO_BLK_T_IN, 0, 512);
	ASSERT_LE(0, blkreq_submit(&r, &self->k.q[0], &indirect));
	ASSERT_EQ(0, next_miss(&self->k, &miss, LIMIT_MS));
	EXPECT_LE(GMEM_HIGH_GPA, miss.iova);
	EXPECT_TRUE(wait_workers_rest(300));
	map_region(&self->k, GMEM_HIGH);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&r, &self->k.q[0]));
}

/* Whoever maps the ring, owner or worker: it is the owner's memory that is locked. */
TEST_F(iotlb, a_ring_mapped_later_counts_against_the_locked_memory_limit)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { };
	struct rlimit tight = { 4096, 4096 };

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &tight));
	ASSERT_EQ(0, syscall(SYS_capset, &h, none));
	kvhost_enable(&self->k, 0, 1);
	map_region(&self->k, GMEM_LOW);
	EXPECT_TRUE(kvhost_wait_state(&self->k, 0, KVHOST_VRING_BROKEN));
}

/* A message about other addresses is no answer, and no reason to ask again. */
TEST_F(iotlb, K29_a_queue_that_waits_is_woken_by_its_answer_alone)
{
	struct vhost_iotlb_msg miss;
	struct kvhost_vring_stats st;

	kvhost_enable(&self->k, 0, 1);
	ASSERT_EQ(0, next_miss(&self->k, &miss, LIMIT_MS));
	map_region(&self->k, GMEM_HIGH);
	ASSERT_EQ(0, message(&self->k, VHOST_IOTLB_INVALIDATE, GMEM_HIGH_GPA, GRAIN, NULL, 0));
	EXPECT_EQ(-ETIMEDOUT, next_miss(&self->k, &miss, 50));
	kvhost_stats(&self->k, 0, &st);
	EXPECT_EQ(1, st.misses);
	map_region(&self->k, GMEM_LOW);
	EXPECT_TRUE(node_works(&self->k, 0));
}

/* Pages of a ring that follow each other for the driver, but not in the owner. */
TEST_F(iotlb, K25_a_ring_may_be_scattered)
{
	struct gmem_region *low = &self->k.mem.regions[GMEM_LOW];
	int fd = memfd_create("low", MFD_CLOEXEC);
	u8 *twin;
	u64 at;

	vq_free(&self->k.q[0]);
	ASSERT_EQ(0, ftruncate(fd, low->size));
	ASSERT_EQ(low->va, mmap(low->va, low->size, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED, fd, 0));
	twin = mmap(NULL, low->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, twin);
	close(fd);
	kvhost_renew(&self->k, 0, PIECES);
	ring_at_iova(&self->k, 0);
	/* Every other page by its twin. */
	for (at = 0; at < 64 * GRAIN; at += GRAIN)
		ASSERT_EQ(0, message(&self->k, VHOST_IOTLB_UPDATE, low->gpa + at, GRAIN,
				     (at / GRAIN & 1 ? twin : low->va) + at, VHOST_ACCESS_RW));
	kvhost_enable(&self->k, 0, 1);
	EXPECT_TRUE(node_works(&self->k, 0));
}

TEST_F(iotlb, unanswered_queue_stops_at_once)
{
	kvhost_enable(&self->k, 0, 1);
	kvhost_enable(&self->k, 1, 1);
	EXPECT_EQ(0, __kvhost_enable(&self->k, 0, 0));
	EXPECT_EQ(0, __kvhost_backend(&self->k, &(struct kvhost_opts) { .fd = -1 }));
}

/* A disk that does not answer as long as it is suspended. */
#define DM		"kvh_iotlb"

static const char *dm_path;

FIXTURE(flight) {
	struct kvhost k;
	struct kvhost_opts o;
	struct blkreq r;
	bool used_before;
};

FIXTURE_SETUP(flight)
{
	self->o = (struct kvhost_opts) { .fd = backing_open(dm_path, O_RDWR) };
	kvhost_prepare(&self->k, &self->o);
	self->k.features |= 1ull << VIRTIO_F_ACCESS_PLATFORM;
	KVHOST_IOCTL(&self->k, VHOST_SET_FEATURES, &self->k.features);
	KVHOST_IOCTL(&self->k, VHOST_SET_BACKEND_FEATURES,
		     &(u64) { 1ull << VHOST_BACKEND_F_IOTLB_MSG_V2 });
	ring_at_iova(&self->k, 0);
	map_region(&self->k, GMEM_LOW);
	kvhost_enable(&self->k, 0, 1);
	blkreq_init(&self->r, &self->k.mem, GMEM_MID, 4096);
	map_page(&self->k, self->r.hdr);
	map_page(&self->k, self->r.data);
	map_page(&self->k, self->r.data + GRAIN);
	map_page(&self->k, self->r.status);
	must(blk_do(&self->r, &self->k.q[0], VIRTIO_BLK_T_IN, 0, 4096) == VIRTIO_BLK_S_OK,
	     "no answer");
	dm_suspend(DM);
	blkreq_set(&self->r, VIRTIO_BLK_T_IN, 0, 4096);
	must(blkreq_submit(&self->r, &self->k.q[0], NULL) >= 0, "ring full");
	must(wait_in_flight(&self->k), "not taken");
}

FIXTURE_TEARDOWN(flight)
{
	dm_resume(DM);
	kvhost_close(&self->k);
	close(self->o.fd);
}

TEST_F(flight, K29_what_a_request_does_not_use_goes_at_once)
{
	u64 other = gmem_alloc(&self->k.mem, GMEM_HIGH, GRAIN, GRAIN);
	struct vq_used u;

	map_page(&self->k, other);
	EXPECT_EQ(0, message(&self->k, VHOST_IOTLB_INVALIDATE, other, GRAIN, NULL, 0));
	EXPECT_FALSE(vq_get_used(&self->k.q[0], &u));
	dm_resume(DM);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_wait(&self->r, &self->k.q[0]));
}

static void *invalidate_data(void *arg)
{
	struct _test_data_flight *self = arg;
	struct vq_used u;

	must(!message(&self->k, VHOST_IOTLB_INVALIDATE, self->r.data, 1, NULL, 0), "invalidate");
	self->used_before = vq_get_used(&self->k.q[0], &u);
	return NULL;
}

TEST_F(flight, K29_what_a_request_uses_goes_after_it)
{
	pthread_t t;

	ASSERT_EQ(0, pthread_create(&t, NULL, invalidate_data, self));
	usleep(100000);
	dm_resume(DM);
	ASSERT_EQ(0, pthread_join(t, NULL));
	EXPECT_TRUE(self->used_before);
	EXPECT_EQ(VIRTIO_BLK_S_OK, blkreq_status(&self->r));
}

static void __attribute__((constructor)) make_dm(void)
{
	const char *nullb = backing_nullb("kvh_iotlb_disk",
					  &(struct nullb_opts) { .mb = 4, .memory = true });

	dm_path = nullb ? dm_make(DM, "0 8192 linear %s 0", nullb) : NULL;
	if (dm_path)
		return;
	printf("1..0 # SKIP this machine cannot make a dm device on null_blk\n");
	exit(KSFT_SKIP);
}

TEST_HARNESS_MAIN
