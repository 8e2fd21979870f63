// SPDX-License-Identifier: GPL-2.0
/*
 * What a hostile guest puts into a ring hurts that queue alone (HD-004,
 * HD-008 ... HD-021, HD-050).
 *
 * Each variant is one malformed chain on queue 0 of a device with two queues.
 * Required of every one: the queue is marked broken once, the error eventfd is
 * signalled, the counter of that fault goes up, queue 1 goes on working, and
 * stopping and starting the queue revives it. What was in flight beforehand
 * is completed.
 */
#include <poll.h>
#include "disk.h"

#define QUEUE	64u
#define D_NEXT	VRING_DESC_F_NEXT
#define D_WRITE	VRING_DESC_F_WRITE
#define D_IND	VRING_DESC_F_INDIRECT

/* Where the parts of a well-formed request lie; scenes bend them. */
struct scene {
	struct kvhost *k;
	struct vq *q;
	struct blkreq *r;
	struct vring_desc *t;	/* table of head 0 */
	u64 t_gpa;
};

static void desc(struct vring_desc *d, u64 addr, u32 len, u16 flags, u16 next)
{
	*d = (struct vring_desc) { .addr = addr, .len = len, .flags = flags, .next = next };
}

/* Descriptors 0, 1, 2 of a well-formed read of 512 bytes, in @d. */
static void good(struct scene *s, struct vring_desc *d)
{
	desc(&d[0], s->r->hdr, 16, D_NEXT, 1);
	desc(&d[1], s->r->data, 512, D_NEXT | D_WRITE, 2);
	desc(&d[2], s->r->status, 1, D_WRITE, 0);
}

/* A well-formed read in the table of head 0. */
static void good_table(struct scene *s)
{
	good(s, s->t);
	desc(&s->q->desc[0], s->t_gpa, 48, D_IND, 0);
}

static void hd008_readable_after_writable(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[0].flags |= D_WRITE;
	s->q->desc[1].flags &= ~D_WRITE;
}

static void hd008_readable_after_writable_in_table(struct scene *s)
{
	good_table(s);
	s->t[0].flags |= D_WRITE;
	s->t[1].flags &= ~D_WRITE;
}

static void hd010_loop_to_itself(struct scene *s)
{
	desc(&s->q->desc[0], s->r->hdr, 16, D_NEXT, 0);
}

static void hd010_loop_of_two(struct scene *s)
{
	desc(&s->q->desc[0], s->r->hdr, 16, D_NEXT, 1);
	desc(&s->q->desc[1], s->r->data, 16, D_NEXT, 0);
}

static void hd010_loop_through_the_whole_table(struct scene *s)
{
	unsigned int i;

	for (i = 0; i < QUEUE; i++)
		desc(&s->q->desc[i], s->r->hdr, 16, D_NEXT, (i + 1) % QUEUE);
}

static void hd010_loop_in_an_indirect_table(struct scene *s)
{
	good_table(s);
	s->t[2].flags |= D_NEXT;
	s->t[2].next = 1;
}

static void hd011_readable_bytes_beyond_2_32(struct scene *s)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		desc(&s->q->desc[i], s->r->data, 0x40000000, D_NEXT, i + 1);
	desc(&s->q->desc[5], s->r->status, 1, D_WRITE, 0);
}

static void hd011_writable_bytes_beyond_2_32(struct scene *s)
{
	unsigned int i;

	desc(&s->q->desc[0], s->r->hdr, 16, D_NEXT, 1);
	for (i = 1; i < 6; i++)
		desc(&s->q->desc[i], s->r->data, 0xffffffff, D_NEXT | D_WRITE, i + 1);
	desc(&s->q->desc[6], s->r->status, 1, D_WRITE, 0);
}

static void hd012_next_is_the_queue_size(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[0].next = QUEUE;
}

static void hd012_next_is_65535(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[1].next = 65535;
}

