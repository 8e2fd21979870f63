// SPDX-License-Identifier: GPL-2.0
/*
 * kvm.c - is there a KVM that can do what we need?
 *
 * Asked once, before anything is built, so that an unfit host is named as such
 * and not by the first ioctl that fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm.h"
#include "util.h"

#define KVM_NODE	"/dev/kvm"

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

static int check(int fd, unsigned int cpus)
{
	int max;

	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		log_error("%s does not speak version %d of KVM's interface", KVM_NODE,
			  KVM_API_VERSION);
		return -ENODEV;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(needed); i++) {
		if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].cap) > 0)
			continue;
		log_error("this host's KVM lacks %s; a kernel since 4.15 has it", needed[i].name);
		return -ENODEV;
	}
	max = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if ((int)cpus > max) {
		log_error("--cpus: '%u' is more than the %d this host's KVM can run",
			  cpus, max);
		return -EINVAL;
	}
	return 0;
}

/**
 * kvm_open() - open KVM and check that it has what a VM needs
 * @cpus: how many vCPUs there are to be
 *
 * Return: the file descriptor, or -errno after one line on stderr.
 */
int kvm_open(unsigned int cpus)
{
	int fd = open(KVM_NODE, O_RDWR | O_CLOEXEC);
	int err;

	if (fd < 0) {
		err = -errno;
		if (err == -EACCES)
			log_error("no permission for %s; join its group (usually kvm) or be root",
				  KVM_NODE);
		else
			log_error("cannot open %s: %m; load kvm_intel or kvm_amd", KVM_NODE);
		return err;
	}
	err = check(fd, cpus);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}
