// SPDX-License-Identifier: GPL-2.0
/*
 * Sets up a ring under test and watches every access it makes.
 *
 * Ring parts and guest memory are separate allocations of their exact size, so
 * that ASan catches what the watch does not see. One rig at a time is watched.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

extern jmp_buf rig_escape;

void (*kvh_turn)(const void *p, u32 bytes, bool store);
unsigned long rig_checks;

#define RIGS_MAX 8

static struct rig *rigs[RIGS_MAX];
static unsigned int n_rigs;

void rig_fail(const char *file, int line, const char *what)
{
	printf("# %s:%d: %s\n", file, line, what);
	longjmp(rig_escape, 1);
}

static void *zalloc(size_t bytes)
{
	void *p = aligned_alloc(16, (bytes + 15) & ~15ul);

	if (!p)
		abort();
	return memset(p, 0, bytes);
}

static void watch_ring(struct rig *r, const void *p, u32 bytes, bool store)
{
	u8 *base[3] = { r->cfg.desc, (u8 *)r->cfg.driver, r->cfg.device };
	bool packed = r->cfg.layout == KVH_RING_PACKED;
	struct rig_access a = { .bytes = bytes, .store = store };
	u32 i, part, *stamp;

	for (part = 0; part < 3; part++)
		if ((u8 *)p >= base[part] &&
		    (u8 *)p + bytes <= base[part] + r->bytes[part])
			break;
	CHECK(part < 3);
	a.part = "dau"[part];
	a.off = (u8 *)p - base[part];

	CHECK(a.off % bytes == 0);
	if (store) {
		/* Own part; in a packed ring, the second half of a slot. */
		CHECK(part == 2 || (packed && !part && a.off % 16 == 8 &&
				    bytes == 8));
	} else {
		/* Nothing the device wrote is read back: HD-020. */
		CHECK(part != 2 || (!packed && a.off == 2 && r->restoring));
		/* Each head of a split ring begins a request of its own. */
		if (!packed && part == 1 && a.off >= 4 &&
		    a.off < 4 + 2 * r->cfg.size)
			r->request++;
		stamp = &r->stamps[part][a.off / 2];
		for (i = 0; i < bytes / 2; i++) {
			CHECK(stamp[i] != r->request ||
			      (r->loops && !packed && !part));
			stamp[i] = r->request;
		}
	}
	if (r->n_trace < RIG_TRACE)
		r->trace[r->n_trace++] = a;
	r->count++;
	if (r->turn)
		r->turn(r, &a);
}

static void watch(const void *p, u32 bytes, bool store)
{
	unsigned int i;

	for (i = 0; i < n_rigs; i++) {
		struct rig *r = rigs[i];
		const u8 *q = p;

		if ((q >= (u8 *)r->cfg.desc && q < (u8 *)r->cfg.desc + r->bytes[0]) ||
		    (q >= (u8 *)r->cfg.driver &&
		     q < (u8 *)r->cfg.driver + r->bytes[1]) ||
		    (q >= (u8 *)r->cfg.device &&
		     q < (u8 *)r->cfg.device + r->bytes[2])) {
			watch_ring(r, p, bytes, store);
			return;
		}
	}
	rig_fail(__FILE__, __LINE__, "access outside of every ring");
}

/* Memory is guest address RIG_GUEST_GPA and up. */
int kvh_env_read_guest(struct kvh_env *env, u64 addr, void *dst, u32 len)
{
	env->reads++;
	CHECK(len && addr + (len - 1) >= addr);
	if (env->fail)
		return -env->fail;
	if (addr < RIG_GUEST_GPA || addr - RIG_GUEST_GPA >= env->bytes ||
	    env->bytes - (addr - RIG_GUEST_GPA) < len)
		return -EFAULT;
	memcpy(dst, env->mem + (addr - RIG_GUEST_GPA), len);
	if (env->turn)
		env->turn(env->mem + (addr - RIG_GUEST_GPA), len);
	return 0;
}

/* Forgets what was fetched: a new request begins. */
static void next_request(struct rig *r)
{
	r->request++;
}

void rig_trace(struct rig *r)
{
	r->n_trace = 0;
	r->count = 0;
	next_request(r);
}

int rig_set_base(struct rig *r, u32 base)
{
	int err;

	next_request(r);
	r->restoring = true;
	err = kvh_ring_set_base(&r->ring, base);
	r->restoring = false;
	return err;
}

bool rig_need_signal(struct rig *r)
{
	next_request(r);
	return kvh_ring_need_signal(&r->ring);
}

bool rig_enable_kick(struct rig *r)
{
	next_request(r);
	return kvh_ring_enable_kick(&r->ring);
}

bool rig_has_avail(struct rig *r)
{
	next_request(r);
	return kvh_ring_has_avail(&r->ring);
}

/* A fresh ring over the same memory. */
void rig_reinit(struct rig *r)
{
	CHECK(!kvh_ring_init(&r->ring, &r->cfg));
	rig_trace(r);
}

