// SPDX-License-Identifier: GPL-2.0
/*
 * What a hostile guest puts into a packed ring hurts that queue alone (HD-004,
 * HD-008, HD-011, HD-012, HD-025 ... HD-028, HD-050). What is required of each
 * row is said in attack.h.
 */
#include "kselftest.h"
#include "attack.h"

#define QUEUE	45u
#define D_NEXT	VRING_DESC_F_NEXT
#define D_WRITE	VRING_DESC_F_WRITE
#define D_IND	VRING_DESC_F_INDIRECT
#define F_AVAIL	0x0080u
#define F_USED	0x8000u

/*
 * What is going to be put into the ring, from the next slot to write on: @n
 * descriptors. Their AVAIL and USED bits say by how they differ from those of
 * an available one.
 */
struct scene {
	struct blkreq *r;
	struct vring_packed_desc d[QUEUE];
	unsigned int n;
	struct vring_packed_desc *t;	/* a table of VQ_TABLE_MAX entries */
	u64 t_gpa;
};

static void desc(struct vring_packed_desc *d, u64 addr, u32 len, u16 flags)
{
	*d = (struct vring_packed_desc) { .addr = addr, .len = len, .flags = flags };
}

/* A well-formed read of 512 bytes. */
static void good(struct scene *s)
{
	desc(&s->d[0], s->r->hdr, 16, D_NEXT);
	desc(&s->d[1], s->r->data, 512, D_NEXT | D_WRITE);
	desc(&s->d[2], s->r->status, 1, D_WRITE);
	s->n = 3;
}

/* The same in an indirect table. */
static void good_table(struct scene *s)
{
	desc(&s->t[0], s->r->hdr, 16, 0);
	desc(&s->t[1], s->r->data, 512, D_WRITE);
	desc(&s->t[2], s->r->status, 1, D_WRITE);
	desc(&s->d[0], s->t_gpa, 48, D_IND);
	s->n = 1;
}

static void hd025_next_on_every_slot(struct scene *s)
{
	for (s->n = 0; s->n < QUEUE; s->n++)
		desc(&s->d[s->n], s->r->hdr, 16, D_NEXT);
}

static void hd025_list_across_an_unavailable_slot(struct scene *s)
{
	good(s);
	s->d[1].flags |= F_AVAIL | F_USED;
}

static void hd025_list_into_a_used_slot(struct scene *s)
{
	good(s);
	s->d[2].flags |= F_USED;
}

static void hd026_partial_list(struct scene *s)
{
	good(s);
	s->n = 1;
}

static void hd026_partial_list_of_two(struct scene *s)
{
	good(s);
	s->n = 2;
}

static void hd026_writable_before_readable(struct scene *s)
{
	good(s);
	s->d[0].flags |= D_WRITE;
	s->d[1].flags &= ~D_WRITE;
}

static void hd026_writable_before_readable_in_a_table(struct scene *s)
{
	good_table(s);
	s->t[0].flags |= D_WRITE;
	s->t[1].flags &= ~D_WRITE;
}

static void hd027_indirect_inside_a_list(struct scene *s)
{
	good_table(s);
	s->d[1] = s->d[0];
	desc(&s->d[0], s->r->hdr, 16, D_NEXT);
	s->n = 2;
}

static void hd027_indirect_and_next(struct scene *s)
{
	good(s);
	s->d[2] = s->d[1];
	good_table(s);
	s->d[0].flags |= D_NEXT;
	s->n = 3;
}

static void hd028_id_is_the_queue_size(struct scene *s)
{
	good(s);
	s->d[2].id = QUEUE;
}

static void hd028_id_is_65535(struct scene *s)
{
	good(s);
	s->d[2].id = 65535;
}

static void hd028_id_of_a_table(struct scene *s)
{
	good_table(s);
	s->d[0].id = 32768;
}

static void hd011_readable_bytes_beyond_2_32(struct scene *s)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		desc(&s->d[i], s->r->data, 0x40000000, D_NEXT);
	desc(&s->d[5], s->r->status, 1, D_WRITE);
	s->n = 6;
}

static void hd012_zero_length_header(struct scene *s)
{
	good(s);
	s->d[0].len = 0;
}

static void hd012_zero_length_status_in_a_table(struct scene *s)
{
	good_table(s);
	s->t[2].len = 0;
}

static void hd012_address_wraps_by_one_byte(struct scene *s)
{
	good(s);
	s->d[1].addr = ~0ull - 510;
}

static void hd015_table_of_no_bytes(struct scene *s)
{
	good_table(s);
	s->d[0].len = 0;
}

static void hd015_table_length_is_ragged(struct scene *s)
{
	good_table(s);
	s->d[0].len = 47;
}

static void hd016_table_above_the_cap(struct scene *s)
{
	good_table(s);
	s->d[0].len = 1025 * 16;
}

