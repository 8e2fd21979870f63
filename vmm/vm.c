// SPDX-License-Identifier: GPL-2.0
/*
 * vm.c - one virtual machine while it runs.
 *
 * Everything that stops or resets the VM is a request that is recorded, brings the
 * vCPUs to a halt, and is carried out in vm_run.c. vm_create.c builds the VM and takes
 * it down.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"
#include "options.h"
#include "platform.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"
#include "vm_priv.h"

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
 * vm_loop() - the event loop of devices
 * @vm: the VM
 *
 * Return: the loop of the device thread. Its callbacks may take vm_lock().
 */
struct loop *vm_loop(const struct vm *vm)
{
	return vm->loop;
}

/**
 * vm_main_loop() - the event loop of what must not wait
 * @vm: the VM
 *
 * Return: the loop of the main thread. Its callbacks do not take vm_lock().
 */
struct loop *vm_main_loop(const struct vm *vm)
{
	return vm->main_loop;
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
	loop_post(vm->main_loop, &vm->exit_work);
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
	loop_post(vm->loop, &vm->reset_work);
}

/**
 * vm_serve_exit() - leave the main loop, because an end was asked for
 * @opaque: the VM
 *
 * Context: main thread, posted by vm_request_exit().
 */
void vm_serve_exit(void *opaque)
{
	struct vm *vm = opaque;

	loop_stop(vm->main_loop);
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
 * vm_status_brief() - print what is known of the VM without asking its devices
 * @vm:  the VM
 * @out: stream
 *
 * Context: any thread.
 */
void vm_status_brief(struct vm *vm, FILE *out)
{
	fprintf(out, "name=%s\npid=%d\ncpus=%u\nmemory=%llu\nuptime_ms=%llu\nresets=%u\n",
		vm->opt->name, (int)getpid(), vm->opt->cpus,
		(unsigned long long)vm->opt->memory,
		(unsigned long long)((now_ns() - vm->started) / NSEC_PER_MSEC),
		__atomic_load_n(&vm->resets, __ATOMIC_RELAXED));
}

/**
 * vm_status() - print the state of the VM and its devices
 * @vm:  the VM
 * @out: stream
 *
 * Context: device thread, vm_lock() not held.
 */
void vm_status(struct vm *vm, FILE *out)
{
	vm_status_brief(vm, out);
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
 * Context: device thread, vm_lock() not held.
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
 * Context: device thread, vm_lock() not held.
 */
void vm_power_button(struct vm *vm)
{
	vm_lock(vm);
	platform_power_button(vm->platform);
	vm_unlock(vm);
}
