// SPDX-License-Identifier: GPL-2.0
/*
 * vcpu.c - one thread per virtual CPU.
 *
 * A vCPU thread is either running the guest or standing still ("parked"). The
 * main thread sets @want and kicks; a kick is immediate_exit plus a signal, so
 * one that comes just before KVM_RUN is not lost. Before it parks, a vCPU lets
 * KVM finish the access it exited for, so that its state is whole and a later
 * reset is not overwritten by the rest of an old instruction.
 *
 * Exits are served under vm_lock(), one switch case each. @lock guards @want and
 * @parked; it is a leaf and never held across KVM_RUN or a device callback.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bus.h"
#include "cpuid.h"
#include "options.h"
#include "pci_bus.h"
#include "sandbox.h"
#include "util.h"
#include "vcpu.h"
#include "vcpu_state.h"
#include "vm.h"

#define KICK_SIGNAL	SIGUSR1

enum want {
	WANT_PARKED,
	WANT_RUNNING,
	WANT_ENDED,
};

struct vcpu {
	struct vcpu_set *set;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	struct vcpu_state *power_on;
	pthread_t thread;
	bool started;
};

struct vcpu_set {
	struct vm *vm;
	unsigned int nr;
	size_t run_size;
	struct vcpu vcpus[OPTIONS_CPUS_MAX];

	pthread_mutex_t lock;	/* guards what follows */
	pthread_cond_t changed;
	enum want want;
	unsigned int parked;
};

static void on_kick(int sig)
{
	(void)sig;
}

/* --- exits ----------------------------------------------------------- */

static void port_read(struct vm *vm, unsigned int port, uint8_t *data, unsigned int len)
{
	uint32_t val = ~0U;

	if (bus_read(vm_bus(vm), port, len, &val))
		memcpy(data, &val, len);
	else if (!pci_bus_read(vm_pci(vm), true, port, data, len))
		memset(data, 0xff, len);
}

static void port_write(struct vm *vm, unsigned int port, const uint8_t *data, unsigned int len)
{
	uint32_t val = 0;

	memcpy(&val, data, len);
	if (!bus_write(vm_bus(vm), port, len, val))
		pci_bus_write(vm_pci(vm), true, port, data, len);
}

static void exit_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	struct vm *vm = vcpu->set->vm;

	vm_lock(vm);
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_IN)
			port_read(vm, run->io.port, data, run->io.size);
		else
			port_write(vm, run->io.port, data, run->io.size);
	}
	vm_unlock(vm);
}

static void exit_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct pci_bus *pci = vm_pci(vcpu->set->vm);

	vm_lock(vcpu->set->vm);
	if (run->mmio.is_write)
		pci_bus_write(pci, false, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else if (!pci_bus_read(pci, false, run->mmio.phys_addr, run->mmio.data, run->mmio.len))
		memset(run->mmio.data, 0xff, run->mmio.len);
	vm_unlock(vcpu->set->vm);
}

/* Where the guest was, for whoever has to find out why it died. */
static void describe(struct vcpu *vcpu, char *text, size_t len)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0) {
		snprintf(text, len, "registers not available");
		return;
	}
	snprintf(text, len, "rip %#llx rsp %#llx rflags %#llx cr0 %#llx cr2 %#llx cr3 %#llx",
		 regs.rip, regs.rsp, regs.rflags, sregs.cr0, sregs.cr2, sregs.cr3);
}

static void crash(struct vcpu *vcpu, const char *why)
{
	char where[256];

	describe(vcpu, where, sizeof(where));
	log_error("guest crashed: vCPU %u: %s; %s", vcpu->id, why, where);
	vm_request_exit(vcpu->set->vm, VM_EXIT_CRASH);
}

static void serve_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	char why[96];

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		exit_io(vcpu);
		break;
	case KVM_EXIT_MMIO:
		exit_mmio(vcpu);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		crash(vcpu, "triple fault");
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(why, sizeof(why), "KVM internal error %u", run->internal.suberror);
		crash(vcpu, why);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(why, sizeof(why), "the processor refuses to enter it, reason %#llx",
			 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		crash(vcpu, why);
		break;
	default:
		snprintf(why, sizeof(why), "KVM exit %u is not one this program knows",
			 run->exit_reason);
		crash(vcpu, why);
	}
}

/* --- the thread ------------------------------------------------------ */

