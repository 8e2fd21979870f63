// SPDX-License-Identifier: GPL-2.0
/*
 * vm_run.c - a virtual machine from its first instruction to its end.
 *
 * The main thread serves signals and the control socket, and never waits. The
 * device thread serves the events of devices, and does all that may wait for a
 * disk or a vCPU: commands, resets, the end. A disk that hangs holds up the
 * device thread alone. The main thread waits for the end END_LIMIT at most.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "acpi.h"
#include "boot.h"
#include "irq.h"
#include "options.h"
#include "pci_bus.h"
#include "platform.h"
#include "sandbox.h"
#include "serial.h"
#include "terminal.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"
#include "vm_priv.h"

/* How long a reset waits for vCPUs before it says so, again and again. */
#define PAUSE_LIMIT	(30 * NSEC_PER_SEC)

/* How long vCPUs and devices may take to stop at the end. */
#define END_LIMIT	(30 * NSEC_PER_SEC)

static bool is_ending(struct vm *vm)
{
	return __atomic_load_n(&vm->status, __ATOMIC_ACQUIRE) != NO_STATUS;
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

/* Return: false if the VM is to end before its vCPUs stand still. */
static bool pause_vcpus(struct vm *vm)
{
	char what[VM_WAIT_BYTES];

	while (vcpus_pause(vm->vcpus, PAUSE_LIMIT)) {
		if (is_ending(vm))
			return false;
		vm_wait_text(vm, what, sizeof(what));
		log_warn("the reset waits for a vCPU that waits for %s", what);
	}
	return !is_ending(vm);
}

/**
 * vm_serve_reset() - carry out a reset that was asked for
 * @opaque: the VM
 *
 * Context: device thread, posted by vm_request_reset(). May wait for disks.
 */
void vm_serve_reset(void *opaque)
{
	struct vm *vm = opaque;
	int err;

	if (is_ending(vm) || !__atomic_load_n(&vm->reset, __ATOMIC_ACQUIRE))
		return;
	if (vm->opt->no_reboot) {
		vm_request_exit(vm, VM_EXIT_REBOOT);
		return;
	}
	if (!pause_vcpus(vm))
		return;
	/* What is asked for from here on belongs to the machine after this reset. */
	__atomic_store_n(&vm->reset, false, __ATOMIC_RELEASE);
	err = reset_machine(vm);
	if (err) {
		log_error("the machine cannot be reset: %s", strerror(-err));
		vm_request_exit(vm, VM_EXIT_HOST);
		return;
	}
	__atomic_store_n(&vm->resets, vm->resets + 1, __ATOMIC_RELAXED);
	/* An end that was asked for meanwhile comes next, and stops them again. */
	vcpus_resume(vm->vcpus);
}

/**
 * vm_stop_devices() - end all access to guest RAM, once
 * @vm: its vCPUs stand still, or never ran
 *
 * Context: device thread, or the main thread before there is one. May wait for disks.
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

/* Nothing can be taken down under a vCPU or disk at work: leave all to the kernel. */
static void __attribute__((noreturn)) give_up(struct vm *vm)
{
	char what[VM_WAIT_BYTES];

	vm_wait_text(vm, what, sizeof(what));
	/* Output that is left is not written, because that takes vm_lock(). */
	terminal_restore();
	log_error("the VM did not stop within %llu seconds, it waits for %s; giving up",
		  (unsigned long long)(END_LIMIT / NSEC_PER_SEC), what);
	_exit(VM_EXIT_HOST);
}

static void end_devices(void *opaque)
{
	struct vm *vm = opaque;

	/* The main thread does not wait longer than this, either. */
	if (vcpus_pause(vm->vcpus, END_LIMIT))
		return;
	vcpus_stop(vm->vcpus);
	vm_stop_devices(vm);
	loop_stop(vm->loop);
}

static void *device_thread(void *opaque)
{
	struct vm *vm = opaque;

	vm->device_error = loop_run(vm->loop);
	if (vm->device_error)
		vm_request_exit(vm, VM_EXIT_HOST);
	pthread_mutex_lock(&vm->end_lock);
	vm->ended = true;
	pthread_cond_signal(&vm->end);
	pthread_mutex_unlock(&vm->end_lock);
	return NULL;
}

static int start_device_thread(struct vm *vm)
{
	int err = sandbox_thread_create(&vm->device_thread, SANDBOX_DEVICE, device_thread, vm);

	if (err) {
		log_error("the VM cannot be started: no thread: %s", strerror(-err));
		return err;
	}
	vm->device_started = true;
	pthread_setname_np(vm->device_thread, "devices");
	return 0;
}

/* Stops vCPUs and devices; does not return if they do not stop in time. */
static void end(struct vm *vm)
{
	struct loop_work work = { .fn = end_devices, .opaque = vm };
	uint64_t limit = now_ns() + END_LIMIT;
	struct timespec ts = {
		.tv_sec = (time_t)(limit / NSEC_PER_SEC),
		.tv_nsec = (long)(limit % NSEC_PER_SEC),
	};
	int err = 0;

	if (!vm->device_started) {
		vcpus_stop(vm->vcpus);
		vm_stop_devices(vm);
		return;
	}
	loop_post(vm->loop, &work);
	pthread_mutex_lock(&vm->end_lock);
	while (!vm->ended && !err)
		err = pthread_cond_timedwait(&vm->end, &vm->end_lock, &ts);
	if (!vm->ended || vm->device_error)
		give_up(vm);
	pthread_mutex_unlock(&vm->end_lock);
	sandbox_thread_join(vm->device_thread);
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
	err = start_device_thread(vm);
	if (!err)
		err = sandbox_drop_root(vm->opt);
	if (!err && vm->opt->sandbox)
		err = sandbox_enter();
	return err;
}

/**
 * vm_run() - run the guest to its end
 * @vm:     from vm_create()
 * @status: set on success: why it ended, one of enum vm_exit
 *
 * Context: main thread.
 * Return: 0 when the guest has run; -errno when it could not, after a line on
 * stderr. The vCPUs have stopped in either case. Does not return if a disk hangs.
 */
int vm_run(struct vm *vm, int *status)
{
	int err = start(vm);

	if (!err) {
		vm->started = now_ns();
		vcpus_resume(vm->vcpus);
		err = loop_run(vm->main_loop);
	}
	end(vm);
	serial_finish(vm->serial);
	*status = vm->status;
	return err;
}
