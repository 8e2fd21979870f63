// SPDX-License-Identifier: GPL-2.0
/*
 * sandbox.c - give up what the guest must not get at.
 *
 * Entered by the main thread when all files are open and all threads run, just
 * before the guest's first instruction. Root is given up first, with the sandbox or
 * without. Then each thread rules out new privileges for itself, and sets the
 * system call filter of its role: a signal asks it to, because only a thread
 * itself can do either.
 *
 * A refused system call is a bug of this program or an attack; either way the
 * process ends at once and says which call it was. sandbox_filter.c has the lists.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <pwd.h>
#include <seccomp.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "options.h"
#include "sandbox.h"
#include "terminal.h"
#include "util.h"
#include "vm.h"

#define DEFAULT_USER	"nobody"

/* Beyond guest RAM: rings in registered mode are counted once more. */
#define MEMLOCK_EXTRA	(64ULL << 20)

#define SYSCALLS_MAX	512
#define THREADS_MAX	128
#define CONFINE_SIGNAL	SIGUSR2

/* Who the process becomes, if @change. */
static struct {
	bool change;
	uid_t uid;
	gid_t gid;
} account;

/* Threads beside the main one; constant once the sandbox was entered. */
static struct thread {
	pthread_t id;
	enum sandbox_role role;
} threads[THREADS_MAX];
static unsigned int nr_threads;
static bool sandboxed;

static struct sock_fprog filters[SANDBOX_ROLES];
static sem_t confined;
static int confine_error;	/* atomic */

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

/* Of the calling thread; the main one is not listed. */
static enum sandbox_role role_of_caller(void)
{
	for (unsigned int i = 0; i < nr_threads; i++)
		if (pthread_equal(threads[i].id, pthread_self()))
			return threads[i].role;
	return SANDBOX_MAIN;
}

/* The calling thread, for good. */
static int confine(void)
{
	const struct sock_fprog *filter = &filters[role_of_caller()];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* The guest's own mitigations are KVM's business; do not slow every exit for ours. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		    filter) < 0)
		return -errno;
	return 0;
}

static void on_confine(int sig)
{
	int saved = errno, err = confine();

	if (err)
		__atomic_store_n(&confine_error, err, __ATOMIC_RELAXED);
	sem_post(&confined);
	errno = saved;
}

static int catch_signals(void)
{
	struct sigaction refused = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO };
	struct sigaction ask = { .sa_handler = on_confine, .sa_flags = SA_RESTART };

	for (int i = 0; i < SYSCALLS_MAX; i++)
		names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
	if (sigaction(SIGSYS, &refused, NULL) < 0 || sigaction(CONFINE_SIGNAL, &ask, NULL) < 0 ||
	    sem_init(&confined, 0, 0) < 0)
		return -errno;
	return 0;
}

/*
 * Is a thread one of the kernel's own: of io_uring, of vhost, of KVM? It is listed as
 * one of the process, and runs none of our code. The flags are PF_IO_WORKER and
 * PF_USER_WORKER, the ninth field of its stat.
 */
static bool is_kernels_own(const char *tid)
{
	char path[64], text[256] = "", *p;
	unsigned int flags = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;	/* has just ended */
	(void)!read(fd, text, sizeof(text) - 1);
	close(fd);
	/* The name may contain anything. */
	p = strrchr(text, ')');
	return p && sscanf(p, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & (0x10 | 0x4000));
}

static int count_threads(unsigned int *n)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;

	if (!dir)
		return -errno;
	while ((d = readdir(dir)))
		*n += d->d_name[0] != '.' && !is_kernels_own(d->d_name);
	closedir(dir);
	return 0;
}

static int confine_all(void)
{
	unsigned int i, n = 0;
	int err = count_threads(&n);

	if (!err && n != nr_threads + 1) {
		log_error("the sandbox knows %u threads of %u", nr_threads + 1, n);
		err = -ESRCH;
	}
	for (i = 0; !err && i < nr_threads; i++)
		err = -pthread_kill(threads[i].id, CONFINE_SIGNAL);
	for (n = i; !err && n; n--)
		while (sem_wait(&confined) < 0 && errno == EINTR)
			;
	if (!err)
		err = __atomic_load_n(&confine_error, __ATOMIC_RELAXED);
	sandboxed = true;
	return err ? err : confine();
}