static int enter(struct vcpu *vcpu)
{
	return ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? -errno : 0;
}

/* Let KVM complete the access the last exit was for, without running the guest. */
static void settle(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELAXED);
	/*
	 * A repeated or split access exits again for its next part. A device
	 * may see those, as it would have without the pause; the bound is
	 * against a KVM that never says EINTR.
	 */
	for (int i = 0; i < 4096 && !enter(vcpu); i++)
		serve_exit(vcpu);
}

/* Returns what is wanted of the vCPU now; stands still as long as that is parked. */
static enum want follow(struct vcpu *vcpu)
{
	struct vcpu_set *set = vcpu->set;
	enum want want;

	pthread_mutex_lock(&set->lock);
	if (set->want == WANT_PARKED) {
		pthread_mutex_unlock(&set->lock);
		settle(vcpu);
		pthread_mutex_lock(&set->lock);
		set->parked++;
		pthread_cond_broadcast(&set->changed);
		while (set->want == WANT_PARKED)
			pthread_cond_wait(&set->changed, &set->lock);
		set->parked--;
	}
	want = set->want;
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&set->lock);
	return want;
}

static void *thread(void *opaque)
{
	struct vcpu *vcpu = opaque;
	int err;

	while (follow(vcpu) == WANT_RUNNING) {
		do {
			err = enter(vcpu);
			if (!err)
				serve_exit(vcpu);
		} while (!err && !__atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_RELAXED));
		if (err && err != -EINTR && err != -EAGAIN) {
			log_error("vCPU %u: KVM_RUN: %s", vcpu->id, strerror(-err));
			vm_request_exit(vcpu->set->vm, VM_EXIT_CRASH);
		}
	}
	return NULL;
}

static void kick(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELAXED);
	pthread_kill(vcpu->thread, KICK_SIGNAL);
}

/**
 * vcpus_resume() - let the vCPUs run
 * @set: started and parked
 */
void vcpus_resume(struct vcpu_set *set)
{
	pthread_mutex_lock(&set->lock);
	set->want = WANT_RUNNING;
	pthread_cond_broadcast(&set->changed);
	pthread_mutex_unlock(&set->lock);
}

/**
 * vcpus_hold() - ask the vCPUs to stand still
 * @set: may be NULL: no vCPU runs yet
 *
 * The one that calls this stops behind the access it is serving.
 *
 * Context: any thread, vm_lock() held or not.
 */
void vcpus_hold(struct vcpu_set *set)
{
	if (!set)
		return;
	pthread_mutex_lock(&set->lock);
	if (set->want == WANT_RUNNING)
		set->want = WANT_PARKED;
	/* Under the lock: a vCPU clears its immediate_exit there, after it saw @want. */
	for (unsigned int i = 0; i < set->nr; i++) {
		if (set->vcpus[i].started)
			kick(&set->vcpus[i]);
	}
	pthread_mutex_unlock(&set->lock);
}

/**
 * vcpus_pause() - make the vCPUs stand still
 * @set: started
 * @ns:  how long to wait for them
 *
 * Context: main thread, vm_lock() not held.
 * Return: 0, or -ETIMEDOUT when a vCPU is stuck in a device or in KVM.
 */
int vcpus_pause(struct vcpu_set *set, uint64_t ns)
{
	uint64_t end = now_ns() + ns;
	struct timespec ts = {
		.tv_sec = (time_t)(end / NSEC_PER_SEC),
		.tv_nsec = (long)(end % NSEC_PER_SEC),
	};
	int err = 0;

	vcpus_hold(set);
	pthread_mutex_lock(&set->lock);
	while (set->parked < set->nr && !err)
		err = -pthread_cond_timedwait(&set->changed, &set->lock, &ts);
	pthread_mutex_unlock(&set->lock);
	return err;
}

/**
 * vcpus_stop() - end the threads
 * @set: parked, or never started
 */
void vcpus_stop(struct vcpu_set *set)
{
	pthread_mutex_lock(&set->lock);
	set->want = WANT_ENDED;
	pthread_cond_broadcast(&set->changed);
	pthread_mutex_unlock(&set->lock);
	for (unsigned int i = 0; i < set->nr; i++) {
		if (set->vcpus[i].started)
			sandbox_thread_join(set->vcpus[i].thread);
		set->vcpus[i].started = false;
	}
}

