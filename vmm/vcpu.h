/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vcpu.h - the virtual CPUs of a VM, as one set.
 *
 * Life: create, boot, start, resume, any number of pause/reset/boot/resume, stop,
 * destroy. All calls but vcpus_hold() come from the main thread.
 */
#ifndef KVHOST_VCPU_H
#define KVHOST_VCPU_H

#include <stdint.h>

struct vm;
struct vcpu_set;

/**
 * struct vcpu_boot - where the boot processor begins
 * @entry:  entry point, flat segments
 * @pages:  guest-physical address of page tables: enter in 64-bit mode; 0: in
 *          32-bit mode without paging
 * @params: guest-physical address of the boot parameters, handed over in ESI
 * @gdt:    guest-physical address of a GDT with flat code at 0x10, data at 0x18
 * @gdt_limit: its limit
 */
struct vcpu_boot {
	uint32_t entry;
	uint32_t pages;
	uint32_t params;
	uint32_t gdt;
	uint16_t gdt_limit;
};

int vcpus_create(struct vcpu_set **set, struct vm *vm, int kvm_fd);
void vcpus_destroy(struct vcpu_set *set);
/* Start the threads; the vCPUs stand still until vcpus_resume(). */
int vcpus_start(struct vcpu_set *set);
/* Make the boot processor ready to enter the kernel; the set is fresh or reset. */
int vcpus_boot(struct vcpu_set *set, const struct vcpu_boot *boot);
/* Back to the state after creation. They stand still. */
int vcpus_reset(struct vcpu_set *set);
void vcpus_resume(struct vcpu_set *set);
/* Ask the vCPUs to stand still, without waiting; any thread, any lock but theirs. */
void vcpus_hold(struct vcpu_set *set);
/* Returns once all vCPUs stand still; -ETIMEDOUT when one does not within @ns. */
int vcpus_pause(struct vcpu_set *set, uint64_t ns);
/* End the threads; they stand still. */
void vcpus_stop(struct vcpu_set *set);

#endif
