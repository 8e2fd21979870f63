// SPDX-License-Identifier: GPL-2.0
/*
 * Every ioctl of <linux/vhost.h> that vhost-net serves, right and wrong, in
 * every state of the device.
 *
 * The answer is the result, what can be read back afterwards, and whether a
 * queue that still has to work carries a packet.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest.h"
#include "table.h"

#define KERNEL_ADDR	0xffff888000000000ull

/* What is wrong with ring addresses or with a memory table. */
enum tweak {
	T_NONE,
	/* Ring addresses. */
	T_DESC_ODD, T_DESC_8, T_AVAIL_ODD, T_USED_ODD, T_USED_2, T_LOG_ODD, T_FLAGS, T_FLAGS_LOG,
	T_LOG_ADDR, T_OUTSIDE, T_NULL, T_DESC_KERNEL, T_AVAIL_KERNEL, T_USED_KERNEL, T_TOP,
	/* Memory tables. */
	T_PADDING, T_64, T_65, T_MAX, T_EMPTY, T_OVERLAP, T_TWICE, T_WRAP, T_KERNEL_VA, T_UA_WRAP,
	T_SIZE_0, T_ALL, T_SHORT, T_FLAGS_PADDING, T_ODD_SIZE,
};

/* What can be read back, in a few words. */
static void say_state(struct side *s, struct answer *a)
{
	static const unsigned long reqs[] = {
		VHOST_GET_VRING_BASE, VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
	};
	unsigned int i, j;

	for (i = 0; i < 2; i++)
		for (j = 0; j < ARRAY_SIZE(reqs); j++) {
			struct vhost_vring_state st = { .index = i, .num = 0x5a5a };
			int r = side_call(s, reqs[j], &st);

			say(a, r ? " %s" : "%s %u", r ? error_name(r) : "", st.num);
		}
	say(a, " owner %s", error_name(side_call(s, VHOST_SET_OWNER, NULL)));
}

static void *table_of(struct side *s, enum tweak t)
{
	static struct vhost_memory *m;
	struct vhost_memory_region *r;
	struct vhost_memory *good;
	static u8 *end;
	unsigned int i;

	if (!m) {
		m = calloc(1, sizeof(*m) + 65536 * sizeof(m->regions[0]));
		end = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(m && end != MAP_FAILED, "out of memory");
		munmap(end + 4096, 4096);
	}
	good = gmem_table(&s->p.k.mem);
	memcpy(m, good, sizeof(*m) + GMEM_REGIONS * sizeof(m->regions[0]));
	free(good);
	r = &m->regions[1];
	switch (t) {
	case T_PADDING:
		m->padding = 1;
		break;
	case T_FLAGS_PADDING:
		r->flags_padding = ~0ull;
		break;
	case T_64:
	case T_65:
	case T_MAX:
		m->nregions = t == T_64 ? 64 : t == T_65 ? 65 : 65535;
		for (i = GMEM_REGIONS; i < m->nregions; i++)
			m->regions[i] = (struct vhost_memory_region) {
				.guest_phys_addr = 1ull << 40 | (u64)i << 12,
				.memory_size = 4096,
				.userspace_addr = (unsigned long)s->p.k.mem.regions[0].va,
			};
		break;
	case T_EMPTY:
		m->nregions = 0;
		break;
	case T_OVERLAP:
		r->guest_phys_addr -= 4096;
		break;
	case T_TWICE:
		*r = m->regions[0];
		break;
	case T_WRAP:
		r->guest_phys_addr = ~0ull - 4095;
		r->memory_size = 8192;
		break;
	case T_KERNEL_VA:
		r->userspace_addr = KERNEL_ADDR;
		break;
	case T_UA_WRAP:
		r->userspace_addr = ~0ull - 4095;
		r->memory_size = 8192;
		break;
	case T_SIZE_0:
		r->memory_size = 0;
		break;
	case T_ALL:
		*r = (struct vhost_memory_region) { };
		break;
	case T_ODD_SIZE:
		r->guest_phys_addr += 1;
		r->memory_size -= 2;
		r->userspace_addr += 1;
		break;
	case T_SHORT:
		return memcpy(end + 4096 - sizeof(*m) - 8, m, sizeof(*m));
	default:
		break;
	}
	return m;
}