/**
 * sandbox_thread_create() - start a thread
 * @thread: filled in
 * @role:   decides what it may do once the sandbox is entered
 * @fn:     runs on it
 * @arg:    its argument
 *
 * Context: main thread, before sandbox_enter().
 * Return: 0, or -errno of pthread_create().
 */
int sandbox_thread_create(pthread_t *thread, enum sandbox_role role, void *(*fn)(void *arg),
			  void *arg)
{
	int err;

	if (nr_threads == THREADS_MAX)
		return -EAGAIN;
	err = -pthread_create(thread, NULL, fn, arg);
	if (!err)
		threads[nr_threads++] = (struct thread){ .id = *thread, .role = role };
	return err;
}

/**
 * sandbox_thread_join() - wait for the end of a thread
 * @thread: from sandbox_thread_create()
 *
 * Context: main thread before the sandbox, any later.
 */
void sandbox_thread_join(pthread_t thread)
{
	unsigned int i;

	pthread_join(thread, NULL);
	if (sandboxed)
		return;
	for (i = 0; i < nr_threads && !pthread_equal(threads[i].id, thread); i++)
		;
	if (i < nr_threads)
		threads[i] = threads[--nr_threads];
}

/**
 * sandbox_choose_account() - find out who the process is going to be
 * @opt: what the user wants
 *
 * Context: main thread, before anything is made.
 * Return: 0, or -EINVAL after one line on stderr.
 */
int sandbox_choose_account(const struct options *opt)
{
	const char *name = opt->user ? opt->user : DEFAULT_USER;
	const struct passwd *pw;

	if (geteuid() && !opt->user)
		return 0;
	errno = 0;
	pw = getpwnam(name);
	if (!pw) {
		log_error("--user: there is no account '%s'%s", name,
			  opt->user ? "" : "; choose another one with --user");
		return -EINVAL;
	}
	if (!pw->pw_uid) {
		log_error("--user: a guest does not run as '%s'; choose another account", name);
		return -EINVAL;
	}
	if (!geteuid()) {
		account.change = true;
		account.uid = pw->pw_uid;
		account.gid = pw->pw_gid;
	} else if (pw->pw_uid != geteuid()) {
		log_error("--user: only root can become '%s'; start kvhost as root or as '%s'",
			  name, name);
		return -EINVAL;
	}
	return 0;
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

/**
 * sandbox_drop_root() - become the account that was chosen
 * @opt: what the user wants
 *
 * Context: main thread, after all files are open and before sandbox_enter().
 * Return: 0, or -errno after one line on stderr.
 */
int sandbox_drop_root(const struct options *opt)
{
	int err;

	if (!account.change)
		return 0;
	raise_memlock(opt);
	if (setgroups(0, NULL) < 0 || setresgid(account.gid, account.gid, account.gid) < 0 ||
	    setresuid(account.uid, account.uid, account.uid) < 0) {
		err = -errno;
		log_error("--user: cannot become account %u: %m", (unsigned int)account.uid);
		return err;
	}
	/* Without the sandbox somebody wants to look: a debugger, a leak check. */
	if (!opt->sandbox)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}

/**
 * sandbox_enter() - give up what the guest must not get at
 *
 * Context: main thread; every other thread of the process exists already, from
 * sandbox_thread_create().
 * Return: 0, or -errno after one line on stderr. Some threads may be confined then.
 */
int sandbox_enter(void)
{
	int err = 0;

	for (unsigned int role = 0; !err && role < SANDBOX_ROLES; role++)
		err = sandbox_filter_build(role, &filters[role]);
	if (!err)
		err = catch_signals();
	if (!err)
		err = confine_all();
	if (err)
		log_error("cannot enter the sandbox: %s; --sandbox off does without",
			  strerror(-err));
	for (unsigned int role = 0; role < SANDBOX_ROLES; role++)
		sandbox_filter_free(&filters[role]);
	return err;
}
