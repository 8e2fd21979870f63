// SPDX-License-Identifier: GPL-2.0
/*
 * sandbox_filter.c - the system calls that each kind of thread may make.
 *
 * A call that is not listed for a role ends the process. What a call could do to
 * others is ruled out by its arguments: no thread signals another process, sends to
 * an address, or maps memory that can be executed. With vdso=0 the clock is read by
 * system calls; so every role has them.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "sandbox.h"
#include "util.h"

#define IOCTL_TYPE_MASK	0xff00

#define MAIN	(1u << SANDBOX_MAIN)
#define DEVICE	(1u << SANDBOX_DEVICE)
#define VCPU	(1u << SANDBOX_VCPU)
#define DISK	(1u << SANDBOX_DISK)
#define RANGE	(1u << SANDBOX_RANGE)
#define NET	(1u << SANDBOX_NET)
#define ALL	(MAIN | DEVICE | VCPU | DISK | RANGE | NET)

struct rule {
	int nr;
	unsigned int roles;
};

/* Whatever the arguments. */
static const struct rule calls[] = {
	/* events, files that are open, messages */
	{ SCMP_SYS(write), ALL },
	{ SCMP_SYS(read), MAIN | DEVICE | VCPU | NET },
	{ SCMP_SYS(epoll_wait), MAIN | DEVICE },
	{ SCMP_SYS(epoll_pwait), MAIN | DEVICE },
	{ SCMP_SYS(epoll_ctl), MAIN | DEVICE | VCPU },
	{ SCMP_SYS(poll), MAIN | DEVICE | NET },
	{ SCMP_SYS(close), MAIN | DEVICE },
	/* the control socket */
	{ SCMP_SYS(accept4), MAIN },
	{ SCMP_SYS(recvfrom), MAIN | NET },
	/* a reset reads kernel and initrd again, a resize the size of a file */
	{ SCMP_SYS(pread64), DEVICE },
	{ SCMP_SYS(fstat), DEVICE },
	{ SCMP_SYS(newfstatat), DEVICE },
	/* disks; what the ring is asked for is restricted by the ring itself */
	{ SCMP_SYS(io_uring_enter), DISK },
	{ SCMP_SYS(fallocate), RANGE },
	{ SCMP_SYS(fdatasync), RANGE },
	{ SCMP_SYS(pwrite64), RANGE },
	/* networks */
	{ SCMP_SYS(readv), NET },
	{ SCMP_SYS(writev), NET },
	/* clocks, for kernels that have no vDSO */
	{ SCMP_SYS(clock_gettime), ALL },
	{ SCMP_SYS(gettimeofday), ALL },
	{ SCMP_SYS(time), ALL },
	/* threads and signals */
	{ SCMP_SYS(futex), ALL },
	{ SCMP_SYS(getpid), ALL },
	{ SCMP_SYS(gettid), ALL },
	{ SCMP_SYS(rt_sigreturn), ALL },
	{ SCMP_SYS(rt_sigprocmask), ALL },
	{ SCMP_SYS(rt_sigaction), ALL },
	{ SCMP_SYS(restart_syscall), ALL },
	/* memory, and the end */
	{ SCMP_SYS(brk), ALL },
	{ SCMP_SYS(munmap), ALL },
	{ SCMP_SYS(madvise), ALL },
	{ SCMP_SYS(mremap), ALL },
	{ SCMP_SYS(exit), ALL },
	{ SCMP_SYS(exit_group), ALL },
};

/* ioctl() by its whole number. KVM_RUN is allowed by run_first, too. */
static const struct {
	unsigned int cmd;
	unsigned int roles;
} ioctls[] = {
	{ KVM_RUN, VCPU },
	/* interrupts and doorbells */
	{ KVM_IRQ_LINE, DEVICE | VCPU },
	{ KVM_SIGNAL_MSI, DEVICE | VCPU },
	{ KVM_IRQFD, DEVICE | VCPU },
	{ KVM_IOEVENTFD, DEVICE | VCPU },
	{ KVM_SET_GSI_ROUTING, DEVICE | VCPU },
	/* a crash is described */
	{ KVM_GET_REGS, VCPU },
	{ KVM_GET_SREGS, DEVICE | VCPU },
	/* a reset */
	{ KVM_SET_IRQCHIP, DEVICE },
	{ KVM_SET_PIT2, DEVICE },
	{ KVM_SET_REGS, DEVICE },
	{ KVM_SET_SREGS, DEVICE },
	{ KVM_SET_XSAVE, DEVICE },
	{ KVM_SET_XCRS, DEVICE },
	{ KVM_SET_LAPIC, DEVICE },
	{ KVM_GET_MSRS, DEVICE },
	{ KVM_SET_MSRS, DEVICE },
	{ KVM_SET_DEBUGREGS, DEVICE },
	{ KVM_SET_VCPU_EVENTS, DEVICE },
	{ KVM_SET_MP_STATE, DEVICE },
	/* the terminal, whose TIOCSTI would type into it */
	{ TCGETS, ALL },
	{ TCSETS, ALL },
	/* disks */
	{ BLKGETSIZE64, DEVICE },
	{ BLKDISCARD, RANGE },
	{ BLKSECDISCARD, RANGE },
	/* taps */
	{ TUNSETOFFLOAD, DEVICE | VCPU },
	{ TUNSETTXFILTER, DEVICE | VCPU },
	{ TUNSETQUEUE, DEVICE | VCPU },
	{ SIOCSIFHWADDR, DEVICE | VCPU },
	{ SIOCGIFHWADDR, DEVICE | VCPU },
};

