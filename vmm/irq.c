// SPDX-License-Identifier: GPL-2.0
/*
 * irq.c - the in-kernel interrupt controllers.
 *
 * KVM holds two PICs, the IOAPIC, the PIT and the local APICs. GSI 0..23 are
 * lines: 0..15 reach both PIC and IOAPIC (the timer, GSI 0, comes in at IOAPIC
 * pin 2, as the MADT says), 16..23 the IOAPIC only. Every GSI above is one MSI
 * that an irqfd can deliver. KVM takes its routes as one table, so the table
 * is kept here and handed over whole whenever an MSI changes.
 *
 * @lock guards the table; it is taken last and nothing is called under it but
 * KVM.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "irq.h"
#include "util.h"

/* Enough for every vector of the largest VM the options allow, within KVM's limit of 4096. */
#define MSI_ROUTES	2048
#define LINE_ROUTES	(16 + IRQ_IOAPIC_PINS)
#define CHIPS		3

struct msi {
	bool used;
	bool set;
	uint64_t addr;
	uint32_t data;
};

struct irq {
	int vm_fd;
	struct kvm_irqchip chips[CHIPS];	/* as after power-on */
	struct kvm_pit_state2 pit;

	pthread_mutex_t lock;			/* guards what follows */
	struct msi msi[MSI_ROUTES];
	struct kvm_irq_routing *table;
};

static void table_line(struct kvm_irq_routing *t, unsigned int gsi, unsigned int chip,
		       unsigned int pin)
{
	t->entries[t->nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

static void table_lines(struct kvm_irq_routing *t)
{
	for (unsigned int i = 0; i < 16; i++) {
		/* Pin 2 of the master PIC is where the slave hangs. */
		if (i != 2)
			table_line(t, i, i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				   i & 7);
	}
	for (unsigned int i = 0; i < IRQ_IOAPIC_PINS; i++) {
		if (i == 0)
			table_line(t, 0, KVM_IRQCHIP_IOAPIC, 2);
		else if (i != 2)
			table_line(t, i, KVM_IRQCHIP_IOAPIC, i);
	}
}

static int table_commit(struct irq *irq)
{
	struct kvm_irq_routing *t = irq->table;

	t->nr = 0;
	t->flags = 0;
	table_lines(t);
	for (unsigned int i = 0; i < MSI_ROUTES; i++) {
		const struct msi *m = &irq->msi[i];

		if (!m->set)
			continue;
		t->entries[t->nr++] = (struct kvm_irq_routing_entry){
			.gsi = IRQ_IOAPIC_PINS + i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {
				.address_lo = (uint32_t)m->addr,
				.address_hi = (uint32_t)(m->addr >> 32),
				.data = m->data,
			},
		};
	}
	return ioctl(irq->vm_fd, KVM_SET_GSI_ROUTING, t) < 0 ? -errno : 0;
}

static int save_power_on(struct irq *irq)
{
	for (unsigned int i = 0; i < CHIPS; i++) {
		irq->chips[i].chip_id = i;
		if (ioctl(irq->vm_fd, KVM_GET_IRQCHIP, &irq->chips[i]) < 0)
			return -errno;
	}
	return ioctl(irq->vm_fd, KVM_GET_PIT2, &irq->pit) < 0 ? -errno : 0;
}

/**
 * irq_create() - create the controllers of a VM
 * @irq:   set on success
 * @vm_fd: KVM's VM, without vCPUs yet
 *
 * Return: 0, -ENOMEM, or the errno of a KVM ioctl.
 */
int irq_create(struct irq **irq, int vm_fd)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct irq *q = calloc(1, sizeof(*q));
	int err;

	if (!q)
		return -ENOMEM;
	pthread_mutex_init(&q->lock, NULL);
	q->vm_fd = vm_fd;
	q->table = calloc(1, sizeof(*q->table) +
			  (MSI_ROUTES + LINE_ROUTES) * sizeof(q->table->entries[0]));
	if (!q->table) {
		err = -ENOMEM;
	} else if (ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0) < 0 ||
		   ioctl(vm_fd, KVM_CREATE_PIT2, &pit) < 0) {
		err = -errno;
	} else {
		err = table_commit(q);
		if (!err)
			err = save_power_on(q);
	}
	if (err) {
		irq_destroy(q);
		return err;
	}
	*irq = q;
	return 0;
}

/**
 * irq_destroy() - free our side; KVM's goes with the VM
 * @irq: from irq_create(), or NULL
 */
void irq_destroy(struct irq *irq)
{
	if (!irq)
		return;
	pthread_mutex_destroy(&irq->lock);
	free(irq->table);
	free(irq);
}

/**
 * irq_reset() - bring PICs, IOAPIC and PIT back to power-on
 * @irq: the controllers
 *
 * Context: vCPUs stand still. Local APICs are reset with their vCPU.
 * Return: 0 or the errno of a KVM ioctl.
 */
