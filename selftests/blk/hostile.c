// SPDX-License-Identifier: GPL-2.0
/*
 * What a hostile guest puts into a ring hurts that queue alone (HD-004,
 * HD-008 ... HD-021, HD-050).
 *
 * Each row is one malformed chain on queue 0 of a device with two queues.
 * Required of every one: the queue is marked broken once, the error eventfd is
 * signalled, the counter of that fault goes up, queue 1 goes on working, and
 * stopping and starting the queue revives it.
 */
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest.h"
#include "lib/blkreq.h"
#include "lib/kvhost.h"

#define QUEUE	64u
#define D_NEXT	VRING_DESC_F_NEXT
#define D_WRITE	VRING_DESC_F_WRITE
#define D_IND	VRING_DESC_F_INDIRECT

/* Where the parts of a well-formed request lie; scenes bend them. */
struct scene {
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

/**
 * struct row - a malformed chain and what has to come of it
 * @name:        the promise
 * @play:        lays it into the ring, at head 0
 * @fault:       the counter that goes up
 * @no_indirect: on a device without VIRTIO_F_INDIRECT_DESC
 * @or_ioerr:    an answer of IOERR is as good as a broken queue
 */
struct row {
	const char *name;
	void (*play)(struct scene *s);
	unsigned int fault;
	bool no_indirect;
	bool or_ioerr;
};

static const struct row rows[] = {
	{ "HD-008 readable after writable",
	  hd008_readable_after_writable, FAULT_ORDER, false, false },
	{ "HD-008 readable after writable in table",
	  hd008_readable_after_writable_in_table, FAULT_ORDER, false, false },
	{ "HD-010 loop to itself", hd010_loop_to_itself, FAULT_LOOP, false, false },
	{ "HD-010 loop of two", hd010_loop_of_two, FAULT_LOOP, false, false },
	{ "HD-010 loop through the whole table",
	  hd010_loop_through_the_whole_table, FAULT_LOOP, false, false },
	{ "HD-010 loop in an indirect table",
	  hd010_loop_in_an_indirect_table, FAULT_LOOP, false, false },
	{ "HD-011 readable bytes beyond 2 32",
	  hd011_readable_bytes_beyond_2_32, FAULT_TOTAL_LEN, false, false },
	{ "HD-011 writable bytes beyond 2 32",
	  hd011_writable_bytes_beyond_2_32, FAULT_TOTAL_LEN, false, false },
	{ "HD-012 next is the queue size",
	  hd012_next_is_the_queue_size, FAULT_NEXT_RANGE, false, false },
	{ "HD-012 next is 65535", hd012_next_is_65535, FAULT_NEXT_RANGE, false, false },
	{ "HD-012 next beyond the indirect table",
	  hd012_next_beyond_the_indirect_table, FAULT_NEXT_RANGE, false, false },
	{ "HD-012 zero length header", hd012_zero_length_header, FAULT_ZERO_LEN, false, false },
	{ "HD-012 zero length data", hd012_zero_length_data, FAULT_ZERO_LEN, false, false },
	{ "HD-012 zero length status in a table",
	  hd012_zero_length_status_in_a_table, FAULT_ZERO_LEN, false, false },
	{ "HD-012 address wraps", hd012_address_wraps, FAULT_ADDR_WRAP, false, false },
	{ "HD-012 address wraps by one byte",
	  hd012_address_wraps_by_one_byte, FAULT_ADDR_WRAP, false, false },
	{ "HD-013 table in a table", hd013_table_in_a_table, FAULT_INDIRECT_NEST, false, false },
	{ "HD-014 indirect and next",
	  hd014_indirect_and_next, FAULT_INDIRECT_NEXT, false, false },
	{ "HD-015 table of no bytes", hd015_table_of_no_bytes, FAULT_INDIRECT_LEN, false, false },
	{ "HD-015 table length is ragged",
	  hd015_table_length_is_ragged, FAULT_INDIRECT_LEN, false, false },
	{ "HD-015 table of 2 32 minus 16 bytes",
	  hd015_table_of_2_32_minus_16_bytes, FAULT_INDIRECT_LEN, false, false },
	{ "HD-016 table above the cap",
	  hd016_table_above_the_cap, FAULT_INDIRECT_LEN, false, false },
	{ "HD-015 table in the hole",
	  hd015_table_in_the_hole, FAULT_INDIRECT_READ, false, false },
	{ "HD-015 table runs into the hole",
	  hd015_table_runs_into_the_hole, FAULT_INDIRECT_READ, false, false },
	{ "HD-015 table wraps", hd015_table_wraps, FAULT_INDIRECT_READ, false, false },
	{ "HD-017 avail index jumps", hd017_avail_index_jumps, FAULT_AVAIL_JUMP, false, false },
	{ "HD-017 avail index goes back",
	  hd017_avail_index_goes_back, FAULT_AVAIL_JUMP, false, false },
	{ "HD-018 head is the queue size",
	  hd018_head_is_the_queue_size, FAULT_HEAD_RANGE, false, false },
	{ "HD-018 head is 65535", hd018_head_is_65535, FAULT_HEAD_RANGE, false, false },
	{ "HD-004 indirect not negotiated", good_table, FAULT_INDIRECT_OFF, true, false },
	{ "HD-050 no status byte", hd050_no_status_byte, FAULT_REQUEST, false, false },
	{ "HD-050 no status byte after data to write",
	  hd050_no_status_byte_after_data_to_write, FAULT_REQUEST, false, false },
	{ "HD-050 no header", hd050_no_header, FAULT_REQUEST, false, true },
	{ "HD-050 header one byte short",
	  hd050_header_one_byte_short, FAULT_REQUEST, false, true },
	{ "HD-050 header in the hole", hd050_header_in_the_hole, FAULT_REQUEST, false, true },
	{ "HD-050 header runs into the hole",
	  hd050_header_runs_into_the_hole, FAULT_REQUEST, false, true },
	{ "HD-050 status in the hole", hd050_status_in_the_hole, FAULT_REQUEST, false, false },
};

/* The device under test: queue 0 is attacked, queue 1 looks on. */
struct bench {
	struct kvhost k;
	struct blkreq r;
	struct blkreq other;
};

static bool works(struct bench *b, struct blkreq *r, unsigned int i)
{
	return blk_do(r, &b->k.q[i], VIRTIO_BLK_T_IN, 0, 512) == VIRTIO_BLK_S_OK;
}

/* Offer head 0 as the scene leaves it; the library's own book-keeping is bypassed. */
static void play(struct bench *b, void (*fn)(struct scene *s))
{
	struct vq *q = &b->k.q[0];
	struct scene s = { .q = q, .r = &b->r, .t_gpa = vq_table(q, 0) };

	s.t = gmem_va(&b->k.mem, s.t_gpa);
	blkreq_set(&b->r, VIRTIO_BLK_T_IN, 0, 512);
	vq_offer(q, 0);
	fn(&s);
	vq_arm(q);
	vq_publish(q);
	vq_kick_always(q);
}

/* Where a status byte can be written, was it? Waits for either outcome. */
static bool answered_ioerr(struct bench *b)
{
	struct vq *q = &b->k.q[0];
	struct pollfd p[2] = {
		{ .fd = q->err_fd, .events = POLLIN },
		{ .fd = q->call_fd, .events = POLLIN },
	};

	if (!vq_has_used(q))
		must(poll(p, 2, LIMIT_MS) > 0, "neither used nor broken");
	return vq_has_used(q) &&
	       blkreq_status(&b->r) == VIRTIO_BLK_S_IOERR;
}

/* Queue 0 is broken as it should be. Return: NULL, or what is not so. */
static const char *check_broken(struct bench *b, const struct row *row,
				const struct kvhost_vring_stats *before)
{
	struct vq *q = &b->k.q[0];
	struct kvhost_vring_stats st;
	unsigned int i;

	if (!eventfd_wait(q->err_fd, LIMIT_MS))
		return "the error eventfd stays silent";
	if (!kvhost_wait_state(&b->k, 0, KVHOST_VRING_BROKEN))
		return "the queue is not broken";
	kvhost_stats(&b->k, 0, &st);
	if (st.broken != before->broken + 1)
		return "it was not marked broken exactly once";
	st.faults[row->fault]--;
	for (i = 0; i < KVHOST_FAULTS_MAX; i++)
		if (st.faults[i] != before->faults[i]) {
			ksft_print_msg("counter of fault %u is wrong\n", i);
			return "the fault was taken for another";
		}
	/* The error is told before the rest of the batch is done. */
	if (!kvhost_wait_idle(&b->k, 0))
		return "something is still in flight";
	if (vq_has_used(q) || blkreq_status(&b->r) != BLK_NO_STATUS)
		return "the chain came back as used";
	return NULL;
}

/* Queue 1 has noticed nothing. Return: NULL, or what is not so. */
static const char *check_other(struct bench *b, u64 broken)
{
	struct kvhost_vring_stats st;

	vq_kick_always(&b->k.q[0]);	/* more kicks do not wake it up */
	if (!works(b, &b->other, 1))
		return "the other queue does not work";
	kvhost_stats(&b->k, 1, &st);
	if (st.state != KVHOST_VRING_RUNNING || st.broken)
		return "the other queue is broken too";
	kvhost_stats(&b->k, 0, &st);
	return st.broken == broken ? NULL : "a kick broke the queue again";
}

static const char *try_row(struct bench *b, const struct row *row)
{
	struct kvhost_vring_stats before;
	const char *err;
	unsigned int i;

	if (!works(b, &b->r, 0))
		return "the queue does not work to begin with";
	kvhost_stats(&b->k, 0, &before);
	play(b, row->play);
	if (row->or_ioerr && answered_ioerr(b))
		return check_other(b, before.broken);
	err = check_broken(b, row, &before);
	if (!err)
		err = check_other(b, before.broken + 1);
	if (err)
		return err;
	kvhost_revive(&b->k, 0);
	for (i = 0; i < 50; i++)
		if (!works(b, &b->r, 0))
			return "the queue does not revive";
	return eventfd_take(b->k.q[0].err_fd) ? "revived, it reports an error" : NULL;
}

int main(void)
{
	const char *err;
	unsigned int i;
	int fd;

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(rows));
	fd = memfd_create("disk", MFD_CLOEXEC);
	must(fd >= 0 && !ftruncate(fd, 1 << 20), "memfd: %m");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvhost_opts o = {
			.fd = fd, .queues = 2, .size = QUEUE,
			.no_indirect = rows[i].no_indirect,
		};
		struct bench b;

		kvhost_start(&b.k, &o);
		blkreq_init(&b.r, &b.k.mem, GMEM_LOW, 4096);
		blkreq_init(&b.other, &b.k.mem, GMEM_LOW, 4096);
		err = try_row(&b, &rows[i]);
		if (err)
			ksft_print_msg("%s\n", err);
		ksft_test_result(!err, "%s breaks its queue alone\n", rows[i].name);
		kvhost_close(&b.k);
	}
	ksft_finished();
}
