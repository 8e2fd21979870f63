/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kvm.h - /dev/kvm.
 */
#ifndef KVHOST_KVM_H
#define KVHOST_KVM_H

/* Open it and check that it can run @cpus vCPUs our way; the fd or -errno. */
int kvm_open(unsigned int cpus);

#endif
