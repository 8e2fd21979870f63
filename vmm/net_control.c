// SPDX-License-Identifier: GPL-2.0
/*
 * net_control.c - the control queue (5.1.6.5): its commands are carried out by
 * the main thread, whoever processes the other queues.
 *
 * A command is copied out of guest RAM once, and only the copy is used. It gets
 * one byte of answer; one that has no room for it is malformed.
 *
 * Everything runs with vm_lock() held; the event loop's callback takes it.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "dev_net.h"
#include "event.h"
#include "loop.h"
#include "memory.h"
#include "util.h"

/* Commands per turn of the event loop. */
#define TURN		16

/* More than any command has: a table of many addresses is the longest. */
#define COMMAND_BYTES	16384u

static int copy_command(const struct guest_memory *mem, const struct kvh_seg *segs,
			const struct kvh_chain *chain, uint8_t *to)
{
	unsigned int i;

	for (i = 0; i < chain->n_read; i++) {
		const void *from = memory_at(mem, segs[i].addr, segs[i].len);

		if (!from)
			return -EFAULT;
		memcpy(to, from, segs[i].len);
		to += segs[i].len;
	}
	return 0;
}

/* Return: 0, or -EFAULT for a command that cannot be read or answered. */
static int run(struct dev_net *net, const struct kvh_seg *segs,
	       struct kvh_chain *chain)
{
	static uint8_t command[COMMAND_BYTES];
	struct net_control *c = &net->control;
	const struct guest_memory *mem = net->setup.mem;
	uint8_t *ack;
	bool good = false;

	segs += chain->first;
	ack = chain->n_write ? memory_at(mem, segs[chain->n_read].addr, 1) : NULL;
	if (!ack)
		return -EFAULT;
	if (chain->read_len <= sizeof(command)) {
		if (copy_command(mem, segs, chain, command))
			return -EFAULT;
		good = net_command_run(net, command, chain->read_len);
	}
	c->commands += good;
	c->errors += !good;
	*ack = good ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
	chain->written = 1;
	return 0;
}

static void serve(struct dev_net *net)
{
	static struct kvh_seg segs[KVH_CHAIN_SEGS_MAX];
	struct kvh_env env = { .mem = net->setup.mem };
	struct net_ring *r = &net->control.ring;
	struct kvh_chain chain;
	unsigned int budget = TURN;
	int n = 0;

	while (budget) {
		n = net_ring_take(r, &env, net->err_fd, &chain, 1, segs,
				  KVH_CHAIN_SEGS_MAX);
		if (n < 0 || (!n && !kvh_ring_enable_kick(&r->ring)))
			break;
		if (!n)
			continue;
		chain.written = 0;
		if (run(net, segs, &chain))
			net_ring_break(r, net->err_fd, KVH_FAULT_NONE);
		net_ring_complete(r, &chain);
		budget--;
	}
	net_ring_flush(r);
	if (!budget)
		event_raise(r->kick_fd);
}

static void kicked(void *opaque, int fd, uint32_t events)
{
	struct dev_net *net = opaque;
	struct net_control *c = &net->control;

	vm_lock(net->vm);
	/* The queue may have been stopped while this call was on its way. */
	if (c->live && c->ring.kick_fd == fd && event_clear(fd)) {
		c->ring.stats.kicks++;
		serve(net);
	}
	vm_unlock(net->vm);
}

/**
 * net_control_start() - serve the control queue
 * @net: the device, its features negotiated
 * @vq:  the queue
 *
 * Return: 0, -ENOMEM, or -errno of the ring code or the event loop.
 */
int net_control_start(struct dev_net *net, const struct virtio_queue *vq)
{
	struct net_control *c = &net->control;
	int ret = net_ring_open(&c->ring, net->setup.mem, net->features, vq);

	if (ret)
		return ret;
	ret = loop_add(vm_loop(net->vm), vq->kick_fd, EPOLLIN, kicked, net);
	if (ret)
		net_ring_close(&c->ring);
	c->live = !ret;
	return ret;
}

/**
 * net_control_stop() - undo net_control_start()
 * @net: the device
 */
void net_control_stop(struct dev_net *net)
{
	struct net_control *c = &net->control;

	if (!c->live)
		return;
	c->live = false;
	loop_del(vm_loop(net->vm), c->ring.kick_fd);
	net_ring_close(&c->ring);
}