static void tweak_addr(struct vhost_vring_addr *a, enum tweak t)
{
	a->desc_user_addr += t == T_DESC_ODD ? 1 : t == T_DESC_8 ? 8 : 0;
	a->avail_user_addr += t == T_AVAIL_ODD;
	a->used_user_addr += t == T_USED_ODD ? 1 : t == T_USED_2 ? 2 : 0;
	a->flags = t == T_FLAGS ? 0x80 : t == T_FLAGS_LOG || t == T_LOG_ADDR;
	switch (t) {
	case T_LOG_ODD:
		a->log_guest_addr = 1;
		break;
	case T_LOG_ADDR:
		a->log_guest_addr = ~3ull;
		break;
	case T_OUTSIDE:
		a->used_user_addr = (unsigned long)state_names & ~3ul;
		break;
	case T_NULL:
		a->desc_user_addr = 0;
		break;
	case T_DESC_KERNEL:
		a->desc_user_addr = KERNEL_ADDR;
		break;
	case T_AVAIL_KERNEL:
		a->avail_user_addr = KERNEL_ADDR;
		break;
	case T_USED_KERNEL:
		a->used_user_addr = KERNEL_ADDR;
		break;
	case T_TOP:
		a->avail_user_addr = ~1ull;
		break;
	default:
		break;
	}
}

static int call(struct side *s, const struct row *row)
{
	struct vhost_vring_state st = { row->index, row->v };
	struct vhost_vring_worker w = { row->index, row->v };
	struct vhost_vring_file f = { .index = row->index };
	struct vhost_vring_addr a;
	u64 v = row->v;
	u32 v32 = v;
	u8 v8 = v;

	switch (row->arg) {
	case ARG_U8:
		return side_call(s, row->req, &v8);
	case ARG_U32:
		return side_call(s, row->req, &v32);
	case ARG_U64:
		return side_call(s, row->req, &v);
	case ARG_STATE:
		return side_call(s, row->req, &st);
	case ARG_FD:
		return side_call(s, row->req, &s->fds[row->v]);
	case ARG_WORKER:
		return side_call(s, row->req, &w);
	case ARG_FILE:
		f.fd = s->fds[row->v];
		return side_call(s, row->req, &f);
	case ARG_ADDR:
		side_addr(s, row->index, &a);
		tweak_addr(&a, row->v);
		return side_call(s, row->req, &a);
	case ARG_MEM:
		return side_call(s, row->req, table_of(s, row->v));
	default:
		return side_call(s, row->req, NULL);
	}
}

static void ask_call(struct side *s, const struct row *row, struct answer *a)
{
	say(a, "%s;", error_name(call(s, row)));
	say_state(s, a);
}

/* The call, then the backends: what is found wrong only when a queue starts. */
static void ask_start(struct side *s, const struct row *row, struct answer *a)
{
	unsigned int i;

	say(a, "%s,", error_name(call(s, row)));
	for (i = 0; i < 2; i++)
		say(a, " %s", error_name(side_backend(s, i, s->p.back)));
}

/* The call, then a packet each way. */
static void ask_carry(struct side *s, const struct row *row, struct answer *a)
{
	say(a, "%s,", error_name(call(s, row)));
	say(a, " %s", pair_works(&s->p) ? "carries" : "is mute");
}

/* A call made twice. */
static void ask_again(struct side *s, const struct row *row, struct answer *a)
{
	say(a, "%s,", error_name(call(s, row)));
	say(a, "%s", error_name(call(s, row)));
	say_state(s, a);
}

/* Pointers to nothing, beyond the end of a page, to the kernel, and read-only. */
static void ask_pointers(struct side *s, const struct row *row, struct answer *a)
{
	static u8 *page;
	unsigned int i;

	if (!page) {
		page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(page != MAP_FAILED, "out of memory");
		munmap(page + 4096, 4096);
		mprotect(page + 8192, 4096, PROT_READ);
	}
	void *const at[] = {
		NULL, (void *)8, (void *)KERNEL_ADDR, (void *)-1ul, page + 4096 - 2,
		page + 4096 - 4, page + 8192 - 4, page + 8192,
	};

	for (i = 0; i < ARRAY_SIZE(at); i++)
		say(a, "%s ", error_name(side_call(s, row->req, at[i])));
}

