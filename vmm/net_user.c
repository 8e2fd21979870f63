// SPDX-License-Identifier: GPL-2.0
/*
 * net_user.c - queues processed by a thread of this process.
 *
 * One I/O thread per device. It sleeps in poll() on the port, the doorbells it
 * wants and an eventfd, and moves packets with readv() and writev() between the
 * port and guest memory. Nothing it does takes long or is left under way, so
 * one lock is all there is: the thread holds it while it is at work, vCPU threads
 * take it, under vm_lock(), to start and stop queues. A mutex is not fair, so the
 * thread stands back while others want it.
 *
 * The thread never takes vm_lock(), and tells of a broken queue by an eventfd.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "net_features.h"
#include "net_user.h"
#include "sandbox.h"
#include "util.h"
#include "virtio.h"

/* Of a pair: port, receive doorbell, transmit doorbell. */
#define FDS_PER_PAIR	3

static struct net_user *to_user(struct net_backend *backend)
{
	return container_of(backend, struct net_user, base);
}

/* --- I/O thread --- */

/**
 * net_user_gone() - a queue of the port cannot be used any more
 * @u:   the device
 * @p:   the pair
 * @err: what it said
 *
 * Context: I/O thread, lock held.
 */
void net_user_gone(struct net_user *u, struct net_user_pair *p, int err)
{
	if (p->gone)
		return;
	p->gone = true;
	log_warn("%s: %s: %s", u->setup->name, u->setup->port->ifname,
		 strerror(err));
	__atomic_store_n(&u->setup->gone, true, __ATOMIC_RELEASE);
	event_raise(u->setup->err_fd);
}

static void lock_turn(struct net_user *u)
{
	pthread_mutex_lock(&u->lock);
	while (__atomic_load_n(&u->want, __ATOMIC_ACQUIRE))
		pthread_cond_wait(&u->calm, &u->lock);
}

static void want(struct pollfd *p, int fd, short events)
{
	/* Even without events poll() would report errors, again and again. */
	p->fd = events ? fd : -1;
	p->events = events;
	p->revents = 0;
}

/* What to sleep on. */
static void fill(struct net_user *u, struct pollfd *fds)
{
	unsigned int i;

	for (i = 0; i < u->npairs; i++, fds += FDS_PER_PAIR) {
		struct net_user_pair *p = &u->pair[i];
		bool on = i < u->active && !p->gone;
		short events = 0;

		if (on && p->rx.running && !p->rx.starved && !p->rx.readable &&
		    !p->rx.ring.broken)
			events |= POLLIN;
		if (on && p->tx.running && p->tx.blocked)
			events |= POLLOUT;
		want(&fds[0], p->fd, events);
		want(&fds[1], p->rx.ring.kick_fd,
		     p->rx.running && p->rx.starved ? POLLIN : 0);
		want(&fds[2], p->tx.ring.kick_fd,
		     p->tx.running && !p->tx.work && !p->tx.ring.broken ? POLLIN : 0);
	}
}

static void woken(struct net_user *u, const struct pollfd *fds)
{
	unsigned int i;

	for (i = 0; i < u->npairs; i++, fds += FDS_PER_PAIR) {
		struct net_user_pair *p = &u->pair[i];

		if (fds[0].revents & ~POLLOUT)
			p->rx.readable = true;
		if (fds[0].revents & ~POLLIN)
			p->tx.blocked = false;
		if (fds[1].revents && event_clear(fds[1].fd)) {
			p->rx.ring.stats.kicks++;
			p->rx.starved = false;
		}
		if (fds[2].revents && event_clear(fds[2].fd)) {
			p->tx.ring.stats.kicks++;
			p->tx.work = true;
		}
	}
}

static bool turn(struct net_user *u)
{
	bool more = false;
	unsigned int i;

	for (i = 0; i < u->npairs; i++) {
		struct net_user_pair *p = &u->pair[i];

		if (u->stream && !p->tx.blocked && !p->gone &&
		    net_stream_flush(u->stream, p->fd) == -EAGAIN)
			p->tx.blocked = true;
		more |= net_tx_serve(u, p);
		if (i < u->active)
			more |= net_rx_serve(u, p);
	}
	return more;
}

static void *io_thread(void *arg)
{
	struct net_user *u = arg;
	unsigned int nfds = 1 + FDS_PER_PAIR * u->npairs;
	struct pollfd fds[1 + FDS_PER_PAIR * OPTIONS_NET_PAIRS_MAX];
	bool more, quit;

	do {
		lock_turn(u);
		more = turn(u);
		fds[0] = (struct pollfd) { .fd = u->control_fd, .events = POLLIN };
		fill(u, fds + 1);
		quit = u->quit;
		pthread_mutex_unlock(&u->lock);
		if (quit || poll(fds, nfds, more ? 0 : -1) <= 0)
			continue;
		if (fds[0].revents)
			event_clear(u->control_fd);
		lock_turn(u);
		woken(u, fds + 1);
		pthread_mutex_unlock(&u->lock);
	} while (!quit);
	return NULL;
}

/* --- vCPU threads, vm_lock() held --- */

static void lock(struct net_user *u)
{
	__atomic_add_fetch(&u->want, 1, __ATOMIC_ACQ_REL);
	pthread_mutex_lock(&u->lock);
}

/* Lets the thread see what was changed. */
static void unlock(struct net_user *u)
{
	if (!__atomic_sub_fetch(&u->want, 1, __ATOMIC_ACQ_REL))
		pthread_cond_signal(&u->calm);
	pthread_mutex_unlock(&u->lock);
	event_raise(u->control_fd);
}

