/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cpuid.h - what a vCPU says it is.
 */
#ifndef KVHOST_CPUID_H
#define KVHOST_CPUID_H

struct kvm_cpuid2;

/* What KVM can offer on this host; free() it. */
int cpuid_supported(int kvm_fd, struct kvm_cpuid2 **cpuid);
/* Adapt it to vCPU @id of @cpus. */
void cpuid_fix(struct kvm_cpuid2 *cpuid, unsigned int id, unsigned int cpus);
/* Width of a guest-physical address. */
unsigned int cpuid_phys_bits(const struct kvm_cpuid2 *cpuid);

#endif