static void hd012_next_beyond_the_indirect_table(struct scene *s)
{
	good_table(s);
	s->t[1].next = 3;
}

static void hd012_zero_length_header(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[0].len = 0;
}

static void hd012_zero_length_data(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[1].len = 0;
}

static void hd012_zero_length_status_in_a_table(struct scene *s)
{
	good_table(s);
	s->t[2].len = 0;
}

static void hd012_address_wraps(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[1].addr = ~0ull - 100;
}

static void hd012_address_wraps_by_one_byte(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[1].addr = ~0ull - 510;
}

static void hd013_table_in_a_table(struct scene *s)
{
	good_table(s);
	s->t[1].flags |= D_IND;
}

static void hd014_indirect_and_next(struct scene *s)
{
	good_table(s);
	s->q->desc[0].flags |= D_NEXT;
	s->q->desc[0].next = 1;
	good(s, s->q->desc + 1);
}

static void hd015_table_of_no_bytes(struct scene *s)
{
	good_table(s);
	s->q->desc[0].len = 0;
}

static void hd015_table_length_is_ragged(struct scene *s)
{
	good_table(s);
	s->q->desc[0].len = 47;
}

static void hd015_table_of_2_32_minus_16_bytes(struct scene *s)
{
	good_table(s);
	s->q->desc[0].len = 0xfffffff0;
}

static void hd016_table_above_the_cap(struct scene *s)
{
	good_table(s);
	s->q->desc[0].len = 1025 * 16;
}

static void hd015_table_in_the_hole(struct scene *s)
{
	good_table(s);
	s->q->desc[0].addr = GMEM_HOLE_GPA + 4096;
}

static void hd015_table_runs_into_the_hole(struct scene *s)
{
	good_table(s);
	s->q->desc[0].addr = GMEM_HOLE_GPA - 16;
}

static void hd015_table_wraps(struct scene *s)
{
	good_table(s);
	s->q->desc[0].addr = ~0ull - 15;
}

static void hd017_avail_index_jumps(struct scene *s)
{
	good(s, s->q->desc);
	s->q->avail_idx += QUEUE;
}

static void hd017_avail_index_goes_back(struct scene *s)
{
	good(s, s->q->desc);
	s->q->avail_idx -= 3;
}

static void hd018_head_is_the_queue_size(struct scene *s)
{
	good(s, s->q->desc);
	s->q->avail->ring[(u16)(s->q->avail_idx - 1) % QUEUE] = QUEUE;
}

static void hd018_head_is_65535(struct scene *s)
{
	good(s, s->q->desc);
	s->q->avail->ring[(u16)(s->q->avail_idx - 1) % QUEUE] = 65535;
}

static void hd050_no_status_byte(struct scene *s)
{
	good(s, s->q->desc);
	desc(&s->q->desc[0], s->r->hdr, 16, 0, 0);
}

static void hd050_no_status_byte_after_data_to_write(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[1].flags = 0;
}

static void hd050_no_header(struct scene *s)
{
	desc(&s->q->desc[0], s->r->status, 1, D_WRITE, 0);
}

static void hd050_header_one_byte_short(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[0].len = 15;
}

static void hd050_header_in_the_hole(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[0].addr = GMEM_HOLE_GPA;
}

static void hd050_header_runs_into_the_hole(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[0].addr = GMEM_HOLE_GPA - 15;
}

static void hd050_status_in_the_hole(struct scene *s)
{
	good(s, s->q->desc);
	s->q->desc[2].addr = GMEM_HOLE_GPA;
}

/* Nothing wrong with the ring or the chain: it is the request in it. */
#define FAULT_REQUEST	FAULT_NONE

FIXTURE(hostile) {
	struct kvhost k;
	struct blkreq r;
	struct blkreq other;
	int fd;
};

FIXTURE_VARIANT(hostile) {
	void (*play)(struct scene *s);
	unsigned int fault;
	bool no_indirect;
	bool or_ioerr;
};

