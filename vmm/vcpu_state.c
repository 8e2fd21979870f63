// SPDX-License-Identifier: GPL-2.0
/*
 * vcpu_state.c - everything KVM knows of a vCPU, taken and put back.
 *
 * The state is taken once, right after creation, and is what a machine reset
 * puts back: KVM has no reset call, and a vCPU cannot be created twice. Called
 * by the main thread while the vCPU is not in KVM_RUN.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util.h"
#include "vcpu.h"
#include "vcpu_state.h"

#define MSR_FEATURE_CONTROL	0x3a
#define MSR_MISC_ENABLE		0x1a0
#define MISC_FAST_STRINGS	(1U << 0)
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLE		(1U << 11)
#define MTRR_WRITE_BACK		6

#define CR0_PE			(1U << 0)
#define CR0_PG			(1U << 31)
#define CR4_PAE			(1U << 5)
#define EFER_LME		(1U << 8)
#define EFER_LMA		(1U << 10)

struct vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	struct kvm_lapic_state lapic;
	struct kvm_msrs *msrs;
	struct kvm_xsave xsave;		/* of open length */
};

/* In the order they are put back: APIC base before the APIC, events after registers. */
static const struct {
	const char *name;
	unsigned long get;
	unsigned long set;
	size_t off;
} parts[] = {
	{ "sregs", KVM_GET_SREGS, KVM_SET_SREGS, offsetof(struct vcpu_state, sregs) },
	{ "regs", KVM_GET_REGS, KVM_SET_REGS, offsetof(struct vcpu_state, regs) },
	{ "xsave", KVM_GET_XSAVE, KVM_SET_XSAVE, offsetof(struct vcpu_state, xsave) },
	{ "xcrs", KVM_GET_XCRS, KVM_SET_XCRS, offsetof(struct vcpu_state, xcrs) },
	{ "lapic", KVM_GET_LAPIC, KVM_SET_LAPIC, offsetof(struct vcpu_state, lapic) },
	{ "debugregs", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS,
	  offsetof(struct vcpu_state, debugregs) },
	{ "events", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
	  offsetof(struct vcpu_state, events) },
	{ "mp_state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, offsetof(struct vcpu_state, mp_state) },
};

/**
 * vcpu_state_msrs() - list the MSRs that make up a vCPU's state
 * @kvm_fd: /dev/kvm
 *
 * Return: the list, to be freed by free(), or NULL with errno set.
 */
struct kvm_msr_list *vcpu_state_msrs(int kvm_fd)
{
	struct kvm_msr_list probe = { 0 };
	struct kvm_msr_list *list;

	/* Fails with E2BIG by design and says how many there are. */
	if (ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, &probe) < 0 && errno != E2BIG)
		return NULL;
	list = calloc(1, sizeof(*list) + probe.nmsrs * sizeof(list->indices[0]));
	if (!list)
		return NULL;
	list->nmsrs = probe.nmsrs;
	if (ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, list) < 0) {
		free(list);
		return NULL;
	}
	return list;
}

/*
 * Move all of @m by KVM_GET_MSRS or KVM_SET_MSRS. KVM stops at the first MSR it
 * refuses: one this model lacks, or a read-only one. Drop it and go on behind.
 */
static int move_msrs(int vcpu_fd, unsigned long request, struct kvm_msrs *m)
{
	size_t bytes = sizeof(*m) + m->nmsrs * sizeof(m->entries[0]);
	unsigned int kept = 0, i = 0;
	struct kvm_msrs *part;
	int n;

	part = malloc(bytes);
	if (!part)
		return -ENOMEM;
	while (i < m->nmsrs) {
		part->nmsrs = m->nmsrs - i;
		memcpy(part->entries, m->entries + i, part->nmsrs * sizeof(part->entries[0]));
		n = ioctl(vcpu_fd, request, part);
		if (n < 0) {
			n = -errno;
			free(part);
			return n;
		}
		memcpy(m->entries + kept, part->entries, (size_t)n * sizeof(part->entries[0]));
		kept += (unsigned int)n;
		i += (unsigned int)n + 1;
	}
	m->nmsrs = kept;
	free(part);
	return 0;
}

static int save_msrs(int vcpu_fd, const struct kvm_msr_list *list, struct kvm_msrs **msrs)
{
	struct kvm_msrs *m;

	m = calloc(1, sizeof(*m) + list->nmsrs * sizeof(m->entries[0]));
	if (!m)
		return -ENOMEM;
	*msrs = m;
	m->nmsrs = list->nmsrs;
	for (unsigned int i = 0; i < list->nmsrs; i++)
		m->entries[i].index = list->indices[i];
	return move_msrs(vcpu_fd, KVM_GET_MSRS, m);
}

