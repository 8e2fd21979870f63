// SPDX-License-Identifier: GPL-2.0
/*
 * sandbox.c - give up what the guest must not get at.
 *
 * Entered by the main thread when all files are open and all threads run, just
 * before the guest's first instruction. Order matters: the locked-memory limit
 * is raised while we may, then root is given up, then new privileges are ruled
 * out, and last the system call filter is set on all threads at once.
 *
 * A refused system call is a bug of this program or an attack; either way the
 * process ends at once and says which call it was.
 */
#include <errno.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include "options.h"
#include "sandbox.h"
#include "terminal.h"
#include "util.h"
#include "vm.h"

#define DEFAULT_USER	"nobody"

/* Beyond guest RAM: rings in registered mode are counted once more. */
#define MEMLOCK_EXTRA	(64ULL << 20)

#define IOCTL_TYPE_MASK	0xff00
#define SYSCALLS_MAX	512

/* Allowed whatever the arguments. */
static const int allowed[] = {
	/* the event loop */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(clock_gettime),
	/* the control socket */
	SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(shutdown),
	/* a reset reads kernel and initrd again */
	SCMP_SYS(pread64),
	/* disks */
	SCMP_SYS(io_uring_enter), SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(pwrite64),
	SCMP_SYS(preadv2), SCMP_SYS(pwritev2), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
	SCMP_SYS(fallocate),
	/* networks */
	SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
	/* threads and signals */
	SCMP_SYS(futex), SCMP_SYS(tgkill), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
	SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise),
	/* stdio, and the end */
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* ioctl() by the type byte of its number: KVM, vhost, and our own. */
static const unsigned int ioctl_types[] = { 0xae00, 0xaf00, 0xb700 };
/* And these two of the terminal, others could type into it; three of disks; five of taps. */
static const unsigned int ioctl_exact[] = {
	TCGETS, TCSETS, BLKDISCARD, BLKSECDISCARD, BLKGETSIZE64,
	TUNSETOFFLOAD, TUNSETTXFILTER, TUNSETQUEUE, SIOCSIFHWADDR, SIOCGIFHWADDR,
};

/* Filled before the filter is set: a signal handler cannot look a name up. */
static const char *names[SYSCALLS_MAX];

static void say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

static void on_refused(int sig, siginfo_t *info, void *context)
{
	unsigned int nr = (unsigned int)info->si_syscall;
	char digits[12];
	char *p = digits + sizeof(digits) - 1;

	terminal_restore();
	*p = 0;
	do {
		*--p = (char)('0' + nr % 10);
		nr /= 10;
	} while (nr);
	nr = (unsigned int)info->si_syscall;
	say("kvhost: the sandbox refused system call ");
	say(p);
	say(" (");
	say(nr < SYSCALLS_MAX && names[nr] ? names[nr] : "unknown");
	say("); this is a bug or an attack, --sandbox off would allow it\n");
	_exit(VM_EXIT_SANDBOX);
}

static int catch_refusals(void)
{
	struct sigaction sa = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO };

	for (int i = 0; i < SYSCALLS_MAX; i++)
		names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
	return sigaction(SIGSYS, &sa, NULL) < 0 ? -errno : 0;
}

static int allow_ioctls(scmp_filter_ctx ctx)
{
	int err = seccomp_syscall_priority(ctx, SCMP_SYS(ioctl), 255);

	for (unsigned int i = 0; !err && i < ARRAY_SIZE(ioctl_types); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1_32(SCMP_CMP_MASKED_EQ, IOCTL_TYPE_MASK,
						  ioctl_types[i]));
	for (unsigned int i = 0; !err && i < ARRAY_SIZE(ioctl_exact); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1_32(SCMP_CMP_MASKED_EQ, ~0U, ioctl_exact[i]));
	return err;
}

/* The allocator needs memory, but none that can be executed. */
static int allow_mappings(scmp_filter_ctx ctx)
{
	static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int err = 0;

	for (unsigned int i = 0; !err && i < ARRAY_SIZE(calls); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1,
				       SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mremap), 0);
	return err;
}

static int set_filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int err;

	if (!ctx)
		return -ENOMEM;
	err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/* The guest's own mitigations are KVM's business; do not slow every exit for ours. */
	if (!err)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	if (!err)
		err = allow_ioctls(ctx);
	for (unsigned int i = 0; !err && i < ARRAY_SIZE(allowed); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (!err)
		err = allow_mappings(ctx);
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

/* Pinned ring and guest pages count against this limit once we are not root. */
static void raise_memlock(const struct options *opt)
{
	struct rlimit lim;
	rlim_t want = opt->memory + MEMLOCK_EXTRA;

	if (getrlimit(RLIMIT_MEMLOCK, &lim) < 0 || lim.rlim_cur >= want)
		return;
	lim.rlim_cur = want;
	if (lim.rlim_max < want)
		lim.rlim_max = want;
	if (setrlimit(RLIMIT_MEMLOCK, &lim) < 0)
		log_warn("cannot raise the locked-memory limit to %llu MiB: %m",
			 (unsigned long long)(want >> 20));
}

static int drop_root(const struct options *opt)
{
	const char *name = opt->user ? opt->user : DEFAULT_USER;
	const struct passwd *pw;
	int err;

	if (geteuid() != 0) {
		if (!opt->user)
			return 0;
		log_error("--user: only root can become '%s'; start kvhost as root or as '%s'",
			  name, name);
		return -EPERM;
	}
	errno = 0;
	pw = getpwnam(name);
	if (!pw) {
		log_error("--user: there is no account '%s'", name);
		return -ENOENT;
	}
	raise_memlock(opt);
	if (setgroups(0, NULL) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0) {
		err = -errno;
		log_error("--user: cannot become '%s': %m", name);
		return err;
	}
	return 0;
}

/**
 * sandbox_enter() - give up what the guest must not get at
 * @opt: what the user wants of it
 *
 * Context: main thread; every other thread of the process exists already.
 * Return: 0, or -errno after one line on stderr.
 */
int sandbox_enter(const struct options *opt)
{
	int err;

	err = drop_root(opt);
	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err = -errno;
	if (!err)
		err = catch_refusals();
	if (!err)
		err = set_filter();
	if (err)
		log_error("cannot enter the sandbox: %s; --sandbox off does without",
			  strerror(-err));
	return err;
}
