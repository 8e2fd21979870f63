// SPDX-License-Identifier: GPL-2.0
/*
 * ring.c - the verbs of ring.h, for either layout.
 *
 * What both layouts share is decided here: parameters, the stickiness of
 * faults, the count of buffers in flight, the forced signal after a position
 * was restored. The rest is a direct call into split.c, packed.c or order.c;
 * nothing here goes through a pointer.
 *
 * Called by the device core, the VMM's userspace backends and the tests, by
 * one thread at a time for each ring.
 */
#include "chain.h"
#include "order.h"
#include "packed.h"
#include "split.h"

#define SPLIT_DESC_ALIGN	16u
#define SPLIT_DRIVER_ALIGN	2u
#define PACKED_EVENT_ALIGN	4u

#define PACKED_FRESH		0x80008000u

static bool size_valid(enum kvh_ring_layout layout, u32 size)
{
	if (!size || size > KVH_RING_SIZE_MAX)
		return false;
	return layout == KVH_RING_PACKED || !(size & (size - 1));
}

/**
 * kvh_ring_desc_bytes() - length of the descriptor table or ring
 * @layout: split or packed
 * @size:   number of descriptors
 *
 * Context: Any.
 * Return: Bytes, or 0 for a size the layout does not allow.
 */
size_t kvh_ring_desc_bytes(enum kvh_ring_layout layout, u32 size)
{
	return size_valid(layout, size) ? KVH_DESC_BYTES * (size_t)size : 0;
}

/**
 * kvh_ring_driver_bytes() - length of the avail ring or driver event structure
 * @layout: split or packed
 * @size:   number of descriptors
 *
 * Context: Any.
 * Return: Bytes with the event word, or 0 for a size the layout does not allow.
 */
size_t kvh_ring_driver_bytes(enum kvh_ring_layout layout, u32 size)
{
	if (!size_valid(layout, size))
		return 0;
	return layout == KVH_RING_PACKED ? 4 : 6 + 2 * (size_t)size;
}

/**
 * kvh_ring_device_bytes() - length of the used ring or device event structure
 * @layout: split or packed
 * @size:   number of descriptors
 *
 * Context: Any.
 * Return: Bytes with the event word, or 0 for a size the layout does not allow.
 */
size_t kvh_ring_device_bytes(enum kvh_ring_layout layout, u32 size)
{
	if (!size_valid(layout, size))
		return 0;
	return layout == KVH_RING_PACKED ? 4 : 6 + 8 * (size_t)size;
}

static bool aligned(const void *p, u32 to)
{
	return p && !((size_t)p % to);
}

static bool config_valid(const struct kvh_ring_config *cfg)
{
	bool packed = cfg->layout == KVH_RING_PACKED;

	if (!packed && cfg->layout != KVH_RING_SPLIT)
		return false;
	if (!size_valid(cfg->layout, cfg->size))
		return false;
	if (!aligned(cfg->desc, SPLIT_DESC_ALIGN) ||
	    !aligned(cfg->driver,
		     packed ? PACKED_EVENT_ALIGN : SPLIT_DRIVER_ALIGN) ||
	    !aligned(cfg->device, PACKED_EVENT_ALIGN))
		return false;
	if (cfg->indirect && !cfg->table)
		return false;
	return !cfg->in_order || cfg->order;
}

/**
 * kvh_ring_init() - make a ring at the position of a fresh queue
 * @r:   the ring, whatever it was before
 * @cfg: what to make it from
 *
 * Touches no guest memory.
 *
 * Context: Any; nobody else uses @r.
 * Return: 0, or -EINVAL for an unknown layout, a size the layout does not
 * allow, an address that is missing or not aligned as 2.7 and 2.8.10.1 ask, or
 * a feature whose private memory is missing.
 */
int kvh_ring_init(struct kvh_ring *r, const struct kvh_ring_config *cfg)
{
	u32 i;

	if (!config_valid(cfg))
		return -EINVAL;

	*r = (struct kvh_ring){
		.layout = cfg->layout,
		.event_idx = cfg->event_idx,
		.indirect = cfg->indirect,
		.in_order = cfg->in_order,
		.size = cfg->size,
		.desc = cfg->desc,
		.driver = cfg->driver,
		.device = cfg->device,
		.table = cfg->table,
		.order = cfg->order,
	};
	if (r->layout == KVH_RING_PACKED)
		kvh_packed_set_base(r, PACKED_FRESH);
	if (r->in_order)
		for (i = 0; i < r->size; i++)
			r->order[i].done = 0;
	return 0;
}