/* Move one MSR; one that this model lacks is left alone, and @data with it. */
static int move_msr(int vcpu_fd, unsigned long request, uint32_t index, uint64_t *data)
{
	struct kvm_msrs *m = calloc(1, sizeof(*m) + sizeof(m->entries[0]));
	int err;

	if (!m)
		return -ENOMEM;
	m->nmsrs = 1;
	m->entries[0].index = index;
	m->entries[0].data = *data;
	err = move_msrs(vcpu_fd, request, m);
	*data = m->entries[0].data;
	free(m);
	return err;
}

/*
 * Set what firmware would have set. Linux relies on cacheable RAM for its PAT,
 * and drops ERMS and REP_GOOD on Intel's processors without fast strings.
 */
static int set_firmware_msrs(int vcpu_fd)
{
	uint64_t mtrr = MTRR_ENABLE | MTRR_WRITE_BACK, misc = 0;
	int err = move_msr(vcpu_fd, KVM_SET_MSRS, MSR_MTRR_DEF_TYPE, &mtrr);

	if (!err)
		err = move_msr(vcpu_fd, KVM_GET_MSRS, MSR_MISC_ENABLE, &misc);
	misc |= MISC_FAST_STRINGS;
	return err ? err : move_msr(vcpu_fd, KVM_SET_MSRS, MSR_MISC_ENABLE, &misc);
}

/*
 * Take a vCPU out of VMX operation. KVM refuses CR4 without VMXE while the guest
 * is in it, and leaves it when the owner clears this MSR.
 */
static int leave_vmx(int vcpu_fd)
{
	uint64_t off = 0;

	return move_msr(vcpu_fd, KVM_SET_MSRS, MSR_FEATURE_CONTROL, &off);
}

/**
 * vcpu_state_save() - take a fresh vCPU's state
 * @vcpu_fd: the vCPU, its CPUID set
 * @msrs:    from vcpu_state_msrs()
 * @state:   set on success
 *
 * Return: 0, -ENOMEM, or the errno of a KVM ioctl after a line on stderr.
 */
int vcpu_state_save(int vcpu_fd, const struct kvm_msr_list *msrs, struct vcpu_state **state)
{
	struct vcpu_state *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = set_firmware_msrs(vcpu_fd);
	for (unsigned int i = 0; !err && i < ARRAY_SIZE(parts); i++) {
		if (ioctl(vcpu_fd, parts[i].get, (char *)s + parts[i].off) < 0) {
			err = -errno;
			log_error("KVM does not give a vCPU's %s: %m", parts[i].name);
		}
	}
	if (!err)
		err = save_msrs(vcpu_fd, msrs, &s->msrs);
	if (err) {
		vcpu_state_free(s);
		return err;
	}
	*state = s;
	return 0;
}

/**
 * vcpu_state_load() - put a vCPU's state back
 * @vcpu_fd: the vCPU
 * @state:   from vcpu_state_save()
 *
 * Return: 0, or the errno of a KVM ioctl after a line on stderr.
 */
int vcpu_state_load(int vcpu_fd, struct vcpu_state *state)
{
	int err = leave_vmx(vcpu_fd);

	if (err)
		return err;
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		if (ioctl(vcpu_fd, parts[i].set, (char *)state + parts[i].off) < 0) {
			err = -errno;
			log_error("KVM does not take a vCPU's %s: %m", parts[i].name);
			return err;
		}
	}
	return move_msrs(vcpu_fd, KVM_SET_MSRS, state->msrs);
}

/**
 * vcpu_state_free() - free a saved state
 * @state: or NULL
 */
void vcpu_state_free(struct vcpu_state *state)
{
	if (!state)
		return;
	free(state->msrs);
	free(state);
}

static struct kvm_segment flat(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

static void set_long_mode(struct kvm_sregs *sregs, uint32_t pages)
{
	sregs->cs.db = 0;
	sregs->cs.l = 1;
	sregs->cr3 = pages;
	sregs->cr4 |= CR4_PAE;
	sregs->cr0 |= CR0_PG;
	sregs->efer |= EFER_LME | EFER_LMA;
}

/**
 * vcpu_state_boot() - enter the kernel as its boot protocol asks
 * @vcpu_fd: the boot processor, in power-on state
 * @boot:    where
 *
 * Return: 0 or the errno of a KVM ioctl.
 */
int vcpu_state_boot(int vcpu_fd, const struct vcpu_boot *boot)
{
	struct kvm_segment code = flat(0x10, 0xb), data = flat(0x18, 0x3);
	struct kvm_regs regs = {
		.rip = boot->entry,
		.rsi = boot->params,
		.rflags = 2,
	};
	struct kvm_sregs sregs;

	if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.gdt.base = boot->gdt;
	sregs.gdt.limit = boot->gdt_limit;
	sregs.cr0 |= CR0_PE;
	if (boot->pages)
		set_long_mode(&sregs, boot->pages);
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs) < 0)
		return -errno;
	return ioctl(vcpu_fd, KVM_SET_REGS, &regs) < 0 ? -errno : 0;
}
