/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vcpu_state.h - everything KVM knows of a vCPU, taken and put back.
 */
#ifndef KVHOST_VCPU_STATE_H
#define KVHOST_VCPU_STATE_H

struct vcpu_boot;
struct vcpu_state;

/* The MSRs KVM would save on this host; free() it. */
struct kvm_msr_list *vcpu_state_msrs(int kvm_fd);
int vcpu_state_save(int vcpu_fd, const struct kvm_msr_list *msrs, struct vcpu_state **state);
int vcpu_state_load(int vcpu_fd, struct vcpu_state *state);
void vcpu_state_free(struct vcpu_state *state);
/* Registers of the boot processor at the kernel's 32-bit entry point. */
int vcpu_state_boot(int vcpu_fd, const struct vcpu_boot *boot);

#endif