struct rig *rig_new(enum kvh_ring_layout layout, struct rig_opts o)
{
	struct rig *r = zalloc(sizeof(*r));
	u32 size = o.size ? o.size : 8;
	u32 tables = o.indirect ? size : 0;
	unsigned int i;

	CHECK(n_rigs < RIGS_MAX);
	rigs[n_rigs++] = r;
	r->bytes[0] = kvh_ring_desc_bytes(layout, size);
	r->bytes[1] = kvh_ring_driver_bytes(layout, size);
	r->bytes[2] = kvh_ring_device_bytes(layout, size);
	for (i = 0; i < 3; i++) {
		CHECK(r->bytes[i]);
		r->stamps[i] = calloc(r->bytes[i] / 2, sizeof(u32));
	}
	r->env.bytes = 16ul * DRV_TABLE_MAX * tables;
	r->env.mem = zalloc(r->env.bytes + 16);
	r->cfg = (struct kvh_ring_config){
		.layout = layout,
		.size = size,
		.event_idx = o.event_idx,
		.indirect = o.indirect,
		.in_order = o.in_order,
		.desc = zalloc(r->bytes[0]),
		.driver = zalloc(r->bytes[1]),
		.device = zalloc(r->bytes[2]),
		.table = o.indirect ? zalloc(16 * KVH_CHAIN_SEGS_MAX) : NULL,
		.order = o.in_order ? zalloc(size * sizeof(struct kvh_order)) :
				      NULL,
	};
	r->drv = (struct drv){
		.packed = layout == KVH_RING_PACKED,
		.event_idx = o.event_idx,
		.in_order = o.in_order,
		.size = size,
		.desc = r->cfg.desc,
		.driver = (u8 *)r->cfg.driver,
		.device = r->cfg.device,
		.tables = r->env.mem,
		.table_gpa = RIG_GUEST_GPA,
	};
	drv_init(&r->drv);
	kvh_turn = watch;
	rig_reinit(r);
	return r;
}

void rig_free_all(void)
{
	kvh_turn = NULL;
	while (n_rigs) {
		struct rig *r = rigs[--n_rigs];
		unsigned int i;

		drv_free(&r->drv);
		for (i = 0; i < 3; i++)
			free(r->stamps[i]);
		free(r->env.mem);
		free(r->cfg.desc);
		free((void *)r->cfg.driver);
		free(r->cfg.device);
		free(r->cfg.table);
		free(r->cfg.order);
		free(r);
	}
}

/* One request: nothing may be fetched twice in it. */
int rig_take(struct rig *r, unsigned int max)
{
	unsigned int i;
	int n;

	rig_seed(r);
	next_request(r);
	n = kvh_ring_take(&r->ring, &r->env, r->chains, max, r->segs, RIG_SEGS);
	for (i = 0; n > 0 && i < (unsigned int)n; i++) {
		const struct kvh_chain *c = &r->chains[i];
		u64 sum[2] = { 0 };
		u32 k;

		/* What every chain promises. */
		CHECK(c->n_read + c->n_write >= 1);
		CHECK(c->n_read + c->n_write <= KVH_CHAIN_SEGS_MAX);
		CHECK(c->first == (i ? c[-1].first + c[-1].n_read +
				   c[-1].n_write : 0));
		CHECK(c->written == 0);
		CHECK(c->id < r->cfg.size);
		CHECK(c->slots >= 1 && c->slots <= r->cfg.size);
		for (k = 0; k < (u32)c->n_read + c->n_write; k++) {
			const struct kvh_seg *s = &r->segs[c->first + k];

			CHECK(s->len && s->addr + (s->len - 1) >= s->addr);
			sum[k >= c->n_read] += s->len;
		}
		CHECK(sum[0] == c->read_len && sum[1] == c->write_len);
	}
	next_request(r);
	return n;
}

void rig_finish(struct rig *r, const struct kvh_chain *chains, unsigned int n)
{
	kvh_ring_complete(&r->ring, chains, n);
	CHECK(kvh_ring_publish(&r->ring));
	next_request(r);
}

/* A buffer of one segment; there must be room. */
void rig_add1(struct rig *r, u32 len, bool write)
{
	struct drv_seg s = { .addr = 0x1000, .len = len, .write = write };

	CHECK(drv_add(&r->drv, &s, 1, NULL) >= 0);
}

/* @n buffers of one readable segment, there and back again. */
void rig_turn_around(struct rig *r, unsigned int n)
{
	struct drv_used u;
	unsigned int i;

	for (i = 0; i < n; i++)
		rig_add1(r, 16, false);
	drv_publish(&r->drv);
	CHECK(rig_take(r, RIG_CHAINS) == (int)n);
	rig_finish(r, r->chains, n);
	for (i = 0; i < n; i++) {
		CHECK(drv_get_used(&r->drv, &u));
		CHECK(!u.bogus && u.len == 0);
	}
	CHECK(!drv_peek_used(&r->drv));
}
