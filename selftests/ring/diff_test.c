// SPDX-License-Identifier: GPL-2.0
/*
 * Split and packed fed with the same: they must answer the same.
 *
 * Two rings side by side; every operation is done on both, and buffers, lengths,
 * faults, signals and kicks are compared. Only ids and slots may differ.
 */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define SIZE 16u

static struct rig *both[2];
static unsigned int seed;
static u32 tags[2][SIZE], next_tag;

static u32 pick(u32 n)
{
	return rand_r(&seed) % n;
}

static void offer(bool bad)
{
	struct drv_how how = { .indirect = pick(2) };
	struct drv_seg segs[12];
	u32 n = pick(6) + 1, i, k, readable = pick(n + 1);
	int id[2];

	for (i = 0; i < n; i++)
		segs[i] = (struct drv_seg){ (u64)rand_r(&seed) << 20 | i,
			pick(5000) + 1, i >= readable };
	if (bad) {
		i = pick(n);
		switch (pick(4)) {
		case 0:
			segs[i].len = 0;
			break;
		case 1:
			segs[i].addr = ~0ull - segs[i].len + 2;
			break;
		case 2:
			segs[i].write = !segs[i].write;
			break;
		case 3:
			segs[i].len = 0xffffffff;
			break;
		}
	}
	/* So that both have room, or neither: a table takes one slot in each. */
	for (k = 0; k < 2; k++)
		id[k] = drv_add(&both[k]->drv, segs, n, &how);
	CHECK((id[0] < 0) == (id[1] < 0));
	if (id[0] < 0)
		return;
	for (k = 0; k < 2; k++)
		tags[k][id[k]] = next_tag;
	next_tag++;
	if (pick(2))
		for (k = 0; k < 2; k++)
			drv_publish(&both[k]->drv);
}

static void same_chains(int n)
{
	struct rig *a = both[0], *b = both[1];
	int i;

	for (i = 0; i < n; i++) {
		struct kvh_chain *c = &a->chains[i], *d = &b->chains[i];
		u32 segs = c->n_read + c->n_write, k;

		CHECK(tags[0][c->id] == tags[1][d->id]);
		CHECK(c->n_read == d->n_read && c->n_write == d->n_write);
		CHECK(c->read_len == d->read_len && c->write_len == d->write_len);
		CHECK(c->first == d->first && c->seq == d->seq);
		CHECK(c->slots == 1);
		for (k = c->first; k < c->first + segs; k++)
			CHECK(a->segs[k].addr == b->segs[k].addr &&
			      a->segs[k].len == b->segs[k].len);
	}
}

static struct kvh_chain work[2][SIZE];
static u32 n_work;

/* Returns false once both have found the same fault. */
static bool take(void)
{
	u32 max = pick(SIZE) + 1, k, back;
	int n[2];

	for (k = 0; k < 2; k++)
		n[k] = rig_take(both[k], max);
	CHECK(n[0] == n[1]);
	CHECK(both[0]->ring.fault == both[1]->ring.fault);
	if (n[0] < 0)
		return false;
	same_chains(n[0]);
	back = n[0] && !pick(3) ? pick(n[0]) + 1 : 0;
	for (k = 0; k < 2; k++) {
		memcpy(work[k] + n_work, both[k]->chains, n[0] * sizeof(work[0][0]));
		kvh_ring_untake(&both[k]->ring,
				both[k]->chains + n[0] - back, back);
	}
	n_work += n[0] - back;
	return true;
}

static void give_back(void)
{
	u32 k;

	while (n_work && pick(4)) {
		u32 i = pick(n_work);
		u32 len = pick(3) ? work[0][i].write_len :
			rand_r(&seed) % (work[0][i].write_len + 1ull);

		for (k = 0; k < 2; k++) {
			work[k][i].written = len;
			kvh_ring_complete(&both[k]->ring, &work[k][i], 1);
			work[k][i] = work[k][n_work - 1];
		}
		n_work--;
	}
}

/* The signal is compared where both count the same: armed for the next one. */
static void show(void)
{
	bool published[2], due[2], got[2];
	struct drv_used u[2];
	u32 k;

	for (k = 0; k < 2; k++)
		drv_arm(&both[k]->drv);
	for (k = 0; k < 2; k++) {
		rig_trace(both[k]);
		published[k] = kvh_ring_publish(&both[k]->ring);
		due[k] = published[k] && rig_need_signal(both[k]);
	}
	CHECK(published[0] == published[1] && due[0] == due[1]);
	for (;;) {
		for (k = 0; k < 2; k++)
			got[k] = drv_get_used(&both[k]->drv, &u[k]);
		CHECK(got[0] == got[1]);
		if (!got[0])
			break;
		CHECK(!u[0].bogus && !u[1].bogus);
		CHECK(tags[0][u[0].id] == tags[1][u[1].id]);
		CHECK(u[0].skipped == u[1].skipped);
		CHECK(u[0].len == u[1].len);
	}
}

static void kicks(void)
{
	bool answer[2];
	u32 k;

	for (k = 0; k < 2; k++)
		answer[k] = rig_has_avail(both[k]);
	CHECK(answer[0] == answer[1]);
	if (pick(2)) {
		for (k = 0; k < 2; k++)
			kvh_ring_disable_kick(&both[k]->ring);
		return;
	}
	for (k = 0; k < 2; k++)
		answer[k] = rig_enable_kick(both[k]);
	/* Put back in part, split knows what lies behind and packed looks. */
	CHECK(answer[0] == answer[1] || both[0]->ring.stalled);
}

static void run(u32 rounds, bool event_idx, bool in_order, bool bad)
{
	u32 i, k;

	n_work = 0;
	for (k = 0; k < 2; k++)
		both[k] = rig_new(k ? KVH_RING_PACKED : KVH_RING_SPLIT,
				  (struct rig_opts){ .size = SIZE,
				  .event_idx = event_idx, .indirect = true,
				  .in_order = in_order });
	for (i = 0; i < rounds; i++) {
		u32 n;

		for (n = pick(4); n; n--)
			offer(bad && !pick(200));
		for (k = 0; k < 2; k++)
			drv_publish(&both[k]->drv);
		if (!take())
			break;
		give_back();
		show();
		kicks();
	}
	rig_free_all();
}

static void good(enum kvh_ring_layout l)
{
	u32 i;

	(void)l;
	for (i = 0; i < 4; i++) {
		seed = i + 1;
		run(50000, i & 1, i & 2, false);
	}
}

static void malformed(enum kvh_ring_layout l)
{
	u32 i;

	(void)l;
	for (i = 0; i < 4000; i++) {
		seed = i + 77;
		run(500, i & 1, i & 2, true);
	}
}

const struct rig_test diff_tests[] = {
	{ "differential", "and packed answer alike", good, 's' },
	{ "differential", "and packed find the same faults", malformed, 's' },
	{ 0 }
};