/**
 * vcpus_start() - start the threads, parked
 * @set: from vcpus_create()
 *
 * Return: 0 or the errno of pthread_create(), and then no thread is left.
 */
int vcpus_start(struct vcpu_set *set)
{
	struct sigaction sa = { .sa_handler = on_kick };
	char name[16];
	int err;

	/* Without SA_RESTART, so that it interrupts KVM_RUN. */
	sigaction(KICK_SIGNAL, &sa, NULL);
	for (unsigned int i = 0; i < set->nr; i++) {
		struct vcpu *vcpu = &set->vcpus[i];

		err = sandbox_thread_create(&vcpu->thread, SANDBOX_VCPU, thread, vcpu);
		if (err) {
			vcpus_stop(set);
			return err;
		}
		vcpu->started = true;
		snprintf(name, sizeof(name), "vcpu%u", i);
		pthread_setname_np(vcpu->thread, name);
	}
	return 0;
}

/**
 * vcpus_reset() - bring all vCPUs back to the state after creation
 * @set: parked
 *
 * Return: 0 or the errno of a KVM ioctl.
 */
int vcpus_reset(struct vcpu_set *set)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < set->nr; i++)
		err = vcpu_state_load(set->vcpus[i].fd, set->vcpus[i].power_on);
	return err;
}

/**
 * vcpus_boot() - make the first vCPU ready to enter the kernel
 * @set:  fresh or reset, not running
 * @boot: where it begins
 *
 * Return: 0 or the errno of a KVM ioctl.
 */
int vcpus_boot(struct vcpu_set *set, const struct vcpu_boot *boot)
{
	return vcpu_state_boot(set->vcpus[0].fd, boot);
}

/* --- creation -------------------------------------------------------- */

static int vcpu_create(struct vcpu *vcpu, struct kvm_cpuid2 *cpuid,
		       const struct kvm_msr_list *msrs)
{
	struct vcpu_set *set = vcpu->set;
	void *run;

	vcpu->fd = ioctl(vm_fd(set->vm), KVM_CREATE_VCPU, vcpu->id);
	if (vcpu->fd < 0)
		return -errno;
	run = mmap(NULL, set->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	vcpu->run = run;
	cpuid_fix(cpuid, vcpu->id, set->nr);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		return -errno;
	return vcpu_state_save(vcpu->fd, msrs, &vcpu->power_on);
}

static int create_all(struct vcpu_set *set, int kvm_fd)
{
	struct kvm_msr_list *msrs = vcpu_state_msrs(kvm_fd);
	struct kvm_cpuid2 *cpuid = NULL;
	int err = msrs ? cpuid_supported(kvm_fd, &cpuid) : -errno;

	for (unsigned int i = 0; !err && i < set->nr; i++)
		err = vcpu_create(&set->vcpus[i], cpuid, msrs);
	free(cpuid);
	free(msrs);
	return err;
}

/**
 * vcpus_create() - create the vCPUs of a VM
 * @set:    set on success
 * @vm:     the VM
 * @kvm_fd: /dev/kvm
 *
 * Return: 0, -ENOMEM, or the errno of a KVM ioctl.
 */
int vcpus_create(struct vcpu_set **set, struct vm *vm, int kvm_fd)
{
	struct vcpu_set *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	int size, err;

	if (!s)
		return -ENOMEM;
	s->vm = vm;
	s->nr = vm_options(vm)->cpus;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	for (unsigned int i = 0; i < s->nr; i++)
		s->vcpus[i] = (struct vcpu){ .set = s, .id = i, .fd = -1 };
	size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	err = size < 0 ? -errno : 0;
	if (!err) {
		s->run_size = (size_t)size;
		err = create_all(s, kvm_fd);
	}
	if (err) {
		vcpus_destroy(s);
		return err;
	}
	*set = s;
	return 0;
}

/**
 * vcpus_destroy() - free the vCPUs
 * @set: stopped or never started; may be NULL
 */
void vcpus_destroy(struct vcpu_set *set)
{
	if (!set)
		return;
	for (unsigned int i = 0; i < set->nr; i++) {
		struct vcpu *vcpu = &set->vcpus[i];

		if (vcpu->run)
			munmap(vcpu->run, set->run_size);
		if (vcpu->fd >= 0)
			close(vcpu->fd);
		vcpu_state_free(vcpu->power_on);
	}
	pthread_cond_destroy(&set->changed);
	pthread_mutex_destroy(&set->lock);
	free(set);
}