#define SCENE(f, kind)		FIXTURE_VARIANT_ADD(hostile, f) { .play = f, .fault = kind }
#define SCENE_NOIND(n, f, kind)	FIXTURE_VARIANT_ADD(hostile, n) { \
					.play = f, .fault = kind, .no_indirect = true }
#define SCENE_REQ(f, ioerr)	FIXTURE_VARIANT_ADD(hostile, f) { \
					.play = f, .fault = FAULT_REQUEST, .or_ioerr = ioerr }

SCENE(hd008_readable_after_writable, FAULT_ORDER);
SCENE(hd008_readable_after_writable_in_table, FAULT_ORDER);
SCENE(hd010_loop_to_itself, FAULT_LOOP);
SCENE(hd010_loop_of_two, FAULT_LOOP);
SCENE(hd010_loop_through_the_whole_table, FAULT_LOOP);
SCENE(hd010_loop_in_an_indirect_table, FAULT_LOOP);
SCENE(hd011_readable_bytes_beyond_2_32, FAULT_TOTAL_LEN);
SCENE(hd011_writable_bytes_beyond_2_32, FAULT_TOTAL_LEN);
SCENE(hd012_next_is_the_queue_size, FAULT_NEXT_RANGE);
SCENE(hd012_next_is_65535, FAULT_NEXT_RANGE);
SCENE(hd012_next_beyond_the_indirect_table, FAULT_NEXT_RANGE);
SCENE(hd012_zero_length_header, FAULT_ZERO_LEN);
SCENE(hd012_zero_length_data, FAULT_ZERO_LEN);
SCENE(hd012_zero_length_status_in_a_table, FAULT_ZERO_LEN);
SCENE(hd012_address_wraps, FAULT_ADDR_WRAP);
SCENE(hd012_address_wraps_by_one_byte, FAULT_ADDR_WRAP);
SCENE(hd013_table_in_a_table, FAULT_INDIRECT_NEST);
SCENE(hd014_indirect_and_next, FAULT_INDIRECT_NEXT);
SCENE(hd015_table_of_no_bytes, FAULT_INDIRECT_LEN);
SCENE(hd015_table_length_is_ragged, FAULT_INDIRECT_LEN);
SCENE(hd015_table_of_2_32_minus_16_bytes, FAULT_INDIRECT_LEN);
SCENE(hd016_table_above_the_cap, FAULT_INDIRECT_LEN);
SCENE(hd015_table_in_the_hole, FAULT_INDIRECT_READ);
SCENE(hd015_table_runs_into_the_hole, FAULT_INDIRECT_READ);
SCENE(hd015_table_wraps, FAULT_INDIRECT_READ);
SCENE(hd017_avail_index_jumps, FAULT_AVAIL_JUMP);
SCENE(hd017_avail_index_goes_back, FAULT_AVAIL_JUMP);
SCENE(hd018_head_is_the_queue_size, FAULT_HEAD_RANGE);
SCENE(hd018_head_is_65535, FAULT_HEAD_RANGE);
SCENE_NOIND(hd004_indirect_not_negotiated, good_table, FAULT_INDIRECT_OFF);
SCENE_REQ(hd050_no_status_byte, false);
SCENE_REQ(hd050_no_status_byte_after_data_to_write, false);
SCENE_REQ(hd050_no_header, true);
SCENE_REQ(hd050_header_one_byte_short, true);
SCENE_REQ(hd050_header_in_the_hole, true);
SCENE_REQ(hd050_header_runs_into_the_hole, true);
SCENE_REQ(hd050_status_in_the_hole, false);

FIXTURE_SETUP(hostile)
{
	struct kvhost_opts o = {
		.queues = 2, .size = QUEUE, .no_indirect = variant->no_indirect,
	};

	self->fd = backing_open(disk_paths[DISK_NULLB], O_RDWR);
	o.fd = self->fd;
	kvhost_start(&self->k, &o);
	blkreq_init(&self->r, &self->k.mem, GMEM_LOW, 4096);
	blkreq_init(&self->other, &self->k.mem, GMEM_LOW, 4096);
}

