// SPDX-License-Identifier: GPL-2.0
/*
 * vm.c - one virtual machine, from options to end.
 *
 * Builds the parts in an order in which each finds what it needs, and takes
 * them down in the mirrored one. While the guest runs, the main thread sits in
 * the event loop; everything that stops or resets the VM is a request that is
 * recorded, brings the vCPUs to a halt, and is carried out by the main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "acpi.h"
#include "boot.h"
#include "bus.h"
#include "control.h"
#include "cpuid.h"
#include "irq.h"
#include "loop.h"
#include "memory.h"
#include "options.h"
#include "pci_bus.h"
#include "platform.h"
#include "sandbox.h"
#include "serial.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"

#define KVM_NODE	"/dev/kvm"
/* Three pages and one that Intel's KVM needs, in reserved addresses. */
#define TSS_ADDR	0xfffbd000UL
#define IDENTITY_ADDR	0xfffbc000ULL
/* A vCPU may be waiting for a disk. */
#define PAUSE_LIMIT	(30 * NSEC_PER_SEC)

#define NO_STATUS	(-1)

/**
 * struct vm - one virtual machine
 *
 * Constant once vm_create() has returned, except:
 * @lock:    vm_lock()
 * @status:  what to exit with, or NO_STATUS; atomic
 * @reset:   a reset is asked for; atomic
 * @resets:  how many there were; main thread
 */
struct vm {
	const struct options *opt;
	int kvm_fd;
	int fd;
	int signal_fd;
	uint64_t mem64;
	uint64_t started;
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
	struct vm_hook *hooks;		/* latest first */
	struct loop_work request;
	pthread_mutex_t lock;
	int status;
	bool reset;
	unsigned int resets;
};

int vm_fd(const struct vm *vm)
{
	return vm->fd;
}

const struct options *vm_options(const struct vm *vm)
{
	return vm->opt;
}

unsigned int vm_cpus(const struct vm *vm)
{
	return vm->opt->cpus;
}

const struct guest_memory *vm_memory(const struct vm *vm)
{
	return &vm->mem;
}

struct loop *vm_loop(const struct vm *vm)
{
	return vm->loop;
}

struct pci_bus *vm_pci(const struct vm *vm)
{
	return vm->pci;
}

struct bus *vm_bus(const struct vm *vm)
{
	return vm->bus;
}

struct irq *vm_irq(const struct vm *vm)
{
	return vm->irq;
}

void vm_lock(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
}

void vm_unlock(struct vm *vm)
{
	pthread_mutex_unlock(&vm->lock);
}

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
	log_error("a vCPU did not stop within %llu seconds, it may be waiting for a disk; giving up",
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

static void serve_request(void *opaque)
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

static void signal_ready(void *opaque, int fd, uint32_t events)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) == sizeof(si))
		vm_request_exit(opaque, VM_EXIT_SIGNAL + (int)si.ssi_signo);
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

/* --- creation -------------------------------------------------------- */

static const struct {
	int cap;
	const char *name;
} needed[] = {
	{ KVM_CAP_IRQCHIP, "an in-kernel interrupt controller" },
	{ KVM_CAP_USER_MEMORY, "user memory" },
	{ KVM_CAP_SET_TSS_ADDR, "KVM_SET_TSS_ADDR" },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_SET_IDENTITY_MAP_ADDR" },
	{ KVM_CAP_EXT_CPUID, "CPUID" },
	{ KVM_CAP_MP_STATE, "KVM_SET_MP_STATE" },
	{ KVM_CAP_VCPU_EVENTS, "vCPU events" },
	{ KVM_CAP_DEBUGREGS, "debug registers" },
	{ KVM_CAP_XSAVE, "XSAVE" },
	{ KVM_CAP_XCRS, "XCRs" },
	{ KVM_CAP_PIT2, "an in-kernel timer" },
	{ KVM_CAP_PIT_STATE2, "the timer's state" },
	{ KVM_CAP_IRQ_ROUTING, "interrupt routing" },
	{ KVM_CAP_IRQFD, "irqfd" },
	{ KVM_CAP_IOEVENTFD, "ioeventfd" },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "ioeventfd of any length" },
	{ KVM_CAP_SIGNAL_MSI, "KVM_SIGNAL_MSI" },
	{ KVM_CAP_TSC_DEADLINE_TIMER, "the TSC deadline timer" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
};

