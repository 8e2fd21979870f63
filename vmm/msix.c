// SPDX-License-Identifier: GPL-2.0
/*
 * msix.c - MSI-X table, pending bits, and the eventfds behind the vectors.
 *
 * A vector is live when MSI-X is on and neither the function nor the vector is
 * masked. The eventfds of a live vector are bound to KVM by irqfd, so an event
 * never enters this process. Those of a vector that is not live are bound to
 * nothing: an event then simply stays in the eventfd, which is the pending bit,
 * and KVM delivers it the moment the eventfd is bound again. So masking,
 * moving and unmasking lose nothing, and no thread has to watch.
 *
 * @lock guards all of struct pci_msix. pci_msix_raise() may come from any
 * thread; the rest runs under vm_lock() or before the VM runs.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "irq.h"
#include "msix.h"
#include "pci.h"
#include "pci_bus.h"
#include "util.h"

#define ENTRY_BYTES	PCI_MSIX_ENTRY_SIZE
#define TABLE_ALIGN	4096

struct binding {
	int fd;
	bool bound;		/* to KVM */
	struct binding *next;
};

struct vector {
	uint32_t word[4];	/* address low, high, data, control: as in the table */
	int gsi;
	bool live;
	bool pending;		/* raised by pci_msix_raise() while masked */
	struct binding *fds;
};

struct pci_msix {
	pthread_mutex_t lock;
	struct irq *irq;
	int bar;
	unsigned int cap;	/* offset in configuration space */
	unsigned int nr;
	uint64_t pba;		/* offset in the BAR */
	bool enabled;
	bool masked;		/* the whole function */
	struct vector *vectors;
};

static uint64_t message_addr(const struct vector *v)
{
	return (uint64_t)v->word[1] << 32 | v->word[0];
}

static void bind_fd(struct pci_msix *x, struct vector *v, struct binding *b)
{
	int err;

	if (b->bound)
		return;
	err = irq_fd_bind(x->irq, v->gsi, b->fd);
	if (err)
		log_error("MSI-X: KVM refuses eventfd %d: %s", b->fd, strerror(-err));
	b->bound = !err;
}

static void unbind_fd(struct pci_msix *x, struct vector *v, struct binding *b)
{
	if (b->bound)
		irq_fd_unbind(x->irq, v->gsi, b->fd);
	b->bound = false;
}

/* A message no vCPU wants is lost, as on a real bus; it is the guest's address. */
static void vector_send(struct pci_msix *x, struct vector *v)
{
	irq_msi_send(x->irq, message_addr(v), v->word[2]);
}