/**
 * kvh_ring_set_base() - continue at a given position
 * @r:    a ring just initialised
 * @base: what kvh_ring_base() gave. Split: avail index. Packed: avail position
 *        in the lower, used position in the upper half, each a slot and in bit
 *        15 its wrap counter; an upper half of zero stands for the lower half
 *
 * A split ring's used position is not part of @base: it is read from the used
 * ring, here and never again. Whether the driver was signalled before is not
 * known, so the next signal is sent unasked.
 *
 * Context: Any; nobody else uses @r.
 * Return: 0; -EINVAL for a position outside the ring; -EPROTO for a used ring
 * that claims more buffers in flight than the queue holds, which is a fault.
 */
int kvh_ring_set_base(struct kvh_ring *r, u32 base)
{
	int err;

	err = r->layout == KVH_RING_PACKED ? kvh_packed_set_base(r, base) :
					     kvh_split_set_base(r, base);
	if (!err)
		r->signal_due = true;
	return err;
}

/**
 * kvh_ring_move() - go on with the same ring at another place in memory
 * @r:   a ring whose memory was unmapped, buffers being in flight or not
 * @cfg: where it is now; nothing else has changed
 *
 * Context: Owner of @r.
 */
void kvh_ring_move(struct kvh_ring *r, const struct kvh_ring_config *cfg)
{
	r->desc = cfg->desc;
	r->driver = cfg->driver;
	r->device = cfg->device;
	r->kick = KVH_KICK_UNKNOWN;
	r->signal_due = true;
}

/**
 * kvh_ring_base() - the position, for kvh_ring_set_base() of another ring
 * @r: the ring
 *
 * Buffers in flight are behind the position: complete and publish them first.
 *
 * Context: Owner of @r.
 * Return: The position, encoded as for kvh_ring_set_base().
 */
u32 kvh_ring_base(const struct kvh_ring *r)
{
	return r->layout == KVH_RING_PACKED ? kvh_packed_base(r) : r->avail;
}

/* The errno of a ring found faulty before; the caller knows from now on. */
static int refuse(struct kvh_ring *r)
{
	r->fault_told = true;
	return kvh_chain_errno(r->fault);
}

/**
 * kvh_ring_take() - take a batch of available buffers, validated
 * @r:          the ring
 * @env:        passed on to kvh_env_read_guest()
 * @chains:     receives the buffers, in the order they were made available
 * @max_chains: places in @chains
 * @segs:       receives their segments, each buffer's readable ones first
 * @max_segs:   places in @segs, above 0
 *
 * The batch ends at a buffer whose segments do not fit behind those before it;
 * nothing of it is consumed. A single buffer may have KVH_CHAIN_SEGS_MAX
 * segments, or @max_segs if that is less: one with more is a fault. A segment
 * has at least one byte, ends below 2^64 and is not looked up in guest memory.
 *
 * A fault behind good buffers is told by the next call.
 *
 * Context: Owner of @r.
 * Return: Number of buffers, 0 if none is available; -EPROTO for a malformed
 * ring, -EBADMSG for a malformed chain, both sticky, see @fault; -EAGAIN if
 * kvh_env_read_guest() said so for the first buffer.
 */
int kvh_ring_take(struct kvh_ring *r, struct kvh_env *env,
		  struct kvh_chain *chains, unsigned int max_chains,
		  struct kvh_seg *segs, unsigned int max_segs)
{
	int n;

	if (unlikely(r->fault))
		return refuse(r);
	n = r->layout == KVH_RING_PACKED ?
		kvh_packed_take(r, env, chains, max_chains, segs, max_segs) :
		kvh_split_take(r, env, chains, max_chains, segs, max_segs);
	/* A buffer whose table cannot be read yet stays, as one put back does. */
	r->stalled = n == -EAGAIN;
	if (likely(n > 0))
		r->in_flight += n;
	return n;
}

/**
 * kvh_ring_untake() - put back the buffers taken last
 * @r:      the ring
 * @chains: the buffers taken last, in the order they were taken
 * @n:      how many
 *
 * They are the first that the next take finds. Until then they do not make
 * kvh_ring_enable_kick() answer yes, nor do those behind them once it has told
 * of these: a backend that cannot use what there is sleeps until there is more.
 *
 * Context: Owner of @r.
 */
void kvh_ring_untake(struct kvh_ring *r, const struct kvh_chain *chains,
		     unsigned int n)
{
	if (!n)
		return;
	if (r->layout == KVH_RING_PACKED)
		kvh_packed_untake(r, chains, n);
	else
		kvh_split_untake(r, n);
	r->in_flight -= n;
	r->stalled = true;
	/* A fault nobody was told of lies behind them and is found again. */
	if (!r->fault_told)
		r->fault = KVH_FAULT_NONE;
}

/**
 * kvh_ring_complete() - give buffers back, not yet visible to the driver
 * @r:      the ring
 * @chains: buffers taken before, @written filled in, in any order
 * @n:      how many
 *
 * With IN_ORDER the driver sees them in the order they were taken in.
 *
 * Context: Owner of @r.
 */
