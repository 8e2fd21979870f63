// SPDX-License-Identifier: GPL-2.0
/*
 * vm.c - one virtual machine while it runs.
 *
 * The main thread sits in the event loop; everything that stops or resets the
 * VM is a request that is recorded, brings the vCPUs to a halt, and is carried
 * out by the main thread. vm_create.c builds it and takes it down.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acpi.h"
#include "boot.h"
#include "irq.h"
#include "loop.h"
#include "options.h"
#include "pci_bus.h"
#include "platform.h"
#include "sandbox.h"
#include "serial.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"
#include "vm_priv.h"

/* A vCPU may be waiting for a disk. */
#define PAUSE_LIMIT	(30 * NSEC_PER_SEC)

/**
 * vm_fd() - KVM's VM
 * @vm: the VM
 *
 * Return: the file descriptor.
 */
int vm_fd(const struct vm *vm)
{
	return vm->fd;
}

/**
 * vm_options() - what the user asked for
 * @vm: the VM
 *
 * Return: the options.
 */
const struct options *vm_options(const struct vm *vm)
{
	return vm->opt;
}

/**
 * vm_cpus() - how many vCPUs there are
 * @vm: the VM
 *
 * Return: the number.
 */
unsigned int vm_cpus(const struct vm *vm)
{
	return vm->opt->cpus;
}

/**
 * vm_memory() - guest RAM
 * @vm: the VM
 *
 * Return: the regions, constant as long as the VM lives.
 */
const struct guest_memory *vm_memory(const struct vm *vm)
{
	return &vm->mem;
}

/**
 * vm_loop() - the event loop
 * @vm: the VM
 *
 * Return: the loop of the main thread.
 */
struct loop *vm_loop(const struct vm *vm)
{
	return vm->loop;
}

/**
 * vm_pci() - the PCI bus
 * @vm: the VM
 *
 * Return: the bus.
 */
struct pci_bus *vm_pci(const struct vm *vm)
{
	return vm->pci;
}

/**
 * vm_bus() - the port space
 * @vm: the VM
 *
 * Return: the ports.
 */
struct bus *vm_bus(const struct vm *vm)
{
	return vm->bus;
}

/**
 * vm_irq() - the interrupt controllers
 * @vm: the VM
 *
 * Return: the controllers.
 */
struct irq *vm_irq(const struct vm *vm)
{
	return vm->irq;
}

/**
 * vm_lock() - take the bus lock, which protects device state
 * @vm: the VM
 */
void vm_lock(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
}

/**
 * vm_unlock() - release the bus lock
 * @vm: the VM
 */
void vm_unlock(struct vm *vm)
{
	pthread_mutex_unlock(&vm->lock);
}

/**
 * vm_hook_add() - be told of resets and the end
 * @vm:   the VM, not running yet
 * @hook: lives until its @stop has run
 */
void vm_hook_add(struct vm *vm, struct vm_hook *hook)
{
	hook->next = vm->hooks;
	vm->hooks = hook;
}

/* --- requests -------------------------------------------------------- */

/**
 * vm_request_exit() - end the run
 * @vm:     the VM
 * @status: what to exit with; the first request counts
 *
 * Context: any thread, vm_lock() held or not. A vCPU that asks does not run the
 * guest again.
 */