/* Bring irqfds in line with what the guest wrote. */
static void vector_update(struct pci_msix *x, struct vector *v)
{
	bool live = x->enabled && !x->masked && !(v->word[3] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
	struct binding *b;
	int err;

	if (live) {
		err = irq_route_set(x->irq, v->gsi, message_addr(v), v->word[2]);
		if (err) {
			log_error("MSI-X: KVM refuses address %#llx data %#x: %s",
				  (unsigned long long)message_addr(v), v->word[2], strerror(-err));
			live = false;
		}
	}
	v->live = live;
	for (b = v->fds; b; b = b->next) {
		if (live)
			bind_fd(x, v, b);
		else
			unbind_fd(x, v, b);
	}
	if (live && v->pending) {
		v->pending = false;
		vector_send(x, v);
	}
}

static bool vector_pending(const struct vector *v)
{
	const struct binding *b;

	if (v->pending)
		return true;
	for (b = v->fds; b; b = b->next) {
		struct pollfd p = { .fd = b->fd, .events = POLLIN };

		if (!b->bound && poll(&p, 1, 0) == 1)
			return true;
	}
	return false;
}

/**
 * pci_msix_init() - give a function MSI-X
 * @dev:     on the bus already
 * @bar:     free BAR for table and PBA
 * @vectors: 1..2048
 *
 * Return: 0, -ENOMEM, -EINVAL for a bad @bar or @vectors, -ENOSPC when
 * interrupt routes or room for the capability are used up.
 */
int pci_msix_init(struct pci_dev *dev, int bar, unsigned int vectors)
{
	uint64_t table = align_up(vectors * ENTRY_BYTES, TABLE_ALIGN);
	uint64_t size = TABLE_ALIGN;
	uint8_t body[10] = { 0 };
	struct pci_msix *x;
	uint32_t word;
	int err, off;

	if (!vectors || vectors > PCI_MSIX_FLAGS_QSIZE + 1)
		return -EINVAL;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	pthread_mutex_init(&x->lock, NULL);
	x->irq = pci_irq(dev->bus);
	x->bar = bar;
	x->nr = vectors;
	x->pba = table;
	dev->msix = x;
	x->vectors = calloc(vectors, sizeof(*x->vectors));
	if (!x->vectors)
		return -ENOMEM;
	for (unsigned int i = 0; i < vectors; i++)
		x->vectors[i].gsi = -1;
	for (unsigned int i = 0; i < vectors; i++) {
		x->vectors[i].word[3] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		x->vectors[i].gsi = irq_route_alloc(x->irq);
		if (x->vectors[i].gsi < 0)
			return x->vectors[i].gsi;
	}
	while (size < table + TABLE_ALIGN)
		size *= 2;
	err = pci_bar_add(dev, bar, size);
	if (err)
		return err;
	body[0] = (uint8_t)(vectors - 1);
	body[1] = (uint8_t)((vectors - 1) >> 8);
	word = (uint32_t)bar;
	memcpy(body + 2, &word, 4);
	word = (uint32_t)table | (uint32_t)bar;
	memcpy(body + 6, &word, 4);
	off = pci_cap_add(dev, PCI_CAP_ID_MSIX, body, sizeof(body));
	if (off < 0)
		return off;
	x->cap = (unsigned int)off;
	dev->cfg_mask[off + PCI_MSIX_FLAGS + 1] =
		(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
	return 0;
}

/**
 * msix_destroy() - free a function's MSI-X state
 * @dev: its function; eventfds still bound are unbound, not closed
 */
void msix_destroy(struct pci_dev *dev)
{
	struct pci_msix *x = dev->msix;

	for (unsigned int i = 0; x->vectors && i < x->nr; i++) {
		struct vector *v = &x->vectors[i];

		while (v->fds) {
			struct binding *b = v->fds;

			unbind_fd(x, v, b);
			v->fds = b->next;
			free(b);
		}
		if (v->gsi >= 0)
			irq_route_free(x->irq, v->gsi);
	}
	pthread_mutex_destroy(&x->lock);
	free(x->vectors);
	free(x);
	dev->msix = NULL;
}

/**
 * pci_msix_enabled() - has the guest turned MSI-X on?
 * @dev: the function
 *
 * Return: true if it has.
 */
bool pci_msix_enabled(const struct pci_dev *dev)
{
	return dev->msix && dev->msix->enabled;
}

/**
 * pci_msix_vectors() - how many vectors the function has
 * @dev: the function
 *
 * Return: the number, 0 without MSI-X.
 */
unsigned int pci_msix_vectors(const struct pci_dev *dev)
{
	return dev->msix ? dev->msix->nr : 0;
}

/**
 * pci_msix_raise() - raise a vector once
 * @dev:    the function
 * @vector: ignored when out of range, or while MSI-X is off
 *
 * Context: any thread.
 */
void pci_msix_raise(struct pci_dev *dev, unsigned int vector)
{
	struct pci_msix *x = dev->msix;
	struct vector *v;

	if (!x || vector >= x->nr)
		return;
	pthread_mutex_lock(&x->lock);
	v = &x->vectors[vector];
	if (v->live)
		vector_send(x, v);
	else if (x->enabled)
		v->pending = true;
	pthread_mutex_unlock(&x->lock);
}

/**
 * pci_msix_bind() - let an eventfd raise a vector
 * @dev:    the function
 * @vector: which
 * @fd:     eventfd, open until unbound; several may share a vector
 *
 * Context: vm_lock() held, or before the VM runs.
 * Return: 0, -EINVAL for a vector the function does not have, -EEXIST when @fd
 * is bound to it already, -ENOMEM.
 */
int pci_msix_bind(struct pci_dev *dev, unsigned int vector, int fd)
{
	struct pci_msix *x = dev->msix;
	struct binding *b;
	struct vector *v;
	int err = 0;

	if (!x || vector >= x->nr || fd < 0)
		return -EINVAL;
	v = &x->vectors[vector];
	pthread_mutex_lock(&x->lock);
	for (b = v->fds; b && b->fd != fd;)
		b = b->next;
	if (b) {
		err = -EEXIST;
	} else {
		b = calloc(1, sizeof(*b));
		if (!b)
			err = -ENOMEM;
	}
	if (!err) {
		b->fd = fd;
		b->next = v->fds;
		v->fds = b;
		if (v->live)
			bind_fd(x, v, b);
	}
	pthread_mutex_unlock(&x->lock);
	return err;
}

/**
 * pci_msix_unbind() - undo pci_msix_bind()
 * @dev:    the function
 * @vector: as bound
 * @fd:     as bound; an event that was not delivered stays in it
 *
 * Context: vm_lock() held, or before the VM runs.
 * Return: 0, -EINVAL for a bad vector, -ENOENT when not bound.
 */
int pci_msix_unbind(struct pci_dev *dev, unsigned int vector, int fd)
{
	struct pci_msix *x = dev->msix;
	struct binding **p, *b;
	struct vector *v;

	if (!x || vector >= x->nr)
		return -EINVAL;
	v = &x->vectors[vector];
	pthread_mutex_lock(&x->lock);
	for (p = &v->fds; *p && (*p)->fd != fd;)
		p = &(*p)->next;
	b = *p;
	if (b) {
		unbind_fd(x, v, b);
		*p = b->next;
		free(b);
	}
	pthread_mutex_unlock(&x->lock);
	return b ? 0 : -ENOENT;
}

/**
 * msix_bar() - where table and PBA are
 * @dev: a function with MSI-X
 *
 * Return: the number of the BAR.
 */
int msix_bar(const struct pci_dev *dev)
{
	return dev->msix->bar;
}

static uint64_t pending_bits(const struct pci_msix *x, uint64_t first)
{
	uint64_t bits = 0;

	for (uint64_t i = 0; i < 64 && first + i < x->nr; i++)
		bits |= (uint64_t)vector_pending(&x->vectors[first + i]) << i;
	return bits;
}

/* The specification knows aligned accesses of 4 and 8 bytes only; others read as 0. */
static bool access_ok(uint64_t off, unsigned int len)
{
	return (len == 4 || len == 8) && !(off % len);
}

/**
 * msix_bar_read() - the guest reads table or PBA
 * @dev:  the function
 * @off:  offset in the BAR
 * @data: where to
 * @len:  1, 2, 4 or 8
 */
void msix_bar_read(struct pci_dev *dev, uint64_t off, void *data, unsigned int len)
{
	struct pci_msix *x = dev->msix;
	uint64_t bits;

	memset(data, 0, len);
	if (!access_ok(off, len))
		return;
	pthread_mutex_lock(&x->lock);
	if (off < (uint64_t)x->nr * ENTRY_BYTES) {
		memcpy(data, (uint8_t *)x->vectors[off / ENTRY_BYTES].word + off % ENTRY_BYTES,
		       len);
	} else if (off >= x->pba && (off - x->pba) * 8 < x->nr) {
		bits = pending_bits(x, (off - x->pba) / 8 * 64);
		memcpy(data, (uint8_t *)&bits + off % 8, len);
	}
	pthread_mutex_unlock(&x->lock);
}

/**
 * msix_bar_write() - the guest writes the table
 * @dev:  the function
 * @off:  offset in the BAR; writes to the PBA are ignored
 * @data: the value
 * @len:  1, 2, 4 or 8
 */
void msix_bar_write(struct pci_dev *dev, uint64_t off, const void *data, unsigned int len)
{
	struct pci_msix *x = dev->msix;
	struct vector *v;

	if (!access_ok(off, len) || off >= (uint64_t)x->nr * ENTRY_BYTES)
		return;
	pthread_mutex_lock(&x->lock);
	v = &x->vectors[off / ENTRY_BYTES];
	memcpy((uint8_t *)v->word + off % ENTRY_BYTES, data, len);
	v->word[0] &= ~3U;
	v->word[3] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
	vector_update(x, v);
	pthread_mutex_unlock(&x->lock);
}

/**
 * msix_control_changed() - follow the message control word
 * @dev: the function, its configuration space up to date
 */
void msix_control_changed(struct pci_dev *dev)
{
	struct pci_msix *x = dev->msix;
	uint16_t ctrl;
	bool enabled, masked;

	memcpy(&ctrl, dev->cfg + x->cap + PCI_MSIX_FLAGS, 2);
	enabled = ctrl & PCI_MSIX_FLAGS_ENABLE;
	masked = ctrl & PCI_MSIX_FLAGS_MASKALL;
	pthread_mutex_lock(&x->lock);
	if (enabled != x->enabled || masked != x->masked) {
		x->enabled = enabled;
		x->masked = masked;
		for (unsigned int i = 0; i < x->nr; i++)
			vector_update(x, &x->vectors[i]);
	}
	pthread_mutex_unlock(&x->lock);
}

/**
 * msix_reset() - machine reset
 * @dev: the function; bindings stay, and lead nowhere until the guest enables
 *       MSI-X again
 */
void msix_reset(struct pci_dev *dev)
{
	struct pci_msix *x = dev->msix;

	dev->cfg[x->cap + PCI_MSIX_FLAGS + 1] &=
		(uint8_t)~((PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8);
	msix_control_changed(dev);
	pthread_mutex_lock(&x->lock);
	for (unsigned int i = 0; i < x->nr; i++) {
		struct vector *v = &x->vectors[i];

		memset(v->word, 0, sizeof(v->word));
		v->word[3] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		v->pending = false;
	}
	pthread_mutex_unlock(&x->lock);
}
