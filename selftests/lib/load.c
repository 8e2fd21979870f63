// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps queues busy and judges every completion: see load.h.
 *
 * That a buffer comes back once at most is seen to by vq_get_used(); that each
 * comes back is judged here, by a limit on silence.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "load.h"

/* Complaints about single requests; more would bury the first. */
#define SAY_MAX		8u

/**
 * load_init() - get memory for requests
 * @l:       to be filled
 * @k:       device, started
 * @depth:   requests of each queue
 * @len_max: most bytes of each
 */
void load_init(struct load *l, struct kvhost *k, unsigned int depth, u32 len_max)
{
	unsigned int i, n = depth * k->queues;

	*l = (struct load) {
		.k = k,
		.depth = depth,
		.r = calloc(n, sizeof(*l->r)),
		.idle = calloc(n, sizeof(*l->idle)),
		.n_idle = calloc(k->queues, sizeof(*l->n_idle)),
	};
	must(l->r && l->idle && l->n_idle, "out of memory");
	for (i = 0; i < n; i++) {
		blkreq_init(&l->r[i], &k->mem, i % GMEM_REGIONS, len_max);
		l->idle[i / depth * depth + l->n_idle[i / depth]++] = &l->r[i];
	}
}

/**
 * load_free() - undo load_init()
 * @l: no request in flight
 */
void load_free(struct load *l)
{
	free(l->r);
	free(l->idle);
	free(l->n_idle);
}

/**
 * load_fill() - write the pattern to a disk
 * @fd:      the disk
 * @sectors: how much of it, from its start
 */
void load_fill(int fd, u64 sectors)
{
	const size_t step = 1 << 20;
	u64 at, end = sectors * 512;
	u8 *buf = malloc(step);
	size_t n;

	must(buf, "out of memory");
	for (at = 0; at < end; at += n) {
		n = end - at < step ? end - at : step;
		blk_pattern(buf, n, at, LOAD_SEED);
		must(pwrite(fd, buf, n, at) == (ssize_t)n, "filling the disk: %m");
	}
	must(!fsync(fd), "filling the disk: %m");
	free(buf);
}

static void submit(struct load *l, unsigned int i, const struct load_opts *o)
{
	struct blkreq *r = l->idle[i * l->depth + --l->n_idle[i]];
	u64 sector = random() % (o->sectors / o->unit) * o->unit;
	bool write = random() % 100 >= o->reads;
	u32 len = (random() % (o->len_max / 512) + 1) * 512;

	if (sector * 512 + len > o->sectors * 512)
		len = (o->sectors - sector) * 512;
	blkreq_set(r, write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, sector, len);
	if (write)
		blk_pattern(gmem_va(r->mem, r->data), len, sector * 512, LOAD_SEED);
	must(blkreq_submit(r, &l->k->q[i], NULL) >= 0, "ring full");
}

/* Return: NULL, or what is wrong with a request that came back. */
static const char *judge(const struct load_opts *o, const struct blkreq *r, u32 used_len)
{
	enum load_expect want = o->expect ? o->expect(o->arg, r) : LOAD_OK;
	u8 status = blkreq_status(r);

	if (status == VIRTIO_BLK_S_OK) {
		if (want == LOAD_IOERR)
			return "was to fail";
		if (!r->out && !blk_is_pattern(gmem_va(r->mem, r->data), r->len,
					       r->sector * 512, LOAD_SEED))
			return "read something else";
		return used_len == (r->out ? 1 : r->len + 1) ? NULL : "wrong used length";
	}
	if (status != VIRTIO_BLK_S_IOERR)
		return "neither OK nor IOERR";
	if (want == LOAD_OK)
		return "was to succeed";
	/* After a failed read nothing is known to be written before the status. */
	return used_len == r->out ? NULL : "wrong used length";
}

static void take_back(struct load *l, unsigned int i, const struct vq_used *u,
		      const struct load_opts *o)
{
	struct blkreq *r = u->cookie;
	u8 status = blkreq_status(r);
	const char *wrong = judge(o, r, u->len);

	l->ok += status == VIRTIO_BLK_S_OK;
	l->ioerr += status == VIRTIO_BLK_S_IOERR;
	l->failed += status == VIRTIO_BLK_S_IOERR;
	if (wrong && l->wrong++ < SAY_MAX)
		fprintf(stderr, "# %s of %u bytes at sector %llu: %s: status %u, used length %u\n",
			r->out ? "write" : "read", r->len, r->sector, wrong, status, u->len);
	l->idle[i * l->depth + l->n_idle[i]++] = r;
}

/* Sleep until any queue has something. Return: false after the limit. */
static bool wait_any(struct kvhost *k)
{
	struct pollfd p[KVHOST_BLK_QUEUES_MAX];
	unsigned int i;

	for (i = 0; i < k->queues; i++) {
		p[i] = (struct pollfd) { .fd = k->q[i].call_fd, .events = POLLIN };
		vq_arm(&k->q[i]);
		if (vq_has_used(&k->q[i]))
			return true;
	}
	if (poll(p, k->queues, LIMIT_MS) <= 0)
		return false;
	for (i = 0; i < k->queues; i++)
		eventfd_take(k->q[i].call_fd);
	return true;
}

/**
 * load_run() - keep all queues full until so many requests are done
 * @l: requests, none in flight
 * @o: what to do
 *
 * Return: whether every request came back and to what it should.
 */
bool load_run(struct load *l, const struct load_opts *o)
{
	unsigned int begun = 0, done = 0, before, i;
	struct vq_used u;

	l->ok = 0;
	l->ioerr = 0;
	l->wrong = 0;
	while (done < o->total) {
		before = done;
		for (i = 0; i < l->k->queues; i++) {
			for (; begun < o->total && l->n_idle[i]; begun++)
				submit(l, i, o);
			while (vq_get_used(&l->k->q[i], &u)) {
				take_back(l, i, &u, o);
				done++;
				if (o->step)
					o->step(o->arg, done);
			}
		}
		if (done == before && !wait_any(l->k)) {
			fprintf(stderr, "# %u of %u requests did not come back within %d ms\n",
				begun - done, begun, LIMIT_MS);
			return false;
		}
	}
	return !l->wrong;
}