/* ioctl() by the type byte of its number: vhost, and our own. */
static const unsigned int ioctl_types[] = { 0xaf00, 0xb700 };

static int allow_ioctls(scmp_filter_ctx ctx, unsigned int role)
{
	int err = seccomp_syscall_priority(ctx, SCMP_SYS(ioctl), 255);

	for (unsigned int i = 0; !err && i < ARRAY_SIZE(ioctls); i++)
		if (ioctls[i].roles & role)
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					       SCMP_A1_32(SCMP_CMP_MASKED_EQ, ~0U,
							  ioctls[i].cmd));
	for (unsigned int i = 0; !err && i < ARRAY_SIZE(ioctl_types); i++)
		if (role & (DEVICE | VCPU))
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					       SCMP_A1_32(SCMP_CMP_MASKED_EQ, IOCTL_TYPE_MASK,
							  ioctl_types[i]));
	return err;
}

/* The allocator needs memory, but none that can be executed. */
static int allow_mappings(scmp_filter_ctx ctx)
{
	static const int maps[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int err = 0;

	for (unsigned int i = 0; !err && i < ARRAY_SIZE(maps); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, maps[i], 1,
				       SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return err;
}

/* To itself, and to the other end of a socket that is connected. */
static int allow_signals_and_answers(scmp_filter_ctx ctx, unsigned int role)
{
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				   SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid()));

	if (!err && (role & (MAIN | NET)))
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 1,
				       SCMP_A4(SCMP_CMP_EQ, 0));
	return err;
}

/* In front of a vCPU's filter: it runs the guest again and again. */
static const struct sock_filter run_first[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 5),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 0, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, KVM_RUN, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

/* The program of @ctx, which libseccomp gives to a file only, behind @nr instructions. */
static int export(scmp_filter_ctx ctx, struct sock_fprog *prog, const struct sock_filter *first,
		  size_t nr)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), err;
	off_t len;

	if (fd < 0)
		return -errno;
	err = seccomp_export_bpf(ctx, fd);
	len = err ? 0 : lseek(fd, 0, SEEK_END);
	if (!err && len > 0) {
		prog->len = (unsigned short)(nr + (size_t)len / sizeof(*first));
		prog->filter = malloc(prog->len * sizeof(*first));
		err = prog->filter ? read_at(fd, prog->filter + nr, (size_t)len, 0) : -ENOMEM;
	}
	if (!err && nr)
		memcpy(prog->filter, first, nr * sizeof(*first));
	close(fd);
	return err;
}

/**
 * sandbox_filter_build() - make the filter of a role
 * @role: the role
 * @prog: filled in; free with sandbox_filter_free() whatever is returned
 *
 * Return: 0, -ENOMEM, or -errno of libseccomp.
 */
int sandbox_filter_build(enum sandbox_role role, struct sock_fprog *prog)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	unsigned int bit = 1u << role;
	int err;

	*prog = (struct sock_fprog){ 0 };
	if (!ctx)
		return -ENOMEM;
	err = allow_ioctls(ctx, bit);
	for (unsigned int i = 0; !err && i < ARRAY_SIZE(calls); i++)
		if (calls[i].roles & bit)
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i].nr, 0);
	if (!err)
		err = allow_mappings(ctx);
	if (!err)
		err = allow_signals_and_answers(ctx, bit);
	if (!err)
		err = export(ctx, prog, run_first,
			     role == SANDBOX_VCPU ? ARRAY_SIZE(run_first) : 0);
	seccomp_release(ctx);
	return err;
}

/**
 * sandbox_filter_free() - free a filter
 * @prog: from sandbox_filter_build(), or empty
 */
void sandbox_filter_free(struct sock_fprog *prog)
{
	free(prog->filter);
	*prog = (struct sock_fprog){ 0 };
}