void vm_request_exit(struct vm *vm, int status)
{
	int none = NO_STATUS;

	if (!__atomic_compare_exchange_n(&vm->status, &none, status, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return;
	vcpus_hold(vm->vcpus);
	loop_post(vm->loop, &vm->request);
}

/**
 * vm_request_reset() - reset the machine
 * @vm: the VM
 *
 * Context: any thread, vm_lock() held or not. A vCPU that asks does not run the
 * guest again before the reset.
 */
void vm_request_reset(struct vm *vm)
{
	__atomic_store_n(&vm->reset, true, __ATOMIC_RELEASE);
	vcpus_hold(vm->vcpus);
	loop_post(vm->loop, &vm->request);
}

/* Nothing can be taken down under a vCPU that is still at work: leave all to the kernel. */
static void pause_or_die(struct vm *vm)
{
	if (!vcpus_pause(vm->vcpus, PAUSE_LIMIT))
		return;
	log_error("a vCPU did not stop within %llu seconds, a disk may be stuck; giving up",
		  (unsigned long long)(PAUSE_LIMIT / NSEC_PER_SEC));
	serial_finish(vm->serial);
	_exit(VM_EXIT_HOST);
}

static int load_guest(struct vm *vm)
{
	uint64_t rsdp = acpi_load(&vm->mem, vm->opt->cpus, vm->mem64);
	struct vcpu_boot entry;
	int err;

	err = boot_load(vm->boot, &vm->mem, rsdp, &entry);
	return err ? err : vcpus_boot(vm->vcpus, &entry);
}

/* Devices first: they must be out of RAM before it is written. */
static int reset_machine(struct vm *vm)
{
	struct vm_hook *h;
	int err;

	vm_lock(vm);
	for (h = vm->hooks; h; h = h->next) {
		if (h->reset)
			h->reset(h->opaque);
	}
	pci_bus_reset(vm->pci);
	platform_reset(vm->platform);
	serial_reset(vm->serial);
	err = irq_reset(vm->irq);
	vm_unlock(vm);
	if (!err)
		err = vcpus_reset(vm->vcpus);
	return err ? err : load_guest(vm);
}

/**
 * vm_serve_request() - carry out what was asked for
 * @opaque: the VM
 *
 * Context: main thread, posted by the requests above.
 */
void vm_serve_request(void *opaque)
{
	struct vm *vm = opaque;
	int err;

	if (__atomic_load_n(&vm->status, __ATOMIC_ACQUIRE) != NO_STATUS) {
		loop_stop(vm->loop);
		return;
	}
	if (!__atomic_load_n(&vm->reset, __ATOMIC_ACQUIRE))
		return;
	if (vm->opt->no_reboot) {
		vm_request_exit(vm, VM_EXIT_REBOOT);
		return;
	}
	pause_or_die(vm);
	/* What is asked for from here on belongs to the machine after this reset. */
	__atomic_store_n(&vm->reset, false, __ATOMIC_RELEASE);
	err = reset_machine(vm);
	if (err) {
		log_error("the machine cannot be reset: %s", strerror(-err));
		vm_request_exit(vm, VM_EXIT_HOST);
		return;
	}
	vm->resets++;
	vcpus_resume(vm->vcpus);
}

/* --- control --------------------------------------------------------- */

static void status_hooks(struct vm_hook *h, FILE *out)
{
	if (!h)
		return;
	status_hooks(h->next, out);
	if (!h->status)
		return;
	fprintf(out, "[%s]\n", h->name);
	h->status(h->opaque, out);
}

/**
 * vm_status() - print the state of the VM and its devices
 * @vm:  the VM
 * @out: stream
 *
 * Context: main thread, vm_lock() not held.
 */
void vm_status(struct vm *vm, FILE *out)
{
	fprintf(out, "name=%s\npid=%d\ncpus=%u\nmemory=%llu\nuptime_ms=%llu\nresets=%u\n",
		vm->opt->name, (int)getpid(), vm->opt->cpus,
		(unsigned long long)vm->opt->memory,
		(unsigned long long)((now_ns() - vm->started) / NSEC_PER_MSEC), vm->resets);
	vm_lock(vm);
	status_hooks(vm->hooks, out);
	vm_unlock(vm);
}

static void stats_hooks(struct vm_hook *h, FILE *out)
{
	if (!h)
		return;
	stats_hooks(h->next, out);
	if (h->stats)
		h->stats(h->opaque, out);
}

/**
 * vm_stats() - print the counters of the devices
 * @vm:  the VM
 * @out: stream
 *
 * Context: main thread, vm_lock() not held.
 */
void vm_stats(struct vm *vm, FILE *out)
{
	vm_lock(vm);
	stats_hooks(vm->hooks, out);
	vm_unlock(vm);
}

/**
 * vm_command() - have a device do what `kvhost ctl` asks for
 * @vm:     the VM
 * @verb:   what
 * @device: name of the device, as status shows it
 * @arg:    the rest of the line, "" if there is none; may be cut up
 * @out:    answer
 *
 * Return: 0; or -errno, the last line of the answer being "error: ..."
 */
int vm_command(struct vm *vm, const char *verb, const char *device, char *arg, FILE *out)
{
	struct vm_hook *h;
	int err;

	for (h = vm->hooks; h; h = h->next) {
		if (!h->command || strcmp(h->name, device))
			continue;
		vm_lock(vm);
		err = h->command(h->opaque, verb, arg, out);
		vm_unlock(vm);
		return err;
	}
	fprintf(out, "error: there is no device '%s'; `kvhost ctl SOCKET status` shows them\n",
		device);
	return -ENODEV;
}

/**
 * vm_power_button() - press the power button
 * @vm: the VM
 *
 * Context: main thread, vm_lock() not held.
 */
void vm_power_button(struct vm *vm)
{
	vm_lock(vm);
	platform_power_button(vm->platform);
	vm_unlock(vm);
}

/* --- run ------------------------------------------------------------ */

/**
 * vm_stop_devices() - end all access to guest RAM, once
 * @vm: its vCPUs stand still, or never ran
 */
void vm_stop_devices(struct vm *vm)
{
	struct vm_hook *h;

	vm_lock(vm);
	while ((h = vm->hooks)) {
		/* The device may be gone after this. */
		vm->hooks = h->next;
		if (h->stop)
			h->stop(h->opaque);
	}
	vm_unlock(vm);
}

static int start(struct vm *vm)
{
	int err;

	pci_bus_seal(vm->pci);
	err = load_guest(vm);
	if (!err)
		err = vcpus_start(vm->vcpus);
	if (err) {
		log_error("the VM cannot be started: %s", strerror(-err));
		return err;
	}
	/* Asks the terminal things the sandbox does not let through. */
	serial_start(vm->serial);
	/* It could create more VMs. */
	close(vm->kvm_fd);
	vm->kvm_fd = -1;
	if (vm->opt->sandbox)
		err = sandbox_enter(vm->opt);
	return err;
}

/**
 * vm_run() - run the guest to its end
 * @vm:     from vm_create()
 * @status: set on success: why it ended, one of enum vm_exit
 *
 * Context: main thread.
 * Return: 0 when the guest has run; -errno when it could not, after a line on
 * stderr. The vCPUs have stopped in either case.
 */
int vm_run(struct vm *vm, int *status)
{
	int err = start(vm);

	if (!err) {
		vm->started = now_ns();
		vcpus_resume(vm->vcpus);
		err = loop_run(vm->loop);
		pause_or_die(vm);
	}
	vcpus_stop(vm->vcpus);
	vm_stop_devices(vm);
	serial_finish(vm->serial);
	*status = vm->status;
	return err;
}
