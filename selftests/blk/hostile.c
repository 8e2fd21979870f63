// SPDX-License-Identifier: GPL-2.0
/*
 * What a hostile guest puts into a split ring hurts that queue alone (HD-004,
 * HD-008 ... HD-018, HD-050). What is required of each row is said in attack.h.
 */
#include "kselftest.h"
#include "attack.h"

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

/* Offer head 0 as the scene leaves it. */
static void lay(struct attack *a, const struct row *row)
{
	struct vq *q = &a->k.q[0];
	struct scene s = { .q = q, .r = &a->r, .t_gpa = vq_table(q, 0) };

	s.t = gmem_va(&a->k.mem, s.t_gpa);
	vq_offer(q, 0);
	row->play(&s);
}

int main(void)
{
	const struct stage s = { .ring = { .size = QUEUE }, .lay = lay };

	attack_all(&s, rows, ARRAY_SIZE(rows));
}
