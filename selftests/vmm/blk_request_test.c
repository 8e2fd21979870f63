// SPDX-License-Identifier: GPL-2.0
/*
 * blk_request_test.c - one request of the userspace backend, without a backend.
 */
#include <linux/virtio_blk.h>
#include <string.h>

#include "blk_request.h"
#include "disk.h"
#include "memory.h"
#include <kselftest_harness.h>

#define RAM	65536u
#define HDR	0u
#define DATA	4096u
#define STATUS	8192u

/* Entries that a request may keep for the next one. */
#define KEPT	64u

/* V18: a request of many segments keeps no room for as many, one of a few does. */
TEST(V18_a_request_keeps_little)
{
	static uint8_t ram[RAM];
	struct guest_memory mem = {
		.nr = 1, .regions[0] = { .gpa = 0, .size = RAM, .hva = ram },
	};
	struct disk disk = { .logical = 512 };
	struct blk_parse parse = {
		.limits = { .capacity = 2048, .lbs = 512 },
		.disk = &disk,
		.mem = &mem,
	};
	struct virtio_blk_outhdr hdr = { .type = VIRTIO_BLK_T_IN };
	struct kvh_seg segs[1 + 256 + 1];
	struct blk_request req = { };

	memcpy(ram + HDR, &hdr, sizeof(hdr));
	for (unsigned int n = 256; n; n /= 4) {
		segs[0] = (struct kvh_seg) { .addr = HDR, .len = sizeof(hdr) };
		for (unsigned int i = 1; i <= n; i++)
			segs[i] = (struct kvh_seg) { .addr = DATA, .len = 512 };
		segs[n + 1] = (struct kvh_seg) { .addr = STATUS, .len = 1 };
		req.chain = (struct kvh_chain) {
			.n_read = 1, .read_len = sizeof(hdr),
			.n_write = n + 1, .write_len = n * 512 + 1,
		};
		ASSERT_EQ(0, blk_request_parse(&req, &parse, segs));
		EXPECT_EQ(BLK_READ, req.op);
		EXPECT_LE(n, req.iov_room);
		blk_request_done(&req, n * 512);
		EXPECT_EQ(BLK_DONE, req.op);
		blk_request_finish(&req);
		EXPECT_EQ(n * 512 + 1, req.chain.written);
		EXPECT_GE(KEPT, req.iov_room);
	}
	EXPECT_LT(0, req.iov_room);
	blk_request_free(&req);
}

TEST_HARNESS_MAIN