static int check_kvm(const struct vm *vm)
{
	int max;

	if (ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		log_error("%s does not speak version %d of KVM's interface", KVM_NODE,
			  KVM_API_VERSION);
		return -ENODEV;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(needed); i++) {
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) > 0)
			continue;
		log_error("this host's KVM lacks %s; a kernel since 4.15 has it", needed[i].name);
		return -ENODEV;
	}
	max = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if ((int)vm->opt->cpus > max) {
		log_error("--cpus: '%u' is more than the %d this host's KVM can run",
			  vm->opt->cpus, max);
		return -EINVAL;
	}
	return 0;
}

static int open_kvm(struct vm *vm)
{
	int err;

	vm->kvm_fd = open(KVM_NODE, O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd >= 0)
		return check_kvm(vm);
	err = -errno;
	if (err == -EACCES)
		log_error("no permission for %s; join its group (usually kvm) or be root",
			  KVM_NODE);
	else
		log_error("cannot open %s: %m; load kvm_intel or kvm_amd, and enable virtualisation in the firmware",
			  KVM_NODE);
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

	err = cpuid_supported(vm->kvm_fd, &cpuid);
	if (err)
		return err;
	bits = cpuid_phys_bits(cpuid);
	free(cpuid);
	vm->mem64 = ALIGN_UP(memory_end(&vm->mem), MEMORY_PCI64_SIZE);
	if ((vm->mem64 + MEMORY_PCI64_SIZE - 1) >> bits) {
		log_error("--memory: %llu MiB and the PCI window above do not fit the %u address bits of this processor",
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
	err = memory_register(&vm->mem, vm->fd);
	return err ? err : place_window(vm);
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
	return loop_add(vm->loop, vm->signal_fd, EPOLLIN, signal_ready, vm);
}

static int build(struct vm *vm)
{
	int err = create_kvm_vm(vm);

	if (!err)
		err = create_memory(vm);
	if (!err)
		err = bus_create(&vm->bus);
	if (!err)
		err = platform_create(&vm->platform, vm);
	if (!err)
		err = pci_bus_create(&vm->pci, vm->fd, vm->irq, vm->bus, vm->mem64);
	if (!err)
		err = vcpus_create(&vm->vcpus, vm, vm->kvm_fd);
	if (err)
		log_error("the VM cannot be created: %s", strerror(-err));
	return err;
}

static int add_devices(struct vm *vm)
{
	int err = serial_create(&vm->serial, vm);

	for (unsigned int i = 0; !err && i < vm->opt->nr_disks; i++)
		err = dev_blk_create(vm, &vm->opt->disks[i]);
	if (!err && vm->opt->control)
		err = control_create(&vm->control, vm, vm->opt->control);
	return err;
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
	v->request = (struct loop_work){ .fn = serve_request, .opaque = v };
	pthread_mutex_init(&v->lock, NULL);
	err = boot_open(&v->boot, opt);
	if (!err)
		err = open_kvm(v);
	if (!err)
		err = loop_create(&v->loop);
	if (!err)
		err = take_signals(v);
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

static void stop_devices(struct vm *vm)
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

/**
 * vm_destroy() - take a VM down
 * @vm: not running
 */
void vm_destroy(struct vm *vm)
{
	stop_devices(vm);
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
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	boot_close(vm->boot);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
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
		serial_start(vm->serial);
		vcpus_resume(vm->vcpus);
		err = loop_run(vm->loop);
		pause_or_die(vm);
	}
	vcpus_stop(vm->vcpus);
	stop_devices(vm);
	serial_finish(vm->serial);
	*status = vm->status;
	return err;
}
