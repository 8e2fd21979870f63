/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vm.h - one virtual machine: what its parts need from each other.
 *
 * Life: vm_create(), which has the devices add themselves, vm_run(), which
 * returns when the guest has ended, vm_destroy(); all on the main thread. While
 * the guest runs, a device thread serves the devices: vm_loop() is its loop.
 *
 * Locks, outermost first: vm_lock() (the bus lock: device state), then the
 * leaf locks of the interrupt code, the serial port and the event loop. PCI and
 * port callbacks run with vm_lock() held on a vCPU thread.
 */
#ifndef KVHOST_VM_H
#define KVHOST_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct bus;
struct disk_options;
struct guest_memory;
struct irq;
struct loop;
struct net_options;
struct options;
struct pci_bus;
struct vm;

/* What kvhost exits with; the table in main.c says what each means. */
enum vm_exit {
	VM_EXIT_POWEROFF	= 0,
	VM_EXIT_QUIT		= 1,
	VM_EXIT_USAGE		= 2,
	VM_EXIT_HOST		= 3,
	VM_EXIT_CRASH		= 4,
	VM_EXIT_REBOOT		= 5,
	VM_EXIT_SANDBOX		= 6,
	VM_EXIT_SIGNAL		= 128,	/* plus the signal's number */
};

/**
 * struct vm_hook - what a device wants to be told; embed, fill, vm_hook_add()
 * @name:   shown in `kvhost ctl PATH status`
 * @stop:   the VM ends: vCPUs stand still for good, guest RAM is still mapped.
 *          Stop all access to it before returning. Device thread, in reverse
 *          order of registration, vm_lock() held
 * @reset:  machine reset: vCPUs stand still, RAM stays. PCI functions have
 *          pci_ops.reset and need not use this. Device thread, vm_lock() held
 * @status: print "key=value" lines. Device thread, vm_lock() held
 * @stats:  print counters as stat_read.c reads them; likewise
 * @command: carry out @verb of `kvhost ctl`, with what was typed behind the
 *          device's name; returns 0, or -errno after one "error: ..." line on
 *          @out. Device thread, vm_lock() held
 * @opaque: argument of the above; any of them may be NULL
 * @next:   private
 */
struct vm_hook {
	const char *name;
	void (*stop)(void *opaque);
	void (*reset)(void *opaque);
	void (*status)(void *opaque, FILE *out);
	void (*stats)(void *opaque, FILE *out);
	int (*command)(void *opaque, const char *verb, char *arg, FILE *out);
	void *opaque;
	struct vm_hook *next;
};

int vm_create(struct vm **vm, const struct options *opt);
/* Start the threads, enter the sandbox, run the guest; @status: one of enum vm_exit. */
int vm_run(struct vm *vm, int *status);
void vm_destroy(struct vm *vm);

int vm_fd(const struct vm *vm);
const struct options *vm_options(const struct vm *vm);
unsigned int vm_cpus(const struct vm *vm);
const struct guest_memory *vm_memory(const struct vm *vm);
struct loop *vm_loop(const struct vm *vm);
struct loop *vm_main_loop(const struct vm *vm);
struct pci_bus *vm_pci(const struct vm *vm);
struct bus *vm_bus(const struct vm *vm);
struct irq *vm_irq(const struct vm *vm);

void vm_lock(struct vm *vm);
void vm_unlock(struct vm *vm);

/* Before vm_run(). */
void vm_hook_add(struct vm *vm, struct vm_hook *hook);

/*
 * Ask for an end or a reset; any thread, with or without vm_lock(). The first
 * end that is asked for counts.
 */
void vm_request_exit(struct vm *vm, int status);
void vm_request_reset(struct vm *vm);

/* Around what may wait for the host; vm_lock() held. */
void vm_wait_begin(struct vm *vm, const char *name, const char *path);
void vm_wait_end(struct vm *vm);
/* What follows "waits for", any thread. */
#define VM_WAIT_BYTES	256
void vm_wait_text(struct vm *vm, char *text, size_t len);

/* For the control socket, any thread. */
void vm_status_brief(struct vm *vm, FILE *out);
/* Likewise; device thread, vm_lock() not held. */
void vm_status(struct vm *vm, FILE *out);
void vm_stats(struct vm *vm, FILE *out);
void vm_power_button(struct vm *vm);
int vm_command(struct vm *vm, const char *verb, const char *device, char *arg, FILE *out);

/*
 * Implemented by dev_blk.c: add one virtio-blk function. All files are opened
 * here, before the sandbox. Prints what went wrong and returns -errno.
 */
int dev_blk_create(struct vm *vm, const struct disk_options *opt);

/* Likewise of dev_net.c: one virtio-net function. */
int dev_net_create(struct vm *vm, const struct net_options *opt);

#endif
