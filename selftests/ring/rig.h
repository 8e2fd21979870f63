/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring under test, a driver in front of it, and a watch on both.
 *
 * Every access the ring code makes is checked by the rig: it lies in the part
 * of the ring it may touch, it is a store only where the device may store, and
 * no word is fetched twice within one request. A test adds a turn of its own
 * to rewrite memory between two accesses.
 *
 * A failed CHECK() prints where and ends the test.
 */
#ifndef RIG_H
#define RIG_H

#include "drv.h"
#include "ring.h"

#define RIG_CHAINS	1024u
#define RIG_SEGS	4096u
#define RIG_GUEST_GPA	0x100000ull
#define RIG_TRACE	256u

/**
 * struct rig_opts - what the queue is like
 * @size:      descriptors; 0: 8
 * @event_idx: VIRTIO_F_EVENT_IDX
 * @indirect:  VIRTIO_F_INDIRECT_DESC
 * @in_order:  VIRTIO_F_IN_ORDER
 */
struct rig_opts {
	u32 size;
	bool event_idx;
	bool indirect;
	bool in_order;
};

/**
 * struct kvh_env - guest memory the ring code reads indirect tables from
 * @mem:   the memory, at RIG_GUEST_GPA
 * @bytes: its length
 * @fail:  errno to answer with, or 0
 * @reads: number of reads
 * @turn:  what the guest does after a read
 */
struct kvh_env {
	u8 *mem;
	u64 bytes;
	int fail;
	unsigned int reads;
	void (*turn)(void *dst, u32 len);
};

/**
 * struct rig_access - one access to ring memory
 * @part:   'd' descriptors, 'a' driver's part, 'u' device's part
 * @off:    offset in it
 * @bytes:  width
 * @store:  store or fetch
 */
struct rig_access {
	char part;
	u32 off;
	u32 bytes;
	bool store;
};

/**
 * struct rig - one queue and all that belongs to it
 * @ring:   under test
 * @cfg:    what it was made from
 * @drv:    its driver
 * @env:    guest memory
 * @chains: what was taken last
 * @segs:   their segments
 * @bytes:  lengths of the three ring parts
 * @stamps: by half-word of each ring part: request that last fetched it
 * @request: number of the request
 * @trace:  accesses since rig_trace()
 * @n_trace: how many; only the first RIG_TRACE are kept
 * @turn:   the test's own turn after each access
 * @count:  accesses since rig_trace()
 * @restoring: the used index may be read
 * @loops:  chains of a split ring may run through a descriptor twice
 */
struct rig {
	struct kvh_ring ring;
	struct kvh_ring_config cfg;
	struct drv drv;
	struct kvh_env env;
	struct kvh_chain chains[RIG_CHAINS];
	struct kvh_seg segs[RIG_SEGS];
	size_t bytes[3];
	u32 *stamps[3];
	u32 request;
	struct rig_access trace[RIG_TRACE];
	unsigned int n_trace;
	void (*turn)(struct rig *r, const struct rig_access *a);
	u32 count;
	bool restoring;
	bool loops;
};

struct rig *rig_new(enum kvh_ring_layout layout, struct rig_opts o);
void rig_free_all(void);
void rig_reinit(struct rig *r);
void rig_trace(struct rig *r);
void rig_seed(struct rig *r);
void rig_seed_test(void);
int rig_set_base(struct rig *r, u32 base);
bool rig_need_signal(struct rig *r);
bool rig_enable_kick(struct rig *r);
bool rig_has_avail(struct rig *r);

int rig_take(struct rig *r, unsigned int max);
void rig_finish(struct rig *r, const struct kvh_chain *chains, unsigned int n);
void rig_turn_around(struct rig *r, unsigned int n);
void rig_add1(struct rig *r, u32 len, bool write);

void rig_fail(const char *file, int line, const char *what);
extern unsigned long rig_checks;

#define CHECK(cond) do {						\
	rig_checks++;							\
	if (!(cond))							\
		rig_fail(__FILE__, __LINE__, #cond);			\
} while (0)

/**
 * struct rig_test - one promise
 * @id:   clause or attack it stands for
 * @name: the promise
 * @fn:   checks it
 * @only: 's' or 'p' if it speaks of one layout only
 */
struct rig_test {
	const char *id;
	const char *name;
	void (*fn)(enum kvh_ring_layout layout);
	char only;
};

extern const struct rig_test shape_tests[], event_tests[], order_tests[],
	state_tests[], lap_tests[], hostile_tests[], turn_tests[],
	diff_tests[];

#endif /* RIG_H */