void kvh_ring_complete(struct kvh_ring *r, const struct kvh_chain *chains,
		       unsigned int n)
{
	r->in_flight -= n;
	if (r->in_order)
		kvh_order_complete(r, chains, n);
	else if (r->layout == KVH_RING_PACKED)
		kvh_packed_complete(r, chains, n);
	else
		kvh_split_complete(r, chains, n);
}

/**
 * kvh_ring_publish() - show the driver all that was completed
 * @r: the ring
 *
 * Context: Owner of @r.
 * Return: Whether anything became visible; if so, ask kvh_ring_need_signal().
 */
bool kvh_ring_publish(struct kvh_ring *r)
{
	if (r->in_order)
		kvh_order_flush(r);
	return r->layout == KVH_RING_PACKED ? kvh_packed_publish(r) :
					      kvh_split_publish(r);
}

/**
 * kvh_ring_need_signal() - does the driver want to be signalled
 * @r: the ring
 *
 * Speaks of all that was published since it was asked last.
 *
 * Context: Owner of @r, after kvh_ring_publish() answered yes.
 * Return: Whether it does.
 */
bool kvh_ring_need_signal(struct kvh_ring *r)
{
	bool need = r->layout == KVH_RING_PACKED ? kvh_packed_need_signal(r) :
						   kvh_split_need_signal(r);

	if (unlikely(r->signal_due)) {
		r->signal_due = false;
		return true;
	}
	return need;
}

/**
 * kvh_ring_disable_kick() - tell the driver that it need not kick
 * @r: the ring
 *
 * A hint; kicks may still come.
 *
 * Context: Owner of @r.
 */
void kvh_ring_disable_kick(struct kvh_ring *r)
{
	if (r->kick == KVH_KICK_OFF)
		return;
	if (r->layout == KVH_RING_PACKED)
		kvh_packed_disable_kick(r);
	else
		kvh_split_disable_kick(r);
	r->kick = KVH_KICK_OFF;
}

/**
 * kvh_ring_enable_kick() - ask for a kick at the next buffer, and look again
 * @r: the ring
 *
 * Context: Owner of @r, after all that was completed is published.
 * Return: Whether there is work already, for which no kick may come: buffers
 * not known yet where some were put back since the last take, or a fault not
 * told yet. So who puts back all that is offered is sent back but once.
 */
bool kvh_ring_enable_kick(struct kvh_ring *r)
{
	bool work = r->layout == KVH_RING_PACKED ? kvh_packed_enable_kick(r) :
						   kvh_split_enable_kick(r);

	r->kick = KVH_KICK_ON;
	return r->fault ? !r->fault_told : work;
}

/**
 * kvh_ring_has_avail() - is there something to take
 * @r: the ring
 *
 * Cheap enough to poll. Buffers put back count.
 *
 * Context: Owner of @r.
 * Return: Whether kvh_ring_take() would find a buffer or a fault not told yet.
 */
bool kvh_ring_has_avail(struct kvh_ring *r)
{
	if (unlikely(r->fault))
		return !r->fault_told;
	return r->layout == KVH_RING_PACKED ? kvh_packed_has_avail(r) :
					      kvh_split_has_avail(r);
}

static const char *const fault_names[KVH_FAULT_NR] = {
	[KVH_FAULT_NONE] = "none",
	[KVH_FAULT_AVAIL_JUMP] = "avail-jump",
	[KVH_FAULT_HEAD_RANGE] = "head-range",
	[KVH_FAULT_NEXT_RANGE] = "next-range",
	[KVH_FAULT_LOOP] = "loop",
	[KVH_FAULT_TOO_LONG] = "too-long",
	[KVH_FAULT_ZERO_LEN] = "zero-len",
	[KVH_FAULT_ADDR_WRAP] = "addr-wrap",
	[KVH_FAULT_TOTAL_LEN] = "total-len",
	[KVH_FAULT_ORDER] = "order",
	[KVH_FAULT_INDIRECT_OFF] = "indirect-off",
	[KVH_FAULT_INDIRECT_NEST] = "indirect-nest",
	[KVH_FAULT_INDIRECT_NEXT] = "indirect-next",
	[KVH_FAULT_INDIRECT_LEN] = "indirect-len",
	[KVH_FAULT_INDIRECT_READ] = "indirect-read",
	[KVH_FAULT_PARTIAL] = "partial",
	[KVH_FAULT_ID_RANGE] = "id-range",
};

/**
 * kvh_ring_fault_name() - a word for a fault, for counters and tracepoints
 * @fault: the fault
 *
 * Context: Any.
 * Return: The word; "unknown" for a value that is none.
 */
const char *kvh_ring_fault_name(enum kvh_ring_fault fault)
{
	return (u32)fault < KVH_FAULT_NR ? fault_names[fault] : "unknown";
}
