// SPDX-License-Identifier: GPL-2.0
/*
 * vm_create.c - a virtual machine from its options, and back.
 *
 * Builds the parts in an order in which each finds what it needs, and takes
 * them down in the mirrored one. vm_destroy() copes with any part missing, so
 * that a VM half built goes the same way. Whoever fails says so in one line.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"
#include "bus.h"
#include "control.h"
#include "cpuid.h"
#include "irq.h"
#include "kvm.h"
#include "loop.h"
#include "memory.h"
#include "options.h"
#include "pci_bus.h"
#include "platform.h"
#include "serial.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"
#include "vm_priv.h"

/* Three pages and one that Intel's KVM needs, in reserved addresses. */
#define TSS_ADDR	0xfffbd000UL
#define IDENTITY_ADDR	0xfffbc000ULL

static int failed(const char *what, int err)
{
	if (err)
		log_error("the VM cannot be created: %s: %s", what, strerror(-err));
	return err;
}

static int create_kvm_vm(struct vm *vm)
{
	uint64_t identity = IDENTITY_ADDR;

	do {
		vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	} while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0 || ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0 ||
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return -errno;
	return irq_create(&vm->irq, vm->fd);
}

/* The window for 64-bit BARs lies above RAM, aligned to its size. */
static int place_window(struct vm *vm)
{
	struct kvm_cpuid2 *cpuid;
	unsigned int bits;
	int err;

	err = failed("CPUID", cpuid_supported(vm->kvm_fd, &cpuid));
	if (err)
		return err;
	bits = cpuid_phys_bits(cpuid);
	free(cpuid);
	vm->mem64 = align_up(memory_end(&vm->mem), MEMORY_PCI64_SIZE);
	if ((vm->mem64 + MEMORY_PCI64_SIZE - 1) >> bits) {
		log_error("--memory: %llu MiB are too many for %u address bits",
			  (unsigned long long)(vm->opt->memory >> 20), bits);
		return -EINVAL;
	}
	return 0;
}

static int create_memory(struct vm *vm)
{
	int err = memory_create(&vm->mem, vm->opt->memory);

	if (err) {
		log_error("--memory: the host cannot map %llu MiB: %s",
			  (unsigned long long)(vm->opt->memory >> 20), strerror(-err));
		return err;
	}
	err = failed("memory", memory_register(&vm->mem, vm->fd));
	return err ? err : place_window(vm);
}

static void signal_ready(void *opaque, int fd, uint32_t events)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) == sizeof(si))
		vm_request_exit(opaque, VM_EXIT_SIGNAL + (int)si.ssi_signo);
}

/* In every thread to come: these reach the main thread's loop and no one else. */
static int take_signals(struct vm *vm)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	vm->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (vm->signal_fd < 0)
		return -errno;
	return loop_add(vm->main_loop, vm->signal_fd, EPOLLIN, signal_ready, vm);
}

static int build(struct vm *vm)
{
	int err = failed("KVM", create_kvm_vm(vm));

	if (!err)
		err = create_memory(vm);
	if (!err)
		err = failed("ports", bus_create(&vm->bus));
	if (!err)
		err = failed("platform devices", platform_create(&vm->platform, vm));
	if (!err)
		err = failed("PCI bus", pci_bus_create(&vm->pci, vm->fd, vm->irq, vm->bus,
						       vm->mem64));
	if (!err)
		err = failed("vCPUs", vcpus_create(&vm->vcpus, vm, vm->kvm_fd));
	return err;
}

static int add_devices(struct vm *vm)
{
	int err = serial_create(&vm->serial, vm);

	for (unsigned int i = 0; !err && i < vm->opt->nr_disks; i++)
		err = dev_blk_create(vm, &vm->opt->disks[i]);
	for (unsigned int i = 0; !err && i < vm->opt->nr_nets; i++)
		err = dev_net_create(vm, &vm->opt->nets[i]);
	if (!err && vm->opt->control)
		err = control_create(&vm->control, vm, vm->opt->control);
	return err;
}

static void init_locks(struct vm *vm)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->end_lock, NULL);
	pthread_mutex_init(&vm->wait_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&vm->end, &attr);
	pthread_condattr_destroy(&attr);
}

/**
 * vm_create() - build a VM from its options
 * @vm:  set on success
 * @opt: outlives it
 *
 * Context: main thread, the only one so far.
 * Return: 0, or -errno after a line on stderr.
 */
int vm_create(struct vm **vm, const struct options *opt)
{
	struct vm *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	v->opt = opt;
	v->kvm_fd = -1;
	v->fd = -1;
	v->signal_fd = -1;
	v->status = NO_STATUS;
	v->exit_work = (struct loop_work){ .fn = vm_serve_exit, .opaque = v };
	v->reset_work = (struct loop_work){ .fn = vm_serve_reset, .opaque = v };
	init_locks(v);
	err = boot_open(&v->boot, opt);
	if (!err) {
		v->kvm_fd = kvm_open(opt->cpus);
		err = v->kvm_fd < 0 ? v->kvm_fd : 0;
	}
	if (!err)
		err = failed("event loop", loop_create(&v->loop));
	if (!err)
		err = failed("event loop", loop_create(&v->main_loop));
	if (!err)
		err = failed("signals", take_signals(v));
	if (!err)
		err = build(v);
	if (!err)
		err = add_devices(v);
	if (err) {
		vm_destroy(v);
		return err;
	}
	*vm = v;
	return 0;
}

/**
 * vm_destroy() - take a VM down
 * @vm: not running
 */
void vm_destroy(struct vm *vm)
{
	vm_stop_devices(vm);
	control_destroy(vm->control);
	serial_destroy(vm->serial);
	vcpus_destroy(vm->vcpus);
	pci_bus_destroy(vm->pci);
	platform_destroy(vm->platform);
	bus_destroy(vm->bus);
	irq_destroy(vm->irq);
	if (vm->fd >= 0)
		close(vm->fd);
	memory_destroy(&vm->mem);
	if (vm->signal_fd >= 0)
		close(vm->signal_fd);
	loop_destroy(vm->loop);
	loop_destroy(vm->main_loop);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	boot_close(vm->boot);
	pthread_cond_destroy(&vm->end);
	pthread_mutex_destroy(&vm->wait_lock);
	pthread_mutex_destroy(&vm->end_lock);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}
