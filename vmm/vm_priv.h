/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vm_priv.h - a VM from inside: vm.c and vm_*.c.
 */
#ifndef KVHOST_VM_PRIV_H
#define KVHOST_VM_PRIV_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "memory.h"
#include "vm.h"

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
	struct loop *loop;		/* of the device thread */
	struct loop *main_loop;
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
	struct loop_work exit_work;	/* for @main_loop */
	struct loop_work reset_work;	/* for @loop */
	unsigned int resets;

	/* Device thread only, main thread before there is one. */
	struct vm_hook *hooks;		/* latest first */

	/* Main thread only. */
	uint64_t started;
	pthread_t device_thread;
	bool device_started;

	pthread_mutex_t end_lock;	/* guards @ended */
	pthread_cond_t end;
	bool ended;			/* the device thread is about to return */
	int device_error;		/* why, if it was not asked to */

	pthread_mutex_t wait_lock;	/* leaf; guards what follows */
	uint64_t wait_since;		/* 0: waits for nothing */
	char wait_for[VM_WAIT_BYTES];
};

void vm_serve_exit(void *opaque);
void vm_serve_reset(void *opaque);
void vm_stop_devices(struct vm *vm);

#endif
