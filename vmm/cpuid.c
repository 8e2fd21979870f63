// SPDX-License-Identifier: GPL-2.0
/*
 * cpuid.c - what a vCPU says it is.
 *
 * The host's processor as far as KVM can virtualise it, with the topology of
 * the VM in place of the host's: one package, one thread per core, APIC ids
 * 0..n-1. Called while the VM is built.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "cpuid.h"

#define ENTRIES_MAX		256

#define LEAF1_ECX_TSC_DEADLINE	(1U << 24)
#define LEAF1_ECX_HYPERVISOR	(1U << 31)
#define LEAF1_EDX_HTT		(1U << 28)

/**
 * cpuid_supported() - ask KVM what it can offer
 * @kvm_fd: /dev/kvm
 * @cpuid:  set on success, to be freed by free()
 *
 * Return: 0, -ENOMEM, or the errno of KVM_GET_SUPPORTED_CPUID.
 */
int cpuid_supported(int kvm_fd, struct kvm_cpuid2 **cpuid)
{
	struct kvm_cpuid2 *c;
	int err;

	c = calloc(1, sizeof(*c) + ENTRIES_MAX * sizeof(c->entries[0]));
	if (!c)
		return -ENOMEM;
	c->nent = ENTRIES_MAX;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, c) < 0) {
		err = -errno;
		free(c);
		return err;
	}
	*cpuid = c;
	return 0;
}

/* Bits of an APIC id that number the cores of @cpus. */
static unsigned int core_bits(unsigned int cpus)
{
	unsigned int bits = 0;

	while (1U << bits < cpus)
		bits++;
	return bits;
}

/* Leaves 0xb and 0x1f: level 0 is the thread, level 1 the core. */
static void fix_topology(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int cpus)
{
	e->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	e->eax = 0;
	e->ebx = 0;
	e->ecx = e->index & 0xff;
	e->edx = id;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= 1 << 8;
	} else if (e->index == 1) {
		e->eax = core_bits(cpus);
		e->ebx = cpus;
		e->ecx |= 2 << 8;
	}
}

/* Caches: the first two levels belong to a core, the others to the package. */
static void fix_cache(struct kvm_cpuid_entry2 *e, unsigned int cpus)
{
	unsigned int level = e->eax >> 5 & 7;
	unsigned int sharing = level > 2 ? cpus - 1 : 0;

	if (!(e->eax & 0x1f))
		return;
	e->eax &= 0x3fff;
	e->eax |= sharing << 14;
	if (e->function == 4)
		e->eax |= (cpus - 1) << 26;
}

static void fix_entry(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int cpus)
{
	switch (e->function) {
	case 1:
		e->ebx = (e->ebx & 0xffff) | id << 24 | cpus << 16;
		e->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_TSC_DEADLINE;
		e->edx &= ~LEAF1_EDX_HTT;
		if (cpus > 1)
			e->edx |= LEAF1_EDX_HTT;
		break;
	case 4:
	case 0x8000001d:
		fix_cache(e, cpus);
		break;
	case 0xb:
	case 0x1f:
		fix_topology(e, id, cpus);
		break;
	case 0x80000008:
		e->ecx = (e->ecx & ~0xf0ffU) | core_bits(cpus) << 12 | (cpus - 1);
		break;
	case 0x8000001e:
		e->eax = id;
		e->ebx = (e->ebx & ~0xffffU) | id;
		e->ecx = 0;
		break;
	}
}

/* KVM may offer leaf 0xb with fewer levels than we describe. */
static void add_level(struct kvm_cpuid2 *c, unsigned int function, unsigned int index)
{
	struct kvm_cpuid_entry2 *e;
	bool have_leaf = false;

	for (unsigned int i = 0; i < c->nent; i++) {
		if (c->entries[i].function != function)
			continue;
		have_leaf = true;
		if (c->entries[i].index == index)
			return;
	}
	if (!have_leaf || c->nent == ENTRIES_MAX)
		return;
	e = &c->entries[c->nent++];
	*e = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};
}

/**
 * cpuid_fix() - adapt the leaves to one vCPU
 * @cpuid: from cpuid_supported(); may have been adapted to another vCPU
 * @id:    which vCPU, and its APIC id
 * @cpus:  how many there are
 */
void cpuid_fix(struct kvm_cpuid2 *cpuid, unsigned int id, unsigned int cpus)
{
	for (unsigned int level = 0; level < 3; level++) {
		add_level(cpuid, 0xb, level);
		add_level(cpuid, 0x1f, level);
	}
	for (unsigned int i = 0; i < cpuid->nent; i++)
		fix_entry(&cpuid->entries[i], id, cpus);
}

/**
 * cpuid_phys_bits() - width of a guest-physical address
 * @cpuid: from cpuid_supported()
 *
 * Return: the width in bits; 36 where the processor does not say.
 */
unsigned int cpuid_phys_bits(const struct kvm_cpuid2 *cpuid)
{
	for (unsigned int i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 0x80000008)
			return cpuid->entries[i].eax & 0xff;
	}
	return 36;
}