static int start(struct net_backend *backend, uint64_t features)
{
	struct net_user *u = to_user(backend);

	lock(u);
	u->features = features;
	unlock(u);
	return 0;
}

static int queue_start(struct net_backend *backend,
		       const struct virtio_queue *vq)
{
	struct net_user *u = to_user(backend);
	struct net_user_pair *p = &u->pair[vq->index / 2];
	bool is_tx = vq->index % 2;
	int ret;

	lock(u);
	ret = net_ring_open(is_tx ? &p->tx.ring : &p->rx.ring, u->env.mem,
			    u->features, vq);
	if (!ret && is_tx) {
		p->tx.running = true;
		p->tx.work = true;
	} else if (!ret) {
		net_rx_start(&p->rx);
	}
	unlock(u);
	return ret;
}

static void queue_stop(struct net_backend *backend,
		       const struct virtio_queue *vq)
{
	struct net_user *u = to_user(backend);
	struct net_user_pair *p = &u->pair[vq->index / 2];

	lock(u);
	if (vq->index % 2) {
		p->tx.running = false;
		net_ring_close(&p->tx.ring);
	} else {
		net_rx_stop(&p->rx);
		net_ring_close(&p->rx.ring);
	}
	unlock(u);
}

static void set_pairs(struct net_backend *backend, unsigned int pairs)
{
	struct net_user *u = to_user(backend);
	unsigned int i;

	lock(u);
	/* What came while nobody looked. */
	for (i = u->active; i < pairs; i++)
		u->pair[i].rx.readable = true;
	u->active = pairs;
	unlock(u);
}

static void set_filter(struct net_backend *backend,
		       const struct net_filter *filter)
{
	struct net_user *u = to_user(backend);

	lock(u);
	u->filter = *filter;
	unlock(u);
}

static int stats(struct net_backend *backend, unsigned int index,
		 struct kvhost_vring_stats *st)
{
	struct net_user *u = to_user(backend);
	struct net_user_pair *p = &u->pair[index / 2];

	lock(u);
	*st = index % 2 ? p->tx.ring.stats : p->rx.ring.stats;
	unlock(u);
	st->index = index;
	return 0;
}

static void status(struct net_backend *backend, FILE *out)
{
	struct net_user *u = to_user(backend);
	unsigned int i;

	lock(u);
	for (i = 0; i < u->npairs; i++) {
		fprintf(out, "queue%u.dropped=%" PRIu64 "\n", 2 * i,
			u->pair[i].rx.dropped);
		fprintf(out, "queue%u.filtered=%" PRIu64 "\n", 2 * i,
			u->pair[i].rx.filtered);
		fprintf(out, "queue%u.dropped=%" PRIu64 "\n", 2 * i + 1,
			u->pair[i].tx.dropped);
	}
	unlock(u);
}

static void destroy(struct net_backend *backend)
{
	struct net_user *u = to_user(backend);

	if (u->started) {
		lock(u);
		u->quit = true;
		unlock(u);
		sandbox_thread_join(u->thread);
	}
	if (u->control_fd >= 0)
		close(u->control_fd);
	pthread_mutex_destroy(&u->lock);
	pthread_cond_destroy(&u->calm);
	free(u->stream);
	free(u);
}

static const struct net_backend_ops ops = {
	.start = start,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.set_pairs = set_pairs,
	.set_filter = set_filter,
	.stats = stats,
	.status = status,
	.destroy = destroy,
};

static int create_thread(struct net_user *u)
{
	char name[16];
	int ret = sandbox_thread_create(&u->thread, SANDBOX_NET, io_thread, u);

	if (ret) {
		log_error("%s: no I/O thread: %s", u->setup->name,
			  strerror(-ret));
		return ret;
	}
	u->started = true;
	snprintf(name, sizeof(name), "io-%.12s", u->setup->name);
	pthread_setname_np(u->thread, name);
	return 0;
}

/**
 * net_user_create() - serve a network device from a thread of this process
 * @backend: filled in
 * @setup:   what interface, and whose memory
 *
 * Context: main thread, before the sandbox.
 * Return: 0, -ENOMEM, or -errno of eventfd() or pthread_create().
 */
int net_user_create(struct net_backend **backend, struct net_setup *setup)
{
	const struct net_port *port = setup->port;
	struct net_user *u;
	unsigned int i;
	int ret = 0;

	u = calloc(1, sizeof(*u) + port->nfds * sizeof(u->pair[0]));
	if (!u)
		return -ENOMEM;
	u->base.ops = &ops;
	u->base.features = VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			   VIRTIO_BIT(VIRTIO_F_RING_RESET) |
			   VIRTIO_BIT(VIRTIO_F_RING_PACKED) |
			   VIRTIO_BIT(VIRTIO_F_IN_ORDER) |
			   VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			   VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) |
			   NET_BIT(MRG_RXBUF);
	u->setup = setup;
	u->env.mem = setup->mem;
	u->npairs = port->nfds;
	u->active = port->active;
	for (i = 0; i < u->npairs; i++)
		u->pair[i].fd = port->fds[i];
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->calm, NULL);
	u->control_fd = event_open();
	if (u->control_fd < 0)
		ret = u->control_fd;
	if (!ret && port->kind == NET_PORT_PASST) {
		u->stream = calloc(1, sizeof(*u->stream));
		ret = u->stream ? 0 : -ENOMEM;
	}
	if (!ret)
		ret = create_thread(u);
	if (ret) {
		destroy(&u->base);
		return ret;
	}
	*backend = &u->base;
	return 0;
}
