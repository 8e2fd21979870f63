// SPDX-License-Identifier: GPL-2.0
/*
 * sandbox_test.c - V11: what each kind of thread may do once the sandbox is entered.
 *
 * A child process enters it with a thread of the role, which then makes one system
 * call, as code would that has taken the thread over. It survives or ends with
 * VM_EXIT_SANDBOX.
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/kvm.h>
#include <linux/vhost.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "sandbox.h"
#include "util.h"
#include "vm.h"
#include <kselftest_harness.h>

#define MAIN	(1u << SANDBOX_MAIN)
#define DEVICE	(1u << SANDBOX_DEVICE)
#define VCPU	(1u << SANDBOX_VCPU)
#define DISK	(1u << SANDBOX_DISK)
#define RANGE	(1u << SANDBOX_RANGE)
#define NET	(1u << SANDBOX_NET)
#define ALL	(MAIN | DEVICE | VCPU | DISK | RANGE | NET)
#define NOBODY	0u

/* An argument that is not known before: this process, another one, some memory. */
#define SELF	-1001
#define OTHER	-1002
#define MEMORY	-1003

static long memory[64];

/* Descriptor -1 everywhere: a call that is let through fails, and that is all right. */
static const struct call {
	const char *name;
	unsigned int roles;
	long nr;
	long arg[6];
} calls[] = {
	{ "openat", NOBODY, SYS_openat, { -1 } },
	{ "open", NOBODY, SYS_open, { 0 } },
	{ "socket", NOBODY, SYS_socket, { AF_INET, SOCK_STREAM } },
	{ "connect", NOBODY, SYS_connect, { -1 } },
	{ "execve", NOBODY, SYS_execve, { 0 } },
	{ "clone", NOBODY, SYS_clone, { 0 } },
	{ "clone3", NOBODY, SYS_clone3, { 0 } },
	{ "fork", NOBODY, SYS_fork, { 0 } },
	{ "ptrace", NOBODY, SYS_ptrace, { 0 } },
	{ "process_vm_readv", NOBODY, SYS_process_vm_readv, { OTHER } },
	{ "kill", NOBODY, SYS_kill, { OTHER, 0 } },
	{ "tgkill of another process", NOBODY, SYS_tgkill, { OTHER, OTHER, 0 } },
	{ "tgkill of a thread", ALL, SYS_tgkill, { SELF, SELF, 0 } },
	{ "sendmsg", NOBODY, SYS_sendmsg, { -1 } },
	{ "recvmsg", NOBODY, SYS_recvmsg, { -1 } },
	{ "sendto an address", NOBODY, SYS_sendto, { -1, 0, 0, 0, MEMORY, 16 } },
	{ "sendto", MAIN | NET, SYS_sendto, { -1 } },
	{ "recvfrom", MAIN | NET, SYS_recvfrom, { -1 } },
	{ "accept4", MAIN, SYS_accept4, { -1 } },
	{ "io_uring_setup", NOBODY, SYS_io_uring_setup, { 8 } },
	{ "io_uring_register", NOBODY, SYS_io_uring_register, { -1 } },
	{ "io_uring_enter", DISK, SYS_io_uring_enter, { -1 } },
	{ "pread64", DEVICE, SYS_pread64, { -1 } },
	{ "fallocate", RANGE, SYS_fallocate, { -1 } },
	{ "fdatasync", RANGE, SYS_fdatasync, { -1 } },
	{ "writev", NET, SYS_writev, { -1 } },
	{ "poll", MAIN | DEVICE | NET, SYS_poll, { 0, 0, 0 } },
	{ "mmap", ALL, SYS_mmap, { 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
	{ "mmap of code", NOBODY, SYS_mmap,
	  { 0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
	{ "mprotect of code", NOBODY, SYS_mprotect, { 0, 4096, PROT_READ | PROT_EXEC } },
	{ "setresuid", NOBODY, SYS_setresuid, { 0, 0, 0 } },
	{ "prctl", NOBODY, SYS_prctl, { 0 } },
	{ "typing into the terminal", NOBODY, SYS_ioctl, { -1, TIOCSTI } },
	{ "KVM_RUN", VCPU, SYS_ioctl, { -1, KVM_RUN } },
	{ "KVM_CREATE_VM", NOBODY, SYS_ioctl, { -1, KVM_CREATE_VM } },
	{ "KVM_CREATE_VCPU", NOBODY, SYS_ioctl, { -1, KVM_CREATE_VCPU } },
	{ "KVM_SET_USER_MEMORY_REGION", NOBODY, SYS_ioctl, { -1, KVM_SET_USER_MEMORY_REGION } },
	{ "VHOST_SET_OWNER", DEVICE | VCPU, SYS_ioctl, { -1, VHOST_SET_OWNER } },
	/* With vdso=0 the clock is read like this. */
	{ "clock_gettime", ALL, SYS_clock_gettime, { CLOCK_MONOTONIC, MEMORY } },
	{ "gettimeofday", ALL, SYS_gettimeofday, { MEMORY } },
	{ "time", ALL, SYS_time, { 0 } },
};

/* In place of the sanitizer's, which make calls of their own when a child ends. */
void __attribute__((noreturn)) _exit(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

void __asan_handle_no_return(void);

void __asan_handle_no_return(void)
{
}

struct attempt {
	const struct call *call;
	long other;
	int ready;
	int go;
};

static void attempt(const struct attempt *a)
{
	long arg[6];

	for (unsigned int i = 0; i < 6; i++) {
		arg[i] = a->call->arg[i];
		if (arg[i] == SELF)
			arg[i] = getpid();
		else if (arg[i] == OTHER)
			arg[i] = a->other;
		else if (arg[i] == MEMORY)
			arg[i] = (long)memory;
	}
	syscall(a->call->nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	_exit(0);
}

static void *thread(void *arg)
{
	struct attempt *a = arg;

	/* The sanitizer has its own calls behind it. */
	__atomic_store_n(&a->ready, 1, __ATOMIC_RELEASE);
	/* By a call that every role has: the signal that confines it restarts this. */
	while (!__atomic_load_n(&a->go, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &a->go, FUTEX_WAIT_PRIVATE, 0, NULL);
	attempt(a);
	return NULL;
}

/* Never returns. */
static void child(struct attempt *a, enum sandbox_role role)
{
	pthread_t id;

	if (role != SANDBOX_MAIN && sandbox_thread_create(&id, role, thread, a))
		_exit(1);
	while (role != SANDBOX_MAIN && !__atomic_load_n(&a->ready, __ATOMIC_ACQUIRE))
		sched_yield();
	if (sandbox_enter())
		_exit(1);
	if (role == SANDBOX_MAIN)
		attempt(a);
	__atomic_store_n(&a->go, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &a->go, FUTEX_WAKE_PRIVATE, 1);
	for (;;)
		syscall(SYS_futex, memory, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static int run(const struct call *call, enum sandbox_role role)
{
	struct attempt a = { .call = call, .other = getpid() };
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		child(&a, role);
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	if (!WIFEXITED(status))
		return -WTERMSIG(status);
	return WEXITSTATUS(status);
}

TEST(V11_each_role_has_its_calls_and_no_others)
{
	for (unsigned int role = 0; role < SANDBOX_ROLES; role++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
			bool may = calls[i].roles & (1u << role);

			EXPECT_EQ(may ? 0 : VM_EXIT_SANDBOX, run(&calls[i], role)) {
				TH_LOG("role %u: %s", role, calls[i].name);
			}
		}
	}
}

static void *idle(void *arg)
{
	pause();
	return NULL;
}

/* A thread that the sandbox does not know would go on without a filter. */
TEST(V11_no_thread_is_left_out)
{
	pid_t pid = fork();
	pthread_t id;
	int status;

	if (!pid) {
		if (pthread_create(&id, NULL, idle, NULL))
			_exit(1);
		_exit(sandbox_enter() == -ESRCH ? 0 : 2);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