static void hd015_table_runs_into_the_hole(struct scene *s)
{
	good_table(s);
	s->d[0].addr = GMEM_HOLE_GPA - 16;
}

static void hd015_table_wraps(struct scene *s)
{
	good_table(s);
	s->d[0].addr = ~0ull - 15;
}

static void hd050_no_status_byte(struct scene *s)
{
	good(s);
	desc(&s->d[0], s->r->hdr, 16, 0);
	s->n = 1;
}

static void hd050_header_one_byte_short(struct scene *s)
{
	good(s);
	s->d[0].len = 15;
}

static void hd050_status_in_the_hole(struct scene *s)
{
	good(s);
	s->d[2].addr = GMEM_HOLE_GPA;
}

static const struct row rows[] = {
	{ "HD-025 next on every slot", hd025_next_on_every_slot, FAULT_LOOP, false, false },
	{ "HD-025 list across an unavailable slot",
	  hd025_list_across_an_unavailable_slot, FAULT_PARTIAL, false, false },
	{ "HD-025 list into a used slot",
	  hd025_list_into_a_used_slot, FAULT_PARTIAL, false, false },
	{ "HD-026 partial list", hd026_partial_list, FAULT_PARTIAL, false, false },
	{ "HD-026 partial list of two", hd026_partial_list_of_two, FAULT_PARTIAL, false, false },
	{ "HD-026 writable before readable",
	  hd026_writable_before_readable, FAULT_ORDER, false, false },
	{ "HD-026 writable before readable in a table",
	  hd026_writable_before_readable_in_a_table, FAULT_ORDER, false, false },
	{ "HD-027 indirect inside a list",
	  hd027_indirect_inside_a_list, FAULT_INDIRECT_NEXT, false, false },
	{ "HD-027 indirect and next",
	  hd027_indirect_and_next, FAULT_INDIRECT_NEXT, false, false },
	{ "HD-027 CORE-061 indirect not negotiated",
	  good_table, FAULT_INDIRECT_OFF, true, false },
	{ "HD-028 id is the queue size", hd028_id_is_the_queue_size, FAULT_ID_RANGE, false, false },
	{ "HD-028 id is 65535", hd028_id_is_65535, FAULT_ID_RANGE, false, false },
	{ "HD-028 id of a table", hd028_id_of_a_table, FAULT_ID_RANGE, false, false },
	{ "HD-011 readable bytes beyond 2 32",
	  hd011_readable_bytes_beyond_2_32, FAULT_TOTAL_LEN, false, false },
	{ "HD-012 zero length header", hd012_zero_length_header, FAULT_ZERO_LEN, false, false },
	{ "HD-012 zero length status in a table",
	  hd012_zero_length_status_in_a_table, FAULT_ZERO_LEN, false, false },
	{ "HD-012 address wraps by one byte",
	  hd012_address_wraps_by_one_byte, FAULT_ADDR_WRAP, false, false },
	{ "HD-015 table of no bytes", hd015_table_of_no_bytes, FAULT_INDIRECT_LEN, false, false },
	{ "HD-015 table length is ragged",
	  hd015_table_length_is_ragged, FAULT_INDIRECT_LEN, false, false },
	{ "HD-016 table above the cap",
	  hd016_table_above_the_cap, FAULT_INDIRECT_LEN, false, false },
	{ "HD-015 table runs into the hole",
	  hd015_table_runs_into_the_hole, FAULT_INDIRECT_READ, false, false },
	{ "HD-015 table wraps", hd015_table_wraps, FAULT_INDIRECT_READ, false, false },
	{ "HD-050 no status byte", hd050_no_status_byte, FAULT_REQUEST, false, false },
	{ "HD-050 header one byte short",
	  hd050_header_one_byte_short, FAULT_REQUEST, false, true },
	{ "HD-050 status in the hole", hd050_status_in_the_hole, FAULT_REQUEST, false, false },
};

/* Put the scene into the ring; its first slot waits for vq_publish(). */
static void lay(struct attack *a, const struct row *row)
{
	struct vq *q = &a->k.q[0];
	struct scene s = { .r = &a->r, .t_gpa = vq_table(q, 0) };
	unsigned int i, at;
	bool wrap;

	s.t = gmem_va(&a->k.mem, s.t_gpa);
	row->play(&s);
	for (i = 0; i < s.n; i++) {
		at = (q->avail_idx + i) % QUEUE;
		wrap = q->avail_wrap ^ (q->avail_idx + i >= QUEUE);
		s.d[i].flags ^= wrap ? F_AVAIL : F_USED;
		q->head_flags = i ? q->head_flags : s.d[i].flags;
		s.d[i].flags = i ? s.d[i].flags : q->ring[at].flags;
		q->ring[at] = s.d[i];
	}
	q->head_slot = q->avail_idx;
}

int main(void)
{
	const struct stage s = { .ring = { .size = QUEUE, .packed = true }, .lay = lay };

	attack_all(&s, rows, ARRAY_SIZE(rows));
}
