/* SPDX-License-Identifier: GPL-2.0 */
/*
 * irq.h - the in-kernel interrupt controllers: lines, MSI routes, irqfds.
 *
 * Any thread; the lock inside is a leaf.
 */
#ifndef KVHOST_IRQ_H
#define KVHOST_IRQ_H

#include <stdbool.h>
#include <stdint.h>

struct irq;

#define IRQ_IOAPIC_PINS	24

/* Lines, as global system interrupts. 16..23 are the PCI INTx lines. */
#define IRQ_SERIAL	4
#define IRQ_SCI		9
#define IRQ_PCI_FIRST	16
#define IRQ_PCI_LINES	8

int irq_create(struct irq **irq, int vm_fd);
void irq_destroy(struct irq *irq);
/* PICs, IOAPIC and PIT as after power-on, all lines low. */
int irq_reset(struct irq *irq);

void irq_line(struct irq *irq, unsigned int gsi, bool level);
int irq_msi_send(struct irq *irq, uint64_t addr, uint32_t data);

/* A GSI for irqfds that deliver one MSI. */
int irq_route_alloc(struct irq *irq);
void irq_route_free(struct irq *irq, int gsi);
int irq_route_set(struct irq *irq, int gsi, uint64_t addr, uint32_t data);
int irq_fd_bind(struct irq *irq, int gsi, int fd);
int irq_fd_unbind(struct irq *irq, int gsi, int fd);

#endif