FIXTURE_TEARDOWN(hostile)
{
	kvhost_close(&self->k);
	close(self->fd);
}

/* Offer head 0 as the scene left it; the library's own book-keeping is bypassed. */
static void play(struct kvhost *k, struct blkreq *r, void (*fn)(struct scene *s))
{
	struct vq *q = &k->q[0];
	struct scene s = { .k = k, .q = q, .r = r, .t_gpa = vq_table(q, 0) };

	s.t = gmem_va(&k->mem, s.t_gpa);
	blkreq_set(r, VIRTIO_BLK_T_IN, 0, 512);
	vq_offer(q, 0);
	fn(&s);
	vq_publish(q);
	vq_kick_always(q);
}

static bool works(struct kvhost *k, struct blkreq *r, unsigned int i)
{
	return blk_do(r, &k->q[i], VIRTIO_BLK_T_IN, 0, 512) == VIRTIO_BLK_S_OK;
}

TEST_F(hostile, breaks_its_queue_and_nothing_else)
{
	struct kvhost_vring_stats before, st;
	struct vq *q = &self->k.q[0];
	unsigned int i;

	ASSERT_TRUE(works(&self->k, &self->r, 0));
	kvhost_stats(&self->k, 0, &before);
	play(&self->k, &self->r, variant->play);
	if (variant->or_ioerr) {
		/* the status byte is there: an answer is as good as a broken queue */
		struct pollfd p[2] = {
			{ .fd = q->err_fd, .events = POLLIN },
			{ .fd = q->call_fd, .events = POLLIN },
		};

		vq_arm(q);
		if (vq_used_idx(q) == q->used_idx)
			ASSERT_LT(0, poll(p, 2, LIMIT_MS));
		if (vq_used_idx(q) != q->used_idx) {
			EXPECT_EQ(VIRTIO_BLK_S_IOERR, blkreq_status(&self->r));
			ASSERT_TRUE(works(&self->k, &self->other, 1));
			return;
		}
	}
	ASSERT_TRUE(eventfd_wait(q->err_fd, LIMIT_MS)) {
		TH_LOG("the error eventfd stays silent");
	}
	ASSERT_TRUE(kvhost_wait_state(&self->k, 0, KVHOST_VRING_BROKEN));
	kvhost_stats(&self->k, 0, &st);
	EXPECT_EQ(before.broken + 1, st.broken);
	for (i = 0; i < KVHOST_FAULTS_MAX; i++) {
		EXPECT_EQ(before.faults[i] + (variant->fault == i), st.faults[i]) {
			TH_LOG("counter of fault %u", i);
		}
	}
	EXPECT_EQ(0, st.in_flight);
	EXPECT_EQ(q->used_idx, vq_used_idx(q));
	EXPECT_EQ(BLK_NO_STATUS, blkreq_status(&self->r));

	/* more kicks do not wake it up */
	vq_kick_always(q);
	ASSERT_TRUE(works(&self->k, &self->other, 1));
	kvhost_stats(&self->k, 0, &st);
	EXPECT_EQ(before.broken + 1, st.broken);
	kvhost_stats(&self->k, 1, &st);
	EXPECT_EQ(KVHOST_VRING_RUNNING, st.state);
	EXPECT_EQ(0, st.broken);

	kvhost_revive(&self->k, 0);
	for (i = 0; i < 100; i++)
		ASSERT_TRUE(works(&self->k, &self->r, 0));
	EXPECT_EQ(0, eventfd_take(q->err_fd));
}

static void __attribute__((constructor)) make_disks(void)
{
	disk_make("hostile", 1 << DISK_NULLB);
}

TEST_HARNESS_MAIN