int irq_reset(struct irq *irq)
{
	for (unsigned int gsi = 0; gsi < IRQ_IOAPIC_PINS; gsi++)
		irq_line(irq, gsi, false);
	for (unsigned int i = 0; i < CHIPS; i++) {
		if (ioctl(irq->vm_fd, KVM_SET_IRQCHIP, &irq->chips[i]) < 0)
			return -errno;
	}
	return ioctl(irq->vm_fd, KVM_SET_PIT2, &irq->pit) < 0 ? -errno : 0;
}

/**
 * irq_line() - drive an interrupt line
 * @irq:   the controllers
 * @gsi:   0..23
 * @level: asserted or not
 */
void irq_line(struct irq *irq, unsigned int gsi, bool level)
{
	struct kvm_irq_level l = { .irq = gsi, .level = level };

	if (ioctl(irq->vm_fd, KVM_IRQ_LINE, &l) < 0)
		log_error("interrupt line %u: KVM_IRQ_LINE: %m", gsi);
}

/**
 * irq_msi_send() - deliver one MSI now
 * @irq:  the controllers
 * @addr: message address
 * @data: message data
 *
 * Return: 0, also when the guest has the target blocked; -EPERM when nobody has
 * the address; or another errno of KVM_SIGNAL_MSI.
 */
int irq_msi_send(struct irq *irq, uint64_t addr, uint32_t data)
{
	struct kvm_msi msi = {
		.address_lo = (uint32_t)addr,
		.address_hi = (uint32_t)(addr >> 32),
		.data = data,
	};

	return ioctl(irq->vm_fd, KVM_SIGNAL_MSI, &msi) < 0 ? -errno : 0;
}

/**
 * irq_route_alloc() - reserve a GSI for one MSI
 * @irq: the controllers
 *
 * Return: the GSI, or -ENOSPC.
 */
int irq_route_alloc(struct irq *irq)
{
	int gsi = -ENOSPC;

	pthread_mutex_lock(&irq->lock);
	for (int i = 0; i < MSI_ROUTES; i++) {
		if (irq->msi[i].used)
			continue;
		irq->msi[i].used = true;
		gsi = IRQ_IOAPIC_PINS + i;
		break;
	}
	pthread_mutex_unlock(&irq->lock);
	return gsi;
}

/**
 * irq_route_free() - give a GSI back
 * @irq: the controllers
 * @gsi: from irq_route_alloc(), no fd bound to it
 */
void irq_route_free(struct irq *irq, int gsi)
{
	pthread_mutex_lock(&irq->lock);
	irq->msi[gsi - IRQ_IOAPIC_PINS] = (struct msi){ 0 };
	pthread_mutex_unlock(&irq->lock);
}

/**
 * irq_route_set() - say which MSI a GSI delivers
 * @irq:  the controllers
 * @gsi:  from irq_route_alloc()
 * @addr: message address
 * @data: message data
 *
 * Return: 0 or the errno of KVM_SET_GSI_ROUTING, and then the old route stays.
 */
int irq_route_set(struct irq *irq, int gsi, uint64_t addr, uint32_t data)
{
	struct msi *m = &irq->msi[gsi - IRQ_IOAPIC_PINS];
	struct msi old;
	int err = 0;

	pthread_mutex_lock(&irq->lock);
	old = *m;
	if (!old.set || old.addr != addr || old.data != data) {
		m->set = true;
		m->addr = addr;
		m->data = data;
		err = table_commit(irq);
		if (err)
			*m = old;
	}
	pthread_mutex_unlock(&irq->lock);
	return err;
}

static int irqfd(struct irq *irq, int gsi, int fd, unsigned int flags)
{
	struct kvm_irqfd kf = { .fd = (uint32_t)fd, .gsi = (uint32_t)gsi, .flags = flags };

	return ioctl(irq->vm_fd, KVM_IRQFD, &kf) < 0 ? -errno : 0;
}

/**
 * irq_fd_bind() - let an eventfd raise a GSI
 * @irq: the controllers
 * @gsi: from irq_route_alloc(), with a route
 * @fd:  eventfd; if it is signalled already, the interrupt is raised now
 *
 * Return: 0 or the errno of KVM_IRQFD.
 */
int irq_fd_bind(struct irq *irq, int gsi, int fd)
{
	return irqfd(irq, gsi, fd, 0);
}

/**
 * irq_fd_unbind() - undo irq_fd_bind()
 * @irq: the controllers
 * @gsi: as bound
 * @fd:  as bound; every signal before this call is delivered, every one after
 *       it stays in the eventfd
 *
 * Return: 0 or the errno of KVM_IRQFD.
 */
int irq_fd_unbind(struct irq *irq, int gsi, int fd)
{
	return irqfd(irq, gsi, fd, KVM_IRQFD_FLAG_DEASSIGN);
}
