/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vm_priv.h - a VM from inside: vm.c and vm_create.c.
 */
#ifndef KVHOST_VM_PRIV_H
#define KVHOST_VM_PRIV_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "memory.h"

#define NO_STATUS	(-1)

struct vm {
	/* Constant once vm_create() has returned. */
	const struct options *opt;
	int kvm_fd;			/* -1 from the sandbox on */
	int fd;
	int signal_fd;
	uint64_t mem64;			/* PCI window above RAM */
	struct guest_memory mem;
	struct boot *boot;
	struct irq *irq;
	struct loop *loop;
	struct bus *bus;
	struct platform *platform;
	struct pci_bus *pci;
	struct serial *serial;
	struct control *control;
	struct vcpu_set *vcpus;

	pthread_mutex_t lock;		/* vm_lock() */

	/* Atomic: what is asked for. */
	int status;			/* to exit with, or NO_STATUS */
	bool reset;
	struct loop_work request;

	/* Main thread only. */
	struct vm_hook *hooks;		/* latest first */
	uint64_t started;
	unsigned int resets;
};

void vm_serve_request(void *opaque);
void vm_stop_devices(struct vm *vm);

#endif