/* Every number of vhost's own type, in each direction, with zeroes as argument. */
static void ask_numbers(struct side *s, const struct row *row, struct answer *a)
{
	u64 hash = 0xcbf29ce484222325ull;
	unsigned int nr, served = 0;
	u8 zeroes[64] = { };
	int r;

	for (nr = 0; nr < 256; nr++) {
		unsigned long req = _IOC(row->v, VHOST_VIRTIO, nr, row->index);

		/* These have rows of their own. */
		if (req == VHOST_ATTACH_VRING_WORKER || req == VHOST_GET_VRING_WORKER ||
		    req == VHOST_SET_FEATURES || req == VHOST_SET_MEM_TABLE)
			continue;
		r = side_call(s, req, zeroes);
		served += r != -ENOTTY;
		hash = (hash ^ (u32)r) * 0x100000001b3ull;
	}
	say(a, "%u served, %#llx;", served, hash);
	say_state(s, a);
}

#include "calls_rows.h"

/* Kinds of file that are asked of each call that takes a descriptor, by queue. */
static const struct {
	u32 index;
	enum fd_kind kind;
} files[] = {
	{ 0, FD_EVENTFD }, { 1, FD_EVENTFD }, { 2, FD_EVENTFD }, { 0xffffffff, FD_EVENTFD },
	{ 0, FD_TAP }, { 0, FD_TAP_2 }, { 1, FD_TAP_2 }, { 2, FD_TAP }, { 1, FD_PACKET },
	{ 0, FD_PACKET_DGRAM }, { 0, FD_TUN_NEW }, { 0, FD_PIPE }, { 1, FD_FILE }, { 0, FD_DIR },
	{ 1, FD_PATH }, { 0, FD_UNIX }, { 1, FD_UDP }, { 0, FD_RAW_IP }, { 1, FD_NETLINK },
	{ 0, FD_VHOST }, { 1, FD_KVHOST }, { 0, FD_SELF }, { 1, FD_CLOSED }, { 0, FD_MINUS1 },
	{ 1, FD_MINUS1 }, { 2, FD_MINUS1 }, { 0, FD_MINUS2 }, { 1, FD_HUGE },
};

static const u32 indices[] = { 0, 1, 2, 3, 0x80000000, 0xffffffff };

#define EACH_FILE	(ARRAY_SIZE(file_calls) * ARRAY_SIZE(files))
#define EACH_INDEX	(ARRAY_SIZE(state_calls) * ARRAY_SIZE(indices))

static struct row all[ARRAY_SIZE(rows) + EACH_FILE + EACH_INDEX];
static char names[EACH_FILE + EACH_INDEX][80];

static void add_files(unsigned int *n, char (*name)[80])
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(file_calls); i++)
		for (j = 0; j < ARRAY_SIZE(files); j++, name++) {
			snprintf(*name, sizeof(*name), "%s, queue %u, %s", file_calls[i].name,
				 files[j].index, fd_names[files[j].kind]);
			all[*n] = file_calls[i];
			all[*n].name = *name;
			all[*n].index = files[j].index;
			all[(*n)++].v = files[j].kind;
		}
}

static void add_indices(unsigned int *n, char (*name)[80])
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(state_calls); i++)
		for (j = 0; j < ARRAY_SIZE(indices); j++, name++) {
			snprintf(*name, sizeof(*name), "%s %llu, queue %u", state_calls[i].name,
				 state_calls[i].v, indices[j]);
			all[*n] = state_calls[i];
			all[*n].name = *name;
			all[(*n)++].index = indices[j];
		}
}

int main(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(rows); n++)
		all[n] = rows[n];
	add_files(&n, names);
	add_indices(&n, names + EACH_FILE);
	table_run(all, n);
}
