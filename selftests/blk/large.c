// SPDX-License-Identifier: GPL-2.0
/*
 * K27: requests of any size are served. Nothing in virtio-blk tells a driver how
 * large one may be, so the device does large ones piece by piece.
 *
 *	16, 17, 32, 64 MiB, in 1 and 32 descriptors --> device and file
 */
#include <sys/mman.h>
#include "disk.h"
#include "lib/load.h"

#define DATA_GPA	0x200000000ull
#define DATA_BYTES	(64ull << 20)
#define DATA_DESCS	32u
#define LIMIT_S		240

static const u64 sizes[] = { 16ull << 20, 17ull << 20, 32ull << 20, DATA_BYTES };

FIXTURE(large) {
	struct kvhost k;
	struct blkreq r;
	u8 *data;
	int fd;
};

FIXTURE_VARIANT(large) {
	enum disk disk;
	int flags;
	bool registered;
	u64 kvhost_flags;
	unsigned int shift;	/* bytes by which the data misses an aligned address */
};

FIXTURE_VARIANT_ADD(large, device) { .disk = DISK_NULLB, .flags = O_RDWR };
FIXTURE_VARIANT_ADD(large, device_copied) {
	.disk = DISK_NULLB, .flags = O_RDWR, .shift = 2
};

FIXTURE_VARIANT_ADD(large, device_registered) {
	.disk = DISK_NULLB, .flags = O_RDWR, .registered = true
};

FIXTURE_VARIANT_ADD(large, file_buffered) {
	.disk = DISK_TMPFS, .flags = O_RDWR, .kvhost_flags = KVHOST_BLK_STOP_ON_ERROR
};

FIXTURE_VARIANT_ADD(large, file_direct) { .disk = DISK_EXT4, .flags = O_RDWR | O_DIRECT };

/* Guest memory, and a region of its own for the data. */
static void set_mem(struct _test_data_large *self)
{
	struct vhost_memory *t = gmem_table(&self->k.mem);
	const u32 n = t->nregions;

	t = realloc(t, sizeof(*t) + (n + 1) * sizeof(t->regions[0]));
	t->regions[n] = (struct vhost_memory_region) {
		.guest_phys_addr = DATA_GPA,
		.memory_size = DATA_BYTES + 4096,
		.userspace_addr = (unsigned long)self->data,
	};
	t->nregions = n + 1;
	KVHOST_IOCTL(&self->k, VHOST_SET_MEM_TABLE, t);
	free(t);
}

FIXTURE_SETUP(large)
{
	struct kvhost_opts o = {
		.size = 64, .registered = variant->registered, .flags = variant->kvhost_flags,
	};

	self->data = mmap(NULL, DATA_BYTES + 4096, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->data);
	self->fd = backing_open(disk_paths[variant->disk], variant->flags);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	set_mem(self);
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, 512);
}

FIXTURE_TEARDOWN(large)
{
	kvhost_close(&self->k);
	munmap(self->data, DATA_BYTES + 4096);
	close(self->fd);
}

/* One request with its data in @n descriptors. Return: its status */
static u8 do_large(struct _test_data_large *self, unsigned int shift, u32 type, u64 bytes,
		   unsigned int n)
{
	bool in = type == VIRTIO_BLK_T_IN;
	struct vq_buf b[DATA_DESCS + 2];
	struct blkreq *r = &self->r;
	unsigned int i;
	u64 each = bytes / n / 512 * 512;

	blkreq_set(r, type, 0, 0);
	b[0] = (struct vq_buf) { r->hdr, BLK_HDR, false };
	for (i = 0; i < n; i++)
		b[i + 1] = (struct vq_buf) {
			DATA_GPA + shift + i * each, i + 1 < n ? each : bytes - i * each, in,
		};
	b[n + 1] = (struct vq_buf) { r->status, 1, true };
	must(vq_add(&self->k.q[0], b, n + 2, NULL, r) >= 0, "ring full");
	vq_kick(&self->k.q[0]);
	if (blkreq_wait(r, &self->k.q[0]) == VIRTIO_BLK_S_OK)
		must(r->used_len == (in ? bytes + 1 : 1), "%u bytes written", r->used_len);
	return blkreq_status(r);
}

/* Is every 512 bytes of the data what was written, no piece twice or elsewhere? */
static bool is_right(const u8 *data, u64 bytes, u64 seed)
{
	u64 i, v;

	for (i = 0; i < bytes; i += 512) {
		memcpy(&v, data + i, sizeof(v));
		if (v != seed + i)
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(large, K27_requests_of_any_size_are_served, LIMIT_S)
{
	const unsigned int s = variant->shift;
	unsigned int i, n;
	u64 at, v, seed;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (n = 1; n <= DATA_DESCS; n += DATA_DESCS - 1) {
			seed = (u64)(2 * i + n) << 40;
			for (at = 0; at < sizes[i]; at += 512) {
				v = seed + at;
				memcpy(self->data + s + at, &v, sizeof(v));
			}
			ASSERT_EQ(VIRTIO_BLK_S_OK,
				  do_large(self, s, VIRTIO_BLK_T_OUT, sizes[i], n));
			memset(self->data, 0, DATA_BYTES);
			ASSERT_EQ(VIRTIO_BLK_S_OK,
				  do_large(self, s, VIRTIO_BLK_T_IN, sizes[i], n)) {
				TH_LOG("%llu bytes in %u descriptors", sizes[i], n);
			}
			EXPECT_TRUE(is_right(self->data + s, sizes[i], seed));
		}
}

TEST_F(large, more_than_the_disk_has_is_refused)
{
	struct kvhost_opts o = { .fd = self->fd, .length = 17 << 20 };

	kvhost_backend(&self->k, &o);
	EXPECT_EQ(VIRTIO_BLK_S_OK, do_large(self, 0, VIRTIO_BLK_T_OUT, 17 << 20, 1));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, do_large(self, 0, VIRTIO_BLK_T_OUT, (17 << 20) + 512, 1));
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("large", 1 << DISK_NULLB | 1 << DISK_TMPFS | 1 << DISK_EXT4);
}

TEST_HARNESS_MAIN
